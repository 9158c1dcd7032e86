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

OPTIONS: dict[str, tuple[str, Any, Any, str | None, str]] = {
    "log_format": ("--format", str | None, None, "NAME|TOML", "Of logs. [default: seen from the files]"),
    "scorer": ("--scorer", str | None, None, "NAME", "Whose verdict counts, of several."),
    "solved_at": ("--solved-at", float | None, None, "X", "The least score that counts as solved."),
    "columns": ("--map", str | None, None, "a=b,...", "Columns: problem=task_id,solved=score>=0.5,cost=usd."),
    "per": ("--per", str | None, None, "COLUMN", "Whose values are attempts, where a row is a call."),
    "verdicts": ("--verdicts", Path | None, None, "CSV", "Attempt's key, solved: for call logs."),
    "require_cost": ("--require-cost", bool, False, None, "Refuse attempts of unknown cost."),
    "price_list": ("--price-list", list[str] | None, None, "NAME|FILE", "genai-prices, LiteLLM JSON or TOML."),
    "as_of": ("--as-of", str, "attempt", "attempt|now|DATE", "The day of the prices."),
    "exclude": ("--exclude", list[str] | None, None, "REASON", "Exclude attempts of this error."),
    "domain_field": ("--domain-field", str | None, None, "COLUMN", "What names a problem's domain."),
    "attempts_min": ("--attempts-min", int, 1, "n", "The least attempts of a provider on a problem."),
}
"""{parameter: (option, type, default, placeholder, help)}"""


@dataclass(slots=True)
class _Asked:
    """How the command that runs is to read logs, and what was told of them."""

    options: LogOptions = field(default_factory=LogOptions)
    given: dict[str, Any] = field(default_factory=dict)
    quiet: bool = False
    read: bool = False
    domains: dict[str, str] = field(default_factory=dict)
    prices: list[str] = field(default_factory=list)


_ASKED: ContextVar[_Asked | None] = ContextVar("eqsolver_logs", default=None)


def takes_logs(command: Callable[..., None]) -> Callable[..., None]:
    """A command with the options of logs, which `read_logs_of` minds."""
    signature = inspect.signature(command, eval_str=True)

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        given = {name: kwargs.pop(name) for name in OPTIONS}
        told = {OPTIONS[name][0]: value for name, value in given.items() if value != OPTIONS[name][2]}
        token = _ASKED.set(_Asked(_options(given), told, bool(kwargs.get("quiet"))))
        try:
            command(*args, **kwargs)
        finally:
            _ASKED.reset(token)

    added = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=default,
            annotation=Annotated[kind, typer.Option(option, metavar=shown, help=told, rich_help_panel="Logs of other tools")],
        )
        for name, (option, kind, default, shown, told) in OPTIONS.items()
    ]
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
        if asked.options != LogOptions() and not asked.read:
            raise UsageError(f"{sources[0]}: options of logs do not go with a specification")
        return None
    if asked.options == LogOptions() and not any(is_foreign(path) for path in sources):
        return None
    from eqsolver.market import read_foreign

    market, lines, asked.domains = read_foreign(
        sources, replace(asked.options, free=tuple(free)), unit=unit, providers=providers
    )
    asked.read = True
    asked.prices = [line for line in lines if line.startswith("Price of ")]
    if not asked.quiet:
        for line in lines:
            typer.echo(line, err=True)
    return market


def domains_of(market: Market, asked: str | None, sources: Sequence[Path]) -> dict[str, Any]:
    """Domains and sources as `robust` takes them: of other tools' logs, domains are those that `--domain-field` names."""
    told = _ASKED.get() or _Asked()
    if not told.read:
        return {"domains": asked, "sources": sources}
    if asked is None and told.domains:
        return {"domains": [told.domains.get(problem) for problem in market.problems], "sources": ()}
    return {"domains": asked, "sources": ()}


def options_given() -> dict[str, Any]:
    """Options of logs that were given, as they were written, for the header of a file; one that was given twice is a list."""
    asked = _ASKED.get()
    return asked.given if asked else {}


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
