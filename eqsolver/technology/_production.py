"""What can be produced from which inputs, for any number of providers: on one product grid, or by growing paths."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eqsolver._base import FloatArray, NothingSolved, UsageError
from eqsolver.market import Allot, Market, Overrun
from eqsolver.technology import _fit, _policies
from eqsolver.technology._evaluate import PerLevel
from eqsolver.technology._exact_pair import ExactPair, exact_pair
from eqsolver.technology._fit import BestCascades
from eqsolver.technology._give_away import give_away_bound
from eqsolver.technology._pair_optimum import pair_optimum
from eqsolver.technology._path import cut
from eqsolver.technology._rules import Rules, rules
from eqsolver.technology._schedule import REACH
from eqsolver.technology._steps import Steps
from eqsolver.technology._technology import MAX_NODES, Technology, all_steps, grid_technology
from eqsolver.technology._wide import Wide, wide, wide_hull, wide_schedules
from eqsolver.technology._wide_cascades import wide_cascades

Production = ExactPair | Technology | Wide
"""The production set of a market: exactly (two providers), on a product grid, or (many providers) as the good paths found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much work an exact answer may take before an approximate one is given instead.

    table : nodes of the grid of every step of two providers up to which it is written down, >= 0: as exact as a sweep, and done
        before the sweep's machine code is loaded.
    exact_pair : nodes of a sweep over every step of two providers, >= 0; with more, they are put on a grid of some of their
        steps, and the gap to the optimum is bounded instead of being 0. A node takes a few nanoseconds and a bit of memory.
    bound : work put into bounding that gap, >= 0: cells that are looked at, times problems, times the cube of the number of
        providers. More tightens the bound, not the answer.
    """

    table: float = 4e4
    exact_pair: float = 3e8
    bound: float = 1e10

    def __post_init__(self) -> None:
        for name in ("table", "exact_pair", "bound"):
            if not getattr(self, name) >= 0:
                raise UsageError(f"{name} = {getattr(self, name):g} must be at least 0")


EFFORT = Effort()
"""What is spent unless something else is asked for."""


ON_GRID = 4
"""Providers whose product grid is fine enough for optimal schedules; of more, those all of whose steps fit a grid."""

MAX_ORDERS = 20_000_000
"""Nodes times orders of providers up to which cascades are enumerated on an exact grid of more than ON_GRID providers."""


def technology(
    market: Market,
    *,
    access: Sequence[str] | None = None,
    allot: Allot | None = None,
    overrun: Overrun | None = None,
    max_budget: float | None = None,
    max_attempts: int | None = None,
    points: int | None = None,
    tolerance: float = 1e-3,
    levels: FloatArray | None = None,
    effort: Effort = EFFORT,
) -> Production:
    """Build the production set of a market.

    Parameters
    ----------
    access : names of the providers that policies may buy from (default: all).
    allot, overrun, max_budget, max_attempts : see `rules`; what is given here comes before what the market states.
    points : grid points per provider; default: none for two providers, else chosen by `refine`, or for many `Wide`'s.
    tolerance, levels : see `refine` and `wide`. effort : see `Effort`.

    Raises
    ------
    UsageError : a cap is missing, `points` < 2, nothing is ever solved.
    MarketError : unknown provider in `access`.

    Notes
    -----
    THEORY section 4. Two providers: an `ExactPair`, unless `points` are given or that is too much work. Otherwise up to
    ON_GRID providers, or any number whose steps all fit one grid: a `Technology`. More: a `Wide`.
    """
    terms = rules(market, allot=allot, overrun=overrun, max_budget=max_budget, max_attempts=max_attempts)
    listed = all_steps(market, terms)
    return build(market, terms, listed, access=access, points=points, tolerance=tolerance, levels=levels, effort=effort)


def build(
    market: Market,
    terms: Rules,
    listed: tuple[Steps, ...],
    *,
    access: Sequence[str] | None = None,
    points: int | None = None,
    tolerance: float = 1e-3,
    levels: FloatArray | None = None,
    effort: Effort = EFFORT,
) -> Production:
    """`technology` for rules and steps already at hand (several arbitrageurs share them)."""
    bought = market.positions(list(market.names if access is None else access), "access")
    if not bought or len(set(bought)) != len(bought):
        raise UsageError("access must name at least one provider, and none twice")
    reach = max(listed[i].profile(market.weights).solved.max(initial=0.0) for i in bought)
    if reach <= REACH:  # levels are told apart by no less
        raise NothingSolved("no provider in access ever solves a problem within the cap")
    if points is not None and points < 2:
        raise UsageError(f"a grid needs at least 2 points, not {points}")
    bought = tuple(sorted(bought, key=lambda i: market.names[i]))  # the order of a market's providers changes nothing
    if len(bought) == 2 and points is None:
        two = _two(market, terms, listed, (bought[0], bought[1]), effort)
        if two is not None:
            return two
    usable = bought if len(bought) <= ON_GRID else tuple(i for i in bought if listed[i].at.size)
    if len(usable) <= ON_GRID:
        return grid_technology(market, terms, listed, usable, points=points, tolerance=tolerance, levels=levels)
    if fits_grid([listed[i] for i in usable], points):
        return exact_technology(market, terms, listed, usable)
    return wide(market, terms, listed, bought, points=points, tolerance=tolerance, levels=levels)


def _two(
    market: Market, terms: Rules, listed: tuple[Steps, ...], bought: tuple[int, int], effort: Effort
) -> ExactPair | Technology | None:
    """Two providers exactly; None if that is too much work."""
    sizes = [listed[i].at.size + 1 for i in bought]
    if math.prod(sizes) <= effort.table:
        return grid_technology(market, terms, listed, bought, points=max(*sizes, 2))
    return exact_pair(market, terms, listed, bought, effort.exact_pair)


def fits_grid(listed: Sequence[Steps], points: int | None) -> bool:
    """Whether every step of some providers fits one product grid, of at most so many `points` of each."""
    sizes = [steps.at.size + 1 for steps in listed]
    return math.prod(sizes) * (len(sizes) + ON_GRID) <= MAX_NODES * 2 * ON_GRID and (points is None or max(sizes) <= points)


def exact_technology(market: Market, terms: Rules, listed: tuple[Steps, ...], bought: tuple[int, ...]) -> Technology:
    """The product grid of every step of some providers, on which an optimum is the optimum."""
    return grid_technology(market, terms, listed, bought, points=max(2, *(listed[i].at.size + 1 for i in bought)))


def schedules(made: Production, prices: FloatArray, levels: FloatArray) -> PerLevel:
    """The cheapest schedule for each level. prices : (M,) multipliers. levels : (L,) increasing."""
    if isinstance(made, ExactPair):
        return pair_optimum(made, prices, levels, np.full(levels.size, np.inf)).schedules
    if isinstance(made, Wide):
        return wide_schedules(made, prices, levels)
    return _policies.schedules(made, prices, levels)


def schedule_bound(
    made: Production, prices: FloatArray, levels: FloatArray, found: PerLevel, effort: Effort = EFFORT
) -> FloatArray:
    """(L,) money that no schedule over the providers in access can undercut at each level.

    found : schedules known for these levels, the cheapest where the grid is exact: then they are the bound. Otherwise see
    `give_away_bound`, of use for up to 10 providers that solve anything; the bound of `oracle` is another.
    """
    if made.exact:
        return found.cost
    return give_away_bound(made.market, made.rules, made.steps, made.access, prices, levels, found, effort.bound)


def schedule_hull(made: Production, prices: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mixtures of schedules: (V,) solved and cost of the vertices of their lower hull over every level, the origin first."""
    if isinstance(made, ExactPair):
        return pair_optimum(made, prices, np.zeros(0), np.zeros(0)).hull
    if isinstance(made, Wide):
        return wide_hull(made, prices)
    return _policies.schedule_hull(made, prices)


