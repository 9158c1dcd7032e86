"""Where paths meet levels in every scenario at once: GEMMs on a coarse grid find the interval, exact steps the place in it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from eqsolver._base import FloatArray, IntArray
from eqsolver.market import Provider
from eqsolver.technology import REACH, Rules, Steps, curves

INTERVALS = 192
"""Intervals of a provider's steps within which levels are first located."""

_ROWS = 2048
"""Rows of one matrix product: few enough to stay near the processor."""

_ENTRIES = 2**23
"""Numbers held at once by one block of GEMMs, or of exact steps."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ladder:
    """A provider's curves at the ends of some intervals of its steps.

    ends : (J + 1,) positions of steps, -1 (nothing bought) first. solved, paid : (N, J + 1) 1 - S, and price times F there.
    """

    ends: IntArray
    solved: FloatArray
    paid: FloatArray


def ladder(provider: Provider, steps: Steps, rules: Rules) -> Ladder:
    """Intervals with about equally many attempts in each, none of them empty."""
    even = np.linspace(0, steps.problem.size, INTERVALS + 1)[1:]
    ends = np.unique(np.minimum(np.searchsorted(steps.last + 1, even), steps.at.size - 1))
    S, F = curves(provider, np.append(0.0, steps.at[ends]), rules)
    return Ladder(ends=np.append(-1, ends), solved=1.0 - S, paid=provider.price * F)


def cost_at_levels(
    provider: Provider,
    steps: Steps,
    made: Ladder,
    reaching: FloatArray,
    short: FloatArray,
) -> FloatArray:
    """What one provider is paid until it has added what each level still lacks.

    Parameters
    ----------
    reaching : (R, N) probability that the problem is drawn and still unsolved, a row per scenario and path so far.
    short : (R, L) what is missing to each level, > 0; nan where it is not asked.

    Returns
    -------
    (R, L) money up to the very step that reaches the level; infinite where none does, nan where not asked.
    """
    found = np.full(short.shape, np.nan)
    R, J = len(reaching), made.ends.size
    size = _ROWS
    for begin in range(0, R, size):
        rows = slice(begin, min(begin + size, R))
        mass, lacking = reaching[rows], short[rows] - REACH
        asked = np.isfinite(lacking)
        if not asked.any():
            continue
        gain, paid = mass @ made.solved, mass @ made.paid
        at = _first_reaching(gain, np.where(asked, lacking, 0.0))
        row, level = np.nonzero(asked & (at < J))
        here = np.where(asked, np.inf, np.nan)
        here[row, level] = _within(
            provider, steps, made, mass, gain, paid, row, np.maximum(at[row, level], 1), lacking[row, level]
        )
        found[rows] = here
    return found


def _first_reaching(gain: FloatArray, wanted: FloatArray) -> IntArray:
    """(R, L) first column of the nondecreasing rows (R, J) that is at least what is wanted, J if none."""
    found = np.empty(wanted.shape, dtype=np.int64)
    for r, row in enumerate(gain):
        found[r] = row.searchsorted(wanted[r])
    return found


def _within(
    provider: Provider,
    steps: Steps,
    made: Ladder,
    mass: FloatArray,
    gain: FloatArray,
    paid: FloatArray,
    row: IntArray,
    end: IntArray,
    lacking: FloatArray,
) -> FloatArray:
    """(H,) money at the first step within interval `end` that adds what row's level lacks, attempt by attempt."""
    found = np.empty(row.size)
    order = np.argsort(end, kind="stable")  # hits of one interval keep the order of their rows
    bounds = np.flatnonzero(np.diff(end[order], prepend=-1, append=made.ends.size))
    for start, stop in itertools.pairwise(bounds.tolist()):
        j = int(end[order[start]])
        inside = _Interval.of(steps, int(made.ends[j - 1]), int(made.ends[j]))
        size = max(1, _ENTRIES // (4 * inside.problem.size))
        for block in range(start, stop, size):
            hits = order[block : min(block + size, stop)]
            first = np.diff(row[hits], prepend=-1) > 0
            rows, back = row[hits][first], np.cumsum(first) - 1
            solved, spent = inside.followed(mass, rows, gain[rows, j - 1])
            short = solved[back] < lacking[hits, None]
            at = np.minimum(short.sum(axis=1), solved.shape[1] - 1)
            found[hits] = paid[row[hits], j - 1] + provider.price * spent[back, at]
    return found


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Interval:
    """Some consecutive steps: their attempts, where each step ends among them, and how far apart they are."""

    problem: IntArray
    drop: FloatArray
    rise: FloatArray
    marks: IntArray
    gaps: FloatArray
    cuts: bool

    @classmethod
    def of(cls, steps: Steps, before: int, final: int) -> _Interval:
        """The steps after position `before` up to `final`."""
        begin = int(steps.last[before]) + 1 if before >= 0 else 0
        attempts = slice(begin, int(steps.last[final]) + 1)
        return cls(
            problem=steps.problem[attempts],
            drop=steps.drop[attempts],
            rise=steps.rise[attempts],
            marks=steps.last[before + 1 : final + 1] - begin,
            gaps=np.diff(steps.at[before + 1 : final + 1], prepend=steps.at[before] if before >= 0 else 0.0),
            cuts=steps.cuts,
        )

    def followed(self, mass: FloatArray, rows: IntArray, solved: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(rows, steps) solved at each step, `solved` (rows,) before the first, and list-price money spent since then."""
        met = mass[rows[:, None], self.problem]
        after = solved[:, None] + self._running(met, self.drop)
        if not self.cuts:
            return after, self._running(met, self.rise)
        unsolved = mass[rows].sum(axis=1)[:, None] - np.column_stack([solved, after[:, :-1]])
        return after, np.cumsum(unsolved * self.gaps, axis=1)

    def _running(self, met: FloatArray, effect: FloatArray) -> FloatArray:
        """(rows, steps) running sums over the attempts; few at a time are one small product."""
        if effect.size > _SMALL:
            return np.cumsum(met * effect, axis=1)[:, self.marks]
        found: FloatArray = met @ (effect[:, None] * (np.arange(effect.size)[:, None] <= self.marks))
        return found


_SMALL = 64
