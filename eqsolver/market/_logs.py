"""Attempt logs: what each provider achieved on each problem, one JSON object a line, one file a provider."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from eqsolver._base import MarketError
from eqsolver.market._faults import MOST_TOLD, fault, first_fault, not_utf8, shown, together, unreadable
from eqsolver.market._log_files import LogFile, log_files
from eqsolver.market._market import Market
from eqsolver.market._odds import Sampled
from eqsolver.market._provider import Provider
from eqsolver.market._stopping import log_notes

MOST_ATTEMPTS = 10**9
"""More attempts than anyone makes on one problem: a larger number is a mistake."""

COST_TOLERANCE = 1e-6
"""`mean_cost` may differ from the mean of `costs` by this share of it."""

Cost = Annotated[float, Field(ge=0)]


def _as_text(value: Any) -> Any:
    """A number as text: ids are often counted."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


class LogLine(BaseModel):
    """One line: the attempts of one provider on one problem."""

    model_config = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False, cache_strings="keys")

    id: Annotated[str, Field(min_length=1), BeforeValidator(_as_text)]
    attempts: list[Literal[0, 1, False, True]] | Annotated[int, Field(ge=1, le=MOST_ATTEMPTS)]
    successes: Annotated[int, Field(ge=0)] | None = None
    mean_cost: Cost | None = None
    mean_cost_failed: Cost | None = None
    costs: list[Cost] | None = None


class _Columns:
    """A provider's log, reduced: one entry per problem met so far in any file; line 0 means that this file lacks it."""

    def __init__(self, problems: int) -> None:
        self.line = array("q", bytes(8 * problems))
        self.attempts = array("q", bytes(8 * problems))
        self.successes = array("q", bytes(8 * problems))
        self.ends = array("b", bytes(problems))
        self.spend = array("d", bytes(8 * problems))
        self.spend_failed = array("d", bytes(8 * problems))

    def grow(self) -> None:
        self.line.append(0)
        self.attempts.append(0)
        self.successes.append(0)
        self.ends.append(0)
        self.spend.append(0.0)
        self.spend_failed.append(0.0)


def read_logs(
    paths: Sequence[Path],
    *,
    name: str | None = None,
    unit: str | None = None,
    providers: Sequence[str] | None = None,
    free: Sequence[str] = (),
) -> Market:
    """The market of some attempt logs: the problems that every file has, equally weighted.

    Parameters
    ----------
    paths : JSONL files, one per provider and named after it, or folders, which stand for their own `*.jsonl`, sorted.
        A line holds the problem's `id` and one of
        `attempts` (a list of 0/1 or false/true, 1 = verified) and `mean_cost` (of one attempt, money at list price);
        `attempts` (a number), `successes` and `mean_cost`;
        `attempts` and `costs`, one for each attempt: those that fail and those that succeed then have costs of their own, means
        of the logged ones; where a problem has only one kind, its mean stands for both.
        `mean_cost_failed` beside `mean_cost` says the same where attempts are counted: `mean_cost` is then that of solved ones.
        Other fields and blank lines are ignored.
    name : of the market; default the name of the folder that all files are in.
    unit : of money; default USD.
    providers : read only the files of these providers; default all.
    free : providers that cost nothing: their costs are 0 or not there.

    Returns
    -------
    Market with `Sampled` odds and no caps. Problems are in the order of the first file. Problems that some file lacks
    are left out and counted in `dropped`, each under one reason.

    Raises
    ------
    MarketError : a file cannot be read or a line is wrong; the message names file, line, field and value.

    Notes
    -----
    A line is reduced to four numbers as it is read: memory is O(problems x providers), whatever the number of attempts.
    """
    files = log_files(paths, providers)
    index: dict[str, int] = {}
    for unknown in set(free) - {file.name for file in files}:
        raise MarketError(f"free: no log of {unknown!r}; there are {', '.join(file.name for file in files)}")
    logs = {file: _read(file, index, free=file.name in free) for file in files}
    line = np.zeros((len(logs), len(index)), dtype=np.int64)  # (M, N) where a problem stands in each file, 0 = nowhere
    for row, log in zip(line, logs.values(), strict=True):
        row[: len(log.line)] = log.line
    kept = np.flatnonzero((line > 0).all(axis=0))
    if not kept.size:
        counts = ", ".join(f"{file.path.name} ({(row > 0).sum()})" for file, row in zip(files, line, strict=True))
        raise fault("no problem is in all files", counts + "; are the ids written alike?")
    sellers = []
    for file, log in logs.items():
        attempts, successes = np.frombuffer(log.attempts, np.int64)[kept], np.frombuffer(log.successes, np.int64)[kept]
        ends = np.frombuffer(log.ends, np.int8)[kept]
        odds = Sampled(attempts=attempts, successes=successes, ends=None if (ends < 0).any() else ends > 0)
        solved, failed = np.frombuffer(log.spend)[kept], np.frombuffer(log.spend_failed)[kept]
        sellers.append(
            Provider(
                name=file.name,
                odds=odds,
                spend=solved,
                spend_failed=None if np.array_equal(failed, solved) else failed,
                free=file.name in free,
            )
        )
    ids = list(index)
    return Market(
        name=name or _common_name(files),
        providers=tuple(sellers),
        weights=np.full(kept.size, 1 / kept.size),
        problems=tuple(ids[x] for x in kept),
        unit=unit or "USD",
        dropped=_reasons(line, [file.name for file in files]),
        notes=log_notes(sellers),
    )


