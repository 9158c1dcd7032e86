"""Cheapest paths on a product grid in one sweep over its nodes, and what they need, for few end nodes of very many."""

from __future__ import annotations

import numpy as np

from eqsolver._base import FloatArray, IntArray
from eqsolver._compiled import compiled


@compiled
def cheapest_paths(
    edges: tuple[FloatArray, ...], shape: IntArray, prices: FloatArray, value: FloatArray, move: IntArray
) -> None:
    """Fill in the cost of the cheapest monotone path from the origin to every node, and the axis of its last step.

    Parameters
    ----------
    edges : A flat arrays (nodes,): units that the step from a node along axis a needs. shape : (A,) of the grid.
    prices : (A,). value : (nodes,) and move : (nodes,) are written; the move of the origin is -1.
    """
    A, inner = shape.size, shape[-1]
    if A == 2:
        _on_two_axes(edges[0], edges[1], inner, prices, value, move)
        return
    strides, at = _strides(shape), np.zeros(shape.size, dtype=np.int64)
    for base in range(0, value.size, inner):
        for k in range(inner):
            node = base + k
            best, axis = np.inf, -1
            for a in range(A - 1):
                if at[a] > 0:
                    origin = node - strides[a]
                    through = value[origin] + prices[a] * edges[a][origin]
                    if through < best:
                        best, axis = through, a
            if k > 0:
                through = value[node - 1] + prices[A - 1] * edges[A - 1][node - 1]
                if through < best:
                    best, axis = through, A - 1
            value[node] = best if axis >= 0 else 0.0
            move[node] = axis
        for a in range(A - 2, -1, -1):
            at[a] += 1
            if at[a] < shape[a]:
                break
            at[a] = 0


@compiled
def _on_two_axes(
    down: FloatArray, along: FloatArray, inner: int, prices: FloatArray, value: FloatArray, move: IntArray
) -> None:
    """`cheapest_paths`, a row at a time: only the second of two short loops waits for the node before."""
    from_above = np.full(inner, np.inf)
    from_above[0] = 0.0
    for row in range(0, value.size, inner):
        if row:
            for k in range(inner):
                from_above[k] = value[row - inner + k] + prices[0] * down[row - inner + k]
        cost = from_above[0]
        value[row], move[row] = cost, 0
        for k in range(1, inner):
            through, above = cost + prices[1] * along[row + k - 1], from_above[k]
            cost = min(above, through)
            value[row + k], move[row + k] = cost, through < above
    move[0] = -1


@compiled
def needed(edges: tuple[FloatArray, ...], shape: IntArray, move: IntArray, nodes: IntArray, units: FloatArray) -> None:
    """Add up the units of each axis along the paths that end at some nodes: `units` (L, A), zero before."""
    strides = _strides(shape)
    for row in range(nodes.size):
        node = nodes[row]
        while move[node] >= 0:
            axis = move[node]
            node -= strides[axis]
            units[row, axis] += edges[axis][node]


@compiled
def turning(shape: IntArray, move: IntArray, nodes: IntArray, turns: IntArray) -> None:
    """Mark the coordinates of the nodes at which the paths that end at some nodes turn: `turns` (A, longest axis)."""
    strides = _strides(shape)
    for end in nodes:
        node, before = end, -1
        while node > 0:
            axis = move[node]
            if axis != before:
                left = node
                for a in range(shape.size):
                    turns[a, left // strides[a]] = 1
                    left %= strides[a]
                before = axis
            node -= strides[axis]


@compiled
def _strides(shape: IntArray) -> IntArray:
    strides = np.ones(shape.size, dtype=np.int64)
    for a in range(shape.size - 2, -1, -1):
        strides[a] = strides[a + 1] * shape[a + 1]
    return strides
