"""A board on which policies are tried: every scenario made ready once, however many policies come later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eqsolver._base import FloatArray, NothingSolved, UsageError
from eqsolver.market import Market
from eqsolver.robust._margins import margins_in, stacked
from eqsolver.robust._scenarios import Scenarios
from eqsolver.robust._trials import Trials, all_ladders, trials
from eqsolver.technology import Cascade, Rules, Steps, all_steps


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Board:
    """Scenarios of a market, ready for policies.

    market, rules, steps : what policies are held to. scenarios : Xi of them.
    access : positions of the providers that policies buy from. trials : the scenarios, one group or one for each.
    """

    market: Market
    rules: Rules
    steps: tuple[Steps, ...]
    access: tuple[int, ...]
    scenarios: Scenarios
    trials: tuple[Trials, ...]

    def margins(self, policies: Sequence[Cascade]) -> FloatArray:
        """(Xi, K) R of K policies."""
        if not policies:
            return np.zeros((len(self.scenarios), 0))
        return stacked([margins_in(tried, policies) for tried in self.trials]).values


def board(
    market: Market,
    rules: Rules,
    scenarios: Scenarios,
    *,
    steps: Sequence[Steps] | None = None,
    access: Sequence[int] | None = None,
    selling: Sequence[int] | None = None,
    levels: FloatArray | None = None,
) -> Board:
    """Make the scenarios of a market ready. Options as in `margins_matrix`.

    Raises `UsageError` if no level given is within reach in some scenario, or nobody ever solves anything.
    """
    listed = tuple(all_steps(market, rules) if steps is None else steps)
    bought = tuple(range(len(listed)) if access is None else access)
    if not any(listed[i].at.size for i in bought):
        raise NothingSolved("no provider in access ever solves a problem within the cap")
    if scenarios.markets:
        tried = []
        for seen, shares in zip(scenarios.markets, scenarios.shares, strict=True):
            own = all_steps(seen, rules)
            made = all_ladders(seen, rules, own)
            tried.append(trials(seen, rules, own, made, shares[None], levels=levels, selling=selling))
    else:
        made = all_ladders(market, rules, listed)
        tried = [trials(market, rules, listed, made, scenarios.shares, levels=levels, selling=selling)]
    priced = np.concatenate([np.isfinite(found.price).any(axis=1) for found in tried])
    if levels is not None and not priced.all():
        name = scenarios.names[int(np.flatnonzero(~priced)[0])]
        raise UsageError(f"levels: none is within the reach of a provider in scenario {name!r}; lower the levels")
    return Board(market=market, rules=rules, steps=listed, access=bought, scenarios=scenarios, trials=tuple(tried))
