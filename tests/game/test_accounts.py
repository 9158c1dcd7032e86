"""The account of every regime: demand against types taken one by one, money conserved, claims 6 and 7 of section 10."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tiny_markets import markets

from eqsolver.game import BUILT_IN, Stage, crowd, discretised, outcome
from eqsolver.market import Arbitrageur, Market, Policy, Population, Target, Value
from eqsolver.technology import all_steps, rules

CONSUMERS = st.lists(
    st.one_of(
        st.builds(Value, value=st.sampled_from([0.3, 1.7, 5.2, 30.0]), mass=st.sampled_from([0.5, 2.0])),
        st.builds(Target, level=st.sampled_from([0.1, 0.35, 0.6, 0.9]), budget=st.sampled_from([0.4, 2.3, 11.0])),
        st.builds(
            Population,
            distribution=st.just("lognormal"),
            parameters=st.tuples(st.sampled_from([0.5, 4.0]), st.sampled_from([0.5, 1.5])),
        ),
        st.builds(Population, distribution=st.just("uniform"), parameters=st.sampled_from([(0.0, 3.0), (1.0, 20.0)])),
    ),
    min_size=1,
    max_size=4,
)
PRICES = st.lists(st.sampled_from([0.4, 0.7, 1.1, 1.9, 4.7]), min_size=8, max_size=8)


def staged(market: Market, levels: np.ndarray) -> Stage:
    terms = rules(market)
    assume(any(step.at.size for step in all_steps(market, terms)))
    return Stage(market=market, terms=terms, bounds=np.array([[0.4, 5.0]] * len(market.providers)), targets=levels)


@settings(max_examples=40, deadline=None)
@given(market=markets(sellers=(2, 2)), consumers=CONSUMERS, drawn=PRICES, overhead=st.sampled_from([0.0, 0.25]))
def test_money_is_conserved_and_nobody_loses_at_any_prices(
    market: Market, consumers: list, drawn: list[float], overhead: float
) -> None:
    crowded = crowd(consumers)
    fixed = Policy(order=("a", "b"), thresholds=(market.max_budget / 2, market.max_budget / 2), weight=0.5)
    who = (
        Arbitrageur(name="free", overhead=overhead),
        Arbitrageur(name="narrow", access=("b",)),
        Arbitrageur(name="fixed", policies=(fixed,)),
    )
    stage = staged(replace(market, arbitrageurs=who), crowded.levels)
    own = {"one": ("free",), "three": ("free", "narrow", "fixed")}
    prices, kappa = np.array(drawn).reshape(4, 2), np.array([0.4, 0.1])
    found = {}
    for name in (*BUILT_IN, *own):
        conduct = stage.conduct(name, own)
        account = found[name] = outcome(conduct, crowded, prices, kappa)
        paid = account.revenue.sum(axis=1) + account.arbitrageur_profit.sum(axis=1) + account.overhead
        np.testing.assert_allclose(paid, account.consumer_bill, rtol=1e-9, atol=1e-12, err_msg=name)
        np.testing.assert_allclose(account.units, conduct.sold(crowded, prices), rtol=1e-9, atol=1e-12)
        assert (account.arbitrageur_profit >= -1e-9).all(), name
        assert (account.overhead >= -1e-9).all(), name
        assert (account.consumer_surplus >= found["direct"].consumer_surplus - 1e-9).all(), name
        assert (account.solved <= crowded.mass * (1 + 1e-12)).all()
        np.testing.assert_allclose(account.profit, (prices - kappa) * account.units)
    np.testing.assert_allclose(found["monopoly"].units, found["competitive"].units, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found["monopoly"].consumer_surplus, found["direct"].consumer_surplus, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found["matching"].consumer_bill, found["direct"].consumer_bill, rtol=1e-9, atol=1e-12)
    assert np.abs(found["competitive"].arbitrageur_profit).max(initial=0.0) == 0.0


@settings(max_examples=40, deadline=None)
@given(market=markets(sellers=(2, 2)), values=st.lists(st.floats(0.05, 40), min_size=1, max_size=6), drawn=PRICES)
def test_value_types_choose_as_if_each_were_asked_alone(market: Market, values: list[float], drawn: list[float]) -> None:
    stage = staged(market, np.zeros(0))
    prices = np.array(drawn).reshape(4, 2)
    crowded = crowd([Value(value=v) for v in values])
    conduct = stage.conduct("competitive", {})
    ((_, menus),) = conduct.states
    supplies = [conduct.direct, *(menu.supply for menu in menus)]
    account = outcome(conduct, crowded, prices, np.zeros(2))
    for r, m in enumerate(prices):
        utility = sum(max(0.0, *(float((v * s.solved - s.units @ m).max()) for s in supplies)) for v in values)
        assert account.consumer_surplus[r] == pytest.approx(utility, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    "population",
    [
        Population(distribution="lognormal", parameters=(2.0, 0.8), mass=3.0),
        Population(distribution="uniform", parameters=(0.5, 6.0)),
    ],
)
def test_a_population_is_the_limit_of_its_value_types(population: Population) -> None:
    exact, fine = crowd([population]), crowd(discretised(population, 20_000))
    at = np.array([0.0, 0.3, 1.0, 2.0, 3.7, 5.9, 30.0])
    np.testing.assert_allclose(fine.above(at), exact.above(at), atol=2e-4 * population.mass)
    np.testing.assert_allclose(fine.worth_above(at), exact.worth_above(at), atol=2e-3 * population.mass)
    assert exact.mass == pytest.approx(fine.mass)


@settings(max_examples=30, deadline=None)
@given(market=markets(sellers=(2, 2)), drawn=PRICES, seed=st.integers(0, 2**32 - 1))
def test_no_random_quote_gains_an_arbitrageur_anything(market: Market, drawn: list[float], seed: int) -> None:
    """Section 6: against the others' best offers no level at any price earns more than the formula says."""
    rng = np.random.default_rng(seed)
    who = (Arbitrageur(name="free", overhead=0.1), Arbitrageur(name="narrow", access=("b",)))
    stage = staged(replace(market, arbitrageurs=who), np.zeros(0))
    conduct = stage.conduct("both", {"both": ("free", "narrow")})
    ((_, menus),) = conduct.states
    m = np.array(drawn[:2])
    for v in rng.uniform(0.1, 30, 5):
        account = outcome(conduct, crowd([Value(value=float(v))]), m[None], np.zeros(2))
        for b, menu in enumerate(menus):
            rivals = [(other.supply, other.markup) for other in menus if other is not menu] + [(conduct.direct, 1.0)]
            outside = max(0.0, *(float((v * s.solved - markup * s.units @ m).max()) for s, markup in rivals))
            cost = menu.markup * (menu.supply.units @ m)
            for k in rng.integers(0, cost.size, 20):
                price = rng.uniform(0, v)
                if v * menu.supply.solved[k] - price > outside:
                    assert price - cost[k] <= account.arbitrageur_profit[0, b] + 1e-9
