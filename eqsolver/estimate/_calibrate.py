"""Calibration: attempt logs in, a market of a few problem classes out, with the errors that this makes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from eqsolver._base import NotCertified, UsageError
from eqsolver.estimate._classes import ClassFit, fit_classes
from eqsolver.estimate._margins import Judged, groups, judged_levels, schedule_margins
from eqsolver.market import Geometric, Market, Sampled

SIZES = (8, 10, 12, 14, 16)
"""Numbers of classes tried, in sixteenths of the most allowed: no more classes than the goals need."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Goals:
    """Errors that are small enough, as shares: 0.005 is half a point.

    pass_error : of any provider's pass, at any budget up to the cap.
    margin_mean, margin_worst : of the best schedule's margin, over the judged levels of each judged market.
    """

    pass_error: float = 0.005
    margin_mean: float = 0.02
    margin_worst: float = 0.04


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Calibration:
    """A specification by classes, and how far it is from the logs it stands for.

    market : the specification: K classes with geometric attempts, the logs' names, prices and cap.
    pass_error : by provider, a bound on the error of its pass over every budget from 0 to the cap.
    reach_error : by provider, pass at the cap, classes minus logs.
    judged : margins at levels near the reach: of the whole market up to 4 providers, of every pair of more, or of each
        student with its teacher.
    margin_error_mean, margin_error_worst : of the absolute differences where both exist, in the judged market where it is
        largest; nan if nowhere.
    met : every goal holds. A margin that exists nowhere counts as met.
    """

    market: Market
    pass_error: Mapping[str, float]
    reach_error: Mapping[str, float]
    judged: tuple[Judged, ...]
    margin_error_mean: float
    margin_error_worst: float
    met: bool
    goals: Goals
    seed: int

    @property
    def classes(self) -> int:
        """K, the number of classes."""
        return len(self.market.weights)


def calibrate(
    market: Market,
    *,
    classes: int,
    max_budget: float | None = None,
    teacher: str | None = None,
    seed: int = 0,
    goals: Goals | None = None,
    progress: Callable[[str], None] | None = None,
) -> Calibration:
    """Turn a market of attempt logs into a specification of at most `classes` problem classes.

    Parameters
    ----------
    market : with logs of every provider. classes : the most classes; fewer are returned if they meet the goals.
    max_budget : the cap up to which curves are to agree and which the specification states; default the market's.
    teacher : of a family of students: only pairs with it are fitted and judged, since nobody combines students. None: all.
    goals : errors small enough. seed : of the fit. progress : is told, in a line, of every step.

    Returns
    -------
    The smallest specification found that meets the goals, or the closest to them, with `met` false.

    Raises
    ------
    UsageError : no cap, `classes` below 1, an unknown teacher or one without students, or a provider that is given by
        classes already.
    NotCertified : a convex program did not reach its optimum, at any size that was tried.

    Notes
    -----
    THEORY section 2. Sizes are bisected between half of `classes` and all of them: three fits at most. A size whose weights do
    not solve is passed over for a larger one. Fewer problems
    than classes need one fit, since classes start from groups of problems.
    """
    if classes < 1:
        raise UsageError(f"classes = {classes}: a specification needs at least 1 class")
    cap = market.max_budget if max_budget is None else max_budget
    if cap is None:
        raise UsageError(
            f"market {market.name!r}: calibration needs max_budget, the budget up to which curves are to agree; "
            "state it in the market or as max_budget"
        )
    if not (cap > 0 and math.isfinite(cap)):
        raise UsageError(f"max_budget = {cap:g} must be positive and finite")
    odds = [provider.odds for provider in market.providers]
    logs = [o for o in odds if isinstance(o, Sampled)]
    if len(logs) != len(odds):
        names = ", ".join(p.name for p in market.providers if not isinstance(p.odds, Sampled))
        raise UsageError(f"market {market.name!r}: {names} is given by classes already; calibration starts from logs")
    goals = Goals() if goals is None else goals
    if teacher is not None and (teacher not in market.names or len(odds) < 2):
        raise UsageError(f"teacher {teacher!r}: the market needs it and a student beside it; it has {', '.join(market.names)}")
    logs_judged = _of_logs(market, cap, teacher)

    def judge(fit: ClassFit) -> Calibration:
        made = _judged(_specification(market, fit, cap), market, fit, cap, logs_judged, goals, seed)
        if progress is not None:
            progress(
                f"{made.classes} classes: pass within {100 * max(made.pass_error.values()):.2f} points, margins within "
                f"{100 * made.margin_error_mean:.2f} on average and {100 * made.margin_error_worst:.2f} at worst"
            )
        return made

    def attempt(size: int) -> Calibration:
        seen: list[Calibration] = []

        def good_enough(fit: ClassFit) -> bool:
            seen.append(judge(fit))
            return seen[-1].met

        try:
            fit_classes(
                logs,
                [p.spend for p in market.providers],
                market.weights,
                cap,
                classes=size,
                common=None if teacher is None else market.names.index(teacher),
                tolerance=goals.pass_error,
                seed=seed,
                accept=good_enough,
            )
        except NotCertified:
            if not seen:  # else an earlier round's classes stand; they are judged on their own
                raise
        return min(seen, key=_distance)

    sizes = sorted({max(1, math.ceil(classes * part / SIZES[-1])) for part in SIZES})
    if len(market.weights) <= sizes[0]:
        return attempt(classes)
    best: Calibration | None = None
    low, high = 0, len(sizes) - 1
    while low <= high:
        middle = (low + high) // 2
        try:
            made = attempt(sizes[middle])
        except NotCertified:
            if best is None and low == high:
                raise
            low = middle + 1  # a size whose weights cannot be solved for is no candidate; a larger one may be
            continue
        if best is None or (made.met, -made.classes if made.met else -_distance(made)) > (
            best.met,
            -best.classes if best.met else -_distance(best),
        ):
            best = made
        low, high = (low, middle - 1) if made.met else (middle + 1, high)
    assert best is not None, "a search without any fit has raised"
    return best


