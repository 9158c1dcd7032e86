"""5-95 % bands over resampled problems: policies held fixed, their paths followed under other weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from eqsolver._base import FloatArray
from eqsolver.posted._intervals import interval, margin_interval
from eqsolver.technology import REACH, Block, Production, curves

CHECKPOINTS = 1000
"""Points of a path at which resampled pass and cost are taken; a level is reached at the first that reaches it."""

Policies = tuple[Sequence[tuple[Block, ...]], Sequence[tuple[Block, ...]]]
"""For each level the path of a policy, and the part of it that is bought: up to where it reaches the level; empty if never."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bands:
    """5 % and 95 % points over resamples, (2, L) each, of a policy for each of L levels; nan where it does not reach its level.

    margin : of its path, followed until it reaches the level in the resample; see `margin_interval`.
    buy_cost, solved : of the path as it was cut: money per problem, and the share of the problems that it solves.
    """

    margin: FloatArray
    buy_cost: FloatArray
    solved: FloatArray


def bands(
    made: Production,
    prices: FloatArray,
    levels: FloatArray,
    kinds: Sequence[Policies],
    *,
    resamples: int,
    seed: int,
    progress: Callable[[float], None] = lambda share: None,
) -> list[Bands]:
    """Bands of each kind of policy.

    Parameters
    ----------
    prices : (M,) multipliers. levels : (L,) increasing. kinds : of policies, see `Policies`.
    resamples : of the N problems, drawn with replacement by their weights. seed : of the generator.

    Notes
    -----
    A path that was cut at its level is followed on to the cap for its margin, since a resample may need more. Offers and
    policies are taken on the same resamples. Policies stay as they were fitted: bands are the luck of the sample in what a
    policy delivers, not that of the fit. Work is GEMMs of N x checkpoints x resamples.
    """
    market, Q = made.market, made.market.resampled(resamples, np.random.default_rng(seed)).T
    total = sum(len(set(paths)) for paths, _ in kinds) + len(market.providers)
    done = 0

    def advance() -> None:
        nonlocal done
        done += 1
        progress(done / total)

    offered = np.full((len(market.providers), levels.size, resamples), np.inf)
    for i in range(len(market.providers)):
        if made.steps[i].at.size:
            offered[i] = path_costs(made, alone(made, i), prices, levels, Q)
        advance()
    found = []
    for paths, parts in kinds:
        cost, fixed = np.full((levels.size, resamples), np.inf), np.full((2, levels.size, resamples), np.nan)
        for path in dict.fromkeys(paths):
            where = [level for level, other in enumerate(paths) if other == path and parts[level]]
            if where:
                cost[where] = path_costs(made, extended(made, path), prices, levels[where], Q)
            for level in where:
                fixed[:, level] = followed(made, parts[level], prices, Q)[:, -1]
            advance()
        margin, reached = np.full((2, levels.size), np.nan), np.array([bool(part) for part in parts])
        margin[:, reached] = margin_interval(cost[reached], offered[:, reached])
        solved, spent = (interval(row) for row in fixed)
        found.append(Bands(margin=margin, buy_cost=spent, solved=solved))
    return found


def alone(made: Production, provider: int) -> tuple[Block, ...]:
    """Buying from one provider only, as far as that solves anything."""
    return ((provider, made.steps[provider].end),)


def extended(made: Production, path: tuple[Block, ...]) -> tuple[Block, ...]:
    """The same path, its last block bought up to the cap."""
    last, _ = path[-1]
    allotted = dict(path[:-1])
    left = made.rules.rest(sum(b for i, b in allotted.items() if i != last))
    return (*path[:-1], (last, max(min(left, made.steps[last].end), path[-1][1])))


def path_costs(made: Production, path: tuple[Block, ...], prices: FloatArray, levels: FloatArray, Q: FloatArray) -> FloatArray:
    """(L, B) cost at which the path reaches each level under each column of weights, infinite where it does not.

    levels : (L,) the same for every column, or (L, B) a column's own. Q : (N, B), see `Market.resampled`.
    """
    wanted = np.broadcast_to(levels.reshape(len(levels), -1), (len(levels), Q.shape[1]))
    solved, cost = followed(made, _checkpoints(made, path, levels), prices, Q)
    result = np.full(wanted.shape, np.inf)
    for b in range(Q.shape[1]):
        at = np.searchsorted(solved[:, b], wanted[:, b] - REACH)
        reached = at < len(solved)
        result[reached, b] = cost[at[reached], b]
    return result


def followed(made: Production, stops: Sequence[Block], prices: FloatArray, Q: FloatArray) -> FloatArray:
    """(2, K + 1, B) share solved and money spent at the start of a path and at each of K stops, under each column of weights.

    stops : provider and what it has been allotted by then. Q : (N, B), see `Market.resampled`.
    """
    market, rules = made.market, made.rules
    allotted = np.zeros((len(market.providers), len(stops) + 1))
    for k, (i, b) in enumerate(stops):
        allotted[:, k + 1] = allotted[:, k]
        allotted[i, k + 1] = b
    mover = np.array([i for i, _ in stops])
    found = np.zeros((2, len(stops) + 1, Q.shape[1]))
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
        found[0] += (1.0 - standing).T @ Q[block]
        found[1] += np.cumsum(spent, axis=1).T @ Q[block]
    return found


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
