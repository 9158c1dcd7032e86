"""The fit of a calibration in words: for the reader of the command, and for the header of the file it writes."""

from __future__ import annotations

from eqsolver.estimate import Calibration
from eqsolver.market import Market


def fit_lines(fit: Calibration, logs: Market) -> list[str]:
    """What was fitted to what, and how well, a sentence a line."""
    pass_error = ", ".join(f"{name} {100 * error:.2f}" for name, error in fit.pass_error.items())
    reach_error = ", ".join(f"{name} {100 * error:+.2f}" for name, error in fit.reach_error.items())
    lines = [
        f"{fit.classes} classes with geometric attempts, fitted to the logs of {logs.weights.size} problems.",
        f"Largest error of pass, over every budget up to {fit.market.max_budget:g} {logs.unit}, in points: {pass_error} "
        f"(goal {100 * fit.goals.pass_error:g}).",
        f"Error of pass at that budget, in points: {reach_error}.",
    ]
    if fit.margin_error_mean == fit.margin_error_mean:  # it was judged
        lines.append(
            f"Error of the best schedule's margin over {fit.levels.size} levels from {100 * fit.levels[0]:.1f} % to "
            f"{100 * fit.levels[-1]:.1f} %, in points: {100 * fit.margin_error_mean:.2f} on average "
            f"(goal {100 * fit.goals.margin_mean:g}), {100 * fit.margin_error_worst:.2f} at worst "
            f"(goal {100 * fit.goals.margin_worst:g})."
        )
    else:
        lines.append("Margins were not judged: exact schedules are for at most 4 providers.")
    lines.append("Every goal is met." if fit.met else "NOT every goal is met: more classes may help.")
    return lines
