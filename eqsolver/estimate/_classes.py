"""Fit geometric classes to attempt logs: groups of problems, polished by gradient, weighed by a convex program."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import optimize

from eqsolver._base import FloatArray
from eqsolver.estimate._groups import group_classes
from eqsolver.estimate._misfit import LOWEST_SUCCESS, Classes, Misfit
from eqsolver.estimate._spares import with_spares
from eqsolver.estimate._targets import curve, targets
from eqsolver.estimate._weights import DROPPED, PassRows, best_weights
from eqsolver.market import Geometric, Sampled

PRESSURES = (100.0, 1000.0, 1000.0, 1000.0)
"""Weight of the penalty on pass errors in each round of polishing; the convex program follows the second and each later."""
ITERATIONS = 400
FILLINGS = 3
"""How often spare classes are placed in one round."""
SPARE = 12
"""One class in so many is held back, and put where a pass curve turns out to be off."""
POINTS = 4000
"""Budgets, per provider and market, at which pass curves are compared."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClassFit:
    """Classes fitted to logs.

    weights : (K,) shares q, > 0, sum 1. success : (M, K) p in [0, 1]. spend : (M, K) w > 0, money.
    pass_error : (M,) bound on |pass of the classes - pass of the logs| over every budget from 0 to the cap.
    reach_error : (M,) pass at the cap, classes minus logs.
    """

    weights: FloatArray
    success: FloatArray
    spend: FloatArray
    pass_error: FloatArray
    reach_error: FloatArray


def fit_classes(
    odds: Sequence[Sampled],
    spend: Sequence[FloatArray],
    weights: FloatArray,
    max_budget: float,
    *,
    classes: int = 256,
    common: int | None = None,
    tolerance: float = 0.005,
    seed: int = 0,
    accept: Callable[[ClassFit], bool] | None = None,
    progress: Callable[[str], None] | None = None,
) -> ClassFit:
    """Find at most K geometric classes whose curves agree with those of the logs up to the cap.

    Parameters
    ----------
    odds, spend : of M providers on N problems: attempts and successes, mean cost of one attempt (N,), money.
    weights : (N,) shares q of the problems. max_budget : the cap on what is allotted to one problem, money.
    classes : K, the most classes. common : the provider that every fitted pair contains; None: all pairs.
    tolerance : largest pass error wanted; aimed at, the fit says what was reached.
    seed : of the small shifts in cost that the first classes start with.
    accept : a fit that is good enough ends the search early. progress : is told of every round.

    Returns
    -------
    The accepted fit, or the one with the smallest pass error.

    Raises
    ------
    NotCertified : the convex program did not reach an optimum.

    Notes
    -----
    THEORY section 2, calibration. Success and cost of the classes come from minimising a smooth misfit (L-BFGS), their
    weights in the end from a convex program over these classes. Time is O(K J^2) per pair of providers and iteration.
    """
    unit, spend, max_budget = max_budget, [w / max_budget for w in spend], 1.0  # the cap is the unit of money inside
    best: ClassFit | None = None
    for turn, fitted in enumerate(_candidates(odds, spend, weights, max_budget, classes, common, tolerance, seed)):
        fit = _measured(odds, spend, weights, max_budget, fitted)
        fit = replace(fit, spend=unit * fit.spend)
        if progress is not None:
            errors = ", ".join(f"{100 * e:.2f}" for e in fit.pass_error)
            progress(f"{fit.weights.size} classes, candidate {turn + 1}: pass within {errors} points")
        if accept is not None and accept(fit):
            return fit
        if best is None or fit.pass_error.max() < best.pass_error.max():
            best = fit
    assert best is not None, "every round after the first makes a candidate"
    return best


