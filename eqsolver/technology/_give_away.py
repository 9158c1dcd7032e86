"""A bound for every schedule: what lies between the points of a grid is charged no more than it can cost at least."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from eqsolver._base import FloatArray
from eqsolver.market import Geometric, Market, Provider
from eqsolver.technology._curves import curves, survival, timing
from eqsolver.technology._evaluate import PerLevel
from eqsolver.technology._grid import base_measure, grid, spread_points
from eqsolver.technology._rules import Rules
from eqsolver.technology._schedule import REACH
from eqsolver.technology._steps import Steps

AXES = 10
"""Of more providers even the smallest grid that bounds anything is too large."""

FIRST_NODES, FINER = 20_000, 64
"""Nodes of the first product grid, and how many times more the next one has at most."""

LEAST_CELLS, MOST_CELLS = 20_000, 6_000_000
"""Cells that are looked at, at least and at most, whatever work is asked for."""

LONGEST = 2000
"""Points of one axis, at most: every problem's curve is evaluated at each, and some times over at the parts between them."""

CLOSE = 1e-3
"""No finer grid is tried once the bound is this close to what is known, relatively, at every level."""

ATTENTION = 1.0, 0.3, 0.1
"""To pass, money and allotment, where points of an axis go: what a cell gives away is above all what is solved within it."""

PARTS, PART_BYTES = 16, 2**28
"""Parts of each cell whose purchase is charged where a schedule ends, fewer where their curves would not fit the memory."""

UNUSED = 0.05
"""Points of a provider that good policies do not buy from; others have more by the square root of their part of the bill."""


def give_away_bound(
    market: Market,
    rules: Rules,
    steps: Sequence[Steps],
    bought: Sequence[int],
    prices: FloatArray,
    levels: FloatArray,
    found: PerLevel,
    work: float,
) -> FloatArray:
    """(L,) money that no schedule over some providers can undercut at each level, up to the dearest policy that is known.

    Parameters
    ----------
    steps : of each of the market's providers. bought : those in access, by position. prices : (M,) multipliers.
    levels : (L,) increasing. found : policies known for these levels; their bills also say which axes need points.
    work : cells that are looked at, times problems, times the cube of the number of axes.

    Returns
    -------
    Zeros where nothing is known or there are more than `AXES` providers.

    Notes
    -----
    Proof. Let the axis of provider i, with points 0 = t_0 < t_1 < ..., stand at c while its allotment lies in [t_c, t_c+1): its
    survival is then between a_i, at the last step before t_c+1, and h_i, at t_c. Any schedule moves every axis up point by
    point. Round it, problem by problem: a slice from t_c to t_c+1 is bought at once when it is complete, with every other
    provider l at its own h_l, and parts of slices that are never completed are bought last. Putting off an attempt of l behind
    one of i makes i's dearer by w_i p_l and l's cheaper by w_l p_i, times what survives all others, w being the expected
    cost of an attempt, p w_s + (1 - p) w_f: together, dearer by no more than the share
    s_il = max(0, 1 - (w_l / p_l) / (w_i / p_i)) of the former. If y_1, y_2, ... are put off behind a slice of i,
    the last first, each gives way by what it takes from those that y_1 to its predecessor leave; a share s_il of that is given
    away. For u uniform on [0, 1], s_il is the chance of u < s_il, so the slice keeps at least the mean over u of the product of
    a_l where u < s_il and h_l elsewhere, and as all factors fall where u does, at least the product of their means: charge it

        m_i (F_i(t_c+1) - F_i(t_c)) prod_l (h_l - s_il (h_l - a_l)).

    Each pair of attempts changes places once at most, so these charges add up to no more than the schedule costs. Bring the
    parts bought last in order of w / p, on each problem by itself: by the same token a part of i costs at least what it does
    at h_l - s_il (h_l - a_l) of those that come after it, and at a_l of those before. Survival is a product, so what is
    solved is submodular: together the parts solve at most what each would alone, all others at h. Cut slices into a few
    parts, charge each up to its beginning for solving up to its end, and what is missing to a level costs at least a
    fractional knapsack over the lower hulls of these pairs. Allotments sum to at least the points passed, so a schedule
    within the cap ends in a cell that is within it. Hence the shortest path to a cell and through its parts to the level
    costs no more than the schedule does. With every step a point, cells have no inside, and this is the optimum itself.

    Only cells that a path gets to for no more than the dearest known policy are looked at, some percent of a grid of six
    providers: a schedule that leaves these is no cheaper than that policy. Grids are refined until that work is used up.
    """
    known = np.isfinite(found.cost)
    usable = [i for i in bought if steps[i].at.size]
    best = np.zeros(levels.size)
    if not known.any() or len(usable) > AXES:
        return best
    ceiling = np.where(known, found.cost, found.cost[known].max())
    bill = (found.units[known] * prices).sum(axis=0)
    attention = {i: UNUSED + float(np.sqrt(bill[i] / max(bill.sum(), np.finfo(float).tiny))) for i in usable}
    most = int(np.clip(work / (market.weights.size * len(usable) ** 3), LEAST_CELLS, MOST_CELLS))
    most_points = {i: min(steps[i].at.size + 1, LONGEST) for i in usable}
    nodes = float(FIRST_NODES)
    while True:
        sizes = {i: min(points, LONGEST) for i, points in spread_points(steps, attention, int(nodes)).items()}
        bound, looked = bound_on_cells(market, rules, steps, sizes, prices, levels, ceiling, most)
        if looked > most:
            return best
        best = np.maximum(best, bound)
        finer = min(0.75 * most / looked, FINER)
        if finer < 1.5 or all(sizes[i] >= most_points[i] for i in usable) or (best >= (1 - CLOSE) * found.cost)[known].all():
            return best
        nodes *= finer


