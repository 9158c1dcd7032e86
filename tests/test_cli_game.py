"""The commands of the price game, end to end."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from eqsolver.cli import app

README = Path(__file__).parents[1] / "README.md"
MARKET = """\
max_budget = 2.0
classes = [
  {weight = 0.5, success = {a = 0.5, b = 0.75}, mean_cost = {a = 0.25, b = 0.5}},
  {weight = 0.5, success = {a = 0.25, b = 0.5}, mean_cost = {a = 0.25, b = 0.5}},
]
[[providers]]
name = "a"
[[providers]]
name = "b"
marginal_cost = 0.3
[[arbitrageurs]]
name = "broker"
overhead = 0.01
[[consumers]]
kind = "population"
distribution = "lognormal"
parameters = [2.0, 1.0]
[[regimes]]
name = "brokered"
arbitrageurs = ["broker"]
"""
QUICK = ("--points", "16", "--tick", "0.02")


@pytest.fixture
def market(tmp_path: Path) -> Path:
    path = tmp_path / "market.toml"
    path.write_text(MARKET)
    return path


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments])


def documented() -> list[str]:
    """Keys in the first column of the README's table of `eqsolver equilibrium --json`."""
    table = README.read_text(encoding="utf-8").split("`eqsolver equilibrium --json` writes")[1].split("\n\n")[1]
    cells = [line.split("|")[1] for line in table.splitlines()[2:]]
    return [key for cell in cells for key in re.findall(r"`(\w+)[^`]*`", cell)]


ISSUED = {
    "kind", "strategies", "epsilon", "arbitrageur_epsilon", "expected_price", "revenue", "profit", "units",
    "arbitrageur_profit", "overhead", "consumer_bill", "consumer_surplus", "solved_share", "hhi", "cross_price",
    "policies_added", "rounds",
}  # fmt: skip
"""What every regime must have, whatever else is documented."""
OF_MANY = {"completion", "drawn_together", "correlation"}
"""What only games of more than two providers have: see tests/game/test_many_players.py."""


def test_json_has_the_documented_keys_and_no_others(market: Path) -> None:
    done = run("equilibrium", market, "--regimes", "direct,brokered", "--bootstrap", "2", "--json", "-", *QUICK)
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    known = documented()
    assert len(known) == len(set(known)), "a key is documented twice"
    emitted = set(found)
    for group in ("regimes", "posted"):
        assert list(found[group]) == ["direct", "brokered"]
        for regime in found[group].values():
            assert set(regime) >= ISSUED
            emitted |= set(regime)
            paid = sum(regime["revenue"].values()) + sum(regime["arbitrageur_profit"].values()) + regime["overhead"]
            assert paid == pytest.approx(regime["consumer_bill"], rel=1e-9)
            for name in ("a", "b"):
                assert set(regime["epsilon"][name]) == {"absolute", "relative", "missed"}
                assert set(regime["strategies"][name]) == {"prices", "probabilities"}
                assert sum(regime["strategies"][name]["probabilities"]) == pytest.approx(1.0)
                assert set(regime["cross_price"][name]) == {"a", "b"}
    assert emitted | OF_MANY == set(known)
    assert found["players"] == ["a", "b"]
    assert found["posted"]["brokered"]["overhead"] > 0
    assert set(found["options"]) == {
        "regimes", "strategic", "private", "price_bounds", "demand", "tick", "tolerance", "max_rounds", "allot",
        "overrun", "max_budget", "max_attempts", "points", "bootstrap", "seed",
    }  # fmt: skip


def test_every_option_reaches_the_game(market: Path) -> None:
    """Each option changes what the JSON says was asked for, or the answer itself."""
    plain = json.loads(run("equilibrium", market, "--regimes", "direct", "--json", "-", *QUICK).stdout)
    for option, key, value in (
        (("--strategic", "a"), "strategic", ["a"]),
        (("--private", "b"), "private", ["b"]),
        (("--price-bounds", "0.5:2"), "price_bounds", [0.5, 2.0]),
        (("--tolerance", "0.01"), "tolerance", 0.01),
        (("--max-rounds", "77"), "max_rounds", 77),
        (("--overrun", "cut"), "overrun", "cut"),
        (("--allot", "attempts", "--max-attempts", "2"), "allot", "attempts"),
        (("--max-budget", "1.5"), "max_budget", 1.5),
        (("--seed", "5"), "seed", 5),
    ):
        done = run("equilibrium", market, "--regimes", "direct", "--json", "-", *option, *QUICK)
        assert done.exit_code in (0, 1), done.output
        assert json.loads(done.stdout)["options"][key] == value
        assert plain["options"][key] != value
    dear = json.loads(run("equilibrium", market, "--marginal-cost", "a=0.8", "--json", "-", *QUICK).stdout)
    assert dear["marginal_costs"] == {"a": 0.8, "b": 0.3}
    few = json.loads(run("equilibrium", market, "--providers", "a", "--unit", "EUR", "--json", "-", *QUICK).stdout)
    assert (few["players"], few["unit"]) == (["a"], "EUR")


