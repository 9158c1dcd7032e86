"""Calibration: what the logs say survives; what makes no sense is refused."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from published import DATA, needs_logs
from scipy import special

from eqsolver._base import FloatArray, UsageError
from eqsolver.estimate import Calibration, Goals, _calibrate, _improve, _margins, _play, calibrate
from eqsolver.estimate._aims import Watched, aim, sold_from, watched
from eqsolver.estimate._classes import FINEST, ODDS, Classes, jumps, largest_pass_error, pass_rows, steered, varied
from eqsolver.estimate._finish import Finish
from eqsolver.estimate._groups import blended, group_classes, neighbours
from eqsolver.estimate._improve import Fitted
from eqsolver.estimate._margins import cheapest, listed_steps
from eqsolver.estimate._misfit import Evidence, Misfit
from eqsolver.estimate._play import price_error, purchases, stalls
from eqsolver.estimate._policies import policies
from eqsolver.estimate._slide import slid
from eqsolver.estimate._weights import PassRows, best_weights, merit
from eqsolver.market import Geometric, Market, Provider, Sampled, load
from eqsolver.technology import all_steps, offered_reach, rules, schedules, technology, walk

CAP = 1.0
KNOWN = Market(
    name="three kinds of problems",
    providers=(
        Provider(name="a", odds=Geometric(success=[0.9, 0.25, 0.0]), spend=[0.11, 0.13, 0.17]),
        Provider(name="b", odds=Geometric(success=[0.5, 0.0, 0.125]), spend=[0.07, 0.19, 0.05]),
    ),
    weights=[0.5, 0.25, 0.25],
    max_budget=CAP,
)
MANY = 2000


def logged(market: Market, attempts: int) -> Market:
    """Logs that record exactly the expected number of successes."""
    return replace(
        market,
        providers=tuple(
            replace(
                p,
                odds=Sampled(
                    attempts=np.full(len(p.odds), attempts),
                    successes=np.rint(attempts * p.odds.success).astype(int),
                ),
            )
            for p in market.providers
            if isinstance(p.odds, Geometric)
        ),
    )


def few_logs(problems: int = 24) -> Market:
    rng = np.random.default_rng(5)
    n = rng.integers(1, 6, size=(2, problems))
    return Market(
        name="few attempts",
        providers=tuple(
            Provider(
                name=name,
                odds=Sampled(attempts=n[i], successes=rng.binomial(n[i], rng.beta(0.5, 0.5, problems))),
                spend=rng.lognormal(np.log(0.05), 0.5, problems),
            )
            for i, name in enumerate("ab")
        ),
        weights=np.full(problems, 1 / problems),
        max_budget=CAP,
    )


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer rounds of less work: these tests are about what holds for any fit."""
    monkeypatch.setattr(_calibrate, "ROUNDS", 1)
    monkeypatch.setattr(_calibrate, "SIZES", (16,))
    monkeypatch.setattr(_calibrate, "GENERATIONS", 2)
    monkeypatch.setattr(_calibrate, "MOVES", 2)
    monkeypatch.setattr(_improve, "VARIED", 100)
    monkeypatch.setattr(_improve, "BLENDED", 100)
    monkeypatch.setattr(_margins, "MAX_NODES", 10_000)
    monkeypatch.setattr(_margins, "LEVELS", 30)
    monkeypatch.setattr(_play, "LEVELS", 30)
    monkeypatch.setattr(_play, "NODES", 1600)
    monkeypatch.setattr(_play, "VALUES", 8)


@pytest.fixture
def fewer_classes_than_problems(quick: None) -> Calibration:
    return calibrate(few_logs(), classes=12)


def passed(market: Market, name: str, budgets: FloatArray) -> FloatArray:
    """Pass at each budget from the definition, one problem and one binomial at a time."""
    provider = market.providers[market.names.index(name)]
    total = np.zeros(budgets.size)
    for x, (q, w) in enumerate(zip(market.weights, provider.spend, strict=True)):
        k = np.where(budgets > 0, np.floor(budgets * (1 + 1e-12) / w) + 1, 0)  # positions under finish
        if isinstance(provider.odds, Geometric):
            total += q * (1 - (1 - provider.odds.success[x]) ** k)
        else:
            n, c = provider.odds.attempts[x], provider.odds.successes[x]
            total += q * (1 - special.comb(n - c, k) / special.comb(n, k) if c and k.max() <= n else solved(n, c, k))
    return total


def solved(n: int, c: int, k: FloatArray) -> FloatArray:
    if c == 0:
        return np.zeros(k.size)
    used = np.minimum(k, n)
    return np.where(k > n - c, 1.0, 1 - special.comb(n - c, used) / special.comb(n, used))


def test_known_classes_are_recovered_from_plentiful_logs(quick: None) -> None:
    found = calibrate(logged(KNOWN, MANY), classes=8, single=True)
    assert found.classes <= 8
    budgets = np.linspace(0, CAP, 999)
    for name in KNOWN.names:
        np.testing.assert_allclose(passed(found.market, name, budgets), passed(KNOWN, name, budgets), atol=0.005)


