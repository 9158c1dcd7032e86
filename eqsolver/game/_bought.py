"""What value types buy, summed over a crowd at many prices in one compiled pass."""

from __future__ import annotations

import numpy as np
from scipy import special

from eqsolver._base import FloatArray, IntArray
from eqsolver._compiled import compiled

LOGNORMAL, UNIFORM = 0.0, 1.0
FINE, FAR = 128, 9.5
"""The normal tail is expanded around points 1/FINE apart up to FAR standard deviations; beyond it is 0 (to 1e-20) or 1."""


def _expansions() -> FloatArray:
    """(K, 6) coefficients of Taylor's polynomial of the normal tail around each point."""
    x = np.arange(-FAR * FINE, FAR * FINE + 1) / FINE
    density, square = np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi), x**2
    slopes = (1.0, -x / 2, (square - 1) / 6, -x * (square - 3) / 24, (square * (square - 6) + 3) / 120)
    return np.column_stack([special.ndtr(-x), *(-density * slope for slope in slopes)])


EXPANSIONS = _expansions()


@compiled
def bought(
    slope: FloatArray,
    log_slope: FloatArray,
    needed: FloatArray,
    rows: IntArray,
    scale: FloatArray,
    log_scale: FloatArray,
    types: tuple[FloatArray, FloatArray],
    populations: FloatArray,
    total: FloatArray,
) -> None:
    """Add up, over the choices of a row, what each needs beyond the one before times how many have a value above its slope.

    Parameters
    ----------
    slope, log_slope : (K, E) increasing along a row, infinite pads. needed : (K, E, M). rows : (R,) positions among K.
    scale, log_scale : (R,) slopes are so many times as high. types : (T,) values in increasing order, and (T + 1,) how many
    consumers there are from each on. populations : (P, 4) kind, two parameters (of a lognormal: log of the median, and sigma),
    and mass. total : (R, M) is written.

    Notes
    -----
    Agrees with `Crowd.above` to rounding. Where nobody is left above a slope, nobody is above the next.
    """
    values, left = types
    for r in range(total.shape[0]):
        for i in range(total.shape[1]):
            total[r, i] = 0.0
    for r in range(rows.size if values.size else 0):
        row, at = rows[r], 0
        for e in range(slope.shape[1]):
            while at < values.size and values[at] <= scale[r] * slope[row, e]:
                at += 1
            if at == values.size:
                break
            for i in range(needed.shape[2]):
                total[r, i] += left[at] * (needed[row, e, i] - (needed[row, e - 1, i] if e else 0.0))
    for p in range(populations.shape[0]):
        kind, first, second, mass = populations[p, 0], populations[p, 1], populations[p, 2], populations[p, 3]
        for r in range(rows.size):
            row, shift = rows[r], (log_scale[r] - first) / second
            for e in range(slope.shape[1]):
                if kind == LOGNORMAL:
                    above = _tail(log_slope[row, e] / second + shift)
                else:
                    above = min(max((second - scale[r] * slope[row, e]) / (second - first), 0.0), 1.0)
                if above == 0.0:
                    break
                for i in range(needed.shape[2]):
                    total[r, i] += mass * above * (needed[row, e, i] - (needed[row, e - 1, i] if e else 0.0))


@compiled
def _tail(z: float) -> float:
    """The share of a standard normal above z, to 1e-15."""
    if z >= FAR:
        return 0.0
    if z <= -FAR:
        return 1.0
    k = int((z + FAR) * FINE + 0.5)
    d, c = z - (k / FINE - FAR), EXPANSIONS[k]
    share: float = c[0] + d * (c[1] + d * (c[2] + d * (c[3] + d * (c[4] + d * c[5]))))
    return share
