"""Curves of one provider on every problem: survival S and expected spend F, as exact step functions of the allotment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eqsolver._base import FloatArray, IntArray
from eqsolver.market import Estimated, Geometric, Odds, Provider
from eqsolver.technology._rules import Rules

SLACK = 1e-12
"""An attempt is made at position b if it is made from b (1 + SLACK) on, so that 0.3 buys three at 0.1 (THEORY section 2)."""

FIRST = 1e-300
"""Position of the first node under `finish`, at which every problem gets one attempt, and of a free provider's only node: it
takes nothing of any cap, and is not the position 0 of buying nothing."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Timing:
    """From which position on each attempt of a provider is made: attempt l = 0, 1, ... from `l * stride + offset` on.

    stride : (N,) what a failed attempt takes from the allotment, > 0, or 0 for a free provider: all attempts are made at once.
    offset : (N,) the position of the first attempt; 0 stands for `FIRST`.
    most : the most attempts on one problem that the caps allow, before the total over providers is looked at.
    """

    stride: FloatArray
    offset: FloatArray
    most: FloatArray

    def attempts(self, positions: FloatArray) -> FloatArray:
        """(N, J) attempts made by positions (J,) or (N, J), as floats: none at position 0."""
        b = np.asarray(positions) * (1 + SLACK)
        stride, offset = self.stride[:, None], self.offset[:, None]
        if not self.stride.any():
            return np.where(b > 0, self.most[:, None], 0.0)
        count = np.floor((b - offset) / stride) + 1
        count += stride * count + offset <= b
        count -= stride * (count - 1) + offset > b
        return np.where(b > 0, np.clip(count, 0.0, self.most[:, None]), 0.0)

    def position(self, problem: IntArray, attempt: FloatArray) -> FloatArray:
        """(E,) where the attempts numbered from 0 on some problems are made."""
        at: FloatArray = np.maximum(self.stride[problem] * attempt + self.offset[problem], FIRST)
        return at

    def take(self, problems: IntArray) -> Timing:
        """The same provider on a selection of the problems."""
        return Timing(stride=self.stride[problems], offset=self.offset[problems], most=self.most[problems])


def timing(provider: Provider, rules: Rules) -> Timing:
    """When a provider's attempts are made under the rules (THEORY section 2).

    With w_f, w_s the costs of a failed and a successful attempt, attempt l is made from the position
    `l w_f` (finish), `l w_f + max(w_s, w_f)` (never), `l w_f + w_s` (cut) or `l + 1` (attempts) on.
    """
    success, failed = provider.spend, provider.spend_if_failed
    unlimited = np.full(success.size, np.inf)
    if rules.allot == "attempts":
        one = np.ones(success.size)
        return Timing(stride=one, offset=one, most=unlimited)
    if provider.free:
        nothing = np.zeros(success.size)
        return Timing(stride=nothing, offset=nothing, most=np.minimum(last_useful_attempt(provider.odds), rules.free_attempts))
    offset = {"finish": 0.0 * success, "never": np.maximum(success, failed), "cut": success}[rules.overrun]
    return Timing(stride=failed, offset=offset, most=unlimited)


def survival(odds: Odds, attempts: FloatArray) -> FloatArray:
    """Probability that none of k attempts succeeds.

    Parameters
    ----------
    odds : of N problems.
    attempts : (N, J) counts k >= 0.

    Returns
    -------
    (N, J) S(k): (1-p)^k for classes; C(n-c, k) / C(n, k) for logs (unbiased if n was fixed beforehand, [CHEN]), which is
    0 for k > n-c if c > 0 and 1 for every k if c = 0; B(alpha, beta+k) / B(alpha, beta) for estimated odds.

    Notes
    -----
    THEORY section 2. Logs: products of 1 - c/(n-l), one table row per distinct (n, c); time and memory O(pairs * max n + N J).
    """
    if isinstance(odds, Geometric):
        return np.exp(_log_survival(odds.success, attempts))
    if isinstance(odds, Estimated):
        return _believed_survival(odds, np.asarray(attempts))
    base = int(odds.attempts.max(initial=0)) + 1
    pairs, row = np.unique(odds.attempts * base + odds.successes, return_inverse=True)
    n, c = np.divmod(pairs[:, None], base)
    longest = int((n - c + 1)[c > 0].max(initial=0))
    done = np.arange(longest)
    factor = np.clip((n - c - done) / np.maximum(n - done, 1), 0.0, 1.0)
    factor[c[:, 0] == 0] = 1.0
    table = np.ones((len(pairs), longest + 1))
    np.cumprod(factor, axis=1, out=table[:, 1:])
    survived: FloatArray = table[row.reshape(-1, 1), np.minimum(attempts, longest).astype(np.int64)]
    return survived


def _log_survival(success: FloatArray, attempts: FloatArray) -> FloatArray:
    """(N, J) k log(1 - p) for classes (N,) and counts (N, J); 0 where k = 0, even if p = 1."""
    with np.errstate(divide="ignore"):
        rate = np.log1p(-success)[:, None]
    exponent = np.zeros(np.broadcast_shapes(rate.shape, attempts.shape))
    np.multiply(attempts, rate, out=exponent, where=attempts > 0)
    return exponent


