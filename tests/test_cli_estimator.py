"""Every command that takes logs: npml where they stop at the first success, unless an estimator is asked for; and the cap."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from eqsolver.cli import app
from eqsolver.posted import halves

THEREFORE = "The success probabilities are therefore estimated by npml; --estimator unbiased takes the logs as they are."


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Logs of two providers that stop at the first success, or after 8 attempts."""
    folder = tmp_path_factory.mktemp("stopped")
    rng = np.random.default_rng(2)
    hard = rng.random(24)
    for name, skill, cost in (("small", 0.5, 0.02), ("large", 0.9, 0.06)):
        lines = []
        for x, difficulty in enumerate(hard):
            outcomes = (rng.random(8) < skill * (1 - difficulty)).astype(int).tolist()
            n = outcomes.index(1) + 1 if 1 in outcomes else 8
            lines.append(json.dumps({"id": f"{'ab'[x % 2]}{x}", "attempts": outcomes[:n], "mean_cost": cost}) + "\n")
        (folder / f"{name}.jsonl").write_text("".join(lines))
    return folder


COMMANDS = {
    "solve": ["--levels", "0.2,0.3", "--points", "16"],
    "distill": ["--teacher", "large", "--points", "16", "--bootstrap", "0", "--levels", "0.2,0.3"],
    "enter": ["--entrant", "small", "--points", "12", "--levels", "0.2,0.3", "--capability", "0.5:1:2"],
    "equilibrium": ["--value", "value:1", "--tick", "0.2", "--points", "12", "--regimes", "direct"],
    "robust": ["--domains", "^[ab]", "--set", "tv:0.2", "--cross-fits", "0"],
    "learn": ["--budgets", "1", "--choices", "empirical", "--resamples", "2"],
}


def notes(command: str, logs: Path, *arguments: str) -> tuple[list[str], dict]:
    result = CliRunner().invoke(app, [command, str(logs), *COMMANDS[command], *arguments, "--json", "-"])
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    return answer["notes"], answer


@pytest.mark.parametrize("command", COMMANDS)
def test_npml_is_switched_on_where_logs_stop_at_the_first_success(command: str, stopped: Path) -> None:
    cap = ["--max-budget", "0.4"]
    said, believed = notes(command, stopped, *cap)
    assert said[0] == "large and small: attempts on a problem stop at the first success, so the unbiased estimator is biased."
    assert said[1:] == [THEREFORE]
    unbiased, taken = notes(command, stopped, *cap, "--estimator", "unbiased")
    assert unbiased == said[:1]
    named, asked = notes(command, stopped, *cap, "--estimator", "npml")
    changed = [key for key in taken if key not in ("notes", "version", "options") and taken[key] != believed[key]]
    assert changed, "the answer is another one"
    assert all(asked[key] == believed[key] for key in taken if key not in ("notes", "options"))
    assert named[1:] == ([] if command in ("solve", "learn") else ["The success probabilities are estimated by npml."])
    if command in ("solve", "learn"):
        assert [a["options"]["estimator"] for a in (taken, asked, believed)] == ["unbiased", "npml", "npml"]


def test_estimated_odds_take_the_cap_of_the_logs_and_say_so(stopped: Path) -> None:
    said, _ = notes("solve", stopped)
    assert said[-1].startswith("No cap is stated, and estimated odds need one: max_budget is 0.48 USD, the largest sum")
    said, _ = notes("equilibrium", stopped)
    assert said[-1].startswith("No cap is stated")
    shown = CliRunner().invoke(app, ["solve", str(stopped), *COMMANDS["solve"]]).stdout
    assert THEREFORE in shown
    assert "No cap is stated" in shown


def test_sweep_estimates_too(stopped: Path, tmp_path: Path) -> None:
    tables = []
    for estimator in ("npml", "unbiased"):
        out = tmp_path / f"{estimator}.csv"
        asked = ["sweep", str(stopped), "--over", "sigma=1", "-o", str(out), *COMMANDS["equilibrium"], "--max-budget", "0.4"]
        asked += [] if estimator == "npml" else ["--estimator", estimator]
        result = CliRunner().invoke(app, asked)
        assert result.exit_code == 0, result.output
        tables.append(out.read_text())
    assert tables[0] != tables[1]


def test_halves_keep_the_classes_of_a_problem_together() -> None:
    origin = np.array([0, 0, 1, 2, 2, 2, 3, 4, 5])
    half = halves(np.zeros(9, dtype=np.int64), np.random.default_rng(0), origin)
    by_problem = [set(half[origin == x].tolist()) for x in range(6)]
    assert all(len(sides) == 1 for sides in by_problem)
    assert sum(1 in sides for sides in by_problem) == 3
