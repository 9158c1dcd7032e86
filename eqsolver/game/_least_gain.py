"""The coarse correlated equilibrium that leaves least to gain, where none is near to independent draws."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from eqsolver._base import FloatArray
from eqsolver.game._certificate import shares_of
from eqsolver.game._correlated import Profile, coarse_correlated
from eqsolver.game._price_table import Played, Table, deviations_from, nearest

PART = 0.3
"""Share of the tolerated ε that the draw may leave on its ticks."""
LATEST = 12
"""Price vectors, the last that best responses went through, from which the search begins."""


def least_gain(
    games: Sequence[Table],
    played: Played,
    *,
    tolerance: float,
    max_rounds: int,
    tell: Callable[[float], None],
) -> Played:
    """On ever finer ticks, the draw found from which the largest relative gain is least, until its certificate holds.

    games : the same one on ever finer ticks. played : what best responses went through, as its `path`.
    """
    best: Played | None = None
    start: list[Profile] = list(dict.fromkeys(tuple(nearest(games[0], row)) for row in played.path[-LATEST:]))
    rounds, least = played.rounds, games[0].least(played.path, np.full(len(played.path), 1 / len(played.path)))
    for game, finer in itertools.zip_longest(games, games[1:]):
        drawn, more = coarse_correlated(
            game.regrets, start, floor=least, tolerance=PART * tolerance, max_rounds=max_rounds, tell=tell
        )
        rounds += more
        prices = game.prices(np.array(drawn.profiles))
        if finer is not None:
            start = [tuple(nearest(finer, row)) for row in prices]
            if _gain_between(finer, prices, drawn.shares) > tolerance:
                continue
        found = replace(
            played,
            kind="cce",
            prices=prices,
            shares=drawn.shares,
            deviations=deviations_from(game, prices, drawn.shares, tolerance, None),
            step=game.step,
            rounds=rounds,
            together=None,
        )
        if best is None or found.relative < best.relative:
            best = found
        tell(best.relative)
        if best.relative <= tolerance:
            break
    assert best is not None, "there is a game"
    return best


def _gain_between(finer: Table, prices: FloatArray, shares: FloatArray) -> float:
    """The largest relative gain from any price on finer ticks: no certificate can be better than that."""
    values = shares @ finer.earned(prices)
    best = np.array([float((shares @ rows).max()) for rows in finer.rows(prices, finer.own)])
    return float(np.max(shares_of(np.maximum(best - values, 0.0), np.maximum(values, finer.least(prices, shares)))))
