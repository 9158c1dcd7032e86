"""What value types choose: at any prices, each value picks a vertex of the lower hull of all that is on sale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eqsolver._base import FloatArray, IntArray
from eqsolver.technology import ProductionSet, lower_hulls


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Menu:
    """What one seller can deliver. supply : policies, free of prices. markup : 1 + its overhead, a share of its bill."""

    supply: ProductionSet
    name: str = "direct"
    markup: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Choices:
    """Vertices of the lower hull of menus at R price vectors, in order of pass; E is the most vertices of a row.

    slope : (R, E) value at which a type changes from the vertex before to this one (from buying nothing to the first);
        increasing, infinite after the last vertex.
    solved, cost : (R, E) pass, and cost to its seller, overhead included. units : (R, E, M) list-price money per provider.
    menu : (R, E) which of the menus it is from, -1 after the last. way : (R, E) which policy of that menu.
    """

    slope: FloatArray
    solved: FloatArray
    cost: FloatArray
    units: FloatArray
    menu: IntArray
    way: IntArray


def choose(menus: Sequence[Menu], prices: FloatArray) -> Choices:
    """The lower hull of all menus together at each price vector.

    prices : (R, M). Of equal offers the one of the later menu counts: list the seller that ties are to go to last.
    """
    if all(menu.supply.stretches is None for menu in menus):
        return _choose_of_all(menus, prices)
    from eqsolver.game._merged import merge_menus

    supplies = [menu.supply for menu in menus]
    begins = np.cumsum([0, *(supply.solved.size for supply in supplies)])
    near = [supply.near(prices) for supply in supplies]
    rows = np.concatenate([np.where(ids >= 0, ids + begin, -1) for ids, begin in zip(near, begins[:-1], strict=True)], axis=1)
    passed = np.concatenate([supply.solved for supply in supplies])
    needed = np.concatenate([supply.units for supply in supplies])
    bill = np.concatenate([menu.markup * menu.supply.units for menu in menus])
    way, solved, cost = np.empty(rows.shape, dtype=np.int64), np.empty(rows.shape), np.empty(rows.shape)
    merge_menus(rows, np.cumsum([0, *(ids.shape[1] for ids in near)]), passed, bill, prices, way, solved, cost)
    vertices, _ = lower_hulls(solved, cost)
    on, at = vertices >= 0, np.maximum(vertices, 0)
    way = np.where(on, np.take_along_axis(way, at, axis=1), -1)
    cost = np.where(on, np.take_along_axis(cost, at, axis=1), 0.0)
    solved = np.where(on, passed[way], 0.0)
    slope = np.full(cost.shape, np.inf)
    np.divide(np.diff(cost, axis=1, prepend=0.0), np.diff(solved, axis=1, prepend=0.0), out=slope, where=on)
    menu_of = np.searchsorted(begins, way, side="right") - 1
    return Choices(
        slope=slope,
        solved=solved,
        cost=cost,
        units=np.where(on[..., None], needed[way], 0.0),
        menu=menu_of,
        way=np.where(on, way - begins[menu_of], -1),
    )


def _choose_of_all(menus: Sequence[Menu], prices: FloatArray) -> Choices:
    """`choose` where every policy may be best anywhere: all rows share one order, and costs are one product."""
    solved = np.concatenate([menu.supply.solved for menu in menus])
    units = np.concatenate([menu.supply.units for menu in menus])
    markup = np.concatenate([np.full(menu.supply.solved.size, menu.markup) for menu in menus])
    number = np.concatenate([np.full(menu.supply.solved.size, n) for n, menu in enumerate(menus)])
    way = np.concatenate([np.arange(menu.supply.solved.size) for menu in menus])
    order = np.argsort(solved, kind="stable")
    solved, units, markup, number, way = (column[order] for column in (solved, units, markup, number, way))
    cost = prices @ (markup[:, None] * units).T
    vertices, _ = lower_hulls(solved, cost)
    on, at = vertices >= 0, np.maximum(vertices, 0)
    chosen_cost = np.where(on, np.take_along_axis(cost, at, axis=1), 0.0)
    chosen_solved = np.where(on, solved[at], 0.0)
    slope = np.full(on.shape, np.inf)
    np.divide(np.diff(chosen_cost, axis=1, prepend=0.0), np.diff(chosen_solved, axis=1, prepend=0.0), out=slope, where=on)
    return Choices(
        slope=slope,
        solved=chosen_solved,
        cost=chosen_cost,
        units=np.where(on[..., None], units[at], 0.0),
        menu=np.where(on, number[at], -1),
        way=np.where(on, way[at], -1),
    )
