"""Candidate policies: every cascade of a few providers on a logarithmic grid of thresholds, and abstaining."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np

from eqsolver._base import FloatArray, IntArray
from eqsolver.market import Market
from eqsolver.technology import FIRST, Cascade, Rules, Steps, all_steps

TOGETHER = 3
"""Providers that one candidate buys from, at most."""

MOST = 3000
"""About how many candidates there are: the grid of thresholds is as fine as that allows."""

ABSTAIN = Cascade(order=(), thresholds=())

LEAST_POINTS = 4
"""Thresholds of each provider, at least."""

FINEST = 48
"""Thresholds of each provider, at most; finer ones are found by moving those that matter."""

_LEAST = 0.2
"""Thresholds start where the provider alone solves this share of what it ever solves (beyond the first node, if it has one)."""


def candidates(
    market: Market,
    rules: Rules,
    *,
    steps: Sequence[Steps] | None = None,
    access: Sequence[int] | None = None,
    together: int = TOGETHER,
    most: int = MOST,
    finest: int = FINEST,
) -> tuple[Cascade, ...]:
    """Abstaining, and cascades over all orders of up to `together` providers with thresholds on a grid.

    Parameters
    ----------
    access : positions of the providers that may be bought from; default all. most : about how many candidates there may be.
    finest : thresholds of each provider, at most.

    Notes
    -----
    Only caps, costs and each provider's own curve shape the grid. Last thresholds are what the cap leaves. With many providers
    fewer of them go together, so that there are not many more candidates than `most`.
    """
    listed = all_steps(market, rules) if steps is None else steps
    bought = [i for i in (range(len(market.providers)) if access is None else access) if listed[i].at.size]
    depth, points = _shape(len(bought), min(together, len(bought)), most, finest)
    tops = {i: thresholds(market, rules, listed[i], points) for i in bought}
    found = [ABSTAIN]
    for size in range(1, depth + 1):
        for order in itertools.permutations(bought, size):
            for first in itertools.product(*(tops[i].tolist() for i in order[:-1])):
                if sum(first) <= rules.largest_total and rest(rules, listed[order[-1]], first) > 0:
                    found.append(Cascade(order=order, thresholds=(*first, rest(rules, listed[order[-1]], first))))
    return tuple(found)


def _shape(providers: int, depth: int, most: int, finest: int) -> tuple[int, int]:
    """(providers that go together, thresholds of each): as many of both as keep the candidates near `most`."""

    def count(depth: int, points: int) -> int:
        return sum(math.perm(providers, size) * points ** (size - 1) for size in range(1, depth + 1))

    while depth > 1 and count(depth, LEAST_POINTS) > 4 * most:
        depth -= 1
    points = LEAST_POINTS
    while depth > 1 and points < finest and count(depth, points + 1) <= 2 * most:  # the cap rules out about half of them
        points += 1
    return depth, points


def thresholds(market: Market, rules: Rules, steps: Steps, points: int) -> FloatArray:
    """(T,) thresholds of one provider, evenly in their logarithm; whole numbers where attempts are allotted."""
    profile = steps.profile(market.weights)
    once = float(profile.solved[0]) if profile.at[0] == FIRST else 0.0  # what one attempt on every problem solves
    low = float(profile.at[np.searchsorted(profile.solved, once + _LEAST * (profile.solved[-1] - once))])
    high = min(steps.end, rules.largest_position)
    if profile.at[0] == FIRST < high:  # one attempt on every problem is the first threshold, logarithms start after it
        return np.unique(np.append(FIRST, np.geomspace(min(low, high), high, points - 1)))
    grid = np.geomspace(min(low, high), high, points)
    return np.unique(np.ceil(grid - 1e-9)) if rules.allot == "attempts" else np.unique(grid)


def rest(rules: Rules, steps: Steps, first: Sequence[float]) -> float:
    """What the cap leaves for the last provider."""
    left = rules.rest(sum(first))
    return left if np.isfinite(left) else steps.end


def undominated(margins: FloatArray) -> IntArray:
    """Columns (K',) of a margins matrix (Xi, K) that no other column equals or beats in every scenario; of equals the first."""
    order = np.argsort(-margins.sum(axis=0), kind="stable")
    kept = np.empty((len(margins), order.size))
    which: list[int] = []
    for k in order:
        column = margins[:, k]
        if not (kept[:, : len(which)] >= column[:, None]).all(axis=0).any():
            kept[:, len(which)] = column
            which.append(int(k))
    return np.array(sorted(which), dtype=np.int64)


def neighbours(rules: Rules, steps: Sequence[Steps], policy: Cascade, factor: float) -> Iterator[Cascade]:
    """The same cascade with one of its thresholds but the last multiplied or divided by a factor."""
    order, first = policy.order, policy.thresholds[:-1]
    for s, top in enumerate(first):
        for moved in (top * factor, top / factor):
            new = round(moved) if rules.allot == "attempts" else moved
            tops = (*first[:s], float(new), *first[s + 1 :])
            if new > 0 and new != top and new <= rules.largest_position and sum(tops) <= rules.largest_total:
                yield Cascade(order=order, thresholds=(*tops, rest(rules, steps[order[-1]], tops)))
