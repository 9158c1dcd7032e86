"""The convex program: weights of given classes that fit the policies best while no pass curve is off by more than allowed."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import cvxpy as cp
import numpy as np
from scipy import linalg

from eqsolver._base import BoolArray, FloatArray, NotCertified

DROPPED = 2e-6
"""Classes of less weight than this are left out."""
REACH_SURPLUS = 1e-5
"""Classes reach this much more at the cap than the logs, so that the logs' highest level exists among the classes."""


MOST_ENTERING = 100
"""Budgets, per provider, at which the tolerance becomes a constraint at once."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PassRows:
    """Pass of one provider at R budgets, increasing up to the cap.

    solved : (R,) of the logs. by_class : (K, R). entered : (R,) booleans, where the tolerance is a constraint from the start.
    """

    budgets: FloatArray
    solved: FloatArray
    by_class: FloatArray
    entered: BoolArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Weighed:
    """Weights of K classes, and what each row and each pass is worth there.

    weights : (K,) shares q >= 0, sum 1. loss : (K,) by how much the misfit rises, to second order, if the class is left out
    and the others make up for it. by_row : (R,) derivative of the program's value by a row. by_pass : per provider (R,), by its
    pass at each budget; 0 where the tolerance does not bind. entered : per provider, where it became a constraint.
    """

    weights: FloatArray
    loss: FloatArray
    by_row: FloatArray
    by_pass: tuple[FloatArray, ...]
    entered: tuple[BoolArray, ...]


def best_weights(
    start: FloatArray,
    rows: FloatArray,
    target: FloatArray,
    passes: Sequence[PassRows],
    tolerance: float,
    price: float,
    rounds: int,
) -> Weighed:
    """Weights q >= 0 that sum to one, minimise |q @ rows - target|^2, and keep pass within the tolerance.

    Parameters
    ----------
    start : (K,) weights at hand. rows : (K, R) of each class, target : (R,) of the logs.
    passes : per provider. tolerance : largest pass error wanted. price : of exceeding
    it by itself at one budget, where a mean square error of one costs one.
    rounds : how often budgets at which the tolerance turns out to be exceeded become constraints, at most.

    Raises
    ------
    NotCertified : the solver has no answer. One it calls inaccurate will do: what classes are worth is measured, not assumed.

    Notes
    -----
    Rows are first reduced to a triangle (QR). Where the tolerance cannot be kept it is exceeded as little as possible, at a
    linear price per budget.
    """
    triangle = np.asarray(np.linalg.qr(np.vstack([rows, target]).T, mode="r"))
    R, d = triangle[:, :-1], triangle[:, -1]
    entered = [p.entered.copy() for p in passes]
    q = start
    for turn in range(rounds):
        found = _solve(q, R, d, passes, entered, tolerance, price, float(target.size))
        q = found.weights
        errors = [p.solved - q @ p.by_class for p in passes]
        over = [_peaks(error, tolerance + _SLACK) for error in errors]
        if turn == rounds - 1 or not any((new & ~old).any() for new, old in zip(over, entered, strict=True)):
            break
        entered = [old | _worst(error, tolerance) for old, error in zip(entered, errors, strict=True)]
    by_pass = []
    for p, mine, forced, at_cap in zip(passes, entered, found.by_pass, found.at_cap, strict=True):
        force = np.zeros(p.budgets.size)
        force[mine] = np.where(np.abs(forced) > _SLACK * price, forced, 0.0)  # an interior point leaves a little on every row
        force[-1] += at_cap
        by_pass.append(force / tolerance)
    binding = [p.by_class[:, np.abs(force) > 0] / (_FIRM * tolerance) for p, force in zip(passes, by_pass, strict=True)]
    return Weighed(
        weights=q,
        loss=_loss(np.vstack([R, *(b.T for b in binding)]), q),
        by_row=2 * (q @ rows - target) / found.scale,
        by_pass=tuple(by_pass),
        entered=tuple(entered),
    )


_SLACK = 1e-5
_FIRM = 0.1


def _peaks(error: FloatArray, least: float) -> BoolArray:
    """Where an error is larger than `least` and no neighbour exceeds it; (R,) booleans."""
    size = np.abs(error)
    beside = np.maximum(np.append(size[1:], 0.0), np.insert(size[:-1], 0, 0.0))
    return np.asarray((size > least) & (size >= beside))


def _worst(error: FloatArray, least: float) -> BoolArray:
    """The largest peaks, `MOST_ENTERING` of them."""
    peaks = np.flatnonzero(_peaks(error, least))
    worst = np.zeros(error.size, dtype=bool)
    worst[peaks[np.argsort(-np.abs(error[peaks]), kind="stable")[:MOST_ENTERING]]] = True
    return worst


def _loss(rows: FloatArray, q: FloatArray) -> FloatArray:
    """q_k^2 / [G^-1]_kk over the classes in use, G their Gram matrix (the optimal brain surgeon of Hassibi & Stork 1993)."""
    used = np.flatnonzero(q > DROPPED)
    own = rows[:, used]
    firm = _SINGULAR * float(np.sqrt((own**2).sum(axis=0)).max())
    triangle = np.linalg.qr(np.vstack([own, firm * np.eye(used.size)]), mode="r")
    inverse = linalg.solve_triangular(triangle, np.eye(used.size))
    loss = np.zeros(q.size)
    loss[used] = q[used] ** 2 / (inverse**2).sum(axis=1)
    return loss


_SINGULAR = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Solved:
    """weights : (K,). by_pass : per provider, price of each entered row. at_cap : (M,)."""

    weights: FloatArray
    by_pass: tuple[FloatArray, ...]
    at_cap: FloatArray
    scale: float


def _solve(
    start: FloatArray,
    R: FloatArray,
    d: FloatArray,
    passes: Sequence[PassRows],
    entered: Sequence[BoolArray],
    tolerance: float,
    price: float,
    scale: float,
) -> _Solved:
    K, M = R.shape[1], len(passes)
    share = cp.Variable(K, nonneg=True)  # K q
    beyond = cp.Variable(M)
    total = cp.sum(share) == K
    bands, excess = [], []
    for p, mine in zip(passes, entered, strict=True):
        excess.append(cp.Variable(max(int(mine.sum()), 1), nonneg=True))
        error = p.by_class[:, mine].T @ share / (K * tolerance) - p.solved[mine] / tolerance
        bands.append((error <= 1 + excess[-1], -error <= 1 + excess[-1]) if mine.any() else ())
    reach = np.array([p.solved[-1] for p in passes]) + REACH_SURPLUS
    at_cap = np.stack([p.by_class[:, -1] for p in passes]) @ share / (K * tolerance) - reach / tolerance == beyond
    misfit = cp.sum_squares(R @ share / K - d) / scale
    aim = misfit + price * (sum(cp.sum(e) for e in excess) + cp.norm1(beyond))
    rows = [total, at_cap, *(row for pair in bands for row in pair)]
    for pull in _PULLS:
        change = cp.sum_squares(share - K * start) / K
        problem = cp.Problem(cp.Minimize(aim + pull * change if pull else aim), rows)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that a solution is inaccurate
            try:
                problem.solve(solver=cp.CLARABEL, max_threads=1)
                status = problem.status
            except cp.error.SolverError as error:
                status = str(error)
        if status == cp.OPTIMAL:
            break
    if status not in (cp.OPTIMAL, cp.OPTIMAL_INACCURATE) or share.value is None:
        raise NotCertified(
            f"weights of {K} classes: Clarabel ended with {status!r}; try another number of classes or another seed",
            None,
        )
    q = np.maximum(np.asarray(share.value), 0.0)
    return _Solved(
        weights=q / q.sum(),
        by_pass=tuple(np.asarray(pair[0].dual_value - pair[1].dual_value) if pair else np.zeros(0) for pair in bands),
        at_cap=np.asarray(at_cap.dual_value),
        scale=scale,
    )


_PULLS = (0.0, 1e-3, 1e-2)
"""Where the program is too flat for the solver, it is solved again with a pull to the weights at hand (a proximal step)."""
