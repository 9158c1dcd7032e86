"""A provider's sales to finite types as its own price rises: constant but for breakpoints, and all of these are found."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from eqsolver._base import FloatArray, IntArray
from eqsolver.game._choices import Menu
from eqsolver.game._consumers import Crowd
from eqsolver.game._sales import Conduct, level_of
from eqsolver.technology import REACH, lower_hulls

TOGETHER = 8
"""Stretches of policies that are looked at together: each has hardly others than the next."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stairs:
    """Units sold as a price rises from the first of `at` on: units[e] from at[e] to the next, constant in between."""

    at: FloatArray
    units: FloatArray

    def supremum(self, cost: float, end: float) -> tuple[float, float]:
        """The most that (price - cost) x units comes to up to a price `end`, and the price towards which it does."""
        stops = np.append(self.at[1:], end)
        earned = (stops - cost) * self.units
        best = int(np.argmax(earned))
        return float(earned[best]), float(stops[best])


def stairs(
    conduct: Conduct, crowd: Crowd, player: int, others: FloatArray, shares: FloatArray, ends: tuple[float, float]
) -> Stairs:
    """Expected units that a player sells at every price between two, against others that draw price vectors.

    crowd : value types and target types, no distributions. others : (S, M), whatever stands in the player's own column.
    shares : (S,) their probabilities. ends : low and high.

    Notes
    -----
    THEORY section 7. Sales change only where a discrete choice does: a type's pick, a seller's policy for a level, or a target
    type's leaving. Each is a crossing of lines in the price, and within a stretch of prices few policies can be chosen.
    """
    at, change = [np.array(ends[:1])], [np.zeros(1)]
    for share, other in zip(shares, others, strict=True):
        for weight, menus in conduct.states:
            line = _Line(conduct, crowd, menus, player, other)
            for low, high in line.parts(*ends):
                for where, units in line.steps(low, high):
                    at.append(where)
                    change.append(share * weight * units)
    place, by = np.concatenate(at), np.concatenate(change)
    order = np.argsort(place, kind="stable")
    place, units = place[order], np.cumsum(by[order])
    last = np.append(np.diff(place) > 0, True)  # of changes at one price, all have happened
    return Stairs(at=place[last], units=np.maximum(units[last], 0.0))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Ways:
    """Ways to be served along the line: cost fixed + price x slope, and the player's units that each needs."""

    solved: FloatArray
    fixed: FloatArray
    slope: FloatArray
    units: FloatArray

    def take(self, rows: IntArray) -> _Ways:
        return _Ways(solved=self.solved[rows], fixed=self.fixed[rows], slope=self.slope[rows], units=self.units[rows])


class _Line:
    """One player's price line through one price vector of the others, in one state of the arbitrageurs."""

    def __init__(self, conduct: Conduct, crowd: Crowd, menus: Sequence[Menu], player: int, other: FloatArray) -> None:
        self._conduct, self._crowd, self._menus, self._player = conduct, crowd, menus, player
        self._other = other.copy()
        self._other[player] = 0.0
        self._direct = Menu(supply=conduct.direct)

    def parts(self, low: float, high: float) -> Iterator[tuple[float, float]]:
        """The line cut where few enough stretches of policies begin to be looked at together."""
        cuts = [np.zeros(0)]
        for menu in self._menus:
            found = menu.supply.stretches
            if found is not None and self._player in found.pair:
                first, second = found.pair
                with np.errstate(divide="ignore"):
                    cuts.append(
                        found.ratios * self._other[second] if self._player == first else self._other[first] / found.ratios
                    )
        inner = np.unique(np.concatenate(cuts))
        inner = inner[(inner > low) & (inner < high)]
        yield from itertools.pairwise([low, *inner[TOGETHER - 1 :: TOGETHER].tolist(), high])

    def steps(self, low: float, high: float) -> Iterator[tuple[FloatArray, FloatArray]]:
        """Prices and changes of units between two; at the higher one all is taken back, for the next part to begin anew."""
        ends = np.tile(self._other, (2, 1))
        ends[:, self._player] = low, high
        if self._crowd.values.size:
            yield from self._of_values(low, high, ends)
        for level, budget, mass in zip(self._crowd.levels, self._crowd.budgets, self._crowd.target_masses, strict=True):
            yield from self._of_target(low, high, ends, float(level), float(budget), float(mass))

    def _of_values(self, low: float, high: float, ends: FloatArray) -> Iterator[tuple[FloatArray, FloatArray]]:
        menus = (self._direct,) if self._conduct.follows_list else (*self._menus, self._direct)
        ways = _joined([self._ways(menu, menu.supply.near_between(ends)) for menu in menus])
        ways = ways.take(np.argsort(ways.solved, kind="stable"))
        first, kinks, at = _walked(self._crowd.values, ways, low, high)
        masses = self._crowd.masses
        if not self._conduct.follows_list:
            sold = np.append(ways.units, 0.0)
            start = float(masses @ sold[first])
            before, now = _before(first, kinks), sold[kinks[:, 1]]
            change = masses[kinks[:, 0]] * (now - sold[before])
            yield _closed(low, high, start, at, change)
            return
        before = _before(first, kinks)
        picked = np.bincount(first + 1, weights=masses, minlength=1)[1:]
        moves = [(low, int(way), float(picked[way])) for way in np.flatnonzero(picked)]
        for price, (t, way), old in zip(at, kinks, before, strict=True):
            moves += [(float(price), int(old), -float(masses[t])), (float(price), int(way), float(masses[t]))]
        served = {k: self._delivered(ways, k, low, high, ends) for k in {way for _, way, _ in moves} if k >= 0}
        for price, way, mass in moves:
            if way >= 0:
                yield _from(served[way], price, high, mass)

    def _of_target(
        self, low: float, high: float, ends: FloatArray, level: float, budget: float, mass: float
    ) -> Iterator[tuple[FloatArray, FloatArray]]:
        every = _joined([self._at_level(menu, level, ends) for menu in (*self._menus, self._direct)])
        listed = self._at_level(self._direct, level, ends) if self._conduct.follows_list else every
        if not listed.solved.size:
            return
        at, rows = _envelope(listed, low, high)
        leaves = low
        for stop, row in zip(np.append(at[1:], high), rows, strict=True):  # what it pays rises along the envelope
            fixed, slope = listed.fixed[row], listed.slope[row]
            if fixed + leaves * slope > budget:
                break
            if fixed + stop * slope > budget:
                leaves = float((budget - fixed) / slope)
                break
            leaves = float(stop)
        if leaves > low:
            yield _from(_stairs_of(every, low, leaves), low, leaves, mass)

    def _delivered(self, ways: _Ways, way: int, low: float, high: float, ends: FloatArray) -> Stairs:
        """The player's units for an offer picked from the list, as whoever delivers it for least changes."""
        own = ways.take(np.array([way]))
        found = [own]
        for menu in self._menus:
            at = int(level_of(menu, own.solved)[0])
            found.append(self._of_level(menu, at, ends))
        return _stairs_of(_joined(found), low, high)

    def _at_level(self, menu: Menu, level: float, ends: FloatArray) -> _Ways:
        if menu is self._direct:
            return self._ways(menu, np.arange(np.searchsorted(menu.supply.solved, level - REACH), menu.supply.solved.size))
        return self._of_level(menu, int(level_of(menu, np.array([level]))[0]), ends)

    def _of_level(self, menu: Menu, at: int, ends: FloatArray) -> _Ways:
        return self._ways(menu, menu.supply.cheapest_between(at, ends))

    def _ways(self, menu: Menu, rows: IntArray) -> _Ways:
        needed = menu.supply.units[rows]
        return _Ways(
            solved=menu.supply.solved[rows],
            fixed=menu.markup * (needed @ self._other),
            slope=menu.markup * needed[:, self._player],
            units=needed[:, self._player],
        )


