"""What every command shares: the application, options, how a command ends, where its answer goes."""

from __future__ import annotations

import contextlib
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eqsolver import _arguments as arguments
from eqsolver._errors import UsageError
from eqsolver._program import Program, stop

if TYPE_CHECKING:
    from eqsolver.market import Market

app = typer.Typer(
    name="eqsolver",
    help="Markets of AI-model providers: what performance costs, what an arbitrageur earns, who gains and who loses.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    cls=Program,
)


class Allot(StrEnum):
    """What is allotted to a provider."""

    money = "money"
    attempts = "attempts"


class Overrun(StrEnum):
    """What happens to an attempt that does not fit what is allotted."""

    finish = "finish"
    cut = "cut"
    never = "never"


class Estimator(StrEnum):
    """How success probabilities are estimated from logs."""

    unbiased = "unbiased"
    npml = "npml"
    beta = "beta"


MarketPaths = Annotated[
    list[Path],
    typer.Argument(metavar="MARKET...", help="A TOML specification, or logs of any format in `convert --list`."),
]
LogPaths = Annotated[list[Path], typer.Argument(metavar="LOGS...", help="Logs of any format in `convert --list`.")]
Providers = Annotated[str | None, typer.Option(metavar="a,b", help="Restrict the market to these providers.")]
MaxBudget = Annotated[float | None, typer.Option(help="The most allotted to one problem, money at list price.")]
Access = Annotated[str | None, typer.Option(metavar="a,b", help="What the arbitrageur may buy from. [default: all]")]
Allots = Annotated[
    Allot | None, typer.Option(help="What thresholds are: money per provider, or attempts. [default: the file's, or money]")
]
Overruns = Annotated[
    Overrun | None,
    typer.Option(
        help="An attempt that money runs out in: finish and pay it; cut (pause) it; or never begin it, costs being known. "
        "[default: the file's, or finish]"
    ),
]
MaxAttempts = Annotated[
    int | None, typer.Option(help="The most attempts per provider, with --allot attempts; and of free providers.")
]
Free = Annotated[
    str | None, typer.Option(metavar="a,b", help="Providers that cost nothing: bounded by attempts, whatever the budget.")
]
Estimators = Annotated[
    Estimator | None,
    typer.Option(
        help="Of odds from logs: unbiased but optimistic at the frontier; or npml, beta: honest about few attempts, and about "
        "logs that stop at a success. [default: npml where logs stop at the first success, else unbiased]"
    ),
]
Prices = Annotated[str | None, typer.Option(metavar="name=mult,...", help="Price multipliers instead of the market's.")]
Seed = Annotated[int, typer.Option(metavar="S", help="Seed of the resamples.")]
Private = Annotated[
    str | None,
    typer.Option(metavar="a,b", help="Not on sale: run by arbitrageurs only, at posted prices, such as a distilled student."),
]
Bootstrap = Annotated[int, typer.Option(metavar="B", help="Resamples of the problems, for 5-95 % bands.")]
Jobs = Annotated[int, typer.Option(metavar="n", help="How many are solved at once; -1: one per core.")]
Backend = Annotated[str, typer.Option(help="Of joblib: loky, threading, or dask (with eqsolver\\[dask]).")]
Points = Annotated[int | None, typer.Option(help="Grid points per provider. [default: refined to --tolerance]")]
Tolerance = Annotated[float, typer.Option(help="Refine until no optimum moves by more than this share.")]
Figures = Annotated[Path | None, typer.Option(metavar="DIR", help="Draw figures (PNG) into this folder.")]
Json = Annotated[Path | None, typer.Option("--json", metavar="PATH|-", help="Write the answer as JSON; - is stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No tables and no progress.")]
Unit = Annotated[str | None, typer.Option(help="What money is called; nothing is converted. [default: the file's, or USD]")]


def terms(allot: Allot | None, overrun: Overrun | None, max_budget: float | None, max_attempts: int | None) -> dict[str, Any]:
    """What is allotted, what happens to attempts that do not fit, and the caps, as the library takes it."""
    return {
        "allot": allot and allot.value,
        "overrun": overrun and overrun.value,
        "max_budget": max_budget,
        "max_attempts": max_attempts,
    }


def read_market(
    sources: Sequence[Path],
    unit: str | None,
    providers: str | None,
    say: Callable[[str, float], None],
    free: str | None = None,
) -> Market:
    """The market of the files named, and of it the providers asked for; `free` of them cost nothing."""
    from eqsolver._cli_logs import foreign_market
    from eqsolver.market import load

    say("reading", 0.0)
    named, costless = _named(sources, providers), arguments.names(free, "--free") or ()
    return foreign_market(sources, unit, named, costless) or load(*sources, unit=unit, providers=named, free=costless)


def _named(sources: Sequence[Path], providers: str | None) -> list[str] | None:
    """The providers asked for: the one whose name is the whole text, commas and all, or else those between the commas."""
    if providers is not None and "," in providers:
        from eqsolver.market import provider_names

        if providers in provider_names(sources):
            return [providers]
    return arguments.names(providers, "--providers")


