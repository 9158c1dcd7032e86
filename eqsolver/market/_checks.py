"""What every part of a market is held to: private arrays, positive numbers, weights that sum to one."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from eqsolver._base import FloatArray, IntArray, MarketError
from eqsolver.market._limits import check_magnitude

WEIGHT_TOLERANCE = 1e-6
"""Weights of classes and of policies may miss one by this much (decimal rounding in a file) and are then normalised."""

ROUNDING = 1e-12
"""Weights that sum to one up to this are kept as they are, so that a market written and read again is the same."""


def read_only(values: ArrayLike) -> FloatArray:
    """A private float copy that cannot be written to."""
    array = np.array(values, dtype=np.float64)
    array.setflags(write=False)
    return array


def read_only_counts(values: ArrayLike) -> IntArray:
    """A private integer copy that cannot be written to; a `MarketError` for numbers that are not whole."""
    given = np.asarray(values)
    with np.errstate(invalid="ignore"):  # nan and infinity have no integer; told below
        try:
            array = np.array(given, dtype=np.int64)
        except OverflowError:
            raise MarketError("a count does not fit into 64 bits") from None
    if not np.array_equal(array, given):
        raise MarketError("counts must be whole numbers")
    array.setflags(write=False)
    return array


def one_axis(values: np.ndarray, where: str) -> None:
    """A `MarketError` unless an array has one axis."""
    if values.ndim != 1:
        raise MarketError(f"{where} needs one axis, problems; found shape {values.shape}")


def positive(value: float, where: str, *, zero: bool = False) -> None:
    """A `MarketError` unless a number is positive (or zero, where that is allowed) and finite."""
    if not ((value > 0 or (zero and value == 0)) and np.isfinite(value)):
        raise MarketError(f"{where} = {value:g} must be {'at least' if zero else 'more than'} 0, and finite")
    check_magnitude(np.array(value, dtype=np.float64), where)


def check(good: np.ndarray, values: np.ndarray, where: str, rule: str) -> None:
    """A `MarketError` that names the first value which is not good, and the rule it breaks."""
    wrong = np.flatnonzero(~good)
    if wrong.size:
        raise MarketError(f"{where}[{wrong[0]}] = {values[wrong[0]]:g} {rule}")
