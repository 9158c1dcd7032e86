"""Markets of AI-model providers, written as a pricing game and solved.

>>> import numpy as np
>>> from eqsolver import Geometric, Market, Provider, solve
>>> cheap = Provider(name="cheap", odds=Geometric(success=[0.5, 0.0]), spend=[1.0, 1.0])
>>> strong = Provider(name="strong", odds=Geometric(success=[0.8, 0.8]), spend=[3.0, 3.0])
>>> market = Market(name="two", providers=(cheap, strong), weights=[0.5, 0.5], max_budget=6.0)
>>> solution = solve(market, levels=[0.8, 0.85])
>>> solution.offers.market_price, solution.schedule.policy.resale.buy_cost
(array([3. , 3.6]), array([3. , 3.2]))
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eqsolver._errors import EqsolverError, MarketError, NotCertified, UsageError
    from eqsolver.estimate import Calibration, calibrate
    from eqsolver.game import Equilibrium, equilibrium, sweep
    from eqsolver.market import (
        Arbitrageur,
        Consumers,
        Geometric,
        Market,
        Policy,
        Population,
        Provider,
        Regime,
        Sampled,
        Target,
        Value,
        load,
        write_spec,
    )
    from eqsolver.posted import Distillation, Entry, Solution, distill, enter, solve
    from eqsolver.robust import Learning, RobustAllocation, learn, robust
    from eqsolver.technology import Technology, technology

_ROOMS = {
    "_errors": ("EqsolverError", "MarketError", "NotCertified", "UsageError"),
    "estimate": ("Calibration", "calibrate"),
    "game": ("Equilibrium", "equilibrium", "sweep"),
    "market": (
        "Arbitrageur",
        "Consumers",
        "Geometric",
        "Market",
        "Policy",
        "Population",
        "Provider",
        "Regime",
        "Sampled",
        "Target",
        "Value",
        "load",
        "write_spec",
    ),
    "posted": ("Distillation", "Entry", "Solution", "distill", "enter", "solve"),
    "robust": ("Learning", "RobustAllocation", "learn", "robust"),
    "technology": ("Technology", "technology"),
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}

__all__ = [
    "Arbitrageur",
    "Calibration",
    "Consumers",
    "Distillation",
    "Entry",
    "EqsolverError",
    "Equilibrium",
    "Geometric",
    "Learning",
    "Market",
    "MarketError",
    "NotCertified",
    "Policy",
    "Population",
    "Provider",
    "Regime",
    "RobustAllocation",
    "Sampled",
    "Solution",
    "Target",
    "Technology",
    "UsageError",
    "Value",
    "calibrate",
    "distill",
    "enter",
    "equilibrium",
    "learn",
    "load",
    "robust",
    "solve",
    "sweep",
    "technology",
    "write_spec",
]


def __getattr__(name: str) -> Any:
    """Public names are imported when first asked for, so that `eqsolver --help` need not wait for numpy and scipy."""
    if name not in _ROOM_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_ROOM_OF[name]}"), name)


def __dir__() -> list[str]:
    return __all__


class _Door(ModuleType):
    """The package, in which a public name stays what it is when the room of the same name is imported."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _ROOM_OF and isinstance(value, ModuleType)):  # Python binds `eqsolver.technology` to the room
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Door
