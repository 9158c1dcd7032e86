"""The independent oracles of the money rules agree with each other: luck listed, dice thrown, formulas of THEORY section 2."""

from __future__ import annotations

import itertools
from fractions import Fraction as Q
from math import floor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles_money import RULES, Beta, Broker, Shop, along, least, lower_hull, orderings
from tiny_shops import paths_of, shops


@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_slices_of_a_path_add_up_to_the_path(rule: str, data: st.DataObject) -> None:
    """A schedule that returns is followed through every course of luck; edge costs are products with others' survival."""
    shop = data.draw(shops(rule))
    path = data.draw(paths_of(shop))
    here, cost = [Q(0) for _ in shop.sellers], Q(0)
    for i, b in path:
        cost += shop.slice(i, b, here)
        here[i] = b
    solved, units = shop.run(path)
    assert (shop.solved(here), cost) == (solved, shop.bill(units))


FITS = {
    "finish": lambda paid, w_s, w_f, done, b: paid < b,
    "never": lambda paid, w_s, w_f, done, b: paid + max(w_s, w_f) <= b,
    "cut": lambda paid, w_s, w_f, done, b: paid + w_s <= b,
    "attempts": lambda paid, w_s, w_f, done, b: done + 1 <= b,
}
"""Whether an attempt that can succeed begins (under `cut`: would end) after `done` failures that cost `paid`."""


@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_curves_are_those_of_theory_section_2(rule: str, data: st.DataObject) -> None:
    shop = data.draw(shops(rule, sellers=(1, 1)))
    b = Q(data.draw(st.integers(0, 60)), 12)
    for x in shop.kinds:
        w_s, w_f = shop.won[0][x], shop.lost[0][x]
        k = 0
        while FITS[rule](k * w_f, w_s, w_f, k, b):
            k += 1
        if rule == "attempts":
            b = Q(floor(b))
        S = shop.unsolved(0, x, k)
        tries = sum((shop.unsolved(0, x, done) for done in range(k)), Q(0))
        spent = w_f * (tries - (1 - S)) + w_s * (1 - S) + (S * (b - k * w_f) if rule == "cut" else 0)
        assert shop.one(0, x, b) == (S, spent)


@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_under_cut_spend_is_the_integral_of_survival(data: st.DataObject) -> None:
    shop = data.draw(shops("cut", sellers=(1, 1)))
    b = Q(data.draw(st.integers(0, 60)), 12)
    x, grain = 0, Q(1, 12)  # costs are whole twelfths, so that survival is constant in between
    area = sum((grain * shop.one(0, x, j * grain)[0] for j in range(int(b / grain))), Q(0))
    assert shop.one(0, x, b)[1] == area


