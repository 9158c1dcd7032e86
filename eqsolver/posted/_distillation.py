"""What `distill` hands over: students of one teacher, what each is worth to an arbitrageur, and how that grows with tokens."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from eqsolver._base import FloatArray
from eqsolver.market import Market
from eqsolver.posted._document import numbers
from eqsolver.posted._intervals import interval
from eqsolver.technology import Rules

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Student:
    """A student paired with the teacher, over L levels. Money is per problem, in the market's unit.

    tokens : of the teacher that it was trained on; None if not known.
    order, thresholds : the single cascade with the largest mean margin: names, and the most allotted to each.
    one_attempt : what buys at most one attempt of each, see `technology.one_attempt`.
    buy_cost, margin : (L,) of that cascade, see `Resale`. mean_margin : over the levels with a market price.
    mean_margins : (B,) the same on each resample of the problems, thresholds held fixed; empty without bootstrap.
    market_price : (L,) what a level costs without the arbitrageur: the teacher's offer, or the lower one on sale.
    teacher_revenue : (L,) `without` and `with` the student. student_revenue : (L,) with it; what running it costs if private.
    profit : (L,) of the arbitrageur per problem posed. profit_per_solved : mean over the levels of profit / level.
    break_even_problems : solved problems whose profit pays for the tokens; nan without a price or tokens, infinite if never.
    pass_at_k : (K,) share of problems solved by k = 1..K attempts of the student.
    unbiased_up_to : the largest such k that every problem of its log has attempts for; None if odds are known.
    alone : (2, P) performance and cost of buying from the student only, from little to all that it can do.
    """

    name: str
    tokens: float | None
    order: tuple[str, ...]
    thresholds: tuple[float, ...]
    one_attempt: tuple[float, ...]
    buy_cost: FloatArray
    margin: FloatArray
    market_price: FloatArray
    mean_margin: float
    mean_margins: FloatArray
    teacher_revenue: Mapping[str, FloatArray]
    student_revenue: FloatArray
    profit: FloatArray
    profit_per_solved: float
    break_even_problems: float
    pass_at_k: FloatArray
    unbiased_up_to: int | None
    alone: FloatArray

    def to_dict(self) -> dict[str, Any]:
        """As JSON: one entry of `students`."""
        low, high = band(self.mean_margins)
        performance, cost = self.alone
        return {
            "name": self.name,
            "tokens": self.tokens,
            "mean_margin": self.mean_margin,
            "mean_margin_p05": known(low),
            "mean_margin_p95": known(high),
            "market_price": numbers(self.market_price),
            "margin": numbers(self.margin),
            "buy_cost": numbers(self.buy_cost),
            "order": list(self.order),
            "thresholds": list(self.thresholds),
            "pass_at_k": self.pass_at_k.tolist(),
            "pass_at_k_unbiased_up_to": self.unbiased_up_to,
            "alone": {"performance": performance.tolist(), "cost": cost.tolist()},
            "teacher_revenue": {key: numbers(values) for key, values in self.teacher_revenue.items()},
            "student_revenue": numbers(self.student_revenue),
            "arbitrageur_profit": numbers(self.profit),
            "profit_per_solved": self.profit_per_solved,
            "break_even_problems": known(self.break_even_problems),
        }


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LogLinear:
    """Least squares of mean margin on ln(tokens), over the students that earn something and whose tokens are known.

    slope : margin per unit of ln(tokens). intercept : margin at one token; nan both with fewer than three amounts of tokens.
    slopes : (B,) refitted to each resample's margins. students : how many are fitted. most : tokens of the longest taught one.
    """

    slope: float
    intercept: float
    slopes: FloatArray
    students: int
    most: float

    def gain(self, times: float) -> tuple[float, float, float]:
        """Margin gained by so many times the tokens of the longest taught student, and its 5 % and 95 % points.

        No margin is more than 1, so that what is gained is no more than what is left above the fitted margin.
        """
        left = max(1.0 - (self.intercept + self.slope * float(np.log(self.most))), 0.0)
        slopes = (self.slope, *band(self.slopes))
        one, low, high = (min(slope * float(np.log(times)), left) for slope in slopes)
        return one, low, high

    def to_dict(self) -> dict[str, float | None]:
        """As JSON: `slope`, `intercept`, and the 5 % and 95 % points of the slope, null without bootstrap."""
        low, high = band(self.slopes)
        found = {"slope": self.slope, "intercept": self.intercept, "slope_p05": low, "slope_p95": high}
        return {key: known(value) for key, value in found.items()}


def log_linear(tokens: FloatArray, margins: FloatArray, resampled: FloatArray) -> LogLinear:
    """Fit mean margins to ln(tokens). A margin of zero is a bound, not a measurement, and is left out; two points fit any line.

    Parameters
    ----------
    tokens : (S,) > 0. margins : (S,). resampled : (S, B) the same on B resamples.

    Examples
    --------
    >>> fit = log_linear(np.exp([1.0, 2.0, 3.0]), np.array([0.2, 0.3, 0.4]), np.empty((3, 0)))
    >>> round(fit.slope, 12), round(fit.intercept, 12)
    (0.1, 0.1)
    """
    earns = margins > 0
    x, number = np.log(tokens[earns]), int(earns.sum())
    if np.unique(x).size < 3:
        return LogLinear(slope=np.nan, intercept=np.nan, slopes=np.empty(0), students=number, most=np.nan)
    columns = np.column_stack([margins, resampled])[earns]
    fitted: FloatArray = np.polynomial.polynomial.polyfit(x, columns, 1).astype(np.float64)
    slope, intercept = float(fitted[1, 0]), float(fitted[0, 0])
    return LogLinear(slope=slope, intercept=intercept, slopes=fitted[1, 1:], students=number, most=float(tokens[earns].max()))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Distillation:
    """A family of students and their teacher, whose list price is the market. Money is per problem.

    market : the family at the prices asked for. teacher : its name. levels : (L,) performance levels.
    teacher_price : (L,) what the teacher asks, infinite above its reach. teacher_alone : (2, P) its performance and cost.
    students : by tokens, then name; unknown tokens last. fit : of their mean margins.
    on_sale : students sell to everybody, not to the arbitrageur only.
    """

    market: Market
    rules: Rules
    options: Mapping[str, Any]
    teacher: str
    on_sale: bool
    levels: FloatArray
    teacher_price: FloatArray
    teacher_alone: FloatArray
    students: tuple[Student, ...]
    fit: LogLinear

    @property
    def version(self) -> str:
        """Version of eqsolver that made it."""
        return importlib.metadata.version("eqsolver")

    def to_dict(self) -> dict[str, Any]:
        """The answer as the JSON object that the README documents."""
        market, (performance, cost) = self.market, self.teacher_alone
        return {
            "market": market.name,
            "unit": market.unit,
            "problems": market.weights.size,
            "dropped": market.dropped_problems,
            "notes": list(market.notes),
            "teacher": self.teacher,
            "on_sale": self.on_sale,
            "levels": numbers(self.levels),
            "teacher_price": numbers(self.teacher_price),
            "teacher_alone": {"performance": performance.tolist(), "cost": cost.tolist()},
            "students": [student.to_dict() for student in self.students],
            "fit": self.fit.to_dict(),
            "version": self.version,
            "options": dict(self.options),
        }

    def to_frame(self) -> pd.DataFrame:
        """One row per student: tokens, mean margin and its band, pass@1, profit per solved problem, break-even."""
        import pandas as pd

        rows = []
        for student in self.students:
            low, high = band(student.mean_margins)
            row = {"student": student.name, "tokens": student.tokens, "mean margin": student.mean_margin}
            row |= {"mean margin p05": low, "mean margin p95": high, "pass@1": float(student.pass_at_k[0])}
            row |= {"profit per solved": student.profit_per_solved, "break-even problems": student.break_even_problems}
            rows.append(row)
        return pd.DataFrame(rows)


def band(values: FloatArray) -> tuple[float, float]:
    """5 % and 95 % points of resampled values; nan without any."""
    if not values.size:
        return np.nan, np.nan
    low, high = interval(values)
    return float(low), float(high)


def known(value: float) -> float | None:
    """`None` for what is infinite or undefined."""
    return value if np.isfinite(value) else None
