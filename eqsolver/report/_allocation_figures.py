"""Figures of a robust allocation, as PNG files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from eqsolver._files import check_writable
from eqsolver.report._canvas import COLOURS, new_figure, save

if TYPE_CHECKING:
    from eqsolver.robust import RobustAllocation

FLOOR = -1.0
"""Margins further below zero than this share are cut off, and their value is written beside them."""

BARS = 30
"""Scenarios with a bar of their own; of more, the margins are shown in order."""


def save_allocation_figures(found: RobustAllocation, folder: Path) -> list[Path]:
    """Draw the price of robustness, and margins per scenario (nominal against robust), into a folder, made if need be.

    Returns the files written; none with a floor. Raises `UsageError` if they cannot be written there.
    """
    check_writable(folder, folder=True)
    if found.chosen is None:
        return []
    figures = {"price-of-robustness": _price(found), "margins-per-domain": _margins(found)}
    return save(figures, folder, f"{found.market.name}, {found.within.label}, eqsolver {found.version}")


def _price(found: RobustAllocation) -> Figure:
    curve, chosen, nominal = found.price, found.chosen, found.nominal
    assert curve is not None
    assert chosen is not None
    assert nominal is not None
    figure, axes = new_figure("The price of robustness: what the average gives up for the worst case")
    share = curve.kind == "cvar"
    x = curve.radius if share else np.where(curve.radius > 0, curve.radius, np.nan)
    axes.plot(x, curve.nominal, color=COLOURS[0], marker="o", markersize=3, label="robust:\nnominal margin")
    axes.plot(x, curve.worst_case, color=COLOURS[1], marker="o", markersize=3, label="robust:\nworst case")
    floor = min(-0.1, -float(curve.nominal.max()))
    low = np.where(curve.nominal_worst >= floor, curve.nominal_worst, np.nan)
    axes.plot(x, low, color=COLOURS[1], linestyle=":", label="nominal optimum:\nworst case")
    axes.axhline(float(curve.nominal.max()), color=COLOURS[0], linestyle=":", label="nominal optimum:\nnominal margin")
    axes.axhline(0.0, color="0.6", linewidth=0.8)
    axes.set_xscale("log")
    if share:
        axes.invert_xaxis()
    within, asked = found.within, "asked" if found.radius_choice is None else "chosen"
    marked = {"worst": (1.0, f"{asked}: worst"), curve.kind: (within.radius, asked)}.get(within.kind)
    if marked is not None and marked[0]:
        axes.axvline(marked[0], color="0.6", linewidth=0.8)
        axes.annotate(marked[1], (marked[0], 0.98), xycoords=("data", "axes fraction"), fontsize=7, color="0.4",
                      rotation=90, va="top", ha="right")  # fmt: skip
    axes.set_ylim(max(floor, min(float(np.nanmin(low)), float(curve.nominal.min())) - 0.02), None)
    axes.set_xlabel(f"{'tail share' if share else 'radius'} of the {curve.kind} set around the nominal weights")
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_ylabel("margin")
    figure.legend(frameon=False, loc="outside right center", fontsize=8)
    return figure


def _margins(found: RobustAllocation) -> Figure:
    chosen, nominal, seen = found.chosen, found.nominal, found.scenarios
    assert chosen is not None
    assert nominal is not None
    left = chosen.left_out is not None and nominal.left_out is not None
    figure, panels = new_figure("Margins per scenario: nominal optimum against robust", columns=2 if left else 1)
    shown = [(np.atleast_1d(panels)[0], "chosen on all scenarios", nominal.margins, chosen.margins)]
    if chosen.left_out is not None and nominal.left_out is not None:
        shown.append((panels[1], "chosen without the scenario", nominal.left_out.paid, chosen.left_out.paid))
    few = len(seen) <= BARS
    for axes, title, *both in shown:
        axes.set_title(title, fontsize=9)
        axes.axhline(0.0, color="0.4", linewidth=0.8)
        for shift, colour, name, margins in zip((-0.2, 0.2), COLOURS, ("nominal optimum", "robust"), both, strict=False):
            if few:
                at = np.arange(len(seen)) + shift
                axes.bar(at, np.maximum(margins, FLOOR), width=0.38, color=colour, label=name)
                for x, value in zip(at, margins, strict=True):
                    if value < FLOOR:
                        axes.annotate(f"{value:.0%}", (x, FLOOR), fontsize=6, rotation=90, ha="center", va="bottom",
                                      xytext=(0, 2), textcoords="offset points", color="white")  # fmt: skip
            else:
                axes.plot(np.sort(np.maximum(margins, FLOOR)), color=colour, label=name, linestyle="-" if shift < 0 else "--")
        if few:
            ticks = [f"{name} ({n})" for name, n in zip(seen.names, seen.problems, strict=True)]
            axes.set_xticks(np.arange(len(seen)), ticks, rotation=60, ha="right", fontsize=7)
        else:
            axes.set_xlabel("scenarios, from the least margin to the largest")
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    shown[0][0].set_ylabel("margin")
    handles, labels = shown[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, frameon=False, loc="outside lower center", fontsize=8, ncols=2)
    return figure
