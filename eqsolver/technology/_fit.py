"""The best cascades: one threshold vector for all levels, fitted to mean margin as in [OSH], and the best for each level."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from eqsolver._base import FloatArray
from eqsolver.technology._cascade import threshold_table
from eqsolver.technology._evaluate import Cascade, PerLevel, bill, cheaper, evaluate, with_rest
from eqsolver.technology._path import Block
from eqsolver.technology._policies import promising_cascades, weighted
from eqsolver.technology._scores import margin_scores
from eqsolver.technology._single import zoom_single
from eqsolver.technology._technology import Technology
from eqsolver.technology._zoom import SPAN, zoom

_ROWS = 4096
"""Threshold vectors tabulated per order; with more on the grid, every few, and then those around the best."""

STARTS = 8
"""Cascades per level that are zoomed in upon."""

FIRST_ROUNDS = 3
"""Rounds of the first zoom, which chooses between them."""

LEADERS = 3
"""Single cascades whose neighbourhoods are searched."""

RANKED = 200
"""Single cascades remembered, the best first."""

ORDERS = 6
"""Orders of providers whose best single cascade is searched around widely; then the LEADERS among all."""

WIDE = 8.0
"""That search looks at thresholds this many times as small and as large."""

STRIDE = 8.0
"""How many grid points away the first round of that search looks, beyond local optima of the grid."""

ROUNDS = 10
"""Rounds of the second zoom, upon the best found for each level, and of the search around single cascades (halved strides)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BestCascades:
    """single : the cascade with the largest mean margin. per_level : the cheapest one for each level, exactly evaluated."""

    single: Cascade
    per_level: PerLevel


def best_cascades(made: Technology, prices: FloatArray, levels: FloatArray, market_price: FloatArray) -> BestCascades:
    """The single cascade with the largest mean margin over the levels that have a market price, and the cheapest per level.

    Parameters
    ----------
    prices : (M,) multipliers. levels : (L,) increasing. market_price : (L,) C_P, infinite where no provider reaches.

    Notes
    -----
    All orders and grid thresholds at once; then, unless the grid is exact, each level's most promising cascades are zoomed
    in upon a little, and the best found for it all the way. One walk prices a cascade at every level, so what is found for
    one serves its neighbours. Single cascades are searched by all thresholds at once (`zoom_single`), then moved one at a time.
    Optimal on an exact grid; elsewhere a local optimum (for how far from the best policy, see `schedule_bound`).
    Where no level has a market price, the single cascade is the one that reaches most levels, most cheaply.
    """
    search = _Search(made, prices, levels, market_price)
    search.offer(dict.fromkeys(_fitted_on_grid(made, prices, levels, market_price)))
    promising = promising_cascades(made, prices, levels, keep=STARTS, apart=SPAN)
    starts = [(cascade.path, float(levels[cascade.level])) for cascade in promising]
    search.offer(_filled(made, path) for path, _ in starts)
    if not made.exact:
        search.offer(_filled(made, path) for path in zoom(made, prices, starts, rounds=FIRST_ROUNDS))
        holders = [_useful(made, path) for path in search.per_level.paths]
        starts = [(path, float(level)) for path, level in zip(holders, levels, strict=True) if path]
        search.offer(_filled(made, path) for path in zoom(made, prices, starts, rounds=ROUNDS))
        for wide, rounds, count in ((WIDE, 2, ORDERS), (2.0, ROUNDS, LEADERS)):
            for best in search.of_orders(count):
                search.offer(zoom_single(made, prices, levels, market_price, best, wide=wide, rounds=rounds))
        for halvings in range(ROUNDS):
            score = search.score
            search.offer([near for best in search.leaders for near in _neighbours(made, best, STRIDE * 0.5**halvings)])
            if halvings and search.score <= score + 1e-6:
                break
    return BestCascades(single=search.single, per_level=search.per_level)


