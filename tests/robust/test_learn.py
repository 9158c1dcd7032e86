"""Learning curves: exploration pays for what it sees, choices are those of what was seen, runs resume, jobs do not matter."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from eqsolver import learn
from eqsolver._base import UsageError
from eqsolver.cli import app
from eqsolver.market import Geometric, Market, Provider, Sampled
from eqsolver.robust import Chooser, candidates, explored, margins_matrix
from eqsolver.robust import _learn as module
from eqsolver.robust._choices import best
from eqsolver.robust._curves import Curve
from eqsolver.robust._explore import logs_cost
from eqsolver.robust._learn import budgets_of
from eqsolver.technology import rules


def logs(problems: int = 24, seed: int = 0) -> Market:
    """Two providers, a cheap and a strong one; half of the problems are called odd."""
    rng = np.random.default_rng(seed)
    skill = rng.beta(0.7, 0.6, problems)
    sellers = []
    for name, lift, low in (("cheap", 0.0, 0.02), ("strong", 0.25, 0.08)):
        n = rng.integers(2, 7, problems)
        odds = Sampled(attempts=n, successes=rng.binomial(n, np.clip(skill + lift * (skill > 0.2), 0, 1)))
        sellers.append(Provider(name=name, odds=odds, spend=rng.uniform(low, 2 * low, problems)))
    names = tuple(f"{'odd' if x % 2 else 'even'}-{x}" for x in range(problems))
    return Market(
        name="logs", providers=tuple(sellers), weights=np.full(problems, 1 / problems), problems=names, max_budget=1.0
    )


def write(market: Market, folder: Path) -> Path:
    for provider in market.providers:
        odds = provider.odds
        assert isinstance(odds, Sampled)
        rows = zip(market.problems, odds.attempts.tolist(), odds.successes.tolist(), provider.spend.tolist(), strict=True)
        lines = [json.dumps({"id": x, "attempts": n, "successes": c, "mean_cost": w}) for x, n, c, w in rows]
        (folder / f"{provider.name}.jsonl").write_text("\n".join(lines))
    return folder


def counts(market: Market) -> list[dict[str, tuple[int, int, float]]]:
    """Per provider, by problem: attempts, successes, cost of one."""
    found = []
    for p in market.providers:
        assert isinstance(p.odds, Sampled)
        rows = zip(p.odds.attempts.tolist(), p.odds.successes.tolist(), p.spend.tolist(), strict=True)
        found.append(dict(zip(market.problems, rows, strict=True)))
    return found


@given(budget=st.floats(0.01, 30), attempts=st.integers(1, 4), seed=st.integers(0, 20))
@settings(max_examples=60, deadline=None)
def test_what_is_seen_was_paid_for_and_is_in_the_logs(budget: float, attempts: int, seed: int) -> None:
    market = logs()
    seen = explored(market, budget, np.random.default_rng(seed), attempts=attempts)
    if seen is None:
        assert budget < logs_cost(market)
        return
    bill = 0.0
    for mine, whole in zip(counts(seen), counts(market), strict=True):
        for problem, (n, c, w) in mine.items():
            most, solved, cost = whole[problem]
            assert n in range(1, most + 1)
            assert c in range(max(0, n - (most - solved)), min(n, solved) + 1), "n of the attempts in the logs"
            assert w == cost
            bill += n * w
    assert bill <= budget * (1 + 1e-9)


def test_an_exploration_stops_at_the_first_attempt_that_cannot_be_paid() -> None:
    market = logs()
    dearest = max(float(p.spend.max()) for p in market.providers)
    for seed in range(20):
        seen = explored(market, 2.0, np.random.default_rng(seed), attempts=1)
        assert seen is not None
        bill = sum(n * w for mine in counts(seen) for n, _, w in mine.values())
        assert bill > 2.0 - 2 * dearest, "what is left would not pay a provider's attempt, and at most one visit is incomplete"


def test_a_budget_beyond_the_logs_reveals_them_all() -> None:
    market = logs()
    for attempts in (1, 3):
        seen = explored(market, logs_cost(market), np.random.default_rng(1), attempts=attempts)
        assert seen is not None
        assert counts(seen) == counts(market)


def test_prices_are_charged_and_too_small_a_budget_shows_nothing() -> None:
    market = logs()
    dear = market.at_prices({"cheap": 3.0, "strong": 3.0})
    assert logs_cost(dear) == pytest.approx(3 * logs_cost(market))
    assert explored(market, 0.001, np.random.default_rng(0), attempts=1) is None


def test_attempts_seen_succeed_as_often_as_those_of_the_logs() -> None:
    market = logs()
    first = []
    for seed in range(400):
        seen = explored(market, 1.0, np.random.default_rng(seed), attempts=1)
        assert seen is not None
        odds = seen.providers[0].odds
        assert isinstance(odds, Sampled)
        first.append(float(np.mean(odds.successes / odds.attempts)))
    odds = market.providers[0].odds
    assert isinstance(odds, Sampled)
    truth = float(np.mean(odds.successes / odds.attempts))
    assert abs(np.mean(first) - truth) < 4 * np.std(first) / np.sqrt(len(first))


def test_of_equal_policies_each_gets_a_share_and_none_that_only_loses() -> None:
    np.testing.assert_allclose(best(np.array([0.0, 0.2, 0.1, 0.2])), [0, 0.5, 0, 0.5])
    np.testing.assert_allclose(best(np.array([0.0, -0.2, 0.0])), [1, 0, 0])


def test_with_all_logs_seen_the_empirical_choice_is_the_optimum_on_them() -> None:
    market = logs()
    found = learn(market, fit_domain="^odd", eval_domain="^even", budgets=[1e3], choices=["empirical"], resamples=3)
    full = found.full_information
    assert full.problems == (12, 12)
    (curve,) = found.curves
    assert curve.mean[0] == curve.p05[0] == curve.p95[0] == pytest.approx(full.eval_margin, abs=1e-11)
    odd = np.array([name.startswith("odd") for name in market.problems])
    policies = candidates(market, rules(market), most=module.POLICIES, finest=module.FINEST)
    both = margins_matrix(market, policies, np.stack([odd / 12, ~odd / 12]), rules(market)).values
    assert full.fit_margin == pytest.approx(both[0].max(), abs=1e-9)
    near = both[1][both[0] >= both[0].max() - module.NEAR]
    assert (full.near_low, full.near_high) == pytest.approx((near.min(), near.max()))


ASKED = {"budgets": [0.5, 3.0], "choices": ["empirical", "npml", "cvar:0.5"], "resamples": 3, "scenarios": 8}


def test_the_answer_does_not_depend_on_the_number_of_jobs_and_comes_from_the_ledger_if_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    market, ledger = logs(), tmp_path / "cells"
    one = learn(market, jobs=1, ledger=ledger, seed=3, **ASKED).to_dict()
    two = learn(market, jobs=2, seed=3, **ASKED).to_dict()
    assert json.dumps(one) == json.dumps(two)

    def refuse(*arguments: object) -> str:
        raise AssertionError("solved already")

    monkeypatch.setattr(module, "_learnt", refuse)
    again = learn(market, ledger=ledger, seed=3, **{**ASKED, "budgets": [3.0]}).to_dict()
    assert again["curves"][1]["mean"] == one["curves"][1]["mean"][1:]
    with pytest.raises(AssertionError, match="solved already"):
        learn(market, ledger=ledger, seed=4, **ASKED)


@pytest.mark.parametrize("unit", [1.0, 1e-6, 1e12])
def test_budgets_are_those_of_the_logs_whatever_the_unit_of_money(unit: float) -> None:
    market = logs()
    market = replace(market, providers=tuple(replace(p, spend=unit * p.spend) for p in market.providers))
    budgets = budgets_of(market, 1)
    whole = sum(float((p.price * p.spend * p.odds.attempts).sum()) for p in market.providers)
    one = sum(float((market.weights @ p.spend) * p.price) for p in market.providers)
    assert budgets[-1] == pytest.approx(whole, rel=0.05)
    assert budgets[0] == pytest.approx(min(10 * one, whole), rel=0.05)
    assert budgets == sorted(set(budgets))
    assert len(budgets) <= 7
    assert budgets_of(market, 10**6)[-1:] == budgets[-1:], "a visit dearer than the logs shows them all"


def test_learn_takes_the_budgets_of_its_logs() -> None:
    market = logs()
    found = learn(market, choices=["empirical"], resamples=1)
    assert found.budgets.tolist() == budgets_of(market, 1) == found.options["budgets"]


def test_every_set_is_a_choice_and_they_agree_where_they_are_the_same_set() -> None:
    same = ["nominal", "tv:0", "cvar:1", "wasserstein:0"], ["worst", "tv:1", "kl:50", "chi2:1e4", "wasserstein:100"]
    market = logs()
    found = learn(market, budgets=[3.0], choices=[*same[0], *same[1], "tv:0.2"], resamples=3, scenarios=8, seed=2)
    mean = {curve.name: curve.mean[0] for curve in found.curves}
    for names in same:
        assert [mean[name] for name in names] == pytest.approx([mean[names[0]]] * len(names), abs=1e-6)
    assert mean["nominal"] != pytest.approx(mean["worst"], abs=1e-6)


def test_more_exploration_of_a_market_without_luck_earns_the_optimum() -> None:
    """Odds of 0 and 1: a few visits show all there is to know of each kind of problem."""
    n = np.full(20, 3)
    easy = np.arange(20) < 10
    cheap = Provider(name="cheap", odds=Sampled(attempts=n, successes=3 * easy), spend=np.full(20, 0.01))
    strong = Provider(name="strong", odds=Sampled(attempts=n, successes=n), spend=np.full(20, 0.2))
    market = Market(name="sure", providers=(cheap, strong), weights=np.full(20, 0.05), max_budget=1.0)
    found = learn(market, budgets=[0.1, 3.0], choices=["empirical"], resamples=20)
    (curve,) = found.curves
    assert curve.mean[0] == 0, "not enough for one visit"
    assert curve.p05[1] == pytest.approx(found.full_information.eval_margin)
    assert found.full_information.eval_margin > 0.4


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"fit_domain": "^java"}, r"fit_domain '\^java' matches no problem; their names are like 'even-0'"),
        ({"eval_domain": "("}, "is not a regular expression"),
        ({"budgets": [3.0, 1.0]}, "budgets must increase"),
        ({"budgets": [0.0]}, "budgets must be positive"),
        ({"budgets": []}, "none given"),
        (
            {"choices": ["guess"]},
            "choice 'guess': ambiguity set 'guess': there are nominal.*; there are empirical, beta, npml, and sets",
        ),
        ({"choices": ["wasserstein"]}, "choice 'wasserstein'"),
        ({"choices": ["npml", "npml"]}, "none twice"),
        ({"resamples": 0}, "resamples = 0"),
        ({"attempts": 0}, "attempts = 0"),
        ({"seed": -1}, "seed = -1"),
    ],
)
def test_what_makes_no_sense_is_told(options: dict[str, object], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        learn(logs(), **{**ASKED, **options})


def test_only_logs_with_a_cap_can_be_learnt_from() -> None:
    market = logs()
    with pytest.raises(UsageError, match="learning needs max_budget"):
        learn(Market(name="open", providers=market.providers, weights=market.weights), **ASKED)
    known = Provider(name="known", odds=Geometric(success=[0.5]), spend=[1.0])
    with pytest.raises(UsageError, match="only attempt logs can be explored"):
        learn(Market(name="classes", providers=(known,), weights=[1.0], max_budget=1.0), **ASKED)


def test_a_choice_names_its_set() -> None:
    within = Chooser(name="tv:0.2").within()
    assert (within.kind, within.radius) == ("tv", 0.2)


def test_learn_on_the_command_line(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    write(logs(), folder)
    command = ["learn", str(folder), "--max-budget", "1", "--budgets", "0.5,3", "--resamples", "3", "--scenarios", "5"]
    answer = tmp_path / "answer.json"
    drawn = ["--json", str(answer), "--figures", str(tmp_path / "figures")]
    run = CliRunner().invoke(app, [*command, "--fit-domain", "^odd", "--choices", "empirical,npml,worst", *drawn])
    assert run.exit_code == 0, run.output
    assert "Full information" in run.stdout
    found = json.loads(answer.read_text())
    assert list(found) == ["market", "unit", "notes", "budgets", "curves", "full_information", "version", "options"]
    assert [curve["name"] for curve in found["curves"]] == ["empirical", "npml", "worst"]
    assert all(len(curve[key]) == 2 for curve in found["curves"] for key in ("mean", "p05", "p95"))
    assert (tmp_path / "answer.json.ledger").is_file()
    assert (tmp_path / "figures" / "learning.png").stat().st_size > 10_000
    bad = CliRunner().invoke(app, [*command, "--fit-domain", "^java"])
    assert bad.exit_code == 2
    assert "matches no problem" in bad.stderr
    assert CliRunner().invoke(app, ["learn", str(folder)]).exit_code == 2


def test_nothing_but_the_answer_is_on_standard_output(tmp_path: Path) -> None:
    """HiGHS greets on file descriptor 1 when a process first uses it."""
    command = ["learn", str(write(logs(), tmp_path)), "--max-budget", "1", "--budgets", "2", "--resamples", "2", "--json", "-"]
    run = subprocess.run(
        [sys.executable, "-m", "eqsolver.cli", *command, "--choices", "worst"], capture_output=True, text=True, check=True
    )
    assert json.loads(run.stdout)["budgets"] == [2.0]


def test_a_curve_has_the_mean_its_standard_error_and_the_points_of_the_explorations() -> None:
    margins = np.array([[0.1, 0.2, 0.6, 0.3], [0.5, 0.5, 0.5, 0.5]])
    curve = Curve.of("empirical", margins)
    np.testing.assert_allclose(curve.mean, [0.3, 0.5])
    np.testing.assert_allclose(curve.standard_error, [np.sqrt((0.04 + 0.01 + 0.09 + 0.0) / 3 / 4), 0.0], atol=1e-15)
    np.testing.assert_allclose(curve.p05, [0.115, 0.5])
    np.testing.assert_allclose(curve.p95, [0.555, 0.5])
    assert np.isnan(Curve.of("empirical", margins[:, :1]).standard_error).all()


def test_the_curves_of_the_document_are_those_of_its_explorations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Explorations one by one: what each chose earns in the evaluation domain."""
    kept: list[list[float]] = []
    learnt = module._learnt

    def watched(*asked: object) -> str:
        kept.append(json.loads(learnt(*asked)))
        return json.dumps(kept[-1])

    monkeypatch.setattr(module, "_learnt", watched)
    told = learn(logs(), max_budget=1.0, seed=4, **ASKED).to_dict()
    margins = np.array(kept).reshape(len(ASKED["budgets"]), ASKED["resamples"], len(ASKED["choices"]))
    for k, curve in enumerate(told["curves"]):
        one = margins[:, :, k]
        assert curve["mean"] == pytest.approx(one.mean(axis=1))
        assert curve["standard_error"] == pytest.approx(one.std(axis=1, ddof=1) / np.sqrt(ASKED["resamples"]))
        assert curve["p05"] == pytest.approx(np.percentile(one, 5, axis=1))
        assert curve["p95"] == pytest.approx(np.percentile(one, 95, axis=1))
