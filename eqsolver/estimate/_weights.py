"""The convex program: weights of given classes that fit the policies best while no pass curve is off by more than allowed."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cvxpy as cp
import numpy as np
from scipy import linalg

from eqsolver._base import BoolArray, FloatArray, IntArray, NotCertified

DROPPED = 2e-6
"""Classes of less weight than this are left out."""
REACH_SURPLUS = 1e-5
"""Classes reach this much more at the cap than the logs, so that the logs' highest level exists among the classes."""
MOST_ENTERING = 100
"""Budgets, per provider, at which pass becomes a constraint at once."""
NOBODY = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PassRows:
    """Pass of one provider at R budgets, increasing up to the cap.

    solved : (R,) of the logs. below, above : (R,) by how much less and more of it is as good. by_class : (K, R).
    entered : (R,) booleans, where this is a constraint from the start.
    """

    budgets: FloatArray
    solved: FloatArray
    below: FloatArray
    above: FloatArray
    by_class: FloatArray
    entered: BoolArray

    def and_also(self, columns: FloatArray) -> PassRows:
        """Also of other columns (D, R)."""
        return replace(self, by_class=np.vstack([self.by_class, columns]))

    def error(self, q: FloatArray) -> FloatArray:
        """(R,) of pass under weights q, in units of what is as good: 1 is the most that is."""
        more = q @ self.by_class - self.solved
        return np.asarray(np.where(more > 0, more / self.above, more / self.below))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Weighed:
    """Weights of K classes, and what each row and each pass is worth there.

    weights : (K,) shares q >= 0, sum 1. loss : (K,) by how much the misfit rises, to second order, if the class is left out
    and the others make up for it. by_row : (R,) derivative of the program's value by a row. by_pass : per provider (R,), by its
    pass at each budget; 0 where what is as good does not bind. moved : (D,) how far columns beyond the classes' go.
    """

    weights: FloatArray
    loss: FloatArray
    by_row: FloatArray
    by_pass: tuple[FloatArray, ...]
    moved: FloatArray


def best_weights(
    start: FloatArray,
    rows: FloatArray,
    target: FloatArray,
    passes: Sequence[PassRows],
    price: float,
    rounds: int,
    owner: IntArray = NOBODY,
) -> Weighed:
    """Weights q >= 0 that sum to one, minimise the mean square of q @ rows - target, and keep pass where it is as good.

    Parameters
    ----------
    start : (K,) weights at hand. rows : (K + D, R) of each class, then of D changes. target : (R,) of the logs.
    passes : per provider. price : of pass off by twice what is as good at one budget; a mean square error of one costs one.
    rounds : how often budgets at which pass turns out to be off become constraints, at most.
    owner : (D,) whose a change is: a class may take it forwards or backwards, as far as its weight goes.

    Raises
    ------
    NotCertified : the solver has no answer. One it calls inaccurate will do: what classes are worth is measured, not assumed.

    Notes
    -----
    Rows are first reduced to a triangle (QR). Where pass cannot be kept it is off by as little as possible, at a linear price
    per budget.
    """
    triangle = np.asarray(np.linalg.qr(np.vstack([rows, target]).T, mode="r"))
    R, d = triangle[:, :-1], triangle[:, -1]
    entered = [p.entered.copy() for p in passes]
    q = start
    for turn in range(rounds):
        found = _solve(q, R, d, passes, entered, price, float(target.size), owner)
        q, taken = found.weights, np.append(found.weights, found.moved)
        errors = [p.error(taken) for p in passes]
        over = [_peaks(error, 1 + _SLACK) for error in errors]
        if turn == rounds - 1 or not any((new & ~old).any() for new, old in zip(over, entered, strict=True)):
            break
        entered = [old | _worst(error) for old, error in zip(entered, errors, strict=True)]
    by_pass, binding = [], []
    for p, mine, forced, at_cap in zip(passes, entered, found.by_pass, found.at_cap, strict=True):
        kept = np.where(np.abs(forced) > _FAINT * price, forced, 0.0)  # an interior point leaves a little on every row
        width = np.where(kept > 0, p.above[mine], p.below[mine])
        force = np.zeros(p.budgets.size)
        force[mine] = kept / width
        force[-1] += at_cap / p.above[-1]
        by_pass.append(force)
        binding.append((p.by_class[:, mine] / (_FIRM * width))[:, kept != 0])
    return Weighed(
        weights=q,
        loss=_loss(np.vstack([R, *(b.T for b in binding)])[:, : q.size], q),
        by_row=2 * (taken @ rows - target) / found.scale,
        by_pass=tuple(by_pass),
        moved=found.moved,
    )


