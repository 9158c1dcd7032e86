"""Every money rule against oracles that know nothing of the implementation: luck listed, all policies listed, duplicates."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction as Q
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from oracles_money import RULES, Point, Shop, along, least, lower_hull
from tiny_shops import asked, markets, paths_of, seller, shop_of

from eqsolver import load
from eqsolver.market import Geometric, Market, Provider
from eqsolver.posted import Solution, solve
from eqsolver.robust._margins import margins_matrix
from eqsolver.technology import Cascade, Technology, all_steps, curves, oracle, positions, rules, technology, walk
from eqsolver.technology._curves import FIRST
from eqsolver.technology._path import tolls

CLOSE = {"rtol": 1e-9, "atol": 1e-11}
HAIR = 1e-6


def solvable(market: Market, rule: str) -> Shop:
    shop = shop_of(market, rule)
    assume(any(point for i in shop.sellers for point in shop.offers(i)))
    assume(any(shop.solved([shop.nodes(i)[-1][1] if i == j else Q(0) for j in shop.sellers]) for i in shop.sellers))
    return shop


def levels_of(points: Sequence[Point]) -> list[float]:
    """Every pass value, a hair below and above each, one beyond all, within (0, 1]."""
    values = sorted({solved for solved, _ in points})
    hairs = [float(v) + hair for v in values for hair in (-HAIR, 0.0, HAIR)]
    return sorted({u for u in (*hairs, float(values[-1]) + 0.01, 1.0) if 0 < u <= 1})


def meant(u: float, points: Sequence[Point]) -> Q:
    """The pass value that a level in floating point stands for, or that number itself."""
    return next((solved for solved, _ in points if abs(float(solved) - u) < HAIR / 1000), Q(u))


def expect(found: np.ndarray, levels: Sequence[float], points: Sequence[Point], known: Sequence[Point]) -> None:
    """Costs per level are the least bill of the points that reach it, infinite where none does."""
    for u, cost in zip(levels, found, strict=True):
        right = least(points, meant(u, known))
        if right is None:
            assert np.isinf(cost), f"level {u} is out of reach, but costs {cost}"
        else:
            assert cost == pytest.approx(float(right), rel=1e-9, abs=1e-11), f"level {u}"


def blocks_of(path: Sequence[tuple[int, float]]) -> list[tuple[int, Q]]:
    """A path as printed: its thresholds are the decimals of their floats."""
    return [(i, Q(b)) for i, b in path]


def within_its_interval(shop: Shop, path: Sequence[tuple[int, float]], level: float, units: np.ndarray) -> None:
    """Followed literally, a printed path reaches its level with the units told, and its thresholds fit the cap."""
    blocks = blocks_of(path)
    final = [max((b for j, b in blocks if j == i), default=Q(0)) for i in shop.sellers]
    assert shop.inside(final, tolerance=Q(1, 10**9))
    solved, spent = shop.run(nudged(shop, blocks))
    assert float(solved) >= level - 2e-12
    np.testing.assert_allclose(units, [float(s) for s in spent], **CLOSE)


def nudged(shop: Shop, blocks: Sequence[tuple[int, Q]]) -> list[tuple[int, Q]]:
    """Thresholds a hair off a multiple of the smallest coin are on it: costs of these markets are halves."""
    grain = Q(1, 2)
    rounded = [(i, round(b / grain) * grain, b) for i, b in blocks]
    return [(i, near if 0 < abs(near - b) < Q(1, 10**10) and near else b) for i, near, b in rounded]


@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=10, deadline=None)
@given(market=markets(believed=True))
def test_offers_cascades_and_schedules_cost_the_least_of_all_that_are_listed(rule: str, market: Market) -> None:
    everything_costs_the_least_of_all_that_is_listed(rule, market)


@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=10, deadline=None)
@given(market=markets(sellers=(1, 3), gift=True))
def test_a_free_provider_takes_nothing_of_the_cap_and_grants_all_its_attempts_at_once(rule: str, market: Market) -> None:
    """Where it sells, nothing can be earned: those levels have no margin, and divide nothing by nothing."""
    solution = everything_costs_the_least_of_all_that_is_listed(rule, market)
    gift = solution.offers.market_price == 0
    for outcome in (solution.schedule.policy, solution.cascade_per_level, solution.cascade):
        assert np.isnan(outcome.resale.margin[gift]).all()
        assert np.isfinite(outcome.resale.margin[~gift & np.isfinite(solution.offers.market_price)]).all()
    assert (solution.offers.units[0][np.isfinite(solution.offers.units[0])] == 0).all()


def test_margins_that_do_not_exist_are_left_out_of_bands_rounds_and_scenarios() -> None:
    """A free provider sells half of the levels; the arbitrageur may not buy from it, and the dear one never beats it."""
    gift = Provider(name="gift", odds=Geometric(success=[0.5, 0.0]), spend=[0, 0], free=True)
    able, dear = seller("able", Geometric(success=[0.5, 0.5]), [1, 1]), seller("dear", Geometric(success=[0.5, 0.75]), [2, 2])
    market = Market(name="gift", providers=(gift, able, dear), weights=[0.5, 0.5], max_budget=3.0, max_attempts=1)
    solution = solve(market, access=["able", "dear"], levels=[0.2, 0.8], bootstrap=4)
    assert solution.offers.market_price[0] == 0
    assert np.isnan(solution.schedule.policy.resale.margin[0])
    assert np.isfinite(solution.schedule.policy.resale.margin[1])
    assert solution.schedule.policy.bands is not None
    assert np.isfinite(solution.schedule.policy.bands.margin[:, 1]).all()
    terms = rules(market)
    policy = Cascade(order=(1, 2), thresholds=(FIRST, 1.0))
    found = margins_matrix(market, [policy], market.weights[None], terms, levels=np.array([0.2, 0.8]))
    np.testing.assert_array_equal(np.isnan(found.price), [[True, False]])
    assert np.isfinite(found.values).all()


def everything_costs_the_least_of_all_that_is_listed(rule: str, market: Market) -> Solution:
    shop = solvable(market, rule)
    each, best, cascades = [shop.offers(i) for i in shop.sellers], shop.schedules(), shop.cascades()
    levels = levels_of(best)
    solution = solve(market, levels=levels, **asked(rule))
    assert solution.exact
    for i, offer in enumerate(each):
        expect(solution.offers.cost[i], levels, offer, best)
        assert solution.offers.reach[i] == pytest.approx(float(max((s for s, _ in offer), default=Q(0))))
    expect(solution.offers.market_price, levels, [point for offer in each for point in offer], best)
    expect(solution.cascade_per_level.resale.buy_cost, levels, cascades, best)
    expect(solution.schedule.policy.resale.buy_cost, levels, best, best)
    np.testing.assert_array_equal(np.nan_to_num(solution.schedule.gap), 0)
    hull = lower_hull(best)
    for u, cost in zip(levels, solution.schedule.mixed_buy_cost, strict=True):
        right = along(hull, meant(u, best))
        assert np.isinf(cost) if right is None else cost == pytest.approx(float(right), rel=1e-9, abs=1e-11)
    printed_paths_do_what_they_say(solution, shop)
    return solution


def printed_paths_do_what_they_say(solution: Solution, shop: Shop) -> None:
    for outcome in (solution.schedule.policy, solution.cascade_per_level, solution.cascade):
        for u, path, units in zip(solution.levels, outcome.paths, outcome.resale.units.T, strict=True):
            if np.isfinite(units).all():
                within_its_interval(shop, path, u, units)


@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=10, deadline=None)
@given(market=markets(small=True))
def test_the_schedule_is_the_best_of_all_paths_listed_one_by_one(rule: str, market: Market) -> None:
    shop = solvable(market, rule)
    assume(shop.number_of_paths() <= 1000)
    points = [point for _, point in shop.paths()]
    levels = levels_of(points)
    solution = solve(market, levels=levels, **asked(rule))
    expect(solution.schedule.policy.resale.buy_cost, levels, points, points)


@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=10, deadline=None)
@given(market=markets(sellers=(2, 2)))
def test_the_fitted_cascade_has_the_best_mean_margin_of_all_orders_and_thresholds(rule: str, market: Market) -> None:
    """Every threshold of the first provider; the second is bought up to what the cap leaves."""
    shop = solvable(market, rule)
    offers = [point for i in shop.sellers for point in shop.offers(i)]
    levels = [u for u in levels_of(offers) if least(offers, meant(u, offers)) is not None]
    assume(levels)
    best = Q(-1)
    for first, second in ((0, 1), (1, 0)):
        for taken, top in shop.nodes(first):
            walked = [shop.run([(first, b)]) for at, b in shop.nodes(first) if at <= taken and b <= top]
            rest = [b for more, b in shop.nodes(second)[1:] if shop.within([taken, more])]
            walked += [shop.run([(first, top), (second, b)]) for b in rest]
            points = [(solved, shop.bill(units)) for solved, units in walked]
            margins = []
            for u in levels:
                price, cost = least(offers, meant(u, offers)), least(points, meant(u, offers))
                margins.append(Q(0) if cost is None else max(1 - cost / price, Q(0)))
            best = max(best, sum(margins, Q(0)) / len(margins))
    solution = solve(market, levels=levels, **asked(rule))
    assert solution.cascade.resale.mean_margin == pytest.approx(float(best), abs=1e-9)


@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=10, deadline=None)
@given(market=markets())
def test_the_oracle_is_every_vector_of_attempts_in_every_order(rule: str, market: Market) -> None:
    shop = solvable(market, rule)
    known = oracle(market, rules(market, **asked(rule)), tuple(shop.sellers), market.prices)
    assert known.relaxed == 0
    hull = shop.knowing()
    levels = np.unique([float(s) * share for s, _ in hull[1:] for share in (1.0, 1 / 3)])
    right = [along(hull, min(Q(u).limit_denominator(10**9), hull[-1][0])) for u in levels]
    np.testing.assert_allclose(known.at(levels), [float(c) for c in right], rtol=1e-7, atol=1e-9)
    assert known.solved[-1] == pytest.approx(float(hull[-1][0]), abs=1e-12)
    assert np.isinf(known.at(np.array([float(hull[-1][0]) + HAIR]))).all()


@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=10, deadline=None)
@given(market=markets(believed=True))
def test_with_beliefs_the_oracle_is_still_a_bound(rule: str, market: Market) -> None:
    """Beliefs fall with every failure. It is exact but where the cap binds several providers together, and under `cut` where a
    success costs more than a failure: then the second attempt may be worth more for its money than the first."""
    shop = solvable(market, rule)
    known = oracle(market, rules(market, **asked(rule)), tuple(shop.sellers), market.prices)
    hull = shop.knowing()
    levels = np.array([float(s) * share for s, _ in hull[1:] for share in (1.0, 0.5)]) * (1 - 1e-12)
    right = np.array([float(along(hull, Q(u)) or 0) for u in levels])
    assert (known.at(levels) <= right * (1 + 1e-9) + 1e-12).all()
    if known.relaxed == 0 and (rule != "cut" or all((p.spend <= p.spend_if_failed).all() for p in market.providers)):
        np.testing.assert_allclose(known.at(levels), right, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=10, deadline=None)
@given(market=markets(believed=True), data=st.data())
def test_a_given_cascade_is_followed_attempt_by_attempt(rule: str, market: Market, data: st.DataObject) -> None:
    """Thresholds anywhere in their intervals; each level buys the shortest prefix that reaches it."""
    shop = solvable(market, rule)
    order = data.draw(st.permutations(list(shop.sellers)))
    parts = data.draw(st.lists(st.integers(0, 12), min_size=len(order), max_size=len(order)))
    whole = max(sum(parts), 12)
    at = [min(Q(part), shop.cap) if rule == "attempts" else shop.cap * part / whole for part in parts]
    levels = [0.05, 0.2, 0.35, 0.5, 0.65, 0.8, 0.95, 1.0]
    evaluated = [(market.names[i], float(b)) for i, b in zip(order, at, strict=True)]
    solution = solve(market, levels=levels, evaluated=evaluated, **asked(rule))
    assert solution.evaluated is not None
    prefixes = [shop.run(path) for path in prefixes_of(shop, order, at)]
    for u, units, path in zip(levels, solution.evaluated.resale.units.T, solution.evaluated.paths, strict=True):
        reaching = next((spent for solved, spent in prefixes if solved >= meant(u, [(s, Q(0)) for s, _ in prefixes])), None)
        if reaching is None:
            assert not np.isfinite(units).any()
            continue
        np.testing.assert_allclose(units, [float(spent) for spent in reaching], **CLOSE)
        within_its_interval(shop, path, u, units)


@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=10, deadline=None)
@given(market=st.one_of(markets(believed=True), markets(gift=True)), data=st.data())
def test_a_schedule_that_returns_is_followed_attempt_by_attempt(rule: str, market: Market, data: st.DataObject) -> None:
    """Any allotments, within the cap or not: under `cut` attempts are paused in their middle, and resumed."""
    market = replace(market, max_budget=20.0, max_attempts=20)
    shop = shop_of(market, rule)
    path = data.draw(paths_of(shop))
    terms = rules(market, **asked(rule))
    steps = all_steps(market, terms)
    blocks = positions(terms, steps, [(i, float(b)) for i, b in path])
    walked = walk(market, steps, blocks)
    solved, units = shop.run(path)
    assert walked.solved[-1] == pytest.approx(float(solved), abs=1e-12)
    np.testing.assert_allclose(walked.units[-1], [float(u) for u in units], **CLOSE)
    share, bill = tolls(market, steps, blocks, market.prices)
    assert (share[-1], bill[-1]) == pytest.approx((float(solved), float(shop.bill(units))), abs=1e-11)


@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=10, deadline=None)
@given(market=markets(sellers=(1, 1), believed=True), twelfths=st.integers(0, 80))
def test_curves_are_sums_over_luck(rule: str, market: Market, twelfths: int) -> None:
    market = replace(market, max_budget=20.0, max_attempts=20)
    shop = shop_of(market, rule)
    b = Q(twelfths // 12) if rule == "attempts" else Q(twelfths, 12)
    terms = rules(market, **asked(rule))
    ((_, at),) = positions(terms, all_steps(market, terms), [(0, float(b))])
    S, F = curves(market.providers[0], np.array([at]), terms)
    for x in shop.kinds:
        assert (S[x, 0], F[x, 0]) == pytest.approx(tuple(map(float, shop.one(0, x, b))), abs=1e-12)


def prefixes_of(shop: Shop, order: Sequence[int], at: Sequence[Q]) -> list[list[tuple[int, Q]]]:
    """Where a cascade may stop: after each threshold, and at every allotment before it at which some attempt ends or begins."""
    found: list[list[tuple[int, Q]]] = [[]]
    for stage, (i, t) in enumerate(zip(order, at, strict=True)):
        before = list(zip(order[:stage], at[:stage], strict=True))
        stops = sorted({b for _, b in shop.nodes(i)[1:] if b <= t} | ({t} if t else set()))
        found += [[*before, (i, b)] for b in stops]
    return found


DUPLICATES = {
    "finish lowers a cost": ("finish", (1, 2), (1, 2), (Q(1, 2), Q(1, 4)), 3, Q(19, 32), Q(21, 8), Q(5, 2)),
    "finish raises the reach": ("finish", (1,), (1,), (Q(1, 2),), 1, Q(3, 4), None, Q(3, 2)),
    "never": ("never", (1, 2), (1, 2), (Q(3, 4), Q(1)), 2, Q(15, 32), Q(13, 8), Q(5, 8)),
    "cut lowers a cost": ("cut", (1,), (2,), (Q(1, 4),), 3, Q(7, 16), Q(5, 2), Q(7, 4)),
    "cut raises the reach": ("cut", (1,), (2,), (Q(1, 2),), 2, Q(3, 4), None, Q(3, 2)),
}
"""The smallest markets that a random search found in which a provider's copy changes something: rule, w_s, w_f, p, cap, a
level, and its cost without and with the copy. Under `finish` every first attempt takes nothing of the cap, and two small
allotments round up twice; under `never` two allotments round down separately, and so leave out a dear problem; under `cut` a
copy is asked as soon as an attempt has outlasted what a success would cost."""


@pytest.mark.parametrize("told", DUPLICATES)
def test_a_duplicate_can_matter_where_money_is_allotted(told: str) -> None:
    rule, won, lost, odds, cap, level, alone, together = DUPLICATES[told]
    found = []
    for copies in (1, 2):
        providers = tuple(
            seller(name, Geometric(success=np.array(odds, dtype=float)), won, None if lost == won else lost)
            for name in "ab"[:copies]
        )
        market = Market(name=told, providers=providers, weights=np.full(len(won), 1 / len(won)), max_budget=cap)
        shop = shop_of(market, rule)
        right = alone if copies == 1 else together
        assert least(shop.schedules(), level) == right
        solution = solve(market, levels=[float(level)], **asked(rule))
        found.append(float(solution.schedule.policy.resale.buy_cost[0]))
        assert found[-1] == (np.inf if right is None else pytest.approx(float(right), rel=1e-12))
    assert found[0] != found[1]


@settings(max_examples=10, deadline=None)
@given(market=markets(sellers=(1, 2)), data=st.data())
def test_where_attempts_are_allotted_and_do_not_bind_a_duplicate_changes_nothing(market: Market, data: st.DataObject) -> None:
    """Copies of k and l attempts are one provider's k + l: a cap K on each lies between caps K and 2 K on the original."""
    assume(all(isinstance(p.odds, Geometric) for p in market.providers))
    solvable(market, "attempts")
    K = 2
    best = shop_of(market, "attempts", cap=K).schedules()
    levels = levels_of(best)
    now, later = (_costs(market, levels, allot="attempts", max_attempts=cap) for cap in (K, 2 * K))
    original = data.draw(st.sampled_from(market.providers))
    for worse in (False, True) if (original.spend <= original.spend_if_failed).all() else (False,):
        other = _like(original, worse=worse)
        wider = Market(name="wider", providers=(*market.providers, other), weights=market.weights)
        found = _costs(wider, levels, allot="attempts", max_attempts=K)
        assert (found >= later * (1 - 1e-9) - 1e-12).all()
        idle = np.isfinite(now) & np.isclose(now, later, **CLOSE)
        np.testing.assert_allclose(found[idle], now[idle], **CLOSE)


