"""Units that consumers buy at any prices, through whichever seller serves them: all that providers' profits depend on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from eqsolver._base import FloatArray, IntArray
from eqsolver.game._choices import Choices, Menu, choose
from eqsolver.game._consumers import Crowd
from eqsolver.technology import ProductionSet, lower_hull


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Demanded:
    """What consumers would buy at R price vectors, before it is said how many of them there are.

    slope : (R, E) value from which a value type takes at least choice e; infinite pads. units : (R, E, M) what choice e needs.
    price : (R, G) price at which target type g is served, infinite for none. target_units : (R, G, M) what serving it needs.
    Only where some seller carries an overhead: key : (R, E) which policy of which menu a choice is, -1 pads;
    overhead : (R, E, M) what the overhead adds to the units of a choice in the slope of its cost.
    Only where customers follow the list:
    picks : (R, E, M) 1 if choice e is a provider's own offer.
    delivery : (R, L) cost at which arbitrageurs deliver each level of the list, infinite for none. delivery_units : (R, L, M)
        slope of that cost in prices.
    """

    slope: FloatArray
    units: FloatArray
    price: FloatArray
    target_units: FloatArray
    key: IntArray | None = None
    overhead: FloatArray | None = None
    picks: FloatArray | None = None
    delivery: FloatArray | None = None
    delivery_units: FloatArray | None = None
    _slopes: tuple[FloatArray, FloatArray] = field(init=False)

    def __post_init__(self) -> None:
        with np.errstate(divide="ignore"):
            object.__setattr__(self, "_slopes", (self.slope, np.log(self.slope)))

    def sold(self, crowd: Crowd, rows: IntArray, scale: FloatArray) -> FloatArray:
        """(R, M) units sold to a crowd when every price is `scale` (R,) times as high as at some of the price vectors."""
        total = crowd.bought(self._slopes, self.units, rows, scale)
        if crowd.levels.size:
            buys = crowd.target_masses * (scale[:, None] * self.price[rows] <= crowd.budgets)
            total += np.einsum("rg,rgm->rm", buys, self.target_units[rows])
        return total

    def picked(self, crowd: Crowd, rows: IntArray, scale: FloatArray) -> FloatArray:
        """(R, M) how many value types pick each provider's own offer from the list."""
        assert self.picks is not None, "only where customers follow the list"
        return crowd.bought(self._slopes, self.picks, rows, scale)

    def take(self, rows: IntArray) -> Demanded:
        """Some of the price vectors."""
        more = {name: values[rows] for name, values in self.optional().items()}
        return Demanded(
            slope=self.slope[rows],
            units=self.units[rows],
            price=self.price[rows],
            target_units=self.target_units[rows],
            **more,
        )

    def optional(self) -> dict[str, Any]:
        """The arrays held only in some regimes, by name."""
        names = ("key", "overhead", "picks", "delivery", "delivery_units")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Conduct:
    """How consumers are served in a regime: what is on sale, and whether they choose from the direct list or from quotes.

    targets : (G,) levels of the target types, among the levels that every supply holds its cheapest policies for.
    direct : providers' own offers. states : (probability, menus) of the arbitrageurs; they differ only where an
    arbitrageur draws among fixed policies. follows_list : customers choose as if direct, and an arbitrageur that can deliver
    the same level for less does so ([OSH], `matching`); otherwise sellers quote, and whoever can offer most serves.
    alike : every arbitrageur has a twin, so that competition leaves it nothing.
    """

    targets: FloatArray
    direct: ProductionSet
    states: tuple[tuple[float, tuple[Menu, ...]], ...]
    follows_list: bool
    alike: bool = False

    @property
    def rises(self) -> bool:
        """Whether sales may rise with the own price: customers follow a list, or some seller carries an overhead."""
        return self.follows_list or self.highest_markup > 1

    @property
    def highest_markup(self) -> float:
        """1 + the highest overhead of an arbitrageur."""
        return max((menu.markup for _, menus in self.states for menu in menus), default=1.0)

    def demanded(self, prices: FloatArray, *, bounded: bool = True) -> list[tuple[float, Demanded]]:
        """Demand at R price vectors (R, M), in every state. bounded : with what bounds a rise of sales between two prices."""
        found = []
        for share, menus in self.states:
            if self.follows_list:
                found.append((share, self._from_list(menus, prices, bounded)))
            else:
                found.append((share, self._from_quotes(menus, prices, bounded)))
        return found

    def on_sale(self, menus: tuple[Menu, ...], prices: FloatArray) -> Choices:
        """What value types choose among some arbitrageurs' menus and the providers' own offers."""
        return choose((*menus, Menu(supply=self.direct)), prices)

    def cheapest(self, menus: tuple[Menu, ...], levels: FloatArray, prices: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(R, G) lowest price of each target's level, arbitrageurs at cost, and (R, G, M) the units that it needs."""
        return cheapest_of((*menus, Menu(supply=self.direct)), levels, prices)

    def ladder(self, provider: int) -> tuple[IntArray, FloatArray, FloatArray]:
        """A provider's own hull: positions (K,) among the levels of the list, the value per unit of its price from which a type
        takes at least that vertex if it can buy there only, and the units that it needs."""
        own = self.direct.units[:, provider] > 0
        solved, units = self.direct.solved[own], self.direct.units[own, provider]
        vertices = lower_hull(solved, units)
        solved, units = solved[vertices], units[vertices]
        levels = self.states[0][1][0].supply.levels
        slope = np.diff(units, prepend=0.0) / np.diff(solved, prepend=0.0)
        return np.searchsorted(levels, solved - _ROUNDING), slope, units

    def sold(self, crowd: Crowd, prices: FloatArray) -> FloatArray:
        """(R, M) units of each provider that are sold at each price vector (R, M).

        With two providers what is chosen depends on the ratio of their prices, which is looked at once where it recurs.
        """
        total = np.zeros(prices.shape)
        distinct, scale, place = by_ratio(prices)
        for start in range(0, len(distinct), self.at_once):
            here = np.flatnonzero((place >= start) & (place < start + self.at_once))
            for share, demand in self.demanded(distinct[start : start + self.at_once], bounded=False):
                total[here] += share * demand.sold(crowd, place[here] - start, scale[here])
        return total

    @property
    def at_once(self) -> int:
        """Price vectors whose demand is worked out in one pass: few where every policy has to be looked at."""
        most = max(menu.supply.at_once for _, menus in self.states for menu in (*menus, Menu(supply=self.direct)))
        return int(max(AT_ONCE // most, 64))

    def _from_quotes(self, menus: tuple[Menu, ...], prices: FloatArray, bounded: bool) -> Demanded:
        direct = Menu(supply=self.direct)
        every = (*menus, direct)
        chosen = choose(every, prices)
        price, units = cheapest_of(every, self.targets, prices)
        demand = Demanded(slope=chosen.slope, units=chosen.units, price=price, target_units=units)
        if not (bounded and self.rises):
            return demand
        markups = np.array([menu.markup for menu in (*every, direct)])
        most = max(menu.supply.solved.size for menu in every)
        return replace(
            demand,
            key=np.where(chosen.menu >= 0, chosen.menu * most + chosen.way, -1),
            overhead=(markups[chosen.menu] - 1)[..., None] * chosen.units,
        )

    def _from_list(self, menus: tuple[Menu, ...], prices: FloatArray, bounded: bool) -> Demanded:
        direct = Menu(supply=self.direct)
        chosen = choose((direct,), prices)
        ways = [menu.supply.cheapest(prices) for menu in menus]
        delivered, _ = self.delivered(chosen, menus, prices, ways)
        listed, _ = cheapest_of((direct,), self.targets, prices)
        _, target_units = cheapest_of((*menus, direct), self.targets, prices)
        demand = Demanded(slope=chosen.slope, units=delivered.units, price=listed, target_units=target_units)
        if not bounded:
            return demand
        delivery, delivery_units = self._delivery(menus, prices, ways)
        own = (self.direct.units[chosen.way] > 0) & (chosen.menu >= 0)[..., None]
        return replace(demand, picks=own.astype(np.float64), delivery=delivery, delivery_units=delivery_units)

    def delivered(
        self, listed: Choices, menus: tuple[Menu, ...], prices: FloatArray, ways: Sequence[IntArray] | None = None
    ) -> tuple[Choices, IntArray]:
        """What customers picked from the list, at the cost and with the units of whoever delivers it for least.

        ways : the cheapest of each menu for its levels, if at hand.

        Returns the choices, and which menu delivers each (R, E), -1 for the provider itself.
        """
        cost, units, serving = listed.cost, listed.units, np.full(listed.cost.shape, -1)
        for number, menu in enumerate(menus):
            cheapest = menu.supply.cheapest(prices) if ways is None else ways[number]
            way = np.take_along_axis(cheapest, level_of(menu, listed.solved), axis=1)
            bill, needed = bill_of(menu, way, prices)
            serves = (bill < cost) & (listed.menu >= 0)
            cost, units = np.where(serves, bill, cost), np.where(serves[..., None], needed, units)
            serving = np.where(serves, number, serving)
        return replace(listed, cost=cost, units=units), serving

    def _delivery(self, menus: tuple[Menu, ...], prices: FloatArray, ways: Sequence[IntArray]) -> tuple[FloatArray, FloatArray]:
        levels = menus[0].supply.levels if menus else np.zeros(0)
        cost, slope = np.full((len(prices), levels.size), np.inf), np.zeros((len(prices), levels.size, prices.shape[1]))
        for menu, way in zip(menus, ways, strict=True):
            bill, needed = bill_of(menu, way, prices)
            better = bill < cost
            cost, slope = np.where(better, bill, cost), np.where(better[..., None], menu.markup * needed, slope)
        return cost, slope


def by_ratio(prices: FloatArray) -> tuple[FloatArray, FloatArray, IntArray]:
    """Price vectors (R, M) as multiples of fewer: (K, M), how many times as high each is (R,), and as which of them (R,).

    Of those of two providers that have one ratio, the first stands for all.
    """
    R, M = prices.shape
    if M != 2:
        return prices, np.ones(R), np.arange(R)
    ratio = np.round(np.log(prices[:, 0] / prices[:, 1]) / _SAME)
    _, first, place = np.unique(ratio, return_index=True, return_inverse=True)
    return prices[first], prices[:, 1] / prices[first[place], 1], place


_SAME = 1e-13
_ROUNDING = 1e-11
AT_ONCE = 2**21
"""Price vectors times policies of one pass, about."""


def cheapest_of(menus: tuple[Menu, ...], levels: FloatArray, prices: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(R, G) lowest cost of delivering each of G levels and (R, G, M) the units it needs; the last menu has the ties."""
    cost = np.full((len(prices), levels.size), np.inf)
    units = np.zeros((*cost.shape, prices.shape[1]))
    for menu in menus if levels.size else ():
        at = level_of(menu, levels)
        way = menu.supply.cheapest(prices)[:, at]
        bill, needed = bill_of(menu, way, prices)
        better = (way >= 0) & (bill <= cost)
        cost, units = np.where(better, bill, cost), np.where(better[..., None], needed, units)
    return cost, units


def level_of(menu: Menu, levels: FloatArray) -> IntArray:
    """Positions of levels among those for which a menu holds its cheapest policies."""
    held = menu.supply.levels
    found: IntArray = np.minimum(np.searchsorted(held, levels - _ROUNDING), held.size - 1)
    return found


def bill_of(menu: Menu, way: IntArray, prices: FloatArray) -> tuple[FloatArray, FloatArray]:
    """What policies (R, E) of a menu cost (-1: infinity), overhead included, and the units that they need."""
    needed = menu.supply.units[way]
    return np.where(way >= 0, menu.markup * np.einsum("rem,rm->re", needed, prices), np.inf), needed
