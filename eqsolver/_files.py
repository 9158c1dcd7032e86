"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import secrets
from os import PathLike
from pathlib import Path

from eqsolver._errors import UsageError


def write_whole(path: str | PathLike[str], content: str | bytes) -> None:
    """Write a file, text as UTF-8, by way of another one in the same folder, so that no reader ever sees half of it.

    A link stays, and what it points to is replaced. A pipe or device is written to directly.

    Raises `UsageError` if the folder is missing or cannot be written to, or the path is a folder.
    """
    found = content.encode() if isinstance(content, str) else content
    target = Path(os.path.realpath(path))
    try:
        if target.exists() and not target.is_file():
            target.write_bytes(found)
            return
        temporary = target.parent / f".eqsolver-{secrets.token_hex(8)}.tmp"
        try:
            with temporary.open("xb") as file:
                file.write(found)
            os.replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror or error}") from None


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
        if path.exists() and not path.is_file():  # a pipe or device: nothing is made beside it
            parent = path
    if not os.access(parent, os.W_OK):
        raise UsageError(f"{path}: {parent} cannot be written to")
