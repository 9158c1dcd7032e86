"""The price game solved: what is played in every regime, how exact it is, and what it means."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from eqsolver._base import FloatArray
from eqsolver.game._bands import Spread, differences
from eqsolver.game._completed import Completed
from eqsolver.game._correlation import Correlation
from eqsolver.game._outcome import Outcome
from eqsolver.game._price_table import Together
from eqsolver.game._responses import Responses
from eqsolver.market import Consumers, Market

if TYPE_CHECKING:
    import pandas as pd


PLAYED = 1e-6
"""Probability above which a price counts as played."""
SAME = 1e-6
"""Share by which a price may differ from a bound that it is at."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Strategies:
    """What is played in one regime, how exact it is, and what it means. Axes: M providers, S price vectors.

    kind : `pure`, `mixed`, `cce` (coarse correlated), `cycle` (best responses that did not settle) or `posted`.
    players : positions of the providers that move.
    prices : (S, M) price vectors played. shares : (S,) their probabilities.
    epsilon : (M,) money, an upper bound on what any deviation gains; 0 for providers that do not move. missed : (M,) the part
        of it that rests on a bound rather than on a deviation found. relative : (M,) over profit.
    arbitrageur_epsilon : what each arbitrageur gains by any quote that was searched, and by policies left out at most, money.
    outcome : the expected account. cross_price : (M, M) d units_i / d price_j.
    policies : arbitrageurs' policies held. shortfall : share by which one left out may be cheaper.
    step : log distance of the ticks on which it was found; 0 where prices are posted. rounds : games or best responses solved.
    certified : every relative ε is within the tolerance asked for.
    mass : how many consumers there are.
    others : expected prices (M,) of other equilibria found from other starts.
    path : (T, M) price vectors that iterated best responses went through, if they were iterated.
    bounds : (M, 2) lowest and highest price of each provider.
    completed : with more than two providers, how policies were completed where it is played.
    together : of three or more that draw prices, how the draw was found. correlation : how far it is from independent draws.
    """

    kind: str
    players: tuple[int, ...]
    prices: FloatArray
    shares: FloatArray
    epsilon: FloatArray
    missed: FloatArray
    relative: FloatArray
    arbitrageur_epsilon: Mapping[str, float]
    outcome: Outcome
    cross_price: FloatArray
    policies: int
    shortfall: float
    step: float
    rounds: int
    certified: bool
    mass: float
    others: tuple[FloatArray, ...]
    path: FloatArray
    bounds: FloatArray
    completed: Completed | None = None
    together: Together | None = None
    correlation: Correlation | None = None

    def at_bound(self, provider: int) -> str | None:
        """`lowest` or `highest` if the provider's prices include that bound, to a tick: wider bounds may move the answer."""
        if provider not in self.players:
            return None
        prices, probabilities = self.strategy(provider)
        played, near = prices[probabilities > PLAYED], 1 + max(self.step, SAME)
        low, high = self.bounds[provider]
        if played.max() * near >= high:
            return "highest"
        return "lowest" if played.min() <= low * near else None

    @property
    def accuracy(self) -> float:
        """Share by which a price may be off, about: the square root of the largest relative ε; profits are flat at the top."""
        return float(np.sqrt(self.relative.max(initial=0.0)))

    @property
    def expected_price(self) -> FloatArray:
        """(M,) mean multiplier."""
        return np.asarray(self.shares @ self.prices)

    def strategy(self, provider: int) -> tuple[FloatArray, FloatArray]:
        """A provider's prices and their probabilities (of a coarse correlated equilibrium: the marginal)."""
        prices, place = np.unique(self.prices[:, provider], return_inverse=True)
        return prices, np.asarray(np.bincount(place.ravel(), weights=self.shares), dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Equilibrium:
    """A market's price game solved. regimes : by name, at equilibrium prices. posted : the same at posted prices.

    players : positions of the providers that move. tolerance : relative ε asked for.
    responses : if asked for, and two providers move, by regime: what each would answer to the other's prices.
    spread : with bootstrap, how the columns of `to_frame` and their differences between regimes spread over resampled problems.
    """

    market: Market
    consumers: tuple[Consumers, ...]
    players: tuple[int, ...]
    regimes: Mapping[str, Strategies]
    posted: Mapping[str, Strategies]
    tolerance: float
    responses: Mapping[str, Responses]
    spread: Spread
    options: Mapping[str, Any]

    @property
    def version(self) -> str:
        """Version of eqsolver that solved it."""
        return importlib.metadata.version("eqsolver")

    @property
    def bands(self) -> Mapping[str, Mapping[str, tuple[float, float]]]:
        """With bootstrap, by "regime, prices" and column of `to_frame`: 5 % and 95 % points over resampled problems."""
        return self.spread.bands

    @property
    def differences(self) -> Mapping[str, Mapping[str, float]]:
        """By "regime to regime, prices" and column of `to_frame`: the change from the first regime to each other."""
        from eqsolver.game._document import records

        return differences(records(self))

    @property
    def uncertified(self) -> tuple[str, ...]:
        """Regimes whose certificate does not hold."""
        return tuple(name for name, found in self.regimes.items() if not found.certified)

    def to_dict(self) -> dict[str, Any]:
        """The answer as the JSON object that the README documents."""
        from eqsolver.game._document import document

        return document(self)

    def to_frame(self) -> pd.DataFrame:
        """One row per regime and prices (posted, equilibrium): prices, revenue, profits, surplus."""
        from eqsolver.game._document import frame

        return frame(self)
