"""Loops in machine code, for what numpy would do in many passes; imported only where used, since numba loads slowly."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import numba

from eqsolver._base import FloatArray

Kernel = TypeVar("Kernel", bound=Callable[..., object])


def compiled(function: Kernel) -> Kernel:
    """The function in machine code: compiled at its first call, once per installation."""
    return cast(Kernel, numba.njit(cache=True)(function))


def summing(function: Kernel) -> Kernel:
    """`compiled`, for long sums whose order does not matter: they are added up abreast, as numpy's are."""
    return cast(Kernel, numba.njit(cache=True, fastmath={"reassoc", "contract", "nsz"})(function))


BLOCK = 512
"""Policies that are priced at a time: their costs stay in the nearest cache."""


@compiled
def priced(units: FloatArray, start: int, stop: int, prices: FloatArray, row: int, cost: FloatArray) -> None:
    """What policies cost at one of several price vectors: cost[:stop - start] is written.

    units : (M, K), a row per provider, so that the loop over policies is one over neighbours. prices : (R, M).
    """
    width = stop - start
    cost[:width] = 0.0
    for i in range(units.shape[0]):
        price, own = prices[row, i], units[i, start:stop]  # a slice: positions that cannot be negative let the loop run abreast
        for k in range(width):
            cost[k] += own[k] * price
