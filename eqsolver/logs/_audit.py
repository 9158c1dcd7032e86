"""What was read, what was left out and why, what is unknown, and what looks odd: one line each."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from eqsolver.logs._attempts import Attempts
from eqsolver.logs._cells import Cells, Floats


def counted(number: float, noun: str) -> str:
    """`1 attempt`, `1,200 attempts`."""
    plural = noun[:-1] + "ies" if noun.endswith("y") else noun + "s"
    return f"{int(number):,} {noun if number == 1 else plural}"


def audit(attempts: Attempts, cells: Cells) -> list[str]:
    """Every line, the first on what was read."""
    return [
        _summary(attempts, cells),
        *_excluded(attempts),
        *(f"Left out: {reason} ({number:,})." for reason, number in attempts.omitted.items()),
        *(f"Kept: {remark} ({number:,})." for remark, number in attempts.remarks.items()),
        *_origins(attempts),
        *attempts.notes,
        *_odd(attempts, cells),
    ]


def _summary(attempts: Attempts, cells: Cells) -> str:
    read = ", ".join(f"{name} ({counted(number, 'file')})" for name, number in attempts.read.items())
    made, excluded = cells["attempts"].sum(), cells["excluded"].sum()
    on = f"{counted(len(cells.providers), 'provider')} on {counted(len(cells.problems), 'problem')}"
    unknown = f"{excluded:,.0f} excluded, {cells['unpaid'].sum():,.0f} of unknown cost"
    return f"Read {counted(made + excluded, 'attempt')} of {on} from {read}: {unknown}."


def _excluded(attempts: Attempts) -> Iterator[str]:
    """How many attempts of each provider were excluded for each reason; partial credit names the option that decides it."""
    rows = attempts.store.rows(
        "SELECT provider, coalesce(error, 'no verdict') AS reason, count(*) AS n FROM attempts WHERE solved IS NULL"
        " GROUP BY ALL ORDER BY provider, n DESC, reason"
    )
    by_provider: dict[str, list[tuple[str, int]]] = {}
    for provider, reason, number in rows:
        by_provider.setdefault(provider, []).append((reason, int(number)))
    for provider, reasons in by_provider.items():
        shown = "; ".join(f"{reason} ({number:,})" for reason, number in reasons[:4])
        yield f"Excluded of {provider}: {shown}{f'; {len(reasons) - 4} more reasons' if len(reasons) > 4 else ''}."
    partial = sum(int(number) for _, reason, number in rows if reason == "partial credit")
    if partial:
        yield f"{counted(partial, 'attempt')} with partial credit: --solved-at X counts a score of at least X as solved."


def _origins(attempts: Attempts) -> Iterator[str]:
    """Where the costs of each provider come from, where it is not the log alone."""
    rows = attempts.store.rows(
        "SELECT provider, coalesce(origin, 'unknown') AS origin, count(*) FROM attempts WHERE solved IS NOT NULL"
        " GROUP BY ALL ORDER BY ALL"
    )
    by_provider: dict[str, list[str]] = {}
    for provider, origin, number in rows:
        by_provider.setdefault(provider, []).append(f"{origin} {int(number):,}")
    for provider, origins in by_provider.items():
        if not (len(origins) == 1 and origins[0].startswith("log ")):
            yield f"Cost of {provider} by origin: {', '.join(origins)}."
    yield from price_lines(attempts)


def price_lines(attempts: Attempts) -> list[str]:
    """Token prices that costs were computed with, with list and version."""
    return [f"Price of {line}." for line in attempts.prices]


def _odd(attempts: Attempts, cells: Cells) -> Iterator[str]:
    """What may be a fault of the logs."""
    for i, provider in enumerate(cells.providers):
        made = cells["attempts"][i] > 0
        least, most = _extreme(cells["least_tokens"][i][made], np.nanmin), _extreme(cells["most_tokens"][i][made], np.nanmax)
        if cells["attempts"][i].sum() > 2 and least == most:
            yield f"{provider}: every attempt has {least:g} input tokens; are they estimates?"
        yield from _apart(provider, cells, i)
    yield from _alike(attempts, cells)


def _extreme(values: Floats, function: object) -> float:
    known = values[~np.isnan(values)]
    return float(function(known)) if known.size and callable(function) else float("nan")


def _apart(provider: str, cells: Cells, i: int) -> Iterator[str]:
    least, most = cells["least_cost"][i], cells["most_cost"][i]
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where((cells["attempts"][i] > 1) & (least > 0), most / least, 0.0)
    wide = int((ratio >= 10).sum())
    if wide:
        x = int(np.argmax(ratio))
        which = f"{counted(wide, 'problem')} ({cells.problems[x]}: {ratio[x]:.0f}x)"
        yield f"{provider}: costs of attempts on one problem are 10x apart or more on {which}."


def _alike(attempts: Attempts, cells: Cells) -> Iterator[str]:
    if cells["attempts"].sum() > attempts.options.duplicates_up_to:
        with np.errstate(invalid="ignore"):
            same = (cells["least_cost"] == cells["most_cost"]) & (cells["least_seconds"] == cells["most_seconds"])
        cellwise = int((same & (cells["attempts"] > 1)).sum())
        if cellwise:
            yield f"All attempts of a provider on a problem are alike {cellwise:,} times; are they copies?"
        return
    known = " AND ".join(f"{name} IS NOT NULL" for name in ("solved", "cost", "seconds", "input_tokens"))
    groups = "provider, problem, solved, cost, seconds, input_tokens, output_tokens"
    alike = f"SELECT count(*) AS n FROM attempts WHERE {known} GROUP BY {groups} HAVING count(*) > 1"
    ((copies,),) = attempts.store.rows(f"SELECT coalesce(sum(n - 1), 0) FROM ({alike})")
    if copies:
        yield f"{counted(copies, 'attempt')} with verdict, cost, seconds and tokens of another on the problem; are they copies?"


def problem_sets(cells: Cells, usable: Floats) -> Iterator[str]:
    """How many problems each provider has, where sets differ, and which provider costs the market most problems.

    usable : (M, N) whether a provider has what a market needs of a problem.
    """
    if len(cells.providers) == 1:
        yield f"{cells.providers[0]} is the only provider: there is nothing to arbitrage."
    common = int(usable.all(axis=0).sum())
    if common == usable.shape[1]:
        return
    each = ", ".join(f"{name} {int(number):,}" for name, number in zip(cells.providers, usable.sum(axis=1), strict=True))
    without = [int(np.delete(usable, i, axis=0).all(axis=0).sum()) - common for i in range(len(cells.providers))]
    worst = int(np.argmax(without))
    told = (
        f"; without {cells.providers[worst]} there would be {without[worst]:,} more"
        if len(without) > 1 and without[worst]
        else ""
    )
    yield f"Problems with attempts and costs: {each}; all have {common:,}{told}."
