"""Equilibria: closed forms, certificates against dense searches, double oracle against the full matrix, faults."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import nashpy
import numpy as np
import pytest
import sympy
from hypothesis import example, given, settings
from hypothesis import strategies as st

from eqsolver import UsageError, load
from eqsolver.game import Stage, crowd, equilibrium
from eqsolver.game._bimatrix import bimatrix_equilibrium
from eqsolver.game._certificate import best_deviation
from eqsolver.game._double_oracle import double_oracle
from eqsolver.game._rises import Against
from eqsolver.market import Arbitrageur, Geometric, Market, Population, Provider, Regime, Target, Value
from eqsolver.technology import rules

DUOPOLY = Path(__file__).parents[2] / "models" / "swebench-duopoly.toml"
VALUES = [Population(distribution="lognormal", parameters=(0.4, 1.0))]


def one(name: str, success: float, spend: float = 1.0, **changes: float) -> Provider:
    return Provider(name=name, odds=Geometric(success=[success]), spend=[spend], **changes)


def small(seed: int = 0) -> Market:
    rng = np.random.default_rng(seed)
    providers = tuple(
        Provider(name=name, odds=Geometric(success=rng.beta(0.6, 0.9, 12)), spend=rng.uniform(0.03, 0.3, 12)) for name in "ab"
    )
    return Market(name="small", providers=providers, weights=np.full(12, 1 / 12), max_budget=1.0)


def test_alike_providers_sell_at_marginal_cost() -> None:
    """Symmetric Bertrand, in every regime; with ticks the lowest price above cost undercuts by nothing worth having.

    Where attempts are finished a copy is of use: its first attempt takes nothing of the cap. So costs are known here.
    """
    market = Market(name="bertrand", providers=(one("a", 0.5), one("b", 0.5)), weights=[1.0], max_budget=4.0)
    found = equilibrium(
        market, consumers=[Population(distribution="uniform", parameters=(0.0, 6.0))], tick=0.01, overrun="never"
    )
    for name in ("direct", "monopoly", "competitive"):
        regime = found.regimes[name]
        assert regime.relative.max() <= 1e-9, name
        assert regime.expected_price == pytest.approx([0.4, 0.4], rel=0.03), name
        assert regime.outcome.profit.sum() <= 0.03 * regime.outcome.revenue.sum()


CROWDS = {
    "uniform": Population(distribution="uniform", parameters=(0.0, 6.0)),
    "lognormal": Population(distribution="lognormal", parameters=(2.0, 1.0)),
    "value": Value(value=4.0),
    "target": Target(level=0.5, budget=3.0),
}


@pytest.mark.parametrize("who", CROWDS)
@pytest.mark.parametrize("costs", [(0.6, 0.6), (0.5, 0.4), (0.4, 0.5, 0.7)])
def test_alike_providers_end_at_the_second_lowest_cost_at_any_price(costs: tuple[float, ...], who: str) -> None:
    """Bertrand: undercutting p pays (p - c) for all that is sold, so the lowest price is the second-lowest cost, exactly."""
    p, c = sympy.symbols("p c", positive=True)
    limit = sympy.solve(sympy.Eq(p - c, 0), p)[0]
    providers = tuple(one(name, 0.5, marginal_cost=cost) for name, cost in zip("abc", costs, strict=False))
    market = Market(name="bertrand", providers=providers, weights=[1.0], max_budget=4.0)
    for tick in (None, 0.005):
        found = equilibrium(market, consumers=[CROWDS[who]], regimes=["direct", "competitive"], tick=tick, overrun="never")
        for regime in found.regimes.values():
            second = float(limit.subs(c, sorted(costs)[1]))
            assert regime.kind == "pure"
            assert regime.certified
            assert regime.expected_price.min() == pytest.approx(second, rel=1e-12 if tick is None else 0.01)
            paid = regime.outcome.revenue.sum()
            assert paid > 0
            assert regime.outcome.profit.sum() == pytest.approx(paid * (1 - min(costs) / second), abs=0.01 * bool(tick) * paid)


@pytest.mark.parametrize("kind", ["target", "value"])
def test_a_monopolist_takes_the_whole_budget(kind: str) -> None:
    """One provider, one type: the price at which a level costs its budget; for a value type, its value per solution."""
    market = Market(name="alone", providers=(one("a", 0.25, highest_price=50.0),), weights=[1.0], max_budget=1.0)
    p, w, m, r = sympy.symbols("p w m r", positive=True)
    price = sympy.solve(sympy.Eq(m * w, r if kind == "target" else p * r), m)[0].subs({p: 0.25, w: 1, r: 12})
    consumer = Target(level=0.25, budget=12.0) if kind == "target" else Value(value=12.0)
    found = equilibrium(market, consumers=[consumer], regimes=["direct", "competitive"])
    for regime in found.regimes.values():
        assert regime.kind == "pure"
        assert regime.certified
        assert regime.expected_price[0] == pytest.approx(float(price), rel=2e-3)
        assert regime.outcome.consumer_surplus[0] == pytest.approx(0.0, abs=0.05)


def test_complements_are_marked_up_twice() -> None:
    """Two providers that only together reach the level wanted, the cheap one asked first: units are 1 and 5 (half of 10).

    Each takes what the other leaves of the budget r, so prices end on the line m_a + 5 m_b = r, whatever the split (Cournot's
    complements), and either's further mark-up loses both the sale.
    """
    odds = [Geometric(success=[1.0, 0.0]), Geometric(success=[0.0, 1.0])]
    providers = tuple(
        Provider(name=name, odds=o, spend=[w, w], highest_price=50.0)
        for name, o, w in zip("ab", odds, (1.0, 10.0), strict=True)
    )
    market = Market(name="complements", providers=providers, weights=[0.5, 0.5], max_budget=11.0)
    m_a, m_b, r = sympy.symbols("m_a m_b r", positive=True)
    best = sympy.solve(sympy.Eq(m_a + 5 * m_b, r), m_a)[0].subs(r, 12)
    wanted = [Target(level=1.0, budget=12.0)]
    found = equilibrium(market, consumers=wanted, regimes=["direct", "competitive"])
    both = found.regimes["competitive"]
    assert found.regimes["direct"].outcome.served[0] == 0.0
    assert both.outcome.served[0] == pytest.approx(1.0)
    assert both.certified
    for prices in both.prices:
        assert prices[0] == pytest.approx(float(best.subs(m_b, prices[1])), rel=5e-3)
    stage = Stage(market=market, terms=rules(market), bounds=np.array([[0.4, 50.0]] * 2), targets=np.array([1.0]))
    conduct = stage.conduct("competitive", {})
    for dearer in ([1.02, 1.0], [1.0, 1.02]):
        assert conduct.sold(crowd(wanted), both.prices * dearer).sum() == 0.0


@pytest.mark.parametrize("regime", ["direct", "matching", "competitive", "dear"])
@pytest.mark.parametrize("values", [VALUES, [Value(value=v) for v in (0.2, 0.5, 0.9)], [Target(level=0.6, budget=0.4)]])
def test_a_certificate_bounds_every_deviation_tried_and_is_not_loose(regime: str, values: list) -> None:
    market = replace(small(), arbitrageurs=(Arbitrageur(name="broker", overhead=0.2),))
    crowded = crowd(values)
    bounds = np.array([[0.4, 5.0], [0.4, 5.0]])
    stage = Stage(market=market, terms=rules(market), bounds=bounds, targets=crowded.levels, points=24)
    conduct = stage.conduct(regime, {"dear": ("broker",)})
    rng = np.random.default_rng(1)
    for player in (0, 1):
        others = np.exp(rng.uniform(-0.5, 1.0, (5, 2)))
        shares = rng.dirichlet(np.ones(5))
        sales = Against(conduct=conduct, crowd=crowded, player=player, others=others, shares=shares)
        found = best_deviation(sales, 0.4, np.geomspace(0.4, 5.0, 60), 0.0, 0.02, 60_000, scale=1e-9)

        def earned(prices: np.ndarray, player: int = player, others: np.ndarray = others, q: np.ndarray = shares) -> np.ndarray:
            total = np.zeros(prices.size)
            for share, other in zip(q, others, strict=True):
                vectors = np.repeat(other[None], prices.size, axis=0)
                vectors[:, player] = prices
                total += share * (prices - 0.4) * conduct.sold(crowded, vectors)[:, player]
            return total

        dense = np.concatenate([np.geomspace(0.4, 5.0, 4001), rng.uniform(0.4, 5.0, 1000)])
        assert earned(dense).max() <= found.epsilon * (1 + 1e-9) + 1e-12
        attained = earned(found.price * np.array([1.0, 1 - 1e-9])).max()  # it may stand at a cliff: just below it then
        assert attained == pytest.approx(found.gain, rel=1e-6, abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 9), m=st.integers(1, 9), coarse=st.booleans())
@example(seed=5967, n=5, m=5, coarse=False)
def test_double_oracle_leaves_no_deviation_in_the_full_matrix(seed: int, n: int, m: int, coarse: bool) -> None:
    """Coarse payoffs make ties, and with them degenerate games."""
    rng = np.random.default_rng(seed)
    first, second = (rng.integers(0, 4, (n, m)).astype(float) if coarse else rng.random((n, m)) for _ in range(2))
    rows = (first.T, second)
    found = double_oracle(lambda p, a: rows[p][a], [[0], [0]], tolerance=1e-12, max_rounds=100)
    x, y = np.zeros(n), np.zeros(m)
    x[found.actions[0]], y[found.actions[1]] = found.probabilities
    assert (first @ y).max() - x @ first @ y <= 1e-9
    assert (x @ second).max() - x @ second @ y <= 1e-9
    if not coarse and n <= 5 and m <= 5:
        game = nashpy.Game(first, second)

        def listed(equilibria: Iterator[tuple[np.ndarray, np.ndarray]]) -> bool:
            return any(np.allclose(x, p, atol=1e-6) and np.allclose(y, q, atol=1e-6) for p, q in equilibria)

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # rounding hides some, or all, from the first enumeration
            assert listed(game.support_enumeration()) or listed(game.vertex_enumeration())


def test_a_degenerate_game_is_answered() -> None:
    flat = np.ones((3, 3))
    found = bimatrix_equilibrium(flat, flat)
    assert found is not None
    assert found[0].sum() == pytest.approx(1.0)


def test_the_duopoly_ends_with_certificates_on_ticks_and_off_them() -> None:
    market = load(DUOPOLY)
    found = equilibrium(market, consumers=VALUES, regimes=["direct", "competitive"], points=64, overrun="never")
    assert not found.uncertified
    for regime in found.regimes.values():
        assert regime.relative.max() <= 1e-3
        assert (regime.missed <= regime.epsilon).all()
        dearest = market.max_budget * regime.prices.max()
        assert regime.shortfall <= 1e-4
        assert max(regime.arbitrageur_epsilon.values(), default=0.0) <= regime.shortfall * dearest
        np.testing.assert_allclose(regime.shares.sum(), 1.0)
    on_ticks = equilibrium(market, consumers=VALUES, regimes=["direct", "competitive"], tick=0.01, points=64, overrun="never")
    for name, regime in on_ticks.regimes.items():
        assert regime.relative.max() <= 1e-9
        n = np.log(regime.prices) / np.log(1.01)
        np.testing.assert_allclose(n, np.round(n), atol=1e-9)
        np.testing.assert_allclose(regime.expected_price, found.regimes[name].expected_price, rtol=0.02)


@pytest.mark.slow
def test_the_duopoly_is_certified_under_the_default_rule() -> None:
    found = equilibrium(load(DUOPOLY), consumers=VALUES, regimes=["direct", "competitive"])
    assert not found.uncertified


def test_three_providers_end_in_what_is_named_with_its_epsilon() -> None:
    market = Market(
        name="three",
        providers=(one("a", 0.3, 0.2), one("b", 0.5, 0.4), one("c", 0.8, 0.9)),
        weights=[1.0],
        max_budget=3.0,
    )
    found = equilibrium(market, consumers=VALUES, regimes=["direct", "competitive"], tolerance=0.02)
    for regime in found.regimes.values():
        assert regime.kind in ("pure", "mixed", "cce")
        assert np.isfinite(regime.epsilon).all()
        assert regime.certified == bool((regime.relative <= 0.02).all())
    fixed = equilibrium(market, consumers=VALUES, regimes=["competitive"], strategic=["a", "b"], tolerance=0.02)
    assert fixed.regimes["competitive"].expected_price[2] == pytest.approx(1.0, rel=1e-12)
    assert fixed.regimes["competitive"].epsilon[2] == 0.0


def test_five_providers_whose_steps_fit_one_grid() -> None:
    """More providers than one product grid usually holds, but so few steps each that theirs does."""
    names = zip("abcde", (0.3, 0.5, 0.6, 0.8, 0.9), (0.3, 0.5, 0.6, 0.9, 1.2), strict=True)
    market = Market(name="five", providers=tuple(one(n, p, w) for n, p, w in names), weights=[1.0], max_budget=1.3)
    found = equilibrium(market, consumers=VALUES, regimes=["competitive"], strategic=["a", "b", "c"], tolerance=0.05)
    regime = found.regimes["competitive"]
    assert regime.kind in ("pure", "cce")
    assert regime.certified == bool((regime.relative <= 0.05).all())
    assert (regime.epsilon[3:] == 0.0).all(), "those that keep their prices"
    paid = regime.outcome.revenue.sum() + regime.outcome.arbitrageur_profit.sum() + regime.outcome.overhead.sum()
    assert paid == pytest.approx(regime.outcome.consumer_bill[0], rel=1e-9)


def test_a_provider_nobody_buys_from_earns_nothing_and_gains_nothing() -> None:
    useless = Provider(name="c", odds=Geometric(success=[0.0]), spend=[1.0])
    market = Market(name="useless", providers=(one("a", 0.5), one("b", 0.6, 1.1), useless), weights=[1.0], max_budget=4.0)
    found = equilibrium(market, consumers=[Population(distribution="uniform", parameters=(0.0, 6.0))], tolerance=0.02)
    for regime in found.regimes.values():
        assert regime.outcome.units[0, 2] == 0.0
        assert regime.epsilon[2] == 0.0


def test_no_profitable_price_and_zero_marginal_cost() -> None:
    worthless = [Population(distribution="uniform", parameters=(0.0, 0.1))]
    market = Market(name="dear", providers=(one("a", 0.1), one("b", 0.12)), weights=[1.0], max_budget=2.0)
    none = equilibrium(market, consumers=worthless, regimes=["direct", "competitive"])
    for regime in none.regimes.values():
        assert regime.outcome.units.sum() == 0.0
        assert regime.epsilon.max() == 0.0
        assert regime.certified
    free = equilibrium(market, consumers=worthless, marginal_costs=0.0, regimes=["direct"], tolerance=0.02)
    assert free.regimes["direct"].certified


@pytest.mark.parametrize(
    ("consumer", "highest"), [(Value(value=3.0), (0.75 * 3 - (0.5 * 3 - 0.8)) / 1.5), (Target(level=0.5, budget=2.0), 0.8)]
)
def test_one_consumer_type_is_won_by_who_can_serve_it_for_less(consumer: Value | Target, highest: float) -> None:
    """Two providers, one type: one undercuts what the other could offer at cost, 0.4 x 2 for a half, and nothing is missed.

    The value type is sold two attempts, 1.5 units for three quarters; it may be left as well off as the other would make it.
    """
    market = Market(name="one type", providers=(one("a", 0.5, 1.0), one("b", 0.5, 2.0)), weights=[1.0], max_budget=2.0)
    found = equilibrium(market, consumers=[consumer], regimes=["direct"])
    regime = found.regimes["direct"]
    assert regime.certified
    assert (regime.missed == 0.0).all(), "finite types: every breakpoint is known"
    assert regime.outcome.units[0, 1] == pytest.approx(0.0, abs=1e-6)
    assert regime.expected_price[0] == pytest.approx(highest, rel=1e-8)
    assert regime.outcome.served[0] == pytest.approx(1.0)


def test_prices_at_the_bounds() -> None:
    """Who would pay anything pays the highest price; of two alike sellers that may not go low, the lowest."""
    rich = [Value(value=1000.0)]
    alone = Market(name="alone", providers=(one("a", 0.5),), weights=[1.0], max_budget=1.0)
    top = equilibrium(alone, consumers=rich, regimes=["direct"], price_bounds=(0.5, 2.0)).regimes["direct"]
    assert top.certified
    assert top.expected_price[0] == pytest.approx(2.0, rel=1e-3)
    alike = Market(name="alike", providers=(one("a", 0.5), one("b", 0.5)), weights=[1.0], max_budget=1.0)
    low = equilibrium(alike, consumers=rich, regimes=["direct"], price_bounds=(0.9, 2.0), tick=0.01).regimes["direct"]
    assert low.relative.max() <= 1e-9
    assert low.prices.min() >= 0.9
    lowest = equilibrium(alike, consumers=rich, regimes=["direct"], price_bounds=(0.9, 2.0)).regimes["direct"]
    assert lowest.certified
    assert lowest.prices.tolist() == [[0.9, 0.9]]
    assert low.expected_price.min() <= 0.9 * 1.01**2


def test_a_round_limit_is_told_not_hidden() -> None:
    found = equilibrium(load(DUOPOLY), consumers=VALUES, regimes=["direct"], max_rounds=1)
    assert found.uncertified == ("direct",)
    assert found.regimes["direct"].relative.max() > 1e-3


def test_named_regimes_and_what_makes_no_sense() -> None:
    market = replace(
        small(),
        arbitrageurs=(Arbitrageur(name="x", overhead=0.05), Arbitrageur(name="y", access=("a",))),
        regimes=(Regime(name="rivals", arbitrageurs=("x", "y")),),
    )
    found = equilibrium(market, consumers=VALUES, regimes=["rivals"], points=24, tick=0.02)
    assert set(found.regimes["rivals"].arbitrageur_epsilon) == {"x", "y"}
    assert found.regimes["rivals"].outcome.overhead[0] >= 0
    for wrong, told in (
        ({"regimes": ["none"]}, "unknown regime"),
        ({"consumers": []}, "no consumers"),
        ({"price_bounds": (2.0, 1.0)}, "low < high"),
        ({"marginal_costs": 7.0}, "not below its highest price"),
        ({"tick": 0.0}, "tick"),
        ({"tolerance": 0.0}, "tolerance"),
    ):
        with pytest.raises(UsageError, match=told):
            equilibrium(market, **{"consumers": VALUES, **wrong})
