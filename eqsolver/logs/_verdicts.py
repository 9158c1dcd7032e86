"""Verdicts that stand in a table of one's own: for call logs, which have none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from eqsolver.logs._files import records
from eqsolver.logs._messages import fault
from eqsolver.logs._records import Fact
from eqsolver.logs._values import ValueFault, count, number, text, verdict

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
