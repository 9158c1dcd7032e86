"""The coarse correlated equilibrium that leaves least to gain, where none is near to independent draws."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from eqsolver._base import FloatArray
from eqsolver.game._correlated import Profile, coarse_correlated
from eqsolver.game._price_table import Played, Table, deviations_from, nearest, relative

PART = 0.3
"""Share of the tolerated ε that the draw may leave on its ticks."""
LATEST = 12
"""Price vectors, the last that best responses went through, from which the search begins."""


def least_gain(
    games: Sequence[Table],
    played: Played,
    *,
    floor: float,
    tolerance: float,
    max_rounds: int,
    tell: Callable[[float], None],
) -> Played:
    """On ever finer ticks, the draw found from which the largest relative gain is least, until its certificate holds.

    games : the same one on ever finer ticks. played : what best responses went through, as its `path`.
    """
    best: Played | None = None
    start: list[Profile] = list(dict.fromkeys(tuple(nearest(games[0], row)) for row in played.path[-LATEST:]))
    rounds = played.rounds
    for game, finer in itertools.zip_longest(games, games[1:]):
        drawn, more = coarse_correlated(
            game.regrets, start, floor=floor, tolerance=PART * tolerance, max_rounds=max_rounds, tell=tell
        )
        rounds += more
        prices = game.prices(np.array(drawn.profiles))
        if finer is not None:
            start = [tuple(nearest(finer, row)) for row in prices]
            if _gain_between(finer, prices, drawn.shares, floor) > tolerance:
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
        if best is None or worst(found, floor) < worst(best, floor):
            best = found
        tell(worst(best, floor))
        if worst(best, floor) <= tolerance:
            break
    assert best is not None, "there is a game"
    return best


def worst(played: Played, floor: float) -> float:
    """The largest relative ε."""
    return max(relative(deviation, floor) for deviation in played.deviations)


def _gain_between(finer: Table, prices: FloatArray, shares: FloatArray, floor: float) -> float:
    """The largest relative gain from any price on finer ticks: no certificate can be better than that."""
    values = shares @ finer.earned(prices)
    best = np.array([float((shares @ rows).max()) for rows in finer.rows(prices, finer.own)])
    return float(np.max((best - values) / np.maximum(values, floor)))
