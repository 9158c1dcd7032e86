"""Machine code is kept where it can be, and a place that cannot be written to costs time and never the answer."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from eqsolver import _compiled

PACKAGE = Path(_compiled.__file__).parent


def first_import(folder: Path) -> subprocess.CompletedProcess[str]:
    """A kernel compiled by a copy of the package that numba can keep nothing beside, for a user without a home."""
    environment = {"PATH": os.environ["PATH"], "HOME": os.devnull, "TMPDIR": str(folder), "PYTHONPATH": str(folder)}
    script = (
        "import numpy\n"
        "from eqsolver._process import process\n"
        "def main():\n"
        "    from eqsolver._compiled import priced\n"
        "    cost = numpy.zeros(1)\n"
        "    priced(numpy.ones((1, 1)), 0, 1, numpy.full((1, 1), 3.0), 0, cost)\n"
        "    print(cost[0])\n"
        "process(main)\n"
    )
    command = [sys.executable, "-B", "-c", script]
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder, check=False)


@pytest.mark.skipif(sys.platform == "win32", reason="users and permissions of POSIX")
def test_a_place_that_cannot_be_written_to_costs_a_line_and_not_the_answer(tmp_path: Path) -> None:
    shutil.copytree(PACKAGE, tmp_path / "eqsolver", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "eqsolver" / "__pycache__").touch()  # a file: root, whom permissions do not bind, makes no folder there either
    private = tmp_path / f"eqsolver-{os.getuid()}"
    private.touch()
    done = first_import(tmp_path)
    assert (done.returncode, done.stdout) == (0, "3.0\n"), done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("eqsolver: no cache of machine code can be written")
    assert "every run compiles anew" in line

    private.unlink()
    for _ in range(2):
        done = first_import(tmp_path)
        assert (done.returncode, done.stdout) == (0, "3.0\n"), done.stderr
        (line,) = done.stderr.splitlines()
        assert f"it is kept in {private}" in line
    assert list(private.rglob("*.nbi")), "for the next process"
    assert stat.S_IMODE(private.stat().st_mode) == 0o700


@pytest.mark.skipif(sys.platform == "win32", reason="users and permissions of POSIX")
def test_what_others_could_write_to_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folder = _compiled._private_folder()
    assert folder is not None
    folder.chmod(0o777)
    assert _compiled._private_folder() is None
    folder.rmdir()
    (tmp_path / "elsewhere").mkdir()
    folder.symlink_to(tmp_path / "elsewhere")
    assert _compiled._private_folder() is None
    folder.unlink()
    folder.touch()
    assert _compiled._private_folder() is None


def test_code_is_kept_as_it_is() -> None:
    assert _compiled._kept()
