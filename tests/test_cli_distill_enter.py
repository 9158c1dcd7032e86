"""The commands distill and enter end to end: tables, JSON keys, figures, exit codes and messages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from eqsolver.cli import app

FAMILY = """
max_budget = 6.0
max_attempts = 4
providers = [
  {name = "teacher"},
  {name = "young", distillation_tokens = 1e6},
  {name = "grown", distillation_tokens = 2e7},
]
classes = [
  {weight = 0.5, success = {teacher = 0.8, young = 0.25, grown = 0.5}, mean_cost = {teacher = 3.0, young = 0.5, grown = 0.5}},
  {weight = 0.5, success = {teacher = 0.6, young = 0.0, grown = 0.125}, mean_cost = {teacher = 3.0, young = 0.5, grown = 0.5}},
]
"""
STUDENT_KEYS = {"name", "tokens", "mean_margin", "order", "thresholds", "pass_at_k", "teacher_revenue", "break_even_problems"}
SITUATIONS = ["without_entrant", "with_entrant"]
CASES = ["without_arbitrage", "with_arbitrage"]


@pytest.fixture
def family(tmp_path: Path) -> Path:
    path = tmp_path / "family.toml"
    path.write_text(FAMILY)
    return path


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments])


def answered(*arguments: str | Path) -> dict:
    result = run(*arguments, "--json", "-")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_distill_has_every_documented_key(family: Path) -> None:
    answer = answered("distill", family, "--token-price", "2", "--bootstrap", "10", "--levels", "0.7:0.8:5")
    assert {"students", "fit", "levels", "teacher", "version", "options"} <= set(answer)
    assert answer["teacher"] == "teacher"
    assert list(answer["fit"]) == ["slope", "intercept", "slope_p05", "slope_p95"]
    assert set(answer["fit"].values()) == {None}, "a line through two points is no fit"
    assert [student["name"] for student in answer["students"]] == ["young", "grown"]
    for student in answer["students"]:
        assert set(student) >= STUDENT_KEYS
        assert len(student["teacher_revenue"]["with"]) == len(student["teacher_revenue"]["without"]) == 5
        assert student["break_even_problems"] * student["profit_per_solved"] == pytest.approx(student["tokens"] / 1e6 * 2)
    assert answer["students"][1]["pass_at_k"][0] == pytest.approx((0.5 + 0.125) / 2)


def test_tokens_and_teacher_may_come_from_the_command_line(family: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare.toml"
    bare.write_text(FAMILY.replace(", distillation_tokens = 1e6", "").replace(", distillation_tokens = 2e7", ""))
    refused = run("distill", bare)
    assert refused.exit_code == 2
    assert "which provider is the teacher? teacher, young, grown are without" in refused.stderr
    given = answered("distill", bare, "--tokens", "young=1e6,grown=2e7", "--bootstrap", "0")
    inside = answered("distill", family, "--bootstrap", "0")
    for key in ("students", "fit", "teacher", "levels"):
        assert given[key] == inside[key], key
    named = answered("distill", bare, "--teacher", "teacher", "--bootstrap", "0")
    assert named["fit"]["slope"] is None
    assert [student["break_even_problems"] for student in named["students"]] == [None, None]


def test_distill_prints_tables_and_draws_figures(family: Path, tmp_path: Path) -> None:
    result = run("distill", family, "--bootstrap", "5", "--token-price", "1", "--figures", tmp_path / "drawn", "--on-sale")
    assert result.exit_code == 0, result.stderr
    for told in ("young", "grown", "on sale to everybody", "No fit: it needs three students", "Revenue of teacher", "solved"):
        assert told in result.stdout, told
    assert "nan" not in result.stdout
    drawn = sorted(path.name for path in (tmp_path / "drawn").iterdir())
    assert drawn == ["margins.png", "students.png", "teacher.png"]
    assert all((tmp_path / "drawn" / name).read_bytes().startswith(b"\x89PNG") for name in drawn)


def test_enter_has_every_documented_key(family: Path) -> None:
    levels = ["--levels", "0.2,0.5,0.8"]
    answer = answered("enter", family, "--entrant", "grown", "--capability", "0.1:10:3", "--least-share", "0.25", *levels)
    assert {"levels", "entrant", "price", "revenue_share", "earliest", "version", "options"} <= set(answer)
    assert list(answer["price"]) == list(answer["revenue_share"]) == list(answer["earliest"]) == CASES
    for case in CASES:
        assert list(answer["price"][case]) == list(answer["revenue_share"][case]) == SITUATIONS
        for situation in SITUATIONS:
            shares = answer["revenue_share"][case][situation]
            assert ("grown" in shares) == (situation == "with_entrant")
            assert [sum(column) for column in zip(*shares.values(), strict=True)] == pytest.approx([1, 1, 1])
            assert len(answer["price"][case][situation]) == 3
    assert answer["capability"]["values"] == pytest.approx([0.1, 1, 10])
    assert answer["options"]["least_share"] == 0.25


def test_enter_prints_tables_and_draws_figures(family: Path, tmp_path: Path) -> None:
    how = ["--entrant", "grown", "--capability", "0.1:10:3", "--levels", "0.3:0.8:6", "--figures", tmp_path / "drawn"]
    result = run("enter", family, *how)
    assert result.exit_code == 0, result.stderr
    for told in (
        "grown enters a market of 2 incumbents",
        "What consumers pay",
        "Segments, with entrant",
        "without arbitrage: earns",
    ):
        assert told in result.stdout, told
    assert "nan" not in result.stdout
    assert sorted(path.name for path in (tmp_path / "drawn").iterdir()) == ["capability.png", "prices.png", "revenue.png"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["enter", "--entrant", "nobody"], "unknown provider 'nobody'"),
        (["enter", "--entrant", "grown", "--capability", "1:2"], "--capability '1:2': give lo:hi:n"),
        (["enter", "--entrant", "grown", "--capability", "0:2:3"], "must be positive"),
        (["enter", "--entrant", "grown", "--least-share", "5"], "must lie in [0, 1)"),
        (["distill", "--teacher", "nobody"], "unknown provider 'nobody'"),
        (["distill", "--tokens", "young"], "--tokens 'young': give name=number"),
        (["distill", "--tokens", "young=-1"], "distillation_tokens = -1 must be more than 0"),
        (["distill", "--levels", "0.99999"], "below every level asked for"),
    ],
)
def test_bad_usage_is_one_line_and_two(family: Path, arguments: list[str], told: str) -> None:
    command, *rest = arguments
    result = run(command, family, *rest)
    assert result.exit_code == 2
    assert told in result.stderr
    assert result.stderr.count("\n") == 1


def test_levels_out_of_reach_exit_with_one(family: Path) -> None:
    result = run("enter", family, "--entrant", "grown", "--capability", "1:1:1", "--levels", "0.5,0.999999", "--quiet")
    assert result.exit_code == 1
    assert "no policy reaches 0.999999" in result.stderr
