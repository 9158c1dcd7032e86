"""Markets whose solution a textbook derives, by sympy here, and the two such models that ship with eqsolver."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from eqsolver.market import Geometric, Market, Provider, load
from eqsolver.posted import solve, undercut

MODELS = Path(__file__).parents[2] / "models"

p, r, w = sp.symbols("p r w", positive=True)
k, j = sp.symbols("k j", integer=True, nonnegative=True)


def test_the_spend_of_geometric_attempts_is_the_sum_that_sympy_takes() -> None:
    q = sp.Symbol("q", positive=True)
    closed = w * (1 - (1 - p) ** k) / p
    for count in range(7):
        assert sp.simplify(closed.subs(k, count) - sum(w * (1 - p) ** done for done in range(count))) == 0
    assert sp.simplify(sp.summation(q**j, (j, 0, k - 1)).rewrite(sp.Piecewise).args[-1].args[0] - (1 - q**k) / (1 - q)) == 0
    assert sp.limit(closed, p, 0) == w * k


@settings(max_examples=40, deadline=None)
@given(
    a=st.tuples(st.integers(1, 7), st.integers(1, 6)),
    b=st.tuples(st.integers(1, 7), st.integers(1, 6)),
    most=st.integers(1, 4),
)
def test_with_one_class_the_cheaper_verified_solution_is_bought_first(
    a: tuple[int, int], b: tuple[int, int], most: int
) -> None:
    """A solution costs w / p from either; after j failures of the first provider the other's attempts cost (1-p)^j as much."""
    odds = [sp.Rational(a[0], 8), sp.Rational(b[0], 8)]
    each = [sp.Integer(a[1]) / odds[0], sp.Integer(b[1]) / odds[1]]
    first, then = (0, 1) if each[0] <= each[1] else (1, 0)
    market = Market(
        name="one class",
        providers=tuple(
            Provider(name=name, odds=Geometric(success=[s / 8]), spend=[float(c)]) for name, (s, c) in (("a", a), ("b", b))
        ),
        weights=[1.0],
        max_attempts=most,
    )
    offer = {(i, n): each[i] * (1 - (1 - odds[i]) ** n) for i in (0, 1) for n in range(1, most + 1)}
    reach = {(i, n): 1 - (1 - odds[i]) ** n for i, n in offer}
    paths = {}
    for m in range(most + 1):
        for n in range(most + 1):
            left = (1 - odds[first]) ** m
            paths[1 - left * (1 - odds[then]) ** n] = min(
                each[first] * (1 - left) + left * each[then] * (1 - (1 - odds[then]) ** n),
                paths.get(1 - left * (1 - odds[then]) ** n, sp.oo),
            )
    levels = sorted(set(reach.values()) | set(paths) - {0})
    levels = [u for u, after in zip(levels, [*levels[1:], sp.Integer(2)], strict=True) if after - u > sp.Rational(1, 10**9)]
    solution = solve(market, levels=[float(u) for u in levels], allot="attempts")
    for at, u in enumerate(levels):
        price = min((offer[x] for x in offer if reach[x] >= u), default=None)
        cost = min(cost for solved, cost in paths.items() if solved >= u)
        assert solution.schedule.policy.resale.buy_cost[at] == pytest.approx(float(cost), rel=1e-10)
        if price is None:
            assert np.isnan(solution.schedule.policy.resale.margin[at])
        else:
            assert solution.offers.market_price[at] == pytest.approx(float(price), rel=1e-10)
            assert solution.schedule.policy.resale.margin[at] == pytest.approx(float(1 - cost / price), abs=1e-10)


