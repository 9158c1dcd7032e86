"""How robust to be: the radius that the data call for, by resamples that play the truth, or by customers held out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from eqsolver._base import BoolArray, FloatArray, IntArray, UsageError
from eqsolver.posted import halves
from eqsolver.robust._board import Board, board
from eqsolver.robust._candidates import undominated
from eqsolver.robust._honest import part_of
from eqsolver.robust._mixture import robust_mixture
from eqsolver.robust._pool import Pool, pool
from eqsolver.robust._radius import radii
from eqsolver.robust._scenarios import Scenarios
from eqsolver.robust._sets import AmbiguitySet

RadiusRule = Literal["bootstrap", "kfold"]

COVERAGE = 0.95
"""Share of resamples in which the worst case must not promise more than the mixture earns."""

SAME = 1e-9
"""Margins that differ by less are equal."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RadiusChoice:
    """A radius chosen from data, and what spoke for it.

    rule : see `chosen_radius`. radius : the one chosen. radii : (C,) those to choose from, the least robust first.
    score : (C,) by radius: of `bootstrap` the share of resamples in which this radius's own worst case keeps its promise; of
        `kfold` the margin on customers held out.
    behind : (C,) standard error of how far the score is behind the best; 0 of `bootstrap`.
    parts : how many resamples or folds. of : what they are made of.
    policies : how many policies a resample may mix, of `bootstrap`; None of `kfold`, which makes its own in every fold.
    """

    rule: RadiusRule
    radius: float
    radii: FloatArray
    score: FloatArray
    behind: FloatArray
    parts: int
    of: Literal["problems", "scenarios", "halves of the problems"]
    policies: int | None = None

    @property
    def keeps(self) -> bool:
        """Of `bootstrap`, whether the radius chosen keeps its promise in enough resamples; the largest may not."""
        return self.rule == "kfold" or bool(self.score[self.at] >= COVERAGE)

    @property
    def at(self) -> int:
        """Which of the radii was chosen."""
        return int(np.flatnonzero(self.radii == self.radius)[0])


def chosen_radius(
    made: Pool,
    within: AmbiguitySet,
    rule: RadiusRule,
    *,
    levels: FloatArray | None,
    selling: Sequence[int] | None,
    seed: int,
    resamples: int = 40,
    folds: int = 10,
    points: int = 13,
    progress: Callable[[float], None] = lambda share: None,
) -> RadiusChoice:
    """The radius of a kind of set by one of two rules.

    `bootstrap` : the least such that it and every larger one keep their promise in 95 % of resamples of the problems; the
        largest if none does.
    `kfold` : the largest that earns on customers held out what the best one earns, to within a standard error.

    resamples, folds : how many of these, at most. points : radii to choose from. levels, selling : as of the board.

    Raises `UsageError` if there is no such rule, the set has no radius, or resampled attempts are to be resampled again.

    Notes
    -----
    *Bootstrap.* Each resample plays the sample and the sample the truth. The mixture that is robust on the resample promises
    its worst case there; the promise is kept if the mixture's nominal margin on the sample is no less. A larger radius promises
    less but may mix policies that earn less, so keeping the promise is not monotone in the radius: every radius is tried on
    every resample. A resample mixes policies of the pool that no other dominates on the sample, abstaining among them; their
    thresholds are not fitted to the resample. The radius insures against the luck of the sample, and against other customers
    only as far as the scenarios show them.

    *K-fold.* Scenarios that share no problem are other customers: they are dealt into at most `folds` parts of about equal
    weight; at every radius all is fitted anew without a fold, and paid in it. Scenarios that are resamples of the same
    problems, or a single one, cannot be held out: the problems are halved folds / 2 times instead, as in `cross_fitted`. Of
    radii no further behind the best than one standard error of that difference over the folds, weighted by what they weigh and
    taken as independent, the largest is chosen; of radii that earn the same in every fold, the least.
    """
    if rule not in get_args(RadiusRule):
        raise UsageError(f"auto_radius {rule!r}: there are {', '.join(get_args(RadiusRule))}")
    grid = radii(within, made.board.scenarios.weights, points)
    if rule == "bootstrap":
        return _by_bootstrap(made, within, grid, levels, selling, resamples, seed, progress)
    return _by_folds(made, within, grid, levels, selling, folds, seed, progress)


def _by_bootstrap(
    made: Pool,
    within: AmbiguitySet,
    grid: FloatArray,
    levels: FloatArray | None,
    selling: Sequence[int] | None,
    resamples: int,
    seed: int,
    progress: Callable[[float], None],
) -> RadiusChoice:
    base = made.board
    if base.scenarios.markets:
        raise UsageError(
            "a radius is chosen by resampling problems, and these scenarios resample attempts: give other scenarios, or kfold"
        )
    q0 = base.scenarios.weights
    drawn = base.market.resampled(resamples, np.random.default_rng(seed))
    kept = undominated(made.margins)
    policies, truth = [made.policies[k] for k in kept], q0 @ made.margins[:, kept]
    keeps = np.empty((resamples, grid.size), dtype=np.bool_)
    for b, weighed in enumerate(drawn):
        mass = base.scenarios.shares * (weighed / base.market.weights)
        total = mass.sum(axis=1)
        shares = np.where(total[:, None] > 0, mass / np.where(total > 0, total, 1.0)[:, None], base.scenarios.shares)
        weights = q0 * total / float(q0 @ total)
        seen = Scenarios(names=base.scenarios.names, shares=shares, weights=weights, problems=base.scenarios.problems)
        margins = board(
            base.market, base.rules, seen, steps=base.steps, access=base.access, selling=selling, levels=levels
        ).margins(policies)
        start = None
        for c, radius in enumerate(grid):
            mixed = robust_mixture(margins, weights, within.at(float(radius)), programs=made.programs, start=start)
            start = np.flatnonzero(mixed.weights)
            keeps[b, c] = float(truth @ mixed.weights) >= mixed.value - SAME
        progress((b + 1) / resamples)
    return RadiusChoice(
        rule="bootstrap",
        radius=float(grid[least_reliable(keeps)]),
        radii=grid,
        score=keeps.mean(axis=0),
        behind=np.zeros(grid.size),
        parts=resamples,
        of="problems",
        policies=kept.size,
    )


