"""Chances of success: as specified, as counted in logs, or as an estimator believes them to be."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from eqsolver._base import BoolArray, FloatArray, IntArray, MarketError
from eqsolver.market._checks import check, one_axis, read_only, read_only_counts
from eqsolver.market._limits import check_magnitude


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Geometric:
    """Odds of a specification: every attempt on problem x succeeds with the same probability.

    success : (N,) probability p that one attempt succeeds, in [0, 1].
    """

    success: FloatArray

    def __post_init__(self) -> None:
        object.__setattr__(self, "success", read_only(self.success))
        p = self.success
        one_axis(p, "success")
        check((p >= 0) & (p <= 1), p, "success", "is outside [0, 1]. Percentages? Divide by 100.")
        check_magnitude(p, "success")

    def __len__(self) -> int:
        return len(self.success)

    @property
    def mean(self) -> FloatArray:
        """(N,) probability that one attempt succeeds."""
        return self.success

    def take(self, problems: IntArray) -> Self:
        return replace(self, success=self.success[problems])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sampled:
    """Odds of an attempt log: c successes among n attempts on problem x.

    attempts : (N,) number n of attempts made, counts >= 1.
    successes : (N,) number c of them that were verified, 0 <= c <= n.
    ends : (N,) whether the last attempt succeeded; None if outcomes are known by their numbers only. It shows how attempts
        were stopped; no answer depends on it.
    """

    attempts: IntArray
    successes: IntArray
    ends: BoolArray | None = None

    def __post_init__(self) -> None:
        for column in ("attempts", "successes"):
            object.__setattr__(self, column, read_only_counts(getattr(self, column)))
        n, c = self.attempts, self.successes
        one_axis(n, "attempts")
        if n.shape != c.shape:
            raise MarketError(f"attempts has {n.size} problems and successes {c.size}")
        check(n >= 1, n, "attempts", "must be at least 1")
        check((c >= 0) & (c <= n), c, "successes", "must lie between 0 and the number of attempts")
        if self.ends is not None:
            ends = np.array(self.ends, dtype=np.bool_)
            ends.setflags(write=False)
            object.__setattr__(self, "ends", ends)
            if ends.shape != n.shape:
                raise MarketError(f"attempts has {n.size} problems and ends {ends.size}")

    def __len__(self) -> int:
        return len(self.attempts)

    @property
    def mean(self) -> FloatArray:
        """(N,) share of the attempts that succeeded."""
        found: FloatArray = self.successes / self.attempts
        return found

    def take(self, problems: IntArray) -> Self:
        ends = None if self.ends is None else self.ends[problems]
        return replace(self, attempts=self.attempts[problems], successes=self.successes[problems], ends=ends)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Estimated:
    """Odds that are not known but believed: the probability that an attempt on problem x succeeds is Beta distributed.

    alpha, beta : (N,) parameters, > 0 and finite; the mean is alpha / (alpha + beta), their sum the weight of the evidence.
    """

    alpha: FloatArray
    beta: FloatArray

    def __post_init__(self) -> None:
        for column in ("alpha", "beta"):
            values = read_only(getattr(self, column))
            object.__setattr__(self, column, values)
            one_axis(values, column)
            check((values > 0) & np.isfinite(values), values, column, "must be positive and finite")
            check_magnitude(values, column)
        if self.alpha.shape != self.beta.shape:
            raise MarketError(f"alpha has {self.alpha.size} problems and beta {self.beta.size}")

    def __len__(self) -> int:
        return len(self.alpha)

    @property
    def mean(self) -> FloatArray:
        """(N,) probability that one attempt succeeds, as it is believed to be."""
        found: FloatArray = self.alpha / (self.alpha + self.beta)
        return found

    def take(self, problems: IntArray) -> Self:
        return replace(self, alpha=self.alpha[problems], beta=self.beta[problems])


Odds = Geometric | Sampled | Estimated