_SLACK = 1e-5
_FAINT = 0.01
_FIRM = 0.1


def merit(q: FloatArray, rows: FloatArray, target: FloatArray, passes: Sequence[PassRows], price: float) -> float:
    """How good weights are, less being better: what `best_weights` minimises were pass a constraint at every peak of its error,
    but for the surplus it asks for at the cap."""
    missed = float(((q @ rows - target) ** 2).mean())
    for p in passes:
        error = p.error(q)
        missed += price * float((np.abs(error[_peaks(error, 1.0)]) - 1).sum() + np.abs(error[-1]))
    return missed


def _peaks(error: FloatArray, least: float) -> BoolArray:
    """Where an error is larger than `least` and no neighbour exceeds it; (R,) booleans."""
    size = np.abs(error)
    beside = np.maximum(np.append(size[1:], 0.0), np.insert(size[:-1], 0, 0.0))
    return np.asarray((size > least) & (size >= beside))


def _worst(error: FloatArray) -> BoolArray:
    """The largest peaks, `MOST_ENTERING` of them."""
    peaks = np.flatnonzero(_peaks(error, 1.0))
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
    moved: FloatArray


def _solve(
    start: FloatArray,
    R: FloatArray,
    d: FloatArray,
    passes: Sequence[PassRows],
    entered: Sequence[BoolArray],
    price: float,
    scale: float,
    owner: IntArray,
) -> _Solved:
    K, M = R.shape[1] - owner.size, len(passes)
    shares = cp.Variable(K, nonneg=True)  # K q
    moves = cp.Variable(owner.size) if owner.size else None
    share = shares if moves is None else cp.hstack([shares, moves])
    beyond = cp.Variable(M)
    total = [cp.sum(shares) == K, *([] if moves is None else [moves <= shares[owner], -moves <= shares[owner]])]
    bands, excess = [], []
    for p, mine in zip(passes, entered, strict=True):
        excess.append(cp.Variable(max(int(mine.sum()), 1), nonneg=True))
        more, less = (
            (p.by_class[:, mine] / width[mine]).T @ share / K - p.solved[mine] / width[mine] for width in (p.above, p.below)
        )
        bands.append((more <= 1 + excess[-1], -less <= 1 + excess[-1]) if mine.any() else ())
    fine = np.array([p.above[-1] for p in passes])
    reach = np.array([p.solved[-1] for p in passes]) + REACH_SURPLUS
    at_cap = (np.stack([p.by_class[:, -1] for p in passes]) / fine[:, None]) @ share / K - reach / fine == beyond
    misfit = cp.sum_squares(R @ share / K - d) / scale
    aim = misfit + price * (sum(cp.sum(e) for e in excess) + cp.norm1(beyond))
    rows = [*total, at_cap, *(row for pair in bands for row in pair)]
    for pull in _PULLS:
        change = cp.sum_squares(shares - K * start) / K
        problem = cp.Problem(cp.Minimize(aim + pull * change if pull else aim), rows)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that a solution is inaccurate
            try:
                problem.solve(solver=cp.CLARABEL, max_threads=1, **_PRECISION)
                status = problem.status
            except cp.error.SolverError as error:
                status = str(error)
        if status == cp.OPTIMAL:
            break
    if status not in (cp.OPTIMAL, cp.OPTIMAL_INACCURATE) or shares.value is None:
        raise NotCertified(
            f"weights of {K} classes: Clarabel ended with {status!r}; try another number of classes or another seed",
            None,
        )
    q = np.maximum(np.asarray(shares.value), 0.0)
    return _Solved(
        weights=q / q.sum(),
        by_pass=tuple(np.asarray(pair[0].dual_value - pair[1].dual_value) if pair else np.zeros(0) for pair in bands),
        at_cap=np.asarray(at_cap.dual_value),
        scale=scale,
        moved=np.zeros(0) if moves is None else np.asarray(moves.value) / q.sum(),
    )


_PRECISION = {"tol_gap_abs": 1e-6, "tol_gap_rel": 1e-6, "tol_feas": 1e-6}
_PULLS = (0.0, 1e-3, 1e-2)
"""Where the program is too flat for the solver, it is solved again with a pull to the weights at hand (a proximal step)."""
