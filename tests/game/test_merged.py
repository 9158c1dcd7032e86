"""What several sellers offer together: the compiled merge of their menus against exact fractions, point by point."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from eqsolver.game import _choices as choices
from eqsolver.game._choices import Menu, choose
from eqsolver.technology import ProductionSet

Point = tuple[Fraction, Fraction]
MARKUPS = (1.0, 1.25, 2.0)
PRICES = ((1.0, 1.0), (0.5, 2.0), (2.0, 0.25))


@st.composite
def menus(draw: st.DrawFn) -> list[Menu]:
    """Up to three sellers whose policies solve sixteenths and need halves: equals and ties are ordinary draws."""
    found = []
    for number in range(draw(st.integers(1, 3))):
        size = draw(st.integers(0 if number else 1, 6))
        solved = sorted(draw(st.lists(st.integers(1, 16), min_size=size, max_size=size)))
        units = draw(st.lists(st.tuples(st.integers(0, 6), st.integers(1, 6)), min_size=size, max_size=size))
        supply = ProductionSet(
            solved=np.array(solved, dtype=float) / 16,
            units=np.array(units, dtype=float).reshape(size, 2) / 2,
            levels=np.zeros(0),
        )
        found.append(Menu(name=f"seller {number}", supply=supply, markup=draw(st.sampled_from(MARKUPS))))
    return found


def offered(sold: list[Menu], prices: tuple[float, float]) -> list[Point]:
    """Doing nothing, and every policy: what it solves and what it costs its customers, exactly."""
    points = [(Fraction(0), Fraction(0))]
    for menu in sold:
        for solved, units in zip(menu.supply.solved, menu.supply.units, strict=True):
            cost = sum((Fraction(m) * Fraction(x) for m, x in zip(prices, units, strict=True)), Fraction(0))
            points.append((Fraction(solved), Fraction(menu.markup) * cost))
    return points


def least(points: list[Point], level: Fraction) -> Fraction:
    """The cheapest way to solve at least a level: by one policy, or by chance one of two."""
    single = [cost for solved, cost in points if solved >= level]
    mixed = [y + (b - y) * (level - x) / (a - x) for x, y in points for a, b in points if x < level < a]
    return min(single + mixed)


@settings(max_examples=300, deadline=None)
@given(sold=menus())
def test_the_hull_of_merged_menus_is_the_cheapest_of_all_mixtures(sold: list[Menu]) -> None:
    found = choose(sold, np.array(PRICES))
    for r, prices in enumerate(PRICES):
        points = offered(sold, prices)
        used = found.way[r] >= 0
        xs, ys = np.append(0.0, found.solved[r, used]), np.append(0.0, found.cost[r, used])
        for level in {solved for solved, _ in points} | {Fraction(n, 7) * max(points)[0] for n in range(8)}:
            np.testing.assert_allclose(np.interp(float(level), xs, ys), float(least(points, level)), rtol=1e-12, atol=1e-15)
        assert xs[-1] == float(max(points)[0])
        slopes = found.slope[r, used]
        np.testing.assert_allclose(slopes, np.diff(ys) / np.diff(xs), rtol=1e-12)
        assert (np.diff(slopes) > 0).all()
        assert np.isinf(found.slope[r, ~used]).all()


@settings(max_examples=200, deadline=None)
@given(sold=menus())
def test_a_vertex_is_a_policy_of_the_menu_it_names_and_equals_go_to_the_last_seller(sold: list[Menu]) -> None:
    found = choose(sold, np.array(PRICES))
    for r, prices in enumerate(PRICES):
        for e in np.flatnonzero(found.way[r] >= 0):
            menu = sold[found.menu[r, e]]
            units = menu.supply.units[found.way[r, e]]
            np.testing.assert_array_equal(found.units[r, e], units)
            assert found.solved[r, e] == menu.supply.solved[found.way[r, e]]
            assert found.cost[r, e] == menu.markup * (units @ np.array(prices))
            same = (Fraction(found.solved[r, e]), Fraction(found.cost[r, e]))
            last = max(number for number, other in enumerate(sold) if same in offered([other], prices)[1:])
            assert found.menu[r, e] == last
        assert (found.menu[r][found.way[r] < 0] == -1).all()


def test_hulls_of_more_vertices_than_usual_are_whole() -> None:
    size = 3 * choices.USUAL
    solved = np.linspace(1 / size, 1.0, size)
    supply = ProductionSet(solved=solved, units=np.column_stack([solved**2, np.zeros(size)]), levels=np.zeros(0))
    found = choose([Menu(supply=supply)], np.array([[1.0, 1.0]]))
    np.testing.assert_array_equal(found.way[0], np.arange(size))
