"""What several menus offer at many prices: sorted lists merged, and their lower hull, in one compiled pass."""

from __future__ import annotations

import numpy as np

from eqsolver._base import FloatArray, IntArray
from eqsolver._compiled import BLOCK, compiled, priced
from eqsolver.technology import REACH


@compiled
def hulls_of_menus(
    lists: IntArray,
    starts: IntArray,
    lengths: IntArray,
    passed: FloatArray,
    needed: FloatArray,
    asked: FloatArray,
    prices: FloatArray,
    way: IntArray,
    solved: FloatArray,
    cost: FloatArray,
    slope: FloatArray,
    units: FloatArray,
) -> int:
    """The lower hull of all policies that may be chosen at each price vector; the most vertices that any has.

    Parameters
    ----------
    lists : positions of policies, list after list, by pass within each, -1 pads at its end. starts : (R, B) where the list of
    each of B menus begins that holds all that may be chosen at each price vector, and lengths : (B,) how long it is.
    passed : (K,) pass of each policy, needed : (K, M) its units, and asked : (M, K) these times 1 + the overhead of its seller.
    prices : (R, M). way, solved, cost, slope, units : (R, E) and (R, E, M) of the vertices, as in `Choices`, are written, but
    for what does not fit; -1, 0, 0, infinity and 0 pad.

    Notes
    -----
    As `lower_hulls` of the menus merged by pass. What a better and no dearer policy dominates is left out first, from the best
    down, menu by menu and then of all; of equals that of the later menu stays. A policy takes 2 M operations and a comparison:
    nothing else is done for those that are dominated, which nearly all are.
    """
    (R, B), M, room, most, P = starts.shape, prices.shape[1], way.shape[1], 0, 0
    for b in range(B):
        P += lengths[b]
    useful, x, y = np.empty(P, dtype=np.int64), np.empty(P), np.empty(P)
    mine, bill, total = np.empty(P, dtype=np.int64), np.empty(P), np.empty(BLOCK)
    begun, at = np.empty(B, dtype=np.int64), np.empty(B, dtype=np.int64)
    for r in range(R):
        kept = 0
        for b in range(B):  # what no policy of the same menu dominates, from the best down
            begin, stop = starts[r, b], starts[r, b] + lengths[b]
            while stop > begin and lists[stop - 1] < 0:
                stop -= 1
            begun[b], cheapest = kept, np.inf
            while stop > begin:
                start = max(begin, stop - BLOCK)
                width, first = stop - start, lists[start]
                if lists[stop - 1] - first == width - 1:
                    priced(asked, first, first + width, prices, r, total)
                else:
                    for j in range(width):
                        total[j] = 0.0
                    for i in range(M):
                        for j in range(width):
                            total[j] += asked[i, lists[start + j]] * prices[r, i]
                for j in range(width - 1, -1, -1):
                    if total[j] < cheapest:
                        cheapest = total[j]
                        mine[kept], bill[kept] = lists[start + j], cheapest
                        kept += 1
                stop = start
            at[b] = begun[b]
        m, cheapest = P, np.inf
        while True:  # and then none of any menu
            best, by = -1.0, -1
            for b in range(B - 1, -1, -1):
                end = begun[b + 1] if b + 1 < B else kept
                if at[b] < end and passed[mine[at[b]]] > best:
                    best, by = passed[mine[at[b]]], b
            if by < 0:
                break
            if bill[at[by]] < cheapest:
                cheapest = bill[at[by]]
                m -= 1
                useful[m], x[m], y[m] = mine[at[by]], best, cheapest
            at[by] += 1
        n = 0  # the chain overwrites, from the start, what has been looked at
        for j in range(m, P):
            k, to, paid = useful[j], x[j], y[j]
            if to <= (x[n - 1] if n else 0.0) + REACH:
                if n == 0 or paid >= y[n - 1]:
                    continue
                n -= 1
            while n:
                qx, qy = (x[n - 2], y[n - 2]) if n > 1 else (0.0, 0.0)
                if paid > y[n - 1] and (y[n - 1] - qy) * (to - qx) < (paid - qy) * (x[n - 1] - qx):
                    break
                n -= 1
            useful[n], x[n], y[n] = k, to, paid
            n += 1
        before, bought = 0.0, 0.0
        for e in range(min(n, room)):
            k = useful[e]
            way[r, e], solved[r, e], cost[r, e] = k, x[e], y[e]
            slope[r, e] = (y[e] - bought) / (x[e] - before)
            before, bought = x[e], y[e]
            for i in range(M):
                units[r, e, i] = needed[k, i]
        for e in range(n, room):
            way[r, e], solved[r, e], cost[r, e], slope[r, e] = -1, 0.0, 0.0, np.inf
            for i in range(M):
                units[r, e, i] = 0.0
        most = max(most, n)
    return most
