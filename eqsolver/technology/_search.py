"""Better paths from good ones: providers taken out and merged back in, others let in, until no level improves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from eqsolver._base import FloatArray
from eqsolver.market import Market
from eqsolver.technology._grid import base_measure, grid
from eqsolver.technology._merge import Merged, Spine, Stands, ending, merged, retrace
from eqsolver.technology._path import Block, Path
from eqsolver.technology._pool import Pool
from eqsolver.technology._steps import Steps

BATCH_BYTES = 64 * 2**20
"""Memory for the curves of the providers let in at once."""


TAKEN_OUT = 16
"""Providers of a path that are taken out and merged back in one round, each path from another one on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """How finely merges are searched.

    checkpoints : of a path, beside the ends of its blocks. points : of a provider to be let in.
    around : further points on either side of each place where a provider on the path stops. rounds : at most.
    """

    checkpoints: int
    points: int
    around: int
    rounds: int


class Ladders:
    """Allotments of each provider at which paths may be cut or continued, drawn once from its steps."""

    def __init__(self, market: Market, steps: Sequence[Steps], points: int) -> None:
        self._weights, self._steps, self._points = market.weights, steps, points
        self._made: dict[int, FloatArray] = {}

    def of(self, i: int) -> FloatArray:
        """(J,) allotments of provider i, 0 first."""
        if i not in self._made:
            steps = self._steps[i]
            self._made[i] = grid(steps, base_measure(steps, self._weights), self._points)
        return self._made[i]


def improve(pool: Pool, providers: Sequence[int], detail: Detail, tolerance: float = 0.0) -> float:
    """Merge providers into the pool's paths until no level improves by more than a tolerance, or the rounds are over.

    providers : positions of those that may be bought from. tolerance : relative.

    Returns the largest relative change of a level's cost in the last round.

    Notes
    -----
    For each path that is best somewhere: each of its providers (of very many, some) is taken out and merged back in the
    cheapest way, and each other provider is merged into it; what is found is followed exactly and kept where it is cheaper.
    Every round lowers the cost of some level or ends the search: a descent, whose result is never worse than what it was given.
    """
    ladders = Ladders(pool.market, pool.steps, detail.points)
    tried: set[Path] = set()
    change = 0.0
    for _ in range(detail.rounds):
        before, reach = pool.cost.copy(), pool.reach
        fresh = {path: levels for path, levels in pool.held().items() if path not in tried}
        if pool.furthest and pool.furthest not in tried:
            fresh.setdefault(pool.furthest, [])
        for path, levels in fresh.items():
            tried.add(path)
            for candidate in list(_near(pool, ladders, path, levels, providers, detail, len(tried))):
                pool.offer(candidate)
        known = np.isfinite(before)
        change = float(np.max(1.0 - pool.cost[known] / before[known], initial=0.0))
        if change <= tolerance and np.isfinite(pool.cost).sum() == known.sum() and pool.reach <= reach + 1e-9:
            break
    return change


def _near(
    pool: Pool, ladders: Ladders, path: Path, levels: Sequence[int], providers: Sequence[int], detail: Detail, turn: int
) -> Iterator[Path]:
    """The best merges of one path at the levels it holds, and those that reach furthest.

    turn : from which of its providers on every so many are taken out, where there are more than TAKEN_OUT.
    """
    bought = list(dict.fromkeys(i for i, _ in path))
    rotated = bought[turn % len(bought) :] + bought[: turn % len(bought)]
    out = rotated[:: -(-len(bought) // TAKEN_OUT)] if len(bought) > 1 else []
    stands = Stands(pool.columns, pool.market.weights, pool.prices, divided(ladders, path, detail.checkpoints), out)
    for i, rest in stands.without_each():
        points = around(pool, ladders.of(i), i, [b for j, b in path if j == i], detail.around)
        yield from _best(pool, rest, [i], [points], levels, keep=1)
    others = [i for i in providers if i not in bought]
    whole = stands.whole()
    size = max(1, BATCH_BYTES // (16 * pool.market.weights.size * detail.points))
    for start in range(0, len(others), size):
        batch = others[start : start + size]
        yield from _best(pool, whole, batch, [ladders.of(i) for i in batch], levels, keep=2)


def _best(
    pool: Pool, base: Spine, others: Sequence[int], points: Sequence[FloatArray], levels: Sequence[int], keep: int
) -> Iterator[Path]:
    found = merge_providers(pool, base, others, points)
    for level in levels:
        last = ending(found, float(pool.levels[level]), pool.rules.largest_total)
        for k in np.argsort(last.cost, kind="stable")[:keep]:
            if last.cost[k] < pool.cost[level] * (1 - TOO_LITTLE):
                yield retrace(found, int(k), int(last.node[k]), others[k], bool(last.by_spine[k]))
    yield from _furthest(pool, found, others)


def merge_providers(pool: Pool, base: Spine, others: Sequence[int], points: Sequence[FloatArray]) -> Merged:
    """`merged` for providers of the market, at the pool's prices; the shorter lists of points repeat their last."""
    width = max(p.size for p in points)
    filled = np.stack([np.append(p, np.full(width - p.size, p[-1])) for p in points])
    both = [pool.columns.of(i, p) for i, p in zip(others, filled, strict=True)]
    S = np.stack([s for s, _ in both])
    F = np.stack([pool.prices[i] * f for i, (_, f) in zip(others, both, strict=True)])
    return merged(base, filled, S, F)


def _furthest(pool: Pool, found: Merged, others: Sequence[int]) -> Iterator[Path]:
    """The merge that solves most within the cap, if it solves more than any path so far."""
    within = np.where(found.total <= pool.rules.largest_total, found.solved, 0.0)
    k, node = divmod(int(within.argmax()), within[0].size)
    if within.max() > pool.reach + 1e-9:
        yield retrace(found, k, node, others[k])


TOO_LITTLE = 1e-4
"""A merge has to promise at least this relative improvement to be followed."""


def divided(ladders: Ladders, path: Path, checkpoints: int) -> Path:
    """The path with its blocks split at their ladders' allotments, at about so many places."""
    position: dict[int, float] = {}
    inner: list[FloatArray] = []
    for i, b in path:
        ladder = ladders.of(i)
        inner.append(ladder[(ladder > position.get(i, 0.0)) & (ladder < b)])
        position[i] = b
    every = max(1, -(-sum(p.size for p in inner) // checkpoints))
    moves: list[Block] = []
    for (i, b), p in zip(path, inner, strict=True):
        moves += [(i, float(a)) for a in p[every - 1 :: every]]
        moves.append((i, b))
    return tuple(moves)


def around(pool: Pool, ladder: FloatArray, i: int, ends: Sequence[float], count: int) -> FloatArray:
    """The ladder, the places where the provider stops now, and steps of its curves on either side of each."""
    at = pool.steps[i].at
    points = [ladder, np.array(ends)]
    for end in ends if count else ():
        low, high = (int(np.searchsorted(ladder, end * (1 + s * 1e-9))) for s in (-1, 1))
        left, right = ladder[max(low - 1, 0)], ladder[min(high, ladder.size - 1)]
        first, here, stop = np.searchsorted(at, [left, end, right * (1 + 1e-12)])
        for lo, hi in ((first, here), (here, stop)):
            if hi > lo:
                points.append(at[np.unique(np.linspace(lo, hi - 1, count).astype(np.int64))])
    return np.unique(np.concatenate(points))
