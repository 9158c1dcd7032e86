"""The SWE-bench distillation family against the figures published for it."""

from __future__ import annotations

import numpy as np
import pytest
from published import DATA, figures, needs_figures

from eqsolver.market import load
from eqsolver.posted import Distillation, distill

PUBLISHED = "distillation_swebench.json"

pytestmark = needs_figures(PUBLISHED)


@pytest.fixture(scope="module")
def said() -> dict:
    return figures(PUBLISHED)


@pytest.fixture(scope="module")
def found(said: dict) -> Distillation:
    tokens = dict(zip(said["student"], said["tokens"], strict=True))
    return distill(load(DATA / "swebench" / "distill"), tokens=tokens, overrun="cut", max_budget=1.0, bootstrap=50)


@pytest.mark.slow
def test_mean_margins_are_the_published_ones(said: dict, found: Distillation) -> None:
    assert found.teacher == "qwen3-coder-480b"
    assert [student.name for student in found.students] == said["student"]
    np.testing.assert_allclose(found.levels[-1], said["max_level"], atol=1e-9)
    margins = np.array([student.mean_margin for student in found.students])
    np.testing.assert_allclose(margins, said["mean_margin"], atol=0.015)
    assert (margins >= np.array(said["mean_margin"]) - 1e-3).all()


@pytest.mark.slow
def test_the_fit_is_the_published_one(said: dict, found: Distillation) -> None:
    np.testing.assert_allclose(found.fit.slope, said["slope_per_ln_token"], rtol=0.1)
    low, high = np.percentile(found.fit.slopes, [5, 95])
    assert low < said["slope_per_ln_token"] < high
