"""THEORY section 10, claims 3 to 7, as properties of solved tiny markets."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from oracles import Tiny, exact, least, level_fraction, tiny
from strategies import sampled_markets
from tiny_markets import RULES, WEIGHTS, markets, providers

from eqsolver.market import Arbitrageur, Geometric, Market, Policy, Provider
from eqsolver.posted import Solution, solve
from eqsolver.technology import Cascade, all_steps, rules
from eqsolver.technology._evaluate import allotted

LEVELS = np.linspace(0.05, 1.0, 20)
PRICE = st.sampled_from([0.25, 0.5, 0.8, 1.0, 1.3, 2.0, 4.0])


def solvable(market: Market, how: dict) -> Tiny:
    by_luck = tiny(market, **how)
    assume(any(by_luck.stops(i) for i in range(by_luck.sellers)))
    return by_luck


def cost_curves(solution: Solution) -> dict[str, np.ndarray]:
    return {
        "market price": solution.offers.market_price,
        "cascade per level": solution.cascade_per_level.resale.buy_cost,
        "schedule": solution.schedule.policy.resale.buy_cost,
        "mixed schedules": solution.schedule.mixed_buy_cost,
        "oracle": solution.oracle_cost,
    }


BEST = ("cascade per level", "schedule", "mixed schedules", "oracle")


def no_more(less: np.ndarray, more: np.ndarray) -> bool:
    return bool((less <= np.where(np.isfinite(more), more * (1 + 1e-9) + 1e-11, np.inf)).all())


@settings(max_examples=40, deadline=None)
@given(market=markets(sellers=(3, 3)), how=RULES)
def test_adding_a_provider_never_raises_any_cost(market: Market, how: dict) -> None:
    solvable(market.restrict(["a", "b"]), how)
    few, all_of_them = solve(market, providers=["a", "b"], levels=LEVELS, **how), solve(market, levels=LEVELS, **how)
    before, after = cost_curves(few), cost_curves(all_of_them)
    for name in ("market price", *BEST):
        assert no_more(after[name], before[name]), name
    narrow = solve(market, access=["a", "b"], levels=LEVELS, **how)
    for name in BEST:
        np.testing.assert_allclose(cost_curves(narrow)[name], before[name], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(narrow.offers.market_price, after["market price"], rtol=1e-12)


@settings(max_examples=40, deadline=None)
@given(data=st.data(), problems=st.integers(1, 3))
def test_a_dominated_provider_is_not_needed_where_attempts_do_not_run_out(data: st.DataObject, problems: int) -> None:
    """With attempts allotted and classes; the duplicate is the extreme case.

    Where a failure costs less than a success, a worse provider is needed for low levels: its attempts cost less.
    """
    first, other = (data.draw(providers(name, problems, logs=False)) for name in "ab")
    worse = [s - data.draw(st.integers(0, int(8 * s))) / 8 for s in first.odds.success]
    dearer = [w + data.draw(st.integers(0, 2)) / 2 for w in first.spend]
    dominated = replace(
        first, name="c", odds=Geometric(success=worse), spend=dearer, price=first.price * data.draw(st.sampled_from([1.0, 1.5]))
    )
    copy = replace(first, name="c")
    weights = data.draw(st.sampled_from(WEIGHTS[problems]))
    market = Market(name="two", providers=(first, other), weights=weights)
    assume(any((s.odds.success > 0).any() for s in (first, other)))
    most = 3
    how = {"allot": "attempts", "levels": LEVELS}
    base, free = (cost_curves(solve(market, max_attempts=k * most, **how)) for k in (1, 2))
    for third in (copy,) if first.spend_failed is not None else (dominated, copy):
        joined = cost_curves(solve(replace(market, providers=(*market.providers, third)), max_attempts=most, **how))
        for name in BEST[1:]:
            unbound = np.isfinite(base[name]) & np.isclose(base[name], free[name], rtol=1e-12, atol=0)
            np.testing.assert_allclose(joined[name][unbound], base[name][unbound], rtol=1e-9, atol=1e-12, err_msg=name)


def test_a_small_slice_of_a_dear_provider_screens_where_costs_are_known() -> None:
    """c is never better and never cheaper than a, yet a budget of 1 buys its attempt only where the problem can be solved."""
    a = Provider(name="a", odds=Geometric(success=[1.0, 0.0]), spend=[1.0, 1.0])
    c = Provider(name="c", odds=Geometric(success=[1.0, 0.0]), spend=[1.0, 9.0])
    market = Market(name="screens", providers=(a, c), weights=[0.5, 0.5], max_budget=9.0, max_attempts=9)
    alone = solve(market, providers=["a"], levels=[0.5], overrun="never")
    assert alone.schedule.policy.resale.buy_cost[0] == pytest.approx(1.0)
    assert solve(market, levels=[0.5], overrun="never").schedule.policy.resale.buy_cost[0] == pytest.approx(0.5)
    for names in (["a"], ["a", "c"]):
        by_attempts = solve(market, providers=names, levels=[0.5], allot="attempts")
        assert by_attempts.schedule.policy.resale.buy_cost[0] == pytest.approx(1.0)


def test_two_copies_round_separately_where_costs_are_known() -> None:
    """Twice 2 buys two attempts at 2 and none at 3, where 4 from one provider buys two at 2 and one at 3."""
    a = Provider(name="a", odds=Geometric(success=[0.5, 0.0]), spend=[2.0, 3.0])
    market = Market(name="copies", providers=(a, replace(a, name="b")), weights=[0.5, 0.5], max_budget=4.0, max_attempts=9)
    alone = solve(market, providers=["a"], levels=[0.375], overrun="never")
    assert alone.schedule.policy.resale.buy_cost[0] == pytest.approx(3.0)
    assert solve(market, levels=[0.375], overrun="never").schedule.policy.resale.buy_cost[0] == pytest.approx(1.5)
    for names in (["a"], ["a", "b"]):
        by_attempts = solve(market, providers=names, levels=[0.375], allot="attempts")
        assert by_attempts.schedule.policy.resale.buy_cost[0] == pytest.approx(4.5)


@settings(max_examples=40, deadline=None)
@given(market=markets(), how=RULES, data=st.data(), scale=st.sampled_from([0.5, 3.0]))
def test_costs_are_homogeneous_concave_and_rising_in_prices(
    market: Market, how: dict, data: st.DataObject, scale: float
) -> None:
    solvable(market, how)
    m = np.array([data.draw(PRICE) for _ in market.names])
    n = np.array([data.draw(PRICE) for _ in market.names])

    def at(prices: np.ndarray) -> dict[str, np.ndarray]:
        return cost_curves(solve(market, prices=dict(zip(market.names, map(float, prices), strict=True)), levels=LEVELS, **how))

    here, there, between, more, scaled = at(m), at(n), at((m + n) / 2), at(np.maximum(m, n)), at(scale * m)
    for name in ("market price", *BEST):
        np.testing.assert_allclose(scaled[name], scale * here[name], rtol=1e-9, atol=1e-12, err_msg=name)
        assert no_more(here[name], more[name]), f"{name} falls with a price"
        reached = np.isfinite(here[name])
        np.testing.assert_array_equal(reached, np.isfinite(there[name]))
        middle = (here[name][reached] + there[name][reached]) / 2
        assert (between[name][reached] >= middle * (1 - 1e-9) - 1e-12).all(), f"{name} is not concave in prices"


@settings(max_examples=40, deadline=None)
@given(market=markets(), how=RULES, data=st.data())
def test_units_are_the_slope_of_costs_in_prices(market: Market, how: dict, data: st.DataObject) -> None:
    """Shephard: the units at m are a supergradient there, and the finite difference wherever the same policy stays best."""
    solvable(market, how)
    i = data.draw(st.integers(0, len(market.names) - 1))
    here = market.prices[i]

    def at(price: float) -> Solution:
        return solve(market, prices={market.names[i]: price}, levels=LEVELS, **how)

    solution = at(here)
    nearby = {h: at(here + h) for h in (-0.125, -1e-4, 1e-4, 0.125)}
    for kind in ("schedule", "cascade per level"):
        middle = solution.policies()[kind].resale
        reached = np.isfinite(middle.buy_cost)
        units = middle.units[i][reached]
        np.testing.assert_allclose(middle.buy_cost[reached], market.prices @ middle.units[:, reached], rtol=1e-12, atol=1e-12)
        for h, moved in nearby.items():
            cost = moved.policies()[kind].resale.buy_cost[reached]
            assert (cost <= middle.buy_cost[reached] + h * units + 1e-9).all(), kind
        up, down = (nearby[h].policies()[kind].resale for h in (1e-4, -1e-4))
        slope = (up.buy_cost[reached] - down.buy_cost[reached]) / 2e-4
        same = np.isclose(up.units[i][reached], down.units[i][reached], rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(slope[same], units[same], rtol=1e-6, atol=1e-7)


@settings(max_examples=40, deadline=None)
@given(market=markets(), how=RULES)
def test_mixtures_cost_a_convex_function_of_the_level(market: Market, how: dict) -> None:
    solvable(market, how)
    solution = solve(market, levels=LEVELS, **how)
    for cost in (solution.schedule.mixed_buy_cost, solution.oracle_cost, solution.offers.mixed_price):
        finite = np.append(0.0, cost[np.isfinite(cost)])
        assert (np.diff(finite, 2) >= -1e-11).all()
        assert (np.diff(finite) >= -1e-12).all()
    assert no_more(solution.offers.mixed_price, solution.offers.market_price)
    margin = solution.schedule.mixed_margin[np.isfinite(solution.schedule.mixed_margin)]
    assert ((margin >= 0) & (margin < 1)).all()


def same_market(one: Solution, other: Solution, rate: float = 1.0) -> None:
    """Everything a solution says per level is the same, money being worth `rate` times as much."""
    for (name, here), there in zip(cost_curves(one).items(), cost_curves(other).values(), strict=True):
        np.testing.assert_allclose(rate * here, there, rtol=1e-9, atol=1e-12 * rate, err_msg=name)
    np.testing.assert_allclose(rate * one.undercutting.price, other.undercutting.price, rtol=1e-9, atol=1e-12 * rate)
    np.testing.assert_allclose(one.cascade.resale.mean_margin, other.cascade.resale.mean_margin, rtol=1e-9, atol=1e-12)
    for kind in ("cascade per level", "schedule"):
        mine, theirs = one.policies()[kind].resale.margin, other.policies()[kind].resale.margin
        np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(np.sort(one.offers.reach), np.sort(other.offers.reach), rtol=1e-12)


@settings(max_examples=30, deadline=None)
@given(market=st.one_of(markets(sellers=(2, 2)), sampled_markets(max_providers=2)), how=RULES, data=st.data())
def test_splitting_a_class_or_reordering_changes_nothing(market: Market, how: dict, data: st.DataObject) -> None:
    solvable(market, how)
    base = solve(market, levels=LEVELS, **how)
    x = data.draw(st.integers(0, market.weights.size - 1))
    order = data.draw(st.permutations([*range(market.weights.size), x]))
    halves = np.append(market.weights, market.weights[x] / 2)
    halves[x] /= 2
    split = replace(
        market,
        weights=halves[order],
        providers=tuple(p.take(np.array([x if at == market.weights.size else at for at in order])) for p in market.providers),
        problems=(),
    )
    same_market(base, solve(split, levels=LEVELS, **how))
    turned = replace(market, providers=tuple(data.draw(st.permutations(market.providers))))
    same_market(base, solve(turned, levels=LEVELS, **how))


@settings(max_examples=30, deadline=None)
@given(market=markets(), how=RULES, rate=st.sampled_from([100.0, 0.01, 2.0**-30, 1e15]))
def test_counting_in_cents_only_rescales_money(market: Market, how: dict, rate: float) -> None:
    solvable(market, how)
    base = solve(market, levels=LEVELS, **how)
    cents = replace(
        market,
        unit="cents",
        max_budget=None if market.max_budget is None else rate * market.max_budget,
        providers=tuple(p.costs_scaled(rate) for p in market.providers),
    )
    same_market(base, solve(cents, levels=LEVELS, **how), rate)


@settings(max_examples=40, deadline=None)
@given(market=markets(), how=RULES, factor=st.sampled_from([0.5, 0.93]))
def test_no_level_costs_more_with_arbitrage_and_undercutting_rests(market: Market, how: dict, factor: float) -> None:
    solvable(market, how)
    solution = solve(market, levels=LEVELS, undercutting=(factor, 150), **how)
    price, cost = solution.offers.market_price, solution.used.resale.buy_cost
    assert (solution.undercutting.price <= price).all()
    priced = np.isfinite(price)
    rest = np.minimum(price[priced], cost[priced])  # two alike arbitrageurs: Bertrand, whatever the factor
    np.testing.assert_allclose(solution.undercutting.rest[priced], rest, rtol=1e-12)
    np.testing.assert_allclose(solution.undercutting.price[-1, priced], rest, rtol=1e-9)
    assert np.isinf(solution.undercutting.price[:, ~priced]).all()


@st.composite
def fixed(draw: st.DrawFn, market: Market) -> Arbitrageur:
    """An arbitrageur with an overhead and up to three fixed cascades, some of which abstain or never reach."""
    cap = market.max_budget
    policies = []
    for weight in draw(st.sampled_from([(0.5, 0.25), (1.0,), (0.25, 0.25, 0.5), (0.125,)])):
        order = draw(st.permutations(market.names))[: draw(st.integers(1, len(market.names)))]
        thresholds = [min(draw(st.integers(0, 2)), 1) * cap / len(order) / draw(st.sampled_from([1, 2])) for _ in order]
        policies.append(Policy(order=tuple(order), thresholds=tuple(thresholds), weight=weight))
    return Arbitrageur(name="fixed", overhead=draw(st.sampled_from([0.0, 0.125, 0.5])), policies=tuple(policies))


@settings(max_examples=80, deadline=None)
@given(data=st.data(), market=markets(), overrun=st.sampled_from(["finish", "cut", "never"]))
def test_money_is_conserved_and_shares_add_to_one(data: st.DataObject, market: Market, overrun: str) -> None:
    who = (
        data.draw(fixed(market)),
        Arbitrageur(name="free", overhead=data.draw(st.sampled_from([0.0, 0.25]))),
        Arbitrageur(name="narrow", access=("b",), overhead=0.1),
    )
    market = replace(market, arbitrageurs=who)
    by_luck = solvable(market, {"overrun": overrun})
    assume(by_luck.stops(1))
    solution = solve(market, levels=LEVELS, overrun=overrun)
    price, m = solution.offers.market_price, market.prices
    priced = np.isfinite(price)
    outcomes = {name: (found.overhead, found.policy.resale) for name, found in solution.arbitrageurs.items()}
    outcomes |= {name: (0.0, found.resale) for name, found in solution.policies().items()}
    for name, (overhead, sold) in outcomes.items():
        np.testing.assert_allclose(sold.revenue_share[:, priced].sum(axis=0), 1, rtol=1e-12, err_msg=name)
        assert (sold.revenue_share[:, priced] >= -1e-12).all()
        assert np.isnan(sold.revenue_share[:, ~priced]).all()
        assert np.isnan(sold.margin[~priced]).all()
        assert ((sold.margin[priced] >= 0) & (sold.margin[priced] < 1)).all()
        if name != "fixed":
            sells = priced & (sold.buy_cost < np.where(priced, price, 0) * (1 - 1e-12))  # but for rounding it abstains
            bill = np.where(sells, m @ np.where(np.isfinite(sold.units), sold.units, 0), 0)
            paid = np.where(priced, price, 0)
            left = sold.revenue.sum(axis=0) + sold.arbitrageur_profit + overhead * bill
            np.testing.assert_allclose(left[priced], paid[priced], rtol=1e-12)
            np.testing.assert_allclose(sold.revenue[:, sells], m[:, None] * sold.units[:, sells], rtol=1e-12, atol=1e-12)
            np.testing.assert_allclose(sold.margin[priced], sold.arbitrageur_profit[priced] / price[priced], rtol=1e-12)
    the_fixed_mixture_is_as_enumerated(solution, by_luck, who[0])


def the_fixed_mixture_is_as_enumerated(solution: Solution, by_luck: Tiny, who: Arbitrageur) -> None:
    """Each cascade sells where its prefix, overhead included, costs less than C_P; the others' customers buy direct."""
    names = solution.market.names
    sold = solution.arbitrageurs["fixed"].policy.resale
    offers = [by_luck.offers(i) for i in range(by_luck.sellers)]
    loading = 1 + exact(who.overhead)
    for at, u in enumerate(solution.levels):
        level = level_fraction(u, [p for offer in offers for p in offer])
        price = min((c for c in (least(offer, level) for offer in offers) if c is not None), default=None)
        if price is None:
            assert np.isnan(sold.arbitrageur_profit[at])
            continue
        asked = [least(offer, level) for offer in offers]
        claims = [i for i, cost in enumerate(asked) if cost == price]
        least_cost = min(solution.market.providers[i].marginal_cost for i in claims)
        sellers = [i for i in claims if solution.market.providers[i].marginal_cost == least_cost]
        assert int(solution.offers.seller[at]) in sellers
        revenue, profit, overhead, served = [Fraction(0)] * by_luck.sellers, Fraction(0), Fraction(0), Fraction(0)
        for policy in who.policies:
            share, units = exact(policy.weight), cheapest_prefix(by_luck, policy, names, level)
            bill = None if units is None else by_luck.bill(units)
            if bill is None or not loading * bill < price:
                for seller in sellers:  # alike ones share
                    revenue[seller] += share * price / len(sellers)
                continue
            served += share
            profit += share * (price - loading * bill)
            overhead += share * (loading - 1) * bill
            revenue = [r + share * m * v for r, m, v in zip(revenue, by_luck.price, units, strict=True)]
        for seller in sellers:
            revenue[seller] += (1 - sum(exact(policy.weight) for policy in who.policies)) * price / len(sellers)
        assert sum(revenue) + profit + overhead == price, "money is conserved in the enumeration itself"
        np.testing.assert_allclose(sold.revenue[:, at], [float(r) for r in revenue], rtol=1e-9, atol=1e-12)
        assert sold.arbitrageur_profit[at] == pytest.approx(float(profit), rel=1e-9, abs=1e-12)
        assert sold.margin[at] == pytest.approx(float(profit / price), rel=1e-9, abs=1e-12)
        assert sold.served[at] == pytest.approx(float(served), abs=1e-12)


