"""A price game of any number of players on log-spaced ticks: profits by the batch, and best deviations at any price."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eqsolver._base import FloatArray, IntArray
from eqsolver.game._certificate import Deviation, least_profit
from eqsolver.game._consumers import Crowd
from eqsolver.game._correlation import Correlation
from eqsolver.game._lattice import ticks
from eqsolver.game._rises import Against
from eqsolver.game._sales import Conduct

STEPS = (0.02, 0.005, 0.00125, 0.0003125)
"""Log distances of the ticks on which best responses are iterated, each game starting where the last one ended."""
CELLS = 20_000
WIDE, MANY = 0.08, 32
"""Log distance of the prices that bound the first cells of a certificate against more than so many price vectors."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Table:
    """A price game on ticks. players : (P,) positions of those who move. base : (M,) prices of all; movers' are replaced.

    costs : (M,) marginal costs κ. ticks : per player, its prices are exp(n step).
    """

    conduct: Conduct
    crowd: Crowd
    players: tuple[int, ...]
    base: FloatArray
    costs: FloatArray
    bounds: FloatArray
    step: float
    ticks: tuple[IntArray, ...]

    def prices(self, profiles: IntArray) -> FloatArray:
        """(S, M) price vectors of profiles (S, P) of positions among the ticks."""
        found = np.repeat(self.base[None], len(profiles), axis=0)
        for p, i in enumerate(self.players):
            found[:, i] = np.exp(self.step * self.ticks[p][profiles[:, p]])
        return found

    def profits(self, profiles: IntArray) -> FloatArray:
        """(S, P) profits at profiles (S, P)."""
        return self.earned(self.prices(profiles))

    def earned(self, prices: FloatArray) -> FloatArray:
        """(S, P) profits at price vectors (S, M)."""
        every: FloatArray = (prices - self.costs) * self.conduct.sold(self.crowd, prices)
        return every[:, list(self.players)]

    def rows(self, prices: FloatArray, actions: Sequence[FloatArray]) -> list[FloatArray]:
        """Per player (B, n) profits at some prices of its own (n,), the others' as in each of the price vectors (B, M)."""
        parts = []
        for i, tried in zip(self.players, actions, strict=True):
            parts.append(np.repeat(prices, tried.size, axis=0))
            parts[-1][:, i] = np.tile(tried, len(prices))
        every, ends = self.earned(np.concatenate(parts)), np.cumsum([len(part) for part in parts])
        return [
            every[end - len(part) : end, p].reshape(len(prices), -1)
            for p, (part, end) in enumerate(zip(parts, ends, strict=True))
        ]

    def row(self, player: int, profile: Sequence[int]) -> FloatArray:
        """(n,) profits of all of a player's actions, the others' as in the profile."""
        n = self.ticks[player].size
        profiles = np.repeat(np.array(profile)[None], n, axis=0)
        profiles[:, player] = np.arange(n)
        found: FloatArray = self.profits(profiles)[:, player]
        return found

    @property
    def own(self) -> list[FloatArray]:
        """Per player the prices of all its ticks."""
        return [np.exp(self.step * n) for n in self.ticks]

    def regrets(self, profile: Sequence[int]) -> tuple[FloatArray, list[FloatArray]]:
        """(P,) profits at a profile, and per player what each of its actions would add to its own, in one go."""
        rows = [row[0] for row in self.rows(self.prices(np.array(profile)[None]), self.own)]
        payoffs = np.array([row[profile[p]] for p, row in enumerate(rows)])
        return payoffs, [row - row[profile[p]] for p, row in enumerate(rows)]

    def least(self, prices: FloatArray, shares: FloatArray) -> float:
        """`least_profit` where price vectors (S, M) are drawn with probabilities (S,)."""
        units = self.conduct.sold(self.crowd, prices)
        return least_profit(shares @ ((prices - self.costs) * units), float(shares @ (prices * units).sum(axis=1)))

    def deviation(
        self, player: int, prices: FloatArray, shares: FloatArray, profit: float, least: float, tolerance: float
    ) -> Deviation:
        """The best response at any price within bounds to price vectors (S, M) drawn with probabilities (S,)."""
        i = self.players[player]
        sales = Against(conduct=self.conduct, crowd=self.crowd, player=i, others=prices, shares=shares)
        low, high = self.bounds[i]
        cells = np.geomspace(low, high, int(np.ceil(np.log(high / low) / (WIDE if shares.size > MANY else STEPS[0]))) + 1)
        limit = max(CELLS * 8 // shares.size, 4 * cells.size)
        return sales.best_response(float(self.costs[i]), cells, profit, tolerance=tolerance / 4, limit=limit, scale=least)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Played:
    """What the players play. kind : pure, mixed, cce or cycle. prices : (S, M) profiles. shares : (S,) probabilities.

    deviations : per player. path : (T, M) price vectors that the iteration of best responses went through.
    together : of three or more that draw, how the draw was found. correlation : of what is drawn together, whichever way.
    """

    kind: str
    prices: FloatArray
    shares: FloatArray
    deviations: tuple[Deviation, ...]
    path: FloatArray
    step: float
    rounds: int
    together: Together | None = None
    correlation: Correlation | None = None

    @property
    def relative(self) -> float:
        """The largest relative ε of any player, infinite before there is a certificate."""
        return max((deviation.relative for deviation in self.deviations), default=np.inf)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Together:
    """How price vectors of three or more players are drawn together, and how far that is from each drawing by itself.

    strategies : per player (n,) probabilities of its ticks. sample : (S, M) price vectors drawn from them.
    payoffs : (S, P) at each. own : per player (D,) prices of its own; gains : (S, D) what each would add to its payoff there.
    moved : how much of the probability was moved away from that sample, total variation.
    alone : (P,) the largest relative gain of a deviation if each drew by itself, as the sample estimates it. error : (P,)
        standard error of that gain.
    """

    strategies: tuple[FloatArray, ...]
    sample: FloatArray
    payoffs: FloatArray
    own: tuple[FloatArray, ...]
    gains: tuple[FloatArray, ...]
    moved: float
    alone: FloatArray
    error: FloatArray


def table(
    conduct: Conduct,
    crowd: Crowd,
    players: Sequence[int],
    base: FloatArray,
    costs: FloatArray,
    bounds: FloatArray,
    step: float,
) -> Table:
    every = tuple(ticks(float(bounds[i, 0]), float(bounds[i, 1]), step) for i in players)
    return Table(
        conduct=conduct, crowd=crowd, players=tuple(players), base=base, costs=costs, bounds=bounds, step=step, ticks=every
    )


def nearest(game: Table, prices: FloatArray) -> list[int]:
    at = np.log(prices) / game.step
    return [int(np.argmin(np.abs(n - at[i]))) for i, n in zip(game.players, game.ticks, strict=True)]


def deviations_from(
    game: Table, prices: FloatArray, shares: FloatArray, tolerance: float, tick: float | None
) -> tuple[Deviation, ...]:
    """Every player's best deviation from price vectors (S, M) drawn with probabilities (S,): among ticks, or all prices."""
    values, least = shares @ game.earned(prices), game.least(prices, shares)
    if tick is None:
        return tuple(game.deviation(p, prices, shares, float(v), least, tolerance) for p, v in enumerate(values))
    found = []
    for value, rows, own in zip(values, game.rows(prices, game.own), game.own, strict=True):
        row = shares @ rows
        best = int(np.argmax(row))
        gain = max(float(row[best] - value), 0.0)
        found.append(Deviation(gain=gain, missed=0.0, price=float(own[best]), profit=float(value), least=least))
    return tuple(found)
