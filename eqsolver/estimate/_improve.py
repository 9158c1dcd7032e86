"""Better classes for given aims: column generation, in which only candidates that lower the misfit enter, and few stay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from eqsolver._base import FloatArray
from eqsolver.estimate._aims import SOLVED_ERROR, Aim
from eqsolver.estimate._classes import (
    Classes,
    both_sides,
    compared_budgets,
    every_step,
    first_steps,
    jumps,
    pass_rows,
    steered,
    varied,
)
from eqsolver.estimate._policies import curve
from eqsolver.estimate._weights import DROPPED, PassRows, best_weights
from eqsolver.market import Geometric, Sampled

GENERATIONS = 6
"""How often candidates are tried in one improvement."""
CANDIDATES, STEERED, ENTERING = 1000, 100, 40
"""Classes tried each time, besides those, by provider, that cost just what budgets do where pass is off, and the most that
enter."""
LEAVING = 0.15
"""Share of the classes that leave at once where there are too many: those whose loss is least."""
FOLLOWED, WORTH = 1000, 200
"""Budgets per provider at which pass is followed throughout, and how many single errors they count for together."""
BLOCK = 500


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evidence:
    """Logs of M providers on N problems, with the budgets at which pass is followed. weights : (N,). cap : money."""

    odds: Sequence[Sampled]
    spend: Sequence[FloatArray]
    weights: FloatArray
    cap: float
    budgets: Sequence[FloatArray]

    @staticmethod
    def of(odds: Sequence[Sampled], spend: Sequence[FloatArray], weights: FloatArray, cap: float) -> Evidence:
        """Follow pass where it rises."""
        budgets = [both_sides(compared_budgets(o, w, weights, cap, FOLLOWED)) for o, w in zip(odds, spend, strict=True)]
        return Evidence(odds=odds, spend=spend, weights=weights, cap=cap, budgets=budgets)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fitted:
    """Classes, and the budgets at which the pass tolerance was a constraint, by provider."""

    classes: Classes
    held: tuple[FloatArray, ...]


def improve(
    now: Fitted,
    evidence: Evidence,
    aims: Sequence[Aim],
    *,
    limit: int,
    tolerance: float,
    price: float,
    rng: np.random.Generator,
) -> Fitted:
    """Classes that are closer to the aims, at most `limit`.

    Parameters
    ----------
    now : what to start from. aims : what is to be reproduced. tolerance, price : largest pass error wanted, and what
    exceeding it costs (see `best_weights`).

    Raises
    ------
    NotCertified : a nonnegative least-squares problem ended without an optimum.

    Notes
    -----
    THEORY section 2, calibration. What a policy solves and costs is linear in the weights, so the derivative of the misfit by
    the weight of a class that is not there yet is one inner product: candidates with the steepest descent enter, and the
    weights of all are found anew. A nonnegative optimum leaves most of them at zero.
    """
    target = evidence.weights @ _rows(evidence.odds, evidence.spend, evidence, aims)
    classes, held = now.classes, list(now.held)
    rows = _rows(classes.odds, list(classes.spend), evidence, aims)
    anchors = [jumps(o, w, evidence.weights, tolerance) for o, w in _logs(evidence)]
    for generation in range(GENERATIONS + 1):
        surplus = 1
        while surplus > 0:
            passes = _passes(classes, evidence, held, exactly=False)
            found = best_weights(classes.weights, rows, target, passes, tolerance, price, ROUNDS)
            held = [p.budgets[entered] for p, entered in zip(passes, found.entered, strict=True)]
            used = found.weights > DROPPED
            surplus = int(used.sum()) - limit
            if surplus > 0:
                leaving = np.argsort(np.where(used, found.loss, np.inf), kind="stable")
                used[leaving[: min(surplus, max(1, int(LEAVING * limit)))]] = False
            elif surplus < 0:  # unused for now, but there is room
                used[np.flatnonzero(~used)[:-surplus]] = True
            classes, rows = replace(classes, weights=found.weights).take(used), rows[used]
        held = [p.budgets[force != 0] for p, force in zip(passes, found.by_pass, strict=True)]
        if generation == GENERATIONS:
            break
        pressed = [(p.budgets[force != 0], force[force != 0]) for p, force in zip(passes, found.by_pass, strict=True)]
        tried = varied(classes, CANDIDATES, anchors, rng)
        for i, (budgets, force) in enumerate(pressed):
            if budgets.size:
                often = np.abs(force) / np.abs(force).sum()
                tried = tried.and_also(steered(classes, i, rng.choice(budgets, STEERED, p=often), rng))
        new, columns = _entering(tried, evidence, aims, found.by_row, pressed)
        classes, rows = classes.and_also(new), np.vstack([rows, columns])
    return Fitted(classes=classes, held=tuple(held))


def settle(now: Fitted, evidence: Evidence, aims: Sequence[Aim], *, tolerance: float, price: float) -> Fitted:
    """The best weights of given classes, pass held at every step of theirs and the logs'; classes without weight are left out.

    Parameters, errors : as of `improve`.
    """
    classes = now.classes
    target = evidence.weights @ _rows(evidence.odds, evidence.spend, evidence, aims)
    rows = _rows(classes.odds, list(classes.spend), evidence, aims)
    passes = _passes(classes, evidence, now.held, exactly=True)
    found = best_weights(classes.weights, rows, target, passes, tolerance, price, LAST_ROUNDS)
    q = np.where(found.weights > DROPPED, found.weights, 0.0)
    held = tuple(p.budgets[force != 0] for p, force in zip(passes, found.by_pass, strict=True))
    return Fitted(classes=replace(classes, weights=q / q.sum()).take(q > 0), held=held)


ROUNDS, LAST_ROUNDS = 2, 10


def _logs(evidence: Evidence) -> list[tuple[Sampled, FloatArray]]:
    return list(zip(evidence.odds, evidence.spend, strict=True))


def _passes(now: Classes, evidence: Evidence, held: Sequence[FloatArray], exactly: bool) -> list[PassRows]:
    """Pass by class at the budgets that are followed, those that are held and those where classes jump, or at every step."""
    listed = []
    for i, (o, w) in enumerate(_logs(evidence)):
        if exactly:
            b = every_step(o, w, evidence.weights, now, i, evidence.cap)
        else:
            b = np.union1d(evidence.budgets[i], first_steps(now, i, evidence.cap))
        b = np.union1d(b, held[i])
        listed.append(pass_rows(o, w, evidence.weights, now, i, b, np.isin(b, held[i])))
    return listed


def _rows(
    odds: Sequence[Sampled | Geometric], spend: Sequence[FloatArray], evidence: Evidence, aims: Sequence[Aim]
) -> FloatArray:
    """(N, R) of N problems or classes: policies, and pass."""
    columns = [aim.rows(odds, spend) for aim in aims]
    for o, w, b in zip(odds, spend, evidence.budgets, strict=True):
        columns.append((1 - curve(o, w, b)[0]) / (SOLVED_ERROR * np.sqrt(max(b.size / WORTH, 1.0))))
    return np.hstack(columns)


def _entering(
    tried: Classes,
    evidence: Evidence,
    aims: Sequence[Aim],
    pull: FloatArray,
    pressed: Sequence[tuple[FloatArray, FloatArray]],
) -> tuple[Classes, FloatArray]:
    """The candidates along which the misfit falls fastest, and their rows. pull : its derivative by the
    rows' values. pressed : per provider budgets where pass is held, and the derivative by pass there."""
    slope = np.empty(tried.weights.size)
    for start in range(0, slope.size, BLOCK):
        some = tried.take(np.arange(start, min(start + BLOCK, slope.size)))
        slope[start : start + BLOCK] = _rows(some.odds, list(some.spend), evidence, aims) @ pull
        for i, (budgets, by_pass) in enumerate(pressed):
            if budgets.size:
                solved = 1 - curve(some.odds[i], some.spend[i], budgets)[0]
                slope[start : start + BLOCK] += solved @ by_pass
    new = tried.take(np.argsort(slope, kind="stable")[:ENTERING])
    return new, _rows(new.odds, list(new.spend), evidence, aims)
