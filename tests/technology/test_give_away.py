"""The bound for schedules, held against brute force in rationals on grids so coarse that much lies between their points."""

from __future__ import annotations

import itertools
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from oracles import along, least, level_fraction, levels_of, lower_hull, tiny
from test_wide import random_market
from tiny_markets import RULES, markets

from eqsolver._base import FloatArray
from eqsolver.market import Geometric, Market, Provider
from eqsolver.technology import REACH, Effort, _give_away, all_steps, grid_technology, rules, schedule_bound, schedules
from eqsolver.technology._give_away import bound_on_cells
from eqsolver.technology._rules import Rules

EVERYTHING = 10**9


def on_cells(
    market: Market, terms: Rules, sizes: dict[int, int], levels: FloatArray, ceiling: float | FloatArray = np.inf
) -> FloatArray:
    steps, above = all_steps(market, terms), np.broadcast_to(ceiling, levels.shape)
    least = 3 if terms.finishes else 2  # the node of one attempt on every problem is always a point
    fitting = {i: min(max(points, least), steps[i].at.size + 1) for i, points in sizes.items()}
    bound, looked = bound_on_cells(market, terms, steps, fitting, market.prices, levels, above, EVERYTHING)
    cells = int(np.prod([float(points) for points in fitting.values()]))
    assert looked <= cells, "each cell once"
    assert looked == cells or np.isfinite(terms.total_cap) or np.isfinite(above).any(), "and all, where nothing is in the way"
    return bound


@pytest.mark.parametrize("parts", [1, 2, 8])
@settings(max_examples=60, deadline=None)
@given(market=markets(), how=RULES, data=st.data())
def test_on_any_grid_no_schedule_costs_less_and_with_every_step_a_point_the_best_costs_as_much(
    parts: int, market: Market, how: dict, data: st.DataObject
) -> None:
    by_luck = tiny(market, **how)
    selling = [i for i in range(by_luck.sellers) if by_luck.stops(i)]
    assume(selling)
    best, terms = by_luck.best_schedules(), rules(market, **how)
    levels = np.array(levels_of(best))
    optimum = np.array([np.inf if c is None else float(c) for c in (least(best, level_fraction(u, best)) for u in levels)])
    coarse = {i: data.draw(st.integers(2, 2 + len(by_luck.stops(i))), label=f"points of {i}") for i in selling}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_give_away, "PARTS", parts)
        assert (on_cells(market, terms, coarse, levels) <= optimum * (1 + 1e-9) + 1e-11).all()
        fine = on_cells(market, terms, dict.fromkeys(selling, EVERYTHING), levels)
    np.testing.assert_allclose(fine, optimum, rtol=1e-9, atol=1e-11)


@settings(max_examples=60, deadline=None)
@given(market=markets(sellers=(1, 1)), how=RULES)
def test_a_schedule_that_ends_between_the_only_points_is_charged_along_the_hull_of_the_steps(market: Market, how: dict) -> None:
    """One provider, no point between nothing and all it can do, every step a part: but for the last, the hull of its offers."""
    by_luck = tiny(market, **how)
    assume(by_luck.stops(0) and how.get("overrun") != "finish")
    offers = by_luck.offers(0)
    levels = np.array(levels_of(offers))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_give_away, "PARTS", 500)
        patch.setattr(_give_away, "ATTENTION", (0.0, 0.0, 1.0))
        bound = on_cells(market, rules(market, **how), {0: 2}, levels)
    everything = max(offers)[0]
    hull = lower_hull(offer for offer in offers if offer[0] < everything)
    expected = []
    for u in (level_fraction(u, offers) for u in levels):
        known = [c for c in (along(hull, u), least(offers, everything) if u <= everything else None) if c is not None]
        expected.append(float(min(known)) if known else np.inf)
    steps = itertools.pairwise(sorted({(Fraction(0), Fraction(0)), *offers}))
    steepest = max((float((d - b) / (c - a)) for (a, b), (c, d) in steps if c > a), default=0.0)
    np.testing.assert_allclose(bound, expected, rtol=1e-9, atol=1e-11 + REACH * steepest)  # levels are reached but for REACH


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(([0.5, 0.0], 1.0), ([0.0, 0.5], 1.0), id="what one is paid, the other's customers no longer pay"),
        pytest.param(([0.5, 0.0], 1.0), ([0.5, 0.0], 100.0), id="what is on sale dearly takes nothing from the cheap"),
    ],
)
def test_parts_are_charged_for_whom_the_others_leave_and_credited_with_whom_they_could_leave(
    first: tuple[list[float], float], second: tuple[list[float], float]
) -> None:
    sellers = tuple(
        Provider(name=name, odds=Geometric(success=success), spend=[spend, spend])
        for name, (success, spend) in (("first", first), ("second", second))
    )
    market = Market(name="two classes", providers=sellers, weights=[0.5, 0.5], max_attempts=6)
    best = tiny(market, allot="attempts").best_schedules()
    levels = np.array(levels_of(best))
    optimum = np.array([np.inf if c is None else float(c) for c in (least(best, level_fraction(u, best)) for u in levels)])
    for points in (2, 3, 4):
        bound = on_cells(market, rules(market, allot="attempts"), {0: points, 1: points}, levels)
        assert (bound <= optimum * (1 + 1e-9)).all()
    assert (bound > 0.1 * optimum)[np.isfinite(optimum)].any(), "and is of some use"


