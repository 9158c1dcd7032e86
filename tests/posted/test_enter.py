"""Entry: when a provider starts to earn, who pays for it, and what must not matter."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eqsolver import MarketError, UsageError
from eqsolver.market import Arbitrageur, Geometric, Market, Policy, Provider
from eqsolver.posted import Entry, enter, solve
from eqsolver.technology import all_steps, rules

RNG = np.random.default_rng(11)


def provider(name: str, success: list[float] | np.ndarray, spend: float, **fields: float) -> Provider:
    return Provider(name=name, odds=Geometric(success=success), spend=np.full(len(success), spend), **fields)


EASY = np.linspace(0.05, 0.6, 6)
MARKET = Market(
    name="entry",
    providers=(provider("small", EASY, 0.2), provider("new", EASY[::-1], 0.8), provider("large", EASY + 0.3, 1.0)),
    weights=np.full(6, 1 / 6),
    max_budget=5.0,
    max_attempts=6,
)
FAST = {"points": 30, "levels": np.linspace(0.1, 0.95, 12), "capability": (0.05, 20.0, 5)}


def figures(found: Entry) -> dict:
    return {key: value for key, value in found.to_dict().items() if key not in ("options", "market", "cascade")}


@pytest.mark.parametrize("how", [{}, {"allot": "attempts"}, {"overrun": "cut"}])
def test_shares_add_to_one_and_prices_never_rise(how: dict) -> None:
    found = enter(MARKET, "new", **FAST, **how)
    price = found.price
    priced = np.isfinite(price["without_arbitrage"]["without_entrant"])
    assert priced.any()
    for case, situations in found.revenue_share.items():
        for key, shares in situations.items():
            assert ("arbitrageur" in shares) == (case == "with_arbitrage")
            assert ("new" in shares) == (key == "with_entrant")
            np.testing.assert_allclose(sum(shares.values())[priced], 1, rtol=1e-9)
    direct = price["without_arbitrage"]
    assert (direct["with_entrant"] <= direct["without_entrant"] * (1 + 1e-12)).all()
    for key in ("without_entrant", "with_entrant"):
        assert (price["with_arbitrage"][key] <= price["without_arbitrage"][key]).all()


def test_money_is_conserved_at_the_price_two_alike_arbitrageurs_rest_at() -> None:
    """Where the fitted cascade is resold at its buy cost, consumers pay what providers earn."""
    found = enter(MARKET, "new", **FAST)
    for key, one in found.solved.items():
        resold = one.cascade.resale.arbitrageur_profit > 0
        assert resold.any()
        earned = one.cascade.resale.revenue.sum(axis=0)
        np.testing.assert_allclose(found.price["with_arbitrage"][key][resold], earned[resold], rtol=1e-9)


@settings(max_examples=25, deadline=None)
@given(
    success=st.lists(st.integers(1, 7).map(lambda n: n / 8), min_size=3, max_size=3),
    spend=st.floats(0.5, 3.0),
)
def test_without_arbitrage_it_earns_once_its_cost_is_below_the_market_somewhere(success: list[float], spend: float) -> None:
    """Its cost at capability s is that at capability 1 over s, so the smallest s is the least ratio of costs."""
    rivals = (provider("a", [0.25, 0.5, 0.75], 1.0), provider("b", [0.75, 0.25, 0.5], 1.25))
    market = Market(name="m", providers=(*rivals, provider("new", success, spend)), weights=[0.25, 0.25, 0.5], max_attempts=4)
    levels = np.linspace(0.1, 0.9, 9)
    found = enter(market, "new", levels=levels, allot="attempts", capability=(1e-3, 1e3, 4))
    cost = found.solved["with_entrant"].offers.cost
    sold = np.isfinite(cost[2]) & np.isfinite(cost[:2].min(axis=0))
    ratio = np.min(cost[2][sold] / cost[:2].min(axis=0)[sold]) if sold.any() else np.nan
    if np.isfinite(cost[2])[~np.isfinite(cost[:2].min(axis=0))].any():
        ratio = 0.0  # it is the only one to reach a level: it sells there at any cost
    one = found.earliest["without_arbitrage"]
    if ratio == 0.0:
        assert one.at_lowest
    elif np.isnan(ratio):
        assert np.isnan(one.capability)
    else:
        assert ratio * (1 - 1e-9) <= one.capability <= ratio * 1.011


def test_two_that_differ_in_cost_only_compete_on_it_with_arbitrage_and_without() -> None:
    odds = np.full(1, 0.5)
    market = Market(
        name="alike", providers=(provider("old", odds, 1.0), provider("new", odds, 2.0)), weights=[1], max_attempts=6
    )
    found = enter(market, "new", levels=[0.5, 0.75], allot="attempts", capability=(0.1, 30.0, 6))
    for case, one in found.earliest.items():
        assert 2.0 <= one.capability <= 2.0 * 1.011, case
        assert not one.at_lowest
        np.testing.assert_array_equal(found.shares[case] > 0, found.capabilities > 2)


def test_an_entrant_that_complements_the_others_earns_earlier_with_arbitrage() -> None:
    """It solves what the incumbent cannot, but cannot sell alone: direct it never earns, resold it does."""
    old, new = provider("old", [0.9, 0.1], 1.0), provider("new", [0.0, 0.9], 1.0)
    market = Market(name="specialists", providers=(old, new), weights=[0.5, 0.5], max_budget=40.0)
    found = enter(market, "new", levels=np.linspace(0.6, 0.95, 15), capability=(0.01, 100.0, 5), points=41)
    assert np.isnan(found.earliest["without_arbitrage"].capability)
    assert found.to_dict()["earliest"]["without_arbitrage"] is None
    assert 0.01 < found.earliest["with_arbitrage"].capability < 1
    assert (found.price["with_arbitrage"]["with_entrant"] < found.price["with_arbitrage"]["without_entrant"]).any()


def test_who_earns_is_what_solve_says() -> None:
    found = enter(MARKET, "new", **FAST)
    after = solve(MARKET, levels=FAST["levels"], points=30)
    before = solve(MARKET, providers=["small", "large"], levels=FAST["levels"], points=30)
    for key, one in (("without_entrant", before), ("with_entrant", after)):
        rows = found.revenue_share["with_arbitrage"][key].values()
        np.testing.assert_array_equal(np.array(list(rows)), one.cascade.resale.revenue_share)
        np.testing.assert_array_equal(found.segmentation["with_arbitrage"][key].widths, one.segmentation["with"].widths)
    at_one = enter(MARKET, "new", **{**FAST, "capability": (1.0, 1.0, 1)})
    sells = after.offers.seller == 1
    np.testing.assert_allclose(at_one.shares["without_arbitrage"], sells[np.isfinite(after.offers.market_price)].mean())
    np.testing.assert_allclose(
        at_one.shares["with_arbitrage"], np.nanmean(after.schedule.policy.resale.revenue_share[1]), rtol=1e-9
    )


@settings(max_examples=5, deadline=None)
@given(order=st.permutations(range(3)))
def test_the_order_of_providers_does_not_matter(order: list[int]) -> None:
    one = enter(MARKET, "new", **FAST)
    other = enter(replace(MARKET, providers=tuple(MARKET.providers[i] for i in order)), "new", **FAST)
    assert one.earliest["without_arbitrage"].capability == other.earliest["without_arbitrage"].capability
    np.testing.assert_allclose(
        one.earliest["with_arbitrage"].capability, other.earliest["with_arbitrage"].capability, rtol=0.01
    )
    for case, situations in one.price.items():
        for key, values in situations.items():
            np.testing.assert_allclose(other.price[case][key], values, rtol=1e-9)
            for name, share in one.revenue_share[case][key].items():
                np.testing.assert_allclose(other.revenue_share[case][key][name], share, atol=1e-9)


def test_a_price_multiplier_counts_like_the_inverse_of_capability_without_arbitrage() -> None:
    plain, dear = enter(MARKET, "new", **FAST), enter(MARKET, "new", **FAST, prices={"new": 2.0})
    one, two = (found.earliest["without_arbitrage"].capability for found in (plain, dear))
    np.testing.assert_allclose(two / one, 2.0, rtol=0.05)


def test_a_share_that_must_be_larger_is_earned_later_and_where_it_is_said_to_be() -> None:
    some, much = (enter(MARKET, "new", **FAST, least_share=least) for least in (0.0, 0.3))
    assert much.earliest["with_arbitrage"].capability > 2 * some.earliest["with_arbitrage"].capability
    for found, least in ((some, 0.0), (much, 0.3)):
        for factor, enough in ((1.0, True), (0.985, False)):
            s = factor * found.earliest["with_arbitrage"].capability
            cheaper = replace(MARKET.providers[1], spend=MARKET.providers[1].spend / s)
            market = replace(MARKET, providers=(MARKET.providers[0], cheaper, MARKET.providers[2]))
            share = solve(market, levels=FAST["levels"], points=30).schedule.policy.resale.revenue_share[1]
            assert (share[np.isfinite(share)] > max(least, 1e-9)).any() == enough


def test_fixed_policies_of_the_market_file_do_not_stand_in_the_way() -> None:
    policy = Policy(order=("new", "large"), thresholds=(1.0, 1.0))
    market = replace(MARKET, arbitrageurs=(Arbitrageur(name="fixed", policies=(policy,)),))
    assert figures(enter(market, "new", **FAST)) == figures(enter(MARKET, "new", **FAST))


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"entrant": "nobody"}, "entrant: unknown provider 'nobody'"),
        ({"providers": ["new"]}, "has no provider beside the entrant 'new'"),
        ({"capability": (0.0, 1.0, 3)}, "must be positive numbers"),
        ({"capability": (2.0, 1.0, 3)}, "low to high"),
        ({"access": ["new"]}, "access must name at least one provider"),
    ],
)
def test_what_makes_no_sense_is_told(how: dict, told: str) -> None:
    with pytest.raises((MarketError, UsageError)) as caught:
        enter(MARKET, **{"entrant": "new", **FAST, **how})
    assert told in str(caught.value)


def test_the_steps_of_an_entrant_twice_as_capable_cost_half() -> None:
    """What `capability` means: attempts, not odds, get cheaper; at equal attempts pass is the same and the bill is halved."""
    terms = rules(MARKET, allot="attempts")
    twice = replace(MARKET.providers[1], spend=MARKET.providers[1].spend / 2)
    halves = all_steps(replace(MARKET, providers=(twice,)), terms)[0].profile(MARKET.weights)
    plain = all_steps(MARKET, terms)[1].profile(MARKET.weights)
    np.testing.assert_allclose(halves.solved, plain.solved)
    np.testing.assert_allclose(2 * halves.spent, plain.spent)
    found = enter(MARKET, "new", **{**FAST, "allot": "attempts", "capability": (2.0, 2.0, 1)})
    cheap = solve(replace(MARKET, providers=(MARKET.providers[0], twice, MARKET.providers[2])), levels=FAST["levels"],
                  allot="attempts", points=30)  # fmt: skip
    np.testing.assert_allclose(found.shares["without_arbitrage"], np.mean(cheap.offers.seller[cheap.offers.seller >= 0] == 1))
