"""A robust allocation as tables for a terminal, or as plain text when piped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console

from eqsolver.report import _words
from eqsolver.report._columns import Group, say, say_notes, show, wide
from eqsolver.report._words import DASH, counted, digits, money, percent

if TYPE_CHECKING:
    from eqsolver.robust import AmbiguitySet, Choice, RadiusChoice, RobustAllocation

SHOWN = 12
"""Policies of a mixture, and scenarios, that are listed."""

SETS = {
    "nominal": "the nominal weights of the scenarios",
    "worst": "any weights of the scenarios",
    "cvar": "the worst {percent} % of the nominal weight",
    "tv": "up to {percent} % of the weight moved",
    "chi2": "weights within chi-square distance {radius}",
    "kl": "weights within relative entropy {radius}",
    "wasserstein": "weights within transport distance {radius}",
}


def print_allocation(found: RobustAllocation, console: Console) -> None:
    """Print the mixture, what it earns (or spends) and how that compares with the nominal optimum."""
    with wide(console):
        market, seen = found.market, found.scenarios
        told = f"{counted(market.weights.size, 'problem')}, {counted(len(seen), 'scenario')}"
        say(console, f"{market.name}: an allocation robust to {words(found)} ({found.within.label}); {told}", "bold")
        if market.dropped_problems:
            why = ", ".join(f"{reason} {number}" for reason, number in market.dropped.items())
            say(console, f"Left out of the logs: {counted(market.dropped_problems, 'problem')} ({why}).")
        say_notes(console, market.notes)
        if found.radius_choice is not None:
            say(console, _why(found.radius_choice, found.within))
        if found.spending is not None:
            _spending(found, console)
        if found.chosen is not None and found.nominal is not None:
            _margins(found, found.chosen, found.nominal, console)
        _mixture(found, console)
        if found.chosen is not None and found.nominal is not None:
            _scenarios(found, found.chosen, found.nominal, console)
        say(console, "")
        bound = f"no mixture of the {found.policies:,} policies tried does better by more than {max(found.gap, 0.0):.1e}"
        say(console, f"Certificate: {bound} (dual value {found.dual_value:.6g}; {found.solver}, {found.status}).")


def words(found: RobustAllocation) -> str:
    """The set in words."""
    radius = found.within.radius or 0.0
    return SETS[found.within.kind].format(percent=digits(100 * radius), radius=digits(radius))


def _why(choice: RadiusChoice, within: AmbiguitySet) -> str:
    """What spoke for a radius that was chosen from data."""
    told, parts, at = f"{within.called.capitalize()} {digits(choice.radius)}", choice.parts, choice.at
    if choice.rule == "bootstrap":
        of = f"{parts} resamples of the problems"
        if choice.keeps:
            told += f": every radius tried from this one on keeps its worst-case promise in at least 95 % of {of}."
        else:
            told += f", the largest of {choice.radii.size} tried, keeps its worst-case promise in less than 95 % of {of}."
        shares = (f"{digits(r)} {percent(s, 0)}" for r, s in zip(choice.radii, choice.score, strict=True))
        return (
            f"{told} A resample mixes the {choice.policies} policies that no other dominates on the sample; their thresholds "
            f"stay. Share of resamples in which the promise is kept, %, by {within.called}: {', '.join(shares)}."
        )
    best = int(np.argmax(choice.score))
    told += f": on {parts} {'folds of the scenarios, each left out' if choice.of == 'scenarios' else choice.of}, it earns "
    told += f"{percent(choice.score[at])} %"
    if best == at or choice.score[at] == choice.score[best]:
        return f"{told}, the most of {choice.radii.size} tried."
    return (
        f"{told}; the most of {choice.radii.size} tried is {percent(choice.score[best])} % at {digits(choice.radii[best])}, "
        f"and the most robust within a standard error of the difference ({percent(choice.behind[at])}) is taken."
    )


def _margins(found: RobustAllocation, chosen: Choice, nominal: Choice, console: Console) -> None:
    both = {"robust": chosen, "nominal optimum": nominal}
    rows = [
        ("nominal", [percent(c.nominal_margin) for c in both.values()]),
        ("worst case over the set", [percent(c.worst_case_margin) for c in both.values()]),
    ]
    if chosen.out_of_sample is not None:
        halves = [c.out_of_sample for c in both.values()]
        rows += [
            ("nominal, chosen and paid on the same half", [DASH if h is None else percent(h.in_sample.mean()) for h in halves]),
            ("nominal, paid on the other half", [DASH if h is None else percent(h.mean) for h in halves]),
            (
                "  5-95 % over the splits",
                [DASH if h is None else f"{percent(h.band[0])} to {percent(h.band[1])}" for h in halves],
            ),
        ]
    if chosen.left_out is not None:
        left = [c.left_out for c in both.values()]
        weights = found.scenarios.weights
        rows += [
            (
                "in a scenario left out, mean by weight",
                [DASH if one is None else percent(float(weights @ one.paid)) for one in left],
            ),
            (
                "  the same, losses counted as zero",
                [DASH if one is None else percent(float(weights @ np.maximum(one.paid, 0.0))) for one in left],
            ),
            ("  mean loss below zero, by weight", [DASH if one is None else percent(one.shortfall(weights)) for one in left]),
            (
                "  mean loss below zero, each scenario alike",
                [DASH if one is None else percent(one.shortfall()) for one in left],
            ),
        ]
    key = Group("", ("margin, %",), (tuple(name for name, _ in rows),), text=True)
    show(console, "What it earns", key, [Group("", tuple(both), tuple(zip(*(cells for _, cells in rows), strict=True)))])


def _spending(found: RobustAllocation, console: Console) -> None:
    spent, unit = found.spending, found.market.unit
    assert spent is not None
    key = Group("", ("",), (("nominal", "worst case over the set"),), text=True)
    bill = tuple(money(value, unit) for value in (spent.nominal_spend, spent.worst_case_spend))
    solved = tuple(percent(value, 2) for value in (spent.nominal_pass, spent.worst_case_pass))
    show(console, "What it needs", key, [Group("", ("spend per problem", "solved, %"), (bill, solved))])
    asked = (
        f"Floor {percent(spent.floor, 2)} % solved; the largest that a mixture keeps is {percent(spent.largest_floor, 2)} %."
    )
    say(console, asked)


def _mixture(found: RobustAllocation, console: Console) -> None:
    names = found.market.names
    shown = found.mixture[:SHOWN]

    def told(policy: object) -> str:
        from eqsolver.technology import Cascade

        assert isinstance(policy, Cascade)
        if not policy.order:
            return "abstain: sell nothing, buy nothing"
        return _words.words(policy.path, names, found.market.unit, found.rules.allot, found.one_attempt)

    key = Group("", ("share, %",), (tuple(percent(weight) for _, weight in shown),))
    show(console, "The mixture", key, [Group("", ("policy",), (tuple(told(policy) for policy, _ in shown),), text=True)])
    if len(found.mixture) > SHOWN:
        say(console, f"and {len(found.mixture) - SHOWN} more with smaller shares")


def _scenarios(found: RobustAllocation, chosen: Choice, nominal: Choice, console: Console) -> None:
    seen = found.scenarios
    order = range(len(seen)) if len(seen) <= SHOWN else np.argsort(-found.worst_case_weights, kind="stable")[:SHOWN].tolist()
    key = Group("", ("scenario",), (tuple(seen.names[s] for s in order),), text=True)
    weights = Group(
        "weight, %",
        ("problems", "nominal", "worst case"),
        (
            tuple(str(seen.problems[s]) for s in order),
            tuple(percent(float(seen.weights[s])) for s in order),
            tuple(percent(float(found.worst_case_weights[s])) for s in order),
        ),
    )
    groups = [weights]
    for title, choice in (("robust: margin, %", chosen), ("nominal optimum: margin, %", nominal)):
        columns = [tuple(percent(float(choice.margins[s])) for s in order)]
        headings = ["in sample"]
        if choice.left_out is not None:
            headings.append("left out")
            columns.append(tuple(percent(float(choice.left_out.paid[s])) for s in order))
        groups.append(Group(title, tuple(headings), tuple(columns)))
    show(console, "Scenario by scenario", key, groups)
    if len(seen) > SHOWN:
        say(console, f"and {len(seen) - SHOWN} more scenarios")
