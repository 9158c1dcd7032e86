"""The price game of a tiny market from its numbers alone: every schedule on the product grid, nothing shared with eqsolver.

Attempts are allotted, success is geometric. Prices are drawn at random in the searches, so ties need no rule.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from scipy import stats

from eqsolver.market import Consumers, Market, Population, Target, Value


class ExactGame:
    """Consumers and sellers of a market with a cap on attempts per provider, at any prices."""

    def __init__(self, market: Market, consumers: Sequence[Consumers]) -> None:
        self.consumers = consumers
        q, most = market.weights, int(market.max_attempts or 0)
        p = np.array([seller.odds.success for seller in market.providers])  # (M, N)
        w = np.array([seller.spend for seller in market.providers])
        self.M = len(p)
        self.nodes = list(itertools.product(range(most + 1), repeat=self.M))  # in an order that paths follow
        place = {node: k for k, node in enumerate(self.nodes)}
        left = np.array([np.prod((1 - p) ** np.array(node)[:, None], axis=0) for node in self.nodes])  # (K, N) unsolved
        self.solved = 1 - left @ q
        self.edges = []  # per node, (predecessor, provider, expected list price of the attempt)
        for node in self.nodes:
            found = []
            for i in range(self.M):
                if node[i]:
                    before = place[(*node[:i], node[i] - 1, *node[i + 1 :])]
                    found.append((before, i, float((q * left[before]) @ w[i])))
            self.edges.append(found)
        self.own = []  # per provider, its own offers: (solved, units)
        for i in range(self.M):
            alone = [place[tuple(k if j == i else 0 for j in range(self.M))] for k in range(1, most + 1)]
            spent = np.cumsum([self.edges[k][0][2] for k in alone])
            self.own.append((self.solved[alone], spent))

    def schedules(self, prices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(R, K) cost of the cheapest schedule to every node at price vectors (R, M), and (R, K, M) the units that it needs."""
        R, K = len(prices), len(self.nodes)
        cost, units = np.zeros((R, K)), np.zeros((R, K, self.M))
        for k in range(1, K):
            cost[:, k] = np.inf
            for before, i, paid in self.edges[k]:
                through = cost[:, before] + prices[:, i] * paid
                better = through < cost[:, k]
                cost[better, k] = through[better]
                needed = units[better, before].copy()
                needed[:, i] += paid
                units[better, k] = needed
        return cost, units

    def offers(self, prices: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Levels (L,), their prices (R, L) and units (R, L, M), of every provider's own offers."""
        levels, cost, units = [], [], []
        for i, (solved, spent) in enumerate(self.own):
            levels.append(solved)
            cost.append(prices[:, i, None] * spent)
            needed = np.zeros((len(prices), spent.size, self.M))
            needed[:, :, i] = spent
            units.append(needed)
        return np.concatenate(levels), np.concatenate(cost, axis=1), np.concatenate(units, axis=1)

    def sold(self, prices: np.ndarray, regime: str) -> np.ndarray:
        """(R, M) units sold in `direct`, `matching` or `competitive`."""
        level, cost, units = self.offers(prices)
        every, paid, needed = level, cost, units
        if regime != "direct":
            by_schedule, of_schedule = self.schedules(prices)
            every = np.append(level, self.solved[1:])
            paid = np.concatenate([cost, by_schedule[:, 1:]], axis=1)
            needed = np.concatenate([units, of_schedule[:, 1:]], axis=1)
        total, row = np.zeros(prices.shape), np.arange(len(prices))
        for who in self.consumers:
            listed, asked, bought = (level, cost, units) if regime == "matching" else (every, paid, needed)
            if isinstance(who, Target):
                pick, price = _cheapest(listed, asked, who.level)
                buys = price <= who.budget
                wanted = np.full(len(prices), who.level)
                if regime == "matching":
                    pick, _ = _cheapest(every, paid, who.level)
                    bought = needed
                total += who.mass * np.where(buys[:, None], bought[row, pick], 0.0)
            elif isinstance(who, Value):
                utility = who.value * listed - asked
                pick = utility.argmax(axis=1)
                buys, wanted = utility[row, pick] > 0, listed[pick]
                total += who.mass * np.where(
                    buys[:, None], self._served(regime, pick, wanted, bought, every, paid, needed), 0.0
                )
            else:
                total += self._population(who, regime, (listed, asked, bought), (every, paid, needed))
        return total

    def _served(self, regime, pick, wanted, bought, every, paid, needed):  # type: ignore[no-untyped-def]
        """(R, M) units with which a level that was picked is delivered: in `matching` by the cheapest there is."""
        row = np.arange(len(pick))
        if regime != "matching":
            return bought[row, pick]
        delivered = np.array([_cheapest(every, paid[r : r + 1], level)[0][0] for r, level in enumerate(wanted)])
        return needed[row, delivered]

    def _population(self, who: Population, regime, listed, delivery):  # type: ignore[no-untyped-def]
        """Value types by distribution: hull vertices, each with the mass between two slopes."""
        median, sigma = who.parameters
        above = (
            (lambda v: stats.lognorm.sf(v, sigma, scale=median))
            if who.distribution == "lognormal"
            else (lambda v: stats.uniform.sf(v, median, sigma - median))
        )
        (level, cost, units), (every, paid, needed) = listed, delivery
        total = np.zeros((len(cost), self.M))
        for r, bill in enumerate(cost):
            at = 0.0, 0.0
            vertices, slopes = [], []
            while True:
                better = np.flatnonzero(level > at[0] + 1e-12)
                if not better.size:
                    break
                slope = (bill[better] - at[1]) / (level[better] - at[0])
                k = better[np.lexsort((-level[better], slope))[0]]
                vertices.append(k)
                slopes.append(float(slope.min()))
                at = level[k], bill[k]
            masses = who.mass * above(np.array([*slopes, np.inf]))
            for k, mass in zip(vertices, masses[:-1] - masses[1:], strict=True):
                if regime == "matching":
                    total[r] += mass * needed[r, _cheapest(every, paid[r : r + 1], level[k])[0][0]]
                else:
                    total[r] += mass * units[r, k]
        return total


def _cheapest(level: np.ndarray, cost: np.ndarray, wanted: float) -> tuple[np.ndarray, np.ndarray]:
    """(R,) which offer delivers at least a level for least, and at what price; infinite for none."""
    reached = np.where(level >= wanted - 1e-9, cost, np.inf)
    pick = reached.argmin(axis=1)
    return pick, reached[np.arange(len(cost)), pick]


def best_gain(
    game: ExactGame,
    regime: str,
    player: int,
    played: tuple[np.ndarray, np.ndarray],
    profit: float,
    kappa: float,
    tried: np.ndarray,
) -> float:
    """What the best of some prices adds to a player's profit, against the others' part of price vectors (S, M) with shares."""
    prices, shares = played
    earned = np.zeros(tried.size)
    for share, row in zip(shares, prices, strict=True):
        vectors = np.repeat(row[None], tried.size, axis=0)
        vectors[:, player] = tried
        earned += share * (tried - kappa) * game.sold(vectors, regime)[:, player]
    return float(earned.max()) - profit
