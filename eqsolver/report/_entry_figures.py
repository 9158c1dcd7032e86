"""An entry as figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter

from eqsolver._base import FloatArray
from eqsolver.posted import Entry
from eqsolver.report._canvas import COLOURS, level_axis, line, money_axis, new_figure, save, stacked
from eqsolver.report._entry import CASES, SITUATIONS, earliest


def save_entry_figures(found: Entry, folder: Path) -> list[Path]:
    """Draw revenue shares, prices, and the entrant's share against capability; returns the files written."""
    figures = {"revenue": _draw_revenue(found), "prices": _draw_prices(found), "capability": _draw_capability(found)}
    return save(figures, folder, f"{found.solved['with_entrant'].market.name}, eqsolver {found.version}")


def _draw_revenue(found: Entry) -> Figure:
    figure, panels = new_figure("Who earns what consumers pay at the market price", columns=2, rows=2)
    names = found.solved["with_entrant"].market.names
    colours = {name: COLOURS[i % 8] for i, name in enumerate(names)} | {"arbitrageur": "0.75"}
    for row, (situation, there) in enumerate(SITUATIONS.items()):
        for column, (case, how) in enumerate(CASES.items()):
            axes, shares = panels[row, column], found.revenue_share[case][situation]
            level_axis(axes, found.levels)
            axes.set_title(f"{there}, {how}", fontsize=9)
            listed = [name for name in colours if name in shares]
            stacked(axes, found.levels, np.array([shares[n] for n in listed]), listed, [colours[n] for n in listed])
            axes.set_xlabel("performance: share of problems solved" if row else "")
            axes.set_ylabel("" if column else "share of revenue")
    handles, labels = panels[1, 1].get_legend_handles_labels()
    figure.legend(handles, labels, frameon=False, loc="outside right center", fontsize=8)
    return figure


def _draw_prices(found: Entry) -> Figure:
    figure, axes = new_figure(f"What consumers pay, without and with {found.entrant}")
    priced = np.isfinite(found.price["without_arbitrage"]["with_entrant"])
    level_axis(axes, found.levels[priced] if priced.any() else found.levels)
    shown: list[FloatArray] = []
    for case, colour in zip(CASES, ("black", COLOURS[2]), strict=True):
        for situation, width, alpha in zip(SITUATIONS, (5.0, 1.4), (0.3, 1.0), strict=True):
            values = found.price[case][situation]
            shown.append(values)
            label = f"{CASES[case]}, {SITUATIONS[situation]}"
            line(axes, found.levels, values, color=colour, linewidth=width, alpha=alpha, label=label)
    money_axis(axes, found.solved["with_entrant"].market.unit, shown)
    axes.legend(frameon=False, loc="upper left", fontsize=8)
    return figure


def _draw_capability(found: Entry) -> Figure:
    figure, axes = new_figure(f"Revenue share of {found.entrant} against its capability")
    for case, colour in zip(CASES, ("black", COLOURS[2]), strict=True):
        label = f"{CASES[case]}: {earliest(found, case)}"
        axes.plot(found.capabilities, found.shares[case], marker="o", markersize=3, color=colour, label=label)
        one: Any = found.earliest[case]
        if np.isfinite(one.capability) and not one.at_lowest:
            axes.axvline(one.capability, color=colour, linewidth=0.8, linestyle=":")
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_xlabel("capability: its attempts cost 1 / capability as much")
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_ylim(bottom=0)
    axes.set_ylabel("mean share over the levels")
    axes.legend(frameon=False, loc="upper left", fontsize=8)
    return figure
