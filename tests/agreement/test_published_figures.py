"""The SWE-bench duopoly against the figures published for it."""

from __future__ import annotations

import numpy as np
from published import DATA, figures, needs_figures

from eqsolver.market import load
from eqsolver.posted import solve

NAMES = ["gpt5mini", "deepseek"]
PUBLISHED = "duopoly.json"

pytestmark = needs_figures(PUBLISHED)


def test_the_published_allocation_has_the_published_figures() -> None:
    said = figures(PUBLISHED)
    found = solve(
        load(DATA / "swebench", providers=NAMES),
        max_budget=1.0,
        overrun="cut",
        levels=said["levels"],
        evaluated=list(zip(NAMES, said["allocation"], strict=True)),
    )
    assert found.evaluated is not None
    sold = found.evaluated.resale
    np.testing.assert_allclose(sold.margin, said["margin"], atol=0.015)
    np.testing.assert_allclose(found.offers.market_price, said["market_price"], rtol=0.01)
    for row, name in enumerate([*NAMES, "arbitrageur"]):
        np.testing.assert_allclose(sold.revenue_share[row], said["share_with"][name], atol=0.02)
    np.testing.assert_allclose(sold.revenue_change, said["revenue_change"], atol=0.02)
    for margin, published in zip(found.undercutting.margin, said["undercutting_factor_0.93_rounds"], strict=True):
        np.testing.assert_allclose(margin, published["margin"], atol=0.015)


def test_the_fitted_cascade_earns_at_least_the_published_mean_margin() -> None:
    said = figures(PUBLISHED)
    levels = np.linspace(0.68, said["max_level"], 1000)
    found = solve(load(DATA / "swebench", providers=NAMES), max_budget=1.0, overrun="cut", levels=levels)
    assert found.cascade.resale.mean_margin >= said["mean_margin"]
