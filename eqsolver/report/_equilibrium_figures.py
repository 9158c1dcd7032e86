"""Figures of an equilibrium, as PNG files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from eqsolver.game import Equilibrium
from eqsolver.report._canvas import COLOURS, bare, save


def save_equilibrium_figures(solved: Equilibrium, folder: Path) -> list[Path]:
    """Draw price distributions, revenue and profit before and after, and best responses into a folder, made if need be.

    Returns the files written; each appears whole or not at all. Raises `UsageError` if they cannot be written there.
    """
    figures = {"prices": _prices(solved), "shifts": _shifts(solved), "slopes": _slopes(solved)}
    if solved.responses:
        figures["responses"] = _responses(solved)
    elif any(len(found.path) > 1 for found in solved.regimes.values()):
        figures["path"] = _path(solved)
    return save(figures, folder, f"{solved.market.name}, eqsolver {solved.version}")


def _prices(solved: Equilibrium) -> Figure:
    """The share of prices below each price, per regime and provider."""
    regimes = list(solved.regimes.items())
    figure = Figure(figsize=(2.4 + 2.2 * len(regimes), 3.6), layout="constrained")
    panels = np.atleast_1d(figure.subplots(1, len(regimes), sharey=True, sharex=True))
    figure.suptitle("Equilibrium prices: share of prices no higher than this (multiples of list price)", fontsize=11)
    for axes, (name, found) in zip(panels, regimes, strict=True):
        bare(axes)
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
        bare(axes)
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


def _slopes(solved: Equilibrium) -> Figure:
    """Revenue and profit of every provider per regime: at posted prices on the left, at equilibrium prices on the right."""
    names, regimes = solved.market.names, list(solved.regimes)
    figure = Figure(figsize=(1.6 + 2.3 * len(regimes), 5.6), layout="constrained")
    panels = figure.subplots(2, len(regimes), sharey="row", squeeze=False)
    figure.suptitle(f"Before and after providers answer: {solved.market.unit}, over all consumers", fontsize=11)
    for row, title in zip(panels, ("revenue", "profit"), strict=True):
        for axes, regime in zip(row, regimes, strict=True):
            bare(axes)
            axes.set_xticks([0, 1], ["posted", "equilibrium"], fontsize=8)
            axes.set_xlim(-0.25, 1.25)
            axes.set_title(regime if title == "revenue" else "", fontsize=9)
            accounts = [group[regime].outcome for group in (solved.posted, solved.regimes)]
            for i, name in enumerate(names):
                values = [getattr(a, title)[0, i] for a in accounts]
                axes.plot([0, 1], values, marker="o", color=COLOURS[i % 8], label=name, linewidth=1.8)
            if any(a.arbitrageur_profit.size for a in accounts):
                earned = [a.arbitrageur_profit.sum() for a in accounts]
                axes.plot([0, 1], earned, marker="s", color="0.35", label="arbitrageurs' profit", linewidth=1.2, linestyle="--")
        row[0].set_ylabel(title)
        row[0].set_ylim(bottom=0)
    handles = {label: handle for axes in panels.flat for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles.keys(), frameon=False, loc="outside right center", fontsize=8)
    return figure


def _responses(solved: Equilibrium) -> Figure:
    """Best responses of two providers to each other's prices, the path of answering in turn, and the equilibrium."""
    maps = solved.responses
    figure = Figure(figsize=(1.4 + 3.3 * len(maps), 3.9), layout="constrained")
    panels = np.atleast_1d(figure.subplots(1, len(maps), sharex=True, sharey=True))
    figure.suptitle(
        "Best responses (multiples of list price), answering in turn from posted prices, and the equilibrium", fontsize=11
    )
    for axes, (regime, map_) in zip(panels, maps.items(), strict=True):
        bare(axes)
        first, second = (solved.market.names[i] for i in map_.players)
        axes.set_title(regime + (": comes to rest" if map_.rests else ": cycles"), fontsize=9)
        axes.scatter(map_.answers[0], map_.prices[1], s=7, color=COLOURS[0], label=f"{first} answers")
        axes.scatter(map_.prices[0], map_.answers[1], s=7, color=COLOURS[1], label=f"{second} answers")
        axes.plot(*map_.path.T, color="0.55", linewidth=0.9, label="path", zorder=1)
        axes.plot(*map_.path[:1].T, marker="o", markerfacecolor="white", color="0.35", linestyle="", label="posted")
        if not map_.rests:
            axes.plot(*map_.path[map_.cycle :].T, color="#CC79A7", linewidth=1.6, label="cycle", zorder=2)
        at = solved.regimes[regime].expected_price
        axes.plot(
            [at[map_.players[0]]],
            [at[map_.players[1]]],
            marker="*",
            markersize=11,
            color="black",
            linestyle="",
            label="equilibrium, mean",
        )
        for each, scale in ((axes.xaxis, axes.set_xscale), (axes.yaxis, axes.set_yscale)):
            scale("log")
            each.set_major_locator(LogLocator(base=10, subs=(1.0, 2.0, 5.0)))
            each.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            each.set_minor_locator(NullLocator())
        axes.set_xlabel(f"price of {first}")
    met = [found.expected_price[list(map_.players)] for found, map_ in zip(solved.regimes.values(), maps.values(), strict=True)]
    met += [map_.path.max(axis=0) for map_ in maps.values()]
    for limits, prices, highest in zip(
        (panels[0].set_xlim, panels[0].set_ylim), next(iter(maps.values())).prices, np.max(met, axis=0), strict=True
    ):
        limits(0.95 * prices[0], min(1.05 * prices[-1], 2 * highest))
    panels[0].set_ylabel(f"price of {second}")
    handles = {label: handle for axes in panels for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles.keys(), frameon=False, loc="outside right center", fontsize=8)
    return figure


def _path(solved: Equilibrium) -> Figure:
    """Prices of every provider along the iteration of best responses, per regime; the equilibrium's mean at the right."""
    regimes = [(name, found) for name, found in solved.regimes.items() if len(found.path) > 1]
    figure = Figure(figsize=(1.6 + 3.0 * len(regimes), 3.7), layout="constrained")
    panels = np.atleast_1d(figure.subplots(1, len(regimes), sharey=True))
    figure.suptitle(
        "Prices along iterated best responses (multiples of list price); triangle: mean of the equilibrium", fontsize=11
    )
    for axes, (regime, found) in zip(panels, regimes, strict=True):
        bare(axes)
        axes.set_title(f"{regime} ({found.kind})", fontsize=9)
        axes.set_xlabel("round")
        for i, name in enumerate(solved.market.names):
            axes.plot(found.path[:, i], color=COLOURS[i % 8], linewidth=1.3, label=name)
            axes.plot([len(found.path)], [found.expected_price[i]], marker="<", color=COLOURS[i % 8], clip_on=False)
    panels[0].set_ylabel("price")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, frameon=False, loc="outside right center", fontsize=8)
    return figure
