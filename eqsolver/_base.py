"""What every room shares: the array types, and the errors of `_errors`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from eqsolver._errors import EqsolverError, MarketError, NotCertified, NothingSolved, UsageError

__all__ = ["EqsolverError", "FloatArray", "IntArray", "MarketError", "NotCertified", "NothingSolved", "UsageError"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.integer[Any]]
BoolArray = NDArray[np.bool_]
