"""Where in a JSON file a value is: the small language of a preset's fields."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from eqsolver.logs._values import ValueFault, moment, number

Read = Callable[["Scope"], Any]
_STEP = re.compile(r"'([^']*)'|\[([^\]]*)\]|([^.\[\]']+)")


@dataclass(slots=True)
class Scope:
    """What a path may refer to: a record, the file it stands in, and that file's neighbours, read once."""

    record: Any
    root: Any
    path: Path
    neighbours: dict[Path, Any] = field(default_factory=dict)

    def neighbour(self, name: str) -> Any:
        path = self.path.parent / name
        if path not in self.neighbours:
            self.neighbours.clear()  # one folder at a time
            self.neighbours[path] = orjson.loads(path.read_bytes()) if path.is_file() else None
        return self.neighbours[path]


def reader(alternatives: str | Sequence[str]) -> Read:
    """What reads a value: the first of some expressions that gives one.

    An expression is `a.b[0].c` in the record, `$.a` in the whole file, `@-2` a part of the file's path (`@stem` its name),
    `FILE.json:a.b` in a neighbouring file; `a[].b` and `a[role=assistant].b` (`!=`, values separated by `|`) give lists;
    keys with dots are quoted (`'gen_ai.model'`). Around them: `sum`, `min`, `max`, `all` of a list, unknown where an entry is;
    `span`, from a list's first to its last time, and `earliest`; `between(start, finish)`, seconds; `nonzero`, where 0 means
    unknown; `plus1`; `thousandth`; `hash`, a digest of anything. Text with `{expression}` in it is a template, unknown where
    a part is.

    Raises `ValueError` where an expression makes no sense.
    """
    reads = [_expression(one) for one in ([alternatives] if isinstance(alternatives, str) else alternatives)]

    def read(scope: Scope) -> Any:
        return next((value for value in (one(scope) for one in reads) if value is not None), None)

    return read


def _expression(source: str) -> Read:
    call = re.fullmatch(r"(\w+)\((.*)\)", source)
    if call and call[1] == "between":
        start, _, finish = (reader(part.strip()) for part in call[2].partition(","))
        return lambda scope: _between(start(scope), finish(scope))
    if call:
        if call[1] not in FUNCTIONS:
            raise ValueError(f"unknown function {call[1]!r}; known: between, {', '.join(FUNCTIONS)}")
        inner, function = reader(call[2]), FUNCTIONS[call[1]]
        return lambda scope: None if (value := inner(scope)) is None else function(value)
    if "{" in source:
        return _template(source)
    if source.startswith("@"):
        return _path_part(source[1:])
    neighbour, colon, rest = source.partition(":")
    steps = _steps(rest if colon else source.removeprefix("$."))
    if colon:
        return lambda scope: _walk(scope.neighbour(neighbour), steps)
    if source.startswith("$."):
        return lambda scope: _walk(scope.root, steps)
    return lambda scope: _walk(scope.record, steps)


def _template(source: str) -> Read:
    pieces = re.split(r"\{([^}]*)\}", source)
    reads = [reader(piece) for piece in pieces[1::2]]

    def read(scope: Scope) -> Any:
        values = [one(scope) for one in reads]
        if any(value is None for value in values):
            return None
        return "".join(x for pair in zip(pieces[::2], [*map(str, values), ""], strict=True) for x in pair)

    return read


def _path_part(part: str) -> Read:
    if part == "stem":
        return lambda scope: scope.path.stem
    position = int(part)
    return lambda scope: parts[position] if len(parts := scope.path.absolute().parts) >= abs(position) else None


Step = str | int | Callable[[Any], bool]


def _steps(path: str) -> list[Step]:
    if _STEP.sub("", path).strip("."):
        raise ValueError(f"{path!r} is not a path such as a.b[0].c")
    return [_selection(found[2]) if found[2] is not None else found[1] or found[3] for found in _STEP.finditer(path)]


def _selection(inside: str) -> Step:
    if re.fullmatch(r"-?\d+", inside):
        return int(inside)
    if not inside:
        return lambda item: True
    key, sign, values = re.split(r"(!?=)", inside, maxsplit=1)
    steps, wanted = _steps(key), set(values.split("|"))
    return lambda item: (str(_walk(item, steps)) in wanted) == (sign == "=")


def _walk(value: Any, steps: Sequence[Step]) -> Any:
    for position, step in enumerate(steps):
        if isinstance(step, str):
            value = value.get(step) if isinstance(value, Mapping) else None
        elif not isinstance(value, list):
            return None
        elif isinstance(step, int):
            value = value[step] if -len(value) <= step < len(value) else None
        else:
            return [_walk(item, steps[position + 1 :]) for item in value if step(item)]
        if value is None:
            return None
    return value


def _whole(function: Callable[[list[Any]], Any]) -> Callable[[Any], Any]:
    """A function of a list that is unknown where the list is empty or an entry is unknown."""

    def read(values: Any) -> Any:
        if not isinstance(values, list):
            raise ValueFault(f"{values!r} must be a list")
        return None if not values or any(value is None for value in values) else function(values)

    return read


def _span(values: Any) -> float | None:
    times = [time for time in map(moment, values) if time is not None]
    return _exact(max(times) - min(times)) if times else None


def _earliest(values: Any) -> float | None:
    return min((time for time in map(moment, values) if time is not None), default=None)


def _exact(seconds: float) -> float:
    """Seconds to the microsecond that times are written in: floating point since 1970 has no more."""
    return round(seconds, 6)


def _between(start: Any, finish: Any) -> float | None:
    first, last = moment(start), moment(finish)
    return None if first is None or last is None else _exact(last - first)


FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "sum": _whole(lambda values: sum(number(value) or 0.0 for value in values)),
    "min": _whole(lambda values: min(map(float, values))),
    "max": _whole(lambda values: max(map(float, values))),
    "all": _whole(all),
    "span": _span,
    "earliest": _earliest,
    "nonzero": lambda value: number(value) or None,
    "plus1": lambda value: (number(value) or 0.0) + 1,
    "thousandth": lambda value: (number(value) or 0.0) / 1000,
    "hash": lambda value: hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()[:12],
}
