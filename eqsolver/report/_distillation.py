"""A distillation as tables."""

from __future__ import annotations

from typing import Any

import numpy as np
from rich.console import Console

from eqsolver.posted import Distillation, Student
from eqsolver.report._columns import Group, say, show, wide
from eqsolver.report._tables import print_head
from eqsolver.report._words import DASH, amount, counted, digits, evenly, level_places, percent, words

LEVELS_SHOWN = 6


def print_distillation(found: Distillation, console: Console) -> None:
    """Print students by tokens, the fit, and the teacher's revenue at a few levels; all is in the JSON object."""
    with wide(console):
        print_head(found.market, found.rules, f"{found.teacher} and {counted(len(found.students), 'student')}", console)
        low, high = (percent(float(u)) for u in found.levels[[0, -1]])
        place = "on sale to everybody" if found.on_sale else "private to the arbitrageur"
        say(console, f"The market is the list price of {found.teacher}; students are {place}.")
        say(console, f"Margins are means over {counted(found.levels.size, 'level')} from {low} % to {high} %.")
        _students(found, console)
        _fit(found, console)
        _policies(found, console)
        _revenue(found, console)


def _students(found: Distillation, console: Console) -> None:
    students, unit = found.students, found.market.unit
    rows = [student.to_dict() for student in students]
    key = Group("", ("student",), (tuple(student.name for student in students),), text=True)
    margin = {"margin %": tuple(percent(student.mean_margin) for student in students)}
    if students[0].mean_margins.size:
        margin["5-95 %"] = tuple(
            f"{percent(row['mean_margin_p05'])}-{percent(row['mean_margin_p95'])}"
            if row["mean_margin_p05"] is not None
            else DASH
            for row in rows
        )
    most = students[0].pass_at_k.size
    ks = [k for k in (1, 4, 16, 64) if k <= most]
    passed = tuple(tuple(percent(float(student.pass_at_k[k - 1])) for student in students) for k in ks)
    money = {"per solved": tuple(amount(student.profit_per_solved, unit) for student in students)}
    if found.options.get("token_price") is not None:
        money["pays back after"] = tuple(_solved(student) for student in students)
    tokens = tuple(DASH if student.tokens is None else digits(student.tokens) for student in students)
    groups = [
        Group("distillation", ("tokens",), (tokens,)),
        Group("mean", tuple(margin), tuple(margin.values())),
        Group("pass@k, %", tuple(f"k = {k}" for k in ks), passed),
        Group("profit", tuple(money), tuple(money.values())),
    ]
    show(console, "Students, each paired with the teacher", key, groups)


def _solved(student: Student) -> str:
    if np.isnan(student.break_even_problems):
        return DASH
    return f"{student.break_even_problems:,.0f} solved" if np.isfinite(student.break_even_problems) else "never"


def _fit(found: Distillation, console: Console) -> None:
    fit = found.fit.to_dict()
    if fit["slope"] is None or fit["intercept"] is None:
        say(console, "No fit: it needs three students of different, known tokens with a positive margin.", "dim")
        return
    say(console, "")
    said = f"Fit: mean margin = {fit['slope']:.4f} ln(tokens) {fit['intercept']:+.4f}"
    if fit["slope_p05"] is not None:
        resamples = found.fit.slopes.size
        said += f"; slope {fit['slope_p05']:.4f} to {fit['slope_p95']:.4f} (5-95 % of {counted(resamples, 'resample')})"
    say(console, f"{said}.")
    gain, low, high = (100 * share for share in found.fit.gain(10.0))
    spread = f" (5-95 %: {low:+.1f} to {high:+.1f})" if np.isfinite(low) else ""
    say(console, f"Ten times the tokens: {gain:+.1f} points of margin{spread}.")
    idle = sum(student.tokens is not None for student in found.students) - found.fit.students
    if idle:
        say(console, f"Not in the fit: {counted(idle, 'student')} without a margin.", "dim")


def _policies(found: Distillation, console: Console) -> None:
    say(console, "")
    say(console, "Single cascade of each pair", "bold")
    indent = max(len(student.name) for student in found.students)
    for student in found.students:
        names = found.market.names
        path = [(names.index(name), most) for name, most in zip(student.order, student.thresholds, strict=True)]
        single = {names.index(name): most for name, most in zip(student.order, student.one_attempt, strict=True)}
        limits = [single.get(i, 0.0) for i in range(len(names))]
        sentence = words(path, names, found.market.unit, found.rules.allot, limits)
        say(console, f"  {student.name:<{indent}}  {sentence}")


def _revenue(found: Distillation, console: Console) -> None:
    rows = evenly(found.levels.size, LEVELS_SHOWN)
    places = level_places(found.levels[rows])
    key = Group("", ("level %",), (tuple(percent(float(u), places) for u in found.levels[rows]),))

    def cells(values: Any) -> tuple[str, ...]:
        return tuple(amount(float(values[row]), found.market.unit) for row in rows)

    groups = [
        Group("without", ("student",), (cells(found.students[0].teacher_revenue["without"]),)),
        Group(
            "with",
            tuple(student.name for student in found.students),
            tuple(cells(student.teacher_revenue["with"]) for student in found.students),
        ),
    ]
    show(console, f"Revenue of {found.teacher}, {found.market.unit} per problem", key, groups)
