"""`eqsolver robust`, end to end."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from eqsolver.cli import app

FEATURES = "features.csv"
QUICK = ("--max-budget", "3", "--cross-fits", "1")


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    folder.mkdir()
    rng = np.random.default_rng(3)
    solves = rng.random(20) < np.where(np.arange(20) % 4 > 0, 0.7, 0.2)
    for name, odds, cost in (("cheap", np.where(solves, 0.7, 0.0), 0.05), ("strong", np.full(20, 0.6), 0.5)):
        lines = [
            json.dumps(
                {
                    "id": f"{'easy' if x % 4 else 'hard'}-{x}",
                    "attempts": (rng.random(10) < odds[x]).astype(int).tolist(),
                    "mean_cost": cost,
                    "kind": "even" if x % 2 == 0 else "odd",
                }
            )
            for x in range(20)
        ]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    return folder


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments])


def test_json_has_every_documented_key(logs: Path) -> None:
    done = run("robust", logs, "--domains", "^[a-z]+", "--set", "tv:0.2", "--json", "-", *QUICK)
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    wanted = {
        "market", "scenarios", "set", "radius", "mixture", "nominal_margin", "worst_case_margin", "worst_case_weights",
        "dual_value", "gap", "solver", "status", "nominal_optimum", "out_of_sample", "version", "options",
    }  # fmt: skip
    assert wanted <= set(found)
    assert [set(entry) for entry in found["scenarios"]] == [{"name", "problems", "weight"}] * 2
    assert (found["set"], found["radius"]) == ("tv", 0.2)
    assert {"mean", "p05", "p95"} <= set(found["out_of_sample"])
    assert {"mixture", "nominal_margin", "worst_case_margin"} <= set(found["nominal_optimum"])
    for entry in found["mixture"]:
        assert set(entry) == {"order", "thresholds", "weight"}
        assert len(entry["order"]) == len(entry["thresholds"])
    assert found["status"] == "optimal"
    assert abs(found["gap"]) <= 1e-6


def test_a_floor_has_its_own_keys_and_an_infeasible_one_ends_with_one(logs: Path) -> None:
    done = run("robust", logs, "--floor", "0.5", "--set", "cvar:0.8", "--json", "-", *QUICK)
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert {"nominal_spend", "worst_case_spend", "worst_case_pass", "largest_floor"} <= set(found)
    assert not {"nominal_margin", "worst_case_margin"} & set(found)
    assert len(found["scenarios"]) == 20
    done = run("robust", logs, "--floor", "0.99", "--set", "worst", "--overrun", "never", *QUICK)
    assert done.exit_code == 1
    assert "largest feasible floor" in done.stderr


def test_tables_figures_and_a_market_that_solve_and_equilibrium_take(logs: Path, tmp_path: Path) -> None:
    out, figures = tmp_path / "market.toml", tmp_path / "figures"
    done = run("robust", logs, "--domains", "kind", "--set", "cvar:0.9", "-o", out, "--figures", figures, *QUICK)
    assert done.exit_code == 0, done.output
    for told in ("What it earns", "nominal, paid on the other half", "The mixture", "Scenario by scenario", "Certificate"):
        assert told in done.stdout
    for name in ("price-of-robustness", "margins-per-domain"):
        assert (figures / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    solved = run("solve", out, "--points", "24", "--levels", "0.5,0.7", "--json", "-")
    assert solved.exit_code in (0, 1), solved.output
    assert "robust" in json.loads(solved.stdout)["arbitrageurs"]
    game = run("equilibrium", out, "--regimes", "robust", "--value", "lognormal:2:1", "--tick", "0.1", "--points", "12")
    assert game.exit_code in (0, 1), game.output


def test_a_mixture_that_only_abstains_is_not_written(logs: Path, tmp_path: Path) -> None:
    listed = tmp_path / "domains.csv"
    listed.write_text("id,domain\n" + "".join(f"{'easy' if x % 4 else 'hard'}-{x},d{x}\n" for x in range(20)))
    out = tmp_path / "market.toml"
    done = run("robust", logs, "--domains", listed, "--set", "worst", "-o", out, "--max-budget", "3", "--cross-fits", "0")
    assert done.exit_code == 1
    assert "only abstains" in done.stderr
    assert not out.exists()


def test_a_cap_that_nothing_is_solved_within_is_an_answer(logs: Path) -> None:
    done = run("robust", logs, "--domains", "^[a-z]+", "--max-budget", "1e-9", "--overrun", "cut")
    assert done.exit_code == 1
    assert "no provider in access ever solves a problem within the cap" in done.stderr


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ((), "give the scenarios"),
        (("--domains", "^[a-z]+", "--set", "tv"), "needs a radius"),
        (("--domains", "^[a-z]+", "--set", "tv:x"), "not a number"),
        (("--domains", "nothing"), "no such file"),
        (("--resamples", "problems"), "not a whole number"),
        (("--resamples", "problems:1"), "with n from 2"),
        (("--domains", "^[a-z]+", "--private", "nobody"), "unknown provider"),
        (("--domains", "^[a-z]+", "--set", "wasserstein:1", "--features", "none.csv"), "none.csv"),
        (("--domains", "^[a-z]+", "--set", "tv:0.1", "--features", FEATURES), "the set is tv:0.1"),
        (("--domains", "^[a-z]+", "--cross-fits", "-1"), "cross_fits = -1"),
        (("--domains", "^[a-z]+", "--set", "tv:nan"), "tv:nan: the radius must be >= 0"),
        (("--domains", "^[a-z]+", "--levels", "0.5,nan"), "'nan' is not finite"),
        (("--domains", "attempts"), "must be text or a number"),
        (("--resamples", "problems:1000000000"), "with n from 2 to 100000"),
        (("--domains", "^[a-z]+", "--max-budget", "-3"), "max_budget = -3"),
    ],
)
def test_bad_usage_of_robust_is_said_in_one_line_with_exit_code_two(logs: Path, options: tuple[str, ...], told: str) -> None:
    (logs / FEATURES).write_text("scenario,x\neasy,1\nhard,2\n")
    given = [str(logs / FEATURES) if option == FEATURES else option for option in options]
    done = run("robust", logs, "--max-budget", "3", *given)
    assert done.exit_code == 2, done.output
    assert told in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("option", "content", "told"),
    [
        ("--domains", b"", "holds no row below its header"),
        ("--domains", b"id,domain\n", "holds no row below its header"),
        ("--domains", b"id,name\neasy-1,x\n", "needs the columns id and domain"),
        ("--domains", b"id,domain,domain\neasy-1,x,y\n", "line 1: a column is named twice: id, domain, domain"),
        ("--domains", b"id,domain\neasy-1,x\neasy-2\n", "line 3: cells = 1, but the header names 2 columns"),
        ("--domains", b"id,domain\neasy-1,x,y\n", "line 2: cells = 3, but"),
        ("--domains", b"id,domain\n\neasy-1,\n", "line 3: id and domain must both be given"),
        ("--domains", b"id,domain\neasy-1,x\neasy-1,y\n", "line 3: id = 'easy-1' has the domain 'x' already"),
        ("--domains", b"id,domain\nother,x\n", "holds no id of this market"),
        ("--domains", b'id,domain\neasy-1,"x\n', "cannot be read as CSV"),
        ("--domains", b"id,domain\neasy-1,\xff\xfe\n", "cannot be read as CSV"),
        ("--domains", b"id,domain\neasy-1,a\x00b\n", "line 2: domain = 'a\\x00b'"),
        ("--features", b"scenario\neasy\n", "at least one of numbers"),
        ("--features", b"scenario,x\neasy,1\n", "scenario 'hard' has none"),
        ("--features", b"scenario,x\neasy,1\nhard,two\n", "line 3: x = 'two' is not a number"),
        ("--features", b"scenario,x\neasy,1\nhard,nan\n", "line 3: x = 'nan' is not finite"),
        ("--features", b"scenario,x\neasy,1\nhard,1e200\n", "features of scenario 'hard': 1e+200"),
        ("--features", b"scenario,x\neasy,1\neasy,2\n", "line 3: scenario = 'easy' is there already"),
        ("--features", b"scenario,x\neasy,1,2\n", "line 2: cells = 3"),
    ],
)
def test_a_bad_csv_is_named_with_its_line_and_value(logs: Path, tmp_path: Path, option: str, content: bytes, told: str) -> None:
    path = tmp_path / "given.csv"
    path.write_bytes(content)
    more = () if option == "--domains" else ("--domains", "^[a-z]+", "--set", "wasserstein:0.1")
    done = run("robust", logs, "--max-budget", "3", option, path, *more)
    assert done.exit_code == 2, done.output
    assert told in done.stderr
    assert done.stderr.count("\n") == 1
    assert "given.csv" in done.stderr or "scenario '" in told


def test_one_domain_is_a_scenario_and_a_folder_without_logs_is_not(logs: Path, tmp_path: Path) -> None:
    done = run("robust", logs, "--domains", "^easy", "--set", "worst", "--json", "-", "--max-budget", "3", "--cross-fits", "0")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["scenarios"] == [{"name": "easy", "problems": 15, "weight": 1.0}]
    empty = tmp_path / "empty"
    empty.mkdir()
    for command in (("robust", empty, "--domains", "^easy"), ("learn", empty)):
        done = run(*command, "--max-budget", "3")
        assert done.exit_code == 2
        assert f"{empty}: no .jsonl files" in done.stderr


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--budgets", "-1"), "budgets must be positive and finite: -1"),
        (("--budgets", "1,nan"), "--budgets '1,nan': 'nan' is not finite"),
        (("--budgets", "1,,3"), "'' is not a number"),
        (("--budgets", "3,1"), "budgets must increase: 3, 1"),
        (("--fit-domain", "("), "fit_domain '(' is not a regular expression"),
        (("--eval-domain", "zebra"), "eval_domain 'zebra' matches no problem"),
        (("--choices", "tv:nan"), "choice 'tv:nan': tv:nan: the radius must be >= 0"),
        (("--choices", "luck"), "choice 'luck'"),
        (("--max-budget", "nan"), "max_budget = nan"),
        (("--jobs", "0"), "jobs = 0"),
        (("--backend", "pigeons"), "backend 'pigeons'"),
        (("--resamples", "0"), "resamples = 0"),
        (("--ledger", "no/such/folder"), "no/such/folder: cannot be used as a ledger"),
    ],
)
def test_bad_usage_of_learn_is_said_in_one_line_with_exit_code_two(logs: Path, options: tuple[str, ...], told: str) -> None:
    done = run("learn", logs, "--resamples", "2", *(() if "--max-budget" in options else ("--max-budget", "3")), *options)
    assert done.exit_code == 2, done.output
    assert told in done.stderr
    assert done.stderr.count("\n") == 1
