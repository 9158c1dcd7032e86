"""Scenarios: which customers an allocation may meet, each a distribution over the problems that have been seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from eqsolver._base import FloatArray, IntArray, UsageError
from eqsolver.market import Market, Sampled


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scenarios:
    """What a market may look like, in Xi versions with nominal weights.

    names : Xi names. shares : (Xi, N) weights of the problems in each scenario, rows sum to one.
    weights : (Xi,) nominal weights q0 of the scenarios, >= 0, sum 1.
    problems : (Xi,) how many problems each is made of.
    markets : one market per scenario, where they differ in more than the weights of their problems; empty otherwise.
    """

    names: tuple[str, ...]
    shares: FloatArray
    weights: FloatArray
    problems: tuple[int, ...]
    markets: tuple[Market, ...] = ()

    def __post_init__(self) -> None:
        if not self.names:
            raise UsageError("no scenario: none of them has a problem")
        if self.shares.shape[0] != len(self.names) or self.weights.shape != (len(self.names),):
            raise ValueError(f"{len(self.names)} names, shares {self.shares.shape}, weights {self.weights.shape}")

    def __len__(self) -> int:
        return len(self.names)

    def part(self, problems: IntArray) -> tuple[Scenarios, IntArray]:
        """The scenarios seen in some of the N problems only, and which of them are: one without any of these is left out."""
        mass = self.shares[:, problems].sum(axis=1)
        seen = np.flatnonzero(mass > 0)
        kept = self.take(seen.tolist())
        shares = kept.shares[:, problems] / mass[seen, None]
        return replace(
            kept,
            shares=shares,
            problems=tuple(int(n) for n in (shares > 0).sum(axis=1)),
            markets=tuple(market.reweighted(_only(problems, market.weights)) for market in kept.markets),
        ), seen

    def take(self, which: Sequence[int]) -> Scenarios:
        """Some of the scenarios, in that order, their weights scaled to sum to one (equal ones if all were zero)."""
        weights = self.weights[list(which)]
        total = float(weights.sum())
        return Scenarios(
            names=tuple(self.names[s] for s in which),
            shares=self.shares[list(which)],
            weights=weights / total if total > 0 else np.full(len(which), 1 / len(which)),
            problems=tuple(self.problems[s] for s in which),
            markets=tuple(self.markets[s] for s in which) if self.markets else (),
        )


def _only(problems: IntArray, weights: FloatArray) -> FloatArray:
    found = np.zeros_like(weights)
    found[problems] = weights[problems]
    return found


def domain_scenarios(market: Market, labels: Sequence[str | None]) -> Scenarios:
    """One scenario per domain: the market's own weights within it, and as its nominal weight the share of its problems.

    labels : N names of domains; problems labelled None belong to none and are left out. Largest domains first.
    """
    found = {label for label in labels if label is not None}
    member = {name: np.array([label == name for label in labels]) for name in found}
    mass = {name: float(market.weights[rows].sum()) for name, rows in member.items()}
    names = sorted(found, key=lambda name: (-mass[name], name))
    if not names:
        raise UsageError("domains: no problem belongs to any")
    shares = np.stack([np.where(member[name], market.weights, 0.0) / mass[name] for name in names])
    weights = np.array([mass[name] for name in names])
    return Scenarios(
        names=tuple(names),
        shares=shares,
        weights=weights / weights.sum(),
        problems=tuple(int(member[name].sum()) for name in names),
    )


def resampled_problems(market: Market, resamples: int, seed: int) -> Scenarios:
    """As many problems as there are, drawn with replacement by their weights, again and again."""
    drawn = market.resampled(resamples, np.random.default_rng(seed))
    return Scenarios(
        names=tuple(f"resample {b + 1}" for b in range(resamples)),
        shares=drawn,
        weights=np.full(resamples, 1 / resamples),
        problems=tuple(int((row > 0).sum()) for row in drawn),
    )


def resampled_attempts(market: Market, resamples: int, seed: int) -> Scenarios:
    """The same problems, their attempts drawn anew from those seen: as many, with replacement, of every provider's log.

    Raises `UsageError` for providers specified by classes, whose odds are known.
    """
    rng = np.random.default_rng(seed)
    markets = []
    for _ in range(resamples):
        providers = []
        for provider in market.providers:
            odds = provider.odds
            if not isinstance(odds, Sampled):
                raise UsageError(f"provider {provider.name!r} is specified by classes: there are no attempts to resample")
            successes = rng.binomial(odds.attempts, odds.successes / odds.attempts)
            providers.append(replace(provider, odds=replace(odds, successes=successes)))
        markets.append(replace(market, providers=tuple(providers)))
    return Scenarios(
        names=tuple(f"resample {b + 1}" for b in range(resamples)),
        shares=np.tile(market.weights, (resamples, 1)),
        weights=np.full(resamples, 1 / resamples),
        problems=(market.weights.size,) * resamples,
        markets=tuple(markets),
    )


def success_rates(market: Market, shares: FloatArray) -> FloatArray:
    """(Xi, M) success rate per attempt of each provider in scenarios with these shares (Xi, N) of the problems."""
    found: FloatArray = shares @ np.stack([provider.odds.mean for provider in market.providers], axis=1)
    return found


def folds(market: Market, k: int, seed: int) -> Scenarios:
    """The problems dealt at random into k parts of equal size (up to one), each a scenario."""
    N = market.weights.size
    if not 2 <= k <= N:
        raise UsageError(f"{k} folds of {N} problems: there must be at least 2, and a problem in each")
    part = np.random.default_rng(seed).permutation(np.arange(N) % k)
    found = domain_scenarios(market, [f"fold {p + 1}" for p in part])
    return found.take(sorted(range(k), key=lambda s: int(found.names[s].split()[1])))
