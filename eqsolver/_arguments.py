"""What is written after an option, read into what the library takes; every message names the option and the value."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from eqsolver._errors import UsageError
from eqsolver._program import tell

if TYPE_CHECKING:
    from eqsolver.game import Balanced, Logit
    from eqsolver.market import Consumers


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
    """`lo:hi:n` or `u,u,...` as shares: `75%`, and with a note on stderr 75, are read as 0.75."""
    if text is None:
        return None
    bare = text.replace("%", "")
    if ":" not in text:
        found = [number(part, "--levels", text) for part in bare.split(",")]
    else:
        found = evenly(*span(bare, "--levels", "0.7:0.75:11, or levels separated by commas"))
    if "%" in text:
        return [_percent(level, text) for level in found]
    if all(1 < level <= 100 for level in found):
        tell(f"--levels {text!r}: read as percent, such as {found[0]:g} %")
        return [_percent(level, text) for level in found]
    return found


def _percent(level: float, text: str) -> float:
    if not 0 < level <= 100:
        raise UsageError(f"--levels {text!r}: {level:g} % is not more than 0 and at most 100 %")
    return level / 100


def evenly(low: float, high: float, n: int) -> list[float]:
    """n numbers from low to high, both among them; of one only the low."""
    return [low] if n == 1 else [low + (high - low) * step / (n - 1) for step in range(n - 1)] + [high]


def span(text: str, option: str, example: str) -> tuple[float, float, int]:
    """`lo:hi:n`."""
    parts = text.split(":")
    if len(parts) != 3:
        raise UsageError(f"{option} {text!r}: give lo:hi:n, such as {example}")
    low, high, n = number(parts[0], option, text), number(parts[1], option, text), count(parts[2], option, text)
    if low > high:
        raise UsageError(f"{option} {text!r}: {low:g} is above {high:g}")
    if not 1 <= n <= 100_000:
        raise UsageError(f"{option} {text!r}: n must lie between 1 and 100000")
    return low, high, n


def pairs(text: str | None, option: str) -> list[tuple[str, float]] | None:
    """`name=number,...` in the order given."""
    if text is None:
        return None
    found: dict[str, float] = {}
    for part in _joined(text.split(",")):
        name, equals, value = (piece.strip() for piece in part.rpartition("="))
        if not equals or not name:
            raise UsageError(f"{option} {text!r}: give name=number pairs separated by commas, such as a=0.08,b=0.92")
        if name in found:
            raise UsageError(f"{option} {text!r}: {name!r} is given twice")
        found[name] = number(value, option, text)
    return list(found.items())


def _joined(parts: list[str]) -> list[str]:
    """Pieces between commas as pairs: a piece without `=` begins a name that holds a comma."""
    joined, begun = [], ""
    for part in parts:
        begun = f"{begun},{part}" if begun else part
        if "=" in part:
            joined.append(begun)
            begun = ""
    return [*joined, begun] if begun or not joined else joined


def exact(known: Sequence[str], **texts: str | None) -> dict[str, list[str]]:
    """The options whose whole text is a provider's name, commas and all, as lists of that one name."""
    return {option: [text] for option, text in texts.items() if text is not None and text in known}


def consumers(text: str | None, option: str = "--value") -> list[Consumers] | None:
    """`lognormal:MEDIAN:SIGMA`, `uniform:LO:HI`, `target:u:r`, `value:v`, `empirical:FILE`, separated by commas."""
    if text is None:
        return None
    from eqsolver.market import Population, Target, Value

    found: list[Consumers] = []
    for part in text.split(","):
        kind, *given = part.strip().split(":")
        if kind == "empirical" and given:
            found += _empirical(part.strip().partition(":")[2], option)
            continue
        wanted = {"lognormal": 2, "uniform": 2, "target": 2, "value": 1}.get(kind)
        if wanted is None or len(given) != wanted:
            raise UsageError(
                f"{option} {text!r}: {part.strip()!r} is none of "
                "lognormal:MEDIAN:SIGMA, uniform:LO:HI, target:LEVEL:BUDGET, value:V, empirical:FILE"
            )
        numbers = [number(piece, option, text) for piece in given]
        match kind:
            case "target":
                found.append(Target(level=numbers[0], budget=numbers[1]))
            case "value":
                found.append(Value(value=numbers[0]))
            case _:
                found.append(Population(distribution=kind, parameters=(numbers[0], numbers[1])))
    return found


def _empirical(path: str, option: str) -> list[Consumers]:
    """Value types of equal mass, one in all, from a file with one value a line."""
    from eqsolver.market import Value

    try:
        with open(path, encoding="utf-8") as file:
            lines = [(n, line.strip()) for n, line in enumerate(file, 1) if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{option} empirical:{path}: cannot be read: {error}") from None
    if not lines:
        raise UsageError(f"{option} empirical:{path}: the file has no values; give one a line")
    values = [number(line, option, f"empirical:{path}, line {n}") for n, line in lines]
    return [Value(value=value, mass=1 / len(values)) for value in values]


def demand(text: str) -> Logit | Balanced | None:
    """`exact`, `logit:SCALE` or `balanced`."""
    from eqsolver.game import Balanced, Logit

    kind, colon, scale = text.partition(":")
    if kind == "logit" and colon:
        return Logit(scale=number(scale, "--demand", text))
    if text not in ("exact", "balanced"):
        raise UsageError(f"--demand {text!r}: give exact, logit:SCALE (money, such as logit:0.02) or balanced")
    return Balanced() if text == "balanced" else None


def axis(text: str) -> tuple[str, list[float]]:
    """`NAME=lo:hi:n` or `NAME=a,b,...`: what a sweep varies, and over which values."""
    name, equals, values = text.partition("=")
    if not equals or not name:
        raise UsageError(f"--over {text!r}: give NAME=lo:hi:n or NAME=a,b,..., such as marginal-cost=0.2:0.6:5")
    if ":" not in values:
        return name, [number(part, "--over", text) for part in values.split(",")]
    return name, evenly(*span(values, f"--over {name}", "0.2:0.6:5"))


def price_bounds(text: str | None) -> tuple[float, float] | None:
    """`lo:hi`."""
    if text is None:
        return None
    low, colon, high = text.partition(":")
    if not colon:
        raise UsageError(f"--price-bounds {text!r}: give lowest:highest multiplier, such as 0.4:5")
    return number(low, "--price-bounds", text), number(high, "--price-bounds", text)


def marginal_costs(text: str | None) -> float | dict[str, float] | None:
    """One number for everybody, or `name=number,...`."""
    if text is None:
        return None
    if "=" in text:
        return dict(pairs(text, "--marginal-cost") or [])
    return number(text, "--marginal-cost", text)


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


def mapping(text: str | None, option: str) -> dict[str, str]:
    """`a=b,c=d` as {"a": "b", "c": "d"}; what stands after the first equals sign may hold others."""
    found: dict[str, str] = {}
    for part in [] if text is None else text.split(","):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not name or not value:
            raise UsageError(
                f"{option} {text!r}: give COLUMN=SOURCE pairs separated by commas, such as problem=task_id,cost=usd"
            )
        if name in found:
            raise UsageError(f"{option} {text!r}: {name!r} is given twice")
        found[name] = value
    return found
