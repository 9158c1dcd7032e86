"""A robust allocation: what to buy, what it earns here, in the worst case and out of sample, and how exact all that is."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from eqsolver._base import FloatArray, UsageError
from eqsolver.market import Arbitrageur, Estimated, Geometric, Market, Policy, Provider, Regime
from eqsolver.posted import OutOfSample
from eqsolver.robust._honest import LeftOut
from eqsolver.robust._radius import Price
from eqsolver.robust._radius_choice import RadiusChoice
from eqsolver.robust._scenarios import Scenarios
from eqsolver.robust._sets import AmbiguitySet
from eqsolver.technology import Cascade, Rules, Steps, allotted

LEAST_WEIGHT = 1e-6
"""Policies with a smaller share of a mixture are not listed; the rest is scaled up."""

NAME = "robust"
"""Of the arbitrageur, and of the regime in which it is the only one, in a market written with a mixture."""

Mixture = tuple[tuple[Cascade, float], ...]
"""Policies and their shares, the largest first; shares sum to one, abstaining included."""


def listed(rules: Rules, steps: Sequence[Steps], policies: Sequence[Cascade], weights: FloatArray) -> Mixture:
    """The policies of a mixture that have a share worth naming, their thresholds as allotments."""
    kept = [k for k in np.argsort(-weights, kind="stable").tolist() if weights[k] >= LEAST_WEIGHT]
    total = float(weights[kept].sum())
    return tuple((allotted(rules, steps, policies[k]), float(weights[k]) / total) for k in kept)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Choice:
    """One mixture and what it earns; margins are shares of the market price.

    mixture : see `Mixture`. margins : (Xi,) in each scenario. nominal_margin, worst_case_margin : over the set.
    out_of_sample : cross-fitted. left_out : chosen without the scenario it is paid in; None where it was not asked for.
    """

    mixture: Mixture
    margins: FloatArray
    nominal_margin: float
    worst_case_margin: float
    out_of_sample: OutOfSample | None = None
    left_out: LeftOut | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Spending:
    """A mixture that keeps a floor, and what it needs, money per problem.

    floor : share solved that is asked for whatever the weights in the set. largest_floor : the most that any mixture keeps.
    """

    floor: float
    mixture: Mixture
    nominal_spend: float
    nominal_pass: float
    worst_case_spend: float
    worst_case_pass: float
    largest_floor: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RobustAllocation:
    """What an arbitrageur should buy that has to be prepared for every weighting of the scenarios in a set.

    chosen, nominal : the robust choice and the nominal optimum; None with a floor. spending : with a floor, instead of them.
    worst_case_weights : (Xi,). dual_value : no mixture of the policies held is worth more (with a floor: needs less).
    gap : between the two sides. policies : how many policies were held. price : of robustness; None with a floor.
    radius_choice : what spoke for the radius; None if it was given. one_attempt : see `technology.one_attempt`.
    """

    market: Market
    rules: Rules
    one_attempt: tuple[float, ...]
    options: Mapping[str, Any]
    scenarios: Scenarios
    within: AmbiguitySet
    chosen: Choice | None
    nominal: Choice | None
    spending: Spending | None
    worst_case_weights: FloatArray
    dual_value: float
    gap: float
    solver: str
    status: str
    policies: int
    price: Price | None
    radius_choice: RadiusChoice | None = None
    version: str = field(default_factory=lambda: importlib.metadata.version("eqsolver"))

    @property
    def mixture(self) -> Mixture:
        """What was asked for: policies and shares."""
        found = self.chosen or self.spending
        assert found is not None
        return found.mixture

    def to_frame(self) -> pd.DataFrame:
        """One row per scenario: problems, weights, and margins of both choices, in sample and left out."""
        columns: dict[str, Any] = {
            "scenario": self.scenarios.names,
            "problems": self.scenarios.problems,
            "weight": self.scenarios.weights,
            "worst_case_weight": self.worst_case_weights,
        }
        for name, choice in (("robust", self.chosen), ("nominal", self.nominal)):
            if choice is not None:
                columns[f"{name}_margin"] = choice.margins
                if choice.left_out is not None:
                    columns[f"{name}_margin_left_out"] = choice.left_out.paid
        return pd.DataFrame(columns)

    def to_dict(self) -> dict[str, Any]:
        """The keys of `eqsolver robust --json` (documented in the README)."""
        from eqsolver.robust._document import document

        return document(self)

    def arbitrageur(self, name: str = NAME) -> Arbitrageur:
        """The mixture as an arbitrageur's only policies; what is left of the weights abstains.

        Raises `UsageError` if the mixture only abstains: an arbitrageur without policies optimises.
        """
        names = self.market.names
        policies = tuple(
            Policy(order=tuple(names[i] for i in policy.order), thresholds=policy.thresholds, weight=weight)
            for policy, weight in self.mixture
            if policy.order
        )
        if not policies:
            raise UsageError("the mixture only abstains: there is no arbitrageur to write")
        return Arbitrageur(name=name, policies=policies)

    def in_market(self) -> Market:
        """The market with the mixture as a further arbitrageur, and a regime of the price game in which it is the only one.

        Logs become one class per problem, with p = c / n, or the mean of what is believed: a specification has no other odds.

        Raises `UsageError` if the mixture only abstains, or the names are taken.
        """
        market = self.market
        money = self.rules.allot == "money"
        cap = self.rules.provider_cap if np.isfinite(self.rules.provider_cap) else None
        check_in_market(market, cap)
        return replace(
            market,
            providers=tuple(_specified(provider) for provider in market.providers),
            max_budget=cap if money else market.max_budget,
            allot=self.rules.allot,
            overrun=self.rules.overrun if money else None,
            max_attempts=market.max_attempts if money or cap is None else int(cap),
            arbitrageurs=(*market.arbitrageurs, self.arbitrageur()),
            regimes=(*market.regimes, Regime(name=NAME, arbitrageurs=(NAME,))),
            dropped={},
        )


def check_in_market(market: Market, cap: float | None) -> None:
    """Raise `UsageError` unless a mixture can be written with its market: what `RobustAllocation.in_market` would find later.

    cap : on what is allotted, or None without one.
    """
    taken = {a.name for a in market.arbitrageurs} | {r.name for r in market.regimes}
    if NAME in taken:
        raise UsageError(f"market {market.name!r} has an arbitrageur or a regime named {NAME!r} already; rename it")
    if cap is None and market.max_budget is None and market.max_attempts is None:
        raise UsageError(f"market {market.name!r} has no cap, and a specification needs one: give max_budget or max_attempts")
    if any(isinstance(provider.odds, Estimated) for provider in market.providers):
        raise UsageError(f"market {market.name!r} has estimated odds, which a specification cannot hold")


def _specified(provider: Provider) -> Provider:
    odds = provider.odds
    return provider if isinstance(odds, Geometric) else replace(provider, odds=Geometric(success=odds.mean))