@pytest.mark.parametrize("by_attempts", [True, False])
@pytest.mark.parametrize(("seed", "providers"), [(0, 1), (1, 2), (2, 3), (3, 4)])
def test_the_more_points_and_parts_the_closer_to_the_optimum(
    seed: int, providers: int, by_attempts: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    market = random_market(seed, providers, by_attempts)
    terms = rules(market, allot="attempts" if by_attempts else "money")
    steps = all_steps(market, terms)
    everyone = tuple(range(providers))
    exact = grid_technology(market, terms, steps, everyone, points=max(s.at.size for s in steps) + 1)
    levels = np.linspace(exact.reach - 0.3, exact.reach - 1e-9, 25)
    optimum = schedules(exact, market.prices, levels).cost
    shares = []
    for parts, points in ((1, 4), (8, 4), (8, 8), (8, EVERYTHING)):
        monkeypatch.setattr(_give_away, "PARTS", parts)
        bound = on_cells(market, terms, dict.fromkeys(everyone, points), levels)
        assert (bound <= optimum * (1 + 1e-9)).all()
        shares.append(float((bound / optimum).mean()))
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0, rel=1e-9)


@settings(max_examples=60, deadline=None)
@given(market=markets(), how=RULES, share=st.floats(0.1, 1.0))
def test_what_lies_beyond_the_ceiling_changes_nothing_below_it(market: Market, how: dict, share: float) -> None:
    by_luck = tiny(market, **how)
    selling = [i for i in range(by_luck.sellers) if by_luck.stops(i)]
    assume(selling)
    levels, terms = np.array(levels_of(by_luck.best_schedules())), rules(market, **how)
    sizes = dict.fromkeys(selling, 3)
    whole = on_cells(market, terms, sizes, levels)
    finite = whole[np.isfinite(whole)]
    assume(finite.size and finite.max() > 0)
    ceiling = np.minimum(share * float(finite.max()), np.linspace(1.5, 0.5, levels.size) * whole)
    cut = on_cells(market, terms, sizes, levels, np.minimum.accumulate(ceiling[::-1])[::-1])
    np.testing.assert_allclose(cut, np.minimum(whole, np.minimum.accumulate(ceiling[::-1])[::-1]), rtol=1e-9, atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(market=markets(sellers=(2, 3)), how=RULES)
def test_the_bound_follows_the_currency_and_not_the_order_of_providers(market: Market, how: dict) -> None:
    by_luck = tiny(market, **how)
    selling = [i for i in range(by_luck.sellers) if by_luck.stops(i)]
    assume(selling)
    levels, sizes = np.array(levels_of(by_luck.best_schedules())), dict.fromkeys(selling, 3)
    bound = on_cells(market, rules(market, **how), sizes, levels)
    dear = replace(
        market,
        providers=tuple(p.costs_scaled(1024) for p in market.providers),
        max_budget=None if market.max_budget is None else 1024 * market.max_budget,
    )
    np.testing.assert_allclose(on_cells(dear, rules(dear, **how), sizes, levels), 1024 * bound, rtol=1e-9)
    turned = replace(market, providers=market.providers[::-1])
    mirrored = {len(market.providers) - 1 - i: points for i, points in sizes.items()}
    np.testing.assert_allclose(on_cells(turned, rules(turned, **how), mirrored, levels), bound, rtol=1e-9, atol=1e-12)


def test_a_finer_grid_is_tried_until_the_work_is_used_up_or_the_bound_is_close(monkeypatch: pytest.MonkeyPatch) -> None:
    market = random_market(1, 3, by_attempts=True)
    terms = rules(market)
    steps = all_steps(market, terms)
    coarse = grid_technology(market, terms, steps, (0, 1, 2), points=10)
    assert not coarse.exact
    levels = np.linspace(coarse.reach - 0.3, coarse.reach - 1e-9, 9)
    found = schedules(coarse, market.prices, levels)

    def gap(work: float) -> float:
        bound = schedule_bound(coarse, market.prices, levels, found, Effort(bound=work))
        return float((1 - bound / found.cost).max())

    monkeypatch.setattr(_give_away, "FIRST_NODES", 30)
    monkeypatch.setattr(_give_away, "FINER", 4)
    monkeypatch.setattr(_give_away, "LEAST_CELLS", 1)
    gaps = [gap(0), gap(30_000), gap(10**9)]
    assert gaps[0] == 1.0, "nothing may be looked at, so nothing is known"
    assert gaps[0] > gaps[1] > gaps[2] >= 0
