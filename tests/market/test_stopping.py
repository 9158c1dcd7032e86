"""Logs that stop at a success are named, and what else their counts show; caps that they show."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from eqsolver import MarketError, load, solve
from eqsolver.estimate import Beta, Npml
from eqsolver.market import Market, Provider, Sampled, StoppingTest, believed, capped, log_notes
from tests.published import DATA, needs_logs


def log(attempts: list[int], successes: list[int], ends: list[int] | None) -> Sampled:
    return Sampled(attempts=attempts, successes=successes, ends=None if ends is None else np.array(ends, dtype=bool))


def drawn(r: int, most: int, *, order: bool = True, seed: int = 0, problems: int = 60) -> Sampled:
    """Attempts on problems of odds 0.02 to 0.9 until the r-th success, at most so many."""
    rng, rows = np.random.default_rng(seed), []
    for odds in np.linspace(0.02, 0.9, problems):
        outcomes = rng.random(most) < odds
        hits = np.flatnonzero(outcomes)
        n = int(hits[r - 1]) + 1 if hits.size >= r else most
        rows.append((n, int(outcomes[:n].sum()), bool(outcomes[n - 1])))
    n, c, ends = zip(*rows, strict=True)
    return log(list(n), list(c), list(ends) if order else None)


@pytest.mark.parametrize("order", [True, False])
@pytest.mark.parametrize("r", [1, 3])
def test_logs_that_stop_at_the_rth_success_are_found(r: int, order: bool) -> None:
    assert StoppingTest().stops_at(drawn(r, 30, order=order)) == r


def test_logs_of_a_fixed_number_of_attempts_are_not() -> None:
    rng = np.random.default_rng(0)
    n = np.full(50, 5)
    for odds in (0.05, 0.5):
        c = rng.binomial(n, odds)
        assert StoppingTest().stops_at(Sampled(attempts=n, successes=c, ends=rng.random(50) < c / n)) is None
        assert StoppingTest().stops_at(Sampled(attempts=n, successes=c)) is None
    assert StoppingTest().stops_at(log([1, 1, 1], [1, 0, 1], [1, 0, 1])) is None, "no solved problem is shorter than another"
    assert StoppingTest().stops_at(log([2, 3], [0, 0], [0, 0])) is None


def test_four_of_five_solved_problems_are_enough_and_three_are_not() -> None:
    n, c = [1, 2, 3, 3, 9, 9], [1, 1, 1, 1, 2, 0]
    assert StoppingTest().stops_at(log(n, c, [1, 1, 1, 1, 0, 0])) == 1
    assert StoppingTest().stops_at(log(n, c, [1, 1, 1, 0, 1, 0])) is None
    assert StoppingTest(share=0.6).stops_at(log(n, c, [1, 1, 1, 0, 1, 0])) == 1
    assert StoppingTest().stops_at(log([5, 2, 3, 3], [0, 1, 1, 2], None)) is None, "counts: one problem in three has two"
    assert StoppingTest().stops_at(log([2, 5, 6, 1], [1, 1, 1, 0], None)) is None, "counts: unsolved problems are shorter"


def provider(name: str, odds: Sampled) -> Provider:
    return Provider(name=name, odds=odds, spend=np.full(len(odds), 0.1))


def test_notes_are_a_line_each() -> None:
    some = log([4, 4], [1, 2], [0, 1])
    assert log_notes([provider("a", some)]) == ()
    first, tenth = drawn(1, 30), drawn(10, 60, seed=1)
    told = log_notes([provider("a", first), provider("b", drawn(1, 30, seed=2)), provider("c", tenth)])
    assert told == (
        "a and b: attempts on a problem stop at the first success, so the unbiased estimator is biased.",
        "c: attempts on a problem stop at the 10th success, so the unbiased estimator is biased.",
    )
    (unfixed,) = log_notes([provider("a", log([2, 2, 9], [1, 2, 0], [0, 1, 0]))])
    assert unfixed.startswith("a: the number of attempts was not fixed beforehand (9.0 on average where unsolved, 2.0 where")
    assert log_notes([provider("a", log([2, 2, 4], [1, 2, 0], [0, 1, 0]))]) == (), "twice as many are not over twice"
    (single,) = log_notes([provider("a", log([1, 1], [1, 0], [1, 0])), provider("b", log([1, 1], [0, 1], [0, 1]))])
    assert single.startswith("One attempt per problem")
    (few,) = log_notes([provider("a", log([2, 2], [1, 0], [0, 0])), provider("b", some)])
    assert few == "a: fewer than 3 attempts on every problem; odds near the frontier are luck."
    (copies,) = log_notes([provider(name, some) for name in "abc"])
    assert copies == "a, b and c: identical outcomes on every problem; copies of one log?"


def test_a_market_has_the_notes_of_the_providers_it_has(tmp_path: Path) -> None:
    for name, rows in (("once", [[0, 1], [1], [0, 0]]), ("full", [[0, 1, 1], [1, 0, 0], [0, 0, 0]])):
        lines = [json.dumps({"id": f"p{x}", "attempts": a, "mean_cost": 0.1}) + "\n" for x, a in enumerate(rows)]
        (tmp_path / f"{name}.jsonl").write_text("".join(lines))
    market = load(tmp_path)
    assert [note[:5] for note in market.notes] == ["once:", "once:"]
    assert "first success" in market.notes[0]
    assert market.restrict(["full"]).notes == ()
    said = replace(market, notes=(*market.notes, "of something else"))
    assert said.restrict(["once", "full"]).notes == (*market.notes, "of something else")
    assert said.restrict(["full"]).notes == ("of something else",)
    (tmp_path / "once.jsonl").write_text(
        "".join(
            json.dumps({"id": f"p{x}", "attempts": n, "successes": c, "mean_cost": 0.1}) + "\n"
            for x, (n, c) in enumerate([(2, 1), (1, 1), (2, 0)])
        )
    )
    assert load(tmp_path).providers[1].odds.ends is None
    assert load(tmp_path).digest() == market.digest(), "no answer depends on the order of attempts"


def test_ends_are_one_for_each_problem() -> None:
    with pytest.raises(MarketError, match="2 problems and ends 1"):
        log([1, 1], [0, 1], [1])


def test_estimated_odds_have_the_cap_that_the_logs_show() -> None:
    market = Market(name="m", providers=[provider("a", drawn(1, 30)), provider("b", drawn(2, 20))], weights=np.full(60, 1 / 60))
    made = capped(market)
    assert (made.max_attempts, made.max_budget) == (30, pytest.approx(3.0))
    assert "max_budget is 3 USD" in made.notes[-1]
    assert "max_attempts 30" in made.notes[-1]
    for estimator in (Beta(), Npml()):
        assert believed(market, estimator)[0].max_budget == pytest.approx(3.0)
        stated, estimate = believed(market, estimator, max_budget=0.7)
        assert (stated.max_budget, stated.max_attempts) == (0.7, 30)
        assert estimate is not None
        assert stated.notes == (), "nothing to say: it is stated"
    assert believed(market, None) == (market, None)
    assert solve(market, estimator=Beta(), levels=[0.3], points=16).rules.total_cap == pytest.approx(3.0)


def test_npml_is_not_misled_by_a_stop_at_the_first_success() -> None:
    """Half of the attempts would solve on average; the unbiased estimator of what was logged says far more."""
    odds = drawn(1, 20, problems=400)
    market = Market(name="m", providers=[provider("a", odds)], weights=np.full(400, 1 / 400))
    true = float(np.linspace(0.02, 0.9, 400).mean())
    made, _ = believed(market, Npml())
    assert market.weights @ odds.mean > true + 0.1
    assert made.weights @ made.providers[0].odds.mean == pytest.approx(true, abs=0.03)


def test_a_sample_that_stopped_at_the_first_success_is_estimated_right() -> None:
    """35 % of first attempts solve; of all attempts logged 42 % do."""
    market = load(Path(__file__).parents[1] / "cases" / "stops-at-first-success.jsonl")
    assert "first success" in market.notes[0]
    made, _ = believed(market, Npml())
    assert made.weights @ made.providers[0].odds.mean == pytest.approx(0.35, abs=0.02)


@needs_logs
def test_students_stop_at_the_first_success_and_provers_at_the_tenth() -> None:
    notes = load(DATA / "lean").notes
    assert notes[0].startswith("distill-1.7b-192k, distill-1.7b-24k, distill-1.7b-3k, distill-1.7b-72k and distill-1.7b-8k: at")
    assert "first success" in notes[0]
    assert notes[1].startswith("kimina-72b and kimina-8b: attempts on a problem stop at the 10th success")
    assert notes[2].startswith("kimina-1.7b: the number of attempts was not fixed")
    duopoly = load(DATA / "swebench", providers=["gpt5mini", "deepseek"]).notes
    assert [note.split(":")[0] for note in duopoly] == ["gpt5mini", "deepseek"]
    assert all("not fixed" in note for note in duopoly)
