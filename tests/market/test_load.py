"""One door for specifications and logs; the room's public names."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from published import DATA, needs_logs

import eqsolver.market
from eqsolver import MarketError
from eqsolver.market import load

SPEC = """\
unit = "FLOP"
max_attempts = 3
classes = [{weight = 1, success = {a = 0.5, b = 0}, mean_cost = {a = 1, b = 2}}]
[[providers]]
name = "a"
[[providers]]
name = "b"
"""
LOG = '{"id": "x", "attempts": [1, 0], "mean_cost": 0.5}\n'


def test_load_takes_a_specification_or_logs(tmp_path: Path) -> None:
    spec, log = tmp_path / "s.TOML", tmp_path / "c.jsonl"
    spec.write_text(SPEC, encoding="utf-8")
    log.write_text(LOG, encoding="utf-8")
    assert load(spec).unit == "FLOP"
    assert load(str(spec), unit="EUR").unit == "EUR"
    assert load(spec, providers=["b"]).names == ("b",)
    assert load(log).names == load(tmp_path).names == ("c",)
    assert (load(log).unit, load(log, unit="FLOP").unit) == ("USD", "FLOP")
    for paths, fragment in (((), "nothing to load"), ((spec, log), "with logs"), ((spec, spec), "with a second one")):
        with pytest.raises(MarketError, match=fragment):
            load(*paths)
    with pytest.raises(MarketError, match="unknown provider 'z'"):
        load(spec, providers=["z"])


@needs_logs
def test_the_published_logs_load_whole() -> None:
    for folder, problems, dropped in (("swebench", 445, 1), ("lean", 244, 0), ("swebench/distill", None, None)):
        market = load(DATA / folder)
        assert market.names == tuple(sorted(path.stem for path in (DATA / folder).glob("*.jsonl")))
        if problems:
            assert (len(market.problems), market.dropped_problems) == (problems, dropped)


def test_public_names_are_there_and_no_others() -> None:
    names = eqsolver.market.__all__
    assert names == sorted(names)
    assert all(hasattr(eqsolver.market, name) for name in names)
    with pytest.raises(AttributeError, match="no attribute 'lode'"):
        _ = eqsolver.market.lode


def test_pydantic_waits_until_a_file_is_read() -> None:
    code = "import sys, eqsolver.market; sys.exit(any(name in sys.modules for name in ('pydantic', 'tomlkit')))"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])
