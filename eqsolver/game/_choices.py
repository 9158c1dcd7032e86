"""What value types choose: at any prices, each value picks a vertex of the lower hull of all that is on sale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eqsolver._base import FloatArray, IntArray
from eqsolver.technology import ProductionSet


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
    from eqsolver.game._merged import hulls_of_menus

    supplies = [menu.supply for menu in menus]
    begins = np.cumsum([0, *(supply.solved.size for supply in supplies)])
    tables, starts, begun = [], [], 0
    for begin, (table, place) in zip(begins[:-1], (supply.lists(prices) for supply in supplies), strict=True):
        tables.append(np.where(table >= 0, table + begin, -1))
        starts.append(begun + place * table.shape[1])
        begun += table.size
    lengths = np.array([table.shape[1] for table in tables])
    passed = np.concatenate([supply.solved for supply in supplies])
    needed = np.concatenate([supply.units for supply in supplies])
    asked = np.ascontiguousarray((np.repeat([menu.markup for menu in menus], np.diff(begins))[:, None] * needed).T)
    lists = np.concatenate([table.ravel() for table in tables])
    room, most = 0, min(USUAL, int(lengths.sum()))
    while most > room:
        room = most
        way, units = np.empty((len(prices), room), dtype=np.int64), np.empty((len(prices), room, prices.shape[1]))
        solved, cost, slope = np.empty((3, len(prices), room))
        most = hulls_of_menus(
            lists, np.stack(starts, axis=1), lengths, passed, needed, asked, prices, way, solved, cost, slope, units
        )
    E = max(most, 1)
    way = way[:, :E]
    menu_of = np.where(way >= 0, np.searchsorted(begins, way, side="right") - 1, -1)
    return Choices(
        slope=slope[:, :E],
        solved=solved[:, :E],
        cost=cost[:, :E],
        units=units[:, :E],
        menu=menu_of,
        way=np.where(way >= 0, way - begins[menu_of], -1),
    )


USUAL = 128
"""Vertices that a hull usually has at most; room is made for more where there are."""
