"""A solution as a JSON document."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eqsolver.posted import Solution


def to_json(solution: Solution) -> str:
    """The solution as strict JSON (no NaN, no Infinity: what is undefined is null), ending in a newline."""
    return json.dumps(solution.to_dict(), indent=2, allow_nan=False) + "\n"
