"""Entry: who earns what before and after a provider enters, and how capable it must be to earn at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from eqsolver._base import FloatArray, UsageError
from eqsolver.market import Allot, Market, Overrun
from eqsolver.posted._entry import CASES, Earliest, Entry
from eqsolver.posted._offers import offers
from eqsolver.posted._parts import Progress
from eqsolver.posted._resale import resale
from eqsolver.posted._segments import EARNS
from eqsolver.posted._solution import Solution
from eqsolver.posted._solve import solve
from eqsolver.technology import Rules, all_steps, build, nondecreasing, rules, schedules

CAPABILITY_TOLERANCE = 0.01
"""The smallest capability is found to within this, relatively."""


def enter(
    market: Market,
    entrant: str,
    *,
    capability: tuple[float, float, int] = (0.01, 10.0, 7),
    least_share: float = 0.0,
    providers: Sequence[str] | None = None,
    access: Sequence[str] | None = None,
    levels: Sequence[float] | FloatArray | None = None,
    allot: Allot | None = None,
    overrun: Overrun | None = None,
    max_budget: float | None = None,
    max_attempts: int | None = None,
    prices: Mapping[str, float] | None = None,
    points: int | None = None,
    tolerance: float = 1e-3,
    progress: Progress | None = None,
) -> Entry:
    """Solve a market without and with an entrant, and search the capability from which the entrant earns.

    Parameters
    ----------
    market : with the entrant among its providers. entrant : its name.
    capability : lowest, highest and number of capabilities searched, spaced evenly in their logarithm. Capability s divides
        the entrant's cost per attempt by s; what it solves and the caps stay.
    least_share : of what consumers pay; smaller shares do not count as earning. By default any revenue does.
    providers : restrict the market to these, the entrant among them. access : what the arbitrageur may buy from.
    levels : default those of `solve` for the market with the entrant.
    allot, overrun, max_budget, max_attempts, prices, points, tolerance : see `solve`.
    progress : called as work advances.

    Raises
    ------
    MarketError : unknown provider. UsageError : nobody is left without the entrant, or a range makes no sense.

    Notes
    -----
    THEORY section 9. The entrant earns at a capability if it has revenue at some level that has a market price: without
    arbitrage as its seller; with it, if the cheapest schedule for the level buys from it for less than the market price (or no
    schedule does so, and it sells). Its direct cost falls as 1 / s, and a more capable entrant may be bought from as a less
    capable one is, at a lower bill, so earning at s is earning above s. The search takes the first capability searched at which
    it earns, and bisects from the one before. Under budget allocation small slices of a poor entrant may screen out easy
    problems: `shares` and `least_share` say more than the first sign of revenue. Slices finer than the grid go unseen.
    """
    asked = {
        "entrant": entrant,
        "capability": list(capability),
        "least_share": least_share,
        "providers": list(providers) if providers is not None else None,
        "access": list(access) if access is not None else None,
        "levels": None if levels is None else [float(u) for u in levels],
        "allot": allot,
        "overrun": overrun,
        "max_budget": max_budget,
        "max_attempts": max_attempts,
        "prices": dict(prices) if prices else {},
        "points": points,
        "tolerance": tolerance,
    }
    low, high, number = capability
    if not 0 < low <= high < np.inf or number < 1:
        raise UsageError(f"capability {low:g}:{high:g}:{number} must be positive numbers, low to high, and how many of them")
    if not 0 <= least_share < 1:
        raise UsageError(f"the least share must lie in [0, 1), not {least_share:g}. A percentage? Divide by 100.")
    say = progress or (lambda what, share: None)
    whole = (market if providers is None else market.restrict(providers)).at_prices(prices or {})
    whole = whole.without_arbitrageurs()  # fixed policies of the file may buy from the entrant
    asked |= rules(whole, allot=allot, overrun=overrun, max_budget=max_budget, max_attempts=max_attempts).options
    (position,) = whole.positions([entrant], "entrant")
    incumbents = [name for name in whole.names if name != entrant]
    if not incumbents:
        raise UsageError(f"market {market.name!r} has no provider beside the entrant {entrant!r}")
    others = None if access is None else [name for name in access if name != entrant]

    def solved(
        of: Market, at: FloatArray | Sequence[float] | None, bought: Sequence[str] | None, what: str, done: float
    ) -> Solution:
        return solve(
            of,
            access=bought,
            levels=at,
            allot=allot,
            overrun=overrun,
            max_budget=max_budget,
            max_attempts=max_attempts,
            points=points,
            tolerance=tolerance,
            progress=lambda _, share: say(what, done + share / 10),
        )

    after = solved(whole, levels, access, "with the entrant", 0.0)
    before = solved(whole.restrict(incumbents), after.levels, others, "without the entrant", 0.1)
    search = _Search(
        market=whole,
        entrant=position,
        access=access,
        rules=after.rules,
        levels=after.levels,
        points=points,
        tolerance=tolerance,
    )
    capabilities = np.geomspace(low, high, number)
    shares, earliest = {}, {}
    for case, at in zip(CASES, (search.direct, search.resold), strict=True):
        rows = []
        for k, s in enumerate(capabilities):
            say(f"capability {s:.3g}", 0.2 + 0.8 * (case == "with_arbitrage") * k / (number + 7))
            rows.append(at(float(s)))
        shares[case] = np.array([_mean(row) for row in rows])
        first = next((k for k, row in enumerate(rows) if _earns(row, least_share)), None)
        earliest[case] = _bisected(at, capabilities, first, least_share)
    say("done", 1.0)
    return Entry(
        entrant=entrant,
        options=asked,
        solved={"without_entrant": before, "with_entrant": after},
        capabilities=capabilities,
        shares=shares,
        earliest=earliest,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Search:
    """The entrant's revenue share at each level, (L,), as a function of its capability; nan without a market price."""

    market: Market
    entrant: int
    access: Sequence[str] | None
    rules: Rules
    levels: FloatArray
    points: int | None
    tolerance: float

    def direct(self, capability: float) -> FloatArray:
        """Without arbitrage: 1 where it sells, 0 elsewhere."""
        market = self._at(capability)
        asks = offers(market, all_steps(market, self.rules), self.levels)
        return np.where(np.isfinite(asks.market_price), asks.sale[self.entrant], np.nan)

    def resold(self, capability: float) -> FloatArray:
        """With the cheapest schedule for each level resold at the market price."""
        market = self._at(capability)
        listed = all_steps(market, self.rules)
        asks, m = offers(market, listed, self.levels), market.prices
        made = build(
            market, self.rules, listed, access=self.access, points=self.points, tolerance=self.tolerance, levels=self.levels
        )
        best = nondecreasing(made, schedules(made, m, self.levels), m, self.levels)
        found: FloatArray = resale(asks, m, [best.units.T]).revenue_share[self.entrant]
        return found

    def _at(self, capability: float) -> Market:
        providers = list(self.market.providers)
        providers[self.entrant] = providers[self.entrant].costs_scaled(1 / capability)
        return replace(self.market, providers=tuple(providers))


def _earns(share: FloatArray, least: float) -> bool:
    return bool((share[np.isfinite(share)] > max(least, EARNS)).any())


def _mean(share: FloatArray) -> float:
    known = share[np.isfinite(share)]
    return float(known.mean()) if known.size else np.nan


def _bisected(at: Callable[[float], FloatArray], capabilities: FloatArray, first: int | None, least: float) -> Earliest:
    """The smallest capability at which the entrant earns, between the first searched that does and the one before."""
    if first is None:
        return Earliest(capability=np.nan, at_lowest=False)
    if first == 0:
        return Earliest(capability=float(capabilities[0]), at_lowest=True)
    idle, earning = float(capabilities[first - 1]), float(capabilities[first])
    while earning > idle * (1 + CAPABILITY_TOLERANCE):
        middle = float(np.sqrt(idle * earning))
        if _earns(at(middle), least):
            earning = middle
        else:
            idle = middle
    return Earliest(capability=earning, at_lowest=False)
