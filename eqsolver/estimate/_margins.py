"""The best schedule's margin at given levels: what a calibration is judged by."""

from __future__ import annotations

import numpy as np

from eqsolver._base import FloatArray
from eqsolver.market import Market
from eqsolver.technology import REACH, Profile, all_steps, rules, schedules, technology

LEVELS = 100
DEPTH = 0.05
MAX_PROVIDERS = 4
"""Providers up to which best schedules are computed."""
MAX_POINTS, MAX_NODES = 1000, 2_000_000


def _profiles(market: Market, max_budget: float) -> list[Profile]:
    return [listed.profile(market.weights) for listed in all_steps(market, rules(market, max_budget=max_budget))]


def judged_levels(market: Market, max_budget: float) -> FloatArray:
    """(100,) levels from 5 points below the best provider's reach to that reach (above 0 if the reach is lower)."""
    reach = max(float(profile.solved[-1]) if profile.at.size else 0.0 for profile in _profiles(market, max_budget))
    return np.linspace(max(reach - DEPTH, reach / LEVELS), reach, LEVELS)


def schedule_margins(market: Market, levels: FloatArray, max_budget: float) -> FloatArray:
    """(L,) max(C_P - C_q, 0) / C_P at posted prices: C_P the cheapest offer, C_q the cheapest schedule on a fine grid.

    nan where no provider reaches the level, and everywhere for more providers than schedules are computed for.
    """
    providers = len(market.providers)
    if providers > MAX_PROVIDERS:
        return np.full(levels.size, np.nan)
    offered = np.full(levels.size, np.inf)
    for profile, price in zip(_profiles(market, max_budget), market.prices, strict=True):
        at = np.searchsorted(profile.solved, levels - REACH)
        reached = at < profile.at.size
        offered[reached] = np.minimum(offered[reached], price * profile.spent[at[reached]])
    points = min(MAX_POINTS, int(MAX_NODES ** (1 / providers)))
    made = technology(market, max_budget=max_budget, points=points)
    bought = schedules(made, market.prices, levels).cost
    margin = np.full(levels.size, np.nan)
    sold = np.isfinite(offered)
    margin[sold] = np.maximum(offered[sold] - np.minimum(bought, offered)[sold], 0.0) / offered[sold]
    return margin
