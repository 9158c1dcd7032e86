"""Hypothesis strategies for markets small enough to enumerate; p = 0, p = 1, ties and useless providers are ordinary draws.

Half of the providers' failed attempts cost something else than their successful ones."""

from __future__ import annotations

from hypothesis import strategies as st

from eqsolver.market import Geometric, Market, Provider, Sampled

WEIGHTS = {1: [(1.0,)], 2: [(0.5, 0.5), (0.25, 0.75), (0.125, 0.875)], 3: [(0.25, 0.25, 0.5), (0.125, 0.5, 0.375)]}
PRICES = (1.0, 1.0, 0.5, 1.25, 3.0)


@st.composite
def providers(
    draw: st.DrawFn, name: str, problems: int, *, logs: bool, dearest: int = 4, longest: int = 4, priced: bool = True
) -> Provider:
    """One provider: p in eighths, or logs of up to `longest` attempts; costs are whole numbers or halves."""
    column = st.lists(st.integers(2, 2 * dearest), min_size=problems, max_size=problems)
    spend = [w / 2 for w in draw(column)]
    spend_failed = [w / 2 for w in draw(column)] if draw(st.booleans()) else spend
    if logs:
        n = draw(st.lists(st.integers(1, longest), min_size=problems, max_size=problems))
        c = [draw(st.integers(0, most)) for most in n]
        odds: Geometric | Sampled = Sampled(attempts=n, successes=c)
    else:
        odds = Geometric(success=[draw(st.integers(0, 8)) / 8 for _ in range(problems)])
    price = draw(st.sampled_from(PRICES)) if priced else 1.0
    return Provider(name=name, odds=odds, spend=spend, spend_failed=spend_failed, price=price)


@st.composite
def markets(
    draw: st.DrawFn,
    *,
    sellers: tuple[int, int] = (2, 3),
    problems: tuple[int, int] = (1, 3),
    logs: bool | None = None,
    priced: bool = True,
) -> Market:
    """A market with both caps stated: a joint cap of money, and a cap on attempts per provider."""
    M, N = draw(st.integers(*sellers)), draw(st.integers(*problems))
    kinds = [draw(st.booleans()) if logs is None else logs for _ in range(M)]
    dearest, longest = (4, 4) if M == 2 else (3, 3)
    sold = tuple(
        draw(providers(name, N, logs=kind, dearest=dearest, longest=longest, priced=priced))
        for name, kind in zip("abcd", kinds, strict=False)
    )
    budget, attempts = (st.integers(2, 12), st.integers(1, 4)) if M == 2 else (st.integers(2, 7), st.integers(1, 2))
    return Market(
        name="tiny",
        providers=sold,
        weights=draw(st.sampled_from(WEIGHTS[N])),
        max_budget=draw(budget) / 2,
        max_attempts=draw(attempts),
    )


RULES = st.sampled_from(
    [
        {"overrun": "finish"},
        {"overrun": "cut"},
        {"overrun": "never"},
        {"allot": "attempts"},
    ]
)


def somebody_solves(market: Market) -> bool:
    """Whether any success can happen at all; a market without raises `UsageError`, which is tested by itself."""
    return any(
        (p.odds.success > 0).any() if isinstance(p.odds, Geometric) else (p.odds.successes > 0).any() for p in market.providers
    )
