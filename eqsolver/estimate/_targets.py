"""What classes are to reproduce: averages of the logs' curves over cells of budget, and how much each of them matters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eqsolver._base import FloatArray
from eqsolver.market import Geometric, Sampled
from eqsolver.technology import attempts_within, expected_tries, shortest_paths, survival

CELLS = 140
"""Cells of budget per provider for spend and for pairs of providers."""
FINE_CELLS = 600
"""Cells of budget per provider for its pass curve alone."""
COST_ERROR = 0.01
"""An error of this share of a level's cost counts as one."""
PASS_ERRORS = (2e-4, 3e-3)
"""An error in pass counts as one if it moves cost by `COST_ERROR`, but no smaller and no larger error than these does."""
TUBE = 0.15
"""Nodes whose cost exceeds the cheapest for their level by this share count 1/e as much as the cheapest."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pair:
    """Joint curves of two providers, averaged over cells; arrays (J_first, J_second).

    survival : sum_x q_x S_first S_second. first_spend : sum_x q_x F_first S_second. second_spend : sum_x q_x S_first F_second.
    survival_weight, spend_weight : what an error is multiplied by.
    """

    first: int
    second: int
    survival: FloatArray
    first_spend: FloatArray
    second_spend: FloatArray
    survival_weight: FloatArray
    spend_weight: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Single:
    """Curves of one provider, averaged over cells.

    edges : (J + 1,) budgets that bound the cells, 0 first, the cap last. survival, spend : (J,) sum_x q_x S and sum_x q_x F.
    fine_edges, fine_survival : the same on narrower cells, survival only.
    survival_weight, spend_weight : (J,) what an error is multiplied by.
    """

    edges: FloatArray
    survival: FloatArray
    spend: FloatArray
    survival_weight: FloatArray
    spend_weight: FloatArray
    fine_edges: FloatArray
    fine_survival: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Targets:
    """Everything that classes are fitted to. cells : M arrays (N, J), the survival of each problem by cell."""

    singles: tuple[Single, ...]
    pairs: tuple[Pair, ...]
    cells: tuple[FloatArray, ...]


def curve(odds: Sampled | Geometric, spend: FloatArray, budgets: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(N, J) survival S and expected spend F under budget allocation, money spent on attempts made only."""
    k = attempts_within(budgets, spend)
    S = survival(odds, k)
    return S, spend[:, None] * expected_tries(odds, k, S)


def targets(
    odds: Sequence[Sampled], spend: Sequence[FloatArray], weights: FloatArray, max_budget: float, common: int | None = None
) -> Targets:
    """Average the logs' curves over cells of budget and weigh them.

    Parameters
    ----------
    odds, spend : of M providers on N problems. weights : (N,) shares q of the problems. max_budget : the cap, money.
    common : the provider that every pair contains; None: all pairs.

    Notes
    -----
    Averages over a cell are smooth in a class's cost w where the step functions themselves are not. The product of two
    providers' averages is the average of the product over the product cell, so pairs stay linear in the weights.
    An error in pass is weighed by the error in cost that it causes at its level, an error in spend by the level's cost,
    and pairs of budgets most where the cheapest paths to any level run: that is what margins depend on.
    """
    singles, averages = [], []
    for o, w in zip(odds, spend, strict=True):
        at, mass = _steps(o, w, weights, max_budget)
        edges, fine_edges = (cell_edges(at, mass, max_budget, size) for size in (CELLS, FINE_CELLS))
        S, F = _cell_averages(o, w, edges)
        averages.append((S, F))
        mean_S, mean_F = weights @ S, weights @ F
        singles.append(
            Single(
                edges=edges,
                survival=mean_S,
                spend=mean_F,
                survival_weight=1 / harmless_pass_error(1 - mean_S, mean_F),
                spend_weight=1 / (COST_ERROR * np.maximum(mean_F, 0.01 * mean_F.max())),
                fine_edges=fine_edges,
                fine_survival=weights @ _cell_averages(o, w, fine_edges)[0],
            )
        )
    pairs = tuple(
        _pair(i, j, (averages[i], averages[j]), (singles[i].edges, singles[j].edges), weights, max_budget)
        for i in range(len(singles))
        for j in range(i + 1, len(singles))
        if common is None or common in (i, j)
    )
    return Targets(singles=tuple(singles), pairs=pairs, cells=tuple(S for S, _ in averages))