def test_a_calibration_is_a_specification_with_the_logs_names_and_prices_and_cap(
    fewer_classes_than_problems: Calibration,
) -> None:
    found, logs = fewer_classes_than_problems, few_logs()
    assert found.market.names == logs.names
    assert found.market.max_budget == CAP
    assert all(isinstance(p.odds, Geometric) for p in found.market.providers)
    assert (found.market.prices == logs.prices).all()
    assert found.classes <= 12
    assert abs(found.market.weights.sum() - 1) < 1e-12


def test_the_reported_pass_error_bounds_an_independent_dense_evaluation(
    fewer_classes_than_problems: Calibration,
) -> None:
    found, logs = fewer_classes_than_problems, few_logs()
    for name, reported in found.pass_error.items():
        spend = np.concatenate([market.restrict([name]).providers[0].spend for market in (logs, found.market)])
        steps = (spend[:, None] * np.arange(1, 25)).ravel()
        steps = steps[steps < CAP]
        dense = np.concatenate([np.linspace(0, CAP * (1 - 1e-11), 20_001), steps * (1 + 1e-9), steps * (1 - 1e-9)])
        gap = np.abs(passed(found.market, name, dense) - passed(logs, name, dense)).max()
        assert gap <= reported + 1e-12
        assert gap >= reported - 0.002, "and it is not a loose one"


def test_the_same_seed_gives_the_same_classes(fewer_classes_than_problems: Calibration) -> None:
    again = calibrate(few_logs(), classes=12)
    assert (again.market.weights == fewer_classes_than_problems.market.weights).all()
    for one, other in zip(again.market.providers, fewer_classes_than_problems.market.providers, strict=True):
        assert (one.spend == other.spend).all()


def test_a_single_class_is_possible(quick: None) -> None:
    found = calibrate(few_logs(), classes=1)
    assert found.classes == 1
    assert not found.met


def test_a_provider_that_never_succeeds_keeps_its_place(quick: None) -> None:
    logs = few_logs()
    useless = replace(logs.providers[1], odds=Sampled(attempts=np.full(24, 3), successes=np.zeros(24)))
    found = calibrate(replace(logs, providers=(logs.providers[0], useless)), classes=24)
    assert found.pass_error["b"] == 0.0


def test_one_provider_alone_can_be_calibrated(quick: None) -> None:
    found = calibrate(few_logs().restrict(["a"]), classes=24)
    assert list(found.pass_error) == ["a"]


def test_half_of_the_classes_are_tried_first_and_no_more_than_the_goals_need(
    quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_calibrate, "SIZES", (8, 16))
    easy = Goals(pass_error=1.0, margin_mean=1.0, margin_worst=1.0, prices=100.0)
    assert calibrate(few_logs(), classes=12, goals=easy).classes <= 6
    limits: list[int] = []

    def recorded(now: Fitted, misfit: Misfit, **asked: Any) -> Fitted:
        limits.append(asked["limit"])
        return _improve.improve(now, misfit, **asked)

    monkeypatch.setattr(_calibrate, "improve", recorded)
    hard = Goals(pass_error=1e-4, margin_mean=1e-4, margin_worst=1e-4)
    found = calibrate(few_logs(), classes=12, goals=hard)
    assert not found.met
    assert found.classes <= 12
    assert limits == [6, 12]
    limits.clear()
    calibrate(few_logs().restrict(["a"]), classes=6, least=6, rounds=2, goals=hard)
    assert limits == [6, 6]


