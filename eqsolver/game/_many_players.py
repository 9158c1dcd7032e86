"""The price game where homogeneity does not help: any number of players, others' prices fixed or played too."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize

from eqsolver._base import FloatArray, IntArray
from eqsolver.game._certificate import Deviation
from eqsolver.game._consumers import Crowd
from eqsolver.game._double_oracle import double_oracle
from eqsolver.game._lattice import ticks
from eqsolver.game._rises import Against
from eqsolver.game._sales import Conduct

STEPS = (0.02, 0.005, 0.00125, 0.0003125)
"""Log distances of the ticks on which best responses are iterated, each game starting where the last one ended."""
PROFILES = 20_000
"""Price profiles of a restricted game, at most."""
CELLS = 20_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Table:
    """A price game on ticks. players : (P,) positions of those who move. base : (M,) prices of all; movers' are replaced.

    costs : (M,) marginal costs κ. ticks : per player, its prices are exp(n step).
    """

    conduct: Conduct
    crowd: Crowd
    players: tuple[int, ...]
    base: FloatArray
    costs: FloatArray
    bounds: FloatArray
    step: float
    ticks: tuple[IntArray, ...]

    def prices(self, profiles: IntArray) -> FloatArray:
        """(S, M) price vectors of profiles (S, P) of positions among the ticks."""
        found = np.repeat(self.base[None], len(profiles), axis=0)
        for p, i in enumerate(self.players):
            found[:, i] = np.exp(self.step * self.ticks[p][profiles[:, p]])
        return found

    def profits(self, profiles: IntArray) -> FloatArray:
        """(S, P) profits at profiles (S, P)."""
        prices = self.prices(profiles)
        every: FloatArray = (prices - self.costs) * self.conduct.sold(self.crowd, prices)
        return every[:, list(self.players)]

    def row(self, player: int, profile: Sequence[int]) -> FloatArray:
        """(n,) profits of all of a player's actions, the others' as in the profile."""
        n = self.ticks[player].size
        profiles = np.repeat(np.array(profile)[None], n, axis=0)
        profiles[:, player] = np.arange(n)
        found: FloatArray = self.profits(profiles)[:, player]
        return found

    def deviation(self, player: int, profiles: IntArray, shares: FloatArray, profit: float, tolerance: float) -> Deviation:
        """The best response at any price within bounds to what the others play."""
        i = self.players[player]
        sales = Against(conduct=self.conduct, crowd=self.crowd, player=i, others=self.prices(profiles), shares=shares)
        low, high = self.bounds[i]
        cells = np.geomspace(low, high, int(np.ceil(np.log(high / low) / STEPS[0])) + 1)
        limit = max(CELLS * 8 // shares.size, 4 * cells.size)
        return sales.best_response(float(self.costs[i]), cells, profit, tolerance=tolerance / 4, limit=limit)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Played:
    """What the players play. kind : pure, mixed, cce or cycle. prices : (S, M) profiles. shares : (S,) probabilities.

    deviations : per player. path : (T, M) price vectors that the iteration of best responses went through.
    """

    kind: str
    prices: FloatArray
    shares: FloatArray
    deviations: tuple[Deviation, ...]
    path: FloatArray
    step: float
    rounds: int


def solve_many(
    conduct: Conduct,
    crowd: Crowd,
    players: Sequence[int],
    base: FloatArray,
    costs: FloatArray,
    bounds: FloatArray,
    *,
    tick: float | None,
    tolerance: float,
    max_rounds: int,
    start: float | None,
    tell: Callable[[float], None],
) -> Played:
    """Iterated best responses; where they cycle, a mixed equilibrium of two players or a coarse correlated one of more.

    start : where in the range of ticks everybody starts, in [0, 1]; None: at the prices of `base`.
    """
    steps = [float(np.log1p(tick))] if tick is not None else list(STEPS)
    profile: list[int] | None = None
    path: list[FloatArray] = []
    rounds = 0
    for step in steps:
        game = _table(conduct, crowd, players, base, costs, bounds, step)
        profile = _nearest(game, path[-1]) if path else _first(game, start)
        profile, visited, settled = iterate(game, profile, max_rounds)
        rounds += len(visited)
        path.extend(game.prices(np.array(visited)))
        if not settled:
            break
        deviations = _deviations(game, np.array([profile]), np.ones(1), tolerance, tick)
        tell(max(_relative(d) for d in deviations))
        found = Played(
            kind="pure",
            prices=game.prices(np.array([profile])),
            shares=np.ones(1),
            deviations=deviations,
            path=np.array(path),
            step=step,
            rounds=rounds,
        )
        if max(_relative(d) for d in deviations) <= tolerance or step == steps[-1]:
            return found
    assert profile is not None, "there is a step"
    return _mixed(game, visited, np.array(path), rounds, tolerance, max_rounds, tick, tell)


def iterate(game: Table, profile: list[int], max_rounds: int) -> tuple[list[int], list[tuple[int, ...]], bool]:
    """Best responses in turn until nobody moves (true) or a profile returns (false, with the cycle)."""
    seen: dict[tuple[int, ...], int] = {}
    visited: list[tuple[int, ...]] = []
    for _ in range(max_rounds):
        if tuple(profile) in seen:
            return profile, visited[seen[tuple(profile)] :], False
        seen[tuple(profile)] = len(visited)
        visited.append(tuple(profile))
        before = list(profile)
        for player in range(len(game.players)):
            row = game.row(player, profile)
            if row.max() > row[profile[player]] + 1e-12 * abs(row.max()):
                profile[player] = int(np.argmax(row))
        if profile == before:
            return profile, visited, True
    return profile, visited[-1:], False


def _table(
    conduct: Conduct,
    crowd: Crowd,
    players: Sequence[int],
    base: FloatArray,
    costs: FloatArray,
    bounds: FloatArray,
    step: float,
) -> Table:
    every = tuple(ticks(float(bounds[i, 0]), float(bounds[i, 1]), step) for i in players)
    return Table(
        conduct=conduct, crowd=crowd, players=tuple(players), base=base, costs=costs, bounds=bounds, step=step, ticks=every
    )


def _first(game: Table, start: float | None) -> list[int]:
    return _nearest(game, game.base) if start is None else [round(start * (n.size - 1)) for n in game.ticks]


def _nearest(game: Table, prices: FloatArray) -> list[int]:
    at = np.log(prices) / game.step
    return [int(np.argmin(np.abs(n - at[i]))) for i, n in zip(game.players, game.ticks, strict=True)]


def _relative(deviation: Deviation) -> float:
    return deviation.epsilon / max(deviation.profit, np.finfo(float).tiny)


def _deviations(
    game: Table, profiles: IntArray, shares: FloatArray, tolerance: float, tick: float | None
) -> tuple[Deviation, ...]:
    values = shares @ game.profits(profiles)
    if tick is None:
        return tuple(game.deviation(p, profiles, shares, float(v), tolerance) for p, v in enumerate(values))
    found = []
    for p, value in enumerate(values):
        row = np.sum([share * game.row(p, profile) for share, profile in zip(shares, profiles, strict=True)], axis=0)
        best = int(np.argmax(row))
        price = float(np.exp(game.step * game.ticks[p][best]))
        found.append(Deviation(gain=max(float(row[best] - value), 0.0), missed=0.0, price=price, profit=float(value)))
    return tuple(found)


def _mixed(
    game: Table,
    cycle: Sequence[tuple[int, ...]],
    path: FloatArray,
    rounds: int,
    tolerance: float,
    max_rounds: int,
    tick: float | None,
    tell: Callable[[float], None],
) -> Played:
    actions = [sorted({profile[p] for profile in cycle}) for p in range(len(game.players))]
    if len(game.players) == 2:
        profiles, shares, more = _double_oracle(game, actions, tolerance, max_rounds, tick, tell)
        kind = "mixed"
    else:
        profiles, shares, more = _coarse_correlated(game, actions, tolerance, max_rounds, tell)
        kind = "cce"
    return Played(
        kind=kind,
        prices=game.prices(profiles),
        shares=shares,
        deviations=_deviations(game, profiles, shares, tolerance, tick),
        path=path,
        step=game.step,
        rounds=rounds + more,
    )


def _double_oracle(
    game: Table,
    actions: Sequence[Sequence[int]],
    tolerance: float,
    max_rounds: int,
    tick: float | None,
    tell: Callable[[float], None],
) -> tuple[IntArray, FloatArray, int]:
    def row(player: int, action: int) -> FloatArray:
        return game.row(player, [action, action])

    aim = 1e-10 if tick is not None else tolerance / 10
    mixed = double_oracle(row, actions, tolerance=aim, max_rounds=max_rounds, tell=tell)
    profiles = np.array(list(itertools.product(*mixed.actions)))
    shares = np.outer(*mixed.probabilities).ravel()
    return profiles, shares, mixed.rounds


def _coarse_correlated(
    game: Table, actions: Sequence[Sequence[int]], tolerance: float, max_rounds: int, tell: Callable[[float], None]
) -> tuple[IntArray, FloatArray, int]:
    """A coarse correlated equilibrium on ticks: of those of a restricted game, one of which deviations lose most; enlarged by
    best responses to it until none gains.

    A linear program (HiGHS) in the probabilities x of price profiles and t: sum_a x(a) (U_p(b, a_-p) - U_p(a)) <= t for every
    player p and action b, t least.
    """
    P = len(game.players)
    held = [sorted(set(own))[:: max(1, len(set(own)) // 4)] for own in actions]
    known: dict[tuple[int, ...], FloatArray] = {}
    best: tuple[float, IntArray, FloatArray] | None = None
    rounds = 0
    while rounds < max_rounds:
        rounds += 1
        profiles = list(itertools.product(*held))
        new = [profile for profile in profiles if profile not in known]
        if new:
            known |= zip(new, game.profits(np.array(new)), strict=True)
        payoffs = np.array([known[profile] for profile in profiles]).reshape(*map(len, held), P)
        shares = _least_regret(payoffs)
        played = np.flatnonzero(shares > 1e-12)
        chosen, weights = np.array(profiles)[played], shares[played] / shares[played].sum()
        values = weights @ payoffs.reshape(-1, P)[played]
        rows = [
            np.sum([w * game.row(p, profile) for w, profile in zip(weights, chosen, strict=True)], axis=0) for p in range(P)
        ]
        gain = max(float((row.max() - v) / max(abs(v), np.finfo(float).tiny)) for row, v in zip(rows, values, strict=True))
        tell(gain)
        if best is None or gain < best[0]:
            best = gain, chosen, weights
        added = [int(np.argmax(row)) for row in rows]
        enlarged = [sorted({*own, action}) for own, action in zip(held, added, strict=True)]
        if gain <= tolerance / 2 or enlarged == held or np.prod([len(own) for own in enlarged]) > PROFILES:
            break
        held = enlarged
    assert best is not None, "the first restricted game is solved"
    return best[1], best[2], rounds


def _least_regret(payoffs: FloatArray) -> FloatArray:
    """(N,) probabilities of the profiles of a restricted game (n_1, ..., n_P, P) with the least largest regret."""
    shape, P = payoffs.shape[:-1], payoffs.shape[-1]
    rows = []
    for p in range(P):
        own = payoffs[..., p]
        unit = max(float(np.abs(own).max()), np.finfo(float).tiny)
        for action in range(shape[p]):
            rows.append(((np.take(own, [action], axis=p) - own) / unit).ravel())
    regrets = np.column_stack([np.array(rows), -np.ones(len(rows))])
    N = regrets.shape[1] - 1
    cost, total = np.append(np.zeros(N), 1.0), np.append(np.ones(N), 0.0)
    found = optimize.linprog(
        cost, A_ub=regrets, b_ub=np.zeros(len(rows)), A_eq=total[None], b_eq=[1.0], bounds=[(0, 1)] * N + [(None, None)]
    )
    assert found.x is not None, found.message
    shares = np.maximum(np.asarray(found.x[:-1], dtype=np.float64), 0.0)
    return np.asarray(shares / shares.sum())
