"""Fixed policies on every problem: what each solves and costs there, which is linear in the weights of the problems."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from eqsolver._base import FloatArray, IntArray
from eqsolver.market import Geometric, Odds
from eqsolver.technology import Block, Timing, expected_tries, survival


def curve(
    odds: Odds, spend: FloatArray, budgets: FloatArray, premium: FloatArray | float = 1.0
) -> tuple[FloatArray, FloatArray]:
    """(N, J) survival S and expected spend F of positions under `finish`: calibration is by the default rule.

    spend : (N,) cost of a failed attempt. premium : (N,) or one for all, cost of a successful one as a multiple of it.
    """
    k = Timing(stride=spend, offset=np.zeros_like(spend), most=np.full(spend.size, np.inf)).attempts(budgets)
    if isinstance(odds, Geometric):  # once through the exponential, not twice: this is where calibration spends its time
        p = odds.success[:, None]
        solved = -np.expm1(k * np.log1p(-np.minimum(p, 1 - _SURELY)))
        tries = np.where(p > 0, solved / np.where(p > 0, p, 1.0), k)
        S = 1 - solved
    else:
        S = survival(odds, k)
        solved, tries = 1 - S, expected_tries(odds, k, S)
    dearer = np.asarray(premium - 1.0)[..., None] * solved if np.any(np.asarray(premium) != 1.0) else 0.0
    return S, spend[:, None] * (tries + dearer)


_SURELY = 1e-16
"""Odds nearer to one than this are taken for this."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Policies:
    """P paths over M providers, broken into the stretches that they share.

    budgets : M arrays, the allotments at which a path turns or ends, 0 first.
    ends : (P, M) where each path ends. provider, upto : (E,) of each stretch. start : (E, M) where it begins.
    parts : (P, E) which stretches make each path. Places are positions in `budgets`.
    """

    budgets: tuple[FloatArray, ...]
    ends: IntArray
    provider: IntArray
    start: IntArray
    upto: IntArray
    parts: sparse.csr_array

    def on(
        self, odds: Sequence[Odds], spend: Sequence[FloatArray], premium: Sequence[FloatArray | float]
    ) -> tuple[FloatArray, list[FloatArray]]:
        """What every path solves on N problems, (N, P), and the units it takes of each provider, M times (N, P).

        odds, spend, premium : of M providers on these problems, see `curve`.
        """
        curves = [curve(o, w, b, more) for o, w, b, more in zip(odds, spend, self.budgets, premium, strict=True)]
        unsolved = np.ones((len(spend[0]), len(self.ends)))
        taken = [np.zeros_like(unsolved) for _ in curves]
        for i, (S, F) in enumerate(curves):
            unsolved *= S[:, self.ends[:, i]]
            own = np.flatnonzero(self.provider == i)
            if not own.size:
                continue
            units = F[:, self.upto[own]] - F[:, self.start[own, i]]
            for other, (left, _) in enumerate(curves):
                if other != i and self.start[own, other].any():
                    units *= left[:, self.start[own, other]]
            taken[i] = (self.parts[:, own] @ units.T).T
        return 1.0 - unsolved, taken


def policies(paths: Sequence[Sequence[Block]], providers: int) -> Policies:
    """Break paths of (provider, allotment so far) into the stretches that they share."""
    allotments: list[set[float]] = [{0.0} for _ in range(providers)]
    for path in paths:
        for i, upto in path:
            allotments[i].add(upto)
    budgets = [np.array(sorted(seen)) for seen in allotments]
    place = [{float(b): position for position, b in enumerate(axis)} for axis in budgets]
    stretches: dict[tuple[int, tuple[int, ...], int], int] = {}
    row, column, ends = [], [], np.zeros((len(paths), providers), dtype=np.int64)
    for number, path in enumerate(paths):
        at = ends[number]
        for i, allotted in path:
            upto = place[i][allotted]
            row.append(number)
            column.append(stretches.setdefault((i, tuple(at.tolist()), upto), len(stretches)))
            at[i] = upto
    listed = list(stretches)
    return Policies(
        budgets=tuple(budgets),
        ends=ends,
        provider=np.array([i for i, _, _ in listed], dtype=np.int64),
        start=np.array([at for _, at, _ in listed], dtype=np.int64).reshape(len(listed), providers),
        upto=np.array([upto for _, _, upto in listed], dtype=np.int64),
        parts=sparse.csr_array((np.ones(len(row)), (row, column)), shape=(len(paths), len(listed))),
    )
