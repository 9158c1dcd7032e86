"""Smooth demand: closed forms by sympy, limits, money conserved, and certificates against dense searches."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from eqsolver import UsageError
from eqsolver.game import BUILT_IN, Balanced, Logit, Stage, _smooth, crowd, equilibrium, outcome
from eqsolver.game._certificate import best_deviation
from eqsolver.game._groups import with_own
from eqsolver.game._smooth import SmoothGame, served, settle, solve_smooth
from eqsolver.market import Arbitrageur, Geometric, Market, Policy, Population, Provider, Target, Value
from eqsolver.technology import rules

RULES = [Logit(scale=0.3), Logit(scale=0.02), Balanced(), Balanced(exponent=0.7)]


def one(name: str, success: float, spend: float = 1.0, **changes: float) -> Provider:
    return Provider(name=name, odds=Geometric(success=[success]), spend=[spend], **changes)


def alike(n: int, highest: float = 50.0) -> Market:
    """n sellers of one and the same attempt: it solves half, at a list price of 1."""
    providers = tuple(one("abcd"[i], 0.5, highest_price=highest) for i in range(n))
    return Market(name="alike", providers=providers, weights=[1.0], max_budget=1.0)


def small(seed: int = 0) -> Market:
    rng = np.random.default_rng(seed)
    providers = tuple(
        Provider(name=name, odds=Geometric(success=rng.beta(0.6, 0.9, 12)), spend=rng.uniform(0.03, 0.3, 12)) for name in "ab"
    )
    fixed = Policy(order=("a", "b"), thresholds=(0.2, 0.4), weight=0.5)
    who = (
        Arbitrageur(name="dear", overhead=0.2),
        Arbitrageur(name="narrow", access=("b",)),
        Arbitrageur(name="fixed", policies=(fixed,)),
    )
    return Market(name="small", providers=providers, weights=np.full(12, 1 / 12), max_budget=1.0, arbitrageurs=who)


OWN = {"three": ("dear", "narrow", "fixed")}
CONSUMERS = [
    Population(distribution="lognormal", parameters=(0.5, 1.0)),
    Population(distribution="uniform", parameters=(0.2, 2.0), mass=0.5),
    Value(value=0.9, mass=0.4),
    Target(level=0.6, budget=0.5, mass=0.3),
]


@pytest.mark.parametrize("n", [2, 3])
def test_logit_sellers_alike_charge_cost_and_scale_over_the_others_share(n: int) -> None:
    """p = c + scale / (1 - share): the first-order condition of (p - c) s(p) with s the logit share, solved by sympy."""
    p, c, mu, other, v = sympy.symbols("p c mu other v", positive=True)
    share = sympy.exp((v - p) / mu) / (1 + sympy.exp((v - p) / mu) + (n - 1) * sympy.exp((v - other) / mu))
    condition = sympy.diff((p - c) * share, p)
    closed = c + mu / (1 - share)
    assert sympy.simplify((condition / share).subs(c, p - mu / (1 - share))) == 0, "the closed form solves the condition"
    values = {c: 0.4, mu: 0.2, v: 3.0}
    wanted = float(sympy.nsolve((p - closed).subs(other, p).subs(values), p, 0.8))
    market = alike(n)
    found = equilibrium(market, consumers=[Value(value=6.0)], demand=Logit(scale=0.2), regimes=["direct"], tolerance=0.01)
    regime = found.regimes["direct"]
    assert regime.kind == "pure"
    assert regime.certified
    np.testing.assert_allclose(regime.expected_price, wanted, rtol=1e-5)


def test_a_marketplace_of_sellers_alike_lets_each_ask_a_multiple_of_cost() -> None:
    """With traffic in proportion to price^-e and a demand that has to be met, p = c e (n - 1) / (e (n - 1) - n)."""
    p, c, other, e, n = sympy.symbols("p c other e n", positive=True)
    share = p**-e / (p**-e + (n - 1) * other**-e)
    condition = sympy.diff(sympy.log(p - c) + sympy.log(share), p).subs(other, p)
    closed = sympy.solve(sympy.simplify(condition), p)[0]
    assert sympy.simplify(closed - c * e * (n - 1) / (e * (n - 1) - n)) == 0
    for sellers, exponent in ((3, 2.0), (2, 3.0)):
        wanted = float(closed.subs({c: 0.4, e: exponent, n: sellers}))
        found = equilibrium(
            alike(sellers),
            consumers=[Value(value=100.0)],
            demand=Balanced(exponent=exponent),
            regimes=["direct"],
            tolerance=0.01,
        )
        assert found.regimes["direct"].certified
        np.testing.assert_allclose(found.regimes["direct"].expected_price, wanted, rtol=1e-4)


def test_two_sellers_under_the_square_rule_take_all_that_is_allowed() -> None:
    """n = 2 and e = 2 leave no finite price: the share lost by asking more never outweighs it."""
    found = equilibrium(alike(2, highest=5.0), consumers=[Value(value=1000.0)], demand=Balanced(), regimes=["direct"])
    np.testing.assert_allclose(found.regimes["direct"].expected_price, 5.0, rtol=1e-6)
    assert found.regimes["direct"].certified


@pytest.mark.parametrize("regime", [*BUILT_IN, "three"])
def test_as_tastes_fade_the_best_offer_takes_all(regime: str) -> None:
    crowded = crowd(CONSUMERS[:3])
    stage = Stage(market=small(), terms=rules(small()), bounds=np.array([[0.4, 5.0]] * 2), targets=crowded.levels, points=24)
    conduct = stage.conduct(regime, OWN)
    prices = np.array([[1.0, 1.0], [0.5, 2.0], [2.5, 0.7]])
    exact = outcome(conduct, crowded, prices, np.zeros(2))
    faint = served(stage, conduct, crowded, Logit(scale=2e-5)).outcome(prices, np.zeros(2))
    for name in ("units", "consumer_bill", "consumer_surplus", "solved", "arbitrageur_profit", "overhead"):
        np.testing.assert_allclose(getattr(faint, name), getattr(exact, name), rtol=0.03, atol=4e-3, err_msg=name)


@pytest.mark.parametrize("rule", RULES, ids=str)
@pytest.mark.parametrize("regime", ["direct", "matching", "monopoly", "three"])
def test_money_is_conserved_and_bounds_hold_under_every_rule(rule: Logit | Balanced, regime: str) -> None:
    crowded = crowd(CONSUMERS)
    stage = Stage(market=small(), terms=rules(small()), bounds=np.array([[0.4, 5.0]] * 2), targets=crowded.levels, points=24)
    conduct = stage.conduct(regime, OWN)
    customers = served(stage, conduct, crowded, rule)
    rng = np.random.default_rng(3)
    prices = np.exp(rng.uniform(-0.9, 1.2, (4, 2)))
    account = customers.outcome(prices, np.array([0.4, 0.1]))
    paid = account.revenue.sum(axis=1) + account.arbitrageur_profit.sum(axis=1) + account.overhead
    np.testing.assert_allclose(paid, account.consumer_bill, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(account.units, customers.sold(prices), rtol=1e-9, atol=1e-12)
    assert (account.arbitrageur_profit >= -1e-12).all()
    assert max(customers.quote_gain(prices).values(), default=0.0) <= 2e-3
    for player in (0, 1):
        cells = 5 if regime == "three" else 30
        left = np.exp(rng.uniform(-0.9, 1.4, cells))
        right = left * np.exp(rng.uniform(0.0, 0.2, cells))
        others = prices[player]
        sold, most = customers.between(player, others, left, right)
        np.testing.assert_allclose(sold, customers.sold(with_own(others, player, left))[:, player], rtol=1e-9, atol=1e-12)
        for share in np.append(rng.uniform(0, 1, 4), 1.0):
            inside = with_own(others, player, left * (right / left) ** share)
            assert (customers.sold(inside)[:, player] <= most * (1 + 1e-9) + 1e-12).all()
        same = customers.between(player, others, left, left)[1]
        np.testing.assert_allclose(same, sold, rtol=1e-6, atol=1e-9, err_msg="the bound is tight where there is no width")


@pytest.mark.parametrize("rule", RULES[1:3], ids=str)
def test_the_certificate_bounds_every_deviation_tried(rule: Logit | Balanced) -> None:
    crowded = crowd(CONSUMERS[:1])
    bounds = np.array([[0.4, 5.0]] * 2)
    stage = Stage(market=small(), terms=rules(small()), bounds=bounds, targets=crowded.levels, points=24)
    for regime in ("direct", "competitive"):
        customers = served(stage, stage.conduct(regime, OWN), crowded, rule)
        game = SmoothGame(
            demand=customers, players=(0, 1), base=np.ones(2), costs=np.array([0.4, 0.4]), bounds=bounds, step=0.0
        )
        others, shares = np.array([[0.8, 0.9], [0.8, 1.4]]), np.array([0.25, 0.75])
        sales = game.sales(0, others, shares)
        found = best_deviation(sales, 0.4, np.geomspace(0.4, 5.0, 60), 0.0, 0.02, 4000, scale=1e-9)
        dense = np.geomspace(0.4, 5.0, 1001)
        earned = sum(share * game.row(0, dense, other) for share, other in zip(shares, others, strict=True))
        assert earned.max() <= found.epsilon * (1 + 1e-9)
        assert float(found.gain) == pytest.approx(
            sum(s * float(game.row(0, np.array([found.price]), o)[0]) for s, o in zip(shares, others, strict=True))
        )


@settings(max_examples=30, deadline=None)
@given(drawn=st.lists(st.floats(0.4, 5.0), min_size=2, max_size=2), exponent=st.sampled_from([0.5, 1.0, 2.0, 4.0]))
def test_a_marketplace_shares_each_level_by_price(drawn: list[float], exponent: float) -> None:
    """Sellers of one attempt each: the weaker cannot sell the stronger's level, and shares at its own are as the rule says."""
    market = Market(name="two", providers=(one("a", 0.5), one("b", 0.75, 2.0)), weights=[1.0], max_budget=2.0)
    prices = np.array([drawn])
    crowded = crowd([Target(level=0.5, budget=1e6), Target(level=0.75, budget=1e6, mass=10.0)])
    stage = Stage(market=market, terms=rules(market), bounds=np.array([[0.4, 5.0]] * 2), targets=crowded.levels)
    customers = served(stage, stage.conduct("direct", {}), crowded, Balanced(exponent=exponent))
    asked = np.array([drawn[0] * 1.0, drawn[1] * 2.0])
    share = asked**-exponent / (asked**-exponent).sum()
    high = np.array([drawn[0] * 1.5, drawn[1] * 2.0])  # a reaches 0.75 by a second attempt, made in half of all cases
    at_high = high**-exponent / (high**-exponent).sum()
    np.testing.assert_allclose(
        customers.sold(prices)[0], [share[0] + 15 * at_high[0], 2 * share[1] + 20 * at_high[1]], rtol=1e-9
    )


