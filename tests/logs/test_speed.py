"""Large tables: seconds and memory, in a process of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import json, resource, sys
from pathlib import Path
from eqsolver.market import read_foreign
market, lines, _ = read_foreign([Path(sys.argv[1])])
used = resource.getrusage(resource.RUSAGE_SELF)
attempts = sum(int(provider.odds.attempts.sum()) for provider in market.providers)
print(json.dumps({"attempts": attempts, "cpu": used.ru_utime + used.ru_stime, "megabytes": used.ru_maxrss / 1024}))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rows", "ending", "seconds"),
    [(10**7, ".parquet", 10), (10**7, ".csv", 10), (10**8, ".parquet", 60)],
)
def test_many_rows_become_counts_in_seconds_of_two_cores(rows: int, ending: str, seconds: int, tmp_path: Path) -> None:
    from eqsolver.logs._store import Store

    if not os.environ.get("EQSOLVER_FULL"):
        pytest.skip("seconds depend on what else the machine does: with EQSOLVER_FULL=1, as `.ci/run --full` does")
    path = tmp_path / f"attempts{ending}"
    columns = """SELECT 'problem_' || (i // 4) % 500 AS problem, 'provider_' || i % 4 AS provider, i // 2000 + 1 AS attempt,
        (random() < 0.4)::INT AS solved, exp(random()) / 100 AS cost, random() * 100 AS seconds, 1000 + i % 77 AS input_tokens,
        0 AS cached_tokens, 10 AS output_tokens"""
    with Store.opened() as store:
        store.run(f"COPY ({columns} FROM range({rows}) t(i)) TO '{path}'")
    done = subprocess.run([sys.executable, "-c", SCRIPT, path], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert found["attempts"] == rows
    assert found["megabytes"] < 400
    assert found["cpu"] < 2 * seconds, found
