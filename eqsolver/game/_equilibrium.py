"""Equilibrium prices of a market in every regime, each with the certificate that says how exact it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from eqsolver._base import FloatArray, UsageError
from eqsolver.game._bands import Spread, bands
from eqsolver.game._consumers import crowd
from eqsolver.game._demand import Demand
from eqsolver.game._game import Game
from eqsolver.game._regimes import BUILT_IN, Stage
from eqsolver.game._responses import Responses
from eqsolver.game._strategies import Equilibrium, Strategies
from eqsolver.market import Allot, Consumers, Market, Overrun, check_resamples
from eqsolver.technology import rules

LOWEST_PRICE = 1e-3

Progress = Callable[[str, float], None]


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
    allot: Allot | None = None,
    overrun: Overrun | None = None,
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
    allot, overrun, max_budget, max_attempts : see `technology`. points : of each provider, on the grid on
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
    check_resamples(bootstrap, market.weights.size)
    if seed < 0:
        raise UsageError(f"seed must be >= 0, not {seed}")
    market = _with_costs(market, marginal_costs)
    found = tuple(consumers) if consumers is not None else market.consumers
    crowded = crowd(found)
    if not 0 < tolerance < 1:
        raise UsageError(f"tolerance must lie between 0 and 1, not {tolerance:g}")
    if tick is not None and not 0 < tick < 1:
        raise UsageError(f"tick must lie between 0 and 1, not {tick:g}")
    if max_rounds < 1:
        raise UsageError(f"max_rounds must be at least 1, not {max_rounds}")
    terms = rules(market, allot=allot, overrun=overrun, max_budget=max_budget, max_attempts=max_attempts)
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
    free = [provider.name for provider in market.providers if provider.free]
    names = [name for name in market.names if name not in (*private, *free)] if strategic is None else list(strategic)
    if set(names) & set(free):
        raise UsageError(f"strategic: {', '.join(sorted(set(names) & set(free)))} is free, so it has no price to set")
    if set(names) & set(private):
        raise UsageError(f"strategic: {', '.join(sorted(set(names) & set(private)))} is private, so its price is its cost")
    players = tuple(i for i in market.positions(names, "strategic") if stage.steps[i].at.size)
    own = {regime.name: regime.arbitrageurs for regime in market.regimes}
    solved: dict[str, Strategies] = {}
    posted: dict[str, Strategies] = {}
    maps: dict[str, Responses] = {}
    game = Game(stage, crowded, players, demand, tick, tolerance, max_rounds)
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
        **terms.options,
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
