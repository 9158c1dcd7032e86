"""A bound for every schedule over any number of providers: what lies between the points of a coarse grid is given away."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eqsolver._base import FloatArray
from eqsolver.market import Market
from eqsolver.technology._curves import curves
from eqsolver.technology._grid import base_measure, grid
from eqsolver.technology._joint import BLOCK_BYTES, khatri_rao
from eqsolver.technology._rules import Rules
from eqsolver.technology._schedule import cheapest_reaching, shortest_paths
from eqsolver.technology._steps import Steps

Groups = Sequence[tuple[Sequence[int], int]]
"""Axes of the bound's grid: which providers share the axis, and its number of points."""


def give_away_bound(
    market: Market, rules: Rules, steps: Sequence[Steps], prices: FloatArray, levels: FloatArray, groups: Groups
) -> FloatArray:
    """(L,) money that no schedule over the providers of the groups can undercut at each level; infinite where none reaches it.

    Parameters
    ----------
    steps : of each of the market's providers. prices : (M,) multipliers. levels : (L,) increasing.
    groups : each provider that solves anything in one group; fewer groups and more points are the two ways to spend memory.

    Notes
    -----
    Proof. Let an axis with points 0 = t_0 < t_1 < ... stand at c while the largest allotment among its group's providers lies
    in [t_c, t_c+1). Any schedule moves every axis up point by point. An axis leaves c when some provider i of its group has bought
    all of its own slice from t_c to t_c+1 (it is the first to get there, so it bought the slice while the axis stood at
    c). Meanwhile each other provider of the group stood below t_c+1, and each other axis no further than where it stands when
    that slice is complete, below its next point: survival was at least that at all these next points, and the slice cost
    at least i's slice at that survival. Charge the least of this over the group's providers, and nothing for slices that are
    never completed. The schedule ends below the next point of every axis, so it solves at most what all providers at these points
    solve; and its allotments sum to at least the points it has passed, so it stays within the cap. Hence the shortest path
    to the nodes whose next points reach the level costs no more than the schedule. On or off the grid, whatever the points.
    """
    axes = [_points(market, steps, members, count) for members, count in groups]
    shape = tuple(axis.size for axis in axes)
    total = np.zeros(())
    for axis in axes:
        total = total[..., None] + axis
    half = max(len(shape) // 2, 1)
    rows = max(16, BLOCK_BYTES // (8 * (int(np.prod(shape[:half])) + int(np.prod(shape[half:])))))

    def gemm(changed: int, member: int) -> FloatArray:
        """Sum over problems of the product of all axes at their next points, one provider's slices in place of its axis."""
        result = np.zeros((int(np.prod(shape[:half])), int(np.prod(shape[half:]))))
        for start in range(0, market.weights.size, rows):
            block = np.arange(start, min(start + rows, market.weights.size))
            factors = []
            for number, ((members, _), axis) in enumerate(zip(groups, axes, strict=True)):
                ahead = np.minimum(np.arange(axis.size) + 1, axis.size - 1)
                product = np.ones((block.size, axis.size))
                for i in members:
                    S, F = curves(market.providers[i].take(block), axis, rules)
                    if number == changed and i == member:
                        product[:, :-1] *= prices[i] * np.diff(F, axis=1)
                        product[:, -1] = 0.0
                    else:
                        product *= S[:, ahead]
                factors.append(product)
            left = khatri_rao([market.weights[block, None] * factors[0], *factors[1:half]])
            right = khatri_rao(factors[half:]) if factors[half:] else np.ones((block.size, 1))
            result += left.T @ right
        return result.reshape(shape)

    solved = 1.0 - gemm(-1, -1)
    edges = []
    for number, (members, _) in enumerate(groups):
        least = gemm(number, members[0])
        for i in members[1:]:
            np.minimum(least, gemm(number, i), out=least)
        edges.append(least)
    allowed = np.asarray(total <= rules.total_cap * (1 + 1e-12))
    return cheapest_reaching(solved, shortest_paths(edges), levels, allowed).cost


def _points(market: Market, steps: Sequence[Steps], members: Sequence[int], count: int) -> FloatArray:
    """(J,) allotments shared by a group, 0 first and the last at which any of its providers still solves something."""
    if len(members) == 1:
        return grid(steps[members[0]], base_measure(steps[members[0]], market.weights), count)
    each = [grid(steps[i], base_measure(steps[i], market.weights), count)[1:] for i in members]
    every = np.unique(np.concatenate(each))
    if every.size < count:
        return np.append(0.0, every)
    even = np.linspace(0, every.size - 1, count - 1).round().astype(np.int64)
    return np.append(0.0, every[np.unique(even)])
