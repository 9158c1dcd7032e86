"""Many cells of work: solved in parallel, and resumed from a ledger of those already solved."""

from __future__ import annotations

import hashlib
import importlib.metadata
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from eqsolver._errors import UsageError

BACKENDS = ("loky", "threading", "multiprocessing", "dask")


def cell_key(*depends: object) -> str:
    """A hash of what a cell's answer depends on, by its representation, and of the version that solves it."""
    return hashlib.sha256(repr((depends, importlib.metadata.version("eqsolver"))).encode()).hexdigest()


def solve_cells(
    solve: Callable[..., str],
    cells: Sequence[tuple[str, tuple[Any, ...]]],
    *,
    ledger: Path | None = None,
    jobs: int = 1,
    backend: str = "loky",
    progress: Callable[[str, float], None] | None = None,
    kept: Callable[[str], bool] = lambda answer: True,
) -> list[str]:
    """The answer of every cell as text, in order: looked up in the ledger, or else solved now and written there.

    Parameters
    ----------
    solve : of a cell's arguments; a function of a module, since workers import it. cells : (key, arguments), the key a hash of
        all that the answer depends on.
    ledger : an sqlite file, made if need be; None: nothing is kept.
    jobs, backend : of joblib, or `dask`: the cluster that Dask's configuration names, or else a local one of so many workers.
    kept : whether an answer goes into the ledger.

    Raises `UsageError` if the ledger, the backend or so many jobs cannot be used. An interrupt keeps what has been solved.
    """
    import joblib

    check_jobs(jobs)
    say = progress or (lambda what, share: None)
    with closing(_opened(ledger)) as book, _cluster(backend, jobs) as where:
        known: dict[str, str] = dict(book.execute("SELECT key, rows FROM cells"))
        missing = [(key, arguments) for key, arguments in cells if key not in known]
        try:
            parallel = joblib.Parallel(n_jobs=jobs, backend=where, return_as="generator_unordered")
        except ValueError as error:
            raise UsageError(f"backend {backend!r}: {error}") from None
        solved: Iterator[tuple[str, str]] = parallel(
            joblib.delayed(_answered)(solve, key, arguments) for key, arguments in missing
        )
        for done, (key, answer) in enumerate(solved):
            known[key] = answer
            if kept(answer):
                with book:
                    book.execute("INSERT OR REPLACE INTO cells VALUES (?, ?)", (key, answer))
            say(f"cell {len(cells) - len(missing) + done + 1} of {len(cells)}", (done + 1) / len(missing))
    return [known[key] for key, _ in cells]


def check_jobs(jobs: int) -> None:
    """Raise `UsageError` unless joblib knows what to make of a number of jobs."""
    if jobs == 0:
        raise UsageError("jobs = 0: give how many run at once, or -1 for one per core")


def _answered(solve: Callable[..., str], key: str, arguments: tuple[Any, ...]) -> tuple[str, str]:
    return key, solve(*arguments)


@contextmanager
def _cluster(backend: str, jobs: int) -> Iterator[str | None]:
    """What joblib is to be told: its backend; with Dask none, but the client of a cluster is open and joblib configured."""
    if backend != "dask":
        yield backend
        return
    import joblib

    try:
        import dask
        from distributed import Client
    except ImportError:
        raise UsageError(
            "backend 'dask' needs Dask's `distributed`, which is not installed: pip install 'eqsolver[dask]'"
        ) from None
    own = {} if dask.config.get("scheduler-address", None) else {"n_workers": max(jobs, 1), "threads_per_worker": 1}
    with Client(**own), joblib.parallel_config(backend="dask"):
        yield None


def _opened(ledger: Path | None) -> sqlite3.Connection:
    try:
        book = sqlite3.connect(":memory:" if ledger is None else ledger)
        with book:
            book.execute("CREATE TABLE IF NOT EXISTS cells (key TEXT PRIMARY KEY, rows TEXT NOT NULL)")
    except sqlite3.Error as error:
        raise UsageError(f"{ledger}: cannot be used as a ledger: {error}") from None
    return book
