"""A technology set under construction: optima solved price by price, and along lines until nothing new appears."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from eqsolver._base import FloatArray, IntArray
from eqsolver.technology._hull import lower_hulls
from eqsolver.technology._optima import NONE, Optima
from eqsolver.technology._set import ProductionSet, Stretches
from eqsolver.technology._technology import Technology

DIGITS = 12
"""Policies whose pass, and whose units as a share of the most a provider can be paid, agree to so many decimals are one."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Solved:
    """What is cheapest at one price vector: policies on the lower hull, and the cheapest for each level (-1 for none).

    nodes : of the grid, at which the policies on the hull end.
    """

    prices: FloatArray
    hull: IntArray
    at_level: IntArray
    nodes: IntArray


@dataclass(slots=True, eq=False)
class Completion:
    """Policies found so far, and the price vectors at which the optimum is known.

    made : the technology, on whose grid policies are optimal. levels : (L,) at which single policies are wanted too, beside
    mixtures. Grows by `solve_at` and `complete`; `found()` is the set so far.
    """

    made: Technology
    levels: FloatArray
    solved_at: dict[bytes, Solved] = field(default_factory=dict)
    shortfall: float = 0.0
    _known: dict[bytes, int] = field(default_factory=dict)
    _size: int = 0
    _solved: FloatArray = field(init=False)
    _units: FloatArray = field(init=False)
    _unit: float = field(init=False)
    _optima: Optima = field(init=False)

    def __post_init__(self) -> None:
        self._optima = Optima(self.made, self.levels)
        self._solved, self._units = np.zeros(1024), np.zeros((1024, len(self.made.market.providers)))
        self._unit = float(max(edge.sum(axis=axis).max() for axis, edge in enumerate(self.made.edges)))

    def __len__(self) -> int:
        return self._size

    def found(self) -> ProductionSet:
        """The policies found so far, by pass."""
        solved, units = self.policies()
        order = np.lexsort((*units.T, solved))
        rank = np.empty_like(order)
        rank[order] = np.arange(order.size)
        return ProductionSet(
            solved=solved[order],
            units=units[order],
            levels=self.levels,
            shortfall=self.shortfall,
            stretches=self._stretches(rank) if len(self.made.access) == 2 else None,
        )

    def _stretches(self, rank: IntArray) -> Stretches:
        first, second = self.made.access
        known = sorted(self.solved_at.values(), key=lambda at: float(at.prices[first] / at.prices[second]))
        unions = [np.unique(rank[np.append(a.hull, b.hull)]) for a, b in itertools.pairwise(known)]
        hull = np.full((len(unions), max(map(len, unions))), -1, dtype=np.int64)
        for row, ids in zip(hull, unions, strict=True):
            row[: ids.size] = ids
        at_level = np.stack([at.at_level for at in known])
        at_level = np.where(at_level >= 0, rank[at_level], -1)
        return Stretches(
            pair=(first, second),
            ratios=np.array([at.prices[first] / at.prices[second] for at in known]),
            hull=hull,
            at_level=np.stack([at_level[:-1], at_level[1:]], axis=1),
        )

    def policies(self) -> tuple[FloatArray, FloatArray]:
        """(K,) pass and (K, M) units in the order found, which the indices of `Solved` refer to."""
        return self._solved[: self._size], self._units[: self._size]

    def solve_at(self, prices: FloatArray, near: Sequence[IntArray] = ()) -> list[Solved]:
        """The optimum at each of R price vectors (R, M), solved once each. near : for each, as in `Optima.at`, or none."""
        access = list(self.made.access)
        found = []
        for row, nodes in zip(prices, near or [NONE] * len(prices), strict=True):
            key = np.ascontiguousarray(row).tobytes()
            if key not in self.solved_at:
                best = self._optima.at(row[access], nodes)
                ids = self._register(best.solved, access, best.units)
                hull, at_level = ids[: best.vertices], np.full(self.levels.size, -1, dtype=np.int64)
                at_level[: ids.size - hull.size] = ids[hull.size :]
                self.solved_at[key] = Solved(prices=row, hull=hull, at_level=at_level, nodes=best.nodes[: hull.size])
            found.append(self.solved_at[key])
        return found

    def _register(self, solved: FloatArray, access: Sequence[int], units: FloatArray) -> IntArray:
        rounded = np.round(np.column_stack([solved, units / self._unit]), DIGITS) + 0.0  # no minus zero
        ids = np.empty(solved.size, dtype=np.int64)
        for row, key in enumerate(rounded):
            ids[row] = self._known.setdefault(key.tobytes(), len(self._known))
            if ids[row] == self._size:
                self._append(solved[row], access, units[row])
        return ids

    def _append(self, solved: float, access: Sequence[int], units: FloatArray) -> None:
        if self._size == len(self._solved):
            self._solved = np.concatenate([self._solved, np.zeros_like(self._solved)])
            self._units = np.concatenate([self._units, np.zeros_like(self._units)])
        self._solved[self._size] = solved
        self._units[self._size, access] = units
        self._size += 1

    def complete(self, base: FloatArray, mover: int, low: float, high: float, tolerance: float, limit: int = 4096) -> float:
        """Solve along the line on which one provider's price goes from low to high until nothing new appears.

        Parameters
        ----------
        base : (M,) prices of the others. mover : position of the provider that moves.
        tolerance : share of its cost that a policy may be too dear by. limit : the most price vectors solved.

        Returns
        -------
        The largest share by which a policy left out may be cheaper, at any price on the line.

        Notes
        -----
        Costs are concave in the price, so between two prices where the optimum is known it is no less than their chord and
        no more than the policies of both; where the two differ the crossing of their tangents is solved, until they do
        not (Eisner & Severance 1976). What is known costs no more than both tangents, and its gap to the chord is concave and 0
        at both ends, so nowhere more than twice that of the middle.
        """
        grid = np.geomspace(low, high, 17)
        known = dict(zip(grid, self.solve_at(_line(base, mover, grid)), strict=True))
        cells = list(itertools.pairwise(grid))
        worst, spent = 0.0, grid.size
        while cells:
            open_cells, new, near = [], [], []
            for a, b in cells:
                gap, crossing = self._gap(known[a], known[b], mover)
                if gap <= tolerance or spent >= limit or not a * (1 + 1e-12) < crossing < b * (1 - 1e-12):
                    worst = max(worst, gap)
                    continue
                spent += 1
                open_cells.append((a, crossing, b))
                new.append(crossing)
                near.append(np.union1d(known[a].nodes, known[b].nodes))
            if new:
                known |= zip(new, self.solve_at(_line(base, mover, np.array(new)), near), strict=True)
            cells = [cell for a, x, b in open_cells for cell in ((a, x), (x, b))]
        self.shortfall = max(self.shortfall, worst)
        return worst

    def _gap(self, left: Solved, right: Solved, mover: int) -> tuple[float, float]:
        """How much cheaper a policy may be somewhere between two prices than those known, and where that would be."""
        solved, units = self.policies()
        a, b = left.prices[mover], right.prices[mover]
        middle = (left.prices + right.prices) / 2
        both = np.union1d(left.hull, right.hull)
        both = both[np.argsort(solved[both], kind="stable")]
        vertices, count = lower_hulls(solved[both], (units[both] @ middle)[None])
        between = both[vertices[0, : count[0]]]
        u = np.unique(solved[both])
        ends = [_on_hull(solved[ids], units[ids], u) for ids in (left.hull, right.hull, between)]
        needs = [np.vstack([end, units[ids]]) for end, ids in zip(ends[:2], self._levels_of(left, right), strict=True)]
        cost = [need @ at.prices for need, at in zip(needs, (left, right), strict=True)]
        known = np.append(ends[2] @ middle, np.minimum(*(units[ids] @ middle for ids in self._levels_of(left, right))))
        falls = needs[0][:, mover] - needs[1][:, mover]
        turns = falls > 0
        with np.errstate(invalid="ignore", divide="ignore"):
            crossing = (cost[1] - cost[0] + a * needs[0][:, mover] - b * needs[1][:, mover]) / falls
            crossing = np.where(turns, np.clip(crossing, a, b), middle[mover])
            along = (crossing - a) / (b - a)
            peak = cost[0] + (crossing - a) * needs[0][:, mover]
            chord = (1 - along) * cost[0] + along * cost[1]
            gap = np.minimum(2 * (known - (cost[0] + cost[1]) / 2) / known, np.where(turns, (peak - chord) / peak, 0.0))
        gap = np.where(known > 0, np.maximum(gap, 0.0), 0.0)
        worst = int(np.argmax(gap))
        return float(gap[worst]), float(crossing[worst]) if turns[worst] else float("nan")

    @staticmethod
    def _levels_of(left: Solved, right: Solved) -> tuple[IntArray, IntArray]:
        some = left.at_level >= 0
        return left.at_level[some], right.at_level[some]


def _line(base: FloatArray, mover: int, at: FloatArray) -> FloatArray:
    prices = np.repeat(base[None], at.size, axis=0)
    prices[:, mover] = at
    return prices


def _on_hull(solved: FloatArray, units: FloatArray, levels: FloatArray) -> FloatArray:
    """(U, M) units of the mixtures on a hull that reach each level; those of the last vertex beyond it."""
    x, y = np.append(0.0, solved), np.vstack([np.zeros(units.shape[1]), units])
    return np.column_stack([np.interp(levels, x, column) for column in y.T])
