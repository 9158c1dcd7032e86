"""Single cascades that earn more: all thresholds varied at once and priced at every level, in shrinking windows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from eqsolver._base import FloatArray, IntArray
from eqsolver.market import Market
from eqsolver.technology._curves import curves
from eqsolver.technology._evaluate import Cascade
from eqsolver.technology._grid import base_measure, grid
from eqsolver.technology._rules import Rules
from eqsolver.technology._schedule import REACH
from eqsolver.technology._scores import margin_scores
from eqsolver.technology._steps import Steps

VECTORS = 600
"""Threshold vectors priced per cascade and round."""

MOST = 24
"""Allotments looked at for one threshold."""

RUNGS = 120
"""Allotments of each provider between which a level's cost is interpolated."""

KEPT = 3
"""Vectors of each round that are handed back, for what interpolation cannot tell apart."""

_BLOCK = 1024


class Buying(Protocol):
    """What a search of cascades needs of a production set."""

    @property
    def market(self) -> Market: ...
    @property
    def rules(self) -> Rules: ...
    @property
    def steps(self) -> tuple[Steps, ...]: ...


def zoom_single(
    made: Buying, prices: FloatArray, levels: FloatArray, market_price: FloatArray, start: Cascade, *, wide: float, rounds: int
) -> list[Cascade]:
    """Cascades with the start's order whose mean margin looks largest, the most promising of every round.

    Parameters
    ----------
    prices : (M,) multipliers. levels : (L,) increasing. market_price : (L,) C_P, infinite where no provider reaches.
    wide : the first round looks from thresholds this many times as small to this many times as large (from 0, up to the
        middle of the provider's allotments). rounds : the most.

    Notes
    -----
    Mean margin against one threshold is rugged and has ridges along which two thresholds trade: moved one at a time, a
    search stops on them. So up to VECTORS combinations are priced at once: a stage of the cascade is one GEMM of the
    survival that each combination of earlier thresholds leaves with the provider's curve on RUNGS allotments; a level's cost is
    interpolated between rungs. Follow a cascade exactly to know what it earns. Time O(rounds x VECTORS x RUNGS x N).
    """
    order, tops = start.order, np.array(start.thresholds[:-1])
    if not tops.size:
        return []
    ladders = [grid(made.steps[i], base_measure(made.steps[i], made.market.weights), RUNGS) for i in order]
    per_axis = min(max(int(VECTORS ** (1 / tops.size) + 1e-9), 3), MOST)
    middle = np.array([ladder[ladder.size // 2] for ladder in ladders[:-1]])
    low, high = tops / wide, np.where(tops > 0, tops * wide, middle)
    found: list[Cascade] = []
    for _ in range(rounds):
        picks = [
            _steps_between(made.steps[i].at, a, top, b, per_axis)
            for i, a, top, b in zip(order[:-1], low, tops, high, strict=True)
        ]
        score, rests = _scores(made, prices, levels, market_price, order, picks, ladders)
        ranked = np.lexsort((score[1], np.where(rests >= 0, score[0], -np.inf)))[::-1][:KEPT]
        if rests[ranked[0]] < 0:
            break
        vectors = np.stack(np.meshgrid(*picks, indexing="ij"), axis=-1).reshape(-1, tops.size)
        found += [Cascade(order=order, thresholds=(*map(float, vectors[v]), float(rests[v]))) for v in ranked if rests[v] >= 0]
        tops = vectors[ranked[0]]
        if all(pick.size == 1 for pick in picks):
            break
        at = np.unravel_index(ranked[0], [pick.size for pick in picks])
        low = np.array([pick[max(k - 2, 0)] for pick, k in zip(picks, at, strict=True)])
        high = np.array([pick[min(k + 2, pick.size - 1)] for pick, k in zip(picks, at, strict=True)])
    return list(dict.fromkeys(found))


def _steps_between(at: FloatArray, low: float, here: float, high: float, count: int) -> FloatArray:
    """Allotments, 0 or steps, evenly spaced in number between two bounds, the current one among them."""
    first, last = np.searchsorted(at, [low * (1 - 1e-12), high * (1 + 1e-12)], side="right")
    spaced = np.geomspace(max(first, 0.5), last, count) if last > 4 * first else np.linspace(first, last, count)
    positions = np.unique(spaced.round().astype(np.int64))
    return np.unique(np.append(np.append(0.0, at)[positions], here))


def _scores(
    made: Buying,
    prices: FloatArray,
    levels: FloatArray,
    market_price: FloatArray,
    order: Sequence[int],
    picks: Sequence[FloatArray],
    ladders: Sequence[FloatArray],
) -> tuple[tuple[FloatArray, FloatArray], FloatArray]:
    """Mean margin and second criterion of every combination of thresholds, and what the cap leaves the last provider, (V,)."""
    points = [np.union1d(ladder, pick) for ladder, pick in zip(ladders, picks, strict=False)] + [ladders[-1]]
    shape = tuple(pick.size for pick in picks)
    where = [np.searchsorted(p, pick) for p, pick in zip(points, picks, strict=False)]
    solved, paid = _stages(made, prices, order, points, where)
    total = np.zeros(())
    for pick in picks:
        total = total[..., None] + pick
    rests: FloatArray = np.minimum(made.rules.largest_total - total, made.rules.largest_position).ravel()
    rests = np.where(np.isfinite(rests), rests, max(float(ladders[-1][-1]), float(made.steps[order[-1]].end)))
    rests[(rests < 0) & (rests > -1e-12 * max(made.rules.total_cap, 1e-300))] = 0.0
    wanted = levels - REACH
    cost = _along(solved[-1], paid[-1], wanted)
    reach = np.array([np.interp(rest, ladders[-1], row) for rest, row in zip(rests, solved[-1], strict=True)])
    cost[wanted[None, :] > reach[:, None]] = np.inf
    cost = cost.reshape(*shape, levels.size)
    for stage in range(len(picks) - 1, -1, -1):
        own = _along(solved[stage], paid[stage], wanted)
        spread = (*shape[:stage], *(1,) * (len(shape) - stage), levels.size)
        limit = solved[stage][:, where[stage]].reshape(*shape[: stage + 1], *(1,) * (len(shape) - stage - 1), 1)
        np.copyto(cost, own.reshape(spread), where=wanted <= limit)
    return margin_scores(cost.reshape(-1, levels.size), market_price), rests


def _stages(
    made: Buying, prices: FloatArray, order: Sequence[int], points: Sequence[FloatArray], where: Sequence[IntArray]
) -> tuple[list[FloatArray], list[FloatArray]]:
    """Per stage, the share solved and the bill (combinations of earlier thresholds, points of the stage's provider)."""
    rows = [int(np.prod([w.size for w in where[:stage]])) for stage in range(len(order))]
    solved = [np.ones((n, p.size)) for n, p in zip(rows, points, strict=True)]
    paid = [np.zeros((n, p.size)) for n, p in zip(rows, points, strict=True)]
    q = made.market.weights
    for begin in range(0, q.size, _BLOCK):
        block = np.arange(begin, min(begin + _BLOCK, q.size))
        standing = q[None, block]
        for stage, i in enumerate(order):
            S, F = curves(made.market.providers[i].take(block), points[stage], made.rules)
            solved[stage] -= standing @ S
            paid[stage] += prices[i] * (standing @ F)
            if stage < len(where):
                standing = (standing[:, None, :] * S[:, where[stage]].T).reshape(-1, block.size)
    for stage, kept in enumerate(where):
        paid[stage + 1] += paid[stage][:, kept].reshape(-1, 1)
    return solved, paid


def _along(solved: FloatArray, paid: FloatArray, levels: FloatArray) -> FloatArray:
    """(V, L) cost at each level along rows of increasing `solved`, infinite beyond their ends."""
    rows = [np.interp(levels, s, p, right=np.inf) for s, p in zip(solved, paid, strict=True)]
    return np.array(rows)
