"""One equilibrium of a bimatrix game: Lemke and Howson's path, its work bounded and its answer checked."""

from __future__ import annotations

import numpy as np

from eqsolver._base import FloatArray

PIVOTS = 20_000
"""Pivots after which a start is given up."""


def bimatrix_equilibrium(
    first: FloatArray, second: FloatArray, tolerance: float = 1e-9
) -> tuple[FloatArray, FloatArray] | None:
    """Mixed strategies (n,) and (m,) from which neither player gains more than a share `tolerance` of the payoffs' span.

    first, second : (n, m) payoffs of the row and of the column player.

    Returns None if no start of the path leads to one within `PIVOTS`; what is returned has been checked.

    Notes
    -----
    A pure equilibrium is taken if there is one, that of the largest joint payoff. Otherwise quantecon's Lemke-Howson with
    lexicographic pivoting, from each label in turn; payoffs are first scaled to [0, 1].
    """
    pure = np.argwhere((first >= first.max(axis=0)) & (second >= second.max(axis=1)[:, None]))
    if pure.size:
        row, column = max(pure, key=lambda cell: float(first[tuple(cell)] + second[tuple(cell)]))
        return np.eye(first.shape[0])[row], np.eye(first.shape[1])[column]
    from quantecon.game_theory import NormalFormGame, Player, lemke_howson

    scaled = [(payoff - payoff.min()) / max(float(np.ptp(payoff)), np.finfo(float).tiny) for payoff in (first, second)]
    game = NormalFormGame((Player(np.ascontiguousarray(scaled[0])), Player(np.ascontiguousarray(scaled[1].T))))
    for label in range(sum(first.shape)):
        x, y = lemke_howson(game, init_pivot=label, max_iter=PIVOTS)
        gains = (scaled[0] @ y).max() - x @ scaled[0] @ y, (x @ scaled[1]).max() - x @ scaled[1] @ y
        if np.isfinite(gains).all() and max(gains) <= tolerance:
            return x, y
    return None
