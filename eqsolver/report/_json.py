"""An answer as a JSON document."""

from __future__ import annotations

import json
from typing import Any, Protocol


class Answer(Protocol):
    """What `solve`, `distill` and `enter` return."""

    def to_dict(self) -> dict[str, Any]:
        """The documented JSON object."""
        ...


def to_json(answer: Answer) -> str:
    """The answer as strict JSON (no NaN, no Infinity: what is undefined is null), ending in a newline."""
    return json.dumps(answer.to_dict(), indent=2, allow_nan=False) + "\n"
