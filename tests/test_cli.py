"""The command line end to end: what a stranger sees, on stdout, on stderr, as exit code and as files."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from eqsolver import load
from eqsolver.cli import app
from eqsolver.market import Population

SPECIFICATION = """
unit = "USD"
max_budget = 6.0
max_attempts = 4

[[providers]]
name = "cheap"

[[providers]]
name = "strong"
price = 1.0

[[classes]]
weight = 0.5
success = {cheap = 0.5, strong = 0.8}
mean_cost = {cheap = 1.0, strong = 3.0}

[[classes]]
weight = 0.5
success = {cheap = 0.0, strong = 0.8}
mean_cost = {cheap = 1.0, strong = 3.0}

[[arbitrageurs]]
name = "costly"
overhead = 0.02

[[arbitrageurs]]
name = "fixed"
policies = [{order = ["cheap", "strong"], thresholds = [1.0, 5.0], weight = 0.5}]
"""

KEYS = [
    *[
        "market",
        "unit",
        "problems",
        "dropped",
        "dropped_because",
        "notes",
        "providers",
        "levels",
        "provider_cost",
        "market_price",
        "market_seller",
        "cascade",
        "cascade_per_level",
        "schedule",
        "evaluated",
        "oracle_cost",
        "revenue_without",
        "undercutting",
        "arbitrageurs",
        "marginal_revenue",
        "hhi",
        "sellers",
        "segments",
        "overall_hhi",
        "grid",
        "version",
        "options",
    ]
]

POLICY_KEYS = ["buy_cost", "margin", "units", "revenue", "arbitrageur_profit", "revenue_share", "revenue_change"]


@pytest.fixture
def market(tmp_path: Path) -> Path:
    path = tmp_path / "two.toml"
    path.write_text(SPECIFICATION)
    return path


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    (folder / "below").mkdir(parents=True)
    rows = {
        "cheap": [("x", [1, 0], 1.0), ("y", [0, 0], 1.0), ("only-here", [1], 1.0)],
        "strong": [("x", [1, 1, 0, 1], 3.0), ("y", [1, 0], 3.0)],
    }
    for name, lines in rows.items():
        text = "".join(json.dumps({"id": i, "attempts": a, "mean_cost": w}) + "\n" for i, a, w in lines)
        (folder / f"{name}.jsonl").write_text(text)
    (folder / "below" / "ignored.jsonl").write_text("not read\n")
    return folder


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments])


def solved(*arguments: str | Path) -> dict:
    result = run("solve", *arguments, "--json", "-")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_help_and_version_work_and_name_every_command() -> None:
    shown = run("--help")
    assert shown.exit_code == 0
    assert all(command in shown.stdout for command in ("solve", "distill", "enter", "calibrate", "schema"))
    assert run("--version").stdout.startswith("eqsolver ")


def test_solve_prints_tables_and_exits_with_zero(market: Path) -> None:
    result = run("solve", market)
    assert result.exit_code == 0, result.stderr
    assert "cheap" in result.stdout
    assert "strong" in result.stdout
    assert "\x1b" not in result.stdout
    assert "nan" not in result.stdout
    assert result.stderr == ""


def test_json_has_every_documented_key_and_one_entry_per_level(market: Path) -> None:
    answer = solved(market, "--levels", "0.8,0.85,0.9", "--evaluate", "cheap=1,strong=5", "--bootstrap", "20")
    assert list(answer) == KEYS
    for part in ("cascade", "cascade_per_level", "schedule", "evaluated"):
        assert [key for key in POLICY_KEYS if key not in answer[part]] == []
        assert len(answer[part]["margin"]) == len(answer[part]["margin_p05"]) == len(answer[part]["margin_p95"]) == 3
        assert all(len(row) == 3 for row in answer[part]["revenue_share"].values())
    assert answer["market_price"] == pytest.approx([3.0, 3.6, 3.6])
    assert answer["schedule"]["buy_cost"][:2] == pytest.approx([3.0, 3.2])
    assert answer["evaluated"]["buy_cost"][1] == pytest.approx(3.25)
    assert answer["schedule"]["sequence"][1] == [{"provider": "strong", "budget": 3.0}, {"provider": "cheap", "budget": 1.0}]
    assert answer["arbitrageurs"]["costly"]["buy_cost"][1] == pytest.approx(1.02 * 3.2)
    assert answer["arbitrageurs"]["fixed"]["margin"][1] == pytest.approx(0.5 * (1 - 3.25 / 3.6))
    assert set(answer["marginal_revenue"]["per_point"]) == {"without", "with"}
    assert len(answer["undercutting"]["rounds"]) == 7


def test_levels_out_of_reach_are_null_and_exit_with_one(market: Path) -> None:
    result = run("solve", market, "--levels", "0.8,0.999999", "--json", "-")
    assert result.exit_code == 1
    answer = json.loads(result.stdout)
    assert answer["market_price"][1] is None
    assert answer["schedule"]["buy_cost"][1] is None
    assert "0.999999" in result.stderr


def test_logs_and_folders_give_the_market_of_common_problems(logs: Path) -> None:
    by_folder, by_file = solved(logs), solved(logs / "cheap.jsonl", logs / "strong.jsonl")
    assert by_folder["problems"] == 2
    assert by_folder["dropped"] == 1
    assert list(by_folder["dropped_because"].values()) == [1]
    assert by_folder["schedule"]["buy_cost"] == by_file["schedule"]["buy_cost"]


def test_providers_restrict_the_market_and_access_only_the_arbitrageur(logs: Path) -> None:
    alone = solved(logs, "--providers", "cheap")
    assert alone["problems"] == 3, "no problem is dropped for the sake of a provider that is left out"
    assert alone["dropped"] == 0
    limited = solved(logs, "--access", "cheap", "--levels", "0.4,0.5")
    assert limited["providers"] == ["cheap", "strong"]
    assert limited["schedule"]["units"]["strong"] == [0.0, 0.0]


def test_prices_scale_offers(market: Path) -> None:
    plain, dear = solved(market, "--levels", "0.8"), solved(market, "--levels", "0.8", "--prices", "strong=2")
    assert dear["provider_cost"]["strong"][0] == pytest.approx(2 * plain["provider_cost"]["strong"][0])


def test_attempt_allocation_uses_its_own_cap(market: Path) -> None:
    refused = run("solve", market, "--allot", "attempts")
    assert refused.exit_code == 2, "a fixed policy of 5 is within the budget, not within 4 attempts"
    assert "arbitrageur 'fixed'" in refused.stderr
    market.write_text(SPECIFICATION[: SPECIFICATION.index("[[arbitrageurs]]")])
    assert solved(market, "--allot", "attempts", "--levels", "0.85")["schedule"]["sequence"] == [
        [{"provider": "strong", "budget": 1.0}, {"provider": "cheap", "budget": 1.0}]
    ]


@pytest.mark.parametrize(("old", "new"), [("--accounting", "--overrun cut"), ("--allocation", "--allot money")])
def test_options_of_earlier_versions_name_their_successors(market: Path, old: str, new: str) -> None:
    refused = run("solve", market, old, "budget")
    assert refused.exit_code == 2
    (line,) = refused.stderr.splitlines()
    assert new in line


@pytest.mark.parametrize("overrun", ["finish", "cut", "never"])
def test_a_policy_read_back_from_json_has_the_printed_pass_and_cost(market: Path, overrun: str) -> None:
    market.write_text(SPECIFICATION[: SPECIFICATION.index("[[arbitrageurs]]")])
    how = ("--overrun", overrun, "--levels", "0.3,0.5,0.7,0.8,0.85")
    found = solved(market, *how)
    assert found["options"]["overrun"] == overrun
    for kind in ("cascade", "cascade_per_level"):
        orders, tops, costs = (found[kind][key] for key in ("order", "thresholds", "buy_cost"))
        for level, cost in enumerate(costs):
            order, thresholds = (orders, tops) if kind == "cascade" else (orders[level], tops[level])
            if cost is None:
                continue
            given = ",".join(f"{name}={top!r}" for name, top in zip(order, thresholds, strict=True))
            again = solved(market, *how, "--evaluate", given)["evaluated"]
            assert again["buy_cost"][level] == pytest.approx(cost, rel=1e-9)
            assert sum(thresholds) <= 6.0


def test_json_file_and_figures_are_written_and_tables_still_printed(market: Path, tmp_path: Path) -> None:
    result = run("solve", market, "--json", tmp_path / "out.json", "--figures", tmp_path / "figures" / "deep")
    assert result.exit_code == 0, result.stderr
    assert json.loads((tmp_path / "out.json").read_text())["market"] == "two"
    assert len(list((tmp_path / "figures" / "deep").glob("*.png"))) == 5
    assert "cheap" in result.stdout
    assert run("solve", market, "-q").stdout == ""


def test_the_same_command_twice_gives_the_same_bits(market: Path) -> None:
    assert solved(market, "--bootstrap", "30", "--seed", "5") == solved(market, "--bootstrap", "30", "--seed", "5")


def test_schema_is_json_and_accepts_the_shipped_models() -> None:
    shown = run("schema")
    assert shown.exit_code == 0
    assert json.loads(shown.stdout)["properties"]["classes"]


BAD = {
    "no market": ([], "MARKET"),
    "missing file": (["missing.toml"], "missing.toml"),
    "unknown option": (["{market}", "--frobnicate"], "frobnicate"),
    "bad levels": (["{market}", "--levels", "0.5:x:3"], "'x'"),
    "levels above one": (["{market}", "--levels", "0.7,80"], "80"),
    "levels not finite": (["{market}", "--levels", "nan"], "nan"),
    "reversed levels": (["{market}", "--levels", "0.9:0.8:3"], "0.9"),
    "unknown provider": (["{market}", "--providers", "cheap,nobody"], "nobody"),
    "unknown access": (["{market}", "--access", "nobody"], "nobody"),
    "access twice": (["{market}", "--access", "cheap,cheap"], "cheap,cheap"),
    "unknown price": (["{market}", "--prices", "nobody=2"], "nobody"),
    "negative price": (["{market}", "--prices", "cheap=-1"], "-1"),
    "price without name": (["{market}", "--prices", "2"], "'2'"),
    "evaluate above cap": (["{market}", "--evaluate", "cheap=5,strong=5"], "10"),
    "evaluate unknown": (["{market}", "--evaluate", "nobody=5"], "nobody"),
    "evaluate negative": (["{market}", "--evaluate", "cheap=-1"], "-1"),
    "negative budget": (["{market}", "--max-budget", "-1"], "-1"),
    "infinite budget": (["{market}", "--max-budget", "inf"], "inf"),
    "undercut factor": (["{market}", "--undercut", "1.5:3"], "1.5"),
    "undercut shape": (["{market}", "--undercut", "0.9"], "0.9"),
    "negative bootstrap": (["{market}", "--bootstrap", "-3"], "-3"),
    "negative seed": (["{market}", "--bootstrap", "3", "--seed", "-1"], "-1"),
    "one grid point": (["{market}", "--points", "1"], "1"),
    "tolerance": (["{market}", "--tolerance", "0"], "0"),
    "bad overrun": (["{market}", "--overrun", "cash"], "cash"),
    "overrun of attempts": (["{market}", "--allot", "attempts", "--overrun", "cut"], "overrun"),
    "json into nowhere": (["{market}", "--json", "{tmp}/no/such/out.json"], "no/such"),
    "json onto a folder": (["{market}", "--json", "{tmp}"], "folder"),
    "figures onto a file": (["{market}", "--figures", "{market}"], "two.toml"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_usage_is_said_in_words_with_exit_code_two(case: str, market: Path, tmp_path: Path) -> None:
    arguments, told = BAD[case]
    before = sorted(tmp_path.rglob("*"))
    result = run("solve", *(a.format(market=market, tmp=tmp_path) for a in arguments))
    assert result.exit_code == 2, result.output
    assert told in result.stderr
    assert "Traceback" not in result.output
    assert result.stdout == ""
    assert sorted(tmp_path.rglob("*")) == before, "nothing is written"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("max_budget = 1.0\nproviders = [", "two.toml"),
        (SPECIFICATION.replace("weight = 0.5", "weight = 0.6"), "weight"),
        (SPECIFICATION.replace("max_budget = 6.0", "").replace("max_attempts = 4", ""), "max_budget"),
        (SPECIFICATION.replace("cheap = 0.5, strong", "cheap = 1.5, strong"), "1.5"),
        (SPECIFICATION.replace("max_budget = 6.0", 'allot = "money"'), "max_budget"),
    ],
)
def test_a_broken_specification_is_one_line_that_names_the_file_and_field(
    content: str, told: str, market: Path, tmp_path: Path
) -> None:
    market.write_text(content)
    result = run("solve", market, "--json", tmp_path / "out.json")
    assert result.exit_code == 2
    assert len(result.stderr.strip().splitlines()) == 1
    assert told in result.stderr
    assert market.stem in result.stderr
    assert not (tmp_path / "out.json").exists()


def process(*arguments: str | Path, **options: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "eqsolver.cli", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=_interruptible, **options)


def _interruptible() -> None:
    """A shell's background jobs ignore interrupts, and so would their children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_a_closed_pipe_is_no_fault(market: Path) -> None:
    child = process("solve", market, "--json", "-")
    assert child.stdout is not None
    assert child.stderr is not None
    child.stdout.close()
    assert b"Traceback" not in child.stderr.read()
    child.stderr.close()
    assert child.wait() == 0


