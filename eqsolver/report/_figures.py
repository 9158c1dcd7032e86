"""Five figures of a solution, as PNG files."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter

from eqsolver._files import check_writable, write_whole
from eqsolver.posted import Solution
from eqsolver.technology import all_steps

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#7F7F7F")
"""Okabe and Ito's colour-blind safe palette: providers, in the market's order, in every figure."""

POLICIES = {"evaluated": ":", "cascade": "--", "cascade per level": "-.", "schedule": "-"}


def save_figures(solution: Solution, folder: Path) -> list[Path]:
    """Draw pass against budget, costs, margins, revenue shares and undercutting into a folder, made if need be.

    Returns the files written; each appears whole or not at all. Raises `UsageError` if they cannot be written there.
    """
    check_writable(folder, folder=True)
    drawn = {
        "pass": _pass,
        "costs": _costs,
        "margins": _margins,
        "revenue": _revenue,
        "undercutting": _undercutting,
    }
    pictures = {name: _png(draw(solution), solution) for name, draw in drawn.items()}
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, picture in pictures.items():
        path = folder / f"{name}.png"
        write_whole(path, picture)
        paths.append(path)
    return paths


def _png(figure: Figure, solution: Solution) -> bytes:
    note = f"{solution.market.name}, eqsolver {solution.version}"
    figure.text(0.995, 0.005, note, ha="right", va="bottom", fontsize=6, color="0.5")
    FigureCanvasAgg(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150)
    return buffer.getvalue()


def _figure(title: str, columns: int = 1) -> tuple[Figure, Any]:
    figure = Figure(figsize=(7.0 if columns == 1 else 9.0, 4.3), layout="constrained")
    axes = figure.subplots(1, columns, sharey=True)
    figure.suptitle(title, fontsize=11)
    for one in np.atleast_1d(axes):
        one.grid(alpha=0.25, linewidth=0.6)
        one.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _levels(axes: Any, solution: Solution) -> Any:
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=None))
    axes.set_xlabel("performance: share of problems solved")
    low, high = float(solution.levels[0]), float(solution.levels[-1])
    if low < high:
        axes.set_xlim(low, high)
    return np.where(np.isfinite(solution.levels), solution.levels, np.nan)


def _finite(values: Any) -> Any:
    return np.where(np.isfinite(values), values, np.nan)


def _line(axes: Any, x: Any, y: Any, **style: Any) -> None:
    axes.plot(x, _finite(y), marker="o" if len(x) == 1 else None, **style)


def _pass(solution: Solution) -> Figure:
    figure, axes = _figure("Each provider alone: problems solved against what is allotted to each")
    for i, listed in enumerate(all_steps(solution.market, solution.rules)):
        profile = listed.profile(solution.market.weights)
        if profile.at.size:
            axes.step(profile.at, profile.solved, where="post", color=COLOURS[i % 8], label=solution.market.names[i])
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    money = solution.rules.allocation == "budget"
    axes.set_xlabel(f"allotted per problem, {solution.market.unit} at list price" if money else "attempts per problem")
    axes.set_ylabel("problems solved")
    axes.legend(frameon=False, loc="upper left", fontsize=8)
    return figure


def _money(axes: Any, solution: Solution, values: list[Any]) -> None:
    axes.set_ylabel(f"{solution.market.unit} per problem")
    seen = np.concatenate([np.asarray(v)[np.isfinite(v)] for v in values])
    seen = seen[seen > 0]
    if seen.size and seen.max() / seen.min() > 10:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}"))
        axes.yaxis.set_minor_formatter(FuncFormatter(lambda value, _: ""))
    elif seen.size:
        axes.set_ylim(bottom=0)


def _costs(solution: Solution) -> Figure:
    figure, axes = _figure("What performance costs: from one provider, and from the best policies")
    u = _levels(axes, solution)
    for i, cost in enumerate(solution.offers.cost):
        if np.isfinite(cost).any():
            _line(axes, u, cost, color=COLOURS[i % 8], label=solution.market.names[i], linewidth=1.2)
    _line(axes, u, solution.offers.market_price, color="black", alpha=0.25, linewidth=5, label="market price")
    for name, outcome in solution.policies().items():
        _line(axes, u, outcome.resale.buy_cost, color="black", linestyle=POLICIES[name], linewidth=1.3, label=name)
    _line(axes, u, solution.oracle_cost, color="0.55", linewidth=1.0, linestyle=(0, (1, 1)), label="oracle (loose bound)")
    shown = [*solution.offers.cost, *(o.resale.buy_cost for o in solution.policies().values()), solution.oracle_cost]
    _money(axes, solution, shown)
    figure.legend(frameon=False, loc="outside right center", fontsize=8)
    return figure


def _margins(solution: Solution) -> Figure:
    resamples = solution.options.get("bootstrap", 0)
    title = "Arbitrageur's margin"
    figure, axes = _figure(title + (f", with 5-95 % bands over {resamples} resamples of the problems" if resamples else ""))
    u = _levels(axes, solution)
    for colour, (name, outcome) in zip(("#7F7F7F", "#E69F00", "#56B4E9", "#009E73"), _last_four(solution), strict=False):
        _line(axes, u, outcome.resale.margin, color=colour, linestyle=POLICIES[name], linewidth=1.6, label=name)
        if outcome.margin_band is not None and name in ("cascade", "schedule"):
            low, high = (_finite(np.where(np.isfinite(outcome.resale.margin), row, np.nan)) for row in outcome.margin_band)
            axes.fill_between(u, low, high, color=colour, alpha=0.15, linewidth=0, label=f"{name}, band")
    best = float(solution.offers.reach.max())
    if solution.levels[0] <= best < solution.levels[-1]:
        axes.axvline(best, color="0.6", linewidth=0.8)
        axes.annotate("best provider's reach", (best, 0.02), xycoords=("data", "axes fraction"), fontsize=7, color="0.4",
                      rotation=90, va="bottom", ha="right")  # fmt: skip
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_ylim(bottom=0)
    axes.set_ylabel("margin")
    figure.legend(frameon=False, loc="outside right center", fontsize=8)
    return figure


def _last_four(solution: Solution) -> list[tuple[str, Any]]:
    found = list(solution.policies().items())
    return [("evaluated", found[0][1]), *found[1:]] if len(found) == 4 else found


def _revenue(solution: Solution) -> Figure:
    figure, panels = _figure("Who earns what consumers pay", columns=2)
    names = [*solution.market.names, "arbitrageur"]
    colours = [*(COLOURS[i % 8] for i in range(len(names) - 1)), "0.75"]
    total = solution.offers.revenue.sum(axis=0)
    without = np.vstack([solution.offers.revenue, np.zeros_like(total)]) / np.where(total > 0, total, np.nan)
    policy = "evaluated" if solution.evaluated is not None else "fitted"
    titles = "without arbitrage", f"with the {policy} cascade resold"
    for axes, shares, title in zip(panels, (without, solution.used.resale.revenue_share), titles, strict=True):
        u = _levels(axes, solution)
        priced = np.isfinite(shares).all(axis=0)
        axes.set_title(title, fontsize=9)
        axes.set_ylim(0, 1)
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        if priced.sum() > 1:
            axes.stackplot(u[priced], shares[:, priced], colors=colours, labels=names, linewidth=0)
            axes.set_xlim(u[priced][0], u[priced][-1])
        elif priced.any():
            bottom = 0.0
            for name, share, colour in zip(names, shares[:, priced][:, 0], colours, strict=True):
                axes.bar(f"{100 * u[priced][0]:.1f} %", share, bottom=bottom, color=colour, label=name, width=0.4)
                bottom += share
    panels[0].set_ylabel("share of revenue")
    handles, labels = panels[1].get_legend_handles_labels()
    figure.legend(handles, labels, frameon=False, loc="outside right center", fontsize=8)
    return figure


def _undercutting(solution: Solution) -> Figure:
    rounds = solution.undercutting
    figure, axes = _figure(f"Two alike arbitrageurs undercut each other, each asking {rounds.factor:g} x the rival's price")
    u = _levels(axes, solution)
    _line(axes, u, solution.offers.market_price, color="black", linewidth=1.6, label="market price")
    for number, price in enumerate(rounds.price):
        shade = str(0.75 - 0.6 * number / max(len(rounds.price), 2))
        label = "after each round" if number == len(rounds.price) // 2 else None
        _line(axes, u, price, color=shade, linewidth=0.9, label=label)
    _line(axes, u, rounds.rest, color="#009E73", linewidth=2.2, alpha=0.6, label="where it rests")
    _line(axes, u, solution.used.resale.buy_cost, color="#D55E00", linewidth=1.2, linestyle="--", label="buy cost")
    _money(axes, solution, [solution.offers.market_price, rounds.rest])
    axes.legend(frameon=False, loc="upper left", fontsize=8)
    return figure
