"""The command of learning curves."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from eqsolver import _arguments as arguments
from eqsolver._cli import (
    Allots,
    Backend,
    Estimators,
    Figures,
    Free,
    Jobs,
    Json,
    MarketPaths,
    MaxBudget,
    Overruns,
    Providers,
    Quiet,
    Seed,
    Unit,
    check_outputs,
    hand_over,
    is_stdout,
    progress,
    read_market,
    suited,
)

Domain = Annotated[str, typer.Option(metavar="REGEX", help="Of problems' ids; . is all of them.")]


def learn(
    market: MarketPaths,
    fit_domain: Domain = ".",
    eval_domain: Domain = ".",
    budgets: Annotated[
        str | None,
        typer.Option(
            metavar="1,3,10,...",
            help="Money for exploration, at posted prices. [default: 7, from ten problems' first attempts to the whole logs]",
        ),
    ] = None,
    choices: Annotated[
        str,
        typer.Option(
            metavar="a,b,...",
            help="How policies are chosen: empirical; npml, beta; sets as of `robust`, such as tv:0.1.",
        ),
    ] = "empirical,npml,cvar:0.3,tv:0.1",
    attempts: Annotated[int, typer.Option(metavar="k", help="Attempts of every provider per visit of a problem.")] = 1,
    resamples: Annotated[int, typer.Option(metavar="B", help="Explorations per budget.")] = 100,
    scenarios: Annotated[int, typer.Option(metavar="n", help="Resamples of the problems seen, for ambiguity sets.")] = 50,
    allot: Allots = None,
    overrun: Overruns = None,
    clipped: Annotated[bool, typer.Option("--clipped", help="Count losses as zero, as the paper does.")] = False,
    max_budget: MaxBudget = None,
    providers: Providers = None,
    estimator: Estimators = None,
    free: Free = None,
    seed: Seed = 0,
    jobs: Jobs = 1,
    backend: Backend = "loky",
    ledger: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Of what has been solved. [default: beside the --json file]")
    ] = None,
    unit: Unit = None,
    json: Json = None,
    figures: Figures = None,
    quiet: Quiet = False,
) -> None:
    """What margin a budget of exploration buys, in domain and out of it; resumed where an earlier run stopped."""
    options: dict[str, Any] = {
        "fit_domain": fit_domain,
        "eval_domain": eval_domain,
        "budgets": None if budgets is None else [arguments.number(part, "--budgets", budgets) for part in budgets.split(",")],
        "choices": arguments.names(choices, "--choices"),
        "attempts": attempts,
        "resamples": resamples,
        "scenarios": scenarios,
        "allot": allot and allot.value,
        "overrun": overrun and overrun.value,
        "clipped": clipped,
        "max_budget": max_budget,
        "seed": seed,
        "jobs": jobs,
        "backend": backend,
    }
    check_outputs(json, figures, inputs=market)
    if ledger is None and json is not None and not is_stdout(json):
        ledger = json.with_name(json.name + ".ledger")
    with progress(quiet) as say:
        from eqsolver.robust import learn as explore_and_fit

        loaded, chosen = suited(read_market(market, unit, providers, say, free), estimator)
        found = explore_and_fit(loaded, estimator=chosen, ledger=ledger, progress=say, **options)

    hand_over(found, "print_learning", "save_learning_figures", json, figures, quiet)
