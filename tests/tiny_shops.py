"""Hypothesis strategies for shops and markets under the money rules; costs may depend on the outcome, providers may be free."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
from hypothesis import strategies as st
from oracles_money import Beta, Block, Odds, Shop, typed

from eqsolver.market import Estimated, Geometric, Market, Provider, Sampled

WEIGHTS = {1: [(1,)], 2: [(1, 1), (1, 3), (1, 7)], 3: [(2, 2, 4), (1, 4, 3)]}
PRICES = (1.0, 1.0, 0.5, 1.25)


@st.composite
def sold(
    draw: st.DrawFn, name: str, problems: int, *, logs: bool, dearest: int, longest: int, believed: bool = False
) -> Provider:
    """One provider: p in eighths, or logs of up to `longest` attempts; costs in halves, by outcome or the same for both."""
    column = st.lists(st.integers(1, 2 * dearest), min_size=problems, max_size=problems).map(lambda w: np.array(w) / 2)
    won = draw(column)
    lost = draw(st.one_of(st.none(), column))
    odds: Geometric | Sampled | Estimated
    if believed:
        halves = st.lists(st.integers(1, 6).map(lambda a: a / 2), min_size=problems, max_size=problems)
        odds = Estimated(alpha=draw(halves), beta=draw(halves))
    elif logs:
        n = draw(st.lists(st.integers(1, longest), min_size=problems, max_size=problems))
        odds = Sampled(attempts=n, successes=[draw(st.integers(0, most)) for most in n])
    else:
        odds = Geometric(success=[draw(st.integers(0, 8)) / 8 for _ in range(problems)])
    return seller(name, odds, won, lost, price=draw(st.sampled_from(PRICES)))


def seller(
    name: str, odds: Geometric | Sampled | Estimated, won: object, lost: object = None, *, price: float = 1.0
) -> Provider:
    """A provider whose attempts cost `won` where they succeed and `lost` where they fail."""
    more = {} if lost is None else {"spend_failed": lost}
    return Provider(name=name, odds=odds, spend=won, price=price, **more)


@st.composite
def markets(
    draw: st.DrawFn,
    *,
    sellers: tuple[int, int] = (2, 3),
    problems: tuple[int, int] = (1, 3),
    small: bool = False,
    believed: bool = False,
    gift: bool = False,
) -> Market:
    """A market with both caps stated. believed : odds may be. gift : the first provider costs nothing."""
    M, N = draw(st.integers(*sellers)), draw(st.integers(*problems))
    dearest, longest = (3, 4) if M < 3 else (3, 3)
    providers = tuple(
        draw(
            sold(name, N, logs=draw(st.booleans()), dearest=dearest, longest=longest, believed=believed and draw(st.booleans()))
        )
        for name, _ in zip("abcd", range(M), strict=False)
    )
    if gift:
        nothing = np.zeros(N)
        providers = (replace(providers[0], spend=nothing, spend_failed=nothing, free=True), *providers[1:])
    most = 4 if small else 9 if M < 3 else 5
    weights = np.array(draw(st.sampled_from(WEIGHTS[N])), dtype=float)
    return Market(
        name="tiny",
        providers=providers,
        weights=weights / weights.sum(),
        max_budget=draw(st.integers(1, most)) / 2,
        max_attempts=draw(st.integers(1, 2 if M > 2 or small else 3)),
    )


def asked(rule: str) -> dict[str, str]:
    """The rule as options of a solve."""
    return {"allot": "attempts"} if rule == "attempts" else {"allot": "money", "overrun": rule}


def shop_of(market: Market, rule: str, cap: float | None = None) -> Shop:
    """The market in fractions under a rule."""
    limit = cap if cap is not None else (market.max_attempts if rule == "attempts" else market.max_budget)
    if limit is None:
        limit = max(int(p.odds.attempts.max()) for p in market.providers) if rule == "attempts" else 10**6
    costs = [(p.spend, p.spend_if_failed) for p in market.providers]
    return Shop(
        weights=tuple(Fraction(float(q)).limit_denominator(1000) for q in market.weights),
        price=tuple(typed(p.price) for p in market.providers),
        won=tuple(tuple(typed(w) for w in won) for won, _ in costs),
        lost=tuple(tuple(typed(w) for w in lost) for _, lost in costs),
        odds=tuple(odds_of(p.odds) for p in market.providers),
        rule=rule,
        cap=typed(limit),
        free=tuple(p.free for p in market.providers),
        most=market.max_attempts or 0,
    )


def odds_of(odds: object) -> tuple[Odds, ...]:
    """The odds of one provider, problem by problem."""
    if isinstance(odds, Geometric):
        return tuple(typed(s) for s in odds.success)
    if isinstance(odds, Sampled):
        return tuple((int(n), int(c)) for n, c in zip(odds.attempts, odds.successes, strict=True))
    assert isinstance(odds, Estimated)
    return tuple(Beta(typed(a), typed(b)) for a, b in zip(odds.alpha, odds.beta, strict=True))


@st.composite
def shops(
    draw: st.DrawFn, rule: str, *, sellers: tuple[int, int] = (1, 3), problems: tuple[int, int] = (1, 3), small: bool = False
) -> Shop:
    """A shop under a rule, with costs by outcome. Without any library object: the oracles are tested by themselves."""
    M, N = draw(st.integers(*sellers)), draw(st.integers(*problems))
    half = st.integers(1, 6).map(lambda w: Fraction(w, 2))
    weights = draw(st.sampled_from(WEIGHTS[N]))

    def odds() -> Fraction | tuple[int, int]:
        if draw(st.booleans()):
            return Fraction(draw(st.integers(0, 8)), 8)
        n = draw(st.integers(1, 4))
        return n, draw(st.integers(0, n))

    won = tuple(tuple(draw(half) for _ in range(N)) for _ in range(M))
    lost = tuple(tuple(draw(half) for _ in range(N)) for _ in range(M)) if draw(st.booleans()) else won
    top = 4 if small or M > 2 else 9
    return Shop(
        weights=tuple(Fraction(q, sum(weights)) for q in weights),
        price=tuple(Fraction(draw(st.sampled_from([1, 2, 3, 5])), 2) for _ in range(M)),
        won=won,
        lost=lost,
        odds=tuple(tuple(odds() for _ in range(N)) for _ in range(M)),
        rule=rule,
        cap=Fraction(draw(st.integers(1, 3))) if rule == "attempts" else Fraction(draw(st.integers(1, top)), 2),
    )


@st.composite
def paths_of(draw: st.DrawFn, shop: Shop, blocks: int = 5) -> list[Block]:
    """Any path of allotments, in thirds, sixths and quarters of money or whole attempts; providers return."""
    here, path = [Fraction(0) for _ in shop.sellers], []
    for _ in range(draw(st.integers(1, blocks))):
        i = draw(st.integers(0, len(shop.price) - 1))
        more = Fraction(draw(st.integers(1, 2))) if shop.rule == "attempts" else Fraction(draw(st.integers(1, 24)), 12)
        if here[i] + more > (4 if shop.rule == "attempts" else 5):
            continue
        here[i] += more
        path.append((i, here[i]))
    return path
