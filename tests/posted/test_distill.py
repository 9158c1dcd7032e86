"""Distillation: a student is worth what it saves, money is conserved, and what must not matter does not."""

from __future__ import annotations

import io
from dataclasses import replace
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from eqsolver import MarketError, UsageError
from eqsolver.market import Arbitrageur, Geometric, Market, Policy, Provider, Sampled
from eqsolver.posted import Distillation, distill, solve
from eqsolver.posted._distillation import log_linear
from eqsolver.report import print_distillation

RNG = np.random.default_rng(5)
HARDNESS = RNG.uniform(0.02, 0.6, 12)


def student(name: str, strength: float, tokens: float | None, **fields: float) -> Provider:
    return Provider(
        name=name, odds=Geometric(success=strength * HARDNESS), spend=np.full(12, 0.1), distillation_tokens=tokens, **fields
    )


TEACHER = Provider(name="teacher", odds=Geometric(success=np.minimum(HARDNESS + 0.2, 1)), spend=np.full(12, 1.0))
SMALL, MIDDLE, LARGE = student("small", 0.2, 1e6), student("middle", 0.5, 1e7), student("large", 0.9, 1e8)
FAMILY = Market(
    name="family",
    providers=(MIDDLE, TEACHER, LARGE, SMALL),
    weights=np.full(12, 1 / 12),
    max_budget=4.0,
    max_attempts=6,
)


def figures(found: Distillation) -> dict:
    return {key: value for key, value in found.to_dict().items() if key not in ("options", "market")}


def test_students_come_by_tokens_and_the_longer_taught_earns_more() -> None:
    found = distill(FAMILY, bootstrap=0)
    assert found.teacher == "teacher"
    assert [one.name for one in found.students] == ["small", "middle", "large"]
    margins = [one.mean_margin for one in found.students]
    assert margins == sorted(margins)
    assert margins[0] < margins[-1]
    x = np.log([1e6, 1e7, 1e8])
    slope, intercept = np.polyfit(x, margins, 1)
    np.testing.assert_allclose([found.fit.slope, found.fit.intercept], [slope, intercept], rtol=1e-9)
    assert found.fit.to_dict()["slope_p05"] is None
    np.testing.assert_allclose(found.levels[[0, -1]], [found.teacher_alone[0, -1] - 0.1, found.teacher_alone[0, -1]])


@pytest.mark.parametrize("how", [{}, {"allot": "attempts"}, {"overrun": "cut"}, {"on_sale": True}])
def test_a_pair_earns_what_solve_says_of_it(how: dict) -> None:
    """On sale a pair is an ordinary market. Private, it is one wherever the student could not undersell the teacher."""
    found = distill(FAMILY, bootstrap=0, points=80, **how)
    plain = {key: value for key, value in how.items() if key != "on_sale"}
    compared = 0
    for one in found.students:
        alone = solve(FAMILY, providers=["teacher", one.name], levels=found.levels, points=80, **plain)
        direct = alone.offers.revenue[0]
        np.testing.assert_allclose(one.teacher_revenue["without"], alone.offers.cost[0], rtol=1e-12)
        if not found.on_sale and (direct < one.teacher_revenue["without"]).any():
            continue
        compared += 1
        np.testing.assert_allclose(one.mean_margin, alone.cascade.resale.mean_margin, rtol=1e-12)
        np.testing.assert_allclose(one.teacher_revenue["with"], alone.cascade.resale.revenue[0], rtol=1e-12)
    assert compared == 3 if found.on_sale else compared >= 1


@pytest.mark.parametrize("on_sale", [False, True])
def test_money_is_conserved(on_sale: bool) -> None:
    """Consumers' bill = the teacher's revenue + what the student is paid + the arbitrageur's profit."""
    found = distill(FAMILY, bootstrap=0, on_sale=on_sale)
    for one in found.students:
        paid = one.teacher_revenue["with"] + one.student_revenue + one.profit
        np.testing.assert_allclose(paid, one.market_price, rtol=1e-12)
        assert (one.market_price <= found.teacher_price * (1 + 1e-12)).all()
        np.testing.assert_allclose(one.margin, one.profit / one.market_price, rtol=1e-12)
        np.testing.assert_allclose(one.profit_per_solved, np.mean(one.profit / found.levels), rtol=1e-12)
    if not on_sale:
        assert all((one.market_price == found.teacher_price).all() for one in found.students)


@settings(max_examples=6, deadline=None)
@given(order=st.permutations(range(4)), how=st.sampled_from([{}, {"on_sale": True}]))
def test_the_order_of_providers_does_not_matter(order: list[int], how: dict) -> None:
    other = replace(FAMILY, providers=tuple(FAMILY.providers[i] for i in order))
    assert figures(distill(other, bootstrap=20, **how)) == figures(distill(FAMILY, bootstrap=20, **how))


