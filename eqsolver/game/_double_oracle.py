"""Double oracle: the equilibrium of a large two-player game from small ones, each enlarged by best responses to the last."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from eqsolver._base import FloatArray, IntArray
from eqsolver.game._bimatrix import bimatrix_equilibrium

Row = Callable[[int, int], FloatArray]
"""(player, action of the rival) -> (n,) payoffs of all of the player's actions against it."""


NOTHING = 1e-9
"""Share of the largest payoff below which a payoff counts as no larger, where gains are told as shares of it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Mixed:
    """An equilibrium of a two-player game of n actions each.

    actions : per player, (S,) actions played, increasing. probabilities : per player, (S,) > 0.
    value : (2,) expected payoff. gain : (2,) what the best deviation among all actions would add.
    rounds : restricted games solved. stalled : a restricted game had no answer, or the round limit came first.
    """

    actions: tuple[IntArray, IntArray]
    probabilities: tuple[FloatArray, FloatArray]
    value: FloatArray
    gain: FloatArray
    rounds: int
    stalled: bool


def double_oracle(
    row: Row,
    start: Sequence[Sequence[int]],
    *,
    tolerance: float,
    max_rounds: int,
    answers: int = 1,
    tell: Callable[[float], None] | None = None,
) -> Mixed:
    """Solve a two-player game whose payoffs are given a row at a time.

    Parameters
    ----------
    row : payoffs of all actions of a player against one action of its rival; asked once for each.
    start : per player, actions of the first restricted game. tolerance : gain, as a share of the payoff, that is small enough.
    max_rounds : restricted games solved at most. answers : best responses, local ones among them, added in each.
    tell : is told the largest relative gain after each.

    Notes
    -----
    McMahan, Gordon & Blum (2003). Each round adds every player's best responses to the last restricted equilibrium. Where a
    restricted game is not solved within its work, the search begins anew from one action each.
    """
    held: list[list[int]] = [sorted(set(actions)) for actions in start]
    rows: list[dict[int, FloatArray]] = [{}, {}]

    def against(player: int, action: int) -> FloatArray:
        if action not in rows[player]:
            rows[player][action] = row(player, action)
        return rows[player][action]

    best: Mixed | None = None
    best_relative = np.inf
    for rounds in range(1, max_rounds + 1):
        tables = [np.stack([against(player, a)[held[player]] for a in held[1 - player]], axis=1) for player in (0, 1)]
        found = bimatrix_equilibrium(tables[0], tables[1].T)
        if found is None and best is None and max(map(len, held)) > 1:
            held = [[actions[len(actions) // 2]] for actions in held]
            continue
        if found is None:
            break
        payoffs = [
            np.einsum("s,sn->n", found[1 - player], np.stack([against(player, a) for a in held[1 - player]]))
            for player in (0, 1)
        ]
        value = np.array([found[player] @ payoffs[player][held[player]] for player in (0, 1)])
        gain = np.array([payoffs[player].max() for player in (0, 1)]) - value
        played = [found[player] > 0 for player in (0, 1)]
        now = Mixed(
            actions=(np.array(held[0])[played[0]], np.array(held[1])[played[1]]),
            probabilities=(found[0][played[0]], found[1][played[1]]),
            value=value,
            gain=np.maximum(gain, 0.0),
            rounds=rounds,
            stalled=False,
        )
        least = NOTHING * max(float(np.abs(payoff).max()) for payoff in payoffs)
        relative = float(np.max(now.gain / np.maximum(np.abs(value), least))) if now.gain.any() else 0.0
        if relative <= best_relative:
            best, best_relative = now, relative
        if tell is not None:
            tell(relative)
        if relative <= tolerance:
            return now
        new = [_answers(payoffs[player], float(value[player]), answers) for player in (0, 1)]
        if all(set(more) <= set(actions) for more, actions in zip(new, held, strict=True)):
            break
        held = [sorted({*actions, *more}) for more, actions in zip(new, held, strict=True)]
    assert best is not None, "the first restricted game is solved"
    return Mixed(
        actions=best.actions,
        probabilities=best.probabilities,
        value=best.value,
        gain=best.gain,
        rounds=rounds,
        stalled=True,
    )


def _answers(payoffs: FloatArray, value: float, number: int) -> list[int]:
    """The best action, and other peaks of the payoffs above a value, the highest first."""
    around = np.pad(payoffs, 1, constant_values=-np.inf)
    peaks = np.flatnonzero((payoffs >= around[:-2]) & (payoffs >= around[2:]) & (payoffs > value))
    ordered = peaks[np.argsort(-payoffs[peaks], kind="stable")][:number]
    return [int(np.argmax(payoffs)), *map(int, ordered)]
