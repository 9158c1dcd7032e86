"""The price game of two providers with nobody else in the market: ever finer ticks until the certificate holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from eqsolver._base import FloatArray, IntArray
from eqsolver.game._at_bounds import moved_to_bounds, pure_nearby
from eqsolver.game._certificate import Deviation, least_profit, shares_of
from eqsolver.game._consumers import Crowd
from eqsolver.game._double_oracle import Mixed, double_oracle
from eqsolver.game._lattice import JUST_BELOW, Lattice, lattice
from eqsolver.game._refined import refined
from eqsolver.game._rises import Against
from eqsolver.game._sales import Conduct

FIRST_STEP = 0.04
"""Log distance of the first ticks, or prices."""
HALVINGS = 7
"""Times at most that the distance of the ticks is halved, so that earlier ticks stay ticks."""
FINEST = 0.000078125
"""Log distance of the prices between which a gap is divided no further."""
NARROW = 40
"""Choices that a crowd has between at any one ratio of prices, up to which prices are added by dividing gaps."""
FEW = 8
"""The same where customers follow the list: profits jump along many rays there, which evenly spread ticks meet sooner."""
ON_TICKS = 1e-10
"""Gain, as a share of profit, at which a game on given ticks counts as solved."""
ANSWERS = 4
"""Best responses added in a round of a double oracle."""
WHOLE = 250_000
"""Pairs of ticks up to which a game on given ticks is solved at once."""
STAGES = (16.0, 4.0, 1.0, 1.0, 0.5)
"""Multiples of the tolerance at which what is played is certified on the way: that finds prices which no rival suggests."""
LISTED = 40
"""Prices of a rival up to which a certificate for finite types lists every breakpoint; against more it bounds cells."""
PART, PART_OF_LIST = 0.3, 0.6
"""Share of the tolerated ε that a certificate may leave to its bound; more where customers follow the list and it is dear."""
CELL = 0.01
"""Log width of the first cells of a certificate."""
CELLS = 400_000
"""Cells of prices tried for one certificate, at most, divided by the number of the rival's prices."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TwoPlayers:
    """What two players play, and what each could still gain.

    prices, probabilities : per player, (S,). deviations : per player. step : log distance of the ticks. rounds : restricted
    games solved. stalled : the game on ticks did not end with its certificate.
    """

    prices: tuple[FloatArray, FloatArray]
    probabilities: tuple[FloatArray, FloatArray]
    deviations: tuple[Deviation, Deviation]
    step: float
    rounds: int
    stalled: bool

    @property
    def epsilon(self) -> float:
        """The larger of the players' relative ε."""
        return max(d.relative for d in self.deviations)

    @property
    def expected(self) -> FloatArray:
        """(2,) mean prices."""
        return np.array([p @ q for p, q in zip(self.prices, self.probabilities, strict=True)])


def solve_two(
    conduct: Conduct,
    crowd: Crowd,
    costs: FloatArray,
    bounds: FloatArray,
    *,
    tick: float | None,
    tolerance: float,
    max_rounds: int,
    start: float | None,
    tell: Callable[[float], None],
) -> TwoPlayers:
    """One equilibrium, from the game on coarse ticks to one whose certificate holds at every price.

    Parameters
    ----------
    costs : (2,) marginal costs κ. bounds : (2, 2) lowest and highest prices. tick : solve the game on prices (1 + tick)^n, and
    no other; None: prices may be anything within bounds. tolerance : relative ε wanted. start : of a game on ticks, where
    in their range the first restricted game lies, in [0, 1]; None: anywhere.
    """
    if tick is not None:
        return _solved_on_ticks(conduct, crowd, costs, bounds, float(np.log1p(tick)), tolerance, max_rounds, start, tell)
    game = lattice(conduct, crowd, costs, bounds, FIRST_STEP)
    if game.width > NARROW or (conduct.follows_list and game.width > FEW):
        return _by_halving(conduct, crowd, costs, bounds, tolerance, max_rounds, tell)
    return _by_dividing(conduct, crowd, costs, bounds, tolerance, max_rounds, tell)


def _by_dividing(
    conduct: Conduct,
    crowd: Crowd,
    costs: FloatArray,
    bounds: FloatArray,
    tolerance: float,
    max_rounds: int,
    tell: Callable[[float], None],
) -> TwoPlayers:
    """Few choices: undercutting decides, which takes many prices; they are added where somebody gains (`refined`)."""
    game = lattice(conduct, crowd, costs, bounds, FINEST)
    best: TwoPlayers | None = None
    rounds, opening = 0, _coarse(game)
    for times in STAGES:
        mixed = refined(
            game,
            (game.ticks[0].size, game.ticks[1].size),
            opening,
            partial(_least_on, game),
            tolerance=times * tolerance,
            max_rounds=max(max_rounds - rounds, 1),
            tell=tell,
        )
        rounds += mixed.rounds
        found = _pure_or(conduct, crowd, costs, bounds, game, mixed, rounds, tolerance)
        if best is None or found.epsilon <= best.epsilon:
            best = found
            tell(best.epsilon)
        if best.epsilon <= tolerance or rounds >= max_rounds:
            break
        opening = _with_deviations(game, mixed, found)
    assert best is not None, "there is a stage"
    return best


