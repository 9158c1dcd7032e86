"""Problem classes, how far their pass curves are from those of the logs, and new ones tried beside those at hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from eqsolver._base import BoolArray, FloatArray, IntArray
from eqsolver.estimate._policies import curve
from eqsolver.estimate._weights import PassRows
from eqsolver.market import Geometric, Sampled
from eqsolver.technology import FIRST

POINTS = 4000
"""Budgets, per provider and market, at which pass curves are compared."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Classes:
    """Candidate classes. weights : (K,) shares q. success, spend : (M, K) p and w."""

    weights: FloatArray
    success: FloatArray
    spend: FloatArray

    def take(self, which: NDArray[np.bool_] | IntArray) -> Classes:
        """Some of them, by position or by a mask, with the weights they have."""
        return Classes(weights=self.weights[which], success=self.success[:, which], spend=self.spend[:, which])

    def and_also(self, other: Classes) -> Classes:
        """These and others."""
        return Classes(
            weights=np.append(self.weights, other.weights),
            success=np.hstack([self.success, other.success]),
            spend=np.hstack([self.spend, other.spend]),
        )

    @property
    def odds(self) -> list[Geometric]:
        """By provider."""
        return [Geometric(success=p) for p in self.success]


def steered(classes: Classes, i: int, budgets: FloatArray, rng: np.random.Generator) -> Classes:
    """Classes like those at hand whose attempts of provider i cost just these budgets, where pass is off: one for each, a copy
    of some class of about that cost with other odds. Weights are zero."""
    usable, budgets = np.flatnonzero(classes.success[i] > 0), budgets[budgets > 2 * FIRST]  # no attempt costs nothing
    if not usable.size:
        return classes.take(usable)
    far = np.abs(np.log(budgets[:, None] / classes.spend[i, usable]))
    copied = usable[np.argmin(far + ABOUT * np.abs(rng.normal(size=far.shape)), axis=1)]
    p, w = classes.success[:, copied], classes.spend[:, copied]
    spend = w * np.exp(TYPICAL_STEP * APART * rng.normal(size=w.shape))
    spend[i] = budgets
    logit = special.logit(np.clip(p[i], *ODDS)) + ODDS_STEP * TYPICAL_STEP * rng.normal(size=budgets.size)
    success = p.copy()
    success[i] = special.expit(logit)
    return Classes(weights=np.zeros(budgets.size), success=success, spend=spend)


ABOUT = 0.2
"""Classes whose log cost differs by about this are as good as one another to be copied."""


