"""Nonparametric maximum likelihood: the weights of given components under which data are likeliest, with a certificate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import optimize

from eqsolver._base import FloatArray, IntArray, NotCertified

ADDED = 40
"""Components let in per round, at most."""

SUM_ROW = 100.0
"""Weight of the row that makes the weights of a least-squares step sum to one, before they are scaled to."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Mixture:
    """Weights of K components, and how far they can be from the best.

    weights : (K,) >= 0, sum 1, most of them 0. log_likelihood : sum_x q_x log sum_k L_xk g_k.
    gap : no other weights have a log-likelihood that is larger by more than this.
    """

    weights: FloatArray
    log_likelihood: float
    gap: float


def best_mixture(log_likelihood: FloatArray, weights: FloatArray, *, tolerance: float = 1e-6, max_rounds: int = 200) -> Mixture:
    """Maximise sum_x q_x log sum_k L_xk g_k over weights g of the components: a convex program.

    Parameters
    ----------
    log_likelihood : (N, K) log L_xk of problem x's data under component k. weights : (N,) q of the problems.
    tolerance : of the gap, in log-likelihood per problem. max_rounds : at most.

    Raises
    ------
    NotCertified : the gap is still larger after that many rounds; `result` is the `Mixture` reached.

    Notes
    -----
    Kiefer & Wolfowitz 1956; Koenker & Mizera 2014. With D_k = sum_x q_x L_xk / f_x the derivative towards component k, at
    mixture density f, Jensen's inequality bounds the gain of any other weights h by log sum_k h_k D_k <= log max_k D_k: that
    is the gap. Each round lets in components whose derivative exceeds one (for every problem the one that serves it best),
    and takes constrained Newton steps on those held (Wang 2007): a nonnegative least squares problem with a line search.
    """
    q = weights
    top = log_likelihood.max(axis=1)
    L = np.exp(log_likelihood - top[:, None])
    scale = float(q @ top)
    g = np.zeros(L.shape[1])
    serving = L.argmax(axis=1)
    held = np.unique(np.append(np.argmax(np.log(np.maximum(L, 1e-300)).T @ q), serving[:ADDED]))
    left_out = L[:, held].max(axis=1) < 1e-200  # impossible, to the last digit, under all of these
    held = np.union1d(held, serving[left_out])
    g[held] = 1.0 / held.size
    for _ in range(max_rounds):
        f = L[:, held] @ g[held]
        slope = (q / f) @ L
        gap = max(float(np.log(slope.max())), 0.0)
        found = Mixture(weights=g / g.sum(), log_likelihood=float(q @ np.log(f)) + scale, gap=gap)
        if gap <= tolerance:
            return found
        held = _newton(L, q, g, np.union1d(held, _wanted(L, slope)), tolerance)
    raise NotCertified(f"nonparametric likelihood: a gap of {gap:.2g} is left after {max_rounds} rounds", found)


def _wanted(L: FloatArray, slope: FloatArray) -> IntArray:
    """Components that the gradient asks for: the steepest ones, and for each problem the steep one that serves it best."""
    steep = np.flatnonzero(slope > 1)
    steep = steep[np.argsort(-slope[steep], kind="stable")]
    serving = steep[np.unique((L[:, steep] * slope[steep]).argmax(axis=1))]
    serving = serving[np.argsort(-slope[serving], kind="stable")]
    return np.union1d(steep[: ADDED // 4], serving[:ADDED])


def _newton(L: FloatArray, q: FloatArray, g: FloatArray, held: IntArray, tolerance: float) -> IntArray:
    """Improve the weights g in place among the components held; return those that keep a weight."""
    root = np.sqrt(q)
    for _ in range(3):
        part = L[:, held]
        f = part @ g[held]
        rows = np.vstack([(root / f)[:, None] * part, np.full(held.size, SUM_ROW)])
        try:
            aim, _ = optimize.nnls(rows, np.append(2 * root, SUM_ROW), maxiter=50 * held.size + 500)
        except RuntimeError:
            break  # it ran out of steps; the gap says how much that matters
        change = aim / aim.sum() - g[held]
        rise, value = float(q @ (part @ change / f)), float(q @ np.log(f))
        share = 1.0
        while share > 1e-9 and q @ np.log(np.maximum(part @ (g[held] + share * change), 1e-300)) < value + share * rise / 3:
            share /= 2
        g[held] = np.maximum(g[held] + share * change, 0.0)
        held = held[g[held] > 0]
        if rise <= tolerance / 10:
            break
    return held
