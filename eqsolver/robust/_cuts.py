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
