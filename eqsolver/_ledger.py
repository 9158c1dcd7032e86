"""Many cells of work: solved in parallel, and resumed from a ledger of those already solved."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from eqsolver._errors import UsageError

Answer = TypeVar("Answer")

BACKENDS = ("loky", "threading", "dask")

COLUMNS = [("key", "TEXT"), ("rows", "TEXT")]
"""The one table of a ledger, `cells`: names and types of its columns."""


def cell_key(*depends: object, rooms: Sequence[str]) -> str:
    """A hash of what a cell's answer depends on: values, by their representation, and the code of some rooms of eqsolver."""
    return hashlib.sha256(repr((depends, importlib.metadata.version("eqsolver"), _code(tuple(rooms)))).encode()).hexdigest()


@functools.cache
def _code(rooms: tuple[str, ...]) -> str:
    """A hash of the sources of some rooms, and of the modules that every room imports."""
    package, found = Path(__file__).parent, hashlib.sha256()
    for path in sorted([*package.glob("_[!_]*.py"), *(path for room in rooms for path in (package / room).rglob("*.py"))]):
        if not path.name.startswith(("_cli", "_arguments", "_program", "_process")):
            found.update(path.relative_to(package).as_posix().encode() + path.read_bytes())
    return found.hexdigest()


def solve_cells(
    solve: Callable[..., str],
    cells: Sequence[tuple[str, tuple[Any, ...]]],
    *,
    read: Callable[[str], Answer],
    ledger: Path | None = None,
    jobs: int = 1,
    backend: str = "loky",
    progress: Callable[[str, float], None] | None = None,
    kept: Callable[[Answer], bool] = lambda answer: True,
) -> list[Answer]:
    """The answer of every cell, in order: looked up in the ledger, or else solved now and written there.

    Parameters
    ----------
    solve : of a cell's arguments, its answer as text; a function of a module, since workers import it.
    cells : (key, arguments), the key a hash of all that the answer depends on, see `cell_key`.
    read : the answer from its text; a `ValueError` if the text is no answer. Such a row of the ledger is solved again.
    ledger : an sqlite file, made if need be; None: nothing is kept.
    jobs, backend : of joblib, or `dask`: the cluster that Dask's configuration names, or else a local one of so many workers.
    kept : whether an answer goes into the ledger.

    Raises `UsageError` if the ledger, the backend or so many jobs cannot be used. An interrupt, and a ledger that cannot be
    written to any more, keep what has been solved.
    """
    import joblib

    check_jobs(jobs)
    say = progress or (lambda what, share: None)
    with _told(ledger), closing(_opened(ledger)) as book, _cluster(backend, jobs) as where:
        known = _known(book, [key for key, _ in cells], read)
        missing = [(key, arguments) for key, arguments in cells if key not in known]
        try:
            parallel = joblib.Parallel(n_jobs=jobs, backend=where, return_as="generator_unordered")
        except ValueError as error:
            raise UsageError(f"backend {backend!r}: {error}") from None
        solved: Iterator[tuple[str, str]] = parallel(
            joblib.delayed(_answered)(solve, key, arguments, os.getpid()) for key, arguments in missing
        )
        for done, (key, text) in enumerate(solved):
            known[key] = read(text)
            if kept(known[key]):
                with book:
                    book.execute("INSERT OR REPLACE INTO cells VALUES (?, ?)", (key, text))
            say(f"cell {len(cells) - len(missing) + done + 1} of {len(cells)}", (done + 1) / len(missing))
    return [known[key] for key, _ in cells]


def check_jobs(jobs: int) -> None:
    """Raise `UsageError` unless joblib knows what to make of a number of jobs."""
    if jobs == 0:
        raise UsageError("jobs = 0: give how many run at once, or -1 for one per core")


def _known(book: sqlite3.Connection, keys: Sequence[str], read: Callable[[str], Answer]) -> dict[str, Answer]:
    """The answers that a ledger holds of some cells; a row that is not an answer is none."""
    wanted, found = set(keys), {}
    for key, text in book.execute("SELECT key, rows FROM cells"):
        if key in wanted and isinstance(text, str):
            try:
                found[key] = read(text)
            except (ValueError, RecursionError):
                continue
    return found


def _answered(solve: Callable[..., str], key: str, arguments: tuple[Any, ...], parent: int) -> tuple[str, str]:
    _end_with(parent)
    return key, solve(*arguments)


@functools.cache
def _end_with(parent: int) -> None:
    """Have this process end soon after the one that started it, if that is `parent`: a killed one cannot tell its workers."""
    if os.getpid() == parent or os.getppid() != parent:  # no worker, or one of a cluster, which looks after its own
        return

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


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
    address = dask.config.get("scheduler-address", None)
    local = {"n_workers": max(jobs, 1), "threads_per_worker": 1, "dashboard_address": None, "silence_logs": logging.CRITICAL}
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what an interrupt or a lost worker is told by
    try:
        client = Client(timeout=5, **({} if address else local))
    except (OSError, ValueError, MemoryError) as error:  # something else may answer there, and be misread
        raise UsageError(f"backend 'dask': no scheduler answers at {address}: {error}") from None
    with client, joblib.parallel_config(backend="dask"):
        yield None


def _opened(ledger: Path | None) -> sqlite3.Connection:
    """The ledger, made if there is none; a `UsageError` for a file that is something else."""
    book = sqlite3.connect(":memory:" if ledger is None else ledger, timeout=5)
    try:
        tables = book.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        if not tables:
            with book:
                book.execute("CREATE TABLE cells (key TEXT PRIMARY KEY, rows TEXT NOT NULL)")
            return book
        if book.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
            raise sqlite3.DatabaseError("database disk image is malformed")
        columns = [(name, kind) for _, name, kind, *_ in book.execute("PRAGMA table_info(cells)")]
        if tables != [("cells",)] or columns != COLUMNS:
            raise UsageError(f"{ledger}: is a database, but no ledger of eqsolver; name another file, or move it away")
        with book:
            book.execute("BEGIN IMMEDIATE")  # told now if it cannot be written to, and not after the first cell
    except BaseException:
        book.close()
        raise
    return book


@contextmanager
def _told(ledger: Path | None) -> Iterator[None]:
    """What sqlite finds wrong with a ledger, on one line and with what to do."""
    try:
        yield
    except sqlite3.Error as error:
        what = str(error)
        if "malformed" in what or "not a database" in what or "encrypted" in what:
            hint = "it is damaged; move it away, and its cells are solved again"
        elif "locked" in what:
            hint = "another run uses it; wait for that, or name another file"
        else:
            hint = "what was solved before is kept; see its folder, or name another file"
        raise UsageError(f"{ledger}: cannot be used as a ledger: {what}; {hint}") from None
