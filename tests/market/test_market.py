"""A wrong market cannot be constructed, and a right one cannot be changed."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from strategies import geometric_markets, sampled_markets

from eqsolver import MarketError
from eqsolver.market import Arbitrageur, Geometric, Market, Policy, Population, Provider, Sampled, Target, Value


def provider(name: str = "a", **changes: Any) -> Provider:
    return Provider(**{"name": name, "odds": Geometric(success=[0.5, 0.0]), "spend": [1.0, 2.0], **changes})


def market(**changes: Any) -> Market:
    return Market(**{"name": "m", "providers": (provider("a"), provider("b")), "weights": [0.5, 0.5], **changes})


WRONG: list[tuple[Callable[[], object], str]] = [
    (lambda: Geometric(success=[0.5, 50]), r"success\[1\] = 50 is outside \[0, 1\]"),
    (lambda: Geometric(success=[float("nan")]), r"success\[0\] = nan"),
    (lambda: Geometric(success=[[0.5]]), "needs one axis"),
    (lambda: Sampled(attempts=[0], successes=[0]), r"attempts\[0\] = 0 must be at least 1"),
    (lambda: Sampled(attempts=[1, 2], successes=[0, 3]), r"successes\[1\] = 3 must lie between"),
    (lambda: Sampled(attempts=[1, 2], successes=[0]), "2 problems and successes 1"),
    (lambda: Sampled(attempts=[1.5], successes=[1]), "whole numbers"),
    (lambda: Sampled(attempts=[float("nan")], successes=[1]), "whole numbers"),
    (lambda: Sampled(attempts=[10**30], successes=[1]), "counts|64 bits"),
    (lambda: provider(spend=[1.0, 0.0]), r"'a': spend\[1\] = 0"),
    (lambda: provider(spend=[1.0, np.inf]), r"'a': spend\[1\] = inf"),
    (lambda: provider(spend=[1.0]), "odds of 2 problems and costs of 1"),
    (lambda: provider(name=""), "needs a name"),
    (lambda: provider(marginal_cost=-1), "marginal_cost = -1 must be at least 0"),
    (lambda: provider(price=0.0), "price = 0 must be more than 0"),
    (lambda: provider(price=float("nan")), "price = nan"),
    (lambda: provider(highest_price=0.5), "highest_price = 0.5 is below price = 1"),
    (lambda: provider(distillation_tokens=0), "distillation_tokens = 0 must be more than 0"),
    (lambda: provider(distillation_tokens=float("inf")), "distillation_tokens = inf must be more than 0, and finite"),
    (lambda: Policy(order=("a",), thresholds=()), "1 providers in order has 0 thresholds"),
    (lambda: Policy(order=("a",), thresholds=(-1.0,)), "found -1"),
    (lambda: Policy(order=("a",), thresholds=(1.0,), weight=0.0), "found 0"),
    (lambda: Arbitrageur(name="q", policies=(Policy(order=(), thresholds=(), weight=0.6),) * 2), "sum to 1.2"),
    (lambda: Arbitrageur(name="q", overhead=float("inf")), "overhead = inf"),
    (lambda: Target(level=0.0, budget=1.0), "level = 0"),
    (lambda: Target(level=0.5, budget=-1.0), "budget = -1"),
    (lambda: Value(value=float("nan")), "value = nan"),
    (lambda: Value(value=1.0, mass=0.0), "mass = 0"),
    (lambda: Population(distribution="normal", parameters=(0.0, 1.0)), "found 'normal'"),
    (lambda: Population(distribution="lognormal", parameters=(1.0, 0.0)), "sigma = 0"),
    (lambda: Population(distribution="uniform", parameters=(1.0, 1.0)), "low = 1 must be below high = 1"),
    (lambda: market(providers=()), "at least one provider"),
    (lambda: market(providers=(provider(), provider())), "two providers of one name"),
    (lambda: market(weights=[0.5, 0.4]), "sum to 0.9 instead of 1"),
    (lambda: market(weights=[1.0, 0.0]), r"weights\[1\] = 0"),
    (lambda: market(weights=[1.0]), "has 2 problems, the market 1"),
    (lambda: market(weights=[]), "at least one problem"),
    (lambda: market(problems=("x",)), "1 names for 2 problems"),
    (lambda: market(max_budget=0.0), "max_budget = 0"),
    (lambda: market(max_attempts=0), "max_attempts = 0"),
    (lambda: market(arbitrageurs=(Arbitrageur(name="q", access=("z",)),)), "'q': unknown provider 'z'"),
    (lambda: market().restrict(["a", "a"]), "named twice"),
    (lambda: market().restrict(["z"]), "unknown provider 'z'"),
    (lambda: market().at_prices({"z": 1.0}), "unknown provider 'z'"),
]


@pytest.mark.parametrize(("build", "told"), WRONG)
def test_a_wrong_market_cannot_be_constructed(build: Callable[[], object], told: str) -> None:
    with pytest.raises(MarketError, match=told):
        build()


@given(market=geometric_markets() | sampled_markets())
def test_a_market_is_private_and_cannot_be_written_to(market: Market) -> None:
    for array in (market.weights, *(p.spend for p in market.providers)):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    copy = pickle.loads(pickle.dumps(market))
    assert (copy.names, copy.problems) == (market.names, market.problems)
    assert market.weights.sum() == pytest.approx(1, abs=1e-15)


@given(market=geometric_markets() | sampled_markets())
def test_the_same_weights_again_change_nothing(market: Market) -> None:
    np.testing.assert_allclose(market.reweighted(market.weights).weights, market.weights, rtol=1e-15)
    assert market.restrict(market.names[:1]).names == market.names[:1]
    assert market.at_prices({market.names[0]: 7.0}).prices.tolist() == [7.0, *market.prices[1:]]
