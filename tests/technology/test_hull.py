"""Lower hulls, by definition; the hull of very many nodes is that of all of them, and is found in a bounded time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eqsolver._base import FloatArray, IntArray
from eqsolver.technology import REACH, along_hull, levels_below, lower_hull
from eqsolver.technology import _hull as hull

POINTS = st.lists(st.tuples(st.integers(0, 32), st.integers(1, 64)), min_size=1, max_size=40)


def arrays(points: list[tuple[int, int]]) -> tuple[FloatArray, FloatArray]:
    """Solved in 32nds and cost in 8ths: ties, and runs of points on one line, are ordinary draws."""
    return np.array([x / 32 for x, _ in points]), np.array([y / 8 for _, y in points])


@given(points=POINTS, bins=st.sampled_from([1, 2, 7, 64]))
def test_the_hull_of_many_nodes_is_the_hull_of_all_of_them(points: list[tuple[int, int]], bins: int) -> None:
    solved, cost = arrays(points)
    vertices = lower_hull(solved, cost)
    xs, ys = hull.hull_of_nodes(solved, cost, bins)
    np.testing.assert_allclose(xs, np.append(0.0, solved[vertices]), atol=0)
    np.testing.assert_allclose(ys, np.append(0.0, cost[vertices]), atol=0)


@given(points=POINTS, bins=st.sampled_from([1, 2, 7, 64]))
def test_a_hull_is_convex_lies_below_every_point_and_touches_its_own(points: list[tuple[int, int]], bins: int) -> None:
    solved, cost = arrays(points)
    xs, ys = hull.hull_of_nodes(solved, cost, bins)
    assert (xs[0], ys[0]) == (0.0, 0.0)
    assert (np.diff(xs) > 0).all()
    assert (np.diff(ys) > 0).all()
    assert (np.diff(np.diff(ys) / np.diff(xs)) > 0).all()
    assert (along_hull(solved, xs, ys) <= cost + 1e-12).all()
    assert set(zip(xs[1:], ys[1:], strict=True)) <= set(zip(solved, cost, strict=True))
    assert xs[-1] == solved.max()
    assert np.isinf(along_hull(np.array([solved.max() + 2 * REACH]), xs, ys)).all()


def least_mixture(solved: FloatArray, cost: FloatArray, level: float) -> float:
    """The cheapest way to reach a level with one point alone, or with two (the origin is one) mixed."""
    xs, ys = np.append(0.0, solved), np.append(0.0, cost)
    best = min((y for x, y in zip(xs, ys, strict=True) if x >= level), default=np.inf)
    for x, y in zip(xs, ys, strict=True):
        for a, b in zip(xs, ys, strict=True):
            if x < level < a:
                best = min(best, y + (b - y) * (level - x) / (a - x))
    return float(best)


@settings(max_examples=50)
@given(points=POINTS, level=st.integers(0, 66))
def test_a_hull_costs_what_the_best_mixture_of_two_points_does(points: list[tuple[int, int]], level: int) -> None:
    solved, cost = arrays(points)
    found = along_hull(np.array([level / 64]), *hull.hull_of_nodes(solved, cost, 7))[0]
    assert found == pytest.approx(least_mixture(solved, cost, level / 64), rel=1e-12)


def near_vertical(pairs: int) -> tuple[FloatArray, FloatArray]:
    """Along a steep convex curve, pairs of nodes of one cost, one of which solves more, but by less than REACH."""
    x = np.linspace(0.1, 1.0, pairs + 1)
    y = np.expm1(20 * x)
    return np.concatenate([x, x[:-1] + 0.9 * REACH]), np.concatenate([y, y[:-1]])


@pytest.mark.parametrize(("pairs", "bins"), [(1, 1), (2, 2048), (9, 16), (50, 2048), (1000, 2048)])
def test_near_vertical_nodes_end_the_search(pairs: int, bins: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the hull is steep, such a node lies below it and is no vertex of it: it was added again and again, for ever."""
    rounds = 0

    def counted(solved: FloatArray, cost: FloatArray) -> IntArray:
        nonlocal rounds
        rounds += 1
        return lower_hull(solved, cost)

    monkeypatch.setattr(hull, "lower_hull", counted)
    solved, cost = near_vertical(pairs)
    xs, ys = hull.hull_of_nodes(solved, cost, bins)
    assert rounds < 8, "the search ends by itself, long before its rounds are spent"
    np.testing.assert_allclose(xs[1:], solved[: pairs + 1], rtol=0, atol=REACH)
    np.testing.assert_allclose(ys[1:], cost[: pairs + 1], rtol=1e-12)


def test_the_rounds_are_bounded_and_what_they_leave_is_still_a_hull_of_mixtures(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    solved = rng.random(5000)
    cost = solved**2 + rng.exponential(0.2, 5000)
    monkeypatch.setattr(hull, "ROUNDS", 1)
    early = hull.hull_of_nodes(solved, cost, bins=4)
    monkeypatch.undo()
    full = hull.hull_of_nodes(solved, cost, bins=4)
    levels = np.linspace(0, solved.max(), 200)
    assert (along_hull(levels, *early) >= along_hull(levels, *full) - 1e-12).all()
    assert (along_hull(levels, *early) > along_hull(levels, *full) + 1e-6).any(), "one round was too few here"


@settings(max_examples=50)
@given(top=st.floats(0.001, 1.0), below=st.floats(-0.5, 1.5), count=st.integers(2, 100))
def test_levels_below_a_reach_end_there_and_start_above_nothing(top: float, below: float, count: int) -> None:
    levels = levels_below(top, below, count)
    assert levels.size == count
    assert levels[-1] == top
    assert levels[0] > 0
    np.testing.assert_allclose(np.diff(levels), (top - levels[0]) / (count - 1), rtol=1e-6, atol=1e-12)
    assert levels[0] == pytest.approx(top - below if 0 < top - below < top else top / count)
