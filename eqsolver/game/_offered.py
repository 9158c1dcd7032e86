"""What every seller of a regime offers each group of customers: gains, prices, units, and who delivers."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from eqsolver._base import FloatArray, IntArray
from eqsolver.game._choices import Choices, Menu
from eqsolver.game._consumers import Crowd
from eqsolver.game._groups import Block, blocks
from eqsolver.game._sales import Conduct, bill_of, cheapest_of, level_of
from eqsolver.technology import ProductionSet


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Offered:
    """What one seller offers T groups of customers (of values, then targets) at R price vectors; means over each group.

    sells : (T,) whether the seller has what is wanted. gain : (R, T) what the customer gains there at `price`, if it must buy.
    price : (R, T) what is asked, overhead included, before any mark-up. buys : (R, T) share of its customers that buy: all.
    solved : (R, T). units : (R, T, M). overhead : (R, T) part of the price.
    saved : (R, T, B) what the regime's arbitrageurs keep of the price by delivering for less.
    """

    sells: FloatArray
    gain: FloatArray
    price: FloatArray
    buys: FloatArray
    solved: FloatArray
    units: FloatArray
    overhead: FloatArray
    saved: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Sellers:
    """All sellers of a regime, the M providers first; built once, whatever the prices.

    own : every provider's own offers. hulls : those of them that value types may want who must buy.
    masses : (T,) of the groups.
    """

    conduct: Conduct
    crowd: Crowd
    own: tuple[ProductionSet, ...]
    hulls: tuple[IntArray, ...]
    groups: tuple[Block, ...]
    masses: FloatArray

    @classmethod
    def of(cls, conduct: Conduct, crowd: Crowd) -> Sellers:
        """Of a regime without tastes."""
        direct, groups = conduct.direct, tuple(blocks(crowd))
        own = []
        for i in range(direct.units.shape[1]):
            mine = direct.units[:, i] > 0
            own.append(replace(direct, solved=direct.solved[mine], units=direct.units[mine]))
        masses = np.concatenate([*(block.masses for block in groups), crowd.target_masses])
        hulls = tuple(must_buy(own[i].solved, own[i].units[None, :, i])[0] for i in range(len(own)))
        return cls(conduct, crowd, tuple(own), hulls, groups, masses)

    def offers(self, menus: tuple[Menu, ...], prices: FloatArray) -> list[Offered]:
        """Of every provider, and of every arbitrageur where they quote."""
        B = len(menus)
        if self.conduct.follows_list:
            return [self._listed(i, menus, prices) for i in range(len(self.own))]
        own = [self._quoted(Menu(supply=own), self._list(i, prices), B, prices) for i, own in enumerate(self.own)]
        return [*own, *(self._quoted(menu, chosen_if_bought(menu, prices), B, prices) for menu in menus)]

    def stepping_down(self, menus: tuple[Menu, ...], player: int, left: FloatArray, right: FloatArray) -> FloatArray:
        """(C, T) what units per customer of a provider's own list may rise by between two own prices, in `matching`:
        customers step down to levels whose delivery needs more of it. At a fixed level units never rise with the price."""
        near, far = self._list(player, left), self._list(player, right)
        delivered, _ = self.conduct.delivered(near, menus, left)
        falls = np.maximum(-np.diff(delivered.units[:, :, player], axis=1, prepend=0.0), 0.0)
        falls = np.where(near.menu >= 0, falls, 0.0)
        parts = [block.average(near.slope, falls) - block.average(far.slope, falls) for block in self.groups]
        return np.concatenate([*parts, np.zeros((len(left), self.crowd.levels.size))], axis=1)

    def _list(self, provider: int, prices: FloatArray) -> Choices:
        """A provider's own hull at each price vector: the same vertices at every price."""
        hull = self.hulls[provider]
        shape = len(prices), hull.size
        units = np.zeros((*shape, prices.shape[1]))
        units[:, :, provider] = self.own[provider].units[hull, provider]
        cost = prices[:, provider, None] * units[0, :, provider] if len(prices) else np.zeros(shape)
        solved = self.own[provider].solved[hull]
        slope = np.diff(cost, axis=1, prepend=0.0) / np.diff(solved, prepend=0.0)
        slope[:, :1] = -np.inf
        return Choices(
            slope=slope,
            solved=np.broadcast_to(solved, shape),
            cost=cost,
            units=units,
            menu=np.zeros(shape, dtype=np.int64),
            way=np.broadcast_to(hull, shape),
        )

    def _quoted(self, menu: Menu, chosen: Choices, B: int, prices: FloatArray) -> Offered:
        cost, units = self._at_levels((menu,), prices)
        found = self._offered(menu, chosen, chosen, (cost, cost, units), B, prices)
        return replace(found, overhead=found.price * (1 - 1 / menu.markup))

    def _listed(self, provider: int, menus: tuple[Menu, ...], prices: FloatArray) -> Offered:
        menu, listed = Menu(supply=self.own[provider]), self._list(provider, prices)
        done, serving = self.conduct.delivered(listed, menus, prices)
        price, _ = self._at_levels((menu,), prices)
        cost, units = self._at_levels((*menus, menu), prices)
        found = self._offered(menu, listed, done, (price, cost, units), len(menus), prices)
        for b, other in enumerate(menus):
            kept = np.where(serving == b, listed.cost - done.cost, 0.0)
            values = self._means(listed.slope, np.diff(kept, axis=1, prepend=0.0))
            bill = bill_of(other, other.supply.cheapest(prices)[:, level_of(other, self.crowd.levels)], prices)[0]
            mine = (bill <= cost) & (cost < price) & np.isfinite(price)
            targets = np.where(mine, np.where(mine, price, 0.0) - np.where(mine, cost, 0.0), 0.0)
            found.saved[:, :, b] = np.concatenate([values, targets], axis=1)
        paid = found.price - found.saved.sum(axis=2)
        return replace(found, overhead=np.maximum(paid - np.einsum("rtm,rm->rt", found.units, prices), 0.0))

    def _at_levels(self, menus: tuple[Menu, ...], prices: FloatArray) -> tuple[FloatArray, FloatArray]:
        """`cheapest_of` the targets' levels; a provider that never solves anything reaches none."""
        return cheapest_of(tuple(m for m in menus if m.supply.solved.size), self.crowd.levels, prices)

    def _offered(
        self,
        menu: Menu,
        listed: Choices,
        done: Choices,
        targets: tuple[FloatArray, FloatArray, FloatArray],
        B: int,
        prices: FloatArray,
    ) -> Offered:
        R, M = prices.shape
        price, _, needed = targets
        reached = np.isfinite(price)
        buys = reached
        solved = np.diff(listed.solved, axis=1, prepend=0.0)
        cost = np.diff(listed.cost, axis=1, prepend=0.0)
        worth = [block.values * block.at_mean(listed.slope, solved) for block in self.groups]
        paid = [block.at_mean(listed.slope, cost) for block in self.groups]
        gains = [w - p for w, p in zip(worth, paid, strict=True)]
        first = np.zeros(listed.slope.shape)
        first[:, :1] = 1.0
        added = np.diff(done.units, axis=1, prepend=0.0)
        units = np.stack([self._means(listed.slope, added[:, :, i]) for i in range(M)], axis=2)
        has = float(menu.supply.solved.size > 0)

        def joined(values: list[FloatArray] | FloatArray, wanted: FloatArray) -> FloatArray:
            return np.concatenate([*(values if isinstance(values, list) else [values]), wanted], axis=1)

        return Offered(
            sells=np.concatenate([np.full(self.masses.size - reached.shape[1], has), np.where(reached, 1.0, 0.0)[0]]),
            gain=joined(gains, np.where(buys, self.crowd.budgets - np.where(buys, price, 0.0), 0.0)),
            price=joined(self._means(listed.slope, cost), np.where(buys, price, 0.0)),
            buys=joined(self._means(listed.slope, first), buys.astype(np.float64)),
            solved=joined(self._means(listed.slope, solved), np.where(buys, self.crowd.levels, 0.0)),
            units=np.concatenate([units, np.where(buys[..., None], needed, 0.0)], axis=1),
            overhead=np.zeros((R, self.masses.size)),
            saved=np.zeros((R, self.masses.size, B)),
        )

    def _means(self, slope: FloatArray, added: FloatArray) -> FloatArray:
        """(R, T_values) means over the groups of value types."""
        parts = [block.average(slope, added) for block in self.groups]
        return np.concatenate([np.zeros((len(slope), 0)), *parts], axis=1)


