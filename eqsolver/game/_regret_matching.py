"""Mixed strategies of many players by regret matching: each draws what it would rather have played, until averages settle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from eqsolver._base import FloatArray, IntArray
from eqsolver.game._certificate import shares_of

Rows = Callable[[IntArray, Sequence[IntArray]], list[FloatArray]]
"""Profiles (B, P) of actions, and per player some of its actions (n,) -> per player (B, n) what each of these would earn it,
the others playing as in each profile."""

BATCH = 8
"""Profiles drawn in a round, of each player one from each of so many equal parts of its probability."""
APART = 6
"""Of the actions that nobody plays every so many are tried in a round, the next ones in the next; between them payoffs are
interpolated."""
ENOUGH = 50
"""Rounds before which no average is looked at."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Averages:
    """What was played on average. strategies : per player (n,) probabilities. rounds : played.

    regret : (P,) what the best single action would have added on average, as a share of what was earned (at least the floor).
    """

    strategies: tuple[FloatArray, ...]
    regret: FloatArray
    rounds: int


def regret_matching(
    rows: Rows,
    start: Sequence[FloatArray],
    *,
    floor: float,
    tolerance: float,
    rounds: int,
    seed: int,
    tell: Callable[[float], None],
) -> Averages:
    """Play a game of many players against itself until nobody has any regret left on average.

    Parameters
    ----------
    start : per player (n,) probabilities to begin with. floor : payoff below which regrets are shares of it.
    tolerance : largest relative regret wanted. rounds : at most. tell : is told the largest relative regret.

    Notes
    -----
    Regret matching+ (Hart & Mas-Colell 2000; Tammelin 2014): actions are played in proportion to the regret for not having
    played them, never less than none; the average over rounds weighs late ones more, by the square of their number. Payoffs
    are those against a few profiles drawn from what the others play now. The averages of all players together leave no regret
    in the limit (a coarse correlated equilibrium); whether each player's own average, drawn by itself, leaves none either has
    to be looked at afterwards. In price games it does, or nearly.
    """
    rng = np.random.default_rng(seed)
    playing = [np.asarray(p / p.sum(), dtype=np.float64) for p in start]
    total = [np.zeros(p.size) for p in start]
    hindsight, earned = [np.zeros(p.size) for p in start], np.zeros(len(start))
    regrets: list[FloatArray] | None = None
    weight, relative, number = 0.0, np.full(len(start), np.inf), 0
    for number in range(1, rounds + 1):
        profiles = drawn(playing, BATCH, rng)
        tried = [np.flatnonzero((p > 0) | ((np.arange(p.size) + number) % APART == 0)) for p in playing]
        known = rows(profiles, tried)
        forget = (number / (number + 1.0)) ** 2
        weight = weight * forget + 1.0
        payoffs = [np.interp(np.arange(p.size), at, row.mean(axis=0)) for p, at, row in zip(playing, tried, known, strict=True)]
        values = np.array([float(u @ p) for u, p in zip(payoffs, playing, strict=True)])
        if regrets is None:  # begin as if what is played now had earned these regrets
            regrets = [BEGIN * abs(v) * p for v, p in zip(values, playing, strict=True)]
        earned = earned * forget + values
        for p, u in enumerate(payoffs):
            total[p] = total[p] * forget + playing[p]
            hindsight[p] = hindsight[p] * forget + u
            regrets[p] = np.maximum(regrets[p] * np.sqrt(number / (number + 1.0)) + u - values[p], 0.0)
            left = regrets[p].sum()
            playing[p] = regrets[p] / left if left > 0 else np.eye(u.size)[np.argmax(u)]
        if number >= min(ENOUGH, rounds):
            best = np.array([u.max() for u in hindsight])
            relative = shares_of(np.maximum(best - earned, 0.0), np.maximum(earned, weight * floor))
            tell(float(relative.max()))
            if relative.max() <= tolerance:
                break
    return Averages(strategies=tuple(t / t.sum() for t in total), regret=relative, rounds=number)


BEGIN = 1.0
"""How strongly the start is held to: its regrets are its probabilities times so many times the payoff."""


def drawn(strategies: Sequence[FloatArray], size: int, rng: np.random.Generator) -> IntArray:
    """(size, P) profiles, each player's action drawn by itself: one from each of `size` equal parts of its probability."""
    columns = []
    for p in strategies:
        at = (np.arange(size) + rng.random(size)) / size
        columns.append(rng.permutation(np.minimum(np.searchsorted(np.cumsum(p), at * p.sum()), p.size - 1)))
    return np.stack(columns, axis=1)
