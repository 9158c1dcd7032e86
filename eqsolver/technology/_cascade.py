"""Threshold cascades: what every order and every threshold vector costs at every level, from the same GEMMs as schedules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
    total = np.zeros(edges[0].shape)
    for stage in range(len(order) - 1, -1, -1):
        axis, others = order[stage], order[stage + 1 :]
        here = tuple(slice(0, 1) if other in others else slice(None) for other in range(len(order)))
        before, after = _without_end(here, axis, slice(-1)), _without_end(here, axis, slice(1, None))
        if others:
            running = np.zeros(total[here].shape)
            np.cumsum(edges[axis][before], axis=axis, out=running[after])
            total += running
        else:
            np.cumsum(edges[axis][before], axis=axis, out=total[after])
    return total


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Crossings:
    """Where cascades pass levels: the last provider's grid interval in which each is met.

    level : (K,) index of the level. end : (K, A) the node at the interval's far end. axis : of the last provider.
    share : (K,) how much of the interval is needed, in (0, 1]. cost : (K,) the bill with that share of the interval's.
    """

    level: IntArray
    end: IntArray
    axis: int
    share: FloatArray
    cost: FloatArray

    def where(self, kept: NDArray[np.bool_]) -> Crossings:
        """Those kept, (K,) booleans."""
        return replace(self, level=self.level[kept], end=self.end[kept], share=self.share[kept], cost=self.cost[kept])

    def allotted(self, grid: Sequence[FloatArray]) -> FloatArray:
        """(K,) sum of all allotments where the level is met."""
        total = np.sum([points[end] for points, end in zip(grid, self.end.T, strict=True)], axis=0)
        points, end = grid[self.axis], self.end[:, self.axis]
        allotted: FloatArray = total - (1.0 - self.share) * (points[end] - points[end - 1])
        return allotted


def crossings(
    solved: FloatArray,
    cost: FloatArray,
    reached: IntArray,
    axis: int,
    levels: FloatArray,
    below: FloatArray,
    *,
    whole: bool,
) -> Crossings:
    """Every passing of a level along an axis that costs no more than `below`, (L,) nondecreasing.

    Parameters
    ----------
    solved, cost : (J_1, ..., J_A), cost being `cascade_costs` of an order that ends with `axis`. levels : (L,) increasing.
    reached : (J_1, ..., J_A) how many of the levels each node reaches.
    whole : a level takes the whole interval it is met in; otherwise cost is linear in the share solved within it.

    Notes
    -----
    What the node before an interval costs is a lower bound, so that few of the passings are ever looked at.
    """
    here = (slice(None),) * solved.ndim
    before, after = _without_end(here, axis, slice(-1)), _without_end(here, axis, slice(1, None))
    most = np.append(-np.inf, below)[reached[after]]
    nodes = np.nonzero((reached[before] < reached[after]) & (cost[before] < most))
    first = reached[before][nodes]
    count = reached[after][nodes] - first
    row = np.repeat(np.arange(count.size), count)
    level = np.arange(row.size) - np.repeat(np.cumsum(count) - count, count) + first[row]
    low, high, paid, full = (values[part][nodes][row] for values in (solved, cost) for part in (before, after))
    share = np.ones(row.size) if whole else np.clip((levels[level] - REACH - low) / (high - low), 0.0, 1.0)
    end = np.stack([index[row] for index in nodes], axis=-1)
    end[:, axis] += 1
    found = Crossings(level=level, end=end, axis=axis, share=share, cost=paid + share * (full - paid))
    return found.where(found.cost <= below[level])


def _without_end(index: tuple[slice, ...], axis: int, part: slice) -> tuple[slice, ...]:
    return (*index[:axis], part, *index[axis + 1 :])


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
    costs = cascade_costs(edges, order)
    np.copyto(costs, np.inf, where=np.logical_not(allowed))
    costs = costs.transpose(order)
    solved = solved.transpose(order)
    levels = levels - REACH
    outer = tuple(len(indices) for indices in kept)
    result = np.empty((*outer, levels.size))
    for stage in range(len(order) - 1, -1, -1):
        index: Any = (..., *(0,) * (len(order) - 1 - stage))
        rows = np.ix_(*kept[:stage], np.arange(solved.shape[stage]))
        where, found = _first_reaching(solved[index][rows], costs[index][rows], levels)
        if stage == len(order) - 1:
            result = found
        else:
            limit = kept[stage].reshape(-1, *(1,) * (len(kept) - stage - 1), 1)
            spread = (*outer[:stage], *(1,) * (len(kept) - stage), levels.size)
            np.copyto(result, found.reshape(spread), where=where.reshape(spread) <= limit)
    vectors = np.stack(np.meshgrid(*kept, indexing="ij"), axis=-1).reshape(-1, len(kept)) if kept else np.zeros((1, 0), int)
    return ThresholdTable(order=tuple(order), cost=result.reshape(-1, levels.size), thresholds=vectors)


def _first_reaching(solved: FloatArray, cost: FloatArray, levels: FloatArray) -> tuple[IntArray, FloatArray]:
    """Along the last axis: where `solved` first reaches each level, and the cost there (infinite where it never does)."""
    rows, paid = solved.reshape(-1, solved.shape[-1]), np.empty(solved.shape[-1] + 1)
    where = np.empty((len(rows), levels.size), dtype=np.int64)
    found = np.empty((len(rows), levels.size))
    paid[-1] = np.inf
    for r, price in enumerate(cost.reshape(rows.shape)):
        where[r] = rows[r].searchsorted(levels)
        paid[:-1] = price
        paid.take(where[r], out=found[r])
    shape = (*solved.shape[:-1], levels.size)
    return where.reshape(shape), found.reshape(shape)
