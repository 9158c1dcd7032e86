"""More providers than a product grid holds: paths grown by merging, small sets solved on grids, one pool of the best."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from eqsolver._base import FloatArray
from eqsolver.market import Market
from eqsolver.technology._evaluate import PerLevel
from eqsolver.technology._grid import spread_points
from eqsolver.technology._hull import lower_hull
from eqsolver.technology._levels import levels_below, offered_reach
from eqsolver.technology._path import Block, Path, Walk, walk
from eqsolver.technology._policies import schedules
from eqsolver.technology._pool import Pool
from eqsolver.technology._rules import Rules
from eqsolver.technology._screen import greedy_path, promising
from eqsolver.technology._search import Detail, Ladders, improve
from eqsolver.technology._steps import Steps
from eqsolver.technology._technology import Technology, grid_technology

SCREENED = 40
SCREENINGS = 2
"""With more providers than that, only those are searched that an insertion into a good path calls for; looked for so often."""

CORE = 4
CORE_AMONG = 6
"""Every set of CORE or more among the CORE_AMONG providers that good paths spend most on is solved on a product grid."""

CORE_NODES = 160_000
NESTED, NESTED_NODES = 8, 1_000_000
"""Up to so many providers, the market without the one used least is searched first, down to CORE of them on a product grid."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How long good paths are sought. watched : levels at which paths are grown before those asked for are.

    coarse, fine : detail of the first rounds and of the last. last : of the rounds from known paths for all levels asked for.
    """

    watched: int
    coarse: Detail
    fine: Detail
    last: Detail


FEW = Effort(
    watched=17,
    coarse=Detail(checkpoints=32, points=16, around=0, rounds=8),
    fine=Detail(checkpoints=64, points=32, around=8, rounds=6),
    last=Detail(checkpoints=64, points=32, around=8, rounds=3),
)
SOME = replace(FEW, last=replace(FEW.last, rounds=2))
MOST = Effort(
    watched=9,
    coarse=Detail(checkpoints=24, points=10, around=0, rounds=4),
    fine=Detail(checkpoints=40, points=16, around=4, rounds=2),
    last=Detail(checkpoints=40, points=16, around=4, rounds=1),
)


def effort(providers: int) -> Effort:
    """Less of it for each path the more providers there are: a round's time grows with both."""
    return FEW if providers <= 8 else SOME if providers <= SCREENED else MOST


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Wide:
    """The production set of a market with many providers in access: paths known to be good, and how they were found.

    market : the M providers that sell. rules : what is allotted and counted. steps : M exact step lists.
    access : positions of the A providers that policies may buy from. usable : of those that solve anything.
    searched : of those that were let into paths; all of `usable`, or those that promised anything when screened.
    paths : good policies, each for some level at the posted prices; they are policies at any prices.
    reach : the highest level that a path found reaches. points : of a provider when it is let into a path.
    tolerance : relative; the search ends when a round improves no level by more.
    moved : largest relative change of an optimum in the last round of the search at posted prices.
    cores : product grids of small sets of the providers most used: at any prices their schedules are good paths to start from.
    """

    market: Market
    rules: Rules
    steps: tuple[Steps, ...]
    access: tuple[int, ...]
    usable: tuple[int, ...]
    searched: tuple[int, ...]
    paths: tuple[Path, ...]
    reach: float
    points: int
    tolerance: float
    moved: float
    cores: tuple[Technology, ...]
    exact: bool = False

    @property
    def grid(self) -> tuple[FloatArray, ...]:
        """Per usable provider the allotments at which a provider is let into a path; paths stop at finer steps too."""
        ladders = Ladders(self.market, self.steps, self.points)
        return tuple(ladders.of(i) for i in self.usable)

    @property
    def detail(self) -> Detail:
        """How finely merges are searched."""
        return replace(effort(len(self.usable)).last, points=self.points)

    def walk(self, blocks: Sequence[Block]) -> Walk:
        """Follow a path of (position of the provider in the market, allotment) blocks exactly."""
        return walk(self.market, self.steps, blocks)

    def pool(self, prices: FloatArray, levels: FloatArray) -> Pool:
        """The known paths, each where it is best."""
        found = Pool(self.market, self.rules, self.steps, prices, levels)
        for path in self.paths:
            found.offer(path)
        return found


