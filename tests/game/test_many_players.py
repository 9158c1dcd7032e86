"""Many providers: regret matching, draws near to independent ones, policies completed where the game is played."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from eqsolver.game import Stage, _regimes, crowd, equilibrium
from eqsolver.game import _completed as completed
from eqsolver.game._certificate import Deviation
from eqsolver.game._completed import Completed, solve_completed
from eqsolver.game._near_independence import nearest_to_independence
from eqsolver.game._price_table import Played, table
from eqsolver.game._regret_matching import drawn, regret_matching
from eqsolver.game._sales import Conduct
from eqsolver.market import Geometric, Market, Population, Provider, Value
from eqsolver.report import print_equilibrium
from eqsolver.technology import grid_technology, rules, schedule_hull

VALUES = [Population(distribution="lognormal", parameters=(4.0, 1.0))]


def quiet(gain: float) -> None:
    """Nobody is told."""


def rows_of(payoffs: np.ndarray) -> Callable[[np.ndarray, list[np.ndarray]], list[np.ndarray]]:
    """payoffs : (n_1, ..., n_P, P)."""

    def rows(profiles: np.ndarray, tried: list[np.ndarray]) -> list[np.ndarray]:
        found = []
        for p, actions in enumerate(tried):
            away = np.repeat(profiles[:, None], actions.size, axis=1)
            away[:, :, p] = actions
            found.append(payoffs[tuple(away.reshape(-1, profiles.shape[1]).T)][:, p].reshape(len(profiles), -1))
        return found

    return rows


def test_regret_matching_finds_the_only_equilibrium_which_is_mixed() -> None:
    """Each of three in a ring wants to differ from the one before (Jordan 1993): all toss fair coins."""
    payoffs = np.ones((2, 2, 2, 3))
    for a in np.ndindex(2, 2, 2):
        payoffs[a] += (a[0] != a[2], a[1] != a[0], a[2] != a[1])
    start = [np.array([0.9, 0.1]), np.array([0.2, 0.8]), np.array([0.6, 0.4])]
    found = regret_matching(rows_of(payoffs), start, floor=1e-6, tolerance=-1.0, rounds=800, seed=0, tell=quiet)
    assert found.rounds == 800
    assert found.regret.max() <= 0.01
    for probabilities in found.strategies:
        np.testing.assert_allclose(probabilities, 0.5, atol=0.08)


@given(weights=st.lists(st.integers(0, 5), min_size=2, max_size=6).filter(any), parts=st.integers(1, 40))
def test_profiles_are_drawn_one_from_each_part_of_the_probability(weights: list[int], parts: int) -> None:
    share = np.array(weights) / sum(weights)
    found = drawn([share], parts, np.random.default_rng(0))[:, 0]
    counts = np.bincount(found, minlength=share.size)
    assert (np.abs(counts - parts * share) <= 2).all()
    assert (counts[share == 0] == 0).all()


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), aim=st.sampled_from([0.0, 0.01, 0.3]))
def test_as_little_probability_is_moved_as_leaves_nobody_a_gain(seed: int, aim: float) -> None:
    rng = np.random.default_rng(seed)
    payoffs = rng.random((8, 2)) + 0.5
    gains = [rng.normal(-0.2, 0.4, (8, 3)) for _ in range(2)]
    for gain in gains:
        gain[0] = -0.5  # where nobody wants to deviate
    found = nearest_to_independence(payoffs, gains, aim=aim, floor=1e-6)
    assert found.gain.max() <= aim + 1e-6
    assert found.moved == pytest.approx(np.abs(found.shares - 1 / 8).sum() / 2)
    equal = max(float(gain.mean(axis=0).max() / payoffs[:, p].mean()) for p, gain in enumerate(gains))
    assert (found.moved <= 1e-9) == (equal <= aim + 1e-9), "nothing is moved where independent draws will do"
    for _ in range(200):  # no draw nearer to equal shares does
        other = rng.dirichlet(np.full(8, 3.0))
        nearer = 1 / 8 + (other - 1 / 8) * min(1.0, 0.99 * found.moved / (np.abs(other - 1 / 8).sum() / 2))
        worst = max(float((nearer @ gain).max() / (nearer @ payoffs[:, p])) for p, gain in enumerate(gains))
        assert worst > aim - 1e-9 or found.moved <= 1e-9


def three(classes: int = 6) -> Market:
    """Strong and dear, weak and cheap, and one between, on problems that they find hard to different degrees."""
    rng = np.random.default_rng(1)
    sellers = (("a", 0.25, 0.2), ("b", 0.45, 0.5), ("c", 0.7, 1.0))
    providers = tuple(
        Provider(
            name=name,
            odds=Geometric(success=np.clip(p * rng.uniform(0.1, 1.6, classes), 0.0, 0.95)),
            spend=w * rng.uniform(0.6, 1.4, classes),
        )
        for name, p, w in sellers
    )
    return Market(name="three", providers=providers, weights=np.full(classes, 1 / classes), max_budget=4.0)


def played(market: Market) -> tuple[Played, Completed, float]:
    """What is played on ticks of 5 %, and the largest share by which a schedule on the grid is cheaper there than any held."""
    terms, points = rules(market), 7
    bounds = np.array([[0.4, 5.0]] * 3)
    stage = Stage(market=market, terms=terms, bounds=bounds, targets=np.zeros(0), points=points)

    def rebuilt() -> Conduct:
        return stage.conduct("competitive", {})

    found, how, conduct = solve_completed(
        stage,
        rebuilt,
        crowd(VALUES),
        (0, 1, 2),
        np.full(3, 0.4),
        tick=0.05,
        tolerance=0.01,
        drawn_tolerance=0.01,
        max_rounds=30,
        tell=quiet,
    )
    ((_, (menu,)),) = conduct.states
    made = grid_technology(market, terms, stage.steps, (0, 1, 2), points=points)
    worst = 0.0
    for prices in found.prices[np.argsort(-found.shares)[:6]]:
        solved, cost = schedule_hull(made, prices)
        held = menu.supply.mixed_cost(solved[1:], prices[None])[0]
        worst = max(worst, float((1 - cost[1:] / held).max()))
    return found, how, worst


def test_policies_are_completed_where_the_game_is_played(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same game without completing them: schedules are left out that are cheaper there."""
    found, how, left_out = played(three())
    assert how.rounds >= 1
    assert how.added > 0
    assert how.settled == (how.change <= 0.01)
    assert left_out <= 1e-3
    assert max(d.epsilon / d.profit for d in found.deviations if d.profit > 1e-6) <= 1e-6
    monkeypatch.setattr(completed, "COMPLETIONS", 0)
    _, how, without = played(three())
    assert how.rounds == 0
    assert without > max(5 * left_out, 1e-3)


