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
    size = max(1, _ENTRIES // (2 * J))
    for begin in range(0, R, size):
        rows = slice(begin, min(begin + size, R))
        mass, lacking = reaching[rows], short[rows] - REACH
        asked = np.isfinite(lacking)
        if not asked.any():
            continue
        gain, paid = mass @ made.solved, mass @ made.paid
        at = _first_reaching(gain, np.where(asked, lacking, 0.0))
        row, level = np.nonzero(asked & (at < J))
        end = np.maximum(at[row, level], 1)
        here = np.where(asked, np.inf, np.nan)
        here[row, level] = _within(provider, steps, made, mass, gain, paid, row, end, lacking[row, level])
        found[rows] = here
    return found


def _first_reaching(gain: FloatArray, wanted: FloatArray) -> IntArray:
    """(R, L) first column of the nondecreasing rows (R, J) that is at least what is wanted, J if none; by bisection."""
    low = np.zeros(wanted.shape, dtype=np.int64)
    high = np.full(wanted.shape, gain.shape[1])
    for _ in range(int(gain.shape[1]).bit_length()):
        middle = np.minimum((low + high) // 2, gain.shape[1] - 1)
        reached = np.take_along_axis(gain, middle, axis=1) >= wanted
        open_ = low < high
        high = np.where(open_ & reached, middle, high)
        low = np.where(open_ & ~reached, middle + 1, low)
    return low


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
    order = np.argsort(end, kind="stable")
    bounds = np.flatnonzero(np.diff(end[order], prepend=-1, append=made.ends.size))
    for start, stop in itertools.pairwise(bounds.tolist()):
        j = int(end[order[start]])
        first, final = int(made.ends[j - 1]) + 1, int(made.ends[j])
        begin = int(steps.last[first - 1]) + 1 if first else 0
        problem = steps.problem[begin : int(steps.last[final]) + 1]
        drop, rise = steps.drop[begin : begin + problem.size], steps.rise[begin : begin + problem.size]
        marks = steps.last[first : final + 1] - begin
        size = max(1, _ENTRIES // (4 * problem.size))
        for block in range(start, stop, size):
            hits = order[block : min(block + size, stop)]
            rows, back = np.unique(row[hits], return_inverse=True)
            met = mass[rows][:, problem]
            solved = gain[rows, j - 1][:, None] + np.cumsum(met * drop, axis=1)[:, marks]
            if steps.leftover_is_spent:
                left = mass[rows].sum(axis=1)[:, None] - np.column_stack([gain[rows, j - 1], solved[:, :-1]])
                gaps = np.diff(steps.at[first : final + 1], prepend=steps.at[first - 1] if first else 0.0)
                spent = np.cumsum(left * gaps, axis=1)
            else:
                spent = np.cumsum(met * rise, axis=1)[:, marks]
            at = np.minimum(_first_reaching(solved[back], lacking[hits][:, None])[:, 0], marks.size - 1)
            found[hits] = paid[row[hits], j - 1] + provider.price * spent[back, at]
    return found
