"""A pool of policies for one board: the undominated candidates, and better ones found near those that matter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from eqsolver._base import FloatArray, IntArray
from eqsolver.robust._board import Board
from eqsolver.robust._candidates import candidates, neighbours, undominated
from eqsolver.robust._mixture import Programs, RobustMixture, robust_mixture
from eqsolver.robust._sets import AmbiguitySet
from eqsolver.technology import Cascade

FACTORS = (2.0, 1.5, 1.25, 1.12, 1.06, 1.03)
"""Thresholds are multiplied and divided by these in turn, while that helps."""

LEADERS = 6
"""Policies whose neighbours are tried, beside those mixed: those that pay most in the worst case."""

TURNS = 6
"""The most rounds of neighbours with one factor."""

WORTH = 1e-5
"""A policy improves on a mixture if it pays more in its worst case by so much margin."""


@dataclass(slots=True, eq=False)
class Pool:
    """Policies and what they pay on a board; it grows.

    policies : K of them, abstaining first. margins : (Xi, K). rows : the scenarios that are looked at when policies are
        chosen; the others are held out, and only paid in.
    """

    board: Board
    policies: list[Cascade]
    margins: FloatArray
    programs: Programs
    rows: IntArray
    _seen: set[Cascade] = field(default_factory=set)
    _first: int = 0

    def best(self, within: AmbiguitySet) -> RobustMixture:
        """The best mixture of the policies in the pool."""
        weights = self.board.scenarios.weights[self.rows]
        shares = weights / weights.sum() if weights.sum() > 0 else np.full(weights.size, 1 / weights.size)
        return robust_mixture(self.margins[self.rows], shares, within.among(self.rows), programs=self.programs)

    def without(self, row: int) -> Pool:
        """A pool of the candidates this one began with, with one scenario held out."""
        first = self.policies[: self._first]
        return replace(
            self,
            policies=first,
            margins=self.margins[:, : self._first],
            rows=self.rows[self.rows != row],
            _seen=set(first),
        )

    def refine(self, within: AmbiguitySet) -> RobustMixture:
        """Let in better policies near those that matter, and mix again, until none is found.

        Notes
        -----
        The worst-case weights q price any policy: one that pays more than the value at q may improve the mixture, no other can.
        The thresholds of the policies mixed, and of the runners-up at q, are moved one at a time; the order stays.
        What is found is certified against the pool, not against every cascade there is.
        """
        found = self.best(within)
        rules, steps = self.board.rules, self.board.steps
        for factor in FACTORS:
            for _ in range(TURNS):
                leading = np.argsort(-(found.worst_case @ self.margins[self.rows]), kind="stable")[:LEADERS]
                near = {
                    other: None
                    for k in np.union1d(np.flatnonzero(found.weights), leading)
                    for other in neighbours(rules, steps, self.policies[k], factor)
                    if other not in self._seen
                }
                if not near or not self._add(list(near), found):
                    break
                found = self.best(within)
        return self.best(within)

    def _add(self, near: Sequence[Cascade], found: RobustMixture) -> bool:
        """Let them all in, since another set may want what this one does not; whether any improves the mixture found."""
        paid = self.board.margins(near)
        self._seen.update(near)
        self.policies += near
        self.margins = np.column_stack([self.margins, paid])
        return bool((found.worst_case @ paid[self.rows] > found.value + WORTH).any())


def pool(board: Board, *, programs: Programs | None = None) -> Pool:
    """The undominated candidates of a board, abstaining first. programs : compiled ones, to use again."""
    first = candidates(board.market, board.rules, steps=board.steps, access=board.access)
    margins = board.margins(first)
    kept = np.union1d([0], undominated(margins))
    return Pool(
        board=board,
        policies=[first[k] for k in kept],
        margins=margins[:, kept],
        programs=Programs() if programs is None else programs,
        rows=np.arange(len(board.scenarios)),
        _seen=set(first),
        _first=kept.size,
    )
