"""The database that attempts pass through: DuckDB in memory, within a limit, the rest spilt to a temporary folder."""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from eqsolver._errors import MarketError
from eqsolver.logs._records import Call, Fact
from eqsolver.logs._values import fault

TYPES = {
    **dict.fromkeys(("score", "cost", "seconds", "verifier_cost", "verdict_2", "time", "start", "finish"), "DOUBLE"),
    **dict.fromkeys(("attempt", "input_tokens", "cached_tokens", "written_tokens", "output_tokens", "seq"), "BIGINT"),
    **dict.fromkeys(("excluded", "cut", "judge"), "BOOLEAN"),
}
FACT = tuple(f.name for f in fields(Fact))
CALL = tuple(f.name for f in fields(Call))


def quoted(name: str) -> str:
    """A column's name as SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: object) -> str:
    """Text as SQL."""
    return "'" + str(text).replace("'", "''") + "'"


class Store:
    """A connection. Extensions are never fetched or loaded, and only `execute` and `fetchnumpy` are used."""

    def __init__(self, folder: Path, memory_limit: str, threads: int) -> None:
        import duckdb

        self.folder = folder
        self._unreadable = (
            duckdb.InvalidInputException,
            duckdb.ConversionException,
            duckdb.IOException,
            duckdb.OutOfMemoryException,
        )
        settings = {
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "allow_community_extensions": "false",
            "memory_limit": memory_limit,
            "threads": str(threads),
            "temp_directory": str(folder / "spilt"),
            "preserve_insertion_order": "false",
        }
        self._connection = duckdb.connect(":memory:", config=settings)
        self.run("SET TimeZone = 'UTC'")
        self.run("SET enable_progress_bar = false")  # it would stand in the midst of an answer on stdout

    @classmethod
    @contextmanager
    def opened(cls, memory_limit: str = "250MB", threads: int = 2) -> Iterator[Store]:
        """A store whose files are gone when it is closed."""
        with tempfile.TemporaryDirectory(prefix="eqsolver-") as folder:
            store = cls(Path(folder), memory_limit, threads)
            try:
                yield store
            finally:
                store._connection.close()

    def run(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        self._execute(sql, parameters)

    def _execute(self, sql: str, parameters: Sequence[Any]) -> Any:
        """What went wrong with a file is the user's; whatever else goes wrong is ours, and stays as it is."""
        try:
            return self._connection.execute(sql, list(parameters))
        except self._unreadable as error:
            told = [line.strip() for line in str(error).splitlines() if line.strip()]
            raise fault("table", "; ".join(told[:3])) from None

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """A small answer, row by row; what is unknown is None."""
        columns = []
        for column in self.arrays(sql, parameters).values():
            hidden, values = np.ma.getmaskarray(column).tolist(), np.ma.getdata(column).tolist()
            columns.append([None if gone else value for gone, value in zip(hidden, values, strict=True)])
        return list(zip(*columns, strict=True))

    def arrays(self, sql: str, parameters: Sequence[Any] = ()) -> dict[str, Any]:
        """An answer column by column."""
        return dict(self._execute(sql, parameters).fetchnumpy())

    def opens(self, path: Path, relation: str) -> dict[str, str]:
        """Columns and their types of a relation over a file; a `MarketError` where the file cannot be read."""
        try:
            return dict(self.rows(f"SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM {relation})"))
        except MarketError as error:
            raise fault(path, f"cannot be read as a table: {error}") from None

    @contextmanager
    def spool(self, table: str, columns: Sequence[str]) -> Iterator[Callable[[Sequence[Any]], Any]]:
        """What adds rows to a new table, by way of a file, so that no more than one is in memory; None is unknown."""
        path = self.folder / f"{table}.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            yield csv.writer(file).writerow
        types = ", ".join(f"{literal(name)}: '{TYPES.get(name, 'VARCHAR')}'" for name in columns)
        options = "header = false, delim = ',', quote = '\"', escape = '\"', auto_detect = false, max_line_size = 100000000"
        self.run(f"CREATE TABLE {table} AS SELECT * FROM read_csv({literal(path)}, columns = {{{types}}}, {options})")
        path.unlink()
