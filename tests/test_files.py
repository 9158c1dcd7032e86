"""Files are written whole or not at all."""

from __future__ import annotations

import os
import resource
import stat
import threading
from pathlib import Path

import pytest

from eqsolver import UsageError
from eqsolver._files import check_writable, write_whole


@pytest.mark.parametrize("content", ["€ 1\n", b"\x89PNG\r\n"])
def test_a_file_is_written_and_replaced_byte_for_byte(tmp_path: Path, content: str | bytes) -> None:
    path = tmp_path / "answer"
    for _ in range(2):
        write_whole(path, content)
        assert path.read_bytes() == (content.encode() if isinstance(content, str) else content)
        assert list(tmp_path.iterdir()) == [path]
        path.write_text("what stood there before, and was longer")


def test_a_new_file_has_the_permissions_of_any_other(tmp_path: Path) -> None:
    plain, written = tmp_path / "plain", tmp_path / "written"
    before = os.umask(0o027)
    try:
        plain.touch()
        write_whole(written, "x")
    finally:
        os.umask(before)
    assert stat.S_IMODE(written.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode) == 0o640


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "answer"
    path.write_text("old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(UsageError, match="answer: cannot be written: File too large"):
            write_whole(path, "new" * 1000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_interrupt_while_writing_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / "answer", "new")
    assert not list(tmp_path.iterdir())


def test_a_link_stays_and_its_target_is_replaced(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("old")
    link.symlink_to(target)
    write_whole(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    check_writable(pipe)
    got: list[str] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_text()))
    reader.start()
    write_whole(pipe, "answer")
    reader.join(timeout=10)
    assert got == ["answer"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_what_cannot_be_written_to_is_told_before_and_after_the_work(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    for path, told_before, told_after in (
        (tmp_path / "folder", "is a folder, and a file is needed", "Is a directory"),
        (tmp_path / "absent" / "x", "there is no folder", "No such file"),
    ):
        with pytest.raises(UsageError, match=told_before):
            check_writable(path)
        with pytest.raises(UsageError, match=told_after):
            write_whole(path, "x")
    with pytest.raises(UsageError, match="is a file, and a folder is needed"):
        check_writable(tmp_path / "file", folder=True)
    check_writable(tmp_path / "folder" / "new" / "deep", folder=True)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "folder"]
