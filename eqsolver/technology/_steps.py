"""Every step of a provider's curves in one sorted list, so that single paths are evaluated exactly in linear time."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from eqsolver._base import FloatArray, IntArray, UsageError
from eqsolver.market import Provider
from eqsolver.technology._curves import SLACK, Timing, last_useful_attempt, survival, timing
from eqsolver.technology._rules import Rules

MAX_STEPS = 40_000_000
"""Steps kept per provider (28 bytes each)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Steps:
    """The positions at which a provider makes one more attempt on some problem, and what each attempt adds.

    at : (G,) distinct positions, increasing, > 0 (see `Rules`).
    last : (G,) index of the last attempt made at that position, into the E attempts below.
    problem : (E,) problem of each attempt, ordered by position.
    drop : (E,) by how much the attempt lowers the problem's survival S.
    rise : (E,) money at list price that it is expected to cost: w_s where it succeeds, w_f where it fails.
    end : the position beyond which nothing is ever solved. problems : N.
    cuts : all money of an allotment is spent on problems that stay unsolved, whether or not an attempt ends.
    free : money is allotted, and the provider costs none: all its attempts are made at `FIRST`.
    hopeless : (H,) problems that the provider never solves: attempts on them go on beyond `end`, and cost.
    hopeless_timing, hopeless_spend : when these attempts are made, and (H,) the money at list price of one.
    """

    at: FloatArray
    last: IntArray
    problem: IntArray
    drop: FloatArray
    rise: FloatArray
    end: float
    problems: int
    cuts: bool
    free: bool
    hopeless: IntArray
    hopeless_timing: Timing
    hopeless_spend: FloatArray

    def profile(self, reaching: FloatArray, upto: float = np.inf, after: float = 0.0) -> Profile:
        """What buying from this provider adds, from position `after` up to `upto`, step by step.

        reaching : (N,) probability that the problem is drawn and still unsolved when the provider has been bought at
        position 0 (weights times the other providers' survival).
        """
        first, stop = np.searchsorted(self.at, (after * (1 + SLACK), upto * (1 + SLACK)), side="right")
        begin = self.last[first - 1] + 1 if first else 0
        steps = self.last[first:stop]
        attempts = slice(begin, steps[-1] + 1 if steps.size else begin)
        mass = reaching[self.problem[attempts]]
        solved = np.cumsum(mass * self.drop[attempts])[steps - begin]
        at = self.at[first:stop]
        if self.cuts:
            if after < upto < np.inf and (not at.size or at[-1] < upto):  # money runs on to the end of the allotment
                at, solved = np.append(at, upto), np.append(solved, solved[-1:] if solved.size else 0.0)
            survived = self._unsolved(reaching, first) - np.concatenate([[0.0], solved[:-1]])[: at.size]
            spent = np.cumsum(survived * np.diff(at, prepend=after))
        else:
            spent = np.cumsum(mass * self.rise[attempts])[steps - begin]
            in_vain = self.spent_in_vain(reaching, upto, after)
            if in_vain > 0:
                at, solved = np.append(at, upto), np.append(solved, solved[-1:] if solved.size else 0.0)
                spent = np.append(spent, (spent[-1] if spent.size else 0.0) + in_vain)
        return Profile(at=at, solved=solved, spent=spent)

    def dropped(self, upto: float, after: float = 0.0) -> FloatArray:
        """(N,) survival lost on each problem by buying from position `after` up to `upto`."""
        first, stop = np.searchsorted(self.at, (after * (1 + SLACK), upto * (1 + SLACK)), side="right")
        attempts = slice(self.last[first - 1] + 1 if first else 0, self.last[stop - 1] + 1 if stop else 0)
        lost = np.bincount(self.problem[attempts], weights=self.drop[attempts], minlength=self.problems)
        return lost.astype(np.float64, copy=False)

    def spent_in_vain(self, reaching: FloatArray, upto: float, after: float) -> float:
        """Expected list-price money of the attempts beyond `end`, none of which succeeds, from one position to another."""
        if not self.end * (1 + SLACK) < upto < np.inf:
            return 0.0
        made = self.hopeless_timing.attempts(np.array([max(after, self.end), upto]))
        return float(reaching[self.hopeless] @ (self.hopeless_spend * (made[:, 1] - made[:, 0])))

    def interval(self, position: float) -> tuple[float, float]:
        """Left and right end (or infinity) of the positions at which the same attempts are made as at a given one, > 0."""
        place = int(np.searchsorted(self.at, position * (1 + SLACK), side="right"))
        left = float(self.at[place - 1]) if place else 0.0
        right = float(self.at[place]) if place < self.at.size else np.inf
        if right == np.inf and self.hopeless.size and self.hopeless_timing.stride.any():
            made = self.hopeless_timing.attempts(np.array([position]))[:, 0]
            rows = np.arange(made.size)
            some = made > 0
            left = max(left, float(self.hopeless_timing.position(rows[some], made[some] - 1).max(initial=0.0)))
            right = float(self.hopeless_timing.position(rows, made).min())
        return left, right

    def _unsolved(self, reaching: FloatArray, first: int) -> float:
        done = slice(0, self.last[first - 1] + 1 if first else 0)
        return float(reaching.sum() - reaching[self.problem[done]] @ self.drop[done])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Profile:
    """One stretch of a path: at position `at[g]` it has solved `solved[g]` of the market and spent `spent[g]` units, (G,)."""

    at: FloatArray
    solved: FloatArray
    spent: FloatArray


