"""Forms of our own: logs with a line for each problem, and verdicts for call logs, which have none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from eqsolver.logs._files import Files, head, records
from eqsolver.logs._records import Fact, LogOptions, Record
from eqsolver.logs._values import ValueFault, count, fault, number, shown, text, verdict

name = "eqsolver"
about = "eqsolver: PROVIDER.jsonl, one line for each problem with id and attempts"


def claims(files: Files) -> list[Path]:
    """The files that hold attempts by problem."""
    return [
        f for f in files if f.suffix == ".jsonl" and isinstance(first := head(f), dict) and {"id", "attempts"} <= first.keys()
    ]


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
                        key=key,
                        run=str(path),
                        problem=entry["id"],
                        provider=path.stem,
                        attempt=k,
                        score=float(outcome),
                        cost=number(cost),
                    )
            except (KeyError, TypeError, ValueFault) as error:
                raise fault(path, where, f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)) from None


FIELDS = {
    "problem": text,
    "attempt": count,
    "provider": text,
    "error": text,
    "domain": text,
    "verifier_cost": number,
    "verdict_2": verdict,
}


def verdicts(path: Path) -> Iterator[Fact]:
    """A fact for each row: its first column is the attempt's key (session, user or trace), `solved` the verdict.

    It may also have problem, attempt, provider, error, domain, verifier_cost and verdict_2. Raises `MarketError`.
    """
    seen: set[str] = set()
    for where, row in records(path):
        key, *_ = row
        if "solved" not in row or key == "solved":
            raise fault(path, f"needs a column `solved` after the attempt's key; it has {', '.join(row)}")
        name = "solved"
        try:
            fact = Fact(key=text(row[key]) or "", kind="verdict", score=verdict(row["solved"]))
            for name, cast in FIELDS.items():
                setattr(fact, name, cast(row.get(name)))
        except ValueFault as error:
            raise fault(path, where, f"{name} = {error}") from None
        if not fact.key or fact.key in seen:
            raise fault(path, where, f"{key} = {row[key]!r} " + ("is there twice" if fact.key else "is blank"))
        seen.add(fact.key)
        yield fact
