"""Loops in machine code, for what numpy would do in many passes; imported only where used, since numba loads slowly."""

from __future__ import annotations

import functools
import getpass
import os
import stat
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast

import numba

from eqsolver._base import FloatArray
from eqsolver._errors import CacheWarning

Kernel = TypeVar("Kernel", bound=Callable[..., object])


def compiled(function: Kernel) -> Kernel:
    """The function in machine code: compiled at its first call, once per installation."""
    return cast(Kernel, _cached(function))


def summing(function: Kernel) -> Kernel:
    """`compiled`, for long sums whose order does not matter: they are added up abreast, as numpy's are."""
    return cast(Kernel, _cached(function, fastmath={"reassoc", "contract", "nsz"}))


def _cached(function: Callable[..., object], **options: object) -> object:
    return numba.njit(cache=_kept(), **options)(function)


@functools.cache
def _kept() -> bool:
    """Whether machine code can be kept for the next process; where it can be is seen to.

    numba keeps it beside the sources or in the user's own cache. Where neither can be written to (a container, a user without
    a home) it goes into a folder of the user's among the temporary ones, and where that cannot be, nowhere.
    """
    if _numba_keeps():
        return True
    folder = _private_folder()
    if folder is not None:
        os.environ["NUMBA_CACHE_DIR"] = numba.config.CACHE_DIR = str(folder)  # of this process, and of its workers
    kept = folder is not None and _numba_keeps()
    where = f"it is kept in {folder}" if kept else "every run compiles anew"
    told = f"no cache of machine code can be written beside eqsolver or in a home folder: {where}; set NUMBA_CACHE_DIR"
    warnings.warn(told, CacheWarning, stacklevel=2)
    return kept


def _numba_keeps() -> bool:
    try:
        numba.njit(cache=True)(_numba_keeps)
    except RuntimeError:  # cannot cache function: no locator available
        return False
    return True


def _private_folder() -> Path | None:
    """A folder among the temporary ones that only this user can write to, since what is kept there is run; None without."""
    user = os.getuid() if hasattr(os, "getuid") else getpass.getuser()
    folder = Path(tempfile.gettempdir()) / f"eqsolver-{user}"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError:
        return None
    ours = not hasattr(os, "getuid") or (found.st_uid == os.getuid() and not found.st_mode & 0o022)
    return folder if ours and stat.S_ISDIR(found.st_mode) else None


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
