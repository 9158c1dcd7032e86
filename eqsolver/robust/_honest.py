"""Margins out of sample: mixtures chosen on some problems or domains and paid on others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from eqsolver._base import FloatArray, IntArray
from eqsolver.posted import OutOfSample, halves
from eqsolver.robust._board import Board, board
from eqsolver.robust._mixture import Programs
from eqsolver.robust._pool import Pool, pool
from eqsolver.robust._sets import AmbiguitySet
from eqsolver.technology import all_steps


def cross_fitted(
    made: Board,
    sets: Sequence[AmbiguitySet],
    *,
    levels: FloatArray | None,
    selling: Sequence[int] | None,
    repeats: int,
    seed: int,
    programs: Programs,
    progress: Callable[[float], None] = lambda share: None,
) -> list[OutOfSample]:
    """Choose on one half of the problems, pay on the other, and the other way round; each of several sets.

    Notes
    -----
    The problems of each scenario are dealt into halves at random, again and again. Halves, because prices and levels of a
    scenario are those of the problems seen of it: with few of them the market price comes near the cheapest provider of each
    problem, and margins are those of another market. Everything that was fitted is fitted anew on each half.
    """
    rng = np.random.default_rng(seed)
    stratum = np.argmax(made.scenarios.shares > 0, axis=0)
    found: list[list[tuple[float, float]]] = [[] for _ in sets]
    for turn in range(repeats):
        half = halves(stratum, rng, made.market.origin)
        for side in (0, 1):
            fit, other = (part_of(made, np.flatnonzero(half == s), levels, selling) for s in (side, 1 - side))
            if fit is None or other is None:
                continue
            chosen = pool(fit[0], programs=programs)
            for entry, within in zip(found, sets, strict=True):
                mixed = chosen.refine(within.among(fit[1]))
                used = np.flatnonzero(mixed.weights)
                paid = other[0].margins([chosen.policies[k] for k in used]) @ mixed.weights[used]
                entry.append((float(other[0].scenarios.weights @ paid), mixed.nominal_value))
            progress((2 * turn + side + 1) / (2 * repeats))
    return [OutOfSample(held_out=np.array([h for h, _ in e]), in_sample=np.array([s for _, s in e])) for e in found]


def part_of(
    made: Board, problems: IntArray, levels: FloatArray | None, selling: Sequence[int] | None
) -> tuple[Board, IntArray] | None:
    """The board on some of the problems, and which of its scenarios are left; None if nobody solves any of them."""
    weights = np.zeros_like(made.market.weights)
    weights[problems] = made.market.weights[problems]
    market = made.market.reweighted(weights)
    scenarios, seen = made.scenarios.part(problems)
    steps = all_steps(market, made.rules)
    if not any(steps[i].at.size for i in made.access):
        return None
    return board(market, made.rules, scenarios, steps=steps, access=made.access, selling=selling, levels=levels), seen


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LeftOut:
    """What mixtures pay in a scenario that they were not chosen on: paid, (Xi,)."""

    paid: FloatArray

    def shortfall(self, weights: FloatArray | None = None) -> float:
        """Mean loss below zero over the scenarios, equally weighted or by weights (Xi,)."""
        loss = np.maximum(-self.paid, 0.0)
        return float(loss.mean() if weights is None else weights @ loss)


def leave_one_out(made: Pool, within: AmbiguitySet, progress: Callable[[float], None] = lambda share: None) -> LeftOut:
    """For each scenario the margin of the mixture chosen on all the others, thresholds included."""
    paid = np.zeros(len(made.board.scenarios))
    for row in range(paid.size):
        rest = made.without(row)
        mixed = rest.refine(within)
        paid[row] = rest.margins[row] @ mixed.weights
        progress((row + 1) / paid.size)
    return LeftOut(paid=paid)
