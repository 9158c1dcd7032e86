"""Resellers of verified solutions, the policies they may be held to, and the regimes they compete in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eqsolver._base import MarketError
from eqsolver.market._checks import WEIGHT_TOLERANCE, positive

BUILT_IN_REGIMES = ("direct", "matching", "monopoly", "competitive")


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A threshold cascade as data, and the share of customers it is used for.

    order : names of providers, first bought from first.
    thresholds : the most allotted to each of them per problem: money at list price (attempts, if these are allotted).
    weight : share of queries that follow it, in (0, 1].
    """

    order: tuple[str, ...]
    thresholds: tuple[float, ...]
    weight: float = 1.0

    def __post_init__(self) -> None:
        if len(self.order) != len(self.thresholds):
            raise MarketError(f"a policy with {len(self.order)} providers in order has {len(self.thresholds)} thresholds")
        if len(set(self.order)) != len(self.order):
            raise MarketError(f"a policy names a provider twice: {', '.join(self.order)}")
        for threshold in self.thresholds:
            if not (threshold >= 0 and np.isfinite(threshold)):
                raise MarketError(f"a policy's thresholds must be >= 0 and finite, found {threshold:g}")
        if not 0 < self.weight <= 1 + WEIGHT_TOLERANCE:
            raise MarketError(f"a policy's weight must lie in (0, 1], found {self.weight:g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Arbitrageur:
    """A reseller of verified solutions.

    access : names of the providers it buys from; None is all of them.
    overhead : its own cost as a share of its provider bill, >= 0.
    policies : if any, the only policies it may use, with weights; weight left over abstains. Empty: it optimises.
    """

    name: str
    access: tuple[str, ...] | None = None
    overhead: float = 0.0
    policies: tuple[Policy, ...] = ()

    def __post_init__(self) -> None:
        where = f"arbitrageur {self.name!r}: "
        if not self.name:
            raise MarketError("an arbitrageur needs a name")
        if self.access is not None and (not self.access or len(set(self.access)) != len(self.access)):
            raise MarketError(f"{where}access must name at least one provider, and none twice")
        positive(self.overhead, f"{where}overhead", zero=True)
        total = sum(policy.weight for policy in self.policies)
        if total > 1 + WEIGHT_TOLERANCE:
            raise MarketError(f"{where}weights of its policies sum to {total:g}, more than 1")
        if self.access is not None:
            for policy in self.policies:
                for name in policy.order:
                    if name not in self.access:
                        raise MarketError(f"{where}a policy buys from {name!r}, outside its access")


@dataclass(frozen=True, slots=True, kw_only=True)
class Regime:
    """A regime of the price game: the market's arbitrageurs, by name, that compete in quotes in it."""

    name: str
    arbitrageurs: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.name:
            raise MarketError("a regime needs a name")
        if self.name in BUILT_IN_REGIMES:
            raise MarketError(f"regime {self.name!r}: the name is taken ({', '.join(BUILT_IN_REGIMES)} are built in)")
        if len(set(self.arbitrageurs)) != len(self.arbitrageurs):
            raise MarketError(f"regime {self.name!r} names an arbitrageur twice")