@pytest.mark.parametrize("number", [1, 3, 50])
def test_policies_are_completed_at_every_players_best_deviation_from_every_price_vector(number: int) -> None:
    rng = np.random.default_rng(number)
    prices, best = np.exp(rng.uniform(-0.5, 0.5, (number, 3))), (0.7, 2.0)
    played = Played(
        kind="mixed" if number > 1 else "pure",
        prices=prices,
        shares=np.full(number, 1 / number),
        deviations=tuple(Deviation(gain=0.0, missed=0.0, price=price, profit=1.0) for price in best),
        path=prices,
        step=0.01,
        rounds=1,
    )
    stage = Stage(market=three(2), terms=rules(three(2)), bounds=np.array([[0.4, 3.0]] * 3), targets=np.zeros(0))
    game = table(stage.conduct("direct", {}), crowd(VALUES), (0, 2), np.ones(3), np.zeros(3), stage.bounds, 0.1)
    found = completed.deviating(game, played)
    aside = [np.where(np.arange(3) == i, price, prices) for i, price in zip((0, 2), best, strict=True)]
    np.testing.assert_allclose(found, np.unique(np.concatenate(aside), axis=0))


def test_a_completion_that_moves_a_profit_or_that_of_a_deviation_is_seen() -> None:
    def told(profit: float, gain: float) -> Played:
        deviations = (Deviation(gain=gain, missed=0.0, price=1.0, profit=profit),)
        one = np.ones((1, 1))
        return Played(kind="pure", prices=one, shares=np.ones(1), deviations=deviations, path=one, step=0.1, rounds=1)

    assert completed._change(told(2.0, 0.5), told(2.0, 0.5)) == 0.0
    assert completed._change(told(2.0, 0.1), told(1.5, 0.6)) == pytest.approx(0.25), "the profit fell by a quarter"
    assert completed._change(told(2.0, 0.1), told(2.0, 0.5)) == pytest.approx(0.2), "a deviation earns a fifth of it more"
    assert completed._change(told(0.0, 0.0), told(0.0, 0.0)) == 0.0


