"""Many providers: paths grown by merging, held against exact product grids, and the bill of a path against its walk."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from published import DATA, needs_logs
from tiny_markets import RULES

from eqsolver import load, solve
from eqsolver._base import FloatArray
from eqsolver.market import Geometric, Market, Provider, Sampled
from eqsolver.technology import Technology, Wide, all_steps, build, grid_technology, rules, schedule_bound, schedules
from eqsolver.technology._merge import merged, spine
from eqsolver.technology._path import Block, tolls, walk
from eqsolver.technology._pool import Pool
from eqsolver.technology._wide import wide


def random_market(seed: int, providers: int, by_attempts: bool) -> Market:
    """Problems of different difficulty, providers of different strength and price; so few steps that all fit a grid."""
    rng = np.random.default_rng(seed)
    problems = 25
    skill = rng.beta(0.6, 0.6, problems)
    sellers = []
    for i in range(providers):
        p = np.clip(skill * rng.uniform(0.3, 1.2) + rng.normal(0, 0.25, problems), 0, 0.98)
        p[p < 0.05] = 0
        spread = rng.lognormal(0, 0.4, problems) if by_attempts else rng.choice([1.0, 2.0, 3.0], problems)
        sellers.append(Provider(name=f"p{i}", odds=Geometric(success=p), spend=spread * rng.lognormal(0, 0.8)))
    weights = rng.dirichlet(np.full(problems, 5.0))
    return Market(name="random", providers=tuple(sellers), weights=weights, max_budget=6.0, max_attempts=4)


def both_ways(market: Market, by_attempts: bool) -> tuple[Technology, Wide, FloatArray]:
    """The whole product grid, the paths grown without it, and 25 levels up to the reach."""
    terms = rules(market, allot="attempts" if by_attempts else "money")
    steps = all_steps(market, terms)
    everyone = tuple(range(len(market.providers)))
    exact = grid_technology(market, terms, steps, everyone, points=max(s.at.size for s in steps) + 1)
    assert exact.exact
    levels = np.linspace(exact.reach - 0.3, exact.reach - 1e-9, 25)
    return exact, wide(market, terms, steps, everyone, points=None, tolerance=1e-3, levels=levels), levels


@pytest.mark.parametrize("by_attempts", [True, False])
@pytest.mark.parametrize(("seed", "providers"), [(0, 5), (1, 5), (2, 5), (3, 6)])
def test_every_provider_that_a_buyer_should_use_is_found(seed: int, providers: int, by_attempts: bool) -> None:
    """Exhaustive search says which providers matter: without them some level costs over 3 % more."""
    market = random_market(seed, providers, by_attempts)
    exact, grown, levels = both_ways(market, by_attempts)
    optimum, found = schedules(exact, market.prices, levels).cost, schedules(grown, market.prices, levels)
    assert grown.reach == pytest.approx(exact.reach, abs=1e-9)
    loss = found.cost / optimum - 1
    assert loss.min() >= -1e-9, "nothing beats the exhaustive search"
    assert loss.max() <= 0.04
    assert loss.mean() <= 0.005
    assert (schedule_bound(grown, market.prices, levels, found) <= optimum * (1 + 1e-9)).all(), "the printed bound is one"
    used = {i for path in found.paths for i, _ in path}
    for i in range(providers):
        others = [name for k, name in enumerate(market.names) if k != i]
        without = build(market, exact.rules, exact.steps, access=others, points=1 + max(s.at.size for s in exact.steps))
        assert isinstance(without, Technology)
        if (schedules(without, market.prices, levels).cost > 1.03 * optimum).any():
            assert i in used, market.names[i]


@st.composite
def paths(draw: st.DrawFn, providers: int) -> tuple[Block, ...]:
    position: dict[int, float] = {}
    found = []
    for i in draw(st.lists(st.integers(0, providers - 1), max_size=12)):
        position[i] = position.get(i, 0.0) + draw(st.sampled_from([0.0, 0.5, 1.0, 1.75, 40.0]))
        found.append((i, position[i]))
    return tuple(found)


@settings(max_examples=80, deadline=None)
@given(
    data=st.data(),
    seed=st.integers(0, 20),
    how=RULES,
)
def test_the_bill_of_a_path_is_that_of_its_walk(data: st.DataObject, seed: int, how: dict) -> None:
    market = random_market(seed, 3, by_attempts=False)
    if data.draw(st.booleans()):
        rng = np.random.default_rng(seed)
        n = rng.integers(1, 6, 25)
        logs = (
            Provider(name=p.name, odds=Sampled(attempts=n, successes=rng.integers(0, n + 1)), spend=p.spend)
            for p in market.providers
        )
        market = Market(name="logs", providers=tuple(logs), weights=market.weights, max_budget=100.0)
    terms = rules(market, **how, max_budget=100.0, max_attempts=50)
    steps = all_steps(market, terms)
    path, prices = data.draw(paths(3)), np.array([1.0, 0.5, 2.0])
    solved, cost = tolls(market, steps, path, prices)
    walked = walk(market, steps, path)
    np.testing.assert_allclose(solved, walked.solved, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(cost, walked.units @ prices, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("providers", [3, 5])
def test_the_order_of_providers_changes_nothing_where_grids_are_not_exact(providers: int) -> None:
    rng = np.random.default_rng(3)
    skill = rng.beta(0.7, 0.7, 60)
    sellers = []
    for i in range(providers):
        n = rng.integers(3, 9, 60)
        odds = Sampled(attempts=n, successes=rng.binomial(n, np.clip(skill + rng.normal(0, 0.2, 60), 0, 1)))
        sellers.append(Provider(name=f"p{i}", odds=odds, spend=rng.lognormal(-3, 0.5, 60)))
    market = Market(name="random", providers=tuple(sellers), weights=np.full(60, 1 / 60), max_budget=1.0)
    levels = np.linspace(0.5, 0.9, 6)
    one, other = (
        solve(replace(market, providers=order), levels=levels, points=12 if providers == 3 else None)
        for order in (market.providers, market.providers[::-1])
    )
    assert not one.exact
    for kind, outcome in one.policies().items():
        np.testing.assert_allclose(outcome.resale.buy_cost, other.policies()[kind].resale.buy_cost, rtol=1e-9, err_msg=kind)
    np.testing.assert_allclose(one.schedule.gap, other.schedule.gap, rtol=1e-6, atol=1e-9)
    assert {market.names[i] for i in one.fitted.order} == {market.names[::-1][i] for i in other.fitted.order}


@needs_logs
@pytest.mark.slow
def test_on_the_six_models_no_provider_left_out_of_a_path_would_improve_its_level() -> None:
    """Each provider merged back into the best path of each level, at every step of the path and 400 steps of its own."""
    market = load(DATA / "swebench")
    terms = rules(market, max_budget=1.0)
    steps = all_steps(market, terms)
    levels = np.linspace(0.7, 0.8, 11)
    made = build(market, terms, steps, levels=levels)
    best = schedules(made, market.prices, levels)
    for left_out in market.names:
        others = [name for name in market.names if name != left_out]
        fewer = schedules(build(market, terms, steps, access=others, levels=levels), market.prices, levels).cost
        assert (best.cost <= fewer * 1.005).all(), f"{left_out} let in makes a level dearer"
    pool = Pool(market, terms, steps, market.prices, levels)
    for path, level, cost in zip(best.paths, levels, best.cost, strict=True):
        bought = {i for i, _ in path}
        base = spine(pool.columns, market.weights, market.prices, path)
        for i in set(range(6)) - bought:
            at = steps[i].at
            points = np.append(0.0, at[np.unique(np.linspace(0, at.size - 1, min(at.size, 400)).astype(int))])
            S, F = pool.columns.of(i, points)
            found = merged(base, points[None], S[None], market.prices[i] * F[None])
            within = found.total[0] <= terms.total_cap * (1 + 1e-12)
            reached = within & (found.solved[0] >= level - 1e-12)
            assert found.value[0][reached].min(initial=np.inf) >= cost * (1 - 0.005), market.names[i]
