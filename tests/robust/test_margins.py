"""The margins matrix against the definition of THEORY section 8, one policy and one scenario at a time."""

from __future__ import annotations

import numpy as np
import pytest
import tiny_markets
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from eqsolver import Market, UsageError
from eqsolver.posted import offers
from eqsolver.robust import (
    ABSTAIN,
    candidates,
    domain_scenarios,
    folds,
    margins_matrix,
    resampled_attempts,
    resampled_problems,
    undominated,
)
from eqsolver.technology import REACH, Cascade, Rules, all_steps, evaluate, rules, walk


def one_by_one(market: Market, terms: Rules, policy: Cascade, shares: np.ndarray, levels: np.ndarray | None) -> float | None:
    """The margin of one policy in one scenario, walked; None where no level counts."""
    seen = market.reweighted(shares)
    listed = all_steps(seen, terms)
    reach = max(float(step.profile(seen.weights).solved[-1]) if step.at.size else 0.0 for step in listed)
    u = reach + np.linspace(-0.05, 0.0, 20) if levels is None else levels
    u = u[(u > 0) & (u <= reach + REACH)]
    if not u.size or not policy.order:
        return 0.0 if policy.order == () else None
    price = offers(seen, listed, u).market_price
    walked = walk(seen, listed, policy.path)
    end, bill = float(walked.solved[-1]), walked.units @ seen.prices
    at = walked.reaching(u)
    margins = []
    for level, where in enumerate(at):
        if where < walked.solved.size:
            margins.append(1 - bill[where] / price[level])
        else:
            asked = offers(seen, listed, np.array([end])).market_price[0] if end > REACH else 0.0
            margins.append((asked - bill[-1]) / price[level])
    return float(np.mean(margins))


@st.composite
def questions(draw: st.DrawFn) -> tuple[Market, Rules, list[Cascade], np.ndarray]:
    market = draw(tiny_markets.markets(sellers=(2, 3), problems=(2, 3)))
    assume(tiny_markets.somebody_solves(market))
    terms = rules(market, **draw(tiny_markets.RULES))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    N, M = market.weights.size, len(market.providers)
    shares = np.vstack([market.weights, np.eye(N)[rng.integers(N)], rng.dirichlet(np.ones(N), 2)])
    policies = [ABSTAIN]
    for _ in range(6):
        order = tuple(rng.permutation(M)[: rng.integers(1, M + 1)].tolist())
        tops: list[float] = []
        for _ in order[:-1]:
            tops.append(float(min(rng.integers(0, 7) / 2, terms.rest(sum(tops)))))
        policies.append(Cascade(order=order, thresholds=(*tops, terms.rest(sum(tops)))))
    return market, terms, policies, shares


@settings(max_examples=30, deadline=None)
@given(question=questions(), absolute=st.booleans())
def test_every_entry_is_the_margin_of_the_walk(
    question: tuple[Market, Rules, list[Cascade], np.ndarray], absolute: bool
) -> None:
    market, terms, policies, shares = question
    levels = np.array([0.05, 0.1, 0.3]) if absolute else None
    expected = [[one_by_one(market, terms, policy, q, levels) for policy in policies] for q in shares]
    if absolute and any(entry is None for row in expected for entry in row):
        with pytest.raises(UsageError, match="within the reach"):
            margins_matrix(market, policies, shares, terms, levels=levels)
        return
    found = margins_matrix(market, policies, shares, terms, levels=levels)
    wanted = np.array([[0.0 if entry is None else entry for entry in row] for row in expected])
    np.testing.assert_allclose(found.values, wanted, rtol=1e-9, atol=1e-9)
    assert (found.values[:, 0] == 0).all()


