"""The natural code that the kernels are measured against: cascades evaluated one by one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def cascades_one_by_one(
    q: np.ndarray, S: Sequence[np.ndarray], F: Sequence[np.ndarray], levels: np.ndarray, thresholds: np.ndarray
) -> np.ndarray:
    """Cost of every threshold of a two-provider cascade at every level, (T, L): vectorised over problems and budgets only.

    q : (N,) weights. S, F : per provider (N, J) survival and spend on its grid. thresholds : (T,) points of the first's grid.
    """
    first_pass, first_cost = 1 - (q[:, None] * S[0]).sum(axis=0), (q[:, None] * F[0]).sum(axis=0)
    cost = np.full((thresholds.size, levels.size), np.inf)
    for row, t in enumerate(thresholds):
        unsolved = S[0][:, t]
        passes = 1 - (q[:, None] * unsolved[:, None] * S[1]).sum(axis=0)
        spend = first_cost[t] + (q[:, None] * unsolved[:, None] * F[1]).sum(axis=0)
        path_pass = np.concatenate([first_pass[: t + 1], passes[1:]])
        path_cost = np.concatenate([first_cost[: t + 1], spend[1:]])
        at = np.searchsorted(path_pass, levels - 1e-12)
        reached = at < path_pass.size
        cost[row, reached] = path_cost[at[reached]]
    return cost


def cascade_on_grid(
    q: np.ndarray,
    S: Sequence[np.ndarray],
    F: Sequence[np.ndarray],
    prices: np.ndarray,
    order: Sequence[int],
    tops: Sequence[int],
    levels: np.ndarray,
) -> np.ndarray:
    """Cost of one cascade at every level, (L,): grid points `tops` of the providers in `order`, infinite beyond its reach.

    q : (N,) weights. S, F : per provider (N, J) survival and list-price spend on its grid. prices : (M,) multipliers.
    """
    unsolved, paid = q, 0.0
    passes, costs = [], []
    for i, top in zip(order, tops, strict=True):
        passes.append(1 - unsolved @ S[i][:, : top + 1])
        costs.append(paid + prices[i] * (unsolved @ F[i][:, : top + 1]))
        unsolved, paid = unsolved * S[i][:, top], costs[-1][-1]
    at = np.searchsorted(np.concatenate(passes), levels - 1e-12)
    return np.append(np.concatenate(costs), np.inf)[at]
