"""The files that are meant by some paths, and their records, one after another."""

from __future__ import annotations

import csv
import fnmatch
import sys
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path, PurePath
from typing import IO, Any

import orjson

from eqsolver.logs._values import fault

Files = Sequence[Path]
TABLES = (".csv", ".tsv", ".parquet", ".jsonl", ".ndjson")


def files_of(path: Path) -> list[Path]:
    """A file, or all files of a folder and its subfolders, sorted; hidden ones are left out."""
    try:
        if path.is_dir():
            inside = (found for found in path.rglob("*") if found.is_file())
            return sorted(f for f in inside if not any(part.startswith(".") for part in f.relative_to(path).parts))
    except OSError as error:
        raise fault(path, str(error.strerror)) from None
    _opened(path).close()
    return [path]


def matching(files: Files, pattern: str) -> list[Path]:
    """The files whose last path parts match a pattern such as `jobs/*/result.json`."""
    parts = PurePath(pattern).parts
    return [f for f in files if all(map(fnmatch.fnmatchcase, f.parts[-len(parts) :], parts)) and len(f.parts) >= len(parts)]


def whole(path: Path) -> Any:
    """The value in a JSON file."""
    try:
        with _opened(path) as file:
            return orjson.loads(file.read().removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        raise fault(path, f"not valid JSON: {error}; is the file cut off?") from None


@lru_cache(maxsize=4)
def head(path: Path) -> Any:
    """What a file begins with: the value of a JSON file, the first record of a table, None where that cannot be read."""
    try:
        if path.suffix == ".json":
            return whole(path)
        if path.suffix == ".parquet":
            return next((record for _, record in _parquet(path, "LIMIT 1")), None)
        return next((record for _, record in records(path)), None) if path.suffix in TABLES else None
    except (ValueError, OSError):
        return None


def keys(path: Path) -> frozenset[str]:
    """Names of the first record's fields; of a JSON list, those of its first entry."""
    first = head(path)
    first = first[0] if isinstance(first, list) and first else first
    return frozenset(first) if isinstance(first, dict) else frozenset()


def records(path: Path) -> Iterator[tuple[str, Any]]:
    """(where, record) for each line of JSONL, each row of CSV or Parquet, each entry of a JSON list; or the one JSON object."""
    match path.suffix:
        case ".jsonl" | ".ndjson":
            yield from _lines(path)
        case ".csv" | ".tsv":
            yield from _rows(path)
        case ".parquet":
            yield from _parquet(path)
        case _:
            found = whole(path)
            found = found.get("data", found) if isinstance(found, dict) and isinstance(found.get("data"), list) else found
            for number, entry in enumerate(found if isinstance(found, list) else [found]):
                yield (f"[{number}]" if isinstance(found, list) else "$"), entry


def _opened(path: Path, *, text: bool = False) -> IO[Any]:
    try:
        return path.open(encoding="utf-8-sig", newline="") if text else path.open("rb")
    except OSError as error:
        raise fault(path, "no such file or folder" if isinstance(error, FileNotFoundError) else str(error.strerror)) from None


def _lines(path: Path) -> Iterator[tuple[str, Any]]:
    with _opened(path) as file:
        for number, line in enumerate(file, 1):
            line = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
            if line.isspace():
                continue
            try:
                yield f"line {number}", orjson.loads(line)
            except orjson.JSONDecodeError as error:
                raise fault(path, f"line {number}", f"not valid JSON: {error}; one object a line is needed") from None


def _rows(path: Path) -> Iterator[tuple[str, Any]]:
    csv.field_size_limit(sys.maxsize)
    with _opened(path, text=True) as file:
        try:
            table = csv.DictReader(file, delimiter=delimiter(path), restkey="", strict=True)
            for number, row in enumerate(table, 2):
                if None in row.values() or "" in row:
                    raise fault(
                        path, f"row {number}", f"has another number of fields than the header ({len(table.fieldnames or ())})"
                    )
                yield f"row {number}", row
        except UnicodeDecodeError as error:
            raise fault(path, f"not UTF-8 (byte 0x{error.object[error.start]:02x}); save the file as UTF-8") from None
        except csv.Error as error:
            raise fault(path, f"not a table: {error}") from None


def _parquet(path: Path, limit: str = "") -> Iterator[tuple[str, Any]]:
    from eqsolver.logs._store import Store, literal

    with Store.opened() as store:
        lines = store.folder / "rows.jsonl"
        store.run(f"COPY (SELECT * FROM read_parquet({literal(path)}) {limit}) TO {literal(lines)} (FORMAT json)")
        yield from _lines(lines)


def delimiter(path: Path) -> str:
    """What separates the columns of a text table: whichever of comma, semicolon, tab and bar is most frequent in the header."""
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        return max(",;\t|", key=file.readline().count)


def header(path: Path) -> list[str]:
    """Names of a text table's columns."""
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        names = next(csv.reader(file, delimiter=delimiter(path)), [])
    for name in names:
        if not name or names.count(name) > 1:
            raise fault(path, "row 1", f"the column {name!r} is there twice" if name else "a column has no name")
    if not names:
        raise fault(path, "is empty")
    return names
