"""Policies that are printed or written, paid again: under every rule the same pass and the same bill, end to end."""

from __future__ import annotations

import json
import re
import tomllib
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from oracles_money import RULES, Shop, along, least, lower_hull
from tiny_shops import shop_of
from typer.testing import CliRunner, Result

from eqsolver import load
from eqsolver.cli import app

SPECIFICATION = """
unit = "USD"
max_budget = 4.0
max_attempts = 4

[[providers]]
name = "cheap"

[[providers]]
name = "strong"

[[classes]]
weight = 0.5
success = {cheap = 0.5, strong = 0.75}
mean_cost = {cheap = 0.5, strong = 1.5}
mean_cost_failed = {cheap = 1.0, strong = 2.0}

[[classes]]
weight = 0.5
success = {cheap = 0.125, strong = 0.75}
mean_cost = {cheap = 0.3, strong = 0.7}
"""

LEVELS = [0.3, 0.45, 0.6, 0.75, 0.9]


@pytest.fixture
def specification(tmp_path: Path) -> Path:
    path = tmp_path / "two.toml"
    path.write_text(SPECIFICATION)
    return path


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """Two agents on twelve problems; costs of attempts vary, thirds of cents among them, and failures run longer."""
    folder, rng = tmp_path / "logs", np.random.default_rng(5)
    folder.mkdir()
    for name, odds, scale in (("cheap", 0.3, 1), ("strong", 0.6, 4)):
        lines = []
        for x in range(12):
            won = (rng.random(3) < odds * (0.4 if x % 3 == 0 else 1.2)).astype(int).tolist()
            costs = [round(scale * float(rng.integers(1, 9)) * (1 if y else 2) / 100, 4) for y in won]
            lines.append(json.dumps({"id": f"{'ab'[x % 2]}-{x}", "attempts": won, "costs": costs}))
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    return folder


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments])


def solved(*arguments: str | Path) -> dict:
    done = run("solve", *arguments, "--json", "-")
    assert done.exit_code in (0, 1), done.output
    return json.loads(done.stdout)


def options(rule: str, source: str) -> list[str]:
    levels = LEVELS if source == "specification" else [0.2, 0.4, 0.55, 0.7, 0.8]
    cap = [] if source == "specification" else ["--max-budget", "0.5", "--max-attempts", "3"]
    how = ["--allot", "attempts"] if rule == "attempts" else ["--allot", "money", "--overrun", rule]
    return [*how, *cap, "--levels", ",".join(map(str, levels))]


def written(order: list[str], thresholds: list[float]) -> str:
    return ",".join(f"{name}={threshold!r}" for name, threshold in zip(order, thresholds, strict=True))


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("source", ["specification", "logs"])
def test_a_policy_in_the_json_costs_what_it_says_when_it_is_evaluated(
    source: str, rule: str, request: pytest.FixtureRequest
) -> None:
    market, how = request.getfixturevalue(source), options(rule, source)
    found = solved(market, *how)
    assert any(cost is not None for cost in found["cascade"]["buy_cost"])
    again = solved(market, *how, "--evaluate", written(found["cascade"]["order"], found["cascade"]["thresholds"]))["evaluated"]
    for column in ("buy_cost", "margin", "arbitrageur_profit", "revenue_change"):
        close(again[column], found["cascade"][column])
    for name in found["providers"]:
        close(again["units"][name], found["cascade"]["units"][name])
    per = found["cascade_per_level"]
    assert any(order for order in per["order"])
    for level, (order, thresholds) in enumerate(zip(per["order"], per["thresholds"], strict=True)):
        if order is None:
            assert per["buy_cost"][level] is None
            continue
        paid = solved(market, *how, "--evaluate", written(order, thresholds))["evaluated"]
        close(paid["buy_cost"][level : level + 1], per["buy_cost"][level : level + 1])


