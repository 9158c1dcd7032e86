"""Further fields of attempt logs, which the market itself does not keep."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from eqsolver._base import MarketError
from eqsolver.market._faults import fault, shown, unreadable
from eqsolver.market._log_files import log_files


def log_fields(paths: Sequence[Path], key: str, *, providers: Sequence[str] | None = None) -> dict[str, str] | None:
    """What a field says of each problem, {id: value as text}; None unless every record of every file has the field.

    paths, providers : as for `read_logs`, which has read the files before: they hold one object a line.

    Raises
    ------
    MarketError : a file cannot be read, a value is not text or a number, or files disagree about a problem.
    """
    found: dict[str, str] = {}
    for _, path in log_files(paths, providers):
        try:
            with path.open(encoding="utf-8-sig") as file:
                for number, line in enumerate(file, 1):
                    if line.isspace():
                        continue
                    entry = json.loads(line)
                    if key not in entry:
                        return None
                    value = entry[key]
                    if not isinstance(value, str | int | float) or value == "":
                        raise fault(path, f"line {number}", f"{key} = {shown(value)} must be text or a number to name a domain")
                    problem = str(entry["id"])
                    if found.setdefault(problem, str(value)) != str(value):
                        told = f"{key} = {shown(value)}, but {shown(found[problem])} for the same id elsewhere"
                        raise fault(path, f"line {number}", told)
        except (OSError, ValueError) as error:
            if isinstance(error, MarketError):
                raise
            raise unreadable(path, error) from None
    return found
