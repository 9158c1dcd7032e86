"""Speed of robust allocations, each claim as a ratio to a named alternative in the same run."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cvxpy as cp
import numpy as np
import pytest

from eqsolver import load
from eqsolver._base import FloatArray
from eqsolver.posted import offers
from eqsolver.robust import (
    AmbiguitySet,
    Programs,
    ambiguity_set,
    candidates,
    distances,
    margins_matrix,
    resampled_problems,
    robust_mixture,
)
from eqsolver.robust._program import MixtureProgram, worst_case
from eqsolver.technology import Cascade, Rules, all_steps, evaluate, rules

MODEL = Path(__file__).parents[1] / "models" / "swebench-duopoly.toml"
SETS = ["cvar", "tv", "chi2", "kl", "wasserstein"]
RADII = {"cvar": (0.95, 0.2), "tv": (0.01, 0.5), "chi2": (0.01, 2.0), "kl": (0.01, 1.0), "wasserstein": (0.01, 0.5)}


def seconds(task: Callable[[], Any], repeats: int = 1) -> float:
    """Least processor time of a task: the machine may have other work."""
    taken = []
    for _ in range(repeats):
        start = time.process_time()
        task()
        taken.append(time.process_time() - start)
    return min(taken)


def game(scenarios: int, policies: int) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Margins like those of cascades: each policy suits some customers, none suits all; abstaining first."""
    rng = np.random.default_rng(0)
    taste, offer = rng.random((scenarios, 6)), rng.random((6, policies))
    R = 0.45 - np.abs(taste[:, :, None] - offer[None]).mean(axis=1) + 0.02 * rng.normal(size=(scenarios, policies))
    R[:, 0] = 0.0
    return R, rng.dirichlet(np.full(scenarios, 2.0)), distances(taste)


class Whole:
    """One program over all policies, the radius its only parameter: canonicalised once for a sweep."""

    def __init__(self, R: FloatArray, q0: FloatArray, within: AmbiguitySet) -> None:
        self.case = worst_case(within.kind, len(q0), within.distance)
        w = cp.Variable(R.shape[1], nonneg=True)
        held = [self.case.outcome <= R @ w, cp.sum(w) == 1, *self.case.constraints]
        self.problem, self.q0 = cp.Problem(cp.Maximize(self.case.value), held), q0
        self.solver = {"solver": "CLARABEL"} if within.kind in ("chi2", "kl") else {"solver": "SCIPY"}

    def data(self, within: AmbiguitySet) -> Any:
        self.case.tell(self.q0, within)
        return self.problem.get_problem_data(self.solver["solver"])

    def solve(self, within: AmbiguitySet) -> float:
        self.case.tell(self.q0, within)
        options = {"scipy_options": {"method": "highs"}} if self.solver["solver"] == "SCIPY" else {}
        self.problem.solve(**self.solver, **options)
        return float(self.problem.value)


