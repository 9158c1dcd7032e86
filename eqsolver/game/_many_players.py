"""The price game where homogeneity does not help: any number of players, others' prices fixed or played too."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np

from eqsolver._base import FloatArray, IntArray
from eqsolver.game._consumers import Crowd
from eqsolver.game._double_oracle import double_oracle
from eqsolver.game._price_table import STEPS, Played, Table, deviations_from, nearest, table
from eqsolver.game._sales import Conduct
from eqsolver.game._together import play_together


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
    seed: int = 0,
    tell: Callable[[float], None],
) -> Played:
    """Iterated best responses; where they cycle, a mixed equilibrium of two players, and of more `play_together`.

    before : what was drawn together in a game little different from this one: where to begin. Else at the prices of `base`.
    seed : of what is drawn. What is drawn together comes without its certificate: see `certified`.
    """
    steps = [float(np.log1p(tick))] if tick is not None else list(STEPS)
    first = table(conduct, crowd, players, base, costs, bounds, steps[0])
    if before is not None and before.together is not None:
        return play_together(first, before, max_rounds, smeared=tick is None, seed=seed, tell=tell)
    profile: list[int] | None = None
    path: list[FloatArray] = []
    rounds = 0
    for step in steps:
        game = table(conduct, crowd, players, base, costs, bounds, step)
        profile = nearest(game, path[-1] if path else base)
        profile, visited, settled = iterate(game, profile, max_rounds)
        rounds += len(visited)
        path.extend(game.prices(np.array(visited)))
        if not settled:
            break
        deviations = deviations_from(game, game.prices(np.array([profile])), np.ones(1), tolerance, tick)
        found = Played(
            kind="pure",
            prices=game.prices(np.array([profile])),
            shares=np.ones(1),
            deviations=deviations,
            path=np.array(path),
            step=step,
            rounds=rounds,
        )
        tell(found.relative)
        if found.relative <= tolerance or step == steps[-1]:
            return found
    if len(game.players) == 2:
        return _mixed(game, visited, np.array(path), rounds, tolerance, max_rounds, tick, tell)
    walked = np.array(path)
    cycle = Played(kind="cycle", prices=walked, shares=np.zeros(0), deviations=(), path=walked, step=0.0, rounds=rounds)
    return play_together(first, cycle, max_rounds, smeared=tick is None, seed=seed, tell=tell)


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
        deviations=deviations_from(game, game.prices(profiles), shares, tolerance, tick),
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
