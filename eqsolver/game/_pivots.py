"""One pivot of a tableau, in place."""

from __future__ import annotations

from eqsolver._base import FloatArray
from eqsolver._compiled import compiled


@compiled
def pivot(table: FloatArray, row: int, column: int) -> None:
    """Make a column of a table (R, C) the unit vector of a row, by multiples of that row; rows that have a 0 there stay."""
    table[row] /= table[row, column]
    for r in range(table.shape[0]):
        factor = table[r, column]
        if r != row and factor != 0.0:
            for c in range(table.shape[1]):
                table[r, c] -= factor * table[row, c]
