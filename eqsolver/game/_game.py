"""How each regime of one call is solved, by who moves and how customers choose, and how what was found is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from eqsolver._base import FloatArray
from eqsolver.game._at_bounds import pure_deviations
from eqsolver.game._certificate import Deviation
from eqsolver.game._completed import Completed, solve_completed
from eqsolver.game._consumers import Crowd
from eqsolver.game._correlation import Correlation
from eqsolver.game._demand import Demand
from eqsolver.game._outcome import cross_price, outcome
from eqsolver.game._price_table import Played, Together
from eqsolver.game._quotes import quote_gain
from eqsolver.game._regimes import Stage
from eqsolver.game._responses import Responses, responses
from eqsolver.game._sales import Conduct
from eqsolver.game._smooth import SmoothGame, served, solve_smooth
from eqsolver.game._strategies import Strategies
from eqsolver.game._together import TOLERATED
from eqsolver.game._two_players import TwoPlayers, solve_two

STARTS = (0.1, 0.9)
"""Where in the range of prices other searches start; what is found from each is told."""
ROUGH_TICK, ROUGH = 0.02, 0.05
"""Ticks of the games from other starts, and the share to which expected prices must agree to be those of one equilibrium."""
MATCHING = 3.0
"""Where customers follow the list, certificates take so much longer that the tolerance is this many times as large."""
COMPLETIONS = 3
"""Times that policies are completed along the lines through what is played, and the game solved again, at most."""
LINES = 4
"""Price vectors, the likeliest, through which lines are searched."""
QUOTED = 16
"""Price vectors, the likeliest, at which arbitrageurs' quotes are searched."""


