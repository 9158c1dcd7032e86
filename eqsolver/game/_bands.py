"""How sure equilibria are: the price game solved again on resampled problems."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from eqsolver._base import EqsolverError
from eqsolver.market import Consumers, Market

ROUGH_TICK, ROUGH_POINTS = 0.01, 96
"""Resamples are solved on ticks of 1 % and a coarser grid, which move prices by some 3 %; their spread is far wider."""


def resampled_rows(
    market: Market, consumers: Sequence[Consumers], options: Mapping[str, Any], weights: Any
) -> list[dict[str, Any]] | None:
    """The rows of one resample, in a worker; None if its game has no answer."""
    from eqsolver.game._equilibrium import equilibrium

    try:
        found = equilibrium(market.reweighted(weights), consumers=consumers, **options)
    except EqsolverError:
        return None
    return [dict(row) for row in found.to_frame().to_dict("records")]  # type: ignore[arg-type]


def bands(
    market: Market,
    consumers: Sequence[Consumers],
    options: Mapping[str, Any],
    *,
    resamples: int,
    seed: int,
    jobs: int,
    progress: Callable[[str, float], None],
) -> dict[str, dict[str, tuple[float, float]]]:
    """5 % and 95 % points, over resamples of the problems, of every column of `Equilibrium.to_frame`, by "regime, prices".

    options : of `equilibrium`. jobs : of joblib. Resamples whose game has no answer are left out.
    """
    import joblib

    draws = market.resampled(resamples, np.random.default_rng(seed))
    rough = {**options, "tick": options["tick"] or ROUGH_TICK, "points": options["points"] or ROUGH_POINTS}
    parallel = joblib.Parallel(n_jobs=jobs, return_as="generator")
    found: dict[str, dict[str, list[float]]] = {}
    answers = parallel(joblib.delayed(resampled_rows)(market, consumers, rough, row) for row in draws)
    for done, rows in enumerate(answers):
        progress("bootstrap", (done + 1) / resamples)
        for row in rows or []:
            columns = found.setdefault(f"{row['regime']}, {row['prices']}", {})
            for name, value in row.items():
                if isinstance(value, float) and name != "epsilon":
                    columns.setdefault(name, []).append(value)
    return {key: {name: _percentiles(values) for name, values in columns.items()} for key, columns in found.items()}


def _percentiles(values: list[float]) -> tuple[float, float]:
    finite = np.array(values)[np.isfinite(values)]
    if not finite.size:
        return float("nan"), float("nan")
    low, high = np.percentile(finite, [5, 95])
    return float(low), float(high)
