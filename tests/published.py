"""The published attempt logs and figures, where they lie beside the project (they are no part of it)."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

DATA = Path(os.environ.get("EQSOLVER_DATA") or Path(__file__).parents[1].parent / "shared" / "data")
REFERENCE = DATA.parent / "reference"

# Why these are skipped: logs and figures may not be committed, so whoever has only the repository cannot run what compares
# with them.
needs_logs = pytest.mark.skipif(not (DATA / "swebench").is_dir(), reason=f"no attempt logs at {DATA} (set EQSOLVER_DATA)")


def needs_figures(name: str) -> pytest.MarkDecorator:
    """Skip where a file of published figures, or the logs they are compared with, is not there."""
    there = (REFERENCE / name).is_file() and (DATA / "swebench").is_dir()
    # Skipped for the same reason as `needs_logs`: published figures may not be committed either, so they may not be there.
    return pytest.mark.skipif(not there, reason=f"no {name} at {REFERENCE}, or no logs at {DATA} (set EQSOLVER_DATA)")


def figures(name: str) -> dict[str, Any]:
    """What was published."""
    found: dict[str, Any] = json.loads((REFERENCE / name).read_text(encoding="utf-8"))
    return found
