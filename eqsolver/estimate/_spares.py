"""Spare classes, put where a pass curve is off most: a copy of the class that jumps there, at a cost in the gap."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eqsolver._base import FloatArray
from eqsolver.estimate._misfit import Classes
from eqsolver.estimate._weights import DROPPED, PassRows

NOTABLE_JUMP = 5e-4
"""Pass gained by a class's first attempt from which it counts as a jump of the curve."""
APART = 1.01
"""Two spare classes of one provider differ at least by this factor in cost."""


def with_spares(classes: Classes, weights: FloatArray, rows: Sequence[PassRows], limit: int, tolerated: float) -> Classes:
    """Drop classes without weight, and use the places that are free, up to `limit`, where pass is off by more than tolerated.

    weights : (K,) of the classes. rows : per provider, at budgets increasing up to the cap.

    Returns
    -------
    At most `limit` classes; the new ones have weight zero, to be given some by the convex program.
    """
    kept = weights > DROPPED
    q, p, w = weights[kept], classes.success[:, kept], classes.spend[:, kept]
    errors = [row.solved - weights @ row.by_class for row in rows]
    wanted = sorted(
        ((abs(e), i, r) for i, error in enumerate(errors) for r, e in enumerate(error) if abs(e) > tolerated), reverse=True
    )
    new_p, new_w = [p], [w]
    taken: list[tuple[int, float]] = []
    for _, i, r in wanted:
        if p.shape[1] + len(taken) >= limit:
            break
        b, early = rows[i].budgets[r], errors[i][r] < 0
        if any(i == other and b < at * APART and at < b * APART for other, at in taken):
            continue
        jumping = np.flatnonzero(q * p[i] > NOTABLE_JUMP)
        before, after = jumping[w[i, jumping] <= b], jumping[w[i, jumping] > b]
        if not before.size or not after.size:
            continue
        left, right = before[np.argmax(w[i, before])], after[np.argmin(w[i, after])]
        copied = left if early else right
        cost = w[:, [copied]].copy()
        cost[i, 0] = _middle(rows[i], w[i, left], w[i, right])
        new_p.append(p[:, [copied]])
        new_w.append(cost)
        taken.append((i, float(b)))
    return Classes(weights=np.append(q / q.sum(), np.zeros(len(taken))), success=np.hstack(new_p), spend=np.hstack(new_w))


def _middle(row: PassRows, low: float, high: float) -> float:
    """The budget between two costs at which the logs have gained half of the pass that they gain in between."""
    first, last = np.searchsorted(row.budgets, (low, high))
    solved = row.solved[first : last + 1]
    if solved.size < 3:
        return float(np.sqrt(low * high))
    half = np.searchsorted(solved, (solved[0] + solved[-1]) / 2)
    return float(np.clip(row.budgets[first + min(half, solved.size - 1)], low * _INSIDE, max(high / _INSIDE, low * _INSIDE)))


_INSIDE = 1.0002
