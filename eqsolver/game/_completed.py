"""The price game of more than two providers with its policies completed where it is played, until that changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from eqsolver._base import FloatArray
from eqsolver.game._at_bounds import at_bounds
from eqsolver.game._certificate import shares_of
from eqsolver.game._consumers import Crowd
from eqsolver.game._correlation import Correlation, by_themselves, gains_of, largest_correlation
from eqsolver.game._least_gain import least_gain
from eqsolver.game._many_players import solve_many
from eqsolver.game._price_table import STEPS, Played, Table, deviations_from, table
from eqsolver.game._regimes import Stage
from eqsolver.game._sales import Conduct
from eqsolver.game._together import certified, looked_at, looked_at_again

COMPLETIONS = 10
"""Times that policies are completed at what is played, at most."""
SAMPLED, QUIET = 12, 2
"""Price vectors of one completion of policies that are grown, which takes long: of more, a sample, drawn anew each time, until
so many completions in a row settle."""
SETTLED = 0.01
"""Of policies that are grown, a completion that changes no player's profit, nor what it could earn by its best deviation, by a
larger share is the last."""
MATTERS = 0.01
"""Share of what all players earn that a profit counts for, at least, when it is asked whether it changed."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Completed:
    """How policies were completed at what is played. rounds : times. added : policies held at the end beyond those at first.

    change : the largest share by which any player's profit, or that of its best deviation, moved when policies were completed
    last (of a profit below `MATTERS` of what all earn, the share of that). settled : the last completion found nothing new at
    any price vector that is played nor at anybody's best deviation from it; of grown policies, the last, at samples of these,
    moved no profit by more than `SETTLED`.
    """

    rounds: int = 0
    added: int = 0
    change: float = 0.0
    settled: bool = True


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

    Notes
    -----
    A certificate on too few policies is too small. So policies are completed at every price vector that is played and along
    each player's price line through it (`Stage.extend`), what is played is looked at again with all of them, and played anew
    where that leaves a gain. In the end nothing new is found: the certificate is that of complete policies.
    """
    base, bounds = stage.market.prices, stage.bounds
    conduct = rebuilt()

    def game(step: float | None = None) -> Table:
        first = STEPS[0] if tick is None else float(np.log1p(tick))
        return table(conduct, crowd, players, base, costs, bounds, first if step is None else step)

    def solved(before: Played | None, seed: int) -> Played:
        found = solve_many(
            conduct, crowd, players, base, costs, bounds, tick=tick, tolerance=tolerance, max_rounds=max_rounds, before=before,
            seed=seed, tell=tell,
        )  # fmt: skip
        if found.kind == "pure" and tick is None:
            return at_bounds(found, conduct, crowd, players, costs, bounds, tolerance)
        return sure(found) if found.together is not None else found

    def sure(found: Played) -> Played:
        near = certified(game(), found, drawn_tolerance, max_rounds, tick, tell)
        if tick is None and near.relative > drawn_tolerance:
            finer = [game(step) for step in STEPS]
            least = least_gain(finer, found, tolerance=drawn_tolerance, max_rounds=max_rounds, tell=tell)
            near = min(near, least, key=lambda one: one.relative)
        return near

    played, begun = solved(None, 0), stage.policies
    rounds, change, quiet, settled = 0, 0.0, 0, not any(menus for _, menus in conduct.states)
    while not settled and rounds < COMPLETIONS:
        rounds += 1
        looked_at_now = sampled(played, rounds) if stage.grows else played
        if not stage.extend(looked_at_now.prices, players, aside=deviating(game(), looked_at_now)):
            settled = True
            break
        conduct = rebuilt()
        again = seen_again(game(), played, tolerance, tick)
        change = _change(played, again)
        wanted = drawn_tolerance if played.kind == "cce" else tolerance
        quiet = quiet + 1 if change <= SETTLED and again.relative <= wanted else 0
        settled = stage.grows and quiet >= (1 if played.shares.size <= SAMPLED else QUIET)
        played = again
        if again.relative > wanted and rounds < COMPLETIONS:
            played = solved(again if again.together is not None else None, rounds)
    if played.kind == "cce":
        played = replace(played, correlation=correlated(game(), played))
    stage.bound(played.prices[np.argsort(-played.shares)[:BOUNDED]])
    return played, Completed(rounds=rounds, added=stage.policies - begun, change=change, settled=settled), rebuilt()


BOUNDED = 1
"""Price vectors, the likeliest, at which it is bounded what policies that are grown leave out."""


DRAWS = 128
"""Price vectors drawn to see what independent draws would leave to gain."""


def correlated(game: Table, played: Played) -> Correlation:
    """How far what is drawn together is from independent draws; deviations are looked for among ticks."""
    sample = by_themselves(played.prices, played.shares, game.players, DRAWS, np.random.default_rng(3))
    payoffs, gains = looked_at(game, sample, game.own)
    gain, error = gains_of(payoffs, gains, game.least(sample, np.full(DRAWS, 1 / DRAWS)))
    return Correlation(largest=largest_correlation(played.prices[:, list(game.players)], played.shares), gain=gain, error=error)


def sampled(played: Played, seed: int) -> Played:
    """At most `SAMPLED` of the price vectors played, drawn as often as they are played."""
    if played.shares.size <= SAMPLED:
        return played
    rng = np.random.default_rng((seed, 2))
    return replace(played, prices=played.prices[rng.choice(played.shares.size, size=SAMPLED, replace=False, p=played.shares)])


def deviating(game: Table, played: Played) -> FloatArray:
    """(R, M) the price vectors played, with each player's price in turn that of its best deviation."""
    away = np.repeat(played.prices[None], len(game.players), axis=0)
    for vectors, i, deviation in zip(away, game.players, played.deviations, strict=True):
        vectors[:, i] = deviation.price
    return np.asarray(np.unique(away.reshape(-1, away.shape[2]), axis=0))


def seen_again(game: Table, played: Played, tolerance: float, tick: float | None) -> Played:
    """The same price vectors in a game with more policies, and what deviations gain there."""
    deviations = deviations_from(game, played.prices, played.shares, tolerance, tick)
    now = looked_at_again(game, played) if played.together is not None else played
    return replace(now, deviations=deviations)


def _change(before: Played, after: Played) -> float:
    """The largest share by which profits of what is played, and of best deviations, changed."""
    everybody = MATTERS * sum(deviation.profit for deviation in after.deviations)
    changes = [0.0]
    for old, new in zip(before.deviations, after.deviations, strict=True):
        moved = max(abs(new.profit - old.profit), abs(new.profit + new.gain - old.profit - old.gain))
        changes.append(float(shares_of(np.array(moved), np.array(max(old.profit, everybody)))))
    return max(changes)
