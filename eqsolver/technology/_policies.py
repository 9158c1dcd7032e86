"""The cheapest policies of a technology at given prices: schedules, their bound, and cascades per level."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eqsolver._base import FloatArray, IntArray
from eqsolver.technology._cascade import Crossings, cascade_costs, crossings
from eqsolver.technology._curves import curves
from eqsolver.technology._evaluate import PerLevel, bill
from eqsolver.technology._hull import hull_of_nodes
from eqsolver.technology._path import Block
from eqsolver.technology._schedule import REACH, cheapest_reaching, shortest_paths, trace
from eqsolver.technology._technology import Technology

NEAR = 0.01
"""How much dearer than the cheapest, relatively, a cascade on the grid may look and still be promising."""


def weighted(made: Technology, prices: FloatArray) -> list[FloatArray]:
    """The edges' costs at given prices: A arrays (J_1, ..., J_A), money."""
    return [prices[i] * edge for i, edge in zip(made.access, made.edges, strict=True)]


def schedules(made: Technology, prices: FloatArray, levels: FloatArray) -> PerLevel:
    """The cheapest schedule for each level: a shortest path on the grid, its last block cut at the exact step.

    Parameters
    ----------
    prices : (M,) multipliers m of the market's providers. levels : (L,) increasing.

    Notes
    -----
    THEORY section 4; exact where `made.exact`, otherwise see `schedule_bound`. Where shortest paths arrive at the end by
    different last steps, each of these is cut, and the cheapest taken: to the end they cost the same, to the level they do not.
    """
    edges = weighted(made, prices)
    value = shortest_paths(edges)
    best = cheapest_reaching(made.solved, value, levels, made.allowed)
    paths: list[tuple[Block, ...]] = [()] * levels.size
    units = np.full((levels.size, len(made.market.providers)), np.inf)
    cost = np.where(best.node == 0, 0.0, np.inf)
    units[best.node == 0] = 0.0
    arrivals = _arrivals(value, edges, best.node)
    traced = trace(value, edges, np.array([before for _, before, _ in arrivals], dtype=np.int64))
    for (level, _, axis), moves in zip(arrivals, traced, strict=True):
        path, spent = _finish(made, np.append(moves[moves >= 0], axis), levels[level])
        if spent @ prices < cost[level]:
            paths[level], units[level], cost[level] = path, spent, spent @ prices
    return PerLevel(paths=tuple(paths), units=units, cost=bill(units, prices))


def _arrivals(value: FloatArray, edges: Sequence[FloatArray], nodes: IntArray) -> list[tuple[int, int, int]]:
    """(level, node before, axis) of every last step by which a shortest path arrives at each level's node, -1 for none."""
    strides = [int(np.prod(value.shape[axis + 1 :])) for axis in range(value.ndim)]
    found = []
    for level, node in enumerate(nodes):
        corner = np.unravel_index(max(int(node), 0), value.shape)
        before = {axis: int(node) - strides[axis] for axis, at in enumerate(corner) if at}
        cost = {axis: value.flat[at] + edges[axis].flat[at] for axis, at in before.items()}
        least = min(cost.values(), default=0.0)
        found += [(level, at, axis) for axis, at in before.items() if cost[axis] <= least * (1 + 1e-12)]
    return found