@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_the_recursion_is_the_best_of_all_paths_listed_one_by_one(rule: str, data: st.DataObject) -> None:
    shop = data.draw(shops(rule, small=True))
    if shop.number_of_paths() > 400:
        return
    listed = [(path, point) for path, point in shop.paths()]
    for path, point in listed[:: max(len(listed) // 20, 1)]:
        solved, units = shop.run(path)
        assert point == (solved, shop.bill(units))
    every, best, cascades = [point for _, point in listed], shop.schedules(), shop.cascades()
    for level in {solved for solved, _ in every}:
        assert least(every, level) == least(best, level)
        across = least(cascades, level)
        assert across is not None
        assert across >= least(best, level)


@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_knowing_one_problem_is_the_best_of_all_interleavings_of_attempts(rule: str, data: st.DataObject) -> None:
    """Under `finish`, `never` and `attempts` attempts are priced singly here: chance of being made times its mean cost."""
    shop = data.draw(shops(rule, small=True, problems=(1, 1)))
    each = [shop.vector(i, 0) for i in shop.sellers]
    if sum(len(rows) for rows in each) > 9:
        return
    moves = [i for i, rows in enumerate(each) for _ in rows[1:]]
    points = set()
    for order in set(itertools.permutations(moves)):
        at, still, cost = [0 for _ in shop.sellers], Q(1), Q(0)
        for i in order:
            S, paid, _ = each[i][at[i]]
            S1, paid1, taken = each[i][at[i] + 1]
            if not shop.within([taken if s == i else each[s][k][2] for s, k in enumerate(at)]):
                break
            if rule == "cut":
                cost += still / S * (paid1 - paid) if S else 0
            else:
                hazard = 1 - S1 / S if S else Q(0)
                mean = hazard * shop.won[i][0] + (1 - hazard) * shop.lost[i][0]
                cost += shop.price[i] * still * mean
            still = still * S1 / S if S else still
            at[i] += 1
            points.add((1 - still, cost))
    assert lower_hull(points) == lower_hull(shop.alone(0))


@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_knowing_more_never_costs_more(data: st.DataObject) -> None:
    shop = data.draw(shops(data.draw(st.sampled_from(RULES))))
    oracle = shop.knowing()
    for solved, cost in shop.schedules():
        bound = along(oracle, solved)
        assert bound is not None
        assert bound <= cost


DICE = [
    ((Q(1), Q(3, 2)), (Q(1), Q(3, 2)), "equal costs"),
    ((Q(1), Q(1, 2)), (Q(2), Q(5, 2)), "failures run longer"),
    ((Q(2), Q(5, 2)), (Q(1), Q(1, 2)), "successes run longer"),
]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(("won", "lost", "told"), DICE, ids=[told for *_, told in DICE])
def test_a_broker_with_dice_pays_what_the_courses_of_luck_say(
    rule: str, won: tuple[Q, ...], lost: tuple[Q, ...], told: str
) -> None:
    shop = Shop(
        weights=(Q(1, 4), Q(3, 4)),
        price=(Q(1), Q(1)),
        won=(won, (Q(3, 2), Q(2))),
        lost=(lost, (Q(1), Q(3))),
        odds=(((4, 1), (5, 2)), (Beta(Q(1, 2), Q(3, 2)), Q(1, 2))),
        rule=rule,
        cap=Q(9),
    )
    draws = 1500
    for seed, path in enumerate(
        [
            [(0, Q(7, 2))],
            [(0, Q(3)), (1, Q(4))],
            [(0, Q(5, 4)), (1, Q(3)), (0, Q(9, 4)), (1, Q(17, 4)), (0, Q(4))],
        ]
    ):
        solved, units = shop.run(path)
        won_by_dice, paid = Broker(shop, np.random.default_rng(seed)).many(path, draws)
        for found, right in zip((won_by_dice, *paid.T), (solved, *units), strict=True):
            assert abs(found.mean() - float(right)) <= 4.5 * found.std() / np.sqrt(draws) + 1e-12


@settings(max_examples=10, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(1, 9)), min_size=1, max_size=5), st.integers(0, 6))
def test_spend_with_costs_by_outcome_is_unbiased_over_all_orderings_of_a_log(log: list[tuple[int, int]], k: int) -> None:
    """F(k) = w_f (T(k) - (1 - S(k))) + w_s (1 - S(k)) with the means of each outcome; mean cost times T is not."""
    outcomes, costs = zip(*log, strict=True)
    n, c = len(outcomes), sum(outcomes)
    won = [w for y, w in log if y] or [w for _, w in log]
    lost = [w for y, w in log if not y] or [w for _, w in log]
    w_s, w_f = (Q(sum(part), len(part)) for part in (won, lost))
    shop = Shop(weights=(Q(1),), price=(Q(1),), won=((w_s,),), lost=((w_f,),), odds=(((n, c),),), rule="attempts", cap=Q(9))
    if k <= n:
        assert shop.one(0, 0, Q(k))[1] == orderings(outcomes, costs, k)
    if n == 2 and k == 2 and c == 1:
        S, mean = shop.unsolved(0, 0, 2), Q(sum(costs), n)
        tries = 1 + shop.unsolved(0, 0, 1)
        cov = Q(sum(w * (1 - y) for y, w in log), n) - mean * Q(n - c, n)
        assert mean * tries - orderings(outcomes, costs, 2) in (cov / n, -cov / n, cov, -cov), S


def test_four_problems_with_two_attempts_each_cost_eight_and_a_quarter() -> None:
    logs = [((1, 1), (1, 1)), ((1, 0), (1, 10)), ((0, 1), (10, 1)), ((0, 0), (10, 10))]
    assert sum((orderings(*log, 2) for log in logs), Q(0)) / 4 == Q(33, 4)
    shop = Shop(
        weights=(Q(1, 4),) * 4,
        price=(Q(1),),
        won=((Q(1), Q(1), Q(1), Q(10)),),
        lost=((Q(1), Q(10), Q(10), Q(10)),),
        odds=(((2, 2), (2, 1), (2, 1), (2, 0)),),
        rule="attempts",
        cap=Q(2),
    )
    assert shop.run([(0, Q(2))]) == (Q(3, 4), [Q(33, 4)])
    means = [Q(1), Q(11, 2), Q(11, 2), Q(10)]
    tries = [1 + shop.unsolved(0, x, 1) for x in shop.kinds]
    assert sum((w * t for w, t in zip(means, tries, strict=True)), Q(0)) / 4 == Q(75, 8), "mean cost times T is biased"
