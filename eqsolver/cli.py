"""One command per question. This module parses, calls and prints; heavy libraries are imported where they are used."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from eqsolver import _arguments as arguments
from eqsolver._cli import (
    Accounting,
    Allocation,
    Json,
    LogPaths,
    MarketPaths,
    MaxAttempts,
    MaxBudget,
    Providers,
    Quiet,
    Unit,
    answers,
    app,
    check_outputs,
    console,
    installed,
    is_stdout,
    progress,
    stop,
    write,
)
from eqsolver._cli_game import equilibrium


@app.command()
@answers
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
    max_attempts: MaxAttempts = None,
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
    check_outputs(json, figures)

    with progress(quiet) as say:
        from eqsolver.market import load
        from eqsolver.posted import solve as solve_market

        say("reading", 0.0)
        found = solve_market(load(*market, unit=unit, providers=options["providers"]), **options, progress=say)

    from eqsolver import report

    if json is not None:
        write(json, report.to_json(found))
    if not quiet and not is_stdout(json):
        report.print_solution(found, console())
    if figures is not None:
        for path in report.save_figures(found, figures):
            typer.echo(f"wrote {path}", err=True)
    if asked is not None and found.unreached.size:
        listed = ", ".join(f"{u:g}" for u in found.unreached[:8]) + (", ..." if found.unreached.size > 8 else "")
        stop(f"solved, but no policy reaches {listed}; policies reach {found.reach:.6f}", 1)


@app.command()
@answers
def calibrate(
    logs: LogPaths,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="spec.toml", help="The specification to write.")],
    classes: Annotated[int, typer.Option(metavar="K", help="The most classes; fewer if they fit as well as is asked.")] = 256,
    max_budget: MaxBudget = None,
    providers: Providers = None,
    name: Annotated[str | None, typer.Option(help="Name of the market. [default: the output's stem]")] = None,
    source: Annotated[str | None, typer.Option(help="Where the numbers come from, for the file's header.")] = None,
    seed: Annotated[int, typer.Option(metavar="S", help="Seed of the fit.")] = 0,
    unit: Unit = None,
    quiet: Quiet = False,
) -> None:
    """Turn attempt logs into a specification by problem classes, and say how well it fits (1 if short of the goals)."""
    from dataclasses import replace

    from eqsolver._files import check_writable
    from eqsolver.market import load, write_spec

    check_writable(output)
    with progress(quiet) as say:
        say("reading", 0.0)
        only = arguments.names(providers, "--providers")
        market = load(*logs, unit=unit, providers=only)

        from eqsolver.estimate import calibrate as fit_market

        fit = fit_market(market, classes=classes, max_budget=max_budget, seed=seed, progress=lambda line: say(line, 0.0))

    from eqsolver import report

    lines = report.fit_lines(fit, market)
    made = f"Made by eqsolver {installed()}: eqsolver calibrate {' '.join(path.name for path in logs)} --classes {classes}"
    options = {"--max-budget": max_budget, "--providers": providers, "--seed": seed or None}
    made += "".join(f" {option} {value}" for option, value in options.items() if value is not None)
    header = ([source] if source else []) + [made, *lines]
    write_spec(replace(fit.market, name=name or output.stem), output, "\n".join(header))
    if not quiet:
        typer.echo("\n".join([*lines, f"Wrote {output}."]))
    if not fit.met:
        stop("calibrated, but short of the goals", 1)


@app.command()
@answers
def schema() -> None:
    """Print the JSON Schema of a market specification."""
    import json

    from eqsolver.market import schema as describe

    typer.echo(json.dumps(describe(), indent=2))


app.command()(answers(equilibrium))


def main() -> None:
    """Run the command line."""
    app()


if __name__ == "__main__":
    main()
