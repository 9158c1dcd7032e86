"""Lemke and Howson's path: from an artificial equilibrium to one of a bimatrix game, by complementary pivoting."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eqsolver._base import FloatArray, IntArray

PIVOT = 1e-10
"""Entries of a tableau below this are rounding of zeros: its entries begin between 1 and 2."""

TIE = 1e-13
"""Ratios closer than this are equal, and the next column of the lexicographic rule decides."""


@dataclass(slots=True)
class _Tableau:
    """One player's best-response polytope `payoff z + slack = 1`, `z, slack >= 0`, in the basis reached.

    table : (rows, labels + 1) coefficients by label of the variable, then the right-hand side.
    basis : (rows,) label of the variable that is basic in each row. slacks : labels of the slacks, in order.
    """

    table: FloatArray
    basis: IntArray
    slacks: IntArray

    def enter(self, label: int) -> int | None:
        """Bring a variable into the basis; returns the label of the one that leaves, None if none can."""
        from eqsolver.game._pivots import pivot

        column = self.table[:, label]
        rows = np.flatnonzero(column > PIVOT)
        if not rows.size:
            return None
        row = self._leaving(rows, column)
        left = int(self.basis[row])
        pivot(self.table, row, label)
        self.basis[row] = label
        return left

    def _leaving(self, rows: IntArray, column: FloatArray) -> int:
        """The lexicographically smallest of the rows divided by their entries: right-hand side first, then the slacks."""
        for compared in (-1, *self.slacks):
            ratio = self.table[rows, compared] / column[rows]
            rows = rows[ratio <= ratio.min() + TIE]
            if rows.size == 1:
                break
        return int(rows[0])

    def strategy(self, labels: IntArray) -> FloatArray:
        """Probabilities of the variables with these labels."""
        value = np.zeros(self.table.shape[1] - 1)
        value[self.basis] = np.maximum(self.table[:, -1], 0.0)
        chosen: FloatArray = value[labels] / value[labels].sum()
        return chosen


def _tableau(payoff: FloatArray, own: IntArray, slacks: IntArray) -> _Tableau:
    table = np.zeros((slacks.size, slacks.size + own.size + 1))
    table[:, own], table[:, -1] = payoff, 1.0
    table[np.arange(slacks.size), slacks] = 1.0
    return _Tableau(table=table, basis=slacks.copy(), slacks=slacks)


def lemke_howson(first: FloatArray, second: FloatArray, label: int, pivots: int) -> tuple[FloatArray, FloatArray] | None:
    """The mixed strategies at the end of the path that drops a label, exact up to rounding.

    Parameters
    ----------
    first, second : (n, m) payoffs of the row and of the column player; only their differences matter.
    label : from 0 to n + m - 1, the action, rows first, that starts the path. pivots : after which it is given up.

    Returns
    -------
    (n,) and (m,) probabilities; None if the path is not at its end after so many pivots.

    Notes
    -----
    Lemke & Howson (1964); ties are broken lexicographically, so that no degenerate game makes the path return to where it was
    (von Stengel 2002, section 2.6). Each pivot costs O(n (n + m)) or O(m (n + m)).
    """
    n, m = first.shape
    rows, columns = np.arange(n), np.arange(n, n + m)
    scaled = [1.0 + (payoff - payoff.min()) / max(float(np.ptp(payoff)), np.finfo(float).tiny) for payoff in (first, second)]
    own = _tableau(scaled[1].T, rows, columns)  # x, the row player's strategy; its slacks are columns that are best responses
    rival = _tableau(scaled[0], columns, rows)
    tableaux = (own, rival) if label < n else (rival, own)
    entering: int | None = label
    for turn in range(pivots):
        assert entering is not None
        entering = tableaux[turn % 2].enter(entering)
        if entering == label:
            return own.strategy(rows), rival.strategy(columns)
        if entering is None:
            break
    return None