def _by_halving(
    conduct: Conduct,
    crowd: Crowd,
    costs: FloatArray,
    bounds: FloatArray,
    tolerance: float,
    max_rounds: int,
    tell: Callable[[float], None],
) -> TwoPlayers:
    """Many choices: from the game on coarse ticks, all of it, to one whose certificate holds, each with half the tick."""
    best: TwoPlayers | None = None
    rounds, first = 0, None
    for halvings in range(HALVINGS):
        step = FIRST_STEP / 2**halvings
        game = lattice(conduct, crowd, costs, bounds, step)
        opening = [list(range(n.size)) for n in game.ticks] if first is None else _carried(game, *first)
        mixed = double_oracle(
            game.row, opening, tolerance=tolerance / 30, max_rounds=max(max_rounds - rounds, 1), answers=ANSWERS, tell=tell
        )
        rounds += mixed.rounds
        first = (game.ticks[0][mixed.actions[0]], game.ticks[1][mixed.actions[1]]), step
        finer = lattice(conduct, crowd, costs, bounds, step / 2)
        least, last = _least_on(game, mixed.actions, mixed.probabilities), halvings == HALVINGS - 1 or rounds >= max_rounds
        if _gain_between(game, finer, mixed, least) <= tolerance or last or mixed.actions[0].size == mixed.actions[1].size == 1:
            found = _pure_or(conduct, crowd, costs, bounds, game, mixed, rounds, tolerance)
            if best is None or found.epsilon <= best.epsilon:
                best = found
                tell(best.epsilon)
        if best is not None and (best.epsilon <= tolerance or last):
            break
    assert best is not None, "there is a step"
    return best


def _gain_between(game: Lattice, finer: Lattice, mixed: Mixed, least: float) -> float:
    """The larger relative gain from a price halfway between two ticks: no certificate can be better than that."""
    gains = []
    for p in (0, 1):
        rival = np.searchsorted(finer.ticks[1 - p], 2 * game.ticks[1 - p][mixed.actions[1 - p]])
        payoffs = finer.against(p, rival, mixed.probabilities[1 - p])
        gain, scale = max(float(payoffs.max()) - mixed.value[p], 0.0), max(mixed.value[p], least)
        gains.append(float(shares_of(np.array(gain), np.array(scale))))
    return float(max(gains))


def _carried(game: Lattice, ticks: Sequence[IntArray], step: float) -> list[list[int]]:
    """Positions on the new ticks of what was played on the old ones."""
    factor = round(step / game.step)
    return [
        sorted({int(np.clip(np.searchsorted(n, factor * tick), 0, n.size - 1)) for tick in played})
        for n, played in zip(game.ticks, ticks, strict=True)
    ]


def _solved_on_ticks(
    conduct: Conduct,
    crowd: Crowd,
    costs: FloatArray,
    bounds: FloatArray,
    step: float,
    tolerance: float,
    max_rounds: int,
    start: float | None,
    tell: Callable[[float], None],
) -> TwoPlayers:
    """The game on prices exp(n step): all of it at once if it is small enough, else, or from a start, by double oracle."""
    game = lattice(conduct, crowd, costs, bounds, step)
    sizes = game.ticks[0].size, game.ticks[1].size
    opening = [list(range(n)) for n in sizes]
    if start is not None or sizes[0] * sizes[1] > WHOLE:
        opening = [[0, round((0.5 if start is None else start) * (n - 1))] for n in sizes]
    mixed = double_oracle(game.row, opening, tolerance=ON_TICKS, max_rounds=max_rounds, answers=ANSWERS, tell=tell)
    prices = game.prices(0)[mixed.actions[0]], game.prices(1)[mixed.actions[1]]
    least = _least_on(game, mixed.actions, mixed.probabilities)
    return TwoPlayers(
        prices=prices,
        probabilities=mixed.probabilities,
        deviations=(_on_ticks(game, mixed, 0, least), _on_ticks(game, mixed, 1, least)),
        step=step,
        rounds=mixed.rounds,
        stalled=mixed.stalled,
    )


def _pure_or(
    conduct: Conduct,
    crowd: Crowd,
    costs: FloatArray,
    bounds: FloatArray,
    game: Lattice,
    mixed: Mixed,
    rounds: int,
    tolerance: float,
) -> TwoPlayers:
    """A pure equilibrium off the lattice near what is played, or that with its certificate."""
    prices = game.prices(0)[mixed.actions[0]], game.prices(1)[mixed.actions[1]]
    least = _least_on(game, mixed.actions, mixed.probabilities)
    pure = _off_ticks(conduct, crowd, costs, bounds, _pure_starts(mixed, prices, bounds, game.step, least), rounds, tolerance)
    if pure is not None:
        return pure
    first, second = (_anywhere(conduct, crowd, costs, bounds, game, mixed, p, tolerance, least) for p in (0, 1))
    return TwoPlayers(
        prices=prices,
        probabilities=mixed.probabilities,
        deviations=(first, second),
        step=game.step,
        rounds=rounds,
        stalled=mixed.stalled,
    )


