"""What `solve` hands over: every figure per level, with the market, rules and options that made it."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from eqsolver._base import FloatArray
from eqsolver.market import Estimate, Market
from eqsolver.posted._cross_fit import OutOfSample
from eqsolver.posted._offers import Offers
from eqsolver.posted._outcomes import ArbitrageurOutcome, PolicyOutcome
from eqsolver.posted._parts import Parts
from eqsolver.posted._segments import Segmentation, segmentation
from eqsolver.posted._undercutting import Undercutting, undercut
from eqsolver.technology import Cascade, Rules, Wide, allotted, one_attempt

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True, eq=False)
class ScheduleOutcome:
    """The optimal schedule. Each figure is computed when it is first asked for, and kept."""

    parts: Parts

    @cached_property
    def policy(self) -> PolicyOutcome:
        """What it earns, and who else earns."""
        return self.parts.outcome(self.parts.schedule, "schedule")

    @property
    def gap(self) -> FloatArray:
        """(L,) share of its buy cost that any other schedule, between the grid's points too, could save at most; 0 if exact."""
        return self.parts.gap

    @property
    def mixed_buy_cost(self) -> FloatArray:
        """(L,) buying by randomising between schedules per query, the lower hull of their costs."""
        return self.parts.mixed_cost

    @property
    def mixed_margin(self) -> FloatArray:
        """(L,) margin of that against the lower hull of all offers; nan above the best provider's reach."""
        price = self.parts.offers.mixed_price
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(np.isfinite(price), np.maximum(1.0 - self.mixed_buy_cost / price, 0.0), np.nan)


