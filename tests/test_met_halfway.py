"""What a user means is understood where it can only be one thing, and said where it was read another way than written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from test_cli import run
from test_outputs import PLAIN

from eqsolver import UsageError, solve
from eqsolver import _arguments as arguments
from eqsolver.market import Geometric, Market, Provider


@pytest.mark.parametrize(
    ("text", "levels", "note"),
    [
        ("75%", [0.75], ""),
        ("70%,75.5%", [0.7, 0.755], ""),
        ("75", [0.75], "eqsolver: --levels '75': read as percent, such as 75 %\n"),
        ("70:80:3", [0.7, 0.75, 0.8], "eqsolver: --levels '70:80:3': read as percent, such as 70 %\n"),
        ("70%:80%:3", [0.7, 0.75, 0.8], ""),
        ("1", [1.0], ""),
        ("0.5,1", [0.5, 1.0], ""),
        ("0.5,75", [0.5, 75.0], ""),
        ("101", [101.0], ""),
    ],
)
def test_levels_in_percent_are_read_as_such(
    text: str, levels: list[float], note: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert arguments.levels(text) == pytest.approx(levels)
    assert capsys.readouterr().err == note


@pytest.mark.parametrize("text", ["0%", "101%", "-5%", "x%"])
def test_percentages_that_are_no_level_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"--levels"):
        arguments.levels(text)


def test_a_level_in_percent_is_solved(tmp_path: Path) -> None:
    market = tmp_path / "two.toml"
    market.write_text(PLAIN)
    done = run("solve", market, "--levels", "75%", "--json", "-")
    assert json.loads(done.stdout)["levels"] == [0.75]
    assert done.stderr == ""


def test_names_that_hold_commas_are_names(tmp_path: Path) -> None:
    assert arguments.pairs("gpt,mini=1,b=2", "--prices") == [("gpt,mini", 1.0), ("b", 2.0)]
    assert arguments.exact(["a,b", "c"], providers="a,b", access="c", private=None) == {"providers": ["a,b"], "access": ["c"]}
    assert arguments.exact(["a", "b"], providers="a,b") == {}
    market = tmp_path / "two.toml"
    market.write_text(PLAIN.replace('"cheap"', '"gpt,mini"').replace("cheap =", '"gpt,mini" ='))
    alone = json.loads(run("solve", market, "--providers", "gpt,mini", "--levels", "0.25", "--json", "-").stdout)
    assert alone["providers"] == alone["options"]["providers"] == ["gpt,mini"]
    bought = json.loads(run("solve", market, "--access", "gpt,mini", "--levels", "0.25", "--json", "-").stdout)
    assert bought["options"]["access"] == ["gpt,mini"]
    logs = tmp_path / "logs"
    logs.mkdir()
    for name in ("gpt,mini", "b"):
        (logs / f"{name}.jsonl").write_text('{"id": "x", "attempts": [1, 0], "mean_cost": 1.0}\n')
    alone = json.loads(run("solve", logs, "--providers", "gpt,mini", "--json", "-").stdout)
    assert alone["providers"] == ["gpt,mini"]


def test_a_market_in_which_nothing_is_solved_is_an_answer(tmp_path: Path) -> None:
    market = tmp_path / "two.toml"
    market.write_text(PLAIN.replace("cheap = 0.5", "cheap = 0.0").replace("strong = 0.8", "strong = 0.0"))
    for command, options in (
        ("solve", ["--json", str(tmp_path / "out.json")]),
        ("equilibrium", ["--value", "value:5"]),
        ("robust", ["--resamples", "problems:3"]),
        ("enter", ["--entrant", "cheap"]),
    ):
        done = run(command, market, *options)
        assert done.exit_code == 1, (command, done.output)
        (line,) = done.stderr.splitlines()
        assert line.endswith("ever solves a problem within the cap")
        assert list(tmp_path.iterdir()) == [market]


def test_alike_providers_share_the_sale_equally() -> None:
    def twins(*marginal_costs: float) -> dict[str, list[float]]:
        providers = tuple(
            Provider(name=name, odds=Geometric(success=[0.5]), spend=[1.0], marginal_cost=cost)
            for name, cost in zip("abc", marginal_costs, strict=False)
        )
        market = Market(name="twins", providers=providers, weights=[1.0], max_budget=4.0)
        return solve(market, levels=[0.5]).to_dict()["revenue_without"]

    assert twins(0.4, 0.4) == {"a": [0.5], "b": [0.5]}
    assert twins(0.4, 0.4, 0.4) == {name: [pytest.approx(1 / 3)] for name in "abc"}
    assert twins(0.4, 0.3, 0.3) == {"a": [0.0], "b": [0.5], "c": [0.5]}, "the dearest to run is not alike"
    assert twins(0.4, 0.3) == {"a": [0.0], "b": [1.0]}


def test_every_fault_of_a_file_is_a_line_of_its_own(tmp_path: Path) -> None:
    market = tmp_path / "two.toml"
    market.write_text(PLAIN.replace("weight = 0.5", "weight = 7").replace("max_attempts = 4", "max_attempts = 0"))
    done = run("solve", market)
    assert done.exit_code == 2
    assert len(done.stderr.splitlines()) == 3
    assert all(line.startswith(f"eqsolver: {market}: ") for line in done.stderr.splitlines())
