"""Many equilibria over a grid of assumptions: parallel, and resumed from a ledger of the cells already solved."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np

from eqsolver._base import EqsolverError, UsageError
from eqsolver._ledger import BACKENDS, cell_key, solve_cells
from eqsolver.game._document import records
from eqsolver.game._equilibrium import equilibrium
from eqsolver.game._strategies import Equilibrium
from eqsolver.market import Arbitrageur, Consumers, Market, Population, Provider, Regime, Target, Value

if TYPE_CHECKING:
    import pandas as pd

Axis = tuple[str, Sequence[float]]
"""What is varied, and the values it takes: see `varied`."""

AXES = (
    "value, sigma, marginal-cost, marginal-cost.NAME, capability.NAME, price.NAME, arbitrageurs, overhead, overhead.NAME, "
    "max-budget"
)
ROOMS = ("logs", "market", "technology", "posted", "game")
"""The rooms whose code a cell's answer depends on."""

QUOTING = "quoting"
"""Name of the regime in which the axis `arbitrageurs` has its arbitrageurs."""


def varied(
    market: Market, consumers: Sequence[Consumers], cell: Mapping[str, float]
) -> tuple[Market, tuple[Consumers, ...], dict[str, Any]]:
    """A market and its consumers with the assumptions of one cell.

    Axes: `value` scales what consumers value (the median of a lognormal, both ends of a uniform, a value type's value, a target
    type's budget); `sigma` replaces a lognormal's; `marginal-cost[.NAME]` replaces κ; `capability.NAME` divides a provider's
    cost per attempt (a distilled student's quality, an entrant's capability); `price.NAME` replaces a posted multiplier;
    `arbitrageurs` puts so many alike ones, who buy from everybody, in one regime, `quoting`, the only one solved in the cell;
    `overhead[.NAME]` replaces arbitrageurs'; `max-budget` replaces the cap. Axes are applied in the order given.
    """
    changed = tuple(consumers)
    options: dict[str, Any] = {}
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
                market = _providers(market, who, partial(_at_cost, cost=value))
            case "capability" if who:
                market = _providers(market, who, partial(_capable, times=value))
            case "price" if who:
                market = market.at_prices({who: value})
            case "arbitrageurs" if not who:
                market, options["regimes"] = _quoting(market, name, value), [QUOTING]
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


def _quoting(market: Market, name: str, number: float) -> Market:
    if number != int(number) or number < 0:
        raise UsageError(f"sweep over {name!r}: {number:g} is not a number of arbitrageurs")
    new = [Arbitrageur(name=f"arbitrageur {n + 1}") for n in range(int(number))]
    kept = [a for a in market.arbitrageurs if a.name not in {b.name for b in new}]
    regimes = [r for r in market.regimes if r.name != QUOTING and not {b.name for b in new} & set(r.arbitrageurs)]
    regimes.append(Regime(name=QUOTING, arbitrageurs=tuple(b.name for b in new)))
    return replace(market, arbitrageurs=(*kept, *new), regimes=tuple(regimes))


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


def _at_cost(provider: Provider, cost: float) -> Provider:
    return replace(provider, marginal_cost=cost)


def _capable(provider: Provider, times: float) -> Provider:
    return provider.costs_scaled(1 / times)


