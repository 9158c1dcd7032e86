"""Better classes for given aims: column generation, in which only candidates that lower the misfit enter, and few stay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from eqsolver._base import FloatArray
from eqsolver.estimate._classes import Classes, jumps, steered, varied
from eqsolver.estimate._groups import blended
from eqsolver.estimate._misfit import Misfit
from eqsolver.estimate._slide import slid
from eqsolver.estimate._weights import DROPPED, PassRows, Weighed

VARIED, BLENDED, STEERED = 2000, 3000, 100
"""Classes tried each time: like those at hand, like the logs', and by provider such as cost just what budgets do where pass is
off."""
ENTERING, AT_LEAST = 0.4, 10
"""How many of these enter: a share of the most classes allowed, halved whenever that does not help, but not fewer than this."""
LEAVING, OF_SURPLUS = 0.15, 3
"""Share of the most classes allowed that leave at once where there are too many, or one in so many of the surplus: those whose
loss is least."""
SLIDES, FIRST_REACH, LAST_REACH = 2, 0.03, 0.2
"""Steps of all classes together after each generation, and how far the first and the farthest go, see `slid`."""
LONGER, SHORTER, WORTHWHILE = 1.5, 3.0, 0.98
"""A step that leaves less than the last factor of the misfit makes the next one longer, others shorter."""
ROUNDS, LAST_ROUNDS = 3, 10
CLOSE = 0.7
"""Budgets at which pass is off by less than this share of what is as good are no longer held."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fitted:
    """Classes, and the budgets at which the pass tolerance was a constraint, by provider."""

    classes: Classes
    held: tuple[FloatArray, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Weighed:
    """Classes at their best weights. rows, passes : theirs. found : the weights. held : where pass is a constraint. merit : see
    `Misfit`."""

    classes: Classes
    rows: FloatArray
    passes: tuple[PassRows, ...]
    found: Weighed
    held: tuple[FloatArray, ...]
    merit: float


def improve(now: Fitted, misfit: Misfit, *, limit: int, generations: int, rng: np.random.Generator) -> Fitted:
    """Classes that are closer to the aims, at most `limit`; `now` is what to start from. generations : how often candidates are
    tried.

    Raises
    ------
    NotCertified : a nonnegative least-squares problem ended without an optimum.

    Notes
    -----
    THEORY section 2, calibration. What a policy solves and costs is linear in the weights, so the derivative of the misfit by
    the weight of a class that is not there yet is one inner product: candidates with the steepest descent enter, and the
    weights of all are found anew. A nonnegative optimum leaves most of them at zero. Then all that is left slides, see `slid`.
    """
    evidence = misfit.evidence
    anchors = [jumps(o, w, evidence.weights, misfit.tolerance) for o, w in zip(evidence.odds, evidence.spend, strict=True)]
    best = _within(limit, misfit, now.classes, misfit.rows(now.classes), now.held)
    reach, most = FIRST_REACH, max(AT_LEAST, int(ENTERING * limit))
    for _ in range(generations):
        tried = _tried(best, misfit, anchors, rng)
        new = tried.take(np.argsort(misfit.slope(tried, best.passes, best.found), kind="stable")[:most])
        rows = np.vstack([best.rows, misfit.rows(new)])
        state, reach = _slid(_within(limit, misfit, best.classes.and_also(new), rows, best.held), misfit, reach)
        if state.merit >= best.merit:  # too many had to leave for those that entered
            most = max(most // 2, AT_LEAST)
            state, reach = _slid(best, misfit, reach)
        best = min(best, state, key=lambda one: one.merit)
    return Fitted(classes=best.classes, held=best.held)


def _slid(state: _Weighed, misfit: Misfit, reach: float) -> tuple[_Weighed, float]:
    """After a few steps of all classes together, those that helped, and how far the next one goes."""
    for _ in range(SLIDES):
        classes = slid(misfit, state.classes, state.rows, state.passes, state.found, reach, ROUNDS)
        there = _settled(misfit, classes, misfit.rows(classes), state.held)
        reach = min(reach * LONGER, LAST_REACH) if there.merit < WORTHWHILE * state.merit else reach / SHORTER
        state = min(state, there, key=lambda one: one.merit)
    return state, reach


def settle(now: Fitted, misfit: Misfit) -> Fitted:
    """The best weights of given classes, pass held at every step of theirs and the logs'; classes without weight are left out.

    Raises : as of `improve`.
    """
    classes = now.classes
    passes = misfit.passes(classes, now.held, exactly=True)
    found = misfit.weighed(classes.weights, misfit.rows(classes), passes, LAST_ROUNDS)
    q = np.where(found.weights > DROPPED, found.weights, 0.0)
    return Fitted(classes=replace(classes, weights=q / q.sum()).take(q > 0), held=_pressed(passes, found))


def _within(limit: int, misfit: Misfit, classes: Classes, rows: FloatArray, held: Sequence[FloatArray]) -> _Weighed:
    """At most `limit` of the classes, at their best weights: those whose loss is least leave."""
    while True:
        state = _settled(misfit, classes, rows, held)
        used = state.found.weights > DROPPED
        surplus = int(used.sum()) - limit
        if surplus < 0:  # unused for now, but there is room
            used[np.flatnonzero(~used)[:-surplus]] = True
        elif surplus > 0:
            leaving = np.argsort(np.where(used, state.found.loss, np.inf), kind="stable")
            used[leaving[: min(surplus, max(1, int(LEAVING * limit), surplus // OF_SURPLUS))]] = False
        classes, rows, held = state.classes.take(used), rows[used], state.held
        if surplus <= 0:
            found = replace(state.found, weights=state.found.weights[used], loss=state.found.loss[used])
            passes = tuple(replace(p, by_class=p.by_class[used]) for p in state.passes)
            return replace(state, classes=classes, rows=rows, passes=passes, found=found)


def _settled(misfit: Misfit, classes: Classes, rows: FloatArray, held: Sequence[FloatArray]) -> _Weighed:
    """The best weights of classes, pass held where it turns out to matter."""
    passes = misfit.passes(classes, held, exactly=False)
    found = misfit.weighed(classes.weights, rows, passes, ROUNDS)
    close = [p.budgets[p.entered & (np.abs(p.error(found.weights)) > CLOSE)] for p in passes]
    return _Weighed(
        classes=replace(classes, weights=found.weights),
        rows=rows,
        passes=passes,
        found=found,
        held=tuple(np.union1d(old, new) for old, new in zip(close, _pressed(passes, found), strict=True)),
        merit=misfit.merit(found.weights, rows, passes),
    )


def _pressed(passes: Sequence[PassRows], found: Weighed) -> tuple[FloatArray, ...]:
    """By provider, the budgets at which the tolerance binds."""
    return tuple(p.budgets[force != 0] for p, force in zip(passes, found.by_pass, strict=True))


def _tried(state: _Weighed, misfit: Misfit, anchors: Sequence[FloatArray], rng: np.random.Generator) -> Classes:
    """Candidates."""
    evidence = misfit.evidence
    tried = varied(state.classes, VARIED, anchors, rng)
    tried = tried.and_also(blended(evidence.odds, evidence.spend, evidence.near, BLENDED, rng))
    for i, (p, force) in enumerate(zip(state.passes, state.found.by_pass, strict=True)):
        if force.any():
            often = np.abs(force) / np.abs(force).sum()
            tried = tried.and_also(steered(state.classes, i, rng.choice(p.budgets, STEERED, p=often), rng))
    return tried
