"""Curves, steps, walks and evaluated cascades against the enumeration of every outcome of luck, in exact fractions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import exact, tiny
from tiny_markets import RULES, markets

from eqsolver.market import Geometric, Market, Provider, Sampled
from eqsolver.technology import (
    Cascade,
    all_steps,
    curves,
    evaluate,
    expected_tries,
    placed,
    positions,
    rules,
    survival,
    walk,
)

EXACT = {"rtol": 1e-12, "atol": 1e-12}


@settings(max_examples=60, deadline=None)
@given(n=st.integers(1, 7), data=st.data())
def test_survival_and_spend_of_logs_equal_the_draws_without_replacement(n: int, data: st.DataObject) -> None:
    c = data.draw(st.integers(0, n))
    market = Market(
        name="one",
        providers=(Provider(name="a", odds=Sampled(attempts=[n], successes=[c]), spend=[1.0]),),
        weights=[1.0],
        max_attempts=n + 3,
    )
    by_luck, k = tiny(market, allot="attempts"), np.arange(n + 4.0)[None, :]
    S = survival(market.providers[0].odds, k)
    np.testing.assert_allclose(S[0], [float(by_luck.unsolved(0, 0, int(j))) for j in k[0]], **EXACT)
    tries = expected_tries(market.providers[0].odds, k, S)[0]
    sums = [float(sum((by_luck.unsolved(0, 0, done) for done in range(int(j))), Fraction(0))) for j in k[0]]
    np.testing.assert_allclose(tries, sums, **EXACT)


@settings(max_examples=40, deadline=None)
@given(n=st.integers(1, 12), data=st.data())
def test_the_closed_form_of_section_2_is_the_sum_as_a_fraction(n: int, data: st.DataObject) -> None:
    c = data.draw(st.integers(1, n))

    def unsolved(k: int) -> Fraction:
        value = Fraction(1)
        for done in range(k):
            value *= Fraction(max(n - c - done, 0), max(n - done, 1))
        return value

    for K in range(n - c + 2):
        assert sum((unsolved(done) for done in range(K)), Fraction(0)) == ((n + 1) - (n - K + 1) * unsolved(K)) / Fraction(
            c + 1
        )
    assert unsolved(n - c + 1) == 0


@settings(max_examples=40, deadline=None)
@given(eighths=st.integers(0, 8), k=st.integers(0, 30))
def test_survival_and_spend_of_a_class_equal_their_sums(eighths: int, k: int) -> None:
    p = Fraction(eighths, 8)
    odds = Geometric(success=[float(p)])
    S = survival(odds, np.array([[float(k)]]))
    assert S[0, 0] == pytest.approx(float((1 - p) ** k), rel=1e-12, abs=1e-300)
    tries = expected_tries(odds, np.array([[float(k)]]), S)[0, 0]
    assert tries == pytest.approx(float(sum(((1 - p) ** done for done in range(k)), Fraction(0))), rel=1e-12)


@settings(max_examples=60, deadline=None)
@given(
    eighths=st.lists(st.integers(1, 8), min_size=2, max_size=2),
    halves=st.lists(st.integers(1, 8), min_size=2, max_size=2),
    attempts=st.integers(1, 500),
)
def test_attempts_that_are_not_listed_solve_and_cost_nothing_that_can_be_told(
    eighths: list[int], halves: list[int], attempts: int
) -> None:
    """Of classes, attempts at which less than 2^-60 is unsolved; all of the others are listed."""
    p = [Fraction(e, 8) for e in eighths]
    sold = Provider(name="a", odds=Geometric(success=[float(x) for x in p]), spend=[w / 2 for w in halves])
    market = Market(name="long", providers=(sold,), weights=[0.25, 0.75], max_attempts=attempts)
    (listed,) = all_steps(market, rules(market, allot="attempts"))
    profile = listed.profile(market.weights)
    unsolved = [(1 - x) ** attempts for x in p]
    spent = [Fraction(w, 2) * (1 - S) / x for w, S, x in zip(halves, unsolved, p, strict=True)]
    assert profile.solved[-1] == pytest.approx(float(1 - (unsolved[0] + 3 * unsolved[1]) / 4), rel=1e-14)
    assert profile.spent[-1] == pytest.approx(float((spent[0] + 3 * spent[1]) / 4), rel=1e-14)
    for x in (0, 1):
        told = int((listed.problem == x).sum())
        assert told == attempts or (1 - p[x]) ** told < Fraction(1, 2**59)


@settings(max_examples=60, deadline=None)
@given(market=markets(sellers=(1, 2)), how=RULES, quarters=st.integers(0, 26))
def test_curves_equal_the_simulation_of_one_provider(market: Market, how: dict, quarters: int) -> None:
    by_luck, terms = tiny(market, **how), rules(market, **how)
    allotment = min(Fraction(quarters, 4), by_luck.cap)
    S, F = curves(market.providers[0], np.array([float(allotment)]), terms)
    solved, units = by_luck.run([(0, allotment)])
    q = market.weights
    assert q @ S[:, 0] == pytest.approx(float(1 - solved), abs=1e-12)
    assert q @ F[:, 0] == pytest.approx(float(units[0]), abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(market=markets(sellers=(2, 2)), how=RULES)
def test_the_profile_of_steps_lists_every_stop_with_its_pass_and_spend(market: Market, how: dict) -> None:
    by_luck, terms = tiny(market, **how), rules(market, **how)
    for i, listed in enumerate(all_steps(market, terms)):
        stops = by_luck.stops(i)
        np.testing.assert_allclose(listed.at, [float(b) for b in stops], rtol=1e-12)
        profile = listed.profile(market.weights)
        made = [by_luck.run([(i, b)]) for b in stops]
        np.testing.assert_allclose(profile.solved, [float(solved) for solved, _ in made], **EXACT)
        np.testing.assert_allclose(profile.spent, [float(units[i]) for _, units in made], **EXACT)


@st.composite
def paths(draw: st.DrawFn, market: Market, how: dict) -> list[tuple[int, Fraction]]:
    """Blocks in quarters (off the steps too), providers returning, allotments rising, within the caps."""
    by_luck = tiny(market, **how)
    here = [Fraction(0)] * by_luck.sellers
    blocks = []
    for _ in range(draw(st.integers(0, 5))):
        i = draw(st.integers(0, by_luck.sellers - 1))
        room = by_luck.cap - here[i]
        if by_luck.by_budget:
            room = by_luck.cap - sum(here)
        grain = 4 if by_luck.by_budget else 1
        here[i] += Fraction(draw(st.integers(0, int(room * grain))), grain)
        blocks.append((i, here[i]))
    return blocks


@settings(max_examples=300, deadline=None)
@given(data=st.data(), market=markets(), how=RULES)
def test_pass_and_units_of_any_path_equal_the_enumeration_of_its_decision_tree(
    data: st.DataObject, market: Market, how: dict
) -> None:
    by_luck, terms = tiny(market, **how), rules(market, **how)
    path = data.draw(paths(market, how))
    listed = all_steps(market, terms)
    walked = walk(market, listed, positions(terms, listed, [(i, float(b)) for i, b in path]))
    solved, units = by_luck.run(by_luck.placed(path))
    assert walked.solved[-1] == pytest.approx(float(solved), abs=1e-12)
    np.testing.assert_allclose(walked.units[-1], [float(u) for u in units], **EXACT)
    assert (np.diff(walked.solved) >= -1e-15).all()
    assert (np.diff(walked.units, axis=0) >= -1e-12).all()


@settings(max_examples=60, deadline=None)
@given(data=st.data(), market=markets(), how=RULES)
def test_an_evaluated_cascade_buys_each_level_with_its_shortest_prefix(data: st.DataObject, market: Market, how: dict) -> None:
    by_luck, terms = tiny(market, **how), rules(market, **how)
    order = data.draw(st.permutations(range(by_luck.sellers)))
    left, thresholds = by_luck.cap, []
    for _ in order:
        t = (
            Fraction(data.draw(st.integers(0, int(left * 2))), 2)
            if by_luck.by_budget
            else Fraction(data.draw(st.integers(0, int(by_luck.cap))))
        )
        left -= t if by_luck.by_budget else 0
        thresholds.append(t)
    thresholds = [b for _, b in by_luck.placed(list(zip(order, thresholds, strict=True)))]
    prefixes = [(Fraction(0), [Fraction(0)] * by_luck.sellers)]
    for stage, (i, t) in enumerate(zip(order, thresholds, strict=True)):
        before = list(zip(order[:stage], thresholds[:stage], strict=True))
        fine = {by_luck.at(i, x, k) for x in range(by_luck.kinds) for k in range(by_luck.bought(i, x, t))}
        prefixes += [by_luck.run([*before, (i, b)]) for b in sorted(fine)]
    levels = np.array([0.05, 0.2, 0.35, 0.5, 0.65, 0.8, 0.95, 1.0])
    cascade = Cascade(order=tuple(order), thresholds=tuple(float(t) for t in thresholds))
    found = evaluate(market, terms, all_steps(market, terms), cascade, levels)
    for u, units, cost, path in zip(levels, found.units, found.cost, found.paths, strict=True):
        reaching = [units for solved, units in prefixes if solved >= exact(u)]
        if not reaching:
            assert np.isinf(cost)
            assert path == ()
            continue
        np.testing.assert_allclose(units, [float(v) for v in reaching[0]], **EXACT)
        assert cost == pytest.approx(float(by_luck.bill(reaching[0])), abs=1e-12)


def test_a_tenth_fits_three_times_into_three_tenths() -> None:
    for w, b, k in [(0.1, 0.3, 3), (0.1, 0.7, 7), (0.07, 0.21, 3), (0.3, 0.3, 1), (0.3, 0.2999999, 0), (1e-6, 3e-6, 3)]:
        market = Market(
            name="cents",
            providers=(Provider(name="a", odds=Geometric(success=[0.5]), spend=[w]),),
            weights=[1.0],
            max_budget=b,
        )
        terms = rules(market, overrun="never")
        S, F = curves(market.providers[0], np.array([b]), terms)
        (listed,) = all_steps(market, terms)
        assert S[0, 0] == pytest.approx(0.5**k)
        assert F[0, 0] == pytest.approx(2 * w * (1 - 0.5**k), abs=1e-15)
        assert listed.at.size == k


def test_finished_attempts_begin_while_less_than_the_allotment_is_spent() -> None:
    for w, b, k in [
        (0.1, 0.3, 3),
        (0.1, 0.7, 7),
        (0.07, 0.21, 3),
        (0.3, 0.3, 1),
        (0.3, 0.31, 2),
        (0.3, 1e-9, 1),
        (1e-6, 3e-6, 3),
    ]:
        market = Market(
            name="cents",
            providers=(Provider(name="a", odds=Geometric(success=[0.5]), spend=[w]),),
            weights=[1.0],
            max_budget=b,
        )
        terms = rules(market)
        (listed,) = all_steps(market, terms)
        assert listed.at.size == k
        ((_, position),) = positions(terms, (listed,), [(0, b)])
        S, F = curves(market.providers[0], np.array([0.0, position]), terms)
        np.testing.assert_allclose(S[0], [1.0, 0.5**k])
        np.testing.assert_allclose(F[0], [0.0, 2 * w * (1 - 0.5**k)], rtol=1e-12)


def test_attempts_that_cannot_succeed_are_paid_for_before_the_next_provider_is_asked() -> None:
    """A threshold above a provider's last useful attempt still buys attempts on problems it never solves."""
    market = Market(
        name="stubborn",
        providers=(
            Provider(name="a", odds=Geometric(success=[1.0, 0.0]), spend=[1.0, 1.0]),
            Provider(name="b", odds=Geometric(success=[0.0, 1.0]), spend=[1.0, 1.0]),
        ),
        weights=[0.5, 0.5],
        max_budget=8.0,
    )
    terms = rules(market, overrun="never")
    cascade = Cascade(order=(0, 1), thresholds=(5.0, 1.0))
    found = evaluate(market, terms, all_steps(market, terms), cascade, np.array([1.0]))
    np.testing.assert_allclose(found.units, [[0.5 * 1 + 0.5 * 5, 0.5]])
    terms = rules(market)
    listed = all_steps(market, terms)
    found = evaluate(market, terms, listed, placed(terms, listed, cascade), np.array([1.0]))
    np.testing.assert_allclose(found.units, [[0.5 * 1 + 0.5 * 5, 0.5]])