@settings(max_examples=10, deadline=None)
@given(market=markets(sellers=(1, 2)), data=st.data())
def test_under_cut_with_one_cost_an_attempt_a_duplicate_changes_nothing(market: Market, data: st.DataObject) -> None:
    """Money spent on a copy is better added to the original's clock: at every sum spent as much or more is solved."""
    providers = tuple(seller(p.name, p.odds, p.spend, price=p.price) for p in market.providers)
    market = Market(name="alike", providers=providers, weights=market.weights, max_budget=min(market.max_budget or 3.0, 3.0))
    shop = solvable(market, "cut")
    levels = levels_of(shop.schedules())
    original = data.draw(st.sampled_from(market.providers))
    for worse in (False, True) if isinstance(original.odds, Geometric) else (False,):
        wider = Market(
            name="wider",
            providers=(*providers, _like(original, worse=worse)),
            weights=market.weights,
            max_budget=market.max_budget,
        )
        np.testing.assert_allclose(_costs(wider, levels, **asked("cut")), _costs(market, levels, **asked("cut")), **CLOSE)


def _like(original: Provider, *, worse: bool) -> Provider:
    """A copy under another name; or one that succeeds half as often, at dearer attempts."""
    if not worse:
        return replace(original, name="other")
    assert isinstance(original.odds, Geometric)
    odds, dearer = Geometric(success=original.odds.success / 2), original.spend_if_failed + 0.5
    return seller("other", odds, original.spend + 0.5, dearer, price=original.price)


