"""Values as logs write them, numbers, times and verdicts; and how a wrong one is told."""

from __future__ import annotations

import math
import re
import reprlib
from datetime import UTC, datetime
from os import PathLike
from typing import Any

from eqsolver._errors import MarketError

_short = reprlib.Repr()
_short.maxstring = _short.maxother = _short.maxlong = 60


def shown(value: object) -> str:
    """A value found in a file, short enough for one line."""
    return _short.repr(value)


def fault(place: str | PathLike[str], *parts: str) -> MarketError:
    """A `MarketError` whose message is `place: part: part`, on one line and printable whatever the input held."""
    text = ": ".join([str(place), *parts])
    return MarketError("".join(c if c.isprintable() else repr(c)[1:-1] for c in text))


YES = frozenset({"1", "true", "yes", "pass", "passed", "c", "correct", "resolved", "solved"})
NO = frozenset({"0", "false", "no", "fail", "failed", "i", "incorrect", "n", "unresolved"})
"""Words for a verdict. Inspect writes C correct, I incorrect, P partial, N no answer."""

PARTIAL = frozenset({"p", "partial"})


class ValueFault(ValueError):
    """A value that is not what its field needs; the message says what it must be."""


def number(value: Any) -> float | None:
    """A number, or text that is one; None stays None and blank text is None."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            comma = re.fullmatch(r"\s*-?\d+,\d+\s*", value)
            raise ValueFault(f"{shown(value)} must be a number" + ("; write decimals with a point" if comma else "")) from None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueFault(f"{shown(value)} must be a finite number")
    return float(value)


def count(value: Any) -> int | None:
    """A whole number, or text that is one."""
    found = number(value)
    if found is None:
        return None
    if found != int(found):
        raise ValueFault(f"{shown(value)} must be a whole number")
    return int(found)


def text(value: Any) -> str | None:
    """Text, or a number as text; blank is None."""
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueFault(f"{shown(value)} must be text or a number")
    return str(value)


def moment(value: Any) -> float | None:
    """A time as seconds since 1970: ISO text (UTC unless it says otherwise), or seconds, milli-, micro- or nanoseconds."""
    if value is None or value == "":
        return None
    if isinstance(value, str) and not re.fullmatch(r"\d+(\.\d+)?", value):
        try:
            found = datetime.fromisoformat(value)
        except ValueError:
            raise ValueFault(f"{shown(value)} must be a time such as 2026-11-02T09:00:00Z") from None
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    seconds = number(value)
    while seconds is not None and seconds > 1e11:  # the year 5138 in seconds; any log in milliseconds is beyond
        seconds /= 1000
    return seconds


def verdict(value: Any) -> float | None:
    """A score from 0 to 1: a number, true or false, or a word such as pass, fail, C or I; partial credit is 0.5."""
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, str):
        word = value.strip().lower()
        if word in YES or word in NO or word in PARTIAL:
            return 1.0 if word in YES else 0.0 if word in NO else 0.5
    found = number(value)
    if found is not None and not 0 <= found <= 1:
        raise ValueFault(f"{shown(value)} must be a verdict: 0 or 1, or a score between them")
    return found
