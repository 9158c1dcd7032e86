"""The cheapest interleaving of providers: shortest paths on the product grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eqsolver._base import FloatArray, IntArray

REACH = 1e-12
"""A policy reaches level u if it solves at least u - REACH (rounding of sums of weights)."""


def shortest_paths(edges: Sequence[FloatArray]) -> FloatArray:
    """Cost of the cheapest monotone path from the origin to every node of a product grid.

    Parameters
    ----------
    edges : M arrays (J_1, ..., J_M), finite; edges[i][j] >= 0 is the cost of the step from j to j + e_i.

    Returns
    -------
    V : (J_1, ..., J_M) with V(0) = 0 and V(j) = min_i V(j - e_i) + edges[i][j - e_i].

    Notes
    -----
    THEORY section 4. A wavefront over the first M - 1 axes, whole rows at a time; along the last axis the recursion
    V(k) = min(a(k), V(k-1) + e(k-1)) is a scan: V = E + cummin(a - E), with E the running sum of e. About 10 M passes over
    the grid's memory, no loop over states.
    """
    *outer, inner = edges[0].shape
    running: FloatArray = np.zeros((int(np.prod(outer)), inner))
    np.cumsum(edges[-1].reshape(running.shape)[:, :-1], axis=1, out=running[:, 1:])
    value = running
    if not outer:
        return value.reshape(inner)
    coordinates = np.indices(outer).reshape(len(outer), -1)
    strides = [int(np.prod(outer[i + 1 :])) for i in range(len(outer))]
    steps = [edge.reshape(value.shape) for edge in edges[:-1]]
    front_of = coordinates.sum(axis=0)
    by_front = np.argsort(front_of, kind="stable")
    bounds = np.searchsorted(front_of[by_front], np.arange(front_of[-1] + 2))
    for front in range(1, len(bounds) - 1):
        rows = by_front[bounds[front] : bounds[front + 1]]
        arrival = np.full((rows.size, inner), np.inf)
        for axis, stride in enumerate(strides):
            inside = coordinates[axis, rows] > 0
            origin = rows[inside] - stride
            through = value[origin] + steps[axis][origin]
            arrival[inside] = np.minimum(arrival[inside], through) if len(strides) > 1 else through
        along = running[rows]
        arrival -= along
        np.minimum.accumulate(arrival, axis=1, out=arrival)
        value[rows] = along + arrival
    reached: FloatArray = value.reshape(edges[0].shape)
    return reached


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cheapest:
    """For each level the cheapest node that reaches it. cost : (L,), infinite if none. node : (L,) flat index, -1 if none."""

    cost: FloatArray
    node: IntArray


def cheapest_reaching(solved: FloatArray, cost: FloatArray, levels: FloatArray, allowed: FloatArray | None = None) -> Cheapest:
    """min { cost(node) : solved(node) >= u } for every level u.

    Parameters
    ----------
    solved, cost : any common shape; levels : (L,) increasing; allowed : nodes that may be used (default all).

    Notes
    -----
    Nodes are binned by the highest level they reach (a stable radix sort of small integers), each bin gives its
    cheapest, and a running minimum from the top gives every level's. O(nodes) memory passes.
    """
    solved, cost = solved.ravel(), cost.ravel()
    candidates = solved >= levels[0] - REACH
    if allowed is not None:
        candidates &= allowed.ravel()
    nodes = np.flatnonzero(candidates)
    bins = np.searchsorted(levels, solved[nodes] + REACH, side="right") - 1
    order = np.argsort(bins.astype(np.int16 if levels.size < 2**15 else np.int64), kind="stable")
    nodes, bounds = nodes[order], np.searchsorted(bins[order], np.arange(levels.size + 1))
    best_cost, best_node = np.full(levels.size, np.inf), np.full(levels.size, -1, dtype=np.int64)
    cheapest, cheapest_node = np.inf, -1
    for level in range(levels.size - 1, -1, -1):
        inside = nodes[bounds[level] : bounds[level + 1]]
        if inside.size:
            position = inside[np.argmin(cost[inside])]
            if cost[position] < cheapest:
                cheapest, cheapest_node = float(cost[position]), int(position)
        best_cost[level], best_node[level] = cheapest, cheapest_node
    return Cheapest(cost=best_cost, node=best_node)


def trace(value: FloatArray, edges: Sequence[FloatArray], nodes: IntArray) -> IntArray:
    """Walk back from nodes to the origin along cheapest paths, all at once.

    value : V of `shortest_paths` for these edges. nodes : (L,) flat indices.

    Returns (L, T) the axis of each step, in the order walked (-1 pads the front): a path's steps are its row without -1.
    """
    shape = value.shape
    strides = np.array([int(np.prod(shape[i + 1 :])) for i in range(len(shape))])
    flat, steps = value.ravel(), [edge.ravel() for edge in edges]
    at = nodes.copy()
    coordinates = np.stack(np.unravel_index(nodes, shape))
    moves = np.full((nodes.size, int(coordinates.sum(axis=0).max(initial=0))), -1, dtype=np.int8)
    for step in range(moves.shape[1] - 1, -1, -1):
        active = np.flatnonzero(at > 0)
        if not active.size:
            break
        cost = np.full((len(shape), active.size), np.inf)
        for axis in range(len(shape)):
            inside = coordinates[axis, active] > 0
            origin = at[active[inside]] - strides[axis]
            cost[axis, inside] = flat[origin] + steps[axis][origin]
        axis_taken = np.argmin(cost, axis=0)
        moves[active, step] = axis_taken
        coordinates[axis_taken, active] -= 1
        at[active] -= strides[axis_taken]
    return moves
