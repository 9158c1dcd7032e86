"""`eqsolver robust`, end to end."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from eqsolver.cli import app

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
    done = run("robust", logs, "--floor", "0.99", "--set", "worst", *QUICK)
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


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ((), "give the scenarios"),
        (("--domains", "^[a-z]+", "--set", "tv"), "needs a radius"),
        (("--domains", "^[a-z]+", "--set", "tv:x"), "not a number"),
        (("--domains", "nothing"), "no such file"),
        (("--resamples", "problems"), "not a whole number"),
        (("--resamples", "problems:1"), "2 or more"),
        (("--domains", "^[a-z]+", "--private", "nobody"), "unknown provider"),
        (("--domains", "^[a-z]+", "--set", "wasserstein:1", "--features", "none.csv"), "none.csv"),
    ],
)
def test_bad_usage_is_said_in_one_line_with_exit_code_two(logs: Path, options: tuple[str, ...], told: str) -> None:
    done = run("robust", logs, "--max-budget", "3", *options)
    assert done.exit_code == 2, done.output
    assert told in done.stderr
    assert done.stderr.count("\n") == 1