def _candidates(
    odds: Sequence[Sampled],
    spend: Sequence[FloatArray],
    weights: FloatArray,
    max_budget: float,
    classes: int,
    common: int | None,
    tolerance: float,
    seed: int,
) -> Iterator[Classes]:
    """Ever more polished classes; the problems themselves first, if there are no more of them than classes."""
    goal = targets(odds, spend, weights, max_budget, common)
    start = group_classes(odds, spend, weights, goal.cells, classes - classes // SPARE)
    if start.weights.size == weights.size:
        yield start
    shift = np.random.default_rng(seed).normal(scale=1e-3 if start.weights.size < weights.size else 0.0, size=start.spend.shape)
    now = replace(start, spend=start.spend * np.exp(shift))
    lowest_success = min(LOWEST_SUCCESS, 0.5 / max(int(o.attempts.max()) for o in odds))
    misfit = Misfit(
        targets=goal,
        never=start.success == 0,
        tolerance=0.8 * tolerance,
        pressure=PRESSURES[0],
        lowest=lowest_success,
    )
    lowest, highest = np.log(np.stack(list(spend)).min() / 10), np.log(10 * max(max_budget, float(np.max(spend))))

    def weighed(fitted: Classes) -> tuple[FloatArray, list[PassRows]]:
        rows = [pass_rows(odds[i], spend[i], weights, fitted, i, max_budget) for i in range(len(odds))]
        return best_weights(goal, fitted, rows, 0.9 * tolerance), rows

    for turn, pressure in enumerate(PRESSURES):
        misfit = replace(misfit, pressure=pressure, never=now.success == 0)
        K, MK = now.weights.size, now.success.size
        bounds = [(-16.0, 2.0)] * K + [(-14.0, 16.0)] * MK + [(lowest, highest)] * MK
        options = {"maxiter": ITERATIONS, "maxfun": 2 * ITERATIONS, "maxcor": 30}
        flat = misfit.pack(now)
        found: Any = optimize.minimize(misfit, flat, jac=True, method="L-BFGS-B", bounds=bounds, options=options)  # type: ignore[call-overload]
        now = misfit.unpack(found.x)
        if turn == 0:
            continue
        q, rows = weighed(now)
        for _ in range(FILLINGS):
            filled = with_spares(now, q, rows, classes, 0.9 * tolerance * (1 + 1e-4))
            if filled.weights.size == (q > DROPPED).sum():
                break
            now = filled
            q, rows = weighed(now)
        now = replace(now, weights=q)
        yield now


def compared_budgets(odds: Sampled | Geometric, spend: FloatArray, weights: FloatArray, max_budget: float) -> FloatArray:
    """Budgets up to the cap at which a pass curve is followed: every step if they fit in `POINTS`, else the first attempts
    and budgets between which pass changes little."""
    k = np.arange(1, _ATTEMPTS + 1)
    b = np.unique(np.append((spend[:, None] * k).ravel(), np.geomspace(min(spend.min(), max_budget), max_budget, POINTS)))
    b = b[b <= max_budget]
    if b.size > POINTS:
        solved = weights @ (1 - curve(odds, spend, b)[0])
        rise = np.sqrt(np.maximum(np.diff(solved, prepend=0.0), 0.0))
        running = np.cumsum(rise + rise.mean() * 0.05)
        b = b[np.unique(np.searchsorted(running, np.linspace(0, running[-1], POINTS)).clip(0, b.size - 1))]
    return np.unique(np.append(b, max_budget))


_ATTEMPTS = 24


def pass_rows(odds: Sampled, spend: FloatArray, weights: FloatArray, classes: Classes, i: int, max_budget: float) -> PassRows:
    """Pass of provider i at and just below the budgets where the logs or the classes make attempts."""
    b = _compared(odds, spend, weights, classes, i, max_budget)
    b = np.unique(np.concatenate([b, b * (1 - _BELOW)]))
    own = 1 - curve(Geometric(success=classes.success[i]), classes.spend[i], b)[0]
    return PassRows(budgets=b, solved=weights @ (1 - curve(odds, spend, b)[0]), by_class=own)


def _compared(odds: Sampled, spend: FloatArray, weights: FloatArray, classes: Classes, i: int, max_budget: float) -> FloatArray:
    mine = Geometric(success=classes.success[i])
    return np.union1d(
        compared_budgets(odds, spend, weights, max_budget),
        compared_budgets(mine, classes.spend[i], classes.weights, max_budget),
    )


_BELOW = 1e-10


def largest_pass_error(
    odds: Sampled, spend: FloatArray, weights: FloatArray, classes: Classes, i: int, max_budget: float
) -> float:
    """A bound on the difference of two pass curves over every budget from 0 to the cap, tight where all steps are compared.

    Both rise, so between two budgets each stays between its value at the first and that just below the second.
    """
    b = np.append(0.0, _compared(odds, spend, weights, classes, i, max_budget))
    mine = Geometric(success=classes.success[i])
    (at, below), (own, own_below) = (
        [q @ (1 - curve(o, w, x)[0]) for x in (b, b[1:] * (1 - _BELOW))]
        for o, w, q in ((odds, spend, weights), (mine, classes.spend[i], classes.weights))
    )
    gaps = (np.abs(at - own), below - own[:-1], own_below - at[:-1])
    return float(max(gap.max() for gap in gaps))


def _measured(
    odds: Sequence[Sampled], spend: Sequence[FloatArray], weights: FloatArray, max_budget: float, fitted: Classes
) -> ClassFit:
    kept = fitted.weights > DROPPED
    q = fitted.weights[kept] / fitted.weights[kept].sum()
    classes = Classes(weights=q, success=fitted.success[:, kept], spend=fitted.spend[:, kept])
    errors = [largest_pass_error(odds[i], spend[i], weights, classes, i, max_budget) for i in range(len(odds))]
    cap = np.array([max_budget])
    surplus = [
        weights @ curve(odds[i], w, cap)[0] - q @ curve(Geometric(success=p), c, cap)[0]
        for i, (w, p, c) in enumerate(zip(spend, classes.success, classes.spend, strict=True))
    ]
    return ClassFit(
        weights=q,
        success=classes.success,
        spend=classes.spend,
        pass_error=np.array(errors),
        reach_error=np.array(surplus)[:, 0],
    )
