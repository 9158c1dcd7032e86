"""Every sample gives exactly its attempt table, whatever the way it takes."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from samples import COLUMNS, FORMATS, OPTIONS, attempts, expected, rows_by_key, sample

from eqsolver.logs import LogOptions, cells, formats, read_attempts, write

NAMES = sorted(path.name for path in FORMATS.iterdir() if path.is_dir())


def same(name: str, wanted: str, found: str) -> bool:
    if name in ("problem", "provider", "error") or "" in (wanted, found):
        return wanted == found
    return math.isclose(float(wanted), float(found), rel_tol=1e-12)


def test_there_are_eleven_samples_and_each_is_a_format() -> None:
    assert len(NAMES) == 11
    assert set(NAMES) <= set(formats())


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
@pytest.mark.parametrize("name", NAMES)
def test_a_sample_gives_its_table_through_every_kind_of_file(name: str, ending: str, tmp_path: Path) -> None:
    options = LogOptions(**OPTIONS.get(name, {}))
    first, again = tmp_path / f"attempts{ending}", tmp_path / "again.csv"
    with read_attempts(sample(name), options) as found:
        assert dict(found.read).keys() >= {name}
        write(found, cells(found.store), first)
    with read_attempts([first], LogOptions()) as found:
        assert set(found.read) == {"table"}
        write(found, cells(found.store), again)
    wanted, got = expected(name), rows_by_key(again.read_text())
    assert wanted.keys() == got.keys()
    for key, row in wanted.items():
        assert tuple(row) == COLUMNS
        assert tuple(got[key])[: len(COLUMNS)] == COLUMNS
        wrong = {
            column: (row[column], got[key][column]) for column in COLUMNS if not same(column, row[column], got[key][column])
        }
        assert not wrong, key


def test_a_format_is_found_by_looking_and_named_by_an_option() -> None:
    assert attempts(sample("harbor")) == attempts(sample("harbor"), format="harbor")


def test_costs_of_judges_and_simulated_users_stand_apart() -> None:
    def verifier(name: str) -> list[float | None]:
        return [cost for (cost,) in attempts(sample(name), "verifier_cost", **OPTIONS.get(name, {}))]

    assert verifier("tau2") == [0.01] * 5
    assert verifier("inspect") == [0.00044] * 11 + [None]  # the attempt that broke down was never judged
    assert verifier("langfuse") == [None, None, 0.0006, None, None]
