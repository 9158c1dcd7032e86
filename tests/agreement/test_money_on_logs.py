"""Margins on the published attempt logs under every money rule, from plain numpy that shares no code with eqsolver."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest
from published import DATA, needs_logs

from eqsolver import load
from eqsolver.posted import solve

pytestmark = needs_logs
FILES = [DATA / "swebench" / f"{name}.jsonl" for name in ("gpt5mini", "deepseek")]
CAP, TINY = 1.0, 1e-12

EXPECTED = {"finish": (0.7553, 0.333, 0.513), "cut": (0.7549, 0.283, 0.463), "never": (0.7549, 0.338, 0.490)}
"""Reach, mean margin and margin at the reach of the best cascade per level at 11 levels over the last 5 points, by rule."""


@dataclass
class Attempts:
    """Every attempt within the cap in the order of allotments: where it begins or ends, on which problem, what it adds."""

    at: np.ndarray
    problem: np.ndarray
    drop: np.ndarray
    rise: np.ndarray
    last: np.ndarray  # of the attempts that are made together


@dataclass
class Levels:
    """What an independent computation finds at some levels."""

    reach: float
    levels: np.ndarray
    price: np.ndarray
    cost: np.ndarray

    @property
    def margin(self) -> np.ndarray:
        return 1 - np.minimum(self.cost, self.price) / self.price


def logged() -> list[list[tuple[int, int, float]]]:
    """(n, c, mean cost) of each problem that both files have."""
    files = [[json.loads(line) for line in path.read_text().splitlines()] for path in FILES]
    rows = [{e["id"]: (len(e["attempts"]), sum(map(int, e["attempts"])), e["mean_cost"]) for e in file} for file in files]
    ids = [problem for problem in rows[0] if problem in rows[1]]
    return [[row[problem] for problem in ids] for row in rows]


def attempts(log: list[tuple[int, int, float]], rule: str) -> Attempts:
    listed = []
    for x, (n, c, w) in enumerate(log):
        survived, done = 1.0, 0
        while survived > 0:
            at = done * w if rule == "finish" else (done + 1) * w
            if at >= CAP * (1 - TINY) if rule == "finish" else at > CAP * (1 + TINY):
                break
            after = survived if c == 0 else survived * max(n - c - done, 0) / (n - done)
            listed.append((at, x, survived - after, w * survived))
            survived, done = after, done + 1
    at, problem, drop, rise = np.array(sorted(listed)).T
    last = np.flatnonzero(np.append(at[1:] > at[:-1] * (1 + TINY), True))
    return Attempts(at[last], problem.astype(int), drop, rise, last)


def along(made: Attempts, mass: np.ndarray, rule: str) -> tuple[np.ndarray, np.ndarray]:
    """Share solved and money spent at each node of a provider where the problems unsolved so far have these masses."""
    weight = mass[made.problem]
    solved = np.cumsum(weight * made.drop)[made.last]
    if rule == "cut":
        unsolved = mass.sum() - np.append(0.0, solved[:-1])
        return solved, np.cumsum(unsolved * np.diff(made.at, prepend=0.0))
    return solved, np.cumsum(weight * made.rise)[made.last]


def buy(solved: np.ndarray, spent: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Money of the first node that reaches each level; infinite if none does."""
    return np.append(spent, np.inf)[np.searchsorted(solved, levels - TINY)]


@cache
def independent(rule: str, count: int) -> Levels:
    logs = logged()
    q = np.full(len(logs[0]), 1 / len(logs[0]))
    made = [attempts(log, rule) for log in logs]
    alone = [along(each, q, rule) for each in made]
    reach = max(solved[-1] for solved, _ in alone)
    levels = np.linspace(reach - 0.05, reach, count)
    price = np.min([buy(*offer, levels) for offer in alone], axis=0)
    cost = price.copy()
    for one, other in ((0, 1), (1, 0)):
        first, second, mass, begin = made[one], made[other], q.copy(), 0
        for node, (solved, spent) in enumerate(zip(*alone[one], strict=True)):
            until = first.last[node] + 1
            np.subtract.at(mass, first.problem[begin:until], q[0] * first.drop[begin:until])
            begin = until
            if spent >= cost.max():
                break
            room = first.at[node] + second.at
            fits = int(np.sum(room < CAP * (1 - TINY) if rule == "finish" else room <= CAP * (1 + TINY)))
            more, paid = along(second, np.maximum(mass, 0.0), rule)
            cost = np.minimum(cost, buy(solved + more[:fits], spent + paid[:fits], levels))
    return Levels(reach, levels, price, cost)


@pytest.mark.parametrize("rule", EXPECTED)
def test_margins_on_the_logs_are_those_of_the_rule(rule: str) -> None:
    found, (reach, mean, top) = independent(rule, 11), EXPECTED[rule]
    assert found.reach == pytest.approx(reach, abs=5e-5)
    assert found.margin.mean() == pytest.approx(mean, abs=0.005)
    assert found.margin[-1] == pytest.approx(top, abs=0.01)


@pytest.mark.slow
@pytest.mark.parametrize(("rule", "mean"), [("finish", 0.327), ("cut", 0.276), ("never", 0.329)])
def test_margins_at_a_hundred_levels(rule: str, mean: float) -> None:
    assert independent(rule, 100).margin.mean() == pytest.approx(mean, abs=0.005)


@pytest.mark.parametrize("rule", EXPECTED)
def test_the_library_finds_the_same_offers_and_cascades(rule: str) -> None:
    """Two providers are solved exactly: what listing every cascade finds, to the last digits."""
    right = independent(rule, 11)
    solution = solve(load(*FILES), max_budget=CAP, overrun=rule, levels=right.levels)
    assert solution.offers.reach.max() == pytest.approx(right.reach, abs=1e-12)
    np.testing.assert_allclose(solution.offers.market_price, right.price, rtol=1e-9)
    np.testing.assert_allclose(solution.cascade_per_level.resale.buy_cost, right.cost, rtol=1e-9)
    schedule = solution.schedule.policy.resale.buy_cost
    assert (schedule <= right.cost * (1 + 1e-12)).all()
    assert (schedule > right.cost * 0.98).all(), "interleaving saves little here"
