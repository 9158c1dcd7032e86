"""How large what a market is made of may be: beyond these limits answers would be rounding, or memory would run out."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from eqsolver._base import FloatArray, MarketError, UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What is refused in one line instead of being computed badly.

    smallest, largest : magnitudes of money, of multipliers and of odds that are not zero. Products of a few of them, and sums
        over problems, stay within floating point.
    cost_ratio : of the dearest attempt at list price to the cheapest one. Costs are compared to within 1e-12 of each other, so
        that beyond this ratio the cheaper attempt is no more than rounding of the dearer one.
    bytes_read, dotted_keys : of a TOML file. A parser keeps a table for every prefix of a dotted key: 40 kB of dots take a GiB.
    resamples, weights_drawn : resamples of the problems, and their number times that of the problems: 8 bytes each are held.
    rounds : of undercutting, which each hold a price per level.
    name : characters of a name, so that a row of a table can show it.
    """

    smallest: float = 1e-100
    largest: float = 1e100
    cost_ratio: float = 1e12
    bytes_read: int = 5_000_000
    dotted_keys: int = 10_000
    resamples: int = 100_000
    weights_drawn: int = 100_000_000
    rounds: int = 1_000
    name: int = 1_000


LIMITS = Limits()


def check_name(name: str, where: str) -> None:
    """A `MarketError` unless a name can be shown on a terminal: no control characters, none that turn text around."""
    if not name:
        raise MarketError(f"{where} needs a name")
    if not name.isprintable():
        wrong = next(c for c in name if not c.isprintable())
        shown = name.encode("unicode_escape").decode()[:80]
        raise MarketError(f"{where} '{shown}': the name holds the character U+{ord(wrong):04X}, which cannot be printed")
    if len(name) > LIMITS.name:
        raise MarketError(f"{where} '{name[:60]}...': the name has {len(name)} characters, and {LIMITS.name} at most are shown")


def check_magnitude(values: FloatArray, where: str) -> None:
    """A `MarketError` unless every number that is not zero can be computed with."""
    size = np.abs(values)
    wrong = np.flatnonzero((size > 0) & ~((size >= LIMITS.smallest) & (size <= LIMITS.largest)))
    if wrong.size:
        at = f"[{wrong[0]}]" if values.ndim else ""
        value = values.flat[wrong[0]]
        raise MarketError(
            f"{where}{at} = {value:g} is beyond what can be computed with, {LIMITS.smallest:g} to {LIMITS.largest:g}; "
            "state money in another unit"
        )


def check_cost_ratio(costs: FloatArray) -> None:
    """A `MarketError` if one attempt costs so much more than another that the cheaper one is lost in rounding."""
    paid = costs[costs > 0]
    if paid.size and paid.max() > paid.min() * LIMITS.cost_ratio:
        raise MarketError(
            f"attempts cost from {paid.min():g} to {paid.max():g}: more than {LIMITS.cost_ratio:g} times the cheapest cannot "
            "be computed with; are they in one unit?"
        )


def check_resamples(resamples: int, problems: int) -> None:
    """A `UsageError` unless a number of resamples of the problems can be drawn and held."""
    if not 0 <= resamples <= LIMITS.resamples:
        raise UsageError(f"bootstrap must lie between 0 and {LIMITS.resamples} resamples, not {resamples}")
    if resamples * problems > LIMITS.weights_drawn:
        most = LIMITS.weights_drawn // problems
        raise UsageError(f"bootstrap = {resamples} resamples of {problems} problems do not fit into memory; at most {most} do")


def check_text(text: str) -> None:
    """A `MarketError` for TOML that would take a parser more memory than any market is worth."""
    if len(text) > LIMITS.bytes_read:
        raise MarketError(f"{len(text)} characters; a specification has at most {LIMITS.bytes_read}")
    keys = re.sub(r"#.*|\d+\.\d+|\"(?:[^\"\\\n]|\\.)*\"|'[^'\n]*'", "", text)
    if keys.count(".") > LIMITS.dotted_keys:
        raise MarketError(f"{keys.count('.')} dots in keys; a specification has at most {LIMITS.dotted_keys}")