def _read(file: LogFile, index: dict[str, int], *, free: bool = False) -> _Columns:
    """One file, reduced. `index` numbers the problems of all files; new ones are added to it."""
    log, path = _Columns(len(index)), file.path
    faults: list[MarketError] = []
    number = 0
    try:
        with path.open("rb") as lines:
            for number, text in enumerate(lines, 1):
                if number == 1:
                    text = text.removeprefix(b"\xef\xbb\xbf")
                if text.isspace() or not text:
                    continue
                try:
                    _take(file, number, text, log, index, free=free)
                except MarketError as error:
                    faults.append(error)
                    if len(faults) > MOST_TOLD:
                        break
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from None
    if faults:
        raise together(faults)
    if not any(log.line):
        raise fault(path, "holds no attempts; the file is " + ("blank" if number else "empty"))
    return log


def _take(file: LogFile, number: int, text: bytes, log: _Columns, index: dict[str, int], *, free: bool) -> None:
    """Add a line to the columns of its log."""
    path = file.path
    try:
        entry: LogLine = LogLine.__pydantic_validator__.validate_json(text)
    except ValidationError as error:
        raise _wrong(path, number, text, error) from None
    if not entry.id.isprintable():
        raise fault(path, f"line {number}", f"id = {shown(entry.id)} holds a character that cannot be printed")
    n, c, solved, failed = _reduced(file, number, entry, free)
    x = index.setdefault(entry.id, len(index))
    if x == len(log.line):
        log.grow()
    elif log.line[x]:
        raise fault(path, f"line {number}", f"id = {shown(entry.id)} is on line {log.line[x]} already")
    log.line[x], log.attempts[x], log.successes[x] = number, n, c
    log.spend[x], log.spend_failed[x] = solved, failed
    log.ends[x] = -1 if isinstance(entry.attempts, int) else entry.attempts[-1]


def _reduced(file: LogFile, number: int, entry: LogLine, free: bool) -> tuple[int, int, float, float]:
    """Attempts, successes, and costs of a successful and of a failed attempt, of a line whose fields are each right."""
    path = file.path
    n, c = _counted(path, number, entry)
    solved, failed = _costs(path, number, entry, n, free)
    if not free and min(solved, failed) <= 0:
        field = "costs" if entry.costs is not None else "mean_cost" if solved <= 0 else "mean_cost_failed"
        hint = f"a provider that costs nothing is named by --free {file.name}; leave a cost that is not known out"
        raise fault(path, f"line {number}", f"{field} = 0 must be greater than 0 ({hint})")
    return n, c, solved, failed


def _counted(path: Path, number: int, entry: LogLine) -> tuple[int, int]:
    """Attempts and successes of a line."""
    attempts, told = entry.attempts, entry.successes
    if isinstance(attempts, int):
        n = attempts
        if told is None:
            raise fault(path, f"line {number}", f"successes is missing, attempts = {n} being a number")
        c = told
        if c > n:
            raise fault(path, f"line {number}", f"successes = {shown(c)} exceeds attempts = {n}")
    else:
        n, c = len(attempts), sum(attempts)
        if n == 0:
            raise fault(path, f"line {number}", "attempts = [] is empty; leave out problems without attempts")
        if told is not None and told != c:
            raise fault(path, f"line {number}", f"successes = {shown(told)}, but attempts hold {c}")
    return n, c


