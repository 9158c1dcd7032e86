"""The exact market of two providers: every allotment of both, in one sweep per price vector, and nothing left to refine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eqsolver._base import FloatArray, IntArray
from eqsolver.market import Market
from eqsolver.technology._path import Block, Path, Walk, walk
from eqsolver.technology._rules import Rules
from eqsolver.technology._steps import Steps

Entries = tuple[IntArray, IntArray, FloatArray, FloatArray, FloatArray]
"""What the kernels are told about a provider, see `_exact_pair_kernels`."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stops:
    """The positions of a provider at which a policy may as well stop: its steps that solve anything.

    at : (G + 1,) positions (see `Rules`), 0 first. clock : money runs on all open problems, as in `Steps.cuts`.
    step : (E,) stop by which each entry is bought, from 1 on, nondecreasing. problem : (E,) one entry per stop and problem.
    drop, rise : (E,) survival lost, and money at list price, as in `Steps`. problems : N.

    Notes
    -----
    A step that solves nothing is bought together with the next that does: buying later is never dearer.
    """

    at: FloatArray
    clock: bool
    step: IntArray
    problem: IntArray
    drop: FloatArray
    rise: FloatArray
    problems: int

    def by_step(self, price: float) -> Entries:
        """`Entries` of the kernels; costs are at `price` times the list price."""
        return np.searchsorted(self.step, np.arange(1, self.at.size + 1)), self.problem, self.drop, *self._costs(price)

    def by_problem(self, price: float) -> Entries:
        """`ByProblem` of the kernels; costs are at `price` times the list price."""
        order = np.argsort(self.problem, kind="stable")
        rise, tick = self._costs(price)
        first = np.searchsorted(self.problem[order], np.arange(self.problems + 1))
        return first, self.step[order], self.drop[order], rise[order], tick

    def _costs(self, price: float) -> tuple[FloatArray, FloatArray]:
        if self.clock:
            return np.zeros(self.rise.size), price * np.diff(self.at)
        return price * self.rise, np.zeros(self.at.size - 1)


def stops(steps: Steps) -> Stops:
    """The stops of a provider, from its steps."""
    step = np.repeat(np.arange(steps.last.size), np.diff(steps.last, prepend=-1))
    kept = np.flatnonzero(np.bincount(step, weights=steps.drop, minlength=steps.last.size) > 0)
    stop = np.searchsorted(kept, step)
    solving = stop < kept.size
    cell, entry = np.unique(stop[solving] * steps.problems + steps.problem[solving], return_inverse=True)
    drop, rise = (
        np.bincount(entry, weights=each[solving], minlength=cell.size).astype(np.float64, copy=False)
        for each in (steps.drop, steps.rise)
    )
    return Stops(
        at=np.append(0.0, steps.at[kept]),
        clock=steps.cuts,
        step=cell // steps.problems + 1,
        problem=cell % steps.problems,
        drop=drop,
        rise=rise,
        problems=steps.problems,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ExactPair:
    """The production set of two providers: paths over pairs of their stops within the cap.

    market, rules, steps : as in `Technology`. access : positions of the two providers, by name.
    axes : the same two; the first's stops are the rows of a sweep, the second's its columns. stops : of each axis.
    width : (rows,) stops of the second axis within the cap in each row, nonincreasing.
    reach : the highest level that any policy reaches.
    """

    market: Market
    rules: Rules
    steps: tuple[Steps, ...]
    access: tuple[int, int]
    axes: tuple[int, int]
    stops: tuple[Stops, Stops]
    width: IntArray
    reach: float
    exact: bool = True
    moved: float = 0.0

    @property
    def grid(self) -> tuple[FloatArray, ...]:
        """Stops of each provider in access, 0 first."""
        return tuple(self.stops[self.axes.index(i)].at for i in self.access)

    def walk(self, blocks: Sequence[Block]) -> Walk:
        """Follow a path of (position of the provider in the market, allotment) blocks exactly."""
        return walk(self.market, self.steps, blocks)

    def path(self, turns: IntArray) -> Path:
        """The blocks of a path that turns at these nodes, (2, T), last first."""
        blocks: list[Block] = []
        before = np.zeros(2, dtype=np.int64)
        for node in turns.T[::-1]:
            blocks += [
                (i, float(stop.at[n])) for i, stop, n, m in zip(self.axes, self.stops, node, before, strict=True) if n > m
            ]
            before = node
        return tuple(blocks)


def exact_pair(
    market: Market, terms: Rules, steps: tuple[Steps, ...], access: tuple[int, int], largest: float
) -> ExactPair | None:
    """The exact market of two providers, or None if a sweep would look at more than `largest` nodes and entries."""
    from eqsolver.technology._exact_pair_kernels import furthest

    both = [stops(steps[i]) for i in access]
    first = int(both[1].at.size < both[0].at.size)
    rows, columns = both[first], both[1 - first]
    if _work(rows, columns) > largest:
        return None
    width = np.searchsorted(columns.at, terms.largest_total - rows.at, side="right")
    return ExactPair(
        market=market,
        rules=terms,
        steps=steps,
        access=access,
        axes=(access[first], access[1 - first]),
        stops=(rows, columns),
        width=width,
        reach=furthest(market.weights, rows.by_step(1.0), columns.by_step(1.0), width),
    )


def _work(rows: Stops, columns: Stops) -> float:
    """Nodes of a sweep, and pairs of entries of both providers on one problem."""
    own, other = (np.bincount(axis.problem, minlength=axis.problems).astype(np.float64) for axis in (rows, columns))
    return float(rows.at.size) * columns.at.size + float(own @ other)
