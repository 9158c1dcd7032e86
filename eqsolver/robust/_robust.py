"""A robust allocation of a market: from a market and what is asked of it to one `RobustAllocation`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from os import PathLike
from typing import Any

import numpy as np

from eqsolver._base import FloatArray, NothingSolved, UsageError
from eqsolver.market import Allot, Market, Overrun
from eqsolver.posted import OutOfSample
from eqsolver.robust._allocation import Choice, RobustAllocation, Spending, listed
from eqsolver.robust._board import board
from eqsolver.robust._domains import domains as domains_of
from eqsolver.robust._honest import LeftOut, cross_fitted, leave_one_out
from eqsolver.robust._mixture import RobustMixture
from eqsolver.robust._nature import worst_weights
from eqsolver.robust._pool import Pool, pool
from eqsolver.robust._purchases import purchases
from eqsolver.robust._radius import along, price_of_robustness
from eqsolver.robust._radius_choice import RadiusRule, chosen_radius
from eqsolver.robust._scenarios import (
    Scenarios,
    domain_scenarios,
    folds,
    resampled_attempts,
    resampled_problems,
    success_rates,
)
from eqsolver.robust._sets import AmbiguitySet, ambiguity_set, distances
from eqsolver.technology import Rules, all_steps, one_attempt, rules

Progress = Callable[[str, float], None]
"""Called with what is being done and the share done of the whole, from 0 to 1."""

LARGEST = 1e100
"""Features, at most, in absolute value: distances are squares."""

MOST = 100_000
"""Scenarios that are drawn, at most."""

LEFT_OUT = 40
"""The most scenarios that are each left out in turn."""


def robust(
    market: Market,
    *,
    domains: str | Sequence[str | None] | None = None,
    sources: Sequence[str | PathLike[str]] = (),
    resamples: tuple[str, int] | None = None,
    within: str | AmbiguitySet = "tv:0.1",
    features: FloatArray | Mapping[str, Sequence[float]] | None = None,
    auto_radius: RadiusRule | None = None,
    floor: float | None = None,
    providers: Sequence[str] | None = None,
    access: Sequence[str] | None = None,
    private: Sequence[str] = (),
    levels: Sequence[float] | FloatArray | None = None,
    allot: Allot | None = None,
    overrun: Overrun | None = None,
    max_budget: float | None = None,
    max_attempts: int | None = None,
    prices: Mapping[str, float] | None = None,
    cross_fits: int = 5,
    seed: int = 0,
    progress: Progress | None = None,
) -> RobustAllocation:
    """The mixture of policies with the best worst case over a set of weightings of scenarios, and what to make of it.

    Parameters
    ----------
    market : from `load`, or made of `Provider`s.
    domains : the scenarios: the name of each problem's domain (None: of no domain), or text: a CSV file, a field of the logs
        that `sources` names, or a regular expression on the names of problems; see `domains`.
    resamples : instead of domains, ("problems" | "attempts", n) resamples, or ("folds", n) parts of the problems.
    within : the ambiguity set, as text (`tv:0.1`; see `ambiguity_set`) or made.
    features : of `wasserstein`, (Xi, d) or {scenario: numbers}; default: each provider's success rate per attempt there.
    auto_radius : choose the radius by `bootstrap` or `kfold`, see `chosen_radius`; that of `within` is ignored.
    floor : procurement instead of margins: problems are the scenarios; keep this share solved, and spend least.
    access : providers that policies may buy from. private : of these, those that sell to nobody else (a distilled student).
    levels : performance levels in (0, 1]; default: each scenario's own 20.
    allot, overrun, max_budget, max_attempts, prices, providers : as in `solve`.
    cross_fits : how many times the problems are halved for the margins out of sample; 0 leaves them out. seed : of all draws.
    progress : called as work advances.

    Raises
    ------
    MarketError, UsageError : what was asked makes no sense for this market. FloorTooHigh : no mixture keeps the floor.
    NotCertified : a program ended without its certificate.

    Notes
    -----
    THEORY section 8. Policies are threshold cascades of up to three providers, on a grid of thresholds that is refined near
    those that matter, and abstaining; dual value and gap are over all policies held, not over every cascade there is.
    """
    asked = {
        "domains": domains if domains is None or isinstance(domains, str) else "given",
        "resamples": None if resamples is None else list(resamples),
        "set": within if isinstance(within, str) else within.label,
        "features": None if features is None else "given",
        "auto_radius": auto_radius,
        "floor": floor,
        "providers": None if providers is None else list(providers),
        "access": None if access is None else list(access),
        "private": list(private),
        "levels": None if levels is None else [float(u) for u in levels],
        "allot": allot,
        "overrun": overrun,
        "max_budget": max_budget,
        "max_attempts": max_attempts,
        "prices": dict(prices) if prices else {},
        "cross_fits": cross_fits,
        "seed": seed,
    }
    say = progress or (lambda what, share: None)
    for name, value in (("seed", seed), ("cross_fits", cross_fits)):
        if value < 0:
            raise UsageError(f"{name} = {value} must be >= 0")
    if floor is not None and not 0 <= floor <= 1:
        raise UsageError(f"floor = {floor:g} must lie in [0, 1]. A percentage? Divide by 100.")
    if providers is not None:
        market = market.restrict(providers)
    if prices:
        market = market.at_prices(prices)
    terms = rules(market, allot=allot, overrun=overrun, max_budget=max_budget, max_attempts=max_attempts)
    asked |= terms.options
    bought = market.positions(list(market.names if access is None else access), "access")
    own = market.positions(list(private), "private")
    if len(set(own)) == len(market.providers):
        raise UsageError("private: somebody must sell to everybody, or there is no market price")
    selling = None if not own else [i for i in range(len(market.providers)) if i not in own]
    u = None if levels is None else _levels(levels)
    named = _set(within, auto_radius is not None)
    if features is not None and named.kind != "wasserstein":
        raise UsageError(f"features are what distances of wasserstein are made of, and the set is {named.label}")
    if floor is not None and any(given is not None for given in (domains, resamples, auto_radius, levels)):
        raise UsageError(
            "with a floor the problems are the scenarios: leave out domains, resamples, levels and the radius's choice"
        )
    if floor is None:
        scenarios = _scenarios(market, domains, sources, resamples, seed)
    else:
        N = market.weights.size
        scenarios = Scenarios(names=market.problems, shares=np.eye(N), weights=market.weights, problems=(1,) * N)
    if named.kind == "wasserstein" and named.distance is None:
        named = replace(named, distance=distances(_features(market, scenarios, features)))
    if floor is not None:
        say("buying", 0.1)
        return _procured(market, terms, asked, scenarios, named, floor, bought)
    say("trying policies", 0.05)
    made = pool(board(market, terms, scenarios, access=bought, selling=selling, levels=u))
    choice = None
    if auto_radius is not None:
        made.refine(named)
        choice = chosen_radius(
            made,
            named,
            auto_radius,
            levels=u,
            selling=selling,
            seed=seed,
            progress=lambda share: say("choosing the radius", 0.1 + 0.2 * share),
        )
        named = named.at(choice.radius)
    say("mixing", 0.3)
    sets = along(named, scenarios.weights)
    for within_ in (nominal_set := AmbiguitySet(kind="nominal"), named, *sets):
        made.refine(within_)
    found, plain = made.best(named), made.best(nominal_set)
    say("price of robustness", 0.4)
    curve = price_of_robustness(made, sets)
    halves = _cross_fitted(made, named, u, selling, cross_fits, seed, lambda share: say("halving", 0.45 + 0.3 * share))
    left = _left_out(made, named, resamples, lambda share: say("leaving out", 0.75 + 0.25 * share))
    say("done", 1.0)
    return RobustAllocation(
        market=market,
        rules=terms,
        one_attempt=one_attempt(terms, made.board.steps),
        options=asked,
        scenarios=scenarios,
        within=named,
        chosen=_choice(made, found, named, halves[0], left[0]),
        nominal=_choice(made, plain, named, halves[1], left[1]),
        spending=None,
        worst_case_weights=found.worst_case,
        dual_value=found.dual_value,
        gap=found.gap,
        solver=found.solver,
        status=found.status,
        policies=len(made.policies),
        price=curve,
        radius_choice=choice,
    )


def _levels(levels: Sequence[float] | FloatArray) -> FloatArray:
    u = np.unique(np.asarray(levels, dtype=np.float64))
    bad = u[~((u > 0) & (u <= 1))]
    if not u.size or bad.size:
        raise UsageError(
            "levels: " + (f"{bad[0]:g} is outside (0, 1]. Percentages? Divide by 100." if u.size else "none given")
        )
    return u


def _set(within: str | AmbiguitySet, auto_radius: bool) -> AmbiguitySet:
    if isinstance(within, AmbiguitySet):
        return within
    if auto_radius and ":" not in within and within in ("cvar", "tv", "chi2", "kl", "wasserstein"):
        within += ":1" if within == "cvar" else ":0.1"  # where to begin
    found = ambiguity_set(within)
    if auto_radius and found.radius is None:
        raise UsageError(f"auto_radius: {within!r} has no radius to choose; give cvar, tv, chi2, kl or wasserstein")
    return found


def _scenarios(
    market: Market,
    domains: str | Sequence[str | None] | None,
    sources: Sequence[str | PathLike[str]],
    resamples: tuple[str, int] | None,
    seed: int,
) -> Scenarios:
    if (domains is None) == (resamples is None):
        raise UsageError("give the scenarios, and in one way: domains (--domains), or resamples (--resamples problems:200)")
    if resamples is not None:
        kind, n = resamples
        made = {"problems": resampled_problems, "attempts": resampled_attempts, "folds": folds}
        if kind not in made or not 2 <= n <= MOST:
            raise UsageError(f"resamples {kind}:{n}: give problems:n, attempts:n or folds:n with n from 2 to {MOST}")
        return made[kind](market, n, seed)
    if isinstance(domains, str):
        return domain_scenarios(market, domains_of(market, domains, sources)[0])
    assert domains is not None
    if len(domains) != market.weights.size:
        raise UsageError(f"{len(domains)} domains for {market.weights.size} problems")
    return domain_scenarios(market, domains)


def _features(market: Market, scenarios: Scenarios, features: FloatArray | Mapping[str, Sequence[float]] | None) -> FloatArray:
    """(Xi, d): as given, or each provider's success rate per attempt in each scenario."""
    if features is None:
        return success_rates(market, scenarios.shares)
    if isinstance(features, Mapping):
        for name in scenarios.names:
            if name not in features:
                raise UsageError(f"features: scenario {name!r} has none; there are {', '.join(list(features)[:8])}")
        features = np.array([list(features[name]) for name in scenarios.names], dtype=np.float64)
    found = np.asarray(features, dtype=np.float64)
    if found.ndim != 2 or len(found) != len(scenarios):
        raise UsageError(f"features need a row of numbers for each of {len(scenarios)} scenarios, found {found.shape}")
    wrong = np.argwhere(~(np.abs(found) <= LARGEST))
    if wrong.size:
        s, c = wrong[0].tolist()
        raise UsageError(f"features of scenario {scenarios.names[s]!r}: {found[s, c]:g} is not finite, or above {LARGEST:g}")
    return found


