"""Grids that come from the data: some or all of the positions at which a provider's curves step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from eqsolver._base import FloatArray
from eqsolver.technology._curves import FIRST
from eqsolver.technology._steps import Steps


def base_measure(steps: Steps, weights: FloatArray, shares: tuple[float, float, float] = (1 / 3, 1 / 3, 1 / 3)) -> FloatArray:
    """(G,) attention that each step deserves before any optimum is known: shares by pass gained, money spent, log allotment."""
    measure = np.zeros(steps.at.size)
    if not measure.size:  # it never solves anything within the cap
        return measure
    profile = steps.profile(weights)
    at = np.maximum(steps.at, steps.at[min(int(steps.at[0] == FIRST), steps.at.size - 1)])  # logarithms start after `FIRST`
    for share, running in zip(shares, (profile.solved, profile.spent, np.log(at / at[0]) + 1.0), strict=True):
        measure += share * np.diff(running, prepend=0.0) / max(running[-1], np.finfo(float).tiny)
    return measure


def grid(steps: Steps, measure: FloatArray, points: int) -> FloatArray:
    """At most `points` allotments of a provider, 0 and its last step among them.

    Parameters
    ----------
    steps : of the provider. measure : (G,) attention per step, >= 0. points : at least 2.

    Returns
    -------
    (J,) increasing. All steps if they fit (the grid is then exact), otherwise evenly spaced quantiles of the measure.
    """
    if steps.at.size < points:
        return np.concatenate([[0.0], steps.at])
    for _ in range(_LEVELLINGS):  # no step needs more than one point: spread what a heavy step has too much
        measure = np.minimum(measure, 1.5 * measure.sum() / (points - 1))
    running = np.cumsum(measure)
    quantiles = np.arange(1, points) / (points - 1)
    index = np.minimum(np.searchsorted(running, running[-1] * (quantiles - 1e-12)), steps.at.size - 1)
    index[-1] = steps.at.size - 1  # even if its measure is next to nothing: bounds rest on nothing lying beyond
    if steps.at[0] == FIRST:  # one attempt on every problem is a policy of its own
        index = np.append(0, index[index.size > 1 :])
    return np.concatenate([[0.0], steps.at[np.unique(index)]])


_LEVELLINGS = 8


def spread_points(steps: Sequence[Steps], attention: Mapping[int, float], nodes: int) -> dict[int, int]:
    """How many grid points each provider gets so that the product grid has at most so many nodes.

    attention : by provider, > 0; points go in proportion, 2 at least, and no more than there are steps.
    """
    most = {i: steps[i].at.size + 1 for i in attention}

    def sizes(scale: float) -> dict[int, int]:
        return {i: int(min(max(scale * share, 2), most[i])) for i, share in attention.items()}

    low, high = 0.0, float(nodes) / min(attention.values())
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if np.prod([float(n) for n in sizes(middle).values()]) <= nodes else (low, middle)
    return sizes(low)


def attention(steps: Steps, points: FloatArray, used: FloatArray) -> FloatArray:
    """(G,) measure that sums to one over the steps around the allotments that optimal policies turn at.

    points : (J,) the grid they were found on. used : allotments at which they turn; each spreads over the steps between
    its two neighbours on the grid, where a better turning point may lie.
    """
    left = np.maximum(np.searchsorted(points, used * (1 - 1e-12)) - 1, 0)
    right = np.minimum(np.searchsorted(points, used * (1 + 1e-12), side="right"), points.size - 1)
    first = np.searchsorted(steps.at, points[left], side="right")
    stop = np.maximum(np.searchsorted(steps.at, points[right] * (1 + 1e-12), side="right"), first + 1)
    slope = np.zeros(steps.at.size + 1)
    share = 1.0 / (stop - first)
    np.add.at(slope, np.minimum(first, steps.at.size - 1), share)
    np.add.at(slope, np.minimum(stop, steps.at.size), -share)
    measure: FloatArray = np.maximum(np.cumsum(slope[:-1]), 0.0)
    total = float(measure.sum())
    return measure / max(total, np.finfo(float).tiny)