class _Search:
    """The best cascades among those offered so far."""

    def __init__(self, made: Technology, prices: FloatArray, levels: FloatArray, market_price: FloatArray) -> None:
        self._made, self._prices, self._levels, self._market_price = made, prices, levels, market_price
        units = np.full((levels.size, len(made.market.providers)), np.inf)
        self.per_level = PerLevel(paths=((),) * levels.size, units=units, cost=bill(units, prices))
        self._ranked: list[tuple[tuple[float, float], Cascade]] = []
        self._seen: set[Cascade] = set()

    @property
    def single(self) -> Cascade:
        return self._ranked[0][1]

    @property
    def score(self) -> float:
        return self._ranked[0][0][0]

    @property
    def leaders(self) -> list[Cascade]:
        return [cascade for _, cascade in self._ranked[:LEADERS]]

    def of_orders(self, count: int) -> list[Cascade]:
        """The best cascade of each of the best orders of providers."""
        found: dict[tuple[int, ...], Cascade] = {}
        for _, cascade in self._ranked:
            found.setdefault(cascade.order, cascade)
        return list(found.values())[:count]

    def offer(self, candidates: Iterable[Cascade]) -> None:
        for cascade in candidates:
            if cascade in self._seen:
                continue
            self._seen.add(cascade)
            made = self._made
            found = evaluate(made.market, made.rules, made.steps, cascade, self._levels)
            found = PerLevel(paths=found.paths, units=found.units, cost=bill(found.units, self._prices))
            main, second = margin_scores(found.cost, self._market_price)
            self._ranked.append(((float(main), float(second)), cascade))
            self._ranked.sort(key=lambda entry: entry[0], reverse=True)
            del self._ranked[RANKED:]
            self.per_level = cheaper(self.per_level, found)


def _fitted_on_grid(made: Technology, prices: FloatArray, levels: FloatArray, market_price: FloatArray) -> Iterator[Cascade]:
    """For each order of all providers, the grid thresholds with the largest mean margin."""
    edges, solved, allowed = weighted(made, prices), made.solved, made.allowed
    A = len(made.access)
    coarse = _ROWS if A == 2 else int(_ROWS ** (1 / max(A - 1, 1)))
    for order in itertools.permutations(range(A)):
        first = order[:-1]
        strides = [-(-solved.shape[axis] // coarse) for axis in first]
        kept = [np.arange(0, solved.shape[axis], stride) for axis, stride in zip(first, strides, strict=True)]
        while True:
            table = threshold_table(solved, edges, allowed, order, levels, kept)
            main, second = margin_scores(table.cost, market_price)
            tops = sum((made.grid[axis][table.thresholds[:, s]] for s, axis in enumerate(first)), np.zeros(len(main)))
            best = table.thresholds[np.lexsort((second, np.where(tops <= made.rules.largest_total, main, -np.inf)))[-1]]
            if all(stride == 1 for stride in strides):
                break
            finer = [max(1, stride // 4) for stride in strides]
            kept = [
                np.arange(max(at - stride, 0), min(at + stride, solved.shape[axis] - 1) + 1, fine)
                for at, axis, stride, fine in zip(best, first, strides, finer, strict=True)
            ]
            strides = finer
        yield with_rest(
            made.rules,
            made.steps,
            [made.access[axis] for axis in order],
            [float(made.grid[axis][at]) for axis, at in zip(first, best, strict=True)],
        )


def _filled(made: Technology, path: tuple[Block, ...]) -> Cascade:
    """The cascade behind a path cut at its level: its last provider may be bought up to the cap."""
    return with_rest(made.rules, made.steps, [i for i, _ in path], [b for _, b in path[:-1]])


def _useful(made: Technology, path: tuple[Block, ...]) -> tuple[Block, ...]:
    """A path without the blocks that buy nothing, or from a provider that never solves anything within the cap."""
    return tuple((i, top) for i, top in path if top > 0 and made.steps[i].at.size)


def _neighbours(made: Technology, cascade: Cascade, share: float) -> Iterator[Cascade]:
    """Cascades with one threshold moved by a multiple of the way to the next grid point, or two neighbours swapped."""
    order, tops = list(cascade.order), list(cascade.thresholds[:-1])
    for s, top in enumerate(tops):
        points, at = made.grid[made.access.index(order[s])], made.steps[order[s]].at
        here = int(np.searchsorted(points, top))
        for other in (points[max(here - 1, 0)], points[min(here + 1, points.size - 1)]):
            aim = max(top + share * (other - top), 0.0)
            exact = int(np.searchsorted(at, aim * (1 + 1e-12), side="right"))
            moved = [*tops[:s], float(at[exact - 1]) if exact else 0.0, *tops[s + 1 :]]
            if moved != tops and sum(moved) <= made.rules.largest_total:
                yield with_rest(made.rules, made.steps, order, moved)
    if share >= 1.0:
        for s in range(len(tops) - 1):
            swapped = [*order[:s], order[s + 1], order[s], *order[s + 2 :]]
            yield with_rest(made.rules, made.steps, swapped, [*tops[:s], tops[s + 1], tops[s], *tops[s + 2 :]])
