"""How consumers pick a seller: the best there is (the default), by taste among sellers, or as a marketplace routes them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eqsolver._base import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Logit:
    """Tastes among sellers: the odds of two sellers are exp of what the customer gains more at one, over `scale` (money, > 0).

    A seller's offer to a customer is what suits that customer best of all that it sells, even at a loss: buying nothing is the
    outside option, and a seller with nothing worth buying draws only those whose taste for it makes up for that. As `scale`
    falls to zero the best offer takes all, which is demand without tastes.
    """

    scale: float

    def __post_init__(self) -> None:
        if not 0 < self.scale < np.inf:
            raise UsageError(f"demand logit: scale = {self.scale:g} must be positive and finite, in the market's money")

    def __str__(self) -> str:
        return f"logit:{self.scale:g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Balanced:
    """A marketplace that shares traffic among sellers of the same thing in proportion to their price to the power -`exponent`.

    The same thing is a performance level: every provider that reaches it sells it, at the price of its own cheapest offer that
    does. Customers choose a level knowing what it costs on average there, and pay the price of the seller they are sent to.
    """

    exponent: float = 2.0

    def __post_init__(self) -> None:
        if not 0 < self.exponent < np.inf:
            raise UsageError(f"demand balanced: exponent = {self.exponent:g} must be positive and finite")

    def __str__(self) -> str:
        return "balanced" if self.exponent == 2 else f"balanced:{self.exponent:g}"


Demand = Logit | Balanced
