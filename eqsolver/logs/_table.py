"""Tables of attempts or calls, CSV, JSONL or Parquet: read by the database, never row by row in Python."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from eqsolver._errors import MarketError
from eqsolver.logs._files import delimiter, header, keys, records
from eqsolver.logs._store import Store, literal, quoted
from eqsolver.logs._values import NO, PARTIAL, YES, fault, shown

NUMBERS = ("cost", "seconds", "verifier_cost")
COUNTS = ("attempt", "input_tokens", "cached_tokens", "output_tokens")
BASE = ("problem", "provider", "attempt", "solved", "cost", "seconds", *COUNTS[1:], "error")
OPTIONAL = ("domain", "verifier_cost", "verdict_2", "time")
EXTRA = ("suite", "currency", "start", "finish")
"""Columns of the attempt table; further ones that `--map` may fill."""

KNOWN = (*BASE, *OPTIONAL, *EXTRA)


@dataclass(frozen=True, slots=True)
class Table:
    """One file as SQL.

    relation : what to select from. raw : the text of a column, as SQL. names : of its columns. numeric : those that are numbers
    (or true and false) by their type, and so need no parsing. parsed : Parquet of a text table's selection.
    """

    path: Path
    relation: str
    raw: Callable[[str], str]
    has: Callable[[str], bool]
    names: Sequence[str]
    numeric: frozenset[str] = frozenset()
    parsed: Path | None = None


def table(store: Store, path: Path) -> Table:
    """A file as a table. Raises `MarketError` where it cannot be read as one."""
    if path.suffix in (".jsonl", ".ndjson"):
        found = keys(path)
        if not found:
            raise fault(path, "line 1", "is not an object, such as an attempt a line")
        relation = f"read_ndjson_objects({literal(path)}, ignore_errors = false)"
        return Table(path, relation, _json_text, lambda name: name.partition(".")[0] in found, sorted(found))
    if path.suffix == ".parquet":
        relation = f"read_parquet({literal(path)})"
    else:
        columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in header(path))
        options = f"delim = {literal(delimiter(path))}, quote = '\"', escape = '\"', header = true, auto_detect = false"
        relation = f"read_csv({literal(path)}, {options}, columns = {{{columns}}}, strict_mode = true)"
    types = store.opens(path, relation)
    numeric = frozenset(
        name for name, kind in types.items() if re.match("(U?(TINY|SMALL|BIG|HUGE)?INT|FLOAT|DOUBLE|DECIMAL|BOOL)", kind)
    )
    return Table(path, relation, lambda name: f"{quoted(name)}::VARCHAR", types.__contains__, list(types), numeric)


def _json_text(name: str) -> str:
    return "json ->> " + literal("$" + "".join(f'."{part}"' for part in name.split(".")))


@dataclass(frozen=True, slots=True)
class _Source:
    """What stands behind `--map COLUMN=SOURCE`: a column, compared with a value or scaled by a number."""

    text: str
    sign: str = ""
    value: str = ""
    typed: str | None = None

    def number(self) -> str:
        found = f"nullif({self.typed or f'try_cast({self.text} AS DOUBLE)'}, 'nan'::DOUBLE)"
        return f"({found} {self.sign} {self.value})" if self.sign in ("*", "/") else found

    def verdict(self) -> str:
        """A score: of words, of numbers, or of a comparison."""
        if self.sign in COMPARISONS:
            sign = COMPARISONS[self.sign]
            try:
                return f"({self.number()} {sign} {float(self.value)!r})::INT::DOUBLE"
            except ValueError:
                return f"(trim({self.text}) {sign} {literal(self.value)})::INT::DOUBLE"
        if self.typed is not None:
            return self.number()
        word = f"lower(trim({self.text}))"
        words = " ".join(f"WHEN {word} IN ({', '.join(map(literal, sorted(w)))}) THEN {x}" for w, x in _WORDS)
        plain = f"WHEN {self.text} = '1' THEN 1.0 WHEN {self.text} = '0' THEN 0.0"
        return f"CASE {plain} {words} ELSE {self.number()} END"

    def moment(self) -> str:
        """Seconds since 1970, of times as text or of numbers of seconds, milli-, micro- or nanoseconds."""
        x = self.number()
        scaled = (
            f"CASE WHEN {x} > 1e17 THEN {x} / 1e9 WHEN {x} > 1e14 THEN {x} / 1e6 WHEN {x} > 1e11 THEN {x} / 1e3 ELSE {x} END"
        )
        return f"coalesce({scaled}, epoch(try_cast(nullif(trim({self.text}), '') AS TIMESTAMPTZ)))"


COMPARISONS = {">=": ">=", "<=": "<=", "==": "=", "=": "=", "!=": "<>", ">": ">", "<": "<"}
_WORDS = ((YES, 1.0), (NO, 0.0), (PARTIAL, 0.5))


def _source(table: Table, column: str, written: str) -> _Source:
    """A source as it is written after `--map`; a column's own name comes first, whatever signs it holds."""
    if table.has(written):
        return _Source(table.raw(written), typed=_typed(table, written))
    found = re.fullmatch(r"(.+?)\s*(>=|<=|==|!=|=|>|<|\*|/)\s*(.+)", written)
    name, sign, value = (found[1], found[2], found[3].strip("'\"")) if found else (written, "", "")
    if not table.has(name):
        close = difflib.get_close_matches(name, table.names, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"the table has {', '.join(table.names)}"
        raise fault(table.path, f"--map {column}={written}", f"no column {shown(name)}; {hint}")
    if sign in ("*", "/"):
        try:
            value = repr(float(value))
        except ValueError:
            raise fault(table.path, f"--map {column}={written}", f"{shown(value)} is not a number") from None
    return _Source(table.raw(name), sign, value, _typed(table, name))


def _typed(table: Table, name: str) -> str | None:
    return f"{quoted(name)}::DOUBLE" if name in table.numeric else None


def sources(table: Table, columns: Mapping[str, str], per: str | None) -> dict[str, _Source]:
    """Where each column of the attempt table comes from. Raises `MarketError` for columns that are unknown or missing."""
    if per is not None and not table.has(per):
        raise fault(table.path, f"--per {per}", f"no column {shown(per)}; the table has {', '.join(table.names)}")
    for column in columns:
        if column not in KNOWN:
            raise fault(f"--map {column}={columns[column]}", f"unknown column; known: {', '.join(KNOWN)}")
    own = {name: name for name in KNOWN if table.has(name)}
    found = {column: _source(table, column, written) for column, written in {**own, **columns}.items()}
    missing = [column for column in ("problem", "provider", "solved") if column not in found]
    if missing:
        example = ",".join(f"{column}=..." for column in missing)
        raise fault(table.path, f"no column {' nor '.join(missing)}; it has {', '.join(table.names)}; give --map {example}")
    unknown = [name for name in table.names if name not in KNOWN] if not columns and not per else []
    if unknown:
        close = difflib.get_close_matches(unknown[0], KNOWN, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(KNOWN)}; --map names those that count"
        raise fault(table.path, f"unknown column {unknown[0]!r}; {hint}")
    return found


def selection(table: Table, columns: Mapping[str, str], per: str | None, *, numbered: bool = False) -> str:
    """SQL of the table's rows: typed columns, and in `bad` what is wrong with a row, as text.

    per : column of the attempt that a row (a call) belongs to. numbered : with each row's number in `place`; slow.
    """
    if table.parsed is not None and not numbered:
        return f"SELECT * FROM read_parquet({literal(table.parsed)})"
    found = sources(table, columns, per)
    typed: dict[str, str] = {}
    bad: list[str] = []
    for column in KNOWN:
        if column not in found:
            typed[column] = _null(column)
            continue
        source = found[column]
        if column in ("solved", "verdict_2"):
            typed[column] = source.verdict()
        elif column in ("time", "start", "finish"):
            typed[column] = source.moment()
        elif column in (*NUMBERS, *COUNTS):
            typed[column] = source.number()
        else:
            typed[column] = f"nullif(trim({source.text}), '')"
            continue
        bad.append(_wrong(column, source, typed[column]))
    names = ", ".join(f"{sql} AS {column}" for column, sql in typed.items())
    first_row = 1 if table.path.suffix != ".csv" else 2
    place = f", {literal('row ')} || (row_number() OVER () + {first_row - 1}) AS place" if numbered else ""
    group = f", nullif(trim({table.raw(per)}), '') AS per" if per is not None else ""
    return f"SELECT {names}{group}{place}, CASE {' '.join(bad)} END AS bad FROM {table.relation}"


def parsed(store: Store, one: Table, columns: Mapping[str, str], per: str | None, number: int) -> Table:
    """A text table parsed once, into a temporary Parquet file: later passes over its rows take a tenth of the time.

    What cannot be read is looked for again, row by row, to name its place. Where there is nothing wrong but the ends of lines,
    which may be mixed, the table is read less strictly, and must have as many rows.
    """
    if one.path.suffix == ".parquet":
        return one
    target = store.folder / f"table-{number}.parquet"
    copy = f"COPY ({{}}) TO {literal(target)} (FORMAT parquet)"
    try:
        store.run(copy.format(selection(one, columns, per)))
    except MarketError:
        rows = sum(1 for _ in records(one.path))
        one = replace(one, relation=one.relation.replace("strict_mode = true", "strict_mode = false"))
        store.run(copy.format(selection(one, columns, per)))
        if store.rows(f"SELECT count(*) FROM read_parquet({literal(target)})") != [(rows,)]:
            raise
    return replace(one, parsed=target)


def _null(column: str) -> str:
    return f"NULL::{'VARCHAR' if column in ('problem', 'provider', 'error', 'domain', 'suite', 'currency') else 'DOUBLE'}"


def _wrong(column: str, source: _Source, value: str) -> str:
    """A CASE's branches: text where a number is needed, fractions where a count is, a verdict or number out of range."""
    told = f"{literal(column + ' = ')} || {source.text}"
    comma = f"CASE WHEN regexp_full_match(trim({source.text}), '-?\\d+,\\d+') THEN '; write decimals with a point' ELSE '' END"
    kind = {
        "solved": "a verdict, 0 or 1",
        "verdict_2": "a verdict, 0 or 1",
        "time": "a time",
        "start": "a time",
        "finish": "a time",
    }
    blank = f"lower(trim({source.text})) IN ('', 'nan')"
    branches = []
    if source.typed is None:
        branches.append(
            f"WHEN {value} IS NULL AND NOT {blank} THEN {told} || ' must be {kind.get(column, 'a number')}' || {comma}"
        )
    if column in ("solved", "verdict_2"):
        branches.append(
            f"WHEN NOT {value} BETWEEN 0 AND 1 THEN {told} || ' must be a verdict: 0 or 1, or a score between them'"
        )
    elif column in (*NUMBERS, *COUNTS):
        branches.append(f"WHEN isinf({value}) THEN {told} || ' must be finite'")
    if column in COUNTS:
        branches.append(f"WHEN {value} <> floor({value}) THEN {told} || ' must be a whole number'")
    return " ".join(branches)
