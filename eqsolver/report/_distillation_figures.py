"""A distillation as figures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter

from eqsolver.posted import Distillation
from eqsolver.report._canvas import COLOURS, level_axis, line, money_axis, new_figure, save


def save_distillation_figures(found: Distillation, folder: Path) -> list[Path]:
    """Draw margins against tokens, students alone, and the teacher's revenue; returns the files written."""
    figures = {"students": _draw_students(found), "teacher": _draw_teacher(found)}
    if any(student.tokens is not None for student in found.students):
        figures = {"margins": _draw_margins(found), **figures}
    return save(figures, folder, f"{found.market.name}, eqsolver {found.version}")


def _draw_margins(found: Distillation) -> Figure:
    resamples = found.students[0].mean_margins.size
    bands = f", 5-95 % over {resamples} resamples" if resamples else ""
    figure, axes = new_figure(f"Mean margin against distillation tokens{bands}")
    for i, student in enumerate(found.students):
        if student.tokens is None:
            continue
        colour = COLOURS[i % 8]
        axes.plot([student.tokens], [student.mean_margin], "o", color=colour)
        if resamples:
            low, high = np.nanpercentile(student.mean_margins, [5, 95])
            axes.plot([student.tokens] * 2, [low, high], color=colour, linewidth=1.4)
        offset = {"textcoords": "offset points", "xytext": (6, 4), "fontsize": 8}
        axes.annotate(student.name, (student.tokens, student.mean_margin), **offset)
    fit = found.fit
    if np.isfinite(fit.slope):
        known = [one.tokens for one in found.students if one.tokens is not None and one.mean_margin > 0]
        x = np.geomspace(min(known), max(known), 50)
        centre = float(np.mean(np.log(known)))
        height = fit.intercept + fit.slope * centre
        axes.plot(
            x,
            np.minimum(fit.intercept + fit.slope * np.log(x), 1.0),
            color="black",
            linewidth=1.2,
            label=f"{fit.slope:.4f} per ln(token)",
        )
        if fit.slopes.size:
            fan = [height + slope * (np.log(x) - centre) for slope in np.nanpercentile(fit.slopes, [5, 95])]
            axes.fill_between(x, *fan, color="black", alpha=0.08, linewidth=0, label="5-95 % of the slope")
        axes.legend(frameon=False, loc="upper left", fontsize=8)
    axes.set_xscale("log")
    axes.margins(x=0.15)
    axes.set_xlabel("distillation tokens")
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
    axes.set_ylabel("mean margin")
    return figure


def _draw_students(found: Distillation) -> Figure:
    figure, panels = new_figure("Each student alone", columns=2, share_y=False)
    attempts, costs = panels
    for i, student in enumerate(found.students):
        style = {"color": COLOURS[i % 8], "linewidth": 1.4}
        ks = np.arange(1, student.pass_at_k.size + 1)
        sure = ks.size if student.unbiased_up_to is None else student.unbiased_up_to
        line(attempts, ks[:sure], student.pass_at_k[:sure], **style)
        attempts.plot(ks[sure - 1 :], student.pass_at_k[sure - 1 :], linestyle=":", **style)
        performance, cost = student.alone
        costs.plot(performance, cost, label=student.name, **style)
    costs.plot(*found.teacher_alone, color="black", linewidth=1.4, label=found.teacher)
    attempts.set_xscale("log")
    attempts.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    attempts.set_ylim(bottom=0)
    attempts.yaxis.set_major_formatter(PercentFormatter(1.0))
    attempts.set_xlabel("attempts k")
    attempts.set_ylabel("pass@k")
    costs.xaxis.set_major_formatter(PercentFormatter(1.0))
    costs.set_xlabel("performance: share of problems solved")
    money_axis(costs, found.market.unit, [found.teacher_alone[1], *(student.alone[1] for student in found.students)])
    costs.set_ylim(bottom=1e-4 * float(found.teacher_alone[1, -1]))
    figure.legend(*costs.get_legend_handles_labels(), frameon=False, loc="outside right center", fontsize=8)
    return figure


def _draw_teacher(found: Distillation) -> Figure:
    figure, axes = new_figure(f"Revenue of {found.teacher}, without and with each student")
    level_axis(axes, found.levels)
    line(axes, found.levels, found.teacher_price, color="black", linewidth=1.6, label="without a student")
    for i, student in enumerate(found.students):
        colour = COLOURS[i % 8]
        line(axes, found.levels, student.teacher_revenue["with"], color=colour, linewidth=1.2, label=f"with {student.name}")
    money_axis(axes, found.market.unit, [found.teacher_price, *(one.teacher_revenue["with"] for one in found.students)])
    axes.legend(frameon=False, loc="upper left", fontsize=8)
    return figure