@pytest.mark.parametrize("allot", ["money", "attempts"])
def test_textbook_specialists_cost_and_earn_what_the_closed_form_says(allot: str) -> None:
    market = load(MODELS / "textbook-specialists.toml")
    price = sp.Rational(1, 2) * 1 + sp.Rational(1, 2) * (1 - r**k) / (1 - r)  # own class and the other, r = 1 - p
    assert sp.simplify(sp.expand(price - (1 + r * (1 - r ** (k - 1)) / (2 * (1 - r)))) * (1 - r)) == 0
    both = 1 + r / 2
    eighth = {r: sp.Rational(7, 8)}
    ks = range(1, 9)
    tops = [1 - sp.Rational(7, 8) ** n / 2 for n in ks]
    solution = solve(market, levels=[*(float(u) for u in tops), 1.0], allot=allot)
    resale = solution.schedule.policy.resale
    cascade = solution.cascade_per_level.resale
    for at, n in enumerate(ks):
        asked = price.subs({**eighth, k: n})
        bought = min(asked, both.subs(eighth))
        assert solution.offers.market_price[at] == pytest.approx(float(asked), rel=1e-12)
        assert resale.buy_cost[at] == pytest.approx(float(bought), rel=1e-12)
        assert cascade.buy_cost[at] == pytest.approx(float(bought), rel=1e-12)
        assert resale.margin[at] == pytest.approx(float(1 - bought / asked), abs=1e-12)
    assert resale.margin[:2] == pytest.approx([0, 0], abs=1e-12)
    assert resale.margin[2] > 0.1
    assert np.isinf(solution.offers.market_price[-1])
    assert resale.buy_cost[-1] == pytest.approx(23 / 16, rel=1e-12)
    assert np.isnan(resale.margin[-1])
    assert sp.limit((1 - both / price).subs(eighth), k, sp.oo) == sp.Rational(49, 72)
    referrer = solution.arbitrageurs["referrer"].policy.resale
    np.testing.assert_allclose(referrer.buy_cost, resale.buy_cost, rtol=1e-12)


def test_textbook_bertrand_leaves_margins_only_where_one_twin_cannot_reach() -> None:
    market = load(MODELS / "textbook-bertrand.toml")
    half, dear = sp.Rational(1, 2), sp.Rational(1, 4)
    levels = [1 - half**n for n in range(1, 5)]
    by_attempts = solve(market, levels=[float(u) for u in levels], allot="attempts")
    strong = (sp.Integer(2) / (1 - dear)) * (1 - dear**2)
    price = [2 * levels[0], 2 * levels[1], strong, strong]
    cost = [2 * u for u in levels]
    margins = [1 - c / a for c, a in zip(cost, price, strict=True)]
    assert margins == [0, 0, sp.Rational(3, 10), sp.Rational(1, 4)]
    np.testing.assert_allclose(by_attempts.offers.market_price, np.array(price, dtype=float), rtol=1e-12)
    np.testing.assert_allclose(by_attempts.schedule.policy.resale.buy_cost, np.array(cost, dtype=float), rtol=1e-12)
    np.testing.assert_allclose(by_attempts.schedule.policy.resale.margin, np.array(margins, dtype=float), atol=1e-12)
    np.testing.assert_array_equal(by_attempts.offers.seller, [0, 0, 2, 2])
    second = by_attempts.arbitrageurs["second reseller"].policy.resale
    dearer = [sp.Max(0, 1 - sp.Rational(11, 10) * c / a) for c, a in zip(cost, price, strict=True)]
    np.testing.assert_allclose(second.margin, np.array(dearer, dtype=float), atol=1e-12)

    by_budget = solve(market, levels=[float(u) for u in levels])
    np.testing.assert_allclose(by_budget.offers.market_price, np.array(cost, dtype=float), rtol=1e-12)
    np.testing.assert_allclose(by_budget.schedule.policy.resale.margin, 0, atol=1e-12)
    above = solve(market, levels=[0.97], allot="attempts")
    left = half**4
    assert above.schedule.policy.resale.buy_cost[0] == pytest.approx(float(2 * (1 - left) + left * 2), rel=1e-12)
    assert np.isnan(above.schedule.policy.resale.margin[0])


def test_undercutting_tends_to_bertrand_as_the_factor_tends_to_one() -> None:
    f, lowest, gap, price = sp.symbols("f c d P", positive=True)
    rest = sp.Min(price, sp.Max(lowest, f * sp.Min(price, lowest + gap)))
    for c1, c2, asked in [(1, 3, 10), (1, 9, 4), (2, 2, 5), (6, 7, 5)]:
        exact = rest.subs({lowest: c1, gap: c2 - c1, price: asked})
        limit = sp.Min(asked, c2)
        assert exact.subs(f, 1) == limit, "min and max are continuous, so the limit is the value at f = 1"
        for factor in (0.9, 0.99, 0.999):
            found = undercut(np.array([float(asked)]), np.array([[float(c1)], [float(c2)]]), factor, rounds=3)
            assert found.rest[0] == pytest.approx(float(exact.subs(f, sp.Rational(str(factor)))), rel=1e-12)
            assert 0 <= float(limit) - found.rest[0] <= (1 - factor) * float(limit) + 1e-12
