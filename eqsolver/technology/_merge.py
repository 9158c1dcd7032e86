"""A path seen as one more provider: every way to merge another provider's slices into it, all places and sizes at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from eqsolver._base import FloatArray
from eqsolver.technology._columns import Columns
from eqsolver.technology._curves import FIRST
from eqsolver.technology._path import Block
from eqsolver.technology._schedule import REACH


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Spine:
    """A path at T checkpoints, the first before anything is bought; each of its T - 1 moves buys from one provider.

    moves : T - 1 blocks (provider, allotment). total : (T,) what is allotted over all providers at each checkpoint.
    unsolved : (T, N) chance that the problem is drawn and still unsolved.
    spent : (T - 1, N) expected money that each move spends on each problem, at the prices it was made for.
    """

    moves: tuple[Block, ...]
    total: FloatArray
    unsolved: FloatArray
    spent: FloatArray


def spine(columns: Columns, weights: FloatArray, prices: FloatArray, moves: Sequence[Block]) -> Spine:
    """Follow a path from move to move on every problem; see `Stands`."""
    return Stands(columns, weights, prices, moves).whole()


class Stands:
    """What every provider of a path leaves unsolved and costs at every move, from which the path is followed with all or all
    but one of them.

    Parameters
    ----------
    weights : (N,). prices : (M,) multipliers. moves : T - 1 blocks whose allotments rise per provider (split one to let
        others in). out : the providers that are to be left out, one at a time.

    Notes
    -----
    Survival and spend come from the curves at the moves' own allotments: no grid. Leaving out each of P providers in turn
    takes 3 P products of (T, N) arrays, by products from the front and from the back, not P^2; providers that stay are
    multiplied into one. Memory about 4 (2 P + 1) T N numbers.
    """

    def __init__(
        self, columns: Columns, weights: FloatArray, prices: FloatArray, moves: Sequence[Block], out: Sequence[int] = ()
    ) -> None:
        self._moves, self._weights = tuple(moves), weights
        self._mover = np.array([i for i, _ in moves], dtype=np.int64)
        self._factors: list[_Factor] = []
        for i in dict.fromkeys(self._mover.tolist()):
            mine = self._mover == i
            points = np.append(0.0, [b for j, b in moves if j == i])
            stage = np.append(0, np.cumsum(mine))
            S, F = columns.of(i, points)
            standing = S[stage]
            spent = standing[1:].copy()
            spent[mine] = prices[i] * np.diff(F, axis=0)
            found = _Factor(provider=i if i in out else None, standing=standing, spent=spent, at=points[stage])
            if found.provider is None and self._factors and self._factors[-1].provider is None:
                self._factors[-1].join(found)
            else:
                self._factors.append(found)

    def whole(self) -> Spine:
        """The path as it is."""
        unsolved, spent = np.tile(self._weights, (len(self._moves) + 1, 1)), np.tile(self._weights, (len(self._moves), 1))
        for factor in self._factors:
            unsolved *= factor.standing
            spent *= factor.spent
        total = np.sum([factor.at for factor in self._factors], axis=0) + np.zeros(len(self._moves) + 1)
        return Spine(moves=self._moves, total=total, unsolved=unsolved, spent=spent)

    def without_each(self) -> Iterator[tuple[int, Spine]]:
        """Each provider of `out`, and the path without its moves."""
        last = len(self._factors) - 1
        back: list[tuple[FloatArray, FloatArray]] = [(np.ones(()), np.ones(()))]
        for factor in self._factors[:0:-1]:
            back.append((back[-1][0] * factor.standing, back[-1][1] * factor.spent))
        front: tuple[FloatArray, FloatArray] = (self._weights[None, :], self._weights[None, :])
        every = np.sum([factor.at for factor in self._factors], axis=0)
        shape = (len(self._moves) + 1, self._weights.size)
        for k, factor in enumerate(self._factors):
            if factor.provider is not None:
                others = self._mover != factor.provider
                kept, behind = np.append(0, np.flatnonzero(others) + 1), back[last - k]
                yield (
                    factor.provider,
                    Spine(
                        moves=tuple(move for move, other in zip(self._moves, others, strict=True) if other),
                        total=(every - factor.at)[kept],
                        unsolved=np.broadcast_to(front[0] * behind[0], shape)[kept],
                        spent=np.broadcast_to(front[1] * behind[1], (shape[0] - 1, shape[1]))[others],
                    ),
                )
            front = front[0] * factor.standing, front[1] * factor.spent


@dataclass(slots=True, kw_only=True)
class _Factor:
    """What one provider (None: several that stay) leaves unsolved at T checkpoints and makes of the T - 1 moves' spend."""

    provider: int | None
    standing: FloatArray
    spent: FloatArray
    at: FloatArray

    def join(self, other: _Factor) -> None:
        self.standing *= other.standing
        self.spent *= other.spent
        self.at = self.at + other.at


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Merged:
    """The cheapest way to every node (t, b): the spine up to checkpoint t, and one of K other providers up to point b.

    solved, value : (K, T, B) share solved and least cost. along : (K, T - 1, B) cost of the spine's moves.
    own : (K, T, B - 1) cost of the other provider's slices. total : (K, T, B) what is allotted over all providers.
    points : K arrays (B,) of allotments, 0 first; shorter ones repeat their last.
    """

    base: Spine
    points: FloatArray
    solved: FloatArray
    value: FloatArray
    along: FloatArray
    own: FloatArray
    total: FloatArray


