"""How fast markets of many providers solve: the six-model market against a grid search, and growth up to 600 providers.

pytest benchmarks/bench_many.py -n 0 --benchmark-enable -s
"""

from __future__ import annotations

import itertools
import math
import resource
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from baseline import cascade_on_grid
from bench_posted import report

from eqsolver.market import Market, Provider, Sampled, load
from eqsolver.technology import all_steps, build, curves, oracle, rules, schedule_bound, schedules

SIX = Path(__file__).parents[1] / "models" / "swebench-six.toml"
POINTS = 20


def test_six_models_against_a_grid_of_four_provider_cascades(benchmark: Any) -> None:
    """Optimum and bound at 100 levels, against cascades of every four of the six on 20 points each, one policy at a time.

    The rival's time is that of a sample of its policies, extrapolated to all: 360 orders of four x 20^4 thresholds; and to
    20^3, if it knows that the last threshold only matters where the others do not reach. Ours is run once, whole.
    """
    enabled = benchmark.enabled
    market = load(SIX) if enabled else leaderboard(5, 30)
    terms, q, m = rules(market), market.weights, market.prices
    axes = np.append(0.0, np.geomspace(1e-3, 1.0, POINTS - 1))
    both = [curves(provider, axes, terms) for provider in market.providers]
    S, F = [s for s, _ in both], [f for _, f in both]
    levels = np.linspace(0.705, 0.755, 100) if enabled else np.linspace(0.5, 0.7, 3)
    orders = list(itertools.permutations(range(len(market.names)), 4))
    rng = np.random.default_rng(0)
    sample = [(orders[rng.integers(len(orders))], rng.integers(0, POINTS, 4)) for _ in range(20_000 if enabled else 200)]
    sample = [(order, tops) for order, tops in sample if axes[tops].sum() <= terms.total_cap]

    def rival() -> np.ndarray:
        best = np.full(levels.size, np.inf)
        for order, tops in sample:
            np.minimum(best, cascade_on_grid(q, S, F, m, order, tops, levels), out=best)
        return best

    def ours() -> tuple[np.ndarray, np.ndarray]:
        made = build(market, terms, all_steps(market, terms), levels=levels)
        found = schedules(made, m, levels)
        return found.cost, np.minimum(schedule_bound(made, m, levels, found), found.cost)

    begin = time.perf_counter()
    cost, bound = benchmark.pedantic(ours, rounds=1)
    seconds = time.perf_counter() - begin
    begin = time.perf_counter()
    best = rival()
    per_policy = (time.perf_counter() - begin) / len(sample)
    assert (cost < best).all(), "a better optimum at every level"
    whole = per_policy * len(orders) * POINTS**4
    report(
        benchmark,
        "six models against a grid of four-provider cascades",
        seconds=seconds,
        rival_microseconds_per_policy=1e6 * per_policy,
        rival_policies_sampled=len(sample),
        rival_seconds_extrapolated=whole,
        rival_over_ours=whole / seconds,
        rival_over_ours_if_it_skips_the_last_threshold=whole / POINTS / seconds,
        largest_gap=float(np.max(1 - bound / cost)),
    )


def leaderboard(providers: int, problems: int, seed: int = 0) -> Market:
    """A public leaderboard: one attempt of every provider on every problem, at costs of its own."""
    rng = np.random.default_rng(seed)
    skill = rng.beta(0.7, 0.7, problems)
    sellers = []
    for i in range(providers):
        strength = rng.uniform(-0.35, 0.3)
        p = np.clip(skill + strength + rng.normal(0, 0.2, problems), 0.0, 0.97)
        spend = rng.lognormal(-3.5 + 3 * strength + rng.normal(0, 0.8), 0.5, problems)
        once = Sampled(attempts=np.ones(problems, dtype=int), successes=rng.binomial(1, p))
        sellers.append(Provider(name=f"m{i:03d}", odds=once, spend=spend))
    return Market(name="leaderboard", providers=tuple(sellers), weights=np.full(problems, 1 / problems), max_budget=2.0)


@pytest.mark.parametrize(("providers", "problems"), [(25, 500), (100, 2_000), (300, 5_000), (600, 10_000)])
def test_cost_grows_with_the_attempts_in_the_logs(benchmark: Any, providers: int, problems: int) -> None:
    """Schedules at 20 levels with the oracle's bound: seconds, peak memory, and both over those of the logs' size."""
    if not benchmark.enabled and providers > 25:
        pytest.skip("large sizes are for --benchmark-enable")
    market = leaderboard(providers, problems) if benchmark.enabled else leaderboard(6, 30)
    terms = rules(market)

    def solved() -> float:
        steps = all_steps(market, terms)
        made = build(market, terms, steps)
        levels = np.linspace(made.reach - 0.1, made.reach, 20 if benchmark.enabled else 3)
        cost = schedules(made, market.prices, levels).cost
        bound = oracle(market, terms, made.access, market.prices).at(levels)
        return float(np.max(1 - bound / cost))

    begin = time.perf_counter()
    gap = benchmark.pedantic(solved, rounds=1)
    seconds = time.perf_counter() - begin
    assert 0 <= gap < 1
    report(
        benchmark,
        "growth with the size of the logs",
        providers=providers,
        problems=problems,
        seconds=seconds,
        microseconds_per_log_entry=1e6 * seconds / (providers * problems),
        peak_gibibytes_of_the_process=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        log_gibibytes=3 * 8 * providers * problems / 2**30,
        largest_gap=gap,
        doublings_of_entries=math.log2(providers * problems / 12_500),
    )
