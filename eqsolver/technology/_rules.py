"""The buying rules that every offer and every policy of one solve is held to: what is allotted, and what the caps allow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

from eqsolver._base import UsageError
from eqsolver.market import Allot, Market, Overrun, Sampled

STRICTLY = 4e-12
"""A position under `finish` is below an allotment by at least this share of it: 1e-12 (THEORY section 2), with room for
the slack by which positions themselves are compared (`SLACK`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What an allotment buys (THEORY section 2).

    allot : thresholds are `money` at list price on a provider, or numbers of `attempts`.
    overrun : with money, what happens to an attempt that does not fit. `finish`: an attempt begins while the money spent on the
        provider is below its allotment, and is finished and paid. `cut`: money runs as a clock; an attempt that it ends in is
        paused, and resumed if the provider is bought from again. `never`: an attempt begins only if it fits.
    total_cap : the most allotted to one problem over all providers, money; infinite where attempts are allotted or no cap is.
    provider_cap : the most allotted to one provider: `total_cap`, or the number of attempts.
    free_attempts : the most attempts of a free provider on one problem where money is allotted, infinite for logs.

    Notes
    -----
    A *position* is what a policy's path and a grid node hold: the allotment itself, but under `finish` the left end of the
    interval of allotments that buy the same attempts, and `FIRST` at its first node and for free providers.
    """

    allot: Allot
    overrun: Overrun
    total_cap: float
    provider_cap: float
    free_attempts: float = float("inf")

    @property
    def options(self) -> dict[str, str | None]:
        """The rule as the options of an answer name it."""
        return {"allot": self.allot, "overrun": self.overrun if self.allot == "money" else None}

    @property
    def finishes(self) -> bool:
        """Attempts that have begun are finished and paid, whatever is left of the allotment."""
        return self.allot == "money" and self.overrun == "finish"

    @property
    def cuts(self) -> bool:
        """Money is a clock: all of an allotment is spent on problems that stay unsolved."""
        return self.allot == "money" and self.overrun == "cut"

    @property
    def largest_total(self) -> float:
        """The largest sum of positions over all providers: below `total_cap` under `finish`, else up to it and rounding."""
        return self.total_cap * (1 - STRICTLY if self.finishes else 1 + 1e-12)

    @property
    def largest_position(self) -> float:
        """The largest position of one provider."""
        return self.provider_cap * (1 - STRICTLY) if self.finishes else self.provider_cap

    def rest(self, total: float) -> float:
        """The largest position of one more provider beside positions that sum to `total`; infinite without a cap, never < 0."""
        left = self.largest_total - total if self.finishes else self.total_cap - total
        return max(min(left, self.largest_position), 0.0)


def rules(
    market: Market,
    *,
    allot: Allot | None = None,
    overrun: Overrun | None = None,
    max_budget: float | None = None,
    max_attempts: int | None = None,
) -> Rules:
    """The rules of a solve: what is given here comes before what the market states.

    Parameters
    ----------
    allot : default: the market's; else `attempts` for problem classes that state `max_attempts` alone, else `money`.
    overrun : default: the market's, else `finish`.

    Raises
    ------
    UsageError : a market with classes states no cap for what is allotted (its curves have no end of their own; logs do:
        survival no longer changes beyond the attempts seen); a cap is not positive; `overrun` goes with attempts.
    """
    for option, value, known in (("allot", allot, get_args(Allot)), ("overrun", overrun, get_args(Overrun))):
        if value is not None and value not in known:
            raise UsageError(f"{option} must be one of {', '.join(known)}, not {value!r}")
    for option, number in (("max_budget", max_budget), ("max_attempts", max_attempts)):
        if number is not None and not 0 < number < float("inf"):
            raise UsageError(f"{option} = {number:g} must be positive and finite")
    sampled = [provider.odds for provider in market.providers if isinstance(provider.odds, Sampled)]
    only_logs = len(sampled) == len(market.providers)
    budget = max_budget if max_budget is not None else market.max_budget
    attempts = max_attempts if max_attempts is not None else market.max_attempts
    if attempts is None and only_logs:
        attempts = max(int(odds.attempts.max()) for odds in sampled)
    if allot is None:
        counted = not only_logs and budget is None and attempts is not None
        allot = market.allot or ("attempts" if counted else "money")
    if allot == "attempts" and overrun is not None:
        raise UsageError("overrun says what happens to money that an attempt does not fit into; it does not go with attempts")
    cap, name = (budget, "max_budget") if allot == "money" else (attempts, "max_attempts")
    if cap is None and not only_logs:
        raise UsageError(
            f"market {market.name!r}: {name} is missing. An allotment of {allot} over problem classes has no end of its own: "
            f"state {name} in the file, or give --{name.replace('_', '-')}"
        )
    if allot == "money" and attempts is None and any(provider.free for provider in market.providers):
        raise UsageError(
            f"market {market.name!r}: max_attempts is missing. A free provider is bounded by attempts: state max_attempts in "
            "the file, or give --max-attempts"
        )
    limit = float("inf") if cap is None else float(cap)
    return Rules(
        allot=allot,
        overrun=overrun or market.overrun or "finish",
        total_cap=limit if allot == "money" else float("inf"),
        provider_cap=limit,
        free_attempts=float("inf") if attempts is None else float(attempts),
    )
