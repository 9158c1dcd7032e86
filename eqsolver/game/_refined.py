"""Mixed equilibria of two players on a fine lattice of prices: few prices at first, more where somebody still gains."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from eqsolver._base import BoolArray, FloatArray, IntArray
from eqsolver.game._bimatrix import bimatrix_equilibrium
from eqsolver.game._certificate import shares_of
from eqsolver.game._double_oracle import Mixed


class Payoffs(Protocol):
    """A game of two players whose actions are positions on a lattice of prices."""

    def table(self, player: int, own: IntArray, rival: IntArray, *, below: bool = False) -> FloatArray:
        """(n, m) profits of a player at some own positions (n,) against some of its rival (m,); `below` : at own prices just
        below those of the lattice."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Refinement:
    """How prices are added.

    entries : of the table of one restricted game, at most. rest : share of the tolerated gain that the gain by any price of the
    lattice, or just below one, may be: what is left is for prices between. answers : best responses added in a round, beside
    the prices that divide a gap within which somebody gains. progress, patience : it ends after so many rounds in a row that do
    not lower the largest gain to this share.
    """

    entries: int = 250_000
    rest: float = 0.8
    answers: int = 2
    progress: float = 0.9
    patience: int = 2


def refined(
    game: Payoffs,
    sizes: tuple[int, int],
    start: Sequence[IntArray],
    least: Callable[[Sequence[IntArray], Sequence[FloatArray]], float],
    *,
    tolerance: float,
    max_rounds: int,
    how: Refinement = Refinement(),
    tell: Callable[[float], None],
) -> Mixed:
    """Solve restricted games, each with more prices where the last left somebody a gain, until none is left or it ends.

    Parameters
    ----------
    sizes : positions of each player. start : per player, those of the first restricted game. least : what is played -> money
        of which gains are shares where a profit is less. tolerance : relative gain that is small enough. max_rounds : games.
    tell : is told the largest relative gain after each.

    Notes
    -----
    Where rivals undercut each other, each price played leaves a gap to the rival's next in which its player could ask for more:
    it takes prices some ε of the margin apart to leave no more than ε. Best responses alone (a double oracle) find them one by
    one; dividing every gap in which somebody gains finds them in the logarithm of their number.
    """
    begun = [np.unique(actions) for actions in start]
    held = begun
    best: Mixed | None = None
    best_relative, rounds, stale = np.inf, 0, 0
    while rounds < max_rounds and held[0].size * held[1].size <= how.entries:
        rounds += 1
        first, second = game.table(0, held[0], held[1]), game.table(1, held[1], held[0])
        probabilities = bimatrix_equilibrium(first, second.T)
        if probabilities is None:
            break
        value = np.array([q @ t @ r for q, t, r in zip(probabilities, (first, second), probabilities[::-1], strict=True)])
        scale = np.maximum(value, least(held, probabilities))
        looked = [_looked_at(game, p, held, probabilities[1 - p], sizes[p]) for p in (0, 1)]
        gain = np.array([max(float(payoffs.max() - v), 0.0) for (_, payoffs), v in zip(looked, value, strict=True)])
        relative = float(shares_of(gain, scale).max())
        played = [q > 0 for q in probabilities]
        stale = 0 if relative < how.progress * best_relative else stale + 1
        if best is None or relative < best_relative:
            best_relative = relative
            best = Mixed(
                actions=(held[0][played[0]], held[1][played[1]]),
                probabilities=(probabilities[0][played[0]], probabilities[1][played[1]]),
                value=value,
                gain=gain,
                rounds=rounds,
                stalled=False,
            )
        tell(best_relative)
        if relative <= how.rest * tolerance or stale > how.patience:
            break
        new: list[list[IntArray]] = [[], []]
        kept = [np.union1d(start, _kept(actions, on)) for start, actions, on in zip(begun, held, played, strict=True)]
        room = max(int(np.sqrt(how.entries)) - max(actions.size for actions in kept), 0) // 3
        for p, (at, payoffs) in enumerate(looked):
            small = how.rest * tolerance * scale[p]
            own, theirs = _added(held, played, p, (at, payoffs - value[p]), small, how.answers, room)
            new[p].append(own)
            new[1 - p].append(theirs)
        more = [np.unique(np.concatenate(parts)) for parts in new]
        if all(np.isin(positions, actions).all() for positions, actions in zip(more, held, strict=True)):
            break
        held = [np.union1d(actions, positions) for actions, positions in zip(kept, more, strict=True)]
    assert best is not None, "the first restricted game is solved"
    return best


def _looked_at(
    game: Payoffs, player: int, held: Sequence[IntArray], rival_plays: FloatArray, size: int
) -> tuple[IntArray, FloatArray]:
    """Positions at or just below which a price is tried, and (n,) the better of both payoffs."""
    own, rival = held[player], held[1 - player][rival_plays > 0]
    middles = (own[1:] + own[:-1]) // 2
    at = np.unique(np.clip(np.concatenate([own, middles, rival, rival + 1]), 0, size - 1))
    shares = rival_plays[rival_plays > 0]
    here, under = (game.table(player, at, rival, below=below) @ shares for below in (False, True))
    return at, np.maximum(here, under)


def _added(
    held: Sequence[IntArray],
    played: Sequence[BoolArray],
    player: int,
    looked: tuple[IntArray, FloatArray],
    small: float,
    answers: int,
    room: int,
) -> tuple[IntArray, IntArray]:
    """Positions to add for the player and for its rival: the best answers, and such as divide gaps in which the player gains.

    Such a gap lies between a position of its own and the next of its rival's that is played. It is divided into so many parts
    that they leave no more than `small` to gain in any; its rival's new position comes first, so that both still take turns.
    Of more gaps than there is `room` for new positions of each, those with the largest gains are divided.
    """
    at, gain = looked
    own, rival = held[player], held[1 - player][played[1 - player]]
    worth = np.flatnonzero(gain > small)
    worth = worth[np.argsort(-gain[worth], kind="stable")]
    between = np.isin(at[worth], rival)
    ends, wanted = at[worth][between], gain[worth][between]
    place = np.searchsorted(own, ends, side="left")
    low, high, wanted = own[place[place > 0] - 1], ends[place > 0], wanted[place > 0]
    pairs = np.minimum(np.ceil((wanted / small - 1) / 2), (high - low - 1) // 2).astype(np.int64)
    pairs[np.cumsum(pairs) > room] = 0
    top = at[worth[:answers]]
    mine, theirs = [top[~np.isin(top, high[pairs == 0])]], [np.zeros(0, dtype=np.int64)]
    for a, b, k in zip(low, high, pairs, strict=True):
        inner = a + np.round((b - a) * np.arange(1, 2 * k + 1) / (2 * k + 1)).astype(np.int64)
        theirs.append(inner[0::2])
        mine.append(inner[1::2])
    smooth = at[worth][~np.isin(at[worth], np.concatenate([rival, rival + 1, own]))]
    return np.concatenate([*mine, smooth[:room]]), np.concatenate(theirs)


def _kept(actions: IntArray, played: BoolArray) -> IntArray:
    """Positions played and their neighbours."""
    near = played.copy()
    near[1:] |= played[:-1]
    near[:-1] |= played[1:]
    return np.asarray(actions[near])
