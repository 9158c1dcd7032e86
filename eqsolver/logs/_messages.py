"""Bad logs told in one line: which file, which row or JSON path, which field, what was found."""

from __future__ import annotations

import reprlib
from os import PathLike

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
