"""A given threshold cascade, evaluated exactly at every level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eqsolver._base import FloatArray, UsageError
from eqsolver.market import Market
from eqsolver.technology._allotments import allotments, positions
from eqsolver.technology._path import Block, cut, walk
from eqsolver.technology._rules import Rules
from eqsolver.technology._steps import Steps


@dataclass(frozen=True, slots=True, kw_only=True)
class Cascade:
    """A threshold cascade.

    order : indices of providers in the market, first bought from first. thresholds : how far each is bought from: positions
    where policies are sought and evaluated, allotments in results and in what users give (see `placed`, `allotted`).
    """

    order: tuple[int, ...]
    thresholds: tuple[float, ...]

    @property
    def path(self) -> tuple[Block, ...]:
        """The cascade as a path of one block per provider."""
        return tuple(zip(self.order, self.thresholds, strict=True))


def placed(rules: Rules, steps: Sequence[Steps], cascade: Cascade) -> Cascade:
    """A cascade given by allotments, by positions. steps : of every provider of the market, under these rules."""
    return Cascade(order=cascade.order, thresholds=tuple(b for _, b in positions(rules, steps, cascade.path)))


def allotted(rules: Rules, steps: Sequence[Steps], cascade: Cascade) -> Cascade:
    """A cascade given by positions, by allotments that buy the same, of the providers that it buys from."""
    bought = [(i, b) for i, b in allotments(rules, steps, cascade.path) if b > 0]
    return Cascade(order=tuple(i for i, _ in bought), thresholds=tuple(b for _, b in bought))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PerLevel:
    """One policy for each of L levels.

    paths : L paths of (position of the provider in the market, allotment) blocks, empty where the level is not reached.
    units : (L, M) expected list-price money spent on each of the market's providers, infinite where not reached.
    cost : (L,) the bill, prices times units.
    """

    paths: tuple[tuple[Block, ...], ...]
    units: FloatArray
    cost: FloatArray


def bill(units: FloatArray, prices: FloatArray) -> FloatArray:
    """(L,) prices times units (L, M), infinite where the units are."""
    reached = np.asarray(np.isfinite(units).all(axis=1))
    return np.where(reached, np.where(reached[:, None], units, 0.0) @ prices, np.inf)


def cheaper(first: PerLevel, second: PerLevel) -> PerLevel:
    """The cheaper of two policies at each level; the first where they cost the same, but for rounding."""
    better = second.cost < first.cost * (1 - 1e-12)
    return PerLevel(
        paths=tuple(b if swap else a for a, b, swap in zip(first.paths, second.paths, better, strict=True)),
        units=np.where(better[:, None], second.units, first.units),
        cost=np.where(better, second.cost, first.cost),
    )


def with_rest(rules: Rules, steps: Sequence[Steps], order: Sequence[int], tops: Sequence[float]) -> Cascade:
    """The cascade whose last provider is bought up to what the others' thresholds `tops` leave of the cap."""
    rest = rules.rest(sum(tops))
    rest = rest if np.isfinite(rest) else steps[order[-1]].end
    return Cascade(order=tuple(order), thresholds=(*tops, rest))


def evaluate(market: Market, rules: Rules, steps: Sequence[Steps], cascade: Cascade, levels: FloatArray) -> PerLevel:
    """Units and cost at posted prices of a given cascade, by positions, at each level: the shortest prefix that reaches it.

    Parameters
    ----------
    steps : of every provider of the market, under these rules. levels : (L,).

    Raises
    ------
    UsageError : a threshold is negative, not finite or above the cap, or a provider is named twice.
    """
    _check(market, rules, cascade)
    walked = walk(market, steps, cascade.path)
    at = walked.reaching(levels)
    reached = at < walked.solved.size
    units = np.full((levels.size, len(market.providers)), np.inf)
    units[reached] = walked.units[at[reached]]
    paths = tuple(cut(cascade.path, walked, int(g)) if ok else () for g, ok in zip(at, reached, strict=True))
    return PerLevel(paths=paths, units=units, cost=bill(units, market.prices))


def _check(market: Market, rules: Rules, cascade: Cascade) -> None:
    told = "cascade " + ", ".join(f"{market.names[i]}={t:g}" for i, t in cascade.path)
    if len(set(cascade.order)) != len(cascade.order):
        raise UsageError(f"{told}: a provider is named twice")
    for threshold in cascade.thresholds:
        if not 0 <= threshold < np.inf:
            raise UsageError(f"{told}: threshold {threshold:g} must be >= 0 and finite")
        if threshold > rules.provider_cap * (1 + 1e-9):
            raise UsageError(f"{told}: threshold {threshold:g} exceeds the cap of {rules.provider_cap:g}")
    if sum(cascade.thresholds) > rules.total_cap * (1 + 1e-9):
        raise UsageError(f"{told}: thresholds sum to {sum(cascade.thresholds):g}, more than max_budget = {rules.total_cap:g}")
