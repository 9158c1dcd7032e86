"""Cheapest ways through the cells of a product grid, as far as a limit: only cells within reach are looked at."""

from __future__ import annotations

import numpy as np

from eqsolver._base import FloatArray, IntArray
from eqsolver._compiled import summing


@summing
def sweep(
    weights: FloatArray,
    ahead: FloatArray,
    drop: FloatArray,
    least: FloatArray,
    rate: FloatArray,
    slices: FloatArray,
    gains: FloatArray,
    costs: FloatArray,
    at: FloatArray,
    sizes: IntArray,
    cap: float,
    most: int,
    levels: FloatArray,
    best: FloatArray,
) -> int:
    """Lower `best` to what reaching each level costs at least; see `give_away_bound` for why.

    Parameters
    ----------
    weights : (N,). sizes : (A,) cells of each axis, A >= 2; J is the largest of them.
    ahead, drop : (A, J, N) survival at a cell's last step, and how much more survives at its first point.
    least, rate : (A, J, N) the least money per problem solved of any attempt in a cell, and the least solved per money; on the
        last axis the rate is the same in all cells.
    slices : (A, J, N) money for passing a cell.
    gains, costs : (A, J, P, N) survival lost up to the end of each part of a cell, and money up to its beginning.
    at : (A, J) allotment at a cell's first point. cap : of their sum. most : cells to look at.
    levels : (L,) increasing, REACH already allowed for. best : (L,) finite, written; cells beyond the largest are left alone.

    Returns
    -------
    Cells looked at; more than `most`, and `best` is worth nothing, if it stopped for that reason.

    Notes
    -----
    Cells come in lexicographic order and hand what they cost on to their successors, in a slab of the grid without its first
    axis: a cell's place is its successor's along that axis. About 5 N A flops a cell, 5 N A^2 a row of the last axis, and
    N A (4 P + 12) where a schedule may end. more, less : (A, N) what the others but the last leave to the parts of an axis.
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
    more, less, at_most, at_least = np.empty((A, N)), np.empty((A, N)), np.empty(N), np.empty(N)
    gain, cost = np.empty((2, A, gains.shape[2]))
    c, looked = np.zeros(A, dtype=np.int64), 0
    limit = 0.0
    for level in range(best.size):
        limit = max(limit, best[level])
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
            for x in range(N):
                there[x] = weights[x]
            for a in range(last):
                _price_along(a, weights, ahead, drop, least, rate, c, others[a])
                for x in range(N):
                    there[x] *= ahead[a, c[a], x]
                    others[a, x] *= slices[a, c[a], x]
            _price_along(last, weights, ahead, drop, least, rate, c, others[last])
            going_on, ending = False, False
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
                upto = 0
                while upto < levels.size and levels[upto] <= 1.0 - unsolved:
                    upto += 1
                if upto > 0 and v < best[upto - 1]:
                    if not ending:
                        ending = True
                        for a in range(last):
                            _copied(weights, weights, more[a], less[a])
                            _beside(a, 0, last, ahead, drop, least, rate, c, more[a], less[a])
                    for a in range(last):
                        _copied(more[a], less[a], at_most, at_least)
                        _beside(a, last, A, ahead, drop, least, rate, c, at_most, at_least)
                        _sums(at_most, at_least, gains[a, c[a]], costs[a, c[a]], gain[a], cost[a])
                    _copied(weights, weights, at_most, at_least)
                    _beside(last, 0, A, ahead, drop, least, rate, c, at_most, at_least)
                    _sums(at_most, at_least, gains[last, k], costs[last, k], gain[last], cost[last])
                    solved = 0.0
                    for x in range(N):
                        solved += weights[x] - at_most[x] * (ahead[last, k, x] + drop[last, k, x])
                    _end(v, solved, gain, cost, levels, upto, best)
                for a in range(last):
                    if c[a] + 1 < sizes[a]:
                        through = v
                        for x in range(N):
                            through += others[a, x] * _left(
                                ahead[last, k, x], drop[last, k, x], least[last, k, x], rate[a, c[a], x]
                            )
                        if through <= limit:
                            if a == 0:
                                value[node], going_on = through, True
                            elif through < value[node + strides[a]]:
                                value[node + strides[a]] = through
                                alive[(node + strides[a]) // inner] = True
                if k + 1 < inner:
                    through = v
                    for x in range(N):
                        through += others[last, x] * slices[last, k, x]
                    value[node + 1] = min(value[node + 1], through)
            alive[row] = going_on
    return looked


@summing
def _left(ahead: float, drop: float, least: float, rate: float) -> float:
    """Survival at which another provider is charged: at the last step of a cell only if buying there first would be dearer."""
    return ahead + min(least * rate, 1.0) * drop


@summing
def _price_along(
    a: int,
    weights: FloatArray,
    ahead: FloatArray,
    drop: FloatArray,
    least: FloatArray,
    rate: FloatArray,
    c: IntArray,
    price: FloatArray,
) -> None:
    """What survives (N,) to pay along an axis while the others stand at c, whatever the last one does if that is another."""
    for x in range(price.size):
        price[x] = weights[x]
    for other in range(c.size - 1):
        if other != a:
            k = c[other]
            for x in range(price.size):
                price[x] *= _left(ahead[other, k, x], drop[other, k, x], least[other, k, x], rate[a, c[a], x])


@summing
def _beside(
    a: int,
    begin: int,
    stop: int,
    ahead: FloatArray,
    drop: FloatArray,
    least: FloatArray,
    rate: FloatArray,
    c: IntArray,
    more: FloatArray,
    less: FloatArray,
) -> None:
    """What other axes from `begin` to `stop` leave to the parts of one, multiplied into what they solve at most and what they
    cost at least."""
    for other in range(begin, stop):
        if other != a:
            k, own = c[other], c[a]
            for x in range(more.size):
                more[x] *= ahead[other, k, x] + drop[other, k, x]
            for x in range(more.size):
                theirs, mine = least[other, k, x], least[a, own, x]
                first = (theirs < mine) | ((theirs == mine) & (other < a))
                less[x] *= ahead[other, k, x] + (0.0 if first else min(theirs * rate[a, own, x], 1.0)) * drop[other, k, x]


@summing
def _copied(first: FloatArray, second: FloatArray, to_first: FloatArray, to_second: FloatArray) -> None:
    """Copy two arrays (N,) into two others."""
    for x in range(first.size):
        to_first[x], to_second[x] = first[x], second[x]


@summing
def _sums(more: FloatArray, less: FloatArray, gains: FloatArray, costs: FloatArray, gain: FloatArray, cost: FloatArray) -> None:
    """gain, cost : (P,) written, of the parts of one axis, by all problems."""
    for part in range(gain.size):
        g, paid = 0.0, 0.0
        for x in range(more.size):
            g += more[x] * gains[part, x]
            paid += less[x] * costs[part, x]
        gain[part], cost[part] = g, paid


@summing
def _end(v: float, solved: float, gain: FloatArray, cost: FloatArray, levels: FloatArray, upto: int, best: FloatArray) -> None:
    """End in a cell that costs v to get to: what is still missing of the first `upto` levels comes from the parts that solve
    most for money."""
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
            step, place = gain[a, corner] - gain[a, part], n
            while place > 0 and price[place - 1] > least:  # by price: few are out of place, since slopes rise along a hull
                more[place], price[place] = more[place - 1], price[place - 1]
                place -= 1
            more[place], price[place] = step, least
            n, part = n + 1, corner
    taken, have, paid = 0, free, v
    for level in range(upto):
        while taken < n and have + more[taken] < levels[level]:
            have += more[taken]
            paid += more[taken] * price[taken]
            taken += 1
        total = paid
        if taken < n and levels[level] > have:
            total += (levels[level] - have) * price[taken]
        best[level] = min(best[level], total)
