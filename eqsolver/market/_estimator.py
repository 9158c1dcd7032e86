"""What turns a market of logs into one that is believed in: the shape that other rooms may rely on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Protocol

from eqsolver.market._market import Market
from eqsolver.market._odds import Sampled


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


def believed(
    market: Market, estimator: Estimator | None, *, max_budget: float | None = None, max_attempts: int | None = None
) -> tuple[Market, Estimate | None]:
    """The market as an estimator believes it to be, and the estimate; the market itself without an estimator.

    max_budget, max_attempts : caps that come before the market's; an estimator needs one, see `capped`.
    """
    if estimator is None:
        return market, None
    if max_budget is not None:
        market = replace(market, max_budget=max_budget)
    if max_attempts is not None:
        market = replace(market, max_attempts=max_attempts)
    found = estimator(market)
    return found.market, found


def capped(market: Market) -> Market:
    """The market with the caps that its logs show, where it states none: estimated odds have no end of their own.

    Notes
    -----
    `max_attempts` is the longest log, `max_budget` the largest sum that one provider spent on one problem: further than that
    nobody has looked. A line in the market's `notes` says so.
    """
    logs = [(provider, provider.odds) for provider in market.providers if isinstance(provider.odds, Sampled)]
    longest = max((int(log.attempts.max()) for _, log in logs), default=None)
    if longest is None or (market.max_budget is not None and market.max_attempts is not None):
        return market
    if market.max_budget is not None:
        return replace(market, max_attempts=longest)
    largest = max(float((log.attempts * provider.spend).max()) for provider, log in logs)
    if not largest > 0:
        return replace(market, max_attempts=market.max_attempts or longest)
    told = (
        f"No cap is stated, and estimated odds need one: max_budget is {largest:.3g} {market.unit}, the largest sum that one "
        f"provider spent on one problem of these logs (max_attempts {market.max_attempts or longest})."
    )
    return replace(market, max_budget=largest, max_attempts=market.max_attempts or longest, notes=(*market.notes, told))