def test_tables_say_what_is_assumed_and_figures_are_drawn(market: Path, tmp_path: Path) -> None:
    done = run("equilibrium", market, "--figures", tmp_path / "figures", *QUICK)
    assert done.exit_code == 0, done.output
    assert "Assumed: marginal costs" in done.stdout
    assert "values lognormal" in done.stdout
    for name in ("prices", "shifts", "slopes", "responses"):
        assert (tmp_path / "figures" / f"{name}.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("value", ["lognormal:2:1", "uniform:0:6", "target:0.6:1.5", "value:3,value:1"])
def test_every_kind_of_consumers_can_be_given(market: Path, value: str) -> None:
    done = run("equilibrium", market, "--value", value, "--regimes", "competitive", *QUICK)
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("demand", ["logit:0.1", "balanced"])
def test_smooth_demand_is_an_option(market: Path, demand: str) -> None:
    options = ("--demand", demand, "--regimes", "direct", "--tolerance", "0.02", "--points", "16")
    done = run("equilibrium", market, *options)
    assert done.exit_code == 0, done.output
    assert f"({demand})" in done.stdout
    found = json.loads(run("equilibrium", market, *options, "--json", "-").stdout)
    assert found["options"]["demand"] == demand
    assert found["regimes"]["direct"]["kind"] == "pure"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--value", "normal:1:1"), "none of lognormal"),
        (("--value", "value:x"), "not a number"),
        (("--regimes", "nobody"), "unknown regime"),
        (("--strategic", "c"), "unknown provider"),
        (("--marginal-cost", "a=x"), "not a number"),
        (("--price-bounds", "1"), "lowest:highest"),
        (("--price-bounds", "3:1"), "low < high"),
        (("--tick", "-1"), "tick"),
        (("--demand", "probit"), "exact, logit:SCALE"),
        (("--demand", "logit"), "exact, logit:SCALE"),
        (("--demand", "logit:-1"), "must be positive"),
    ],
)
def test_bad_usage_is_said_in_words_with_exit_code_two(market: Path, options: tuple[str, str], told: str) -> None:
    done = run("equilibrium", market, *options)
    assert done.exit_code == 2
    assert told in done.stderr
    assert done.stderr.count("\n") == 1


def test_values_can_be_read_from_a_file(market: Path, tmp_path: Path) -> None:
    values = tmp_path / "values.txt"
    values.write_text("1.5\n\n3\n")
    done = run("equilibrium", market, "--value", f"empirical:{values}", "--regimes", "direct", "--json", "-", *QUICK)
    found = json.loads(done.stdout)
    assert [(c["value"], c["mass"]) for c in found["consumers"]] == [(1.5, 0.5), (3.0, 0.5)]
    for text, told in (("", "no values"), ("1\nx\n", "line 2"), ("-1", "-1")):
        values.write_text(text)
        wrong = run("equilibrium", market, "--value", f"empirical:{values}")
        assert (wrong.exit_code, told in wrong.stderr) == (2, True), wrong.output
    assert run("equilibrium", market, "--value", f"empirical:{tmp_path / 'none'}").exit_code == 2


def test_logs_without_consumers_end_with_two_and_say_why(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / f"{name}.jsonl").write_text('{"id": "x", "attempts": [0, 1], "mean_cost": 0.5}\n')
    done = run("equilibrium", tmp_path, "--max-budget", "2")
    assert done.exit_code == 2
    assert "worth" in done.stderr
    assert run("equilibrium", tmp_path, "--max-budget", "2", "--value", "lognormal:2:1", *QUICK).exit_code in (0, 1)


def test_a_certificate_that_is_not_reached_ends_with_one(market: Path) -> None:
    done = run("equilibrium", market, "--regimes", "direct", "--max-rounds", "1", "--points", "16")
    assert done.exit_code == 1
    assert "certificate" in done.stderr


def test_a_sweep_writes_a_row_per_cell_regime_and_prices_and_resumes(market: Path, tmp_path: Path) -> None:
    out = tmp_path / "results.csv"
    command = ("sweep", market, "--over", "marginal-cost=0.2:0.4:2", "--regimes", "direct,brokered", "-o", out, *QUICK)
    assert run(*command).exit_code == 0
    first = out.read_bytes()
    table = pd.read_csv(out)
    assert len(table) == 2 * 2 * 2
    assert run(*command).exit_code == 0
    assert out.read_bytes() == first
    drawn = run(*command, "--figures", tmp_path / "figures", "--backend", "threading")
    assert drawn.exit_code == 0
    assert (tmp_path / "figures" / "statics-marginal-cost.png").read_bytes().startswith(b"\x89PNG")
    assert run("sweep", market, "--over", "value=1", "--backend", "ray", "-o", out).exit_code == 2
    assert run("sweep", market, "--over", "nothing=1", "-o", out).exit_code == 2
    assert run("sweep", market, "--over", "value", "-o", out).exit_code == 2
    assert out.read_bytes() == first
