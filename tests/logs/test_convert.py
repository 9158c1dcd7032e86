"""The command line: `convert`, and every command that reads logs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from samples import FORMATS, copied, sample, table
from typer.testing import CliRunner

from eqsolver.cli import app

ANSWERED = ["harbor", "langfuse", "litellm", "mini-swe-agent", "openrouter", "promptfoo", "tau2"]
PRICES = "".join(f'[token_prices."acme/{name}"]\ninput = 1\noutput = 4\n' for name in ("small-1", "large-2"))


def run(*arguments: object) -> tuple[int, str, str]:
    """Exit code, stdout, stderr."""
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return done.exit_code, done.stdout, done.stderr


def solved(*arguments: object) -> dict[str, Any]:
    code, out, err = run("solve", *arguments, "--levels", "0.2", "--json", "-")
    assert code in (0, 1), err
    found: dict[str, Any] = json.loads(out)
    return found


@pytest.mark.parametrize("name", ANSWERED)
def test_solve_answers_for_a_folder_as_it_is(name: str) -> None:
    assert solved(*sample(name))["market"]


def test_solve_answers_for_inspect_once_the_scorer_is_chosen() -> None:
    code, out, err = run("solve", FORMATS / "inspect")
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert "choose one with --scorer match or --scorer judge" in err
    assert solved(FORMATS / "inspect", "--scorer", "match")["market"]


@pytest.mark.parametrize("name", ["terminal-bench", "otel-genai"])
def test_costs_that_are_unknown_end_in_one_line_with_the_option_that_helps(name: str, tmp_path: Path) -> None:
    code, out, err = run("solve", *sample(name))
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert "acme/large-2: " in err
    assert "attempts have no cost; --price-list prices their tokens" in err
    prices = tmp_path / "prices.toml"
    prices.write_text(PRICES)
    assert solved(*sample(name), "--price-list", prices)["market"]


def test_one_provider_has_nothing_to_arbitrage() -> None:
    assert "acme/small-1 is the only provider: there is nothing to arbitrage." in run("solve", *sample("tau2"))[2]


def test_the_audit_is_on_stderr_unless_quiet() -> None:
    code, out, err = run("solve", *sample("harbor"), "--json", "-")
    assert code == 0
    assert json.loads(out)
    told = "Read 6 attempts of 2 providers on 2 problems from harbor (6 files): 1 excluded, 1 of unknown cost."
    assert err.splitlines()[0] == told
    assert run("solve", *sample("harbor"), "--quiet")[2] == ""


def test_convert_writes_a_table_that_solves_to_the_same(tmp_path: Path) -> None:
    path = tmp_path / "attempts.parquet"
    code, out, _ = run("convert", *sample("openrouter"), "-o", path)
    assert code == 0
    assert out.startswith("Read 5 attempts of 2 providers on 2 problems from openrouter (1 file), verdicts (1 file): 0 ")
    assert out.splitlines()[-1] == f"Wrote {path}."
    first, second = solved(*sample("openrouter")), solved(path)
    assert (first.pop("market"), second.pop("market")) == ("openrouter", "attempts")
    assert first == second


def test_convert_writes_a_folder_of_own_logs(tmp_path: Path) -> None:
    code, out, _ = run("convert", *sample("harbor"), "-o", tmp_path / "own")
    assert code == 0
    assert "A slash in a provider's name is written as two underscores." in out
    assert "Left out, for want of any cost: 1 of the providers' problems." in out
    assert {path.name: path.read_text() for path in (tmp_path / "own").iterdir()} == {
        "acme__large-2.jsonl": '{"id": "primes", "attempts": [1], "costs": [0.0262]}\n',
        "acme__small-1.jsonl": '{"id": "add", "attempts": [1, 0], "costs": [0.0016, 0.00174]}\n'
        '{"id": "primes", "attempts": [0], "costs": [0.0059]}\n',
    }
    assert solved(tmp_path / "own")["market"]


def test_convert_lists_formats_and_tells_what_it_needs(tmp_path: Path) -> None:
    code, out, _ = run("convert", "--list")
    assert code == 0
    assert len(out.splitlines()) == 13
    assert "mini-swe-agent  mini-swe-agent: RUN/ID/ID.traj.json" in out
    for arguments, told in (
        ([], "convert: give LOGS... and -o PATH, or --list"),
        ([*sample("tau2")], "convert: give LOGS... and -o PATH, or --list"),
        ([*sample("tau2"), "-o", tmp_path / "a.xlsx"], "give a name that ends in .csv, .jsonl, .parquet, or a folder"),
        ([*sample("tau2"), "-o", tmp_path / "none" / "a.csv"], "there is no folder"),
        ([*sample("tau2"), "-o", tmp_path / "a.csv", "--map", "problem"], "--map 'problem': give COLUMN=SOURCE"),
        ([*sample("tau2"), "-o", tmp_path / "a.csv", "--map", "a=b,a=c"], "'a' is given twice"),
    ):
        code, out, err = run("convert", *arguments)
        assert (code, out) == (2, "")
        assert told in err
    assert not list(tmp_path.iterdir())


def test_nothing_is_written_where_the_logs_are_wrong(tmp_path: Path) -> None:
    folder = copied("harbor", tmp_path)
    trial = folder / "jobs/small/add__aB3dE5f/result.json"
    trial.write_text(trial.read_text()[:300])
    target = tmp_path / "out.csv"
    target.write_text("before")
    code, out, err = run("convert", folder, "-o", target)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert target.read_text() == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["harbor", "out.csv"]


def test_options_of_logs_are_minded_by_every_command_that_reads_them(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", "task,model,score,usd,area", *(f"t{n},{m},0.{n},1,x" for n in (4, 6, 8) for m in "ab"))
    options = ("--map", "problem=task,provider=model,solved=score,cost=usd", "--solved-at", "0.5", "--domain-field", "area")
    assert run("enter", path, *options, "--entrant", "a", "--quiet", "--levels", "0.5", "--capability", "1:2:2")[0] == 0
    lines = [f'{{"id": "{name}", "attempts": {outcomes}, "mean_cost": 1}}' for name, outcomes in (("x", [0, 1]), ("y", [1]))]
    assert solved(table(tmp_path / "a.jsonl", *lines), "--attempts-min", "2")["problems"] == 1
    rows = [
        {"problem": f"{kind}{n}", "provider": m, "solved": n % 2, "kind": kind} for kind in "de" for n in (1, 2) for m in "ab"
    ]
    names = [json.dumps({**row, "cost": 1}) for row in rows]
    areas = table(tmp_path / "areas.jsonl", *names)
    mapped = ("--map", "cost=cost", "--domain-field", "kind", "--set", "worst", "--json", "-")
    code, out, err = run("robust", areas, *mapped)
    assert code in (0, 1), err
    assert [scenario["name"] for scenario in json.loads(out)["scenarios"]] == ["d", "e"]
    code, out, err = run("robust", areas, "--map", "cost=cost", "--domains", "^.", "--set", "worst", "--json", "-")
    assert [scenario["name"] for scenario in json.loads(out)["scenarios"]] == ["d", "e"]
    code, _, err = run("solve", FORMATS.parents[2] / "models" / "swebench-duopoly.toml", "--scorer", "match")
    assert code == 2
    assert "options of logs do not go with a specification" in err


@pytest.mark.slow
def test_prices_and_options_stand_in_the_header_of_the_market_file(tmp_path: Path) -> None:
    lines = [f"t{n},{m},{(n + k) % 3 > 0:d},{1000 * n},10" for n in range(1, 9) for m in "ab" for k in range(4)]
    logs = table(tmp_path / "t.csv", "problem,provider,solved,input_tokens,output_tokens", *lines)
    prices = tmp_path / "prices.toml"
    prices.write_text("[token_prices.a]\ninput = 1\noutput = 4\n[token_prices.b]\ninput = 2\noutput = 8\n")
    market = tmp_path / "market.toml"
    fit = ("--classes", "2", "--rounds", "1", "--single", "--max-budget", "0.05", "--quiet")
    code, _, err = run("calibrate", logs, "--price-list", prices, "-o", market, *fit)
    assert code in (0, 1), err
    header = market.read_text()
    assert f"--price-list {prices}" in header.splitlines()[0]
    assert "# Price of b: 2 / 2 / 8 USD per million input / cached / output tokens (prices.toml (" in header
