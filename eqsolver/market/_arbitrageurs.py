"""Resellers of verified solutions, the policies they may be held to, and the regimes they compete in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from eqsolver._base import MarketError
from eqsolver.market._checks import WEIGHT_TOLERANCE, positive
from eqsolver.market._limits import check_magnitude, check_name

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
        check_magnitude(np.array(self.thresholds, dtype=np.float64), "a policy's thresholds")
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
        check_name(self.name, "arbitrageur")
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

    def within(self, names: Sequence[str]) -> Arbitrageur | None:
        """The same arbitrageur where only some providers sell; None if it cannot buy, or not as its policies say."""
        access = None if self.access is None else tuple(name for name in self.access if name in names)
        bought = {name for policy in self.policies for name in policy.order}
        return None if access == () or bought - set(names) else replace(self, access=access)


@dataclass(frozen=True, slots=True, kw_only=True)
class Regime:
    """A regime of the price game: the market's arbitrageurs, by name, that compete in quotes in it."""

    name: str
    arbitrageurs: tuple[str, ...]

    def __post_init__(self) -> None:
        check_name(self.name, "regime")
        if self.name in BUILT_IN_REGIMES:
            raise MarketError(f"regime {self.name!r}: the name is taken ({', '.join(BUILT_IN_REGIMES)} are built in)")
        if len(set(self.arbitrageurs)) != len(self.arbitrageurs):
            raise MarketError(f"regime {self.name!r} names an arbitrageur twice")
