"""Prices that are drawn together: what is told of how far that is from independent play."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from eqsolver import load
from eqsolver.game import equilibrium
from eqsolver.game._correlation import by_themselves, gains_of, largest_correlation
from eqsolver.report import print_equilibrium

MARKETS = Path(__file__).parent / "markets"


def test_the_largest_correlation_is_that_of_numpy() -> None:
    rng = np.random.default_rng(0)
    prices = rng.random((50, 3)) @ np.array([[1.0, 0.3, 0.0], [0.0, 1.0, -0.8], [0.0, 0.0, 1.0]])
    found = np.abs(np.corrcoef(prices.T) - np.eye(3)).max()
    assert largest_correlation(prices, np.full(50, 0.02)) == pytest.approx(found)
    assert largest_correlation(np.ones((2, 3)), np.full(2, 0.5)) == 0.0, "of prices that do not vary"


def test_draws_by_themselves_keep_how_often_each_asks_what_and_nothing_else() -> None:
    prices = np.array([[1.0, 1.0, 9.0], [2.0, 2.0, 9.0]])
    found = by_themselves(prices, np.array([0.25, 0.75]), (0, 1), 4000, np.random.default_rng(0))
    assert found[:, 0].mean() == pytest.approx(1.75, abs=0.03)
    assert (found[:, 2] == 9.0).all()
    assert np.abs(np.corrcoef(found[:, :2].T)[0, 1]) < 0.06
    assert largest_correlation(prices[:, :2], np.array([0.25, 0.75])) == pytest.approx(1.0)


def test_gains_are_shares_of_the_mean_profit() -> None:
    payoffs = np.array([[2.0, 0.0], [4.0, 0.0]])
    gains = [np.array([[0.0, 0.6], [0.0, 0.0]]), np.array([[0.1], [0.1]])]
    gain, error = gains_of(payoffs, gains, 0.5)
    np.testing.assert_allclose(gain, [0.1, 0.2])
    np.testing.assert_allclose(error, [0.3 / np.sqrt(2) / 3.0, 0.0], atol=1e-12)


@pytest.mark.slow
def test_three_alike_that_draw_together_are_not_said_to_compete_independently() -> None:
    """Each by itself would earn .0328125 in the symmetric equilibrium; what is drawn together earns more, and says so."""
    solved = equilibrium(load(MARKETS / "alike-three.toml"), regimes=["competitive"], allot="attempts")
    found = solved.regimes["competitive"]
    assert found.kind == "cce"
    assert found.correlation is not None
    assert found.correlation.gain.max() > found.relative.max()
    told = solved.to_dict()["regimes"]["competitive"]["correlation"]
    assert told["largest"] == found.correlation.largest
    assert set(told["independent_gain"]) == {"a", "b", "c"}
    text = StringIO()
    print_equilibrium(solved, Console(file=text, width=200))
    assert "prices move together" in text.getvalue()
