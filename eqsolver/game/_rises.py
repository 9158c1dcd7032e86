"""Expected sales against mixed rivals over cells of the own price, with a bound on how they move inside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from eqsolver._base import FloatArray, IntArray
from eqsolver.game._breakpoints import stairs
from eqsolver.game._certificate import Deviation, best_deviation, exact_deviation
from eqsolver.game._consumers import Crowd
from eqsolver.game._sales import Conduct, Demanded

CHUNK = 16_384
"""Pairs of a cell and a rival price vector worked out in one pass."""
EXACT = 1e-10
"""Ratios of prices are told apart by this share of themselves, and rounded outwards of every cell."""


_JITTER = 1e-3
JUST_BELOW = 1e-9
"""By how much of itself a price is lowered from a breakpoint, to be on its profitable side whatever the rounding."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Against:
    """Sales of one player against others that draw price vectors; callable as `Sales`.

    others : (S, M) price vectors, whatever stands in the player's own column. shares : (S,) their probabilities.
    """

    conduct: Conduct
    crowd: Crowd
    player: int
    others: FloatArray
    shares: FloatArray

    def __call__(self, left: FloatArray, right: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(C,) expected units sold at the left end of every cell, and by how much they may rise within it."""
        sold, rise = np.zeros(left.size), np.zeros(left.size)
        both = self.conduct.rises
        leaving = self._leaving(left, right) if self.conduct.follows_list else np.zeros((left.size, 0))
        order = np.argsort(np.log(left)[:, None] - np.log(self._scale), axis=None, kind="stable")  # alike ratios together
        at_once = min(CHUNK, self.conduct.at_once)
        for start in range(0, order.size, at_once):
            cell, rival = np.divmod(order[start : start + at_once], self.shares.size)
            scale = self._scale[rival]
            ends = [self._vectors(left[cell], rival, np.floor)] + both * [self._vectors(right[cell], rival, np.ceil)]
            prices, rows = self._distinct(np.concatenate(ends))
            here, there = rows[: cell.size], rows[cell.size :]
            for weight, demand in self.conduct.demanded(prices):
                share = weight * self.shares[rival]
                units = demand.sold(self.crowd, here, scale)[:, self.player]
                sold += np.bincount(cell, share * units, minlength=left.size)
                if both:
                    more = self._rise(demand, here, there, scale)
                    if self.conduct.follows_list:
                        falls = self._falls(demand, prices[:, self.player])
                        more += np.einsum("ck,ck->c", falls[here], leaving[cell])
                    rise += np.bincount(cell, share * more, minlength=left.size)
        return sold, rise

    def supremum(self, cost: float) -> Callable[[float, float], tuple[float, float]]:
        """For finite types: the most that the player earns at any price between two, from all breakpoints there."""

        def between(low: float, high: float) -> tuple[float, float]:
            found = stairs(self.conduct, self.crowd, self.player, self.others, self.shares, (low, high))
            most, price = found.supremum(cost, high)
            return most, max(price * (1 - JUST_BELOW), low)

        return between

    def best_response(
        self,
        cost: float,
        cells: FloatArray,
        profit: float,
        *,
        tolerance: float,
        limit: int,
        scale: float = 0.0,
        listed: bool = True,
    ) -> Deviation:
        """The player's best deviation at any price: exact for finite types, else with a bound on what is missed.

        cost : marginal cost. cells, profit, tolerance, limit, scale : see `best_deviation`. listed : breakpoints of finite
        types are listed, one rival price vector after another; otherwise cells are bounded as for distributions.
        """
        if self.crowd.populations or not listed:
            return best_deviation(self, cost, cells, profit, tolerance, limit, scale)
        return exact_deviation(self, self.supremum(cost), cost, cells, profit, scale)

    @property
    def _scale(self) -> FloatArray:
        """(S,) with two providers demand depends on the ratio of prices: that of the other is taken out."""
        return self.others[:, 1 - self.player] if self.others.shape[1] == 2 else np.ones(self.shares.size)

    def _vectors(self, own: FloatArray, rival: IntArray, outwards: np.ufunc) -> FloatArray:
        prices = self.others[rival] / self._scale[rival, None]
        towards = _JITTER if outwards is np.floor else -_JITTER  # equal ratios stay equal whatever the rounding of their logs
        prices[:, self.player] = np.exp(outwards(np.log(own / self._scale[rival]) / EXACT + towards) * EXACT)
        return prices

    def _distinct(self, prices: FloatArray) -> tuple[FloatArray, IntArray]:
        if prices.shape[1] != 2:
            return prices, np.arange(len(prices))
        _, first, rows = np.unique(prices[:, self.player], return_index=True, return_inverse=True)
        return prices[first], rows

    def _rise(self, demand: Demanded, here: IntArray, there: IntArray, scale: FloatArray) -> FloatArray:
        """What sales may rise by between the price vectors `here` and `there`, but for stepping down a list."""
        rise = np.zeros(scale.size)
        if self.conduct.highest_markup > 1:
            at_left, at_right = demand.take(here), demand.take(there)
            rise += _by_overhead(at_left, at_right, self.crowd, self.player, scale) + self._of_targets(at_left, at_right, scale)
        if self.conduct.follows_list:
            left = demand.picked(self.crowd, here, scale) - demand.picked(self.crowd, there, scale)
            rise += np.maximum(left[:, self.player], 0.0) * _peak(demand, self.player)[here]
        return rise

    def _of_targets(self, at_left: Demanded, at_right: Demanded, scale: FloatArray) -> FloatArray:
        """The same for target types: those served in another way at the right end."""
        most = self.conduct.highest_markup - 1
        if not self.crowd.levels.size:
            return np.zeros(scale.size)
        needed, later = at_left.target_units[:, :, self.player], at_right.target_units[:, :, self.player]
        buys = self.crowd.target_masses * (scale[:, None] * at_left.price <= self.crowd.budgets)
        return np.asarray((most * buys * needed * (needed != later)).sum(axis=1))

    def _leaving(self, left: FloatArray, right: FloatArray) -> FloatArray:
        """(C, V) how many leave each vertex of the provider's own list for one below as its price rises within a cell."""
        _, slope, _ = self.conduct.ladder(self.player)
        return self.crowd.above(left[:, None] * slope) - self.crowd.above(right[:, None] * slope)

    def _falls(self, demand: Demanded, own: FloatArray) -> FloatArray:
        """(K, V) what a customer's need may rise by in stepping down to each vertex's predecessor, at own prices (K,).

        At a fixed level own units do not rise with the own price; from vertex k to k - 1 they rise only where the slope of
        the delivery cost is higher at k - 1. (Those that leave for another provider's offers are `_peak`'s.)
        """
        assert demand.delivery is not None, "only where customers follow the list"
        assert demand.delivery_units is not None, "only where customers follow the list"
        level, _, units = self.conduct.ladder(self.player)
        delivered = demand.delivery[:, level] < own[:, None] * units
        needed = np.where(delivered, demand.delivery_units[:, level, self.player], units)
        return np.maximum(-np.diff(needed, axis=1, prepend=0.0), 0.0)


def _peak(demand: Demanded, player: int) -> FloatArray:
    """(R,) the most units of a provider with which any level of the list is delivered by an arbitrageur."""
    assert demand.delivery_units is not None, "only where customers follow the list"
    return np.asarray(demand.delivery_units[:, :, player].max(axis=1, initial=0.0))


def _by_overhead(at_left: Demanded, at_right: Demanded, crowd: Crowd, player: int, scale: FloatArray) -> FloatArray:
    """What sales may rise by where bills carry an overhead: the price moves customers to what is cheaper with it.

    What a customer costs falls in slope with the own price, and that slope is (1 + overhead) times units: who chooses the same
    at both ends needs the same throughout, others at most the slope at the left.
    """
    carried = at_left.overhead[:, :, player] if at_left.overhead is not None else np.zeros((scale.size, 0))
    if not carried.any():
        return np.zeros(scale.size)
    assert at_left.key is not None, "held wherever overheads are"
    assert at_right.key is not None, "held wherever overheads are"
    same = (at_left.key[:, :, None] == at_right.key[:, None, :]) & (at_left.key >= 0)[:, :, None]
    partner = np.where(same.any(axis=2), same.argmax(axis=2), -1)
    bounds = [np.append(scale[:, None] * d.slope, np.full((scale.size, 1), np.inf), axis=1) for d in (at_left, at_right)]
    begin, end = bounds[0][:, :-1], bounds[0][:, 1:]
    stays_from = np.maximum(begin, np.take_along_axis(bounds[1], partner, axis=1))
    stays_to = np.minimum(end, np.take_along_axis(bounds[1], np.minimum(partner + 1, bounds[1].shape[1] - 1), axis=1))
    kept = np.where((partner >= 0) & (stays_from < stays_to), crowd.above(stays_from) - crowd.above(stays_to), 0.0)
    moving = np.maximum(crowd.above(begin) - crowd.above(end) - kept, 0.0)
    return np.asarray((carried * moving).sum(axis=1))
