"""eqsolver's own logs, a line for each problem and a file for each provider, as attempts: to convert them, or mix them with others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from eqsolver.logs._files import Files, head, records
from eqsolver.logs._messages import fault, shown
from eqsolver.logs._records import Fact, LogOptions, Record
from eqsolver.logs._values import ValueFault, number

name = "eqsolver"
about = "eqsolver: PROVIDER.jsonl, one line for each problem with id and attempts"


def claims(files: Files) -> list[Path]:
    """The files that hold attempts by problem."""
    return [f for f in files if f.suffix == ".jsonl" and isinstance(first := head(f), dict) and {"id", "attempts"} <= first.keys()]


def read(files: Files, everything: Files, options: LogOptions) -> Iterator[Record]:
    """An attempt for each outcome; of counted attempts the successes come first."""
    for path in files:
        for where, entry in records(path):
            try:
                outcomes = entry["attempts"]
                if isinstance(outcomes, int):
                    outcomes = [1] * entry["successes"] + [0] * (outcomes - entry["successes"])
                costs = entry.get("costs") or [entry.get("mean_cost")] * len(outcomes)
                if len(costs) != len(outcomes) or not set(outcomes) <= {0, 1}:
                    raise ValueFault(f"attempts = {shown(outcomes)} must be 0 or 1, with a cost each")
                for k, (outcome, cost) in enumerate(zip(outcomes, costs, strict=True), 1):
                    key = f"{path}|{where}|{k}"
                    yield Fact(
                        key=key, run=str(path), problem=entry["id"], provider=path.stem, attempt=k, score=float(outcome), cost=number(cost)
                    )
            except (KeyError, TypeError, ValueFault) as error:
                raise fault(path, where, f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)) from None
