"""Attempt logs: what is read, what is dropped, and what is said about bad lines."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eqsolver import MarketError
from eqsolver.market import Provider, Sampled, load, log_fields, read_logs
from eqsolver.technology import curves, rules

GOOD = b'{"id": "x", "attempts": [1, 0], "mean_cost": 0.5}\n'


def written(folder: Path, **files: str | bytes) -> Path:
    for name, content in files.items():
        (folder / f"{name}.jsonl").write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def only(odds: object) -> tuple[list[int], list[int]]:
    assert isinstance(odds, Sampled)
    return odds.attempts.tolist(), odds.successes.tolist()


@pytest.mark.parametrize(
    "line",
    [
        '{"id": "x", "attempts": [0, 1, 1], "mean_cost": 2}',
        '{"id": "x", "attempts": [false, true, 1], "mean_cost": 2.0}',
        '{"id": "x", "attempts": 3, "successes": 2, "mean_cost": 2.0}',
        '{"id": "x", "attempts": 3, "successes": 2, "costs": [1, 2, 3], "mean_cost": 2.0000001}',
        '{"id": "x", "attempts": [0, 1, 1], "successes": 2, "mean_cost": 2, "model": {"any": ["thing"]}}',
        '\ufeff{"id": "x", "attempts": [0, 1, 1], "mean_cost": 2}\r\n\r\n  \n',
    ],
)
def test_every_form_of_a_line_says_the_same(tmp_path: Path, line: str) -> None:
    market = read_logs([written(tmp_path, a=line)])
    assert only(market.providers[0].odds) == ([3], [2])
    assert market.providers[0].spend.tolist() == [2.0]
    assert (market.problems, market.max_attempts, market.max_budget, market.unit) == (("x",), None, None, "USD")
    assert (market.dropped, market.dropped_problems) == ({}, 0)


WRONG = {
    "no id": ('{"attempts": [1], "mean_cost": 1}', ["id is missing"]),
    "empty id": ('{"id": "", "attempts": [1], "mean_cost": 1}', ["id = ''"]),
    "id of wrong type": ('{"id": [17], "attempts": [1], "mean_cost": 1}', ["id = [17]", "string"]),
    "no attempts field": ('{"id": "x", "mean_cost": 1}', ["attempts is missing"]),
    "empty list": ('{"id": "x", "attempts": [], "mean_cost": 1}', ["attempts = []"]),
    "attempts 0": ('{"id": "x", "attempts": 0, "successes": 0, "mean_cost": 1}', ["attempts = 0", "between 1 and"]),
    "attempts negative": ('{"id": "x", "attempts": -1, "successes": 0, "mean_cost": 1}', ["attempts = -1"]),
    "attempts true": ('{"id": "x", "attempts": true, "successes": 1, "mean_cost": 1}', ["attempts = True"]),
    "attempts fraction": ('{"id": "x", "attempts": 1.5, "successes": 1, "mean_cost": 1}', ["attempts = 1.5"]),
    "attempts huge": (f'{{"id": "x", "attempts": {10**400}, "successes": 1, "mean_cost": 1}}', ["attempts = 1000"]),
    "attempts endless": (f'{{"id": "x", "attempts": {"9" * 5000}, "mean_cost": 1}}', ["not valid JSON"]),
    "attempts text": ('{"id": "x", "attempts": "3", "successes": 1, "mean_cost": 1}', ["attempts = '3'"]),
    "attempt 2": ('{"id": "x", "attempts": [0, 2], "mean_cost": 1}', ["attempts entry 2 = 2", "0 or 1"]),
    "attempt 0.5": ('{"id": "x", "attempts": [0.5], "mean_cost": 1}', ["attempts entry 1 = 0.5"]),
    "attempt null": ('{"id": "x", "attempts": [0, null, 3], "mean_cost": 1}', ["attempts entry 2 = None"]),
    "attempt text": ('{"id": "x", "attempts": ["1"], "mean_cost": 1}', ["attempts entry 1 = '1'"]),
    "no successes": ('{"id": "x", "attempts": 3, "mean_cost": 1}', ["successes is missing", "attempts = 3"]),
    "too many": ('{"id": "x", "attempts": 3, "successes": 4, "mean_cost": 1}', ["successes = 4", "attempts = 3"]),
    "negative": ('{"id": "x", "attempts": 3, "successes": -1, "mean_cost": 1}', ["successes = -1", "at least 0"]),
    "contradiction": ('{"id": "x", "attempts": [1], "successes": 0, "mean_cost": 1}', ["successes = 0", "hold 1"]),
    "no cost": ('{"id": "x", "attempts": [1]}', ["mean_cost is missing"]),
    "cost null": ('{"id": "x", "attempts": [1], "mean_cost": null}', ["mean_cost is missing"]),
    "cost zero": ('{"id": "x", "attempts": [1], "mean_cost": 0}', ["mean_cost = 0", "greater than 0", "--free deepseek"]),
    "cost negative": ('{"id": "x", "attempts": [1], "mean_cost": -2.5}', ["mean_cost = -2.5", "at least 0"]),
    "cost NaN": ('{"id": "x", "attempts": [1], "mean_cost": NaN}', ["mean_cost = nan", "finite"]),
    "cost Infinity": ('{"id": "x", "attempts": [1], "mean_cost": Infinity}', ["mean_cost = inf", "finite"]),
    "cost 1e400": ('{"id": "x", "attempts": [1], "mean_cost": 1e400}', ["mean_cost = inf", "finite"]),
    "cost 10**400": (f'{{"id": "x", "attempts": [1], "mean_cost": {10**400}}}', ["mean_cost = "]),
    "cost text": ('{"id": "x", "attempts": [1], "mean_cost": "1"}', ["mean_cost = '1'", "number"]),
    "cost true": ('{"id": "x", "attempts": [1], "mean_cost": true}', ["mean_cost = True", "number"]),
    "costs zero": ('{"id": "x", "attempts": [1, 0], "costs": [1, 0]}', ["costs = 0", "greater than 0", "--free deepseek"]),
    "costs short": ('{"id": "x", "attempts": [1, 0], "costs": [1]}', ["costs has 1 entries", "2 attempts"]),
    "costs not a list": ('{"id": "x", "attempts": [1, 0], "costs": 1}', ["costs = 1", "list"]),
    "costs overflow": ('{"id": "x", "attempts": [1, 0], "costs": [1e308, 1e308]}', ["costs are too large"]),
    "costs disagree": ('{"id": "x", "attempts": [1], "costs": [1], "mean_cost": 2}', ["mean_cost = 2", "mean of costs"]),
    "cut off": ('{"id": "x", "attempts": [1, 0', ["not valid JSON", "cut off"]),
    "broken": ("{'id': 'x'}", ["not valid JSON"]),
    "two objects": ('{"id": "x", "attempts": [1], "mean_cost": 1} {}', ["not valid JSON", "one object a line"]),
    "a list": ("[1, 2]", ["[1, 2] is not an object"]),
    "a number": ("3", ["3 is not an object"]),
    "null": ("null", ["None is not an object"]),
    "not UTF-8": (b'{"id": "\xff", "attempts": [1], "mean_cost": 1}', ["not UTF-8", "0xff"]),
    "UTF-16": ('{"id": "y"}'.encode("utf-16"), ["not UTF-8"]),
    "lone surrogate": (r'{"id": "\ud800", "attempts": [1], "mean_cost": 1}', ["not valid JSON"]),
    "deep": ('{"id": "x", "attempts": ' + "[" * 100_000, ["not valid JSON"]),
    "duplicate": ('{"id": "x", "attempts": [1], "mean_cost": 1}', ["id = 'x' is on line 1 already"]),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_bad_line_is_told_by_file_line_field_and_value(tmp_path: Path, case: str) -> None:
    content, fragments = WRONG[case]
    line = content if isinstance(content, bytes) else content.encode()
    path = written(tmp_path, deepseek=GOOD + b"\n" + line) / "deepseek.jsonl"
    with pytest.raises(MarketError) as caught:
        read_logs([path])
    for fragment in [f"{path}: line 3: ", *fragments]:
        assert fragment in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 250 + len(str(path))


def test_bad_files_are_told_by_name(tmp_path: Path) -> None:
    def says(*fragments: str, paths: list[Path]) -> None:
        with pytest.raises(MarketError) as caught:
            read_logs(paths)
        for fragment in fragments:
            assert fragment in str(caught.value)
        assert str(caught.value).isprintable()

    says("no log files", paths=[])
    says("absent.jsonl", "no such file", paths=[tmp_path / "absent.jsonl"])
    says("no .jsonl files", paths=[tmp_path])
    says("holds no attempts", "empty", paths=[written(tmp_path, void="") / "void.jsonl"])
    says("holds no attempts", "blank", paths=[written(tmp_path, void="\n \r\n") / "void.jsonl"])
    says("null byte", paths=[Path("a\0b/c")])
    (tmp_path / "sub").mkdir()
    first, second = written(tmp_path, a=GOOD) / "a.jsonl", written(tmp_path / "sub", a=GOOD) / "a.jsonl"
    says(f"{second}: a second file for provider 'a'", str(first), paths=[first, second])
    says("a second file", paths=[first, first])
    other = written(tmp_path, b=GOOD.replace(b'"x"', b'"X"')) / "b.jsonl"
    says("no problem is in all files", "a.jsonl (1), b.jsonl (1)", paths=[first, other])
    odd = tmp_path / "a\nb.jsonl"
    odd.write_bytes(GOOD)
    says("rename it", paths=[odd])
    with pytest.raises(MarketError, match=r"no log of 'c'; there are a$"):
        read_logs([first], providers=["c"])
    for providers in ([], ["a", "a"]):
        with pytest.raises(MarketError, match="at least one, and none twice"):
            read_logs([first], providers=providers)


def test_a_file_that_may_not_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Permissions do not bind root, so the system's refusal is played."""
    path = written(tmp_path, a=GOOD) / "a.jsonl"

    def refused(self: Path, *args: object, **kwargs: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self))

    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(MarketError, match=r"a\.jsonl: permission denied"):
        read_logs([path])


