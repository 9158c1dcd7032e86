"""Distillation: what a student of a teacher is worth to an arbitrageur who resells against the teacher's list price."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from eqsolver._base import FloatArray, NothingSolved, UsageError
from eqsolver.market import Allot, Market, Overrun, Provider, Sampled, check_resamples
from eqsolver.posted._bootstrap import alone, extended, path_costs
from eqsolver.posted._distillation import Distillation, Student, log_linear
from eqsolver.posted._offers import offers
from eqsolver.posted._parts import Progress
from eqsolver.posted._resale import resale
from eqsolver.posted._solve import checked_levels
from eqsolver.technology import (
    REACH,
    Cascade,
    Production,
    Profile,
    Rules,
    all_steps,
    allotted,
    best_cascades,
    build,
    curves,
    evaluate,
    levels_below,
    one_attempt,
    rules,
    survival,
)

LEVELS = 100
POINTS_BELOW = 0.1
"""By default levels start this far below the teacher's reach and end there, as in [OSH]."""

MOST_ATTEMPTS = 64
"""pass@k is listed up to the most attempts on a problem in the students' logs, and up to here where there are more or none."""

POINTS_DRAWN = 100


def distill(
    market: Market,
    *,
    teacher: str | None = None,
    tokens: Mapping[str, float] | None = None,
    token_price: float | None = None,
    on_sale: bool = False,
    providers: Sequence[str] | None = None,
    levels: Sequence[float] | FloatArray | None = None,
    allot: Allot | None = None,
    overrun: Overrun | None = None,
    max_budget: float | None = None,
    max_attempts: int | None = None,
    prices: Mapping[str, float] | None = None,
    bootstrap: int = 200,
    seed: int = 0,
    points: int | None = None,
    tolerance: float = 1e-3,
    progress: Progress | None = None,
) -> Distillation:
    """Pair each student of a family with the teacher: margins against training tokens, and who earns what.

    Parameters
    ----------
    market : the teacher and its students. teacher : its name; default: the only provider without tokens.
    tokens : what each student was trained on, beside the market's `distillation_tokens`.
    token_price : of a million training tokens, money; None: break-even is left out.
    on_sale : the student makes offers too; otherwise it is private to the arbitrageur, who pays its price to run it.
    providers : restrict the family to these. levels : default 100 from 10 points below the teacher's reach to its reach.
    allot, overrun, max_budget, max_attempts, prices, points, tolerance : see `solve`.
    bootstrap : resamples of the problems for the bands of mean margins and slope; 0 is none. seed : of their generator.
    progress : called as work advances.

    Raises
    ------
    MarketError : unknown provider. UsageError : no teacher or no student, no level that the teacher reaches, bad numbers.

    Notes
    -----
    THEORY section 9. For each student the single cascade with the largest mean margin is fitted; resamples hold its thresholds
    fixed, and their levels keep their distance from the teacher's reach, which is the resample's own.
    """
    asked = {
        "teacher": teacher,
        "tokens": dict(tokens) if tokens else {},
        "token_price": token_price,
        "on_sale": on_sale,
        "providers": list(providers) if providers is not None else None,
        "levels": None if levels is None else [float(u) for u in levels],
        "allot": allot,
        "overrun": overrun,
        "max_budget": max_budget,
        "max_attempts": max_attempts,
        "prices": dict(prices) if prices else {},
        "bootstrap": bootstrap,
        "seed": seed,
        "points": points,
        "tolerance": tolerance,
    }
    check_resamples(bootstrap, market.weights.size)
    if seed < 0:
        raise UsageError(f"seed must be >= 0, not {seed}")
    if not 0 < tolerance < 1:
        raise UsageError(f"tolerance must lie between 0 and 1, not {tolerance:g}")
    if token_price is not None and not 0 < token_price < np.inf:
        raise UsageError(f"the price of a million tokens must be positive and finite, not {token_price:g}")
    say = progress or (lambda what, share: None)
    family = market if providers is None else market.restrict(providers)
    family = family.without_arbitrageurs()  # fixed policies of the file may buy from several students at once
    family = _with_tokens(family.at_prices(prices or {}), tokens or {})
    name = _teacher(family) if teacher is None else teacher
    family.positions([name], "teacher")
    students = sorted(
        (p for p in family.providers if p.name != name),
        key=lambda p: (p.distillation_tokens is None, p.distillation_tokens or 0.0, p.name),
    )
    if not students:
        raise UsageError(f"market {market.name!r} has no student beside the teacher {name!r}")
    if name in (tokens or {}):
        raise UsageError(f"tokens: {name!r} is the teacher; give tokens of students")
    terms = rules(family, allot=allot, overrun=overrun, max_budget=max_budget, max_attempts=max_attempts)
    asked |= terms.options
    alone_at, reach = _teacher_alone(family, name, terms)
    asked_levels = levels_below(reach, POINTS_BELOW, LEVELS) if levels is None else checked_levels(levels)
    if asked_levels[0] > reach + REACH:
        raise UsageError(f"teacher {name!r} reaches {reach:.6f}, below every level asked for: no level has a market price")
    pairing = _Pairing(
        family=family,
        teacher=name,
        reach=reach,
        on_sale=on_sale,
        rules=terms,
        levels=asked_levels,
        resamples=family.resampled(bootstrap, np.random.default_rng(seed)).T,
        points=points,
        tolerance=tolerance,
    )
    ks = np.arange(1.0, _most_attempts(students) + 1)
    found = []
    for place, student in enumerate(students):
        say(f"{student.name} and {name}", place / len(students))
        found.append(_student(pairing, student, ks, token_price))
    say("done", 1.0)
    dated = [one for one in found if one.tokens is not None]
    return Distillation(
        market=family,
        rules=terms,
        options=asked,
        teacher=name,
        on_sale=on_sale,
        levels=asked_levels,
        teacher_price=found[0].teacher_revenue["without"],
        teacher_alone=alone_at,
        students=tuple(found),
        fit=log_linear(
            np.array([one.tokens for one in dated], dtype=np.float64),
            np.array([one.mean_margin for one in dated]),
            np.array([one.mean_margins for one in dated]).reshape(len(dated), bootstrap),
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Pairing:
    """What is the same for every student: family, teacher, rules, levels (L,), weights of the problems (N, B) per resample."""

    family: Market
    teacher: str
    reach: float
    on_sale: bool
    rules: Rules
    levels: FloatArray
    resamples: FloatArray
    points: int | None
    tolerance: float


TEACHER, STUDENT = 0, 1
"""Positions in the market of a pair."""


def _student(pairing: _Pairing, student: Provider, ks: FloatArray, token_price: float | None) -> Student:
    """Fit the cascade over one student and the teacher, and see who earns what."""
    u = pairing.levels
    pair = pairing.family.restrict([pairing.teacher, student.name])
    listed = all_steps(pair, pairing.rules)
    before = offers(pair, listed, u, selling=[TEACHER])
    asks = offers(pair, listed, u) if pairing.on_sale else before
    made = build(pair, pairing.rules, listed, points=pairing.points, tolerance=pairing.tolerance, levels=u)
    fitted = best_cascades(made, pair.prices, u, asks.market_price).single
    sold = resale(asks, pair.prices, [evaluate(pair, pairing.rules, listed, fitted, u).units.T])
    priced = np.isfinite(sold.arbitrageur_profit)
    earned = float(np.mean(sold.arbitrageur_profit[priced] / u[priced]))
    tokens = student.distillation_tokens
    if token_price is None or tokens is None:
        pays_back = np.nan
    else:
        pays_back = tokens / 1e6 * token_price / earned if earned > 0 else np.inf
    bought = allotted(pairing.rules, listed, fitted)
    return Student(
        name=student.name,
        tokens=tokens,
        order=tuple(pair.names[i] for i in bought.order),
        thresholds=bought.thresholds,
        one_attempt=tuple(one_attempt(pairing.rules, listed)[i] for i in bought.order),
        buy_cost=sold.buy_cost,
        margin=sold.margin,
        market_price=asks.market_price,
        mean_margin=sold.mean_margin,
        mean_margins=_mean_margins(pairing, made, fitted),
        teacher_revenue={"without": before.revenue[TEACHER], "with": sold.revenue[TEACHER]},
        student_revenue=sold.revenue[STUDENT],
        profit=sold.arbitrageur_profit,
        profit_per_solved=earned,
        break_even_problems=pays_back,
        pass_at_k=1.0 - pair.weights @ survival(student.odds, np.broadcast_to(ks, (pair.weights.size, ks.size))),
        unbiased_up_to=int(student.odds.attempts.min()) if isinstance(student.odds, Sampled) else None,
        alone=_drawn(listed[STUDENT].profile(pair.weights), student.price),
    )


def _mean_margins(pairing: _Pairing, made: Production, fitted: Cascade) -> FloatArray:
    """(B,) mean margin of a fitted cascade on each resample, at levels as far from the teacher's reach as on all problems."""
    Q, prices, teacher = pairing.resamples, made.market.prices, made.market.providers[TEACHER]
    if not Q.shape[1]:
        return np.empty(0)
    unsolved = curves(teacher, np.array([made.steps[TEACHER].end]), pairing.rules)[0][:, 0]
    levels = pairing.levels[:, None] + ((1.0 - unsolved @ Q) - pairing.reach)
    price = path_costs(made, alone(made, TEACHER), prices, levels, Q)
    if pairing.on_sale and made.steps[STUDENT].at.size:
        price = np.minimum(price, path_costs(made, alone(made, STUDENT), prices, levels, Q))
    cost = path_costs(made, extended(made, fitted.path), prices, levels, Q)
    priced = np.isfinite(price) & (price > 0)
    margin = np.maximum(1.0 - np.divide(cost, price, out=np.ones_like(price), where=priced), 0.0)
    number = priced.sum(axis=0)
    mean: FloatArray = np.divide(margin.sum(axis=0), number, out=np.full(len(number), np.nan), where=number > 0)
    return mean


def _with_tokens(family: Market, tokens: Mapping[str, float]) -> Market:
    family.positions(list(tokens), "tokens")
    named = (replace(p, distillation_tokens=tokens[p.name]) if p.name in tokens else p for p in family.providers)
    return replace(family, providers=tuple(named))


def _teacher(family: Market) -> str:
    """The only provider without tokens."""
    found = [p.name for p in family.providers if p.distillation_tokens is None]
    if len(found) != 1:
        told = f"none of {', '.join(family.names)} is" if not found else f"{', '.join(found)} are"
        raise UsageError(f"which provider is the teacher? {told} without distillation tokens; name it as `teacher`")
    return found[0]


def _teacher_alone(family: Market, teacher: str, terms: Rules) -> tuple[FloatArray, float]:
    """(2, P) performance and cost of buying from the teacher only, and its reach."""
    only = family.restrict([teacher])
    profile = all_steps(only, terms)[0].profile(only.weights)
    if not profile.at.size or profile.solved[-1] <= REACH:
        raise NothingSolved(f"teacher {teacher!r} never solves a problem within the cap")
    return _drawn(profile, only.providers[0].price), float(profile.solved[-1])


def _most_attempts(students: Sequence[Provider]) -> int:
    logged = [int(p.odds.attempts.max()) for p in students if isinstance(p.odds, Sampled)]
    return min(max(logged), MOST_ATTEMPTS) if len(logged) == len(students) else MOST_ATTEMPTS


def _drawn(profile: Profile, price: float) -> FloatArray:
    """(2, P) performance and cost at points of a profile that are evenly spaced in performance."""
    if not profile.at.size:
        return np.empty((2, 0))
    even = np.searchsorted(profile.solved, np.linspace(profile.solved[0], profile.solved[-1], POINTS_DRAWN) - REACH)
    kept = np.unique(np.minimum(even, profile.at.size - 1))
    return np.stack([profile.solved[kept], price * profile.spent[kept]])
