"""Comparative statics: how prices, profits and surplus move along each axis of a sweep, as PNG files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from eqsolver._base import UsageError
from eqsolver.report._canvas import COLOURS, bare, save

if TYPE_CHECKING:
    import pandas as pd

STYLES = ("-", "--", "-.", ":", (0, (1, 1)), (0, (5, 1, 1, 1)))
"""Lines of the regimes, in the order solved."""


def save_sweep_figures(table: pd.DataFrame, axes: Sequence[str], folder: Path, unit: str, note: str) -> list[Path]:
    """Draw one figure per axis of a sweep that takes several values, the other axes at the first value that each takes.

    table : of `sweep`. unit : of money. note : in the figures' corner.
    Returns the files written. Raises `UsageError` if no axis takes two values, or they cannot be written.
    """
    whole = table[table["failed"].isna()] if "failed" in table else table
    moving = [name for name in axes if whole[name].nunique() > 1]
    if not moving:
        raise UsageError("figures of a sweep need an axis along which at least two cells were solved")
    return save({f"statics-{name}": _along(whole, name, axes, unit) for name in moving}, folder, note)


def _along(table: pd.DataFrame, axis: str, axes: Sequence[str], unit: str) -> Figure:
    held = {name: table[name].iloc[0] for name in axes if name != axis}
    for name, value in held.items():
        table = table[table[name] == value]
    solved = table[table["prices"] == "equilibrium"].sort_values(axis, kind="stable")
    regimes = list(dict.fromkeys(solved["regime"]))
    providers = [name.removeprefix("price ") for name in solved.columns if name.startswith("price ") and name[-4:-2] != " p"]
    figure = Figure(figsize=(12.6, 3.9), layout="constrained")
    panels = figure.subplots(1, 4)
    at = "" if not held else " at " + ", ".join(f"{name} {value:g}" for name, value in held.items())
    figure.suptitle(f"Equilibrium along {axis}{at}", fontsize=11)
    titles = (
        "expected price, multiples of list price",
        f"providers' profit, {unit}",
        f"arbitrageurs' profit, {unit}",
        f"consumers' surplus, {unit} (axis not from 0)",
    )
    for panel, title in zip(panels, titles, strict=True):
        bare(panel)
        panel.set_title(title, fontsize=9)
        panel.set_xlabel(axis)
    x = np.sort(solved[axis].unique())
    if x.min() > 0 and x.max() / x.min() > 10:
        for panel in panels:
            panel.set_xscale("log")
    for k, regime in enumerate(regimes):
        rows = solved[solved["regime"] == regime]
        style = {"linestyle": STYLES[k % len(STYLES)], "linewidth": 1.5, "marker": "o", "markersize": 3}
        for i, provider in enumerate(providers):
            _line(panels[0], rows, axis, f"price {provider}", COLOURS[i % 8], style, provider if not k else None)
            _line(panels[1], rows, axis, f"profit {provider}", COLOURS[i % 8], style)
        _line(panels[2], rows, axis, "arbitrageurs' profit", "0.35", style, regime)
        _line(panels[3], rows, axis, "consumer surplus", "#E69F00", style)
    for panel in panels[:3]:
        panel.set_ylim(bottom=0)
    panels[0].legend(frameon=False, fontsize=8)
    panels[2].legend(frameon=False, fontsize=8, title="lines, in every panel", title_fontsize=7)
    return figure


def _line(
    panel: Any, rows: pd.DataFrame, axis: str, column: str, colour: str, style: dict[str, Any], label: str | None = None
) -> None:
    panel.plot(rows[axis], rows[column], color=colour, label=label, **style)
    if f"{column} p05" in rows:
        panel.fill_between(rows[axis], rows[f"{column} p05"], rows[f"{column} p95"], color=colour, alpha=0.12, linewidth=0)
