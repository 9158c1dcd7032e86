"""Paths of many providers grown price vector by price vector: real policies, cheaper and cheaper, near the optimum."""

from __future__ import annotations

import numpy as np
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from tiny_markets import markets

from eqsolver.market import Geometric, Market, Provider, Sampled
from eqsolver.technology import Growth, Wide, all_steps, grid_technology, rules, schedule_hull
from eqsolver.technology._growth import ASIDE
from eqsolver.technology._wide import wide


def market() -> Market:
    rng = np.random.default_rng(4)
    providers = tuple(
        Provider(name=f"p{i}", odds=Geometric(success=rng.uniform(0.05, 0.9, 6)), spend=rng.uniform(0.5, 1.5, 6) * (1 + i / 2))
        for i in range(5)
    )
    return Market(name="five", providers=providers, weights=np.full(6, 1 / 6), max_budget=4.0)


def grown() -> tuple[Market, Wide, Growth]:
    one = market()
    terms = rules(one, overrun="never")
    made = wide(one, terms, all_steps(one, terms), tuple(range(5)), points=None, tolerance=1e-3, levels=None)
    return one, made, Growth(made, np.array([0.3, 0.6]), np.array([0.3, 0.6]))


def test_growing_never_makes_anything_dearer_and_stops_saving() -> None:
    _, made, growth = grown()
    prices = np.array([[1.0, 1.0, 1.0, 1.0, 1.0], [0.6, 1.4, 0.8, 1.2, 1.0]])
    levels = np.linspace(0.1, made.reach * 0.99, 12)
    growth.grow(prices)
    first = growth.found().mixed_cost(levels, prices)
    saved = growth.grow(prices)
    second = growth.found().mixed_cost(levels, prices)
    assert (second <= first * (1 + 1e-9)).all()
    assert growth.grow(prices) <= max(saved, 0.02)


def test_grown_policies_cost_little_more_than_those_of_a_product_grid_of_all_providers() -> None:
    one, made, growth = grown()
    terms = rules(one, overrun="never")
    prices = np.array([0.6, 1.4, 0.8, 1.2, 1.0])
    growth.grow(prices[None])
    found = growth.found()
    exact = grid_technology(one, terms, all_steps(one, terms), tuple(range(5)), points=8)
    xs, ys = schedule_hull(exact, prices)
    levels = np.linspace(0.1, 0.95 * min(made.reach, xs[-1]), 12)
    mine = found.mixed_cost(levels, prices[None])[0]
    best = np.interp(levels, xs, ys)
    assert (mine <= best * 1.03).all()
    for solved, units in zip(found.solved, found.units, strict=True):
        assert 0 < solved <= 1
        assert units.sum() <= one.max_budget * (1 + 1e-9)


PRICES = st.lists(st.sampled_from([0.5, 0.8, 1.0, 1.7, 3.0]), min_size=3, max_size=3).map(np.array)


def begun(one: Market, kind: type[Growth] = Growth) -> Growth:
    """Ready to grow paths of everybody who ever solves a problem."""
    terms = rules(one)
    steps = all_steps(one, terms)
    useful = tuple(i for i, step in enumerate(steps) if step.at.size)
    assume(len(useful) > 1)
    return kind(
        wide(one, terms, steps, useful, points=None, tolerance=1e-3, levels=None), np.array([0.3, 0.6]), np.array([0.3, 0.6])
    )


FEWER_HELD = Market(
    name="a path of which only some is held",
    providers=(
        Provider(name="a", odds=Sampled(attempts=[1, 1, 1], successes=[0, 1, 0]), spend=[1.5, 1.0, 1.5]),
        Provider(name="b", odds=Sampled(attempts=[1, 1, 1], successes=[0, 0, 0]), spend=[1.0, 1.0, 1.0]),
        Provider(name="c", odds=Sampled(attempts=[1, 1, 3], successes=[0, 0, 1]), spend=[1.0, 1.5, 1.0]),
    ),
    weights=[0.25, 0.25, 0.5],
    max_budget=2.0,
    max_attempts=1,
)


@settings(max_examples=25, deadline=None)
@given(one=markets(sellers=(3, 3)), prices=PRICES)
@example(one=FEWER_HELD, prices=np.array([3.0, 0.5, 0.5]))
def test_no_grown_policy_is_cheaper_than_the_best_and_growing_says_what_it_saved(one: Market, prices: np.ndarray) -> None:
    growth = begun(one)
    growth.grow(np.ones((1, 3)))
    levels = growth._watched
    before = growth.found(levels).cost(levels, prices[None])[0][0]
    saved = growth.grow(prices[None])
    found = growth.found(levels)
    after = found.cost(levels, prices[None])[0][0]
    known = np.isfinite(before)
    assert (after[known] <= before[known] * (1 + 1e-9)).all()
    assert (after[known] >= before[known] * (1 - saved - 1e-9)).all()
    exact = grid_technology(one, rules(one), all_steps(one, rules(one)), growth.made.usable, points=200)
    assert exact.exact, "every step is on the grid"
    xs, ys = schedule_hull(exact, prices)
    best = np.interp(levels, xs, ys)
    held = found.mixed_cost(levels, prices[None])[0]
    assert (held[known] >= best[known] * (1 - 1e-9)).all()


class Everything(Growth):
    """Paths grown, and no policy left out."""

    def _look(self) -> None:
        super()._look()
        self._on_hull[:] = True


@settings(max_examples=25, deadline=None)
@given(one=markets(sellers=(3, 3)), prices=PRICES)
def test_what_is_left_out_is_cheapest_nowhere_near(one: Market, prices: np.ndarray) -> None:
    kept, every = begun(one), begun(one, Everything)
    for growth in (kept, every):
        growth.grow(prices[None])
    near = np.array([prices, *(np.where(np.arange(3) == i, prices * by, prices) for i in range(3) for by in ASIDE)])
    levels = np.linspace(0.02, kept.made.reach, 40)
    few, all_of_them = kept.found(), every.found()
    assert few.solved.size <= all_of_them.solved.size
    np.testing.assert_allclose(few.mixed_cost(levels, near), all_of_them.mixed_cost(levels, near), rtol=1e-9)
    np.testing.assert_allclose(few.cost(few.levels, near)[0], all_of_them.cost(few.levels, near)[0], rtol=1e-9)
