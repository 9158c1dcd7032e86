"""The price game where homogeneity does not help: any number of players, others' prices fixed or played too."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from eqsolver._base import FloatArray, IntArray
from eqsolver.game._certificate import Deviation
from eqsolver.game._consumers import Crowd
from eqsolver.game._correlated import coarse_correlated
from eqsolver.game._double_oracle import double_oracle
from eqsolver.game._lattice import ticks
from eqsolver.game._rises import Against
from eqsolver.game._sales import Conduct

STEPS = (0.02, 0.005, 0.00125, 0.0003125)
"""Log distances of the ticks on which best responses are iterated, each game starting where the last one ended."""
PART = 0.3
"""Share of the tolerated ε that a coarse correlated equilibrium may leave on its ticks."""
CELLS = 20_000
SMALL = 1e-6
"""Share of what providers earn at posted prices below which a profit does not count as larger, for relative gains."""


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

    def regrets(self, profile: Sequence[int]) -> tuple[FloatArray, list[FloatArray]]:
        """(P,) profits at a profile, and per player what each of its actions would add to its own, in one go."""
        sizes = [n.size for n in self.ticks]
        profiles = np.repeat(np.array(profile)[None], sum(sizes), axis=0)
        ends = np.cumsum(sizes)
        for p, end in enumerate(ends):
            profiles[end - sizes[p] : end, p] = np.arange(sizes[p])
        every = self.profits(profiles)
        rows = [every[end - size : end, p] for p, (size, end) in enumerate(zip(sizes, ends, strict=True))]
        payoffs = np.array([row[profile[p]] for p, row in enumerate(rows)])
        return payoffs, [row - row[profile[p]] for p, row in enumerate(rows)]

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
    before: Played | None = None,
    tell: Callable[[float], None],
) -> Played:
    """Iterated best responses; where they cycle, a mixed equilibrium of two players or a coarse correlated one of more.

    before : what was drawn together in a game little different from this one: where to begin. Else at the prices of `base`.
    """
    steps = [float(np.log1p(tick))] if tick is not None else list(STEPS)
    floor = SMALL * float((base * conduct.sold(crowd, base[None])[0]).sum())
    if before is not None and before.kind == "cce":
        finer = [_table(conduct, crowd, players, base, costs, bounds, step) for step in steps if step <= before.step]
        start = [tuple(_nearest(finer[0], prices)) for prices in before.prices]
        return _drawn_together(finer, start, before.path, before.rounds, tolerance, max_rounds, tick, floor, tell)
    profile: list[int] | None = None
    path: list[FloatArray] = []
    rounds = 0
    for step in steps:
        game = _table(conduct, crowd, players, base, costs, bounds, step)
        profile = _nearest(game, path[-1] if path else base)
        profile, visited, settled = iterate(game, profile, max_rounds)
        rounds += len(visited)
        path.extend(game.prices(np.array(visited)))
        if not settled:
            break
        deviations = _deviations(game, np.array([profile]), np.ones(1), tolerance, tick)
        tell(max(_relative(d, floor) for d in deviations))
        found = Played(
            kind="pure",
            prices=game.prices(np.array([profile])),
            shares=np.ones(1),
            deviations=deviations,
            path=np.array(path),
            step=step,
            rounds=rounds,
        )
        if max(_relative(d, floor) for d in deviations) <= tolerance or step == steps[-1]:
            return found
    if len(game.players) == 2:
        return _mixed(game, visited, np.array(path), rounds, tolerance, max_rounds, tick, tell)
    finer = [game, *(_table(conduct, crowd, players, base, costs, bounds, step) for step in steps if step < game.step)]
    return _drawn_together(finer, visited, np.array(path), rounds, tolerance, max_rounds, tick, floor, tell)


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


def _nearest(game: Table, prices: FloatArray) -> list[int]:
    at = np.log(prices) / game.step
    return [int(np.argmin(np.abs(n - at[i]))) for i, n in zip(game.players, game.ticks, strict=True)]


def _relative(deviation: Deviation, floor: float) -> float:
    return deviation.epsilon / max(deviation.profit, floor, np.finfo(float).tiny)


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
    actions = [sorted({profile[p] for profile in cycle}) for p in (0, 1)]
    profiles, shares, more = _double_oracle(game, actions, tolerance, max_rounds, tick, tell)
    return Played(
        kind="mixed",
        prices=game.prices(profiles),
        shares=shares,
        deviations=_deviations(game, profiles, shares, tolerance, tick),
        path=path,
        step=game.step,
        rounds=rounds + more,
    )


def _drawn_together(
    games: Sequence[Table],
    cycle: Sequence[tuple[int, ...]],
    path: FloatArray,
    rounds: int,
    tolerance: float,
    max_rounds: int,
    tick: float | None,
    floor: float,
    tell: Callable[[float], None],
) -> Played:
    """A coarse correlated equilibrium, on ever finer ticks until its certificate holds at every price; the best one found."""
    best: Played | None = None
    start = list(cycle)
    for game, finer in itertools.zip_longest(games, games[1:]):
        aim = tolerance * PART if tick is None else 1e-9
        drawn, more = coarse_correlated(game.regrets, start, floor=floor, tolerance=aim, max_rounds=max_rounds, tell=tell)
        rounds += more
        profiles = np.array(drawn.profiles)
        if finer is not None:
            start = [tuple(_nearest(finer, prices)) for prices in game.prices(profiles)]
            if _gain_between(finer, start, drawn.shares, floor) > tolerance:
                continue
        deviations = _deviations(game, profiles, drawn.shares, tolerance, tick)
        found = Played(
            kind="cce",
            prices=game.prices(profiles),
            shares=drawn.shares,
            deviations=deviations,
            path=path,
            step=game.step,
            rounds=rounds,
        )
        if best is None or _worst(found, floor) < _worst(best, floor):
            best = found
        tell(_worst(best, floor))
        if _worst(best, floor) <= tolerance:
            break
    assert best is not None, "there is a game"
    return best


def _gain_between(finer: Table, profiles: Sequence[tuple[int, ...]], shares: FloatArray, floor: float) -> float:
    """The largest relative gain from any price on finer ticks: no certificate can be better than that."""
    known = [finer.regrets(profile) for profile in profiles]
    values = sum(share * payoffs for share, (payoffs, _) in zip(shares, known, strict=True))
    gains = [
        float(np.sum([share * rows[p] for share, (_, rows) in zip(shares, known, strict=True)], axis=0).max())
        for p in range(len(finer.players))
    ]
    return float(np.max(np.array(gains) / np.maximum(values, floor)))


def _worst(played: Played, floor: float) -> float:
    return max(_relative(deviation, floor) for deviation in played.deviations)


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