def _walked(values: FloatArray, ways: _Ways, low: float, high: float) -> tuple[IntArray, IntArray, FloatArray]:
    """First picks (T,), changes (E, 2) of type and way, and their prices (E,)."""
    from eqsolver.game._walks import walk_types

    first = np.full(values.size, -1, dtype=np.int64)
    if not ways.solved.size:
        return first, np.zeros((0, 2), dtype=np.int64), np.zeros(0)
    cost = ways.fixed + np.array([[low], [high]]) * ways.slope
    vertices, count = lower_hulls(ways.solved, cost)
    room = 2 * values.size + 8
    while True:
        kinks, at = np.empty((room, 2), dtype=np.int64), np.empty(room)
        n = walk_types(values, ways.solved, ways.fixed, ways.slope, vertices, count, (low, high), first, kinks, at)
        if n <= room:
            return first, kinks[:n], at[:n]
        room = n


def _before(first: IntArray, kinks: IntArray) -> IntArray:
    """(E,) what the type of each change took before it; a type's changes follow each other."""
    again = np.append(False, kinks[1:, 0] == kinks[:-1, 0]) if len(kinks) else np.zeros(0, dtype=bool)
    return np.where(again, np.append(-1, kinks[:-1, 1])[: len(kinks)], first[kinks[:, 0]])


def _envelope(ways: _Ways, low: float, high: float) -> tuple[FloatArray, IntArray]:
    """The cheapest way from each of some prices on, between two: the lower envelope of lines."""
    price, at, rows = low, [low], [int(np.lexsort((ways.slope, ways.fixed + low * ways.slope))[0])]
    while True:
        row = rows[-1]
        flatter = np.flatnonzero(ways.slope < ways.slope[row])
        if not flatter.size:
            break
        crossing = (ways.fixed[flatter] - ways.fixed[row]) / (ways.slope[row] - ways.slope[flatter])
        nearest = int(np.lexsort((ways.slope[flatter], crossing))[0])
        price = max(price, float(crossing[nearest]))
        if price >= high:
            break
        at.append(price)
        rows.append(int(flatter[nearest]))
    return np.array(at), np.array(rows)


def _stairs_of(ways: _Ways, low: float, high: float) -> Stairs:
    at, rows = _envelope(ways, low, high)
    return Stairs(at=at, units=ways.units[rows])


def _from(found: Stairs, price: float, high: float, mass: float) -> tuple[FloatArray, FloatArray]:
    """What a mass of consumers adds to sales from a price on, up to `high`."""
    begun = max(int(np.searchsorted(found.at, price, side="right")) - 1, 0)
    later = found.units[begun:]
    return _closed(price, high, mass * float(later[0]), found.at[begun + 1 :], mass * np.diff(later))


def _closed(low: float, high: float, start: float, at: FloatArray, change: FloatArray) -> tuple[FloatArray, FloatArray]:
    return np.concatenate([[low], at, [high]]), np.concatenate([[start], change, [-start - change.sum()]])


def _joined(found: Sequence[_Ways]) -> _Ways:
    return _Ways(
        solved=np.concatenate([ways.solved for ways in found]),
        fixed=np.concatenate([ways.fixed for ways in found]),
        slope=np.concatenate([ways.slope for ways in found]),
        units=np.concatenate([ways.units for ways in found]),
    )
