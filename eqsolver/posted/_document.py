"""A `Solution` as one JSON object (documented in the README)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from eqsolver._base import FloatArray
from eqsolver.posted._resale import Resale

if TYPE_CHECKING:
    from eqsolver.posted._outcomes import PolicyOutcome
    from eqsolver.posted._solution import Solution


def numbers(values: FloatArray) -> list[float | None]:
    """A list with `None` for what is infinite or undefined."""
    return [float(v) if np.isfinite(v) else None for v in values]


def document(solved: Solution) -> dict[str, Any]:
    """The keys of `eqsolver solve --json`, in the order in which they are documented."""
    market, asks, names = solved.market, solved.offers, solved.market.names
    schedule = solved.schedule

    def by_name(table: FloatArray) -> dict[str, list[float | None]]:
        return {name: numbers(row) for name, row in zip(names, table, strict=True)}

    def policy(outcome: PolicyOutcome) -> dict[str, Any]:
        sold: Resale = outcome.resale
        found: dict[str, Any] = {
            "buy_cost": numbers(sold.buy_cost),
            "margin": numbers(sold.margin),
            "units": by_name(sold.units),
            "revenue": by_name(sold.revenue),
            "arbitrageur_profit": numbers(sold.arbitrageur_profit),
            "revenue_share": by_name(sold.revenue_share[:-1]) | {"arbitrageur": numbers(sold.revenue_share[-1])},
            "revenue_change": numbers(sold.revenue_change),
        }
        if outcome.bands is not None:
            known = np.where(np.isfinite(sold.margin), outcome.bands.margin, np.nan)
            for name, band in (("margin", known), ("buy_cost", outcome.bands.buy_cost), ("pass", outcome.bands.solved)):
                found[f"{name}_p05"], found[f"{name}_p95"] = (numbers(row) for row in band)
        return found

    def mean(values: float) -> float | None:
        return values if np.isfinite(values) else None

    def blocks(outcome: PolicyOutcome) -> list[list[dict[str, Any]] | None]:
        reached = np.isfinite(outcome.resale.buy_cost)
        return [
            [{"provider": names[i], "budget": b} for i, b in path] if ok else None
            for path, ok in zip(outcome.paths, reached, strict=True)
        ]

    per_level = blocks(solved.cascade_per_level)
    marginal = solved.marginal_revenue
    shared = {key: who.to_dict(names) for key, who in solved.segmentation.items()}
    found: dict[str, Any] = {
        "market": market.name,
        "unit": market.unit,
        "problems": market.problem_count,
        "dropped": market.dropped_problems,
        "dropped_because": dict(market.dropped),
        "notes": list(market.notes),
        "providers": list(names),
        "levels": numbers(solved.levels),
        "provider_cost": by_name(asks.cost),
        "market_price": numbers(asks.market_price),
        "market_seller": [names[i] if i >= 0 else None for i in asks.seller],
        "cascade": {
            "order": [names[i] for i in solved.fitted.order],
            "thresholds": list(solved.fitted.thresholds),
            "mean_margin": mean(solved.cascade.resale.mean_margin),
            "out_of_sample": None if solved.out_of_sample is None else solved.out_of_sample.to_dict(),
            **policy(solved.cascade),
        },
        "cascade_per_level": {
            "order": [None if path is None else [block["provider"] for block in path] for path in per_level],
            "thresholds": [None if path is None else [block["budget"] for block in path] for path in per_level],
            **policy(solved.cascade_per_level),
        },
        "schedule": {
            "sequence": blocks(schedule.policy),
            "gap": numbers(schedule.gap),
            "mixed_buy_cost": numbers(schedule.mixed_buy_cost),
            "mixed_margin": numbers(schedule.mixed_margin),
            **policy(schedule.policy),
        },
    }
    if solved.evaluated is not None and solved.wanted is not None:
        found["evaluated"] = {
            "order": [names[i] for i in solved.wanted.order],
            "thresholds": list(solved.wanted.thresholds),
            "mean_margin": mean(solved.evaluated.resale.mean_margin),
            **policy(solved.evaluated),
        }
    if solved.estimate is not None:
        found["estimate"] = solved.estimate.to_dict()
    rounds = zip(solved.undercutting.price, solved.undercutting.margin, strict=True)
    return found | {
        "oracle_cost": numbers(solved.oracle_cost),
        "revenue_without": by_name(asks.revenue),
        "undercutting": {
            "factor": solved.undercutting.factor,
            "rounds": [{"price": numbers(price), "margin": numbers(margin)} for price, margin in rounds],
            "rest": numbers(solved.undercutting.rest),
        },
        "arbitrageurs": {name: {"overhead": who.overhead, **policy(who.policy)} for name, who in solved.arbitrageurs.items()},
        "marginal_revenue": {kind: {key: by_name(table) for key, table in tables.items()} for kind, tables in marginal.items()},
        **{kind: {key: who[kind] for key, who in shared.items()} for kind in ("hhi", "sellers", "segments", "overall_hhi")},
        "grid": {
            "points": list(solved.grid),
            "exact": solved.exact,
            "moved": mean(solved.moved),
            "oracle_relaxed": solved.oracle_relaxed,
        },
        "version": solved.version,
        "options": dict(solved.options),
    }
