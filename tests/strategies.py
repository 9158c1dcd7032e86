"""Generators of tiny markets, shared by all tests: valid by construction, with the nasty cases as ordinary draws."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from eqsolver.market import Geometric, Market, Provider, Sampled

EIGHTHS = st.integers(0, 8).map(lambda n: n / 8)
"""Probabilities that binary floating point holds exactly; 0 and 1 are among them."""

COSTS = st.integers(1, 4).map(float)


@st.composite
def weights(draw: st.DrawFn, problems: int) -> np.ndarray:
    """(problems,) ratios of small integers that sum to one."""
    parts = np.array(draw(st.lists(st.integers(1, 4), min_size=problems, max_size=problems)), dtype=float)
    return parts / parts.sum()


@st.composite
def geometric_markets(
    draw: st.DrawFn, min_providers: int = 2, max_providers: int = 3, max_problems: int = 3, max_budget: int = 8
) -> Market:
    """Specifications: odds in eighths, costs 1 to 4, a budget of 1 to `max_budget`, 1 to 4 attempts, some prices off list."""
    problems = draw(st.integers(1, max_problems))
    providers = tuple(
        Provider(
            name=name,
            odds=Geometric(success=draw(st.lists(EIGHTHS, min_size=problems, max_size=problems))),
            spend=draw(st.lists(COSTS, min_size=problems, max_size=problems)),
            marginal_cost=draw(st.sampled_from([0.0, 0.25, 0.5, 1.0])),
            price=draw(st.sampled_from([1.0, 1.5, 2.0])),
        )
        for name in "abcdefgh"[: draw(st.integers(min_providers, max_providers))]
    )
    return Market(
        name="tiny specification",
        providers=providers,
        weights=draw(weights(problems)),
        max_budget=float(draw(st.integers(1, max_budget))),
        max_attempts=draw(st.integers(1, 4)),
    )


@st.composite
def sampled_markets(
    draw: st.DrawFn, min_providers: int = 2, max_providers: int = 3, max_problems: int = 3, max_budget: int = 8
) -> Market:
    """Logs: at most 4 attempts on a problem, costs 1 to 4, a budget of 1 to `max_budget` or none, no cap on attempts."""
    problems = draw(st.integers(1, max_problems))

    def provider(name: str) -> Provider:
        attempts = draw(st.lists(st.integers(1, 4), min_size=problems, max_size=problems))
        successes = [draw(st.integers(0, n)) for n in attempts]
        spend = draw(st.lists(COSTS, min_size=problems, max_size=problems))
        return Provider(name=name, odds=Sampled(attempts=attempts, successes=successes), spend=spend)

    return Market(
        name="tiny logs",
        providers=tuple(provider(name) for name in "abcdefgh"[: draw(st.integers(min_providers, max_providers))]),
        weights=draw(weights(problems)),
        max_budget=draw(st.none() | st.integers(1, max_budget).map(float)),
    )
