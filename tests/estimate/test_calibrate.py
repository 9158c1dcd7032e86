"""Calibration: what the logs say survives; what makes no sense is refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from published import DATA, needs_logs
from scipy import special

from eqsolver._base import FloatArray, NotCertified, UsageError
from eqsolver.estimate import Calibration, Goals, _calibrate, _classes, calibrate
from eqsolver.estimate._misfit import Classes, Misfit, cells
from eqsolver.estimate._targets import Targets, _cell_averages, curve, targets
from eqsolver.market import Geometric, Market, Provider, Sampled, load

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


def sampled(market: Market) -> list[Sampled]:
    return [p.odds for p in market.providers if isinstance(p.odds, Sampled)]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer steps of polishing: these tests are about what holds for any fit."""
    monkeypatch.setattr(_classes, "ITERATIONS", 60)
    monkeypatch.setattr(_classes, "PRESSURES", (100.0, 1000.0))


@pytest.fixture
def fewer_classes_than_problems(quick: None) -> Calibration:
    return calibrate(few_logs(), classes=12)


def passed(market: Market, name: str, budgets: FloatArray) -> FloatArray:
    """Pass at each budget from the definition, one problem and one binomial at a time."""
    provider = market.providers[market.names.index(name)]
    total = np.zeros(budgets.size)
    for x, (q, w) in enumerate(zip(market.weights, provider.spend, strict=True)):
        k = np.floor(budgets * (1 + 1e-12) / w)
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
    found = calibrate(logged(KNOWN, MANY), classes=8)
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
        dense = np.linspace(0, CAP, 20_001)
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