def test_the_price_of_pass_errors_is_bisected_within_a_round(quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """It rises while pass is the further from its goal, falls while margins are, and ends between the two."""
    prices: list[float] = []

    def recorded(now: Fitted, misfit: Misfit) -> Fitted:
        prices.append(misfit.price)
        return _improve.settle(now, misfit)

    told: list[str] = []
    monkeypatch.setattr(_calibrate, "settle", recorded)
    monkeypatch.setattr(_calibrate, "PRICES", 6)
    monkeypatch.setattr(_calibrate, "MOVES", 0)
    monkeypatch.setattr(_calibrate, "HELPS", np.inf)
    goals = Goals(pass_error=0.002, margin_mean=0.002, margin_worst=0.004)
    calibrate(few_logs(), classes=8, goals=goals, progress=told.append)
    lines = [[float(word) / 100 for word in line.split() if "." in word] for line in told if "points" in line]
    low, high = 0.0, np.inf
    for price, (of_pass, mean, worst, _) in zip(prices, lines, strict=True):
        assert low <= price <= high
        if of_pass / 0.002 > max(mean / 0.002, worst / 0.004):
            low = price
        else:
            high = price
    assert len(set(prices)) == 6


def test_no_more_prices_are_tried_where_a_price_changes_nothing(quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    prices: list[float] = []

    def indifferent(now: Fitted, misfit: Misfit) -> Fitted:
        prices.append(misfit.price)
        return _improve.settle(now, replace(misfit, price=1.0))

    monkeypatch.setattr(_calibrate, "settle", indifferent)
    monkeypatch.setattr(_calibrate, "PRICES", 6)
    calibrate(few_logs(), classes=8, goals=Goals(pass_error=1e-4, margin_mean=1e-4, margin_worst=1e-4))
    assert len(prices) == 2


def test_the_fit_returned_is_the_closest_of_all_rounds(quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_calibrate, "ROUNDS", 3)
    told: list[str] = []
    goals = Goals(pass_error=0.01, margin_mean=0.002, margin_worst=0.004)
    found = calibrate(few_logs(), classes=8, goals=goals, progress=told.append)
    distances = []
    for line in told:
        if "points" in line:
            passed_by, mean, worst, off = (float(word) / 100 for word in line.split() if "." in word)
            distances.append((max(1.0, passed_by / 0.01, mean / 0.002, worst / 0.004), off))
    assert _calibrate._distance(found) == pytest.approx(min(distances), rel=0.05)


@pytest.mark.parametrize(
    ("market", "options", "message"),
    [
        (replace(few_logs(), max_budget=None), {"classes": 4}, "max_budget"),
        (few_logs(), {"classes": 0}, "at least 1 class"),
        (few_logs(), {"classes": 4, "rounds": 0}, "rounds = 0"),
        (few_logs(), {"classes": 4, "least": 5}, "least = 5"),
        (few_logs(), {"classes": 4, "max_budget": -1.0}, "must be positive"),
        (KNOWN, {"classes": 4}, "given by classes already"),
    ],
)
def test_what_makes_no_sense_is_refused(market: Market, options: dict[str, float], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        calibrate(market, **options)


PATHS = ((), ((0, 0.3),), ((1, 0.21), (0, 0.4), (1, 0.5)), ((0, 0.25), (1, 0.5), (0, 0.3)), ((1, 0.21),))


@pytest.mark.parametrize("market", [KNOWN, few_logs()], ids=["classes", "logs"])
def test_policies_solve_and_cost_what_walking_their_paths_does(market: Market) -> None:
    solved, taken = policies(PATHS, 2).on([p.odds for p in market.providers], [p.spend for p in market.providers], [1, 1])
    steps = all_steps(market, rules(market))
    for k, path in enumerate(PATHS):
        walked = walk(market, steps, path)
        assert market.weights @ solved[:, k] == pytest.approx(walked.solved[-1], abs=1e-12)
        for i in range(2):
            assert market.weights @ taken[i][:, k] == pytest.approx(walked.units[-1, i], rel=1e-9, abs=1e-12)


def test_rows_are_cost_net_of_what_solving_more_would_cost_solved_and_paid_to_each() -> None:
    """From the definition, by walking each path of one market."""
    part = watched(few_logs(), ["a", "b"], CAP)
    cheaper = part.logs.at_prices({"a": 0.3})
    found_there = [purchases(cheaper, stall, CAP) for stall in part.stalls]
    before = len(part.wanted.paths)
    part = part.with_policies_of(cheapest(cheaper, part.levels, CAP), found_there)
    assert len(part.wanted.paths) > before
    found, wanted = aim(part), part.wanted
    rows = part.logs.weights @ found.rows(
        [p.odds for p in part.logs.providers], [p.spend for p in part.logs.providers], [1.0, 1.0]
    )
    steps = all_steps(part.logs, rules(part.logs, max_budget=CAP))
    P = len(wanted.paths)
    assert rows.shape == (4 * P,)
    for k in range(0, P, 7):
        walked = walk(part.logs, steps, wanted.paths[k])
        cost, solved = walked.units[-1] @ wanted.prices[k], walked.solved[-1]
        weight = 0.5 if wanted.level[k] < 0 else 1.0
        net = (cost - wanted.slope[k] * solved) / (0.01 * wanted.cost[k])
        assert rows[k] == pytest.approx(weight * net, rel=1e-6, abs=1e-6)
        assert rows[P + k] == pytest.approx(weight * solved / 0.003, rel=1e-6, abs=1e-6)
        for i in range(2):
            paid = walked.units[-1, i] * wanted.prices[k, i] / (0.01 * wanted.cost[k])
            assert rows[(2 + i) * P + k] == pytest.approx(weight * paid / 2, rel=1e-6, abs=1e-6)


def test_purchases_are_the_best_of_all_schedules_for_each_value() -> None:
    logs = few_logs()
    for stall in stalls(logs, CAP):
        bought = purchases(logs, stall, CAP)
        made = technology(logs.restrict([logs.names[i] for i in stall.sellers]), max_budget=CAP, points=60)
        m = stall.prices[list(stall.sellers)]
        levels = np.linspace(0.005, offered_reach(listed_steps(logs, CAP), logs.weights), 150)
        cost = schedules(made, m, levels).cost
        best = np.maximum((stall.values[:, None] * levels - cost).max(axis=1), 0.0)
        steps = all_steps(logs, rules(logs, max_budget=CAP))
        for k, path in enumerate(bought.paths):
            walked = walk(logs, steps, path)
            paid = walked.units[-1] * stall.prices
            assert bought.paid[k] == pytest.approx(paid, rel=1e-9, abs=1e-12)
            assert bought.gain[k] <= stall.values[k] * walked.solved[-1] - paid.sum() + 1e-9
            assert bought.gain[k] >= best[k] - 0.01 * stall.values[k]
        assert set(np.flatnonzero(bought.paid.sum(axis=0))) <= set(stall.sellers)


def test_stalls_are_each_provider_alone_and_all_at_other_prices() -> None:
    found = stalls(few_logs(), CAP)
    assert [stall.sellers for stall in found] == [(0,), (1,)] + 7 * [(0, 1)]
    ratios = sorted(float(stall.prices[0] / stall.prices[1]) for stall in found[2:])
    np.testing.assert_allclose(ratios, [1 / 2.8, 1 / 2, 1 / 1.4, 1, 1.4, 2, 2.8])
    assert all((np.diff(stall.values) > 0).all() for stall in found)


def test_the_price_error_is_the_share_by_which_prices_were_changed() -> None:
    """Buyers lose, to first order, what they pay times the change of prices."""
    logs = few_logs()
    places = stalls(logs, CAP)
    dearer = replace(logs, providers=tuple(replace(p, spend=1.001 * p.spend) for p in logs.providers))
    now = [purchases(logs, place, CAP) for place in places]
    then = [purchases(dearer, place, 1.001 * CAP) for place in places]
    assert price_error(now, now) == 0.0
    assert price_error(then, now) == pytest.approx(0.001, rel=0.05)


def no_rows(classes: int) -> PassRows:
    none = np.zeros(1)
    return PassRows(
        budgets=np.ones(1),
        solved=none,
        below=np.full(1, 0.01),
        above=np.full(1, 0.01),
        by_class=np.zeros((classes, 1)),
        entered=none > 0,
    )


def test_weights_are_those_of_least_squares_and_leaving_a_class_out_costs_its_loss() -> None:
    rng = np.random.default_rng(3)
    rows, q = rng.normal(size=(5, 40)), np.array([0.1, 0.2, 0.3, 0.15, 0.25])
    rows = np.hstack([rows, np.full((5, 1), 1e3)])  # the sum of weights, firmly
    target = q @ rows + np.append(0.05 * rng.normal(size=40), 0.0)
    found = best_weights(np.full(5, 0.2), rows, target, [no_rows(5)], 1.0, 1)
    expected = np.linalg.lstsq(rows.T, target)[0]
    np.testing.assert_allclose(found.weights, expected, atol=1e-4)
    misfit = ((expected @ rows - target) ** 2).sum()
    for k in range(5):
        others = np.delete(rows, k, axis=0)
        without = np.linalg.lstsq(others.T, target)[0]
        assert found.loss[k] == pytest.approx(((without @ others - target) ** 2).sum() - misfit, rel=0.02)


def test_pass_stays_within_the_tolerance_and_its_price_is_the_derivative() -> None:
    """Two classes; least squares alone would put pass off by 0.2, twice what is tolerated."""
    rows, target = np.eye(2), np.array([0.5, 0.5])

    def held(solved: float, start: FloatArray) -> tuple[FloatArray, float, float]:
        p = PassRows(
            budgets=np.array([0.5, 1.0]),
            solved=np.array([solved, 1.0]),
            below=np.full(2, 0.1),
            above=np.full(2, 0.1),
            by_class=np.array([[1.0, 1.0], [0.0, 1.0]]),
            entered=np.zeros(2, dtype=bool),
        )
        found = best_weights(start, rows, target, [p], 1.0, 2)
        return found.weights, float(((found.weights @ rows - target) ** 2).sum()), float(found.by_pass[0][0])

    start = np.array([0.5, 0.5])
    off = replace(
        no_rows(2),
        budgets=np.array([0.5, 1.0]),
        solved=np.array([0.7, 1.0]),
        below=np.full(2, 0.1),
        above=np.full(2, 0.1),
        by_class=np.array([[1.0, 1.0], [0.0, 1.0]]),
    )
    assert merit(start, rows, target, [off], 3.0) == pytest.approx(3.0), "off by twice what is as good, so once too much"
    assert merit(np.array([0.6, 0.4]), rows, target, [off], 3.0) == pytest.approx(0.01)
    q, _, price = held(0.7, start)
    np.testing.assert_allclose(q, [0.6, 0.4], atol=1e-4)
    h = 1e-3
    slope = (held(0.7 + h, start)[1] - held(0.7 - h, start)[1]) / (2 * h) / 2  # mean over two rows
    assert price == pytest.approx(-slope, rel=0.05)


def test_varied_classes_keep_what_is_never_solved_and_are_reproducible() -> None:
    classes = Classes(weights=np.array([0.7, 0.3]), success=np.array([[0.0, 0.5], [1.0, 0.2]]), spend=np.full((2, 2), 0.1))
    anchors = [np.array([0.101]), np.zeros(0)]
    one, other = (varied(classes, 200, anchors, np.random.default_rng(4)) for _ in range(2))
    assert (one.success == other.success).all()
    assert (one.spend == other.spend).all()
    assert ((one.success >= 0) & (one.success <= 1) & (one.spend > 0)).all()
    assert (one.success[0] == 0).any()
    assert (one.spend[0] == 0.101).any(), "some are put exactly where the logs jump"
    assert not (one.weights > 0).any()


def test_steered_classes_cost_just_what_budgets_do_and_solve_something_there() -> None:
    classes = Classes(weights=np.array([0.7, 0.3]), success=np.array([[0.0, 0.5], [1.0, 0.2]]), spend=np.full((2, 2), 0.1))
    budgets = np.array([0.05, 0.2, 0.2])
    found = steered(classes, 0, budgets, np.random.default_rng(1))
    np.testing.assert_array_equal(found.spend[0], budgets)
    assert (found.success[0] > 0).all(), "of the two classes only the second is ever solved by the first provider"
    np.testing.assert_allclose(found.success[1], 0.2)
    np.testing.assert_allclose(found.spend[1], 0.1, rtol=0.1)
    never = replace(classes, success=np.zeros((2, 2)))
    assert steered(never, 0, budgets, np.random.default_rng(1)).weights.size == 0


def misfit_of(logs: Market, tolerance: float) -> Misfit:
    watch = watched(logs, logs.names, CAP)
    odds = [p.odds for p in logs.providers if isinstance(p.odds, Sampled)]
    evidence = Evidence.of(odds, [p.spend for p in logs.providers], logs.weights, CAP, sold_from([watch], len(odds)))
    return Misfit.of(evidence, [aim(watch)], tolerance=tolerance, price=0.1)


def test_classes_slide_to_where_the_logs_are() -> None:
    """The odds of known classes are found again in four steps."""
    misfit = misfit_of(logged(KNOWN, MANY), 0.005)
    success = np.array([[0.9, 0.25, 0.0], [0.5, 0.0, 0.125]])
    off = np.array([[1.04, 0.97, 1.03], [0.98, 1.02, 0.96]])
    now = Classes(weights=KNOWN.weights, success=success * off, spend=np.stack([p.spend for p in KNOWN.providers]))
    state = _improve._settled(misfit, now, misfit.rows(now), [np.zeros(0)] * 2)
    first = state.merit
    for reach in (0.03, 0.03, 0.01, 0.01):
        now = slid(misfit, state.classes, state.rows, state.passes, state.found, reach, 2)
        state = _improve._settled(misfit, now, misfit.rows(now), state.held)
    true = replace(now, weights=KNOWN.weights, success=success)
    best = _improve._settled(misfit, true, misfit.rows(true), [np.zeros(0)] * 2).merit
    assert state.merit <= 1.05 * best < 0.1 * first
    np.testing.assert_allclose(state.classes.success, success, atol=0.002)
    np.testing.assert_allclose(state.classes.weights, KNOWN.weights, atol=0.002)


def test_the_slope_of_a_class_is_what_its_weight_adds_to_the_misfit() -> None:
    """By finite differences, with pass held nowhere; the derivative by pass has a test of its own."""
    misfit = misfit_of(few_logs(), 10.0)
    misfit = replace(misfit, price=1e-9)
    logs = misfit.evidence
    now = group_classes(list(logs.odds), list(logs.spend), logs.weights, CAP, 6)
    state = _improve._settled(misfit, now, misfit.rows(now), [np.zeros(0)] * 2)
    tried = blended(logs.odds, logs.spend, logs.near, 40, np.random.default_rng(2))
    slope = misfit.slope(tried, state.passes, state.found)

    def missed(added: FloatArray) -> float:
        return float(((state.found.weights @ state.rows + added - misfit.target) ** 2).mean())

    h = 1e-5
    expected = [(missed(h * row) - missed(-h * row)) / (2 * h) for row in misfit.rows(tried)]
    np.testing.assert_allclose(slope, expected, rtol=1e-4, atol=1e-6 * np.abs(expected).max())
    assert slope.min() < 0 < slope.max()


def coarse_fit(seed: int) -> tuple[Calibration, Market, list[Watched], Evidence]:
    """Eight classes for few logs, and what they are judged by."""
    logs = few_logs()
    watch = [watched(logs, logs.names, CAP)]
    sampled = [p.odds for p in logs.providers if isinstance(p.odds, Sampled)]
    largest = rules(logs).largest_position
    evidence = Evidence.of(sampled, [p.spend for p in logs.providers], logs.weights, largest, sold_from(watch, 2))
    return calibrate(logs, classes=8, seed=seed), logs, watch, evidence


@pytest.mark.parametrize("reach", [1e-4, 0.004, 0.1])
def test_moved_weights_keep_what_they_foresee(quick: None, monkeypatch: pytest.MonkeyPatch, reach: float) -> None:
    """Pass is linear in the weights, so the foreseen error bounds it at every step; nothing foreseen is worse than what is."""
    monkeypatch.setattr(_calibrate, "MOVES", 0)
    made, logs, watch, evidence = coarse_fit(0)
    success, spend = (np.stack(rows) for rows in zip(*((p.odds.success, p.spend) for p in made.market.providers), strict=True))
    classes = Classes(weights=made.market.weights, success=success, spend=spend)
    goals = Goals()
    finish = Finish.of(classes, evidence, watch, pass_error=goals.pass_error, margin_error=goals.margin_worst)
    found = [cheapest(made.market, watch[0].levels, CAP)]
    finish.learn(found)
    now = max(_calibrate._distances(made))
    moved = finish.moved(classes.weights, found, now, reach)
    assert moved is not None
    assert moved.foreseen <= now * (1 + 1e-6)
    assert moved.weights.sum() == pytest.approx(1.0)
    assert (moved.weights >= 0).all()
    assert np.abs(moved.weights - classes.weights).sum() <= reach + 1e-6  # what the solver takes for equal
    for i, provider in enumerate(logs.providers):
        at = np.array([CAP])
        np.testing.assert_allclose(
            passed(made.market.reweighted(moved.weights), provider.name, at),
            passed(made.market, provider.name, at),
            atol=1e-7,
        )
        after = replace(classes, weights=moved.weights).take(moved.weights > 0)
        error = largest_pass_error(evidence.odds[i], evidence.spend[i], evidence.weights, after, i, CAP)
        assert error <= moved.foreseen * goals.pass_error * (1 + 1e-3) + 1e-8
    if reach == 0.1:
        assert moved.foreseen < 0.999 * now, "and on these logs something can be foreseen"


def test_a_calibration_goes_on_from_a_specification(quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_calibrate, "MOVES", 0)
    first = calibrate(few_logs(), classes=8)
    same = calibrate(few_logs(), classes=8, start=first.market, rounds=0)
    assert _calibrate._distances(same) == pytest.approx(_calibrate._distances(first))
    turned = few_logs().restrict(["b", "a"])
    assert _calibrate._distances(calibrate(turned, classes=8, start=first.market, rounds=0)) == pytest.approx(
        _calibrate._distances(first)
    ), "whatever the order of the providers"
    better = calibrate(few_logs(), classes=8, start=first.market, rounds=1, seed=1)
    assert _calibrate._distance(better) <= _calibrate._distance(first)
    for start, message in ((KNOWN.restrict(["a"]), "is of a, not of a, b"), (few_logs(), "given by logs, not by classes")):
        with pytest.raises(UsageError, match=message):
            calibrate(few_logs(), classes=8, start=start)
    with pytest.raises(UsageError, match="at least 1, or 0 with a start"):
        calibrate(few_logs(), classes=8, rounds=0)


def test_moves_are_kept_only_where_the_goal_missed_by_most_is_missed_by_less(
    quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missed(seed: int, moves: int) -> float:
        monkeypatch.setattr(_calibrate, "MOVES", moves)
        return max(_calibrate._distances(calibrate(few_logs(), classes=8, seed=seed)))

    before, after = (np.array([missed(seed, moves) for seed in range(3)]) for moves in (0, 8))
    assert (before > 1).all(), "otherwise nothing is to be moved"
    assert (after <= before).all()
    assert after.mean() < 0.98 * before.mean()


@pytest.mark.parametrize("seed", range(3))
def test_classes_never_get_worse_and_stay_within_their_number(quick: None, seed: int) -> None:
    misfit = misfit_of(few_logs(), 0.01)
    logs = misfit.evidence
    now = Fitted(
        classes=group_classes(list(logs.odds), list(logs.spend), logs.weights, CAP, 12), held=(np.zeros(0), np.zeros(0))
    )
    first = _improve._within(10, misfit, now.classes, misfit.rows(now.classes), now.held)
    found = _improve.improve(now, misfit, limit=10, generations=2, rng=np.random.default_rng(seed))
    last = misfit.merit(
        found.classes.weights, misfit.rows(found.classes), misfit.passes(found.classes, found.held, exactly=False)
    )
    assert last <= first.merit * (1 + 1e-9)
    assert last < 0.9 * first.merit, "and on these logs they do get better"
    assert (found.classes.weights > 2e-6).sum() <= 10


def test_what_does_not_help_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    misfit = misfit_of(few_logs(), 0.01)
    logs = misfit.evidence
    now = group_classes(list(logs.odds), list(logs.spend), logs.weights, CAP, 6)
    start = Fitted(classes=now, held=(np.zeros(0), np.zeros(0)))

    def astray(state: _improve._Weighed, *_: object) -> tuple[_improve._Weighed, float]:
        return replace(state, classes=replace(state.classes, spend=2 * state.classes.spend), merit=np.inf), 0.01

    monkeypatch.setattr(_improve, "_slid", astray)
    found = _improve.improve(start, misfit, limit=6, generations=2, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(found.classes.spend, now.spend)


def test_decided_classes_cost_what_the_first_success_of_a_shuffled_log_does() -> None:
    """One success among four attempts: it is as likely to be any of them."""
    odds = [Sampled(attempts=np.array([4, 4]), successes=np.array([1, 1]))]
    near = neighbours(odds, [np.array([0.1, 0.1])], CAP)
    found = blended(odds, [np.array([0.1, 0.1])], near, 4000, np.random.default_rng(0))
    decided = found.success[0] == 1
    assert 0.3 < decided.mean() < 0.6, "a third of them always, another third with a chance of 0.3"
    np.testing.assert_allclose(found.success[0, ~decided], 0.25)
    tries = np.rint(found.spend[0, decided] / 0.1)
    assert np.bincount(tries.astype(int), minlength=5)[1:5] / decided.sum() == pytest.approx(np.full(4, 0.25), abs=0.04)
    np.testing.assert_allclose(np.median(found.spend[0, ~decided]), 0.1, rtol=0.01)


def test_a_class_slides_no_further_than_it_may() -> None:
    misfit = misfit_of(few_logs(), 0.05)
    logs = misfit.evidence
    now = group_classes(list(logs.odds), list(logs.spend), logs.weights, CAP, 12)
    state = _improve._settled(misfit, now, misfit.rows(now), [np.zeros(0)] * 2)
    there = slid(misfit, state.classes, state.rows, state.passes, state.found, 0.02, 2)
    kept = [int(np.abs(np.log(now.spend / w[:, None])).max(axis=0).argmin()) for w in there.spend.T]
    assert len(set(kept)) == len(kept), "each is one of those before"
    cost = np.abs(np.log(there.spend / now.spend[:, kept]))
    odds = np.abs(special.logit(np.clip(there.success, *ODDS)) - special.logit(np.clip(now.success[:, kept], *ODDS)))
    assert cost.max() <= 0.02 + 1e-9
    assert odds.max() <= 8 * 0.02 + 1e-6
    assert odds.max() > 0.01, "and some do"
    never = now.success[:, kept] == 0
    assert (there.success[never] == 0).all()


def test_blends_lie_between_two_problems_and_some_are_decided_by_their_first_attempt() -> None:
    logs = few_logs()
    odds, spend = [p.odds for p in logs.providers if isinstance(p.odds, Sampled)], [p.spend for p in logs.providers]
    near = neighbours(odds, spend, CAP)
    assert near.shape == (24, 5)
    assert not (near == np.arange(24)[:, None]).any()
    found = blended(odds, spend, near, 400, np.random.default_rng(0))
    success, cost = np.stack([o.successes / o.attempts for o in odds]), np.log(np.stack(spend))
    x, y = np.repeat(np.arange(24), 5), near.ravel()
    part = np.linspace(0.25, 0.75, 51)[:, None, None]
    between = (1 - part) * success[:, x] + part * success[:, y]  # (51, 2, pairs)
    undecided = (found.success < 1).all(axis=0)
    assert 50 < undecided.sum() < 300
    for p in found.success[:, undecided].T:
        assert np.abs(between - p[:, None]).max(axis=1).min() < 0.01
    dearest = np.stack([(o.attempts - o.successes + 1) for o in odds]) * np.exp(cost)
    assert (np.log(found.spend.max(axis=1)) <= np.log(dearest.max(axis=1)) + 0.3).all()
    assert (found.success[:, ~undecided] == 1).any(axis=0).all()
    assert blended(odds, spend, near[:, :0], 9, np.random.default_rng(0)).weights.size == 0


def test_pass_is_as_good_at_a_budget_that_is_right_but_for_a_little() -> None:
    """Where the logs' curve is flat a little more pass is not; nothing is finer than `FINEST` or coarser than the tolerance."""
    odds = Sampled(attempts=np.array([2, 4]), successes=np.array([2, 1]))
    spend, weights = np.array([0.1, 0.2]), np.array([0.5, 0.5])
    classes = Classes(weights=np.ones(1), success=np.full((1, 1), 0.625), spend=np.full((1, 1), 0.2))
    budgets = np.array([0.15, 0.199, 0.3, 0.59, 1.0])
    found = pass_rows(odds, spend, weights, classes, 0, budgets, entered=budgets < 0, tolerance=0.2, sold_from=0.19)
    np.testing.assert_allclose(found.solved, [0.625, 0.625, 0.75, 0.875, 1.0])
    np.testing.assert_allclose(found.above, [0.2, 0.125, FINEST, 0.125, FINEST])
    np.testing.assert_allclose(found.below, [0.2, FINEST, FINEST, FINEST, FINEST])
    np.testing.assert_allclose(found.error(np.array([1.0]))[0], 0.0, atol=1e-12)
    more = replace(found, by_class=found.solved + np.array([[-0.1, 0.125, 2 * FINEST, -2 * FINEST, 0.0]]))
    np.testing.assert_allclose(more.error(np.array([1.0])), [-0.5, 1.0, 2.0, -2.0, 0.0], rtol=1e-9)


def test_classes_may_be_single_problems_where_that_is_asked_for() -> None:
    logs = few_logs()
    odds, spend = [p.odds for p in logs.providers if isinstance(p.odds, Sampled)], [p.spend for p in logs.providers]
    for single, most in ((True, 1e-12), (False, np.inf)):
        found = group_classes(odds, spend, logs.weights, CAP, 24, single=single)
        apart = np.abs(np.log(found.spend / np.stack(spend))).max(axis=0)
        assert (apart <= most).all()
        assert (apart < 1e-3).all() == single


def test_no_class_shows_the_costs_of_a_problem_and_few_its_odds() -> None:
    """Odds may be those of two problems that are alike."""
    logs = few_logs()
    odds, spend = [p.odds for p in logs.providers], [p.spend for p in logs.providers]
    assert all(isinstance(o, Sampled) for o in odds)
    found = group_classes([o for o in odds if isinstance(o, Sampled)], spend, logs.weights, CAP, 23)
    assert found.weights.size >= 20, "most problems are alone in their class"
    apart = np.abs(np.log(found.spend[:, :, None] / np.stack(spend)[:, None, :])).max(axis=0)
    assert apart.min() > 1e-3
    rates = np.stack([o.successes / o.attempts for o in odds if isinstance(o, Sampled)])
    alike = np.abs(found.success[:, :, None] - rates[:, None, :]).max(axis=0).min(axis=1) < 1e-9
    assert alike.sum() <= 12, "not blended, all of them are"


def test_jumps_are_costs_that_several_problems_share() -> None:
    odds = Sampled(attempts=np.array([2, 2, 4]), successes=np.array([2, 1, 4]))
    found = jumps(odds, np.array([0.2, 0.2, 0.3]), np.array([0.25, 0.5, 0.25]), 0.3)
    np.testing.assert_array_equal(found, [0.2])


def test_classes_follow_the_currency(quick: None) -> None:
    home = few_logs(12)
    abroad = replace(
        home, providers=tuple(replace(p, spend=2.0**20 * p.spend) for p in home.providers), max_budget=2.0**20 * CAP
    )
    here, there = calibrate(home, classes=12), calibrate(abroad, classes=12)
    assert there.market.max_budget == 2.0**20 * CAP
    np.testing.assert_array_equal(there.market.weights, here.market.weights)
    for one, other in zip(here.market.providers, there.market.providers, strict=True):
        np.testing.assert_array_equal(other.spend, 2.0**20 * one.spend)
    np.testing.assert_allclose(list(there.pass_error.values()), list(here.pass_error.values()), rtol=1e-9)
    assert there.margin_error_worst == pytest.approx(here.margin_error_worst, rel=1e-9)


def test_more_than_four_providers_are_judged_by_every_pair(quick: None) -> None:
    logs = few_logs(8)
    five = replace(logs, providers=tuple(replace(logs.providers[i % 2], name=name) for i, name in enumerate("abcde")))
    found = calibrate(five, classes=8)
    assert [judged.names for judged in found.judged] == list(combinations("abcde", 2))
    assert found.price_error > 0
    assert found.margin_error_worst == max(judged.errors.max() for judged in found.judged)
    assert found.margin_error_mean == max(judged.errors.mean() for judged in found.judged)
    with pytest.raises(UsageError, match="teacher 'z'"):
        calibrate(five, classes=8, teacher="z")


def test_levels_whose_margin_is_off_weigh_more_in_whichever_market_they_are() -> None:
    logs = logged(KNOWN, MANY)
    watch = [watched(logs, logs.names, CAP) for _ in range(2)]
    price, cost = watch[0].best.price, watch[0].best.cost.copy()
    cost[-10:] -= 0.035 * price[-10:]  # of margins of the last levels in the second market, nearly the 4 points tolerated
    off = replace(watch[1].best, cost=cost)
    first, second = _calibrate._sharpened(watch, [watch[0].best, off], [m.play for m in watch], Goals())
    ratio = second.emphasis / first.emphasis[0]
    np.testing.assert_allclose(first.emphasis, first.emphasis[0])
    np.testing.assert_allclose(ratio[:-10], 1.0)
    np.testing.assert_allclose(ratio[-10:], _calibrate.HARDER)
    assert np.mean(np.concatenate([first.emphasis, second.emphasis]) ** 2) == pytest.approx(1.0)


def test_a_family_is_fitted_and_judged_by_pairs_with_its_teacher(quick: None) -> None:
    logs = few_logs(8)
    three = replace(logs, providers=(*logs.providers, replace(logs.providers[0], name="c")))
    found = calibrate(three, classes=8, teacher="b")
    assert [judged.names for judged in found.judged] == [("a", "b"), ("c", "b")]
    assert found.market.names == ("a", "b", "c")


@pytest.mark.slow
@needs_logs
@pytest.mark.parametrize(
    ("names", "cap", "asked"),
    [
        (["gpt5mini", "deepseek"], 1.0, {}),
        (["minicoder4b", "qwen3-coder-30b", "gpt5mini"], 0.5, {"least": 256, "rounds": 6}),
    ],
)
def test_shipped_markets_are_calibrated_within_the_goals(names: list[str], cap: float, asked: dict[str, int]) -> None:
    logs = load(*(DATA / "swebench" / f"{name}.jsonl" for name in names))
    found = calibrate(logs, classes=256, max_budget=cap, **asked)
    assert found.met
    assert found.classes <= 256
    assert max(found.pass_error.values()) <= 0.005
    assert found.margin_error_mean <= 0.02
    assert found.margin_error_worst <= 0.04
    assert found.price_error <= 0.02