def bound_on_cells(
    market: Market,
    rules: Rules,
    steps: Sequence[Steps],
    sizes: Mapping[int, int],
    prices: FloatArray,
    levels: FloatArray,
    ceiling: FloatArray,
    most: int,
) -> tuple[FloatArray, int]:
    """The bound on a product grid with so many points per provider: (L,), and the cells looked at; see `give_away_bound`.

    sizes : by provider, from 2 to the number of its steps and one.
    ceiling : (L,) what is more is not told apart from it. The bound is worth nothing if more than `most` cells were looked at.
    """
    from eqsolver.technology._cells import sweep  # here, since numba loads slowly

    longest, *rest = sorted(sizes, key=lambda i: (-sizes[i], market.names[i]))
    order = [longest, *rest[1:], *rest[:1]]  # the longest axis is not in the slab, the next one makes the longest rows
    A, N = max(len(order), 2), market.weights.size  # a lone axis has a second one, of one cell, beside it
    parts = int(np.clip(PART_BYTES // (16 * A * sizes[longest] * N), 1, PARTS))
    measures = [base_measure(steps[i], market.weights, ATTENTION) for i in order]
    cells = [
        _Cells.of(market.providers[i], rules, steps[i], measure, sizes[i], parts)
        for i, measure in zip(order, measures, strict=True)
    ]
    J = max(own.at.size for own in cells)
    at, shape = np.zeros((A, J)), np.ones(A, dtype=np.int64)
    ahead, (drop, least, rate, slices) = np.ones((A, J, N)), np.zeros((4, A, J, N))
    gains, costs = np.zeros((2, A, J, parts, N))
    for a, (i, own) in enumerate(zip(order, cells, strict=True)):
        shape[a] = k = own.at.size
        at[a, :k], ahead[a, :k], drop[a, :k] = own.at, own.ahead.T, (own.here - own.ahead).T
        least[a, :k], rate[a, :k] = prices[i] * own.least.T, own.rate.T / max(prices[i], np.finfo(float).tiny)
        slices[a, : k - 1], gains[a, : k - 1] = prices[i] * own.slices.T, own.gains.transpose(1, 2, 0)
        costs[a, : k - 1] = prices[i] * own.costs.transpose(1, 2, 0)
        if a == A - 1:  # one rate for whole rows: they are then priced but once
            rate[a, :k] = rate[a, :k].min(axis=0)
    bound, cap = np.minimum(ceiling, np.finfo(float).max), rules.largest_total
    curves_of = ahead, drop, least, rate, slices, gains, costs
    looked = sweep(market.weights, *curves_of, at, shape, cap, most, levels - REACH, bound)
    bound[bound == np.finfo(float).max] = np.inf
    return np.minimum.accumulate(bound[::-1])[::-1], looked


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Cells:
    """The J cells of an axis between its grid points, the last one without end, and P parts of each of the others.

    at : (J,) allotment at the first point. here, ahead : (N, J) survival there, and at the cell's last step.
    least, rate : (N, J) the least units per success of any attempt in a cell, and the fewest successes per unit; 0 if unknown.
    slices : (N, J - 1) expected units from a point to the next.
    gains : (N, J - 1, P) survival lost from the first point to the last step of a part.
    costs : (N, J - 1, P) expected units from the first point to the beginning of a part.
    """

    at: FloatArray
    here: FloatArray
    ahead: FloatArray
    least: FloatArray
    rate: FloatArray
    slices: FloatArray
    gains: FloatArray
    costs: FloatArray

    @staticmethod
    def of(provider: Provider, rules: Rules, steps: Steps, measure: FloatArray, size: int, parts: int) -> _Cells:
        """Points, and parts between them, that share a measure (G,) of the steps evenly."""
        at, allotment = grid(steps, measure, size), np.append(0.0, steps.at)
        point = np.searchsorted(allotment, at)
        running = np.append(0.0, np.cumsum(measure))
        shares = np.linspace(running[point[:-1]], running[point[1:]], parts + 1, axis=1)
        edge = np.clip(np.searchsorted(running, shares), point[:-1, None] + 1, point[1:, None])
        edge[:, 0], edge[:, -1] = point[:-1], point[1:]
        here, spent = curves(provider, at, rules)
        ahead, _ = curves(provider, allotment[np.append(point[1:] - 1, point[-1])], rules)
        left, _ = curves(provider, allotment[edge[:, 1:].ravel() - 1], rules)
        _, paid = curves(provider, allotment[edge[:, :-1].ravel()], rules)
        least, rate = _rates(provider, rules, at)
        cells = (len(here), point.size - 1, parts)
        return _Cells(
            at=at,
            here=here,
            ahead=ahead,
            least=least,
            rate=rate,
            slices=np.diff(spent, axis=1),
            gains=here[:, :-1, None] - left.reshape(cells),
            costs=paid.reshape(cells) - spent[:, :-1, None],
        )


def _rates(provider: Provider, rules: Rules, at: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(N, J) `_Cells.least` and `rate`: odds rise or fall with each failure, so the first and last attempt of a cell have them.

    An attempt of success probability p costs p w_s + (1 - p) w_f, so a success costs w_s + w_f (1 - p) / p, which falls in p.
    Under `cut` money is spent without an attempt that ends; then nothing is known of what a success costs where.
    """
    if rules.cuts:
        return np.zeros((len(provider.odds), at.size)), np.zeros((len(provider.odds), at.size))
    if isinstance(provider.odds, Geometric):
        most = fewest = np.repeat(provider.odds.success[:, None], at.size, axis=1)
    else:
        made = timing(provider, rules).attempts(at)
        after = np.append(made[:, 1:], made[:, -1:] + 1, axis=1)
        odds = []
        for k in (made, np.maximum(after - 1, made)):
            before, then = survival(provider.odds, k), survival(provider.odds, k + 1)
            odds.append(1 - np.divide(then, before, out=np.zeros_like(then), where=before > 0))
        most, fewest = np.maximum(*odds), np.minimum(*odds)
    solved, failed = provider.spend[:, None], provider.spend_if_failed[:, None]
    dear = np.full_like(most, _DEAREST)
    least = np.divide(most * solved + (1 - most) * failed, most, out=dear.copy(), where=most > failed / _DEAREST)
    dearest = fewest * solved + (1 - fewest) * failed
    return least, np.divide(fewest, dearest, out=dear, where=dearest > fewest / _DEAREST)


_DEAREST = 1e150