def least_reliable(keeps: BoolArray) -> int:
    """The first of C radii from which on every radius keeps its promise in `COVERAGE` of the resamples; the last if none does.

    keeps : (B, C) whether the promise is kept in a resample at a radius, the least robust first.
    """
    short = np.flatnonzero(keeps.mean(axis=0) < COVERAGE)
    return min(int(short[-1]) + 1, keeps.shape[1] - 1) if short.size else 0


def _by_folds(
    made: Pool,
    within: AmbiguitySet,
    grid: FloatArray,
    levels: FloatArray | None,
    selling: Sequence[int] | None,
    folds: int,
    seed: int,
    progress: Callable[[float], None],
) -> RadiusChoice:
    base = made.board
    apart = not base.scenarios.markets and bool(((base.scenarios.shares > 0).sum(axis=0) <= 1).all())
    apart = apart and len(base.scenarios) > 1
    dealt = _scenario_folds(base.scenarios, folds) if apart else _problem_halves(base, folds // 2, seed)
    paid, weights = [], []
    for turn, out in enumerate(dealt):
        row = _held_out(base, made, within, grid, out, levels, selling)
        if row is not None:
            paid.append(row)
            weights.append(float(base.scenarios.weights @ base.scenarios.shares[:, out].sum(axis=1)))
        progress((turn + 1) / len(dealt))
    if not paid:
        raise UsageError("kfold: without a fold, or in it, nobody solves anything: choose the radius by bootstrap")
    earned, share = np.array(paid), np.array(weights) / sum(weights)
    mean = share @ earned
    lost = earned[:, [int(np.argmax(mean))]] - earned
    behind = np.sqrt(share**2 @ (lost - share @ lost) ** 2 * len(paid) / max(len(paid) - 1, 1))
    chosen = int(np.flatnonzero(share @ lost <= behind + SAME)[-1])
    while chosen and np.abs(earned[:, chosen - 1] - earned[:, chosen]).max() <= SAME:
        chosen -= 1
    return RadiusChoice(
        rule="kfold",
        radius=float(grid[chosen]),
        radii=grid,
        score=mean,
        behind=behind,
        parts=len(paid),
        of="scenarios" if apart else "halves of the problems",
    )


def _held_out(
    base: Board,
    made: Pool,
    within: AmbiguitySet,
    grid: FloatArray,
    out: IntArray,
    levels: FloatArray | None,
    selling: Sequence[int] | None,
) -> FloatArray | None:
    """(C,) nominal margins on some problems of mixtures chosen on the others; None if nobody solves any of either."""
    fit = part_of(base, np.setdiff1d(np.arange(base.market.weights.size), out), levels, selling)
    other = part_of(base, out, levels, selling)
    if fit is None or other is None:
        return None
    chosen, there = pool(fit[0], programs=made.programs), within.among(fit[1])
    for c in (0, grid.size // 2):
        chosen.refine(there.at(float(grid[c])))
    shares = np.column_stack([chosen.best(there.at(float(radius))).weights for radius in grid])
    used = np.flatnonzero(shares.any(axis=1))
    earned: FloatArray = other[0].scenarios.weights @ other[0].margins([chosen.policies[k] for k in used]) @ shares[used]
    return earned


def _scenario_folds(scenarios: Scenarios, most: int) -> list[IntArray]:
    """The problems of each fold: scenarios in turn, the heaviest first, into the fold that weighs least."""
    folds: list[list[int]] = [[] for _ in range(min(most, len(scenarios)))]
    weight = np.zeros(len(folds))
    for s in np.argsort(-scenarios.weights, kind="stable").tolist():
        lightest = min(range(len(folds)), key=lambda f: (weight[f], len(folds[f])))
        folds[lightest].append(s)
        weight[lightest] += scenarios.weights[s]
    return [np.flatnonzero(scenarios.shares[fold].sum(axis=0) > 0) for fold in folds]


def _problem_halves(base: Board, splits: int, seed: int) -> list[IntArray]:
    """Of each split of the problems that scenarios have, both halves."""
    rng = np.random.default_rng(seed)
    seen = np.flatnonzero(base.scenarios.shares.sum(axis=0) > 0)
    origin = None if base.market.origin is None else base.market.origin[seen]
    dealt = [halves(np.zeros(seen.size, dtype=np.int64), rng, origin) for _ in range(splits)]
    return [seen[half == side] for half in dealt for side in (0, 1)]
