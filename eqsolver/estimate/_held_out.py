"""Are estimates calibrated? Each is made on some of the attempts, and predicts the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy import special

from eqsolver._base import FloatArray, IntArray, UsageError
from eqsolver.estimate._prior import beta_log_odds
from eqsolver.market import Estimated, Estimator, Geometric, Market, Sampled
from eqsolver.technology import survival


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Halves:
    """Logs split at random: what estimators see, and what they are to predict of one provider.

    seen : the market of the attempts shown, of every provider. provider : position of the one whose others are predicted.
    attempts, successes : (N,) of the attempts not shown.
    """

    seen: Market
    provider: int
    attempts: IntArray
    successes: IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """How well an estimate predicts the attempts it was not shown, on average over problems.

    counts : log-probability of the number of successes. spend : log-probability of the bill of trying until the first
        success; every order of the attempts counts alike. Both in nats: larger is better.
    """

    counts: float
    spend: float


def halves(market: Market, provider: int, generator: np.random.Generator, *, least: int = 4, share: float = 0.5) -> Halves:
    """Split the attempts on those problems on which a provider has made enough.

    Parameters
    ----------
    market : of logs. least : attempts of the provider that a problem needs to be used, at least 2.
    share : of each provider's attempts on each problem to be shown, rounded down, but one at least. Which, is drawn.

    Raises
    ------
    UsageError : the market has other odds than logs, or no problem has so many attempts.
    """
    odds = [p.odds for p in market.providers]
    logs = [o for o in odds if isinstance(o, Sampled)]
    if len(logs) != len(odds):
        raise UsageError(f"market {market.name!r}: only attempt logs can be split")
    enough = np.where(logs[provider].attempts >= max(least, 2), market.weights, 0.0)
    if not enough.any():
        raise UsageError(f"provider {market.names[provider]!r}: no problem with {least} attempts")
    kept = np.flatnonzero(enough)
    shown = []
    left: list[tuple[IntArray, IntArray]] = []
    for log in (log.take(kept) for log in logs):
        n, c = log.attempts, log.successes
        some = np.maximum((n * share).astype(np.int64), 1)
        solved = generator.hypergeometric(c, n - c, some)
        shown.append(Sampled(attempts=some, successes=solved))
        left.append((n - some, c - solved))
    part = market.reweighted(enough)
    seen = replace(part, providers=tuple(replace(p, odds=o) for p, o in zip(part.providers, shown, strict=True)))
    return Halves(seen=seen, provider=provider, attempts=left[provider][0], successes=left[provider][1])


def smoothed(market: Market) -> Market:
    """The market of logs taken at (c + 1/2) / (n + 1): plain odds without a prior or a doubt."""
    providers = []
    for p in market.providers:
        assert isinstance(p.odds, Sampled)
        providers.append(replace(p, odds=Geometric(success=(p.odds.successes + 0.5) / (p.odds.attempts + 1.0))))
    return replace(market, providers=tuple(providers))


def scores(believed: Market, split: Halves) -> Scores:
    """Log scores of a market made from `split.seen`, whose odds are `Geometric` or `Estimated`."""
    q, part_of = split.seen.weights, _parts(believed)
    share = believed.weights / q[part_of]
    n, c = split.attempts[part_of].astype(np.float64), split.successes[part_of].astype(np.float64)
    odds = believed.providers[split.provider].odds
    each: FloatArray
    if isinstance(odds, Estimated):
        each = beta_log_odds(c, n - c, odds.alpha, odds.beta)
    elif isinstance(odds, Geometric):
        each = np.asarray(special.xlogy(c, odds.success) + special.xlog1py(n - c, -odds.success), dtype=np.float64)
    else:
        raise UsageError("scores: the unbiased estimator says nothing of attempts beyond those seen")
    ways = -np.log(n + 1.0) - special.betaln(c + 1.0, n - c + 1.0)  # log of n choose c
    with np.errstate(divide="ignore"):  # what was held impossible and happened scores minus infinity
        counts = np.log(np.bincount(part_of, weights=share * np.exp(each + ways)))
    unsolved = unsolved_by_problem(believed, split, int(split.attempts.max()))
    happened = survival(Sampled(attempts=split.attempts, successes=split.successes), _tries(q.size, split.attempts.max()))
    stopped = -np.diff(happened, axis=1)  # (N, n) share of the orders in which that attempt is the first to succeed
    said = -np.diff(unsolved, axis=1)
    rows = np.arange(q.size)
    spend = special.xlogy(stopped, said).sum(axis=1)
    spend += special.xlogy(split.successes == 0, unsolved[rows, split.attempts])
    return Scores(counts=float(q @ counts), spend=float(q @ spend))


def unsolved_by_problem(believed: Market, split: Halves, most: int) -> FloatArray:
    """(N, most + 1) probability that 0, 1, ... attempts of the provider leave each problem unsolved."""
    part_of = _parts(believed)
    share = believed.weights / split.seen.weights[part_of]
    S = survival(believed.providers[split.provider].odds, _tries(part_of.size, most))
    found = np.zeros((split.seen.weights.size, most + 1))
    np.add.at(found, part_of, share[:, None] * S)
    return found


def error_beyond(believed: Market, split: Halves) -> float:
    """Mean squared error of pass at as many attempts as were held out, where these outnumber the attempts seen.

    What is predicted is whether the held-out attempts of a problem solve it; nan where none outnumber those seen.
    """
    seen = split.seen.providers[split.provider].odds
    assert isinstance(seen, Sampled)
    rows = np.flatnonzero(split.attempts > seen.attempts)
    if not rows.size:
        return float("nan")
    said = 1.0 - unsolved_by_problem(believed, split, int(split.attempts.max()))[rows, split.attempts[rows]]
    q = split.seen.weights[rows]
    return float(q @ (said - (split.successes[rows] > 0)) ** 2 / q.sum())


def calibration(
    market: Market, estimators: Mapping[str, Estimator], *, splits: int = 5, seed: int = 0
) -> dict[str, dict[str, Mapping[str, float]]]:
    """Held-out scores of estimators, and of plain odds beside them, for every provider of a market of logs.

    Parameters
    ----------
    market : of logs; for each provider, the problems with at least 4 of its attempts are used.
    splits : random splits averaged over. seed : of their generator.

    Returns
    -------
    By provider and column: `counts` and `spend` ("smoothed" and every estimator) are log scores when half of the attempts
    are shown; `beyond` ("unbiased" and every estimator) is the squared error of pass at 2/3 of the attempts, 1/3 being shown.
    """
    found: dict[str, dict[str, Mapping[str, float]]] = {}
    for i, name in enumerate(market.names):
        generator = np.random.default_rng([seed, i])
        rows: dict[str, dict[str, list[float]]] = {"counts": {}, "spend": {}, "beyond": {}}
        for _ in range(splits):
            half, third = halves(market, i, generator), halves(market, i, generator, share=1 / 3)
            for label, estimator in (("smoothed", None), *estimators.items()):
                made = smoothed(half.seen) if estimator is None else estimator(half.seen).market
                score = scores(made, half)
                rows["counts"].setdefault(label, []).append(score.counts)
                rows["spend"].setdefault(label, []).append(score.spend)
            for label, estimator in (("unbiased", None), *estimators.items()):
                made = third.seen if estimator is None else estimator(third.seen).market
                rows["beyond"].setdefault(label, []).append(error_beyond(made, third))
        found[name] = {
            kind: {label: float(np.mean(values)) for label, values in columns.items()} for kind, columns in rows.items()
        }
    return found


def _parts(market: Market) -> IntArray:
    return np.arange(market.weights.size) if market.origin is None else market.origin


def _tries(problems: int, most: int) -> FloatArray:
    return np.broadcast_to(np.arange(most + 1.0), (problems, most + 1))
