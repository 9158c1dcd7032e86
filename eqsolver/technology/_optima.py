"""What is cheapest on a product grid at one price vector after another: mixtures, and single policies for given levels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eqsolver._base import FloatArray, IntArray
from eqsolver.technology._schedule import REACH
from eqsolver.technology._technology import Technology

NONE = np.zeros(0, dtype=np.int64)
CELLS = 4096
"""Parts of the range of pass from each of which the hull's search starts with one node."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Best:
    """Policies that are cheapest at one price vector: the `vertices` first are those of the lower hull, by pass; then one for
    each level that is reached.

    nodes : (P,) where they end. solved : (P,). units : (P, A) list-price money per provider in access.
    """

    nodes: IntArray
    solved: FloatArray
    units: FloatArray
    vertices: int


class Optima:
    """The grid of a technology, made ready for one sweep per price vector; `levels` (L,) increasing, for single policies."""

    def __init__(self, made: Technology, levels: FloatArray) -> None:
        self._edges = tuple(np.ascontiguousarray(edge).ravel() for edge in made.edges)
        self._shape = np.array(made.survival.shape, dtype=np.int64)
        self._solved = made.solved.ravel()
        allowed = made.allowed.ravel()
        top = float(self._solved[allowed].max())
        cell = np.minimum(self._solved * (CELLS / max(top, REACH)), CELLS - 1).astype(np.int32)
        self._cell = np.where(allowed, cell, np.int32(-1))
        self._last = int(np.argmax(np.where(allowed, self._solved, -1.0)))
        reached = np.searchsorted(levels, self._solved + REACH, side="right").astype(np.int32)
        self._reached = np.where(allowed, reached, np.int32(-1))
        self._levels = levels
        self._value, self._move = np.empty(self._solved.size), np.empty(self._solved.size, dtype=np.int8)
        self._below, self._vertices = np.empty((2, self._solved.size), dtype=np.int64)

    def at(self, prices: FloatArray, near: IntArray = NONE) -> Best:
        """The cheapest policies at prices (A,) of the providers in access.

        near : nodes that are likely to be on the hull, such as those at other prices not far away; only time depends on them.

        Notes
        -----
        One sweep over the nodes for their costs and last steps, one or two over these for the hull and the levels; units are
        added up along the paths of the few that are wanted.
        """
        from eqsolver.technology._chains import cheapest_nodes, hull_of_nodes
        from eqsolver.technology._scan import cheapest_paths, needed

        cheapest_paths(self._edges, self._shape, np.ascontiguousarray(prices), self._value, self._move)
        count = hull_of_nodes(self._solved, self._value, self._cell, CELLS, self._last, near, self._below, self._vertices)
        at_level = np.full(self._levels.size, -1, dtype=np.int64)
        if at_level.size:
            cheapest_nodes(self._value, self._reached, at_level)
        nodes = np.concatenate([self._vertices[:count], at_level[at_level >= 0]])
        units = np.zeros((nodes.size, self._shape.size))
        needed(self._edges, self._shape, self._move, nodes, units)
        return Best(nodes=nodes, solved=self._solved[nodes], units=units, vertices=count)

    def turns(self, nodes: IntArray) -> list[IntArray]:
        """Per axis the grid points at which the paths to some nodes turn, at the prices asked for last."""
        from eqsolver.technology._scan import turning

        marks = np.zeros((self._shape.size, int(self._shape.max())), dtype=np.int8)
        turning(self._shape, self._move, nodes, marks)
        return [np.flatnonzero(row) for row in marks]