def cell_edges(at: FloatArray, mass: FloatArray, max_budget: float, size: int) -> FloatArray:
    """About `size` cells from 0 to the cap: half hold equal shares of the pass gained, half are equal in log budget."""
    by_mass = np.interp(np.linspace(0, 1, size // 2 + 1), np.cumsum(mass) / mass.sum(), at)
    by_log = np.geomspace(min(0.7 * at[0], 0.5 * max_budget), max_budget, size - size // 2)
    kept = [0.0]
    for edge in np.unique(np.minimum(np.concatenate([by_mass, by_log]), max_budget)):
        if edge > kept[-1] * _NARROWEST:
            kept.append(float(edge))
    kept[-1] = max_budget
    return np.array(kept)


_NARROWEST = 1.004


def harmless_pass_error(solved: FloatArray, cost: FloatArray) -> FloatArray:
    """The error in pass that moves the cost of a level by `COST_ERROR` of it, within `PASS_ERRORS`.

    solved, cost : (J,) a cost curve, in any order.
    """
    order = np.argsort(solved, kind="stable")
    u, C = solved[order], cost[order]
    below, above = np.maximum(u - _WINDOW / 2, u[0]), np.minimum(u + _WINDOW / 2, u[-1])
    rise = np.maximum(np.interp(above, u, C) - np.interp(below, u, C), 1e-9 * max(float(C.max()), np.finfo(float).tiny))
    error = np.empty_like(u)
    error[order] = np.clip(COST_ERROR * C * np.maximum(above - below, 1e-9) / rise, *PASS_ERRORS)
    return error


_WINDOW = 0.004


def _steps(odds: Sampled, spend: FloatArray, weights: FloatArray, cap: float) -> tuple[FloatArray, FloatArray]:
    """Budgets at which pass rises, in order, and by how much; a single step at the cap if it never does."""
    b = np.unique(np.concatenate([spend, np.geomspace(min(spend.min(), cap), cap, 4000), [cap]]))
    b = b[b <= cap]
    solved = weights @ (1 - curve(odds, spend, b)[0])
    mass = np.diff(solved, prepend=0.0)
    rising = mass > 0
    return (b[rising], mass[rising]) if rising.any() else (np.array([cap]), np.ones(1))


def _cell_averages(odds: Sampled, spend: FloatArray, edges: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(N, J) exact averages of S and F over cells: differences of their integrals from 0, by whole attempts and a rest."""
    w, n, c = spend[:, None], odds.attempts[:, None], odds.successes[:, None]
    k = attempts_within(edges, spend)
    S = survival(odds, k)
    tries = expected_tries(odds, k, S)
    rest = edges - w * k
    last = int((n - c + 1)[c > 0].max(initial=0))
    each = np.arange(last + 1.0) + np.zeros_like(w)
    by_attempt = expected_tries(odds, each, survival(odds, each))
    running = np.concatenate([np.zeros_like(w), np.cumsum(by_attempt, axis=1)], axis=1)
    inside = np.minimum(k, last).astype(np.int64)
    summed = np.take_along_axis(running, inside, axis=1) + (k - inside) * by_attempt[:, -1:]
    summed = np.where(c > 0, summed, k * (k - 1) / 2)
    width = np.diff(edges)
    return np.diff(w * tries + rest * S, axis=1) / width, np.diff(w * (w * summed + rest * tries), axis=1) / width


def _pair(
    i: int,
    j: int,
    averages: Sequence[tuple[FloatArray, FloatArray]],
    edges: Sequence[FloatArray],
    q: FloatArray,
    cap: float,
) -> Pair:
    (S_i, F_i), (S_j, F_j) = averages
    S_i, F_i = q[:, None] * S_i, q[:, None] * F_i
    joint, first, second = S_i.T @ S_j, F_i.T @ S_j, S_i.T @ F_j
    ahead = [np.diff(spent, axis=axis, append=np.take(spent, [-1], axis=axis)) for axis, spent in enumerate((first, second))]
    value = shortest_paths(ahead)
    solved, allowed = 1 - joint, edges[0][:-1, None] + edges[1][None, :-1] <= cap
    order = np.argsort(solved[allowed])
    levels = solved[allowed][order]
    cheapest = np.minimum.accumulate(value[allowed][order][::-1])[::-1]
    thin = slice(None, None, max(1, levels.size // 3000))
    levels, cheapest = levels[thin], cheapest[thin]
    floor = max(0.01 * float(cheapest.max()), np.finfo(float).tiny)
    cost = np.maximum(np.interp(solved, levels, cheapest), floor)
    error = np.interp(solved, levels, harmless_pass_error(levels, cheapest))
    closeness = allowed * (0.1 + np.exp(-np.maximum(value / cost - 1, 0) / TUBE))
    share = np.sqrt(closeness / (closeness.sum() / sum(closeness.shape)))
    return Pair(
        first=i,
        second=j,
        survival=joint,
        first_spend=first,
        second_spend=second,
        survival_weight=share / error,
        spend_weight=share / (COST_ERROR * cost),
    )
