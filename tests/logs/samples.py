"""What the tests of logs share: the samples, small files, and attempts as rows."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eqsolver.logs import LogOptions, read_attempts

FORMATS = Path(__file__).parent / "formats"
OPTIONS: dict[str, dict[str, Any]] = {"inspect": {"scorer": "match"}}
COLUMNS = (
    "problem",
    "provider",
    "attempt",
    "solved",
    "cost",
    "seconds",
    "input_tokens",
    "cached_tokens",
    "output_tokens",
    "error",
)


def sample(name: str) -> list[Path]:
    """The files that a sample's `expected.csv` is made of."""
    return sorted((FORMATS / name).glob("*.eval")) if name == "inspect" else [FORMATS / name]


def expected(name: str) -> dict[tuple[str, str, int], dict[str, str]]:
    return rows_by_key((FORMATS / name / "expected.csv").read_text())


def rows_by_key(text: str) -> dict[tuple[str, str, int], dict[str, str]]:
    rows = list(csv.DictReader(text.splitlines()))
    found = {(row["provider"], row["problem"], int(row["attempt"])): row for row in rows}
    assert len(found) == len(rows)
    return found


def attempts(
    paths: Sequence[Path] | Path, columns: str = ", ".join(COLUMNS), *, mapped: dict[str, str] | None = None, **options: Any
) -> list[tuple[Any, ...]]:
    """The rows of the attempt table, sorted by provider, problem and attempt."""
    paths = [paths] if isinstance(paths, Path) else paths
    with read_attempts(paths, LogOptions(columns=mapped or {}, **options)) as found:
        return found.store.rows(f"SELECT {columns} FROM attempts ORDER BY provider, problem, attempt")


def copied(name: str, folder: Path) -> Path:
    """A sample's files in a folder of one's own, without the answer."""
    target = folder / name
    shutil.copytree(FORMATS / name, target)
    (target / "expected.csv").unlink()
    return target


def edited(path: Path, change: Any) -> None:
    """A JSON file after a change of its value."""
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


def table(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
