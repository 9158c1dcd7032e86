"""One command per question. This module parses, calls and prints; heavy libraries are imported where they are used."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from eqsolver import _arguments as arguments
from eqsolver._cli import (
    Access,
    Allots,
    Bootstrap,
    Estimators,
    Figures,
    Free,
    Json,
    LogPaths,
    MarketPaths,
    MaxAttempts,
    MaxBudget,
    Overruns,
    Points,
    Prices,
    Providers,
    Quiet,
    Seed,
    Tolerance,
    Unit,
    app,
    check_outputs,
    estimated,
    hand_over,
    made_by,
    progress,
    read_market,
    suited,
    tell_unreached,
    terms,
)
from eqsolver._cli_game import equilibrium, sweep
from eqsolver._cli_learn import learn
from eqsolver._cli_logs import add_log_options, convert, prices_used
from eqsolver._cli_robust import robust
from eqsolver._process import process
from eqsolver._program import stop

__all__ = ["app", "main"]


@app.command()
def solve(
    market: MarketPaths,
    providers: Providers = None,
    free: Free = None,
    access: Access = None,
    estimator: Estimators = None,
    levels: Annotated[
        str | None,
        typer.Option(
            metavar="lo:hi:n|u,u,...",
            help="Performance levels. [default: 100, from 5 points below the best provider's reach to the best policy's]",
        ),
    ] = None,
    allot: Allots = None,
    overrun: Overruns = None,
    max_budget: MaxBudget = None,
    max_attempts: MaxAttempts = None,
    prices: Prices = None,
    evaluate: Annotated[
        str | None, typer.Option(metavar="name=budget,...", help="Also evaluate this cascade, first bought from first.")
    ] = None,
    undercut: Annotated[
        str, typer.Option(metavar="f:rounds", help="How two alike arbitrageurs undercut each other.")
    ] = "0.93:7",
    bootstrap: Bootstrap = 0,
    cross_fits: Annotated[
        int, typer.Option(metavar="n", help="Halvings of the logs' problems, for the cascade's margin on the other half.")
    ] = 0,
    seed: Seed = 0,
    points: Points = None,
    tolerance: Tolerance = 1e-3,
    unit: Unit = None,
    json: Json = None,
    figures: Figures = None,
    quiet: Quiet = False,
) -> None:
    """Solve a market at posted prices: offers, margins of cascades and schedules, who earns what."""
    asked = arguments.levels(levels)
    options: dict[str, Any] = {
        "providers": arguments.names(providers, "--providers"),
        "access": arguments.names(access, "--access"),
        "levels": asked,
        **terms(allot, overrun, max_budget, max_attempts),
        "prices": dict(arguments.pairs(prices, "--prices") or []),
        "evaluated": arguments.pairs(evaluate, "--evaluate"),
        "undercutting": arguments.undercut(undercut),
        "bootstrap": bootstrap,
        "cross_fits": cross_fits,
        "seed": seed,
        "points": points,
        "tolerance": tolerance,
    }
    check_outputs(json, figures, inputs=market)
    with progress(quiet) as say:
        from eqsolver.posted import solve as solve_market

        loaded, chosen = suited(read_market(market, unit, providers, say, free), estimator)
        options |= arguments.exact(loaded.names, providers=providers, access=access)
        found = solve_market(loaded, estimator=chosen, **options, progress=say).complete()

    hand_over(found, "print_solution", "save_figures", json, figures, quiet)
    if asked is not None:
        tell_unreached(found)


@app.command()
def distill(
    family: Annotated[
        list[Path], typer.Argument(metavar="FAMILY...", help="Teacher and students: a TOML specification, or a folder of logs.")
    ],
    teacher: Annotated[
        str | None, typer.Option(metavar="NAME", help="Whose list price is the market. [default: the one without tokens]")
    ] = None,
    tokens: Annotated[
        str | None, typer.Option(metavar="name=n,...", help="Distillation tokens, beside those of the market file.")
    ] = None,
    token_price: Annotated[
        float | None, typer.Option(metavar="p", help="Of a million distillation tokens: when is the training paid back?")
    ] = None,
    on_sale: Annotated[
        bool, typer.Option("--on-sale", help="Students sell to everybody, not to the arbitrageur only.")
    ] = False,
    providers: Providers = None,
    estimator: Estimators = None,
    free: Free = None,
    levels: Annotated[
        str | None,
        typer.Option(
            metavar="lo:hi:n|u,u,...", help="Performance levels. [default: 100, the 10 points below the teacher's reach]"
        ),
    ] = None,
    allot: Allots = None,
    overrun: Overruns = None,
    max_budget: MaxBudget = None,
    max_attempts: MaxAttempts = None,
    prices: Prices = None,
    bootstrap: Bootstrap = 200,
    seed: Seed = 0,
    points: Points = None,
    tolerance: Tolerance = 1e-3,
    unit: Unit = None,
    json: Json = None,
    figures: Figures = None,
    quiet: Quiet = False,
) -> None:
    """Pair each student with its teacher: margins against distillation tokens, and the teacher's revenue."""
    options: dict[str, Any] = {
        "teacher": teacher,
        "tokens": dict(arguments.pairs(tokens, "--tokens") or []),
        "token_price": token_price,
        "on_sale": on_sale,
        "providers": arguments.names(providers, "--providers"),
        "levels": arguments.levels(levels),
        **terms(allot, overrun, max_budget, max_attempts),
        "prices": dict(arguments.pairs(prices, "--prices") or []),
        "bootstrap": bootstrap,
        "seed": seed,
        "points": points,
        "tolerance": tolerance,
    }
    check_outputs(json, figures, inputs=family)
    with progress(quiet) as say:
        from eqsolver.posted import distill as pair_up

        loaded = estimated(read_market(family, unit, providers, say, free), estimator, max_budget, max_attempts)
        options |= arguments.exact(loaded.names, providers=providers)
        found = pair_up(loaded, **options, progress=say)

    hand_over(found, "print_distillation", "save_distillation_figures", json, figures, quiet)


