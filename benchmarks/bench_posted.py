"""How fast the posted-price kernels are, always as a ratio to a named alternative timed in the same run.

    pytest benchmarks -n 0 --benchmark-enable -s

prints one JSON line per case. With the tests (benchmarks disabled) every case runs once at a tiny size, its answer checked.
"""

from __future__ import annotations

import json
import statistics
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from baseline import cascades_one_by_one

from eqsolver.market import Market, Provider, Sampled
from eqsolver.technology import (
    cheapest_reaching,
    curves,
    joint,
    rules,
    shortest_paths,
    threshold_table,
)


def market(problems: int, providers: int, attempts: int = 20, seed: int = 0) -> Market:
    """Logs of `attempts` attempts per problem: joint skill, each provider a cost scale of its own."""
    rng = np.random.default_rng(seed)
    skill = rng.beta(0.5, 0.4, size=problems)
    sellers = []
    for i in range(providers):
        p = np.clip(skill + rng.normal(0, 0.15, problems), 0, 1)
        n = rng.integers(attempts // 2, attempts + 1, problems)
        spend = rng.lognormal(-4 + 0.7 * i, 0.5, problems)
        sellers.append(Provider(name=f"p{i}", odds=Sampled(attempts=n, successes=rng.binomial(n, p)), spend=spend))
    return Market(name="synthetic", providers=tuple(sellers), weights=np.full(problems, 1 / problems), max_budget=1.0)


def race(task: Callable[[], Any], rival: Callable[[], Any], rounds: int) -> dict[str, float]:
    """Medians of both and of their ratio, run in turn so that a drifting machine does not favour either."""
    ours, theirs = [], []
    for _ in range(rounds):
        for function, seconds in ((task, ours), (rival, theirs)):
            begin = time.perf_counter()
            function()
            seconds.append(time.perf_counter() - begin)
    ratios = [b / a for a, b in zip(ours, theirs, strict=True)]
    return {
        "seconds": statistics.median(ours),
        "rival_seconds": statistics.median(theirs),
        "rival_over_ours": statistics.median(ratios),
    }


def report(benchmark: Any, case: str, **figures: Any) -> None:
    benchmark.extra_info.update(figures)
    print("\n" + json.dumps({"case": case, **figures}))


@pytest.fixture
def enabled(benchmark: Any) -> bool:
    return bool(benchmark.enabled)


def on_grids(made: Market, sizes: list[int]) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
    terms = rules(made)
    axes = [np.append(0.0, np.geomspace(1e-3, 1.0, size - 1)) for size in sizes]
    both = [curves(provider, axis, terms) for provider, axis in zip(made.providers, axes, strict=True)]
    return axes, [S for S, _ in both], [F for _, F in both]


def test_all_thresholds_and_levels_against_cascades_one_by_one(benchmark: Any, enabled: bool) -> None:
    """The duopoly's size: 445 problems, 250 thresholds of either order x 1000 levels, as many budgets as steps."""
    thresholds, budgets, count = (250, 3300, 1000) if enabled else (12, 15, 20)
    made = market(445, 2)
    (first, second), S, F = on_grids(made, [thresholds, budgets])
    q, levels = made.weights, np.linspace(0.3, 0.7, count)
    kept = [np.arange(thresholds), np.linspace(0, budgets - 1, thresholds).astype(int)]
    everywhere = np.ones((first.size, second.size), dtype=bool)

    def ours() -> list[np.ndarray]:
        survival, edges = joint(q, lambda b: ([s[b] for s in S], [f[b] for f in F]), (thresholds, budgets))
        return [
            threshold_table(1 - survival, edges, everywhere, order, levels, [kept[order[0]]]).cost for order in ((0, 1), (1, 0))
        ]

    def one_by_one() -> list[np.ndarray]:
        return [cascades_one_by_one(q, [S[a], S[b]], [F[a], F[b]], levels, kept[a]) for a, b in ((0, 1), (1, 0))]

    weighted = q[:, None] * S[0], q[:, None] * F[0]

    def gemms() -> None:
        weighted[0].T @ S[1]
        weighted[0].T @ F[1]
        weighted[1].T @ S[1]

    for found, expected in zip(ours(), one_by_one(), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-9)
    natural = race(ours, one_by_one, 5 if enabled else 1)
    bare = race(ours, gemms, 15 if enabled else 1)
    benchmark(ours)
    report(
        benchmark,
        "all thresholds and levels",
        problems=445,
        cascades=2 * thresholds,
        budgets=budgets,
        levels=count,
        seconds=natural["seconds"],
        times_faster_than_one_by_one=natural["rival_over_ours"],
        times_the_bare_gemms=1 / bare["rival_over_ours"],
    )


def test_four_provider_schedule_against_its_own_gemms(benchmark: Any, enabled: bool) -> None:
    size, problems = (32, 445) if enabled else (4, 20)
    made = market(problems, 4)
    _, S, F = on_grids(made, [size] * 4)
    q, levels = made.weights, np.linspace(0.4, 0.8, 100)

    def ours() -> np.ndarray:
        survival, edges = joint(q, lambda b: ([s[b] for s in S], [f[b] for f in F]), (size,) * 4)
        return cheapest_reaching(1 - survival, shortest_paths(edges), levels).cost

    left, right = np.random.default_rng(0).random((2, problems, size * size))

    def gemms() -> None:
        for _ in range(5):
            left.T @ right

    cost = ours()
    assert (np.diff(cost[np.isfinite(cost)]) >= 0).all()
    bare = race(ours, gemms, 7 if enabled else 1)
    benchmark(ours)
    report(
        benchmark,
        "four-provider schedule",
        grid=f"{size}^4",
        seconds=bare["seconds"],
        gemm_seconds=bare["rival_seconds"],
        times_its_gemms=1 / bare["rival_over_ours"],
    )


@pytest.mark.parametrize("problems", [1_000, 10_000, 100_000, 1_000_000])
def test_cost_is_linear_in_problems(benchmark: Any, enabled: bool, problems: int) -> None:
    """Curves on the grid and joint sums in blocks: seconds per problem and peak memory, against 1000 problems."""
    sizes = [64, 256] if enabled else [4, 6]
    if not enabled and problems > 1_000:
        pytest.skip("large sizes are for --benchmark-enable")
    made, small = market(problems, 2), market(1_000, 2)
    axes = [np.append(0.0, np.geomspace(1e-3, 1.0, size - 1)) for size in sizes]

    def build(m: Market) -> np.ndarray:
        terms = rules(m)

        def block(b: slice) -> tuple[list[np.ndarray], list[np.ndarray]]:
            inside = np.arange(m.weights.size)[b]
            both = [curves(p.take(inside), axis, terms) for p, axis in zip(m.providers, axes, strict=True)]
            return [S for S, _ in both], [F for _, F in both]

        return joint(m.weights, block, tuple(sizes))[0]

    tracemalloc.start()
    survival = build(made)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert survival[0, 0] == pytest.approx(1.0)
    found = race(lambda: build(made), lambda: build(small), 3 if problems < 10**6 else 1)
    benchmark.pedantic(build, args=(small,), rounds=1)
    report(
        benchmark,
        "linear in problems",
        problems=problems,
        seconds=found["seconds"],
        microseconds_per_problem=1e6 * found["seconds"] / problems,
        per_problem_over_that_of_1000=found["seconds"] / problems / (found["rival_seconds"] / 1_000),
        peak_mebibytes_beyond_the_logs=peak / 2**20,
    )
