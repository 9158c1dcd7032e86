"""Lower hulls, point by point: of many rows of few points, and of the millions of nodes of a grid."""

from __future__ import annotations

import numpy as np

from eqsolver._base import BoolArray, FloatArray, IntArray
from eqsolver._compiled import BLOCK, compiled, priced
from eqsolver.technology._schedule import REACH


@compiled
def hulls(solved: FloatArray, cost: FloatArray, vertices: IntArray, count: IntArray) -> None:
    """`lower_hulls` of rows: solved, cost (R, K), solved nondecreasing; vertices (R, K) and count (R,) are written."""
    useful = np.empty(cost.shape[1], dtype=np.int64)
    for row in range(cost.shape[0]):
        x, y, kept = solved[row], cost[row], vertices[row]
        n, m, cheapest = 0, useful.size, np.inf
        for k in range(x.size - 1, -1, -1):  # what a better and no dearer one dominates is left out
            if y[k] < cheapest:
                cheapest = y[k]
                m -= 1
                useful[m] = k
        for u in range(m, useful.size):
            n = _let_in(x, y, kept, n, useful[u])
        count[row] = n
        for v in range(n, kept.size):
            kept[v] = -1


def hull_of_nodes(
    solved: FloatArray,
    cost: FloatArray,
    cell: IntArray,
    cells: int,
    last: int,
    near: IntArray,
    below: IntArray,
    vertices: IntArray,
) -> int:
    """Positions of the vertices of the lower hull of very many points, in order of `solved`; how many there are.

    Parameters
    ----------
    solved, cost : (K,). cell : (K,) which of so many equal parts of [0, solved[last]] a point's `solved` lies in, -1 if it is
    left out. last : the point that solves most. near : points that are likely to be vertices, of those not left out, or none:
    then the cheapest of each cell are taken. below : (K,) room to work in. vertices : (K,) is written.

    Notes
    -----
    Only points below the hull of a few can be vertices of the hull of all, and most are seen not to be below it because they
    cost no less than it does at their cell's end. What sorts is numpy: a sort inside a kernel takes seconds to compile.
    """
    lowest = np.full(cells, np.inf)
    if not near.size:
        best = np.full(cells, -1, dtype=np.int64)
        _cheapest_in_cells(cost, cell, best, lowest)
        near = best[best >= 0]
    n = _chain(solved, cost, _by_solved(solved, np.append(near, last)), vertices)
    if not n:
        return 0
    found = _below_hull(solved, cost, cell, lowest, last, vertices, n, below)
    if found:
        n = _chain(solved, cost, _by_solved(solved, np.append(vertices[:n], below[:found])), vertices)
    return n


def _by_solved(solved: FloatArray, points: IntArray) -> IntArray:
    return points[np.argsort(solved[points], kind="stable")]


@compiled
def _cheapest_in_cells(cost: FloatArray, cell: IntArray, best: IntArray, lowest: FloatArray) -> None:
    """The cheapest point of each cell, and its cost: `best` and `lowest` (cells,) are written, -1 and infinite before."""
    for k in range(cell.size):
        c = cell[k]
        if c >= 0 and cost[k] < lowest[c]:
            best[c], lowest[c] = k, cost[k]


@compiled
def _below_hull(
    solved: FloatArray,
    cost: FloatArray,
    cell: IntArray,
    lowest: FloatArray,
    last: int,
    vertices: IntArray,
    n: int,
    below: IntArray,
) -> int:
    """Points below the hull of n vertices: `below` is written; how many. lowest : (cells,) is written over."""
    cells, at = lowest.size, 0
    ends = np.zeros(cells, dtype=np.int64)
    for c in range(cells):
        edge = (c + 1) * solved[last] / cells + REACH
        while at < n - 1 and solved[vertices[at]] < edge:
            at += 1
        lowest[c], ends[c] = _along(solved, cost, vertices, at, edge), at
    found, slack = 0, 1e-12 * cost[vertices[n - 1]]
    for k in range(cell.size):
        c = cell[k]
        if c >= 0 and cost[k] < lowest[c]:
            v = ends[c]
            while v and solved[vertices[v - 1]] >= solved[k]:
                v -= 1
            if cost[k] < _along(solved, cost, vertices, v, solved[k]) - slack:
                below[found] = k
                found += 1
    return found


@compiled
def _chain(solved: FloatArray, cost: FloatArray, points: IntArray, vertices: IntArray) -> int:
    """The lower hull of some points, by `solved`: `vertices` is written; how many there are."""
    n = 0
    for p in range(points.size):
        n = _let_in(solved, cost, vertices, n, points[p])
    return n


@compiled
def _along(x: FloatArray, y: FloatArray, kept: IntArray, v: int, at: float) -> float:
    """The line through the v-th vertex and the one before it (the origin before the first), at some place."""
    px, py = (x[kept[v - 1]], y[kept[v - 1]]) if v else (0.0, 0.0)
    line: float = py + (y[kept[v]] - py) * (at - px) / (x[kept[v]] - px)
    return line


