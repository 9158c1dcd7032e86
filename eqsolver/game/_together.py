"""What three or more providers play where best responses cycle: independent strategies, made a draw from which nobody gains."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from eqsolver._base import FloatArray, IntArray
from eqsolver.game._correlated import coarse_correlated
from eqsolver.game._near_independence import nearest_to_independence
from eqsolver.game._price_table import Played, Table, Together, deviations_from, nearest
from eqsolver.game._regret_matching import drawn, regret_matching

DRAWS = 192
"""Price vectors drawn from the strategies."""
ROUNDS, AGAIN = 200, 80
"""Of regret matching, at most: at first, and from the strategies of a game little different."""
REGRET = 0.005
"""Share of the payoff that averages may regret."""
TOLERATED = 0.01
"""Relative ε with which a certificate of prices drawn together off ticks is content, whatever less is asked for: their expected
profits cost so much more."""
PART = 0.3
"""Share of the tolerated ε that the deviations known may gain; the rest is for prices between them."""
ON_TICKS = -1e-6
"""The same where prices live on ticks: rounding of the linear program must not leave a gain."""
CLOSE, BETWEEN = 0.02, 4
"""Deviations that gain less than the best by no more than this share of the payoff; prices so many times closer together are
tried beside them."""
CUTS = 3
"""Certificates whose deviations are added before the best draw so far is taken."""
SELDOM, SPARSE = 1e-4, 4
"""Of ticks that are played with no larger probability one in so many is looked at as a deviation; certificates look at all."""
AT_ONCE = 16


def play_together(
    game: Table,
    before: Played,
    max_rounds: int,
    *,
    smeared: bool,
    seed: int,
    tell: Callable[[float], None],
) -> Played:
    """Regret matching on ticks, and a sample of what it settles on; `certified` makes it a draw from which nobody gains.

    before : what was played in a game little different; or the prices that best responses went through.
    smeared : every price drawn stands for all of its tick's cell; false where prices live on ticks.

    Notes
    -----
    Coarse correlated equilibria are many. This one is near to what providers could play without anybody who correlates them:
    see `Together`.
    """
    warm = before.together is not None
    start = before.together.strategies if before.together is not None else [np.ones(n.size) for n in game.ticks]
    own = game.own

    def rows(profiles: IntArray, tried: Sequence[IntArray]) -> list[FloatArray]:
        return game.rows(game.prices(profiles), [prices[at] for prices, at in zip(own, tried, strict=True)])

    found = regret_matching(
        rows,
        start,
        floor=game.least(before.prices, np.full(len(before.prices), 1 / len(before.prices))),
        tolerance=REGRET,
        rounds=min(AGAIN if warm else ROUNDS, max_rounds),
        seed=seed,
        tell=tell,
    )
    rng = np.random.default_rng((seed, 1))
    sample = game.prices(drawn(found.strategies, DRAWS, rng))
    if smeared:
        movers = list(game.players)
        sample[:, movers] *= np.exp(game.step * (rng.random((DRAWS, len(movers))) - 0.5))
        sample[:, movers] = np.clip(sample[:, movers], game.bounds[movers, 0], game.bounds[movers, 1])
    tried = [prices[_near(p)] if smeared else prices for prices, p in zip(own, found.strategies, strict=True)]
    payoffs, gains = looked_at(game, sample, tried)
    nothing = np.zeros(len(tried))
    together = Together(
        strategies=found.strategies,
        sample=sample,
        payoffs=payoffs,
        own=tuple(tried),
        gains=gains,
        moved=0.0,
        alone=nothing,
        error=nothing,
    )
    return replace(
        before,
        kind="cce",
        prices=sample,
        shares=np.full(DRAWS, 1 / DRAWS),
        deviations=(),
        step=game.step,
        rounds=before.rounds + found.rounds,
        together=together,
    )


def _near(probabilities: FloatArray) -> IntArray:
    """Positions of the ticks that are played now and then, and every so many of the others."""
    played: IntArray = np.flatnonzero((probabilities > SELDOM) | (np.arange(probabilities.size) % SPARSE == 0))
    return played


def looked_at(game: Table, sample: FloatArray, own: Sequence[FloatArray]) -> tuple[FloatArray, tuple[FloatArray, ...]]:
    """(S, P) payoffs at price vectors (S, M), and per player (S, D) what each of some prices of its own would add."""
    payoffs = game.earned(sample)
    parts = [game.rows(sample[start : start + AT_ONCE], own) for start in range(0, len(sample), AT_ONCE)]
    rows = [np.concatenate([part[p] for part in parts]) for p in range(payoffs.shape[1])]
    return payoffs, tuple(row - payoffs[:, p, None] for p, row in enumerate(rows))


def looked_at_again(game: Table, played: Played) -> Played:
    """The same price vectors in a game little different."""
    assert played.together is not None, "drawn together"
    payoffs, gains = looked_at(game, played.together.sample, played.together.own)
    return replace(played, together=replace(played.together, payoffs=payoffs, gains=gains))


def certified(
    game: Table,
    played: Played,
    tolerance: float,
    max_rounds: int,
    tick: float | None,
    tell: Callable[[float], None],
) -> Played:
    """The draw among the price vectors nearest to independent ones from which no price at all gains more than tolerated.

    Notes
    -----
    Deviations to prices that the certificate finds are added to the linear program, until it holds or `CUTS` are over. On
    ticks, where the sample may not hold such a draw, profiles are added (`coarse_correlated`).
    """
    together = played.together
    assert together is not None, "drawn together"
    best: Played | None = None
    floor = game.least(together.sample, np.full(len(together.sample), 1 / len(together.sample)))
    if tick is None:
        together = _with(game, together, _between(game, together, floor))
    together = _independently(together, floor)
    for _ in range(CUTS):
        aim = PART * tolerance if tick is None else ON_TICKS
        chosen = nearest_to_independence(together.payoffs, together.gains, aim=aim, floor=floor)
        on = chosen.shares > 0
        prices, shares = together.sample[on], chosen.shares[on]
        near: Together | None = replace(together, moved=chosen.moved)
        if tick is not None and chosen.gain.max() > 0:
            start = [tuple(nearest(game, row)) for row in prices]
            drawn_, more = coarse_correlated(game.regrets, start, floor=floor, tolerance=1e-9, max_rounds=max_rounds, tell=tell)
            prices, shares = game.prices(np.array(drawn_.profiles)), drawn_.shares
            played, near = replace(played, rounds=played.rounds + more), None
        deviations = deviations_from(game, prices, shares, tolerance, tick)
        now = replace(played, prices=prices, shares=shares, deviations=deviations, together=near)
        tell(now.relative)
        if best is None or now.relative < best.relative:
            best = now
        new = [np.array([d.price] if d.gain > PART * tolerance * max(d.profit, floor) else []) for d in deviations]
        if now.relative <= tolerance or tick is not None or not any(prices.size for prices in new):
            break
        together = _with(game, together, new)
    assert best is not None, "there is a draw"
    return best


def _independently(together: Together, floor: float) -> Together:
    """With what deviations gain from the sample as it is, which stands for independent draws."""
    best = [int(np.argmax(gain.mean(axis=0))) for gain in together.gains]
    scale = np.maximum(together.payoffs.mean(axis=0), floor)
    gained = np.stack([gain[:, b] for gain, b in zip(together.gains, best, strict=True)], axis=1)
    gained = gained / np.where(scale > 0, scale, 1.0)
    return replace(
        together, alone=np.maximum(gained.mean(axis=0), 0.0), error=gained.std(axis=0) / np.sqrt(len(together.sample))
    )


def _between(game: Table, together: Together, floor: float) -> list[FloatArray]:
    """Per player, prices between its ticks, beside those that gain most from the sample as it is."""
    found = []
    for p, (own, gains) in enumerate(zip(together.own, together.gains, strict=True)):
        gain = gains.mean(axis=0)
        close = own[gain >= gain.max() - CLOSE * max(float(together.payoffs[:, p].mean()), floor)]
        apart = np.exp(game.step * np.arange(1 - BETWEEN, BETWEEN) / BETWEEN)
        i = game.players[p]
        prices = np.unique(np.clip(np.round(np.log(np.outer(close, apart)), 12), *np.log(game.bounds[i])))
        found.append(np.exp(prices))
    return found


def _with(game: Table, together: Together, more: Sequence[FloatArray]) -> Together:
    """Further deviations looked at."""
    _, gains = looked_at(game, together.sample, more)
    return replace(
        together,
        own=tuple(np.append(own, new) for own, new in zip(together.own, more, strict=True)),
        gains=tuple(np.concatenate([old, new], axis=1) for old, new in zip(together.gains, gains, strict=True)),
    )
