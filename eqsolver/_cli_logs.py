"""Logs on the command line: the options of every command that reads them, and `convert`."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eqsolver import _arguments as arguments
from eqsolver._errors import UsageError
from eqsolver.logs import LogOptions

if TYPE_CHECKING:
    from eqsolver.market import Market

_PANEL = "Logs of other tools"


def _option(*names: str, **named: Any) -> Any:
    return typer.Option(*names, rich_help_panel=_PANEL, **named)


OPTIONS: dict[str, tuple[Any, Any]] = {
    "log_format": (
        Annotated[str | None, _option("--format", metavar="NAME|TOML", help="Of logs. [default: seen from the files]")],
        None,
    ),
    "scorer": (Annotated[str | None, _option("--scorer", metavar="NAME", help="Whose verdict counts, of several.")], None),
    "solved_at": (
        Annotated[float | None, _option("--solved-at", metavar="X", help="The least score that counts as solved.")],
        None,
    ),
    "columns": (
        Annotated[str | None, _option("--map", metavar="a=b,...", help="Columns: problem=task_id,solved=score>=0.5,cost=usd.")],
        None,
    ),
    "per": (
        Annotated[str | None, _option("--per", metavar="COLUMN", help="Whose values are attempts, if a row is a call.")],
        None,
    ),
    "verdicts": (
        Annotated[Path | None, _option("--verdicts", metavar="CSV", help="Attempt's key, solved: for call logs.")],
        None,
    ),
    "require_cost": (Annotated[bool, _option("--require-cost", help="Refuse attempts of unknown cost.")], False),
    "price_list": (
        Annotated[list[str] | None, _option("--price-list", metavar="NAME|FILE", help="genai-prices, LiteLLM JSON or TOML.")],
        None,
    ),
    "as_of": (Annotated[str, _option("--as-of", metavar="attempt|now|DATE", help="The day of the prices.")], "attempt"),
    "exclude": (
        Annotated[list[str] | None, _option("--exclude", metavar="REASON", help="Exclude attempts of this error.")],
        None,
    ),
    "domain_field": (
        Annotated[str | None, _option("--domain-field", metavar="COLUMN", help="What names a problem's domain.")],
        None,
    ),
    "attempts_min": (Annotated[int, _option("--attempts-min", metavar="n", help="The least attempts on a problem.")], 1),
}


@dataclass(slots=True)
class _Asked:
    """How the command that runs is to read logs, and what was told of them."""

    options: LogOptions = field(default_factory=LogOptions)
    quiet: bool = False
    prices: list[str] = field(default_factory=list)


_ASKED: ContextVar[_Asked | None] = ContextVar("eqsolver_logs", default=None)


def takes_logs(command: Callable[..., None]) -> Callable[..., None]:
    """A command with the options of logs, which `read_logs_of` minds."""
    signature = inspect.signature(command, eval_str=True)

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        given = {name: kwargs.pop(name) for name in OPTIONS}
        token = _ASKED.set(_Asked(_options(given), bool(kwargs.get("quiet"))))
        try:
            command(*args, **kwargs)
        finally:
            _ASKED.reset(token)

    kind = inspect.Parameter.KEYWORD_ONLY
    added = [inspect.Parameter(name, kind, default=default, annotation=said) for name, (said, default) in OPTIONS.items()]
    run.__signature__ = signature.replace(parameters=[*signature.parameters.values(), *added])  # type: ignore[attr-defined]
    run.__annotations__ = {name: parameter.annotation for name, parameter in run.__signature__.parameters.items()}  # type: ignore[attr-defined]
    return run


def add_log_options(app: typer.Typer) -> None:
    """Give the options of logs to every command that reads a market."""
    for command in app.registered_commands:
        callback = command.callback
        if callback is not None and {"market", "family", "logs"} & inspect.signature(callback).parameters.keys():
            command.callback = takes_logs(callback)


def _options(given: dict[str, Any]) -> LogOptions:
    """Options as they are written, as the library takes them."""
    mapped = arguments.mapping(given.pop("columns"), "--map")
    if (domain := given.pop("domain_field")) is not None:
        mapped["domain"] = domain
    lists: dict[str, Any] = {"price_lists": tuple(given.pop("price_list") or ()), "exclude": tuple(given.pop("exclude") or ())}
    return LogOptions(format=given.pop("log_format"), columns=mapped, **lists, **given)


def foreign_market(
    sources: Sequence[Path], unit: str | None, providers: Sequence[str] | None, free: Sequence[str]
) -> Market | None:
    """The market of logs of other tools, with what is to be told of them on stderr; None for files of our own."""
    from eqsolver.logs import is_foreign

    asked = _ASKED.get() or _Asked()
    if any(path.suffix.lower() == ".toml" for path in sources):
        if asked.options != LogOptions():
            raise UsageError(f"{sources[0]}: options of logs do not go with a specification")
        return None
    if asked.options == LogOptions() and not any(is_foreign(path) for path in sources):
        return None
    from eqsolver.market import read_foreign

    market, lines = read_foreign(sources, replace(asked.options, free=tuple(free)), unit=unit, providers=providers)
    asked.prices = [line for line in lines if line.startswith("Price of ")]
    if not asked.quiet:
        for line in lines:
            typer.echo(line, err=True)
    return market


def prices_used() -> list[str]:
    """Lines on the token prices that went into the market, with list and version, for the header of a market file."""
    asked = _ASKED.get()
    return asked.prices if asked else []


def convert(
    logs: Annotated[
        list[Path] | None, typer.Argument(metavar="LOGS...", help="Files and folders, of formats that may differ.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="PATH", help="attempts.csv, .jsonl, .parquet, or a folder of own logs."),
    ] = None,
    free: Annotated[str | None, typer.Option(metavar="a,b", help="Providers whose cost of 0 is true.")] = None,
    list_: Annotated[bool, typer.Option("--list", help="Print the formats that can be read.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No audit.")] = False,
) -> None:
    """Turn logs of any format into one table of attempts, and audit it."""
    from eqsolver import logs as room
    from eqsolver.market import attempt_notes

    if list_:
        known = room.formats()
        typer.echo("\n".join(f"{name:<{max(map(len, known)) + 2}}{about}" for name, about in known.items()))
        return
    if not logs or output is None:
        raise UsageError("convert: give LOGS... and -o PATH, or --list")
    room.check_output(output)
    asked = _ASKED.get() or _Asked()
    options = replace(asked.options, free=tuple(arguments.names(free, "--free") or ()))
    with room.read_attempts(logs, options) as attempts:
        cells = room.cells(attempts.store)
        lines = [*room.audit(attempts, cells), *attempt_notes(cells), *room.write(attempts, cells, output)]
    if not quiet:
        typer.echo("\n".join([*lines, f"Wrote {output}."]))
