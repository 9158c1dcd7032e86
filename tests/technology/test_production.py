"""The technology set: complete along a price line, with costs and derived demand as THEORY section 4 says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tiny_markets import markets, somebody_solves

from eqsolver.market import Market
from eqsolver.technology import (
    Completion,
    Effort,
    ProductionSet,
    Technology,
    along_hull,
    cheapest_reaching,
    lower_hull,
    lower_hulls,
    shortest_paths,
    technology,
)
from eqsolver.technology._optima import Optima

LEVELS = np.linspace(0.05, 1.0, 20)
LOW, HIGH = 0.05, 20.0


def prepared(market: Market, points: int | None = None) -> Technology:
    assume(all(somebody_solves(market.restrict([name])) for name in market.names))
    try:
        return technology(market, points=points, effort=Effort(exact_pair=0))
    except ValueError:
        assume(False)
        raise


@settings(max_examples=60, deadline=None)
@given(market=markets(sellers=(2, 3)), prices=st.lists(st.sampled_from([0.25, 1.0, 3.0]), min_size=6, max_size=6))
def test_optima_are_those_of_shortest_paths_with_their_units(market: Market, prices: list[float]) -> None:
    made = prepared(market)
    A = len(made.access)
    optima = Optima(made, LEVELS)
    for m in np.array(prices[: 2 * A]).reshape(2, A):
        value = shortest_paths([price * edge for price, edge in zip(m, made.edges, strict=True)])
        best = optima.at(m)
        np.testing.assert_allclose(best.units @ m, value.ravel()[best.nodes], rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(best.solved, made.solved.ravel()[best.nodes])
        exact = cheapest_reaching(made.solved, value, LEVELS, made.allowed).cost
        np.testing.assert_allclose((best.units @ m)[best.vertices :], exact[np.isfinite(exact)], rtol=1e-12, atol=1e-14)
        xs, ys = (np.append(0.0, part[: best.vertices]) for part in (best.solved, best.units @ m))
        nodes = made.solved[made.allowed]
        assert (value[made.allowed] >= along_hull(nodes, xs, ys) - 1e-9 * ys[-1]).all(), "nothing lies below the hull"
        assert (np.diff(np.diff(ys) / np.diff(xs)) > -1e-9 * max(ys[-1], 1.0)).all()


@settings(max_examples=60, deadline=None)
@given(data=st.data(), rows=st.integers(1, 4), points=st.integers(1, 12))
def test_hulls_of_many_rows_are_those_of_each(data: st.DataObject, rows: int, points: int) -> None:
    eighths = st.integers(0, 8).map(lambda n: n / 8)
    solved = np.sort(np.array(data.draw(st.lists(eighths, min_size=points, max_size=points))))
    cell = st.lists(st.integers(0, 40).map(float), min_size=points, max_size=points)
    cost = np.array([data.draw(cell) for _ in range(rows)])
    vertices, count = lower_hulls(solved, cost)
    for r in range(rows):
        mine, alone = vertices[r, : count[r]], lower_hull(solved, cost[r])
        useful = alone[cost[r, alone] <= np.minimum.accumulate(cost[r, alone][::-1])[::-1]]
        np.testing.assert_allclose(solved[mine], solved[useful])
        np.testing.assert_allclose(cost[r, mine], cost[r, useful])
        assert (vertices[r, count[r] :] == -1).all()


@settings(max_examples=50, deadline=None)
@given(market=markets(sellers=(2, 2)), ratios=st.lists(st.floats(LOW, HIGH), min_size=4, max_size=4))
def test_a_completed_set_costs_at_any_ratio_what_the_grid_does(market: Market, ratios: list[float]) -> None:
    made = prepared(market)
    search = Completion(made=made, levels=LEVELS)
    left_out = search.complete(np.ones(2), 0, LOW, HIGH, 1e-9)
    assert left_out <= 1e-9
    found = search.found()
    prices = np.column_stack([ratios, np.ones(4)])
    cost, _ = found.cost(LEVELS, prices)
    mixed = found.mixed_cost(LEVELS, prices)
    narrow = found.cheapest(prices)
    for r in range(4):
        value = shortest_paths([price * edge for price, edge in zip(prices[r], made.edges, strict=True)])
        exact = cheapest_reaching(made.solved, value, LEVELS, made.allowed).cost
        np.testing.assert_allclose(cost[r], exact, rtol=1e-8, atol=1e-12)
        reached = np.isfinite(exact)
        assert ((narrow[r] >= 0) == reached).all()
        np.testing.assert_allclose(found.units[narrow[r, reached]] @ prices[r], exact[reached], rtol=1e-8, atol=1e-12)
        assert (mixed[r, reached] <= cost[r, reached] * (1 + 1e-9) + 1e-12).all()
        near = found.near(prices)[r]
        kept = near[near >= 0]
        some = kept[lower_hull(found.solved[kept], found.units[kept] @ prices[r])]
        hull = np.append(0.0, found.solved[some]), np.append(0.0, found.units[some] @ prices[r])
        np.testing.assert_allclose(along_hull(LEVELS, *hull), mixed[r], rtol=1e-8, atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(market=markets(sellers=(2, 2)), m=st.tuples(st.floats(0.3, 3), st.floats(0.3, 3)), scale=st.sampled_from([0.5, 4.0]))
def test_costs_are_homogeneous_and_concave_and_units_are_their_slope(
    market: Market, m: tuple[float, float], scale: float
) -> None:
    search = Completion(made=prepared(market), levels=LEVELS)
    search.complete(np.ones(2), 0, LOW, HIGH, 1e-9)
    found, at = search.found(), np.array(m)
    step = np.array([1e-6 * m[0], 0.0])
    prices = np.stack([at, scale * at, at + step, at - step, at * [1.5, 1.0], (at + at * [1.5, 1.0]) / 2])
    cost, policy = found.cost(LEVELS, prices)
    reached = np.isfinite(cost[0])
    np.testing.assert_allclose(cost[1, reached], scale * cost[0, reached], rtol=1e-12)
    assert (cost[5, reached] >= (cost[0, reached] + cost[4, reached]) / 2 * (1 - 1e-12)).all()
    units = found.units[policy[0, reached]]
    for other in range(6):  # a supergradient everywhere: Shephard
        assert (cost[other, reached] <= units @ prices[other] + 1e-12).all()
    smooth = policy[2, reached] == policy[3, reached]
    slope = (cost[2, reached] - cost[3, reached]) / (2 * step[0])
    np.testing.assert_allclose(slope[smooth], found.units[policy[2, reached], 0][smooth], rtol=1e-6, atol=1e-8)


@settings(max_examples=100, deadline=None)
@given(
    solved=st.lists(st.integers(1, 16), min_size=1, max_size=12).map(sorted),
    levels=st.lists(st.integers(1, 20), min_size=1, max_size=5),
    copies=st.sampled_from([1, 100, 600]),
    data=st.data(),
)
def test_the_cheapest_of_those_that_solve_enough_is_the_last_of_equals(
    solved: list[int], levels: list[int], copies: int, data: st.DataObject
) -> None:
    """In eighths, so that costs are exact and often equal; more policies than are priced at a time, too."""
    row = st.tuples(st.integers(0, 3), st.integers(1, 4))
    units = np.repeat(
        np.array(data.draw(st.lists(row, min_size=len(solved), max_size=len(solved))), dtype=float) / 8, copies, 0
    )
    passed, u = np.repeat(np.array(solved) / 16, copies), np.array(levels) / 16
    prices = np.array([[1.0, 0.5], [0.25, 2.0]])
    cost, policy = ProductionSet(solved=passed, units=units, levels=u).cost(u, prices)
    for r, bill in enumerate(prices @ units.T):
        for at, level in enumerate(u):
            enough = np.flatnonzero(passed >= level)
            least = bill[enough].min(initial=np.inf)
            assert cost[r, at] == least
            assert policy[r, at] == (enough[bill[enough] == least][-1] if enough.size else -1)


def test_a_line_searched_with_too_few_solves_says_what_may_be_left_out() -> None:
    rng = np.random.default_rng(3)
    from eqsolver.market import Geometric, Provider

    providers = tuple(
        Provider(name=name, odds=Geometric(success=rng.random(30)), spend=rng.uniform(0.02, 0.2, 30)) for name in "ab"
    )
    made = technology(Market(name="random", providers=providers, weights=np.full(30, 1 / 30), max_budget=1.0), points=24)
    rough, fine = (Completion(made=made, levels=np.zeros(0)) for _ in range(2))
    told = rough.complete(np.ones(2), 0, LOW, HIGH, 1e-9, limit=17)
    fine.complete(np.ones(2), 0, LOW, HIGH, 1e-9)
    prices = np.column_stack([np.geomspace(LOW, HIGH, 200), np.ones(200)])
    levels = np.linspace(0.1, made.reach, 40)
    few, all_of_them = (search.found().mixed_cost(levels, prices) for search in (rough, fine))
    dearer = (few / all_of_them - 1).max()
    assert 0 < dearer <= told
    assert told == pytest.approx(rough.found().shortfall)
