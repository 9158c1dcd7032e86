"""From logs of any format to one table of attempts, and from there to a file."""

from __future__ import annotations

import difflib
import json
import os
import secrets
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from eqsolver._errors import UsageError
from eqsolver._files import check_writable, write_whole
from eqsolver.logs import _inspect, _own
from eqsolver.logs._cells import Cells
from eqsolver.logs._files import Files, files_of, keys
from eqsolver.logs._folder import Folder
from eqsolver.logs._gateways import litellm, openrouter
from eqsolver.logs._merge import check, decide, join, merge
from eqsolver.logs._own import verdicts
from eqsolver.logs._preset import read_preset, shipped
from eqsolver.logs._prices import known_prices, price_list
from eqsolver.logs._records import Call, Fact, LogOptions, Omitted, Record
from eqsolver.logs._store import CALL, FACT, Store, literal
from eqsolver.logs._table import BASE, OPTIONAL, Table, parsed, selection, table
from eqsolver.logs._traces import Langfuse, OpenTelemetry
from eqsolver.logs._values import fault


class Importer(Protocol):
    """What reads one format."""

    @property
    def name(self) -> str: ...
    @property
    def about(self) -> str: ...
    def claims(self, files: Files) -> list[Path]:
        """The files of this format among some."""

    def read(self, files: Files, everything: Files, options: LogOptions) -> Iterator[Record]:
        """What files of this format say."""


TABLE = "table"


def importers() -> dict[str, Importer]:
    """Every importer by name, in the order in which they are tried."""
    coded: list[Importer] = [_inspect, litellm, openrouter, Langfuse(), OpenTelemetry(), _own]
    return {one.name: one for one in (*coded, *(Folder(name, preset) for name, preset in shipped().items()))}


def formats() -> dict[str, str]:
    """What each format is, by name."""
    return {
        **{one.name: one.about for one in importers().values()},
        TABLE: "any table, CSV, JSONL or Parquet, with --map if need be",
    }


@dataclass(slots=True)
class Attempts:
    """The table `attempts` of an open store, and what was found on the way to it.

    read : {format: files}. omitted : {reason: records left out}. remarks : {what: records that it is true of}.
    notes : lines to tell. prices : lines on the prices used.
    """

    store: Store
    options: LogOptions
    read: Counter[str] = field(default_factory=Counter)
    omitted: Counter[str] = field(default_factory=Counter)
    remarks: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    prices: list[str] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    currency: str | None = None


@contextmanager
def read_attempts(paths: Sequence[Path], options: LogOptions) -> Iterator[Attempts]:
    """Attempts of some files and folders, open as long as the context is. Raises `MarketError` for whatever cannot be read."""
    with Store.opened(options.memory_limit, options.threads) as store:
        attempts = Attempts(store, options)
        chosen = [(one, files, everything) for path in paths for one, files, everything in _chosen(path, options)]
        for one, files, _ in chosen:
            attempts.read[one.name if one else TABLE] += len(files)
        _spool(attempts, [(one, files, everything) for one, files, everything in chosen if one is not None])
        for n, path in enumerate(path for one, files, _ in chosen if one is None for path in files):
            attempts.tables.append(parsed(store, table(store, path), options.columns, options.per, n))
        _price(attempts)
        for reason, number in merge(store, options).items():
            attempts.omitted[reason] += number
        join(store, attempts.tables, options)
        check(store, attempts.tables, options)
        attempts.currency = decide(store, options)
        yield attempts


def _chosen(path: Path, options: LogOptions) -> Iterator[tuple[Importer | None, list[Path], list[Path]]]:
    """The importer of a path's files; None for tables. Of importers that claim files, the first does."""
    everything = files_of(path)
    if options.format is not None:
        one = _named(options.format)
        claimed = _table_files(everything, options.verdicts) if one is None else one.claims(everything)
        if not claimed:
            raise fault(path, f"holds no files of format {options.format}: {formats().get(options.format, options.format)}")
        yield one, claimed, everything
        return
    for one in importers().values():
        if claimed := one.claims(everything):
            yield one, claimed, everything
            return
    if not (claimed := _table_files(everything, options.verdicts)):
        raise fault(path, f"no known format; known: {', '.join(formats())} (see eqsolver convert --list)")
    yield None, claimed, everything


def _table_files(files: Files, verdicts: Path | None = None) -> list[Path]:
    used = {verdicts and verdicts.resolve()}
    return [f for f in files if f.suffix in (".csv", ".tsv", ".parquet", ".jsonl", ".ndjson") and f.resolve() not in used]


def _named(name: str) -> Importer | None:
    if name == TABLE:
        return None
    if name.endswith(".toml"):
        return Folder(Path(name).stem, read_preset(Path(name)))
    known = importers()
    if name not in known:
        close = difflib.get_close_matches(name, [*known, TABLE], n=1)
        raise fault(f"--format {name}", f"did you mean {close[0]!r}?" if close else f"known: {', '.join([*known, TABLE])}")
    return known[name]


def _spool(attempts: Attempts, chosen: Sequence[tuple[Importer, list[Path], list[Path]]]) -> None:
    """Facts and calls as tables; each record is written to disk as it is read."""
    seq = 0
    with attempts.store.spool("facts", ("seq", *FACT)) as add_fact, attempts.store.spool("calls", CALL) as add_call:
        for one, files, everything in chosen:
            for record in one.read(files, everything, attempts.options):
                seq += 1
                match record:
                    case Fact():
                        add_fact((seq, *astuple(record)))
                    case Call():
                        add_call(astuple(record))
                    case Omitted(reason, kept):
                        (attempts.remarks if kept else attempts.omitted)[reason] += 1
        own = attempts.options.verdicts or next((f for *_, files in chosen for f in files if f.name == "verdicts.csv"), None)
        if chosen and own is not None:
            attempts.read["verdicts"] += 1
            for fact in verdicts(own):
                add_fact((seq, *astuple(fact)))


