"""The technology set: every policy that is cheapest somewhere, as pass and input units that no price enters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eqsolver._base import FloatArray, IntArray
from eqsolver.technology._hull import along_hull, lower_hulls
from eqsolver.technology._schedule import REACH


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stretches:
    """Along the ratio of two prices: which policies can be best between neighbouring ratios at which the optimum is known.

    pair : positions of the two providers. ratios : (C + 1,) m_first / m_second, increasing.
    hull : (C, P) policies that can be on the lower hull between ratios c and c + 1, by pass, -1 pads.
    at_level : (C, 2, L) those that can be cheapest for each of the set's `levels`, -1 where none reaches it.
    """

    pair: tuple[int, int]
    ratios: FloatArray
    hull: IntArray
    at_level: IntArray

    def of(self, prices: FloatArray) -> IntArray:
        """(R,) the stretch that each price vector (R, M) lies in; the first or last for ratios beyond."""
        ratio = prices[:, self.pair[0]] / prices[:, self.pair[1]]
        found: IntArray = np.clip(np.searchsorted(self.ratios, ratio, side="right") - 1, 0, len(self.hull) - 1)
        return found

    def between(self, ends: FloatArray) -> slice:
        """The stretches of all price vectors on the line between two (2, M)."""
        first, last = np.sort(self.of(ends))
        return slice(first, last + 1)


def _known(policies: IntArray) -> IntArray:
    found = np.unique(policies)
    return found[np.searchsorted(found, 0) :]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ProductionSet:
    """Policies that are cheapest somewhere: outputs and inputs, free of prices (THEORY section 4).

    solved : (K,) share of the market that each policy solves, nondecreasing. units : (K, M) expected list-price money that it
    spends on each of the market's M providers.
    levels : (L,) for which single policies are held, beside those that mixtures use.
    shortfall : no policy left out is cheaper by more than this share, at any price on the lines that were searched.
    stretches : with two providers, what narrows the search; None: any policy may be best anywhere.
    """

    solved: FloatArray
    units: FloatArray
    levels: FloatArray
    shortfall: float = 0.0
    stretches: Stretches | None = None

    @property
    def at_once(self) -> int:
        """How many policies have to be looked at for one price vector."""
        return int(self.solved.size if self.stretches is None else self.stretches.hull.shape[1])

    def lists(self, prices: FloatArray) -> tuple[IntArray, IntArray]:
        """(C, P) lists of policies by pass, -1 pads; (R,) which holds all that can be on the hull at each price vector."""
        if self.stretches is None:
            return np.arange(self.solved.size)[None], np.zeros(len(prices), dtype=np.int64)
        return self.stretches.hull, self.stretches.of(prices)

    def near(self, prices: FloatArray) -> IntArray:
        """(R, P) policies that can be on the lower hull at each price vector (R, M), by pass; -1 pads."""
        lists, which = self.lists(prices)
        return lists[which]

    def near_between(self, ends: FloatArray) -> IntArray:
        """(P,) policies that can be on the lower hull at any price vector on the line between two (2, M), by pass."""
        if self.stretches is None:
            return np.arange(self.solved.size)
        return _known(self.stretches.hull[self.stretches.between(ends)])

    def cheapest_between(self, at: int, ends: FloatArray) -> IntArray:
        """(P,) policies of which one is cheapest for the `at`-th level at any price vector on the line between two (2, M)."""
        if self.stretches is None:
            return np.arange(np.searchsorted(self.solved, self.levels[at] - REACH), self.solved.size)
        return _known(self.stretches.at_level[self.stretches.between(ends), :, at])

    def cheapest(self, prices: FloatArray) -> IntArray:
        """(R, L) the cheapest single policy for each of `levels` at each price vector (R, M); -1 for none."""
        if self.stretches is None:
            return self.cost(self.levels, prices)[1]
        either = self.stretches.at_level[self.stretches.of(prices)]
        bill = np.einsum("rslm,rm->rsl", self.units[either], prices)
        second = bill[:, 1] < bill[:, 0]
        return np.where(second, either[:, 1], either[:, 0])

    def cost(self, levels: FloatArray, prices: FloatArray) -> tuple[FloatArray, IntArray]:
        """C_q(u; m) over single policies: the cheapest that solves at least u.

        levels : (L,). prices : (R, M).

        Returns
        -------
        cost : (R, L) money, infinite above what any policy solves. policy : (R, L) which one, -1 for none. By Shephard's
        lemma `units[policy]` is the slope of the cost in prices wherever it has one: the derived demand for providers.
        """
        from eqsolver.technology._chains import cheapest_of_the_better

        first = np.searchsorted(self.solved, levels - REACH).astype(np.int64)
        cost, policy = np.empty((len(prices), first.size)), np.empty((len(prices), first.size), dtype=np.int64)
        units, order = np.ascontiguousarray(self.units.T), np.argsort(first, kind="stable")
        cheapest_of_the_better(units, np.ascontiguousarray(prices), first, order, cost, policy)
        return cost, policy

    def mixed_cost(self, levels: FloatArray, prices: FloatArray) -> FloatArray:
        """(R, L) money: C_q(u; m) over mixtures, the lower convex hull in u; infinite above what any policy solves."""
        bill = prices @ self.units.T
        vertices, count = lower_hulls(self.solved, bill)
        rows = [v[:n] for v, n in zip(vertices, count, strict=True)]
        return np.array([_along(levels, self.solved[v], bill[r, v]) for r, v in enumerate(rows)]).reshape(len(prices), -1)


def _along(levels: FloatArray, solved: FloatArray, cost: FloatArray) -> FloatArray:
    return along_hull(levels, np.append(0.0, solved), np.append(0.0, cost))
