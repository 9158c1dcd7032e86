"""Many providers: regret matching, draws near to independent ones, policies completed where the game is played."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eqsolver.game._near_independence import nearest_to_independence
from eqsolver.game._regret_matching import drawn, regret_matching
from eqsolver.market import Geometric, Market, Population, Provider

VALUES = [Population(distribution="lognormal", parameters=(4.0, 1.0))]


def quiet(gain: float) -> None:
    """Nobody is told."""


def rows_of(payoffs: np.ndarray):  # type: ignore[no-untyped-def]
    """payoffs : (n_1, ..., n_P, P)."""

    def rows(profiles: np.ndarray, tried: list[np.ndarray]) -> list[np.ndarray]:
        found = []
        for p, actions in enumerate(tried):
            away = np.repeat(profiles[:, None], actions.size, axis=1)
            away[:, :, p] = actions
            found.append(payoffs[tuple(away.reshape(-1, profiles.shape[1]).T)][:, p].reshape(len(profiles), -1))
        return found

    return rows


def test_regret_matching_finds_the_only_equilibrium_which_is_mixed() -> None:
    """Each of three in a ring wants to differ from the one before (Jordan 1993): all toss fair coins."""
    payoffs = np.ones((2, 2, 2, 3))
    for a in np.ndindex(2, 2, 2):
        payoffs[a] += (a[0] != a[2], a[1] != a[0], a[2] != a[1])
    start = [np.array([0.9, 0.1]), np.array([0.2, 0.8]), np.array([0.6, 0.4])]
    found = regret_matching(rows_of(payoffs), start, floor=1e-6, tolerance=0.01, rounds=2000, seed=0, tell=quiet)
    assert found.regret.max() <= 0.01
    for probabilities in found.strategies:
        np.testing.assert_allclose(probabilities, 0.5, atol=0.06)


@given(weights=st.lists(st.integers(0, 5), min_size=2, max_size=6).filter(any), parts=st.integers(1, 40))
def test_profiles_are_drawn_one_from_each_part_of_the_probability(weights: list[int], parts: int) -> None:
    share = np.array(weights) / sum(weights)
    found = drawn([share], parts, np.random.default_rng(0))[:, 0]
    counts = np.bincount(found, minlength=share.size)
    assert (np.abs(counts - parts * share) <= 2).all()
    assert (counts[share == 0] == 0).all()


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), aim=st.sampled_from([0.0, 0.01, 0.3]))
def test_as_little_probability_is_moved_as_leaves_nobody_a_gain(seed: int, aim: float) -> None:
    rng = np.random.default_rng(seed)
    payoffs = rng.random((8, 2)) + 0.5
    gains = [rng.normal(-0.2, 0.4, (8, 3)) for _ in range(2)]
    for gain in gains:
        gain[0] = -0.5  # where nobody wants to deviate
    found = nearest_to_independence(payoffs, gains, aim=aim, floor=1e-6)
    assert found.gain.max() <= aim + 1e-6
    assert found.moved == pytest.approx(np.abs(found.shares - 1 / 8).sum() / 2)
    equal = max(float(gain.mean(axis=0).max() / payoffs[:, p].mean()) for p, gain in enumerate(gains))
    assert (found.moved <= 1e-9) == (equal <= aim + 1e-9), "nothing is moved where independent draws will do"
    for _ in range(200):  # no draw nearer to equal shares does
        other = rng.dirichlet(np.full(8, 3.0))
        nearer = 1 / 8 + (other - 1 / 8) * min(1.0, 0.99 * found.moved / (np.abs(other - 1 / 8).sum() / 2))
        worst = max(float((nearer @ gain).max() / (nearer @ payoffs[:, p])) for p, gain in enumerate(gains))
        assert worst > aim - 1e-9 or found.moved <= 1e-9


def five(problems: int = 5) -> Market:
    rng = np.random.default_rng(4)
    providers = tuple(
        Provider(
            name=f"p{i}",
            odds=Geometric(success=rng.uniform(0.05, 0.9, problems)),
            spend=rng.uniform(0.5, 1.5, problems) * (1 + i / 2),
        )
        for i in range(5)
    )
    return Market(name="five", providers=providers, weights=np.full(problems, 1 / problems), max_budget=4.0)
