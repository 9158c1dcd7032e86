"""An answer as a JSON document."""

from __future__ import annotations

import json
import math
from typing import Any, Protocol


class Answer(Protocol):
    """What `solve`, `distill` and `enter` return."""

    def to_dict(self) -> dict[str, Any]:
        """The documented JSON object."""
        ...


def to_json(answer: Answer) -> str:
    """The answer as strict JSON (no NaN, no Infinity: what is undefined is null), ending in a newline."""
    return json.dumps(_defined(answer.to_dict()), indent=2, allow_nan=False) + "\n"


def _defined(value: Any) -> Any:
    """The same with None for every number that is infinite or undefined, such as a gain relative to a profit of nothing."""
    if isinstance(value, dict):
        return {key: _defined(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_defined(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
