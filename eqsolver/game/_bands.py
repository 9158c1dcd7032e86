"""How sure equilibria are: the price game solved again on resampled problems."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from eqsolver._base import EqsolverError
from eqsolver._ledger import check_jobs
from eqsolver.market import Consumers, Market
from eqsolver.posted import interval

ROUGH_TICK, ROUGH_POINTS = 0.01, 400
"""Resamples are solved on ticks of 1 % and a coarser grid, which move prices by some 1 %; their spread is far wider."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """5 % and 95 % points over resamples of the problems, by column of `Equilibrium.to_frame`.

    bands : by "regime, prices". differences : by "regime to regime, prices", of the change between two regimes on the same
    resample.
    """

    bands: Mapping[str, Mapping[str, tuple[float, float]]] = field(default_factory=dict)
    differences: Mapping[str, Mapping[str, tuple[float, float]]] = field(default_factory=dict)


def resampled_rows(
    market: Market, consumers: Sequence[Consumers], options: Mapping[str, Any], weights: Any
) -> list[dict[str, Any]] | None:
    """The rows of one resample, in a worker; None if its game has no answer."""
    from eqsolver.game._document import records
    from eqsolver.game._equilibrium import equilibrium

    try:
        found = equilibrium(market.reweighted(weights), consumers=consumers, **options)
    except EqsolverError:
        return None
    return records(found)


def bands(
    market: Market,
    consumers: Sequence[Consumers],
    options: Mapping[str, Any],
    *,
    resamples: int,
    seed: int,
    jobs: int,
    progress: Callable[[str, float], None],
) -> Spread:
    """How every figure of every regime spreads over resamples of the problems, and how differences between regimes do.

    options : of `equilibrium`. jobs : of joblib. Resamples whose game has no answer are left out.
    """
    import joblib

    check_jobs(jobs)
    draws = market.resampled(resamples, np.random.default_rng(seed))
    rough = {**options, "tick": options["tick"] or ROUGH_TICK, "points": options["points"] or ROUGH_POINTS}
    parallel = joblib.Parallel(n_jobs=jobs, return_as="generator")
    found, changes = _Columns(), _Columns()
    answers = parallel(joblib.delayed(resampled_rows)(market, consumers, rough, row) for row in draws)
    for done, rows in enumerate(answers):
        progress("bootstrap", (done + 1) / resamples)
        for row in rows or []:
            found.add(f"{row['regime']}, {row['prices']}", figures(row))
        for key, change in differences(rows or []).items():
            changes.add(key, change)
    return Spread(bands=found.percentiles(), differences=changes.percentiles())


def figures(row: Mapping[str, Any]) -> dict[str, float]:
    """The columns of a row of `Equilibrium.to_frame` that are figures of the market."""
    return {name: float(value) for name, value in row.items() if isinstance(value, float) and name != "epsilon"}


def differences(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """By "regime to regime, prices", how every figure changes from the first regime to each other, at the same prices.

    rows : of `Equilibrium.to_frame`, of one market: posted prices and equilibrium prices.
    """
    found = {}
    for prices in dict.fromkeys(row["prices"] for row in rows):
        first, *others = (row for row in rows if row["prices"] == prices)
        start = figures(first)
        for row in others:
            change = {name: value - start[name] for name, value in figures(row).items()}
            found[f"{first['regime']} to {row['regime']}, {prices}"] = change
    return found


class _Columns:
    """Values gathered by key and column."""

    def __init__(self) -> None:
        self._values: dict[str, dict[str, list[float]]] = {}

    def add(self, key: str, row: Mapping[str, float]) -> None:
        columns = self._values.setdefault(key, {})
        for name, value in row.items():
            columns.setdefault(name, []).append(value)

    def percentiles(self) -> dict[str, dict[str, tuple[float, float]]]:
        return {key: {name: _percentiles(v) for name, v in columns.items()} for key, columns in self._values.items()}


def _percentiles(values: list[float]) -> tuple[float, float]:
    finite = np.array(values)[np.isfinite(values)]
    if not finite.size:
        return float("nan"), float("nan")
    low, high = interval(finite)
    return float(low), float(high)
