"""Groups of alike problems, each the start of one class: a tree of merges, cut so that no class makes too large a jump."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.cluster import hierarchy
from scipy.spatial import KDTree

from eqsolver._base import FloatArray, IntArray
from eqsolver.estimate._classes import Classes
from eqsolver.estimate._policies import curve
from eqsolver.market import Sampled

LARGEST_JUMP = 0.008
"""Pass gained by a class's first attempt: half of it, well placed, is the error that the jump causes."""
COMPARED = 60
"""Budgets per provider at which the survival of problems is compared."""
BLENDED = 0.3
"""Weight of the nearest other problem in the success and the log cost of a class that stands for one."""
SPEND_MATTERS = (0.6, 5.0)
"""How much a problem's log cost weighs in likeness: the sum of the first and the share it solves, times the second."""


def group_classes(
    odds: Sequence[Sampled],
    spend: Sequence[FloatArray],
    weights: FloatArray,
    max_budget: float,
    classes: int,
    *,
    single: bool = False,
) -> Classes:
    """At most K classes, each the mean of a group of alike problems: success c/n, geometric mean cost.

    No class has the odds or costs of a single problem, so that a specification may be shown to those who may not see the logs:
    a problem alone in its group is made a little like the one most like it, unless classes may be `single` problems.
    """
    success, cost = _measured(odds, spend)
    group: IntArray = np.arange(weights.size, dtype=np.int64)
    if weights.size > 1:
        likeness = _likeness(odds, spend, max_budget)
        if classes < weights.size:
            group = _cut(hierarchy.linkage(likeness, "ward"), weights * success, classes)
        alone = np.flatnonzero(np.bincount(group)[group] == 1) if not single else np.zeros(0, dtype=np.int64)
        alike = np.asarray(KDTree(likeness).query(likeness[alone], k=[2])[1]).reshape(alone.size)
        for x in (success, cost):
            x[:, alone] = (1 - BLENDED) * x[:, alone] + BLENDED * x[:, alike]
    K = int(group.max()) + 1
    q: FloatArray = np.bincount(group, weights, minlength=K).astype(np.float64)
    mean = [np.bincount(group, weights * s, minlength=K) / q for s in success]
    mean_cost = [np.exp(np.bincount(group, weights * c, minlength=K) / q) for c in cost]
    return Classes(weights=q, success=np.minimum(np.stack(mean), 1.0), spend=np.stack(mean_cost))


def neighbours(odds: Sequence[Sampled], spend: Sequence[FloatArray], max_budget: float) -> IntArray:
    """(N, NEAREST) the other problems most like each, fewer where there are no more."""
    if len(odds[0]) < 2:
        return np.zeros((len(odds[0]), 0), dtype=np.int64)
    likeness = _likeness(odds, spend, max_budget)
    nearest = range(2, min(NEAREST + 1, len(likeness)) + 1)  # the first is the problem itself, or one just like it
    return np.asarray(KDTree(likeness).query(likeness, k=list(nearest))[1], dtype=np.int64).reshape(len(likeness), len(nearest))


def blended(
    odds: Sequence[Sampled], spend: Sequence[FloatArray], near: IntArray, size: int, rng: np.random.Generator
) -> Classes:
    """Classes halfway between a problem and one of those most like it, as candidates; their costs jittered.

    near : see `neighbours`. Some are decided: an attempt surely succeeds, at the cost at which logged attempts first do, their
    order drawn; for a problem's few logged attempts come to an end, where geometric ones go on. Weights are zero.
    """
    success, cost = _measured(odds, spend)
    if not near.size:
        return Classes(weights=np.zeros(0), success=success[:, :0], spend=cost[:, :0])
    x = rng.integers(0, len(near), size)
    y = near[x, rng.integers(0, near.shape[1], size)]
    part = rng.uniform(*PARTS, size)
    noise = np.exp(rng.normal(np.log(JITTER), 1.0, size)) * rng.normal(size=(len(cost), size))
    n, c = np.stack([o.attempts[x] for o in odds]), np.stack([o.successes[x] for o in odds])
    first = np.minimum(np.ceil(n * (1 - rng.random(n.shape) ** (1 / np.maximum(c, 1)))), n - c + 1)
    decided = (rng.random(n.shape) < rng.choice(DECIDED, size)) & (c > 0)
    log = (1 - part) * cost[:, x] + part * cost[:, y] + noise + np.where(decided, np.log(first), 0.0)
    mixed = (1 - part) * success[:, x] + part * success[:, y]
    return Classes(weights=np.zeros(size), success=np.where(decided, 1.0, np.minimum(mixed, 1.0)), spend=np.exp(log))


NEAREST = 5
"""Problems that are alike enough to be blended with one."""
PARTS = (0.25, 0.75)
"""How much of the other problem goes into a blend."""
JITTER = 0.01
"""Typical change of a blend's log costs."""
DECIDED = (0.0, 0.3, 1.0)
"""Share of the providers that are decided, drawn for each blend."""


def _measured(odds: Sequence[Sampled], spend: Sequence[FloatArray]) -> tuple[FloatArray, FloatArray]:
    """(M, N) success and log cost."""
    return np.stack([o.successes / o.attempts for o in odds]), np.log(np.stack(list(spend)))


def _likeness(odds: Sequence[Sampled], spend: Sequence[FloatArray], max_budget: float) -> FloatArray:
    """(N, ...) features, by distance alike."""
    success, cost = _measured(odds, spend)
    least, slope = SPEND_MATTERS
    curves = [curve(o, w, _spread(w, max_budget))[0] for o, w in zip(odds, spend, strict=True)]
    return np.concatenate([*curves, (slope * cost * (least + success)).T], axis=1)


def _spread(spend: FloatArray, max_budget: float) -> FloatArray:
    """Budgets at which problems are compared, even in their logarithm."""
    return np.geomspace(min(float(spend.min()), max_budget / 2), max_budget, COMPARED)


def _cut(merges: FloatArray, first_jump: FloatArray, classes: int) -> IntArray:
    """(N,) group of each problem. first_jump : (M, N) pass gained by the first attempt on each problem."""
    N = len(merges) + 1
    members = [np.array([x]) for x in range(N)]
    for left, right in merges[:, :2].astype(int):
        members.append(np.concatenate([members[left], members[right]]))

    def cut(size: int) -> list[int]:
        top = [2 * N - 2]
        while len(top) < size:
            last = max(top)
            top.remove(last)
            top += [int(merges[last - N, 0]), int(merges[last - N, 1])]
        small: list[int] = []
        while top:
            node = top.pop()
            if node >= N and first_jump[:, members[node]].sum(axis=1).max() > LARGEST_JUMP:
                top += [int(merges[node - N, 0]), int(merges[node - N, 1])]
            else:
                small.append(node)
        return small

    low, high = 1, classes
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if len(cut(middle)) <= classes else (low, middle - 1)
    nodes = cut(low)
    group = np.empty(N, dtype=np.int64)
    if len(nodes) > classes:  # too few classes for small jumps: the plain tree
        nodes = sorted(hierarchy.leaders(merges, hierarchy.fcluster(merges, classes, "maxclust").astype(np.int32))[0])
    for k, node in enumerate(nodes):
        group[members[int(node)]] = k
    return group
