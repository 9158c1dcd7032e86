"""The price game where demand is smooth: best responses by scipy, iterated; certificates from bounds on cells of prices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from scipy import optimize

from eqsolver._base import FloatArray, IntArray
from eqsolver.game._certificate import Deviation, best_deviation, least_profit
from eqsolver.game._consumers import Crowd
from eqsolver.game._demand import Demand, Logit
from eqsolver.game._double_oracle import double_oracle
from eqsolver.game._groups import with_own
from eqsolver.game._lattice import ticks
from eqsolver.game._logit import Tastes
from eqsolver.game._marketplace import Routed, marketplace
from eqsolver.game._outcome import Outcome
from eqsolver.game._regimes import Stage
from eqsolver.game._sales import Conduct

LOOK = 48
"""Prices at which a best response is looked for, log-spaced over the bounds; the best few stretches are searched by scipy."""
STRETCHES = 3
SETTLED = 1e-6
"""Largest relative change of a price in a round of best responses that have settled."""
PATIENCE, SHRINKS = 4, 0.5
"""Where prices go up and down, the largest change must shrink by this factor in so many rounds; else best responses are damped
by a half, and if it does not shrink then either, they do not settle. (Profits jump where an arbitrageur's policy flips.)"""
ROUNDS = 60
"""Rounds of best responses from one start, at most: undercutting by a little each time can go on for long before it turns."""
STARTS, APART = (0.05, 0.95), 1e-3
"""Where in the log range of prices other searches start, and the share of a price by which equilibria are told apart."""
STEPS = (0.01, 0.005, 0.0025)
"""Log distances of the ticks on which two players are solved in mixed strategies if best responses do not settle, until that is
certified."""
WIDEST = 60
"""Prices that either draws, beyond which ticks are not halved: finer ones would take long."""
CORRECTIONS = 3
"""How often best responses that have settled go on from a better price that only the certificate finds, at most: there may be a
hill further away than they look. Where it keeps finding one, they rest on the edge of a cliff, where rounding decides on which
side, and are not an equilibrium."""
CELLS = 8_000
"""Cells of prices tried for one certificate, at most, divided by the number of the rivals' price vectors."""


class Served(Protocol):
    """A regime and its customers, smooth in prices: `Tastes` or `Routed`."""

    def sold(self, prices: FloatArray) -> FloatArray: ...
    def between(
        self, player: int, others: FloatArray, left: FloatArray, right: FloatArray
    ) -> tuple[FloatArray, FloatArray]: ...
    def outcome(self, prices: FloatArray, marginal_costs: FloatArray) -> Outcome: ...
    def quote_gain(self, prices: FloatArray) -> dict[str, float]: ...


def served(stage: Stage, conduct: Conduct, crowd: Crowd, demand: Demand) -> Served:
    """A regime's customers under a rule of demand."""
    if isinstance(demand, Logit):
        return Tastes.of(conduct, crowd, demand)
    return Routed(marketplace(stage, conduct, demand), crowd)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Settled:
    """What the players play. kind : `pure`, `mixed`, or `cycle`: best responses did not settle, the least ε that they visited.

    prices : (S, M). shares : (S,). deviations : per player. path : (T, M) what the iteration went through. step : log distance
    of the ticks played, 0 for none. rounds : of best responses, and restricted games. others : where other starts came to rest.
    """

    kind: str
    prices: FloatArray
    shares: FloatArray
    deviations: tuple[Deviation, ...]
    path: FloatArray
    step: float
    rounds: int
    others: tuple[FloatArray, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SmoothGame:
    """players : who moves. base : (M,) posted prices. costs : (M,) κ. bounds : (M, 2). step : log distance of ticks, or 0."""

    demand: Served
    players: tuple[int, ...]
    base: FloatArray
    costs: FloatArray
    bounds: FloatArray
    step: float

    def row(self, player: int, own: FloatArray, others: FloatArray) -> FloatArray:
        """(R,) profits of a provider at R own prices, the others' as in a price vector (M,)."""
        prices = with_own(others, player, own)
        return np.asarray((own - self.costs[player]) * self.demand.sold(prices)[:, player])

    def ticks(self, player: int) -> FloatArray:
        """Prices that a provider may post on ticks."""
        low, high = self.bounds[player]
        return np.asarray(np.exp(self.step * ticks(float(low), float(high), self.step)))

    def answer(self, player: int, others: FloatArray) -> float:
        """The best price found against others' prices (M,), never a worse one than the player's own among them."""
        if self.step:
            own = self.ticks(player)
            return float(own[np.argmax(self.row(player, own, others))])
        low, high = self.bounds[player]
        looked = np.unique(np.append(np.geomspace(low, high, LOOK), others[player]))
        for _ in range(2):  # once more around the best few, so that scipy is left with one hill
            earned = self.row(player, looked, others)
            around = np.argsort(-earned)[:STRETCHES]
            near = [np.linspace(looked[max(n - 1, 0)], looked[min(n + 1, looked.size - 1)], LOOK // STRETCHES) for n in around]
            looked = np.unique(np.concatenate([looked[around], *near]))
        earned = self.row(player, looked, others)
        top = int(np.argmax(earned))
        ends = looked[max(top - 1, 0)], looked[min(top + 1, looked.size - 1)]
        found = optimize.minimize_scalar(
            lambda price: -float(self.row(player, np.array([price]), others)[0]),
            bounds=ends,
            method="bounded",
            options={"xatol": SETTLED / 10 * float(ends[1])},
        )
        return float(found.x) if -found.fun > earned[top] else float(looked[top])

    def sales(
        self, player: int, others: FloatArray, shares: FloatArray
    ) -> Callable[[FloatArray, FloatArray], tuple[FloatArray, FloatArray]]:
        """Expected sales over cells of the own price against others that draw price vectors (S, M), for `best_deviation`."""

        def over(left: FloatArray, right: FloatArray) -> tuple[FloatArray, FloatArray]:
            sold, most = np.zeros(left.size), np.zeros(left.size)
            for share, vector in zip(shares, others, strict=True):
                here, at_most = self.demand.between(player, vector, left, right)
                sold += share * here
                most += share * at_most
            return sold, most - sold

        return over

    def deviation(self, player: int, prices: FloatArray, shares: FloatArray, tolerance: float) -> Deviation:
        """The best deviation from what is played (S, M), with a bound on what a price not tried may add."""
        units = self.demand.sold(prices)
        profits = shares @ ((prices - self.costs) * units)
        profit, least = float(profits[player]), least_profit(profits, float(shares @ (prices * units).sum(axis=1)))
        rivals, weights = _of_others(player, prices, shares)
        if self.step:
            own = self.ticks(player)
            row = np.sum([share * self.row(player, own, vector) for share, vector in zip(weights, rivals, strict=True)], axis=0)
            best = int(np.argmax(row))
            gain = max(float(row[best]) - profit, 0.0)
            return Deviation(gain=gain, missed=0.0, price=float(own[best]), profit=profit, least=least)
        low, high = self.bounds[player]
        played = prices[:, player][(prices[:, player] > low) & (prices[:, player] < high)]
        cells = np.unique(np.concatenate([np.geomspace(low, high, 8 * LOOK), played]))
        limit = max(CELLS // weights.size, 4 * cells.size)
        return best_deviation(
            self.sales(player, rivals, weights), float(self.costs[player]), cells, profit, tolerance / 2, limit, least
        )


def _of_others(player: int, prices: FloatArray, shares: FloatArray) -> tuple[FloatArray, FloatArray]:
    """What the others play, whatever the player's own price: distinct vectors (S', M) and their probabilities (S',)."""
    others = prices.copy()
    others[:, player] = prices[0, player]
    distinct, place = np.unique(others, axis=0, return_inverse=True)
    return distinct, np.asarray(np.bincount(place.ravel(), weights=shares), dtype=np.float64)


def solve_smooth(
    demand: Served,
    players: Sequence[int],
    base: FloatArray,
    costs: FloatArray,
    bounds: FloatArray,
    *,
    tick: float | None,
    tolerance: float,
    max_rounds: int,
    tell: Callable[[float], None],
) -> Settled:
    """Iterated best responses in turn; if they do not settle, two players' equilibrium in mixed strategies on ticks.

    Everybody starts at the prices of `base`; other starts are tried for other equilibria.
    """
    step = 0.0 if tick is None else float(np.log1p(tick))
    game = SmoothGame(demand=demand, players=tuple(players), base=base, costs=costs, bounds=bounds, step=step)
    visited, settled = settle(game, base, max_rounds, tell)
    for _ in range(CORRECTIONS):
        deviations = _deviations(game, visited[-1][None], np.ones(1), tolerance)
        gains = [replace(d, missed=0.0).relative for d in deviations]
        if not settled or max(gains) <= tolerance:
            break
        moved, most = visited[-1].copy(), int(np.argmax(gains))
        moved[game.players[most]] = deviations[most].price
        more, settled = settle(game, moved, max_rounds, tell)
        visited = np.concatenate([visited, moved[None], more])
    settled = settled and max(gains) <= tolerance
    prices: FloatArray = visited[-1]
    others: list[FloatArray] = []
    for start in STARTS if settled else ():
        first = base.copy()
        first[list(players)] = bounds[list(players), 0] ** (1 - start) * bounds[list(players), 1] ** start
        ended, reached = settle(game, first, max_rounds, tell)
        known = [prices, *others]
        if reached and all(np.abs(ended[-1] / other - 1).max() > APART for other in known):
            others.append(ended[-1])
    played, shares, kind, rounds, at = prices[None], np.ones(1), "pure" if settled else "cycle", len(visited) - 1, step
    if not settled and len(game.players) == 2:
        kind, opening = "mixed", visited[-2 * PATIENCE :]
        for at in [step] if step else STEPS:
            played, shares, solved = _mixed(game, at, opening, tolerance, max_rounds, tell)
            deviations, rounds, opening = _deviations(game, played, shares, tolerance), rounds + solved, played
            if _worst(deviations) <= tolerance or max(np.unique(played[:, i]).size for i in players) > WIDEST:
                break
    elif not settled:
        deviations = _deviations(game, played, shares, tolerance)
        for vector in visited[-8:-1]:
            other = _deviations(game, vector[None], np.ones(1), tolerance)
            if _worst(other) < _worst(deviations):
                deviations, played = other, vector[None]
    return Settled(
        kind=kind,
        prices=played,
        shares=shares,
        deviations=deviations,
        path=visited,
        step=at,
        rounds=rounds,
        others=tuple(others),
    )


def _deviations(game: SmoothGame, prices: FloatArray, shares: FloatArray, tolerance: float) -> tuple[Deviation, ...]:
    return tuple(game.deviation(i, prices, shares, tolerance) for i in game.players)


def settle(game: SmoothGame, start: FloatArray, max_rounds: int, tell: Callable[[float], None]) -> tuple[FloatArray, bool]:
    """Best responses in turn from prices (M,): the price vectors gone through (T, M), and whether they came to rest."""
    prices = start.copy()
    for i in game.players if game.step else ():
        prices[i] = game.ticks(i)[np.argmin(np.abs(np.log(game.ticks(i) / prices[i])))]
    path, changes, damped = [prices.copy()], [np.inf], False
    for _ in range(min(max_rounds, ROUNDS)):
        for i in game.players:
            best = game.answer(i, prices)
            prices[i] = np.sqrt(best * prices[i]) if damped else best
        path.append(prices.copy())
        changes.append(float(np.abs(path[-1] / path[-2] - 1).max()))
        tell(changes[-1])
        if changes[-1] <= SETTLED:
            return np.array(path), True
        if game.step and any(np.array_equal(prices, old) for old in path[:-1]):
            break
        slow = len(changes) > PATIENCE and changes[-1] > SHRINKS * changes[-1 - PATIENCE]
        if slow and _turned(np.array(path[-PATIENCE - 1 :])):
            if damped or game.step:
                break
            damped, changes = True, [np.inf]
    return np.array(path), False


def _turned(path: FloatArray) -> bool:
    """Whether some price went both up and down along a path (T, M)."""
    moves = np.diff(path, axis=0)
    return bool(((moves > 0).any(axis=0) & (moves < 0).any(axis=0)).any())


def _worst(deviations: Sequence[Deviation]) -> float:
    return max(d.relative for d in deviations)


def _mixed(
    game: SmoothGame, step: float, visited: FloatArray, tolerance: float, max_rounds: int, tell: Callable[[float], None]
) -> tuple[FloatArray, FloatArray, int]:
    """Double oracle of two players on ticks, from some price vectors (T, M)."""
    first, second = game.players
    n: list[IntArray] = [ticks(float(game.bounds[i, 0]), float(game.bounds[i, 1]), step) for i in game.players]
    own = [np.exp(step * each) for each in n]

    def row(player: int, action: int) -> FloatArray:
        others = game.base.copy()
        others[game.players[1 - player]] = own[1 - player][action]
        return game.row(game.players[player], own[player], others)

    opening = [
        sorted({int(np.argmin(np.abs(np.log(own[p] / price)))) for price in visited[:, i]}) for p, i in enumerate(game.players)
    ]
    aim = 1e-10 if game.step else tolerance / 10
    mixed = double_oracle(row, opening, tolerance=aim, max_rounds=max_rounds, tell=tell)
    prices = np.repeat(game.base[None], mixed.actions[0].size * mixed.actions[1].size, axis=0)
    prices[:, first] = np.repeat(own[0][mixed.actions[0]], mixed.actions[1].size)
    prices[:, second] = np.tile(own[1][mixed.actions[1]], mixed.actions[0].size)
    return prices, np.outer(*mixed.probabilities).ravel(), mixed.rounds