def merged(base: Spine, points: FloatArray, S: FloatArray, F: FloatArray) -> Merged:
    """All merges of each of K providers into a path.

    Parameters
    ----------
    points : (K, B) allotments of the others, 0 first, nondecreasing.
    S, F : (K, B, N) their survival, and the money they cost at their prices.

    Notes
    -----
    On a problem a path has a survival and a spend at each of its checkpoints, as a provider has at its allotments: a path is a
    provider. So THEORY section 4 applies to the two as it stands: three GEMMs of 2 N T K B flops give every node and
    edge of the K product grids, and a scan over t the cheapest of all interleavings that keep the path's own sequence. The
    providers on the path must not be among the K.
    """
    (T, N), (K, B) = base.unsolved.shape, points.shape
    flat, slices = S.reshape(K * B, N).T, np.diff(F, axis=1).reshape(K * (B - 1), N).T
    unsolved = (base.unsolved @ flat).reshape(T, K, B).transpose(1, 0, 2)
    along = (base.spent @ flat).reshape(T - 1, K, B).transpose(1, 0, 2)
    own = (base.unsolved @ slices).reshape(T, K, B - 1).transpose(1, 0, 2)
    value = np.zeros((K, T, B))
    np.cumsum(own, axis=2, out=value[:, :, 1:])
    for t in range(1, T):
        running = value[:, t]
        arrival = value[:, t - 1] + along[:, t - 1] - running
        value[:, t] = running + np.minimum.accumulate(arrival, axis=1)
    return Merged(
        base=base,
        points=points,
        solved=1.0 - unsolved,
        value=value,
        along=along,
        own=own,
        total=base.total[None, :, None] + points[:, None, :],
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ending:
    """For each of the K providers, where the cheapest path to a level makes its last move, and about what it costs.

    cost : (K,) infinite where the level is not reached. node : (K,) flat index (t, b) from which the last move is made.
    by_spine : (K,) whether it is the spine's; otherwise the other provider's.
    """

    cost: FloatArray
    node: np.ndarray
    by_spine: np.ndarray


def ending(found: Merged, level: float, cap: float) -> Ending:
    """The cheapest move across a level, its cost counted in proportion to the part of the move that is needed.

    cap : on what is allotted in all; a last move may be cut short by it, so only its start has to be within.

    Notes
    -----
    The cost is an estimate, exact where moves are single steps; follow the path to know. A first attempt on every problem
    (`FIRST`) is a single step.
    """
    K, T, B = found.value.shape
    first = (
        np.array([b == FIRST for _, b in found.base.moves], dtype=bool)[None, :, None],
        (found.points[:, 1:] == FIRST)[:, None, :],
    )
    here = (found.solved < level - REACH) & (found.total <= cap * (1 + 1e-12))
    costs = []
    for axis, edge, whole in ((1, found.along, first[0]), (2, found.own, first[1])):
        start = (slice(None), slice(0, T - 1) if axis == 1 else slice(None), slice(0, B - 1) if axis == 2 else slice(None))
        after = (slice(None), slice(1, None) if axis == 1 else slice(None), slice(1, None) if axis == 2 else slice(None))
        gain = found.solved[after] - found.solved[start]
        crossing = here[start] & (found.solved[after] >= level - REACH)
        part = np.divide(level - found.solved[start], gain, out=np.ones_like(gain), where=crossing & (gain > 0) & ~whole)
        cost = np.full((K, T, B), np.inf)
        cost[start] = np.where(crossing, found.value[start] + np.minimum(part, 1.0) * edge, np.inf)
        costs.append(cost.reshape(K, T * B))
    nodes = [cost.argmin(axis=1) for cost in costs]
    best = [cost[np.arange(K), node] for cost, node in zip(costs, nodes, strict=True)]
    by_spine = best[0] <= best[1]
    return Ending(cost=np.where(by_spine, *best), node=np.where(by_spine, *nodes), by_spine=by_spine)


def retrace(found: Merged, k: int, node: int, provider: int, by_spine: bool | None = None) -> tuple[Block, ...]:
    """The cheapest path to a node (t, b) of the k-th provider, which is `provider` in the market, and one move beyond it."""
    B = found.value.shape[2]
    t, b = divmod(int(node), B)
    points, moves = found.points[k], found.base.moves
    taken: list[Block] = []
    if by_spine is not None:
        taken.append(moves[t] if by_spine else (provider, float(points[b + 1])))
    while t or b:
        from_spine = found.value[k, t - 1, b] + found.along[k, t - 1, b] if t else np.inf
        from_other = found.value[k, t, b - 1] + found.own[k, t, b - 1] if b else np.inf
        if from_spine <= from_other:
            t -= 1
            taken.append(moves[t])
        else:
            taken.append((provider, float(points[b])))
            b -= 1
    return joined(taken[::-1])


def joined(moves: Sequence[Block]) -> tuple[Block, ...]:
    """The same path with neighbouring moves of one provider made one block, and moves that buy nothing left out."""
    blocks: list[Block] = []
    position: dict[int, float] = {}
    for i, b in moves:
        if b <= position.get(i, 0.0):
            continue
        position[i] = b
        if blocks and blocks[-1][0] == i:
            blocks.pop()
        blocks.append((i, b))
    return tuple(blocks)
