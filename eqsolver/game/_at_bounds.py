"""Prices at the ends of what may be asked, which no tick meets: marginal cost, where alike providers undercut each other to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from eqsolver._base import FloatArray
from eqsolver.game._certificate import Deviation, least_profit
from eqsolver.game._consumers import Crowd
from eqsolver.game._price_table import Played
from eqsolver.game._rises import Against
from eqsolver.game._sales import Conduct

CELL = 0.01
"""Log width of the first cells of a certificate."""
CELLS = 200_000
PART = 0.3
"""Share of the tolerated ε that a certificate may leave to its bound."""
SAME = 1e-9
ANSWERS = 3
"""Best responses tried from each price vector: where the winner asks just less than what would lose it all, one is enough."""


def moved_to_bounds(prices: FloatArray, players: Sequence[int], bounds: FloatArray, step: float) -> list[FloatArray]:
    """Prices (M,) on ticks, those within a tick of what may be asked moved there: none, or a few vectors.

    Notes
    -----
    Where providers are alike, each undercuts the other by a tick until one is at its marginal cost; the limit is a tie at that
    cost, which goes to the provider with the lower one. At a tick above it the loser would still gain by a smaller step. So
    rivals at the same price, or a tick away, move along, or, where a verified solution costs more from one of them, all prices
    in proportion.
    """
    found = prices.copy()
    scaled = prices.copy()
    for i in players:
        low, high = bounds[i]
        if prices[i] < low * np.exp(step):
            tied = [j for j in players if abs(np.log(prices[j] / prices[i])) <= (1 + SAME) * step and bounds[j, 0] <= low]
            found[[i, *tied]] = np.maximum(low, bounds[[i, *tied], 0])
            scaled = np.clip(prices * (low / prices[i]), bounds[:, 0], bounds[:, 1])
        elif prices[i] > high * np.exp(-step) and found[i] == prices[i]:
            found[i] = high
    still = [i for i in range(prices.size) if i not in players]
    scaled[still] = prices[still]
    return [moved for moved in (found, scaled) if not np.array_equal(moved, prices)]


def pure_nearby(
    conduct: Conduct,
    crowd: Crowd,
    players: Sequence[int],
    starts: Sequence[FloatArray],
    costs: FloatArray,
    bounds: FloatArray,
    tolerance: float,
) -> tuple[FloatArray, Mapping[int, Deviation]] | None:
    """Prices (M,) that hold their certificate, and it, a few best responses from one of some price vectors; None if none do."""
    for start in starts:
        prices = start.copy()
        for _ in range(ANSWERS + 1):
            deviations = pure_deviations(conduct, crowd, players, prices, costs, bounds, tolerance)
            gains = {i: deviation.relative for i, deviation in deviations.items()}
            worst = max(gains, key=gains.__getitem__)
            if gains[worst] <= tolerance:
                return prices, deviations
            if deviations[worst].gain == 0:
                break
            prices[worst] = deviations[worst].price
    return None


def pure_deviations(
    conduct: Conduct,
    crowd: Crowd,
    players: Sequence[int],
    prices: FloatArray,
    costs: FloatArray,
    bounds: FloatArray,
    tolerance: float,
) -> Mapping[int, Deviation]:
    """By player, its best deviation at any price within bounds from one price vector (M,)."""
    units = conduct.sold(crowd, prices[None])[0]
    least = least_profit((prices - costs) * units, float(prices @ units))
    found = {}
    for i in players:
        low, high = bounds[i]
        cells = np.geomspace(low, high, int(np.ceil(np.log(high / low) / CELL)) + 1)
        sales = Against(conduct=conduct, crowd=crowd, player=i, others=prices[None], shares=np.ones(1))
        profit = float((prices[i] - costs[i]) * units[i])
        found[i] = sales.best_response(float(costs[i]), cells, profit, tolerance=PART * tolerance, limit=CELLS, scale=least)
    return found


def at_bounds(
    played: Played,
    conduct: Conduct,
    crowd: Crowd,
    players: Sequence[int],
    costs: FloatArray,
    bounds: FloatArray,
    tolerance: float,
) -> Played:
    """What was played, or the pure equilibrium off the ticks that it came to rest next to."""
    if played.relative <= tolerance:
        return played
    prices = played.prices[0]
    starts = [*moved_to_bounds(prices, players, bounds, played.step), prices]
    found = pure_nearby(conduct, crowd, players, starts, costs, bounds, tolerance)
    if found is None:
        return played
    return replace(played, prices=found[0][None], deviations=tuple(found[1][i] for i in players), step=0.0)
