"""Cutting planes: a mixture polished by a linear program over the worst cases met so far."""

from __future__ import annotations

import numpy as np
from scipy import optimize

from eqsolver._base import FloatArray, IntArray
from eqsolver.robust._nature import worst_weights
from eqsolver.robust._sets import AmbiguitySet

MOST = 200


def cut_down(
    margins: FloatArray,
    nominal: FloatArray,
    within: AmbiguitySet,
    active: IntArray,
    weights: FloatArray,
    worst: FloatArray,
    enough: float,
) -> tuple[FloatArray, FloatArray, int, float]:
    """Close the gap over the active policies between a mixture's worst case and what the best policy earns at weights q.

    Parameters
    ----------
    margins : (Xi, K). active : policies that may be mixed. weights : (K,) a mixture of them. worst : (Xi,) q in the set.
    enough : gap, in the margins' unit, at which to stop.

    Returns
    -------
    weights, worst, how many cuts were made, and the gap left; a mixture no worse and a bound no higher than those given.

    Notes
    -----
    Kelley (1960): with q_1 ... q_c worst cases of earlier mixtures, max t with t <= q_j R w bounds every mixture, and its dual
    weights mix the q_j into one q of the set (it is convex) at which no active policy earns more than t.
    """
    R = margins[:, active]
    best, bound = weights, worst

    def value_of(w: FloatArray) -> tuple[float, FloatArray]:
        pays = R @ w
        q = worst_weights(pays, nominal, within)
        return float(q @ pays), q

    w = weights[active]
    value, q = value_of(w)
    most = float((worst @ R).max())
    cuts = [worst, q]
    made = 0
    while most - value > enough and made < MOST:
        found = _linear(np.stack(cuts) @ R)
        if found is None:
            break
        w, mixed = found
        made += 1
        here, q = value_of(w)
        if here > value:
            value = here
            best = np.zeros_like(weights)
            best[active] = w
        above = mixed @ np.stack(cuts)
        if float((above @ R).max()) < most:
            most, bound = float((above @ R).max()), above
        cuts.append(q)
    return best, bound, made, most - value


def _linear(rows: FloatArray) -> tuple[FloatArray, FloatArray] | None:
    """The zero-sum game of cuts (C, K) against policies: (weights (K,), mixture of the cuts (C,))."""
    C, K = rows.shape
    scale = max(float(np.abs(rows).max()), np.finfo(float).tiny)
    solved = optimize.linprog(
        np.append(np.zeros(K), -1.0),
        A_ub=np.column_stack([-rows / scale, np.ones(C)]),
        b_ub=np.zeros(C),
        A_eq=np.append(np.ones(K), 0.0)[None],
        b_eq=np.ones(1),
        bounds=[(0, None)] * K + [(None, None)],
        method="highs",
        options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
    )
    if solved.status != 0:
        return None
    w = np.maximum(np.asarray(solved.x)[:K], 0.0)
    mixed = np.maximum(-solved.ineqlin.marginals, 0.0)
    return w / w.sum(), mixed / mixed.sum()


def procured_by_cuts(
    spend: FloatArray,
    passing: FloatArray,
    nominal: FloatArray,
    within: AmbiguitySet,
    floor: float,
    start: FloatArray,
    enough: float,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Least worst-case spend with a worst-case floor, by cuts for both.

    Parameters
    ----------
    spend, passing : (Xi, K). start : (K,) a mixture that keeps the floor. enough : gap at which to stop, in money.

    Returns
    -------
    weights (K,), which may miss the floor by rounding; and the dual weights q (Xi,) of spend and y (Xi,) of the floor, as in
    `procure`, each a mixture of worst cases met: q in the set, y a multiple of one that is.
    """
    w, money, share = start, [nominal], [nominal]
    q, y = nominal, np.zeros_like(nominal)
    for _ in range(MOST):
        spent, solves = spend @ w, passing @ w
        money.append(worst_weights(-spent, nominal, within))
        share.append(worst_weights(solves, nominal, within))
        rows, floors = np.stack(money) @ spend, np.stack(share) @ passing
        solved = optimize.linprog(
            np.append(np.zeros(w.size), 1.0),
            A_ub=np.block([[rows, -np.ones((len(rows), 1))], [-floors, np.zeros((len(floors), 1))]]),
            b_ub=np.append(np.zeros(len(rows)), np.full(len(floors), -floor)),
            A_eq=np.append(np.ones(w.size), 0.0)[None],
            b_eq=np.ones(1),
            bounds=[(0, None)] * (w.size + 1),
            method="highs",
            options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
        )
        if solved.status != 0:
            break
        point: FloatArray = np.asarray(solved.x)
        w = np.maximum(point[:-1], 0.0)
        w /= w.sum()
        dual = np.maximum(-np.asarray(solved.ineqlin.marginals), 0.0)
        q, y = dual[: len(rows)] @ np.stack(money), dual[len(rows) :] @ np.stack(share)
        spent, solves = spend @ w, passing @ w
        over = float(worst_weights(-spent, nominal, within) @ spent) - float(point[-1])
        short = floor - float(worst_weights(solves, nominal, within) @ solves)
        if over <= enough and short <= 1e-9:
            break
    return w, q / q.sum(), y
