"""A learning curve as figures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter, PercentFormatter

from eqsolver.report._canvas import COLOURS, new_figure, save
from eqsolver.robust import Learning


def save_learning_figures(found: Learning, folder: Path) -> list[Path]:
    """Draw the curves with their bands into a folder, made if need be.

    Returns the files written; each appears whole or not at all. Raises `UsageError` if they cannot be written there.
    """
    return save({"learning": _curves(found)}, folder, f"{found.market.name}, eqsolver {found.version}")


def _curves(found: Learning) -> Figure:
    full, options = found.full_information, found.options
    columns = min(len(found.curves), 2)
    rows = -(-len(found.curves) // columns)
    figure, panels = new_figure(
        f"What exploration earns: fitted on {options['fit_domain']!r}, evaluated on {options['eval_domain']!r}",
        columns=columns,
        rows=rows,
    )
    axes_of = np.atleast_1d(panels).ravel()
    for number, (axes, curve) in enumerate(zip(axes_of, found.curves, strict=False)):
        colour = COLOURS[number % 8]
        axes.axhspan(full.near_low, full.near_high, color="0.85", linewidth=0, label="full information,\nas good a fit")
        axes.axhline(full.eval_margin, color="0.4", linewidth=1.0, linestyle="--", label="full information,\nbest fit")
        axes.fill_between(found.budgets, curve.p05, curve.p95, color=colour, alpha=0.2, linewidth=0)
        axes.plot(found.budgets, curve.mean, color=colour, marker="o", markersize=3, linewidth=1.6)
        axes.axhline(0.0, color="black", linewidth=0.8)
        axes.set_title(f"{curve.name}: mean and 5-95 %", fontsize=9)
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    for axes in axes_of[len(found.curves) :]:
        axes.set_visible(False)
    for axes in axes_of[max(len(found.curves) - columns, 0) : len(found.curves)]:
        axes.set_xlabel(f"fit budget, {found.market.unit}")
    for axes in axes_of[::columns]:
        axes.set_ylabel("margin")
    handles, labels = axes_of[0].get_legend_handles_labels()
    figure.legend(handles, labels, frameon=False, fontsize=8, loc="outside right center")
    return figure