def _with_deviations(game: Lattice, mixed: Mixed, found: TwoPlayers) -> list[IntArray]:
    """Coarse positions, those played, and for both players those just below anybody's best deviation."""
    prices = [deviation.price for deviation in found.deviations]
    opening = []
    for coarse, played, n in zip(_coarse(game), mixed.actions, game.ticks, strict=True):
        below = np.searchsorted(n, np.log(prices) / game.step, side="right") - 1
        opening.append(np.unique(np.concatenate([coarse, played, np.clip(below, 0, n.size - 1)])))
    return opening


def _pure_starts(
    mixed: Mixed, prices: tuple[FloatArray, FloatArray], bounds: FloatArray, step: float, least: float
) -> list[FloatArray]:
    """Prices (2,) off ticks near which there may be a pure equilibrium: next to ends of what may be asked, or where at most one
    player earns anything, whatever the others, at their lowest prices, mix."""
    expected = np.array([p @ q for p, q in zip(prices, mixed.probabilities, strict=True)])
    earns = mixed.value > least
    starts = []
    if prices[0].size == prices[1].size == 1:
        starts += [*moved_to_bounds(expected, (0, 1), bounds, max(step, CELL)), expected]
    if earns.sum() <= 1:
        starts.append(np.where(earns, expected, bounds[:, 0]))
    return starts


def _least_on(game: Lattice, actions: Sequence[IntArray], shares: Sequence[FloatArray]) -> float:
    """`least_profit` where both draw some positions of a lattice."""
    played = [q > 0 for q in shares]
    at = [each[on] for each, on in zip(actions, played, strict=True)]
    q = [each[on] for each, on in zip(shares, played, strict=True)]
    profits, revenue = np.zeros(2), 0.0
    for p in (0, 1):
        earned = game.table(p, at[p], at[1 - p]) @ q[1 - p]
        price = game.prices(p)[at[p]]
        profits[p] = q[p] @ earned
        margin = price - game.costs[p]
        revenue += float(q[p] @ np.where(margin > 0, earned * price / np.where(margin > 0, margin, 1.0), 0.0))
    return least_profit(profits, revenue)


def _off_ticks(
    conduct: Conduct,
    crowd: Crowd,
    costs: FloatArray,
    bounds: FloatArray,
    starts: Sequence[FloatArray],
    rounds: int,
    tolerance: float,
) -> TwoPlayers | None:
    """The pure equilibrium a few best responses from one of some prices (2,), if there is one."""
    found = pure_nearby(conduct, crowd, (0, 1), starts, costs, bounds, tolerance)
    if found is None:
        return None
    (first, second), deviations = found[0][:, None], found[1]
    sure = np.ones(1), np.ones(1)
    return TwoPlayers(
        prices=(first, second),
        probabilities=sure,
        deviations=(deviations[0], deviations[1]),
        step=0.0,
        rounds=rounds,
        stalled=False,
    )


def _coarse(game: Lattice) -> list[IntArray]:
    """Positions `FIRST_STEP` apart, those of the second player halfway between the first's, and both ends."""
    every = max(round(FIRST_STEP / game.step), 1)
    return [np.union1d(np.arange(p * every // 2, n.size, every), [0, n.size - 1]) for p, n in enumerate(game.ticks)]


def _on_ticks(game: Lattice, mixed: Mixed, player: int, least: float) -> Deviation:
    payoffs = game.against(player, mixed.actions[1 - player], mixed.probabilities[1 - player])
    best = int(np.argmax(payoffs))
    gain = max(float(payoffs[best]) - float(mixed.value[player]), 0.0)
    return Deviation(
        gain=gain, missed=0.0, price=float(game.prices(player)[best]), profit=float(mixed.value[player]), least=least
    )


def _anywhere(
    conduct: Conduct,
    crowd: Crowd,
    costs: FloatArray,
    bounds: FloatArray,
    game: Lattice,
    mixed: Mixed,
    player: int,
    tolerance: float,
    least: float,
) -> Deviation:
    rival = game.prices(1 - player)[mixed.actions[1 - player]]
    others = np.repeat(rival[:, None], 2, axis=1)
    sales = Against(conduct=conduct, crowd=crowd, player=player, others=others, shares=mixed.probabilities[1 - player])
    low, high = bounds[player]
    apart = np.arange(np.ceil(np.log(low) / CELL), np.log(high) / CELL)  # ratios recur
    edges = [np.exp(CELL * apart), rival * (1 - JUST_BELOW), rival * (1 + JUST_BELOW)]
    inner = np.unique(np.concatenate(edges))
    cells = np.concatenate([[low], inner[(inner > low * (1 + JUST_BELOW)) & (inner < high * (1 - JUST_BELOW))], [high]])
    part = PART_OF_LIST if conduct.follows_list else PART
    limit = max(CELLS // rival.size, 8 * cells.size)
    profit = float(mixed.value[player])
    return sales.best_response(
        float(costs[player]), cells, profit, tolerance=tolerance * part, limit=limit, scale=least, listed=rival.size <= LISTED
    )
