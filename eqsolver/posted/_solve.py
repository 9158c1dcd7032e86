"""The market solved at posted prices: from a market and what is asked of it to one `Solution`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from eqsolver._base import FloatArray, UsageError
from eqsolver.market import Allot, Arbitrageur, Estimator, Market, Overrun, believed, check_resamples
from eqsolver.posted._bootstrap import Bands, bands
from eqsolver.posted._cross_fit import check_sample, cross_fit
from eqsolver.posted._offers import Offers, offers
from eqsolver.posted._resale import resale
from eqsolver.posted._solution import ArbitrageurOutcome, PolicyOutcome, ScheduleOutcome, Solution
from eqsolver.posted._undercutting import check_undercutting, undercut
from eqsolver.technology import (
    Block,
    Cascade,
    PerLevel,
    Production,
    Steps,
    Wide,
    all_steps,
    allotments,
    allotted,
    along_hull,
    best_cascades,
    build,
    cheaper,
    evaluate,
    levels_below,
    nondecreasing,
    offered_reach,
    one_attempt,
    oracle,
    placed,
    rules,
    schedule_bound,
    schedule_hull,
    schedules,
)

DEFAULT_LEVELS = 100
POINTS_BELOW = 0.05
"""By default levels start this far below the best provider's reach, as in [OSH]."""

Progress = Callable[[str, float], None]
"""Called with what is being done and the share done of the whole, from 0 to 1."""