def line(problem: str, attempts: int = 2, cost: float = 1.0) -> str:
    return json.dumps({"id": problem, "attempts": attempts, "successes": 1, "mean_cost": cost}) + "\n"


def test_the_market_is_the_problems_of_all_files_in_the_order_of_the_first(tmp_path: Path) -> None:
    a = "".join(line(x) for x in "zyxwv")
    b = "".join(line(x, attempts=3, cost=ord(x)) for x in "wxyz")
    c = "".join(line(x) for x in "uxyzt")
    (tmp_path / "inner").mkdir()
    written(tmp_path / "inner", d="broken, and not looked at")
    market = read_logs([written(tmp_path, b=b, a=a, c=c)])
    assert market.names == ("a", "b", "c")
    assert market.problems == ("z", "y", "x")
    assert market.weights.tolist() == [1 / 3] * 3
    assert only(market.providers[1].odds) == ([3] * 3, [1] * 3)
    assert market.providers[1].spend.tolist() == [ord(x) for x in "zyx"]
    assert market.dropped == {"missing in a and b": 2, "missing in c": 1, "missing in b and c": 1}
    assert market.dropped_problems == 4
    assert market.name == tmp_path.name
    alone = read_logs([tmp_path], providers=["c", "a"], name="two", unit="FLOP")
    assert (alone.names, alone.problems, alone.name, alone.unit) == (("c", "a"), ("x", "y", "z"), "two", "FLOP")


