"""What two providers would answer to each other's prices, and where answering in turn leads: for the eye, on coarse ticks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from eqsolver._base import FloatArray

TICKS = 96
"""Log-spaced prices per player."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Responses:
    """Best responses of two players on a grid of prices, the other providers' as posted.

    players : positions. prices : per player, (n,) multipliers. answers : per player, (n,) its best price against each of the
    other's. path : (T, 2) prices gone through by answering in turn, from posted prices. cycle : where the path returns to,
    a position in it; its last position if it came to rest.
    """

    players: tuple[int, int]
    prices: tuple[FloatArray, FloatArray]
    answers: tuple[FloatArray, FloatArray]
    path: FloatArray
    cycle: int

    @property
    def rests(self) -> bool:
        """Whether answering in turn comes to rest."""
        return self.cycle == len(self.path) - 1


def responses(
    sold: Callable[[FloatArray], FloatArray], players: tuple[int, int], base: FloatArray, costs: FloatArray, bounds: FloatArray
) -> Responses:
    """Best responses at every price of a grid, and the path of answering in turn.

    sold : (R, M) prices -> (R, M) units. base : (M,) posted prices. costs : (M,) κ. bounds : (M, 2).
    """
    own = [np.geomspace(float(bounds[i, 0]), float(bounds[i, 1]), TICKS) for i in players]
    first, second = np.meshgrid(*own, indexing="ij")
    prices = np.repeat(base[None], first.size, axis=0)
    prices[:, players[0]], prices[:, players[1]] = first.ravel(), second.ravel()
    every = np.concatenate([sold(prices[n : n + 4096]) for n in range(0, len(prices), 4096)])
    earned = [((prices - costs) * every)[:, i].reshape(first.shape) for i in players]
    best = earned[0].argmax(axis=0), earned[1].argmax(axis=1)
    start = [int(np.argmin(np.abs(np.log(each / base[i])))) for each, i in zip(own, players, strict=True)]
    path = [(start[0], start[1])]
    cycle = None
    while cycle is None:
        row, column = path[-1]
        row = int(best[0][column])
        column = int(best[1][row])
        cycle = path.index((row, column)) if (row, column) in path else None
        path += [(row, path[-1][1]), (row, column)] if cycle is None else [(row, path[-1][1]), path[cycle]]
    walked = np.array([[own[0][a], own[1][b]] for a, b in path])
    rests = path[-1] == path[-3]
    return Responses(
        players=players,
        prices=(own[0], own[1]),
        answers=(own[0][best[0]], own[1][best[1]]),
        path=walked[:-2] if rests else walked,
        cycle=len(path) - 3 if rests else cycle,
    )