def solve(
    market: Market,
    *,
    providers: Sequence[str] | None = None,
    access: Sequence[str] | None = None,
    estimator: Estimator | None = None,
    levels: Sequence[float] | FloatArray | None = None,
    allot: Allot | None = None,
    overrun: Overrun | None = None,
    max_budget: float | None = None,
    max_attempts: int | None = None,
    prices: Mapping[str, float] | None = None,
    evaluated: Sequence[tuple[str, float]] | None = None,
    undercutting: tuple[float, int] = (0.93, 7),
    bootstrap: int = 0,
    cross_fits: int = 0,
    seed: int = 0,
    points: int | None = None,
    tolerance: float = 1e-3,
    progress: Progress | None = None,
) -> Solution:
    """Solve a market at posted prices: offers, market price, and what each kind of policy earns an arbitrageur.

    Parameters
    ----------
    market : from `load`, or made of `Provider`s.
    providers : restrict the market to these. access : restrict the arbitrageur to these; offers still come from all.
    estimator : of success probabilities from logs, such as `estimate.Npml()`, applied to the providers of the market; None:
        the unbiased estimator of THEORY section 2.
    levels : (L,) performance levels in (0, 1]; default 100 from 5 points below the best provider's reach to the best policy's.
    allot, overrun, max_budget, max_attempts : see `technology`. Money is at list price.
    prices : price multipliers to use instead of the market's.
    evaluated : a cascade to evaluate beside the optimal ones: (provider, threshold), first bought from first.
    undercutting : factor and number of rounds.
    bootstrap : number of resamples of the problems for 5-95 % bands of margins, buy costs and pass; 0 is none.
    seed : of all draws.
    cross_fits : how often the problems of logs are halved, for the single cascade's margin on the half it was not fitted to.
    points, tolerance : of the grid, see `technology`.
    progress : called as work advances.

    Raises
    ------
    MarketError, UsageError : what was asked makes no sense for this market.
    """
    asked = {
        "providers": list(providers) if providers is not None else None,
        "access": list(access) if access is not None else None,
        "estimator": "unbiased" if estimator is None else estimator.name,
        "levels": None if levels is None else [float(u) for u in levels],
        "allot": allot,
        "overrun": overrun,
        "max_budget": max_budget,
        "max_attempts": max_attempts,
        "prices": dict(prices) if prices else {},
        "evaluate": [list(pair) for pair in evaluated] if evaluated else None,
        "undercut": list(undercutting),
        "bootstrap": bootstrap,
        "cross_fits": cross_fits,
        "seed": seed,
        "points": points,
        "tolerance": tolerance,
    }
    say = progress or (lambda what, share: None)
    check_resamples(bootstrap, market.weights.size)
    check_undercutting(*undercutting)
    if cross_fits < 0:
        raise UsageError(f"cross_fits must be a number of splits >= 0, not {cross_fits}")
    if seed < 0:
        raise UsageError(f"seed must be >= 0, not {seed}")
    if not 0 < tolerance < 1:
        raise UsageError(f"tolerance must lie between 0 and 1, not {tolerance:g}")
    given = None if levels is None else checked_levels(levels)
    if providers is not None:
        market = market.restrict(providers)
    if prices:
        market = market.at_prices(prices)
    if estimator is not None:
        say("estimating", 0.0)
    market, estimate = believed(market, estimator, max_budget=max_budget, max_attempts=max_attempts)
    if cross_fits:
        check_sample(market)
    m = market.prices
    terms = rules(market, allot=allot, overrun=overrun, max_budget=max_budget, max_attempts=max_attempts)
    asked |= terms.options
    given_cascade = None if evaluated is None else _cascade(market, evaluated)

    say("reading curves", 0.0)
    listed = all_steps(market, terms)
    wanted = None if given_cascade is None else placed(terms, listed, given_cascade)
    say("building the production set", 0.05)
    made = build(market, terms, listed, access=access, points=points, tolerance=tolerance, levels=given)
    u = _default_levels(market, listed, made) if given is None else given
    asks = offers(market, listed, u)

    say("cascades", 0.35)
    cascades = best_cascades(made, m, u, asks.market_price)
    fitted = cascades.single
    single = evaluate(market, terms, listed, fitted, u)
    per_level = cheaper(cascades.per_level, _alone(made, asks))
    per_level = nondecreasing(made, per_level, m, u)
    say("schedules", 0.55)
    schedule = nondecreasing(made, cheaper(schedules(made, m, u), per_level), m, u)
    bound = schedule_bound(made, m, u, schedule)
    mixed_cost = np.minimum(along_hull(u, *schedule_hull(made, m)), schedule.cost)
    own = None if wanted is None else evaluate(market, terms, listed, wanted, u)
    say("oracle", 0.65)
    knowing = oracle(market, terms, made.access, m)

    kinds = [([fitted.path] * u.size, single.paths), *((best.paths, best.paths) for best in (per_level, schedule))]
    if wanted is not None and own is not None:
        kinds.append(([wanted.path] * u.size, own.paths))
    spread: Sequence[Bands | None] = [None] * len(kinds)
    if bootstrap:
        spread = bands(
            made, m, u, kinds, resamples=bootstrap, seed=seed, progress=lambda share: say("bootstrap", 0.7 + 0.2 * share)
        )
    honest = None
    if cross_fits:
        honest = cross_fit(
            market, terms, access=access, splits=cross_fits, seed=seed, progress=lambda share: say("halving", 0.9 + 0.1 * share)
        )

    def outcome(policies: PerLevel, band: Bands | None) -> PolicyOutcome:
        paths = tuple(allotments(terms, listed, path) for path in policies.paths)
        return PolicyOutcome(paths=paths, resale=resale(asks, m, [policies.units.T]), bands=band)

    cascade = outcome(single, spread[0])
    evaluation = None if own is None else outcome(own, spread[3])
    used = cascade if evaluation is None else evaluation
    sold_for = used.resale.buy_cost
    factor, rounds = undercutting
    with np.errstate(invalid="ignore", divide="ignore"):
        gap = np.where(schedule.cost > 0, 1.0 - np.clip(knowing.at(u), bound, schedule.cost) / schedule.cost, 0.0)
        mixed_margin = np.where(np.isfinite(asks.mixed_price), np.maximum(1.0 - mixed_cost / asks.mixed_price, 0.0), np.nan)
    say("done", 1.0)
    return Solution(
        market=market,
        rules=terms,
        options=asked,
        levels=u,
        offers=asks,
        fitted=allotted(terms, listed, fitted),
        cascade=cascade,
        cascade_per_level=outcome(per_level, spread[1]),
        schedule=ScheduleOutcome(
            policy=outcome(schedule, spread[2]),
            gap=np.where(np.isfinite(schedule.cost), gap, np.nan),
            mixed_buy_cost=mixed_cost,
            mixed_margin=mixed_margin,
        ),
        wanted=given_cascade,
        one_attempt=one_attempt(terms, listed),
        evaluated=evaluation,
        oracle_cost=knowing.at(u),
        oracle_relaxed=knowing.relaxed,
        undercutting=undercut(asks.market_price, np.stack([sold_for, sold_for]), factor, rounds),
        arbitrageurs={a.name: _arbitrageur(made, a, asks, points, tolerance) for a in market.arbitrageurs},
        grid=_grid_sizes(made),
        exact=made.exact,
        moved=made.moved,
        reach=max(made.reach, float(asks.reach.max())),
        estimate=estimate,
        out_of_sample=honest,
    )


