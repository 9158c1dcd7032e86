"""Bands over resampled problems: what they are made of, by the definition, and that they cover."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eqsolver import Market, load, solve
from eqsolver._base import FloatArray
from eqsolver.market import Provider, Sampled
from eqsolver.posted import offers
from eqsolver.posted._intervals import interval, margin_interval, margins
from eqsolver.technology import all_steps, curves, evaluate, rules


def logs(problems: int = 30, seed: int = 3) -> Market:
    """Logs of two providers of like cost, so that either may make the market price."""
    rng = np.random.default_rng(seed)
    n = np.full(problems, 6)
    cheap, strong = rng.choice([0.0, 0.5, 0.9], problems), rng.choice([0.2, 0.6, 0.9], problems)
    sellers = [("cheap", cheap, 0.04), ("strong", strong, 0.06)]
    return Market(
        name="logs",
        providers=tuple(
            Provider(
                name=name,
                odds=Sampled(attempts=n, successes=rng.binomial(n, odds)),
                spend=cost * rng.uniform(0.5, 1.5, problems),
            )
            for name, odds, cost in sellers
        ),
        weights=np.full(problems, 1 / problems),
        max_budget=1.0,
    )


def points(values: list[float], tail: float) -> tuple[float, float]:
    """The order statistics by counting: at most a share `tail` of the others is beyond each."""
    known = sorted(v for v in values if not math.isnan(v))
    low = max(k for k in range(len(known)) if k <= tail * (len(known) - 1))
    return known[low], known[len(known) - 1 - low]


def test_bands_are_the_points_of_policies_held_fixed_on_resamples() -> None:
    """Every resample is solved as a market of its own; intervals are made in plain Python."""
    market, levels, B = logs(), np.array([0.5, 0.6, 0.7]), 60
    found = solve(market, evaluated=[("cheap", 0.12), ("strong", 0.88)], levels=levels, points=24, bootstrap=B, seed=7)
    assert found.wanted is not None
    assert found.evaluated is not None
    terms, told = rules(market), found.to_dict()["evaluated"]
    cost, price = np.empty((levels.size, B)), np.empty((2, levels.size, B))
    spent, passed = np.empty((levels.size, B)), np.empty((levels.size, B))
    for b, weights in enumerate(market.resampled(B, np.random.default_rng(7))):
        seen = market.reweighted(weights)
        steps = all_steps(seen, terms)
        cost[:, b] = evaluate(seen, terms, steps, found.wanted, levels).cost
        price[:, :, b] = offers(seen, steps, levels).cost
        for level, path in enumerate(found.evaluated.paths):
            spent[level, b], passed[level, b] = by_hand(seen, path)
    for level in range(levels.size):
        assert told["margin_p05"][level] is not None
        low, high = [], []
        makes = [np.mean(np.isfinite(p[level]) & (p[level] <= price[:, level].min(axis=0))) for p in price]
        against = [i for i in (0, 1) if makes[i] >= 0.05]
        for i in against:
            margin = [margin_of(c, p) for c, p in zip(cost[level], price[i, level], strict=True)]
            low.append(points(margin, 0.05)[0])
            high.append(points(margin, 0.05 / len(against))[1])
        assert told["margin_p05"][level] == pytest.approx(min(low), abs=1e-12)
        assert told["margin_p95"][level] == pytest.approx(min(high), abs=1e-12)
        for key, values in (("buy_cost", spent[level]), ("pass", passed[level])):
            want = points(list(values), 0.05)
            assert (told[f"{key}_p05"][level], told[f"{key}_p95"][level]) == pytest.approx(want, abs=1e-12)
    assert told["buy_cost_p05"] < told["buy_cost"] < told["buy_cost_p95"]


def margin_of(cost: float, price: float) -> float:
    if math.isinf(price):
        return math.nan if math.isinf(cost) else 1.0
    return max(0.0, 1 - cost / price)


def by_hand(market: Market, path: tuple[tuple[int, float], ...]) -> tuple[float, float]:
    """(money, pass) of a path of one block per provider, problem by problem."""
    standing, bill = np.ones(market.weights.size), np.zeros(market.weights.size)
    for provider, allotted in path:
        S, F = curves(market.providers[provider], np.array([allotted]), rules(market))
        bill += standing * F[:, 0] * market.prices[provider]
        standing *= S[:, 0]
    return float(market.weights @ bill), float(1 - market.weights @ standing)


def test_every_policy_has_bands_at_levels_that_it_reaches() -> None:
    found = solve(logs(), levels=[0.5, 0.7, 1.0], points=24, bootstrap=20)
    told = found.to_dict()
    for kind in ("cascade", "cascade_per_level", "schedule"):
        for name in ("margin", "buy_cost", "pass"):
            low, high = told[kind][f"{name}_p05"], told[kind][f"{name}_p95"]
            assert low[2] is high[2] is None, "nobody reaches it"
            assert all(a <= b for a, b in zip(low[:2], high[:2], strict=True))
    assert "margin_p05" not in solve(logs(), levels=[0.5], points=24).to_dict()["cascade"]


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.0, math.inf, math.nan]), min_size=1, max_size=50))
def test_ends_of_an_interval_are_order_statistics(values: list[float]) -> None:
    for tail in (0.05, 0.25):
        found = interval(np.array(values), tail)
        if all(math.isnan(v) for v in values):
            assert np.isnan(found).all()
        else:
            assert tuple(found) == points(values, tail)


def test_a_margin_without_an_offer_is_one_and_without_a_policy_nothing() -> None:
    cost, price = np.array([1.0, 1.0, np.inf, np.inf, 3.0, 0.0]), np.array([4.0, np.inf, 2.0, np.inf, 2.0, 0.0])
    np.testing.assert_array_equal(margins(cost, price), [0.75, 1.0, 0.0, np.nan, 0.0, 0.0])


def noisy(rng: np.random.Generator, true: FloatArray, resamples: int, error: float = 0.15) -> tuple[FloatArray, FloatArray]:
    """Estimates of costs and resamples about them, in proportion."""
    seen = true * np.exp(error * rng.standard_normal(true.size))
    return seen, seen[:, None] * np.exp(error * rng.standard_normal((true.size, resamples)))


@pytest.mark.parametrize(("offered", "percentiles_cover"), [([1.0, 1.0, 1.0, 1.0], False), ([1.0, 3.0, 3.0, 3.0], True)])
def test_intervals_cover_where_several_offers_tie(offered: list[float], percentiles_cover: bool) -> None:
    """400 draws of costs with errors of 15 %: of tied offers the least is too low, and plain percentiles of the margin miss."""
    rng, hits, plain = np.random.default_rng(0), 0, 0
    for _ in range(400):
        _, cost = noisy(rng, np.array([0.6]), 200)
        _, price = noisy(rng, np.array(offered), 200)
        low, high = margin_interval(cost, price[:, None])[:, 0]
        hits += low <= 0.4 <= high
        low, high = interval(margins(cost[0], price.min(axis=0)))
        plain += low <= 0.4 <= high
    assert hits >= 0.88 * 400
    assert (plain >= 0.85 * 400) == percentiles_cover


def test_a_provider_that_hardly_ever_makes_the_price_does_not_matter() -> None:
    rng = np.random.default_rng(1)
    _, cost = noisy(rng, np.array([0.6]), 200)
    _, price = noisy(rng, np.array([1.0, 9.0]), 200)
    np.testing.assert_array_equal(margin_interval(cost, price[:, None]), margin_interval(cost, price[:1, None]))


@pytest.mark.slow
def test_bands_of_solve_cover_what_a_fixed_cascade_earns_in_the_market_sampled_from() -> None:
    """20 samples of 200 problems of the duopoly's classes: `benchmarks/coverage.py` has the figures for hundreds."""
    population = load(Path(__file__).parents[2] / "models" / "swebench-duopoly.toml")
    levels, cascade = [0.705, 0.725], [("gpt5mini", 0.101), ("deepseek", 0.899)]
    true = solve(population, levels=levels, evaluated=cascade, points=64).evaluated
    assert true is not None
    rng, hits = np.random.default_rng(5), []
    for turn in range(20):
        drawn = rng.choice(population.weights.size, 200, p=population.weights)
        sample = replace(
            population,
            providers=tuple(provider.take(drawn) for provider in population.providers),
            weights=np.full(200, 1 / 200),
            problems=(),
        )
        found = solve(sample, levels=levels, evaluated=cascade, points=16, bootstrap=200, seed=turn)
        assert found.evaluated is not None
        band = found.evaluated.bands
        assert band is not None
        known = np.isfinite(band.margin[0])
        hits += ((band.margin[0] <= true.resale.margin) & (true.resale.margin <= band.margin[1]))[known].tolist()
    assert len(hits) >= 30
    assert np.mean(hits) >= 0.8, "90 % nominally, of 40 that are not independent"
