"""What providers sell on their own, free of prices: the ways that value types can want, and those that levels need."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eqsolver._base import FloatArray
from eqsolver.market import Market
from eqsolver.technology import REACH, ProductionSet, Steps, lower_hull


def direct_supply(market: Market, steps: Sequence[Steps], levels: FloatArray, private: Sequence[int] = ()) -> ProductionSet:
    """Every provider's own offers as one production set, exact at every step.

    levels : (L,) for which the cheapest way of each provider is held too, beside the vertices of its hull.
    private : providers that are not on sale.

    Notes
    -----
    A provider's own price scales all of its offers alike, so its hull has the same vertices at every price. Among equal
    offers the last listed is the one that sells: the lowest marginal cost, then the first by name.
    """
    claims = sorted(range(len(market.providers)), key=lambda i: (market.providers[i].marginal_cost, market.names[i]))
    solved, units = [np.zeros(0)], [np.zeros((0, len(market.providers)))]
    for i in reversed(claims):
        profile = steps[i].profile(market.weights)
        if not profile.at.size or i in private:
            continue
        at = np.searchsorted(profile.solved, levels - REACH)
        kept = np.union1d(lower_hull(profile.solved, profile.spent), at[at < profile.at.size])
        own = np.zeros((kept.size, len(market.providers)))
        own[:, i] = profile.spent[kept]
        solved.append(profile.solved[kept])
        units.append(own)
    passed, needed = np.concatenate(solved), np.concatenate(units)
    order = np.argsort(passed, kind="stable")
    return ProductionSet(solved=passed[order], units=needed[order], levels=levels)


def hull_levels(market: Market, steps: Sequence[Steps], private: Sequence[int] = ()) -> FloatArray:
    """Levels that some value type may want of some provider at some prices: the vertices of every provider's hull."""
    found = [np.zeros(0)]
    for i, step in enumerate(steps):
        profile = step.profile(market.weights)
        if profile.at.size and i not in private:
            found.append(profile.solved[lower_hull(profile.solved, profile.spent)])
    return np.unique(np.concatenate(found))
