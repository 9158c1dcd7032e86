"""The attempt table as a file: CSV, JSONL or Parquet; or a folder of eqsolver's own logs."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path

import numpy as np

from eqsolver._errors import UsageError
from eqsolver._files import check_writable, write_whole
from eqsolver.logs._attempts import Attempts
from eqsolver.logs._cells import Cells
from eqsolver.logs._store import literal
from eqsolver.logs._table import BASE, OPTIONAL

FORMATS = {".csv": "FORMAT csv, HEADER", ".jsonl": "FORMAT json", ".parquet": "FORMAT parquet"}


def check_output(path: Path) -> None:
    """Raise `UsageError` before anything is read if attempts could not be written there."""
    if path.suffix not in FORMATS and (path.suffix or path.is_file()):
        raise UsageError(f"{path}: give a name that ends in {', '.join(FORMATS)}, or a folder")
    check_writable(path, folder=path.suffix not in FORMATS)


def write(attempts: Attempts, cells: Cells, path: Path) -> list[str]:
    """Write all attempts, as a file that is never half written; lines to tell of what a folder of own logs cannot hold."""
    if path.suffix not in FORMATS:
        return _folder(attempts, cells, path)
    store = attempts.store
    further = [name for name, (number,) in zip(OPTIONAL, _numbers(attempts), strict=True) if number]
    columns = ", ".join(
        {"time": "make_timestamp((time * 1e6)::BIGINT) AS time", **_ROUNDED}.get(name, name) for name in (*BASE, *further)
    )
    numbered = "row_number() OVER (PARTITION BY provider, problem ORDER BY time NULLS LAST, place)"
    temporary = path.parent / f".eqsolver-{secrets.token_hex(8)}.tmp"
    try:
        store.run("SET preserve_insertion_order = true")
        store.run(
            f"COPY (SELECT {columns} FROM (SELECT * REPLACE (coalesce(attempt, {numbered}) AS attempt) FROM attempts)"
            f" ORDER BY provider, problem, attempt) TO {literal(temporary)} ({FORMATS[path.suffix]})"
        )
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return []


_ROUNDED = {name: f"printf('%.15g', {name})::DOUBLE AS {name}" for name in ("cost", "verifier_cost")}
"""Sums of decimal costs without the last binary digit's dust."""


def _numbers(attempts: Attempts) -> list[tuple[int]]:
    (row,) = attempts.store.rows(f"SELECT {', '.join(f'count({name})' for name in OPTIONAL)} FROM attempts")
    return [(int(number),) for number in row]


def _folder(attempts: Attempts, cells: Cells, path: Path) -> list[str]:
    """A file for each provider: outcomes, and costs where all are known, else their mean; unknown means are left out."""
    path.mkdir(parents=True, exist_ok=True)
    told, left_out = [], 0
    for provider in cells.providers:
        rows = attempts.store.rows(
            "SELECT problem, list(solved ORDER BY attempt, place), list(cost ORDER BY attempt, place), avg(cost),"
            " count(cost) = count(*)"
            " FROM attempts WHERE provider = ? AND solved IS NOT NULL GROUP BY problem ORDER BY problem",
            [provider],
        )
        lines = []
        for problem, outcomes, costs, mean, whole in rows:
            if mean is None:
                left_out += 1
                continue
            paid = {"costs": np.asarray(costs, dtype=float).tolist()} if whole else {"mean_cost": float(mean)}
            lines.append(json.dumps({"id": problem, "attempts": [int(outcome) for outcome in outcomes], **paid}))
        write_whole(path / f"{provider.replace('/', '__')}.jsonl", "".join(f"{line}\n" for line in lines))
    if any("/" in provider for provider in cells.providers):
        told.append("A slash in a provider's name is written as two underscores.")
    if left_out:
        told.append(f"Left out, for want of any cost: {left_out:,} of the providers' problems.")
    return told