def test_a_provider_worse_and_dearer_in_every_outcome_can_be_of_use_where_a_success_costs_more_than_a_failure() -> None:
    """It fails more often, and so cheaply that its attempt costs less: `no cheaper` has to be said of the mean too."""
    able, worse = seller("able", Geometric(success=[0.5]), [3], [1]), seller("worse", Geometric(success=[0.25]), [4], [1])
    alone = Market(name="alone", providers=(able,), weights=[1.0], max_attempts=2)
    both = Market(name="both", providers=(able, worse), weights=[1.0], max_attempts=2)
    assert shop_of(both, "attempts").schedules()[1] == (Q(1, 4), Q(7, 4))
    np.testing.assert_allclose([_costs(m, [0.25], **asked("attempts")) for m in (alone, both)], [[2.0], [1.75]])


def _costs(market: Market, levels: Sequence[float], **how: object) -> np.ndarray:
    return solve(market, levels=levels, **how).schedule.policy.resale.buy_cost


def test_costs_by_outcome_are_read_from_logs_and_charged_as_they_fall(tmp_path: Path) -> None:
    """Four problems, two attempts each: 8.25; mean cost times expected attempts would be 9.375."""
    lines = [([1, 1], [1, 1]), ([1, 0], [1, 10]), ([0, 1], [10, 1]), ([0, 0], [10, 10])]
    log = tmp_path / "agent.jsonl"
    log.write_text("".join(json.dumps({"id": f"x{k}", "attempts": a, "costs": c}) + "\n" for k, (a, c) in enumerate(lines)))
    market = load(log)
    (agent,) = market.providers
    np.testing.assert_array_equal(agent.spend, [1, 1, 1, 10])
    np.testing.assert_array_equal(agent.spend_if_failed, [1, 10, 10, 10])
    solution = solve(market, levels=[0.75], allot="attempts", evaluated=[("agent", 2)])
    assert solution.evaluated is not None
    np.testing.assert_allclose(solution.evaluated.resale.units, [[8.25]])
    np.testing.assert_allclose(solution.offers.cost, [[8.25]])