@settings(max_examples=30, deadline=None)
@given(question=questions())
def test_clipped_margins_are_those_of_solve(question: tuple[Market, Rules, list[Cascade], np.ndarray]) -> None:
    market, terms, policies, _ = question
    found = margins_matrix(market, policies, market.weights[None], terms, clipped=True)
    counts = np.isfinite(found.price[0])
    assume(counts.any())
    listed = all_steps(market, terms)
    for policy, value in zip(policies[1:], found.values[0, 1:], strict=True):
        cost = evaluate(market, terms, listed, policy, found.levels[0][counts]).cost
        assert value == pytest.approx(np.maximum(1 - cost / found.price[0][counts], 0.0).mean(), abs=1e-9)


def test_a_private_student_sells_to_nobody_else() -> None:
    from eqsolver.market import Geometric, Provider

    teacher = Provider(name="teacher", odds=Geometric(success=[0.5, 0.5]), spend=[1.0, 1.0])
    student = Provider(name="student", odds=Geometric(success=[0.5, 0.0]), spend=[0.1, 0.1])
    market = Market(name="family", providers=(teacher, student), weights=[0.5, 0.5], max_budget=8.0)
    terms = rules(market)
    policy = Cascade(order=(1, 0), thresholds=(1.0, 7.0))
    private = margins_matrix(market, [policy], np.eye(2), terms, selling=[0]).values
    public = margins_matrix(market, [policy], np.eye(2), terms).values
    assert private[0, 0] > 0.8, "where the student solves everything, it is ten times cheaper than the teacher"
    assert -0.01 < public[0, 0] <= 0, "for all at the same price there is nothing to earn"
    assert private[1, 0] < 0, "where it solves nothing, its attempts are a loss"


def test_scenarios_are_weightings_of_the_problems_seen() -> None:
    market = tiny_log_market()
    named = domain_scenarios(market, [problem.split("-")[0] for problem in market.problems])
    assert named.names == ("a", "b")
    assert named.problems == (4, 2)
    np.testing.assert_allclose(named.weights @ named.shares, market.weights)
    drawn = resampled_problems(market, 50, seed=1)
    np.testing.assert_allclose(drawn.shares.sum(axis=1), 1.0)
    np.testing.assert_array_equal(drawn.shares, resampled_problems(market, 50, seed=1).shares)
    parts = folds(market, 3, seed=2)
    assert parts.problems == (2, 2, 2)
    np.testing.assert_allclose((parts.shares > 0).sum(axis=0), 1)
    again = resampled_attempts(market, 4, seed=3)
    assert len(again.markets) == 4
    with pytest.raises(UsageError, match="at least 2"):
        folds(market, 7, seed=0)
    with pytest.raises(UsageError, match="no problem"):
        domain_scenarios(market, [None] * 6)


def tiny_log_market() -> Market:
    from eqsolver.market import Provider, Sampled

    problems = ("a-1", "a-2", "b-1", "a-3", "b-2", "a-4")
    odds = Sampled(attempts=[4, 3, 2, 4, 4, 4], successes=[1, 0, 2, 3, 1, 4])
    return Market(
        name="logs",
        providers=(Provider(name="x", odds=odds, spend=np.ones(6)),),
        weights=np.full(6, 1 / 6),
        problems=problems,
        max_budget=3.0,
    )


def test_dominated_policies_are_dropped_and_the_first_of_equals_stays() -> None:
    R = np.array([[0.0, 0.2, 0.1, 0.2, -0.1], [0.0, -0.1, -0.1, -0.1, 0.3]])
    assert undominated(R).tolist() == [0, 1, 4]


def test_candidates_hold_abstaining_and_every_order_within_the_cap() -> None:
    from eqsolver.market import Geometric, Provider

    names = "abc"
    sellers = tuple(Provider(name=n, odds=Geometric(success=[0.5]), spend=[k + 1.0]) for k, n in enumerate(names))
    market = Market(name="three", providers=sellers, weights=[1.0], max_budget=9.0)
    terms = rules(market)
    found = candidates(market, terms)
    assert found[0] == ABSTAIN
    assert len({policy.order for policy in found}) == 1 + 3 + 6 + 6
    assert all(sum(policy.thresholds) == pytest.approx(9.0) for policy in found[1:])
    assert len(found) == len(set(found)) <= 6000
