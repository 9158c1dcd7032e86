"""The price game of more than two providers with its policies completed where it is played, until that changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from eqsolver._base import FloatArray
from eqsolver.game._consumers import Crowd
from eqsolver.game._least_gain import least_gain, worst
from eqsolver.game._many_players import solve_many
from eqsolver.game._price_table import SMALL, STEPS, Played, Table, table
from eqsolver.game._regimes import Stage
from eqsolver.game._sales import Conduct
from eqsolver.game._together import certified, looked_at_again

COMPLETIONS, QUIET = 10, 2
"""Times that policies are completed at what is played, at most, and in a row with hardly any change: once may be luck."""
ALONG = 8
"""Prices along each player's line, from low to high, at which policies that are grown are completed before the certificate."""
SETTLED = 0.01
"""Where completing policies changes no player's profit, nor what it could earn by its best deviation, by a larger share, the
game is not played again."""
MATTERS = 0.01
"""Share of what all players earn that a profit counts for, at least, when it is asked whether it changed."""
LIKELY, DRAWN, DRAWN_TO_GROW = 4, 8, 12
"""Price vectors at which policies are completed, besides deviations and the expected prices: the likeliest, or of very many so
many that are drawn anew each time; more of them where policies are grown, which looks at a price vector only, not at lines."""
DEVIATING, NEARLY = 4, 0.1
"""How many of these are also looked at with each player's deviations in turn: the first with its best, one with any, the others
with such as gain less than the best by no more than this share of its profit."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Completed:
    """How policies were completed at what is played. rounds : times. added : policies held at the end beyond those at first.

    change : the largest share by which any player's profit, or that of its best deviation, moved when policies were completed
    last, where it is played and then along every player's line (of a profit below `MATTERS` of what all earn, the share of
    that); 0 if nothing was left to complete. What certificates say is about the policies held at the end.
    """

    rounds: int = 0
    added: int = 0
    change: float = 0.0

    @property
    def settled(self) -> bool:
        """Whether the last completion moved no profit by more than `SETTLED`."""
        return self.change <= SETTLED


def solve_completed(
    stage: Stage,
    rebuilt: Callable[[], Conduct],
    crowd: Crowd,
    players: Sequence[int],
    costs: FloatArray,
    *,
    tick: float | None,
    tolerance: float,
    drawn_tolerance: float,
    max_rounds: int,
    tell: Callable[[float], None],
) -> tuple[Played, Completed, Conduct]:
    """Play, complete the arbitrageurs' policies where it is played, play again, until that changes nothing.

    rebuilt : the regime with the policies held now. drawn_tolerance : instead, of what is drawn together. The rest : as in
    `solve_many`, at the stage's posted prices and bounds.

    Returns what is played, how policies were completed, and the regime with the policies that certificates are about.
    """
    base, bounds = stage.market.prices, stage.bounds
    conduct = rebuilt()
    floor = SMALL * float((base * conduct.sold(crowd, base[None])[0]).sum())

    def solved(before: Played | None, seed: int) -> Played:
        return solve_many(
            conduct, crowd, players, base, costs, bounds, tick=tick, tolerance=tolerance, max_rounds=max_rounds, before=before,
            seed=seed, tell=tell,
        )  # fmt: skip

    def game() -> Table:
        step = STEPS[0] if tick is None else float(np.log1p(tick))
        return table(conduct, crowd, players, base, costs, bounds, step)

    played, begun = solved(None, 0), stage.policies
    drawn = DRAWN_TO_GROW if stage.grows else DRAWN
    rounds, change, quiet = 0, 0.0, 0
    resold = any(menus for _, menus in conduct.states)
    while resold and rounds < COMPLETIONS and quiet < QUIET:
        rounds += 1
        looked_at = where(game(), played, drawn, np.random.default_rng((rounds, 2)))
        if not stage.extend(looked_at, enough=0.0):
            change = 0.0
            break
        conduct = rebuilt()
        played, change = _changed(game(), played, floor)
        quiet = quiet + 1 if change <= SETTLED else 0
        if played.together is None or (not quiet and rounds < COMPLETIONS):
            played = solved(played, rounds)
    if resold and stage.grows:
        stage.extend(along_lines(game(), played, np.random.default_rng((rounds, 3))), enough=0.0)
        conduct = rebuilt()
        played, along = _changed(game(), played, floor)
        rounds, change = rounds + 1, max(change, along)
        if played.together is None:
            played = solved(played, rounds)
    if played.together is not None:
        near = certified(game(), played, floor, drawn_tolerance, max_rounds, tick, tell)
        if tick is None and worst(near, floor) > drawn_tolerance:
            finer = [table(conduct, crowd, players, base, costs, bounds, step) for step in STEPS]
            least = least_gain(finer, played, floor=floor, tolerance=drawn_tolerance, max_rounds=max_rounds, tell=tell)
            near = min(near, least, key=lambda found: worst(found, floor))
        played = near
    return played, Completed(rounds=rounds, added=stage.policies - begun, change=change), conduct


def where(game: Table, played: Played, drawn: int, rng: np.random.Generator) -> FloatArray:
    """(R, M) price vectors to complete policies at: some that are played, best deviations from a few of them, expected ones."""
    if played.shares.size <= 2 * drawn:
        rows = played.prices[np.argsort(-played.shares)[:LIKELY]]
    else:
        rows = played.prices[rng.choice(played.shares.size, size=drawn, replace=False, p=played.shares)]
    found = [rows]
    for p, i in enumerate(game.players):
        found.append(rows[:DEVIATING].copy())
        found[-1][:, i] = _deviations(played, p, len(found[-1]), rng)
    return np.concatenate([*found, (played.shares @ played.prices)[None]] if played.shares.size > 1 else found)


def along_lines(game: Table, played: Played, rng: np.random.Generator) -> FloatArray:
    """(R, M) price vectors with one player's price anywhere within its bounds, the others as drawn."""
    found = []
    for i in game.players:
        drawn = played.prices[rng.choice(played.shares.size, size=ALONG, p=played.shares)]
        low, high = game.bounds[i]
        drawn[:, i] = np.geomspace(low, high, ALONG)
        found.append(drawn)
    return np.concatenate(found)


