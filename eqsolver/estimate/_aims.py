"""What classes are to reproduce: what the policies that matter solve and cost, the logs' and then the classes' own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from eqsolver._base import FloatArray, IntArray
from eqsolver.estimate._margins import Best, cheapest, judged_levels
from eqsolver.estimate._play import Purchases, Stall, purchases, stalls
from eqsolver.estimate._policies import Policies, policies
from eqsolver.market import Geometric, Market, Sampled
from eqsolver.technology import Block

COST_ERROR = 0.01
"""An error of this share of a level's cost counts as one."""
SOLVED_ERROR = 0.003
"""So does an error of this size in what a policy solves, at a cost that is right for it."""
PAID_WEIGHT = 0.5
"""Weight of what a policy pays one provider, beside what it costs."""
WINDOW = 0.004
"""Width in performance over which the slope of a cost curve is taken."""
PLAY_WEIGHT = 0.5
"""Weight of policies that matter at other prices, beside one at posted prices whose margin is judged."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Wanted:
    """P policies of one market, each at a level of a cost curve.

    paths : P paths. prices : (P, M). cost, slope : (P,) of the cost curve at the policy's level, money and money per unit
    of performance. level : (P,) position among the judged levels; -1: not one of them.
    """

    paths: tuple[tuple[Block, ...], ...]
    prices: FloatArray
    cost: FloatArray
    slope: FloatArray
    level: IntArray

    def and_also(self, other: Wanted) -> Wanted:
        """Both, without repeating a path at the same prices."""
        paths = self.paths + other.paths
        prices = np.vstack([self.prices, other.prices])
        keys = {(path, m.tobytes()): place for place, (path, m) in reversed([*enumerate(zip(paths, prices, strict=True))])}
        kept = np.array(sorted(keys.values()), dtype=np.int64)
        return Wanted(
            paths=tuple(paths[place] for place in kept),
            prices=prices[kept],
            cost=np.append(self.cost, other.cost)[kept],
            slope=np.append(self.slope, other.slope)[kept],
            level=np.append(self.level, other.level)[kept],
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Watched:
    """One market in which margins are to agree.

    positions : of its providers in the whole market. logs : the market itself. levels, best : judged levels and the logs'
    cheapest offers and schedules there. wanted : policies known to matter. emphasis : (L,) weight of each judged level.
    stalls, play : where consumers buy at other prices, and what they buy there in the logs.
    """

    positions: tuple[int, ...]
    logs: Market
    levels: FloatArray
    best: Best
    wanted: Wanted
    emphasis: FloatArray
    stalls: tuple[Stall, ...]
    play: tuple[Purchases, ...]

    def with_policies_of(self, found: Best, play: Sequence[Purchases]) -> Watched:
        """Also those that are cheapest among classes: whatever these exploit is to cost what it costs in the logs."""
        judged = _at_levels(self.levels, self.best, found, self.logs.prices)
        return replace(
            self, wanted=self.wanted.and_also(judged).and_also(_bought(self.stalls, self.play, play, self.logs.prices.size))
        )


def watched(market: Market, names: Sequence[str], max_budget: float) -> Watched:
    """A market of some providers, with the policies that are cheapest in the logs, at the judged levels and elsewhere."""
    part = market.restrict(list(names))
    levels = judged_levels(part, max_budget)
    best = cheapest(part, levels, max_budget)
    places = stalls(part, max_budget)
    play = tuple(purchases(part, place, max_budget) for place in places)
    return Watched(
        positions=tuple(market.names.index(name) for name in names),
        logs=part,
        levels=levels,
        best=best,
        wanted=_at_levels(levels, best, best, part.prices).and_also(_bought(places, play, play, part.prices.size)),
        emphasis=np.ones(levels.size),
        stalls=places,
        play=play,
    )


def sold_from(markets: Sequence[Watched], providers: int) -> FloatArray:
    """(M,) the least budget at which a provider's offer is the logs' price of a judged level; infinite if it never is."""
    least = np.full(providers, np.inf)
    for market in markets:
        for offer in market.best.offers:
            for i, budget in offer:
                least[market.positions[i]] = min(least[market.positions[i]], budget)
    return least


def _bought(places: Sequence[Stall], in_logs: Sequence[Purchases], found: Sequence[Purchases], sellers: int) -> Wanted:
    """The policies found, weighed by what the same consumer pays in the logs, at a slope that is its value.

    There are none where no consumer's choice matters, such as in a log with one cost curve of a single point.
    """
    listed = [
        (path, place.prices, cost, value)
        for place, logs, bought in zip(places, in_logs, found, strict=True)
        for path, cost, value in zip(bought.paths, logs.paid.sum(axis=1), place.values, strict=True)
        if path and cost > 0
    ]
    return Wanted(
        paths=tuple(path for path, *_ in listed),
        prices=np.array([prices for _, prices, *_ in listed]).reshape(len(listed), sellers),
        cost=np.array([cost for *_, cost, _ in listed]),
        slope=np.array([value for *_, value in listed]),
        level=np.full(len(listed), -1),
    )


def _at_levels(levels: FloatArray, curve: Best, found: Best, prices: FloatArray) -> Wanted:
    """The offers and schedules found, each weighed by the cost curve it belongs to."""
    paths: list[tuple[Block, ...]] = []
    cost, slope, level = [], [], []
    for listed, C in ((found.offers, curve.price), (found.schedules, curve.cost)):
        rise = slope_of(levels, C)
        kept = [u for u, path in enumerate(listed) if path and np.isfinite(C[u]) and C[u] > 0]
        paths += [listed[u] for u in kept]
        cost.append(C[kept])
        slope.append(rise[kept])
        level.append(np.array(kept, dtype=np.int64))
    return Wanted(
        paths=tuple(paths),
        prices=np.repeat(prices[None], len(paths), axis=0),
        cost=np.concatenate(cost),
        slope=np.concatenate(slope),
        level=np.concatenate(level),
    )


def slope_of(levels: FloatArray, cost: FloatArray) -> FloatArray:
    """(L,) dC/du over a window; 0 where it cannot be taken."""
    known = np.isfinite(cost)
    if known.sum() < 2:
        return np.zeros(levels.size)
    u, C = levels[known], cost[known]
    half = max(WINDOW, float(np.diff(u).max())) / 2
    below, above = np.maximum(levels - half, u[0]), np.minimum(levels + half, u[-1])
    width = above - below
    return np.where(width > 0, (np.interp(above, u, C) - np.interp(below, u, C)) / np.where(width > 0, width, 1.0), 0.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Aim:
    """The policies of one market, ready to be evaluated. positions : of its providers. wanted : (P,) with `weight`."""

    positions: tuple[int, ...]
    wanted: Wanted
    weight: FloatArray
    policies: Policies

    def rows(
        self, odds: Sequence[Sampled | Geometric], spend: Sequence[FloatArray], premium: Sequence[FloatArray | float]
    ) -> FloatArray:
        """(N, (2 + M) P) on N problems of the whole market: cost net of what solving more would cost, solved, and what each
        provider is paid; in errors that count as one.

        All are linear in the weights of the problems. By the envelope theorem the first moves the cost of a level, to first
        order, by just its error, whatever the others.
        """
        wanted = self.wanted
        own = self.positions
        solved, taken = self.policies.on([odds[i] for i in own], [spend[i] for i in own], [premium[i] for i in own])
        paid = [m * units for m, units in zip(wanted.prices.T, taken, strict=True)]
        scale = self.weight / (COST_ERROR * wanted.cost)
        net = (sum(paid) - wanted.slope * solved) * scale
        return np.hstack(
            [net, solved * (np.minimum(self.weight, 1.0) / SOLVED_ERROR), *(own * (PAID_WEIGHT * scale) for own in paid)]
        )


def aim(market: Watched) -> Aim:
    """Compile the policies of a market."""
    wanted = market.wanted
    weight = np.where(wanted.level < 0, PLAY_WEIGHT, market.emphasis[wanted.level])
    return Aim(positions=market.positions, wanted=wanted, weight=weight, policies=policies(wanted.paths, len(market.positions)))
