"""What can be produced from which inputs, whatever the prices: the expensive object, built once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from eqsolver._base import FloatArray
from eqsolver.market import Market, Provider
from eqsolver.technology._curves import curves
from eqsolver.technology._grid import attention, base_measure, grid
from eqsolver.technology._joint import joint
from eqsolver.technology._levels import levels_below, offered_reach
from eqsolver.technology._path import Block, Walk, walk
from eqsolver.technology._rules import Rules
from eqsolver.technology._schedule import cheapest_reaching, shortest_paths, trace
from eqsolver.technology._steps import Steps, steps

MAX_NODES = 4_000_000
"""Nodes of the product grid at which refinement stops (8 (M + 4) bytes each)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Technology:
    """The production set of a market on a product grid of allotments: solved share and units needed, free of prices.

    market : the M providers that sell. rules : what is allotted and counted. steps : M exact step lists.
    access : positions in the market of the A providers that policies may buy from, by name.
    grid : A arrays (J_a,) of allotments, 0 first.
    survival : (J_1, ..., J_A) share of the market left unsolved at each node.
    edges : A such arrays, expected units of provider a bought on the step from node j to j + e_a.
    exact : every step of every provider is a grid point, so an optimum on the grid is the optimum.
    moved : largest relative change of an optimum at the posted prices when the grid was last refined; 0 if exact.
    """

    market: Market
    rules: Rules
    steps: tuple[Steps, ...]
    access: tuple[int, ...]
    grid: tuple[FloatArray, ...]
    survival: FloatArray
    edges: tuple[FloatArray, ...]
    exact: bool
    moved: float = float("inf")

    @property
    def solved(self) -> FloatArray:
        """(J_1, ..., J_A) share of the market solved at each node."""
        return 1.0 - self.survival

    @property
    def allowed(self) -> FloatArray:
        """(J_1, ..., J_A) booleans: the node's allotments sum to no more than `max_budget`."""
        total = np.zeros(())
        for axis in self.grid:
            total = total[..., None] + axis
        return np.asarray(total <= self.rules.largest_total)

    @property
    def reach(self) -> float:
        """The highest level that a policy on the grid reaches."""
        return float(self.solved[self.allowed].max())

    def walk(self, blocks: Sequence[Block]) -> Walk:
        """Follow a path of (position of the provider in the market, allotment) blocks exactly, off the grid too."""
        return walk(self.market, self.steps, blocks)


def all_steps(market: Market, terms: Rules) -> tuple[Steps, ...]:
    """The step list of every provider of the market."""
    return tuple(steps(provider, terms) for provider in market.providers)


def grid_technology(
    market: Market,
    terms: Rules,
    listed: tuple[Steps, ...],
    bought: tuple[int, ...],
    *,
    points: int | Sequence[int] | None = None,
    tolerance: float = 1e-3,
    levels: FloatArray | None = None,
) -> Technology:
    """The product grid over some providers, for rules and steps already at hand.

    bought : their positions, first axis first. points : grid points of each, or of every one; None: see `refine`.
    tolerance, levels : as in `technology`.
    """
    measures = [base_measure(listed[i], market.weights) for i in bought]

    def on(measures: Sequence[FloatArray], size: int | Sequence[int]) -> Technology:
        sizes = [size] * len(bought) if isinstance(size, int) else size
        axes = [grid(listed[i], measure, n) for i, measure, n in zip(bought, measures, sizes, strict=True)]
        return on_axes(market, terms, listed, bought, axes)

    return on(measures, points) if points is not None else refine(on, measures, tolerance, levels)


def on_axes(
    market: Market, terms: Rules, listed: tuple[Steps, ...], bought: tuple[int, ...], axes: Sequence[FloatArray]
) -> Technology:
    """The product grid on given allotments, 0 first, of some providers."""
    exact = all(axis.size == listed[i].at.size + 1 for axis, i in zip(axes, bought, strict=True))
    survival, edges = joint(
        market.weights,
        partial(_curves_of, tuple(market.providers[i] for i in bought), axes, terms),
        tuple(axis.size for axis in axes),
    )
    return Technology(
        market=market,
        rules=terms,
        steps=listed,
        access=bought,
        grid=tuple(axes),
        survival=survival,
        edges=tuple(edges),
        exact=exact,
        moved=0.0 if exact else float("inf"),
    )


