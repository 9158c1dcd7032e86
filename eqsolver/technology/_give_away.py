"""A bound for every schedule over any number of providers: what lies between the points of a coarse grid is given away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from eqsolver._base import FloatArray
from eqsolver.market import Market
from eqsolver.technology._curves import curves
from eqsolver.technology._grid import base_measure, grid
from eqsolver.technology._joint import BLOCK_BYTES, khatri_rao
from eqsolver.technology._rules import Rules
from eqsolver.technology._schedule import cheapest_reaching, shortest_paths
from eqsolver.technology._steps import Steps


def give_away_bound(
    market: Market, rules: Rules, steps: Sequence[Steps], prices: FloatArray, levels: FloatArray, sizes: Mapping[int, int]
) -> FloatArray:
    """(L,) money that no schedule over some providers can undercut at each level; infinite where none reaches it.

    Parameters
    ----------
    steps : of each of the market's providers. prices : (M,) multipliers. levels : (L,) increasing.
    sizes : the providers, by position, each that solves anything, and how many grid points each has (at least 2).

    Notes
    -----
    Proof. Let the axis of provider i, with points 0 = t_0 < t_1 < ..., stand at c while its allotment lies in [t_c, t_c+1). Any
    schedule moves every axis up point by point. When axis i leaves c, its provider has bought the slice from t_c to t_c+1;
    all that time each other provider stood below the point after the one at which its axis stands when the slice is
    complete. Survival was at least that at these next points, so the slice cost at least what it costs there. Charge that, and
    nothing for slices that are never completed. The schedule ends below the next point of every axis, so it solves at most
    what all providers at these points solve; and its allotments sum to at least the points it has passed, so a schedule
    within the cap ends at an allowed node. Hence the shortest path to the nodes whose next points reach the level costs no
    more than the schedule does, on or off the grid. A provider with few points is all but given away: any sizes will do.
    """
    bought = list(sizes)
    axes = [grid(steps[i], base_measure(steps[i], market.weights), sizes[i]) for i in bought]
    shape = tuple(axis.size for axis in axes)
    half = max(len(shape) // 2, 1)
    widths = int(np.prod(shape[:half])), int(np.prod(shape[half:]))
    rows = max(16, BLOCK_BYTES // (8 * sum(widths)))
    solved, edges = np.ones(widths), [np.zeros(widths) for _ in bought]
    for start in range(0, market.weights.size, rows):
        block = np.arange(start, min(start + rows, market.weights.size))
        ahead, slices = [], []
        for i, axis in zip(bought, axes, strict=True):
            S, F = curves(market.providers[i].take(block), axis, rules)
            ahead.append(np.append(S[:, 1:], S[:, -1:], axis=1))
            slices.append(prices[i] * np.append(np.diff(F, axis=1), np.zeros((block.size, 1)), axis=1))
        ahead[0], slices[0] = market.weights[block, None] * ahead[0], market.weights[block, None] * slices[0]
        left, right = _product(ahead[:half], block.size), _product(ahead[half:], block.size)
        solved -= left.T @ right
        for a in range(len(bought)):
            factors = [*ahead[:a], slices[a], *ahead[a + 1 :]]
            if a < half:
                edges[a] += _product(factors[:half], block.size).T @ right
            else:
                edges[a] += left.T @ _product(factors[half:], block.size)
    total = np.zeros(())
    for axis in axes:
        total = total[..., None] + axis
    allowed: FloatArray = np.asarray(total <= rules.total_cap * (1 + 1e-12))
    value = shortest_paths([edge.reshape(shape) for edge in edges])
    return cheapest_reaching(solved.reshape(shape), value, levels, allowed).cost


def _product(factors: Sequence[FloatArray], rows: int) -> FloatArray:
    return khatri_rao(factors) if factors else np.ones((rows, 1))


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