def checked_levels(levels: Sequence[float] | FloatArray) -> FloatArray:
    u = np.unique(np.asarray(levels, dtype=np.float64))
    if u.size == 0:
        raise UsageError("levels: none given")
    bad = u[~((u > 0) & (u <= 1))]
    if bad.size:
        raise UsageError(f"levels: {bad[0]:g} is outside (0, 1]. Percentages? Divide by 100.")
    return u


def _default_levels(market: Market, listed: Sequence[Steps], made: Production) -> FloatArray:
    return levels_below(made.reach, made.reach - offered_reach(listed, market.weights) + POINTS_BELOW, DEFAULT_LEVELS)


def _grid_sizes(made: Production) -> tuple[int, ...]:
    """Grid points of the providers in access that are put on a grid, in the market's order."""
    on = made.usable if isinstance(made, Wide) else made.access
    return tuple(axis.size for _, axis in sorted(zip(on, made.grid, strict=True), key=lambda pair: pair[0]))


def _cascade(market: Market, pairs: Sequence[tuple[str, float]]) -> Cascade:
    order = market.positions([name for name, _ in pairs], "evaluate")
    return Cascade(order=order, thresholds=tuple(float(threshold) for _, threshold in pairs))


def _alone(made: Production, asks: Offers) -> PerLevel:
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


def _arbitrageur(main: Production, who: Arbitrageur, asks: Offers, points: int | None, tolerance: float) -> ArbitrageurOutcome:
    """What an arbitrageur of the market file earns: its fixed policies, or else the best schedules of its access."""
    market, m, u = main.market, main.market.prices, asks.levels
    named = f"arbitrageur {who.name!r}"
    paths: tuple[tuple[Block, ...], ...] = ()
    if who.policies:
        shares = [policy.weight for policy in who.policies]
        given = [Cascade(order=market.positions(p.order, named), thresholds=p.thresholds) for p in who.policies]
        cascades = [placed(main.rules, main.steps, cascade) for cascade in given]
        try:
            units = [evaluate(market, main.rules, main.steps, cascade, u).units.T for cascade in cascades]
        except UsageError as error:
            raise UsageError(f"{named}: {error}") from None
    else:
        access = market.positions(list(market.names if who.access is None else who.access), named)
        made = main
        if set(access) != set(main.access):
            names = [market.names[i] for i in access]
            made = build(market, main.rules, main.steps, access=names, points=points, tolerance=tolerance, levels=u)
        best = nondecreasing(made, cheaper(schedules(made, m, u), _alone(made, asks)), m, u)
        shares, units = [1.0], [best.units.T]
        paths = tuple(allotments(main.rules, main.steps, path) for path in best.paths)
    sold = resale(asks, m, units, shares, who.overhead)
    return ArbitrageurOutcome(overhead=who.overhead, policy=PolicyOutcome(paths=paths, resale=sold, bands=None))
