"""The price game of two providers with nobody else in the market: ever finer ticks until the certificate holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from eqsolver._base import FloatArray, IntArray
from eqsolver.game._at_bounds import FLOOR, moved_to_bounds, pure_nearby
from eqsolver.game._certificate import Deviation
from eqsolver.game._consumers import Crowd
from eqsolver.game._double_oracle import Mixed, double_oracle
from eqsolver.game._lattice import Lattice, lattice
from eqsolver.game._rises import Against
from eqsolver.game._sales import Conduct

FIRST_STEP = 0.04
"""Log distance of the first ticks; each later game halves it, so that earlier ticks stay ticks."""
HALVINGS = 7
ON_TICKS = 1e-10
"""Gain, as a share of profit, at which the game on ticks counts as solved."""
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
    games solved. stalled : the game on ticks did not end with its certificate. floor : money below which no profit counts as
    larger, for relative ε.
    """

    prices: tuple[FloatArray, FloatArray]
    probabilities: tuple[FloatArray, FloatArray]
    deviations: tuple[Deviation, Deviation]
    step: float
    rounds: int
    stalled: bool
    floor: float

    @property
    def epsilon(self) -> float:
        """The larger of the players' ε, as a share of their profit."""
        return max(d.epsilon / max(d.profit, self.floor, np.finfo(float).tiny) for d in self.deviations)

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
    start: float,
    tell: Callable[[float], None],
) -> TwoPlayers:
    """One equilibrium, from the game on coarse ticks to one whose certificate holds at every price.

    Parameters
    ----------
    costs : (2,) marginal costs κ. bounds : (2, 2) lowest and highest prices. tick : solve the game on prices (1 + tick)^n, and
    no other; None: prices may be anything within bounds. tolerance : relative ε wanted. start : where in the range of ticks
    the first restricted game lies, in [0, 1].
    """
    steps = [float(np.log1p(tick))] if tick is not None else [FIRST_STEP / 2**k for k in range(HALVINGS)]
    rounds, first = 0, None
    best: TwoPlayers | None = None
    finer: Lattice | None = None
    for step in steps:
        game = finer if finer is not None else lattice(conduct, crowd, costs, bounds, step)
        finer = None
        opening = _opening(game, start) if first is None else _carried(game, *first)
        mixed = double_oracle(game.row, opening, tolerance=ON_TICKS, max_rounds=max_rounds, tell=tell)
        rounds += mixed.rounds
        first = tuple(game.ticks[p][mixed.actions[p]] for p in (0, 1)), step
        last = step == steps[-1]
        prices = game.prices(0)[mixed.actions[0]], game.prices(1)[mixed.actions[1]]
        floor = FLOOR * _revenue(conduct, crowd, prices, mixed.probabilities)
        if tick is None and prices[0].size == prices[1].size == 1:
            found = _off_ticks(conduct, crowd, costs, bounds, step, np.concatenate(prices), rounds, tolerance, last)
            if found is not None:
                tell(found.epsilon)
                return found
        if tick is None and not last:
            finer = lattice(conduct, crowd, costs, bounds, step / 2)
            if _gain_between(game, finer, mixed, floor) > tolerance:
                continue

        def deviation(p: int, game: Lattice = game, mixed: Mixed = mixed, floor: float = floor) -> Deviation:
            if tick is not None:
                return _on_ticks(game, mixed, p)
            return _anywhere(conduct, crowd, costs, bounds, game, mixed, p, tolerance, floor)

        first_one = deviation(0)
        if first_one.epsilon > tolerance * max(first_one.profit, floor) and not last:
            continue
        found = TwoPlayers(
            prices=prices,
            probabilities=mixed.probabilities,
            deviations=(first_one, deviation(1)),
            step=step,
            rounds=rounds,
            stalled=mixed.stalled,
            floor=floor,
        )
        if best is None or found.epsilon <= best.epsilon:
            best = found
        tell(best.epsilon)
        if best.epsilon <= tolerance:
            break
    assert best is not None, "there is a step"
    return best


