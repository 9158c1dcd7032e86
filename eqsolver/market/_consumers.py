"""Who buys verified solutions, and what these are worth to them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from eqsolver._base import MarketError
from eqsolver.market._checks import positive
from eqsolver.market._limits import LIMITS


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Consumers who want performance `level` if it costs at most `budget` per problem. `mass` is how many there are.

    level : pass rate in (0, 1]. budget : money, >= 0. mass : > 0.
    """

    level: float
    budget: float
    mass: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.level <= 1:
            raise MarketError(f"target consumers: level = {self.level:g} must lie in (0, 1]. A percentage? Divide by 100.")
        positive(self.budget, "target consumers: budget", zero=True)
        positive(self.mass, "target consumers: mass")


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """Consumers to whom a verified solution is worth `value` money, >= 0. `mass` is how many there are, > 0."""

    value: float
    mass: float = 1.0

    def __post_init__(self) -> None:
        positive(self.value, "value consumers: value", zero=True)
        positive(self.mass, "value consumers: mass")


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """Consumers whose value of a verified solution is distributed. `mass` is how many there are, > 0.

    distribution : `lognormal`, parameters (median, sigma), both > 0; or `uniform`, (low, high), 0 <= low < high.
    """

    distribution: str
    parameters: tuple[float, float]
    mass: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "parameters", tuple(self.parameters))
        where = f"{self.distribution} population: "
        if self.distribution not in ("lognormal", "uniform"):
            raise MarketError(f"a population's distribution is lognormal or uniform, found {self.distribution!r}")
        if len(self.parameters) != 2:
            raise MarketError(f"{where}needs 2 parameters, found {len(self.parameters)}")
        if self.distribution == "lognormal":
            positive(self.parameters[0], f"{where}median")
            positive(self.parameters[1], f"{where}sigma")
            _check_mean(self.parameters[0], self.parameters[1], where)
        else:
            positive(self.parameters[0], f"{where}low", zero=True)
            positive(self.parameters[1], f"{where}high")
            if not self.parameters[0] < self.parameters[1]:
                raise MarketError(f"{where}low = {self.parameters[0]:g} must be below high = {self.parameters[1]:g}")
        positive(self.mass, f"{where}mass")


def _check_mean(median: float, sigma: float, where: str) -> None:
    """A `MarketError` for a lognormal whose mean, median exp(sigma^2 / 2), is no number that money can be."""
    exponent = math.log(median) + sigma * sigma / 2
    if exponent > math.log(LIMITS.largest):
        raise MarketError(
            f"{where}the mean value, median exp(sigma^2 / 2), is over {LIMITS.largest:g} at sigma = {sigma:g}; it must be less"
        )


Consumers = Target | Value | Population