def test_monte_carlo_agrees() -> None:
    """Attempts drawn one by one from shuffled logs and from coins, a provider returning."""
    market = Market(
        name="drawn",
        providers=(
            Provider(name="a", odds=Sampled(attempts=[4, 5], successes=[1, 2]), spend=[1.0, 0.5]),
            Provider(name="b", odds=Geometric(success=[0.25, 0.5]), spend=[1.5, 2.0]),
        ),
        weights=[0.25, 0.75],
        max_budget=8.0,
    )
    path = [(0, 1.0), (1, 4.0), (0, 2.5)]
    walked = walk(market, all_steps(market, rules(market, overrun="never")), path)
    rng, draws = np.random.default_rng(1), 30_000
    solved, units = np.zeros(draws), np.zeros((draws, 2))
    for d in range(draws):
        x = int(rng.random() < 0.75)
        log = rng.permutation([[1, 0, 0, 0], [1, 1, 0, 0, 0]][x])
        made = [0, 0]
        for i, upto in path:
            w = market.providers[i].spend[x]
            while not solved[d] and (made[i] + 1) * w <= upto:
                solved[d] = log[made[0]] if i == 0 else rng.random() < (0.25, 0.5)[x]
                made[i], units[d, i] = made[i] + 1, units[d, i] + w
    assert abs(solved.mean() - walked.solved[-1]) < 4 * solved.std() / np.sqrt(draws)
    assert (np.abs(units.mean(axis=0) - walked.units[-1]) < 4 * units.std(axis=0) / np.sqrt(draws)).all()