def suited(market: Market, asked: Estimator | None) -> tuple[Market, Any]:
    """The estimator asked for, None for the unbiased one; without a wish npml where a log stops at the first success.

    The market's notes say so then.
    """
    from eqsolver.market import stopped_at_first

    chosen = asked
    if asked is None and stopped_at_first(market.providers):
        chosen = Estimator.npml
        told = "The success probabilities are therefore estimated by npml; --estimator unbiased takes the logs as they are."
        market = replace(market, notes=(*market.notes, told))
    if chosen is None or chosen is Estimator.unbiased:
        return market, None
    from eqsolver.estimate import ESTIMATORS

    return market, ESTIMATORS[chosen.value]


def estimated(
    market: Market, asked: Estimator | None, max_budget: float | None = None, max_attempts: int | None = None
) -> Market:
    """The market as the estimator asked for believes it to be, see `suited`; its notes name an estimator that was asked for."""
    from eqsolver.market import believed

    market, estimator = suited(market, asked)
    if asked is not None and estimator is not None:
        market = replace(market, notes=(*market.notes, f"The success probabilities are estimated by {estimator.name}."))
    return believed(market, estimator, max_budget=max_budget, max_attempts=max_attempts)[0]


def installed() -> str:
    import importlib.metadata

    return importlib.metadata.version("eqsolver")


def listed(value: Any) -> Sequence[Any]:
    """The values of an option, of which most take one."""
    return value if isinstance(value, list) else [value]


def made_by(command: str, sources: Sequence[Path], options: Mapping[str, Any]) -> str:
    """For a file's header: the command that made it again, where options that were not given are None."""
    from eqsolver._cli_logs import options_given

    every = [(name, one) for name, value in {**options, **options_given()}.items() for one in listed(value)]
    given = [(name,) if value is True else (name, str(value)) for name, value in every if value is not None]
    said = [command, *(path.name for path in sources), *(part for pair in given for part in pair)]
    return f"Made by eqsolver {installed()}: eqsolver {shlex.join(said)}"


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"eqsolver {installed()}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    pass


def hand_over(
    found: Any,
    show: str,
    draw: str,
    json: Path | None,
    figures: Path | None,
    quiet: bool,
    *,
    beside: Mapping[Path, str | bytes] | None = None,
) -> None:
    """An answer to where it was asked for: files first, all of them or none; then tables, or the JSON, on stdout.

    show, draw : names of the functions of the report that print and draw it; what draws is imported for figures only.
    beside : what else is to be written, path and content.
    """
    from eqsolver import report
    from eqsolver._files import written

    text = None if json is None else report.to_json(found)
    files: dict[Path, str | bytes] = {**(beside or {})}
    if json is not None and text is not None and not is_stdout(json):
        files[json] = text
    with written(files):
        drawn = [] if figures is None else getattr(report, draw)(found, figures)
    for path in drawn:
        typer.echo(f"wrote {path}", err=True)
    if is_stdout(json):
        typer.echo(text, nl=False)
    elif not quiet:
        getattr(report, show)(found, console())


def tell_unreached(solution: Any) -> None:
    """End with 1 if levels that were asked for are beyond every policy."""
    beyond = solution.unreached
    if beyond.size:
        listed = ", ".join(f"{u:g}" for u in beyond[:8]) + (", ..." if beyond.size > 8 else "")
        stop(f"solved, but no policy reaches {listed}; policies reach {solution.reach:.6f}", 1)


def is_stdout(path: Path | None) -> bool:
    return path is not None and str(path) == "-"


def check_outputs(
    json: Path | None,
    figures: Path | None,
    *others: Path | None,
    inputs: Sequence[Path | None] = (),
    suffixes: Sequence[str] = (),
) -> None:
    """Refuse, before the work, files that cannot be written, are read as well, or have a suffix that nothing is written for.

    others : files beside the JSON, with one of `suffixes`. inputs : what the command reads.
    """
    from eqsolver._files import check_distinct, check_writable

    named = [path for path in others if path is not None]
    for path in named:
        check_writable(path)
        if (path.is_file() or not path.exists()) and path.suffix.lower() not in suffixes:
            raise UsageError(f"{path}: name a file that ends in {' or '.join(suffixes)}")
    if json is not None and not is_stdout(json):
        check_writable(json)
        named.append(json)
    if figures is not None:
        check_writable(figures, folder=True)
    check_distinct(named, [path for path in inputs if path is not None])


def console() -> Any:
    """Where tables go. A closed pipe is told by its own error, and not by rich's way of ending the process."""
    from rich.console import Console

    class Piped(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    return Piped(width=None if sys.stdout.isatty() else 132, soft_wrap=False)


@contextlib.contextmanager
def progress(quiet: bool) -> Iterator[Callable[[str, float], None]]:
    """A progress bar on stderr, on a terminal only; it is gone when the work is done."""
    if quiet or not sys.stderr.isatty():
        yield lambda what, share: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=1.0)
        yield lambda what, share: bar.update(task, description=what, completed=share)
