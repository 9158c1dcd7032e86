"""Threshold cascades: what every order and every threshold vector costs at every level, from the same GEMMs as schedules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from eqsolver._base import FloatArray, IntArray
from eqsolver.technology._schedule import REACH


def cascade_costs(edges: Sequence[FloatArray], order: Sequence[int]) -> FloatArray:
    """Cost of stopping a cascade at each node, having filled its earlier providers first.

    Parameters
    ----------
    edges : A arrays (J_1, ..., J_A) of edge costs (units times price). order : a permutation of the axes.

    Returns
    -------
    (J_1, ..., J_A): along order's blocks, sum_s of the edges of block s with the later providers at zero.

    Notes
    -----
    THEORY section 4: a cascade is the path with one block per provider, so its stage costs are running sums of edges.
    """
    total = np.zeros((1,) * len(order))
    for stage, axis in enumerate(order):
        later = tuple(slice(0, 1) if other in order[stage + 1 :] else slice(None) for other in range(len(order)))
        edge = edges[axis][later]
        running = np.cumsum(edge, axis=axis)
        total = total + (running - edge)
    return total


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ThresholdTable:
    """What every threshold vector of one order costs at every level.

    order : the axes. cost : (T, L), infinite where the cascade does not reach the level.
    thresholds : (T, A - 1) grid indices of all but the last provider, whose threshold is what the cap leaves.
    """

    order: tuple[int, ...]
    cost: FloatArray
    thresholds: IntArray


def threshold_table(
    solved: FloatArray,
    edges: Sequence[FloatArray],
    allowed: FloatArray,
    order: Sequence[int],
    levels: FloatArray,
    kept: Sequence[IntArray],
) -> ThresholdTable:
    """Cost at every level of every threshold vector: level u buys the shortest prefix of the cascade that reaches u.

    Parameters
    ----------
    solved, allowed : (J_1, ..., J_A) share solved, and whether the node is within the cap. edges : A arrays, costs.
    order : a permutation of the axes. levels : (L,) increasing.
    kept : for all but the last of `order`, the grid indices to use as thresholds (the last provider uses the whole grid).

    Notes
    -----
    Stage by stage, one binary search per row of thresholds; a level reached in an early stage keeps that stage's cost.
    """
    costs = cascade_costs(edges, order).transpose(order)
    solved, allowed = solved.transpose(order), allowed.transpose(order)
    levels = levels - REACH
    result = np.full((*(len(k) for k in kept), levels.size), np.inf)
    for stage in range(len(order) - 1, -1, -1):
        index: Any = (..., *(0,) * (len(order) - 1 - stage))
        rows = np.ix_(*kept[:stage], np.arange(solved.shape[stage]))
        reached, cost, fits = (array[index][rows] for array in (solved, costs, allowed))
        size = reached.shape[-1]
        flat = reached.reshape(-1, size)
        where = np.stack([row.searchsorted(levels) for row in flat])
        clipped = np.minimum(where, size - 1)
        usable = (where < size) & np.take_along_axis(fits.reshape(-1, size), clipped, axis=1)
        found = np.where(usable, np.take_along_axis(cost.reshape(-1, size), clipped, axis=1), np.inf)
        shape = (*(len(k) for k in kept[:stage]), *(1,) * (len(kept) - stage), levels.size)
        where, found = where.reshape(shape), found.reshape(shape)
        if stage == len(order) - 1:
            result = found
        else:
            limit = kept[stage].reshape(-1, *(1,) * (len(kept) - stage - 1), 1)
            result = np.where(where <= limit, found, result)
    vectors = np.stack(np.meshgrid(*kept, indexing="ij"), axis=-1).reshape(-1, len(kept)) if kept else np.zeros((1, 0), int)
    return ThresholdTable(order=tuple(order), cost=result.reshape(-1, levels.size), thresholds=vectors)
