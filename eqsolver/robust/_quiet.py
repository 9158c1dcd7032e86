"""HiGHS without its greeting, which would end up in the midst of an answer on standard output."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import sys


@functools.cache
def quiet_highs() -> None:
    """Let HiGHS greet where nobody looks: it prints its name and licence when a process first uses it, options or not."""
    import highspy

    sys.stdout.flush()
    kept = os.dup(1)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 1)
            highspy.Highs()
            with contextlib.suppress(OSError, TypeError):  # the C library's own buffer, where it can be reached
                ctypes.CDLL(None).fflush(None)
    finally:
        os.dup2(kept, 1)
        os.close(kept)
