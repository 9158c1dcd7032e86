"""Loops in machine code, for what numpy would do in many passes; imported only where used, since numba loads slowly."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import numba

Kernel = TypeVar("Kernel", bound=Callable[..., object])


def compiled(function: Kernel) -> Kernel:
    """The function in machine code: compiled at its first call, once per installation."""
    return cast(Kernel, numba.njit(cache=True)(function))