def _costs(path: Path, number: int, entry: LogLine, n: int, free: bool) -> tuple[float, float]:
    """Costs of a successful and of a failed attempt."""
    costs = entry.costs
    if free:
        given = [entry.mean_cost or 0.0, entry.mean_cost_failed or 0.0, *(costs or [])]
        if max(given) > 0:
            raise fault(path, f"line {number}", f"cost {max(given):g} of a provider that is said to be free")
        return 0.0, 0.0
    if costs is None:
        if entry.mean_cost is None:
            raise fault(path, f"line {number}", "mean_cost is missing (or costs, one for each attempt)")
        return entry.mean_cost, entry.mean_cost if entry.mean_cost_failed is None else entry.mean_cost_failed
    if entry.mean_cost_failed is not None:
        raise fault(path, f"line {number}", "mean_cost_failed goes with mean_cost; costs have it for each attempt already")
    if len(costs) != n:
        raise fault(path, f"line {number}", f"costs has {len(costs)} entries for {n} attempts")
    mean = sum(costs) / n
    if math.isinf(mean):
        raise fault(path, f"line {number}", "costs are too large to add up")
    if entry.mean_cost is not None and not math.isclose(mean, entry.mean_cost, rel_tol=COST_TOLERANCE):
        raise fault(path, f"line {number}", f"mean_cost = {entry.mean_cost!r}, but the mean of costs is {mean!r}")
    if not isinstance(entry.attempts, list):
        return mean, mean
    by_outcome = [[w for w, solved in zip(costs, entry.attempts, strict=True) if solved == kind] for kind in (True, False)]
    solved, failed = (sum(kind) / len(kind) if kind else mean for kind in by_outcome)
    return solved, failed


def _wrong(path: Path, number: int, text: bytes, error: ValidationError) -> MarketError:
    """What is wrong with a line that does not hold what it should."""
    where = f"line {number}"
    try:
        text.decode()
    except UnicodeDecodeError as undecodable:
        return not_utf8(path, undecodable, where)
    found = error.errors(include_url=False)
    if found[0]["type"] == "json_invalid":
        reason = str(found[0]["ctx"]["error"]).replace(" at line 1 column ", " at column ")
        hint = "; is the line cut off?" if reason.startswith("EOF") else "; one object a line is needed"
        return fault(path, where, f"not valid JSON: {reason}{hint}")
    if found[0]["type"] in ("model_type", "model_attributes_type", "dict_type"):
        return fault(path, where, f'{shown(found[0]["input"])} is not an object like {{"id": ..., "attempts": ...}}')
    if found[0]["loc"][0] == "attempts" and len(found[0]["loc"]) > 1:  # a union: pydantic tells of each branch
        return fault(path, where, _wrong_attempts([e for e in found if e["loc"][0] == "attempts"]))
    return fault(path, where, *first_fault(error))


def _wrong_attempts(found: Sequence[Any]) -> str:
    """What is wrong with `attempts`, which is a list of outcomes or a number."""
    for problem in found:
        if isinstance(problem["loc"][-1], int):
            value = shown(problem["input"])
            return f"attempts entry {problem['loc'][-1] + 1} = {value} must be 0 or 1, or false or true"
    value = found[-1]["input"]
    if isinstance(value, int) and not isinstance(value, bool):
        return f"attempts = {shown(value)} must lie between 1 and {MOST_ATTEMPTS}"
    return f"attempts = {shown(value)} must be a list of 0 and 1, or a number of attempts"


def _reasons(line: np.ndarray, names: Sequence[str]) -> dict[str, int]:
    """{"missing in a and b": number of problems}: the files that lack a problem are its one reason."""
    lacking = Counter(tuple(column) for column in (line[:, (line == 0).any(axis=0)] == 0).T.tolist())
    reasons = {}
    for column, number in lacking.most_common():
        *others, last = [name for name, lacks in zip(names, column, strict=True) if lacks]
        reasons[f"missing in {', '.join(others)} and {last}" if others else f"missing in {last}"] = number
    return reasons


def _common_name(files: Sequence[LogFile]) -> str:
    """The folder that all files are in; 'logs' if there is none, or it has no name."""
    folders = {file.path.absolute().parent for file in files}
    if len(folders) > 1:  # a folder of folders
        folders = {folder.parent for folder in folders}
    name = folders.pop().name if len(folders) == 1 else ""
    return name if name and name.isprintable() else "logs"
