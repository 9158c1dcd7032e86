"""Of all draws of price vectors from which nobody gains by leaving, the one nearest to independent draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize

from eqsolver._base import FloatArray

PLAYED = 1e-9
"""Probabilities below this are rounding of the linear program."""
PRICE_OF_GAIN = 1e3
"""What a relative gain above the one aimed at counts, against probability moved."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Weighted:
    """Probabilities of S drawn profiles. shares : (S,). moved : total variation from equal ones.

    gain : (P,) largest relative gain among the deviations known, may be negative.
    """

    shares: FloatArray
    moved: float
    gain: FloatArray


def nearest_to_independence(payoffs: FloatArray, gains: Sequence[FloatArray], *, aim: float, floor: float) -> Weighted:
    """Weigh profiles drawn from independent strategies so that no deviation gains more than `aim`, moving least probability.

    Parameters
    ----------
    payoffs : (S, P) at each profile. gains : per player (S, D) what each of D deviations adds to its payoff there.
    aim : share of the payoff, negative to leave room. floor : payoff below which gains are shares of it.

    Notes
    -----
    Linear program (HiGHS): least sum |x_s - 1/S| / 2, subject to sum_s x_s (gain_ps - aim payoff_ps) <= t_p for each
    deviation of each player p; t >= 0 is only there if nothing else helps, at a price. The constraints of a coarse correlated
    equilibrium; with equal weights the draw is a sample of independent strategies.
    """
    S, P = payoffs.shape
    mean = payoffs.mean(axis=0)
    scale = np.maximum(mean, floor)
    scale = np.where(scale > 0, scale, 1.0)
    rows = []
    for p in range(P):
        wanted = payoffs[:, p] if mean[p] > floor else np.full(S, floor)
        table = (gains[p] - aim * wanted[:, None]) / scale[p]
        rows.append(np.column_stack([table.T, np.zeros((table.shape[1], S)), -np.ones(table.shape[1])]))
    one, ones, last = np.eye(S), np.ones((S, 1)), np.zeros((S, 1))
    found = optimize.linprog(
        np.concatenate([np.zeros(S), np.full(S, 0.5), [PRICE_OF_GAIN]]),
        A_ub=np.vstack([*rows, np.hstack([one, -one, last]), np.hstack([-one, -one, last])]),
        b_ub=np.concatenate([np.zeros(sum(len(r) for r in rows)), np.full(S, 1 / S), np.full(S, -1 / S)]),
        A_eq=np.concatenate([ones[:, 0], np.zeros(S + 1)])[None],
        b_eq=[1.0],
        bounds=(0, None),
        method="highs",
    )
    assert found.x is not None, found.message
    shares = np.where(found.x[:S] > PLAYED, found.x[:S], 0.0)
    shares = np.asarray(shares / shares.sum(), dtype=np.float64)
    value = np.maximum(shares @ payoffs, floor)
    gain = np.array([float((shares @ gains[p]).max()) for p in range(P)]) / np.where(value > 0, value, 1.0)
    return Weighted(shares=shares, moved=float(np.abs(shares - 1 / S).sum() / 2), gain=gain)
