"""Policies for procurement: cascades with every threshold fixed, what they solve and spend problem by problem."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from eqsolver._base import FloatArray, IntArray
from eqsolver.market import Market
from eqsolver.robust._candidates import ABSTAIN, thresholds
from eqsolver.robust._mixture import RobustMixture, robust_mixture
from eqsolver.robust._procure import Compiled, Procurement, procure
from eqsolver.robust._sets import AmbiguitySet
from eqsolver.robust._trie import standings, trie
from eqsolver.technology import Cascade, Rules, Steps

MOST = 2500
"""About how many policies of one or two providers there are to begin with; with very many providers only those of one."""

FACTORS = (1.6, 1.25, 1.1, 1.04)
TURNS = 3
LEADERS = 8
WORTH = 1e-4
"""A purchase is an improvement if it is cheaper by this share of the worst-case spend, at the dual prices."""


def bought(market: Market, rules: Rules, policies: Sequence[Cascade]) -> tuple[FloatArray, FloatArray]:
    """Bill, money, and share solved of each policy on each problem: (N, K) each."""
    tree = trie([tuple((i, t) for i, t in policy.path if t > 0) for policy in policies])
    standing, paid = standings(market, rules, tree)
    return paid[tree.last].T, 1.0 - standing[tree.last].T


@dataclass(slots=True, eq=False)
class Purchases:
    """Policies that may be mixed to keep a floor; they grow. spend, passing : (N, K), see `bought`."""

    market: Market
    rules: Rules
    steps: Sequence[Steps]
    access: Sequence[int]
    policies: list[Cascade]
    spend: FloatArray
    passing: FloatArray
    _seen: set[Cascade] = field(default_factory=set)
    _programs: Compiled = field(default_factory=dict)

    def best(self, within: AmbiguitySet, floor: float) -> Procurement:
        """The best mixture of those held; raises as `procure` does."""
        return procure(self.spend, self.passing, self.market.weights, within, floor, programs=self._programs)

    def refine(self, within: AmbiguitySet, floor: float) -> Procurement:
        """Let in policies near those mixed that are worth more at the dual prices, and mix again, until none is found."""
        safest = robust_mixture(self.passing, self.market.weights, within)
        found = self._again(within, floor, safest, None)
        for factor in FACTORS:
            for _ in range(TURNS):
                worth = found.floor_dual @ self.passing - found.worst_case @ self.spend
                leading = np.union1d(np.flatnonzero(found.weights), np.argsort(-worth, kind="stable")[:LEADERS])
                near = {o: None for k in leading.tolist() for o in self._near(self.policies[k], factor) if o not in self._seen}
                if not near:
                    break
                spend, passing = bought(self.market, self.rules, list(near))
                gain = found.floor_dual @ passing - found.worst_case @ spend
                self._seen.update(near)
                self.policies += near
                self.spend, self.passing = np.column_stack([self.spend, spend]), np.column_stack([self.passing, passing])
                if float(gain.max()) <= float(worth.max()) + WORTH * found.worst_case_spend:
                    break
                found = self._again(within, floor, safest, np.flatnonzero(found.weights))
        return self._again(within, floor, safest, np.flatnonzero(found.weights))

    def _again(self, within: AmbiguitySet, floor: float, safest: RobustMixture, start: IntArray | None) -> Procurement:
        """The best mixture of those held by now; the safest one was found among the first of them."""
        padded = np.zeros(len(self.policies))
        padded[: safest.weights.size] = safest.weights
        return procure(
            self.spend,
            self.passing,
            self.market.weights,
            within,
            floor,
            safest=replace(safest, weights=padded),
            start=start,
            programs=self._programs,
        )

    def _near(self, policy: Cascade, factor: float) -> Iterator[Cascade]:
        """One threshold moved, two neighbours swapped, or another provider's smallest useful purchase put before or behind."""
        whole = self.rules.allot == "attempts"
        moves = [
            tuple(
                (i, float(round(t * by)) if whole else t * by) if s == moved else (i, t) for s, (i, t) in enumerate(policy.path)
            )
            for moved in range(len(policy.order))
            for by in (factor, 1 / factor)
        ]
        path = policy.path
        moves += [(*path[:s], path[s + 1], path[s], *path[s + 2 :]) for s in range(len(path) - 1)]
        for i in self.access:
            if i not in policy.order and len(path) < 4:
                for extra in thresholds(self.market, self.rules, self.steps[i], 4)[:-1].tolist():
                    moves += [((i, extra), *path), (*path, (i, extra))]
        for blocks in moves:
            if _within_cap(self.rules, [t for _, t in blocks]):
                yield Cascade(order=tuple(i for i, _ in blocks), thresholds=tuple(t for _, t in blocks))


def _within_cap(rules: Rules, tops: Sequence[float]) -> bool:
    return sum(tops) <= rules.largest_total and all(0 < t <= rules.largest_position for t in tops)


def purchases(market: Market, rules: Rules, steps: Sequence[Steps], access: Sequence[int]) -> Purchases:
    """Buying nothing, from one provider, and from two in turn, thresholds on a logarithmic grid."""
    useful = [i for i in access if steps[i].at.size]
    M = len(useful)
    points = next((p for p in range(24, 3, -1) if M * p + M * (M - 1) * p * p <= MOST), 4)
    tops = {i: thresholds(market, rules, steps[i], points).tolist() for i in useful}
    found = [ABSTAIN]
    for size in (1, 2) if M * (M - 1) * points * points <= 4 * MOST else (1,):
        for order in itertools.permutations(useful, size):
            for chosen in itertools.product(*(tops[i] for i in order)):
                if _within_cap(rules, chosen):
                    found.append(Cascade(order=order, thresholds=chosen))
    spend, passing = bought(market, rules, found)
    return Purchases(
        market=market,
        rules=rules,
        steps=steps,
        access=useful,
        policies=found,
        spend=spend,
        passing=passing,
        _seen=set(found),
    )
