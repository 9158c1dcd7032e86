"""The best single cascade: one order and one threshold vector for all levels, fitted to mean margin as in [OSH]."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from eqsolver._base import FloatArray, IntArray
from eqsolver.technology._cascade import threshold_table
from eqsolver.technology._evaluate import Cascade, evaluate
from eqsolver.technology._policies import weighted
from eqsolver.technology._technology import Technology

_ROWS = 4096
_POLISHED = 3
_CANDIDATES = 12
_SWEEPS = 4


def fit_cascade(made: Technology, prices: FloatArray, levels: FloatArray, market_price: FloatArray) -> Cascade:
    """The order and thresholds with the largest mean margin over the levels that have a market price.

    Parameters
    ----------
    prices : (M,) multipliers. levels : (L,) increasing. market_price : (L,) C_P, infinite where no provider reaches.

    Notes
    -----
    All orders and grid thresholds at once, then each order's best is improved one threshold at a time on the exact steps
    between its grid neighbours. Where no level has a market price, the cascade that reaches most levels, most cheaply.
    """
    edges, solved, allowed = weighted(made, prices), made.solved, made.allowed
    A = len(made.access)
    coarse = _ROWS if A == 2 else int(_ROWS ** (1 / max(A - 1, 1)))
    found: list[tuple[tuple[float, float], tuple[int, ...], list[IntArray]]] = []
    for order in itertools.permutations(range(A)):
        first = order[:-1]
        strides = [-(-solved.shape[axis] // coarse) for axis in first]
        kept = [np.arange(0, solved.shape[axis], stride) for axis, stride in zip(first, strides, strict=True)]
        while True:
            table = threshold_table(solved, edges, allowed, order, levels, kept)
            main, second = _scores(table.cost, market_price)
            tops = sum((made.grid[axis][table.thresholds[:, s]] for s, axis in enumerate(first)), np.zeros(len(main)))
            main = np.where(tops <= made.rules.total_cap * (1 + 1e-12), main, -np.inf)
            row = np.lexsort((second, main))[-1]
            best = table.thresholds[row]
            if all(stride == 1 for stride in strides):
                break
            finer = [max(1, stride // 4) for stride in strides]
            kept = [
                np.arange(max(at - stride, 0), min(at + stride, solved.shape[axis] - 1) + 1, fine)
                for at, axis, stride, fine in zip(best, first, strides, finer, strict=True)
            ]
            strides = finer
        found.append(((float(main[row]), float(second[row])), order, best))
    found.sort(key=lambda entry: entry[0], reverse=True)
    result: tuple[tuple[float, float], Cascade] | None = None
    for score, order, best in found[: 1 if made.exact else _POLISHED]:
        if result is not None and score[0] < result[0][0] - 0.01:
            break
        chosen = [float(made.grid[axis][at]) for axis, at in zip(order[:-1], best, strict=True)]
        widths = [_neighbours(made, axis, int(at)) for axis, at in zip(order[:-1], best, strict=True)]
        cascade = _with_rest(made, [made.access[axis] for axis in order], chosen)
        improved = _improve(made, cascade, widths, prices, levels, market_price)
        if result is None or improved[0] > result[0]:
            result = improved
    assert result is not None
    return result[1]


def _scores(cost: FloatArray, market_price: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean margin per row, and a second criterion between rows of equal margin: levels reached, then cost."""
    priced = np.isfinite(market_price)
    reached = np.isfinite(cost)
    scale = np.max(cost, initial=1e-300, where=reached)
    second = reached.sum(axis=-1) - np.where(reached, cost / scale, 0.0).sum(axis=-1) / (cost.shape[-1] + 1)
    if not priced.any():
        return np.zeros(cost.shape[:-1]), second
    margin = np.maximum(1.0 - cost[..., priced] / market_price[priced], 0.0)
    return margin.mean(axis=-1), second


def _neighbours(made: Technology, axis: int, index: int) -> tuple[float, float]:
    points = made.grid[axis]
    return float(points[max(index - 1, 0)]), float(points[min(index + 1, points.size - 1)])


def _with_rest(made: Technology, order: Sequence[int], tops: Sequence[float]) -> Cascade:
    """Fill in the last threshold: what the cap leaves."""
    rules = made.rules
    if np.isfinite(rules.total_cap):
        rest = max(rules.total_cap - sum(tops), 0.0)
    else:
        rest = rules.provider_cap if np.isfinite(rules.provider_cap) else made.steps[order[-1]].end
    return Cascade(order=tuple(order), thresholds=(*(float(t) for t in tops), float(rest)))


def _improve(
    made: Technology,
    cascade: Cascade,
    widths: list[tuple[float, float]],
    prices: FloatArray,
    levels: FloatArray,
    market_price: FloatArray,
) -> tuple[tuple[float, float], Cascade]:
    def score_of(candidate: Cascade) -> tuple[float, float]:
        main, second = _scores(evaluate(made.market, made.rules, made.steps, candidate, levels).cost, market_price)
        return float(main), float(second)

    score = score_of(cascade)
    if made.exact:
        return score, cascade
    for _ in range(_SWEEPS):
        improved = False
        for s, (low, high) in enumerate(widths):
            at = made.steps[cascade.order[s]].at
            inside = np.append(0.0, at)[slice(*np.searchsorted(np.append(0.0, at), (low, high)))]
            picked = inside[np.unique(np.linspace(0, inside.size - 1, _CANDIDATES).astype(int))] if inside.size else inside
            for top in picked:
                tops = list(cascade.thresholds[:-1])
                tops[s] = float(top)
                if sum(tops) > made.rules.total_cap:
                    continue
                candidate = _with_rest(made, cascade.order, tops)
                found = score_of(candidate)
                if found > score:
                    score, cascade, improved = found, candidate, True
            here, half = cascade.thresholds[s], (high - low) / 4
            widths[s] = (max(here - half, low), min(here + half, high))
        if not improved:
            break
    return score, cascade
