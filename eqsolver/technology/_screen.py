"""Which of very many providers a buyer should look at: conditional success per money, given what good paths leave unsolved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eqsolver._base import FloatArray
from eqsolver.market import Market
from eqsolver.technology._curves import curves
from eqsolver.technology._grid import base_measure, grid
from eqsolver.technology._merge import Spine, ending, merged, spine
from eqsolver.technology._path import Block, Path
from eqsolver.technology._pool import Pool
from eqsolver.technology._rules import Rules
from eqsolver.technology._steps import Steps

SIZES = 6
"""Allotments of a provider that screening looks at, 0 among them."""

PATHS = 8
PLACES = 16
"""Paths of the pool, and places on each, that providers are tried at when screening."""

TAKEN = 12
"""Providers that one screening adds at most."""

BATCH_BYTES = 128 * 2**20


def greedy_path(market: Market, rules: Rules, steps: Sequence[Steps], prices: FloatArray, providers: Sequence[int]) -> Path:
    """Buy from the provider, and as much, as solves most per money among what is still unsolved; then again.

    Notes
    -----
    One matrix-vector product per block over all providers and SIZES allotments of each; each provider is bought from once.
    """
    cached = list(_coarse(market, rules, steps, prices, providers, np.float32))
    left: NDArray[Any] = market.weights.astype(np.float32)
    room = rules.largest_total
    blocks: list[Block] = []
    taken: set[int] = set()
    while len(taken) < len(providers):
        best: tuple[float, Block, NDArray[Any]] | None = None
        for batch, points, S, F in cached:
            solved, spent = left.sum() - S @ left, F @ left
            open_to = np.array([i not in taken for i in batch])[:, None] & (points <= room) & (solved > 1e-9) & (spent > 0)
            index = np.divide(solved, spent, out=np.zeros_like(solved), where=open_to)
            k, b = np.unravel_index(int(index.argmax()), index.shape)
            if index[k, b] > (best[0] if best else 0.0):
                best = float(index[k, b]), (batch[k], float(points[k, b])), S[k, b]
        if best is None:
            break
        _, block, survived = best
        blocks.append(block)
        taken.add(block[0])
        left, room = left * survived, room - block[1]
    return tuple(blocks)


def promising(pool: Pool, providers: Sequence[int]) -> list[int]:
    """Providers that would make some level of the pool cheaper if one block of theirs were merged into its path; best first.

    Notes
    -----
    Coarse: PLACES on each of PATHS paths, and SIZES allotments. At most TAKEN are named.
    """
    held = pool.held()
    if len(held) > PATHS:
        kept = np.linspace(0, len(held) - 1, PATHS).round().astype(np.int64)
        held = {path: held[path] for path in [list(held)[k] for k in kept]}
    bases = {path: _thinned(spine(pool.columns, pool.market.weights, pool.prices, path)) for path in held}
    gain: dict[int, float] = {}
    for batch, points, S, F in _coarse(pool.market, pool.rules, pool.steps, pool.prices, providers, np.float64):
        for path, levels in held.items():
            outside = [k for k, i in enumerate(batch) if i not in {j for j, _ in path}]
            if not outside:
                continue
            found = merged(bases[path], points[outside], S[outside], F[outside])
            for level in levels:
                cost = ending(found, float(pool.levels[level]), pool.rules.largest_total).cost
                for k, c in zip(outside, cost, strict=True):
                    gain[batch[k]] = max(gain.get(batch[k], 0.0), 1.0 - float(c) / float(pool.cost[level]))
    ranked = sorted(gain, key=lambda i: (-gain[i], pool.market.names[i]))
    return [i for i in ranked if gain[i] > WORTH][:TAKEN]


WORTH = 1e-4
"""A provider that promises no level a larger relative gain than this is not looked at."""


def _thinned(base: Spine) -> Spine:
    """The same path with few checkpoints, for its costs only: it cannot be traced back."""
    T = base.total.size
    kept = np.unique(np.linspace(0, T - 1, min(T, PLACES)).round().astype(np.int64))
    spent = np.add.reduceat(base.spent, kept[:-1], axis=0) if T > 1 else base.spent
    return Spine(moves=(), total=base.total[kept], unsolved=base.unsolved[kept], spent=spent)


def _coarse(
    market: Market,
    rules: Rules,
    steps: Sequence[Steps],
    prices: FloatArray,
    providers: Sequence[int],
    kind: type[np.floating[Any]],
) -> Iterator[tuple[list[int], FloatArray, NDArray[Any], NDArray[Any]]]:
    """Batches of providers: their positions, allotments (K, B), survival and money (K, B, N)."""
    size = max(1, BATCH_BYTES // (16 * market.weights.size * SIZES))
    for start in range(0, len(providers), size):
        batch = list(providers[start : start + size])
        points = np.zeros((len(batch), SIZES))
        S = np.empty((len(batch), SIZES, market.weights.size), dtype=kind)
        F = np.empty_like(S)
        for k, i in enumerate(batch):
            found = grid(steps[i], base_measure(steps[i], market.weights), SIZES)
            points[k] = np.append(found, np.full(SIZES - found.size, found[-1]))
            survived, spent = curves(market.providers[i], points[k], rules)
            S[k], F[k] = survived.T, prices[i] * spent.T
        yield batch, points, S, F
