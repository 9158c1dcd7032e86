"""What consumers buy as prices move: the policies on which the price game is played, found in the logs and among classes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from eqsolver._base import FloatArray
from eqsolver.estimate._margins import cheapest, listed_steps, profiles
from eqsolver.estimate._policies import policies
from eqsolver.market import Market
from eqsolver.technology import Block, lower_hull, lower_hulls, offered_reach

FACTORS = {2: (1.4, 2.0, 2.8)}
"""By which each provider's price is multiplied in turn, by number of providers: only ratios of prices matter."""
OTHERWISE = (0.5, 2.0)
LEVELS, NODES = 160, 160_000
"""Levels at which schedules are found, from 0 to the reach, and the nodes of the grid they are found on."""
VALUES = 48
"""Consumers who come to each stall, by what a solution is worth to them."""
LEAST, MOST = 0.2, 0.98
"""Consumers who would buy less than the one share of the reach do not matter, nor those who would buy more than the other: at
the values of these, nothing but the reach does."""
BEYOND = 1.001
"""Nobody is indifferent between two vertices of the logs' hull: values are beyond its slopes by this factor."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stall:
    """Where K consumers buy.

    sellers : positions of who is on sale. prices : (M,). values : (K,) what a solution is worth to them, increasing, money.
    """

    sellers: tuple[int, ...]
    prices: FloatArray
    values: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Purchases:
    """What K consumers buy at one stall.

    paths : K policies, empty where nothing is bought. gain : (K,) value times solved less cost. paid : (K, M) to each provider.
    """

    paths: tuple[tuple[Block, ...], ...]
    gain: FloatArray
    paid: FloatArray


def stalls(market: Market, max_budget: float) -> tuple[Stall, ...]:
    """Each provider alone, and all of them at prices around the posted ones; values at which a market's consumers buy
    from a fifth of its reach up to nearly all of it."""
    found = []
    for sellers, prices in _settings(market):
        solved, cost, _ = _menu(market, sellers, prices, max_budget)
        kept = lower_hull(solved, cost)
        u, C = np.append(0.0, solved[kept]), np.append(0.0, cost[kept])
        slope = np.diff(C) / np.diff(u)
        matter = (u[1:] >= LEAST * u[-1]) & (u[1:] <= MOST * u[-1])
        if matter.any() and slope[matter][-1] > 0:
            lowest = max(float(slope[matter][0]), float(slope[slope > 0][0]))
            values = np.unique(BEYOND * np.geomspace(lowest, slope[matter][-1], VALUES))
            found.append(Stall(sellers=sellers, prices=prices, values=values))
    return tuple(found)


def purchases(market: Market, stall: Stall, max_budget: float) -> Purchases:
    """What consumers buy who maximise value times solved less cost (THEORY section 5)."""
    solved, cost, paths = _menu(market, stall.sellers, stall.prices, max_budget)
    gain = stall.values[:, None] * solved - cost
    best = gain.argmax(axis=1)
    chosen = tuple(paths[at] if gain[k, at] > 0 else () for k, at in enumerate(best))
    _, taken = policies(chosen, len(market.providers)).on(
        [p.odds for p in market.providers],
        [p.spend_if_failed for p in market.providers],
        [p.spend / p.spend_if_failed for p in market.providers],
    )
    return Purchases(
        paths=chosen,
        gain=np.maximum(gain.max(axis=1), 0.0),
        paid=stall.prices * np.array([market.weights @ units for units in taken]).T,
    )


def price_error(ours: Sequence[Purchases], theirs: Sequence[Purchases]) -> float:
    """By what share prices would have to be off to change consumers' gains as much: root mean square, at the worst stall."""
    return max(
        (float(np.sqrt((((a.gain - b.gain) / b.paid.sum(axis=1)) ** 2).mean())) for a, b in zip(ours, theirs, strict=True)),
        default=0.0,
    )


def _settings(market: Market) -> list[tuple[tuple[int, ...], FloatArray]]:
    m = market.prices
    every = tuple(range(m.size))
    listed: list[tuple[tuple[int, ...], FloatArray]] = [((i,), m) for i in every]
    if m.size > 1:
        listed.append((every, m))
        for i in every:
            for factor in FACTORS.get(m.size, OTHERWISE):
                moved = m.copy()
                moved[i] *= factor
                listed.append((every, moved))
    return listed


def _menu(
    market: Market, sellers: tuple[int, ...], prices: FloatArray, max_budget: float
) -> tuple[FloatArray, FloatArray, tuple[tuple[Block, ...], ...]]:
    """Policies on sale that somebody may want: what they solve, cost and are."""
    if len(sellers) == 1:
        i = sellers[0]
        mine = profiles(market, max_budget)[i]
        vertices, count = lower_hulls(mine.solved, prices[i] * mine.spent[None])
        kept = vertices[0, : count[0]]
        return mine.solved[kept], prices[i] * mine.spent[kept], tuple(((i, float(at)),) for at in mine.at[kept])
    reach = offered_reach(listed_steps(market, max_budget), market.weights)
    levels = np.linspace(reach / LEVELS, reach, LEVELS)
    there = replace(market, providers=tuple(replace(p, price=float(m)) for p, m in zip(market.providers, prices, strict=True)))
    best = cheapest(there, levels, max_budget, round(NODES ** (1 / len(market.providers))))
    sold = np.isfinite(best.cost)
    paths = tuple(
        schedule if cost < price else offer
        for schedule, offer, cost, price in zip(best.schedules, best.offers, best.cost, best.price, strict=True)
    )
    return levels[sold], best.cost[sold], tuple(path for path, kept in zip(paths, sold, strict=True) if kept)