def test_an_interrupt_ends_with_130_and_leaves_nothing_behind(market: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    child = process("solve", market, "--bootstrap", "100000", "--json", out)
    time.sleep(3.0)
    os.kill(child.pid, signal.SIGINT)
    _, errors = child.communicate(timeout=60)
    assert child.returncode == 130, errors.decode()
    assert b"Traceback" not in errors
    assert not out.exists()


def test_calibrate_writes_what_logs_cannot_tell_and_says_so_in_the_header(logs: Path, tmp_path: Path) -> None:
    made = tmp_path / "family.toml"
    options = [
        "--classes",
        "16",
        "--least-classes",
        "16",
        "--rounds",
        "1",
        "--single",
        "--max-budget",
        "6",
        "--teacher",
        "strong",
        "--tokens",
        "cheap=7e7",
        "--consumers",
        "4:0.5",
        "-o",
        made,
    ]
    result = run("calibrate", logs, *options)
    assert result.exit_code in (0, 1), result.stderr  # 1: short of the goals, written all the same
    market = load(made)
    assert [provider.distillation_tokens for provider in market.providers] == [7e7, None]
    (consumers,) = market.consumers
    assert isinstance(consumers, Population)
    assert (consumers.distribution, consumers.parameters) == ("lognormal", (4.0, 0.5))
    header = made.read_text().split("\n\n")[0]
    assert "--classes 16 --least-classes 16 --rounds 1 --single --max-budget 6.0 --teacher strong --tokens cheap=7e7" in header
    assert "--consumers 4:0.5" in header
    assert "best schedule's margin over 100 levels" in header
    assert "median 4 USD" in header

    again = tmp_path / "again.toml"
    asked = ["--start", made, "--rounds", "0", "--max-budget", "6", "--teacher", "strong"]
    result = run("calibrate", logs, *asked, "-o", again)
    assert result.exit_code in (0, 1), result.stderr
    assert "--rounds 0 --start family.toml" in again.read_text()
    assert len(load(again).weights) <= len(market.weights), "the same classes or fewer, at other weights"
    result = run("calibrate", logs, *asked[:1], logs, *asked[2:], "-o", again)
    assert result.exit_code == 2
    assert "is given by logs, not by classes" in result.stderr


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--consumers", "4", "median:sigma"),
        ("--consumers", "4:-1", "sigma = -1"),
        ("--tokens", "nobody=3", "unknown provider 'nobody'"),
        ("--tokens", "cheap=0", "distillation_tokens = 0"),
        ("--teacher", "nobody", "teacher 'nobody'"),
    ],
)
def test_calibrate_refuses_assumptions_that_make_no_sense(
    logs: Path, tmp_path: Path, option: str, value: str, message: str
) -> None:
    made = tmp_path / "made.toml"
    result = run("calibrate", logs, "--max-budget", "6", option, value, "-o", made)
    assert result.exit_code == 2
    assert message in result.stderr
    assert not made.exists()
