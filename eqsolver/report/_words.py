"""Numbers and policies as people write them: money to three digits, levels in percent, a cascade in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from eqsolver._base import FloatArray, IntArray

if TYPE_CHECKING:
    from eqsolver.market import Allot
    from eqsolver.technology import Block, Rules

DASH = "—"
"""Stands for what does not exist: a cost above a provider's reach, a margin without a market price."""


def digits(value: float, number: int = 3) -> str:
    """So many significant digits, without an exponent where that stays short.

    >>> [digits(v) for v in (0.08123, 12.0, 123.4, 56789.0, 1.23456e7, 0.0)]
    ['0.0812', '12.0', '123', '56,789', '1.23e+07', '0']
    """
    if value == 0:
        return "0"
    size = abs(float(f"{value:.{number - 1}e}"))  # rounded first, so that 9.999 is 10.0
    if not 1e-4 <= size < 1e6:
        return f"{value:.{number - 1}e}"
    return f"{value:,.{max(number - 1 - math.floor(math.log10(size)), 0)}f}"


def amount(value: float, unit: str, number: int = 3) -> str:
    """Money in a table whose heading names the unit: `$0.0812` in USD, else `1.23e+07`; a dash if it is not finite."""
    if not math.isfinite(value):
        return DASH
    sign = "-" if value < 0 else ""
    if unit == "USD":
        return f"{sign}${digits(abs(value), number)}"
    return digits(value, number) if abs(value) < 1e4 else f"{value:.{number - 1}e}"


def money(value: float, unit: str, number: int = 3) -> str:
    """Money in a sentence, to so many digits.

    >>> money(0.08123, "USD"), money(1.2345e7, "FLOP")
    ('$0.0812', '1.23e+07 FLOP')
    """
    found = amount(value, unit, number)
    return found if unit == "USD" or not math.isfinite(value) else f"{found} {unit}"


def percent(value: float, places: int = 1) -> str:
    """A share in percent, without the sign; a dash if it is not finite.

    >>> percent(0.2695), percent(-0.00001), percent(float("nan"))
    ('27.0', '0.0', '—')
    """
    return f"{100 * value:z.{places}f}" if math.isfinite(value) else DASH


def level_places(levels: FloatArray) -> int:
    """How many decimals tell these levels apart in percent, at least one."""
    return next((k for k in range(1, 6) if len({percent(u, k) for u in levels}) == levels.size), 6)


def counted(number: int, noun: str) -> str:
    """`1 problem`, `500 problems`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def evenly(number: int, most: int) -> IntArray:
    """At most `most` of the positions 0 .. number - 1, evenly spaced, the first and the last among them."""
    return np.unique(np.linspace(0, number - 1, min(number, most)).round().astype(np.int64))


def words(cascade_path: Sequence[Block], names: Sequence[str], unit: str, allot: Allot, single: Sequence[float] = ()) -> str:
    """A policy as a sentence: who is bought from first, and how far.

    Parameters
    ----------
    cascade_path : blocks (position of provider, allotment): money at list price, or attempts. Where a provider returns, as
        in schedules, its allotment is the total so far. Allotments of zero are left out.
    names : of the market's providers. unit : of money. allot : what is allotted.
    single : by provider, the largest allotment that buys one attempt on every problem, which is then said in words.

    Examples
    --------
    >>> words([(0, 0.08123), (1, 0.919)], ("small", "large"), "USD", "money")
    'up to $0.08123 on small, then up to $0.919 on large'
    >>> words([(1, 3), (0, 1)], ("small", "large"), "USD", "attempts")
    'up to 3 attempts on large, then up to 1 attempt on small'
    """
    limits = list(single) or [0.0] * len(names)
    steps = [f"{allotment(most, unit, allot, limits[i])} on {names[i]}" for i, most in cascade_path if most > 0]
    return ", then ".join(steps) or "nothing is bought"


def allotment(most: float, unit: str, allot: Allot, single: float) -> str:
    """How far a provider is bought from; `single` is the largest allotment that buys one attempt on every problem."""
    if math.isinf(most):
        return "as much as it takes"
    if most <= single:
        return "one attempt"
    if allot == "money":
        return f"up to {exact_money(most, unit)}"
    return f"up to {most:g} attempt{'' if most == 1 else 's'}"


def exact_money(value: float, unit: str) -> str:
    """An allotment with the digits that it needs to buy just what it should; where it has no end of them, with three."""
    return money(value, unit, next((number for number in range(3, 12) if float(f"{value:.{number}g}") == value), 3))


def caps(rules: Rules, unit: str) -> str:
    """What is allotted and the most of it.

    Returns
    -------
    For example `at most $1.00 allotted per problem`.
    """
    if math.isinf(rules.provider_cap):
        return f"{rules.allot} allotted without a cap"
    if rules.allot == "money":
        return f"at most {money(rules.total_cap, unit)} allotted per problem"
    return f"at most {counted(int(rules.provider_cap), 'attempt')} per provider and problem"


def consequences(rules: Rules) -> list[str]:
    """What follows from the rule for an attempt that does not fit its allotment, a sentence each."""
    if rules.allot == "attempts":
        return []
    return {
        "finish": [
            "A bill may exceed the cap by less than one attempt per provider used, as attempts that have begun are finished.",
            "A level below what one attempt on every problem solves costs as much as that; randomising costs less.",
        ],
        "cut": ["Allotments run as a clock: attempts must be pausable. No cost has to be known beforehand."],
        "never": ["Every problem's cost per attempt is taken as known before it is bought, as with a flat price per call."],
    }[rules.overrun]


def overruns(rules: Rules) -> str:
    """What happens to an attempt that does not fit its allotment."""
    if rules.allot == "attempts":
        return "numbers of attempts are allotted"
    return {
        "finish": "an attempt begins while its allotment lasts, and is finished and paid",
        "cut": "an attempt that an allotment ends in is paused, and lost if nothing more is bought",
        "never": "an attempt begins only if it fits what is left of its allotment",
    }[rules.overrun]
