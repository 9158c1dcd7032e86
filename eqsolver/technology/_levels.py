"""The levels that are looked at where nobody names any: the last points below what the best provider reaches."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eqsolver._base import FloatArray
from eqsolver.technology._steps import Steps


def offered_reach(steps: Sequence[Steps], weights: FloatArray) -> float:
    """The highest performance that a single provider reaches; 0 if nobody ever solves a problem. weights : (N,)."""
    return max((float(step.profile(weights).solved[-1]) for step in steps if step.at.size), default=0.0)


def levels_below(top: float, below: float, count: int) -> FloatArray:
    """(count,) levels, evenly spread, from so far below `top` up to it; from close to 0 where that is not between 0 and it."""
    low = top - below
    return np.linspace(low if 0 < low < top else top / count, top, count)