def steps(provider: Provider, rules: Rules) -> Steps:
    """List every step of a provider's curves up to its cap.

    Raises `UsageError` if there are more than `MAX_STEPS` (a cap far above the cost of an attempt).

    Notes
    -----
    One entry per attempt that fits the cap, fewer where logs end: E = sum over problems of cap / w. Time O(E log E).
    """
    when = timing(provider, rules)
    useful = last_useful_attempt(provider.odds)
    cap = rules.largest_position
    fits = when.attempts(np.array([cap]))[:, 0] if np.isfinite(cap) else when.most
    solving = np.minimum(useful, fits)
    some = np.flatnonzero(solving > 0)
    end = float(when.position(some, solving[some] - 1).max(initial=0.0))
    within = when.attempts(np.array([end]))[:, 0]
    fitting = np.where(useful > 0, np.minimum(solving, within), within)
    if fitting.sum() > MAX_STEPS:  # before it is made a whole number: a tiny cost lets more fit than 64 bits hold
        raise UsageError(
            f"provider {provider.name!r}: {fitting.sum():,.6g} attempts fit the cap over {fitting.size:,} problems, more than "
            f"{MAX_STEPS:,}; lower max_budget (or max_attempts)"
        )
    number = fitting.astype(np.int64)
    total = int(number.sum())
    problem = np.repeat(np.arange(number.size, dtype=np.int32), number)
    attempt = np.arange(1.0, total + 1.0) - np.repeat(np.cumsum(number) - number, number)
    drop, rise = _attempt_effects(provider, problem, attempt)
    at = when.position(problem, attempt - 1)
    order = np.argsort(at, kind="stable")
    at, problem, drop, rise = at[order], problem[order], drop[order], rise[order]
    last = np.flatnonzero(np.append(at[1:] > at[:-1] * (1 + SLACK), True)) if total else np.zeros(0, dtype=np.int64)
    hopeless = np.flatnonzero(useful == 0)
    return Steps(
        at=at[last],
        last=last,
        problem=problem,
        drop=drop,
        rise=rise,
        end=end,
        problems=number.size,
        cuts=rules.cuts and not provider.free,
        free=provider.free and rules.allot == "money",
        hopeless=hopeless,
        hopeless_timing=when.take(hopeless),
        hopeless_spend=provider.spend_if_failed[hopeless],
    )


def _attempt_effects(provider: Provider, problem: IntArray, attempt: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Survival lost and money spent by each attempt of a list, in blocks of problems that bound the memory."""
    drop, rise = np.empty(attempt.size), np.empty(attempt.size)
    bounds = np.searchsorted(problem, np.arange(0, provider.spend.size + _BLOCK, _BLOCK))
    for start, (lo, hi) in zip(range(0, provider.spend.size, _BLOCK), itertools.pairwise(bounds), strict=False):
        block = np.arange(start, min(start + _BLOCK, provider.spend.size))
        odds = provider.odds.take(block)
        count = np.bincount(problem[lo:hi] - start, minlength=block.size)
        k = np.arange(count.max(initial=0) + 1.0)
        S = survival(odds, np.broadcast_to(k, (block.size, k.size)))
        row, now = problem[lo:hi] - start, attempt[lo:hi].astype(np.int64)
        drop[lo:hi] = S[row, now - 1] - S[row, now]
        rise[lo:hi] = provider.spend[problem[lo:hi]] * drop[lo:hi] + provider.spend_if_failed[problem[lo:hi]] * S[row, now]
    return drop, rise


_BLOCK = 1024
