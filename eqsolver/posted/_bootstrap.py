"""5-95 % bands of margins over resampled problems: policies held fixed, their paths followed under other weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from eqsolver._base import FloatArray, IntArray
from eqsolver.technology import REACH, Block, Production, curves

CHECKPOINTS = 1000
"""Points of a path at which resampled pass and cost are taken; a level is reached at the first that reaches it."""

Group = Sequence[tuple[tuple[Block, ...], IntArray]]
"""Policies that together cover the levels: a path, and which levels it is for."""


def bands(
    made: Production,
    prices: FloatArray,
    levels: FloatArray,
    groups: Sequence[Group],
    *,
    resamples: int,
    seed: int,
    progress: Callable[[float], None] = lambda share: None,
) -> list[FloatArray]:
    """5 % and 95 % points of each group's margin at each level.

    Parameters
    ----------
    prices : (M,) multipliers. levels : (L,) increasing. groups : policies by level, see `Group`.
    resamples : of the N problems, drawn with replacement by their weights. seed : of the generator.

    Returns
    -------
    per group (2, L), nan where no resample has a market price.

    Notes
    -----
    A path that was cut at its level is followed on to the cap, since a resample may need more. Offers and policies are taken on
    the same resamples, so the band is that of their ratio. Work is GEMMs of N x checkpoints x resamples.
    """
    market, Q = made.market, made.market.resampled(resamples, np.random.default_rng(seed)).T
    total = sum(len(group) for group in groups) + len(market.providers)
    done = 0

    def advance() -> None:
        nonlocal done
        done += 1
        progress(done / total)

    price = np.full((levels.size, resamples), np.inf)
    for i in range(len(market.providers)):
        if made.steps[i].at.size:
            np.minimum(price, path_costs(made, alone(made, i), prices, levels, Q), out=price)
        advance()
    found = []
    for group in groups:
        margin = np.full((levels.size, resamples), np.nan)
        for path, where in group:
            if path:
                cost = path_costs(made, extended(made, path), prices, levels[where], Q)
                with np.errstate(invalid="ignore"):
                    margin[where] = np.where(np.isfinite(price[where]), np.maximum(1.0 - cost / price[where], 0.0), np.nan)
            advance()
        found.append(_percentiles(margin))
    return found


def _percentiles(margin: FloatArray) -> FloatArray:
    band = np.full((2, len(margin)), np.nan)
    some = np.isfinite(margin).any(axis=1)
    band[:, some] = np.nanpercentile(margin[some], [5, 95], axis=1)
    return band


def alone(made: Production, provider: int) -> tuple[Block, ...]:
    """Buying from one provider only, as far as that solves anything."""
    return ((provider, made.steps[provider].end),)


def extended(made: Production, path: tuple[Block, ...]) -> tuple[Block, ...]:
    """The same path, its last block bought up to the cap."""
    last, _ = path[-1]
    allotted = dict(path[:-1])
    left = made.rules.total_cap - sum(b for i, b in allotted.items() if i != last)
    return (*path[:-1], (last, max(min(left, made.rules.provider_cap, made.steps[last].end), path[-1][1])))


def path_costs(made: Production, path: tuple[Block, ...], prices: FloatArray, levels: FloatArray, Q: FloatArray) -> FloatArray:
    """(L, B) cost at which the path reaches each level under each column of weights, infinite where it does not.

    levels : (L,) the same for every column, or (L, B) a column's own. Q : (N, B), see `Market.resampled`.
    """
    wanted = np.broadcast_to(levels.reshape(len(levels), -1), (len(levels), Q.shape[1]))
    market, rules = made.market, made.rules
    stops = _checkpoints(made, path, levels)
    allotted = np.zeros((len(market.providers), len(stops) + 1))
    for k, (i, b) in enumerate(stops):
        allotted[:, k + 1] = allotted[:, k]
        allotted[i, k + 1] = b
    mover = np.array([i for i, _ in stops])
    solved, cost = np.zeros((len(stops) + 1, Q.shape[1])), np.zeros((len(stops) + 1, Q.shape[1]))
    rows = max(16, 2**22 // (len(stops) + 1))
    for start in range(0, len(Q), rows):
        block = np.arange(start, min(start + rows, len(Q)))
        standing = np.ones((block.size, len(stops) + 1))
        spent = np.zeros_like(standing)
        factors, rises = {}, {}
        for i in np.unique(mover):
            points, back = np.unique(allotted[i], return_inverse=True)
            S, F = curves(market.providers[i].take(block), points, rules)
            factors[i], rises[i] = S[:, back], prices[i] * np.diff(F[:, back], axis=1)
            standing *= factors[i]
        for i in np.unique(mover):
            here = np.flatnonzero(mover == i)
            others = np.ones((block.size, here.size))
            for other in factors:
                if other != i:
                    others *= factors[other][:, here + 1]
            spent[:, here + 1] = rises[i][:, here] * others
        solved += (1.0 - standing).T @ Q[block]
        cost += np.cumsum(spent, axis=1).T @ Q[block]
    result = np.full(wanted.shape, np.inf)
    for b in range(Q.shape[1]):
        at = np.searchsorted(solved[:, b], wanted[:, b] - REACH)
        reached = at < len(solved)
        result[reached, b] = cost[at[reached], b]
    return result


def _checkpoints(made: Production, path: tuple[Block, ...], levels: FloatArray) -> list[Block]:
    """Block ends, and evenly many steps of the stretch of the path where resamples may reach the levels."""
    walked = made.walk(path)
    N = made.market.weights.size
    spread = 6 * float(np.sqrt(0.25 / N))
    first = int(np.searchsorted(walked.solved, levels.min() - spread))
    stretch = np.arange(max(first, 1), walked.solved.size)
    if stretch.size > CHECKPOINTS:
        even = np.linspace(walked.solved[stretch[0]], walked.solved[-1], CHECKPOINTS)
        stretch = stretch[np.unique(np.minimum(np.searchsorted(walked.solved[stretch], even), stretch.size - 1))]
    ends = np.flatnonzero(np.append(walked.block[1:] != walked.block[:-1], True))
    kept = np.union1d(stretch, ends[ends > 0])
    return [(path[walked.block[g]][0], float(walked.allotted[g])) for g in kept]
