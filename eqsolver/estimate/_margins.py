"""The best schedule's margin at given levels: what a calibration is judged by, and in which markets."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from eqsolver._base import FloatArray
from eqsolver.market import Market
from eqsolver.technology import REACH, Profile, all_steps, rules, schedules, technology

LEVELS = 100
DEPTH = 0.05
MAX_PROVIDERS = 4
"""Providers up to which best schedules are computed; larger markets are judged by their pairs."""
MAX_POINTS, MAX_NODES = 1000, 2_000_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judged:
    """One market, of some or all providers, in which margins are compared.

    names : its providers. levels : (L,) from 5 points below the best one's reach in the logs to that reach.
    of_logs, of_classes : (L,) margin of the best schedule, nan where no provider of that market reaches the level (the
        classes may reach a hair less).
    """

    names: tuple[str, ...]
    levels: FloatArray
    of_logs: FloatArray
    of_classes: FloatArray

    @property
    def errors(self) -> FloatArray:
        """Absolute differences where both margins exist, shares."""
        both = np.isfinite(self.of_logs) & np.isfinite(self.of_classes)
        return np.asarray(np.abs(self.of_classes - self.of_logs)[both])


def groups(market: Market, teacher: str | None = None) -> list[tuple[str, ...]]:
    """Which providers margins are judged in: all together up to `MAX_PROVIDERS`, else every pair; each other with a teacher."""
    if teacher is not None:
        return [(name, teacher) for name in market.names if name != teacher]
    return [market.names] if len(market.names) <= MAX_PROVIDERS else list(combinations(market.names, 2))


def _profiles(market: Market, max_budget: float) -> list[Profile]:
    return [listed.profile(market.weights) for listed in all_steps(market, rules(market, max_budget=max_budget))]


def judged_levels(market: Market, max_budget: float) -> FloatArray:
    """(100,) levels from 5 points below the best provider's reach to that reach (above 0 if the reach is lower)."""
    reach = max(float(profile.solved[-1]) if profile.at.size else 0.0 for profile in _profiles(market, max_budget))
    return np.linspace(max(reach - DEPTH, reach / LEVELS), reach, LEVELS)


def schedule_margins(market: Market, levels: FloatArray, max_budget: float) -> FloatArray:
    """(L,) max(C_P - C_q, 0) / C_P at posted prices: C_P the cheapest offer, C_q the cheapest schedule on a fine grid.

    At most `MAX_PROVIDERS` providers. nan where no provider reaches the level.
    """
    providers = len(market.providers)
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
