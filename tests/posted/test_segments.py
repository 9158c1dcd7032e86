"""Segmentation and concentration: by hand, and under what must not matter."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from eqsolver.market import Geometric, Market, Provider
from eqsolver.posted import segmentation, solve

LEVELS = np.linspace(0.1, 0.8, 15)
PLAIN = Market(
    name="two",
    providers=(
        Provider(name="weak", odds=Geometric(success=[0.5, 0.1]), spend=[1.0, 1.0]),
        Provider(name="strong", odds=Geometric(success=[0.75, 0.75]), spend=[3.0, 3.0]),
    ),
    weights=[0.5, 0.5],
    max_budget=6.0,
)


def test_unpriced_levels_count_for_nobody() -> None:
    nan = np.nan
    found = segmentation(np.array([0.2, 0.3, 0.5]), np.array([[3.0, 1.0, nan], [0.0, 3.0, nan]]))
    assert found.sellers[:2].tolist() == [1, 2]
    assert found.hhi[:2].tolist() == [1, 0.625]
    assert np.isnan([found.sellers[2], found.hhi[2]]).all()
    np.testing.assert_allclose(found.widths, [5 + 15, 15])
    paid = np.array([3.0 * 5 + 1.0 * 15, 3.0 * 15])
    np.testing.assert_allclose(found.overall_hhi, ((paid / paid.sum()) ** 2).sum())


def test_without_an_arbitrageur_segments_add_up_to_the_levels_spanned() -> None:
    found = solve(PLAIN, levels=LEVELS)
    assert np.isfinite(found.offers.market_price).all()
    without, resold = found.segmentation["without"], found.segmentation["with"]
    np.testing.assert_allclose(without.widths.sum(), 70)
    assert (without.widths > 0).all()
    assert (without.sellers == 1).all()
    assert resold.widths.sum() > 70
    assert (resold.sellers == 2).any()
    assert found.to_dict()["segments"]["with"] == dict(zip(PLAIN.names, resold.widths.tolist(), strict=True))


@settings(max_examples=20, deadline=None)
@given(scale=st.sampled_from([1e-9, 1e6]), swap=st.booleans())
def test_the_unit_of_money_and_the_order_of_providers_do_not_matter(scale: float, swap: bool) -> None:
    providers = tuple(p.costs_scaled(scale) for p in PLAIN.providers)[:: -1 if swap else 1]
    other = replace(PLAIN, providers=providers, max_budget=6.0 * scale)
    one, two = solve(PLAIN, levels=LEVELS), solve(other, levels=LEVELS)
    for key in ("without", "with"):
        a, b = one.segmentation[key], two.segmentation[key]
        np.testing.assert_array_equal(a.sellers, b.sellers)
        np.testing.assert_allclose(a.hhi, b.hhi, rtol=1e-9)
        np.testing.assert_allclose(a.widths, b.widths[:: -1 if swap else 1], atol=1e-12)
        np.testing.assert_allclose(a.overall_hhi, b.overall_hhi, rtol=1e-9)
