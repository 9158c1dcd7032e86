"""One command per question. This module parses, calls and prints; heavy libraries are imported where they are used."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from eqsolver import _arguments as arguments

app = typer.Typer(
    name="eqsolver",
    help="Markets of AI-model providers: what performance costs, what an arbitrageur earns, who gains and who loses.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

INTERRUPTED = 130


class Accounting(StrEnum):
    """How money is counted."""

    attempts = "attempts"
    budget = "budget"


class Allocation(StrEnum):
    """What is allotted."""

    budget = "budget"
    attempts = "attempts"


MarketPaths = Annotated[
    list[Path], typer.Argument(metavar="MARKET...", help="A TOML specification, attempt logs (JSONL), or a folder of logs.")
]
LogPaths = Annotated[list[Path], typer.Argument(metavar="LOGS...", help="Attempt logs (JSONL), or a folder of them.")]
Providers = Annotated[str | None, typer.Option(metavar="a,b", help="Restrict the market to these providers.")]
MaxBudget = Annotated[float | None, typer.Option(help="The most allotted to one problem, money at list price.")]
Json = Annotated[Path | None, typer.Option("--json", metavar="PATH|-", help="Write the answer as JSON; - is stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No tables and no progress.")]
Unit = Annotated[str | None, typer.Option(help="What money is called; nothing is converted. [default: the file's, or USD]")]


def _answers(command: Callable[..., None]) -> Callable[..., None]:
    """End a command as users and shells expect: bad input is one line and 2, an interrupt 130, a closed pipe no fault."""

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        from eqsolver._base import EqsolverError, NotCertified

        try:
            command(*args, **kwargs)
            sys.stdout.flush()
        except NotCertified as error:
            _stop(str(error), 1)
        except EqsolverError as error:
            _stop(str(error), 2)
        except MemoryError:
            _stop("not enough memory; try fewer --points or a lower --max-budget", 2)
        except KeyboardInterrupt:
            _stop("interrupted", INTERRUPTED)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit from None

    return run


def _stop(message: str, code: int) -> NoReturn:
    typer.echo(f"eqsolver: {message}", err=True)
    raise typer.Exit(code)


def _installed() -> str:
    import importlib.metadata

    return importlib.metadata.version("eqsolver")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"eqsolver {_installed()}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    pass


@app.command()
@_answers
def solve(
    market: MarketPaths,
    providers: Providers = None,
    access: Annotated[str | None, typer.Option(metavar="a,b", help="What the arbitrageur may buy from. [default: all]")] = None,
    levels: Annotated[
        str | None,
        typer.Option(
            metavar="lo:hi:n|u,u,...",
            help="Performance levels. [default: 100, from 5 points below the best provider's reach to the best policy's]",
        ),
    ] = None,
    accounting: Annotated[
        Accounting, typer.Option(help="Count only attempts made as spent, or leftover budget too.")
    ] = Accounting.attempts,
    allocation: Annotated[Allocation, typer.Option(help="Allot money per problem, or attempts.")] = Allocation.budget,
    max_budget: MaxBudget = None,
    max_attempts: Annotated[
        int | None, typer.Option(help="The most attempts per provider, with --allocation attempts.")
    ] = None,
    prices: Annotated[
        str | None, typer.Option(metavar="name=mult,...", help="Price multipliers instead of the market's.")
    ] = None,
    evaluate: Annotated[
        str | None, typer.Option(metavar="name=budget,...", help="Also evaluate this cascade, first bought from first.")
    ] = None,
    undercut: Annotated[
        str, typer.Option(metavar="f:rounds", help="How two alike arbitrageurs undercut each other.")
    ] = "0.93:7",
    bootstrap: Annotated[int, typer.Option(metavar="B", help="Resamples of the problems, for 5-95 % bands.")] = 0,
    seed: Annotated[int, typer.Option(metavar="S", help="Seed of the resamples.")] = 0,
    points: Annotated[int | None, typer.Option(help="Grid points per provider. [default: refined to --tolerance]")] = None,
    tolerance: Annotated[float, typer.Option(help="Refine until no optimum moves by more than this share.")] = 1e-3,
    unit: Unit = None,
    json: Json = None,
    figures: Annotated[Path | None, typer.Option(metavar="DIR", help="Draw figures (PNG) into this folder.")] = None,
    quiet: Quiet = False,
) -> None:
    """Solve a market at posted prices: offers, margins of cascades and schedules, who earns what."""
    asked = arguments.levels(levels)
    options: dict[str, Any] = {
        "providers": arguments.names(providers, "--providers"),
        "access": arguments.names(access, "--access"),
        "levels": asked,
        "accounting": accounting.value,
        "allocation": allocation.value,
        "max_budget": max_budget,
        "max_attempts": max_attempts,
        "prices": dict(arguments.pairs(prices, "--prices") or []),
        "evaluated": arguments.pairs(evaluate, "--evaluate"),
        "undercutting": arguments.undercut(undercut),
        "bootstrap": bootstrap,
        "seed": seed,
        "points": points,
        "tolerance": tolerance,
    }
    _check_outputs(json, figures)

    with _progress(quiet) as say:
        from eqsolver.market import load
        from eqsolver.posted import solve as solve_market

        say("reading", 0.0)
        found = solve_market(load(*market, unit=unit, providers=options["providers"]), **options, progress=say)

    from eqsolver import report

    if json is not None:
        _write(json, report.to_json(found))
    if not quiet and not _is_stdout(json):
        report.print_solution(found, _console())
    if figures is not None:
        for path in report.save_figures(found, figures):
            typer.echo(f"wrote {path}", err=True)
    if asked is not None and found.unreached.size:
        listed = ", ".join(f"{u:g}" for u in found.unreached[:8]) + (", ..." if found.unreached.size > 8 else "")
        _stop(f"solved, but no policy reaches {listed}; policies reach {found.reach:.6f}", 1)


@app.command()
@_answers
def calibrate(
    logs: LogPaths,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="spec.toml", help="The specification to write.")],
    classes: Annotated[int, typer.Option(metavar="K", help="The most classes; fewer if they fit as well as is asked.")] = 256,
    max_budget: MaxBudget = None,
    providers: Providers = None,
    teacher: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of a family of students: fit and judge pairs with it only.")
    ] = None,
    tokens: Annotated[
        str | None, typer.Option(metavar="name=n,...", help="Tokens that students were distilled on, for the file.")
    ] = None,
    consumers: Annotated[
        str | None,
        typer.Option(metavar="median:sigma", help="Lognormal value of a solved problem, an assumption for the file."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the market. [default: the output's stem]")] = None,
    source: Annotated[str | None, typer.Option(help="Where the numbers come from, for the file's header.")] = None,
    seed: Annotated[int, typer.Option(metavar="S", help="Seed of the fit.")] = 0,
    unit: Unit = None,
    quiet: Quiet = False,
) -> None:
    """Turn attempt logs into a specification by problem classes, and say how well it fits (1 if short of the goals)."""
    from dataclasses import replace

    from eqsolver._files import check_writable
    from eqsolver.market import Population, load, write_spec

    check_writable(output)
    population = arguments.lognormal(consumers)
    distilled = dict(arguments.pairs(tokens, "--tokens") or [])
    with _progress(quiet) as say:
        say("reading", 0.0)
        only = arguments.names(providers, "--providers")
        market = load(*logs, unit=unit, providers=only).with_tokens(distilled)
        if population is not None:
            market = replace(market, consumers=(Population(distribution="lognormal", parameters=population),))

        from eqsolver.estimate import calibrate as fit_market

        fit = fit_market(
            market,
            classes=classes,
            max_budget=max_budget,
            teacher=teacher,
            seed=seed,
            progress=lambda line: say(line, 0.0),
        )

    from eqsolver import report

    lines = report.fit_lines(fit, market)
    made = f"Made by eqsolver {_installed()}: eqsolver calibrate {' '.join(path.name for path in logs)} --classes {classes}"
    options = {
        "--max-budget": max_budget,
        "--providers": providers,
        "--teacher": teacher,
        "--tokens": tokens,
        "--consumers": consumers,
        "--unit": unit,
        "--seed": seed or None,
    }
    made += "".join(f" {option} {value}" for option, value in options.items() if value is not None)
    header = ([source] if source else []) + [made, *lines]
    write_spec(replace(fit.market, name=name or output.stem), output, "\n".join(header))
    if not quiet:
        typer.echo("\n".join([*lines, f"Wrote {output}."]))
    if not fit.met:
        _stop("calibrated, but short of the goals", 1)


@app.command()
@_answers
def schema() -> None:
    """Print the JSON Schema of a market specification."""
    import json

    from eqsolver.market import schema as describe

    typer.echo(json.dumps(describe(), indent=2))


def _is_stdout(path: Path | None) -> bool:
    return path is not None and str(path) == "-"


def _check_outputs(json: Path | None, figures: Path | None) -> None:
    from eqsolver._files import check_writable

    if json is not None and not _is_stdout(json):
        check_writable(json)
    if figures is not None:
        check_writable(figures, folder=True)


def _write(path: Path, text: str) -> None:
    from eqsolver._files import write_whole

    if _is_stdout(path):
        typer.echo(text, nl=not text.endswith("\n"))
    else:
        write_whole(path, text)


def _console() -> Any:
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 132, soft_wrap=False)


@contextlib.contextmanager
def _progress(quiet: bool) -> Iterator[Callable[[str, float], None]]:
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


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
