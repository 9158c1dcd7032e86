"""An `Equilibrium` as one JSON object and as a table (documented in the README)."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from eqsolver._base import FloatArray

if TYPE_CHECKING:
    import pandas as pd

    from eqsolver.game._strategies import Equilibrium, Strategies


def document(solved: Equilibrium) -> dict[str, Any]:
    """The keys of `eqsolver equilibrium --json`, in the order in which they are documented."""
    market = solved.market
    return {
        "market": market.name,
        "unit": market.unit,
        "notes": list(market.notes),
        "players": [market.names[i] for i in solved.players],
        "marginal_costs": {p.name: p.marginal_cost for p in market.providers},
        "consumers": [{"kind": type(c).__name__.lower(), **asdict(c)} for c in solved.consumers],
        "regimes": {n: _strategies(f, market.names) | _bands(solved, n, "equilibrium") for n, f in solved.regimes.items()},
        "posted": {n: _strategies(f, market.names) | _bands(solved, n, "posted") for n, f in solved.posted.items()},
        **_differences(solved),
        "version": solved.version,
        "options": {**solved.options, "demand": str(solved.options.get("demand") or "exact")},
    }


def _strategies(found: Strategies, names: tuple[str, ...]) -> dict[str, Any]:
    account = found.outcome

    def by_provider(values: FloatArray) -> dict[str, float | None]:
        return {name: _number(v) for name, v in zip(names, values, strict=True)}

    strategies = {}
    for i, name in enumerate(names):
        prices, probabilities = found.strategy(i)
        strategies[name] = {"prices": prices.tolist(), "probabilities": probabilities.tolist()}
    return {
        "kind": found.kind,
        "certified": found.certified,
        "strategies": strategies,
        "epsilon": {
            name: {"absolute": float(found.epsilon[i]), "relative": float(found.relative[i]), "missed": float(found.missed[i])}
            for i, name in enumerate(names)
        },
        "arbitrageur_epsilon": dict(found.arbitrageur_epsilon),
        "expected_price": by_provider(found.expected_price),
        "at_bound": {name: found.at_bound(i) for i, name in enumerate(names)},
        "revenue": by_provider(account.revenue[0]),
        "profit": by_provider(account.profit[0]),
        "units": by_provider(account.units[0]),
        "arbitrageur_profit": dict(zip(account.arbitrageurs, map(float, account.arbitrageur_profit[0]), strict=True)),
        "overhead": float(account.overhead[0]),
        "consumer_bill": float(account.consumer_bill[0]),
        "consumer_surplus": float(account.consumer_surplus[0]),
        "total_surplus": float(account.total_surplus[0]),
        "solved_share": _number(account.solved[0] / found.mass),
        "hhi": _number(account.hhi[0]),
        "sellers": int(account.sellers[0]),
        "cross_price": {name: by_provider(found.cross_price[i]) for i, name in enumerate(names)},
        "policies_added": found.policies,
        "policies_shortfall": found.shortfall,
        **_completed(found, names),
        "rounds": found.rounds,
        "tick": float(np.expm1(found.step)),
        "other_expected_prices": [by_provider(prices) for prices in found.others],
    }


def _completed(found: Strategies, names: tuple[str, ...]) -> dict[str, Any]:
    """With more than two providers: how policies were completed; of what is drawn together, how near to independence it is."""
    told: dict[str, Any] = {}
    if found.completed is not None:
        told["completion"] = {
            "rounds": found.completed.rounds,
            "policies_added": found.completed.added,
            "profit_change": found.completed.change,
            "settled": found.completed.settled,
        }
    if found.correlation is not None:
        each = zip(found.players, found.correlation.gain, found.correlation.error, strict=True)
        told["correlation"] = {
            "largest": found.correlation.largest,
            "independent_gain": {names[i]: {"relative": _number(gain), "error": _number(error)} for i, gain, error in each},
        }
    if found.together is not None:
        movers = zip(found.players, found.together.alone, found.together.error, strict=True)
        told["drawn_together"] = {
            "moved_from_independent": found.together.moved,
            "independent_gain": {names[i]: {"relative": float(gain), "error": float(error)} for i, gain, error in movers},
        }
    return told


def _bands(solved: Equilibrium, regime: str, prices: str) -> dict[str, Any]:
    found = solved.bands.get(f"{regime}, {prices}")
    return {} if found is None else {"bands": {name: [_number(low), _number(high)] for name, (low, high) in found.items()}}


def _differences(solved: Equilibrium) -> dict[str, Any]:
    if not solved.spread.differences:
        return {}
    found: dict[str, Any] = {}
    for key, columns in solved.differences.items():
        spread = solved.spread.differences.get(key, {})
        found[key] = {}
        for name, change in columns.items():
            low, high = spread.get(name, (float("nan"), float("nan")))
            found[key][name] = {"change": _number(change), "p05": _number(low), "p95": _number(high)}
    return {"differences": found}


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def frame(solved: Equilibrium) -> pd.DataFrame:
    """`records` as a table."""
    import pandas as pd

    return pd.DataFrame(records(solved))


def records(solved: Equilibrium) -> list[dict[str, Any]]:
    """One row per regime, at posted and at equilibrium prices."""
    found = []
    for at, group in (("posted", solved.posted), ("equilibrium", solved.regimes)):
        for name, played in group.items():
            account = played.outcome
            row: dict[str, Any] = {"regime": name, "prices": at, "kind": played.kind, "epsilon": float(played.relative.max())}
            for i, provider in enumerate(solved.market.names):
                row |= {
                    f"price {provider}": played.expected_price[i],
                    f"revenue {provider}": account.revenue[0, i],
                    f"profit {provider}": account.profit[0, i],
                }
            row |= {
                "arbitrageurs' profit": float(account.arbitrageur_profit.sum()),
                "consumer surplus": account.consumer_surplus[0],
                "total surplus": account.total_surplus[0],
                "consumer bill": account.consumer_bill[0],
                "solved share": account.solved[0] / played.mass,
                "hhi": account.hhi[0],
            }
            found.append(row)
    return found
