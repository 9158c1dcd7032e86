"""Between what people write, allotments, and what paths hold, positions: an interval of allotments buys the same attempts."""

from __future__ import annotations

import math
from collections.abc import Sequence

from eqsolver.technology._curves import FIRST
from eqsolver.technology._path import Block, Path
from eqsolver.technology._rules import STRICTLY, Rules
from eqsolver.technology._steps import Steps


def positions(rules: Rules, steps: Sequence[Steps], allotted: Sequence[Block]) -> Path:
    """The path that buys what given allotments buy.

    rules, steps : of the market's providers. allotted : blocks of (provider, allotment >= 0), the sum of each provider's last
    at most the cap.
    """
    return tuple((i, _position(rules, steps[i], b)) for i, b in allotted)


def _position(rules: Rules, steps: Steps, allotment: float) -> float:
    if allotment <= 0 or rules.allot == "attempts":  # what is below 0 is refused by whoever evaluates it
        return allotment
    if steps.free:
        return FIRST
    return max(allotment * (1 - STRICTLY), FIRST) if rules.finishes else allotment


def allotments(rules: Rules, steps: Sequence[Steps], path: Sequence[Block]) -> Path:
    """Allotments that buy what a path buys: `positions` gives the same attempts, on every problem, back.

    Returns
    -------
    Blocks of (provider, allotment). Of the allotments that buy the same attempts and, over all providers, stay below the cap,
    the number with the fewest decimal digits. Under `cut` every allotment buys something else: of those up to 5e-10 above the
    position, half of what `evaluate` forgives a sum above the cap. A free provider takes nothing of the cap, and is allotted
    all of it. For numbers of attempts the position; 0 where nothing is bought.
    """
    if rules.allot == "attempts":
        return tuple(path)
    final = {i: b for i, b in path if b > 0 and not steps[i].free}
    nodes = {i: b if rules.cuts else steps[i].interval(b)[0] for i, b in final.items()}
    room = (rules.total_cap - sum(nodes.values())) / max(len(nodes), 1)
    found: list[Block] = []
    highest: dict[int, float] = {}
    for i, b in path:  # where a provider returns, its allotments do not fall by rounding
        highest[i] = max(_allotment(rules, steps[i], b, room), highest.get(i, 0.0))
        found.append((i, highest[i]))
    return tuple(found)


def _allotment(rules: Rules, steps: Steps, position: float, room: float) -> float:
    if position == 0:
        return 0.0
    if steps.free:
        return rules.total_cap if math.isfinite(rules.total_cap) else 1.0
    if rules.cuts:
        return shortest_between(position, position * (1 + 5e-10))
    left, right = steps.interval(position)
    left = 0.0 if left <= FIRST else left
    high = min(right, left + room)
    if not math.isfinite(high):
        high = 2 * left if left else 1.0
    if rules.finishes:  # (left, right], and not so near to the left that a tolerance mistakes it
        return shortest_between(left + 0.25 * (high - left), high)
    return shortest_between(left * (1 - 1e-13), left + 0.75 * (high - left))


def shortest_between(low: float, high: float) -> float:
    """The number with the fewest decimal digits in [low, high], of these the largest; 0 <= low, 0 < high, both finite."""
    for digits in range(17):
        unit = 10.0 ** (math.floor(math.log10(high)) - digits)
        number = float(f"{math.floor(high / unit * (1 + 1e-14)) * unit:.{digits}e}")
        if low <= number <= high:
            return number
    return high


def one_attempt(rules: Rules, steps: Sequence[Steps]) -> tuple[float, ...]:
    """(M,) the largest allotment of each provider that buys one attempt on every problem; 0 where no allotment does."""
    some = [rules.finishes and bool(own.at.size) and own.at[0] == FIRST and not own.free for own in steps]
    return tuple(own.interval(FIRST)[1] if yes else 0.0 for own, yes in zip(steps, some, strict=True))
