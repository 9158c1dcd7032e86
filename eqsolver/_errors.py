"""Errors raised on purpose. The command line needs them before numpy: nothing heavy is imported here."""

from __future__ import annotations

from typing import Any


class EqsolverError(Exception):
    """Base of every error raised on purpose; its message is one line that says what is wrong, where, and what to try."""


class MarketError(EqsolverError, ValueError):
    """The market as specified, or the file it is read from, cannot exist."""


class UsageError(EqsolverError, ValueError):
    """What was asked of a valid market makes no sense (an unknown provider, an empty range of levels, a missing cap)."""


class NothingSolved(UsageError):
    """No provider ever solves a problem within the cap: that is the answer, and there is no price or policy to add to it."""


class NotCertified(EqsolverError):
    """A solve ended without its certificate; `result` holds what it had."""

    def __init__(self, message: str, result: Any) -> None:
        super().__init__(message)
        self.result = result


class CacheWarning(UserWarning):
    """Machine code cannot be kept for the next process where it usually is: what happens instead, and what to set."""
