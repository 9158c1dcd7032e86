"""What is cheapest in the exact market of two providers at one price vector: one sweep over every pair of allotments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eqsolver._base import FloatArray, IntArray
from eqsolver.technology._evaluate import Cascade, PerLevel, bill, with_rest
from eqsolver.technology._exact_pair import ExactPair
from eqsolver.technology._fit import BestCascades
from eqsolver.technology._schedule import REACH


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PairOptimum:
    """What is cheapest in an `ExactPair` at one price vector; no policy is left out.

    schedules : the cheapest path for each level. cascades : the cheapest cascade for each level, and the single cascade with
    the largest mean margin. hull : (V,) solved and cost of the vertices of the lower hull of all paths, the origin first.
    """

    schedules: PerLevel
    cascades: BestCascades
    hull: tuple[FloatArray, FloatArray]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Swept:
    """What a sweep leaves behind; arrays as `sweep_row` and `lower` describe them."""

    came_down: IntArray
    least: FloatArray
    node_of: IntArray
    by_row: FloatArray
    by_column: FloatArray
    hull: FloatArray


def pair_optimum(made: ExactPair, prices: FloatArray, levels: FloatArray, market_price: FloatArray) -> PairOptimum:
    """The cheapest schedule and cascade for each level, the best single cascade and the hull, from one sweep.

    prices : (M,) multipliers. levels : (L,) increasing. market_price : (L,) C_P, infinite where no provider reaches.

    Notes
    -----
    THEORY section 4. A few additions for each pair of stops within the cap, and a bit of memory.
    """
    swept = _sweep(made, prices, levels, market_price)
    schedules = [_turns(made, swept, node) for node in _cheapest_from_above(swept.least[0], swept.node_of[0])]
    cascades = [
        _bends(made, int(node)) if cost < np.inf else None for cost, node in zip(swept.least[1], swept.node_of[1], strict=True)
    ]
    return PairOptimum(
        schedules=_per_level(made, prices, schedules),
        cascades=BestCascades(single=_single(made, swept), per_level=_per_level(made, prices, cascades)),
        hull=(swept.hull[0], swept.hull[1]),
    )


def pair_turns(made: ExactPair, prices: FloatArray, levels: FloatArray) -> tuple[IntArray, IntArray]:
    """Stops of the row and of the column provider at which optimal schedules turn at prices (M,), for mixtures and levels."""
    swept = _sweep(made, prices, levels, np.full(levels.size, np.inf))
    nodes = {int(node) for node in swept.hull[3, 1:]}
    nodes |= {node for node in _cheapest_from_above(swept.least[0], swept.node_of[0]) if node is not None}
    paths = [path for path in (_turns(made, swept, node) for node in sorted(nodes)) if path is not None]
    marks = np.concatenate([np.zeros((2, 1), dtype=np.int64), *paths], axis=1)
    return np.unique(marks[0]), np.unique(marks[1])


def _sweep(made: ExactPair, prices: FloatArray, levels: FloatArray, market_price: FloatArray) -> _Swept:
    """All rows, one after the other."""
    from eqsolver.technology._exact_pair_kernels import STEEP, lower, sweep_row

    weights, (first, second) = made.market.weights, made.stops
    rows, columns = (stop(float(prices[i])) for stop, i in zip((first.by_step, second.by_problem), made.axes, strict=True))
    R, C, L = first.at.size, second.at.size, levels.size
    edges, nodes = np.zeros((3, C)), np.zeros((3, C))
    mass = np.repeat(weights, np.diff(columns[0]))
    edges[0], edges[1] = (np.bincount(columns[1], weights=mass * each, minlength=C) for each in (columns[3], columns[2]))
    nodes[1, 0] = weights.sum()
    open_at = 1.0 - (levels - REACH)
    came_down = np.zeros((R, C // 8 + 1), dtype=np.uint8)
    least, node_of = np.full((2, L), np.inf), np.zeros((2, L), dtype=np.int64)
    by_row, by_column = np.zeros((3, R)), np.zeros((3, C))
    hull, vertices = np.zeros((4, 2 * C)), 1
    hull[2, 0] = STEEP
    for j, width in enumerate(made.width[made.width > 0].tolist()):
        state = edges, nodes, came_down[j], least, node_of, by_row, by_column
        sweep_row(j, width, weights, rows, columns, open_at, market_price, *state)
        if vertices + width > hull.shape[1]:
            hull = np.concatenate([hull, np.zeros_like(hull)], axis=1)
        vertices = lower(hull, vertices, j, nodes, width)
    return _Swept(
        came_down=came_down,
        least=least,
        node_of=node_of,
        by_row=by_row,
        by_column=by_column,
        hull=hull[:, :vertices].copy(),
    )


def _cheapest_from_above(cost: FloatArray, node: IntArray) -> list[int | None]:
    """For each level the cheapest node that reaches it or a higher one, given the cheapest between neighbouring levels."""
    found: list[int | None] = []
    least, best = np.inf, None
    for own, at in zip(cost[::-1].tolist(), node[::-1].tolist(), strict=True):
        if own < least:
            least, best = own, at
        found.append(best)
    return found[::-1]


def _turns(made: ExactPair, swept: _Swept, node: int | None) -> IntArray | None:
    """(2, T) nodes at which the cheapest path to a node turns, last first."""
    from eqsolver.technology._exact_pair_kernels import turns

    if node is None:
        return None
    R, C = (stop.at.size for stop in made.stops)
    found = np.empty((2, R + C), dtype=np.int64)
    return found[:, : turns(swept.came_down, *divmod(node, C), found)].copy()


def _bends(made: ExactPair, node: int) -> IntArray:
    """(2, 2) where a cascade ends, and where it passes from its first provider to the second; its end as in `node_of`."""
    j, k = divmod(max(node, ~node), made.stops[1].at.size)
    return np.array([[j, j if node >= 0 else 0], [k, 0 if node >= 0 else k]])


def _single(made: ExactPair, swept: _Swept) -> Cascade:
    """The cascade with the largest sum of margins; of several, the one that reaches most levels, most cheaply."""
    count, earned, paid = np.concatenate([swept.by_row, swept.by_column], axis=1)
    best, rows = int(np.lexsort((-paid, count, earned))[-1]), swept.by_row.shape[1]
    first, threshold = (0, best) if best < rows else (1, best - rows)
    order = [made.axes[first], made.axes[1 - first]]
    return with_rest(made.rules, made.steps, order, [float(made.stops[first].at[threshold])])


def _per_level(made: ExactPair, prices: FloatArray, turns: Sequence[IntArray | None]) -> PerLevel:
    """Policies given by the nodes at which they turn, (2, T) last first; None where a level is out of reach."""
    from eqsolver.technology._exact_pair_kernels import follow

    units = np.full((len(turns), len(made.market.providers)), np.inf)
    rows, columns = (stop.by_step(1.0) for stop in made.stops)
    scratch = np.empty((2, made.market.weights.size))
    for level, path in enumerate(turns):
        if path is not None:
            units[level] = 0.0
            units[level, list(made.axes)] = follow(made.market.weights, rows, columns, path, path.shape[1], *scratch)[1:]
    paths = tuple(() if path is None else made.path(path) for path in turns)
    return PerLevel(paths=paths, units=units, cost=bill(units, prices))