def _choice(made: Pool, found: RobustMixture, within: AmbiguitySet, halves: OutOfSample | None, left: LeftOut | None) -> Choice:
    paid, q0 = made.margins @ found.weights, made.board.scenarios.weights
    return Choice(
        mixture=listed(made.board.rules, made.board.steps, made.policies, found.weights),
        margins=paid,
        nominal_margin=found.nominal_value,
        worst_case_margin=float(worst_weights(paid, q0, within) @ paid),
        out_of_sample=halves,
        left_out=left,
    )


def _cross_fitted(
    made: Pool,
    within: AmbiguitySet,
    levels: FloatArray | None,
    selling: Sequence[int] | None,
    repeats: int,
    seed: int,
    progress: Callable[[float], None],
) -> tuple[OutOfSample | None, OutOfSample | None]:
    if not repeats or made.board.market.weights.size < 4:
        return None, None
    first, second = cross_fitted(
        made.board,
        [within, AmbiguitySet(kind="nominal")],
        levels=levels,
        selling=selling,
        repeats=repeats,
        seed=seed,
        programs=made.programs,
        progress=progress,
    )
    return first, second


def _left_out(
    made: Pool, within: AmbiguitySet, resamples: tuple[str, int] | None, progress: Callable[[float], None]
) -> tuple[LeftOut | None, LeftOut | None]:
    """Where scenarios are different customers, and not the same ones drawn again."""
    count = len(made.board.scenarios)
    if (resamples is not None and resamples[0] != "folds") or not 2 <= count <= LEFT_OUT:
        return None, None
    first = leave_one_out(made, within, lambda share: progress(share / 2))
    return first, leave_one_out(made, AmbiguitySet(kind="nominal"), lambda share: progress(0.5 + share / 2))


def _procured(
    market: Market,
    terms: Rules,
    asked: Mapping[str, Any],
    scenarios: Scenarios,
    within: AmbiguitySet,
    floor: float,
    bought: Sequence[int],
) -> RobustAllocation:
    steps = all_steps(market, terms)
    if not any(steps[i].at.size for i in bought):
        raise NothingSolved("no provider in access ever solves a problem within the cap")
    held = purchases(market, terms, steps, bought)
    found = held.refine(within, floor)
    return RobustAllocation(
        market=market,
        rules=terms,
        one_attempt=one_attempt(terms, steps),
        options=asked,
        scenarios=scenarios,
        within=within,
        chosen=None,
        nominal=None,
        spending=Spending(
            floor=floor,
            mixture=listed(terms, steps, held.policies, found.weights),
            nominal_spend=found.nominal_spend,
            nominal_pass=found.nominal_pass,
            worst_case_spend=found.worst_case_spend,
            worst_case_pass=found.worst_case_pass,
            largest_floor=found.largest_floor,
        ),
        worst_case_weights=found.worst_case,
        dual_value=found.dual_value,
        gap=found.gap,
        solver=found.solver,
        status=found.status,
        policies=len(held.policies),
        price=None,
    )
