"""Five figures of a solution, as PNG files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from eqsolver._files import check_writable
from eqsolver.posted import Solution
from eqsolver.report._canvas import COLOURS, finite, level_axis, line, money_axis, new_figure, save, stacked
from eqsolver.technology import FIRST, all_steps

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
    figures = {name: draw(solution) for name, draw in drawn.items()}
    return save(figures, folder, f"{solution.market.name}, eqsolver {solution.version}")


def _pass(solution: Solution) -> Figure:
    figure, axes = new_figure("Each provider alone: problems solved against what is allotted to each")
    for i, listed in enumerate(all_steps(solution.market, solution.rules)):
        profile = listed.profile(solution.market.weights)
        if profile.at.size:
            at = np.maximum(
                profile.at, profile.at[profile.at > FIRST].min(initial=1.0)
            )  # one attempt stands at the axis' left end
            axes.step(at, profile.solved, where="post", color=COLOURS[i % 8], label=solution.market.names[i])
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    money = solution.rules.allot == "money"
    axes.set_xlabel(f"allotted per problem, {solution.market.unit} at list price" if money else "attempts per problem")
    axes.set_ylabel("problems solved")
    axes.legend(frameon=False, loc="upper left", fontsize=8)
    return figure


def _costs(solution: Solution) -> Figure:
    figure, axes = new_figure("What performance costs: from one provider, and from the best policies")
    u = solution.levels
    level_axis(axes, u)
    for i, cost in enumerate(solution.offers.cost):
        if np.isfinite(cost).any():
            line(axes, u, cost, color=COLOURS[i % 8], label=solution.market.names[i], linewidth=1.2)
    line(axes, u, solution.offers.market_price, color="black", alpha=0.25, linewidth=5, label="market price")
    for name, outcome in solution.policies().items():
        line(axes, u, outcome.resale.buy_cost, color="black", linestyle=POLICIES[name], linewidth=1.3, label=name)
    line(axes, u, solution.oracle_cost, color="0.55", linewidth=1.0, linestyle=(0, (1, 1)), label="oracle (loose bound)")
    shown = [*solution.offers.cost, *(o.resale.buy_cost for o in solution.policies().values()), solution.oracle_cost]
    money_axis(axes, solution.market.unit, shown)
    figure.legend(frameon=False, loc="outside right center", fontsize=8)
    return figure


def _margins(solution: Solution) -> Figure:
    resamples = solution.options.get("bootstrap", 0)
    title = "Arbitrageur's margin"
    figure, axes = new_figure(title + (f", with 5-95 % bands over {resamples} resamples of the problems" if resamples else ""))
    u = solution.levels
    level_axis(axes, u)
    for colour, (name, outcome) in zip(("#7F7F7F", "#E69F00", "#56B4E9", "#009E73"), _last_four(solution), strict=False):
        line(axes, u, outcome.resale.margin, color=colour, linestyle=POLICIES[name], linewidth=1.6, label=name)
        if outcome.bands is not None and name in ("cascade", "schedule"):
            low, high = (finite(np.where(np.isfinite(outcome.resale.margin), row, np.nan)) for row in outcome.bands.margin)
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
    figure, panels = new_figure("Who earns what consumers pay", columns=2)
    names = [*solution.market.names, "arbitrageur"]
    colours = [*(COLOURS[i % 8] for i in range(len(names) - 1)), "0.75"]
    total = solution.offers.revenue.sum(axis=0)
    without = np.vstack([solution.offers.revenue, np.zeros_like(total)]) / np.where(total > 0, total, np.nan)
    policy = "evaluated" if solution.evaluated is not None else "fitted"
    titles = "without arbitrage", f"with the {policy} cascade resold"
    for axes, shares, title in zip(panels, (without, solution.used.resale.revenue_share), titles, strict=True):
        level_axis(axes, solution.levels)
        axes.set_title(title, fontsize=9)
        stacked(axes, solution.levels, shares, names, colours)
    panels[0].set_ylabel("share of revenue")
    handles, labels = panels[1].get_legend_handles_labels()
    figure.legend(handles, labels, frameon=False, loc="outside right center", fontsize=8)
    return figure


def _undercutting(solution: Solution) -> Figure:
    rounds = solution.undercutting
    figure, axes = new_figure(f"Two alike arbitrageurs undercut each other, each asking {rounds.factor:g} x the rival's price")
    u = solution.levels
    level_axis(axes, u)
    line(axes, u, solution.offers.market_price, color="black", linewidth=1.6, label="market price")
    for number, price in enumerate(rounds.price):
        shade = str(0.75 - 0.6 * number / max(len(rounds.price), 2))
        label = "after each round" if number == len(rounds.price) // 2 else None
        line(axes, u, price, color=shade, linewidth=0.9, label=label)
    line(axes, u, rounds.rest, color="#009E73", linewidth=2.2, alpha=0.6, label="where it rests")
    line(axes, u, solution.used.resale.buy_cost, color="#D55E00", linewidth=1.2, linestyle="--", label="buy cost")
    money_axis(axes, solution.market.unit, [solution.offers.market_price, rounds.rest])
    axes.legend(frameon=False, loc="upper left", fontsize=8)
    return figure