@st.composite
def logs(draw: st.DrawFn) -> dict[str, dict[str, tuple[list[bool], float]]]:
    entry = st.tuples(st.lists(st.booleans(), min_size=1, max_size=4), st.floats(1e-6, 1e5))
    return {name: draw(st.dictionaries(st.sampled_from("uvwxyz"), entry, min_size=1)) for name in ("a", "b", "c")}


@given(content=logs())
def test_nothing_is_lost_between_the_files_and_the_market(
    tmp_path_factory: pytest.TempPathFactory, content: dict[str, dict[str, tuple[list[bool], float]]]
) -> None:
    folder = tmp_path_factory.mktemp("logs")
    for name, entries in content.items():
        lines = [json.dumps({"id": x, "attempts": hits, "mean_cost": w}) for x, (hits, w) in entries.items()]
        written(folder, **{name: "\n".join(lines)})
    shared = [x for x in content["a"] if x in content["b"] and x in content["c"]]
    if not shared:
        with pytest.raises(MarketError, match="no problem is in all files"):
            read_logs([folder])
        return
    market = read_logs([folder])
    assert list(market.problems) == shared
    assert market.dropped_problems == len({x for entries in content.values() for x in entries}) - len(shared)
    for provider in market.providers:
        found = [content[provider.name][x] for x in shared]
        assert only(provider.odds) == ([len(hits) for hits, _ in found], [sum(hits) for hits, _ in found])
        np.testing.assert_array_equal(provider.spend, [w for _, w in found])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
