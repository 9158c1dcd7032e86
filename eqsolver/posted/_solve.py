"""The market solved at posted prices: from a market and what is asked of it to one `Solution`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from eqsolver._base import FloatArray, UsageError
from eqsolver.market import Allot, Estimator, Market, Overrun, believed, check_resamples
from eqsolver.posted._cross_fit import check_sample
from eqsolver.posted._offers import offers
from eqsolver.posted._parts import Parts, Progress, silent
from eqsolver.posted._solution import Solution
from eqsolver.posted._undercutting import check_undercutting
from eqsolver.technology import (
    EFFORT,
    Cascade,
    Effort,
    Production,
    Steps,
    all_steps,
    build,
    levels_below,
    offered_reach,
    placed,
    rules,
)

DEFAULT_LEVELS = 100
POINTS_BELOW = 0.05
"""By default levels start this far below the best provider's reach, as in [OSH]."""


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
    effort: Effort = EFFORT,
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
    points, tolerance, effort : see `technology`.
    progress : called as work advances, whenever it does: parts are computed when they are asked for.

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
    say = progress or silent
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
    terms = rules(market, allot=allot, overrun=overrun, max_budget=max_budget, max_attempts=max_attempts)
    asked |= terms.options
    given_cascade = None if evaluated is None else _cascade(market, evaluated)

    say("reading curves", 0.0)
    listed = all_steps(market, terms)
    wanted = None if given_cascade is None else placed(terms, listed, given_cascade)
    say("building the production set", 0.05)
    made = build(market, terms, listed, access=access, points=points, tolerance=tolerance, levels=given, effort=effort)
    u = _default_levels(market, listed, made) if given is None else given
    asks = offers(market, listed, u)

    parts = Parts(
        made=made,
        offers=asks,
        wanted=wanted,
        access=access,
        bootstrap=bootstrap,
        cross_fits=cross_fits,
        seed=seed,
        points=points,
        tolerance=tolerance,
        effort=effort,
        say=say,
    )
    _ = parts.own, [parts.arbitrageur(who) for who in market.arbitrageurs if who.policies]  # faults of theirs are told at once
    factor, rounds = undercutting
    return Solution(
        market=market,
        rules=terms,
        options=asked,
        levels=u,
        offers=asks,
        wanted=given_cascade,
        factor=factor,
        rounds=rounds,
        estimate=estimate,
        parts=parts,
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


def _cascade(market: Market, pairs: Sequence[tuple[str, float]]) -> Cascade:
    order = market.positions([name for name, _ in pairs], "evaluate")
    return Cascade(order=order, thresholds=tuple(float(threshold) for _, threshold in pairs))
