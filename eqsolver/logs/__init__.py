"""Logs that people have, of many formats, as one table of attempts: read, priced, audited."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from eqsolver.logs._records import LogOptions

if TYPE_CHECKING:
    from eqsolver.logs._attempts import check_output, formats, is_foreign, read_attempts, write
    from eqsolver.logs._audit import audit, price_lines, problem_sets
    from eqsolver.logs._cells import Cells, cells, histogram

__all__ = [
    "Cells",
    "LogOptions",
    "audit",
    "cells",
    "check_output",
    "formats",
    "histogram",
    "is_foreign",
    "price_lines",
    "problem_sets",
    "read_attempts",
    "write",
]

_LATER = {
    "Cells": "_cells",
    "audit": "_audit",
    "cells": "_cells",
    "check_output": "_attempts",
    "formats": "_attempts",
    "histogram": "_cells",
    "is_foreign": "_attempts",
    "price_lines": "_audit",
    "problem_sets": "_audit",
    "read_attempts": "_attempts",
    "write": "_attempts",
}
"""What needs a database or numpy is imported when it is first asked for."""


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_LATER[name]}"), name)