@pytest.mark.parametrize("on_sale", [False, True])
def test_a_student_that_is_the_teacher_itself_earns_nothing(on_sale: bool) -> None:
    twin = replace(TEACHER, name="twin", distillation_tokens=1e6, marginal_cost=0.5)
    market = replace(FAMILY, providers=(TEACHER, twin))
    (one,) = distill(market, bootstrap=30, allot="attempts", on_sale=on_sale, token_price=1.0).students
    assert one.mean_margin == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(one.mean_margins, 0, atol=1e-9)
    np.testing.assert_allclose(one.teacher_revenue["with"], one.teacher_revenue["without"], rtol=1e-12)
    assert one.break_even_problems == np.inf
    assert one.to_dict()["break_even_problems"] is None


def test_private_and_on_sale_differ_where_the_student_undersells_the_teacher() -> None:
    cheap = student("cheap", 1.2, 1e6)
    market = replace(FAMILY, providers=(TEACHER, cheap))
    levels = [0.3, 0.5]
    (private,), (sold,) = (distill(market, levels=levels, bootstrap=20, on_sale=on).students for on in (False, True))
    assert private.mean_margin > 0.3
    assert sold.mean_margin < 0.01
    np.testing.assert_allclose(sold.teacher_revenue["with"], 0)
    assert (private.teacher_revenue["without"] > 0).all()


def test_pass_at_k_is_the_unbiased_estimator_of_logs_and_the_formula_of_classes() -> None:
    n, c = [5, 7], [1, 3]
    logged = Provider(name="logged", odds=Sampled(attempts=n, successes=c), spend=[0.1, 0.1], distillation_tokens=1e6)
    strong = Provider(name="strong", odds=Sampled(attempts=[9, 9], successes=[5, 6]), spend=[1.0, 1.0])
    (one,) = distill(Market(name="logs", providers=(strong, logged), weights=[0.25, 0.75]), bootstrap=0).students
    assert one.unbiased_up_to == 5
    expected = [
        sum(q * (1 - comb(a - s, k) / comb(a, k)) for q, a, s in zip((0.25, 0.75), n, c, strict=True)) for k in range(1, 6)
    ]
    np.testing.assert_allclose(one.pass_at_k[:5], expected, rtol=1e-12)
    assert one.pass_at_k.size == 7
    first = distill(FAMILY, bootstrap=0).students[0]
    np.testing.assert_allclose(first.pass_at_k[:3], [np.mean(1 - (1 - 0.2 * HARDNESS) ** k) for k in (1, 2, 3)], rtol=1e-12)
    assert first.unbiased_up_to is None


def test_tokens_pay_back_after_cost_over_profit_per_solved_problem() -> None:
    priced = distill(FAMILY, bootstrap=0, token_price=3.0, tokens={"small": 2e6})
    for one, tokens in zip(priced.students, (2e6, 1e7, 1e8), strict=True):
        assert one.tokens == tokens
        np.testing.assert_allclose(one.break_even_problems * one.profit_per_solved, tokens / 1e6 * 3.0, rtol=1e-12)
    assert [one["break_even_problems"] for one in distill(FAMILY, bootstrap=0).to_dict()["students"]] == [None] * 3


def test_a_bootstrap_of_alike_problems_has_no_spread() -> None:
    """On problems that are all alike every resample is the market itself, so every refit is the fit."""
    alike = tuple(replace(p, odds=Geometric(success=np.full(12, p.odds.success.mean()))) for p in FAMILY.providers)
    found = distill(replace(FAMILY, providers=alike), bootstrap=25, allot="attempts")
    for one in found.students:
        np.testing.assert_allclose(one.mean_margins, one.mean_margin, rtol=1e-9)
    np.testing.assert_allclose(found.fit.slopes, found.fit.slope, rtol=1e-9)


def test_the_band_holds_the_estimate_and_the_seed_decides_it() -> None:
    one, again, other = (distill(FAMILY, bootstrap=60, seed=seed) for seed in (1, 1, 2))
    fit = one.fit.to_dict()
    assert fit["slope_p05"] < fit["slope"] < fit["slope_p95"]
    assert again.fit.slopes.tolist() == one.fit.slopes.tolist()
    assert other.fit.slopes.tolist() != one.fit.slopes.tolist()


