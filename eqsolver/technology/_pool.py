"""The best path for each level among all those offered, whichever providers they buy from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eqsolver._base import FloatArray
from eqsolver.market import Market
from eqsolver.technology._columns import Columns
from eqsolver.technology._evaluate import PerLevel, bill
from eqsolver.technology._path import Block, Path, cut, tolls, walk
from eqsolver.technology._rules import Rules
from eqsolver.technology._schedule import REACH
from eqsolver.technology._steps import Steps


class Pool:
    """For each level the path that reaches it most cheaply, and the path that reaches furthest.

    levels, cost : (L,), infinite where nothing offered reaches. holders : per level the path, uncut; None if none.
    furthest, reach : the path that solves most, and how much.
    """

    def __init__(self, market: Market, rules: Rules, steps: Sequence[Steps], prices: FloatArray, levels: FloatArray) -> None:
        self.market, self.rules, self.steps, self.prices, self.levels = market, rules, steps, prices, levels
        self.columns = Columns(market, rules)
        self.cost = np.full(levels.size, np.inf)
        self.holders: list[Path | None] = [None] * levels.size
        self.furthest: Path = ()
        self.reach = 0.0
        self._offered: set[Path] = set()

    def offer(self, path: Path) -> FloatArray | None:
        """Follow a path exactly and keep it where it is cheapest: (L,) its cost per level; None if it was offered before."""
        path = self._within_cap(path)
        if not path or path in self._offered:
            return None
        self._offered.add(path)
        solved, cost = self.toll(path)
        at = np.searchsorted(solved, self.levels - REACH)
        found = np.append(cost, np.inf)[at]
        for level in np.flatnonzero(found < self.cost * (1 - 1e-12)):
            self.cost[level], self.holders[level] = found[level], path
        if solved[-1] > self.reach + REACH:
            self.reach, self.furthest = float(solved[-1]), path
        return found

    def toll(self, path: Path) -> tuple[FloatArray, FloatArray]:
        """(G,) share solved and money spent at each step of a path, the origin first."""
        return tolls(self.market, self.steps, path, self.prices)

    def held(self) -> dict[Path, list[int]]:
        """The levels that each path is the best for."""
        found: dict[Path, list[int]] = {}
        for level, path in enumerate(self.holders):
            if path is not None:
                found.setdefault(path, []).append(level)
        return found

    def policies(self) -> PerLevel:
        """The best path per level, cut where its level is reached, with its exact units."""
        paths: list[Path] = [()] * self.levels.size
        units = np.full((self.levels.size, len(self.market.providers)), np.inf)
        for path, where in self.held().items():
            walked = walk(self.market, self.steps, path)
            at = np.minimum(walked.reaching(self.levels[where]), walked.solved.size - 1)
            for level, g in zip(where, at, strict=True):
                paths[level], units[level] = cut(path, walked, int(g)), walked.units[g]
        return PerLevel(paths=tuple(paths), units=units, cost=bill(units, self.prices))

    def _within_cap(self, path: Path) -> Path:
        """The path cut where its allotments would exceed the caps."""
        cap, room = self.rules.largest_position, self.rules.largest_total
        position: dict[int, float] = {}
        kept: list[Block] = []
        for i, b in path:
            before = position.get(i, 0.0)
            upto = min(b, cap, before + room)
            if upto > before:
                kept.append((i, upto))
                room -= upto - before
                position[i] = upto
            if upto < b:
                break
        return tuple(kept)
