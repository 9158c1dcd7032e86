"""Margins out of sample: what was fitted on one half of the problems, paid on the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from eqsolver._base import FloatArray, IntArray, UsageError
from eqsolver.market import Market, Sampled
from eqsolver.posted._bootstrap import extended
from eqsolver.posted._intervals import interval
from eqsolver.posted._offers import offers
from eqsolver.technology import Cascade, Production, Rules, all_steps, best_cascades, build, levels_below, offered_reach

LEVELS, POINTS_BELOW = 20, 0.05
"""Levels of each half: from this far below its best provider's reach to that reach."""
COARSE = {3: 60, 4: 32}
"""Grid points per provider of the fits, by number of providers in access where that is not 2; their thresholds are refined."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OutOfSample:
    """Margins of policies on problems that they were not chosen on, one per split and side.

    held_out : (C,) on the other half. in_sample : (C,) on the half they were chosen on, for comparison at the same size.
    """

    held_out: FloatArray
    in_sample: FloatArray

    @property
    def mean(self) -> float:
        return float(self.held_out.mean())

    @property
    def band(self) -> tuple[float, float]:
        """5 % and 95 % points over the splits."""
        low, high = interval(self.held_out)
        return float(low), float(high)

    def to_dict(self) -> dict[str, Any] | None:
        """Mean and band over the splits, and the mean on the halves that were chosen on; None without any."""
        if not self.held_out.size:
            return None
        low, high = self.band
        return {"mean": self.mean, "p05": low, "p95": high, "in_sample_mean": float(self.in_sample.mean())}


def halves(stratum: IntArray, rng: np.random.Generator, origin: IntArray | None = None) -> IntArray:
    """(N,) 0 or 1, about half of each stratum. origin : (N,) classes of one number stay together; see `Market.origin`."""
    if origin is not None:
        _, first, whole = np.unique(origin, return_index=True, return_inverse=True)
        return halves(stratum[first], rng)[whole]
    half = np.empty(stratum.size, dtype=np.int64)
    for one in np.unique(stratum):
        members = rng.permutation(np.flatnonzero(stratum == one))
        half[members] = (np.arange(members.size) + rng.integers(2)) % 2
    return half


def cross_fit(
    market: Market,
    rules: Rules,
    *,
    access: Sequence[str] | None,
    splits: int,
    seed: int,
    progress: Callable[[float], None] = lambda share: None,
) -> OutOfSample:
    """Mean margin of the single cascade fitted on one half of the problems, on the other half, and the other way round.

    market : of logs. access : providers that are bought from; None: all. splits : how often the problems are halved at random.

    Raises `UsageError`: see `check_sample`.

    Notes
    -----
    Halves, because prices and levels are those of the problems seen: with few of them the market price comes near the cheapest
    provider of each problem, and margins are those of another market. Losses count: see `paid`.
    """
    check_sample(market)
    rng = np.random.default_rng(seed)
    held_out, in_sample = [], []
    for turn in range(splits):
        half = halves(np.zeros(market.weights.size, dtype=np.int64), rng)
        sides = [_solvable(market.reweighted(np.where(half == side, market.weights, 0.0)), rules, access) for side in (0, 1)]
        for number, (fit, other) in enumerate((sides, sides[::-1])):
            if fit is not None and other is not None:
                u = _levels(fit)
                chosen = best_cascades(fit, fit.market.prices, u, _market_price(fit, u)).single
                in_sample.append(paid(fit, chosen, u))
                held_out.append(paid(other, chosen, _levels(other)))
            progress((2 * turn + number + 1) / (2 * splits))
    return OutOfSample(held_out=np.array(held_out), in_sample=np.array(in_sample))


def check_sample(market: Market) -> None:
    """Raise `UsageError` if the problems are classes or estimates, not a sample, or fewer than 4."""
    if not all(isinstance(provider.odds, Sampled) for provider in market.providers):
        raise UsageError("cross-fitting halves the problems of a sample: it needs logs, taken as they are (no estimator)")
    if market.weights.size < 4:
        raise UsageError(f"cross-fitting needs at least 4 problems, and there are {market.weights.size}")


def paid(made: Production, policy: Cascade, levels: FloatArray) -> float:
    """Mean margin over levels that have a market price, not clipped: a level bought dearer than its price is a loss, and one
    that is not reached is sold as what the path's end delivers (THEORY section 8). The last provider is bought up to the cap,
    as far as it solves anything."""
    walked = made.walk(extended(made, policy.path))
    bill = walked.units @ made.market.prices
    at = np.minimum(walked.reaching(levels), bill.size - 1)
    delivered = np.minimum(walked.solved[-1], levels)
    return float(np.mean((_market_price(made, delivered) - bill[at]) / _market_price(made, levels)))


def _market_price(made: Production, levels: FloatArray) -> FloatArray:
    return offers(made.market, made.steps, levels).market_price


def _levels(made: Production) -> FloatArray:
    return levels_below(offered_reach(made.steps, made.market.weights), POINTS_BELOW, LEVELS)


def _solvable(market: Market, rules: Rules, access: Sequence[str] | None) -> Production | None:
    """What may be bought on some of the problems; None if nobody in access solves any."""
    steps = all_steps(market, rules)
    bought = market.names if access is None else access
    if not any(steps[market.names.index(name)].at.size for name in bought):
        return None
    return build(market, rules, steps, access=access, points=COARSE.get(len(bought)))
