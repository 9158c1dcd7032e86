"""The commands of the price game."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from eqsolver import _arguments as arguments
from eqsolver._cli import (
    Allots,
    Backend,
    Bootstrap,
    Estimators,
    Figures,
    Free,
    Jobs,
    Json,
    MarketPaths,
    MaxAttempts,
    MaxBudget,
    Overruns,
    Private,
    Providers,
    Quiet,
    Seed,
    Unit,
    check_outputs,
    estimated,
    hand_over,
    progress,
    read_market,
    terms,
)
from eqsolver._errors import UsageError
from eqsolver._program import stop

Regimes = Annotated[
    str, typer.Option(metavar="a,b", help="Of direct, matching, monopoly, competitive, and those of the market file.")
]
Strategic = Annotated[str | None, typer.Option(metavar="a,b", help="Who chooses prices; others keep theirs. [default: all]")]
MarginalCost = Annotated[
    str | None, typer.Option(metavar="0.4|a=0.4,...", help="Instead of the market's, as a share of list price.")
]
ValueOption = Annotated[
    str | None,
    typer.Option(
        metavar="KIND:...,...",
        help="Consumers instead of the market's: lognormal:MEDIAN:SIGMA, uniform:LO:HI, target:LEVEL:BUDGET, value:V, "
        "empirical:FILE (one value a line).",
    ),
]
Tick = Annotated[float | None, typer.Option(help="Prices live on (1 + tick)^n only. [default: any price]")]
Gain = Annotated[float, typer.Option(help="Relative gain from deviating that is small enough.")]
Rounds = Annotated[int, typer.Option(help="The most restricted games, or best responses, of one solve.")]
SchedulePoints = Annotated[int | None, typer.Option(help="Grid points per provider of the arbitrageurs' schedules.")]
Bounds = Annotated[str | None, typer.Option(metavar="lo:hi", help="Lowest and highest multiplier of list price.")]
DemandOption = Annotated[
    str,
    typer.Option(
        "--demand",
        metavar="exact|logit:SCALE|balanced",
        help="How consumers pick a seller: the best offer, by taste, or as a marketplace shares traffic (price^-2).",
    ),
]


def equilibrium(
    market: MarketPaths,
    regimes: Regimes = "direct,matching,monopoly,competitive",
    strategic: Strategic = None,
    private: Private = None,
    marginal_cost: MarginalCost = None,
    value: ValueOption = None,
    price_bounds: Bounds = None,
    demand: DemandOption = "exact",
    tick: Tick = None,
    tolerance: Gain = 1e-3,
    max_rounds: Rounds = 400,
    providers: Providers = None,
    estimator: Estimators = None,
    free: Free = None,
    allot: Allots = None,
    overrun: Overruns = None,
    max_budget: MaxBudget = None,
    max_attempts: MaxAttempts = None,
    points: SchedulePoints = None,
    bootstrap: Bootstrap = 0,
    seed: Seed = 0,
    jobs: Jobs = 1,
    unit: Unit = None,
    json: Json = None,
    figures: Figures = None,
    quiet: Quiet = False,
) -> None:
    """Equilibrium prices when providers answer the arbitrageurs, each with its certificate (1 if one is not reached)."""
    options: dict[str, Any] = {
        "consumers": arguments.consumers(value),
        **_play(regimes, strategic, private, marginal_cost, price_bounds, demand),
        "tick": tick,
        "tolerance": tolerance,
        "max_rounds": max_rounds,
        **terms(allot, overrun, max_budget, max_attempts),
        "points": points,
        "response_map": figures is not None,
        "bootstrap": bootstrap,
        "seed": seed,
        "jobs": jobs,
    }
    check_outputs(json, figures, inputs=market)
    with progress(quiet) as say:
        from eqsolver.game import equilibrium as solve_game

        loaded = estimated(read_market(market, unit, providers, say, free), estimator, max_budget, max_attempts)
        _need_consumers(loaded, value)
        options |= arguments.exact(loaded.names, strategic=strategic, private=private)
        found = solve_game(loaded, **options, progress=say)

    hand_over(found, "print_equilibrium", "save_equilibrium_figures", json, figures, quiet)
    if found.uncertified:
        worst = ", ".join(f"{name} (ε {found.regimes[name].relative.max():.2g} of profit)" for name in found.uncertified)
        finer = "" if tick is not None else "; --tick 0.02 answers for prices 2 % apart, --tolerance accepts more"
        stop(f"solved, but the best certificate found is not within the tolerance in {worst}{finer}", 1)


def sweep(
    market: MarketPaths,
    over: Annotated[list[str], typer.Option(metavar="NAME=lo:hi:n|NAME=a,b,...", help="What to vary; may be repeated.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="results.csv", help="CSV, or .parquet with pyarrow.")],
    regimes: Regimes = "direct,matching,monopoly,competitive",
    strategic: Strategic = None,
    private: Private = None,
    marginal_cost: MarginalCost = None,
    value: ValueOption = None,
    price_bounds: Bounds = None,
    demand: DemandOption = "exact",
    tick: Tick = None,
    tolerance: Gain = 1e-3,
    max_rounds: Rounds = 400,
    providers: Providers = None,
    estimator: Estimators = None,
    free: Free = None,
    allot: Allots = None,
    overrun: Overruns = None,
    max_budget: MaxBudget = None,
    max_attempts: MaxAttempts = None,
    points: SchedulePoints = None,
    bootstrap: Bootstrap = 0,
    seed: Seed = 0,
    jobs: Jobs = 1,
    backend: Backend = "loky",
    unit: Unit = None,
    figures: Figures = None,
    quiet: Quiet = False,
) -> None:
    """Equilibria over a grid of assumptions, resumed where an earlier run stopped (1 if a cell failed).

    NAME: value, sigma, marginal-cost, marginal-cost.PROVIDER, capability.PROVIDER, price.PROVIDER, arbitrageurs (how many alike
    ones quote), overhead, overhead.ARBITRAGEUR, max-budget.
    """
    from eqsolver._files import written

    check_outputs(None, figures, output, inputs=market, suffixes=[".csv", ".parquet"])
    _check_parquet(output)
    axes = [arguments.axis(text) for text in over]
    if figures is not None and all(len(set(values)) == 1 for _, values in axes):
        raise UsageError("--figures: give an axis of --over at least two values to draw along")
    options: dict[str, Any] = {
        **_play(regimes, strategic, private, marginal_cost, price_bounds, demand),
        "tick": tick,
        "tolerance": tolerance,
        "max_rounds": max_rounds,
        **terms(allot, overrun, max_budget, max_attempts),
        "points": points,
        "bootstrap": bootstrap,
        "seed": seed,
    }
    options = {name: chosen for name, chosen in options.items() if chosen is not None}
    with progress(quiet) as say:
        from eqsolver.game import sweep as solve_all

        loaded = estimated(read_market(market, unit, providers, say, free), estimator, max_budget, max_attempts)
        _need_consumers(loaded, value)
        options |= arguments.exact(loaded.names, strategic=strategic, private=private)
        ledger = output.with_name(output.name + ".ledger")
        wanted = arguments.consumers(value)
        table = solve_all(loaded, axes, ledger=ledger, jobs=jobs, backend=backend, progress=say, consumers=wanted, **options)
    drawn: list[Path] = []
    names = [name for name, _ in axes]
    solved = table[table["failed"].isna()] if "failed" in table else table
    with written({output: _as_file(table, output)}):
        if figures is not None and any(solved[name].nunique() > 1 for name in names):
            from eqsolver import report

            drawn = report.save_sweep_figures(table, names, figures, loaded.unit, loaded.name)
    for path in drawn:
        typer.echo(f"wrote {path}", err=True)
    failed = int(table["failed"].notna().sum()) if "failed" in table else 0
    if not quiet:
        typer.echo(f"Wrote {output}: {len(table)} rows of {len(table[names].drop_duplicates())} cells.")
    if failed:
        stop(f"{failed} of the cells failed; why stands in the column `failed`", 1)


def _play(
    regimes: str, strategic: str | None, private: str | None, marginal_cost: str | None, price_bounds: str | None, demand: str
) -> dict[str, Any]:
    """Who plays, and within which bounds, as the library takes it."""
    return {
        "regimes": arguments.names(regimes, "--regimes"),
        "strategic": arguments.names(strategic, "--strategic"),
        "private": arguments.names(private, "--private") or [],
        "marginal_costs": arguments.marginal_costs(marginal_cost),
        "price_bounds": arguments.price_bounds(price_bounds),
        "demand": arguments.demand(demand),
    }


def _need_consumers(market: Any, value: str | None) -> None:
    if not market.consumers and value is None:
        raise UsageError(
            f"market {market.name!r} says nothing of its consumers, and logs cannot: "
            "what is a verified solution worth to them? Give --value, such as lognormal:0.4:1"
        )


def _check_parquet(output: Path) -> None:
    """Refuse Parquet before the work where pyarrow is not installed."""
    import importlib.util

    if output.suffix == ".parquet" and importlib.util.find_spec("pyarrow") is None:
        raise UsageError(f"{output}: Parquet needs pyarrow, which is not installed; name a .csv file")


def _as_file(table: Any, output: Path) -> str | bytes:
    """A table as CSV or Parquet, whichever the file's name asks for."""
    import io

    if output.suffix != ".parquet":
        return str(_without_formulas(table).to_csv(index=False))
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False)
    return buffer.getvalue()


def _without_formulas(table: Any) -> Any:
    """The table with text that a spreadsheet would run quoted: an apostrophe before a leading = + - or @."""

    def quoted(value: Any) -> Any:
        return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@") else value

    return table.map(quoted).rename(columns=quoted)
