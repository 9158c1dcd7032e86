"""Value types in narrow groups: what a group's members choose on average, exact in where they change from choice to choice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eqsolver._base import FloatArray, IntArray
from eqsolver.game._consumers import Crowd, crowd, discretised

GROUPS = 100
"""Groups of equal mass into which a population is cut."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Block:
    """Groups of one population, or value types each a group of its own. values : (T,) their means. masses : (T,)."""

    values: FloatArray
    masses: FloatArray
    population: Crowd | None

    def average(self, slope: FloatArray, added: FloatArray) -> FloatArray:
        """(R, T) mean over each group of a sum over choices: who values more than `slope` (R, E) gets `added` (R, E)."""
        rank = self._rank(slope)
        whole = np.floor(rank)
        part = rank - whole
        at = whole.astype(np.int64)
        T = self.values.size
        return _running(at, (1 - part) * added, T) + _running(at + 1, part * added, T)

    def at_mean(self, slope: FloatArray, added: FloatArray) -> FloatArray:
        """(R, T) the same for somebody with the group's mean value."""
        return _running(np.searchsorted(self.values, slope, side="right"), added, self.values.size)

    def _rank(self, slope: FloatArray) -> FloatArray:
        """How many groups value no more than this, a group that it cuts counting in part."""
        T = self.values.size
        if self.population is None:
            return np.searchsorted(self.values, slope, side="right").astype(np.float64)
        return np.asarray(np.clip(T * (1 - self.population.above(slope) / self.population.mass), 0.0, T))


def blocks(crowded: Crowd, groups: int = GROUPS) -> list[Block]:
    """Value types of a crowd; a population in so many groups."""
    found = []
    if crowded.values.size:
        found.append(Block(values=crowded.values, masses=crowded.masses, population=None))
    for population in crowded.populations:
        types = discretised(population, groups)
        values, masses = np.array([t.value for t in types]), np.array([t.mass for t in types])
        found.append(Block(values=values, masses=masses, population=crowd([population])))
    return found


def _running(at: IntArray, added: FloatArray, size: int) -> FloatArray:
    """(R, size) sums of what is added (R, E) at positions up to each."""
    R = len(at)
    flat = at + np.arange(R)[:, None] * (size + 2)
    total = np.bincount(flat.ravel(), added.ravel(), minlength=R * (size + 2)).reshape(R, size + 2)
    return np.asarray(np.cumsum(total, axis=1)[:, :size])


def with_own(others: FloatArray, player: int, own: FloatArray) -> FloatArray:
    """(R, M) a price vector (M,) with one player's price replaced by each of R."""
    prices = np.repeat(others[None], own.size, axis=0)
    prices[:, player] = own
    return prices