def wide(
    market: Market,
    terms: Rules,
    listed: tuple[Steps, ...],
    bought: tuple[int, ...],
    *,
    points: int | None,
    tolerance: float,
    levels: FloatArray | None,
) -> Wide:
    """Grow good paths over many providers.

    bought : positions of the providers in access, by name. points, tolerance : see `Wide`.
    levels : (L,) those that matter most.

    Notes
    -----
    Paths start from each provider alone, from the greedy index (most solved per money, then again among what is left), and,
    in a second pool, from the optimal schedules of every small set of the providers most used; each pool is improved by itself
    before the two meet, so that neither start hides the other's optimum. Of few providers the paths found without the least
    used one are starts, too.
    """
    usable = tuple(i for i in bought if listed[i].at.size)
    prices, how = market.prices, effort(len(usable))

    def starts(at: FloatArray) -> Pool:
        pool = Pool(market, terms, listed, prices, at)
        for i in usable:
            pool.offer(((i, listed[i].end),))
        pool.offer(greedy_path(market, terms, listed, prices, usable))
        return pool

    def grown(pool: Pool, searched: list[int]) -> None:
        improve(pool, searched, how.coarse, tolerance)
        for _ in range(SCREENINGS if len(searched) < len(usable) else 0):
            more = promising(pool, [i for i in usable if i not in searched])
            if not more:
                break
            searched += more
            improve(pool, searched, how.coarse, tolerance)

    searched = list(usable)
    if len(usable) > SCREENED:
        first = starts(_watched(market, listed, usable, None, 1.0, how.watched))
        searched = sorted({i for path in first.held() for i, _ in path}, key=lambda i: market.names[i])
    if levels is None:
        rough = starts(_watched(market, listed, usable, None, 1.0, how.watched)[::4])
        grown(rough, searched)
        levels = _watched(market, listed, usable, None, rough.reach, how.watched)
        known = [*rough.held(), rough.furthest]
    else:
        levels, known = _watched(market, listed, usable, levels, 1.0, how.watched), []
    pool = starts(levels)
    for path in known:
        pool.offer(path)
    grown(pool, searched)
    cores = Pool(market, terms, listed, prices, levels)
    small = core_technologies(market, terms, listed, most_used(pool, searched))
    for made in small:
        for path in dict.fromkeys(schedules(made, prices, levels).paths):
            cores.offer(path)
    improve(cores, searched, how.coarse, tolerance)
    for path in [*cores.held(), cores.furthest]:
        pool.offer(path)
    if CORE < len(usable) <= NESTED:
        least = most_used(pool, searched)[-1]
        fewer = tuple(i for i in usable if i != least)
        for path in _without_the_last(market, terms, listed, fewer, points=points, tolerance=tolerance, levels=levels):
            pool.offer(path)
    detail = replace(how.fine, points=points or how.fine.points)
    moved = improve(pool, searched, detail, tolerance)
    return Wide(
        market=market,
        rules=terms,
        steps=listed,
        access=bought,
        usable=usable,
        searched=tuple(searched),
        paths=tuple(dict.fromkeys([*pool.held(), pool.furthest, *cores.held()])),
        reach=pool.reach,
        points=detail.points,
        tolerance=tolerance,
        moved=moved,
        cores=tuple(small),
    )