def _specification(market: Market, fit: ClassFit, cap: float) -> Market:
    providers = tuple(
        replace(provider, odds=Geometric(success=p), spend=w)
        for provider, p, w in zip(market.providers, fit.success, fit.spend, strict=True)
    )
    return replace(market, providers=providers, weights=fit.weights, max_budget=cap, problems=(), dropped={})


def _of_logs(market: Market, cap: float, teacher: str | None) -> list[Judged]:
    """What margins are judged by; those of the classes are still to come."""
    listed = []
    for names in groups(market, teacher):
        part = market.restrict(names)
        levels = judged_levels(part, cap)
        listed.append(
            Judged(
                names=names,
                levels=levels,
                of_logs=schedule_margins(part, levels, cap),
                of_classes=np.full(levels.size, np.nan),
            )
        )
    return listed


def _judged(
    made: Market, market: Market, fit: ClassFit, cap: float, of_logs: Sequence[Judged], goals: Goals, seed: int
) -> Calibration:
    judged = tuple(replace(j, of_classes=schedule_margins(made.restrict(j.names), j.levels, cap)) for j in of_logs)
    errors = [j.errors for j in judged if j.errors.size]
    mean, worst = (
        max((float(e.mean()) for e in errors), default=math.nan),
        max((float(e.max()) for e in errors), default=math.nan),
    )
    met = bool(fit.pass_error.max() <= goals.pass_error)
    if errors:
        met = met and mean <= goals.margin_mean and worst <= goals.margin_worst
    return Calibration(
        market=made,
        pass_error=dict(zip(market.names, map(float, fit.pass_error), strict=True)),
        reach_error=dict(zip(market.names, map(float, fit.reach_error), strict=True)),
        judged=judged,
        margin_error_mean=mean,
        margin_error_worst=worst,
        met=met,
        goals=goals,
        seed=seed,
    )


def _distance(made: Calibration) -> float:
    """The largest error in units of its goal."""
    ratios = [max(made.pass_error.values()) / made.goals.pass_error]
    if math.isfinite(made.margin_error_mean):
        ratios += [made.margin_error_mean / made.goals.margin_mean, made.margin_error_worst / made.goals.margin_worst]
    return max(ratios)
