"""Lemke and Howson's path against nashpy's, in degenerate games too, and what its answers promise."""

from __future__ import annotations

import warnings

import nashpy
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eqsolver.game._lemke_howson import lemke_howson

ENOUGH = 10_000


def gains(first: np.ndarray, second: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    return float((first @ y).max() - x @ first @ y), float((x @ second).max() - x @ second @ y)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(2, 5), m=st.integers(2, 5))
def test_the_path_from_each_label_ends_at_an_equilibrium_that_nashpy_lists(seed: int, n: int, m: int) -> None:
    """Random payoffs are not degenerate, so that nashpy lists every equilibrium; rounding hides some from one enumeration."""
    rng = np.random.default_rng(seed)
    first, second = 10 * rng.random((n, m)) - 3, rng.random((n, m))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of supports that the enumeration leaves out
        game = nashpy.Game(first, second)
        listed = [*game.support_enumeration(), *game.vertex_enumeration()]
    for label in range(n + m):
        found = lemke_howson(first, second, label, ENOUGH)
        assert found is not None
        assert any(
            all(np.allclose(mine, theirs, atol=1e-8) for mine, theirs in zip(found, pair, strict=True)) for pair in listed
        )


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 12), m=st.integers(1, 12), values=st.integers(1, 4))
def test_games_full_of_ties_are_solved_from_every_label(seed: int, n: int, m: int, values: int) -> None:
    rng = np.random.default_rng(seed)
    first, second = rng.integers(0, values, (2, n, m)).astype(float)
    for label in range(n + m):
        found = lemke_howson(first, second, label, ENOUGH)
        assert found is not None
        assert max(gains(first, second, *found)) <= 1e-9
        for played in found:
            assert played.sum() == pytest.approx(1.0)
            assert (played >= 0).all()


@pytest.mark.parametrize("size", [40, 80])
def test_larger_games_are_solved(size: int) -> None:
    first, second = np.random.default_rng(size).random((2, size, size))
    found = lemke_howson(first, second, 0, ENOUGH)
    assert found is not None
    assert max(gains(first, second, *found)) <= 1e-9


def test_a_path_that_is_too_long_is_given_up() -> None:
    first, second = np.random.default_rng(1).random((2, 20, 20))
    assert lemke_howson(first, second, 0, 1) is None
    assert lemke_howson(first, second, 0, ENOUGH) is not None


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), scale=st.sampled_from([1e-9, 1e9]), shift=st.sampled_from([0.0, -1.0, 7.0]))
def test_the_unit_of_payoffs_and_what_they_are_counted_from_change_nothing(seed: int, scale: float, shift: float) -> None:
    first, second = np.random.default_rng(seed).random((2, 5, 6))
    plain, other = lemke_howson(first, second, 0, ENOUGH), lemke_howson(scale * (first + shift), second, 0, ENOUGH)
    assert plain is not None
    assert other is not None
    for mine, theirs in zip(plain, other, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-7)
