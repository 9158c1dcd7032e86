"""Procurement: least worst-case spend with a floor that holds for every weighting in the set."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from eqsolver import NotCertified
from eqsolver.market import Geometric, Market, Provider
from eqsolver.robust import AmbiguitySet, FloorTooHigh, Spending, ambiguity_set, distances, procure, robust, worst_weights

SETS = ["nominal", "worst", "cvar:0.5", "tv:0.2", "chi2:0.3", "kl:0.2", "kl:1e-7", "wasserstein:0.2"]


def made(seed: int, scenarios: int = 5, policies: int = 8) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    passing = rng.random((scenarios, policies)).round(2)
    spend = 3 * passing * rng.uniform(0.5, 1.5, passing.shape)
    passing[:, 0] = spend[:, 0] = 0.0
    q0 = rng.dirichlet(np.ones(scenarios))
    return spend, passing, q0


def named(text: str, scenarios: int) -> AmbiguitySet:
    return ambiguity_set(text, distances(np.arange(scenarios, dtype=float)[:, None] / scenarios))


@pytest.mark.parametrize("text", SETS)
@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), share=st.floats(0.0, 1.0))
@example(seed=1, share=5e-324)
@example(seed=0, share=1.0)
def test_the_floor_holds_and_the_bound_is_met(text: str, seed: int, share: float) -> None:
    """At the largest floor itself no mixture is strictly above it, so the bound may not be met; then that is said."""
    spend, passing, q0 = made(seed)
    within = named(text, len(q0))
    with pytest.raises(FloorTooHigh) as told:
        procure(spend, passing, q0, within, 1.01)
    floor = share * float(told.value.result)
    try:
        found = procure(spend, passing, q0, within, floor)
    except NotCertified:
        assert share == 1.0
        return
    scale = float(spend.max())
    assert abs(found.gap) <= 1e-6 * scale
    assert found.largest_floor == pytest.approx(float(told.value.result), abs=1e-9)
    solves, spent = passing @ found.weights, spend @ found.weights
    assert worst_weights(solves, q0, within) @ solves >= floor - 1e-8
    assert found.worst_case @ spent == pytest.approx(found.worst_case_spend, abs=2e-6 * scale)
    assert found.worst_case_spend >= found.nominal_spend - 1e-9
    assert found.worst_case_spend >= procure(spend, passing, q0, ambiguity_set("nominal"), floor).nominal_spend - 2e-6 * scale


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), share=st.floats(0.0, 1.0))
@example(seed=0, share=1.192092896e-07)
def test_nominal_procurement_is_the_linear_program(seed: int, share: float) -> None:
    spend, passing, q0 = made(seed)
    floor = share * float((q0 @ passing).max())
    cost, solved = q0 @ spend, q0 @ passing
    enough, short = np.flatnonzero(solved >= floor), np.flatnonzero(solved < floor)
    least = float(cost[enough].min())  # a program of two rows mixes two policies at most
    for i in short:
        share_of_better = (floor - solved[i]) / (solved[enough] - solved[i])
        least = min(least, float((cost[i] + (cost[enough] - cost[i]) * share_of_better).min()))
    assert procure(spend, passing, q0, ambiguity_set("nominal"), floor).nominal_spend == pytest.approx(least, abs=1e-8)


def test_one_problem_that_nobody_solves_makes_every_floor_infeasible_for_any_weights() -> None:
    spend, passing, q0 = made(1)
    passing[2] = 0.0
    with pytest.raises(FloorTooHigh, match=r"under worst is 0\.000000: no policy solves 1 of the problems"):
        procure(spend, passing, q0, ambiguity_set("worst"), 0.1)
    assert issubclass(FloorTooHigh, NotCertified), "solved, but not reached: 1 on the command line"


@pytest.mark.parametrize("within", ["worst", "tv:0.1", "kl:0.1"])
def test_the_unit_of_money_changes_nothing_but_money(within: str) -> None:
    """A power of two changes no digit, so that not one of the answer's may change; other units change rounding only."""
    rng = np.random.default_rng(1)
    costs = [(name, mean * rng.uniform(0.5, 2.0, 8)) for name, mean in (("a", 1.0), ("b", 4.0))]
    odds = [Geometric(success=rng.uniform(0.05, 0.9, 8)) for _ in costs]

    def procured(unit: float) -> Spending:
        providers = tuple(Provider(name=n, odds=o, spend=unit * w) for (n, w), o in zip(costs, odds, strict=True))
        market = Market(name="m", providers=providers, weights=np.full(8, 1 / 8), max_budget=40 * unit)
        found = robust(market, within=within, floor=0.6, cross_fits=0).spending
        assert found is not None
        return found

    one = procured(1.0)
    for exponent in (-90, 60):
        unit = 2.0**exponent
        other = procured(unit)
        assert other.worst_case_spend / unit == pytest.approx(one.worst_case_spend, rel=1e-12)
        assert other.nominal_spend / unit == pytest.approx(one.nominal_spend, rel=1e-12)
        assert [policy.order for policy, _ in other.mixture] == [policy.order for policy, _ in one.mixture]
        assert [weight for _, weight in other.mixture] == pytest.approx([weight for _, weight in one.mixture], rel=1e-12)
    assert procured(1e-14).worst_case_spend / 1e-14 == pytest.approx(one.worst_case_spend, rel=5e-3)
