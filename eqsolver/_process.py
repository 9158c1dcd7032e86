"""The process that a command runs in: its streams, its warnings, and an interrupt at any time."""

from __future__ import annotations

import os
import signal
import sys
import warnings
from collections.abc import Callable

from eqsolver._errors import CacheWarning


def process(command: Callable[[], None]) -> None:
    """Run a command line as a process; an interrupt ends it with 130 from its first import on.

    Numerical warnings are ours to prevent and say nothing to a user: tests turn them into errors, the process drops them, and
    its workers do.
    """
    try:
        _open_closed_streams()
        warnings.simplefilter("ignore")
        warnings.simplefilter("default", CacheWarning)
        warnings.showwarning = _tell  # type: ignore[assignment]
        os.environ.setdefault("PYTHONWARNINGS", "ignore")
        command()
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        print("eqsolver: interrupted", file=sys.stderr)
        sys.exit(130)


def _tell(message: Warning | str, *_: object) -> None:
    print(f"eqsolver: {message}", file=sys.stderr)


def _open_closed_streams() -> None:
    """A closed stdin or stderr is opened on nothing, or the next file opened would take its number and its output."""
    for number, mode in ((0, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, mode)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w")
