"""Solutions as text for a terminal, as figures and as JSON. This room computes nothing."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from eqsolver.report._json import to_json
from eqsolver.report._words import words

if TYPE_CHECKING:
    from eqsolver.report._allocation import print_allocation
    from eqsolver.report._allocation_figures import save_allocation_figures
    from eqsolver.report._calibration import fit_lines
    from eqsolver.report._distillation import print_distillation
    from eqsolver.report._distillation_figures import save_distillation_figures
    from eqsolver.report._entry import print_entry
    from eqsolver.report._entry_figures import save_entry_figures
    from eqsolver.report._equilibrium import print_equilibrium
    from eqsolver.report._equilibrium_figures import save_equilibrium_figures
    from eqsolver.report._figures import save_figures
    from eqsolver.report._learning import print_learning
    from eqsolver.report._learning_figures import save_learning_figures
    from eqsolver.report._sweep_figures import save_sweep_figures
    from eqsolver.report._tables import print_solution

__all__ = [
    "fit_lines",
    "print_allocation",
    "print_distillation",
    "print_entry",
    "print_equilibrium",
    "print_learning",
    "print_solution",
    "save_allocation_figures",
    "save_distillation_figures",
    "save_entry_figures",
    "save_equilibrium_figures",
    "save_figures",
    "save_learning_figures",
    "save_sweep_figures",
    "to_json",
    "words",
]

_LATER = {
    "fit_lines": "_calibration",
    "print_allocation": "_allocation",
    "print_distillation": "_distillation",
    "print_entry": "_entry",
    "print_equilibrium": "_equilibrium",
    "print_learning": "_learning",
    "print_solution": "_tables",
    "save_allocation_figures": "_allocation_figures",
    "save_distillation_figures": "_distillation_figures",
    "save_entry_figures": "_entry_figures",
    "save_equilibrium_figures": "_equilibrium_figures",
    "save_figures": "_figures",
    "save_learning_figures": "_learning_figures",
    "save_sweep_figures": "_sweep_figures",
}
"""What needs rich or matplotlib is imported when it is first asked for."""


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_LATER[name]}"), name)
