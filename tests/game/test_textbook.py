"""Textbook duopolies with closed forms, and games that once took minutes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from exact_game import ExactGame, best_gain

from eqsolver import load
from eqsolver.game import Equilibrium, equilibrium
from eqsolver.market import Population

MARKETS = Path(__file__).parent / "markets"
ATTEMPTS: dict[str, Any] = {"allot": "attempts"}


@pytest.fixture(scope="module")
def alike() -> Equilibrium:
    return equilibrium(load(MARKETS / "alike-two.toml"), regimes=["competitive"], **ATTEMPTS)


def test_alike_providers_that_cannot_serve_everybody_draw_prices_as_bertrand_and_edgeworth_say(alike: Equilibrium) -> None:
    """Two attempts each, p = 1/2, value 1.5. The dearer sells .375 units, the cheaper 1.5, as long as a price is at most .75.

    So each earns (.75 - .4) .375 = .13125, the lowest price is .4 + .13125 / 1.5, and (m - .4) (1.5 - 1.125 G) is constant.
    """
    found = alike.regimes["competitive"]
    assert found.relative.max() <= 5e-3
    np.testing.assert_allclose(found.outcome.profit[0], 0.13125, rtol=5e-3)
    for provider in (0, 1):
        prices, probabilities = found.strategy(provider)
        assert prices.min() == pytest.approx(0.4 + 0.13125 / 1.5, rel=2e-3)
        assert prices.max() == pytest.approx(0.75, rel=2e-3)
        below = np.cumsum(probabilities)
        np.testing.assert_allclose(below, (1.5 - 0.13125 / (prices - 0.4)) / 1.125, atol=0.02)


def test_epsilon_of_undercutting_is_what_the_exact_game_has_to_gain(alike: Equilibrium) -> None:
    found, exact = alike.regimes["competitive"], ExactGame(alike.market, alike.consumers)
    for player in (0, 1):
        rival, probabilities = found.strategy(1 - player)
        others = np.repeat(rival[:, None], 2, axis=1)
        own = np.concatenate([rival[::8] * (1 - 1e-9), np.linspace(0.41, 2.0, 100)])
        played = (others, probabilities)
        gain = best_gain(exact, "competitive", player, played, float(found.outcome.profit[0, player]), 0.4, own)
        assert gain <= found.epsilon[player] * (1 + 1e-6) + 1e-9
        assert gain >= 0.2 * found.epsilon[player], "and it is not loose"


def test_a_provider_that_earns_nothing_need_not_mix() -> None:
    """a at its marginal cost, b at what a leaves it: with a mixing on ticks this was reported with an ε of 1.4 %."""
    found = equilibrium(load(MARKETS / "pure-at-rival-cost.toml"), regimes=["direct"], **ATTEMPTS).regimes["direct"]
    assert found.kind == "pure"
    assert found.certified
    np.testing.assert_allclose(found.expected_price, [0.4, 0.7236], rtol=1e-4)
    np.testing.assert_allclose(found.outcome.profit[0], [0.0, 0.04146], atol=2e-5)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        pytest.param(
            "twins-two-classes",
            {**ATTEMPTS, "consumers": [Population(distribution="lognormal", parameters=(0.4, 1.0))]},
            marks=pytest.mark.slow,
        ),
        ("cap-twenty", {"overrun": "never"}),
    ],
)
def test_games_of_undercutting_end(name: str, options: dict[str, Any]) -> None:
    """Double oracle added one undercut a round, to tables of 300 x 300."""
    found = equilibrium(load(MARKETS / f"{name}.toml"), regimes=["competitive"], **options).regimes["competitive"]
    assert found.relative.max() <= 1e-2
    assert found.rounds <= 60
    assert found.shares.size <= 200_000