def best_cascades(made: Production, prices: FloatArray, levels: FloatArray, market_price: FloatArray) -> BestCascades:
    """The cascade with the largest mean margin over the levels that have a market price, and the cheapest for each level.

    prices : (M,) multipliers. levels : (L,) increasing. market_price : (L,) C_P, infinite where no provider reaches.
    """
    if isinstance(made, ExactPair):
        return pair_optimum(made, prices, levels, market_price).cascades
    if isinstance(made, Wide):
        return wide_cascades(made, made.searched, made.paths, prices, levels, market_price)
    A = len(made.access)
    if A <= ON_GRID or made.survival.size * math.factorial(A) <= MAX_ORDERS:
        return _fit.best_cascades(made, prices, levels, market_price)
    return wide_cascades(made, made.access, _policies.schedules(made, prices, levels).paths, prices, levels, market_price)


def nondecreasing(made: Production, policies: PerLevel, prices: FloatArray, levels: FloatArray) -> PerLevel:
    """Where a higher level was found cheaper (between the points of a coarse grid), its policy serves the lower level too."""
    paths, units, cost = list(policies.paths), policies.units.copy(), policies.cost.copy()
    for level in range(levels.size - 2, -1, -1):
        if cost[level] > cost[level + 1]:
            walked = made.walk(paths[level + 1])
            at = min(int(walked.reaching(levels[level : level + 1])[0]), walked.solved.size - 1)
            paths[level], units[level] = cut(paths[level + 1], walked, at), walked.units[at]
            cost[level] = units[level] @ prices
    return PerLevel(paths=tuple(paths), units=units, cost=cost)
