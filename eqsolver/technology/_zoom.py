"""Cascades between grid points: a small product grid around each, which shrinks onto the best cascade for its level."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eqsolver._base import FloatArray, IntArray
from eqsolver.technology._curves import curves
from eqsolver.technology._path import Block
from eqsolver.technology._schedule import REACH
from eqsolver.technology._technology import Technology

VECTORS = 1024
"""Threshold vectors looked at per cascade and round."""

MOST = 32
"""Allotments looked at for one threshold."""

ENDS = 12
"""Allotments of the last provider looked at; the level is met at or between them."""

SPAN = 3
"""Grid points on either side of each threshold within which the first round looks."""

_BLOCK = 1024


@dataclass(slots=True)
class _Window:
    """The cascade found so far for one level, and where to look next; positions count steps, 0 for nothing bought.

    path : the cascade, its last block ending at or after the level. level : the level it serves.
    low, high : (A,) positions between which to look, one pair per block.
    """

    path: tuple[Block, ...]
    level: float
    low: FloatArray
    high: FloatArray


def zoom(
    made: Technology, prices: FloatArray, starts: Sequence[tuple[tuple[Block, ...], float]], rounds: int
) -> list[tuple[Block, ...]]:
    """Cheaper cascades near given ones, each for one level, with the same order of providers.

    Parameters
    ----------
    prices : (M,) multipliers. starts : pairs of a path with one block per provider and the level it is to serve.
    rounds : the most; fewer where no steps are left between those looked at.

    Returns
    -------
    The paths with all but the last threshold moved, and the last where the level is met (up to the steps looked at).

    Notes
    -----
    Cost against a threshold is rugged: an attempt on a few problems more moves it by as much as a whole grid interval. So
    all thresholds are varied at once, on up to `VECTORS` combinations, and the range shrinks around the best. All starts
    advance together: one call per provider reads the curves of all. Time O(rounds x starts x VECTORS x ENDS x N); memory is
    bounded by blocks of problems.
    """
    windows = [_window(made, path, level) for path, level in starts]
    active = [window for window in windows if len(window.path) > 1]
    for _ in range(rounds):
        picks = [[_picked(window, block, len(window.path)) for block in range(len(window.path))] for window in active]
        tables = _tables(made, prices, active, picks)
        active = [w for w, p, table in zip(active, picks, tables, strict=True) if not _shrink(made, w, p, *table)]
        if not active:
            break
    return [window.path for window in windows]


def _window(made: Technology, path: tuple[Block, ...], level: float) -> _Window:
    low, high = np.zeros(len(path)), np.zeros(len(path))
    for block, (i, top) in enumerate(path):
        points, steps = made.grid[made.access.index(i)], made.steps[i].at
        here = int(np.searchsorted(points, top * (1 - 1e-12)))
        bounds = points[[max(here - SPAN, 0), min(here + SPAN, points.size - 1)]]
        low[block], high[block] = np.searchsorted(steps, bounds * (1 + 1e-12), side="right")
    return _Window(path=path, level=level, low=low, high=high)


def _picked(window: _Window, block: int, blocks: int) -> IntArray:
    """(n,) positions of the steps to look at, the threshold found so far being near the middle of its range."""
    most = ENDS if block == blocks - 1 else min(max(int(VECTORS ** (1 / (blocks - 1)) + 1e-9), 2), MOST)
    return np.unique(np.linspace(window.low[block], window.high[block], most).round().astype(np.int64))


def _allotment(made: Technology, provider: int, position: IntArray) -> FloatArray:
    at = made.steps[provider].at
    return np.where(position > 0, at[np.maximum(position - 1, 0)], 0.0)


def _tables(
    made: Technology, prices: FloatArray, windows: Sequence[_Window], picks: Sequence[Sequence[IntArray]]
) -> list[tuple[FloatArray, FloatArray]]:
    """For each window the share solved and the bill, (n_1, ..., n_A), at every combination of the steps picked."""
    shapes = [tuple(pick.size for pick in own) for own in picks]
    solved, bill = [np.ones(shape) for shape in shapes], [np.zeros(shape) for shape in shapes]
    where: dict[int, list[tuple[int, int]]] = {}
    for number, window in enumerate(windows):
        for block, (i, _) in enumerate(window.path):
            where.setdefault(i, []).append((number, block))
    looked = {
        i: np.unique(np.concatenate([picks[w][b] for w, b in users]), return_inverse=True) for i, users in where.items()
    }  # windows overlap: a curve is read once
    problems, q = np.arange(made.market.weights.size), made.market.weights
    for begin in range(0, problems.size, _BLOCK):
        rows = problems[begin : begin + _BLOCK]
        pieces: dict[tuple[int, int], tuple[FloatArray, FloatArray]] = {}
        for i, users in where.items():
            positions, place = looked[i]
            S, F = curves(made.market.providers[i].take(rows), _allotment(made, i, positions), made.rules)
            columns = np.split(place.ravel(), np.cumsum([picks[w][b].size for w, b in users])[:-1])
            pieces |= {user: (S[:, column], F[:, column]) for user, column in zip(users, columns, strict=True)}
        for number, window in enumerate(windows):
            standing, paid = q[None, rows], np.zeros(())
            for block, (i, _) in enumerate(window.path):
                S, F = pieces[number, block]
                paid = paid[..., None] + (prices[i] * (standing @ F)).reshape(shapes[number][: block + 1])
                if block < len(window.path) - 1:
                    standing = (standing[:, None, :] * S.T).reshape(-1, rows.size)
            bill[number] += paid
            solved[number] -= (standing @ S).reshape(shapes[number])
    return list(zip(solved, bill, strict=True))


def _shrink(made: Technology, window: _Window, picks: Sequence[IntArray], solved: FloatArray, bill: FloatArray) -> bool:
    """Move a window to the best combination and narrow it; True once there are no steps between those looked at."""
    *outer, ends = picks
    shape, last = solved.shape[:-1], window.path[-1][0]
    rows, target = solved.reshape(-1, ends.size), window.level - REACH
    after = (rows < target).sum(axis=1)
    reached = after < ends.size
    after = np.minimum(after, ends.size - 1)
    before, line = np.maximum(after - 1, 0), np.arange(len(rows))
    rise = rows[line, after] - rows[line, before]
    share = np.clip(np.divide(target - rows[line, before], rise, out=np.ones(len(rows)), where=rise > 0), 0.0, 1.0)
    share[ends[after] - ends[before] <= 1] = 1.0
    bills = bill.reshape(rows.shape)
    cost = bills[line, before] + share * (bills[line, after] - bills[line, before])
    crossing = ends[before] + share * (ends[after] - ends[before])
    total = _allotment(made, last, np.ceil(crossing).astype(np.int64)).reshape(shape)
    for axis, pick in enumerate(outer):
        top = _allotment(made, window.path[axis][0], pick)
        total = total + top.reshape(-1, *(1,) * (len(shape) - axis - 1))
    usable = reached & (after > 0) & (total.ravel() <= made.rules.largest_total)
    if not usable.any():
        return True
    best = int(np.argmin(np.where(usable, cost, np.inf)))
    corner = np.unravel_index(best, shape)
    chosen = [pick[c] for pick, c in zip(outer, corner, strict=True)]
    tops = [float(_allotment(made, i, p)) for (i, _), p in zip(window.path[:-1], chosen, strict=True)]
    end = float(_allotment(made, last, np.ceil(crossing[best : best + 1]).astype(np.int64))[0])
    window.path = (*((i, top) for (i, _), top in zip(window.path[:-1], tops, strict=True)), (last, end))
    near = tuple(slice(max(c - 2, 0), c + 3) for c in corner)
    around = crossing.reshape(shape)[near]
    gap = float(np.diff(ends).max(initial=1))
    steps = made.steps[last].at.size
    window.low[-1], window.high[-1] = max(around.min() - gap, 0), min(around.max() + gap, steps)
    widest = 1.0
    for axis, (pick, centre) in enumerate(zip(outer, chosen, strict=True)):
        gap = float(np.diff(pick).max(initial=1))
        widest, reach = max(widest, gap), math.ceil(1.5 * gap)
        steps = made.steps[window.path[axis][0]].at.size
        window.low[axis], window.high[axis] = max(centre - reach, 0), min(centre + reach, steps)
    return widest <= 1.0 and float(np.diff(ends).max(initial=1)) <= 1.0
