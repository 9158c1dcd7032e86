"""What a provider could still gain by any price at all: a search over cells of prices with a bound on each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from eqsolver._base import FloatArray

FINER = 4
"""Into how many cells one that may hold a better price is cut."""

REFINED = 3
"""Times that cells which may hold a better price are cut before their breakpoints are listed."""

Sales = Callable[[FloatArray, FloatArray], tuple[FloatArray, FloatArray]]
"""Left and right ends of C cells of the player's prices -> (C,) its expected sales at the left end, in units, and by how much
they may rise within the cell."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Deviation:
    """The best deviation of one player from what is played, over every price within its bounds.

    gain : money, what the best deviation found adds to the profit. missed : what a price not tried may add to that, at most.
    price : the multiplier of the best deviation found. profit : of the player in what is played. least : money that `relative`
    is a share of where the profit is less, see `least_profit`.
    """

    gain: float
    missed: float
    price: float
    profit: float
    least: float = 0.0

    @property
    def epsilon(self) -> float:
        """Upper bound on what any deviation gains, money."""
        return self.gain + self.missed

    @property
    def relative(self) -> float:
        """`epsilon` as a share of the profit, or of `least` if that is more; 0 if all three are 0."""
        return float(shares_of(np.array(self.epsilon), np.array(max(self.profit, self.least))))


def least_profit(profits: FloatArray, revenue: float, *, of_profits: float = 1e-3, of_revenue: float = 1e-6) -> float:
    """Money of which a gain is a share where a provider's own profit is less (THEORY section 7).

    Parameters
    ----------
    profits : (M,) of all providers, and revenue : of all, in what is played; money.
    of_profits : share of all profits. of_revenue : share of the revenue: where nobody earns anything (alike providers at
        marginal cost) a bound on gains is hardly ever 0 itself.
    """
    return max(of_profits * float(profits.sum()), of_revenue * revenue, 0.0)


def shares_of(gains: FloatArray, scale: FloatArray) -> FloatArray:
    """Gains >= 0 over money >= 0; 0 / 0 is 0."""
    known = scale > 0
    return np.asarray(np.where(known, gains / np.where(known, scale, 1.0), np.where(gains > 0, np.inf, 0.0)))


def best_deviation(
    sales: Sales, cost: float, cells: FloatArray, profit: float, tolerance: float, limit: int, scale: float = 0.0
) -> Deviation:
    """Search a player's prices for the best response to what the others play.

    Parameters
    ----------
    cost : marginal cost κ. cells : (C + 1,) prices, from the lowest allowed to the highest, that bound the first cells.
    profit : what the player earns. tolerance : share of it that may be missed. limit : cells tried at most.
    scale : money of which `tolerance` is a share if the profit is less. A gain that is larger may be missed by an eighth of it.

    Notes
    -----
    Between two prices a < b profit is at most (b - κ) times what sales are at a and may rise by; own sales do not rise with the
    own price where everybody buys at least cost. Cells whose bound is too high are cut until none is, or too many are open.
    """
    left, right = cells[:-1], cells[1:]
    best, price, tried, settled = -np.inf, float(cells[0]), 0, -np.inf
    least = tolerance / 2 * max(abs(profit), scale)
    while True:
        sold, rise = sales(left, right)
        tried += left.size
        earned = (left - cost) * sold
        if earned.max() > best:
            best, price = float(earned.max()), float(left[np.argmax(earned)])
        bounds = np.maximum(right - cost, 0.0) * (sold + rise)
        doubtful = bounds > max(best, profit) + max(least, (best - profit) / 8)
        if not doubtful.any() or tried + FINER > limit:
            highest = max(settled, float(bounds.max()))
            break
        room = (limit - tried) // FINER
        if doubtful.sum() > room:  # cells with the highest bounds decide
            doubtful[np.argsort(-np.where(doubtful, bounds, -np.inf))[room:]] = False
        settled = max(settled, float(bounds[~doubtful].max(initial=-np.inf)))
        edges = left[doubtful, None] * (right / left)[doubtful, None] ** (np.arange(FINER + 1) / FINER)
        left, right = edges[:, :-1].ravel(), edges[:, 1:].ravel()
    last = cells[-1:]
    at_last = float((last - cost)[0] * sales(last, last)[0][0])
    if at_last > best:
        best, price = at_last, float(last[0])
    gain = max(best - profit, 0.0)
    return Deviation(gain=gain, missed=max(highest - profit - gain, 0.0), price=price, profit=profit, least=scale)


Supremum = Callable[[float, float], tuple[float, float]]
"""Two prices -> the most that the player earns at any price between them, and the price towards which it does."""


def exact_deviation(
    sales: Sales, supremum: Supremum, cost: float, cells: FloatArray, profit: float, scale: float = 0.0
) -> Deviation:
    """The best response of a player, exactly, where sales are constant but for finitely many breakpoints.

    Parameters
    ----------
    supremum : over all prices of a cell, from its breakpoints. The rest : as in `best_deviation`.

    Notes
    -----
    THEORY section 7. Breakpoints are listed only in cells that can still hold a better price by the bound of `best_deviation`,
    the most promising first.
    """
    left, right = cells[:-1], cells[1:]
    best, price = -np.inf, float(cells[0])
    bounds = np.zeros(0)
    for cut in range(REFINED + 1):
        sold, rise = sales(left, right)
        earned = (left - cost) * sold
        if earned.max() > best:
            best, price = float(earned.max()), float(left[np.argmax(earned)])
        bounds = np.maximum(right - cost, 0.0) * (sold + rise)
        c = int(np.argmax(bounds))
        if bounds[c] > max(best, profit) * (1 + ROUNDING) and cut < REFINED:
            best, price = max((best, price), supremum(float(left[c]), float(right[c])))
            bounds[c] = -np.inf
        doubtful = bounds > max(best, profit) * (1 + ROUNDING)
        left, right, bounds = left[doubtful], right[doubtful], bounds[doubtful]
        if not left.size:
            break
        if cut < REFINED:
            edges = left[:, None] * (right / left)[:, None] ** (np.arange(FINER + 1) / FINER)
            left, right = edges[:, :-1].ravel(), edges[:, 1:].ravel()
    for c in np.argsort(-bounds):
        if bounds[c] <= max(best, profit) * (1 + ROUNDING):
            break
        found, where = supremum(float(left[c]), float(right[c]))
        if found > best:
            best, price = found, where
    return Deviation(gain=max(best - profit, 0.0), missed=0.0, price=price, profit=profit, least=scale)


ROUNDING = 1e-12
"""Share of a profit that no deviation has to be told apart by."""
