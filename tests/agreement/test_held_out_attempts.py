"""Estimates against attempts that they were not shown: every provider of the SWE-bench logs, random halves."""

from __future__ import annotations

import pytest
from published import DATA, needs_logs

from eqsolver.estimate import Beta, Npml, calibration
from eqsolver.market import load

SPLITS = 4


@needs_logs
@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("folder", ["swebench", "swebench/distill"])
def test_the_nonparametric_estimate_predicts_held_out_attempts_best(folder: str, seed: int) -> None:
    """Counts and spend beat plain smoothed odds and the Beta prior; pass beyond the attempts seen, the unbiased estimator."""
    market = load(DATA / folder)
    assert len(market.names) == 6
    found = calibration(market, {"npml": Npml(), "beta": Beta()}, splits=SPLITS, seed=seed)
    for name, score in found.items():
        for kind in ("counts", "spend"):
            assert score[kind]["npml"] > score[kind]["beta"], f"{name}: {kind}"
            assert score[kind]["npml"] > score[kind]["smoothed"], f"{name}: {kind}"
        assert score["beyond"]["npml"] < score["beyond"]["unbiased"], name
