"""What `enter` hands over: who earns what with and without an entrant, and from which capability on it earns at all."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from eqsolver._base import FloatArray
from eqsolver.posted._document import numbers
from eqsolver.posted._segments import Segmentation
from eqsolver.posted._solution import Solution

if TYPE_CHECKING:
    import pandas as pd

CASES = ("without_arbitrage", "with_arbitrage")
SITUATIONS = ("without_entrant", "with_entrant")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Earliest:
    """From which capability on an entrant earns. Capability s divides its cost per attempt by s; caps stay.

    capability : the smallest, within `CAPABILITY_TOLERANCE` above it; nan if the entrant earns at none that was searched.
    at_lowest : the entrant earns at the lowest capability searched already, so that the true figure may be lower still.
    """

    capability: float
    at_lowest: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Entry:
    """A market solved without and with an entrant, at capability 1 unless said otherwise, over L levels.

    solved : `without_entrant` and `with_entrant`, on the same levels.
    capabilities : (S,) searched, increasing. shares : (S,) the entrant's revenue share at each, the mean over the levels with a
        market price: `without_arbitrage` selling direct, `with_arbitrage` with the optimal schedules resold.
    earliest : from which capability on it earns, in either case.
    """

    entrant: str
    options: Mapping[str, Any]
    solved: Mapping[str, Solution]
    capabilities: FloatArray
    shares: Mapping[str, FloatArray]
    earliest: Mapping[str, Earliest]

    @property
    def version(self) -> str:
        """Version of eqsolver that made it."""
        return importlib.metadata.version("eqsolver")

    @property
    def levels(self) -> FloatArray:
        """(L,) performance levels."""
        return self.solved["with_entrant"].levels

    @property
    def price(self) -> dict[str, dict[str, FloatArray]]:
        """(L,) what consumers pay per problem in each of the four cases, infinite where there is no market price.

        Without arbitrage the market price; with it, where two alike arbitrageurs come to rest as f -> 1 (THEORY section 6): at
        the fitted cascade's buy cost where that is lower. A single arbitrageur leaves consumers at the market price.
        """
        return {
            "without_arbitrage": {key: one.offers.market_price for key, one in self.solved.items()},
            "with_arbitrage": {key: _rest(one) for key, one in self.solved.items()},
        }

    @property
    def revenue_share(self) -> dict[str, dict[str, dict[str, FloatArray]]]:
        """(L,) share of what consumers pay at the market price, by name, in each of the four cases; nan without that price.

        With arbitrage the fitted cascade is resold and `arbitrageur` is among the names. (Two alike arbitrageurs buy the same
        units: providers earn the same money, and the arbitrageur's share goes to the consumers.)
        """
        found: dict[str, dict[str, dict[str, FloatArray]]] = {case: {} for case in CASES}
        for key, one in self.solved.items():
            names, price = one.market.names, one.offers.market_price
            direct = one.offers.revenue / np.where(np.isfinite(price), price, np.nan)
            resold = one.cascade.resale.revenue_share
            found["without_arbitrage"][key] = dict(zip(names, direct, strict=True))
            found["with_arbitrage"][key] = dict(zip([*names, "arbitrageur"], resold, strict=True))
        return found

    @property
    def segmentation(self) -> dict[str, dict[str, Segmentation]]:
        """Providers with revenue, their concentration, and how widely each sells, in each of the four cases."""
        found = {key: one.segmentation for key, one in self.solved.items()}
        return {
            case: {key: found[key][which] for key in self.solved}
            for case, which in zip(CASES, ("without", "with"), strict=True)
        }

    def to_dict(self) -> dict[str, Any]:
        """The answer as the JSON object that the README documents."""
        market = self.solved["with_entrant"].market
        names = {key: one.market.names for key, one in self.solved.items()}
        thresholds = {key: {one.market.names[i]: b for i, b in one.fitted.path} for key, one in self.solved.items()}
        return {
            "market": market.name,
            "unit": market.unit,
            "problems": market.weights.size,
            "dropped": market.dropped_problems,
            "notes": list(market.notes),
            "entrant": self.entrant,
            "levels": numbers(self.levels),
            "price": {case: {key: numbers(v) for key, v in found.items()} for case, found in self.price.items()},
            "revenue_share": {
                case: {key: {name: numbers(v) for name, v in shares.items()} for key, shares in found.items()}
                for case, found in self.revenue_share.items()
            },
            "earliest": {case: one.capability if np.isfinite(one.capability) else None for case, one in self.earliest.items()},
            "earliest_at_lowest": {case: one.at_lowest for case, one in self.earliest.items()},
            "capability": {
                "values": self.capabilities.tolist(),
                "revenue_share": {case: numbers(shares) for case, shares in self.shares.items()},
            },
            "cascade": thresholds,
            "segmentation": {
                case: {key: one.to_dict(names[key]) for key, one in found.items()} for case, found in self.segmentation.items()
            },
            "version": self.version,
            "options": dict(self.options),
        }

    def to_frame(self) -> pd.DataFrame:
        """One row per level: price and the entrant's revenue share in each case."""
        import pandas as pd

        columns: dict[str, Any] = {"level": self.levels}
        for case, found in self.price.items():
            columns |= {f"price {case} {key}": values for key, values in found.items()}
        for case, shares in self.revenue_share.items():
            columns[f"entrant's share {case}"] = shares["with_entrant"][self.entrant]
        return pd.DataFrame(columns)


def _rest(solution: Solution) -> FloatArray:
    price = solution.offers.market_price
    return np.where(np.isfinite(price), np.minimum(price, solution.cascade.resale.buy_cost), np.inf)