@compiled
def cheapest_nodes(cost: FloatArray, reached: IntArray, found: IntArray) -> None:
    """The cheapest node for each level: `found` (L,) is written, -1 where there is none.

    reached : (K,) how many of the levels, in increasing order, a node reaches, -1 if it is left out.
    """
    best = np.full(found.size + 1, -1, dtype=np.int64)
    for k in range(reached.size):
        c = reached[k]
        if c >= 0 and (best[c] < 0 or cost[k] < cost[best[c]]):
            best[c] = k
    cheapest = -1
    for level in range(found.size, 0, -1):
        k = best[level]
        if k >= 0 and (cheapest < 0 or cost[k] < cost[cheapest]):
            cheapest = k
        found[level - 1] = cheapest


@compiled
def _let_in(x: FloatArray, y: FloatArray, kept: IntArray, n: int, k: int) -> int:
    """Put the next point of a sweep on the chain `kept[:n]` that starts at the origin; how long it is then."""
    px, py = (x[kept[n - 1]], y[kept[n - 1]]) if n else (0.0, 0.0)
    if x[k] <= px + REACH:
        if n == 0 or y[k] >= py:
            return n
        n -= 1
    while n:
        px, py = x[kept[n - 1]], y[kept[n - 1]]
        qx, qy = (x[kept[n - 2]], y[kept[n - 2]]) if n > 1 else (0.0, 0.0)
        if y[k] > py and (py - qy) * (x[k] - qx) < (y[k] - qy) * (px - qx):
            break
        n -= 1
    kept[n] = k
    return n + 1


@compiled
def cheapest_of_the_better(
    units: FloatArray, prices: FloatArray, first: IntArray, order: IntArray, cost: FloatArray, policy: IntArray
) -> None:
    """The cheapest of policies first[l], first[l] + 1, ... at each price vector, of equals the last.

    units : (M, K). prices : (R, M). first : (L,), which `order` sorts. cost, policy : (R, L) are written; infinite and -1 where
    there is no policy.
    """
    (R, L), K = policy.shape, units.shape[1]
    bill, best, least = np.empty(BLOCK), np.full(R, -1, dtype=np.int64), np.full(R, np.inf)
    later = L if R else 0  # levels order[later:] are known
    while later > 0 and first[order[later - 1]] >= K:
        later -= 1
        for row in range(R):
            policy[row, order[later]], cost[row, order[later]] = -1, np.inf
    stop = K
    while later > 0:  # block by block, so that a block's units are at hand for every price vector
        begin, place = max(stop - BLOCK, 0), later
        for row in range(R):
            priced(units, begin, stop, prices, row, bill)
            k, place = stop, later
            while place > 0 and first[order[place - 1]] >= begin:
                place -= 1
                level = order[place]
                while k > first[level]:
                    k -= 1
                    if bill[k - begin] < least[row]:
                        best[row], least[row] = k, bill[k - begin]
                policy[row, level], cost[row, level] = best[row], least[row]
            while k > begin:
                k -= 1
                if bill[k - begin] < least[row]:
                    best[row], least[row] = k, bill[k - begin]
        later, stop = place, begin


@compiled
def wanted_at(
    units: FloatArray,
    solved: FloatArray,
    prices: FloatArray,
    first: IntArray,
    order: IntArray,
    on_hull: BoolArray,
    serves: BoolArray,
) -> None:
    """Which policies are a vertex of the lower hull, or cheapest for one of some levels, at any of some price vectors.

    units : (M, K). solved : (K,) nondecreasing. prices : (R, M). first : (L,) of the policies that reach each level, which
    `order` sorts. on_hull : (K,) and serves : (L, K) are set where they are.

    Notes
    -----
    One pass from the best policy down, with the cheapest so far: a policy that is not cheaper than it is dominated, and where a
    level begins to be reached no more it is the level's.
    """
    K, L = units.shape[1], first.size
    bill, cost = np.empty(BLOCK), np.empty(K)
    useful, chain = np.empty(K, dtype=np.int64), np.empty(K, dtype=np.int64)
    for row in range(prices.shape[0]):
        m, stop, best, least, place = K, K, -1, np.inf, L - 1
        while place >= 0 and first[order[place]] >= K:
            place -= 1
        while stop > 0:
            begin = max(stop - BLOCK, 0)
            priced(units, begin, stop, prices, row, bill)
            for k in range(stop - 1, begin - 1, -1):
                if bill[k - begin] < least:
                    best, least = k, bill[k - begin]
                    m -= 1
                    useful[m], cost[k] = k, least
                while place >= 0 and first[order[place]] == k:
                    serves[order[place], best] = True
                    place -= 1
            stop = begin
        n = 0
        for u in range(m, K):
            n = _let_in(solved, cost, chain, n, useful[u])
        for v in range(n):
            on_hull[chain[v]] = True
