"""How far classes are from what the logs say: rows that are linear in the weights of classes, and pass at many budgets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eqsolver._base import FloatArray, IntArray
from eqsolver.estimate._aims import SOLVED_ERROR, Aim
from eqsolver.estimate._classes import Classes, both_sides, compared_budgets, every_step, first_steps, pass_rows
from eqsolver.estimate._groups import neighbours
from eqsolver.estimate._policies import curve
from eqsolver.estimate._weights import NOBODY, PassRows, Weighed, best_weights, merit
from eqsolver.market import Geometric, Sampled

FOLLOWED, WORTH = 1000, 200
"""Budgets per provider at which pass is followed throughout, and how many single errors they count for together."""
BLOCK = 500
"""Classes whose rows are held in memory together, where only one number of each is wanted."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evidence:
    """Logs of M providers on N problems.

    odds, spend, premium : by provider, see `curve`. weights : (N,). cap : the largest position. budgets : M arrays, where pass
    is followed. sold_from : (M,) the least budget at which a provider's offer is the price of a judged level. near : (N, ...)
    the problems most like each.
    """

    odds: Sequence[Sampled]
    spend: Sequence[FloatArray]
    premium: Sequence[FloatArray]
    weights: FloatArray
    cap: float
    budgets: Sequence[FloatArray]
    sold_from: FloatArray
    near: IntArray

    @staticmethod
    def of(
        odds: Sequence[Sampled],
        spend: Sequence[FloatArray],
        weights: FloatArray,
        cap: float,
        sold_from: FloatArray,
        premium: Sequence[FloatArray] | None = None,
    ) -> Evidence:
        """Follow pass where it rises. premium : default 1, attempts that fail and that succeed cost the same."""
        budgets = [both_sides(compared_budgets(o, w, weights, cap, FOLLOWED)) for o, w in zip(odds, spend, strict=True)]
        return Evidence(
            odds=odds,
            spend=spend,
            premium=[np.ones_like(w) for w in spend] if premium is None else premium,
            weights=weights,
            cap=cap,
            budgets=budgets,
            sold_from=sold_from,
            near=neighbours(odds, spend, cap),
        )

    @property
    def mean_premium(self) -> list[float]:
        """By provider, the one premium of all classes that makes what successes cost in all what it is in the logs."""
        found = []
        for o, w, more in zip(self.odds, self.spend, self.premium, strict=True):
            paid = self.weights * o.mean * w
            found.append(float(paid @ more / paid.sum()) if paid.sum() > 0 else 1.0)
        return found


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Misfit:
    """What classes are to reproduce.

    tolerance, price : largest pass error wanted, and what exceeding it costs (see `best_weights`). target : (R,) of the logs.
    """

    evidence: Evidence
    aims: Sequence[Aim]
    tolerance: float
    price: float
    target: FloatArray

    @staticmethod
    def of(evidence: Evidence, aims: Sequence[Aim], *, tolerance: float, price: float) -> Misfit:
        """Take what policies solve and cost from the logs."""
        target = evidence.weights @ _rows(evidence.odds, evidence.spend, evidence.premium, evidence, aims)
        return Misfit(evidence=evidence, aims=aims, tolerance=tolerance, price=price, target=target)

    def rows(self, classes: Classes) -> FloatArray:
        """(K, R) of classes: policies, and pass."""
        return _rows(classes.odds, list(classes.spend), self.evidence.mean_premium, self.evidence, self.aims)

    def passes(self, classes: Classes, held: Sequence[FloatArray], *, exactly: bool) -> tuple[PassRows, ...]:
        """Pass by class at the budgets that are followed, those held and those where classes jump, or at every step."""
        evidence, listed = self.evidence, []
        for i, (o, w) in enumerate(zip(evidence.odds, evidence.spend, strict=True)):
            if exactly:
                b = every_step(o, w, evidence.weights, classes, i, evidence.cap)
            else:
                b = np.union1d(evidence.budgets[i], first_steps(classes, i, evidence.cap))
            b = np.union1d(b, held[i])
            listed.append(
                pass_rows(
                    o,
                    w,
                    evidence.weights,
                    classes,
                    i,
                    b,
                    entered=np.isin(b, held[i]),
                    tolerance=self.tolerance,
                    sold_from=float(evidence.sold_from[i]),
                )
            )
        return tuple(listed)

    def weighed(
        self, start: FloatArray, rows: FloatArray, passes: Sequence[PassRows], rounds: int, owner: IntArray = NOBODY
    ) -> Weighed:
        """The best weights of classes with these rows; owner : whose the changes are that follow, see `best_weights`."""
        return best_weights(start, rows, self.target, passes, self.price, rounds, owner)

    def slope(self, tried: Classes, passes: Sequence[PassRows], found: Weighed) -> FloatArray:
        """(K,) by how much what is minimised rises with the weight of each class; passes, found : of the weights at hand."""
        slope = np.empty(tried.weights.size)
        for start in range(0, slope.size, BLOCK):
            at = slice(start, start + BLOCK)
            some = tried.take(np.arange(slope.size)[at])
            slope[at] = self.rows(some) @ found.by_row
            for i, (p, force) in enumerate(zip(passes, found.by_pass, strict=True)):
                pressed = np.flatnonzero(force)
                if pressed.size:
                    slope[at] += (1 - curve(some.odds[i], some.spend[i], p.budgets[pressed])[0]) @ force[pressed]
        return slope

    def merit(self, q: FloatArray, rows: FloatArray, passes: Sequence[PassRows]) -> float:
        """What weights q of classes with these rows are worth, less being better."""
        return merit(q, rows, self.target, passes, self.price)


def _rows(
    odds: Sequence[Sampled | Geometric],
    spend: Sequence[FloatArray],
    premium: Sequence[FloatArray | float],
    evidence: Evidence,
    aims: Sequence[Aim],
) -> FloatArray:
    columns = [aim.rows(odds, spend, premium) for aim in aims]
    for o, w, b in zip(odds, spend, evidence.budgets, strict=True):
        columns.append((1 - curve(o, w, b)[0]) / (SOLVED_ERROR * np.sqrt(max(b.size / WORTH, 1.0))))
    return np.hstack(columns)