def _curves_of(
    providers: Sequence[Provider], axes: Sequence[FloatArray], terms: Rules, block: slice
) -> tuple[list[FloatArray], list[FloatArray]]:
    problems = np.arange(providers[0].spend.size)[block]
    pairs = [curves(p.take(problems), axis, terms) for p, axis in zip(providers, axes, strict=True)]
    return [S for S, _ in pairs], [F for _, F in pairs]


def refine(
    on: Callable[[Sequence[FloatArray], int], Technology],
    measures: list[FloatArray],
    tolerance: float,
    levels: FloatArray | None,
) -> Technology:
    """A grid on which the cheapest schedules have stopped moving.

    Parameters
    ----------
    on : builds the technology on grids of a given size, drawn from one measure of the steps per provider.
    tolerance : relative; refinement stops when no optimum at posted prices moves by more.
    levels : (L,) the levels whose optima are watched; default: from 5 points below the best offer's reach to the
        highest level policies reach.

    Notes
    -----
    First by doubling, up to `MAX_NODES` nodes; then, the size fixed, half of the grid is moved to where optimal policies turn,
    as long as that lowers their mean cost. `Technology.moved` is the largest change seen in the last step taken.
    """
    most = int(MAX_NODES ** (1 / len(measures)))
    size = min(max(most // 8, 9), most)
    made = on(measures, size)
    if made.exact:
        return made
    watched = watch_levels(made) if levels is None else levels
    cost, used = _optima(made, watched)
    while not made.exact and made.moved > tolerance and 2 * size - 1 <= most:
        size = 2 * size - 1
        finer = on(measures, size)
        finer_cost, used = _optima(finer, watched)
        made, cost = replace(finer, moved=_change(cost, finer_cost)), finer_cost
    for _ in range(MOVES):
        if made.moved <= tolerance:
            break
        focused = [
            measure / measure.sum() + attention(made.steps[i], made.grid[axis], np.array(used[axis]))
            for axis, (i, measure) in enumerate(zip(made.access, measures, strict=True))
        ]
        other = on(focused, most)
        other_cost, other_used = _optima(other, watched)
        gain = _change(other_cost, cost), _change(cost, other_cost)
        if not np.nanmean(_ratio(other_cost, cost)) < 1.0:
            break
        made, cost, used = replace(other, moved=max(gain)), other_cost, other_used
    return made


MOVES = 6


def watch_levels(made: Technology) -> FloatArray:
    """33 levels from 5 points below the best offer's reach to the highest level policies reach."""
    top = made.reach
    return levels_below(top, max(top - offered_reach(made.steps, made.market.weights), 0.0) + 0.05, 33)


def _optima(made: Technology, levels: FloatArray) -> tuple[FloatArray, list[list[float]]]:
    """Cost of the cheapest schedules, and the allotments at which they turn, per provider in access."""
    prices = made.market.prices[list(made.access)]
    edges = [m * edge for m, edge in zip(prices, made.edges, strict=True)]
    value = shortest_paths(edges)
    best = cheapest_reaching(made.solved, value, levels, made.allowed)
    used: list[list[float]] = [[] for _ in edges]
    for moves in trace(value, edges, best.node[best.node >= 0]):
        moves = moves[moves >= 0]
        for axis, points in enumerate(made.grid):
            ends = np.flatnonzero((moves == axis) & (np.append(moves[1:], -1) != axis))
            used[axis].extend(points[np.cumsum(moves == axis)[ends]])
    return best.cost, used


def _ratio(after: FloatArray, before: FloatArray) -> FloatArray:
    both = np.isfinite(after) & np.isfinite(before) & (before > 0)
    return np.divide(after, before, out=np.ones_like(after), where=both)


def _change(before: FloatArray, after: FloatArray) -> float:
    return float(np.max(1.0 - _ratio(after, before), initial=0.0))
