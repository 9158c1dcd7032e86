"""Best responses to finite types are exact: every breakpoint is found, in every regime, against mixed rivals."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_accounts import staged
from tiny_markets import markets

from eqsolver import load
from eqsolver.game import Crowd, Stage, _breakpoints, crowd, discretised
from eqsolver.game._breakpoints import stairs
from eqsolver.game._rises import Against
from eqsolver.game._sales import Conduct
from eqsolver.market import Arbitrageur, Market, Population, Target, Value
from eqsolver.technology import rules

DUOPOLY = Path(__file__).parents[2] / "models" / "swebench-duopoly.toml"
REGIMES = ("direct", "matching", "competitive", "dear", "two")
OWN = {"dear": ("broker",), "two": ("broker", "narrow")}
TYPES = st.lists(
    st.one_of(
        st.builds(Value, value=st.floats(0.05, 40.0), mass=st.sampled_from([0.5, 2.0])),
        st.builds(Target, level=st.sampled_from([0.1, 0.35, 0.6, 0.9]), budget=st.floats(0.3, 12.0)),
    ),
    min_size=1,
    max_size=5,
)
LOW, HIGH = 0.4, 5.0


def with_arbitrageurs(market: Market) -> Market:
    return replace(market, arbitrageurs=(Arbitrageur(name="broker", overhead=0.2), Arbitrageur(name="narrow", access=("b",))))


def sold(conduct: Conduct, many: Crowd, player: int, others: np.ndarray, shares: np.ndarray, prices: np.ndarray) -> np.ndarray:
    """Units one price at a time, from what customers are served at each: no breakpoints, no bounds."""
    total = np.zeros(prices.size)
    for share, other in zip(shares, others, strict=True):
        vectors = np.repeat(other[None], prices.size, axis=0)
        vectors[:, player] = prices
        total += share * conduct.sold(many, vectors)[:, player]
    return total


@settings(max_examples=60, deadline=None)
@given(
    market=markets(sellers=(2, 3)),
    types=TYPES,
    regime=st.sampled_from(REGIMES),
    seed=st.integers(0, 999),
    player=st.integers(0, 1),
)
def test_between_breakpoints_sales_are_those_of_any_price_there(
    market: Market, types: list, regime: str, seed: int, player: int
) -> None:
    many, rng = crowd(types), np.random.default_rng(seed)
    stage = staged(with_arbitrageurs(market), many.levels)
    conduct = stage.conduct(regime, OWN)
    others = np.exp(rng.uniform(-0.7, 1.2, (2, len(market.providers))))
    shares = np.array([0.3, 0.7])
    found = stairs(conduct, many, player, others, shares, (LOW, HIGH))
    assert found.at[0] == LOW
    stops = np.append(found.at[1:], HIGH)
    wide = stops - found.at > 1e-6
    inside = (found.at + rng.uniform(0.1, 0.9, stops.size) * (stops - found.at))[wide]
    exact = sold(conduct, many, player, others, shares, inside)
    np.testing.assert_allclose(found.units[wide], exact, rtol=1e-9, atol=1e-9)


@settings(max_examples=30, deadline=None)
@given(market=markets(sellers=(2, 2)), types=TYPES, regime=st.sampled_from(REGIMES), seed=st.integers(0, 999))
def test_how_many_stretches_are_walked_together_changes_nothing(market: Market, types: list, regime: str, seed: int) -> None:
    many, rng = crowd(types), np.random.default_rng(seed)
    conduct = staged(with_arbitrageurs(market), many.levels).conduct(regime, OWN)
    others, shares = np.exp(rng.uniform(-0.7, 1.2, (2, 2))), np.array([0.3, 0.7])
    found = []
    for together in (1, 2, 8):
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(_breakpoints, "TOGETHER", together)
            found.append(stairs(conduct, many, 0, others, shares, (LOW, HIGH)))
    every = np.unique(np.concatenate([one.at for one in found]))
    between = (0.3 * every + 0.7 * np.append(every[1:], HIGH))[np.diff(every, append=HIGH) > 1e-9]
    alone, *together_now = [one.units[np.searchsorted(one.at, between, side="right") - 1] for one in found]
    for units in together_now:
        np.testing.assert_allclose(units, alone, rtol=1e-9, atol=1e-9)


@settings(max_examples=30, deadline=None)
@given(market=markets(sellers=(2, 2)), types=TYPES, regime=st.sampled_from(REGIMES), seed=st.integers(0, 999))
def test_a_best_response_is_that_of_a_dense_search_and_misses_nothing(
    market: Market, types: list, regime: str, seed: int
) -> None:
    many, rng = crowd(types), np.random.default_rng(seed)
    conduct = staged(with_arbitrageurs(market), many.levels).conduct(regime, OWN)
    others, shares = np.exp(rng.uniform(-0.7, 1.2, (3, 2))), np.full(3, 1 / 3)
    sales = Against(conduct=conduct, crowd=many, player=0, others=others, shares=shares)
    found = sales.best_response(0.4, np.geomspace(LOW, HIGH, 30), 0.0, tolerance=1e-3, limit=10**6)
    dense = np.concatenate([np.geomspace(LOW, HIGH, 4000), rng.uniform(LOW, HIGH, 1000)])
    earned = (dense - 0.4) * sold(conduct, many, 0, others, shares, dense)
    assert found.missed == 0.0
    assert earned.max() <= found.gain * (1 + 1e-9) + 1e-12
    attained = (found.price - 0.4) * sold(conduct, many, 0, others, shares, np.array([found.price]))
    assert attained[0] == pytest.approx(found.gain, rel=1e-6, abs=1e-9)


def test_four_hundred_types_against_twenty_prices() -> None:
    market = load(DUOPOLY)
    many = crowd(discretised(Population(distribution="lognormal", parameters=(0.4, 1.0)), 400))
    bounds = np.array([[LOW, HIGH]] * 2)
    stage = Stage(market=market, terms=rules(market), bounds=bounds, targets=many.levels, points=48)
    rng = np.random.default_rng(0)
    others = np.repeat(np.exp(rng.uniform(-0.3, 0.6, 20))[:, None], 2, axis=1)
    for regime in ("direct", "matching", "competitive"):
        conduct = stage.conduct(regime, {})
        sales = Against(conduct=conduct, crowd=many, player=1, others=others, shares=np.full(20, 0.05))
        found = sales.best_response(0.4, np.geomspace(LOW, HIGH, 181), 0.0, tolerance=1e-3, limit=10**6)
        near = found.price * np.exp(np.linspace(-0.02, 0.02, 201))
        dense = np.concatenate([np.geomspace(LOW, HIGH, 201), near[(near > LOW) & (near < HIGH)]])
        earned = (dense - 0.4) * sold(conduct, many, 1, others, np.full(20, 0.05), dense)
        assert earned.max() <= found.gain * (1 + 1e-9)
        assert earned.max() >= found.gain * (1 - 1e-3), "and it is not loose"
