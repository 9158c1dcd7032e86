"""What a solution is made of: each part is computed when it is first asked for, and kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from eqsolver._base import FloatArray, UsageError
from eqsolver.market import Arbitrageur
from eqsolver.posted._bootstrap import Bands, Policies, bands
from eqsolver.posted._cross_fit import OutOfSample, cross_fit
from eqsolver.posted._offers import Offers
from eqsolver.posted._outcomes import ArbitrageurOutcome, PolicyOutcome
from eqsolver.posted._resale import resale
from eqsolver.technology import (
    Block,
    Cascade,
    Effort,
    Optimum,
    Oracle,
    PerLevel,
    Production,
    allotments,
    along_hull,
    build,
    cheaper,
    evaluate,
    nondecreasing,
    oracle,
    placed,
    schedule_bound,
    schedules,
)

Progress = Callable[[str, float], None]
"""Called with what is being done and the share done of the whole, from 0 to 1."""


def silent(what: str, share: float) -> None:
    """Progress that nobody is told of."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Parts:
    """The policies of one solution and what is known of them, at every level. Paths are in positions, see `Rules`.

    made : the production set. offers : at the L levels. wanted : the cascade to evaluate beside the optimal ones, if any.
    access, bootstrap, cross_fits, seed, points, tolerance, effort : as in `solve`. say : told as work advances.
    """

    made: Production
    offers: Offers
    wanted: Cascade | None
    access: Sequence[str] | None
    bootstrap: int
    cross_fits: int
    seed: int
    points: int | None
    tolerance: float
    effort: Effort
    say: Progress

    @property
    def levels(self) -> FloatArray:
        """(L,) performance levels."""
        return self.offers.levels

    @property
    def prices(self) -> FloatArray:
        """(M,) multipliers."""
        return self.made.market.prices

    @cached_property
    def optimum(self) -> Optimum:
        """What is cheapest at these prices."""
        return Optimum(made=self.made, prices=self.prices, levels=self.levels, market_price=self.offers.market_price)

    @cached_property
    def fitted(self) -> Cascade:
        """The single cascade with the largest mean margin."""
        self.say("cascades", 0.35)
        return self.optimum.cascades.single

    @cached_property
    def single(self) -> PerLevel:
        """The fitted cascade at each level."""
        return self._evaluated(self.fitted)

    @cached_property
    def own(self) -> PerLevel | None:
        """The wanted cascade at each level."""
        return None if self.wanted is None else self._evaluated(self.wanted)

    @cached_property
    def per_level(self) -> PerLevel:
        """The cheapest cascade for each level."""
        self.say("cascades", 0.35)
        best = cheaper(self.optimum.cascades.per_level, alone(self.made, self.offers))
        return nondecreasing(self.made, best, self.prices, self.levels)

    @cached_property
    def schedule(self) -> PerLevel:
        """The cheapest schedule for each level; off an exact grid, a cascade where that is cheaper."""
        self.say("schedules", 0.55)
        best = self.optimum.schedules if self.made.exact else cheaper(self.optimum.schedules, self.per_level)
        return nondecreasing(self.made, best, self.prices, self.levels)

    @cached_property
    def gap(self) -> FloatArray:
        """(L,) share of the schedule's cost that any other could save at most; 0 if exact, nan where no schedule reaches."""
        cost = self.schedule.cost
        bound = schedule_bound(self.made, self.prices, self.levels, self.schedule, self.effort)
        with np.errstate(invalid="ignore", divide="ignore"):
            gap = np.where(cost > 0, 1.0 - np.clip(self.oracle.at(self.levels), bound, cost) / cost, 0.0)
        return np.where(np.isfinite(cost), gap, np.nan)

    @cached_property
    def mixed_cost(self) -> FloatArray:
        """(L,) cost of randomising between schedules."""
        return np.minimum(along_hull(self.levels, *self.optimum.hull), self.schedule.cost)

    @cached_property
    def oracle(self) -> Oracle:
        """The bound for policies without features of the problem."""
        self.say("oracle", 0.65)
        return oracle(self.made.market, self.made.rules, self.made.access, self.prices)

    @cached_property
    def bands(self) -> dict[str, Bands]:
        """Bands of each kind of policy over resampled problems; none without a bootstrap."""
        if not self.bootstrap:
            return {}
        constant = {"cascade": (self.fitted, self.single)}
        if self.wanted is not None and self.own is not None:
            constant["evaluated"] = (self.wanted, self.own)
        kinds: dict[str, Policies] = {
            name: ([cascade.path] * self.levels.size, at.paths) for name, (cascade, at) in constant.items()
        }
        kinds |= {name: (at.paths, at.paths) for name, at in (("per_level", self.per_level), ("schedule", self.schedule))}
        found = bands(
            self.made,
            self.prices,
            self.levels,
            list(kinds.values()),
            resamples=self.bootstrap,
            seed=self.seed,
            progress=lambda share: self.say("bootstrap", 0.7 + 0.2 * share),
        )
        return dict(zip(kinds, found, strict=True))

    @cached_property
    def out_of_sample(self) -> OutOfSample | None:
        """Margins of the single cascade on problems that it was not fitted to."""
        if not self.cross_fits:
            return None
        return cross_fit(
            self.made.market,
            self.made.rules,
            access=self.access,
            splits=self.cross_fits,
            seed=self.seed,
            progress=lambda share: self.say("halving", 0.9 + 0.1 * share),
        )

    def outcome(self, policies: PerLevel, kind: str) -> PolicyOutcome:
        """What one kind of policy earns."""
        paths = tuple(allotments(self.made.rules, self.made.steps, path) for path in policies.paths)
        sold = resale(self.offers, self.prices, [policies.units.T])
        return PolicyOutcome(paths=paths, resale=sold, bands=self.bands.get(kind))

    def arbitrageur(self, who: Arbitrageur) -> ArbitrageurOutcome:
        """What an arbitrageur of the market file earns: its fixed policies, or else the best schedules of its access.

        Raises `UsageError` if a fixed policy exceeds the cap or names a provider twice.
        """
        made, market = self.made, self.made.market
        named = f"arbitrageur {who.name!r}"
        paths: tuple[tuple[Block, ...], ...] = ()
        if who.policies:
            shares = [policy.weight for policy in who.policies]
            given = [Cascade(order=market.positions(p.order, named), thresholds=p.thresholds) for p in who.policies]
            cascades = [placed(made.rules, made.steps, cascade) for cascade in given]
            try:
                units = [self._evaluated(cascade).units.T for cascade in cascades]
            except UsageError as error:
                raise UsageError(f"{named}: {error}") from None
        else:
            best = self._best_of(market.positions(list(market.names if who.access is None else who.access), named))
            shares, units = [1.0], [best.units.T]
            paths = tuple(allotments(made.rules, made.steps, path) for path in best.paths)
        sold = resale(self.offers, self.prices, units, shares, who.overhead)
        return ArbitrageurOutcome(overhead=who.overhead, policy=PolicyOutcome(paths=paths, resale=sold, bands=None))

    def _best_of(self, access: Sequence[int]) -> PerLevel:
        """The cheapest schedules over some providers."""
        made = self.made
        found = self.optimum.schedules if set(access) == set(made.access) else None
        if found is None:
            names = [made.market.names[i] for i in access]
            made = build(
                made.market,
                made.rules,
                made.steps,
                access=names,
                points=self.points,
                tolerance=self.tolerance,
                levels=self.levels,
                effort=self.effort,
            )
            found = schedules(made, self.prices, self.levels)
        return nondecreasing(made, cheaper(found, alone(made, self.offers)), self.prices, self.levels)

    def _evaluated(self, cascade: Cascade) -> PerLevel:
        made = self.made
        return evaluate(made.market, made.rules, made.steps, cascade, self.levels)


def alone(made: Production, asks: Offers) -> PerLevel:
    """Buying each level from the one provider in access that asks least for it."""
    cost = asks.cost[list(made.access)]
    cheapest = np.argmin(cost, axis=0)
    units = np.full((asks.levels.size, len(made.market.providers)), np.inf)
    paths: list[tuple[tuple[int, float], ...]] = [()] * asks.levels.size
    for level, choice in enumerate(cheapest):
        i = made.access[choice]
        if np.isfinite(asks.cost[i, level]):
            units[level] = 0.0
            units[level, i] = asks.units[i, level]
            paths[level] = ((i, float(asks.position[i, level])),)
    return PerLevel(paths=tuple(paths), units=units, cost=cost.min(axis=0))