class Fits:
    """Stands in for the fit of one size: says which sizes were asked for, and fails at some of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, failing: tuple[int, ...] = (), quality: float = 0.0) -> None:
        self.asked: list[int] = []
        self._failing, self._quality = failing, quality
        monkeypatch.setattr(_calibrate, "fit_classes", self)

    def __call__(
        self,
        odds: Sequence[Sampled],
        spend: Sequence[FloatArray],
        weights: FloatArray,
        cap: float,
        *,
        classes: int,
        accept: Callable[[_classes.ClassFit], bool],
        **_: object,
    ) -> None:
        self.asked.append(classes)
        if classes in self._failing:
            raise NotCertified(f"{classes} classes: not solved", None)
        x = np.arange(classes) % weights.size
        accept(
            _classes.ClassFit(
                weights=np.full(classes, 1 / classes),
                success=np.array([(o.successes / o.attempts)[x] for o in odds]),
                spend=np.array([w[x] for w in spend]),
                pass_error=np.full(len(odds), self._quality / classes),
                reach_error=np.zeros(len(odds)),
            )
        )


ONLY_PASS = Goals(pass_error=0.005, margin_mean=1.0, margin_worst=1.0)


def test_a_size_that_does_not_solve_is_skipped_and_a_larger_one_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    fits = Fits(monkeypatch, failing=(12,))
    found = calibrate(few_logs(), classes=16, goals=ONLY_PASS)
    assert fits.asked == [12, 14]
    assert (found.classes, found.met) == (14, True)


def test_the_best_fit_is_kept_where_larger_sizes_do_not_solve(monkeypatch: pytest.MonkeyPatch) -> None:
    fits = Fits(monkeypatch, failing=(14, 16), quality=1.0)
    found = calibrate(few_logs(), classes=16, goals=ONLY_PASS)
    assert fits.asked == [12, 14, 16]
    assert (found.classes, found.met) == (12, False)


@pytest.mark.parametrize("classes", [1, 16, 20])
def test_it_is_said_if_no_size_solves(monkeypatch: pytest.MonkeyPatch, classes: int) -> None:
    fits = Fits(monkeypatch, failing=tuple(range(21)))
    with pytest.raises(NotCertified, match=f"{classes} classes: not solved"):
        calibrate(few_logs(), classes=classes)
    assert fits.asked[-1] == classes, "the largest size is the last that is tried"


@pytest.mark.parametrize(
    ("enough", "sizes"), [(16, [24, 16]), (20, [24, 16, 20]), (24, [24, 16, 20]), (28, [24, 28]), (32, [24, 28, 32])]
)
def test_sizes_are_bisected_between_half_of_the_classes_and_all_of_them(
    monkeypatch: pytest.MonkeyPatch, enough: int, sizes: list[int]
) -> None:
    """The smallest size that meets the goals, of those in SIZES, after three fits at the most; none is below half."""
    fits = Fits(monkeypatch, quality=0.005 * enough * (1 + 1e-9))
    found = calibrate(few_logs(40), classes=32, goals=replace(ONLY_PASS, pass_error=0.005 * (1 + 1e-6)))
    assert fits.asked == sizes
    assert (found.classes, found.met) == (enough, True)


@pytest.mark.parametrize(
    ("market", "options", "message"),
    [
        (replace(few_logs(), max_budget=None), {"classes": 4}, "max_budget"),
        (few_logs(), {"classes": 0}, "at least 1 class"),
        (few_logs(), {"classes": 4, "max_budget": -1.0}, "must be positive"),
        (KNOWN, {"classes": 4}, "given by classes already"),
    ],
)
def test_what_makes_no_sense_is_refused(market: Market, options: dict[str, float], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        calibrate(market, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(("attempts", "successes"), [(1, 0), (1, 1), (7, 2), (40, 3)])
def test_cell_averages_of_logs_are_those_of_their_curves(attempts: int, successes: int) -> None:
    odds, w = Sampled(attempts=[attempts], successes=[successes]), np.array([0.13])
    edges = np.array([0.0, 0.05, 0.2, 0.26, 0.9, 1.0, 6.0])
    found = _cell_averages(odds, w, edges)
    for j in range(edges.size - 1):
        b = edges[j] + (edges[j + 1] - edges[j]) * (np.arange(20_000) + 0.5) / 20_000
        expected = [values.mean() for values in curve(odds, w, b)]
        np.testing.assert_allclose([found[0][0, j], found[1][0, j]], expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("success", [0.0, 0.01, 0.5, 0.999])
def test_cell_averages_are_those_of_the_curves(success: float) -> None:
    w, edges = 0.13, np.array([0.0, 0.05, 0.2, 0.26, 0.9, 1.0])
    found = cells(np.array([success]), np.array([w]), edges)
    for j in range(edges.size - 1):
        b = edges[j] + (edges[j + 1] - edges[j]) * (np.arange(20_000) + 0.5) / 20_000
        k = np.floor(b / w)
        S = (1 - success) ** k
        F = w * ((1 - S) / success if success else k)
        np.testing.assert_allclose([found.survival[0, j], found.spend[0, j]], [S.mean(), F.mean()], atol=1e-4)


def test_the_gradient_of_the_misfit_is_its_derivative() -> None:
    logs = few_logs()
    odds = [p.odds for p in logs.providers if isinstance(p.odds, Sampled)]
    goal = targets(odds, [p.spend for p in logs.providers], logs.weights, CAP)
    rng = np.random.default_rng(1)
    start = Classes(
        weights=rng.dirichlet(np.ones(6)),
        success=np.array([[0.5, 0.9, 0.0, 0.3, 0.2, 0.7], [0.1, 0.4, 0.6, 0.0, 0.8, 0.9]]),
        spend=rng.lognormal(np.log(0.05), 0.5, (2, 6)),
    )
    misfit = Misfit(targets=goal, never=start.success == 0, tolerance=0.05, pressure=1.0)
    flat = misfit.pack(start)
    _, gradient = misfit(flat)
    for _ in range(4):
        way = rng.normal(size=flat.size)
        h = 1e-7
        slope = (misfit(flat + h * way)[0] - misfit(flat - h * way)[0]) / (2 * h)
        assert slope == pytest.approx(gradient @ way, rel=0.02)


def test_classes_follow_the_currency(quick: None) -> None:
    logs = few_logs(12)
    odds = [p.odds for p in logs.providers if isinstance(p.odds, Sampled)]
    home = _classes.fit_classes(odds, [p.spend for p in logs.providers], logs.weights, CAP, classes=12)
    abroad = _classes.fit_classes(odds, [2.0**20 * p.spend for p in logs.providers], logs.weights, 2.0**20 * CAP, classes=12)
    np.testing.assert_allclose(abroad.pass_error, home.pass_error, rtol=1e-9)


def test_more_than_four_providers_are_judged_by_every_pair(quick: None) -> None:
    logs = few_logs(8)
    five = replace(logs, providers=tuple(replace(logs.providers[i % 2], name=name) for i, name in enumerate("abcde")))
    found = calibrate(five, classes=8)
    assert [judged.names for judged in found.judged] == list(combinations("abcde", 2))
    assert found.margin_error_worst == max(judged.errors.max() for judged in found.judged)
    assert found.margin_error_mean == max(judged.errors.mean() for judged in found.judged)
    with pytest.raises(UsageError, match="teacher 'z'"):
        calibrate(five, classes=8, teacher="z")


def test_a_family_is_fitted_and_judged_by_pairs_with_its_teacher(quick: None) -> None:
    logs = few_logs(8)
    three = replace(logs, providers=(*logs.providers, replace(logs.providers[0], name="c")))
    found = calibrate(three, classes=8, teacher="b")
    assert [judged.names for judged in found.judged] == [("a", "b"), ("c", "b")]
    assert found.market.names == ("a", "b", "c")
    goal = targets(sampled(three), [p.spend for p in three.providers], three.weights, CAP, 1)
    assert [(pair.first, pair.second) for pair in goal.pairs] == [(0, 1), (1, 2)]


def test_small_odds_that_long_logs_tell_apart_survive_packing() -> None:
    classes = Classes(weights=np.array([0.5, 0.5]), success=np.array([[3e-4, 0.5]]), spend=np.array([[1e-4, 1e-4]]))
    none = Targets(singles=(), pairs=(), cells=())
    misfit = Misfit(targets=none, never=classes.success == 0, tolerance=0.005, pressure=1.0, lowest=1e-4)
    np.testing.assert_allclose(misfit.unpack(misfit.pack(classes)).success, classes.success, rtol=1e-9)


@pytest.mark.slow
@needs_logs
@pytest.mark.parametrize(
    ("names", "cap"), [(["gpt5mini", "deepseek"], 1.0), (["minicoder4b", "qwen3-coder-30b", "gpt5mini"], 0.5)]
)
def test_shipped_markets_are_calibrated_within_the_goals(names: list[str], cap: float) -> None:
    logs = load(*(DATA / "swebench" / f"{name}.jsonl" for name in names))
    found = calibrate(logs, classes=256, max_budget=cap)
    assert found.met
    assert found.classes <= 256
    assert max(found.pass_error.values()) <= 0.005
    assert found.margin_error_mean <= 0.02
    assert found.margin_error_worst <= 0.04
