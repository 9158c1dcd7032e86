"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from eqsolver._base import UsageError


def write_whole(path: Path, text: str) -> None:
    """Write a text file as `write_bytes_whole` does."""
    write_bytes_whole(path, text.encode())


def write_bytes_whole(path: Path, content: bytes) -> None:
    """Write a file by way of a temporary one in the same folder, so that no reader ever sees half of it.

    Raises `UsageError` if the folder is missing or cannot be written to.
    """
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            umask = os.umask(0)
            os.umask(umask)
            os.chmod(temporary, 0o666 & ~umask)
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror or error}") from error


def check_writable(path: Path, *, folder: bool = False) -> None:
    """Raise `UsageError` before any work is done if a file (or a folder to be made) could not be written there."""
    if folder:
        if path.exists() and not path.is_dir():
            raise UsageError(f"{path}: is a file, and a folder is needed")
        parent = next(p for p in (path, *path.absolute().parents) if p.exists())
    else:
        if path.is_dir():
            raise UsageError(f"{path}: is a folder, and a file is needed")
        parent = path.parent
        if not parent.is_dir():
            raise UsageError(f"{path}: there is no folder {parent}")
    if not os.access(parent, os.W_OK):
        raise UsageError(f"{path}: {parent} cannot be written to")
