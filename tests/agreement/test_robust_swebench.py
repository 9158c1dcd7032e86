"""Robust allocations on the SWE-bench market of six providers, its problems split by repository."""

from __future__ import annotations

import numpy as np
import pytest
from published import DATA, needs_logs

from eqsolver import load, robust
from eqsolver.robust import RobustAllocation

pytestmark = [needs_logs, pytest.mark.slow]


def allocation(within: str, cross_fits: int = 0) -> RobustAllocation:
    return robust(
        load(DATA / "swebench"), domains="^[^_]+", within=within, max_budget=1.0, cross_fits=cross_fits, overrun="never"
    )


@pytest.mark.parametrize("within", ["worst", "cvar:0.7", "tv:0.1"])
def test_robust_choices_beat_the_nominal_optimum_in_the_worst_case_and_left_out(within: str) -> None:
    found = allocation(within)
    assert found.chosen is not None
    assert found.nominal is not None
    assert found.gap <= 1e-6
    assert len(found.scenarios) == 10
    if within == "worst":
        assert found.chosen.worst_case_margin >= 0, "abstaining is always there"
    else:
        assert found.chosen.worst_case_margin > 0.01
        assert found.chosen.worst_case_margin > found.nominal.worst_case_margin + 0.005
    assert found.chosen.left_out is not None
    assert found.nominal.left_out is not None
    for weights in (None, found.scenarios.weights):
        assert found.chosen.left_out.shortfall(weights) < found.nominal.left_out.shortfall(weights)


def test_what_was_optimised_on_a_sample_earns_less_on_another() -> None:
    found = allocation("tv:0.1", cross_fits=3)
    assert found.nominal is not None
    honest = found.nominal.out_of_sample
    assert honest is not None
    assert honest.mean < honest.in_sample.mean() - 0.03
    assert honest.mean < found.nominal.nominal_margin


def test_the_price_of_robustness_depends_little_on_the_radius_asked_for() -> None:
    """Policies are sought at every radius of the curve, but from what is held by then."""
    curves = []
    for within in ("tv:0.01", "tv:0.3"):
        found = allocation(within).price
        assert found is not None
        curves.append(found.worst_case)
    np.testing.assert_allclose(*curves, atol=0.0025)
