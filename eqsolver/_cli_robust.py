"""The command of robust allocations."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from eqsolver import _arguments as arguments
from eqsolver._cli import (
    Access,
    Allots,
    Estimators,
    Figures,
    Free,
    Json,
    MarketPaths,
    MaxAttempts,
    MaxBudget,
    Overruns,
    Prices,
    Private,
    Providers,
    Quiet,
    Seed,
    Unit,
    check_outputs,
    estimated,
    hand_over,
    made_by,
    progress,
    read_market,
    terms,
)
from eqsolver._cli_logs import domains_of
from eqsolver._errors import UsageError
from eqsolver._files import existing_file
from eqsolver._program import stop


class RadiusRule(StrEnum):
    """How a radius is chosen."""

    bootstrap = "bootstrap"
    kfold = "kfold"


Domains = Annotated[
    str | None,
    typer.Option(metavar="REGEX|FIELD|CSV", help="Scenarios: a CSV of id, domain; a field of the logs; or a match of ids."),
]


def robust(
    market: MarketPaths,
    domains: Domains = None,
    resamples: Annotated[
        str | None, typer.Option(metavar="problems:n|attempts:n|folds:n", help="Scenarios drawn from the sample instead.")
    ] = None,
    set_: Annotated[
        str,
        typer.Option(
            "--set", metavar="SET", help="nominal, worst, cvar:a (tail share), tv:r, chi2:r, kl:r or wasserstein:r (radius)."
        ),
    ] = "tv:0.1",
    features: Annotated[
        Path | None,
        typer.Option(
            metavar="CSV", help="Of wasserstein: a column `scenario`, and numbers. [default: each provider's success rates]"
        ),
    ] = None,
    auto_radius: Annotated[
        bool, typer.Option("--auto-radius", help="Choose the radius from the data, see --radius-by.")
    ] = False,
    radius_by: Annotated[
        RadiusRule | None,
        typer.Option(
            help="With --auto-radius (implied): the least radius that, with every larger one, keeps its worst-case promise in "
            "95 % of resamples of the problems (bootstrap, the default), or the largest that earns what the best one does on "
            "scenarios left out (kfold).",
        ),
    ] = None,
    floor: Annotated[
        float | None,
        typer.Option(metavar="u", help="Spend least, solving this share in the worst case; problems are scenarios."),
    ] = None,
    providers: Providers = None,
    estimator: Estimators = None,
    free: Free = None,
    access: Access = None,
    private: Private = None,
    levels: Annotated[
        str | None,
        typer.Option(
            metavar="lo:hi:n|u,u,...",
            help="Performance levels. [default: 20 for each scenario, from 5 points below its best provider's reach]",
        ),
    ] = None,
    allot: Allots = None,
    overrun: Overruns = None,
    max_budget: MaxBudget = None,
    max_attempts: MaxAttempts = None,
    prices: Prices = None,
    cross_fits: Annotated[
        int, typer.Option(metavar="n", help="Times the problems are halved for margins out of sample; 0: not at all.")
    ] = 5,
    seed: Seed = 0,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="market.toml", help="Write the market with the mixture as an arbitrageur."),
    ] = None,
    unit: Unit = None,
    json: Json = None,
    figures: Figures = None,
    quiet: Quiet = False,
) -> None:
    """Mix policies so that the worst case over domains or resamples is best, and say what that earns out of sample."""
    options: dict[str, Any] = {
        "resamples": _resamples(resamples),
        "within": set_,
        "auto_radius": radius_by.value if radius_by else "bootstrap" if auto_radius else None,
        "floor": floor,
        "providers": arguments.names(providers, "--providers"),
        "access": arguments.names(access, "--access"),
        "private": arguments.names(private, "--private") or [],
        "levels": arguments.levels(levels),
        **terms(allot, overrun, max_budget, max_attempts),
        "prices": dict(arguments.pairs(prices, "--prices") or []),
        "cross_fits": cross_fits,
        "seed": seed,
    }
    if floor is not None and figures is not None:
        raise UsageError("--figures: there are none with --floor")
    table = existing_file(domains or "")
    check_outputs(json, figures, output, inputs=[*market, features, table], suffixes=[".toml"])
    with progress(quiet) as say:
        from eqsolver.market import spec_text
        from eqsolver.robust import check_in_market, read_features
        from eqsolver.robust import robust as allocate

        loaded = estimated(read_market(market, unit, providers, say, free), estimator, max_budget, max_attempts)
        options |= arguments.exact(loaded.names, providers=providers, access=access, private=private)
        if output is not None:
            cap = (
                (max_budget or loaded.max_budget)
                if (allot or loaded.allot) != "attempts"
                else (max_attempts or loaded.max_attempts)
            )
            check_in_market(loaded, cap)
        given = None if features is None else read_features(features)
        found = allocate(loaded, **options, **domains_of(loaded, domains, market), features=given, progress=say)

    beside = {}
    sells = any(policy.order for policy, _ in found.mixture)
    if output is not None and sells:
        asked = {
            "--domains": domains,
            "--resamples": resamples,
            "--set": found.within.label,
            "--features": features and features.name,
            "--floor": floor,
            "--providers": providers,
            "--estimator": estimator and estimator.value,
            "--access": access,
            "--private": private,
            "--levels": levels,
            "--free": free,
            "--allot": allot and allot.value,
            "--overrun": overrun and overrun.value,
            "--max-budget": max_budget,
            "--max-attempts": max_attempts,
            "--prices": prices,
            "--unit": unit,
        }
        beside[output] = spec_text(found.in_market(), made_by("robust", market, asked))
    hand_over(found, "print_allocation", "save_allocation_figures", json, figures, quiet, beside=beside)
    if output is not None:
        if not sells:
            stop(f"solved, but the mixture only abstains: there is no arbitrageur to write to {output}", 1)
        typer.echo(f"wrote {output}", err=True)
        if any(path.suffix.lower() != ".toml" for path in market):
            each = f"each of the {len(loaded.problems)} problems of the logs as a class: its name, odds and costs"
            typer.echo(f"{output} holds {each}; `eqsolver calibrate` makes a market without them to hand on", err=True)


def _resamples(text: str | None) -> tuple[str, int] | None:
    """`problems:200`, `attempts:200` or `folds:10`."""
    if text is None:
        return None
    kind, _, n = text.partition(":")
    return kind, arguments.count(n or "none", "--resamples", text)