def _revenue(
    conduct: Conduct, crowd: Crowd, prices: tuple[FloatArray, FloatArray], shares: tuple[FloatArray, FloatArray]
) -> float:
    """What both are paid on average."""
    first, second = np.meshgrid(*prices, indexing="ij")
    pairs = np.column_stack([first.ravel(), second.ravel()])
    return float(np.outer(*shares).ravel() @ (pairs * conduct.sold(crowd, pairs)).sum(axis=1))


def _off_ticks(
    conduct: Conduct,
    crowd: Crowd,
    costs: FloatArray,
    bounds: FloatArray,
    step: float,
    prices: FloatArray,
    rounds: int,
    tolerance: float,
    last: bool,
) -> TwoPlayers | None:
    """The pure equilibrium next to prices (2,) on ticks, if they are next to an end of what may be asked, or at last."""
    starts = moved_to_bounds(prices, (0, 1), bounds, step) + last * [prices]
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
        floor=FLOOR * _revenue(conduct, crowd, (first, second), sure),
    )


def _gain_between(game: Lattice, finer: Lattice, mixed: Mixed, floor: float) -> float:
    """The larger relative gain from a price halfway between two ticks: no certificate can be better than that."""
    gains = []
    for p in (0, 1):
        rival = np.searchsorted(finer.ticks[1 - p], 2 * game.ticks[1 - p][mixed.actions[1 - p]])
        payoffs = finer.against(p, rival, mixed.probabilities[1 - p])
        gains.append((float(payoffs.max()) - mixed.value[p]) / max(mixed.value[p], floor, np.finfo(float).tiny))
    return float(max(gains))


def _opening(game: Lattice, start: float) -> list[list[int]]:
    """The lowest price is among the first, so that a war of undercutting that ends there need not be fought tick by tick."""
    return [[0, round(start * (n.size - 1))] for n in game.ticks]


def _carried(game: Lattice, ticks: Sequence[IntArray], step: float) -> list[list[int]]:
    """Positions on the new ticks of what was played on the old ones."""
    factor = round(step / game.step)
    return [
        sorted({int(np.clip(np.searchsorted(n, factor * tick), 0, n.size - 1)) for tick in played})
        for n, played in zip(game.ticks, ticks, strict=True)
    ]


def _on_ticks(game: Lattice, mixed: Mixed, player: int) -> Deviation:
    payoffs = game.against(player, mixed.actions[1 - player], mixed.probabilities[1 - player])
    best = int(np.argmax(payoffs))
    gain = max(float(payoffs[best]) - float(mixed.value[player]), 0.0)
    return Deviation(gain=gain, missed=0.0, price=float(game.prices(player)[best]), profit=float(mixed.value[player]))


def _anywhere(
    conduct: Conduct,
    crowd: Crowd,
    costs: FloatArray,
    bounds: FloatArray,
    game: Lattice,
    mixed: Mixed,
    player: int,
    tolerance: float,
    floor: float,
) -> Deviation:
    rival = game.prices(1 - player)[mixed.actions[1 - player]]
    others = np.repeat(rival[:, None], 2, axis=1)
    sales = Against(conduct=conduct, crowd=crowd, player=player, others=others, shares=mixed.probabilities[1 - player])
    low, high = bounds[player]
    inner = np.exp(game.step * game.ticks[player][game.ticks[player] % max(1, round(CELL / game.step)) == 0])  # ratios recur
    cells = np.concatenate([[low], inner[(inner > low * (1 + 1e-9)) & (inner < high * (1 - 1e-9))], [high]])
    part = PART_OF_LIST if conduct.follows_list else PART
    limit = max(CELLS // rival.size, 8 * cells.size)
    profit = float(mixed.value[player])
    return sales.best_response(float(costs[player]), cells, profit, tolerance=tolerance * part, limit=limit, scale=floor)
