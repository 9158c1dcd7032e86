"""Odds and costs of all classes moved at once, with their weights: a Gauss-Newton step, each class within its own bounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from eqsolver._base import BoolArray, FloatArray, IntArray
from eqsolver.estimate._classes import ODDS, ODDS_STEP, Classes
from eqsolver.estimate._misfit import Misfit
from eqsolver.estimate._policies import curve
from eqsolver.estimate._weights import DROPPED, PassRows, Weighed

MOVES = 400
"""Coordinates that may move in one step: those that promise most."""
STEADY = 0.1
"""A cost may move where the jump of pass at the first attempt is less than this share of the tolerance: where it is more, what
comes of a small move is not what comes of a smaller one."""


def slid(
    misfit: Misfit, classes: Classes, rows: FloatArray, passes: Sequence[PassRows], found: Weighed, reach: float, rounds: int
) -> Classes:
    """The classes and weights that are best to first order.

    Parameters
    ----------
    rows, passes, found : of the classes, see `Misfit`. reach : the largest change of a log cost; log odds change by up to
        `ODDS_STEP` times as much. rounds : see `best_weights`.

    Notes
    -----
    To first order a class k of weight q moved by the share s of a step changes rows by q s times what the whole step changes
    them by; in d = q s the program of `best_weights` stays convex, with |d| <= q. Columns generated at random come near the
    best classes only slowly; sliding those at hand is what makes such methods end (Denoyelle, Duval, Peyré & Soubies 2019, the
    sliding Frank-Wolfe algorithm).
    """
    moves = _moves(classes, STEADY * misfit.tolerance)
    if not moves.owner.size:
        return classes
    tried = moves.by(classes, reach)
    slope = misfit.slope(tried, passes, found) - misfit.slope(classes, passes, found)[moves.owner]
    best = np.sort(np.argsort(-np.abs(slope) * classes.weights[moves.owner], kind="stable")[:MOVES])
    moves, tried = moves.take(best), tried.take(best)
    change = misfit.rows(tried) - rows[moves.owner]
    along = [
        p.and_also(1 - curve(tried.odds[i], tried.spend[i], p.budgets)[0] - p.by_class[moves.owner])
        for i, p in enumerate(passes)
    ]
    there = misfit.weighed(classes.weights, np.vstack([rows, change]), along, rounds, moves.owner)
    q = there.weights
    share = np.divide(there.moved, q[moves.owner], out=np.zeros(moves.owner.size), where=q[moves.owner] > DROPPED)
    return moves.made(classes, reach * np.clip(share, -1, 1), q).take(q > DROPPED)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Moves:
    """D coordinates of classes. owner, provider : (D,) of each. odds : (D,) whether its log odds move, or its log cost."""

    owner: IntArray
    provider: IntArray
    odds: BoolArray

    def take(self, which: IntArray) -> _Moves:
        return _Moves(owner=self.owner[which], provider=self.provider[which], odds=self.odds[which])

    def by(self, classes: Classes, reach: float) -> Classes:
        """D classes, each its owner moved in one coordinate."""
        each = np.arange(self.owner.size)
        alone = _Moves(owner=each, provider=self.provider, odds=self.odds)
        return alone.made(classes.take(self.owner), np.full(each.size, reach), classes.weights[self.owner])

    def made(self, classes: Classes, step: FloatArray, weights: FloatArray) -> Classes:
        """The classes moved in all coordinates, each by its own step."""
        odds, cost = np.zeros((2, *classes.success.shape))
        np.add.at(odds, (self.provider[self.odds], self.owner[self.odds]), ODDS_STEP * step[self.odds])
        np.add.at(cost, (self.provider[~self.odds], self.owner[~self.odds]), step[~self.odds])
        moved = special.expit(special.logit(np.clip(classes.success, *ODDS)) + odds)
        return Classes(weights=weights, success=np.where(odds != 0, moved, classes.success), spend=classes.spend * np.exp(cost))


def _moves(classes: Classes, jump: float) -> _Moves:
    """Every coordinate that may move: odds of what neither surely succeeds nor surely fails, costs where pass jumps by less."""
    low, high = ODDS
    used = classes.weights > DROPPED
    uncertain = (classes.success > 1.01 * low) & (classes.success < 1 - 1.01 * (1 - high)) & used
    smooth = (classes.success * classes.weights < jump) & used
    provider, owner = (np.concatenate(pair) for pair in zip(np.nonzero(uncertain), np.nonzero(smooth), strict=True))
    return _Moves(owner=owner, provider=provider, odds=np.arange(owner.size) < uncertain.sum())