def expected_tries(odds: Odds, attempts: FloatArray, survived: FloatArray) -> FloatArray:
    """Expected number of attempts made when at most k are bought one by one and the first success stops.

    Parameters
    ----------
    odds : of N problems. attempts : (N, J) counts k. survived : (N, J) S(k).

    Returns
    -------
    (N, J) sum of S(l) over l < k: (1 - S(k)) / p for classes (k where p = 0), and for logs
    [(n+1) - (n-k+1) S(k)] / (c+1) for k <= n-c+1, constant after, k where c = 0; for estimated odds
    [(a+b-1) - (a+b+k-1) S(k)] / (a-1), added up where a is so near 1 that this cancels.

    Notes
    -----
    THEORY section 2; concave and nondecreasing in k.
    """
    if isinstance(odds, Geometric):
        p = odds.success[:, None]
        tries = np.array(np.broadcast_to(attempts, survived.shape))
        np.divide(-np.expm1(_log_survival(odds.success, attempts)), p, out=tries, where=p > 0)
        return tries
    if isinstance(odds, Estimated):
        return _believed_tries(odds, attempts, survived)
    n, c = odds.attempts[:, None], odds.successes[:, None]
    k = np.minimum(attempts, n - c + 1)
    return np.where(c > 0, ((n + 1) - (n - k + 1) * survived) / (c + 1), attempts)


LARGEST_TABLE = 2**22
"""Entries of a table of survival under estimated odds; larger ones are not made, each entry then costs two log-betas."""


def _believed_survival(odds: Estimated, attempts: FloatArray) -> FloatArray:
    """Products of 1 - alpha / (alpha + beta + l), looked up in one table row per distinct pair, unless that is too large."""
    pairs, row = np.unique(np.stack([odds.alpha, odds.beta]), axis=1, return_inverse=True)
    longest = int(attempts.max(initial=0.0))
    if pairs.shape[1] * (longest + 1) > LARGEST_TABLE:
        from scipy import special  # here, since it loads slowly

        a, b = odds.alpha[:, None], odds.beta[:, None]
        return np.minimum(np.exp(special.betaln(a, b + attempts) - special.betaln(a, b)), 1.0)
    a, b = pairs[:, :, None]
    done = np.arange(longest)
    table = np.ones((pairs.shape[1], longest + 1))
    np.cumprod((b + done) / (a + b + done), axis=1, out=table[:, 1:])
    found: FloatArray = table[row.reshape(-1, 1), attempts.astype(np.int64)]
    return found


NEAR_ONE = 1e-3
"""Where alpha is this close to 1 the closed form of expected tries divides by almost nothing."""


def _believed_tries(odds: Estimated, attempts: FloatArray, survived: FloatArray) -> FloatArray:
    a, b = odds.alpha[:, None], odds.beta[:, None]
    near = np.abs(odds.alpha - 1.0) < NEAR_ONE
    tries = ((a + b - 1.0) - (a + b + attempts - 1.0) * survived) / np.where(near[:, None], 1.0, a - 1.0)
    for x in np.flatnonzero(near):
        k = np.broadcast_to(attempts, tries.shape)[x].astype(np.int64)
        each = survival(odds.take(np.array([x])), np.arange(k.max(initial=0) + 1.0)[None, :])[0]
        tries[x] = np.append(0.0, np.cumsum(each))[k]
    return tries


def expected_spend(provider: Provider, attempts: FloatArray, survived: FloatArray) -> FloatArray:
    """Money at list price expected to be spent on at most k attempts, bought one by one until the first success.

    Parameters
    ----------
    provider : on N problems. attempts : (N, J) counts k. survived : (N, J) S(k).

    Returns
    -------
    (N, J) F(k) = w_f (T(k) - (1 - S(k))) + w_s (1 - S(k)), T the expected number of attempts.

    Notes
    -----
    THEORY section 2, costs that depend on the outcome. Unbiased with the S of [CHEN], concave in k.
    """
    failed, solved = provider.spend_if_failed[:, None], 1.0 - survived
    tries = expected_tries(provider.odds, attempts, survived)
    return failed * tries + (provider.spend[:, None] - failed) * solved


def curves(provider: Provider, positions: FloatArray, rules: Rules) -> tuple[FloatArray, FloatArray]:
    """Survival and expected spend of one provider at given positions, on every problem.

    Parameters
    ----------
    provider : on N problems.
    positions : (J,) or (N, J), see `Rules`: money at list price or numbers of attempts, >= 0.

    Returns
    -------
    S, F : (N, J) survival, and expected spend in list-price money (units). Under `cut` the money that has run on problems still
    unsolved counts too, so that F(b) is the integral of S from 0 to b.
    """
    k = timing(provider, rules).attempts(positions)
    S = survival(provider.odds, k)
    F = expected_spend(provider, k, S)
    if rules.cuts and not provider.free:
        failed, least = provider.spend_if_failed[:, None], (provider.spend - provider.spend_if_failed)[:, None]
        F += np.maximum(positions - failed * k, np.minimum(least, 0.0)) * S  # below the least there is rounding alone
    return S, F


NEGLIGIBLE = 2.0**-60
"""Survival that is as good as none: the difference from 1 is lost to rounding."""


def last_useful_attempt(odds: Odds) -> FloatArray:
    """(N,) attempts after which survival no longer changes: n-c+1 for logs, 0 if nothing succeeds, infinite for estimated odds.

    For classes the attempts after which survival is below `NEGLIGIBLE`: no later one is told apart from none in a share solved.
    """
    if isinstance(odds, Estimated):
        return np.full(len(odds), np.inf)
    if isinstance(odds, Geometric):
        with np.errstate(divide="ignore"):
            number = np.ceil(np.log(NEGLIGIBLE) / np.log1p(-odds.success))
        return np.where(odds.success == 0, 0.0, np.maximum(number, 1.0))
    return np.where(odds.successes > 0, odds.attempts - odds.successes + 1.0, 0.0)
