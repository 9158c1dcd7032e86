"""The fit of a calibration in words: for the reader of the command, and for the header of the file it writes."""

from __future__ import annotations

from collections.abc import Mapping

from eqsolver.estimate import Calibration, Judged
from eqsolver.market import Market, Population


def fit_lines(fit: Calibration, logs: Market) -> list[str]:
    """What was fitted to what, and how well, a sentence a line; and what is assumed."""
    pass_error = ", ".join(f"{name} {100 * error:.2f}" for name, error in fit.pass_error.items())
    reach_error = ", ".join(f"{name} {100 * error:+.2f}" for name, error in fit.reach_error.items())
    return [
        f"{fit.classes} classes with geometric attempts, fitted to the logs of {logs.weights.size} problems.",
        f"Largest error of pass, over every budget up to {fit.market.max_budget:g} {logs.unit}, in points: {pass_error} "
        f"(goal {100 * fit.goals.pass_error:g}).",
        f"Error of pass at that budget, in points: {reach_error}.",
        *_margin_lines(fit),
        "Consumers gain, from each provider alone and from all as prices move, what they would if prices were off by at most "
        f"{100 * fit.price_error:.1f} % (root mean square over values; goal {100 * fit.goals.prices:g}).",
        goals_line(fit.holds),
        *_assumptions(fit.market),
    ]


def goals_line(holds: Mapping[str, bool]) -> str:
    """Which goals are met and which are missed.

    Examples
    --------
    >>> goals_line({"pass": True, "margins": True, "what consumers gain": False})
    'Goals met: pass, margins. Missed: what consumers gain; more classes may help.'
    """
    met, missed = ([goal for goal, holds_ in holds.items() if holds_ is wanted] for wanted in (True, False))
    if not missed:
        return "Every goal is met."
    return f"Goals met: {', '.join(met) or 'none'}. Missed: {', '.join(missed)}; more classes may help."


def _margin_lines(fit: Calibration) -> list[str]:
    goals = f"{100 * fit.goals.margin_mean:g} on average and {100 * fit.goals.margin_worst:g} at worst"
    if len(fit.judged) == 1:
        (whole,) = fit.judged
        if not whole.errors.size:
            return ["No margin could be judged: no level exists both in the logs and among the classes."]
        return [
            f"Error of the best schedule's margin over {whole.levels.size} levels from {100 * whole.levels[0]:.1f} % to "
            f"{100 * whole.levels[-1]:.1f} %, in points: {_sizes(whole)} (goals {goals})."
        ]
    return [
        f"Error of the best schedule's margin in {len(fit.judged)} markets of two providers each, over levels from 5 points "
        f"below the better one's reach to that reach, in points (goals {goals}):",
        *(f"  {' with '.join(judged.names)}: {_sizes(judged)}." for judged in fit.judged),
    ]


def _sizes(judged: Judged) -> str:
    if not judged.errors.size:
        return "no level exists both in the logs and among the classes"
    return f"{100 * judged.errors.mean():.2f} on average, {100 * judged.errors.max():.2f} at worst"


def _assumptions(market: Market) -> list[str]:
    lines = []
    for consumers in market.consumers:
        if isinstance(consumers, Population):
            median, sigma = consumers.parameters
            lines.append(
                f"Assumed, not measured: the value of a solved problem to consumers, lognormal with median {median:g} "
                f"{market.unit} and sigma {sigma:g}; every marginal cost (a share of list price) and highest price."
            )
    return lines