def must_buy(solved: FloatArray, cost: FloatArray) -> IntArray:
    """(R, E) positions of the offers that some value type takes who has to buy one, by pass; -1 pads.

    solved : (K,) > 0, nondecreasing. cost : (R, K).
    """
    from eqsolver.game._must_buy import hulls_from_cheapest

    way, count = np.full(cost.shape, -1, dtype=np.int64), np.zeros(len(cost), dtype=np.int64)
    if solved.size:
        hulls_from_cheapest(solved, np.ascontiguousarray(cost), way, count)
    return way[:, : int(count.max(initial=0))]


def chosen_if_bought(menu: Menu, prices: FloatArray) -> Choices:
    """What value types choose of one menu who have to buy something, at each price vector (R, M)."""
    supply = menu.supply
    bills = menu.markup * (prices @ supply.units.T)
    way = must_buy(supply.solved, bills)
    on = way >= 0
    cost = np.where(on, np.take_along_axis(bills, np.maximum(way, 0), axis=1), 0.0)
    solved = np.where(on, supply.solved[way], 0.0)
    slope = np.full(cost.shape, np.inf)
    np.divide(np.diff(cost, axis=1, prepend=0.0), np.diff(solved, axis=1, prepend=0.0), out=slope, where=on)
    slope[:, :1] = -np.inf
    units = np.where(on[..., None], supply.units[way], 0.0)
    return Choices(slope=slope, solved=solved, cost=cost, units=units, menu=np.where(on, 0, -1), way=way)