def schedule_hull(made: Technology, prices: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mixtures of schedules: (V,) solved and cost of the vertices of their lower hull over every level, the origin first."""
    allowed = made.allowed
    return hull_of_nodes(made.solved[allowed], shortest_paths(weighted(made, prices))[allowed])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Promising:
    """What may be the cheapest cascade for a level. path : one block per provider, the last ending at the level or after."""

    path: tuple[Block, ...]
    level: int


def promising_cascades(made: Technology, prices: FloatArray, levels: FloatArray, keep: int, apart: int) -> list[Promising]:
    """For each level the few threshold cascades that look cheapest, over every provider order and all grid thresholds at once.

    Parameters
    ----------
    levels : (L,) increasing. keep : the most per level. apart : cascades of one order with all their thresholds within so
        many grid points of a cheaper one are left out, since a local search from that one will find them.

    Notes
    -----
    Where the last provider's grid interval passes a level, cost is interpolated: by the interval's end, an overshoot of up
    to a whole interval would choose among thresholds that differ by less. On an exact grid the end is what has to be bought,
    and the one found is the optimum.
    """
    edges, solved, allowed = weighted(made, prices), made.solved, made.allowed
    reached = np.searchsorted(levels, solved + REACH, side="right").astype(np.int32)
    least = np.full(levels.size, np.inf)
    found: list[tuple[tuple[int, ...], Crossings]] = []
    for order in itertools.permutations(range(solved.ndim)):
        cost = cascade_costs(edges, order)
        least = np.minimum(least, cheapest_reaching(solved, cost, levels, allowed).cost)
        passed = crossings(solved, cost, reached, order[-1], levels, least * (1 + NEAR), whole=made.exact)
        passed = passed.where(passed.allotted(made.grid) <= made.rules.largest_total)
        np.minimum.at(least, passed.level, passed.cost)
        least = np.minimum.accumulate(least[::-1])[::-1]
        found.append((order, passed))
    level, cost = np.concatenate([p.level for _, p in found]), np.concatenate([p.cost for _, p in found])
    corner = np.concatenate([p.end for _, p in found])
    source = np.repeat(np.arange(len(found)), [p.level.size for _, p in found])
    sorted_rows = np.lexsort((cost, level))
    bounds = np.searchsorted(level[sorted_rows], np.arange(levels.size + 1))
    promising: list[Promising] = []
    for place in range(levels.size):
        kept: list[tuple[tuple[int, ...], IntArray]] = []
        for row in sorted_rows[bounds[place] : bounds[place + 1]]:
            if len(kept) == (1 if made.exact else keep) or cost[row] > least[place] * (1 + NEAR):
                break
            order = tuple(axis for axis in found[source[row]][0] if corner[row, axis])
            if any(order == other and (abs(corner[row] - near) <= apart).all() for other, near in kept):
                continue
            kept.append((order, corner[row]))
            path = tuple((made.access[axis], float(made.grid[axis][corner[row, axis]])) for axis in order)
            promising.append(Promising(path=path, level=place))
    return promising


def _finish(made: Technology, moves: IntArray, level: float) -> tuple[tuple[Block, ...], FloatArray]:
    """A path given by the axis of each of its grid steps: its blocks, the last one cut where the level is reached, and
    its expected units (M,). All but the last block come from the grid's edges, the last from the exact steps."""
    units = np.zeros(len(made.market.providers))
    if not moves.size or level <= REACH:
        return (), units
    taken = moves[:, None] == np.arange(len(made.access))
    before = np.cumsum(taken, axis=0) - taken
    ends = np.flatnonzero(np.append(moves[1:] != moves[:-1], True))
    begin = int(ends[-2]) + 1 if ends.size > 1 else 0
    for axis, i in enumerate(made.access):
        along = np.flatnonzero(taken[:begin, axis])
        units[i] = made.edges[axis][tuple(before[along].T)].sum()
    corner = before[begin]
    blocks = tuple(
        (made.access[axis], float(made.grid[axis][before[end, axis] + 1]))
        for end, axis in zip(ends[:-1], moves[ends[:-1]], strict=True)
    )
    last = int(moves[-1])
    upto = float(made.grid[last][before[-1, last] + 1])
    reaching = made.market.weights.copy()
    for axis, i in enumerate(made.access):
        if axis != last:
            b = made.grid[axis][corner[axis] : corner[axis] + 1]
            reaching *= curves(made.market.providers[i], b, made.rules)[0][:, 0]
    i = made.access[last]
    stretch = made.steps[i].profile(reaching, upto=upto, after=float(made.grid[last][corner[last]]))
    short = level - REACH - float(1.0 - made.survival[tuple(corner)])
    at = min(int(np.searchsorted(stretch.solved, short)), stretch.at.size - 1)  # the end reaches it, but for rounding
    units[i] += stretch.spent[at]
    return (*blocks, (i, float(stretch.at[at]))), units
