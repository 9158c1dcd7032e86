"""How far classes are from the targets, and which way each of their numbers should move: a smooth function with gradient."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from eqsolver._base import FloatArray
from eqsolver.estimate._targets import Targets

LOWEST_SUCCESS, HIGHEST_SUCCESS = 1e-3, 1 - 1e-6
"""Success of a class moves between these; a class that starts at zero stays there. Longer logs tell smaller odds apart."""
STEEPNESS = 6
"""Power of the penalty on pass errors, in units of the tolerated error: even, and high enough to press on the largest."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Classes:
    """Candidate classes. weights : (K,) shares q. success, spend : (M, K) p and w."""

    weights: FloatArray
    success: FloatArray
    spend: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cells:
    """Averages over cells of K classes' curves, (K, J), and derivatives by success p and by log spend."""

    survival: FloatArray
    spend: FloatArray
    survival_by_success: FloatArray
    survival_by_log_spend: FloatArray
    spend_by_success: FloatArray
    spend_by_log_spend: FloatArray


def cells(success: FloatArray, spend: FloatArray, edges: FloatArray) -> Cells:
    """Averages of S and F over the cells between `edges`, exactly, for K geometric classes.

    success : (K,) p in [0, 1). spend : (K,) w. edges : (J + 1,) budgets, increasing from 0.

    Notes
    -----
    The integral of S from 0 to b is w T(n) + (b - n w) S(n) with n = floor(b/w) and T(n) = (1 - S(n)) / p; F = w (1 - S) / p.
    """
    never = success == 0
    p, w, width = np.where(never, 0.5, success)[:, None], spend[:, None], np.diff(edges)
    n = np.floor(edges / w * (1 + 1e-12))
    left = edges - n * w
    S = np.exp(n * np.log1p(-p))
    tries = (1 - S) / p
    S_by_p = -n * S / (1 - p)
    tries_by_p = -(S_by_p + tries) / p
    survival = np.diff(w * tries + left * S, axis=1) / width
    by_p = np.diff(w * tries_by_p + left * S_by_p, axis=1) / width
    by_w = np.diff((tries - n * S) * w, axis=1) / width
    spent = w * (1 - survival) / p
    spent_by_p = -(w * by_p + spent) / p
    spent_by_w = spent - w * by_w / p
    if never.any():
        n, left, w = n[never], left[never], w[never]
        survival[never], by_p[never], by_w[never], spent_by_p[never] = 1.0, 0.0, 0.0, 0.0
        spent[never] = w * np.diff(w * n * (n - 1) / 2 + n * left, axis=1) / width
        spent_by_w[never] = spent[never] + w * np.diff(w * n * (n - 1) / 2 - n * n * w, axis=1) / width
    return Cells(
        survival=survival,
        spend=spent,
        survival_by_success=by_p,
        survival_by_log_spend=by_w,
        spend_by_success=spent_by_p,
        spend_by_log_spend=spent_by_w,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Misfit:
    """The function that classes minimise, of one flat vector: log weights, logits of success, log spend, (K + 2 M K,).

    never : (M, K) classes on which the provider never succeeds. tolerance : tolerated pass error.
    pressure : weight of the penalty on pass errors. lowest : the smallest success of a class that ever succeeds.
    """

    targets: Targets
    never: FloatArray
    tolerance: float
    pressure: float
    lowest: float = LOWEST_SUCCESS

    def pack(self, classes: Classes) -> FloatArray:
        """The flat vector to start from."""
        share = (classes.success - self.lowest) / (HIGHEST_SUCCESS - self.lowest)
        logit = special.logit(np.clip(share, self.lowest / 10, 1 - 1e-4))  # at the very ends nothing would move
        return np.concatenate([np.log(np.maximum(classes.weights, 1e-6)), logit.ravel(), np.log(classes.spend).ravel()])

    def unpack(self, flat: FloatArray) -> Classes:
        """The classes a flat vector stands for."""
        M, K = self.never.shape
        p = self.lowest + (HIGHEST_SUCCESS - self.lowest) * special.expit(flat[K : K + M * K].reshape(M, K))
        return Classes(
            weights=special.softmax(flat[:K]),
            success=np.where(self.never, 0.0, p),
            spend=np.exp(flat[K + M * K :].reshape(M, K)),
        )

    def __call__(self, flat: FloatArray) -> tuple[float, FloatArray]:
        """The misfit and its gradient: sums of squares over cells of singles and pairs, and the penalty on pass errors."""
        M, K = self.never.shape
        now = self.unpack(flat)
        q, singles = now.weights, self.targets.singles
        at = [cells(now.success[i], now.spend[i], singles[i].edges) for i in range(M)]
        by_S, by_F = [np.zeros_like(c.survival) for c in at], [np.zeros_like(c.spend) for c in at]
        by_q, by_p, by_w = np.zeros(K), np.zeros((M, K)), np.zeros((M, K))
        total = 0.0
        for i, (want, have) in enumerate(zip(singles, at, strict=True)):
            for mean, curve, weight, slope in (
                (want.survival, have.survival, want.survival_weight, by_S[i]),
                (want.spend, have.spend, want.spend_weight, by_F[i]),
            ):
                error = (q @ curve - mean) * weight
                total += float(error @ error)
                slope += 2 * q[:, None] * (error * weight)
                by_q += curve @ (2 * error * weight)
            fine = cells(now.success[i], now.spend[i], want.fine_edges)
            error = (q @ fine.survival - want.fine_survival) / self.tolerance
            total += self.pressure * float((error**STEEPNESS).sum())
            slope = self.pressure * STEEPNESS * error ** (STEEPNESS - 1) / self.tolerance
            by_q += fine.survival @ slope
            by_p[i] += q * (fine.survival_by_success @ slope)
            by_w[i] += q * (fine.survival_by_log_spend @ slope)
        for pair in self.targets.pairs:
            a, b = at[pair.first], at[pair.second]
            qS, qF = q[:, None] * a.survival, q[:, None] * a.spend
            slopes = []
            for left, right, mean, weight in (
                (qS, b.survival, pair.survival, pair.survival_weight),
                (qF, b.survival, pair.first_spend, pair.spend_weight),
                (qS, b.spend, pair.second_spend, pair.spend_weight),
            ):
                residual = (left.T @ right - mean) * weight
                total += float(np.vdot(residual, residual))
                slopes.append(2 * residual * weight)
            S_S, F_S, S_F = slopes
            on_S, on_F = b.survival @ S_S.T + b.spend @ S_F.T, b.survival @ F_S.T
            by_S[pair.first] += q[:, None] * on_S
            by_F[pair.first] += q[:, None] * on_F
            by_q += (a.survival * on_S).sum(axis=1) + (a.spend * on_F).sum(axis=1)
            by_S[pair.second] += qS @ S_S + qF @ F_S
            by_F[pair.second] += qS @ S_F
        for i, c in enumerate(at):
            by_p[i] += (by_S[i] * c.survival_by_success + by_F[i] * c.spend_by_success).sum(axis=1)
            by_w[i] += (by_S[i] * c.survival_by_log_spend + by_F[i] * c.spend_by_log_spend).sum(axis=1)
        share = (now.success - self.lowest) / (HIGHEST_SUCCESS - self.lowest)
        by_logit = np.where(self.never, 0.0, by_p * (HIGHEST_SUCCESS - self.lowest) * share * (1 - share))
        return total, np.concatenate([q * (by_q - q @ by_q), by_logit.ravel(), by_w.ravel()])
