"""Logs so small or so flat that there is nothing to choose are calibrated all the same."""

from __future__ import annotations

import numpy as np
import pytest

from eqsolver.estimate import calibrate
from eqsolver.estimate._groups import blended, neighbours
from eqsolver.market import Market, Provider, Sampled


def logs(*providers: tuple[list[int], list[int], float]) -> Market:
    """(attempts, successes, cost of every attempt) of each provider."""
    made = tuple(
        Provider(name="abc"[i], odds=Sampled(attempts=n, successes=c), spend=np.full(len(n), w))
        for i, (n, c, w) in enumerate(providers)
    )
    N = len(providers[0][0])
    return Market(name="small", providers=made, weights=np.full(N, 1 / N), max_budget=5.0)


SMALL = {
    "ten greedy attempts": logs(([1] * 10, [1, 1, 1, 1, 1, 1, 0, 0, 0, 0], 0.01)),
    "two providers that solve all": logs(([2] * 3, [2] * 3, 0.01), ([1] * 3, [1] * 3, 0.02)),
    "one problem": logs(([1], [1], 0.01)),
    "one problem, half solved": logs(([4], [2], 0.01)),
}


@pytest.mark.parametrize("case", SMALL)
def test_small_and_flat_logs_have_a_specification(case: str) -> None:
    market = SMALL[case]
    fit = calibrate(market, classes=2, rounds=1)
    assert fit.market.names == market.names
    assert fit.classes <= 2
    for made, logged in zip(fit.market.providers, market.providers, strict=True):
        reached = fit.market.weights @ (made.odds.mean > 0)
        assert reached == pytest.approx(market.weights @ (logged.odds.mean > 0), abs=0.2)


def test_one_problem_has_no_neighbours_and_no_blends() -> None:
    odds, spend = [Sampled(attempts=[3], successes=[1])], [np.array([0.1])]
    near = neighbours(odds, spend, 1.0)
    assert near.shape == (1, 0)
    assert blended(odds, spend, near, 5, np.random.default_rng(0)).weights.size == 0
