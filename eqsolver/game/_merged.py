"""What several menus offer at many prices, in one order of pass: a compiled merge of sorted lists."""

from __future__ import annotations

import numpy as np

from eqsolver._base import FloatArray, IntArray
from eqsolver._compiled import compiled


@compiled
def merge_menus(
    near: IntArray,
    begins: IntArray,
    passed: FloatArray,
    bill: FloatArray,
    prices: FloatArray,
    way: IntArray,
    solved: FloatArray,
    cost: FloatArray,
) -> None:
    """Policies that may be chosen at each price vector, with what they cost, by pass; of equals those of the first menu first.

    Parameters
    ----------
    near : (R, P) positions of policies, by pass within each menu, -1 pads at a menu's end. begins : (B + 1,) where each menu's
    part of a row begins. passed : (K,) pass of each policy, and bill : (K, M) the money at list price that it costs per
    provider, overhead included. prices : (R, M). way, solved, cost : (R, P) are written; -1, the last pass and infinity pad.
    """
    B = begins.size - 1
    at = np.empty(B, dtype=np.int64)
    for r in range(near.shape[0]):
        at[:] = begins[:B]
        last = 0.0
        for p in range(near.shape[1]):
            first = -1
            for b in range(B):
                left = at[b] < begins[b + 1] and near[r, at[b]] >= 0
                if left and (first < 0 or passed[near[r, at[b]]] < passed[near[r, at[first]]]):
                    first = b
            if first < 0:
                way[r, p], solved[r, p], cost[r, p] = -1, last, np.inf
                continue
            k = near[r, at[first]]
            at[first] += 1
            total = 0.0
            for i in range(prices.shape[1]):
                total += bill[k, i] * prices[r, i]
            last = passed[k]
            way[r, p], solved[r, p], cost[r, p] = k, last, total
