"""What a provider could still gain by any price at all: a search over cells of prices with a bound on each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eqsolver._base import FloatArray, IntArray
from eqsolver.game._consumers import Crowd
from eqsolver.game._sales import Conduct, Demanded

FINER = 8
"""Into how many cells one that may hold a better price is cut."""
PAIRS = 4_000_000
"""Pairs of an own price and a rival price at which demand is worked out, at most."""
CHUNK = 16_384


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Deviation:
    """The best deviation of one player from a mixed equilibrium, over every price within its bounds.

    gain : money, what the best deviation found adds to the profit. missed : what a price not tried may add to that, at most.
    price : the multiplier of the best deviation found. profit : of the player in the equilibrium.
    """

    gain: float
    missed: float
    price: float
    profit: float

    @property
    def epsilon(self) -> float:
        """Upper bound on what any deviation gains, money."""
        return self.gain + self.missed


def best_deviation(
    conduct: Conduct,
    crowd: Crowd,
    player: int,
    cost: float,
    bounds: tuple[float, float],
    step: float,
    rival: tuple[IntArray, FloatArray],
    profit: float,
    tolerance: float,
) -> Deviation:
    """Search a player's prices against a mixed rival whose prices are exp(n step), n integer.

    Parameters
    ----------
    cost : marginal cost κ. bounds : lowest and highest price of the player. rival : its ticks n (S,) and their probabilities.
    profit : what the player earns in the equilibrium. tolerance : share of it that may be missed; the search may end above.

    Notes
    -----
    Own sales do not rise with the own price where everybody chooses by lowest cost, so between two prices a < b profit is at
    most (b - κ) times sales at a. Cells whose bound is above the tolerance are cut, on ever finer lattices of prices, so that
    demand, which depends on ratios, is worked out once for many pairs. See `_rise` for customers who follow the list.
    """
    ticks, shares = rival
    low, high = (float(np.log(bound)) / step for bound in bounds)
    inner = np.arange(int(np.ceil(low + 1e-9)), int(np.floor(high - 1e-9)) + 1)
    left, right = np.append(low, inner), np.append(inner, high)
    best, price, spent, settled = 0.0, bounds[0], 0, 0.0
    while True:
        sold, rise = _sales(conduct, crowd, player, step, left, right, ticks, shares)
        at = np.exp(step * left)
        earned = (at - cost) * sold
        if earned.size and earned.max() > best:
            best, price = float(earned.max()), float(at[np.argmax(earned)])
        bounds_of = np.maximum(np.exp(step * right) - cost, 0.0) * (sold + rise)
        goal = max(best, profit) * (1 + tolerance / 2)
        open_cells = bounds_of > goal
        spent += left.size * ticks.size
        if not open_cells.any() or spent + FINER * open_cells.sum() * ticks.size > PAIRS:
            bound = max(settled, float(bounds_of.max(initial=0.0)))
            break
        settled = max(settled, float(bounds_of[~open_cells].max(initial=0.0)))
        cuts = np.arange(FINER + 1) / FINER
        edges = left[open_cells, None] + (right - left)[open_cells, None] * cuts
        left, right = edges[:, :-1].ravel(), edges[:, 1:].ravel()
    at_high = float(_sales(conduct, crowd, player, step, np.array([high]), np.array([high]), ticks, shares)[0][0])
    if (bounds[1] - cost) * at_high > best:
        best, price = (bounds[1] - cost) * at_high, bounds[1]
    gain = max(best - profit, 0.0)
    return Deviation(gain=gain, missed=max(bound - profit - gain, 0.0), price=price, profit=profit)


def _sales(
    conduct: Conduct,
    crowd: Crowd,
    player: int,
    step: float,
    left: FloatArray,
    right: FloatArray,
    ticks: IntArray,
    shares: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Expected sales at the left end of every cell, and by how much they may rise within it."""
    pairs = left.size * ticks.size
    cell, rival = np.divmod(np.arange(pairs), ticks.size)
    from_key = np.floor(left[cell] * _KEYS).astype(np.int64) - ticks[rival] * _KEYS
    to_key = np.ceil(right[cell] * _KEYS).astype(np.int64) - ticks[rival] * _KEYS
    order = np.argsort(from_key, kind="stable")  # neighbouring ratios share their demand
    sold, rise = np.zeros(left.size), np.zeros(left.size)
    for start in range(0, pairs, CHUNK):
        part = order[start : start + CHUNK]
        share, scale = shares[rival[part]], np.exp(step * ticks[rival[part]])
        keys, place = np.unique(np.append(from_key[part], to_key[part] if conduct.follows_list else []), return_inverse=True)
        prices = np.ones((keys.size, 2))
        prices[:, player] = np.exp(step * keys / _KEYS)
        here, there = place[: part.size], place[part.size :]
        for weight, demand in conduct.demanded(prices):
            at_left = demand.take(here)
            units = at_left.sold(crowd, scale)[:, player]
            sold += np.bincount(cell[part], weight * share * units, minlength=left.size)
            if conduct.follows_list:
                own = prices[here, player] * scale, prices[there, player] * scale
                switching = at_left.picked(crowd, scale) - demand.take(there).picked(crowd, scale)
                more = _rise(conduct, at_left, crowd, player, scale, own) + switching[:, player] * _peak(at_left, player)
                rise += np.bincount(cell[part], weight * share * more, minlength=left.size)
    return sold, rise


_KEYS = 2**20
"""Parts of a step to which own prices are told apart, outwards of every cell."""


def _rise(
    conduct: Conduct, demand: Demanded, crowd: Crowd, player: int, scale: FloatArray, own: tuple[FloatArray, FloatArray]
) -> FloatArray:
    """What sales may rise by between two own prices because customers step down to levels that need more of the provider.

    At a fixed level own units do not rise with the own price. Customers that keep to the provider's own list step down it;
    from vertex k to k - 1 they need more units only where the slope of the delivery cost is higher at k - 1.
    """
    assert demand.delivery is not None, "only where customers follow the list"
    assert demand.delivery_units is not None, "only where customers follow the list"
    level, slope, units = conduct.ladder(player)
    if not level.size:
        return np.zeros(scale.size)
    by_own = own[0][:, None] / scale[:, None] * units
    needed = np.where(demand.delivery[:, level] < by_own, demand.delivery_units[:, level, player], units)
    falls = np.maximum(-np.diff(needed, axis=1, prepend=0.0), 0.0)
    stepping = crowd.above(own[0][:, None] * slope) - crowd.above(own[1][:, None] * slope)
    return np.asarray((falls * stepping).sum(axis=1))


def _peak(demand: Demanded, player: int) -> FloatArray:
    """(R,) the most units of a provider with which any level of the list is delivered by an arbitrageur."""
    assert demand.delivery_units is not None, "only where customers follow the list"
    return np.asarray(demand.delivery_units[:, :, player].max(axis=1, initial=0.0))
