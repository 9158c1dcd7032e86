"""Undercutting against the dynamic of THEORY section 6, played literally."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eqsolver import UsageError
from eqsolver.posted import undercut

MONEY = st.one_of(st.integers(1, 40).map(lambda n: n / 4), st.just(np.inf))
FACTOR = st.sampled_from([0.5, 0.8, 0.93, 0.99])


def played(market_price: float, costs: list[float], factor: float, rounds: int) -> list[tuple[float, float]]:
    """(price, seller's margin over it) after each turn: every arbitrageur posts, whether it can sell or not."""
    posted = [np.inf] * len(costs)
    history = []
    for turn in range(rounds):
        a = turn % len(costs)
        rival = min([market_price, *(p for b, p in enumerate(posted) if b != a)])
        posted[a] = max(factor * rival, costs[a])
        price = min(market_price, *posted)
        sellers = [b for b, p in enumerate(posted) if p == price < market_price]
        history.append((price, max(((price - costs[b]) / price for b in sellers), default=0.0)))
    return history


@settings(max_examples=100, deadline=None)
@given(price=MONEY, costs=st.lists(MONEY, min_size=2, max_size=2), factor=FACTOR)
def test_every_round_is_that_of_the_dynamic(price: float, costs: list[float], factor: float) -> None:
    found = undercut(np.array([price]), np.array(costs)[:, None], factor, rounds=9)
    for (right, margin), ask, earned in zip(
        played(price, sorted(costs), factor, 9), found.price[:, 0], found.margin[:, 0], strict=True
    ):
        if np.isfinite(price):
            assert ask == pytest.approx(right, rel=1e-12)
            assert earned == pytest.approx(margin, abs=1e-12)
        else:
            assert np.isinf(ask)
            assert np.isnan(earned)


@settings(max_examples=100, deadline=None)
@given(price=MONEY, costs=st.lists(MONEY, min_size=2, max_size=4), factor=FACTOR, data=st.data())
def test_the_price_rests_where_section_6_says_whoever_starts(
    price: float, costs: list[float], factor: float, data: st.DataObject
) -> None:
    found = undercut(np.array([price]), np.array(costs)[:, None], factor, rounds=600)
    if not np.isfinite(price):
        assert np.isinf(found.rest).all()
        return
    first, second = sorted(costs)[:2]
    rest = min(price, max(first, factor * min(price, second)))
    assert found.rest[0] == pytest.approx(rest, rel=1e-12)
    assert found.price[-1, 0] == pytest.approx(rest, rel=1e-12)
    anyone = data.draw(st.permutations(costs))
    assert played(price, list(anyone), factor, 600)[-1][0] == pytest.approx(rest, rel=1e-12)


def test_a_rival_that_cannot_sell_still_caps_the_price() -> None:
    """The smallest market that showed a bug: the dearer one's cost of 95 lies above the first ask of 93."""
    found = undercut(np.array([100.0]), np.array([[10.0], [95.0]]), 0.93, rounds=3)
    np.testing.assert_allclose(found.price[:, 0], [93.0, 93.0, 0.93 * 95])
    np.testing.assert_allclose(found.rest, [0.93 * 95])


@settings(max_examples=100, deadline=None)
@given(price=MONEY, costs=st.lists(MONEY, min_size=2, max_size=3), factor=FACTOR)
def test_the_price_only_falls_and_nobody_sells_at_a_loss(price: float, costs: list[float], factor: float) -> None:
    found = undercut(np.array([price]), np.array(costs)[:, None], factor, rounds=20)
    assert (found.price <= price).all()
    assert (found.price[1:] <= found.price[:-1]).all()
    if np.isfinite(price):
        assert (found.margin >= 0).all()
        assert (found.margin < 1).all()
        assert found.price[-1, 0] >= min(price, *costs)


def test_alike_arbitrageurs_end_at_their_cost() -> None:
    found = undercut(np.array([8.0, 2.0]), np.array([[3.0, 3.0], [3.0, 3.0]]), 0.93, rounds=60)
    np.testing.assert_allclose(found.price[-1], [3.0, 2.0])
    np.testing.assert_allclose(found.margin[-1], [0.0, 0.0], atol=1e-12)


@pytest.mark.parametrize(("factor", "rounds"), [(0.0, 3), (1.0, 3), (-1.0, 3), (float("nan"), 3), (0.9, 0)])
def test_a_factor_outside_the_unit_interval_or_no_round_is_refused(factor: float, rounds: int) -> None:
    with pytest.raises(UsageError):
        undercut(np.array([1.0]), np.array([[0.5], [0.5]]), factor, rounds)
