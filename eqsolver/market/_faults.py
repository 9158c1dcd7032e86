"""Bad input told in one line: which file, which line, which field, what was found, and what to try."""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Iterable, Sequence
from os import PathLike
from typing import Any

from pydantic import ValidationError

from eqsolver._base import MarketError

NOUNS = {
    "providers": "provider",
    "classes": "class",
    "arbitrageurs": "arbitrageur",
    "policies": "policy",
    "consumers": "consumer",
}
WORDING = (
    ("Input should", "must"),
    ("String should", "must"),
    ("List should", "must"),
    ("greater than or equal to", "at least"),
    ("less than or equal to", "at most"),
    ("a valid integer", "a whole number"),
    ("a valid list", "a list"),
    ("a valid array", "a list"),
    ("a valid ", "a "),
)
MOST_TOLD = 20
"""Faults of one file that are told at once."""

_shorten = reprlib.Repr()
_shorten.maxstring = _shorten.maxother = _shorten.maxlong = 60
_shorten.maxdict = _shorten.maxlist = 4
_shorten.maxlevel = 2


def shown(value: object) -> str:
    """A value found in a file, short enough for one line."""
    try:
        return _shorten.repr(value)
    except ValueError:  # Python refuses to print integers of more than 4300 digits
        return "an integer too long to print"


def fault(place: str | PathLike[str], *parts: str) -> MarketError:
    """A `MarketError` whose message is `place: part: part`, on one line and printable whatever the input held."""
    text = ": ".join([str(place), *parts])
    return MarketError("".join(c if c.isprintable() else repr(c)[1:-1] for c in text))


def unreadable(path: str | PathLike[str], error: OSError | ValueError) -> MarketError:
    """What to say when a file cannot be opened, read or written."""
    if isinstance(error, FileNotFoundError):
        return fault(path, "no such file or folder")
    if isinstance(error, IsADirectoryError):
        return fault(path, "is a folder where a file is needed")
    if isinstance(error, PermissionError):
        return fault(path, "permission denied")
    return fault(path, (error.strerror if isinstance(error, OSError) else None) or str(error))


def not_utf8(path: str | PathLike[str], error: UnicodeDecodeError, *where: str) -> MarketError:
    """What to say about bytes that are no text. `where` is the line, for a file read by lines."""
    found = f"byte 0x{error.object[error.start]:02x} at offset {error.start}"
    return fault(path, *where, f"not UTF-8 ({found}); save the file as UTF-8")


def unknown_name(name: str, known: Iterable[str], kind: str) -> str:
    """'unknown field 'pirce'; did you mean 'price'?', or the list of known names."""
    known = list(known)
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"
    return f"unknown {kind} {shown(name)}; {hint}"


def place(loc: Sequence[str | int], data: Any = None) -> list[str]:
    """Where in a file a value is: ("classes", 3, "success", "a") is ["class 4 'hard'", "success.a"].

    `data` is the parsed file; entries of it that have a name are told by it too. Entries count from 1.
    """
    parts: list[str] = []
    field = ""
    for step in loc:
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):
            data = None
        if isinstance(step, str):
            field = f"{field}.{step}" if field else step
        elif field in NOUNS:
            name = data.get("name") if isinstance(data, dict) else None
            parts.append(f"{NOUNS[field]} {step + 1}" + (f" {shown(name)}" if isinstance(name, str) else ""))
            field = ""
        else:
            field = f"{field} entry {step + 1}"
    return [*parts, field] if field else parts


def together(faults: Iterable[MarketError]) -> MarketError:
    """Several faults as one error, a line each: those that a user would otherwise meet one after the other."""
    lines = [str(one) for one in faults]
    more = ["and more like these"] if len(lines) > MOST_TOLD else []
    return MarketError("\n".join([*lines[:MOST_TOLD], *more]))


def first_fault(error: ValidationError, data: Any = None) -> list[str]:
    """The parts of a message on the first thing that pydantic found wrong. data : the parsed file, to name entries by."""
    return told(error.errors(include_url=False, include_context=True)[0], data)


def told(found: Any, data: Any = None, fields: Iterable[str] = ()) -> list[str]:
    """The parts of a message on one thing that pydantic found wrong.

    data : the parsed file, to name entries by. fields : names to suggest in place of a field that is not known.
    """
    loc = tuple(found["loc"])
    if loc[:1] == ("consumers",) and len(loc) > 2:  # pydantic puts the kind of a tagged union into the path
        loc = (*loc[:2], *loc[3:])
    kind, value = found["type"], found["input"]
    if kind == "extra_forbidden":
        return [*place(loc[:-1], data), unknown_name(str(loc[-1]), fields, "field")]
    *parts, subject = place(loc, data) or ["found"]
    if kind == "missing":
        return [*parts, f"{subject} is missing"]
    if kind in ("union_tag_not_found", "union_tag_invalid"):  # an entry of `consumers` of no known kind
        found_kind = f"kind = {shown(value['kind'])}" if "kind" in value else "kind is missing, it"
        return [*parts, subject, f"{found_kind} must be one of target, value, population"]
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return [*parts, f"{subject} = {shown(value)} must be a table of fields"]
    rule = found["msg"]
    for told, better in WORDING:
        rule = rule.replace(told, better)
    return [*parts, f"{subject} = {shown(value)} {rule}"]
