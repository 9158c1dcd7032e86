"""Calibration: attempt logs in, a market of a few problem classes out, with the errors that this makes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from eqsolver._base import UsageError
from eqsolver.estimate._aims import Watched, aim, sold_from, watched
from eqsolver.estimate._classes import Classes, largest_pass_error, reach_surplus
from eqsolver.estimate._finish import Finish
from eqsolver.estimate._groups import group_classes
from eqsolver.estimate._improve import Fitted, improve, settle
from eqsolver.estimate._margins import Best, Judged, cheapest, groups
from eqsolver.estimate._misfit import Evidence, Misfit
from eqsolver.estimate._play import Purchases, price_error, purchases
from eqsolver.estimate._weights import DROPPED
from eqsolver.market import Geometric, Market, Sampled
from eqsolver.technology import rules

SIZES = (12, 14, 16)
"""Numbers of classes tried, in sixteenths of the most allowed: no more classes than the goals need."""
ROUNDS, GENERATIONS = 3, 6
"""Improvements at each of these sizes, and how often candidates are tried in each."""
FIRST_PRICE, REPRICED, PRICES = 0.1, 3.0, 3
"""Price of exceeding the tolerated pass error at first; by how much it rises while pass is further from its goal than margins
are, or else falls, until it is between two that were tried; how many are tried in a round, at most. No round starts below the
first: new classes would neglect pass."""
HELPS = 0.95
"""No further price is tried in a round once one leaves more than this share of the distance that it was to shorten."""
EASY = 0.95
"""Goals met with errors beyond this share of them are met more safely by what rounds are left at the same size."""
PRESSED = 0.88
"""Share of the tolerated pass error beyond which pass is pressed on."""
NEARLY, HARDER = 0.75, 1.5
"""Levels whose margin is off by more than this share of the worst allowed weigh this much more in the next round."""
FIRST_MOVE, FARTHER, NEARER, MOVES, LITTLE = 0.004, 1.7, 2.5, 20, 0.005
"""By how much weights move at first, in all, where a goal is still missed after the last round of a size; by how much farther
after a move that did half of what it promised, and nearer after one that did nothing; how often, at most; and a gain that is
not worth another move once no goal is missed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Goals:
    """Errors that are small enough, as shares: 0.005 is half a point.

    pass_error : of any provider's pass, at any budget up to the cap.
    margin_mean, margin_worst : of the best schedule's margin, over the judged levels of each judged market.
    prices : what consumers gain as prices move is off as if these were off by this share.
    """

    pass_error: float = 0.005
    margin_mean: float = 0.02
    margin_worst: float = 0.04
    prices: float = 0.02


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
    price_error : by how much prices would have to be off to change as much what consumers gain, each provider alone on sale and
        all together at prices around the posted ones: root mean square over consumers' values, in the worst of these cases.
    """

    market: Market
    pass_error: Mapping[str, float]
    reach_error: Mapping[str, float]
    judged: tuple[Judged, ...]
    margin_error_mean: float
    margin_error_worst: float
    price_error: float
    goals: Goals
    seed: int

    @property
    def classes(self) -> int:
        """K, the number of classes."""
        return len(self.market.weights)

    @property
    def holds(self) -> dict[str, bool]:
        """Whether each goal is met; a margin that exists nowhere counts as met."""
        goals, judged = self.goals, math.isfinite(self.margin_error_mean)
        return {
            "pass": max(self.pass_error.values()) <= goals.pass_error,
            "margins": not judged
            or (self.margin_error_mean <= goals.margin_mean and self.margin_error_worst <= goals.margin_worst),
            "what consumers gain": self.price_error <= goals.prices,
        }

    @property
    def met(self) -> bool:
        """Every goal is met."""
        return all(self.holds.values())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Round:
    """The closest fit of a round."""

    made: Calibration
    fitted: Fitted
    found: Sequence[Best]
    play: Sequence[Sequence[Purchases]]


def calibrate(
    market: Market,
    *,
    classes: int,
    max_budget: float | None = None,
    least: int = 1,
    rounds: int | None = None,
    single: bool = False,
    start: Market | None = None,
    teacher: str | None = None,
    seed: int = 0,
    goals: Goals | None = None,
    progress: Callable[[str], None] | None = None,
) -> Calibration:
    """Turn a market of attempt logs into a specification of at most `classes` problem classes.

    Parameters
    ----------
    market : with logs of every provider. classes : the most classes; fewer are returned if they meet the goals.
    least : no size below it is tried. rounds : improvements at each size; default 3. single : classes may start as single
        problems, odds and costs as logged; otherwise none does, so that the specification may be shown without the logs.
    start : a specification of the same providers to go on from; with no rounds only its weights are moved.
    max_budget : the cap up to which curves are to agree and which the specification states; default the market's.
    teacher : of a family of students: only pairs with it are fitted and judged, since nobody combines students. None: all.
    goals : errors small enough. seed : of the fit. progress : is told, in a line, of every step.

    Returns
    -------
    The closest to the goals among those of the least size that meets them; else the closest of all, with `met` false.

    Raises
    ------
    UsageError : no cap, `classes` or `rounds` below 1 (0 with a `start`), `least` above `classes`, an unknown teacher or one
        without students, a provider that is given by classes already, or a start of other providers or without classes.
    NotCertified : a least-squares problem ended without an optimum.

    Notes
    -----
    THEORY section 2. What a fixed policy solves and costs is linear in the weights of classes. So classes are fitted to the
    policies that are cheapest in the logs, then also to those that are cheapest among the classes (a cutting-plane method:
    whatever the classes make too cheap is to cost what it costs in the logs), round by round, with three quarters of `classes`
    first and more only where the goals are not met. The cap is the unit of money throughout, so a currency changes nothing;
    a lower price of exceeding the pass tolerance is better for margins, so each round looks for the one at which both are as
    close to their goals. Where one is still missed after the last round of a size, the weights are moved by linear programs in
    which the goal missed by most is missed by least, and what the classes then find cheapest is looked at before each move.
    """
    if classes < 1:
        raise UsageError(f"classes = {classes}: a specification needs at least 1 class")
    if least > classes:
        raise UsageError(f"least = {least}: is more than the most classes, {classes}")
    rounds = ROUNDS if rounds is None else rounds
    if rounds < (1 if start is None else 0):
        raise UsageError(f"rounds = {rounds}: must be at least 1" + (", or 0 with a start" if rounds == 0 else ""))
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
    tell = progress or (lambda line: None)
    tell("cheapest policies of the logs")
    if free := [p.name for p in market.providers if p.free]:
        raise UsageError(f"market {market.name!r}: {', '.join(free)} is free; calibration is of what attempts cost")
    spend = [p.spend_if_failed / cap for p in market.providers]
    premium = [p.spend / p.spend_if_failed for p in market.providers]
    inside = replace(market, providers=tuple(p.costs_scaled(1 / cap) for p in market.providers), max_budget=1.0)
    watch = [watched(inside, names, 1.0) for names in groups(market, teacher)]
    largest = rules(inside, overrun="finish").largest_position
    evidence = Evidence.of(logs, spend, market.weights, largest, sold_from(watch, len(logs)), premium)
    sizes = sorted({max(1, least, math.ceil(classes * part / SIZES[-1])) for part in SIZES})
    first = (
        group_classes(logs, spend, market.weights, 1.0, sizes[0], single=single)
        if start is None
        else _classes_of(start, market, cap)
    )
    now = Fitted(classes=first, held=tuple(np.zeros(0) for _ in logs))
    rng = np.random.default_rng(seed)
    tolerance = PRESSED * goals.pass_error

    def look(fitted: Fitted) -> _Round:
        part = _specification(inside, fitted.classes, 1.0, evidence.mean_premium)
        found = [cheapest(part.restrict(w.logs.names), w.levels, 1.0) for w in watch]
        play = [[purchases(part.restrict(w.logs.names), place, 1.0) for place in w.stalls] for w in watch]
        whole = _specification(market, fitted.classes, cap, evidence.mean_premium)
        made = _judged(whole, evidence, fitted.classes, watch, found, play, goals, seed)
        tell(
            f"{made.classes} classes: pass within {100 * max(made.pass_error.values()):.2f} points, margins within "
            f"{100 * made.margin_error_mean:.2f} on average and {100 * made.margin_error_worst:.2f} at worst, "
            f"gains as if prices were off by {100 * made.price_error:.1f} %"
        )
        return _Round(made=made, fitted=fitted, found=found, play=play)

    best = None if start is None else look(now)
    if best is not None and (best.made.met or not rounds):
        return _finished(best, look, evidence, watch, goals).made
    price = FIRST_PRICE
    for limit, turn in product(sizes, range(rounds)):
        aims = [aim(w) for w in watch]
        misfit = Misfit.of(evidence, aims, tolerance=tolerance, price=price)
        pool = improve(now, misfit, limit=limit, generations=GENERATIONS, rng=rng)
        closest: _Round | None = None
        low, high, shortened = 0.0, math.inf, -1
        before = (math.inf, math.inf)
        for _ in range(PRICES):
            price = math.sqrt(low * high) if low > 0 and high < math.inf else (low * REPRICED or min(high / REPRICED, price))
            tried = look(settle(pool, replace(misfit, price=price)))
            if closest is None or _distance(tried.made) < _distance(closest.made):
                closest = tried
            now_at = _distances(tried.made)
            if max(now_at) <= EASY and tried.made.met:
                return tried.made
            if shortened >= 0 and now_at[shortened] > HELPS * before[shortened]:
                break
            before, shortened = now_at, int(np.argmax(now_at))
            low, high = (price, high) if shortened == 0 else (low, price)
        assert closest is not None, "there is a first price"
        now, price = closest.fitted, max(price, FIRST_PRICE)
        if best is None or _distance(closest.made) < _distance(best.made):
            best = closest
        if turn == rounds - 1:
            best = _finished(best, look, evidence, watch, goals)
            if best.made.met:
                return best.made
        watch = _sharpened(watch, closest.found, closest.play, goals)
    assert best is not None, "there is a round for every size"
    return best.made


def _classes_of(start: Market, market: Market, cap: float) -> Classes:
    """The classes of a specification, costs in units of the cap."""
    if set(start.names) != set(market.names):
        raise UsageError(f"start {start.name!r} is of {', '.join(start.names)}, not of {', '.join(market.names)}")
    sellers = [start.providers[i] for i in start.positions(market.names, "start")]
    odds = [p.odds for p in sellers if isinstance(p.odds, Geometric)]
    if len(odds) < len(sellers):
        raise UsageError(f"start {start.name!r} is given by logs, not by classes: name a specification")
    return Classes(
        weights=start.weights,
        success=np.stack([o.success for o in odds]),
        spend=np.stack([p.spend_if_failed for p in sellers]) / cap,
    )


def _finished(
    start: _Round, look: Callable[[Fitted], _Round], evidence: Evidence, watch: Sequence[Watched], goals: Goals
) -> _Round:
    """Weights that miss goals of pass and margins by less: moved within a reach that grows while that does what it says."""
    classes, best, reach = start.fitted.classes, start, FIRST_MOVE
    if max(_distances(start.made)) <= 1:
        return start
    finish = Finish.of(classes, evidence, watch, pass_error=goals.pass_error, margin_error=goals.margin_worst)
    finish.learn(start.found)
    q = classes.weights
    for _ in range(MOVES):
        now = max(_distances(best.made))
        moved = finish.moved(q, best.found, now, reach) if now > EASY else None
        if moved is None:
            break
        weights = np.where(moved.weights > DROPPED, moved.weights, 0.0)
        used = replace(classes, weights=weights / weights.sum()).take(weights > 0)
        tried = look(replace(start.fitted, classes=used))
        finish.learn(tried.found)
        gained = now - max(_distances(tried.made))
        if gained > 0:
            best, q = tried, moved.weights
            if now <= 1 and gained < LITTLE:
                break
            reach *= FARTHER if gained > (now - moved.foreseen) / 2 else 1.0
        else:
            reach /= NEARER
    return best


def _sharpened(
    markets: Sequence[Watched], found: Sequence[Best], play: Sequence[Sequence[Purchases]], goals: Goals
) -> list[Watched]:
    """Also watch what the classes find cheapest, and look harder where their margin is off, in whichever market that is."""
    emphasis = []
    for market, best in zip(markets, found, strict=True):
        error = np.abs(best.margin - market.best.margin)
        off = np.isfinite(error) & (error > NEARLY * goals.margin_worst)
        emphasis.append(market.emphasis * np.where(off, HARDER, 1.0))
    usual = float(np.sqrt(np.mean(np.concatenate(emphasis) ** 2)))
    return [
        replace(market.with_policies_of(best, bought), emphasis=harder / usual)
        for market, best, bought, harder in zip(markets, found, play, emphasis, strict=True)
    ]


def _specification(market: Market, fit: Classes, cap: float, premium: Sequence[float]) -> Market:
    """A market by classes whose costs of failed attempts are in units of the cap; a success costs `premium` times as much.

    Both costs are stated where the logs have both.
    """
    providers = tuple(
        replace(
            provider,
            odds=Geometric(success=p),
            spend=cap * w if provider.spend_failed is None else more * cap * w,
            spend_failed=None if provider.spend_failed is None else cap * w,
        )
        for provider, p, w, more in zip(market.providers, fit.success, fit.spend, premium, strict=True)
    )
    seen = market.problem_count
    return replace(
        market, providers=providers, weights=fit.weights, max_budget=cap, problems=(), dropped={}, observed_problems=seen
    )


def _judged(
    made: Market,
    evidence: Evidence,
    fit: Classes,
    watch: Sequence[Watched],
    found: Sequence[Best],
    play: Sequence[Sequence[Purchases]],
    goals: Goals,
    seed: int,
) -> Calibration:
    judged = tuple(
        Judged(names=w.logs.names, levels=w.levels, of_logs=w.best.margin, of_classes=b.margin)
        for w, b in zip(watch, found, strict=True)
    )
    logs = list(zip(evidence.odds, evidence.spend, strict=True))
    pass_error = [largest_pass_error(o, w, evidence.weights, fit, i, evidence.cap) for i, (o, w) in enumerate(logs)]
    reach_error = reach_surplus(evidence.odds, evidence.spend, evidence.weights, fit, evidence.cap)
    errors = [j.errors for j in judged if j.errors.size]
    mean, worst = (
        max((float(e.mean()) for e in errors), default=math.nan),
        max((float(e.max()) for e in errors), default=math.nan),
    )
    off = max(price_error(mine, w.play) for mine, w in zip(play, watch, strict=True))
    return Calibration(
        market=made,
        pass_error=dict(zip(made.names, pass_error, strict=True)),
        reach_error=dict(zip(made.names, map(float, reach_error), strict=True)),
        judged=judged,
        margin_error_mean=mean,
        margin_error_worst=worst,
        price_error=off,
        goals=goals,
        seed=seed,
    )


def _distance(made: Calibration) -> tuple[float, float]:
    """How far the goals of pass and margins are missed, in units of a goal (1: they are not); then how far gains are off."""
    return max(1.0, *_distances(made)), made.price_error


def _distances(made: Calibration) -> tuple[float, float]:
    """The largest error of pass, and of margins, in units of their goals."""
    of_pass = max(made.pass_error.values()) / made.goals.pass_error
    if not math.isfinite(made.margin_error_mean):
        return of_pass, 0.0
    of_mean, of_worst = made.margin_error_mean / made.goals.margin_mean, made.margin_error_worst / made.goals.margin_worst
    return of_pass, max(of_mean, of_worst)
