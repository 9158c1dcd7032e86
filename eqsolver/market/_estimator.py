"""What turns a market of logs into one that is believed in: the shape that other rooms may rely on."""

from __future__ import annotations

from typing import Any, Protocol

from eqsolver.market._market import Market


class Estimate(Protocol):
    """A market as an estimator believes it to be, and what it says of itself."""

    @property
    def market(self) -> Market:
        """The market to work with instead of the logs."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """The estimator's name, and how good its fit is, for a JSON document."""
        ...


class Estimator(Protocol):
    """Turns a market of attempt logs into an `Estimate`; `estimate` has those of eqsolver."""

    @property
    def name(self) -> str:
        """What it is called on the command line and in documents."""
        ...

    def __call__(self, market: Market) -> Estimate:
        """The market behind some logs; a `UsageError` if the market does not consist of logs."""
        ...