@pytest.mark.parametrize(("scenarios", "policies", "points"), [(12, 80, 3), (200, 2000, 50)])
@pytest.mark.parametrize("kind", SETS)
def test_a_sweep_of_radii(kind: str, scenarios: int, policies: int, points: int, benchmark: Any) -> None:
    """Policies generated and programs kept, against one program over all policies, built anew at each radius.

    The alternatives are timed at few of the radii, and scaled up.
    """
    if scenarios > 12 and benchmark.disabled:
        pytest.skip("large sizes are for --benchmark-enable")
    if kind == "wasserstein":
        scenarios = min(scenarios, 60)  # the whole program has a constraint for each pair of scenarios
    R, q0, distance = game(scenarios, policies)
    sets = [ambiguity_set(f"{kind}:{r}", distance) for r in np.linspace(*RADII[kind], points)]
    close = 1e-6 * float(np.abs(R).max())

    def sweep() -> list[float]:
        programs, start, values = Programs(), None, []
        for within in sets:
            found = robust_mixture(R, q0, within, programs=programs, start=start)
            start = np.flatnonzero(found.weights)
            values.append(found.value)
            assert found.gap <= close
        return values

    values = benchmark.pedantic(sweep, rounds=1)
    few = sets[:: max(points // 3, 1)][:3]
    kept = Whole(R, q0, sets[0])
    for within, value in zip(sets[:: max(points // 3, 1)][:3], values[:: max(points // 3, 1)][:3], strict=True):
        assert kept.solve(within) == pytest.approx(value, abs=20 * close), "the whole program, at its solver's own accuracy"
    if benchmark.disabled or scenarios == 12:
        return
    mine = seconds(sweep)
    reused = seconds(lambda: [kept.solve(within) for within in few]) / len(few) * points
    rebuilt = seconds(lambda: [Whole(R, q0, within).solve(within) for within in few]) / len(few) * points
    canon_kept = seconds(lambda: [kept.data(within) for within in few]) / len(few)
    canon_new = seconds(lambda: [Whole(R, q0, within).data(within) for within in few]) / len(few)
    solver = MixtureProgram(sets[0].kind, 2, 2, None if kind != "wasserstein" else distance[:2, :2]).solver
    print(
        f"\n{kind} ({solver}), {points} radii on {scenarios} x {policies}: {mine:.1f} s; extrapolated from {len(few)} radii: "
        f"one program re-used {reused:.1f} s ({reused / mine:.1f}x), re-built {rebuilt:.1f} s ({rebuilt / mine:.1f}x); "
        f"canonicalisation re-built over re-used: {1000 * canon_new:.0f} / {1000 * canon_kept:.1f} ms "
        f"= {canon_new / canon_kept:.0f}x"
    )
    assert canon_new >= 5 * canon_kept
    assert rebuilt >= 2 * mine


@pytest.mark.parametrize(("resamples", "policies"), [(20, 12), (1000, 400)])
def test_margins_of_resamples(resamples: int, policies: int, benchmark: Any) -> None:
    """R of the duopoly over resamples of its problems, against a loop over resamples and policies (extrapolated from a few)."""
    if resamples > 20 and benchmark.disabled:
        pytest.skip("large sizes are for --benchmark-enable")
    market = load(MODEL)
    terms = rules(market)
    steps = all_steps(market, terms)
    tried = candidates(market, terms, steps=steps, most=policies)
    shares = resampled_problems(market, resamples, seed=0).shares

    def whole() -> FloatArray:
        return margins_matrix(market, tried, shares, terms, steps=steps).values

    R = benchmark.pedantic(whole, rounds=1)
    sample = range(3 if benchmark.disabled else 5)
    np.testing.assert_allclose(
        R[: len(sample), 1:6], [[one(market, terms, policy, shares[b]) for policy in tried[1:6]] for b in sample], atol=1e-9
    )
    if benchmark.disabled or resamples == 20:
        return
    mine = seconds(whole)
    loop = seconds(lambda: [looped(market, terms, tried[1:], shares[b]) for b in sample]) / len(sample) * resamples
    print(
        f"\nR of {resamples} resamples x {len(tried)} policies: {mine:.1f} s; a loop over both {loop:.0f} s, "
        f"extrapolated from {len(sample)} of the resamples: {loop / mine:.0f}x"
    )
    assert loop >= 20 * mine


def looped(market: Any, terms: Rules, policies: Any, shares: FloatArray) -> list[float]:
    """One resample: the market of its problems, its levels and prices, and each policy in turn."""
    seen = market.reweighted(shares)
    listed = all_steps(seen, terms)
    reach = max(float(step.profile(seen.weights).solved[-1]) for step in listed)
    levels = reach + np.linspace(-0.05, 0.0, 20)
    levels = levels[levels > 0]
    asks = offers(seen, listed, levels)
    margins = []
    for policy in policies:
        found = evaluate(seen, terms, listed, policy, levels)
        margin = 1.0 - found.cost / asks.market_price
        if not np.isfinite(margin).all():
            from eqsolver.technology import walk

            walked = walk(seen, listed, policy.path)
            end, bill = float(walked.solved[-1]), float(walked.units[-1] @ seen.prices)
            sold = float(offers(seen, listed, np.array([end])).market_price[0]) if end > 0 else 0.0
            margin = np.where(np.isfinite(margin), margin, (sold - bill) / asks.market_price)
        margins.append(float(margin.mean()))
    return margins


def one(market: Any, terms: Rules, policy: Cascade, shares: FloatArray) -> float:
    return looped(market, terms, [policy], shares)[0]
