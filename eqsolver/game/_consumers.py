"""Consumers as distributions: how many value a solution above v, what those values sum to, and who wants which level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from eqsolver._base import FloatArray, IntArray, UsageError
from eqsolver.market import Consumers, Population, Target, Value


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Crowd:
    """All consumers of a market, ready for whole arrays of prices (THEORY section 5).

    values, masses : (T,) value types in increasing order, and how many there are of each.
    populations : value types by distribution.
    levels, budgets, target_masses : (G,) target types: level wanted, the most paid for it (money), how many there are.
    """

    values: FloatArray
    masses: FloatArray
    populations: tuple[Population, ...]
    levels: FloatArray
    budgets: FloatArray
    target_masses: FloatArray

    @property
    def mass(self) -> float:
        """How many consumers there are."""
        return float(self.masses.sum() + self.target_masses.sum() + sum(p.mass for p in self.populations))

    @property
    def has_values(self) -> bool:
        """Whether there is any value type."""
        return bool(self.values.size or self.populations)

    def above(self, value: FloatArray) -> FloatArray:
        """How many consumers of value type have a value above v: any shape in, the same out.

        A type whose value equals v is not above it: of two offers equally good to it, it takes the one with the lower price.
        """
        total = np.zeros_like(value)
        if self.values.size:
            left = np.append(np.cumsum(self.masses[::-1])[::-1], 0.0)
            total += left[np.searchsorted(self.values, value, side="right")]
        for population in self.populations:
            first, second = population.parameters
            if population.distribution == "lognormal":
                total += population.mass * special.ndtr(-_z(value, first, second))
            else:
                total += population.mass * np.clip((second - value) / (second - first), 0.0, 1.0)
        return total

    def bought(self, slope: tuple[FloatArray, FloatArray], needed: FloatArray, rows: IntArray, scale: FloatArray) -> FloatArray:
        """(R, M) units that value types buy at prices `scale` (R,) times as high as those of some `rows` (R,) of a table.

        slope : (K, E) value from which they take at least choice e, increasing, infinite pads; and its logarithm.
        needed : (K, E, M) what each choice needs.
        """
        from eqsolver.game._bought import LOGNORMAL, UNIFORM, bought

        populations = np.zeros((len(self.populations), 4))
        for row, population in zip(populations, self.populations, strict=True):
            first, second = population.parameters
            lognormal = population.distribution == "lognormal"
            row[:] = (
                (LOGNORMAL, np.log(first), second, population.mass) if lognormal else (UNIFORM, first, second, population.mass)
            )
        left = np.append(np.cumsum(self.masses[::-1])[::-1], 0.0)
        total = np.empty((rows.size, needed.shape[2]))
        bought(*slope, needed, rows, scale, np.log(scale), (self.values, left), populations, total)
        return total

    def worth_above(self, value: FloatArray) -> FloatArray:
        """The sum of the values of those whom `above` counts, money."""
        total = np.zeros_like(value)
        if self.values.size:
            left = np.append(np.cumsum((self.values * self.masses)[::-1])[::-1], 0.0)
            total += left[np.searchsorted(self.values, value, side="right")]
        for population in self.populations:
            first, second = population.parameters
            if population.distribution == "lognormal":
                mean = first * np.exp(second**2 / 2)
                total += population.mass * mean * special.ndtr(second - _z(value, first, second))
            else:
                from_here = np.clip(value, first, second)
                total += population.mass * (second**2 - from_here**2) / (2 * (second - first))
        return total


def _z(value: FloatArray, median: float, sigma: float) -> FloatArray:
    with np.errstate(divide="ignore"):
        z: FloatArray = (np.log(np.maximum(value, 0.0)) - np.log(median)) / sigma
        return z


def crowd(consumers: Sequence[Consumers]) -> Crowd:
    """Gather consumers; raises `UsageError` if there are none."""
    if not consumers:
        raise UsageError("there are no consumers: state them in the market file, or give them as `consumers`")
    values = sorted((c.value, c.mass) for c in consumers if isinstance(c, Value))
    targets = sorted((c.level, c.budget, c.mass) for c in consumers if isinstance(c, Target))
    return Crowd(
        values=np.array([v for v, _ in values]),
        masses=np.array([mass for _, mass in values]),
        populations=tuple(c for c in consumers if isinstance(c, Population)),
        levels=np.array([u for u, _, _ in targets]),
        budgets=np.array([r for _, r, _ in targets]),
        target_masses=np.array([mass for _, _, mass in targets]),
    )


def discretised(population: Population, types: int) -> list[Value]:
    """A population as value types: the means of `types` equal shares of it."""
    share = np.arange(types + 1) / types
    first, second = population.parameters
    if population.distribution == "lognormal":
        edges = first * np.exp(second * special.ndtri(share))
    else:
        edges = first + (second - first) * share
    worth = crowd([population]).worth_above(edges)
    each = population.mass / types
    return [Value(value=float(v), mass=each) for v in (worth[:-1] - worth[1:]) / each]