def cheapest_prefix(by_luck: Tiny, policy: Policy, names: tuple[str, ...], level: Fraction) -> list[Fraction] | None:
    done: list[tuple[int, Fraction]] = []
    for name, threshold in zip(policy.order, policy.thresholds, strict=True):
        i = names.index(name)
        ((_, position),) = by_luck.placed([(i, Fraction(threshold))])
        for b in [b for b in by_luck.stops(i) if b <= position]:
            solved, units = by_luck.run([*done, (i, b)])
            if solved >= level:
                return units
        done.append((i, position))
    return None


def test_a_cascade_names_only_providers_that_it_buys_from() -> None:
    """A threshold of 0 buys nothing; a cascade that was asked for is told as it was."""
    good = Provider(name="good", odds=Geometric(success=[0.5, 0.25]), spend=[1.0, 1.0])
    poor = Provider(name="poor", odds=Geometric(success=[0.25, 0.0]), spend=[3.0, 3.0])
    market = Market(name="m", providers=(poor, good), weights=[0.5, 0.5], max_budget=6.0, max_attempts=6)
    asked = [("poor", 0), ("good", 4)]
    found = solve(market, allot="attempts", levels=[0.5], evaluated=asked)
    assert found.to_dict()["evaluated"]["order"] == ["poor", "good"]
    terms = rules(market, allot="attempts")
    told = allotted(terms, all_steps(market, terms), Cascade(order=(0, 1), thresholds=(0.0, 4.0)))
    assert (told.order, told.thresholds) == ((1,), (4.0,))