NEAR = st.fixed_dictionaries(
    {"id": JSON, "attempts": JSON | st.lists(JSON, max_size=3)},
    optional={"mean_cost": JSON, "costs": JSON | st.lists(st.floats(), max_size=3), "successes": JSON},
).map(lambda entry: json.dumps(entry).encode())


@given(lines=st.lists(st.binary() | NEAR | JSON.map(lambda v: json.dumps(v).encode()) | st.just(GOOD), max_size=4))
def test_no_bytes_raise_anything_but_a_market_error_of_one_line(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]
) -> None:
    path = written(tmp_path_factory.mktemp("fuzz"), a=b"\n".join(lines)) / "a.jsonl"
    try:
        assert len(read_logs([path]).problems) >= 1
    except MarketError as error:
        told = str(error)
    else:
        return
    assert "a.jsonl" in told
    assert all(line.isprintable() for line in told.splitlines())


def test_failed_and_successful_attempts_have_costs_of_their_own_where_each_is_logged(tmp_path: Path) -> None:
    lines = [
        '{"id": "both", "attempts": [0, 1, 1, 0], "costs": [1, 2, 3, 5]}',
        '{"id": "solved", "attempts": [1, 1], "costs": [2, 4]}',
        '{"id": "failed", "attempts": [0, 0], "costs": [2, 6]}',
        '{"id": "counted", "attempts": 3, "successes": 1, "mean_cost": 2, "mean_cost_failed": 7}',
        '{"id": "alike", "attempts": 3, "successes": 1, "costs": [1, 2, 3]}',
    ]
    (sold,) = read_logs([written(tmp_path, a="\n".join(lines))]).providers
    assert sold.spend.tolist() == [2.5, 3.0, 4.0, 2.0, 2.0]
    assert sold.spend_if_failed.tolist() == [3.0, 3.0, 4.0, 7.0, 2.0]
    np.testing.assert_allclose(sold.mean_spend, [2.75, 3.0, 4.0, 16 / 3, 2.0])


def test_expected_spend_by_outcome_is_the_mean_over_all_orders_of_the_logged_attempts(tmp_path: Path) -> None:
    """8.25 for two attempts; the mean cost times the expected number of attempts would say 9.375."""
    logged = [([1, 1], [1, 1]), ([1, 0], [1, 10]), ([0, 1], [10, 1]), ([0, 0], [10, 10])]
    lines = [json.dumps({"id": str(x), "attempts": solved, "costs": costs}) for x, (solved, costs) in enumerate(logged)]
    market = read_logs([written(tmp_path, a="\n".join(lines))])
    terms = rules(market, overrun="never", max_budget=100.0)
    _, F = curves(market.providers[0], np.array([20.0]), terms)
    assert market.weights @ F[:, 0] == pytest.approx(8.25)


