"""The script that measures coverage runs, and its shares are shares: one tiny market a part."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from band_coverage import PARTS, Tally, main


def test_a_tally_counts_on_which_side_the_truth_lies() -> None:
    tally = Tally()
    for truth in (1.0, 2.0, 3.0, 4.0):
        tally.add(truth, 1.5, 3.5)
    tally.add(float("nan"), 0.0, 1.0)
    told = tally.summary()
    assert (told["markets"], told["coverage"], told["truth_below"], told["truth_above"]) == (4, 0.5, 0.25, 0.25)
    assert (told["standard_error"], told["median_width"]) == (0.25, 2.0)


def test_rows_of_one_part_replace_only_their_own(tmp_path: Path) -> None:
    out = tmp_path / "coverage.json"
    for part in ("solve", "solve-logs"):
        main(["--only", part, "--markets", "1", "--sizes", "200", "--output", str(out)])
    kept = json.loads(out.read_text())
    assert {row["band"] for row in kept["rows"]} == {"solve", "solve, logs of 20 attempts"}
    assert all(0 <= row["coverage"] <= 1 for row in kept["rows"] if row["markets"])
    assert kept["version"]


@pytest.mark.slow
@pytest.mark.parametrize("part", sorted(set(PARTS) - {"solve", "solve-logs"}))
def test_every_part_of_the_script_runs(part: str) -> None:
    found = main(["--only", part, "--markets", "1", "--sizes", "60"])
    assert sum(row["markets"] for row in found["rows"]) > 0
