"""Tables of any columns, and what is refused in them: one line with file, row, field and value."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import FORMATS, attempts, copied, sample, table

from eqsolver import MarketError
from eqsolver.logs import formats
from eqsolver.logs._preset import shipped

HEADER = "problem,provider,attempt,solved,cost,seconds,input_tokens,cached_tokens,output_tokens"


@pytest.mark.parametrize(
    ("mapped", "lines", "row"),
    [
        (
            {"problem": "task", "provider": "m", "solved": "score>=0.5", "cost": "usd"},
            ["task,m,score,usd", "a,x,0.5,2"],
            (1, 2.0),
        ),
        ({"problem": "task", "provider": "m", "solved": "score>0.5"}, ["task,m,score", "a,x,0.5"], (0, None)),
        (
            {"problem": "task", "provider": "m", "solved": "s==passed", "cost": "c/100"},
            ["task,m,s,c", "a,x,passed,5"],
            (1, 0.05),
        ),
        ({"problem": "task", "provider": "m", "solved": "s!=failed", "cost": "c*2"}, ["task,m,s,c", "a,x,failed,5"], (0, 10.0)),
        ({"problem": "p>q"}, ["p>q,provider,solved", "a,x,Yes"], (1, None)),
    ],
)
def test_columns_are_mapped_compared_and_scaled(mapped: Any, lines: list[str], row: Any, tmp_path: Path) -> None:
    found = attempts(table(tmp_path / "t.csv", *lines), "problem, provider, solved, cost", mapped=mapped)
    assert found == [("a", "x", *row)]


def test_nested_fields_of_json_lines_are_mapped(tmp_path: Path) -> None:
    path = table(tmp_path / "t.jsonl", '{"task": {"id": "a"}, "m": "x", "ok": true, "usage": {"cost": 0.1}}')
    mapped = {"problem": "task.id", "provider": "m", "solved": "ok", "cost": "usage.cost"}
    assert attempts(path, "problem, solved, cost", mapped=mapped) == [("a", 1, 0.1)]


def test_calls_of_one_attempt_are_summed(tmp_path: Path) -> None:
    lines = ["s,problem,provider,solved,cost,start,finish", "s1,a,x,1,0.25,100,102", "s1,a,x,1,0.5,103,104.5"]
    path = table(tmp_path / "t.csv", *lines, "s2,a,x,0,,200,201", "s2,a,x,0,1,201,202", ",a,x,0,1,1,2")
    found = attempts(path, "solved, cost, seconds, time", per="s")
    assert sorted(found, key=lambda row: row[3]) == [(1, 0.75, 4.5, 100.0), (0, None, 2.0, 200.0)]


@pytest.mark.parametrize("time", ["2026-11-02T09:00:00Z", "2026-11-02 09:00:00", "1793610000", "1793610000000"])
def test_times_are_text_or_seconds_or_milliseconds(time: str, tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", "problem,provider,solved,time", f"a,x,1,{time}")
    assert attempts(path, "time") == [(1793610000.0,)]


def test_a_byte_order_mark_semicolons_and_blanks_are_read(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", "\ufeffproblem;provider;solved;cost;seconds", "a; x ;1; 0.5 ;", "a;x;nan;;nan")
    assert attempts(path, "problem, provider, solved, cost, seconds, error") == [
        ("a", "x", 1, 0.5, None, None),
        ("a", "x", None, None, None, "no verdict"),
    ]


def test_ends_of_lines_may_be_mixed(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b'problem,provider,solved\r\na,x,1\r\n"b\nb",x,0\n\n')
    assert attempts(tmp_path / "t.csv", "problem, solved") == [("a", 1), ("b\nb", 0)]


WRONG = [
    (HEADER, "a,x,1,1,-0.5,,,,", r"row 3: cost = -0.5 is negative"),
    (HEADER, "a,x,1,1,cheap,,,,", r"row 3: cost = cheap must be a number"),
    (HEADER.replace(",", ";"), "a;x;1;1;0,5;;;;", r"row 3: cost = 0,5 must be a number; write decimals with a point"),
    (HEADER, "a,x,1,1,inf,,,,", r"row 3: cost = inf must be finite"),
    (HEADER, "a,x,1,1,1,-2,,,", r"row 3: seconds = -2.0 is negative"),
    (HEADER, "a,x,1,1,1,,10,11,", r"row 3: cached_tokens = 11 exceeds input_tokens = 10"),
    (HEADER, "a,x,1.5,1,1,,,,", r"row 3: attempt = 1.5 must be a whole number"),
    (HEADER, "a,x,1,85,1,,,,", r"row 3: solved = 85 must be a verdict"),
    (HEADER, "a,x,1,maybe,1,,,,", r"row 3: solved = maybe must be a verdict"),
    (HEADER, ",x,1,1,1,,,,", r"row 3: problem is blank"),
    (HEADER, "a,,1,1,1,,,,", r"row 3: provider is blank"),
    (HEADER, "a,x,1,1", r"row 3: has another number of fields than the header \(9\)"),
    (HEADER, "first,x,1,0,1,,,,", r"x on 'first' has two attempts with the number 1"),
    (HEADER.replace("cost", "cst"), "a,x,1,1,1,,,,", r"unknown column 'cst'; did you mean 'cost'\?"),
    (HEADER.replace("problem", "task"), "a,x,1,1,1,,,,", r"no column problem; it has task, .*; give --map problem=\.\.\."),
    (HEADER.replace("seconds", "cost"), "a,x,1,1,1,,,,", r"row 1: the column 'cost' is there twice"),
]


@pytest.mark.parametrize(("header", "line", "told"), WRONG)
def test_a_wrong_table_is_told_in_one_line(header: str, line: str, told: str, tmp_path: Path) -> None:
    sign = ";" if ";" in header else ","
    first = ["first", "x", "1", "1", "1", "", "", "", ""]
    path = table(tmp_path / "t.csv", header, sign.join(first), line)
    with pytest.raises(MarketError, match=told) as caught:
        attempts(path)
    assert "\n" not in str(caught.value)
    assert "attempts with the number" in told or str(caught.value).startswith(str(path))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty"),
        (b"problem,provider,solved\n", "holds no attempts"),
        (b"problem,provider,solved\n\xe9,x,1\n", "not UTF-8"),
        (b'problem,provider,solved\n"a,x,1\n', "not a table"),
    ],
)
def test_a_file_that_is_no_table_is_told(content: bytes, told: str, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(MarketError, match=told):
        attempts(path)


def test_a_broken_line_of_json_is_named(tmp_path: Path) -> None:
    path = table(tmp_path / "t.jsonl", '{"problem": "a", "provider": "x", "solved": 1}', '{"problem": "a", "prov')
    with pytest.raises(MarketError, match=r"t\.jsonl: line 2: not valid JSON"):
        attempts(path)


@pytest.mark.parametrize(
    ("mapped", "told"),
    [
        ({"problem": "tusk"}, r"--map problem=tusk: no column 'tusk'; did you mean 'task'\?"),
        ({"probem": "task"}, r"--map probem=task: unknown column"),
        ({"cost": "task/x"}, r"--map cost=task/x: 'x' is not a number"),
    ],
)
def test_a_wrong_map_is_told(mapped: dict[str, str], told: str, tmp_path: Path) -> None:
    with pytest.raises(MarketError, match=told):
        attempts(table(tmp_path / "t.csv", "task,provider,solved", "a,x,1"), mapped=mapped)


def test_an_attempt_on_two_problems_or_of_two_verdicts_is_refused(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", "s,problem,provider,solved", "s1,a,x,1", "s1,b,x,1")
    with pytest.raises(MarketError, match="s1 is an attempt on two problems"):
        attempts(path, per="s")
    path = table(tmp_path / "t.csv", "s,problem,provider,solved", "s1,a,x,1", "s1,a,x,0")
    with pytest.raises(MarketError, match="s1 has two verdicts"):
        attempts(path, per="s")


def test_mixed_currencies_are_refused(tmp_path: Path) -> None:
    path = table(tmp_path / "t.csv", "problem,provider,solved,cost,currency", "a,x,1,1,USD", "a,y,1,1,EUR")
    with pytest.raises(MarketError, match="currency: several in one market: EUR, USD"):
        attempts(path)


NUMBERS = st.lists(st.integers(1, 6), min_size=1, max_size=7)


@settings(max_examples=12, deadline=None)
@given(numbers=NUMBERS)
def test_numbers_told_twice_are_found_whatever_their_sums(numbers: list[int], tmp_path_factory: Any) -> None:
    path = table(tmp_path_factory.mktemp("n") / "t.csv", "problem,provider,attempt,solved", *(f"a,x,{n},1" for n in numbers))
    if len(set(numbers)) == len(numbers):
        assert sorted(n for (n,) in attempts(path, "attempt")) == sorted(numbers)
    else:
        with pytest.raises(MarketError, match="two attempts with the number"):
            attempts(path)


def test_problem_names_of_two_suites_stay_apart(tmp_path: Path) -> None:
    lines = ["problem,provider,solved,suite", "add,x,1,one", "add,x,0,two"]
    assert attempts(table(tmp_path / "t.csv", *lines), "problem, solved") == [("one/add", 1), ("two/add", 0)]
    assert attempts(table(tmp_path / "t.csv", *lines[:2]), "problem") == [("add",)]


def test_broken_logs_are_told_with_file_and_place(tmp_path: Path) -> None:
    folder = copied("harbor", tmp_path)
    trial = folder / "jobs/small/add__aB3dE5f/result.json"
    whole = trial.read_text()
    for content, told in (
        (whole[:400], r"result\.json: not valid JSON.*is the file cut off\?"),
        (whole.replace("0.0016", '"cheap"'), r"result\.json: \$: cost = 'cheap' must be a number"),
        (whole.replace("0.0016", "-1"), r"result\.json: \$: cost = -1\.0 is negative"),
        (whole.replace("2000", "4000"), r"result\.json: \$: cached_tokens = 4000 exceeds input_tokens = 3000"),
        (whole.replace('"started_at": "2026', '"started_at": "soon'), r"result\.json: \$: time = 'soon.* must be a time"),
    ):
        trial.write_text(content)
        with pytest.raises(MarketError, match=told):
            attempts(folder)
    (tmp_path / "z.eval").write_bytes(b"PK\x03\x04 no zip")
    with pytest.raises(MarketError, match=r"z\.eval: cannot be read as a zip"):
        attempts(tmp_path / "z.eval", scorer="match")


def test_two_trials_of_one_number_in_one_run_are_refused(tmp_path: Path) -> None:
    folder = copied("tau2", tmp_path)
    path = folder / "results.json"
    path.write_text(path.read_text().replace('"trial": 1', '"trial": 0'))
    with pytest.raises(MarketError, match=r"results\.json: acme/small-1 on '0' has two attempts with the number 1"):
        attempts(folder)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("session_id,solved\ns-01,1\ns-01,0\n", r"verdicts\.csv: row 3: session_id = 's-01' is there twice"),
        ("session_id,ok\ns-01,1\n", r"verdicts\.csv: needs a column `solved`"),
        ("session_id,solved\ns-01,maybe\n", r"verdicts\.csv: row 2: solved = 'maybe' must be a number"),
    ],
)
def test_wrong_verdicts_are_told(content: str, told: str, tmp_path: Path) -> None:
    folder = copied("litellm", tmp_path)
    (folder / "verdicts.csv").write_text(content)
    with pytest.raises(MarketError, match=told):
        attempts(folder)


def test_what_is_no_log_is_told(tmp_path: Path) -> None:
    for paths, options, told in (
        ([tmp_path / "none"], {}, "no such file or folder"),
        ([tmp_path], {}, "no known format; known: inspect, litellm"),
        (sample("harbor"), {"format": "habor"}, r"--format habor: did you mean 'harbor'\?"),
        (sample("harbor"), {"format": "tau2"}, "holds no files of format tau2"),
        (sample("litellm"), {"verdicts": tmp_path / "none.csv"}, r"none\.csv: no such file"),
    ):
        with pytest.raises(MarketError, match=told):
            attempts(paths, **options)


TWELFTH = """
about = "a tool of one's own"
glob = "trial-*.json"
needs = ["task", "agent.model"]
run = -2
[fields]
problem = "task"
provider = "agent.model"
attempt = "n"
solved = "tests"
scores = "x"
"""


def test_a_twelfth_format_needs_toml_only(tmp_path: Path) -> None:
    preset = tmp_path / "mine.toml"
    preset.write_text(TWELFTH.replace('scores = "x"\n', 'cost = "sum(steps[].usd)"\n[[excluded]]\npath = "crash"\n'))
    runs = tmp_path / "run"
    runs.mkdir()
    common = '"agent": {"model": "x"}, "task": "a"'
    table(runs / "trial-1.json", f'{{{common}, "n": 1, "tests": {{"unit": true}}, "steps": [{{"usd": 0.25}}, {{"usd": 0.5}}]}}')
    table(runs / "trial-2.json", f'{{{common}, "n": 2, "tests": {{"unit": false}}, "steps": [{{"usd": 0.25}}, {{}}]}}')
    table(runs / "trial-3.json", f'{{{common}, "n": 3, "tests": null, "crash": "lost"}}')
    found = attempts(runs, "attempt, solved, cost, error", format=str(preset))
    assert found == [(1, 1, 0.75, None), (2, 0, None, None), (3, None, None, "lost")]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("", ""), "unknown field 'scores'"),
        (('scores = "x"', 'cost = "average(steps[].usd)"'), "unknown function 'average'"),
        (('scores = "x"', "cost = 3"), "fields.cost"),
        (('glob = "trial-*.json"', ""), "glob: Field required"),
        (('about = "a', 'about = "a" "'), "not valid TOML"),
    ],
)
def test_a_wrong_preset_is_told(change: tuple[str, str], told: str, tmp_path: Path) -> None:
    preset = tmp_path / "mine.toml"
    preset.write_text(TWELFTH.replace(*change))
    with pytest.raises(MarketError, match=told) as caught:
        attempts(sample("harbor"), format=str(preset))
    assert str(caught.value).startswith(str(preset))


def test_no_module_names_a_format_that_is_a_preset() -> None:
    room = FORMATS.parents[2] / "eqsolver" / "logs"
    code = {path: path.read_text() for path in room.glob("*.py")}
    assert len(shipped()) == 6
    assert not [(path.name, name) for path, text in code.items() for name in shipped() if name in text]
    assert set(shipped()) < set(formats())


def test_a_folder_of_own_logs_is_read_as_attempts(tmp_path: Path) -> None:
    lines = ['{"id": "a", "attempts": [0, 1], "costs": [1, 2]}', '{"id": "b", "attempts": 2, "successes": 1, "mean_cost": 3}']
    table(tmp_path / "x.jsonl", *lines)
    found = attempts(tmp_path, "problem, attempt, solved, cost")
    assert found == [("a", 1, 0, 1.0), ("a", 2, 1, 2.0), ("b", 1, 1, 3.0), ("b", 2, 0, 3.0)]
    table(tmp_path / "x.jsonl", '{"id": "a", "attempts": [0, 2], "mean_cost": 1}')
    with pytest.raises(MarketError, match=r"x\.jsonl: line 1: attempts = \[0, 2\] must be 0 or 1"):
        attempts(tmp_path)


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    attempts(sample("harbor"))
    with pytest.raises(MarketError):
        attempts(table(tmp_path / "t.csv", "problem"))
    (tmp_path / "t.csv").unlink()
    assert not list(tmp_path.iterdir())
    shutil.rmtree(tmp_path)
