"""What scenarios are like, whatever the policies: their levels, their market prices, and providers' curves in steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from eqsolver._base import FloatArray
from eqsolver.market import Market
from eqsolver.robust._stretches import Ladder, ladder
from eqsolver.technology import REACH, Rules, Steps

LEVELS = 20
POINTS_BELOW = 0.05
"""Levels of a scenario: this many, from so far below the best provider's reach in it to that reach (THEORY section 8)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trials:
    """Some scenarios of one market, made ready for policies to be tried in them.

    steps : M step lists, under these rules. ladders : of the providers that ever solve anything.
    shares : (Xi, N) weights of the problems. levels : (Xi, L), each scenario's own.
    price : (Xi, L) market price there, money per problem; nan for levels that do not count, because they are not above 0,
        no provider reaches them, or a free one sells them.
    """

    market: Market
    rules: Rules
    steps: tuple[Steps, ...]
    ladders: Mapping[int, Ladder]
    shares: FloatArray
    levels: FloatArray
    price: FloatArray
    _offers: tuple[_Offers, ...]

    def asked(self, solved: FloatArray) -> FloatArray:
        """(Xi, T) market price of solving so much, (Xi, T); 0 for nothing, infinite beyond every provider's reach."""
        return _cheapest(self._offers, solved)


_Offers = tuple[FloatArray, FloatArray]
"""(G,) solved, increasing, and the least money for which any provider alone solves so much, increasing too."""


def all_ladders(market: Market, rules: Rules, steps: Sequence[Steps]) -> dict[int, Ladder]:
    """By position, of the providers that ever solve anything."""
    return {i: ladder(market.providers[i], found, rules) for i, found in enumerate(steps) if found.at.size}


def trials(
    market: Market,
    rules: Rules,
    steps: Sequence[Steps],
    ladders: Mapping[int, Ladder],
    shares: FloatArray,
    *,
    levels: FloatArray | None = None,
    selling: Sequence[int] | None = None,
) -> Trials:
    """Offers, levels and market prices of each scenario, exact at every step.

    levels : (L,) the same in every scenario; default: each scenario's own. selling : positions of the providers that sell to
    everybody; the others are private to the arbitrageur. Default: all.
    """
    sellers = [i for i in ladders if selling is None or i in selling]
    offers = tuple(_envelope([_offer(market, steps, i, q) for i in sellers]) for q in shares)
    reach = np.array([solved[-1] if solved.size else 0.0 for solved, _ in offers])
    if levels is None:
        own = reach[:, None] + np.linspace(-POINTS_BELOW, 0.0, LEVELS)
    else:
        own = np.tile(np.asarray(levels, dtype=np.float64), (len(shares), 1))
    counts = (own > 0) & (own <= reach[:, None] + REACH)
    price = _cheapest(offers, np.where(counts, own, 0.0))
    return Trials(
        market=market,
        rules=rules,
        steps=tuple(steps),
        ladders=ladders,
        shares=shares,
        levels=own,
        price=np.where(counts & (price > 0), price, np.nan),
        _offers=offers,
    )


def _offer(market: Market, steps: Sequence[Steps], i: int, shares: FloatArray) -> _Offers:
    """Buying from one provider alone, at the steps that solve something."""
    profile = steps[i].profile(shares)
    gains = np.diff(profile.solved, prepend=0.0) > 0
    return profile.solved[gains], market.providers[i].price * profile.spent[gains]


def _envelope(offers: Sequence[_Offers]) -> _Offers:
    """The cheapest of several providers for each level: steps that another one undercuts, solving no less, are left out."""
    if not offers:
        return np.zeros(0), np.zeros(0)
    solved, cost = (np.concatenate([offer[part] for offer in offers]) for part in (0, 1))
    order = np.lexsort((cost, solved))
    solved, cost = solved[order], cost[order]
    least = np.minimum.accumulate(cost[::-1])[::-1]
    kept = cost < np.append(least[1:], np.inf)
    return solved[kept], cost[kept]


def _cheapest(offers: Sequence[_Offers], solved: FloatArray) -> FloatArray:
    found = np.full(solved.shape, np.inf)
    for xi, (reached, cost) in enumerate(offers):
        at = np.searchsorted(reached, solved[xi] - REACH)
        within = at < reached.size
        found[xi, within] = cost[at[within]]
    return np.where(solved <= REACH, 0.0, found)
