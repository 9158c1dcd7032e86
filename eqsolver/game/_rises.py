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
        order = np.argsort(np.log(left)[:, None] - np.log(self._scale), axis=None, kind="stable")  # alike ratios together
        at_once = min(CHUNK, self.conduct.at_once)
        for start in range(0, order.size, at_once):
            cell, rival = np.divmod(order[start : start + at_once], self.shares.size)
            scale = self._scale[rival]
            ends = [self._vectors(left[cell], rival, np.floor)] + both * [self._vectors(right[cell], rival, np.ceil)]
            prices, rows = self._distinct(np.concatenate(ends))
            here, there = rows[: cell.size], rows[cell.size :]
            for weight, demand in self.conduct.demanded(prices):
                at_left, share = demand.take(here), weight * self.shares[rival]
                units = at_left.sold(self.crowd, scale)[:, self.player]
                sold += np.bincount(cell, share * units, minlength=left.size)
                if both:
                    own = left[cell], right[cell]
                    more = self._rise(at_left, demand.take(there), scale, own)
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
        self, cost: float, cells: FloatArray, profit: float, *, tolerance: float, limit: int, scale: float = 0.0
    ) -> Deviation:
        """The player's best deviation at any price: exact for finite types, else with a bound on what is missed.

        cost : marginal cost. cells, profit, tolerance, limit, scale : see `best_deviation`.
        """
        if self.crowd.populations:
            return best_deviation(self, cost, cells, profit, tolerance, limit, scale)
        return exact_deviation(self, self.supremum(cost), cost, cells, profit)

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

    def _rise(self, at_left: Demanded, at_right: Demanded, scale: FloatArray, own: tuple[FloatArray, FloatArray]) -> FloatArray:
        rise = _by_overhead(at_left, at_right, self.crowd, self.player, scale) + self._of_targets(at_left, at_right, scale)
        if self.conduct.follows_list:
            rise = rise + self._by_stepping_down(at_left, scale, own)
            left = at_left.picked(self.crowd, scale) - at_right.picked(self.crowd, scale)
            rise = rise + np.maximum(left[:, self.player], 0.0) * _peak(at_left, self.player)
        return rise

    def _of_targets(self, at_left: Demanded, at_right: Demanded, scale: FloatArray) -> FloatArray:
        """The same for target types: those served in another way at the right end."""
        most = self.conduct.highest_markup - 1
        if most == 0 or not self.crowd.levels.size:
            return np.zeros(scale.size)
        needed, later = at_left.target_units[:, :, self.player], at_right.target_units[:, :, self.player]
        buys = self.crowd.target_masses * (scale[:, None] * at_left.price <= self.crowd.budgets)
        return np.asarray((most * buys * needed * (needed != later)).sum(axis=1))

    def _by_stepping_down(self, demand: Demanded, scale: FloatArray, own: tuple[FloatArray, FloatArray]) -> FloatArray:
        """What sales may rise by because customers step down a provider's own list to levels that need more of it.

        At a fixed level own units do not rise with the own price; from vertex k to k - 1 they rise only where the slope of
        the delivery cost is higher at k - 1. (Those that leave for another provider's offers are `_peak`'s.)
        """
        assert demand.delivery is not None, "only where customers follow the list"
        assert demand.delivery_units is not None, "only where customers follow the list"
        level, slope, units = self.conduct.ladder(self.player)
        if not level.size:
            return np.zeros(scale.size)
        by_own = (own[0] / scale)[:, None] * units
        needed = np.where(demand.delivery[:, level] < by_own, demand.delivery_units[:, level, self.player], units)
        falls = np.maximum(-np.diff(needed, axis=1, prepend=0.0), 0.0)
        stepping = self.crowd.above(own[0][:, None] * slope) - self.crowd.above(own[1][:, None] * slope)
        return np.asarray((falls * stepping).sum(axis=1))


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