class Game:
    """What every regime of one call shares."""

    def __init__(
        self,
        stage: Stage,
        crowded: Crowd,
        players: tuple[int, ...],
        demand: Demand | None,
        tick: float | None,
        tolerance: float,
        max_rounds: int,
    ) -> None:
        self._stage, self._crowd, self._players, self._demand = stage, crowded, players, demand
        self._tick, self._tolerance, self._max_rounds = tick, tolerance, max_rounds
        self._costs = np.array([p.marginal_cost for p in stage.market.providers])
        self._costs[list(stage.private)] = stage.market.prices[list(stage.private)]
        self._drawn: dict[str, tuple[Played, Completed, Conduct]] = {}
        self._same: dict[str, tuple[TwoPlayers, tuple[FloatArray, ...]]] = {}

    def posted(self, conduct: Conduct) -> Strategies:
        """The account at posted prices, and what each player would gain by another price of its own."""
        prices = self._stage.market.prices
        if self._demand is None:
            bounds = self._stage.bounds
            deviations = dict(
                pure_deviations(conduct, self._crowd, self._players, prices, self._costs, bounds, self._tolerance)
            )
        else:
            customers = served(self._stage, conduct, self._crowd, self._demand)
            game = SmoothGame(
                demand=customers, players=self._players, base=prices, costs=self._costs, bounds=self._stage.bounds, step=0.0
            )
            deviations = {i: game.deviation(i, prices[None], np.ones(1), self._tolerance) for i in self._players}
        return self._made(
            "posted",
            conduct,
            prices[None],
            np.ones(1),
            deviations,
            step=0.0,
            rounds=0,
            others=(),
            path=prices[None],
            tolerance=self._tolerance,
        )

    def responses(self, conduct: Conduct) -> Responses:
        """What each of two would answer to the other's prices."""
        first, second = self._players
        return responses(self._sold(conduct), (first, second), self._stage.market.prices, self._costs, self._stage.bounds)

    def _sold(self, conduct: Conduct) -> Callable[[FloatArray], FloatArray]:
        if self._demand is None:
            return lambda prices: conduct.sold(self._crowd, prices)
        return served(self._stage, conduct, self._crowd, self._demand).sold

    def solve(self, conduct: Conduct, name: str, own: Mapping[str, Sequence[str]], tell: Callable[[float], None]) -> Strategies:
        """An equilibrium of the regime, and what else was found from other starts."""
        if self._demand is not None:
            return self._smooth(conduct, self._demand, name, own, tell)
        tolerance = self._tolerance * (MATCHING if conduct.follows_list and self._tick is None else 1.0)
        if len(self._players) == 2 and len(self._costs) == 2:
            units = "quotes" if name in ("monopoly", "competitive") else name  # the same units are bought, so one game
            if units not in self._same:
                self._same[units] = self._two(conduct, tolerance, tell)
            main, others = self._same[units]
            return self._of_two(conduct, main, others, tolerance)
        return self._many(conduct, name, own, tolerance, tell)

    def _smooth(
        self, conduct: Conduct, demand: Demand, name: str, own: Mapping[str, Sequence[str]], tell: Callable[[float], None]
    ) -> Strategies:
        if not self._players:
            return self.posted(conduct)
        for _ in range(COMPLETIONS):
            found = solve_smooth(
                served(self._stage, conduct, self._crowd, demand),
                self._players,
                self._stage.market.prices,
                self._costs,
                self._stage.bounds,
                tick=self._tick,
                tolerance=self._tolerance,
                max_rounds=self._max_rounds,
                tell=tell,
            )
            if not self._stage.extend(found.prices[np.argsort(-found.shares)[:LINES]], self._players):
                break
            conduct = self._stage.conduct(name, own)
        return self._made(
            found.kind,
            conduct,
            found.prices,
            found.shares,
            dict(zip(self._players, found.deviations, strict=True)),
            step=found.step,
            rounds=found.rounds,
            others=found.others,
            path=found.path,
            tolerance=self._tolerance,
        )

    def _two(
        self, conduct: Conduct, tolerance: float, tell: Callable[[float], None]
    ) -> tuple[TwoPlayers, tuple[FloatArray, ...]]:
        """An equilibrium of the two, and expected prices of others found from other starts."""

        def solved(start: float | None, tick: float | None) -> TwoPlayers:
            return solve_two(
                conduct,
                self._crowd,
                self._costs,
                self._stage.bounds,
                tick=tick,
                tolerance=tolerance,
                max_rounds=self._max_rounds,
                start=start,
                tell=tell,
            )

        main = solved(None, self._tick)
        known = [main.expected]
        for start in STARTS:
            found = solved(start, ROUGH_TICK).expected
            if all(np.abs(found / other - 1).max() > ROUGH for other in known):
                known.append(found)
        return main, tuple(known[1:])

    def _of_two(self, conduct: Conduct, main: TwoPlayers, others: tuple[FloatArray, ...], tolerance: float) -> Strategies:
        first, second = np.meshgrid(*main.prices, indexing="ij")
        shares = np.outer(*main.probabilities).ravel()
        return self._made(
            "pure" if shares.size == 1 else "mixed",
            conduct,
            np.column_stack([first.ravel(), second.ravel()]),
            shares,
            dict(enumerate(main.deviations)),
            step=main.step,
            rounds=main.rounds,
            others=others,
            path=np.zeros((0, 2)),
            tolerance=tolerance,
        )

    def _many(
        self, conduct: Conduct, name: str, own: Mapping[str, Sequence[str]], tolerance: float, tell: Callable[[float], None]
    ) -> Strategies:
        if not self._players:
            return self.posted(conduct)
        units = "quotes" if name in ("monopoly", "competitive") else name  # the same units are bought, so one game
        wider = max(self._tolerance, TOLERATED) if self._tick is None else self._tolerance
        if units not in self._drawn:
            self._drawn[units] = solve_completed(
                self._stage,
                lambda: self._stage.conduct(name, own),
                self._crowd,
                self._players,
                self._costs,
                tick=self._tick,
                tolerance=tolerance,
                drawn_tolerance=wider,
                max_rounds=self._max_rounds,
                tell=tell,
            )
        played, completed, final = self._drawn[units]
        return self._made(
            played.kind,
            replace(final, alike=conduct.alike),
            played.prices,
            played.shares,
            dict(zip(self._players, played.deviations, strict=True)),
            step=played.step,
            rounds=played.rounds,
            others=(),
            path=played.path,
            tolerance=wider if played.kind == "cce" else tolerance,
            completed=completed,
            together=played.together,
            correlation=played.correlation,
        )

    def _made(
        self,
        kind: str,
        conduct: Conduct,
        prices: FloatArray,
        shares: FloatArray,
        deviations: Mapping[int, Deviation],
        *,
        step: float,
        rounds: int,
        others: tuple[FloatArray, ...],
        path: FloatArray,
        tolerance: float,
        completed: Completed | None = None,
        together: Together | None = None,
        correlation: Correlation | None = None,
    ) -> Strategies:
        likely = np.argsort(-shares)[:QUOTED]
        if self._demand is None:
            every = outcome(conduct, self._crowd, prices, self._costs)
            gains = quote_gain(conduct, self._crowd, prices[likely])
        else:
            customers = served(self._stage, conduct, self._crowd, self._demand)
            every, gains = customers.outcome(prices, self._costs), customers.quote_gain(prices[likely])
        effects = cross_price(self._sold(conduct), prices, shares)
        account = every.expected(shares)
        M = self._costs.size
        epsilon, missed, relative = np.zeros(M), np.zeros(M), np.zeros(M)
        for i, deviation in deviations.items():
            epsilon[i], missed[i], relative[i] = deviation.epsilon, deviation.missed, deviation.relative
        return Strategies(
            kind=kind,
            players=self._players,
            prices=prices,
            shares=shares,
            epsilon=epsilon,
            missed=missed,
            relative=relative,
            arbitrageur_epsilon=gains,
            outcome=account,
            cross_price=effects,
            policies=self._stage.policies,
            shortfall=self._stage.shortfall,
            step=step,
            rounds=rounds,
            certified=bool((relative <= tolerance).all()) and (completed is None or completed.settled),
            mass=self._crowd.mass,
            others=others,
            path=path,
            bounds=self._stage.bounds,
            completed=completed,
            together=together,
            correlation=correlation,
        )