def _deviations(played: Played, player: int, number: int, rng: np.random.Generator) -> FloatArray:
    """(number,) prices of a player's own: its best deviation, others nearly as good, and any: what is best may change."""
    if played.together is None:
        return np.full(number, played.deviations[player].price)
    own, gain = played.together.own[player], played.together.gains[player].mean(axis=0)
    good = own[gain >= gain.max() - NEARLY * float(played.together.payoffs[:, player].mean())]
    return np.concatenate([own[[np.argmax(gain)]], rng.choice(own, 1), rng.choice(good, DEVIATING - 2)])[:number]


def _changed(game: Table, played: Played, floor: float) -> tuple[Played, float]:
    """What is played, seen with other policies, and the largest share by which profits of it and of deviations changed."""
    if played.together is not None:
        now = looked_at_again(game, played)
        assert now.together is not None, "as before"
        before, after = (_earned(at.payoffs, at.gains) for at in (played.together, now.together))
        return now, float(np.max(np.abs(after - before) / np.maximum(before, max(floor, MATTERS * float(before[0].sum())))))
    change = 0.0
    profits = played.shares @ game.earned(played.prices)
    floor = max(floor, MATTERS * sum(deviation.profit for deviation in played.deviations))
    for p, (i, deviation) in enumerate(zip(game.players, played.deviations, strict=True)):
        away = played.prices.copy()
        away[:, i] = deviation.price
        best = float(played.shares @ game.earned(away)[:, p])
        moved = abs(profits[p] - deviation.profit), abs(best - deviation.profit - deviation.gain)
        change = max(change, *(m / max(deviation.profit, floor) for m in moved))
    return played, change


def _earned(payoffs: FloatArray, gains: Sequence[FloatArray]) -> FloatArray:
    """(2, P) profits of a sample of price vectors, and with the best deviation from it."""
    profits = payoffs.mean(axis=0)
    return np.stack([profits, profits + [float(gain.mean(axis=0).max()) for gain in gains]])