@pytest.mark.parametrize("points", [2, 3, 5])
@settings(max_examples=10, deadline=None)
@given(market=markets(sellers=(3, 3)))
def test_a_thinned_grid_keeps_the_first_attempt(points: int, market: Market) -> None:
    """Under `finish` no allotment buys less: a grid without the first node would overlook what everybody buys first."""
    solvable(market, "finish")
    made = technology(market, points=points, **asked("finish"))
    assert isinstance(made, Technology)
    for axis, i in zip(made.grid, made.access, strict=True):
        if made.steps[i].at.size:
            assert list(axis[:2]) == [0.0, made.steps[i].at[0]]


def test_a_tenth_begins_three_times_within_three_tenths_under_every_rule() -> None:
    """0.1 + 0.1 + 0.1 is a hair more than 0.3 in floating point, and 3 times 0.1 too."""
    for rule in ("finish", "cut", "never"):
        for w, b, k in [(0.1, 0.3, 3), (0.1, 0.7, 7), (0.07, 0.21, 3), (0.3, 0.3, 1)]:
            provider = seller("a", Geometric(success=[0.5]), [w])
            market = Market(name="cents", providers=(provider,), weights=[1.0], max_budget=b)
            reach = 1 - 0.5**k
            solution = solve(market, levels=[reach, reach + 1e-6], evaluated=[("a", b)], **asked(rule))
            assert solution.evaluated is not None
            for cost in (solution.evaluated.resale.buy_cost, solution.offers.cost[0], solution.schedule.policy.resale.buy_cost):
                np.testing.assert_allclose(cost, [2 * w * reach, np.inf], rtol=1e-9)
