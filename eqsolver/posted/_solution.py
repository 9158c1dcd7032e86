"""What `solve` hands over: every figure per level, with the market, rules and options that made it."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from eqsolver._base import FloatArray
from eqsolver.market import Estimate, Market
from eqsolver.posted._bootstrap import Bands
from eqsolver.posted._cross_fit import OutOfSample
from eqsolver.posted._offers import Offers
from eqsolver.posted._resale import Resale
from eqsolver.posted._segments import Segmentation, segmentation
from eqsolver.posted._undercutting import Undercutting
from eqsolver.technology import Block, Cascade, Rules

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PolicyOutcome:
    """One kind of policy at every level.

    paths : L paths of (position of provider, allotment) blocks; empty for mixtures. resale : what it earns, and who else earns.
    bands : 5 % and 95 % points over resampled problems, the policies held fixed; None without bootstrap.
    """

    paths: tuple[tuple[Block, ...], ...]
    resale: Resale
    bands: Bands | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScheduleOutcome:
    """The optimal schedule.

    gap : (L,) share of its buy cost that any other schedule, between the grid's points too, could save at most; 0 if exact.
    mixed_buy_cost : (L,) buying by randomising between schedules per query, the lower hull of their costs.
    mixed_margin : (L,) of that against the lower hull of all offers; nan above the best provider's reach.
    """

    policy: PolicyOutcome
    gap: FloatArray
    mixed_buy_cost: FloatArray
    mixed_margin: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ArbitrageurOutcome:
    """An arbitrageur of the market file: overhead as a share of its provider bill, and what its policy earns."""

    overhead: float
    policy: PolicyOutcome


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Solution:
    """A market solved at posted prices. Money is per problem, in the market's unit; axes are (provider, level).

    levels : (L,) performance levels. offers : of the providers on their own, and the market price.
    fitted, cascade : the best single threshold vector for all levels, and its outcome. cascade_per_level : the best for each.
    schedule : the best interleaving for each level. evaluated : the cascade asked for (`wanted`), if any.
    oracle_cost : (L,) no policy without features of the problem costs less; loose, see `technology.oracle`.
    oracle_relaxed : problems on which that bound is looser still, because enumerating their attempt vectors was too large.
    arbitrageurs : those of the market file, by name.
    grid, exact, moved : grid points per provider in access; whether they are all steps; see `Technology.moved`.
    one_attempt : (M,) the largest allotment that buys one attempt, see `technology.one_attempt`.
    reach : the highest level any policy or provider reaches. estimate : what the logs were replaced by; None: by nothing.
    out_of_sample : margins of the single cascade on problems that it was not fitted to; None if that was not asked for.
    """

    market: Market
    rules: Rules
    one_attempt: tuple[float, ...]
    options: Mapping[str, Any]
    levels: FloatArray
    offers: Offers
    fitted: Cascade
    cascade: PolicyOutcome
    cascade_per_level: PolicyOutcome
    schedule: ScheduleOutcome
    wanted: Cascade | None
    evaluated: PolicyOutcome | None
    oracle_cost: FloatArray
    oracle_relaxed: int
    undercutting: Undercutting
    arbitrageurs: Mapping[str, ArbitrageurOutcome]
    grid: tuple[int, ...]
    exact: bool
    moved: float
    reach: float
    estimate: Estimate | None = None
    out_of_sample: OutOfSample | None = None

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
