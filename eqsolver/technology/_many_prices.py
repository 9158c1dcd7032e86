"""Shortest paths at many price vectors in one pass, with the units that each path needs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eqsolver._base import FloatArray, IntArray


def shortest_paths_at(edges: Sequence[FloatArray], prices: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The cheapest monotone path from the origin to every node of a product grid, at each of R price vectors.

    Parameters
    ----------
    edges : A arrays (J_1, ..., J_A), finite, >= 0: units that the step from j to j + e_a needs.
    prices : (R, A) multipliers m > 0.

    Returns
    -------
    value : (R, nodes) bill of the cheapest path.
    units : (A, R, nodes) that it needs, so that value[r] = prices[r] . units[:, r].

    Notes
    -----
    `shortest_paths` for all price vectors together; units ride along, since walking back from many nodes costs more. About
    8 (A + 2) passes over R grids.
    """
    *outer, inner = edges[0].shape
    R, A, rows = len(prices), len(edges), int(np.prod(outer))
    running = np.zeros((rows, inner))
    np.cumsum(edges[-1].reshape(rows, inner)[:, :-1], axis=1, out=running[:, 1:])
    value, units = np.empty((R, rows, inner)), np.empty((A, R, rows, inner))
    last = prices[:, -1, None, None]
    value[:, 0], units[:, :, 0], units[-1][:, 0] = last[:, 0] * running[0], 0.0, running[0]
    coordinates = np.indices(outer).reshape(len(outer), rows)
    strides = [int(np.prod(outer[i + 1 :])) for i in range(len(outer))]
    steps = [edge.reshape(rows, inner) for edge in edges[:-1]]
    place = np.arange(inner)
    for front in _fronts(coordinates)[1:]:
        arrival, needed = _arrivals(front, coordinates, strides, steps, value, units, prices)
        along = running[front]
        arrival -= last * along
        lowest = np.minimum.accumulate(arrival, axis=2)
        turn = np.maximum.accumulate(np.where(arrival <= lowest, place, 0), axis=2)
        turn += inner * np.arange(R * front.size).reshape(R, front.size, 1)
        value[:, front] = lowest + last * along
        needed[-1] -= along
        for i, amount in enumerate(needed):
            units[i][:, front] = amount.ravel()[turn]
        units[-1][:, front] += along
    return value.reshape(R, -1), units.reshape(A, R, -1)


def _arrivals(
    front: IntArray,
    coordinates: IntArray,
    strides: Sequence[int],
    steps: Sequence[FloatArray],
    value: FloatArray,
    units: FloatArray,
    prices: FloatArray,
) -> tuple[FloatArray, list[FloatArray]]:
    """The cheapest way into each row of a front from the rows before it: (R, rows, inner) cost, and units per provider."""
    arrival: FloatArray | None = None
    needed: list[FloatArray] = []
    for axis, stride in enumerate(strides):
        inside = np.flatnonzero(coordinates[axis, front] > 0)
        origin, step = front[inside] - stride, steps[axis][front[inside] - stride]
        through = value[:, origin]
        through += prices[:, axis, None, None] * step
        taken = [amount[:, origin] for amount in units]
        taken[axis] += step
        if arrival is None and inside.size == front.size:
            arrival, needed = through, taken
            continue
        if arrival is None:
            arrival = np.full((len(prices), front.size, value.shape[2]), np.inf)
            needed = [np.zeros_like(arrival) for _ in units]
        better = through < arrival[:, inside]
        for kept, new in zip((arrival, *needed), (through, *taken), strict=True):
            kept[:, inside] = np.where(better, new, kept[:, inside])
    assert arrival is not None, "every row after the first has one before it"
    return arrival, needed


def _fronts(coordinates: IntArray) -> list[IntArray]:
    """Rows of the outer axes by the sum of their coordinates: each front needs only the one before it."""
    order = np.argsort(coordinates.sum(axis=0), kind="stable")
    sums = coordinates.sum(axis=0)[order]
    return np.split(order, np.flatnonzero(np.diff(sums)) + 1)
