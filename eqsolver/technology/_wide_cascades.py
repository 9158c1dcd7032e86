"""The best cascades of many providers: one provider at a time is put into, moved within or resized in a good cascade."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from eqsolver._base import FloatArray
from eqsolver.technology._evaluate import Cascade
from eqsolver.technology._fit import BestCascades
from eqsolver.technology._merge import Merged, joined, spine
from eqsolver.technology._path import Path
from eqsolver.technology._pool import Pool
from eqsolver.technology._schedule import REACH
from eqsolver.technology._scores import margin_scores
from eqsolver.technology._search import BATCH_BYTES, Detail, Ladders, around, divided, merge_providers
from eqsolver.technology._single import Buying, zoom_single

DETAIL = Detail(checkpoints=48, points=16, around=6, rounds=8)

SINGLES, WIDE, ZOOMS = 3, 4.0, 5
"""Single cascades whose thresholds are searched all at once after each round, from so many times as small to as large, and for
how many rounds."""

PROMISING = 2
"""Cascades one block away that are followed for their mean margin, and the best of those that end with another provider."""

RANKED = 100
"""Single cascades remembered, the best first."""

LONGEST = 6
"""Providers of a path that a first cascade takes, those it buys most from."""


def wide_cascades(
    made: Buying,
    providers: Sequence[int],
    paths: Sequence[Path],
    prices: FloatArray,
    levels: FloatArray,
    market_price: FloatArray,
) -> BestCascades:
    """The best single cascade and the best per level that a descent finds.

    Parameters
    ----------
    providers : those that cascades may buy from. paths : good schedules; cascades start from their providers.
    prices : (M,) multipliers. levels : (L,) increasing. market_price : (L,) C_P, infinite where no provider reaches.

    Notes
    -----
    Given a cascade without one of its providers, `merged` holds what a block of any size of that provider, or of another,
    between any two of its blocks costs at every level. The best of these for each level, and the one with the largest mean
    margin, are followed exactly and kept where they are better, until nothing improves.
    """
    search = _Search(made, prices, levels, market_price)
    for i in providers:
        search.offer(((i, made.steps[i].end),))
    for path in paths:
        search.offer(_as_cascade(path))
    ladders = Ladders(made.market, made.steps, DETAIL.points)
    tried: set[Path] = set()
    zoomed: set[Path] = set()
    for _ in range(DETAIL.rounds):
        fresh = {path: where for path, where in search.leaders().items() if path not in tried}
        if not fresh:
            break
        for path, where in fresh.items():
            tried.add(path)
            for candidate in list(search.near(ladders, path, where, providers)):
                search.offer(candidate)
        for single in [path for path in search.singles() if path not in zoomed]:
            zoomed.add(single)
            start = Cascade(order=tuple(i for i, _ in single), thresholds=tuple(b for _, b in single))
            for near in zoom_single(made, prices, levels, market_price, start, wide=WIDE, rounds=ZOOMS):
                search.offer(near.path)
    order, thresholds = zip(*search.single, strict=True)
    return BestCascades(single=Cascade(order=order, thresholds=thresholds), per_level=search.pool.policies())


def _as_cascade(path: Path) -> Path:
    """The providers a path buys most from, each bought once, in the order in which half of their allotment is reached."""
    final = dict(path)
    halfway: dict[int, int] = {}
    for number, (i, b) in enumerate(path):
        if b >= final[i] / 2:
            halfway.setdefault(i, number)
    kept = sorted(final, key=lambda i: -final[i])[:LONGEST]
    return tuple((i, final[i]) for i in sorted(kept, key=lambda i: halfway[i]))


class _Search:
    """The best cascades offered so far: per level, and by mean margin."""

    def __init__(self, made: Buying, prices: FloatArray, levels: FloatArray, market_price: FloatArray) -> None:
        self.pool = Pool(made.market, made.rules, made.steps, prices, levels)
        self._market_price = market_price
        self._ranked: list[tuple[tuple[float, float], Path]] = []

    @property
    def single(self) -> Path:
        return self._ranked[0][1]

    def singles(self) -> list[Path]:
        """The cascades with the largest mean margin, at most one per order of providers."""
        found: dict[tuple[int, ...], Path] = {}
        for _, path in self._ranked:
            found.setdefault(tuple(i for i, _ in path), path)
        return list(found.values())[:SINGLES]

    def leaders(self) -> dict[Path, list[int]]:
        """The cascades that are best somewhere, and for which levels; the single best is among them."""
        found = self.pool.held()
        found.setdefault(self.single, [])
        return found

    def offer(self, path: Path) -> None:
        """Fill up the last provider of a cascade, follow it exactly, keep it where it is best."""
        if not path:
            return
        path = self._filled(path)
        cost = self.pool.offer(path)
        if cost is not None:
            main, second = margin_scores(cost, self._market_price)
            self._ranked.append(((float(main), float(second)), path))
            self._ranked.sort(key=lambda entry: entry[0], reverse=True)
            del self._ranked[RANKED:]

    def near(self, ladders: Ladders, path: Path, where: Sequence[int], providers: Sequence[int]) -> Iterator[Path]:
        """The best cascades one block away from a given one, for the levels it holds and by mean margin."""
        bought = [i for i, _ in path]
        for i, end in path if len(path) > 1 else ():
            rest = tuple(block for block in path if block[0] != i)
            yield from self._best_of(ladders, rest, [i], [around(self.pool, ladders.of(i), i, [end], DETAIL.around)], where)
        others = [i for i in providers if i not in bought]
        size = max(1, BATCH_BYTES // (16 * self.pool.market.weights.size * DETAIL.points))
        for start in range(0, len(others), size):
            batch = others[start : start + size]
            yield from self._best_of(ladders, path, batch, [ladders.of(i) for i in batch], where)

    def _best_of(
        self, ladders: Ladders, rest: Path, others: Sequence[int], points: Sequence[FloatArray], where: Sequence[int]
    ) -> Iterator[Path]:
        pool = self.pool
        moves = divided(ladders, self._filled(rest), DETAIL.checkpoints)
        base = spine(pool.columns, pool.market.weights, pool.prices, moves)
        found = merge_providers(pool, base, others, points)
        ends = [0, *(t for t in range(1, len(moves) + 1) if t == len(moves) or moves[t][0] != moves[t - 1][0])]
        places = [(k, t, b) for k, p in enumerate(points) for t in ends for b in range(1, p.size)]
        table = np.concatenate([_block_costs(found, k, t, p.size, pool) for k, p in enumerate(points) for t in ends])
        cuts = [(k, t) for k in range(len(points)) for t in range(ends[-2] + 1, len(moves)) if len(ends) > 1]
        table = np.concatenate([table, *(_tail_cost(found, k, t, pool)[None] for k, t in cuts)])
        main, second = margin_scores(table, self._market_price)
        chosen = {int(row) for row in np.lexsort((second, main))[-PROMISING:]}
        if cuts:
            chosen.add(len(places) + int(np.argmax(main[len(places) :])))
        chosen |= {int(row) for level in where for row in [table[:, level].argmin()] if table[row, level] < pool.cost[level]}
        for row in sorted(chosen):
            if row >= len(places):  # the last provider is bought up to a checkpoint only, and the other takes what is left
                k, t = cuts[row - len(places)]
                yield joined([*moves[:t], (others[k], float(points[k][-1]))])
                continue
            k, t, b = places[row]
            yield joined([*moves[:t], (others[k], float(points[k][b])), *moves[t:]])

    def _filled(self, path: Path) -> Path:
        """The cascade with its last provider bought up to what the cap leaves."""
        rules = self.pool.rules
        *first, (last, b) = path
        rest = rules.rest(sum(b for _, b in first))
        rest = rest if np.isfinite(rest) else max(self.pool.steps[last].end, b)
        return tuple((i, b) for i, b in (*first, (last, rest)) if b > 0)


def _block_costs(found: Merged, k: int, t: int, size: int, pool: Pool) -> FloatArray:
    """(size - 1, L) about what each level costs with one block of the k-th provider let in at checkpoint t, up to each point.

    Notes
    -----
    Whatever the block's end, the levels before it and within it cost the same; only what comes after has to be read off anew.
    """
    solved, total, wanted = found.solved[k], found.total[k], pool.levels - REACH
    cap = pool.rules.largest_total
    inside = found.along[k, :t, 0].sum() + np.append(0.0, np.cumsum(found.own[k, t]))
    upto = _tail_cost(found, k, t, pool)
    cost = np.empty((size - 1, wanted.size))
    for b in range(1, size):
        within = int(np.searchsorted(total[t:, b], cap, side="right"))
        after = inside[b] + np.append(0.0, np.cumsum(found.along[k, t : t + within - 1, b])) if within else np.zeros(1)
        cost[b - 1] = np.interp(wanted, solved[t : t + within, b], after, right=np.inf) if within else np.inf
    np.copyto(cost, upto, where=wanted <= solved[t, 1:size, None])
    return cost


def _tail_cost(found: Merged, k: int, t: int, pool: Pool) -> FloatArray:
    """(L,) about what each level costs along the path to checkpoint t and from there with the k-th provider only."""
    solved, wanted = found.solved[k], pool.levels - REACH
    before = np.append(0.0, np.cumsum(found.along[k, :t, 0]))
    inside = before[-1] + np.append(0.0, np.cumsum(found.own[k, t]))
    fits = int(np.searchsorted(found.total[k, t], pool.rules.largest_total, side="right"))
    cost = np.interp(wanted, solved[t, :fits], inside[:fits], right=np.inf) if fits else np.full(wanted.size, np.inf)
    np.copyto(cost, np.interp(wanted, solved[: t + 1, 0], before), where=wanted <= solved[t, 0])
    return cost
