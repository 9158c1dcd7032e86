"""Draws of profiles from which nobody gains by leaving, in games of three players given as tables."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eqsolver.game._correlated import Draw, coarse_correlated

ACTIONS = (3, 4, 2)


def regrets_of(payoffs: np.ndarray):
    """payoffs : (n_1, n_2, n_3, 3)."""

    def regrets(profile: tuple[int, ...]) -> tuple[np.ndarray, list[np.ndarray]]:
        own = payoffs[profile]
        rows = []
        for p in range(3):
            where = tuple(slice(None) if q == p else a for q, a in enumerate(profile))
            rows.append(payoffs[where][:, p] - own[p])
        return own, rows

    return regrets


def gains(found: Draw, payoffs: np.ndarray) -> np.ndarray:
    """What the best constant deviation adds for each player, from the table itself."""
    best = np.zeros(3)
    for p in range(3):
        for b in range(ACTIONS[p]):
            gain = 0.0
            for profile, share in zip(found.profiles, found.shares, strict=True):
                away = (*profile[:p], b, *profile[p + 1 :])
                gain += share * (payoffs[away][p] - payoffs[profile][p])
            best[p] = max(best[p], gain)
    return best


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), coarse=st.booleans())
def test_a_draw_leaves_no_gain_and_says_what_it_leaves(seed: int, coarse: bool) -> None:
    rng = np.random.default_rng(seed)
    payoffs = rng.integers(1, 4, (*ACTIONS, 3)).astype(float) if coarse else rng.random((*ACTIONS, 3)) + 0.1
    every = list(itertools.product(*map(range, ACTIONS)))
    found, _ = coarse_correlated(regrets_of(payoffs), every, floor=1e-6, tolerance=1e-9, max_rounds=3, tell=lambda gain: None)
    assert found.shares.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(gains(found, payoffs) / found.payoffs, found.gain, atol=1e-12)
    assert found.gain.max() <= 1e-8, "with every profile known there is a draw without any gain"


def test_profiles_are_found_that_the_first_one_lacks() -> None:
    """Everybody but the first wants to differ from the one before, the first to be like the last: no pure equilibrium."""
    payoffs = np.ones((2, 2, 2, 3))
    for a, b, c in itertools.product((0, 1), repeat=3):
        payoffs[a, b, c] += (a == c, b != a, c != b)

    def regrets(profile: tuple[int, ...]) -> tuple[np.ndarray, list[np.ndarray]]:
        own = payoffs[profile]
        rows = [np.array([payoffs[(*profile[:p], b, *profile[p + 1 :])][p] - own[p] for b in (0, 1)]) for p in range(3)]
        return own, rows

    told: list[float] = []
    found, rounds = coarse_correlated(regrets, [(0, 0, 0)], floor=1e-6, tolerance=1e-9, max_rounds=50, tell=told.append)
    assert len(found.profiles) > 1
    assert found.gain.max() <= 1e-9
    assert rounds == len(told) <= 50
    assert told[0] > 0.1
