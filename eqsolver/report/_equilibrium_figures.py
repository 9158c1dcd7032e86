"""Figures of an equilibrium, as PNG files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from eqsolver.game import Equilibrium
from eqsolver.report._canvas import COLOURS, save


def save_equilibrium_figures(solved: Equilibrium, folder: Path) -> list[Path]:
    """Draw price distributions and who gains and loses into a folder, made if need be.

    Returns the files written; each appears whole or not at all. Raises `UsageError` if they cannot be written there.
    """
    figures = {"prices": _prices(solved), "shifts": _shifts(solved)}
    return save(figures, folder, f"{solved.market.name}, eqsolver {solved.version}")


def _bare(axes: Any) -> None:
    axes.grid(alpha=0.25, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)


def _prices(solved: Equilibrium) -> Figure:
    """The share of prices below each price, per regime and provider."""
    regimes = list(solved.regimes.items())
    figure = Figure(figsize=(2.4 + 2.2 * len(regimes), 3.6), layout="constrained")
    panels = np.atleast_1d(figure.subplots(1, len(regimes), sharey=True, sharex=True))
    figure.suptitle("Equilibrium prices: share of prices no higher than this (multiples of list price)", fontsize=11)
    for axes, (name, found) in zip(panels, regimes, strict=True):
        _bare(axes)
        axes.set_title(f"{name} ({found.kind})", fontsize=9)
        axes.axvline(1.0, color="0.6", linewidth=0.8, linestyle=":")
        for i, provider in enumerate(solved.market.names):
            prices, probabilities = found.strategy(i)
            x = np.repeat(prices, 2)
            y = np.append(0.0, np.repeat(np.cumsum(probabilities), 2)[:-1])
            axes.plot([prices[0], *x, prices[-1]], [0.0, *y, 1.0], color=COLOURS[i % 8], linewidth=1.6, label=provider)
            axes.plot([found.expected_price[i]], [0.0], marker="^", color=COLOURS[i % 8], clip_on=False, markersize=6)
        axes.set_ylim(0, 1)
        axes.set_xlabel("price")
    panels[0].set_ylabel("probability")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, frameon=False, loc="outside right center", fontsize=8)
    return figure


def _shifts(solved: Equilibrium) -> Figure:
    """Revenue and profit per regime, at posted prices (open) and at equilibrium prices (filled)."""
    figure = Figure(figsize=(12.0, 3.9), layout="constrained")
    panels = figure.subplots(1, 4)
    figure.suptitle("Who earns what, at posted prices (open) and at equilibrium prices (filled)", fontsize=11)
    names, regimes = solved.market.names, list(solved.regimes)
    titles = "providers' revenue", "providers' profit", "arbitrageurs' profit", "consumers' surplus (axis not from 0)"
    for axes, title in zip(panels, titles, strict=True):
        _bare(axes)
        axes.set_title(title, fontsize=9)
        axes.set_xticks(range(len(regimes)), regimes, fontsize=7)
        axes.margins(x=0.15)
    for filled, group in ((False, solved.posted), (True, solved.regimes)):
        accounts = [group[name].outcome for name in regimes]
        for i, provider in enumerate(names):
            style = {"color": COLOURS[i % 8], "label": provider if filled else None}
            _slope(panels[0], [a.revenue[0, i] for a in accounts], filled, style)
            _slope(panels[1], [a.profit[0, i] for a in accounts], filled, style)
        _slope(panels[2], [a.arbitrageur_profit.sum() for a in accounts], filled, {"color": "0.35"})
        _slope(panels[3], [a.consumer_surplus[0] for a in accounts], filled, {"color": "#E69F00"})
    for axes in panels[:3]:
        axes.set_ylim(bottom=0)
    panels[0].set_ylabel(f"{solved.market.unit}, all consumers")
    panels[1].legend(frameon=False, fontsize=8)
    return figure


def _slope(axes: Any, values: list[float], filled: bool, style: dict[str, Any]) -> None:
    axes.plot(
        range(len(values)),
        values,
        marker="o",
        markersize=6,
        linewidth=1.4 if filled else 0.9,
        linestyle="-" if filled else ":",
        markerfacecolor=style["color"] if filled else "white",
        **style,
    )
