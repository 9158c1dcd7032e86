"""Paths of many providers grown price vector by price vector: real policies, cheaper and cheaper, near the optimum."""

from __future__ import annotations

import numpy as np

from eqsolver.market import Geometric, Market, Provider
from eqsolver.technology import Growth, Wide, all_steps, grid_technology, rules, schedule_hull
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
    terms = rules(one)
    made = wide(one, terms, all_steps(one, terms), tuple(range(5)), points=None, tolerance=1e-3, levels=None)
    return one, made, Growth(made, np.array([0.3, 0.6]))


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
    terms = rules(one)
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
