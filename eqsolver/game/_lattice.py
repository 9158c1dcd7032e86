"""The game of two providers on log-spaced prices: all ratios form one lattice, so one table of demand serves every payoff."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from eqsolver._base import FloatArray, IntArray
from eqsolver.game._consumers import Crowd
from eqsolver.game._sales import Conduct, Demanded

CHUNK = 4096
"""Ratios whose demand is worked out in one pass."""


def ticks(low: float, high: float, step: float) -> IntArray:
    """Integers n with low <= exp(n step) <= high."""
    first, last = np.ceil(np.log(low) / step - 1e-9), np.floor(np.log(high) / step + 1e-9)
    return np.arange(int(first), int(last) + 1)


Table = tuple[tuple[float, Demanded], ...]
"""Demand at every ratio, by state of the arbitrageurs, with its probability."""
JUST_BELOW = 1e-9
"""By how much of itself a price is lowered that is to be just below one of the lattice."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lattice:
    """Payoffs of two movers whose prices are exp(n step), the other providers' prices fixed at zero units sold (none).

    ticks : the integers n of each mover. costs : (2,) marginal costs κ.
    """

    crowd: Crowd
    movers: tuple[int, int]
    costs: FloatArray
    step: float
    ticks: tuple[IntArray, IntArray]
    demand: Table
    lowest_ratio: int
    conduct: Conduct
    _rows: dict[tuple[int, int], FloatArray] = field(default_factory=dict, init=False)
    _below: dict[int, Table] = field(default_factory=dict, init=False)

    def row(self, player: int, action: int) -> FloatArray:
        """(n,) profits of a player at all of its prices, against one of its rival's, by position; kept."""
        if (player, action) not in self._rows:
            self._rows[player, action] = self.profits(player, np.arange(self.ticks[player].size), np.array([action]))
        return self._rows[player, action]

    def against(self, player: int, rivals: IntArray, shares: FloatArray) -> FloatArray:
        """(n,) expected profits of a player at all of its prices, against a rival that draws one of some positions (S,)."""
        return np.asarray(shares @ np.stack([self.row(player, int(action)) for action in rivals]))

    def prices(self, player: int) -> FloatArray:
        """Prices that a player can post."""
        prices: FloatArray = np.exp(self.step * self.ticks[player])
        return prices

    def table(self, player: int, own: IntArray, rival: IntArray, *, below: bool = False) -> FloatArray:
        """(n, m) profits at own positions (n,) against some of its rival (m,); `below` : at own prices just below them."""
        return self.profits(player, own[:, None], rival[None], below=below)

    def profits(self, player: int, own: IntArray, rival: IntArray, *, below: bool = False) -> FloatArray:
        """Profit of a player at pairs of positions among its own and its rival's ticks, broadcast against each other."""
        own, rival = np.broadcast_arrays(own, rival)
        mine, theirs = self.ticks[player][own], self.ticks[1 - player][rival]
        first, second = (mine, theirs) if player == 0 else (theirs, mine)
        at = (first - second - self.lowest_ratio).ravel()
        lower = JUST_BELOW if below else 0.0
        scale = np.exp(self.step * second - lower * player).ravel()
        units = np.zeros(at.size)
        for share, demand in self._just_below(player) if below else self.demand:
            units += share * demand.sold(self.crowd, at, scale)[:, self.movers[player]]
        margin = np.exp(self.step * mine - lower) - self.costs[player]
        profit: FloatArray = margin * units.reshape(own.shape)
        return profit

    @property
    def entries(self) -> int:
        """How many choices the table of demand holds."""
        return sum(demand.slope.size for _, demand in self.demand)

    @property
    def width(self) -> int:
        """The most choices that there are at any ratio."""
        return int(max(demand.slope.shape[1] for _, demand in self.demand))

    def _just_below(self, player: int) -> Table:
        """Demand at every ratio with one player's price just below its tick; built when first needed."""
        if player not in self._below:
            aside = -JUST_BELOW if player == 0 else JUST_BELOW
            ratios = self.demand[0][1].slope.shape[0]
            self._below[player] = _tabulated(self.conduct, self.step, self.lowest_ratio, ratios, aside)
        return self._below[player]


def lattice(conduct: Conduct, crowd: Crowd, costs: FloatArray, bounds: FloatArray, step: float) -> Lattice:
    """Tabulate demand at every ratio of two prices within bounds (2, 2): low and high of each mover."""
    n = (ticks(bounds[0, 0], bounds[0, 1], step), ticks(bounds[1, 0], bounds[1, 1], step))
    ratios = np.arange(n[0][0] - n[1][-1], n[0][-1] - n[1][0] + 1)
    lowest = int(ratios[0])
    table = _tabulated(conduct, step, lowest, ratios.size, 0.0)
    return Lattice(
        crowd=crowd, movers=(0, 1), costs=costs, step=step, ticks=n, demand=table, lowest_ratio=lowest, conduct=conduct
    )


def _tabulated(conduct: Conduct, step: float, lowest: int, size: int, aside: float) -> Table:
    """Demand at `size` ratios from exp(lowest step + aside) on."""
    parts = []
    for start in range(0, size, CHUNK):
        prices = np.ones((min(CHUNK, size - start), 2))
        prices[:, 0] = np.exp(step * (lowest + start + np.arange(len(prices))) + aside)
        parts.append(conduct.demanded(prices, bounded=False))
    return tuple((state[0][0], _joined([demand for _, demand in state])) for state in zip(*parts, strict=True))


def _joined(parts: list[Demanded]) -> Demanded:
    width = max(part.slope.shape[1] for part in parts)

    def wide(values: FloatArray, fill: float) -> FloatArray:
        missing = [(0, 0)] * values.ndim
        missing[1] = (0, width - values.shape[1])
        return np.pad(values, missing, constant_values=fill)

    return Demanded(
        slope=np.concatenate([wide(part.slope, np.inf) for part in parts]),
        units=np.concatenate([wide(part.units, 0.0) for part in parts]),
        price=np.concatenate([part.price for part in parts]),
        target_units=np.concatenate([part.target_units for part in parts]),
    )