@pytest.mark.parametrize(
    ("tokens", "margins"),
    [
        ([1e6, 1e7], [0.1, 0.2]),
        ([1e6, 1e6, 1e7], [0.1, 0.1, 0.2]),
        ([1e6, 1e7, 1e8], [0.0, 0.1, 0.2]),
        ([1e6, 1e7, 1e8, 1e9], [0.0, 0.0, 0.0, 0.2]),
        ([], []),
    ],
)
def test_no_line_is_fitted_through_two_points_or_through_margins_of_zero(tokens: list[float], margins: list[float]) -> None:
    fit = log_linear(np.array(tokens), np.array(margins), np.empty((len(tokens), 0)))
    assert set(fit.to_dict().values()) == {None}


def test_a_margin_of_zero_takes_no_part_in_the_fit_and_no_margin_passes_one_hundred_percent() -> None:
    tokens, margins = np.exp([1.0, 2.0, 3.0, 4.0]), np.array([0.0, 0.2, 0.5, 0.8])
    resampled = np.stack([margins, margins * 0.5, margins * 0.9], axis=1)
    fit = log_linear(tokens, margins, resampled)
    assert (fit.slope, fit.intercept, fit.students) == pytest.approx((0.3, -0.4, 3))
    assert fit.slopes == pytest.approx([0.3, 0.15, 0.27])
    assert fit.gain(np.e**0.5) == pytest.approx((0.15, 0.5 * fit.slopes.min(), 0.5 * fit.slopes.max()))
    assert fit.gain(1e6) == pytest.approx((0.2, 0.2, 0.2)), "what is left of 100 %"


def test_the_table_says_what_ten_times_the_tokens_gains_and_who_is_left_out() -> None:
    lines = io.StringIO()
    found = distill(FAMILY, bootstrap=10)
    print_distillation(found, Console(file=lines, width=200))
    one, low, high = (100 * share for share in found.fit.gain(10.0))
    assert f"Ten times the tokens: {one:+.1f} points of margin (5-95 %: {low:+.1f} to {high:+.1f})." in lines.getvalue()
    assert "Not in the fit" not in lines.getvalue()
    idle = student("idle", 0.0, 1e5)
    with_idle = distill(replace(FAMILY, providers=(*FAMILY.providers, idle)), bootstrap=0)
    lines = io.StringIO()
    print_distillation(with_idle, Console(file=lines, width=200))
    assert "Not in the fit: 1 student without a margin." in lines.getvalue()
    assert with_idle.fit.slope == pytest.approx(found.fit.slope)


def test_students_without_tokens_are_paired_but_not_fitted() -> None:
    market = replace(FAMILY, providers=(TEACHER, SMALL, student("unknown", 0.7, None)))
    found = distill(market, teacher="teacher", bootstrap=5)
    assert [one.tokens for one in found.students] == [1e6, None]
    assert found.fit.to_dict() == dict.fromkeys(("slope", "intercept", "slope_p05", "slope_p95"))
    assert len(found.to_frame()) == 2


def test_fixed_policies_of_the_market_file_do_not_stand_in_the_way() -> None:
    policy = Policy(order=("small", "large"), thresholds=(1.0, 1.0))
    market = replace(FAMILY, arbitrageurs=(Arbitrageur(name="fixed", policies=(policy,)),))
    assert figures(distill(market, bootstrap=0)) == figures(distill(FAMILY, bootstrap=0))


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"providers": ["small", "large"]}, "which provider is the teacher? none of small, large is without"),
        ({"teacher": "nobody"}, "teacher: unknown provider 'nobody'"),
        ({"tokens": {"nobody": 1}}, "tokens: unknown provider 'nobody'"),
        ({"tokens": {"teacher": 1}, "teacher": "teacher"}, "tokens: 'teacher' is the teacher"),
        ({"tokens": {"small": 0}}, "distillation_tokens = 0 must be more than 0"),
        ({"providers": ["teacher"]}, "has no student"),
        ({"levels": [0.9999]}, "below every level asked for"),
        ({"token_price": 0}, "must be positive"),
        ({"bootstrap": -1}, "bootstrap must lie between 0 and 100000"),
        ({"tolerance": 2}, "tolerance must lie"),
    ],
)
def test_what_makes_no_sense_is_told(how: dict, told: str) -> None:
    with pytest.raises((MarketError, UsageError)) as caught:
        distill(FAMILY, **{"bootstrap": 0, **how})
    assert told in str(caught.value)


def test_two_without_tokens_are_both_named() -> None:
    market = replace(FAMILY, providers=(TEACHER, SMALL, student("unknown", 0.7, None)))
    with pytest.raises(UsageError, match="teacher, unknown are without distillation tokens"):
        distill(market)
    with pytest.raises(UsageError, match="never solves"):
        distill(replace(FAMILY, providers=(replace(TEACHER, odds=Geometric(success=np.zeros(12))), SMALL)))
