"""What is written after an option, read into what the library takes; every message names the option and the value."""

from __future__ import annotations

import math

from eqsolver._base import UsageError


def names(text: str | None, option: str) -> list[str] | None:
    """`a,b` as ["a", "b"]."""
    if text is None:
        return None
    found = [part.strip() for part in text.split(",")]
    if not all(found):
        raise UsageError(f"{option} {text!r}: give names separated by commas, such as gpt5mini,deepseek")
    if len(set(found)) != len(found):
        raise UsageError(f"{option} {text!r}: a name is given twice")
    return found


def number(text: str, option: str, whole: str) -> float:
    """One finite number."""
    try:
        value = float(text)
    except ValueError:
        raise UsageError(f"{option} {whole!r}: {text!r} is not a number") from None
    if not math.isfinite(value):
        raise UsageError(f"{option} {whole!r}: {text!r} is not finite")
    return value


def count(text: str, option: str, whole: str) -> int:
    """One whole number."""
    try:
        return int(text)
    except ValueError:
        raise UsageError(f"{option} {whole!r}: {text!r} is not a whole number") from None


def levels(text: str | None) -> list[float] | None:
    """`lo:hi:n` or `u,u,...` as numbers."""
    if text is None:
        return None
    if ":" not in text:
        return [number(part, "--levels", text) for part in text.split(",")]
    parts = text.split(":")
    if len(parts) != 3:
        raise UsageError(f"--levels {text!r}: give lo:hi:n, such as 0.7:0.75:11, or levels separated by commas")
    low, high, n = number(parts[0], "--levels", text), number(parts[1], "--levels", text), count(parts[2], "--levels", text)
    if low > high:
        raise UsageError(f"--levels {text!r}: {low:g} is above {high:g}")
    if not 1 <= n <= 100_000:
        raise UsageError(f"--levels {text!r}: n must lie between 1 and 100000")
    return [low] if n == 1 else [low + (high - low) * step / (n - 1) for step in range(n - 1)] + [high]


def pairs(text: str | None, option: str) -> list[tuple[str, float]] | None:
    """`name=number,...` in the order given."""
    if text is None:
        return None
    found: dict[str, float] = {}
    for part in text.split(","):
        name, equals, value = (piece.strip() for piece in part.rpartition("="))
        if not equals or not name:
            raise UsageError(f"{option} {text!r}: give name=number pairs separated by commas, such as a=0.08,b=0.92")
        if name in found:
            raise UsageError(f"{option} {text!r}: {name!r} is given twice")
        found[name] = number(value, option, text)
    return list(found.items())


def lognormal(text: str | None) -> tuple[float, float] | None:
    """`median:sigma`."""
    if text is None:
        return None
    median, colon, sigma = text.partition(":")
    if not colon:
        raise UsageError(f"--consumers {text!r}: give median:sigma of a lognormal distribution, such as 0.4:1")
    return number(median, "--consumers", text), number(sigma, "--consumers", text)


def undercut(text: str) -> tuple[float, int]:
    """`f:rounds`."""
    factor, colon, rounds = text.partition(":")
    if not colon:
        raise UsageError(f"--undercut {text!r}: give factor:rounds, such as 0.93:7")
    return number(factor, "--undercut", text), count(rounds, "--undercut", text)
