"""Certificates against an independent game with every schedule enumerated: three providers, every regime, every player."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from exact_game import ExactGame, best_gain

from eqsolver import load
from eqsolver.game import Equilibrium, equilibrium
from eqsolver.market import Consumers, Geometric, Market, Population, Provider, Target, Value

MARKETS = Path(__file__).parent / "markets"
REGIMES = ("direct", "matching", "competitive")


def drawn(seed: int) -> tuple[Market, list[Consumers], list[str]]:
    """A market of three providers, some consumers of every kind, and who chooses prices."""
    rng = np.random.default_rng(seed)
    classes, most = int(rng.integers(1, 4)), int(rng.integers(1, 4))
    providers = tuple(
        Provider(
            name=name,
            odds=Geometric(success=np.clip(rng.uniform(-0.1, 1.0, classes) * rng.choice([0.4, 1.0]), 0.0, 0.98)),
            spend=rng.uniform(0.4, 2.0, classes),
            marginal_cost=float(rng.choice([0.2, 0.4])),
            price=float(rng.uniform(0.5, 1.3)),
            highest_price=float(rng.choice([2.0, 5.0])),
        )
        for name in "abc"
    )
    consumers: list[Consumers] = []
    for _ in range(int(rng.integers(1, 4))):
        mass = float(rng.uniform(0.3, 1.0))
        match int(rng.integers(3)):
            case 0:
                consumers.append(Target(level=float(rng.uniform(0.1, 0.9)), budget=float(rng.uniform(0.3, 4.0)), mass=mass))
            case 1:
                consumers.append(Value(value=float(rng.uniform(0.5, 8.0)), mass=mass))
            case _:
                spread = (float(rng.uniform(1.0, 5.0)), 1.0)
                consumers.append(Population(distribution="lognormal", parameters=spread, mass=mass))
    movers = [str(name) for name in rng.permutation(list("abc"))[: int(rng.choice([1, 1, 1, 2]))]]
    market = Market(name=f"drawn {seed}", providers=providers, weights=rng.dirichlet(np.ones(classes)), max_attempts=most)
    return market, consumers, movers


def hold(solved: Equilibrium, seed: int, tried: int = 200) -> None:
    """Every ε bounds what the exact game has to gain by any price of a dense search, and profits are those of that game."""
    market, rng = solved.market, np.random.default_rng(seed)
    exact = ExactGame(market, solved.consumers)
    for name, found in solved.regimes.items():
        for i in solved.players:
            kappa, high = market.providers[i].marginal_cost, market.providers[i].highest_price
            others = found.prices.copy()
            others[:, i] = 1.0
            distinct, place = np.unique(others, axis=0, return_inverse=True)
            shares = np.bincount(place.ravel(), weights=found.shares)
            if shares.size > 40:
                continue
            near = found.prices[:, i] * (1 + np.array([[-1e-3], [-1e-6], [1e-6], [1e-3]]))
            dense = [rng.uniform(kappa, high, tried), np.geomspace(kappa * 1.0001, high * 0.9999, tried), near.ravel()[:200]]
            own = np.concatenate(dense)
            own = own[(own >= kappa) & (own <= high)]
            profit = float(found.outcome.profit[0, i])
            gain = best_gain(exact, name, i, (distinct, shares), profit, kappa, own)
            assert gain <= found.epsilon[i] * (1 + 1e-6) + 1e-9, f"{market.name}, {name}, {market.names[i]}, {found.kind}"


def solved(seed: int) -> Equilibrium:
    market, consumers, movers = drawn(seed)
    asked: dict[str, Any] = {"allot": "attempts"}
    return equilibrium(market, consumers=consumers, strategic=movers, regimes=REGIMES, **asked)


@pytest.mark.parametrize("seed", range(12))
def test_no_price_gains_more_than_the_certificate_says(seed: int) -> None:
    hold(solved(seed), seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12, 160))
def test_no_price_gains_more_than_the_certificate_says_in_many_markets(seed: int) -> None:
    hold(solved(seed), seed)


def test_schedules_that_target_consumers_ask_for_are_held_where_the_game_is_played() -> None:
    """At 0.7778, once certified with a profit of 0.6668, the cheapest schedules leave a 0.2764; its best price is 0.7612."""
    market = load(MARKETS / "three-grown.toml")
    exact, others = ExactGame(market, market.consumers), market.prices[None].copy()

    def earns(price: float) -> float:
        return best_gain(exact, "competitive", 0, (others, np.ones(1)), 0.0, 0.2, np.array([price]))

    assert earns(0.7778) == pytest.approx(0.2764, abs=1e-4)
    found = equilibrium(market, strategic=["a"], regimes=REGIMES, allot="attempts")
    regime = found.regimes["competitive"]
    assert regime.certified
    assert regime.relative.max() <= 1e-3
    assert regime.expected_price[0] == pytest.approx(0.7612, abs=2e-3)
    assert regime.outcome.profit[0, 0] == pytest.approx(0.6477, abs=1e-3)
    assert regime.outcome.profit[0, 0] == pytest.approx(earns(float(regime.expected_price[0])), rel=1e-9)
    hold(found, 0, tried=2000)


@pytest.mark.parametrize("value", [0.5, 0.81])
def test_a_market_in_which_nobody_buys_at_posted_prices_has_an_answer(value: float) -> None:
    """An attempt at 1 solves half, at 0.4 of it: whoever values a solution less than 0.8 never buys."""
    market = load(MARKETS / "nobody-buys.toml")
    found = equilibrium(
        market, consumers=[Value(value=value)], regimes=["matching", "monopoly", "competitive"], allot="attempts"
    )
    for name, regime in found.regimes.items():
        assert found.posted[name].outcome.served[0] == 0.0
        assert np.isfinite(regime.relative).all()
        assert regime.outcome.served[0] == pytest.approx(float(value > 0.8), abs=1e-12)
        assert regime.certified or (value, name) in {(0.81, "monopoly"), (0.81, "competitive")}, "see the next test"


@pytest.mark.xfail(strict=False, reason="three alike players who earn next to nothing: the pure answer at cost is not found")
def test_where_nobody_buys_at_posted_prices_every_regime_is_certified() -> None:
    found = equilibrium(
        load(MARKETS / "nobody-buys.toml"), consumers=[Value(value=0.81)], regimes=["monopoly"], allot="attempts"
    )
    assert found.regimes["monopoly"].certified