def _providers(market: Market, who: str, change: Callable[[Provider], Provider]) -> Market:
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
        market, options, version, seed and cell, so that an interrupted or killed sweep goes on where it was.
    jobs, backend : of joblib: `loky`, `threading`, or `dask`, the cluster that Dask's configuration names
        (such as by DASK_SCHEDULER_ADDRESS), or else a local one of so many workers.
    consumers : instead of the market's. options : of `equilibrium`; with `bootstrap`, 5 % and 95 % points stand beside figures.

    Returns
    -------
    One row per cell, regime and prices (posted, equilibrium), as `Equilibrium.to_frame`; a cell that failed has one row
    with its message in `failed`. The same whatever the number of jobs.

    Raises
    ------
    UsageError : unknown axes or backends, Dask that is not installed. Whatever else goes wrong in a cell is recorded as its
    failure; such a cell is not kept in the ledger, and tried again next time.
    """
    import pandas as pd

    if backend not in BACKENDS:
        raise UsageError(f"unknown backend {backend!r}; there are {', '.join(BACKENDS)}")

    if not over:
        raise UsageError("a sweep needs something to vary: give at least one axis, a name and its values")
    names = [name for name, _ in over]
    if len(set(names)) != len(names):
        raise UsageError(f"sweep: {', '.join(names)}: an axis is given twice")
    wanted = tuple(consumers) if consumers is not None else market.consumers
    cells = [dict(zip(names, map(float, values), strict=True)) for values in itertools.product(*(v for _, v in over))]
    for cell in cells[:1]:
        varied(market, wanted, cell)  # an unknown axis is told before anything is solved
    answers = solve_cells(
        _solved,
        [(_key(market, wanted, cell, options), (market, wanted, cell, options)) for cell in cells],
        read=rows_from,
        ledger=ledger,
        jobs=jobs,
        backend=backend,
        progress=progress,
        kept=lambda rows: not rows[0].get("unexpected"),
    )
    found = []
    for cell, rows in zip(cells, answers, strict=True):
        found += [{**cell, **{k: v for k, v in row.items() if k != "unexpected"}} for row in rows]
    return pd.DataFrame(found)


def _solved(market: Market, consumers: Sequence[Consumers], cell: Mapping[str, float], options: Mapping[str, Any]) -> str:
    """One cell, in a worker: its rows as JSON; an error raised on purpose becomes a row that says so."""
    try:
        changed, wanted, more = varied(market, consumers, cell)
        rows = rows_of(equilibrium(changed, consumers=wanted, **{**options, **more}))
    except EqsolverError as error:
        rows = [{"failed": str(error)}]
    except Exception as error:  # one cell must not end the others
        rows = [{"failed": f"{type(error).__name__}: {error}", "unexpected": True}]
    return json.dumps(rows)


def _key(market: Market, consumers: Sequence[Consumers], cell: Mapping[str, float], options: Mapping[str, Any]) -> str:
    """A hash of all that a cell's answer depends on."""
    asked = sorted({"seed": 0, **options}.items(), key=lambda item: item[0])
    return cell_key(market.digest(), tuple(consumers), list(cell.items()), asked, rooms=ROOMS)


def rows_from(text: str) -> list[dict[str, Any]]:
    """The rows of a cell from its text; a `ValueError` unless each is a failure, or the figures of a regime and its prices."""
    from pydantic import ConfigDict, Field, TypeAdapter

    figure = Annotated[float, Field(allow_inf_nan=False)] | str | bool | None
    rows: list[dict[str, Any]] = json.loads(text)
    TypeAdapter(Annotated[list[dict[str, figure]], Field(min_length=1)], config=ConfigDict(strict=True)).validate_python(rows)
    for row in rows:
        told = ("failed",) if "failed" in row else ("regime", "prices")
        if not all(isinstance(row.get(name), str) for name in told):
            raise ValueError(f"a row of a sweep needs {' and '.join(told)}")
    return rows


def rows_of(found: Equilibrium) -> list[dict[str, Any]]:
    """The rows of `to_frame`, with None for what is undefined; with a bootstrap, each figure's 5 % and 95 % points too."""
    told = []
    for row in records(found):
        spread = found.bands.get(f"{row['regime']}, {row['prices']}", {})
        named = {name: _defined(value) for name, value in row.items()}
        for name, (low, high) in spread.items():
            named |= {f"{name} p05": _defined(low), f"{name} p95": _defined(high)}
        told.append(named)
    return told


def _defined(value: Any) -> Any:
    return None if isinstance(value, float) and not np.isfinite(value) else value
