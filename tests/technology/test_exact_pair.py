"""The exact market of two providers against exact product grids, every cascade there is, and fractions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from oracles import along, least, level_fraction, levels_of, lower_hull, tiny
from tiny_markets import RULES, markets, somebody_solves

from eqsolver.market import Geometric, Market, Provider, Sampled
from eqsolver.posted._offers import offers
from eqsolver.technology import Cascade, all_steps, along_hull, evaluate, rules, walk
from eqsolver.technology._evaluate import with_rest
from eqsolver.technology._exact_pair import ExactPair, exact_pair
from eqsolver.technology._pair_optimum import PairOptimum, pair_optimum
from eqsolver.technology._policies import schedule_hull, schedules
from eqsolver.technology._scores import margin_scores
from eqsolver.technology._technology import grid_technology

TIGHT = {"rtol": 1e-10, "atol": 1e-12}
LARGEST = 3e8


def solved_exactly(
    market: Market, how: Mapping[str, Any], levels: np.ndarray | None = None
) -> tuple[ExactPair, np.ndarray, PairOptimum]:
    terms = rules(market, **how)
    steps = all_steps(market, terms)
    made = exact_pair(market, terms, steps, (0, 1), LARGEST)
    assert made is not None
    u = np.linspace(made.reach / 9, made.reach, 9) if levels is None else levels
    return made, u, pair_optimum(made, market.prices, u, offers(market, steps, u).market_price)


def all_cascades(made: ExactPair) -> Iterator[Cascade]:
    """Both orders, every threshold of the provider bought first."""
    for first in made.access:
        (second,) = set(made.access) - {first}
        for top in (0.0, *made.steps[first].at):
            if made.rules.largest_total >= top:
                yield with_rest(made.rules, made.steps, [first, second], [float(top)])


def agrees_with_the_grid(market: Market, how: Mapping[str, Any]) -> None:
    made, u, found = solved_exactly(market, how)
    size = max(step.at.size for step in made.steps) + 1
    grid = grid_technology(market, made.rules, made.steps, (0, 1), points=max(size, 2))
    assert grid.exact
    assert made.reach == pytest.approx(grid.reach, abs=1e-12)
    np.testing.assert_allclose(found.schedules.cost, schedules(grid, market.prices, u).cost, **TIGHT)
    wide = np.linspace(0.0, made.reach, 50)
    np.testing.assert_allclose(along_hull(wide, *found.hull), along_hull(wide, *schedule_hull(grid, market.prices)), **TIGHT)
    price = offers(market, made.steps, u).market_price
    each = np.array([evaluate(market, made.rules, made.steps, cascade, u).cost for cascade in all_cascades(made)])
    np.testing.assert_allclose(found.cascades.per_level.cost, np.minimum.reduce(each), **TIGHT)
    single = evaluate(market, made.rules, made.steps, found.cascades.single, u).cost
    main, second = margin_scores(np.vstack([each, single]), price)
    assert main[-1] == pytest.approx(main.max(), abs=1e-12)
    if not np.isfinite(price).any():
        assert second[-1] == pytest.approx(second.max(), abs=1e-12)
    for policies in (found.schedules, found.cascades.per_level):
        for level, path, units in zip(u, policies.paths, policies.units, strict=True):
            if np.isfinite(units).all():
                walked = walk(market, made.steps, path)
                assert walked.solved[-1] >= level - 2e-12
                np.testing.assert_allclose(walked.units[-1], units, **TIGHT)
                assert sum(max((b for i, b in path if i == j), default=0.0) for j in (0, 1)) <= made.rules.total_cap * (
                    1 + 1e-12
                )


@settings(max_examples=150, deadline=None)
@given(market=markets(sellers=(2, 2)), how=RULES)
def test_tiny_markets_cost_what_the_exact_grid_and_every_cascade_say(market: Market, how: dict) -> None:
    assume(somebody_solves(market))
    assume(any(step.at.size for step in all_steps(market, rules(market, **how))))
    agrees_with_the_grid(market, how)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), problems=st.integers(4, 25), logs=st.booleans(), tied=st.booleans(), how=RULES)
def test_markets_of_some_hundred_steps_cost_what_the_exact_grid_and_every_cascade_say(
    seed: int, problems: int, logs: bool, tied: bool, how: dict
) -> None:
    rng = np.random.default_rng(seed)

    def seller(name: str, cost: float) -> Provider:
        spend = cost * (rng.integers(1, 4, problems) / 4 if tied else rng.lognormal(0, 0.5, problems))
        n = rng.integers(1, 8, problems)
        odds = (
            Sampled(attempts=n, successes=rng.binomial(n, rng.random(problems)))
            if logs
            else Geometric(success=rng.random(problems))
        )
        failed = spend * rng.choice([0.5, 1.0, 2.0], problems)
        return Provider(name=name, odds=odds, spend=spend, spend_failed=failed, price=float(rng.uniform(0.5, 2.0)))

    market = Market(
        name="random",
        providers=(seller("a", 0.2), seller("b", 0.6)),
        weights=rng.dirichlet(np.ones(problems)),
        max_budget=2.5,
        max_attempts=int(rng.integers(1, 9)),
    )
    assume(somebody_solves(market))
    agrees_with_the_grid(market, how)


@settings(max_examples=60, deadline=None)
@given(market=markets(sellers=(2, 2)), how=RULES)
def test_schedules_cascades_and_their_mixtures_equal_brute_force_in_fractions(market: Market, how: dict) -> None:
    by_luck = tiny(market, **how)
    assume(any(by_luck.stops(i) for i in range(2)))
    best, cascades = by_luck.best_schedules(), by_luck.cascades()
    levels = levels_of(best)
    _, _, found = solved_exactly(market, how, np.array(levels))
    hull, mixed = lower_hull(best), along_hull(np.array(levels), *found.hull)
    for u, schedule, cascade, mixture in zip(levels, found.schedules.cost, found.cascades.per_level.cost, mixed, strict=True):
        level = level_fraction(u, best)
        for cost, right in ((schedule, least(best, level)), (cascade, least(cascades, level)), (mixture, along(hull, level))):
            if right is None:
                assert np.isinf(cost), f"level {u} is out of reach, but costs {cost}"
            else:
                assert cost == pytest.approx(float(right), rel=1e-9, abs=1e-11), f"level {u}"


def test_a_pair_with_too_many_steps_is_left_to_others() -> None:
    market = Market(
        name="two",
        providers=(
            Provider(name="a", odds=Geometric(success=[0.5, 0.25]), spend=[0.3, 0.2]),
            Provider(name="b", odds=Geometric(success=[0.5, 0.75]), spend=[0.1, 0.7]),
        ),
        weights=[0.5, 0.5],
        max_budget=2.0,
    )
    terms = rules(market)
    steps = all_steps(market, terms)
    made = exact_pair(market, terms, steps, (0, 1), LARGEST)
    assert made is not None
    own, other = (np.bincount(stop.problem, minlength=2) for stop in made.stops)
    work = made.stops[0].at.size * made.stops[1].at.size + float(own @ other)
    assert exact_pair(market, terms, steps, (0, 1), work) is not None
    assert exact_pair(market, terms, steps, (0, 1), work - 1) is None
    assert made.stops[0].at.size <= made.stops[1].at.size
