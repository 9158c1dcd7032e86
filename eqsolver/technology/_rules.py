"""The rules every offer and every policy of one solve is held to: what is allotted, what counts as spent, and the caps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from eqsolver._base import UsageError
from eqsolver.market import Market, Sampled

Allocation = Literal["budget", "attempts"]
Accounting = Literal["attempts", "budget"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How attempts are allotted and counted (THEORY section 2).

    allocation : allot `budget` (money at list price; the attempts that fit are bought) or `attempts` (their number).
    accounting : `attempts`, money is spent only on attempts made; `budget`, leftover budget counts as spent [OSH].
    total_cap : the most allotted to one problem over all providers: money under budget allocation, infinite otherwise.
    provider_cap : the most allotted to one provider: `total_cap`, or the number of attempts under attempt allocation.
    """

    allocation: Allocation
    accounting: Accounting
    total_cap: float
    provider_cap: float

    @property
    def leftover_is_spent(self) -> bool:
        """Under attempt allocation nothing is left over, so both accountings agree."""
        return self.accounting == "budget" and self.allocation == "budget"


def rules(
    market: Market,
    *,
    allocation: Allocation = "budget",
    accounting: Accounting = "attempts",
    max_budget: float | None = None,
    max_attempts: int | None = None,
) -> Rules:
    """The rules of a solve: caps given here come before the market's.

    Raises `UsageError` if a market with classes states no cap for this allocation (its curves have no end of their own;
    logs do: survival no longer changes beyond the attempts seen), or a cap is not positive.
    """
    if allocation not in ("budget", "attempts"):
        raise UsageError(f"allocation must be 'budget' or 'attempts', not {allocation!r}")
    if accounting not in ("attempts", "budget"):
        raise UsageError(f"accounting must be 'attempts' or 'budget', not {accounting!r}")
    for option, value in (("max_budget", max_budget), ("max_attempts", max_attempts)):
        if value is not None and not 0 < value < float("inf"):
            raise UsageError(f"{option} = {value:g} must be positive and finite")
    sampled = all(isinstance(provider.odds, Sampled) for provider in market.providers)
    if allocation == "budget":
        cap = max_budget if max_budget is not None else market.max_budget
        name = "max_budget"
    else:
        cap = max_attempts if max_attempts is not None else market.max_attempts
        name = "max_attempts"
        if cap is None and sampled:
            cap = max(int(p.odds.attempts.max()) for p in market.providers if isinstance(p.odds, Sampled))
    if cap is None and not sampled:
        raise UsageError(
            f"market {market.name!r}: {name} is missing. {allocation.capitalize()} allocation over problem classes has no "
            f"end of its own: state {name} in the file, or give --{name.replace('_', '-')}"
        )
    limit = float("inf") if cap is None else float(cap)
    return Rules(
        allocation=allocation,
        accounting=accounting,
        total_cap=limit if allocation == "budget" else float("inf"),
        provider_cap=limit,
    )