@dataclass(frozen=True, kw_only=True, eq=False)
class Solution:
    """A market solved at posted prices. Money is per problem, in the market's unit; axes are (provider, level).

    Offers are known at once. Policies and what follows from them are computed when they are first asked for, and kept;
    `complete` computes all of them.

    market : solved. rules : of buying. options : what was asked for. levels : (L,) performance levels.
    offers : of the providers on their own, and the market price. wanted : the cascade to evaluate beside the optimal ones.
    factor, rounds : of undercutting. estimate : what the logs were replaced by; None: by nothing.
    parts : the policies, as paths of positions.
    """

    market: Market
    rules: Rules
    options: Mapping[str, Any]
    levels: FloatArray
    offers: Offers
    wanted: Cascade | None
    factor: float
    rounds: int
    estimate: Estimate | None
    parts: Parts

    def complete(self) -> Solution:
        """Compute every part that has not been asked for yet; the solution itself."""
        _ = self.cascade, self.cascade_per_level, self.schedule.gap, self.schedule.mixed_buy_cost, self.evaluated
        _ = self.oracle_cost, self.arbitrageurs, self.out_of_sample
        self.parts.say("done", 1.0)
        return self

    @cached_property
    def fitted(self) -> Cascade:
        """The best single threshold vector for all levels, in allotments."""
        return allotted(self.rules, self.parts.made.steps, self.parts.fitted)

    @cached_property
    def cascade(self) -> PolicyOutcome:
        """The outcome of the best single threshold vector for all levels."""
        return self.parts.outcome(self.parts.single, "cascade")

    @cached_property
    def cascade_per_level(self) -> PolicyOutcome:
        """The outcome of the best cascade for each level."""
        return self.parts.outcome(self.parts.per_level, "per_level")

    @cached_property
    def schedule(self) -> ScheduleOutcome:
        """The best interleaving for each level."""
        return ScheduleOutcome(parts=self.parts)

    @cached_property
    def evaluated(self) -> PolicyOutcome | None:
        """The outcome of the cascade asked for, if any."""
        return None if self.parts.own is None else self.parts.outcome(self.parts.own, "evaluated")

    @cached_property
    def oracle_cost(self) -> FloatArray:
        """(L,) no policy without features of the problem costs less; loose, see `technology.oracle`."""
        return self.parts.oracle.at(self.levels)

    @property
    def oracle_relaxed(self) -> int:
        """Problems on which that bound is looser still, because enumerating their attempt vectors was too large."""
        return self.parts.oracle.relaxed

    @cached_property
    def undercutting(self) -> Undercutting:
        """How two alike arbitrageurs with the policy that is `used` undercut each other."""
        sold_for = self.used.resale.buy_cost
        return undercut(self.offers.market_price, np.stack([sold_for, sold_for]), self.factor, self.rounds)

    @cached_property
    def arbitrageurs(self) -> Mapping[str, ArbitrageurOutcome]:
        """What those of the market file earn, by name."""
        return {who.name: self.parts.arbitrageur(who) for who in self.market.arbitrageurs}

    @property
    def out_of_sample(self) -> OutOfSample | None:
        """Margins of the single cascade on problems that it was not fitted to; None if that was not asked for."""
        return self.parts.out_of_sample

    @property
    def one_attempt(self) -> tuple[float, ...]:
        """(M,) the largest allotment that buys one attempt, see `technology.one_attempt`."""
        return one_attempt(self.rules, self.parts.made.steps)

    @property
    def grid(self) -> tuple[int, ...]:
        """Grid points of the providers in access that are put on a grid, in the market's order."""
        made = self.parts.made
        on = made.usable if isinstance(made, Wide) else made.access
        return tuple(axis.size for _, axis in sorted(zip(on, made.grid, strict=True), key=lambda pair: pair[0]))

    @property
    def exact(self) -> bool:
        """Whether grid points are all steps."""
        return self.parts.made.exact

    @property
    def moved(self) -> float:
        """By how much optima moved when the grid was last refined, see `Technology.moved`; 0 if exact."""
        return self.parts.made.moved

    @property
    def reach(self) -> float:
        """The highest level any policy or provider reaches."""
        return max(self.parts.made.reach, float(self.offers.reach.max()))

    @property
    def version(self) -> str:
        """Version of eqsolver that solved it."""
        return importlib.metadata.version("eqsolver")

    @property
    def used(self) -> PolicyOutcome:
        """The policy behind `undercutting`, `segmentation` and `marginal_revenue`: the evaluated cascade, else the fitted."""
        return self.cascade if self.evaluated is None else self.evaluated

    @property
    def unreached(self) -> FloatArray:
        """Levels that no policy reaches: neither a provider's own offer nor a schedule."""
        beyond = np.isinf(self.schedule.policy.resale.buy_cost) & np.isinf(self.offers.market_price)
        return self.levels[beyond]

    @property
    def segmentation(self) -> dict[str, Segmentation]:
        """Providers with revenue, their concentration, and how widely each sells, `without` and `with` the arbitrageur."""
        return {key: segmentation(self.levels, revenue) for key, revenue in self._revenues().items()}

    @property
    def hhi(self) -> dict[str, FloatArray]:
        """(L,) Herfindahl-Hirschman index of providers' revenue, in (0, 1], `without` and `with` the arbitrageur."""
        return {key: found.hhi for key, found in self.segmentation.items()}

    @property
    def sellers(self) -> dict[str, FloatArray]:
        """(L,) number of providers with revenue, `without` and `with` the arbitrageur; nan where there is no market price."""
        return {key: found.sellers for key, found in self.segmentation.items()}

    @property
    def marginal_revenue(self) -> dict[str, dict[str, FloatArray]]:
        """Marginal revenue of providers, (M, L) each, `without` and `with` the arbitrageur.

        per_point : d(revenue_i)/du per point of performance (0.01), by central differences along the levels; nan for one level.
        per_price : d(revenue_i)/dm_i at fixed choices of customers and arbitrageur, which is what i sells (Shephard).
        """
        points = 100 * self.levels
        revenues, m = self._revenues(), self.market.prices[:, None]
        few = self.levels.size < 2
        per_point = {
            key: np.full_like(revenue, np.nan) if few else np.gradient(revenue, points, axis=1)
            for key, revenue in revenues.items()
        }
        return {"per_point": per_point, "per_price": {key: revenue / m for key, revenue in revenues.items()}}

    def _revenues(self) -> dict[str, FloatArray]:
        return {"without": self.offers.revenue, "with": self.used.resale.revenue}

    def to_dict(self) -> dict[str, Any]:
        """The answer as the JSON object that the README documents; `None` where a level cannot be reached."""
        from eqsolver.posted._document import document

        return document(self)

    def to_frame(self) -> pd.DataFrame:
        """One row per level: provider costs, market price, and per policy its buy cost and margin."""
        import pandas as pd

        columns: dict[str, Any] = {"level": self.levels}
        columns |= {f"cost {name}": cost for name, cost in zip(self.market.names, self.offers.cost, strict=True)}
        columns |= {"market price": self.offers.market_price}
        for label, outcome in self.policies().items():
            columns |= {f"{label} buy cost": outcome.resale.buy_cost, f"{label} margin": outcome.resale.margin}
        columns |= {"schedule gap": self.schedule.gap, "oracle cost": self.oracle_cost}
        return pd.DataFrame(columns)

    def policies(self) -> dict[str, PolicyOutcome]:
        """The policies compared, by name, from the plainest to the best."""
        found = {} if self.evaluated is None else {"evaluated": self.evaluated}
        return found | {
            "cascade": self.cascade,
            "cascade per level": self.cascade_per_level,
            "schedule": self.schedule.policy,
        }