def test_a_rule_of_demand_that_makes_no_sense_is_refused() -> None:
    for wrong in (lambda: Logit(scale=0.0), lambda: Logit(scale=float("inf")), lambda: Balanced(exponent=-1.0)):
        with pytest.raises(UsageError, match="must be positive"):
            wrong()


def test_a_game_on_ticks_under_tastes_is_solved_on_ticks() -> None:
    market = replace(small(), arbitrageurs=())
    found = equilibrium(market, consumers=CONSUMERS[:1], demand=Logit(scale=0.05), regimes=["direct"], tick=0.05)
    regime = found.regimes["direct"]
    n = np.log(regime.prices) / np.log(1.05)
    np.testing.assert_allclose(n, np.round(n), atol=1e-9)
    assert regime.relative.max() <= 1e-9


class Spiked:
    """One seller whose customers leave evenly up to a price of 2, and some more who come only at prices just around 1.5."""

    low, high = 1.4995, 1.5005

    def sold(self, prices: np.ndarray) -> np.ndarray:
        p = prices[:, :1]
        return np.maximum(1 - p / 2, 0.0) + 0.3 * ((p >= self.low) & (p <= self.high))

    def between(self, player: int, others: np.ndarray, left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        inside = (right >= self.low) & (left <= self.high)
        return self.sold(left[:, None])[:, 0], np.maximum(1 - left / 2, 0.0) + 0.3 * inside


def test_a_better_price_that_only_the_certificate_finds_is_taken() -> None:
    game: Any = Spiked()
    bounds = np.array([[0.1, 4.0]])
    one_alone = SmoothGame(demand=game, players=(0,), base=np.ones(1), costs=np.zeros(1), bounds=bounds, step=0.0)
    visited, settled = settle(one_alone, np.ones(1), 60, lambda share: None)
    assert settled
    assert visited[-1] == pytest.approx([1.0], rel=1e-4), "the hill, which the search does not leave"
    found = solve_smooth(
        game, (0,), np.ones(1), np.zeros(1), bounds, tick=None, tolerance=1e-3, max_rounds=60, tell=lambda share: None
    )
    assert found.kind == "pure"
    assert game.low <= found.prices[0, 0] <= game.high
    assert found.deviations[0].profit > 0.8


class Captive:
    """Two sellers; each keeps 0.475 of the customers at any price up to 1, and the cheaper one has the other 0.05 (Varian)."""

    def sold(self, prices: np.ndarray) -> np.ndarray:
        cheaper = prices < prices[:, ::-1]
        tie = prices == prices[:, ::-1]
        return np.where(prices <= 1, 0.475 + 0.05 * cheaper + 0.025 * tie, 0.0)

    def between(self, player: int, others: np.ndarray, left: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        own = np.tile(others, (left.size, 1))
        own[:, player] = left
        sold = self.sold(own)[:, player]
        return sold, sold


def test_ticks_of_a_mixed_equilibrium_are_halved_until_it_is_certified(monkeypatch: pytest.MonkeyPatch) -> None:
    """With share s of captives each earns s, by prices from s / (1 - s) to 1 with F(p) = 1 - s (1 - p) / ((1 - 2 s) p)."""
    asked: dict[str, Any] = {"tick": None, "tolerance": 3e-3, "max_rounds": 400, "tell": lambda share: None}
    base, bounds = np.array([0.95, 0.98]), np.array([[0.8, 1.0]] * 2)
    game: Any = Captive()
    found = solve_smooth(game, (0, 1), base, np.zeros(2), bounds, **asked)
    assert found.kind == "mixed"
    assert found.step < 0.01
    for deviation in found.deviations:
        assert deviation.epsilon <= 3e-3 * deviation.profit
        assert deviation.profit == pytest.approx(0.475, rel=0.005)
    assert found.prices.min() == pytest.approx(0.475 / 0.525, rel=0.01)
    mean = found.shares @ found.prices
    np.testing.assert_allclose(mean, 0.475 / 0.05 * np.log(0.525 / 0.475), rtol=0.005)
    monkeypatch.setattr(_smooth, "STEPS", (0.01,))
    rough = solve_smooth(game, (0, 1), base, np.zeros(2), bounds, **asked)
    assert max(d.epsilon for d in rough.deviations) > 1.5 * max(d.epsilon for d in found.deviations)