def close(found: list[float | None], right: list[float | None]) -> None:
    assert [v is None for v in found] == [v is None for v in right]
    np.testing.assert_allclose(np.array(found, dtype=float), np.array(right, dtype=float), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("source", ["specification", "logs"])
def test_a_sequence_in_the_json_followed_attempt_by_attempt_reaches_its_level_at_its_cost(
    source: str, rule: str, request: pytest.FixtureRequest
) -> None:
    """Schedules that return, by the oracle that knows nothing of the implementation."""
    path, how = request.getfixturevalue(source), options(rule, source)
    found, market = solved(path, *how), load(path)
    shop = shop_of(market, rule, cap=None if source == "specification" else 3 if rule == "attempts" else 0.5)
    position = {name: i for i, name in enumerate(market.names)}
    for u, cost, sequence in zip(found["levels"], found["schedule"]["buy_cost"], found["schedule"]["sequence"], strict=True):
        if sequence is None:
            continue
        blocks = [(position[b["provider"]], exactly(b["budget"], rule)) for b in sequence]
        share, units = shop.run(blocks)
        assert float(share) >= u - 1e-12
        assert float(shop.bill(units)) == pytest.approx(cost, rel=1e-6)
        final = [max((b for j, b in blocks if j == i), default=Fraction(0)) for i in shop.sellers]
        assert shop.inside(final, tolerance=Fraction(1, 10**9))


def exactly(threshold: float, rule: str) -> Fraction:
    """A threshold with the tolerance of THEORY section 2: a sum of costs that rounding keeps from it is as large as it."""
    return Fraction(threshold) * (1 + (-1 if rule == "finish" else 1) * Fraction(1, 10**12))


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("source", ["specification", "logs"])
def test_policies_in_words_buy_what_the_json_says(source: str, rule: str, request: pytest.FixtureRequest) -> None:
    market, how = request.getfixturevalue(source), options(rule, source)
    told, found = run("solve", market, *how), solved(market, *how)
    assert told.exit_code in (0, 1)
    text = re.sub(r"\s+", " ", told.stdout)
    cascade = re.search(r"Single cascade ((?:up to|one attempt|nothing).*?)(?= At [\d.]+ %| Where a| Who )", text)
    assert cascade is not None
    again = solved(market, *how, "--evaluate", read_words(cascade[1]))["evaluated"]
    close(again["buy_cost"], found["cascade"]["buy_cost"])
    for level, shown in re.findall(
        r"At ([\d.]+) %, best cascade ((?:up to|one attempt).*?)(?= At [\d.]+ %| Where a| Who )", text
    ):
        at = int(np.argmin(np.abs(np.array(found["levels"]) - float(level) / 100)))
        paid = solved(market, *how, "--evaluate", read_words(shown))["evaluated"]
        close(paid["buy_cost"][at : at + 1], found["cascade_per_level"]["buy_cost"][at : at + 1])


def read_words(text: str) -> str:
    """`up to $0.08 on a, then one attempt on b` as `a=0.08,b=1e-9`."""
    blocks = []
    for block in text.split(", then "):
        amount, name = re.fullmatch(r"(?:up to )?(.*?)(?: attempts?)? on (\w+)", block.strip()).groups()
        blocks.append((name, 1e-9 if amount == "one" else float(amount.replace("$", "").replace(",", ""))))
    return ",".join(f"{name}={value!r}" for name, value in blocks)


@pytest.mark.parametrize("rule", RULES)
def test_policies_given_to_an_arbitrageur_cost_what_they_did_where_they_were_found(
    rule: str, specification: Path, tmp_path: Path
) -> None:
    how = options(rule, "specification")
    cascade = solved(specification, *how)["cascade"]
    fixed = tmp_path / "fixed.toml"
    fixed.write_text(
        SPECIFICATION
        + f'\n[[arbitrageurs]]\nname = "fixed"\npolicies = [{{order = {json.dumps(cascade["order"])}, '
        + f"thresholds = {cascade['thresholds']!r}, weight = 1.0}}]\n"
    )
    again = solved(fixed, *how)["arbitrageurs"]["fixed"]
    close(again["buy_cost"], cascade["buy_cost"])


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_stated_in_the_file_is_used_and_an_option_wins(rule: str, specification: Path, tmp_path: Path) -> None:
    stated = 'allot = "attempts"' if rule == "attempts" else f'allot = "money"\noverrun = "{rule}"'
    market = tmp_path / "stated.toml"
    market.write_text(f"{stated}\n{SPECIFICATION}")
    levels = ["--levels", ",".join(map(str, LEVELS))]
    found, asked = solved(market, *levels), solved(specification, *options(rule, "specification"))
    close(found["schedule"]["buy_cost"], asked["schedule"]["buy_cost"])
    other = "cut" if rule != "cut" else "never"
    won, right = (solved(path, "--allot", "money", "--overrun", other, *levels) for path in (market, specification))
    close(won["schedule"]["buy_cost"], right["schedule"]["buy_cost"])
    if rule != "attempts":
        assert won["schedule"]["buy_cost"] != found["schedule"]["buy_cost"]


@pytest.fixture
def domains(tmp_path: Path) -> Path:
    """Twenty problems in two domains, ten attempts each, of which failures cost half as much again."""
    folder, rng = tmp_path / "domains", np.random.default_rng(3)
    folder.mkdir()
    easy = rng.random(20) < np.where(np.arange(20) % 4 > 0, 0.7, 0.2)
    for name, odds, cost in (("cheap", np.where(easy, 0.7, 0.0), 0.05), ("strong", np.full(20, 0.6), 0.5)):
        lines = []
        for x in range(20):
            won = (rng.random(10) < odds[x]).astype(int).tolist()
            costs = [cost if y else 1.5 * cost for y in won]
            lines.append(json.dumps({"id": f"{'easy' if x % 4 else 'hard'}-{x}", "attempts": won, "costs": costs}))
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    return folder


@pytest.mark.parametrize("rule", RULES)
def test_a_robust_mixture_written_and_read_back_pays_what_its_policies_pay(rule: str, domains: Path, tmp_path: Path) -> None:
    """Read back under the rule that the file states; its cost is the weighted cost of its policies, one by one."""
    out = tmp_path / "market.toml"
    how = ["--allot", "attempts"] if rule == "attempts" else ["--overrun", rule]
    asked = ["--domains", "^[a-z]+", "--set", "tv:0.2", "--cross-fits", "0", "--max-budget", "3", "--max-attempts", "5"]
    done = run("robust", domains, *asked, *how, "--json", "-", "-o", out)
    assert done.exit_code == 0, done.output
    mixture = [entry for entry in json.loads(done.stdout)["mixture"] if entry["order"]]
    stated = tomllib.loads(out.read_text())
    (robust,) = (who for who in stated["arbitrageurs"] if who["name"] == "robust")
    policies = robust["policies"]
    for entry, policy in zip(mixture, policies, strict=True):
        assert policy["order"] == entry["order"]
        np.testing.assert_allclose(policy["thresholds"], entry["thresholds"], rtol=1e-12)
        assert policy["weight"] == pytest.approx(entry["weight"], abs=1e-9)
    assert stated["allot"] == ("attempts" if rule == "attempts" else "money")
    assert stated.get("overrun") == (None if rule == "attempts" else rule)
    levels = ["--levels", "0.3,0.5,0.7"]
    told = solved(out, *levels)["arbitrageurs"]["robust"]["buy_cost"]
    explicit = ["--allot", "attempts"] if rule == "attempts" else ["--allot", "money", "--overrun", rule]
    close(told, solved(out, *levels, *explicit)["arbitrageurs"]["robust"]["buy_cost"])
    cost = np.zeros(3)
    for policy in policies:
        paid = solved(out, *levels, "--evaluate", written(policy["order"], policy["thresholds"]))["evaluated"]["buy_cost"]
        cost += policy["weight"] / sum(p["weight"] for p in policies) * np.array(paid, dtype=float)
    assert np.isfinite(cost).any()
    np.testing.assert_allclose(np.array(told, dtype=float), cost, rtol=1e-9)


@pytest.mark.parametrize("rule", RULES)
def test_robust_margins_are_those_of_the_printed_mixture_followed_in_every_scenario(rule: str, domains: Path) -> None:
    """THEORY section 8, not clipped; the last provider is bought up to what the cap leaves, by the oracle's own nodes."""
    how = ["--allot", "attempts", "--max-attempts", "4"] if rule == "attempts" else ["--overrun", rule, "--max-budget", "3"]
    done = run("robust", domains, "--domains", "^[a-z]+", "--set", "tv:0.3", "--cross-fits", "0", *how, "--json", "-")
    assert done.exit_code == 0, done.output
    found, market = json.loads(done.stdout), load(domains)
    position = {name: i for i, name in enumerate(market.names)}
    for scenario, margin in zip(found["scenarios"], found["margins"], strict=True):
        inside = np.array([problem.startswith(scenario["name"]) for problem in market.problems])
        assert inside.sum() == scenario["problems"]
        part = market.reweighted(inside / inside.sum())
        shop = shop_of(part, rule, cap=4 if rule == "attempts" else 3)
        right = 0.0
        for entry in found["mixture"]:
            blocks = [(position[name], t) for name, t in zip(entry["order"], entry["thresholds"], strict=True)]
            right += entry["weight"] * float(mean_margin(shop, blocks, rule))
        assert margin == pytest.approx(right, abs=1e-7)


def mean_margin(shop: Shop, blocks: list[tuple[int, float]], rule: str) -> Fraction:
    """The margin of a cascade over 20 levels of the last five points below the best provider's reach; a loss is a loss."""
    if not blocks:
        return Fraction(0)
    offers = [point for i in shop.sellers for point in alone(shop, i)]
    reach = max(solved for solved, _ in offers)
    levels = [reach - Fraction(1, 20) + Fraction(k, 380) for k in range(20)]
    here, cost, taken, walked = [Fraction(0) for _ in shop.sellers], Fraction(0), Fraction(0), [(Fraction(0), Fraction(0))]
    for stage, (i, t) in enumerate(blocks):
        nodes = shop.nodes(i)[1:]
        if stage < len(blocks) - 1:
            nodes = [node for node in nodes if reaches(node[0], exactly(t, rule), rule)]
        fitting = [node for node in nodes if shop.within([taken, node[0]])]
        for _, b in fitting:
            cost += shop.slice(i, b, here)
            here[i] = b
            walked.append((shop.solved(here), cost))
        taken += fitting[-1][0] if fitting and rule != "attempts" else 0
        if stage < len(blocks) - 1 and rule != "finish":  # what an allotment buys beyond its last useful node
            cost += shop.slice(i, exactly(t, rule), here)
            here[i] = exactly(t, rule)
    total = Fraction(0)
    for u in levels:
        price, paid = least(offers, u), least(walked, u - Fraction(1, 10**12))
        assert price is not None
        if paid is None:
            delivered = least(offers, walked[-1][0])
            assert delivered is not None
            total += (delivered - walked[-1][1]) / price
        else:
            total += 1 - paid / price
    return total / len(levels)


def alone(shop: Shop, i: int) -> list[tuple[Fraction, Fraction]]:
    """(pass, bill) of one provider at each of its nodes."""
    nothing = [Fraction(0) for _ in shop.sellers]
    found = []
    for _, b in shop.nodes(i)[1:]:
        up = [b if j == i else Fraction(0) for j in shop.sellers]
        found.append((shop.solved(up), shop.slice(i, b, nothing)))
    return found


def reaches(taken: Fraction, threshold: Fraction, rule: str) -> bool:
    return taken < threshold if rule == "finish" else taken <= threshold


def test_overrun_does_not_go_with_attempts(specification: Path) -> None:
    done = run("solve", specification, "--allot", "attempts", "--overrun", "cut")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "does not go with attempts" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_classes_that_state_attempts_only_are_sold_by_attempts(tmp_path: Path) -> None:
    market = tmp_path / "attempts.toml"
    market.write_text(SPECIFICATION.replace("max_budget = 4.0\n", ""))
    found = solved(market, "--levels", "0.6,0.9")
    close(found["schedule"]["buy_cost"], solved(market, "--allot", "attempts", "--levels", "0.6,0.9")["schedule"]["buy_cost"])
    assert {type(t) for order in found["cascade_per_level"]["thresholds"] for t in order} <= {int, float}
    assert all(float(t).is_integer() for order in found["cascade_per_level"]["thresholds"] for t in order)


def test_under_finish_every_level_below_one_attempt_costs_one_attempt(specification: Path) -> None:
    """On half the problems 0.5, on half 0.125 solved at the first attempt; randomising over buying nothing costs less."""
    found = solved(specification, "--levels", "0.01,0.1,0.3125,0.32")
    np.testing.assert_allclose(found["provider_cost"]["cheap"][:3], 0.525)
    assert found["provider_cost"]["cheap"][3] > 0.525
    np.testing.assert_allclose(found["schedule"]["buy_cost"][:3], 0.525)
    mixed = along(lower_hull(shop_of(load(specification), "finish").schedules()), Fraction(1, 100))
    assert mixed is not None
    assert found["schedule"]["mixed_buy_cost"][0] == pytest.approx(float(mixed))
    assert mixed < 0.02, "buying nothing 24 times in 25"
    assert found["cascade_per_level"]["thresholds"][0][0] > 0


def test_calibrate_writes_what_failed_attempts_cost_where_logs_tell(logs: Path, tmp_path: Path) -> None:
    out = tmp_path / "classes.toml"
    done = run("calibrate", logs, "-o", out, "--max-budget", "0.5", "--classes", "6", "--rounds", "1", "--quiet")
    assert done.exit_code in (0, 1), done.output
    classes = tomllib.loads(out.read_text())["classes"]
    assert all({"mean_cost", "mean_cost_failed"} <= set(entry) for entry in classes)
    market, fitted = load(logs), load(out)
    for given, made in zip(market.providers, fitted.providers, strict=True):
        solved = market.weights * given.odds.mean  # what successes cost in all, over what as many failures would
        share = (solved @ given.spend) / (solved @ given.spend_if_failed)
        np.testing.assert_allclose(made.spend / made.spend_if_failed, share, rtol=1e-9)
        assert share < 1, "failures cost more in these logs"
