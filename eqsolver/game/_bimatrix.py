"""One equilibrium of a bimatrix game: Lemke and Howson's path, its work bounded and its answer checked."""

from __future__ import annotations

import numpy as np

from eqsolver._base import FloatArray
from eqsolver.game._lemke_howson import lemke_howson

PIVOTS = 20_000
"""Pivots after which a start is given up."""
WORK = 2e10
"""Entries of the tableaus that are worked on in all, over all starts: some ten seconds."""


def bimatrix_equilibrium(
    first: FloatArray, second: FloatArray, tolerance: float = 1e-9
) -> tuple[FloatArray, FloatArray] | None:
    """Mixed strategies (n,) and (m,) from which neither player gains more than a share `tolerance` of the payoffs' span.

    first, second : (n, m) payoffs of the row and of the column player.

    Returns None if no start of the path leads to one within `PIVOTS` and `WORK`; what is returned has been checked.

    Notes
    -----
    A pure equilibrium is taken if there is one, that of the largest joint payoff; otherwise `lemke_howson` from each label.
    """
    pure = np.argwhere((first >= first.max(axis=0)) & (second >= second.max(axis=1)[:, None]))
    if pure.size:
        row, column = max(pure, key=lambda cell: float(first[tuple(cell)] + second[tuple(cell)]))
        return np.eye(first.shape[0])[row], np.eye(first.shape[1])[column]
    spans = [max(float(np.ptp(payoff)), np.finfo(float).tiny) for payoff in (first, second)]
    entries, left = 2.0 * sum(first.shape) * max(first.shape), WORK
    for label in range(sum(first.shape)):
        pivots = int(min(PIVOTS, left / entries))
        found = lemke_howson(first, second, label, pivots)
        left -= pivots * entries  # at most: a path that ends is short
        if found is None and left < entries:
            break
        if found is None:
            continue
        x, y = found
        gains = (first @ y).max() - x @ first @ y, (x @ second).max() - x @ second @ y
        if all(gain <= tolerance * span for gain, span in zip(gains, spans, strict=True)):
            return x, y
    return None
