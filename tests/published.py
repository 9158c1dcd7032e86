"""The published attempt logs and figures, where they lie beside the project (they are no part of it)."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

DATA = Path(os.environ.get("EQSOLVER_DATA", Path(__file__).parents[1].parent / "shared" / "data"))
DUOPOLY = DATA.parent / "reference" / "duopoly.json"

needs_logs = pytest.mark.skipif(not (DATA / "swebench").is_dir(), reason=f"no attempt logs at {DATA} (set EQSOLVER_DATA)")
needs_figures = pytest.mark.skipif(not DUOPOLY.is_file(), reason=f"no published figures at {DUOPOLY} (set EQSOLVER_DATA)")


def duopoly_figures() -> dict[str, Any]:
    """What was published for the SWE-bench duopoly."""
    found: dict[str, Any] = json.loads(DUOPOLY.read_text())
    return found
