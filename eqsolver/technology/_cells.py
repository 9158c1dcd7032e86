"""Cheapest ways through the cells of a product grid, as far as a limit: only cells within reach are looked at."""

from __future__ import annotations

import numpy as np

from eqsolver._base import FloatArray, IntArray
from eqsolver._compiled import summing


@summing
def sweep(
    weights: FloatArray,
    here: FloatArray,
    ahead: FloatArray,
    slices: FloatArray,
    gains: FloatArray,
    costs: FloatArray,
    at: FloatArray,
    sizes: IntArray,
    cap: float,
    limit: float,
    most: int,
    levels: FloatArray,
    best: FloatArray,
) -> int:
    """Lower `best` to what reaching each level costs at least, if that is at most `limit`; see `give_away_bound` for why.

    Parameters
    ----------
    weights : (N,). sizes : (A,) cells of each axis, A >= 2; J is the largest of them.
    here, ahead : (A, J, N) survival at a cell's first point, and at its last step. slices : (A, J, N) money for passing it.
    gains, costs : (A, J, P, N) survival lost up to the end of each part of a cell, and money up to its beginning.
    at : (A, J) allotment at a cell's first point. cap : of their sum. most : cells to look at.
    levels : (L,) increasing, REACH already allowed for. best : (L,) written.

    Returns
    -------
    Cells looked at; more than `most`, and `best` is worth nothing, if it stopped for that reason.

    Notes
    -----
    Cells come in lexicographic order and hand what they cost on to their successors, in a slab of the grid without its first
    axis: a cell's place is its successor's along that axis. 2 N (A + 1) flops a cell, 3 N (A - 1) a row of the last axis.
    """
    A, _, N = ahead.shape
    inner, last = sizes[A - 1], A - 1
    strides = np.ones(A, dtype=np.int64)
    for a in range(A - 2, -1, -1):
        strides[a] = strides[a + 1] * sizes[a + 1]
    value = np.full(strides[0], np.inf)
    alive = np.zeros(strides[0] // inner, dtype=np.bool_)
    value[0], alive[0] = 0.0, True
    others, there = np.empty((A, N)), np.empty(N)
    gain, cost = np.empty((2, A, gains.shape[2]))
    c, looked = np.zeros(A, dtype=np.int64), 0
    for first in range(sizes[0]):
        c[0] = first
        for row in range(alive.size):
            if not alive[row]:
                continue
            for a in range(1, last):
                c[a] = row * inner // strides[a] % sizes[a]
            allotted = 0.0
            for a in range(last):
                allotted += at[a, c[a]]
            _without_each(weights, ahead, slices, c, others, there)
            going_on = False
            for k in range(inner):
                node = row * inner + k
                v = value[node]
                value[node] = np.inf
                if not v <= limit or allotted + at[last, k] > cap:
                    continue
                looked += 1
                if looked > most:
                    return looked
                c[last] = k
                unsolved = 0.0
                for x in range(N):
                    unsolved += there[x] * ahead[last, k, x]
                upto = np.searchsorted(levels, 1.0 - unsolved, side="right")
                if upto > 0 and v < best[upto - 1]:
                    solved = _parts(weights, here, ahead, gains, costs, c, gain, cost)
                    _end(v, solved, gain, cost, levels[:upto], best)
                for a in range(last):
                    if c[a] + 1 < sizes[a]:
                        through = v
                        for x in range(N):
                            through += others[a, x] * ahead[last, k, x]
                        if through <= limit:
                            if a == 0:
                                value[node], going_on = through, True
                            elif through < value[node + strides[a]]:
                                value[node + strides[a]] = through
                                alive[(node + strides[a]) // inner] = True
                if k + 1 < inner:
                    through = v
                    for x in range(N):
                        through += there[x] * slices[last, k, x]
                    value[node + 1] = min(value[node + 1], through)
            alive[row] = going_on
    return looked


@summing
def _without_each(
    weights: FloatArray, ahead: FloatArray, slices: FloatArray, c: IntArray, others: FloatArray, there: FloatArray
) -> None:
    """Of all axes but the last: others[a] is the price of passing along a while the others stand at c, there what survives."""
    A = c.size
    for x in range(there.size):
        product = weights[x]
        for a in range(A - 1):
            others[a, x] = product
            product *= ahead[a, c[a], x]
        there[x] = product
        product = 1.0
        for a in range(A - 2, -1, -1):
            others[a, x] *= product * slices[a, c[a], x]
            product *= ahead[a, c[a], x]


@summing
def _parts(
    weights: FloatArray,
    here: FloatArray,
    ahead: FloatArray,
    gains: FloatArray,
    costs: FloatArray,
    c: IntArray,
    gain: FloatArray,
    cost: FloatArray,
) -> float:
    """What is solved at the first point of a cell; gain, cost : (A, P) written, of the parts of every axis, by all problems."""
    A, P = gain.shape
    N = weights.size
    more, less = np.empty((2, A, N))
    solved = 0.0
    for x in range(N):
        before, after = weights[x], weights[x]
        for a in range(A):
            more[a, x], less[a, x] = before, after
            before *= here[a, c[a], x]
            after *= ahead[a, c[a], x]
        solved += weights[x] - before
        before, after = 1.0, 1.0
        for a in range(A - 1, -1, -1):
            more[a, x] *= before
            less[a, x] *= after
            before *= here[a, c[a], x]
            after *= ahead[a, c[a], x]
    for a in range(A):
        for part in range(P):
            g, paid = 0.0, 0.0
            for x in range(N):
                g += more[a, x] * gains[a, c[a], part, x]
                paid += less[a, x] * costs[a, c[a], part, x]
            gain[a, part], cost[a, part] = g, paid
    return solved


@summing
def _end(v: float, solved: float, gain: FloatArray, cost: FloatArray, levels: FloatArray, best: FloatArray) -> None:
    """End in a cell that costs v to get to: what is still missing of a level comes from the parts that solve most for money."""
    A, P = gain.shape
    more, price = np.empty(A * P), np.empty(A * P)
    n, free = 0, solved
    for a in range(A):
        part = 0
        free += gain[a, 0]
        while part + 1 < P:  # along the lower hull of (gain, cost)
            least, corner = np.inf, part
            for other in range(part + 1, P):
                if gain[a, other] > gain[a, part]:
                    slope = (cost[a, other] - cost[a, part]) / (gain[a, other] - gain[a, part])
                    if slope <= least:
                        least, corner = slope, other
            if corner == part:
                break
            more[n], price[n] = gain[a, corner] - gain[a, part], least
            n, part = n + 1, corner
    order = np.argsort(price[:n])
    taken, have, paid = 0, free, v
    for level in range(levels.size):
        while taken < n and have + more[order[taken]] < levels[level]:
            have += more[order[taken]]
            paid += more[order[taken]] * price[order[taken]]
            taken += 1
        total = paid
        if taken < n and levels[level] > have:
            total += (levels[level] - have) * price[order[taken]]
        best[level] = min(best[level], total)
