"""The program: how a command line begins, how it ends, and what a user sees of a fault."""

from __future__ import annotations

import contextlib
import difflib
import errno
import os
import sys
import traceback
from pathlib import Path
from typing import Any, NoReturn, TextIO

import typer
from typer.core import TyperGroup

from eqsolver._errors import EqsolverError, NotCertified, NothingSolved

UNREACHED, BAD_INPUT, FAULT, INTERRUPTED = 1, 2, 3, 130
"""Exit codes: answered but not reached or not certified, bad input, failed inside, interrupted. 0 is an answer."""

STDOUT_FAILS = {errno.ENOSPC, errno.EIO, errno.EBADF, errno.EFBIG, errno.EDQUOT}
"""Why stdout fails: files name themselves in their errors."""

ClickException: type[Exception] = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")
"""typer brings its own click in some versions, and uses the one installed in others."""


class Program(TyperGroup):
    """The command line as users and shells expect it to end: one line on stderr for whatever goes wrong, and its exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command, whose errors become an exit code here: click would take an interrupt or a closed pipe its own way."""
        try:
            found = super().invoke(ctx)
            sys.stdout.flush()
        except (typer.Exit, ClickException):
            raise
        except BaseException as error:
            raise typer.Exit(ended(error)) from None
        return found

    def main(self, args: Any = None, *, standalone_mode: bool = True, **named: Any) -> Any:  # type: ignore[override]
        """Run a command line; exits the process unless `standalone_mode` is False."""
        if not standalone_mode:
            return super().main(args, standalone_mode=False, **named)
        _replace_what_an_encoding_lacks()
        if sys.stdout is None:
            tell("stdout is closed")
            sys.exit(BAD_INPUT)
        try:
            code = super().main(args, standalone_mode=False, **named)
        except ClickException as error:
            code = _misused(error)
        except typer.Abort as error:
            code = ended(error)
        try:
            sys.stdout.flush()
        except OSError as error:
            code = ended(error)
        sys.exit(code if isinstance(code, int) else 0)


def ended(error: BaseException) -> int:
    """Say what ended a command, on one line of stderr, and give its exit code."""
    match error:
        case KeyboardInterrupt() | typer.Abort():
            tell("interrupted")
            return INTERRUPTED
        case NotCertified() | NothingSolved():
            tell(str(error))
            return UNREACHED
        case EqsolverError():
            tell(str(error))
            return BAD_INPUT
        case MemoryError():
            tell("not enough memory; try fewer --points or a lower --max-budget")
            return BAD_INPUT
        case BrokenPipeError():  # the reader has seen enough
            _give_up(sys.stdout)
            return 0
        case OSError(errno=number, filename=None) if number in STDOUT_FAILS:
            _give_up(sys.stdout)
            tell(f"stdout cannot be written to: {error.strerror or error}")
            return BAD_INPUT
        case _ if isinstance(error, ClickException):
            return _misused(error)
    _tell_fault(error)
    return FAULT


def tell(message: str) -> None:
    """A message on stderr, each of its lines by itself; a stderr that is closed or full keeps nobody from an exit code."""
    try:
        for line in message.splitlines():
            typer.echo(f"eqsolver: {line}", err=True)
    except OSError:
        _give_up(sys.stderr)


def stop(message: str, code: int) -> NoReturn:
    """End a command with a message and an exit code."""
    tell(message)
    raise typer.Exit(code)


RENAMED = {
    "--accounting": "--overrun finish|cut|never (--accounting budget is --overrun cut, --accounting attempts --overrun never)",
    "--allocation": "--allot money|attempts (--allocation budget is --allot money)",
}
"""Options of earlier versions, and what they are called now."""


def _misused(error: Any) -> int:
    """A command line that click refuses: what is wrong and where help is, on one line."""
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
        return BAD_INPUT
    where = error.ctx.command_path if getattr(error, "ctx", None) else "eqsolver"
    hint = ""
    if type(error).__name__ == "NoSuchOption":
        options = [name for parameter in error.ctx.command.params for name in parameter.opts if name.startswith("-")]
        close = difflib.get_close_matches(error.option_name, options, n=1, cutoff=0.75)
        told = f"no such option {error.option_name}"
        hint = f"; did you mean {close[0]}?" if close else ""
        if error.option_name in RENAMED:
            hint = f" any more: it is now {RENAMED[error.option_name]}"
    else:
        told = " ".join(error.format_message().split()).rstrip(".")
    tell(f"{told}{hint or f'; see {where} --help'}")
    return BAD_INPUT


def _tell_fault(error: BaseException) -> None:
    """A fault of ours: what and where on one line, and all of it if EQSOLVER_TRACEBACK is set."""
    if os.environ.get("EQSOLVER_TRACEBACK"):
        traceback.print_exception(error)
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if f"{os.sep}eqsolver{os.sep}" in frame.filename] or frames
    where = f" ({Path(own[-1].filename).name}, line {own[-1].lineno})" if own else ""
    what = " ".join(str(error).split())
    tell(
        f"failed inside{where}: {type(error).__name__}{f': {what}' if what else ''}; "
        "a fault of eqsolver, not of the input (EQSOLVER_TRACEBACK=1 shows more)"
    )


def _replace_what_an_encoding_lacks() -> None:
    """Streams that are not Unicode (a pipe on Windows, latin-1, ASCII) get a question mark for what they cannot say."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def _give_up(stream: TextIO | None) -> None:
    """Send what is left of a stream nowhere, so that nothing fails again when the interpreter closes it."""
    with contextlib.suppress(AttributeError, OSError):  # no stream, or none of a file
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())  # type: ignore[union-attr]
