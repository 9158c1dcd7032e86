"""A technology set of many providers under construction: good paths grown at one price vector after another."""

from __future__ import annotations

import numpy as np

from eqsolver._base import BoolArray, FloatArray, IntArray
from eqsolver.technology._evaluate import PerLevel
from eqsolver.technology._give_away import give_away_bound
from eqsolver.technology._hull import lower_hulls
from eqsolver.technology._path import Path, walk
from eqsolver.technology._pool import Pool
from eqsolver.technology._schedule import REACH
from eqsolver.technology._search import Detail, improve
from eqsolver.technology._set import ProductionSet
from eqsolver.technology._wide import Wide

DETAIL = Detail(checkpoints=48, points=24, around=4, rounds=1)
"""How finely merges are searched at each price vector: what one misses its neighbours find, and many count for more."""
GROWN = 20
"""Levels at which paths are improved, closer together towards the highest."""
ASIDE = (0.4, 0.63, 0.8, 0.9, 1.12, 1.25, 1.6, 2.5)
"""Price vectors near those grown at, by one provider's price at a time, at which a policy may be kept for being cheapest."""


class Growth:
    """Policies found so far, and the price vectors at which they were looked for.

    made : whose paths are a start. levels : (L,) at which single policies are wanted too, beside mixtures; paths are improved
    at these (of very many, at `GROWN` evenly spread) and at `GROWN` others. targets : of them, those that always are.
    shortfall : the largest share by which a policy left out may be cheaper where `bound` has looked last; 1 before.
    """

    def __init__(self, made: Wide, levels: FloatArray, targets: FloatArray) -> None:
        self.made, self.levels, self.shortfall = made, levels, 1.0
        spread = np.unique(np.linspace(0, max(levels.size - 1, 0), GROWN).astype(np.int64))
        asked = np.union1d(targets, levels[spread[: levels.size]])
        self._watched = np.union1d(made.reach * np.sqrt(np.linspace(0.05, 1 - 1e-6, GROWN)), asked[asked <= made.reach + REACH])
        self._paths: dict[Path, int] = {}
        self._solved, self._units, self._path = (
            np.zeros(0),
            np.zeros((0, len(made.market.providers))),
            np.zeros(0, dtype=np.int64),
        )
        self._grown_at: list[FloatArray] = []
        self._every_level = np.union1d(levels, self._watched)
        self._on_hull: BoolArray = np.zeros(0, dtype=bool)
        self._serves: BoolArray = np.zeros((self._every_level.size, 0), dtype=bool)
        for path in made.paths:
            self._add(path)
        self._look()

    def __len__(self) -> int:
        return len(self._paths)

    def grow(self, prices: FloatArray) -> float:
        """Improve paths at each of R price vectors (R, M); the largest share of a level's cost that this saves anywhere.

        Notes
        -----
        The paths that are cheapest there for some level are the start. Every path is a policy at all prices, so those found
        at one price vector are a start at the next. In the end only policies are kept that are cheapest for something at or
        near some price vector looked at.
        """
        made, most = self.made, 0.0
        for row in prices:
            pool = Pool(made.market, made.rules, made.steps, row, self._watched)
            held, known = self._cost(row), list(self._paths)
            for number in np.unique(held[1][held[1] >= 0]):
                pool.offer(known[number])
            improve(pool, made.searched, DETAIL, made.tolerance)
            before = held[0]  # not the pool's at first: it also has what of a path is not held any more
            saved = 1.0 - np.divide(pool.cost, before, out=np.ones_like(before), where=np.isfinite(before) & (before > 0))
            most = max(most, float(saved.max()))
            for path in pool.held():
                if path not in self._paths:
                    self._add(path)
            self._grown_at.append(row)
        self._look()
        kept = np.flatnonzero(self._on_hull | self._serves.any(axis=0))
        self._solved, self._units, self._path = self._solved[kept], self._units[kept], self._path[kept]
        self._on_hull, self._serves = self._on_hull[kept], self._serves[:, kept]
        return most

    def bound(self, prices: FloatArray, work: float = 1e10) -> float:
        """The largest share by which any policy is cheaper than those held, at each of R price vectors (R, M), at most.

        work : spent on each, see `give_away_bound`.

        Notes
        -----
        See `give_away_bound`: of more providers than it can bound the share is 1.
        """
        made, self.shortfall = self.made, 0.0
        order = np.argsort(self._solved, kind="stable")
        every = ProductionSet(solved=self._solved[order], units=self._units[order], levels=self._watched)
        for row in prices:
            cost, policy = (found[0] for found in every.cost(self._watched, row[None]))
            known = np.isfinite(cost)
            units = np.where(known[:, None], every.units[policy], np.inf)
            held = PerLevel(paths=((),) * cost.size, units=units, cost=cost)
            least = give_away_bound(made.market, made.rules, made.steps, made.access, row, self._watched, held, work)
            self.shortfall = max(self.shortfall, float(np.max(1.0 - least[known] / cost[known], initial=0.0)))
        return self.shortfall

    def found(self, levels: FloatArray | None = None) -> ProductionSet:
        """The policies that are on the lower hull, or cheapest for one of some levels, at or near some price vector looked at.

        levels : (L,) among those that single policies are wanted for; None: all of them.
        """
        levels = self.levels if levels is None else levels
        asked = np.searchsorted(self._every_level, levels)
        kept = np.flatnonzero(self._on_hull | self._serves[asked].any(axis=0))
        return ProductionSet(solved=self._solved[kept], units=self._units[kept], levels=levels, shortfall=self.shortfall)

    def _look(self) -> None:
        """Put policies in order of pass, and see which are wanted at or near the price vectors looked at."""
        from eqsolver.technology._chains import wanted_at

        by_pass = np.argsort(self._solved, kind="stable")
        self._solved, self._units, self._path = self._solved[by_pass], self._units[by_pass], self._path[by_pass]
        first = np.searchsorted(self._solved, self._every_level - REACH).astype(np.int64)
        near = np.concatenate([_aside(row) for row in self._grown_at or [self.made.market.prices]])
        self._on_hull = np.zeros(self._solved.size, dtype=bool)
        self._serves = np.zeros((first.size, self._solved.size), dtype=bool)
        order = np.argsort(first, kind="stable")
        wanted_at(np.ascontiguousarray(self._units.T), self._solved, near, first, order, self._on_hull, self._serves)

    def _cost(self, prices: FloatArray) -> tuple[FloatArray, IntArray]:
        """Cost of the cheapest policy held for each watched level, and the number of its path, -1 for none."""
        order = np.argsort(self._solved, kind="stable")
        every = ProductionSet(solved=self._solved[order], units=self._units[order], levels=self._watched)
        cost, policy = every.cost(self._watched, prices[None])
        return cost[0], np.where(policy[0] >= 0, self._path[order][policy[0]], -1)

    def _add(self, path: Path) -> None:
        """Hold a path's prefixes: within a block only its provider's units grow, so vertices of each block's hull suffice."""
        made = self.made
        walked = walk(made.market, made.steps, path)
        at = np.searchsorted(walked.solved, np.append(self.levels, self._watched) - REACH)
        kept = [at[at < walked.solved.size]]
        for block in np.unique(walked.block[1:]):
            inside = np.flatnonzero(walked.block == block)
            start, i = inside[0] - 1, path[block][0]
            solved = walked.solved[inside] - walked.solved[start]
            vertices, _ = lower_hulls(solved, (walked.units[inside, i] - walked.units[start, i])[None])
            kept.append(inside[vertices[0, vertices[0] >= 0]])
        ways = np.unique(np.concatenate(kept))
        number = self._paths.setdefault(path, len(self._paths))
        self._solved = np.append(self._solved, walked.solved[ways])
        self._units = np.concatenate([self._units, walked.units[ways]])
        self._path = np.append(self._path, np.full(ways.size, number))


def _aside(prices: FloatArray) -> FloatArray:
    rows = [prices]
    for i in range(prices.size):
        for factor in ASIDE:
            rows.append(prices.copy())
            rows[-1][i] *= factor
    return np.array(rows)
