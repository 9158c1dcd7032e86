"""Solved tiny markets against brute force: all orders, all thresholds, all interleavings, all attempt vectors."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from oracles import Tiny, along, least, level_fraction, levels_of, lower_hull, tiny
from tiny_markets import RULES, markets

from eqsolver import UsageError
from eqsolver.market import Geometric, Market, Provider, Sampled
from eqsolver.posted import Solution, solve
from eqsolver.technology import EFFORT, Effort, oracle, rules, schedule_bound, schedules, technology

Points = Sequence[tuple[Fraction, Fraction]]


def solvable(market: Market, how: dict) -> Tiny:
    by_luck = tiny(market, **how)
    assume(any(by_luck.stops(i) for i in range(by_luck.sellers)))
    return by_luck


def expect(found: np.ndarray, levels: Sequence[float], points: Points, *known: Points) -> None:
    """Costs per level equal the least bill of the points that reach it, infinite where none does."""
    for u, cost in zip(levels, found, strict=True):
        right = least(points, level_fraction(u, [p for group in (points, *known) for p in group]))
        if right is None:
            assert np.isinf(cost), f"level {u} is out of reach, but costs {cost}"
        else:
            assert cost == pytest.approx(float(right), rel=1e-9, abs=1e-11), f"level {u}"


def with_origin(points: Points) -> list[tuple[Fraction, Fraction]]:
    return [(Fraction(0), Fraction(0)), *points]


@settings(max_examples=80, deadline=None)
@given(market=markets(), how=RULES, effort=st.sampled_from([EFFORT, Effort(table=0)]))
def test_offers_cascades_and_schedules_cost_what_brute_force_finds(market: Market, how: dict, effort: Effort) -> None:
    """Two providers by a table of all allotments, and by sweeps."""
    by_luck = solvable(market, how)
    each = [by_luck.offers(i) for i in range(by_luck.sellers)]
    best, cascades = by_luck.best_schedules(), by_luck.cascades()
    levels = levels_of(best)
    solution = solve(market, levels=levels, effort=effort, **how)
    assert solution.exact
    np.testing.assert_array_equal(solution.levels, levels)
    for i, offer in enumerate(each):
        expect(solution.offers.cost[i], levels, offer, best)
    expect(solution.offers.market_price, levels, [p for offer in each for p in offer], best)
    expect(solution.cascade_per_level.resale.buy_cost, levels, cascades, best)
    expect(solution.schedule.policy.resale.buy_cost, levels, best)
    np.testing.assert_array_equal(np.nan_to_num(solution.schedule.gap), 0)
    hull = lower_hull(best)
    for u, cost in zip(levels, solution.schedule.mixed_buy_cost, strict=True):
        right = along(hull, level_fraction(u, best))
        assert np.isinf(cost) if right is None else cost == pytest.approx(float(right), rel=1e-9, abs=1e-11)
    paths_do_what_they_say(solution, by_luck)


def paths_do_what_they_say(solution: Solution, by_luck: Tiny) -> None:
    """Each reported path, simulated on every outcome, reaches its level with the reported units, within the cap."""
    for outcome in (solution.schedule.policy, solution.cascade_per_level, solution.cascade):
        for u, path, units in zip(solution.levels, outcome.paths, outcome.resale.units.T, strict=True):
            if not np.isfinite(units).all():
                continue
            assert sum(max((b for j, b in path if j == i), default=0.0) for i in range(by_luck.sellers)) <= by_luck.cap or not (
                by_luck.by_budget
            )
            blocks = by_luck.placed([(i, Fraction(b)) for i, b in path])
            solved, spent = by_luck.run(blocks)
            assert float(solved) >= u - 2e-12
            np.testing.assert_allclose(units, [float(s) for s in spent], rtol=1e-9, atol=1e-11)
            assert by_luck.fits(max((b for j, b in blocks if j == i), default=Fraction(0)) for i in range(by_luck.sellers))


@settings(max_examples=40, deadline=None)
@given(market=markets(), how=RULES)
def test_the_schedule_is_the_best_of_all_interleavings_listed_one_by_one(market: Market, how: dict) -> None:
    by_luck = solvable(market, how)
    assume(by_luck.number_of_paths() < 3000)
    points = by_luck.every_schedule()
    levels = levels_of(points)
    solution = solve(market, levels=levels, **how)
    expect(solution.schedule.policy.resale.buy_cost, levels, points)


@settings(max_examples=50, deadline=None)
@given(market=markets(sellers=(2, 2)), how=RULES)
def test_the_fitted_cascade_has_the_best_mean_margin_of_all_orders_and_thresholds(market: Market, how: dict) -> None:
    by_luck = solvable(market, how)
    each = [p for i in range(by_luck.sellers) for p in by_luck.offers(i)]
    levels = [u for u in levels_of(each) if u not in (1.0,)]
    assume(levels)
    solution = solve(market, levels=levels, **how)
    price = [least(each, level_fraction(u, each)) for u in levels]
    assume(any(p is not None for p in price))
    best = Fraction(-1)
    for order in ((0, 1), (1, 0)):
        for top in [Fraction(0), *by_luck.stops(order[0])]:
            rest = [b for b in by_luck.stops(order[1]) if by_luck.fits((top, b))]
            stages = [(b, Fraction(0)) for b in by_luck.stops(order[0]) if b <= top] + [(top, b) for b in rest]
            walked = with_origin(
                [(s, by_luck.bill(u)) for s, u in (by_luck.run(list(zip(order, at, strict=True))) for at in stages)]
            )
            margins = []
            for u, p in zip(levels, price, strict=True):
                if p is not None:
                    cost = least(walked, level_fraction(u, each))
                    margins.append(Fraction(0) if cost is None else max(1 - cost / p, Fraction(0)))
            best = max(best, sum(margins, Fraction(0)) / len(margins))
    assert solution.cascade.resale.mean_margin == pytest.approx(float(best), abs=1e-9)


@settings(max_examples=80, deadline=None)
@given(market=markets(), how=RULES)
def test_the_oracle_equals_every_attempt_vector_in_every_order(market: Market, how: dict) -> None:
    by_luck = solvable(market, how)
    terms = rules(market, **how)
    known = oracle(market, terms, tuple(range(by_luck.sellers)), market.prices)
    assert known.relaxed == 0
    hull = by_luck.knowing()
    levels = np.unique([float(s) for s, _ in hull[1:]] + [float(s) / 3 for s, _ in hull[1:]])
    exactly = [Fraction(u).limit_denominator(10**9) for u in levels]
    right = [along(hull, min(u, hull[-1][0])) for u in exactly]
    np.testing.assert_allclose(known.at(levels), [float(c) for c in right], rtol=1e-7, atol=1e-9)
    assert known.solved[-1] == pytest.approx(float(hull[-1][0]), abs=1e-12)
    assert np.isinf(known.at(np.array([float(hull[-1][0]) + 1e-6]))).all()


@settings(max_examples=60, deadline=None)
@given(market=markets(problems=(1, 1)), how=RULES)
def test_with_one_class_the_oracle_is_the_lower_hull_of_the_schedule(market: Market, how: dict) -> None:
    by_luck = solvable(market, how)
    levels = np.linspace(0, 1, 41)[1:]
    solution = solve(market, levels=levels, **how)
    np.testing.assert_allclose(solution.oracle_cost, solution.schedule.mixed_buy_cost, rtol=1e-9, atol=1e-11)
    hull = by_luck.knowing()
    for (solved, cost), found in zip(
        hull[1:], solve(market, levels=[float(s) for s, _ in hull[1:]], **how).oracle_cost, strict=True
    ):
        assert found == pytest.approx(float(cost), rel=1e-9), float(solved)


@settings(max_examples=60, deadline=None)
@given(market=markets(), how=RULES)
def test_knowing_more_or_choosing_more_freely_never_costs_more(market: Market, how: dict) -> None:
    by_luck = solvable(market, how)
    solution = solve(market, levels=levels_of(by_luck.best_schedules()), **how)
    chain = [
        solution.oracle_cost,
        solution.schedule.mixed_buy_cost,
        solution.schedule.policy.resale.buy_cost,
        solution.cascade_per_level.resale.buy_cost,
        np.minimum(solution.cascade.resale.buy_cost, solution.offers.market_price),
    ]
    for better, worse in itertools.pairwise(chain):
        assert (better <= worse * (1 + 1e-9) + 1e-12).all()
    assert (solution.cascade_per_level.resale.buy_cost <= solution.offers.market_price * (1 + 1e-9)).all()
    for cost in (*chain[:4], *solution.offers.cost):
        finite = cost[np.isfinite(cost)]
        assert (np.diff(finite) >= -1e-12).all(), "costs never fall with the level"
        assert np.isinf(cost[finite.size :]).all(), "what reaches a level reaches the lower ones"
    margin = solution.schedule.policy.resale.margin
    assert ((margin[np.isfinite(margin)] >= 0) & (margin[np.isfinite(margin)] < 1)).all()


@pytest.mark.parametrize("points", [2, 3, 4, 6])
@settings(max_examples=40, deadline=None)
@given(market=markets(), how=RULES)
def test_on_a_coarse_grid_the_bound_holds_and_costs_are_those_of_real_paths(points: int, market: Market, how: dict) -> None:
    by_luck = solvable(market, how)
    best = by_luck.best_schedules()
    levels = levels_of(best)
    solution = solve(market, levels=levels, points=points, **how)
    schedule = solution.schedule.policy.resale.buy_cost
    optimum = [least(best, level_fraction(u, best)) for u in levels]
    right = np.array([np.inf if c is None else float(c) for c in optimum])
    slack = 1e-9 * np.where(np.isfinite(right), right, 0) + 1e-11
    assert (schedule >= right - slack).all()
    reached = np.isfinite(schedule)
    bound = np.where(reached, schedule, 0) * (1 - np.nan_to_num(solution.schedule.gap))
    assert (bound <= np.where(np.isfinite(right), right, np.inf) + slack).all(), "the exact optimum beats the stated bound"
    assert (solution.schedule.mixed_buy_cost[reached] <= schedule[reached] + slack[reached]).all()
    assert (np.diff(schedule[reached]) >= -1e-12).all()
    for cost in (solution.cascade_per_level.resale.buy_cost, solution.cascade.resale.buy_cost):
        assert (schedule <= cost * (1 + 1e-9) + 1e-12).all()
    paths_do_what_they_say(solution, by_luck)
    made = technology(market, points=points, **how)
    raw = schedule_bound(made, market.prices, np.array(levels), schedules(made, market.prices, np.array(levels)))
    assert (raw <= right + slack).all(), "schedule_bound itself holds, not only after it is capped at the cost found"


def test_a_provider_that_never_solves_anything_is_never_bought_from() -> None:
    able = Provider(name="able", odds=Geometric(success=[0.5]), spend=[1.0])
    idle = Provider(name="idle", odds=Geometric(success=[0.0]), spend=[0.5])
    for sellers in ((able, idle), (idle, able)):
        market = Market(name="idle", providers=sellers, weights=[1.0], max_budget=3.0)
        solution = solve(market, levels=[0.5, 0.75])
        np.testing.assert_allclose(solution.schedule.policy.resale.buy_cost, [1.0, 1.5])
        assert np.isinf(solution.offers.cost[sellers.index(idle)]).all()
        with pytest.raises(UsageError, match="no provider in access"):
            solve(market, access=["idle"])


def test_a_cap_below_the_cost_of_an_attempt_excludes_a_provider() -> None:
    dear = Provider(name="dear", odds=Sampled(attempts=[2], successes=[2]), spend=[9.0])
    cheap = Provider(name="cheap", odds=Sampled(attempts=[2], successes=[1]), spend=[1.0])
    market = Market(name="cap", providers=(dear, cheap), weights=[1.0], max_budget=8.0)
    for overrun in ("cut", "never"):
        found = solve(market, levels=[0.5, 1.0], overrun=overrun)
        np.testing.assert_allclose(found.schedule.policy.resale.buy_cost, [1.0, 1.5])
    finished = solve(market, providers=["dear"], levels=[1.0])
    np.testing.assert_allclose(finished.schedule.policy.resale.buy_cost, [9.0])  # what has begun is finished, and paid