def _price(attempts: Attempts) -> None:
    """The table `prices` of every model in the logs, in spans that do not overlap."""
    store, options = attempts.store, attempts.options
    numbers = ("since", "until", "above", "up_to", "income", "cached", "written", "output")
    store.run(f"CREATE TABLE prices (model VARCHAR, {', '.join(f'{name} DOUBLE' for name in numbers)})")
    if not options.price_lists:
        return
    lists = [price_list(source) for source in options.price_lists]
    named = "SELECT DISTINCT provider FROM facts UNION SELECT DISTINCT model FROM calls"
    for one in attempts.tables:
        named += f" UNION SELECT DISTINCT provider FROM ({selection(one, options.columns, options.per)})"
    models = [name for (name,) in store.rows(f"SELECT * FROM ({named}) t(name) WHERE name IS NOT NULL ORDER BY name")]
    chosen, warnings = known_prices(models, lists, options.prices_differ)
    attempts.notes += warnings
    for model, (where, prices) in chosen.items():
        for p in prices:
            row = (model, p.since, p.until, p.above, p.up_to, p.input, p.cached, p.written, p.output)
            store.run(f"INSERT INTO prices VALUES ({', '.join('?' * len(row))})", row)
        attempts.prices.append(f"{model}: {prices[-1].told()} ({where.name})")


def is_foreign(path: Path) -> bool:
    """Whether a path holds logs that an importer or a table can read, and not eqsolver's own, one JSONL file a provider."""
    if not path.exists():
        return False
    files = files_of(path)
    if _own.claims([f for f in files if f.parent in (path, path.parent) or f.parent.parent == path]):
        return False
    tables = any(f.suffix in (".csv", ".tsv", ".parquet") or keys(f) >= {"problem", "provider"} for f in _table_files(files))
    return tables or any(one.claims(files) for one in importers().values())


FORMATS = {".csv": "FORMAT csv, HEADER", ".jsonl": "FORMAT json", ".parquet": "FORMAT parquet"}


def check_output(path: Path) -> None:
    """Raise `UsageError` before anything is read if attempts could not be written there."""
    if path.suffix not in FORMATS and (path.suffix or path.is_file()):
        raise UsageError(f"{path}: give a name that ends in {', '.join(FORMATS)}, or a folder")
    check_writable(path, folder=path.suffix not in FORMATS)


def write(attempts: Attempts, cells: Cells, path: Path) -> list[str]:
    """Write all attempts, as a file that is never half written; lines to tell of what a folder of own logs cannot hold."""
    if path.suffix not in FORMATS:
        return _folder(attempts, cells, path)
    store = attempts.store
    further = [name for name, (number,) in zip(OPTIONAL, _numbers(attempts), strict=True) if number]
    columns = ", ".join(
        {"time": "make_timestamp((time * 1e6)::BIGINT) AS time", **_ROUNDED}.get(name, name) for name in (*BASE, *further)
    )
    numbered = "row_number() OVER (PARTITION BY provider, problem ORDER BY time NULLS LAST, place)"
    temporary = path.parent / f".eqsolver-{secrets.token_hex(8)}.tmp"
    try:
        store.run("SET preserve_insertion_order = true")
        store.run(
            f"COPY (SELECT {columns} FROM (SELECT * REPLACE (coalesce(attempt, {numbered}) AS attempt) FROM attempts)"
            f" ORDER BY provider, problem, attempt) TO {literal(temporary)} ({FORMATS[path.suffix]})"
        )
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return []


_ROUNDED = {name: f"printf('%.15g', {name})::DOUBLE AS {name}" for name in ("cost", "verifier_cost")}
"""Sums of decimal costs without the last binary digit's dust."""


def _numbers(attempts: Attempts) -> list[tuple[int]]:
    (row,) = attempts.store.rows(f"SELECT {', '.join(f'count({name})' for name in OPTIONAL)} FROM attempts")
    return [(int(number),) for number in row]


def _folder(attempts: Attempts, cells: Cells, path: Path) -> list[str]:
    """A file for each provider: outcomes, and costs where all are known, else their mean; unknown means are left out."""
    path.mkdir(parents=True, exist_ok=True)
    told, left_out = [], 0
    for provider in cells.providers:
        rows = attempts.store.rows(
            "SELECT problem, list(solved ORDER BY attempt, place), list(cost ORDER BY attempt, place), avg(cost),"
            " count(cost) = count(*)"
            " FROM attempts WHERE provider = ? AND solved IS NOT NULL GROUP BY problem ORDER BY problem",
            [provider],
        )
        lines = []
        for problem, outcomes, costs, mean, whole in rows:
            if mean is None:
                left_out += 1
                continue
            paid = {"costs": np.asarray(costs, dtype=float).tolist()} if whole else {"mean_cost": float(mean)}
            lines.append(json.dumps({"id": problem, "attempts": [int(outcome) for outcome in outcomes], **paid}))
        write_whole(path / f"{provider.replace('/', '__')}.jsonl", "".join(f"{line}\n" for line in lines))
    if any("/" in provider for provider in cells.providers):
        told.append("A slash in a provider's name is written as two underscores.")
    if left_out:
        told.append(f"Left out, for want of any cost: {left_out:,} of the providers' problems.")
    return told
