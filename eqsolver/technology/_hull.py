"""Mixtures: randomising between policies per query buys the lower convex hull of their costs over levels."""

from __future__ import annotations

import numpy as np

from eqsolver._base import FloatArray, IntArray
from eqsolver.technology._schedule import REACH

ROUNDS = 64
"""At most so many rounds of adding nodes below a hull; a hull of fewer is still one of feasible mixtures."""


def lower_hull(solved: FloatArray, cost: FloatArray) -> IntArray:
    """Vertices of the lower convex hull of points, from doing nothing (0, 0) up to the most solved.

    Parameters
    ----------
    solved, cost : (K,) points, finite; the origin need not be among them.

    Returns
    -------
    Indices of the vertices in order of increasing `solved` (the origin is implied, never listed). Costs along them are
    increasing and convex.
    """
    order = np.lexsort((cost, solved))
    chain: list[int] = []
    xs, ys = [0.0], [0.0]
    for point in order:
        x, y = float(solved[point]), float(cost[point])
        if x <= xs[-1] + REACH:
            if y >= ys[-1] or not chain:
                continue
            chain.pop(), xs.pop(), ys.pop()
        while len(xs) > 1 and (ys[-1] - ys[-2]) * (x - xs[-2]) >= (y - ys[-2]) * (xs[-1] - xs[-2]):
            chain.pop(), xs.pop(), ys.pop()
        chain.append(int(point))
        xs.append(x)
        ys.append(y)
    return np.array(chain, dtype=np.int64)


def lower_hulls(solved: FloatArray, cost: FloatArray) -> tuple[IntArray, IntArray]:
    """`lower_hull` of the same points at many prices at once.

    Parameters
    ----------
    solved : (K,) or (R, K), increasing along a row, ties allowed. cost : (R, K), >= 0; points of infinite cost are left out.

    Returns
    -------
    vertices : (R, E) indices into K of each row's vertices in order of increasing `solved`, -1 after the last.
    count : (R,) how many each row has.

    Notes
    -----
    One monotone chain per row, compiled.
    """
    from eqsolver.technology._chains import hulls

    cost = np.ascontiguousarray(cost)
    vertices, count = np.empty(cost.shape, dtype=np.int64), np.empty(len(cost), dtype=np.int64)
    hulls(np.broadcast_to(solved, cost.shape), cost, vertices, count)
    return vertices[:, : max(int(count.max(initial=0)), 1)], count


def hull_of_nodes(solved: FloatArray, cost: FloatArray, bins: int = 2048) -> tuple[FloatArray, FloatArray]:
    """The lower hull of very many points: (V,) solved and cost of its vertices, the origin first.

    Notes
    -----
    A hull of the cheapest point per bin of `solved` is guessed, and points found below it are added until there are none.
    """
    solved, cost = solved.ravel(), cost.ravel()
    bin_of = np.minimum((solved * (bins / max(solved.max(), REACH))).astype(np.int64), bins - 1)
    cheapest = np.full(bins, np.inf)
    np.minimum.at(cheapest, bin_of, cost)
    kept = np.flatnonzero(cost <= cheapest[bin_of])
    kept = np.union1d(kept, np.flatnonzero(solved >= solved.max() - REACH))
    known = np.zeros(0, dtype=np.int64)
    for _ in range(ROUNDS):
        vertices = kept[lower_hull(solved[kept], cost[kept])]
        xs, ys = np.append(0.0, solved[vertices]), np.append(0.0, cost[vertices])
        below = np.flatnonzero(cost < np.interp(solved, xs, ys) - 1e-12 * ys[-1])
        if not below.size or np.array_equal(vertices, known):  # what is left lies within REACH of a vertex
            return xs, ys
        known = vertices
        if below.size > 4 * bins:  # the worst of each bin is enough to move the hull
            depth = np.interp(solved[below], xs, ys) - cost[below]
            deepest = np.zeros(bins)
            np.maximum.at(deepest, bin_of[below], depth)
            below = below[depth >= deepest[bin_of[below]]]
        kept = np.union1d(vertices, below)
    return xs, ys


def along_hull(levels: FloatArray, xs: FloatArray, ys: FloatArray) -> FloatArray:
    """(L,) cost of the hull at each level, infinite above its last vertex; nondecreasing because it starts at the origin."""
    return np.where(levels <= xs[-1] + REACH, np.interp(levels, xs, ys), np.inf)
