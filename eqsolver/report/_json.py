"""A solution as a JSON document."""

from __future__ import annotations

import json
from typing import Any, Protocol


class Answer(Protocol):
    """Whatever can say itself as a dictionary."""

    def to_dict(self) -> dict[str, Any]:
        """Keys as documented in the README; what is undefined is None."""


def to_json(solution: Answer) -> str:
    """An answer as strict JSON (no NaN, no Infinity: what is undefined is null), ending in a newline."""
    return json.dumps(solution.to_dict(), indent=2, allow_nan=False) + "\n"
