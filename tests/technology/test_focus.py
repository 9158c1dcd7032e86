"""A focused grid holds what schedules of much finer grids turn at: no dearer where it looked, hardly dearer between."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import assume, given, settings
from tiny_markets import markets

from eqsolver import load
from eqsolver._base import FloatArray
from eqsolver.market import Market
from eqsolver.technology import (
    Optimum,
    Technology,
    all_steps,
    along_hull,
    build,
    focused_technology,
    grid_technology,
    rules,
    schedule_hull,
    schedules,
)

DUOPOLY = Path(__file__).parents[2] / "models" / "swebench-duopoly.toml"
LEVELS = np.linspace(0.3, 0.75, 19)


def ratios(low: float, high: float, count: int) -> FloatArray:
    return np.column_stack([np.geomspace(low, high, count), np.ones(count)])


def hulls(made: Technology, prices: FloatArray) -> FloatArray:
    return np.array([along_hull(LEVELS, *schedule_hull(made, row)) for row in prices])


def test_few_points_cost_what_many_more_do_at_ratios_not_looked_at() -> None:
    market = load(DUOPOLY)
    terms, listed = rules(market), all_steps(market, rules(market))
    looked = ratios(0.4, 4.0, 7)
    made = focused_technology(market, terms, listed, (0, 1), looked, np.zeros(0), nodes=200_000)
    fine = grid_technology(market, terms, listed, (0, 1), points=446)
    between = ratios(0.45, 3.3, 5)
    assert made.survival.size < fine.survival.size / 2
    np.testing.assert_allclose(hulls(made, looked), hulls(fine, looked), rtol=1e-12)
    np.testing.assert_allclose(hulls(made, between), hulls(fine, between), rtol=2e-3)
    uniform = grid_technology(market, terms, listed, (0, 1), points=int(made.survival.size**0.5))
    dearer = hulls(uniform, between) / hulls(fine, between)
    assert dearer.mean() - 1 > 5 * ((hulls(made, between) / hulls(fine, between)).mean() - 1)


def test_every_round_looks_among_other_steps_and_nothing_gets_dearer() -> None:
    market = load(DUOPOLY)
    terms, listed = rules(market), all_steps(market, rules(market))
    looked = ratios(0.5, 2.0, 3)
    costs, moved = [], []
    for rounds in (1, 2, 4):
        made = focused_technology(market, terms, listed, (0, 1), looked, LEVELS, rounds=rounds, nodes=160_000)
        costs.append(hulls(made, looked))
        moved.append(made.moved)
    assert (costs[1] <= costs[0] * (1 + 1e-12)).all()
    assert (costs[2] <= costs[1] * (1 + 1e-12)).all()
    assert costs[2].mean() < costs[0].mean()
    assert moved[0] == np.inf
    assert 0 < moved[2] < moved[1] < 0.2


def test_of_two_providers_no_step_is_left_out_where_it_looks() -> None:
    market = load(DUOPOLY)
    terms, listed = rules(market), all_steps(market, rules(market))
    looked, levels = ratios(0.4, 4.0, 5), np.linspace(0.5, 0.76, 14)
    made = focused_technology(market, terms, listed, (0, 1), looked, levels)
    pair = build(market, terms, listed)
    assert made.survival.size < pair.grid[0].size * pair.grid[1].size / 10
    for prices in looked:
        optimum = Optimum(made=pair, prices=prices, levels=levels, market_price=np.full(14, np.inf))
        np.testing.assert_allclose(schedules(made, prices, levels).cost, optimum.schedules.cost, rtol=1e-10)
        np.testing.assert_allclose(
            along_hull(LEVELS, *schedule_hull(made, prices)), along_hull(LEVELS, *optimum.hull), rtol=1e-10
        )
    fine = focused_technology(market, terms, listed, (0, 1), looked, levels, nodes=1_000_000)
    between = ratios(0.45, 3.3, 5)
    assert hulls(made, between).mean() < hulls(fine, between).mean()


@settings(max_examples=30, deadline=None)
@given(market=markets(sellers=(2, 3)))
def test_where_all_steps_fit_the_grid_is_exact(market: Market) -> None:
    terms = rules(market)
    listed = all_steps(market, terms)
    bought = tuple(i for i, step in enumerate(listed) if step.at.size)
    assume(bought)
    made = focused_technology(market, terms, listed, bought, np.ones((1, len(listed))), np.zeros(0))
    assert made.exact
    assert made.moved == 0.0
