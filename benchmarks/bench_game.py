"""Speed of the price game, each claim as a ratio to a named alternative in the same run."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eqsolver import load
from eqsolver._base import FloatArray
from eqsolver.game import Crowd, Stage, crowd, discretised, equilibrium
from eqsolver.game._bimatrix import bimatrix_equilibrium
from eqsolver.game._double_oracle import double_oracle
from eqsolver.game._lattice import Lattice, lattice
from eqsolver.game._rises import Against
from eqsolver.game._sales import Conduct
from eqsolver.market import Geometric, Market, Population, Provider
from eqsolver.technology import rules

MODEL = Path(__file__).parents[1] / "models" / "swebench-duopoly.toml"
VALUES = Population(distribution="lognormal", parameters=(0.4, 1.0))
BOUNDS = np.array([[0.4, 5.0], [0.4, 5.0]])
COSTS = np.array([0.4, 0.4])
TYPES = 400


@cache
def competitive(points: int | None) -> Conduct:
    market = load(MODEL)
    return Stage(market=market, terms=rules(market), bounds=BOUNDS, targets=np.zeros(0), points=points).conduct(
        "competitive", {}
    )


def seconds(task: Callable[[], Any], repeats: int = 3) -> float:
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        task()
        taken.append(time.perf_counter() - start)
    return float(np.median(taken))


def step_of(prices: int) -> float:
    return float(np.log(5.0 / 0.4) / (prices - 1)) * (1 - 1e-12)


def tick_game(conduct: Conduct, prices: int) -> Lattice:
    bounds = np.array([[1.0, 12.5], [1.0, 12.5]])  # whole numbers of ticks from the lowest price: 0.4 is one's unit of price
    return lattice(
        conduct, crowd([Population(distribution="lognormal", parameters=(1.0, 1.0))]), COSTS / 0.4, bounds, step_of(prices)
    )


def full_matrix(game: Lattice, conduct: Conduct) -> tuple[FloatArray, FloatArray]:
    """The natural code: for each price of the one, every price of the other, against every type and every policy."""
    ((_, menus),) = conduct.states
    supplies = [conduct.direct, *(menu.supply for menu in menus)]
    solved, units = np.concatenate([s.solved for s in supplies]), np.concatenate([s.units for s in supplies])
    values = np.array([c.value for c in discretised(Population(distribution="lognormal", parameters=(1.0, 1.0)), TYPES)])
    prices = game.prices(0)
    found = np.zeros((2, prices.size, prices.size))
    for a, first in enumerate(prices):
        for b, second in enumerate(prices):
            m = np.array([first, second])
            utility = values[:, None] * solved - units @ m
            best = np.argmax(utility, axis=1)
            buys = utility[np.arange(values.size), best] > 0
            found[:, a, b] = (m - game.costs) * (units[best] * buys[:, None]).mean(axis=0)
    return found[0], found[1]


def row_of_matrix(game: Lattice, conduct: Conduct) -> None:
    """One cell of it."""
    full_matrix(
        Lattice(
            **{n: getattr(game, n) for n in game.__slots__ if n != "_rows"} | {"ticks": tuple(t[90:91] for t in game.ticks)}
        ),
        conduct,
    )


@pytest.mark.parametrize("prices", [21, 181])
def test_double_oracle_against_the_full_matrix(prices: int, benchmark: Any) -> None:
    """Baseline extrapolated from cells of the matrix: the whole of it takes minutes."""
    if prices > 21 and benchmark.disabled:
        pytest.skip("large sizes are for --benchmark-enable")
    conduct = competitive(32 if prices == 21 else 128)
    game = tick_game(conduct, prices)
    n = game.ticks[0].size
    assert n == prices

    def solve() -> Any:
        return double_oracle(tick_game(conduct, prices).row, [[n // 2], [n // 2]], tolerance=1e-12, max_rounds=400)

    found = benchmark.pedantic(solve, rounds=1 if benchmark.disabled else 3)
    every = [np.stack([game.row(p, a) for a in range(n)], axis=1) for p in (0, 1)]
    x, y = np.zeros(n), np.zeros(n)
    x[found.actions[0]], y[found.actions[1]] = found.probabilities
    gains = (every[0] @ y).max() - x @ every[0] @ y, (every[1] @ x).max() - y @ every[1] @ x
    assert max(gains) <= 1e-9, "no deviation in the full matrix gains"
    if benchmark.disabled:
        return
    cell = seconds(partial(row_of_matrix, game, conduct), 5)
    mine = seconds(solve)
    whole = seconds(lambda: bimatrix_equilibrium(every[0], every[1].T), 1)
    direct = cell * n * n
    print(f"\ndouble oracle on {n} prices: {mine:.3f} s, {found.rounds} rounds")
    print(
        f"full matrix by direct evaluation over {TYPES} types, extrapolated from one cell: {direct:.1f} s, {direct / mine:.0f}x"
    )
    print(f"Lemke-Howson on the whole matrix, once it is there: {whole:.3f} s")
    assert direct >= 10 * mine


@pytest.mark.parametrize("types", [40, 400])
def test_best_response_to_twenty_prices(types: int, benchmark: Any) -> None:
    """An exact best response against a mixed rival, finite types; compared with one price at a time on a dense grid."""
    conduct, many = competitive(None if types == 400 and benchmark.enabled else 32), crowd(discretised(VALUES, types))
    rng = np.random.default_rng(0)
    step = step_of(181)
    others = np.repeat(0.4 * np.exp(step * rng.integers(0, 120, 20))[:, None], 2, axis=1)
    cells = 0.4 * np.exp(step * np.arange(181))

    def respond() -> Any:
        sales = Against(conduct=conduct, crowd=many, player=0, others=others, shares=np.full(20, 0.05))
        return sales.best_response(0.4, cells, 0.0, tolerance=1e-3, limit=10**6)

    found = benchmark.pedantic(respond, rounds=1 if benchmark.disabled else 5)
    dense = np.geomspace(0.4, 5.0, 200 if benchmark.disabled else 2000)
    assert found.missed == 0.0
    assert max(_earned(conduct, many, price, others) for price in dense) <= found.gain * (1 + 1e-9)
    assert _earned(conduct, many, found.price, others) >= found.gain * (1 - 1e-6), "and the price found attains it"
    if not benchmark.disabled:
        one = seconds(lambda: _earned(conduct, many, 1.0, others), 5)
        mine = seconds(respond)
        print(f"\nbest response to 20 prices, {types} types: {1000 * mine:.0f} ms, exactly; "
              f"{dense.size} prices one at a time: {1000 * one * dense.size:.0f} ms")  # fmt: skip


def _earned(conduct: Conduct, many: Crowd, price: float, others: FloatArray) -> float:
    prices = others.copy()
    prices[:, 0] = price
    return float((price - 0.4) * conduct.sold(many, prices)[:, 0].mean())


def three_sellers() -> Market:
    """The same at a tiny size: two problem classes."""
    sellers = (("a", (0.3, 0.1), 0.2), ("b", (0.5, 0.4), 0.4), ("c", (0.8, 0.6), 0.9))
    providers = tuple(Provider(name=name, odds=Geometric(success=p), spend=[w, w]) for name, p, w in sellers)
    return Market(name="three", providers=providers, weights=[0.5, 0.5], max_budget=3.0, consumers=(VALUES,))


def test_the_game_of_six_providers(benchmark: Any) -> None:
    """Prices of six, all of them strategic, with policies completed; against the table of all profiles on the same ticks.

    The table's time is that of a sample of its profiles, extrapolated. Ours is run once, whole.
    """
    enabled = benchmark.enabled
    market = load(MODEL.with_name("swebench-six.toml")) if enabled else three_sellers()
    tick = None if enabled else 0.1
    begin = time.perf_counter()
    found = benchmark.pedantic(
        lambda: equilibrium(market, regimes=["competitive"], points=None if enabled else 5, tick=tick), rounds=1
    )
    mine = time.perf_counter() - begin
    ((_, regime),) = found.regimes.items()
    assert regime.certified
    if not enabled:
        return
    vectors = 0.4 * np.exp(np.random.default_rng(0).uniform(0, 2.5, (500, len(market.names))))
    stage = Stage(market=market, terms=rules(market), bounds=np.array([[0.4, 5.0]] * 6), targets=np.zeros(0), every_level=False)
    conduct, everybody = stage.conduct("competitive", {}), crowd(market.consumers)
    one = seconds(lambda: conduct.sold(everybody, vectors)) / len(vectors)
    profiles = 127.0 ** len(market.names)
    print(
        f"\nsix providers: {mine:.0f} s, largest relative ε {regime.relative.max():.1e}, {regime.kind}, {regime.rounds} rounds"
    )
    if regime.completed is not None:
        print(f"policies completed {regime.completed.rounds} times; the last moved profits by {regime.completed.change:.1%}")
    print(f"the table of all {profiles:.0e} profiles on ticks of 2 %: {profiles * one:.0e} s, {profiles * one / mine:.0e}x")
    assert profiles * one > 1000 * mine
