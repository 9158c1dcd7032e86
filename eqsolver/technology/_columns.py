"""Curves looked up rather than computed again: a search asks for the same allotments of a provider over and over."""

from __future__ import annotations

import numpy as np

from eqsolver._base import FloatArray
from eqsolver.market import Market
from eqsolver.technology._curves import curves
from eqsolver.technology._rules import Rules

KEPT_BYTES = 256 * 2**20
"""Memory for the curves kept; when it is full they are forgotten and begun again."""


class Columns:
    """Survival and expected spend of a market's providers at the allotments asked for so far, one row per allotment."""

    def __init__(self, market: Market, rules: Rules) -> None:
        self._market, self._rules = market, rules
        self._most = max(1024, KEPT_BYTES // (16 * market.weights.size))
        self._forget()

    def _forget(self) -> None:
        self._rows: dict[int, dict[float, int]] = {}
        self._kept: dict[int, tuple[FloatArray, FloatArray]] = {}
        self._count = 0

    def of(self, i: int, points: FloatArray) -> tuple[FloatArray, FloatArray]:
        """S, F : (J, N) of provider i at J allotments, F in list-price money; as `curves`, transposed."""
        wanted = points.tolist()
        new = sorted(set(wanted) - self._rows.get(i, {}).keys())
        if new:
            if self._count + len(new) > self._most:
                self._forget()
                new = sorted(set(wanted))
            self._add(i, new)
        rows = self._rows[i]
        index = np.array([rows[b] for b in wanted], dtype=np.int64)
        S, F = self._kept[i]
        return S[index], F[index]

    def _add(self, i: int, new: list[float]) -> None:
        N, rows = self._market.weights.size, self._rows.setdefault(i, {})
        S, F = curves(self._market.providers[i], np.array(new), self._rules)
        kept = self._kept.get(i, (np.empty((0, N)), np.empty((0, N))))
        have, need = len(rows), len(rows) + len(new)
        if need > len(kept[0]):
            room = max(need, 2 * len(kept[0]))
            grown = np.empty((room, N)), np.empty((room, N))
            for old, larger in zip(kept, grown, strict=True):
                larger[:have] = old[:have]
            kept = grown
        kept[0][have:need], kept[1][have:need] = S.T, F.T
        self._kept[i] = kept
        rows.update(zip(new, range(have, need), strict=True))
        self._count += len(new)