def varied(classes: Classes, size: int, anchors: Sequence[FloatArray], rng: np.random.Generator) -> Classes:
    """Classes like those at hand, as candidates: some of a class's odds and costs moved, by a little or by much.

    anchors : per provider, costs of an attempt at which the logs' pass jumps: half of the candidates near one are put there.
    Zero odds stay zero: no class solves what its problems never did. Half of the candidates vary classes drawn by their
    weight, half any class. Weights are zero.
    """
    M, K = classes.success.shape
    heavy = rng.choice(K, size // 2, p=classes.weights / classes.weights.sum())
    copied = np.concatenate([heavy, rng.integers(0, K, size - heavy.size)])
    reach = np.exp(rng.normal(np.log(TYPICAL_STEP), 1.2, size))
    moved = rng.random((M, size)) < rng.choice([0.3, 1.0], size)
    alone = rng.random(size) < 0.5
    moved[:, alone] = rng.integers(0, M, size)[alone] == np.arange(M)[:, None]
    p, w = classes.success[:, copied], classes.spend[:, copied]
    logit = special.logit(np.clip(p, *ODDS)) + ODDS_STEP * reach * moved * rng.normal(size=(M, size))
    spend = w * np.exp(reach * np.where(moved, 1.0, APART) * rng.normal(size=(M, size)))
    for i, at in enumerate(anchors):
        if at.size:
            nearest = at[np.argmin(np.abs(np.log(spend[i][:, None] / at)), axis=1)]
            close = (np.abs(np.log(spend[i] / nearest)) < NEAR) & (rng.random(size) < 0.5)
            spend[i] = np.where(close, nearest, spend[i])
    return Classes(weights=np.zeros(size), success=np.where(p > 0, special.expit(logit), 0.0), spend=spend)


NEAR = 0.1
APART = 0.2
"""Share of a change that costs which are not moved change by: no two classes jump at the same budget by being copies."""


def jumps(odds: Sampled, spend: FloatArray, weights: FloatArray, least: float) -> FloatArray:
    """Costs of an attempt at which first attempts alone make pass jump by more than `least`."""
    cost, which = np.unique(spend, return_inverse=True)
    mass = np.bincount(which.ravel(), weights * odds.successes / odds.attempts)
    return np.asarray(cost[mass > least])


TYPICAL_STEP, ODDS_STEP = 0.03, 8.0
"""A typical change of log cost, and how many times as large a change of log odds is."""
ODDS = (1e-6, 1 - 1e-6)


def compared_budgets(
    odds: Sampled | Geometric, spend: FloatArray, weights: FloatArray, max_budget: float, points: int = POINTS
) -> FloatArray:
    """Budgets up to the cap at which a pass curve is followed, positions under `finish`, `FIRST` the first of them.

    Every step if they fit in `points`, else the first attempts and budgets between which pass changes little.
    """
    k = np.arange(1, _ATTEMPTS + 1)
    spaced = np.geomspace(min(spend.min(), max_budget), max_budget, POINTS)
    b = np.unique(np.concatenate([[FIRST], (spend[:, None] * k).ravel(), spaced]))
    b = b[b <= max_budget]
    if b.size > points:
        solved = weights @ (1 - curve(odds, spend, b)[0])
        rise = np.sqrt(np.maximum(np.diff(solved, prepend=0.0), 0.0))
        running = np.cumsum(rise + rise.mean() * 0.05)
        b = b[np.unique(np.append(0, np.searchsorted(running, np.linspace(0, running[-1], points)).clip(0, b.size - 1)))]
    return np.unique(np.append(b, max_budget))


_ATTEMPTS = 24


def pass_rows(
    odds: Sampled,
    spend: FloatArray,
    weights: FloatArray,
    classes: Classes,
    i: int,
    budgets: FloatArray,
    *,
    entered: BoolArray,
    tolerance: float,
    sold_from: float,
) -> PassRows:
    """Pass of provider i at given budgets, the cap last.

    entered : where it is a constraint from the start. tolerance : error that is as good. sold_from : the least budget at which
    the provider's offer is the price of a judged level: from there on pass is also to be right at a budget that is right
    within `NEARBY`, since where the curve is flat a little more pass is a far lower price.
    """

    def solved(b: FloatArray) -> FloatArray:
        return np.asarray(weights @ (1 - curve(odds, spend, b)[0]))

    right, sold = solved(budgets), budgets >= sold_from
    before, after = solved(budgets[sold] / NEARBY), solved(np.minimum(budgets[sold] * NEARBY, budgets[-1]))
    below, above = np.full((2, budgets.size), tolerance)
    finest = min(FINEST, tolerance)
    below[sold] = np.clip(right[sold] - before, finest, tolerance)
    above[sold] = np.clip(after - right[sold], finest, tolerance)
    by_class = 1 - curve(classes.odds[i], classes.spend[i], budgets)[0]
    return PassRows(budgets=budgets, solved=right, below=below, above=above, by_class=by_class, entered=entered)


NEARBY = 1.06
"""Prices that are right but for so much are as good."""
FINEST = 1e-4
"""No smaller error of pass matters."""


def every_step(
    odds: Sampled, spend: FloatArray, weights: FloatArray, classes: Classes, i: int, max_budget: float
) -> FloatArray:
    """Budgets at and just below which the logs or the classes make an attempt of provider i."""
    return both_sides(_compared(odds, spend, weights, classes, i, max_budget))


def first_steps(classes: Classes, i: int, max_budget: float) -> FloatArray:
    """Budgets at and just below which the classes make one of their first attempts of provider i, where pass jumps most."""
    b = (classes.spend[i][:, None] * np.arange(1, FIRST_ATTEMPTS + 1)).ravel()
    return both_sides(b[b <= max_budget])


FIRST_ATTEMPTS = 3


def both_sides(budgets: FloatArray) -> FloatArray:
    """Budgets and what is just below them, increasing."""
    return np.unique(np.concatenate([budgets, budgets * (1 - _BELOW)]))


def _compared(odds: Sampled, spend: FloatArray, weights: FloatArray, classes: Classes, i: int, max_budget: float) -> FloatArray:
    return np.union1d(
        compared_budgets(odds, spend, weights, max_budget),
        compared_budgets(classes.odds[i], classes.spend[i], classes.weights, max_budget),
    )


_BELOW = 1e-10


def largest_pass_error(
    odds: Sampled, spend: FloatArray, weights: FloatArray, classes: Classes, i: int, max_budget: float
) -> float:
    """A bound on the difference of two pass curves over every budget from 0 to the cap, tight where all steps are compared.

    Both rise from `FIRST` on, so between two budgets each stays between its value at the first and that just below the second.
    """
    b = _compared(odds, spend, weights, classes, i, max_budget)
    (at, below), (own, own_below) = (
        [q @ (1 - curve(o, w, x)[0]) for x in (b, b[1:] * (1 - _BELOW))]
        for o, w, q in ((odds, spend, weights), (classes.odds[i], classes.spend[i], classes.weights))
    )
    gaps = (np.abs(at - own), below - own[:-1], own_below - at[:-1])
    return float(max(gap.max() for gap in gaps))


def reach_surplus(
    odds: Sequence[Sampled], spend: Sequence[FloatArray], weights: FloatArray, classes: Classes, cap: float
) -> FloatArray:
    """(M,) pass at the cap, classes minus logs."""
    at = np.array([cap])
    return np.array(
        [
            float((weights @ curve(o, w, at)[0] - classes.weights @ curve(p, c, at)[0])[0])
            for o, w, p, c in zip(odds, spend, classes.odds, classes.spend, strict=True)
        ]
    )