@pytest.mark.parametrize("regime", ["competitive", pytest.param("matching", marks=pytest.mark.slow)])
def test_of_grown_policies_epsilon_bounds_every_deviation_and_the_one_reported_attains_it(
    regime: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Claim 8, for three providers whose arbitrageur's paths are grown: among the policies held at the end."""
    monkeypatch.setattr(_regimes, "fits_grid", lambda listed, points: False)
    market, many = three(4), crowd([Value(value=v) for v in (0.7, 1.5, 3.0, 6.0)])
    bounds = np.array([[0.4, 3.0]] * 3)
    stage = Stage(market=market, terms=rules(market), bounds=bounds, targets=many.levels)
    found, how, conduct = solve_completed(
        stage, lambda: stage.conduct(regime, {}), many, (0, 1, 2), np.full(3, 0.4),
        tick=None, tolerance=0.01, drawn_tolerance=0.01, max_rounds=30, tell=quiet,
    )  # fmt: skip
    assert stage.grows
    assert how.rounds >= 1
    rng = np.random.default_rng(0)
    for player, told in enumerate(found.deviations):

        def earned(own: np.ndarray, player: int = player) -> np.ndarray:
            total = np.zeros(own.size)
            for share, prices in zip(found.shares, found.prices, strict=True):
                vectors = np.repeat(prices[None], own.size, axis=0)
                vectors[:, player] = own
                total += share * (own - 0.4) * conduct.sold(many, vectors)[:, player]
            return total

        played = sum(
            share * (prices[player] - 0.4) * conduct.sold(many, prices[None])[0, player]
            for share, prices in zip(found.shares, found.prices, strict=True)
        )
        assert played == pytest.approx(told.profit, rel=1e-9, abs=1e-12)
        dense = np.concatenate([np.geomspace(0.4, 3.0, 801), rng.uniform(0.4, 3.0, 200)])
        assert earned(dense).max() - played <= told.epsilon * (1 + 1e-9) + 1e-9
        attained = earned(told.price * np.array([1.0, 1 - 1e-9])).max() - played  # below it nothing: nobody has to deviate
        assert max(attained, 0.0) == pytest.approx(told.gain, rel=1e-6, abs=1e-9)


def test_the_answer_says_how_far_it_is_from_independent_draws_and_what_completing_moved() -> None:
    solved = equilibrium(three(), consumers=VALUES, regimes=["competitive"], tick=0.07, points=4, max_rounds=30)
    found, told = solved.regimes["competitive"], solved.to_dict()["regimes"]["competitive"]
    assert set(told["completion"]) == {"rounds", "policies_added", "profit_change", "settled"}
    assert told["completion"]["rounds"] >= 1
    assert found.kind == "cce"
    assert found.relative.max() <= 1e-9
    drawn_together = told["drawn_together"]
    assert set(drawn_together["independent_gain"]) == {"a", "b", "c"}
    assert 0 < drawn_together["moved_from_independent"] < 1
    text = StringIO()
    print_equilibrium(solved, Console(file=text, width=200))
    assert "was moved from independent draws" in text.getvalue()
    assert "policies were completed" in text.getvalue()