@app.command()
def enter(
    market: MarketPaths,
    entrant: Annotated[str, typer.Option(metavar="NAME", help="The provider that enters.")],
    capability: Annotated[
        str,
        typer.Option(
            metavar="lo:hi:n", help="Capabilities searched, evenly in their logarithm; s divides the entrant's cost by s."
        ),
    ] = "0.01:10:7",
    least_share: Annotated[float, typer.Option(help="Smaller shares of what consumers pay do not count as earning.")] = 0.0,
    providers: Providers = None,
    estimator: Estimators = None,
    free: Free = None,
    access: Access = None,
    levels: Annotated[
        str | None, typer.Option(metavar="lo:hi:n|u,u,...", help="Performance levels. [default: those of `solve`]")
    ] = None,
    allot: Allots = None,
    overrun: Overruns = None,
    max_budget: MaxBudget = None,
    max_attempts: MaxAttempts = None,
    prices: Prices = None,
    points: Points = None,
    tolerance: Tolerance = 1e-3,
    unit: Unit = None,
    json: Json = None,
    figures: Figures = None,
    quiet: Quiet = False,
) -> None:
    """Add a provider to a market: who earns before and after, and how capable it must be to earn at all."""
    options: dict[str, Any] = {
        "capability": arguments.span(capability, "--capability", "0.01:10:7"),
        "least_share": least_share,
        "providers": arguments.names(providers, "--providers"),
        "access": arguments.names(access, "--access"),
        "levels": arguments.levels(levels),
        **terms(allot, overrun, max_budget, max_attempts),
        "prices": dict(arguments.pairs(prices, "--prices") or []),
        "points": points,
        "tolerance": tolerance,
    }
    check_outputs(json, figures, inputs=market)
    with progress(quiet) as say:
        from eqsolver.posted import enter as let_in

        loaded = estimated(read_market(market, unit, providers, say, free), estimator, max_budget, max_attempts)
        options |= arguments.exact(loaded.names, providers=providers, access=access)
        found = let_in(loaded, entrant, **options, progress=say)

    hand_over(found, "print_entry", "save_entry_figures", json, figures, quiet)
    if options["levels"] is not None:
        tell_unreached(found.solved["with_entrant"])


@app.command()
def calibrate(
    logs: LogPaths,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="spec.toml", help="The specification to write.")],
    classes: Annotated[int, typer.Option(metavar="K", help="The most classes; fewer if they fit as well as is asked.")] = 256,
    least_classes: Annotated[int, typer.Option(metavar="K", help="The fewest classes that are tried.")] = 1,
    rounds: Annotated[int | None, typer.Option(metavar="N", help="Improvements at each number. [default: 3]")] = None,
    single: Annotated[
        bool, typer.Option("--single", help="Classes may show single problems, odds and costs as logged, and fit better.")
    ] = False,
    start: Annotated[
        Path | None, typer.Option(metavar="spec.toml", help="Go on from its classes; with --rounds 0, move their weights only.")
    ] = None,
    max_budget: MaxBudget = None,
    providers: Providers = None,
    free: Free = None,
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

    from eqsolver.market import Population, write_spec

    check_outputs(None, None, output, inputs=[*logs, start], suffixes=[".toml"])
    population = arguments.lognormal(consumers)
    distilled = dict(arguments.pairs(tokens, "--tokens") or [])
    with progress(quiet) as say:
        market = read_market(logs, unit, providers, say, free).with_tokens(distilled)
        if population is not None:
            market = replace(market, consumers=(Population(distribution="lognormal", parameters=population),))

        begun = None if start is None else read_market([start], None, None, say)
        from eqsolver.estimate import calibrate as fit_market

        fit = fit_market(
            market,
            classes=classes,
            least=least_classes,
            rounds=rounds,
            single=single,
            start=begun,
            max_budget=max_budget,
            teacher=teacher,
            seed=seed,
            progress=lambda line: say(line, 0.0),
        )

    from eqsolver import report

    lines = report.fit_lines(fit, market)
    options = {
        "--classes": classes,
        "--least-classes": least_classes if least_classes > 1 else None,
        "--rounds": rounds,
        "--single": True if single else None,
        "--start": start.name if start else None,
        "--max-budget": max_budget,
        "--providers": providers,
        "--teacher": teacher,
        "--tokens": tokens,
        "--consumers": consumers,
        "--unit": unit,
        "--seed": seed or None,
    }
    header = ([source] if source else []) + [made_by("calibrate", logs, options), *lines, *prices_used()]
    write_spec(replace(fit.market, name=name or output.stem), output, "\n".join(header))
    if not quiet:
        typer.echo("\n".join([*lines, f"Wrote {output}."]))
    if not fit.met:
        stop("calibrated, but short of the goals", 1)


@app.command()
def schema() -> None:
    """Print the JSON Schema of a market specification."""
    import json

    from eqsolver.market import schema as describe

    typer.echo(json.dumps(describe(), indent=2))


app.command()(equilibrium)
app.command()(sweep)
app.command()(learn)
app.command()(robust)
app.command()(convert)
add_log_options(app)


def main() -> None:
    """Run the command line of this process."""
    process(app)


if __name__ == "__main__":
    main()
