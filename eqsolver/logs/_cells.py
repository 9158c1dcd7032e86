"""Attempts added up by provider and problem: what a market is made of, whatever the number of attempts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eqsolver._errors import MarketError
from eqsolver.logs._store import Store

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

_MOMENTS = {
    "attempts": "count(solved)",
    "successes": "coalesce(sum(solved), 0)",
    "excluded": "count(*) - count(solved)",
    "unpaid": "count(*) FILTER (solved IS NOT NULL AND cost IS NULL)",
    "zero": "count(*) FILTER (solved IS NOT NULL AND cost = 0 AND coalesce(input_tokens > 0 OR output_tokens > 0, true))",
    "least_cost": "min(cost) FILTER (solved IS NOT NULL)",
    "most_cost": "max(cost) FILTER (solved IS NOT NULL)",
    "least_tokens": "min(input_tokens) FILTER (solved IS NOT NULL)",
    "most_tokens": "max(input_tokens) FILTER (solved IS NOT NULL)",
    "least_seconds": "min(seconds) FILTER (solved IS NOT NULL)",
    "most_seconds": "max(seconds) FILTER (solved IS NOT NULL)",
    "last_solved": "max_by(solved, attempt) FILTER (solved IS NOT NULL)",
}


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """Number, sum and sum of squares of what is known of cost or seconds: (M, N, 2), by outcome, failed and solved."""

    number: Floats
    total: Floats
    squares: Floats

    @property
    def mean(self) -> Floats:
        """(M, N) mean over both outcomes; nan where nothing is known."""
        with np.errstate(invalid="ignore"):
            mean: Floats = self.total.sum(axis=2) / self.number.sum(axis=2)
        return mean

    @property
    def mean_by_outcome(self) -> Floats:
        """(M, N, 2) mean of failed and of solved attempts; nan where nothing is known."""
        with np.errstate(invalid="ignore"):
            mean: Floats = self.total / self.number
        return mean


@dataclass(frozen=True, slots=True, eq=False)
class Histogram:
    """How many attempts there are by the logarithm of cost or seconds, sparse: K entries, at most one for each cell and bin.

    provider, problem : (K,) indices. bin : (K,) floor of `bins_per_octave` times the binary logarithm. number : (K,) attempts.
    """

    provider: Counts
    problem: Counts
    bin: Counts
    number: Counts
    bins_per_octave: int


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """What is known of M providers on N problems; a cell without attempts has zeros.

    counts : {name: (M, N)}: attempts with a verdict, successes, excluded attempts, those of unknown cost (`unpaid`) and of cost
    0 though tokens were used (`zero`), and the least and most cost, tokens and seconds of an attempt with a verdict.
    """

    providers: tuple[str, ...]
    problems: tuple[str, ...]
    counts: dict[str, Floats]
    cost: Sums
    seconds: Sums
    domains: tuple[str | None, ...]

    def __getitem__(self, name: str) -> Floats:
        return self.counts[name]


def cells(store: Store, providers: Sequence[str] | None = None) -> Cells:
    """The relation `attempts`, added up in one pass. Problems are sorted, providers too unless some are asked for."""
    columns = [f"{sql} AS {name}" for name, sql in _MOMENTS.items()]
    for what in ("cost", "seconds"):
        for outcome in (0, 1):
            mine = f"FILTER (solved = {outcome})"
            columns += [
                f"count({what}) {mine} AS {what}_number_{outcome}",
                f"coalesce(sum({what}) {mine}, 0) AS {what}_total_{outcome}",
            ]
            columns.append(f"coalesce(sum({what} * {what}) {mine}, 0) AS {what}_squares_{outcome}")
    two = "SELECT problem, min(domain), max(domain) FROM attempts GROUP BY problem HAVING min(domain) <> max(domain) LIMIT 1"
    for problem, one, other in store.rows(two):
        raise MarketError(f"domain: {problem!r} is in two domains, {one!r} and {other!r}")
    names = f"provider, problem, min(domain) AS domain, {', '.join(columns)}"
    found = store.arrays(f"SELECT {names} FROM attempts GROUP BY provider, problem")
    every = sorted(set(found["provider"].tolist()))
    sellers = tuple(every if providers is None else providers)
    for unknown in set(sellers) - set(every):
        raise MarketError(f"providers: no attempts of {unknown!r}; there are {', '.join(every)}")
    wanted = np.isin(found["provider"].astype(str), sellers)
    problems, x = np.unique(found["problem"][wanted].astype(str), return_inverse=True)
    i = np.array([sellers.index(name) for name in found["provider"][wanted]], dtype=np.int64)

    def placed(name: str) -> Floats:
        values = np.zeros((len(sellers), problems.size))
        values[i, x] = np.ma.filled(found[name][wanted].astype(np.float64), np.nan)
        return values

    def sums(what: str) -> Sums:
        by_outcome = {
            kind: np.stack([placed(f"{what}_{kind}_{o}") for o in (0, 1)], axis=2) for kind in ("number", "total", "squares")
        }
        return Sums(**by_outcome)

    domains: dict[int, Any] = dict(zip(x.tolist(), np.ma.filled(found["domain"][wanted], None).tolist(), strict=True))
    return Cells(
        providers=sellers,
        problems=tuple(problems.tolist()),
        counts={name: placed(name) for name in _MOMENTS},
        cost=sums("cost"),
        seconds=sums("seconds"),
        domains=tuple(domains.get(n) if isinstance(domains.get(n), str) else None for n in range(problems.size)),
    )


def histogram(store: Store, found: Cells, what: str, bins_per_octave: int = 4) -> Histogram:
    """`cost` or `seconds` of attempts with a verdict, counted in bins of equal ratio; what is unknown or 0 is in none."""
    entries = store.arrays(
        f"SELECT provider, problem, floor({int(bins_per_octave)} * log2({what}))::BIGINT AS bin, count(*) AS number"
        f" FROM attempts WHERE solved IS NOT NULL AND {what} > 0 GROUP BY ALL ORDER BY ALL"
    )
    kept = np.isin(entries["provider"].astype(str), found.providers)
    place = {name: n for n, name in enumerate(found.problems)}
    return Histogram(
        provider=np.array([found.providers.index(name) for name in entries["provider"][kept]], dtype=np.int64),
        problem=np.array([place[name] for name in entries["problem"][kept]], dtype=np.int64),
        bin=np.ma.getdata(entries["bin"])[kept],
        number=np.ma.getdata(entries["number"])[kept],
        bins_per_octave=bins_per_octave,
    )
