"""Many equilibria over a grid of assumptions: parallel, and resumed from a ledger of the cells already solved."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from eqsolver._base import EqsolverError, UsageError
from eqsolver._ledger import cell_key, solve_cells
from eqsolver.game._equilibrium import Equilibrium, equilibrium
from eqsolver.market import Consumers, Market, Population, Target, Value

if TYPE_CHECKING:
    import pandas as pd

Axis = tuple[str, Sequence[float]]
"""What is varied, and the values it takes: see `varied`."""

AXES = "value, sigma, marginal-cost, marginal-cost.NAME, capability.NAME, price.NAME, overhead, overhead.NAME, max-budget"


def varied(
    market: Market, consumers: Sequence[Consumers], cell: Mapping[str, float]
) -> tuple[Market, tuple[Consumers, ...], dict[str, float]]:
    """A market and its consumers with the assumptions of one cell.

    Axes: `value` scales what consumers value (the median of a lognormal, both ends of a uniform, a value type's value, a target
    type's budget); `sigma` replaces a lognormal's; `marginal-cost[.NAME]` replaces κ; `capability.NAME` divides a provider's
    cost per attempt (a distilled student's quality, an entrant's capability); `price.NAME` replaces a posted multiplier;
    `overhead[.NAME]` replaces arbitrageurs'; `max-budget` replaces the cap.
    """
    changed = tuple(consumers)
    options: dict[str, float] = {}
    for name, value in cell.items():
        axis, _, who = name.partition(".")
        match axis:
            case "value" if not who:
                changed = tuple(_worth(c, value) for c in changed)
            case "sigma" if not who:
                changed = tuple(
                    replace(c, parameters=(c.parameters[0], value))
                    if isinstance(c, Population) and c.distribution == "lognormal"
                    else c
                    for c in changed
                )
            case "marginal-cost":
                market = _providers(market, who, lambda p, v=value: replace(p, marginal_cost=v))  # type: ignore[misc]
            case "capability" if who:
                market = _providers(market, who, lambda p, v=value: replace(p, spend=p.spend / v))  # type: ignore[misc]
            case "price" if who:
                market = market.at_prices({who: value})
            case "overhead":
                names = {a.name for a in market.arbitrageurs}
                if not names or (who and who not in names):
                    raise UsageError(f"sweep over {name!r}: no such arbitrageur in the market")
                arbitrageurs = [replace(a, overhead=value) if who in ("", a.name) else a for a in market.arbitrageurs]
                market = replace(market, arbitrageurs=tuple(arbitrageurs))
            case "max-budget" if not who:
                options["max_budget"] = value
            case _:
                raise UsageError(f"sweep over {name!r}: not one of {AXES}")
    return market, changed, options


def _worth(consumer: Consumers, factor: float) -> Consumers:
    match consumer:
        case Target():
            return replace(consumer, budget=factor * consumer.budget)
        case Value():
            return replace(consumer, value=factor * consumer.value)
        case Population(distribution="lognormal"):
            return replace(consumer, parameters=(factor * consumer.parameters[0], consumer.parameters[1]))
        case Population():
            low, high = consumer.parameters
            return replace(consumer, parameters=(factor * low, factor * high))


def _providers(market: Market, who: str, change: Callable[[Any], Any]) -> Market:
    if who:
        market.positions([who], "sweep")
    return replace(market, providers=tuple(change(p) if who in ("", p.name) else p for p in market.providers))


def sweep(
    market: Market,
    over: Sequence[Axis],
    *,
    ledger: Path | None = None,
    jobs: int = 1,
    backend: str = "loky",
    progress: Callable[[str, float], None] | None = None,
    consumers: Sequence[Consumers] | None = None,
    **options: Any,
) -> pd.DataFrame:
    """Solve the price game in every cell of a grid of assumptions.

    Parameters
    ----------
    over : axes, the last varying fastest; see `varied`. ledger : an sqlite file in which solved cells are kept, keyed by
        market, options, version and cell, so that an interrupted sweep goes on where it was. jobs, backend : of joblib.
    consumers : instead of the market's. options : of `equilibrium`.

    Returns
    -------
    One row per cell, regime and prices (posted, equilibrium), as `Equilibrium.to_frame`; a cell that failed has one row
    with its message in `failed`. The same whatever the number of jobs.
    """
    import pandas as pd

    if not over:
        raise UsageError("a sweep needs something to vary: give at least one --over NAME=lo:hi:n")
    names = [name for name, _ in over]
    if len(set(names)) != len(names):
        raise UsageError(f"sweep: {', '.join(names)}: an axis is given twice")
    wanted = tuple(consumers) if consumers is not None else market.consumers
    cells = [dict(zip(names, map(float, values), strict=True)) for values in itertools.product(*(v for _, v in over))]
    for cell in cells[:1]:
        varied(market, wanted, cell)  # an unknown axis is told before anything is solved
    same = (market.digest(), wanted, sorted(options.items(), key=lambda item: item[0]))
    answers = solve_cells(
        _solved,
        [(cell_key(same, sorted(cell.items())), (market, wanted, cell, options)) for cell in cells],
        ledger=ledger,
        jobs=jobs,
        backend=backend,
        progress=progress,
    )
    found = []
    for cell, rows in zip(cells, answers, strict=True):
        found += [{**cell, **row} for row in json.loads(rows)]
    return pd.DataFrame(found)


def _solved(market: Market, consumers: Sequence[Consumers], cell: Mapping[str, float], options: Mapping[str, Any]) -> str:
    """One cell, in a worker: its rows as JSON; an error raised on purpose becomes a row that says so."""
    try:
        changed, wanted, more = varied(market, consumers, cell)
        rows = rows_of(equilibrium(changed, consumers=wanted, **{**options, **more}))
    except EqsolverError as error:
        rows = [{"failed": str(error)}]
    return json.dumps(rows)


def rows_of(found: Equilibrium) -> list[dict[str, Any]]:
    """The rows of `to_frame`, with None for what is undefined."""
    return [
        {str(name): None if isinstance(value, float) and not np.isfinite(value) else value for name, value in row.items()}
        for row in found.to_frame().to_dict("records")
    ]
