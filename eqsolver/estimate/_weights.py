"""The convex program: weights of given classes that fit every target best while no pass curve is off by more than allowed."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import cvxpy as cp
import numpy as np
from numpy.typing import NDArray

from eqsolver._base import FloatArray, NotCertified
from eqsolver.estimate._misfit import Classes, cells
from eqsolver.estimate._targets import Targets

BoolArray = NDArray[np.bool_]

DROPPED = 2e-6
"""Classes of less weight than this are left out."""
REACH_SURPLUS = 1e-5
"""Classes reach this much more at the cap than the logs, so that the logs' highest level exists among the classes."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PassRows:
    """Pass of one provider at R budgets, increasing up to the cap. solved : (R,) of the logs. by_class : (K, R)."""

    budgets: FloatArray
    solved: FloatArray
    by_class: FloatArray


def best_weights(targets: Targets, start: Classes, rows: Sequence[PassRows], tolerance: float) -> FloatArray:
    """Weights q >= 0 that sum to one, minimise the squared misfit over cells, and keep pass within `tolerance`.

    Parameters
    ----------
    start : K classes with weights to improve on. rows : per provider. tolerance : largest pass error wanted.

    Returns
    -------
    (K,) weights. Where the tolerance cannot be kept it is exceeded as little as possible, at a linear price.

    Raises
    ------
    NotCertified : the solver did not reach an optimum.

    Notes
    -----
    A quadratic program in the change of the weights. Of the pass rows only those near the tolerance enter, more as they
    are violated. Every row is linear in q, so the optimum is the best mixture of these classes.
    """
    q, K = start.weights, start.weights.size
    matrix, gradient, misfit = _quadratic(targets, start)
    misfit = max(misfit, 1.0)  # one error that counts as one: a better fit than that needs no finer scale
    curvature = matrix / (K * K * misfit) + _DAMPING * np.eye(K)
    slope = gradient / (K * misfit)
    entered = [_extreme(row.solved - q @ row.by_class, 0.6 * tolerance) for row in rows]
    found = q
    for _ in range(_ROUNDS):
        found, excess = _solve(curvature, slope, q, rows, entered, tolerance)
        done = True
        for i, row in enumerate(rows):
            error = row.solved - found @ row.by_class
            violated = np.abs(error) > tolerance * (1 + excess[i]) + 1e-5
            if (violated & ~entered[i]).any():
                done = False
            entered[i] = entered[i] | _extreme(error, 0.8 * tolerance)
        if done:
            break
    return found


_ROUNDS = 12
_DAMPING = 1e-4


def _extreme(error: FloatArray, least: float) -> BoolArray:
    """Which rows have a large error that no neighbour exceeds; (R,) booleans."""
    size = np.abs(error)
    beside = np.maximum(np.append(size[1:], 0.0), np.insert(size[:-1], 0, 0.0))
    return np.asarray((size > least) & (size >= beside))


def _solve(
    curvature: FloatArray,
    slope: FloatArray,
    q: FloatArray,
    rows: Sequence[PassRows],
    entered: Sequence[BoolArray],
    tolerance: float,
) -> tuple[FloatArray, FloatArray]:
    K = q.size
    change = cp.Variable(K)  # of K q
    excess = cp.Variable(len(rows), nonneg=True)  # in units of the tolerance
    constraints = [cp.sum(change) == 0, change >= -K * q]
    for i, row in enumerate(rows):
        A = row.by_class[:, entered[i]].T / (K * tolerance)
        gap = (row.solved[entered[i]] - row.by_class[:, entered[i]].T @ q) / tolerance
        if gap.size:
            constraints += [A @ change - gap <= 1 + excess[i], gap - A @ change <= 1 + excess[i]]
    at_cap = np.stack([row.by_class[:, -1] for row in rows]) / (K * tolerance)
    short = (np.array([row.solved[-1] for row in rows]) + REACH_SURPLUS) / tolerance - K * at_cap @ q
    penalties = _PRICE * cp.sum(excess) + _PRICE * cp.norm1(at_cap @ change - short)
    for pull in _PULLS:
        aim = cp.quad_form(change, cp.psd_wrap(curvature + pull * np.eye(K))) + 2 * slope @ change + penalties
        problem = cp.Problem(cp.Minimize(aim), constraints)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # an inaccurate solution is refused below
            try:
                problem.solve(solver=cp.CLARABEL)
                status = problem.status
            except cp.error.SolverError as error:
                status = str(error)
        if status == cp.OPTIMAL:
            break
    if status != cp.OPTIMAL or change.value is None:
        raise NotCertified(
            f"weights of {K} classes: Clarabel ended with {status!r} instead of an optimum; try another number of classes "
            "or another seed",
            None,
        )
    found = np.maximum(q + np.asarray(change.value) / K, 0.0)
    return found / found.sum(), np.asarray(excess.value)


_PULLS = (0.0, 1e-3, 1e-2)
"""Where the program is too flat for the solver, it is solved again with a pull to the current weights (a proximal step)."""
_PRICE = 200.0
"""Price of exceeding the pass tolerance by itself, in units of the misfit at the start."""


def _quadratic(targets: Targets, classes: Classes) -> tuple[FloatArray, FloatArray, float]:
    """The squared misfit over cells around the current weights: Q (K, K), half its gradient (K,), and its value there."""
    q, K = classes.weights, classes.weights.size
    Q, half_gradient, value = np.zeros((K, K)), np.zeros(K), 0.0
    at = [cells(p, w, s.edges) for p, w, s in zip(classes.success, classes.spend, targets.singles, strict=True)]

    def add(curves: FloatArray, mean: FloatArray, weight: FloatArray) -> None:
        nonlocal value
        A = curves.reshape(K, -1) * weight.ravel()
        error = q @ A - (mean * weight).ravel()
        Q[:] += A @ A.T
        half_gradient[:] += A @ error
        value += float(error @ error)

    for single, c in zip(targets.singles, at, strict=True):
        add(c.survival, single.survival, single.survival_weight)
        add(c.spend, single.spend, single.spend_weight)
    for pair in targets.pairs:
        a, b = at[pair.first], at[pair.second]
        for left, right, mean, weight in (
            (a.survival, b.survival, pair.survival, pair.survival_weight),
            (a.spend, b.survival, pair.first_spend, pair.spend_weight),
            (a.survival, b.spend, pair.second_spend, pair.spend_weight),
        ):
            add(left[:, :, None] * right[:, None, :], mean, weight)
    return Q, half_gradient, value
