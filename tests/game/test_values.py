"""Every figure of a regime's account against closed forms: effects of prices, surplus, concentration, bounds."""

from __future__ import annotations

from io import StringIO

import numpy as np
import pytest
from rich.console import Console

from eqsolver.game import Equilibrium, equilibrium
from eqsolver.market import Geometric, Market, Population, Provider, Value
from eqsolver.report import print_equilibrium


def one(name: str, success: float, spend: float, **changes: float) -> Provider:
    return Provider(name=name, odds=Geometric(success=[success]), spend=[spend], **changes)


@pytest.fixture(scope="module")
def posted() -> Equilibrium:
    """An attempt of a solves .5 for 1, one of b .8 for 3; values are uniform on 0 to 10 and each buys one attempt at most."""
    market = Market(name="two levels", providers=(one("a", 0.5, 1.0), one("b", 0.8, 3.0)), weights=[1.0], max_attempts=1)
    values = [Population(distribution="uniform", parameters=(0.0, 10.0))]
    return equilibrium(market, consumers=values, strategic=[], regimes=["direct"], allot="attempts")


def test_units_of_each_answer_both_prices_as_the_uniform_density_says(posted: Equilibrium) -> None:
    """Value v takes b above (3 m_b - m_a) / .3, a above m_a / .5: of a the mass between is sold, of b three times the rest."""
    found = posted.posted["direct"]
    np.testing.assert_allclose(found.outcome.units[0], [(2 / 0.3 - 2) / 10, 3 * (10 - 2 / 0.3) / 10])
    own_a, own_b = -(1 / 0.3 + 1 / 0.5) / 10, -3 * (3 / 0.3) / 10
    np.testing.assert_allclose(found.cross_price, [[own_a, (3 / 0.3) / 10], [3 * (1 / 0.3) / 10, own_b]], rtol=1e-9)


def test_surplus_and_concentration_are_those_of_the_uniform_density(posted: Equilibrium) -> None:
    account = posted.posted["direct"].outcome
    split, first = 2 / 0.3, 2.0
    worth = (0.5 * (split**2 - first**2) + 0.8 * (100 - split**2)) / 20
    bill = (split - first) / 10 + 3 * (10 - split) / 10
    revenue = np.array([(split - first) / 10, 3 * (10 - split) / 10])
    assert account.consumer_surplus[0] == pytest.approx(worth - bill)
    assert account.consumer_bill[0] == pytest.approx(bill)
    assert account.total_surplus[0] == pytest.approx(worth - 0.4 * bill), "what is solved is worth, less what it costs to make"
    assert account.hhi[0] == pytest.approx(((revenue / revenue.sum()) ** 2).sum())
    assert account.sellers[0] == 2
    told = posted.to_dict()["posted"]["direct"]
    assert told["total_surplus"] == pytest.approx(worth - 0.4 * bill)
    assert told["hhi"] == pytest.approx(account.hhi[0])
    assert told["cross_price"]["a"]["b"] > 0, "substitutes"
    assert told["cross_price"]["b"]["b"] < 0


def test_total_surplus_counts_arbitrageurs() -> None:
    market = Market(name="resold", providers=(one("a", 0.2, 1.0), one("b", 0.8, 3.0)), weights=[1.0], max_attempts=2)
    found = equilibrium(market, consumers=[Value(value=9.0)], strategic=[], regimes=["monopoly"], allot="attempts")
    account = found.posted["monopoly"].outcome
    assert account.arbitrageur_profit.sum() > 0
    cost = 0.4 * account.units[0].sum()
    assert account.total_surplus[0] == pytest.approx(9.0 * account.solved[0] - cost)


def test_a_price_at_its_bound_is_marked() -> None:
    """One seller, one value of 12 an attempt: it would ask 6, and may ask 2."""
    for highest, wanted in ((2.0, "highest"), (50.0, None)):
        provider = one("a", 0.5, 1.0, highest_price=highest)
        market = Market(name="bounded", providers=(provider,), weights=[1.0], max_attempts=1)
        found = equilibrium(market, consumers=[Value(value=12.0)], regimes=["direct"], allot="attempts")
        assert found.regimes["direct"].at_bound(0) == wanted
        assert found.to_dict()["regimes"]["direct"]["at_bound"] == {"a": wanted}
        text = StringIO()
        print_equilibrium(found, Console(file=text, width=200))
        assert ("wider --price-bounds" in text.getvalue()) == (wanted is not None)
        assert "square root of ε/profit" in text.getvalue()
        assert "total" in text.getvalue()
