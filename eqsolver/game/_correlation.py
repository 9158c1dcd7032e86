"""How far prices that are drawn together are from each provider drawing its own by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eqsolver._base import FloatArray
from eqsolver.game._certificate import shares_of


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Correlation:
    """Of a draw of price vectors. largest : the largest correlation, in absolute value, of two players' prices.

    gain : (P,) what the best deviation would add to each player's profit if everybody drew its own prices by itself, as often
    as it does now, as a share of that profit. error : (P,) standard error of the gain, which is of a sample.
    """

    largest: float
    gain: FloatArray
    error: FloatArray


def largest_correlation(prices: FloatArray, shares: FloatArray) -> float:
    """Of the columns of price vectors (S, P) drawn with probabilities (S,); 0 where a price does not vary."""
    away = prices - shares @ prices
    covariance = away.T @ (shares[:, None] * away)
    deviation = np.sqrt(np.diag(covariance))
    scale = np.outer(deviation, deviation)
    found = np.divide(covariance, scale, out=np.zeros_like(scale), where=scale > 1e-12)
    return float(np.abs(found - np.diag(np.diag(found))).max(initial=0.0))


def by_themselves(
    prices: FloatArray, shares: FloatArray, players: Sequence[int], draws: int, rng: np.random.Generator
) -> FloatArray:
    """(draws, M) price vectors in which each player draws its own price as often as in the given ones, but by itself."""
    found = np.repeat(prices[:1], draws, axis=0)
    for i in players:
        found[:, i] = rng.choice(prices[:, i], size=draws, p=shares)
    return found


def gains_of(payoffs: FloatArray, gains: Sequence[FloatArray], least: float) -> tuple[FloatArray, FloatArray]:
    """(P,) relative gain of each player's best deviation, on average over a sample, and its standard error.

    payoffs : (S, P). gains : per player (S, D) what each of its prices adds. least : see `least_profit`.
    """
    best = [int(np.argmax(gain.mean(axis=0))) for gain in gains]
    chosen = np.stack([gain[:, b] for gain, b in zip(gains, best, strict=True)], axis=1)
    scale = np.maximum(payoffs.mean(axis=0), least)
    error = chosen.std(axis=0) / np.sqrt(len(chosen))
    return shares_of(np.maximum(chosen.mean(axis=0), 0.0), scale), shares_of(error, scale)
