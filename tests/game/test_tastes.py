"""Tastes among sellers: textbook shares, and a seller that nobody can afford."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from eqsolver import load
from eqsolver.game import Logit, equilibrium
from eqsolver.game._offered import must_buy
from eqsolver.market import Value

MARKETS = Path(__file__).parent / "markets"


def test_a_seller_that_nobody_can_afford_changes_nothing() -> None:
    """Two sellers with gains .05 u - m w, in units of .02; the third asks $1000 an attempt. It once took 12 % of units."""
    gains = np.exp([(0.05 * 0.6 - 0.01) / 0.02, (0.05 * 0.9 - 0.02) / 0.02])
    units = gains / (1 + gains.sum()) * [0.01, 0.02]
    profits = []
    for name in ("logit-two", "logit-three"):
        found = equilibrium(
            load(MARKETS / f"{name}.toml"),
            consumers=[Value(value=0.05)],
            demand=Logit(scale=0.02),
            regimes=["direct"],
            allot="attempts",
        )
        np.testing.assert_allclose(found.posted["direct"].outcome.units[0, :2], units, rtol=1e-12)
        regime = found.regimes["direct"]
        assert regime.certified
        profits.append(regime.outcome.profit[0, :2])
        for i, w in enumerate((0.01, 0.02)):  # at rest (m - 0.4) w (1 - share) is the scale
            share = regime.outcome.units[0, i] / w
            np.testing.assert_allclose((regime.expected_price[i] - 0.4) * w * (1 - share), 0.02, rtol=2e-3)
    np.testing.assert_allclose(profits[0], profits[1], rtol=1e-6)


def test_who_has_to_buy_takes_the_offer_that_loses_least() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        solved, cost = np.sort(rng.random(6)) + 0.01, rng.random(6)
        kept = must_buy(solved, cost[None])[0]
        best = {int(np.argmax(v * solved - cost)) for v in np.geomspace(1e-6, 1e6, 2000)}
        assert best <= set(kept.tolist())
        assert (np.diff(solved[kept]) > 0).all()


def test_posted_prices_are_told_what_a_provider_would_gain_by_another() -> None:
    """Value .05: a leaves .03 - .01 m, b .045 - .02 m. At list b serves; a would win at .5, b could ask 1.25."""
    found = equilibrium(
        load(MARKETS / "logit-two.toml"), consumers=[Value(value=0.05)], regimes=["direct"], allot="attempts"
    ).posted["direct"]
    np.testing.assert_allclose(found.outcome.profit[0], [0.0, 0.6 * 0.02])
    np.testing.assert_allclose(found.epsilon, [0.1 * 0.01, 0.25 * 0.02], rtol=1e-6)
    assert not found.certified
