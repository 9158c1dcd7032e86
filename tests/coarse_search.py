"""Threshold cascades by plain search over a coarse grid: from the definition, sharing no code with eqsolver's kernels.

Every order of providers, every vector of thresholds on a coarse grid, and the best of them evaluated to the attempt.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from eqsolver._base import FloatArray
from eqsolver.market import Market, Sampled

FINALISTS = 20
"""Cascades of each order, the best on the grid, that are evaluated to the attempt."""


class Curves:
    """One provider's logs: the chance that the first k of n attempts, c of them successes, all fail, and what they cost.

    S(k) = prod over l < k of (1 - c / (n - l)) for k up to n - c + 1, where it is 0; 1 for every k if c = 0.
    """

    def __init__(self, odds: Sampled, spend: FloatArray) -> None:
        n, c = odds.attempts[:, None], odds.successes[:, None]
        self.spend = spend
        self.useful = np.where(c > 0, n - c + 1, 0)[:, 0]
        done = np.arange(self.useful.max())
        fails = np.where(done < n - c, 1 - c / np.maximum(n - done, 1), 0.0)
        start = np.ones((spend.size, 1))
        self.alive = np.hstack([start, np.cumprod(np.where(c > 0, fails, 1.0), axis=1)])
        self.tries = np.hstack([0 * start, np.cumsum(self.alive[:, :-1], axis=1)])

    def after(self, budget: float) -> tuple[FloatArray, FloatArray]:
        """(N,) S and F of as many whole attempts as the budget buys on each problem."""
        k = np.floor(budget * (1 + 1e-12) / self.spend)
        x, known = np.arange(k.size), np.minimum(k, self.alive.shape[1] - 1).astype(int)
        beyond = np.where(self.useful == 0, k - known, 0.0)
        return self.alive[x, known], self.spend * (self.tries[x, known] + beyond)

    def stops(self, cap: float) -> FloatArray:
        """Budgets up to the cap at which one more attempt that may succeed is made on some problem."""
        x, k = np.nonzero(np.arange(1, self.alive.shape[1]) <= self.useful[:, None])
        found = self.spend[x] * (k + 1)
        return np.unique(found[found <= cap * (1 + 1e-12)])


@dataclass
class Found:
    """cost : (L,) least bill at each level. mean_margin, cascade : of the threshold vector with the largest mean margin."""

    cost: FloatArray
    mean_margin: float
    cascade: list[tuple[str, float]]


class Search:
    """A market of logs, a cap on money, and the levels asked for."""

    def __init__(self, market: Market, cap: float, levels: FloatArray, market_price: FloatArray) -> None:
        self.market, self.cap, self.levels, self.market_price = market, cap, levels, market_price
        self.curves = [Curves(p.odds, p.spend) for p in market.providers if isinstance(p.odds, Sampled)]

    def cost(self, cascade: tuple[tuple[int, float], ...], level: float) -> float:
        """The bill of the shortest prefix that reaches a level, to the attempt; infinite if none does."""
        reaching, paid = self.market.weights, 0.0
        for i, top in cascade:
            curves, price = self.curves[i], self.market.providers[i].price
            S, F = curves.after(top)
            if 1 - reaching @ S < level - 1e-12:
                reaching, paid = reaching * S, paid + price * float(reaching @ F)
                continue
            stops = self._stops[i]
            low, high = 0, int(np.searchsorted(stops, top * (1 + 1e-12), side="right")) - 1
            while low < high:
                middle = (low + high) // 2
                if 1 - reaching @ curves.after(stops[middle])[0] >= level - 1e-12:
                    high = middle
                else:
                    low = middle + 1
            return paid + price * float(reaching @ curves.after(stops[low])[1])
        return float("inf")

    def run(self, coarse: int, fine: int) -> Found:
        """Search all orders and `coarse` log-spaced thresholds per provider; levels are read off `fine` budgets of each."""
        self._stops = [curves.stops(self.cap) for curves in self.curves]
        self._tops = [np.concatenate([[0.0], np.geomspace(s[0], s[-1], coarse - 1)]) for s in self._stops]
        self._fine = [s[np.unique(np.linspace(0, s.size - 1, fine).round().astype(int))] for s in self._stops]
        pairs = [[c.after(b) for b in tops] for c, tops in zip(self.curves, self._tops, strict=True)]
        self._top_curves = [(np.array([S for S, _ in rows]), np.array([F for _, F in rows])) for rows in pairs]
        pairs = [[c.after(b) for b in fine] for c, fine in zip(self.curves, self._fine, strict=True)]
        self._fine_curves = [(np.array([S for S, _ in rows]), np.array([F for _, F in rows])) for rows in pairs]
        priced = np.isfinite(self.market_price)
        least = np.full(self.levels.size, np.inf)
        best, chosen = -1.0, ()
        for order in itertools.permutations(range(len(self.curves))):
            thresholds, cost = self._table(order)
            margin = np.maximum(1 - cost[:, priced] / self.market_price[priced], 0).mean(axis=1)
            for row in np.argsort(margin)[-FINALISTS:]:
                cascade = tuple(zip(order, thresholds[row].tolist(), strict=True))
                exact = np.array([self.cost(cascade, u) for u in self.levels])
                least = np.minimum(least, exact)
                mean = float(np.maximum(1 - exact[priced] / self.market_price[priced], 0).mean())
                if mean > best:
                    best, chosen = mean, cascade
            for level, row in enumerate(np.argmin(cost, axis=0)):
                if cost[row, level] < least[level] * 1.01:
                    cascade = tuple(zip(order, thresholds[row].tolist(), strict=True))
                    least[level] = min(least[level], self.cost(cascade, self.levels[level]))
        return Found(least, best, [(self.market.names[i], t) for i, t in chosen])

    def _table(self, order: tuple[int, ...]) -> tuple[FloatArray, FloatArray]:
        """(T, A) thresholds of one order, and the (T, L) bill of each at every level, read off the fine budgets."""
        reaching, paid = self.market.weights[None, :], np.zeros(1)
        left = np.full(1, self.cap)
        tops = np.zeros((1, 0))
        cost = np.full((1, self.levels.size), np.inf)
        for stage, i in enumerate(order):
            S, F = self._fine_curves[i]
            price, budgets = self.market.providers[i].price, self._fine[i]
            solved, spent = 1 - reaching @ S.T, price * (reaching @ F.T)
            first = np.array([np.searchsorted(row, self.levels - 1e-12) for row in solved])
            reached = first < budgets.size
            first = np.minimum(first, budgets.size - 1)
            bill = np.where(reached, paid[:, None] + np.take_along_axis(spent, first, axis=1), np.inf)
            needs = budgets[first]
            last = stage == len(order) - 1
            chosen = np.zeros(1) if last else self._tops[i]
            top = left[:, None] if last else np.broadcast_to(chosen, (left.size, chosen.size))
            row, column = np.nonzero(top <= left[:, None])
            here = np.where(needs[row] <= top[row, column][:, None] * (1 + 1e-12), bill[row], np.inf)
            cost = np.where(np.isfinite(cost[row]), cost[row], here)
            tops = np.column_stack([tops[row], top[row, column]])
            if not last:
                S, F = self._top_curves[i]
                paid = paid[row] + price * np.einsum("tn,tn->t", reaching[row], F[column])
                reaching = reaching[row] * S[column]
                left = left[row] - top[row, column]
        return tops, cost
