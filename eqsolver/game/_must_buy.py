"""What value types choose of offers who have to take one: the lower hull from the cheapest offer on, row by row."""

from __future__ import annotations

from eqsolver._base import FloatArray, IntArray
from eqsolver._compiled import compiled
from eqsolver.technology import REACH


@compiled
def hulls_from_cheapest(solved: FloatArray, cost: FloatArray, way: IntArray, count: IntArray) -> None:
    """Write the vertices of each row: way (R, K) positions by pass, -1 pads, and count (R,) how many.

    solved : (K,) nondecreasing. cost : (R, K).
    """
    for r in range(cost.shape[0]):
        y, kept, first = cost[r], way[r], 0
        for k in range(solved.size):
            if y[k] <= y[first]:
                first = k
        kept[0], n = first, 1
        for k in range(first + 1, solved.size):
            if solved[k] <= solved[kept[n - 1]] + REACH:
                if n == 1 or y[k] >= y[kept[n - 1]]:
                    continue
                n -= 1
            while n > 1:
                a, b = kept[n - 2], kept[n - 1]
                if (y[b] - y[a]) * (solved[k] - solved[a]) < (y[k] - y[a]) * (solved[b] - solved[a]):
                    break
                n -= 1
            kept[n] = k
            n += 1
        kept[n:] = -1
        count[r] = n