def _without_the_last(
    market: Market,
    terms: Rules,
    listed: tuple[Steps, ...],
    fewer: tuple[int, ...],
    *,
    points: int | None,
    tolerance: float,
    levels: FloatArray,
) -> tuple[Path, ...]:
    """Good paths of all providers but the least used, so that letting that one in does not mislead the search."""
    if len(fewer) > CORE:
        return wide(market, terms, listed, fewer, points=points, tolerance=tolerance, levels=levels).paths
    made = grid_technology(market, terms, listed, fewer, points=int(NESTED_NODES ** (1 / len(fewer))))
    return tuple(dict.fromkeys(schedules(made, market.prices, levels).paths))


def most_used(pool: Pool, searched: Sequence[int]) -> list[int]:
    """Providers on the best paths, those that take most of the bill over all levels first; then the others that were searched,
    as the greedy index would buy from them."""
    found = pool.policies()
    reached = np.isfinite(found.cost)
    bill = found.units[reached] * pool.prices / np.maximum(found.cost[reached, None], np.finfo(float).tiny)
    share = bill.sum(axis=0)
    on_path = {i for path in pool.held() for i, _ in path}
    used = sorted(on_path, key=lambda i: (-round(float(share[i]), 9), pool.market.names[i]))
    others = [i for i in searched if i not in on_path]
    next_best = [i for i, _ in greedy_path(pool.market, pool.rules, pool.steps, pool.prices, others)] if others else []
    return [*used, *next_best, *(i for i in others if i not in next_best)]


def core_technologies(market: Market, terms: Rules, listed: tuple[Steps, ...], used: Sequence[int]) -> list[Technology]:
    """Product grids for every set of at least CORE among the CORE_AMONG providers most used, coarser for larger sets."""
    among = used[:CORE_AMONG]
    sets = [
        chosen
        for size in range(min(CORE, len(among)), len(among) + 1)
        for chosen in itertools.combinations(sorted(among, key=lambda i: market.names[i]), size)
    ]
    sizes = [spread_points(listed, dict.fromkeys(chosen, 1.0), CORE_NODES) for chosen in sets]
    return [
        grid_technology(market, terms, listed, chosen, points=[size[i] for i in chosen])
        for chosen, size in zip(sets, sizes, strict=True)
    ]


def _watched(
    market: Market, listed: Sequence[Steps], usable: Sequence[int], levels: FloatArray | None, top: float, most: int
) -> FloatArray:
    """At most so many levels: of those asked for, or from 5 points below the best offer's reach up to `top`."""
    if levels is not None:
        if levels.size <= most:
            return levels
        return levels[np.linspace(0, levels.size - 1, most).round().astype(np.int64)]
    every = market.weights.copy()
    for i in usable:
        every *= np.maximum(1.0 - listed[i].dropped(listed[i].end), 0.0)
    top = min(top, 1.0 - float(every.sum()))
    return levels_below(top, max(top - offered_reach(listed, market.weights), 0.0) + 0.05, most)


def wide_schedules(made: Wide, prices: FloatArray, levels: FloatArray) -> PerLevel:
    """The cheapest schedules found: known paths and those of the cores, improved at the levels asked for."""
    pool = made.pool(prices, levels)
    for core in made.cores:
        for path in dict.fromkeys(schedules(core, prices, levels).paths):
            pool.offer(path)
    improve(pool, made.searched, made.detail, made.tolerance)
    return pool.policies()


def wide_hull(made: Wide, prices: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mixtures of the known paths: (V,) solved and cost of the vertices of their lower hull, the origin first."""
    pool = Pool(made.market, made.rules, made.steps, prices, np.ones(1))
    tolls = [pool.toll(path) for path in made.paths]
    corners = [(solved[v], cost[v]) for (solved, cost) in tolls for v in (lower_hull(solved, cost),)]
    solved, cost = (np.concatenate([corner[k] for corner in corners]) for k in (0, 1))
    vertices = lower_hull(solved, cost)
    return np.append(0.0, solved[vertices]), np.append(0.0, cost[vertices])
