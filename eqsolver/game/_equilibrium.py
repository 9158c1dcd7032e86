"""Equilibrium prices of a market in every regime, each with the certificate that says how exact it is."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from eqsolver._base import FloatArray, UsageError
from eqsolver.game._bands import Spread, bands, differences
from eqsolver.game._certificate import Deviation
from eqsolver.game._completed import Completed, solve_completed
from eqsolver.game._consumers import Crowd, crowd
from eqsolver.game._demand import Demand
from eqsolver.game._outcome import Outcome, cross_price, outcome
from eqsolver.game._price_table import Played, Together
from eqsolver.game._quotes import quote_gain
from eqsolver.game._regimes import BUILT_IN, Stage
from eqsolver.game._responses import Responses, responses
from eqsolver.game._sales import Conduct
from eqsolver.game._smooth import served, solve_smooth
from eqsolver.game._together import TOLERATED
from eqsolver.game._two_players import TwoPlayers, solve_two
from eqsolver.market import Consumers, Market
from eqsolver.technology import Accounting, Allocation, rules

if TYPE_CHECKING:
    import pandas as pd

STARTS = (0.5, 0.1, 0.9)
"""Where in the range of prices the search starts; what is found from each is told."""
LOWEST_PRICE = 1e-3
ROUGH_TICK, ROUGH = 0.02, 0.05
"""Ticks of the games from other starts, and the share to which expected prices must agree to be those of one equilibrium."""
FLOOR = 1e-6
"""Share of what consumers pay below which a profit does not count as larger, for relative ε."""
MATCHING = 3.0
"""Where customers follow the list, certificates take so much longer that the tolerance is this many times as large."""

Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Strategies:
    """What is played in one regime, how exact it is, and what it means. Axes: M providers, S price vectors.

    kind : `pure`, `mixed`, `cce` (coarse correlated), `cycle` (best responses that did not settle) or `posted`.
    players : positions of the providers that move.
    prices : (S, M) price vectors played. shares : (S,) their probabilities.
    epsilon : (M,) money, an upper bound on what any deviation gains; 0 for providers that do not move. missed : (M,) the part
        of it that rests on a bound rather than on a deviation found. relative : (M,) over profit.
    arbitrageur_epsilon : what each arbitrageur gains by any quote that was searched, and by policies left out at most, money.
    outcome : the expected account. cross_price : (M, M) d units_i / d price_j.
    policies : arbitrageurs' policies held. shortfall : share by which one left out may be cheaper.
    step : log distance of the ticks on which it was found; 0 where prices are posted. rounds : games or best responses solved.
    certified : every relative ε is within the tolerance asked for.
    mass : how many consumers there are.
    others : expected prices (M,) of other equilibria found from other starts.
    path : (T, M) price vectors that iterated best responses went through, if they were iterated.
    completed : with more than two providers, how policies were completed where it is played.
    together : of three or more that draw prices, how far the draw is from each drawing by itself.
    """

    kind: str
    players: tuple[int, ...]
    prices: FloatArray
    shares: FloatArray
    epsilon: FloatArray
    missed: FloatArray
    relative: FloatArray
    arbitrageur_epsilon: Mapping[str, float]
    outcome: Outcome
    cross_price: FloatArray
    policies: int
    shortfall: float
    step: float
    rounds: int
    certified: bool
    mass: float
    others: tuple[FloatArray, ...]
    path: FloatArray
    completed: Completed | None = None
    together: Together | None = None

    @property
    def expected_price(self) -> FloatArray:
        """(M,) mean multiplier."""
        return np.asarray(self.shares @ self.prices)

    def strategy(self, provider: int) -> tuple[FloatArray, FloatArray]:
        """A provider's prices and their probabilities (of a coarse correlated equilibrium: the marginal)."""
        prices, place = np.unique(self.prices[:, provider], return_inverse=True)
        return prices, np.asarray(np.bincount(place.ravel(), weights=self.shares), dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Equilibrium:
    """A market's price game solved. regimes : by name, at equilibrium prices. posted : the same at posted prices.

    players : positions of the providers that move. tolerance : relative ε asked for.
    responses : if asked for, and two providers move, by regime: what each would answer to the other's prices.
    spread : with bootstrap, how the columns of `to_frame` and their differences between regimes spread over resampled problems.
    """

    market: Market
    consumers: tuple[Consumers, ...]
    players: tuple[int, ...]
    regimes: Mapping[str, Strategies]
    posted: Mapping[str, Strategies]
    tolerance: float
    responses: Mapping[str, Responses]
    spread: Spread
    options: Mapping[str, Any]

    @property
    def version(self) -> str:
        """Version of eqsolver that solved it."""
        return importlib.metadata.version("eqsolver")

    @property
    def bands(self) -> Mapping[str, Mapping[str, tuple[float, float]]]:
        """With bootstrap, by "regime, prices" and column of `to_frame`: 5 % and 95 % points over resampled problems."""
        return self.spread.bands

    @property
    def differences(self) -> Mapping[str, Mapping[str, float]]:
        """By "regime to regime, prices" and column of `to_frame`: the change from the first regime to each other."""
        return differences([dict(row) for row in self.to_frame().to_dict("records")])  # type: ignore[arg-type]

    @property
    def uncertified(self) -> tuple[str, ...]:
        """Regimes whose certificate does not hold."""
        return tuple(name for name, found in self.regimes.items() if not found.certified)

    def to_dict(self) -> dict[str, Any]:
        """The answer as the JSON object that the README documents."""
        from eqsolver.game._document import document

        return document(self)

    def to_frame(self) -> pd.DataFrame:
        """One row per regime and prices (posted, equilibrium): prices, revenue, profits, surplus."""
        from eqsolver.game._document import frame

        return frame(self)


def equilibrium(
    market: Market,
    *,
    regimes: Sequence[str] = BUILT_IN,
    strategic: Sequence[str] | None = None,
    private: Sequence[str] = (),
    consumers: Sequence[Consumers] | None = None,
    marginal_costs: float | Mapping[str, float] | None = None,
    price_bounds: tuple[float, float] | None = None,
    demand: Demand | None = None,
    tick: float | None = None,
    tolerance: float = 1e-3,
    max_rounds: int = 400,
    accounting: Accounting = "attempts",
    allocation: Allocation = "budget",
    max_budget: float | None = None,
    max_attempts: int | None = None,
    points: int | None = None,
    response_map: bool = False,
    bootstrap: int = 0,
    seed: int = 0,
    jobs: int = 1,
    progress: Progress | None = None,
) -> Equilibrium:
    """Prices at which no provider gains by another price, in every regime of arbitrage.

    Parameters
    ----------
    regimes : names, of `direct`, `matching`, `monopoly`, `competitive` and the market's own.
    strategic : providers that choose their prices (default: all); others keep what they post.
    private : providers that are not on sale, only arbitrageurs run them, at posted prices: a distilled student of their own.
        What they are paid stands as their revenue.
    consumers : instead of the market's. marginal_costs : κ, one for all or by name, instead of the market's.
    price_bounds : lowest and highest multiplier for everybody; default from the marginal cost (at least 0.001) to the
        market's highest price.
    demand : how consumers pick a seller; None: whoever offers them most. See `Logit` and `Balanced`.
    tick : prices live on (1 + tick)^n, and the answer is the equilibrium of that game; None: any price.
    tolerance : relative ε wanted (three times as much in `matching`; where three or more draw prices, 0.01 is enough).
    max_rounds : restricted games, or best responses.
    accounting, allocation, max_budget, max_attempts : see `technology`. points : of each provider, on the grid on
        which it is looked where the arbitrageurs' schedules turn; default: 2000 with two providers.
    response_map : where two providers move, work out what each would answer to the other's prices, for a figure.
    bootstrap : resamples of the problems for 5-95 % bands, on ticks of 1 %; 0 is none. seed : of them. jobs : solved at once.
    progress : is told what is being done, and the share done.

    Raises
    ------
    MarketError, UsageError : what was asked makes no sense for this market; there are no consumers.

    Notes
    -----
    THEORY section 7. Two providers alone: double oracle on log-spaced ticks, halved until the certificate of the continuous
    game holds. Otherwise iterated best responses; where they cycle, double oracle for two players, and for more regret
    matching: a sample of the independent strategies that it settles on, reweighed as little as leaves nobody a gain; a coarse
    correlated equilibrium, named as such, and told how far it is from independent draws. Where there is none near, the one
    that leaves least to gain. With more than two providers policies are completed where the game is played, and it is played
    again, until that moves no profit by more than 1 %. Every ε is a bound over all prices within the bounds, not only ticks.
    """
    say = progress or (lambda what, share: None)
    if bootstrap < 0 or seed < 0:
        raise UsageError(f"bootstrap and seed must be >= 0, not {bootstrap} and {seed}")
    market = _with_costs(market, marginal_costs)
    found = tuple(consumers) if consumers is not None else market.consumers
    crowded = crowd(found)
    if not 0 < tolerance < 1:
        raise UsageError(f"tolerance must lie between 0 and 1, not {tolerance:g}")
    if tick is not None and not 0 < tick < 1:
        raise UsageError(f"tick must lie between 0 and 1, not {tick:g}")
    if max_rounds < 1:
        raise UsageError(f"max_rounds must be at least 1, not {max_rounds}")
    terms = rules(market, allocation=allocation, accounting=accounting, max_budget=max_budget, max_attempts=max_attempts)
    hidden = market.positions(list(private), "private")
    stage = Stage(
        market=market,
        terms=terms,
        bounds=_bounds(market, price_bounds),
        targets=crowded.levels,
        points=points,
        private=hidden,
        every_level=demand is not None,
    )
    names = [name for name in market.names if name not in private] if strategic is None else list(strategic)
    if set(names) & set(private):
        raise UsageError(f"strategic: {', '.join(sorted(set(names) & set(private)))} is private, so its price is its cost")
    players = tuple(i for i in market.positions(names, "strategic") if stage.steps[i].at.size)
    own = {regime.name: regime.arbitrageurs for regime in market.regimes}
    solved: dict[str, Strategies] = {}
    posted: dict[str, Strategies] = {}
    maps: dict[str, Responses] = {}
    game = _Game(stage, crowded, players, demand, tick, tolerance, max_rounds)
    for number, name in enumerate(regimes):
        say(name, number / len(regimes))
        conduct = stage.conduct(name, own)

        def tell(epsilon: float, name: str = name, number: int = number) -> None:
            say(f"{name}, ε {epsilon:.1e}", number / len(regimes))

        solved[name] = game.solve(conduct, name, own, tell)
        conduct = stage.conduct(name, own)
        posted[name] = game.posted(conduct)
        if response_map and len(players) == 2:
            maps[name] = game.responses(conduct)
    options: dict[str, Any] = {
        "regimes": list(regimes),
        "strategic": None if strategic is None else list(strategic),
        "private": list(private),
        "price_bounds": price_bounds,
        "demand": demand,
        "tick": tick,
        "tolerance": tolerance,
        "max_rounds": max_rounds,
        "accounting": accounting,
        "allocation": allocation,
        "max_budget": max_budget,
        "max_attempts": max_attempts,
        "points": points,
    }
    spread = Spread()
    if bootstrap:
        spread = bands(market, found, options, resamples=bootstrap, seed=seed, jobs=jobs, progress=say)
    return Equilibrium(
        market=market,
        consumers=found,
        players=players,
        regimes=solved,
        posted=posted,
        tolerance=tolerance,
        responses=maps,
        spread=spread,
        options={**options, "bootstrap": bootstrap, "seed": seed},
    )


def _with_costs(market: Market, marginal_costs: float | Mapping[str, float] | None) -> Market:
    if marginal_costs is None:
        return market
    if not isinstance(marginal_costs, Mapping):
        marginal_costs = dict.fromkeys(market.names, marginal_costs)
    market.positions(list(marginal_costs), "marginal cost")
    providers = [replace(p, marginal_cost=marginal_costs.get(p.name, p.marginal_cost)) for p in market.providers]
    return replace(market, providers=tuple(providers))


def _bounds(market: Market, asked: tuple[float, float] | None) -> FloatArray:
    found = np.array([[max(p.marginal_cost, LOWEST_PRICE), p.highest_price] for p in market.providers])
    if asked is not None:
        if not 0 < asked[0] < asked[1] < np.inf:
            raise UsageError(f"price bounds {asked[0]:g}:{asked[1]:g}: give 0 < low < high")
        found[:] = asked
    wrong = np.flatnonzero(found[:, 0] >= found[:, 1])
    if wrong.size:
        p = market.providers[wrong[0]]
        raise UsageError(
            f"provider {p.name!r}: its marginal cost {p.marginal_cost:g} is not below its highest price {p.highest_price:g}"
        )
    return found


class _Game:
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
        """The account at posted prices."""
        prices = self._stage.market.prices[None]
        return self._made("posted", conduct, prices, np.ones(1), {}, step=0.0, rounds=0, others=(), path=prices)

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
            if not self._stage.extend(found.prices[np.argsort(-found.shares)[:LINES]]):
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

        def solved(start: float, tick: float | None) -> TwoPlayers:
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

        main = solved(STARTS[0], self._tick)
        known = [main.expected]
        for start in STARTS[1:]:
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
        tolerance: float = np.inf,
        completed: Completed | None = None,
        together: Together | None = None,
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
        floor = FLOOR * float(account.consumer_bill[0])
        for i, deviation in deviations.items():
            epsilon[i], missed[i] = deviation.epsilon, deviation.missed
            relative[i] = deviation.epsilon / max(deviation.profit, floor, np.finfo(float).tiny)
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
            certified=bool((relative <= tolerance).all()),
            mass=self._crowd.mass,
            others=others,
            path=path,
            completed=completed,
            together=together,
        )


COMPLETIONS = 3
"""Times that policies are completed along the lines through what is played, and the game solved again, at most."""
LINES = 4
"""Price vectors, the likeliest, through which lines are searched."""
QUOTED = 16
"""Price vectors, the likeliest, at which arbitrageurs' quotes are searched."""
