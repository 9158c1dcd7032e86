"""Files that appear whole or not at all, by themselves or several together."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from os import PathLike
from pathlib import Path

from eqsolver._errors import UsageError


def write_whole(path: str | PathLike[str], content: str | bytes) -> None:
    """Write a file, text as UTF-8, by way of another one in the same folder, so that no reader ever sees half of it.

    A link stays, and what it points to is replaced; a replaced file keeps its permissions. A pipe or device is written to
    directly.

    Raises `UsageError` if the folder is missing or cannot be written to, or the path is a folder.
    """
    with written({Path(path): content}):
        pass


@contextmanager
def written(contents: Mapping[Path, str | bytes]) -> Iterator[None]:
    """Files that appear together, when what is done inside has succeeded: all of them or none, as far as a disk allows.

    Their contents are on the disk before anything inside is done, so that a full one is told first.

    Raises `UsageError` as `write_whole` does.
    """
    staged: list[tuple[Path, Path, Path]] = []
    try:
        for path, content in contents.items():
            target = Path(os.path.realpath(path))
            with _told(path):
                if not target.exists() or target.is_file():
                    staged.append((path, _staged(target, _bytes(content)), target))
        yield
        for path, temporary, target in staged:
            with _told(path):
                os.replace(temporary, target)
        for path, content in contents.items():
            with _told(path):
                if not any(path == placed for placed, _, _ in staged):
                    Path(path).write_bytes(_bytes(content))
    finally:
        for _, temporary, _ in staged:
            temporary.unlink(missing_ok=True)


def check_writable(path: Path, *, folder: bool = False) -> None:
    """Raise `UsageError` before any work is done if a file (or a folder to be made) could not be written there."""
    if str(path) == "-":
        raise UsageError("-: stands for stdout, and a file is needed" if not folder else "-: a folder is needed")
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (OSError, ValueError) as error:  # a name too long, a folder that may not be searched, a character of no name
        raise UsageError(f"{path}: cannot be written: {getattr(error, 'strerror', None) or error}") from None
    if folder:
        parent = next(p for p in (path, *path.absolute().parents) if p.exists())
        if not parent.is_dir():
            which = "is a file" if parent == path else f"{parent} is a file"
            raise UsageError(f"{path}: {which}, and a folder is needed")
    else:
        if path.is_dir():
            raise UsageError(f"{path}: is a folder, and a file is needed")
        parent = path.parent
        if not parent.is_dir():
            raise UsageError(f"{path}: there is no folder {parent}")
        if path.exists() and not path.is_file():  # a pipe or device: nothing is made beside it
            parent = path
    if not os.access(parent, os.W_OK):
        raise UsageError(f"{path}: {parent} cannot be written to")


def check_distinct(outputs: Iterable[Path], inputs: Iterable[Path]) -> None:
    """Raise `UsageError` if a file to be written is also read (by itself or in a folder of logs), or is written twice."""
    read = {os.path.realpath(path): path for path in (named_file(path)[1] for path in inputs)}
    met: set[str] = set()
    for path in outputs:
        real = os.path.realpath(path)
        if real in read and not os.path.isdir(real):
            raise UsageError(f"{path}: is read, and would be replaced; write to another file")
        if os.path.dirname(real) in read and path.suffix == ".jsonl":
            raise UsageError(f"{path}: would be read as a log of {read[os.path.dirname(real)]}; write to another folder")
        if real in met and (os.path.isfile(real) or not os.path.exists(real)):
            raise UsageError(f"{path}: is to be written twice; name two files")
        met.add(real)


def named_file(path: Path) -> tuple[str | None, Path]:
    """`NAME=FILE` as a name and a file, where there is no file that is called so as a whole; else no name and the path."""
    name, equals, file = str(path).partition("=")
    return (name, Path(file)) if equals and name and file and not os.path.lexists(path) else (None, path)


def existing_file(text: str) -> Path | None:
    """The file of that name, if there is one; text that no file can be named has none."""
    try:
        return Path(text) if text and Path(text).is_file() else None
    except (OSError, ValueError):
        return None


def _bytes(content: str | bytes) -> bytes:
    return content.encode() if isinstance(content, str) else content


def _staged(target: Path, content: bytes) -> Path:
    """The content in a new file beside its target, with the target's permissions if there is one."""
    temporary = target.parent / f".eqsolver-{secrets.token_hex(8)}.tmp"
    try:
        with temporary.open("xb") as file:
            file.write(content)
        if target.exists():
            os.chmod(temporary, stat.S_IMODE(target.stat().st_mode))
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


@contextmanager
def _told(path: str | PathLike[str]) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise
        raise UsageError(f"{path}: cannot be written: {error.strerror or error}") from None
