"""Which domain each problem belongs to: by a CSV, a field of the logs, or a regular expression on ids."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Sequence
from os import PathLike
from pathlib import Path

from eqsolver._base import UsageError
from eqsolver._files import existing_file
from eqsolver.market import Market, log_fields


def domains(market: Market, text: str, sources: Sequence[str | PathLike[str]] = ()) -> tuple[list[str | None], str]:
    """The domain of each problem, and how it was found.

    Parameters
    ----------
    text : an existing file is a CSV with the columns id and domain; a key that every record of the logs has is a field;
        anything else a regular expression on ids: its match, or its first group if it has one, names the domain.
    sources : the files or folders the market was read from, for fields.

    Returns
    -------
    N names, None for problems that belong to no domain; and `csv`, `field` or `regex`.

    Raises
    ------
    UsageError : the file or the expression is wrong, a problem has two domains, or no problem has any.
    """
    table = existing_file(text)
    if table is not None:
        return _listed(market, table), "csv"
    logs = [path for path in map(Path, sources) if path.suffix.lower() != ".toml"]
    if logs:
        field = log_fields(logs, text, providers=market.names)
        if field is not None:
            return [field.get(problem) for problem in market.problems], "field"
    return _matched(market, text), "regex"


def _matched(market: Market, text: str) -> list[str | None]:
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise UsageError(f"domains {text!r}: no such file, no such field, and not a regular expression: {error}") from None
    found: list[str | None] = []
    for problem in market.problems:
        match = pattern.search(problem)
        found.append(None if match is None else (match.group(1) if pattern.groups else match.group(0)) or None)
    if not any(found):
        first = market.problems[0]
        raise UsageError(f"domains {text!r}: no such file, no such field, and no id matches it, such as {first!r}")
    return found


def _listed(market: Market, path: Path) -> list[str | None]:
    rows = _rows(path)
    if not {"id", "domain"} <= set(rows[0][1]):
        raise UsageError(f"{path}: a CSV needs the columns id and domain")
    named: dict[str, str] = {}
    for number, row in rows:
        problem, domain = row["id"], row["domain"]
        if not problem or not domain:
            raise UsageError(f"{path}: line {number}: id and domain must both be given")
        if named.setdefault(problem, domain) != domain:
            raise UsageError(f"{path}: line {number}: id = {problem!r} has the domain {named[problem]!r} already")
    found = [named.get(problem) for problem in market.problems]
    if not any(found):
        raise UsageError(f"{path}: holds no id of this market, such as {market.problems[0]!r}")
    return found


def read_features(path: Path) -> dict[str, list[float]]:
    """{scenario: numbers} from a CSV with a column `scenario` and at least one of numbers.

    Raises `UsageError` if it cannot be read, a scenario is named twice, or a value is not a finite number.
    """
    rows = _rows(path)
    if "scenario" not in rows[0][1] or len(rows[0][1]) < 2:
        raise UsageError(f"{path}: a CSV of features needs the column scenario, and at least one of numbers")
    found: dict[str, list[float]] = {}
    for number, row in rows:
        name = row["scenario"]
        if name in found:
            raise UsageError(f"{path}: line {number}: scenario = {name!r} is there already")
        found[name] = []
        for column, value in row.items():
            if column != "scenario":
                try:
                    feature = float(value)
                except ValueError:
                    raise UsageError(f"{path}: line {number}: {column} = {value!r} is not a number") from None
                if not math.isfinite(feature):
                    raise UsageError(f"{path}: line {number}: {column} = {value!r} is not finite")
                found[name].append(feature)
    return found


def _rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    """The rows below the header, blank ones left out, as they stand: no cell more or less than columns."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, strict=True)
            read = [(reader.line_num, row) for row in reader if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path}: cannot be read as CSV: {error}") from None
    if len(read) < 2:
        raise UsageError(f"{path}: holds no row below its header")
    (_, header), *rows = read
    if len(set(header)) < len(header):
        raise UsageError(f"{path}: line 1: a column is named twice: {', '.join(header)}")
    for number, row in rows:
        if len(row) != len(header):
            raise UsageError(f"{path}: line {number}: cells = {len(row)}, but the header names {len(header)} columns")
        for column, value in zip(header, row, strict=True):
            if not value.isprintable():
                raise UsageError(f"{path}: line {number}: {column} = {value!r} holds a character that cannot be printed")
    return [(number, dict(zip(header, row, strict=True))) for number, row in rows]
