"""Learning curves of the SWE-bench duopoly against those published: what full information is worth, in domain and out of it."""

from __future__ import annotations

import numpy as np
import pytest
from published import DATA, figures, needs_figures

from eqsolver.market import load
from eqsolver.robust import learn, margins_matrix
from eqsolver.technology import Cascade, rules

PUBLISHED = "learning_curves.json"
NAMES = ["gpt5mini", "deepseek"]
DOMAINS = {"all": ".", "django": "^django", "notdjango": "^(?!django)"}
CASES = ["all_all", "django_notdjango", "notdjango_django"]

pytestmark = needs_figures(PUBLISHED)


@pytest.mark.parametrize("case", CASES)
def test_full_information_is_worth_what_was_published(case: str) -> None:
    """The fit within 1.5 points; levels, accounting and clipping as published."""
    said = figures(PUBLISHED)["full_information"][case]
    fit, evaluated = (DOMAINS[name] for name in case.split("_"))
    market = load(DATA / "swebench", providers=NAMES)
    found = learn(
        market,
        fit_domain=fit,
        eval_domain=evaluated,
        overrun="cut",
        max_budget=1.0,
        clipped=True,
        budgets=[1.0],
        choices=["empirical"],
        resamples=1,
    )
    full = found.full_information
    assert full.reach == pytest.approx((said["fit_max_level"], said["eval_max_level"]), abs=1e-6)
    assert full.fit_margin == pytest.approx(said["fit_margin"], abs=0.015)
    assert full.near_low <= full.eval_margin <= full.near_high


@pytest.mark.parametrize("case", CASES)
def test_published_thresholds_evaluate_as_published(case: str) -> None:
    said = figures(PUBLISHED)["full_information"][case]
    market = load(DATA / "swebench", providers=NAMES)
    django = np.array([name.startswith("django") for name in market.problems])
    inside = {"all": django | ~django, "django": django, "notdjango": ~django}[case.split("_")[1]]
    terms = rules(market, overrun="cut", max_budget=1.0)
    cascade = Cascade(order=(0, 1), thresholds=(said["threshold"], 1.0 - said["threshold"]))
    found = margins_matrix(market, [cascade], (inside / inside.sum())[None, :], terms, clipped=True)
    assert found.values[0, 0] == pytest.approx(said["eval_margin"], abs=0.02)
