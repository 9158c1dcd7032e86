"""Demand routed by a marketplace: traffic for a level is shared among all who sell it, by a power of their price."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eqsolver._base import FloatArray
from eqsolver.game._choices import Choices, Menu, choose
from eqsolver.game._consumers import Crowd
from eqsolver.game._demand import Balanced
from eqsolver.game._direct import direct_supply, hull_levels
from eqsolver.game._groups import with_own
from eqsolver.game._outcome import Outcome, outcome
from eqsolver.game._quotes import quote_gain
from eqsolver.game._regimes import Stage
from eqsolver.game._sales import Conduct, bill_of, level_of
from eqsolver.technology import REACH, lower_hulls

CHUNK = 256
"""Cells of prices whose bound is worked out in one pass."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Marketplace(Conduct):
    """A regime in which customers that buy direct meet a marketplace, not single providers; arbitrageurs quote beside it.

    exponent : e. levels : (L,) sold on the marketplace: targets, and every level that a provider's own hull has a vertex at.
    needs : (M, L) units of each provider's cheapest offer that reaches a level, infinite for none.

    Notes
    -----
    A level's price is what it costs on average, sum_i w_i m_i needs_i with w_i proportional to (m_i needs_i)^-e. Value types
    choose on the lower hull of these prices, exactly against their distribution.
    """

    exponent: float
    levels: FloatArray
    needs: FloatArray

    def listed(self, prices: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(R, L) average price of each level on the marketplace, infinite for none, and (R, L, M) units bought for it."""
        asked = prices[:, :, None] * self.needs
        weight, _ = self._weights(asked)
        total = weight.sum(axis=1)
        share = np.divide(weight, total[:, None], out=np.zeros_like(weight), where=total[:, None] > 0)
        paid = np.where(weight > 0, share * np.where(weight > 0, asked, 0.0), 0.0).sum(axis=1)
        units = np.where(share > 0, share * np.where(np.isfinite(self.needs), self.needs, 0.0), 0.0)
        return np.where(total > 0, paid, np.inf), np.swapaxes(units, 1, 2)

    def price_range(self, player: int, left: FloatArray, right: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(C, L) bounds of a level's price as one price moves from `left` to `right` (C, M).

        Notes
        -----
        The price is quasi-concave in one seller's, so it is lowest at an end. It is N / D with N = sum p^(1-e), D = sum p^-e:
        it is at most the largest N over the smallest D.
        """
        near, far = self.listed(left)[0], self.listed(right)[0]
        a, b = left[:, :, None] * self.needs, right[:, :, None] * self.needs
        (low_d, scale), p = self._weights(b), self.exponent
        reach = np.isfinite(b)
        first, last = (np.where(reach, np.where(reach, x, 1.0) / scale[:, None], 1.0) for x in (a, b))
        most_n = np.where(reach, np.maximum(first ** (1 - p), last ** (1 - p)), 0.0).sum(axis=1)
        least_d = low_d.sum(axis=1)
        high = scale * np.divide(most_n, least_d, out=np.full_like(least_d, np.inf), where=least_d > 0)
        return np.minimum(near, far), np.maximum(np.where(np.isfinite(far), high, np.inf), np.maximum(near, far))

    def _weights(self, asked: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(R, M, L) price to the power -e, in units of the lowest price of the level, and (R, L) that lowest price."""
        lowest = asked.min(axis=1)
        scale = np.where(np.isfinite(lowest), lowest, 1.0)
        finite = np.isfinite(asked)
        return np.where(finite, (np.where(finite, asked, 1.0) / scale[:, None]) ** -self.exponent, 0.0), scale

    def on_sale(self, menus: tuple[Menu, ...], prices: FloatArray) -> Choices:
        """What value types choose among some arbitrageurs' menus and the marketplace."""
        cost, units = self.listed(prices)
        mine = Choices(
            slope=cost,
            solved=np.broadcast_to(self.levels, cost.shape),
            cost=cost,
            units=units,
            menu=np.where(np.isfinite(cost), len(menus), -1),
            way=np.broadcast_to(np.arange(self.levels.size), cost.shape),
        )
        return merged([*(choose((menu,), prices) for menu in menus), mine])

    def cheapest(self, menus: tuple[Menu, ...], levels: FloatArray, prices: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(R, G) lowest price of each target's level, arbitrageurs at cost, and (R, G, M) the units that it needs."""
        at = np.searchsorted(self.levels, levels - REACH)
        cost, units = (values[:, at] for values in self.listed(prices))
        for menu in menus if levels.size else ():
            bill, needed = bill_of(menu, menu.supply.cheapest(prices)[:, level_of(menu, levels)], prices)
            better = bill < cost
            cost, units = np.where(better, bill, cost), np.where(better[..., None], needed, units)
        return cost, units

    def sold(self, crowd: Crowd, prices: FloatArray) -> FloatArray:
        """(R, M) units of each provider that are sold at each price vector (R, M)."""
        total = np.zeros(prices.shape)
        for share, menus in self.states:
            chosen = self.on_sale(() if self.follows_list else menus, prices)
            if self.follows_list:
                chosen, _ = self.delivered(chosen, menus, prices)
            buyers = crowd.above(chosen.slope)
            total += share * np.einsum("re,rem->rm", buyers, np.diff(chosen.units, axis=1, prepend=0.0))
            cost, units = self.cheapest(menus, crowd.levels, prices)
            asked = self.cheapest((), crowd.levels, prices)[0] if self.follows_list else cost
            total += share * np.einsum("rg,rgm->rm", crowd.target_masses * (asked <= crowd.budgets), units)
        return total


def marketplace(stage: Stage, conduct: Conduct, demand: Balanced) -> Marketplace:
    """A regime's conduct with its providers' own offers sold through a marketplace."""
    levels = np.union1d(conduct.targets, hull_levels(stage.market, stage.steps, stage.private))
    every = direct_supply(stage.market, stage.steps, levels, stage.private)
    needs = np.full((every.units.shape[1], levels.size), np.inf)
    for i, row in enumerate(needs):
        mine = every.units[:, i] > 0
        solved, units = every.solved[mine], every.units[mine, i]
        at = np.searchsorted(solved, levels - REACH)
        row[at < solved.size] = units[at[at < solved.size]]
    return Marketplace(
        targets=conduct.targets,
        direct=every,
        states=conduct.states,
        follows_list=conduct.follows_list,
        alike=conduct.alike,
        exponent=demand.exponent,
        levels=levels,
        needs=needs,
    )


def merged(parts: list[Choices]) -> Choices:
    """The lower hull of what several sellers offer together; of equal offers that of the last seller counts."""
    menu_of = [np.where(part.menu >= 0, number, -1) for number, part in enumerate(parts)]
    joined = [np.concatenate(c, axis=1) for c in zip(*((p.solved, p.cost, p.way) for p in parts), strict=True)]
    solved, cost, way = joined
    units, menu = np.concatenate([part.units for part in parts], axis=1), np.concatenate(menu_of, axis=1)
    cost, solved = np.where(menu >= 0, cost, np.inf), np.where(menu >= 0, solved, 0.0)
    order = np.argsort(solved, axis=1, kind="stable")
    solved, cost, way, menu = (np.take_along_axis(column, order, axis=1) for column in (solved, cost, way, menu))
    vertices, _ = lower_hulls(solved, cost)
    on, at = vertices >= 0, np.maximum(vertices, 0)
    solved, cost, way, menu = (np.take_along_axis(column, at, axis=1) for column in (solved, cost, way, menu))
    units = np.take_along_axis(units, np.take_along_axis(order, at, axis=1)[..., None], axis=1)
    cost, solved = np.where(on, cost, 0.0), np.where(on, solved, 0.0)
    slope = np.full(cost.shape, np.inf)
    np.divide(np.diff(cost, axis=1, prepend=0.0), np.diff(solved, axis=1, prepend=0.0), out=slope, where=on)
    return Choices(
        slope=slope,
        solved=solved,
        cost=cost,
        units=np.where(on[..., None], units, 0.0),
        menu=np.where(on, menu, -1),
        way=np.where(on, way, -1),
    )


_Option = tuple[FloatArray, FloatArray, FloatArray, FloatArray | None]


@dataclass(frozen=True, slots=True, eq=False)
class Routed:
    """A marketplace and its customers."""

    conduct: Marketplace
    crowd: Crowd

    def sold(self, prices: FloatArray) -> FloatArray:
        """(R, M) units sold at each price vector (R, M)."""
        return self.conduct.sold(self.crowd, prices)

    def outcome(self, prices: FloatArray, marginal_costs: FloatArray) -> Outcome:
        """The account at each price vector."""
        return outcome(self.conduct, self.crowd, prices, marginal_costs)

    def quote_gain(self, prices: FloatArray) -> dict[str, float]:
        """By arbitrageur: the most that another quote of those tried earns it per customer, money."""
        return quote_gain(self.conduct, self.crowd, prices)

    def between(self, player: int, others: FloatArray, left: FloatArray, right: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(C,) units that a player sells at own prices `left` (C,), and no less than anywhere from there to `right`.

        Notes
        -----
        Units through one seller at one level, and through one arbitrageur to one value, never rise with the own price: they
        are taken at the left. Each is counted for all values that might choose it somewhere in the cell: those for whom it
        is, at the lowest price it has there, no worse than every other at the highest.
        """
        near, far = with_own(others, player, left), with_own(others, player, right)
        sold = self.sold(near)[:, player]
        found = [self._most(player, near[n : n + CHUNK], far[n : n + CHUNK]) for n in range(0, left.size, CHUNK)]
        return sold, np.maximum(np.concatenate([np.zeros(0), *found]), sold)

    def _most(self, player: int, left: FloatArray, right: FloatArray) -> FloatArray:
        place, total = self.conduct, np.zeros(len(left))
        low, high = place.price_range(player, left, right)
        own = place.listed(left)[1][:, :, player]
        targets = np.searchsorted(place.levels, self.crowd.levels - REACH)
        for share, menus in place.states:
            options: list[_Option]
            if place.follows_list:
                delivered = self._delivered(menus, place.levels, player, left, right, (low, high, own))
                options = [(low, place.levels, delivered, None)]
                rivals = [_offer(place.levels, high, left.shape[1])]
                to_targets = delivered[:, targets] * (low[:, targets] <= self.crowd.budgets)
            else:
                near = [choose((menu,), left) for menu in menus]
                options = [(low, place.levels, own, None)]
                options += [(np.where(c.menu >= 0, c.cost, np.inf), c.solved, c.units[:, :, player], c.slope) for c in near]
                rivals = [_offer(place.levels, high, left.shape[1]), *(choose((menu,), right) for menu in menus)]
                caught = low[:, targets], high[:, targets], own[:, targets]
                to_targets = self._delivered(menus, self.crowd.levels, player, left, right, caught, self.crowd.budgets)
            if self.crowd.has_values:
                total += share * self._of_values(options, merged(rivals))
            total += share * (to_targets @ self.crowd.target_masses)
        return total

    def _delivered(
        self,
        menus: tuple[Menu, ...],
        levels: FloatArray,
        player: int,
        left: FloatArray,
        right: FloatArray,
        market: tuple[FloatArray, FloatArray, FloatArray],
        budgets: FloatArray | float = np.inf,
    ) -> FloatArray:
        """(C, G) the most units of a player with which a level may be delivered by whoever may be the cheapest."""
        low, high, own = market
        bills = []
        for menu in menus if levels.size else ():
            ends = [bill_of(menu, menu.supply.cheapest(m)[:, level_of(menu, levels)], m) for m in (left, right)]
            bills.append((ends[0][0], ends[1][0], ends[0][1][:, :, player]))
        dearest = np.min([np.broadcast_to(budgets, high.shape), high, *(most for _, most, _ in bills)], axis=0)
        found = np.where(low <= dearest, own, 0.0)
        for least, _, needed in bills:
            found = np.maximum(found, np.where(least <= dearest, needed, 0.0))
        return found

    def _of_values(self, options: list[_Option], rivals: Choices) -> FloatArray:
        """(C,) sum over value types of the most units of any option that may be theirs.

        options : lowest cost (C, K), level, units at it, and (for an arbitrageur's hull) the value from which it is the
        arbitrageur's best. rivals : the hull of the highest costs.
        """
        starts, ends, units = [], [], []
        for cost, solved, needed, slope in options:
            begin, end = _span(cost, np.broadcast_to(solved, cost.shape), rivals)
            if slope is not None:
                begin = np.maximum(begin, slope)
                end = np.minimum(end, np.append(slope[:, 1:], np.full((len(slope), 1), np.inf), axis=1))
            starts.append(begin)
            ends.append(end)
            units.append(needed)
        begin, end, needed = (np.concatenate(parts, axis=1) for parts in (starts, ends, units))
        edges = np.sort(np.concatenate([begin, end], axis=1), axis=1)
        above = self.crowd.above(edges)
        masses = above[:, :-1] - above[:, 1:]
        order = np.argsort(-needed, axis=1, kind="stable")
        total, free = np.zeros(len(begin)), np.ones(masses.shape, dtype=bool)
        for k in order.T:  # the option with most units takes its interval first
            row = np.arange(len(begin))
            covers = free & (begin[row, k][:, None] <= edges[:, :-1]) & (edges[:, 1:] <= end[row, k][:, None])
            total += needed[row, k] * (masses * covers).sum(axis=1)
            free &= ~covers
        return total


def _offer(levels: FloatArray, cost: FloatArray, providers: int) -> Choices:
    on = np.isfinite(cost)
    return Choices(
        slope=cost,
        solved=np.broadcast_to(levels, cost.shape),
        cost=cost,
        units=np.zeros((*cost.shape, providers)),
        menu=np.where(on, 0, -1),
        way=np.zeros(cost.shape, dtype=np.int64),
    )


def _span(cost: FloatArray, solved: FloatArray, rivals: Choices) -> tuple[FloatArray, FloatArray]:
    """(C, K) values between which an option may be no worse than buying nothing and every vertex of the rivals' hull."""
    on = rivals.menu >= 0
    up = solved[:, :, None] - rivals.solved[:, None, :]
    dearer = np.where(np.isfinite(cost), cost, 0.0)[:, :, None] - rivals.cost[:, None, :]
    ratio = np.divide(dearer, up, out=np.zeros_like(up), where=np.abs(up) > REACH)
    below, over = on[:, None, :] & (up > REACH), on[:, None, :] & (up < -REACH)
    same = on[:, None, :] & (np.abs(up) <= REACH) & (dearer > 0)
    begin = np.where(below, ratio, -np.inf).max(axis=2, initial=-np.inf)
    end = np.where(over, ratio, np.inf).min(axis=2, initial=np.inf)
    alone = np.divide(cost, solved, out=np.full(cost.shape, np.inf), where=np.isfinite(cost) & (solved > REACH))
    begin = np.maximum(np.maximum(begin, alone), 0.0)
    never = same.any(axis=2) | ~np.isfinite(cost) | (end < begin)
    return np.where(never, np.inf, begin), np.where(never, np.inf, end)
