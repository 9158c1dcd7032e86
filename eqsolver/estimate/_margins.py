"""The cheapest offer and the cheapest schedule at given levels: what a calibration is judged by, and in which markets."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from eqsolver._base import FloatArray
from eqsolver.market import Market
from eqsolver.technology import (
    REACH,
    Block,
    Profile,
    Steps,
    all_steps,
    levels_below,
    offered_reach,
    rules,
    schedules,
    technology,
)

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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Best:
    """The cheapest ways to buy each of L levels, at posted prices.

    price, cost : (L,) of the cheapest offer (C_P) and schedule (never above the offer, C_q); infinite where there is none.
    offers, schedules : L paths of (position of the provider, allotment), empty where there is none.
    """

    price: FloatArray
    cost: FloatArray
    offers: tuple[tuple[Block, ...], ...]
    schedules: tuple[tuple[Block, ...], ...]

    @property
    def margin(self) -> FloatArray:
        """(L,) max(C_P - C_q, 0) / C_P, nan where no provider reaches the level."""
        margin, sold = np.full(self.price.size, np.nan), np.isfinite(self.price)
        margin[sold] = (self.price[sold] - self.cost[sold]) / self.price[sold]
        return margin


def groups(market: Market, teacher: str | None = None) -> list[tuple[str, ...]]:
    """Which providers margins are judged in: all together up to `MAX_PROVIDERS`, else every pair; each other with a teacher."""
    if teacher is not None:
        return [(name, teacher) for name in market.names if name != teacher]
    return [market.names] if len(market.names) <= MAX_PROVIDERS else list(combinations(market.names, 2))


def judged_levels(market: Market, max_budget: float) -> FloatArray:
    """(100,) levels from 5 points below the best provider's reach to that reach (above 0 if the reach is lower)."""
    return levels_below(offered_reach(listed_steps(market, max_budget), market.weights), DEPTH, LEVELS)


def cheapest(market: Market, levels: FloatArray, max_budget: float, points: int = MAX_POINTS) -> Best:
    """The cheapest offer and the cheapest schedule for each level, at the market's prices.

    At most `MAX_PROVIDERS` providers. points : grid points per provider, fewer if their product exceeds `MAX_NODES`; two
    providers need none.
    """
    price = np.full(levels.size, np.inf)
    offers: list[tuple[Block, ...]] = [()] * levels.size
    for i, (profile, m) in enumerate(zip(profiles(market, max_budget), market.prices, strict=True)):
        at = np.searchsorted(profile.solved, levels - REACH)
        for level in np.flatnonzero(at < profile.at.size):
            asked = m * float(profile.spent[at[level]])
            if asked < price[level]:
                price[level], offers[level] = asked, ((i, float(profile.at[at[level]])),)
    few = None if len(market.providers) == 2 else min(points, int(MAX_NODES ** (1 / len(market.providers))))
    made = technology(market, overrun="finish", max_budget=max_budget, points=few)
    found = schedules(made, market.prices, levels)
    return Best(price=price, cost=np.minimum(found.cost, price), offers=tuple(offers), schedules=found.paths)


def profiles(market: Market, max_budget: float) -> list[Profile]:
    """By provider, all of what it solves and spends up to the cap."""
    return [listed.profile(market.weights) for listed in listed_steps(market, max_budget)]


def listed_steps(market: Market, max_budget: float) -> tuple[Steps, ...]:
    """By provider, the attempts it makes up to the cap."""
    return tuple(all_steps(market, rules(market, overrun="finish", max_budget=max_budget)))
