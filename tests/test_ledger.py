"""The ledger of solved cells: damaged, foreign, locked, full, of other code; and the workers that fill it."""

from __future__ import annotations

import json
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from test_structure import PACKAGE, ROOMS, imports

from eqsolver import UsageError, _ledger
from eqsolver._ledger import cell_key, solve_cells
from eqsolver.game import _sweep
from eqsolver.robust import _learn


def squared(n: int) -> str:
    return json.dumps(n * n)


CELLS = [(f"key {n}", (n,)) for n in range(400)]
ANSWERS = [n * n for n in range(400)]


def solved(ledger: Path, **options: object) -> list[int]:
    return solve_cells(squared, CELLS, read=json.loads, ledger=ledger, **options)  # type: ignore[arg-type]


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    path = tmp_path / "ledger"
    assert solved(path) == ANSWERS
    return path


def test_a_zeroed_page_is_told_with_what_to_do(ledger: Path) -> None:
    whole = bytearray(ledger.read_bytes())
    assert len(whole) > 3 * 4096
    for page in range(len(whole) // 4096):
        ledger.write_bytes(whole[: page * 4096] + bytes(4096) + whole[(page + 1) * 4096 :])
        with pytest.raises(UsageError, match=r"ledger: cannot be used as a ledger: .*move it away") as caught:
            solved(ledger)
        assert "\n" not in str(caught.value)


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    path.write_text("what I had for lunch\n" * 100)
    with pytest.raises(UsageError, match="not a database; it is damaged; move it away"):
        solved(path)


@pytest.mark.parametrize(
    "schema",
    [
        "CREATE TABLE moz_places (id INTEGER)",
        "CREATE TABLE cells (key TEXT PRIMARY KEY)",
        "CREATE TABLE cells (key TEXT PRIMARY KEY, rows TEXT NOT NULL, more TEXT)",
        "CREATE TABLE cells (key TEXT PRIMARY KEY, rows TEXT NOT NULL); CREATE TABLE other (x)",
    ],
)
def test_the_database_of_another_program_is_refused_and_left_alone(schema: str, tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    with closing(sqlite3.connect(path)) as book:
        book.executescript(schema)
    before = path.read_bytes()
    with pytest.raises(UsageError, match="is a database, but no ledger of eqsolver"):
        solved(path)
    assert path.read_bytes() == before


def test_a_locked_ledger_is_told(ledger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connect = sqlite3.connect
    monkeypatch.setattr(_ledger.sqlite3, "connect", lambda path, timeout: connect(path, timeout=0.1))
    with closing(connect(ledger)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(UsageError, match="another run uses it"):
            solved(ledger)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_ledger_that_cannot_be_written_to_is_told(ledger: Path) -> None:
    ledger.chmod(0o400)
    with pytest.raises(UsageError, match="readonly"):
        solved(ledger)


def test_a_disk_that_fills_up_keeps_what_was_solved(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20 * 1024, before[1]))
    try:
        with pytest.raises(UsageError, match=r"ledger: cannot be used as a ledger: .*what was solved before is kept"):
            solved(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    with closing(sqlite3.connect(path)) as book:
        kept = dict(book.execute("SELECT key, rows FROM cells"))
    assert 10 < len(kept) < len(CELLS)
    assert all(json.loads(kept[key]) == n * n for n, (key, _) in enumerate(CELLS) if key in kept)
    assert solved(path) == ANSWERS


SWEPT = '[{"regime": "direct", "prices": "posted", "profit a": 0.5, "certificate": null}]'


@pytest.mark.parametrize(
    "row",
    [
        *["", "not JSON", "null", "[]", "[null]", "[[1]]", "7", '"text"', "{}", '[{"profit a": 1.0}]', '[{"failed": 3}]'],
        '[{"regime": "direct", "prices": "posted", "profit a": [1]}]',
        '[{"regime": "direct", "prices": "posted", "profit": NaN}]',
    ],
)
def test_a_row_of_a_sweep_that_is_none_is_not_believed(row: str) -> None:
    assert _sweep.rows_from(SWEPT) == json.loads(SWEPT)
    assert _sweep.rows_from('[{"failed": "why"}]') == [{"failed": "why"}]
    with pytest.raises(ValueError, match=r"."):
        _sweep.rows_from(row)


@pytest.mark.parametrize(
    "row", ["", "null", "[]", "[0.1]", "[9, 9, 9]", "[0.1, 0.2, NaN]", '[0.1, 0.2, "a"]', "[{}, {}, {}]", "[true, 0, 0]"]
)
def test_a_row_of_learn_that_holds_no_margins_is_not_believed(row: str) -> None:
    assert _learn._margins("[0.5, -3.0, 1.0]", 3) == [0.5, -3.0, 1.0]
    with pytest.raises(ValueError, match=r"."):
        _learn._margins(row, 3)


@pytest.mark.parametrize("row", ["not JSON", "[" * 100_000, b"\xff\xfe"])
def test_a_damaged_row_is_solved_again(row: str | bytes, ledger: Path) -> None:
    with closing(sqlite3.connect(ledger)) as book, book:
        book.execute("UPDATE cells SET rows = ? WHERE key = 'key 7'", (row,))
        book.execute("UPDATE cells SET rows = '50' WHERE key = 'key 8'")
    assert solved(ledger) == [*ANSWERS[:8], 50, *ANSWERS[9:]], "what can be read is looked up"
    with closing(sqlite3.connect(ledger)) as book:
        assert book.execute("SELECT rows FROM cells WHERE key = 'key 7'").fetchone() == ("49",)


def test_the_key_changes_with_the_code_of_the_rooms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cell_key(1, rooms=["market"]) == cell_key(1, rooms=["market"])
    assert len({cell_key(1, rooms=["market"]), cell_key(2, rooms=["market"]), cell_key(1, rooms=["market", "game"])}) == 3
    copy = tmp_path / "eqsolver"
    for name in ("_base.py", "_cli.py", "market/_market.py", "game/_game.py"):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_text("one = 1\n")
    monkeypatch.setattr(_ledger, "__file__", str(copy / "_ledger.py"))
    keys = []
    for changed in (None, "game/_game.py", "_cli.py", "market/_market.py", "_base.py"):
        if changed:
            (copy / changed).write_text("two = 2\n")
        _ledger._code.cache_clear()
        keys.append(cell_key(1, rooms=["market"]))
    _ledger._code.cache_clear()
    assert keys[0] == keys[1] == keys[2], "neither another room nor the command line matters"
    assert len(set(keys[2:])) == 3


@pytest.mark.parametrize(("room", "listed"), [("game", _sweep.ROOMS), ("robust", _learn.ROOMS)])
def test_the_rooms_of_a_key_are_all_that_the_answer_is_made_of(room: str, listed: tuple[str, ...]) -> None:
    found, left = set(), {room}
    while left:
        one = left.pop()
        found.add(one)
        wanted = set().union(*(imports(path) for path in (PACKAGE / one).rglob("*.py")))
        left |= (wanted & set(ROOMS)) - found
    assert set(listed) == found


LONG = """
import sys, time
sys.path.insert(0, {folder!r})
from pathlib import Path
from test_ledger import slow
from eqsolver._ledger import solve_cells
solve_cells(slow, [(str(n), (n, {out!r})) for n in range(4)], read=str, jobs=2{more})
"""


def slow(n: int, out: str) -> str:
    (Path(out) / f"{n}").write_text(str(os.getpid()))
    time.sleep(60)
    return str(n)


def test_workers_of_a_killed_run_end(tmp_path: Path) -> None:
    script = LONG.format(folder=str(Path(__file__).parent), out=str(tmp_path), more="")
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent)}
    with subprocess.Popen([sys.executable, "-c", script], env=environment, stderr=subprocess.DEVNULL) as running:
        until = time.monotonic() + 60
        while time.monotonic() < until and len([p for p in tmp_path.iterdir() if p.read_text()]) < 2:
            time.sleep(0.05)
        workers = [int(path.read_text()) for path in tmp_path.iterdir()]
        running.kill()
    assert len(workers) == 2
    until = time.monotonic() + 10
    while time.monotonic() < until and any(alive(worker) for worker in workers):
        time.sleep(0.1)
    left = [worker for worker in workers if alive(worker)]
    for worker in left:
        os.kill(worker, signal.SIGKILL)
    assert not left


DASK = """
import sys
sys.path.insert(0, {folder!r})
from eqsolver._process import process
from eqsolver._program import ended
from test_ledger import slow
from eqsolver._ledger import solve_cells

def main():
    try:
        solve_cells(slow, [(str(n), (n, {out!r})) for n in range(4)], read=str, jobs=2, backend="dask")
    except BaseException as error:
        sys.exit(ended(error))

if __name__ == "__main__":
    process(main)
"""


def dask_run(tmp_path: Path, **environment: str) -> subprocess.Popen[str]:
    script = tmp_path / "run.py"
    (tmp_path / "out").mkdir()
    script.write_text(DASK.format(folder=str(Path(__file__).parent), out=str(tmp_path / "out")))
    whole = {**os.environ, "PYTHONPATH": str(PACKAGE.parent), **environment}
    return subprocess.Popen(
        [sys.executable, script], env=whole, stderr=subprocess.PIPE, text=True, start_new_session=True, preexec_fn=interruptible
    )


def interruptible() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.slow
def test_an_interrupt_with_dask_is_one_line_and_130_and_no_port_is_open_to_others(tmp_path: Path) -> None:
    pytest.importorskip("distributed", reason="Dask's distributed is not installed")
    with dask_run(tmp_path) as running:
        until = time.monotonic() + 90
        while time.monotonic() < until and not list((tmp_path / "out").iterdir()):
            time.sleep(0.1)
        assert listening(running.pid) == [], "no dashboard, which anybody on the network could open"
        os.killpg(running.pid, signal.SIGINT)
        _, errors = running.communicate(timeout=60)
    assert (running.returncode, errors) == (130, "eqsolver: interrupted\n")


def listening(process: int) -> list[str]:
    """Addresses beyond this machine on which a process waits for connections, in hexadecimal."""
    own = {os.readlink(path) for path in Path(f"/proc/{process}/fd").iterdir() if path.is_symlink()}
    rows = [
        line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/{process}/net/{name}").read_text().splitlines()[1:]
    ]
    waiting = [row[1] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in own]
    return [address for address in waiting if address.startswith("00000000")]


@pytest.mark.slow
def test_a_scheduler_that_does_not_answer_is_told_in_seconds(tmp_path: Path) -> None:
    pytest.importorskip("distributed", reason="Dask's distributed is not installed")
    with dask_run(tmp_path, DASK_SCHEDULER_ADDRESS="tcp://127.0.0.1:9") as running:
        _, errors = running.communicate(timeout=60)
    assert running.returncode == 2
    (line,) = errors.splitlines()
    assert line.startswith("eqsolver: backend 'dask': no scheduler answers at tcp://127.0.0.1:9: ")


def alive(process: int) -> bool:
    """Whether a process runs: one that has ended, and whose parent has not asked, does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