def test_a_free_provider_is_declared(tmp_path: Path) -> None:
    folder = written(tmp_path, dear='{"id": "x", "attempts": [0, 1], "mean_cost": 2}', own='{"id": "x", "attempts": [0, 1, 0]}')
    with pytest.raises(MarketError, match="mean_cost is missing"):
        read_logs([folder])
    market = read_logs([folder], free=["own"])
    assert market.providers[1].free
    assert market.providers[1].spend.tolist() == [0.0]
    with pytest.raises(MarketError, match="no log of 'other'"):
        read_logs([folder], free=["other"])
    with pytest.raises(MarketError, match="cost 2 of a provider that is said to be free"):
        read_logs([folder], free=["own", "dear"])
    with pytest.raises(MarketError, match="must be 0: the provider is declared free"):
        Provider(name="own", odds=market.providers[1].odds, spend=[1.0], free=True)


LINE = b'{"id": "x", "attempts": [1, 0], "mean_cost": 1.0}\n'


def test_ids_that_are_numbers_become_text(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"id": 7, "attempts": [1], "mean_cost": 1, "kind": "odd"}\n')
    (tmp_path / "b.jsonl").write_bytes(b'{"id": "7", "attempts": [0], "mean_cost": 2, "kind": "odd"}\n')
    assert read_logs([tmp_path]).problems == ("7",)
    assert log_fields([tmp_path], "kind") == {"7": "odd"}


def test_the_faults_of_a_log_are_told_at_once_up_to_twenty(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    wrong = b'{"id": "y", "attempts": [2], "mean_cost": 1}\nnothing\n'
    path.write_bytes(LINE + wrong + LINE + b'{"id": "\\u001b", "attempts": [1], "mean_cost": 1}\n')
    with pytest.raises(MarketError) as caught:
        read_logs([path])
    lines = str(caught.value).splitlines()
    assert [line.removeprefix(f"{path}: ").partition(": ")[0] for line in lines] == ["line 2", "line 3", "line 4", "line 5"]
    assert all(line.isprintable() for line in lines)
    path.write_bytes(b"nothing\n" * 1000)
    with pytest.raises(MarketError) as caught:
        read_logs([path])
    assert str(caught.value).splitlines()[20:] == ["and more like these"]


def test_a_folder_of_folders_names_providers_by_both(tmp_path: Path) -> None:
    for name in ("openai/gpt-4o", "openai/o1", "meta/llama"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.jsonl").write_bytes(LINE)
    market = read_logs([tmp_path])
    assert market.names == ("meta/llama", "openai/gpt-4o", "openai/o1")
    assert market.name == tmp_path.name
    assert load(tmp_path, providers=["openai/o1"]).names == ("openai/o1",)
    assert load(tmp_path / "openai").names == ("gpt-4o", "o1"), "a folder with logs of its own"
    (tmp_path / "own.jsonl").write_bytes(LINE)
    assert read_logs([tmp_path]).names == ("own",)


def test_a_log_may_be_named_on_the_spot(tmp_path: Path) -> None:
    (tmp_path / "run=1.jsonl").write_bytes(LINE)
    (tmp_path / "run.jsonl").write_bytes(LINE)
    assert read_logs([Path(f"gpt-4o={tmp_path / 'run.jsonl'}")]).names == ("gpt-4o",)
    assert read_logs([tmp_path / "run=1.jsonl"]).names == ("run=1",), "a file that is called so as a whole"
    twice = [tmp_path / "run.jsonl", Path(f"again={tmp_path / 'run.jsonl'}")]
    assert read_logs(twice).names == ("run", "again")
    with pytest.raises(MarketError, match=r"a second file for provider 'run', .*or name it as NAME=run\.jsonl"):
        read_logs([twice[0], twice[0]])
    with pytest.raises(MarketError, match="no such file"):
        read_logs([Path("x=absent.jsonl")])
