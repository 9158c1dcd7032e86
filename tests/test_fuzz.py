"""Specifications, logs and option lists drawn at random, valid and broken: whatever is asked, a command ends as it should.

An exit code of 0, 1 or 2; for 2 nothing on stdout, nothing written, and lines on stderr that begin with `eqsolver: `; JSON
without nan; and no warning, since pytest turns those into errors, which would be exit code 3. `EQSOLVER_FUZZ` is how many
cases are drawn, 300 by default; `.ci/run --full` draws 100,000.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_cli import run

CASES = int(os.environ.get("EQSOLVER_FUZZ", "300"))
"""How many cases are drawn over all tests of this file; each test draws an eighth."""

SETTINGS = settings(
    max_examples=CASES // 8,
    derandomize=CASES <= 300,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
"""The quick tests draw the same cases every time; a larger number of them is drawn anew."""

ODD = st.sampled_from(
    [0.0, -1.0, 1e-300, 1e-100, 1e-9, 0.3, 0.5, 1.0, 1.5, 1e6, 1e13, 1e100, 1e101, float("nan"), float("inf")]
)
TAME = st.sampled_from([0.01, 0.1, 0.25, 0.5, 1.0, 2.0])
SUCCESS = st.sampled_from([0.0, 0.125, 0.5, 0.75, 1.0])
NAMES = st.sampled_from(["a", "b", "gpt-4.1", "openai/gpt-5", "a,b", "日本", "=1+1", "../x"])
STRANGE = NAMES | st.sampled_from(["", "arbitrageur", "a\x1b[2J", "x\u202ey", "n" * 2000])


def rarely(draw: st.DrawFn, tame: st.SearchStrategy[Any], odd: st.SearchStrategy[Any]) -> Any:
    """One draw in sixteen is odd, so that files of many fields are still valid about half of the time."""
    return draw(odd if draw(st.integers(0, 15)) == 0 else tame)


@st.composite
def specifications(draw: st.DrawFn) -> str:
    """A TOML file of up to three providers and classes, often one that cannot be."""
    names = draw(st.lists(STRANGE if draw(st.integers(0, 7)) == 0 else NAMES, min_size=1, max_size=3, unique=True))
    quoted = [json.dumps(name) for name in names]
    classes = draw(st.integers(1, 3))
    lines = [
        f"max_budget = {rarely(draw, TAME, ODD)}",
        f"max_attempts = {rarely(draw, st.integers(1, 4), st.integers(-1, 10**10))}",
    ]
    if draw(st.integers(0, 15)) == 0:
        lines.append(draw(st.sampled_from(["unknown = 1", "unit = ''", "allot = 'time'", "[[", "max_budget = 1"])))
    for name in quoted:
        lines += ["[[providers]]", f"name = {name}", f"price = {rarely(draw, TAME, ODD)}", "highest_price = 5.0"]
        lines.append(f"marginal_cost = {rarely(draw, TAME, ODD)}")
    for x in range(classes):
        weight = rarely(draw, st.just(1 / classes), ODD)
        success = ", ".join(f"{name} = {rarely(draw, SUCCESS, ODD)}" for name in quoted)
        cost = ", ".join(f"{name} = {rarely(draw, TAME, ODD)}" for name in quoted)
        lines += ["[[classes]]", f"name = 'c{x}'", f"weight = {weight}"]
        lines += [f"success = {{{success}}}", f"mean_cost = {{{cost}}}"]
    if draw(st.booleans()):
        lines += ["[[arbitrageurs]]", "name = 'broker'", f"overhead = {rarely(draw, TAME, ODD)}"]
        lines += ["[[regimes]]", "name = 'own'", f"arbitrageurs = ['{rarely(draw, st.just('broker'), st.just('nobody'))}']"]
    return "\n".join(lines) + "\n"


@st.composite
def logs(draw: st.DrawFn) -> dict[str, bytes]:
    """Files of a folder, by name: up to three logs of a few problems, with some lines that cannot be."""
    files = {}
    for name in draw(st.lists(st.sampled_from(["a", "b", "gpt-4.1", "=x"]), min_size=1, max_size=3, unique=True)):
        lines = []
        for x in range(draw(st.integers(1, 4))):
            line: dict[str, Any] = {"id": rarely(draw, st.just(f"p{x}"), st.sampled_from(["", "\x00", 7, None, "p0"]))}
            line["attempts"] = rarely(
                draw, st.lists(st.integers(0, 1), min_size=1, max_size=4), st.sampled_from([[], [2], 3, None])
            )
            line["mean_cost"] = rarely(draw, TAME, ODD)
            lines.append(json.dumps(line).encode())
        if draw(st.integers(0, 15)) == 0:
            lines.append(draw(st.sampled_from([b"{", b"\xff\xfe", b"[1]", b"\x00", b"[" * 5000])))
        files[f"{name}.jsonl"] = b"\n".join(lines) + b"\n"
    return files


LISTS = st.sampled_from(["a", "b", "a,b", "b,a", "a,a", "", ",", "nobody"])
OPTIONS: dict[str, dict[str, st.SearchStrategy[str]]] = {
    "solve": {
        "--levels": st.sampled_from(["0.5", "75%", "75", "0.1:0.9:3", "0.9:0.1:3", "0:1:2", "x", "0.5,", "nan", "1e400"]),
        "--access": LISTS,
        "--prices": st.sampled_from(["a=2", "a=0", "b=1e200", "a=", "a,b=2"]),
        "--evaluate": st.sampled_from(["a=1", "a=1,b=1", "a=-1", "nobody=1", "a"]),
        "--undercut": st.sampled_from(["0.9:3", "1:3", "0.5:100000000", "0.5"]),
        "--bootstrap": st.sampled_from(["3", "-1", "1000000", "x"]),
        "--cross-fits": st.sampled_from(["1", "-1"]),
        "--tolerance": st.sampled_from(["0.1", "0", "2", "nan"]),
        "--points": st.sampled_from(["8", "1", "0"]),
    },
    "equilibrium": {
        "--value": st.sampled_from(
            ["value:1", "uniform:0:1", "lognormal:1:38", "target:0.5:1", "value:nan", "value", "value:-1"]
        ),
        "--strategic": LISTS,
        "--private": LISTS,
        "--marginal-cost": st.sampled_from(["0.3", "a=0.3", "9", "-1"]),
        "--price-bounds": st.sampled_from(["0.5:2", "2:1", "0:0", "1"]),
    },
    "enter": {
        "--capability": st.sampled_from(["0.1:10:2", "0:1:2", "1:1:1", "x"]),
        "--least-share": st.sampled_from(["0.01", "1", "-1", "nan"]),
    },
    "distill": {
        "--tokens": st.sampled_from(["a=1e6", "b=1e6", "a=0", "a=1e6,b=2e6", "nobody=1"]),
        "--teacher": st.sampled_from(["a", "b", "nobody"]),
        "--token-price": st.sampled_from(["1", "0", "nan"]),
    },
}
COMMON = {
    "--max-budget": st.sampled_from(["1", "2", "0", "-1", "1e300", "nan", "1e-300"]),
    "--providers": LISTS,
    "--unit": st.sampled_from(["EUR", "", "\x1b"]),
    "--frobnicate": st.just("1"),
}
ALWAYS = {
    "solve": [],
    "equilibrium": ["--value", "value:1", "--regimes", "direct", "--points", "8", "--tick", "0.25"],
    "enter": ["--entrant", "a", "--points", "8"],
    "distill": ["--bootstrap", "0", "--points", "8"],
}


@st.composite
def command_lines(draw: st.DrawFn, command: str) -> list[str]:
    """Up to two options beside those that keep a case small."""
    known = OPTIONS[command] | COMMON
    chosen = draw(st.lists(st.sampled_from(sorted(known)), max_size=2, unique=True))
    return [*ALWAYS[command], *(part for name in chosen for part in (name, draw(known[name])))]


def ends_as_it_should(command: str, source: Path, options: list[str]) -> int:
    """Run a command that writes JSON beside its source, and hold it to what every command promises."""
    answer = source.parent / "answer.json"
    before = sorted(source.parent.rglob("*"))
    done = run(command, source, *options, "--json", answer, "-q")
    told = done.stderr.splitlines()
    assert done.exit_code in (0, 1, 2), done.stderr
    assert done.stdout == ""
    assert all(line.isprintable() for line in told), told
    assert all(line.startswith("eqsolver: ") for line in told), told
    if done.exit_code == 2:
        assert 1 <= len(told) <= 21
    if answer.exists():
        json.loads(answer.read_text(), parse_constant=lambda name: pytest.fail(f"{name} in JSON"))
        answer.unlink()
    else:
        assert done.exit_code != 0
    assert sorted(source.parent.rglob("*")) == before
    return done.exit_code


@pytest.mark.parametrize("command", OPTIONS)
@SETTINGS
@given(data=st.data())
def test_any_specification_and_any_options_end_as_they_should(command: str, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "market.toml"
        source.write_text(data.draw(specifications()), encoding="utf-8")
        ends_as_it_should(command, source, data.draw(command_lines(command)))


@pytest.mark.parametrize("command", OPTIONS)
@SETTINGS
@given(data=st.data())
def test_any_logs_and_any_options_end_as_they_should(command: str, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "logs"
        source.mkdir()
        for name, content in data.draw(logs()).items():
            (source / name).write_bytes(content)
        ends_as_it_should(command, source, data.draw(command_lines(command)))
