"""The market as data: immutable and validated; read from attempt logs, read from and written to TOML."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from eqsolver.market._arbitrageurs import Arbitrageur, Policy, Regime
from eqsolver.market._consumers import Consumers, Population, Target, Value
from eqsolver.market._estimator import Estimate, Estimator, believed, capped
from eqsolver.market._limits import Limits, check_resamples
from eqsolver.market._market import Allot, Market, Overrun
from eqsolver.market._odds import Estimated, Geometric, Odds, Sampled
from eqsolver.market._provider import Provider
from eqsolver.market._stopping import StoppingTest, log_notes, stopped_at_first

if TYPE_CHECKING:
    from eqsolver.market._attempts import attempt_notes, read_foreign
    from eqsolver.market._fields import schema
    from eqsolver.market._load import load, provider_names
    from eqsolver.market._log_fields import log_fields
    from eqsolver.market._logs import read_logs
    from eqsolver.market._spec import read_spec, spec_text, write_spec

__all__ = [
    "Allot",
    "Arbitrageur",
    "Consumers",
    "Estimate",
    "Estimated",
    "Estimator",
    "Geometric",
    "Limits",
    "Market",
    "Odds",
    "Overrun",
    "Policy",
    "Population",
    "Provider",
    "Regime",
    "Sampled",
    "StoppingTest",
    "Target",
    "Value",
    "attempt_notes",
    "believed",
    "capped",
    "check_resamples",
    "load",
    "log_fields",
    "log_notes",
    "provider_names",
    "read_foreign",
    "read_logs",
    "read_spec",
    "schema",
    "spec_text",
    "stopped_at_first",
    "write_spec",
]

_LATER = {
    "load": "_load",
    "log_fields": "_log_fields",
    "attempt_notes": "_attempts",
    "provider_names": "_load",
    "read_foreign": "_attempts",
    "read_logs": "_logs",
    "read_spec": "_spec",
    "schema": "_fields",
    "spec_text": "_spec",
    "write_spec": "_spec",
}
"""What needs pydantic is imported when it is first asked for: a command's help need not wait for it."""


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_LATER[name]}"), name)
