"""A policy is a path of allotments; this follows one exactly, step by step, and says where it reaches each level."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from eqsolver._base import FloatArray, IntArray
from eqsolver.market import Market
from eqsolver.technology._curves import SLACK
from eqsolver.technology._schedule import REACH
from eqsolver.technology._steps import Profile, Steps

Block = tuple[int, float]
"""(provider, position): buy from that provider up to this position, which counts all its blocks together (see `Rules`)."""

Path = tuple[Block, ...]
"""Blocks in the order they are bought; a provider may return, its positions rising."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Walk:
    """A path followed step by step; G counts the origin and every step of every block.

    solved : (G,) share of the market solved so far, nondecreasing.
    units : (G, M) expected list-price money spent on each provider so far.
    block : (G,) which block the step belongs to; -1 at the origin.
    allotted : (G,) what that block's provider has been allotted by then.
    """

    solved: FloatArray
    units: FloatArray
    block: IntArray
    allotted: FloatArray

    def reaching(self, levels: FloatArray) -> IntArray:
        """(L,) first position at which the path solves each level; G where it never does."""
        return np.searchsorted(self.solved, levels - REACH)


def walk(market: Market, steps: Sequence[Steps], blocks: Sequence[Block]) -> Walk:
    """Follow a path of blocks exactly.

    Parameters
    ----------
    steps : of each of the market's M providers, under the rules the path is held to.
    blocks : the path. A provider may return in a later block; its allotments must not fall.

    Notes
    -----
    THEORY section 4. One pass over the attempts of each block: no grid, no interpolation.
    """
    M = len(market.providers)
    solved, units = [np.zeros(1)], [np.zeros((1, M))]
    index, allotted = [np.full(1, -1)], [np.zeros(1)]
    for number, found in stretches(market, steps, blocks):
        spent = np.repeat(units[-1][-1:], found.at.size, axis=0)
        spent[:, blocks[number][0]] += found.spent
        solved.append(solved[-1][-1] + found.solved)
        units.append(spent)
        index.append(np.full(found.at.size, number))
        allotted.append(found.at)
    return Walk(
        solved=np.concatenate(solved),
        units=np.concatenate(units),
        block=np.concatenate(index),
        allotted=np.concatenate(allotted),
    )


def stretches(market: Market, steps: Sequence[Steps], blocks: Sequence[Block]) -> Iterator[tuple[int, Profile]]:
    """Number and profile of each block of a path that buys anything, given what the blocks before it have solved."""
    position: dict[int, float] = {}
    standing: dict[int, FloatArray] = {}
    for number, (i, upto) in enumerate(blocks):
        after = position.get(i, 0.0)
        if upto < after:
            raise ValueError(f"block {number} lowers the allotment of provider {i} from {after:g} to {upto:g}")
        others = market.weights.copy()
        for other in sorted(standing):
            if other != i:
                others *= standing[other]
        found = steps[i].profile(others, upto=upto, after=after)
        if not found.at.size:
            continue
        yield number, found
        before = standing.get(i, 1.0)
        standing[i] = np.maximum(before - steps[i].dropped(upto, after=after), 0.0)
        position[i] = float(found.at[-1])


def tolls(market: Market, steps: Sequence[Steps], blocks: Sequence[Block], prices: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(G,) share solved and money spent at each step of a path, the origin first: `walk` for its bill only, all blocks at once.

    prices : (M,) multipliers.

    Notes
    -----
    What each block finds unsolved is a product over providers of (blocks, N) arrays; its attempts then are one gather and two
    running sums. Where allotments cut attempts, block by block. Time O(blocks x providers x N + attempts).
    """
    if not blocks or any(own.cuts for own in steps):
        share, bill = [np.zeros(1)], [np.zeros(1)]
        for number, found in stretches(market, steps, blocks):
            share.append(share[-1][-1] + found.solved)
            bill.append(bill[-1][-1] + prices[blocks[number][0]] * found.spent)
        return np.concatenate(share), np.concatenate(bill)
    mover = np.array([i for i, _ in blocks], dtype=np.int64)
    upto = np.array([b for _, b in blocks], dtype=np.float64)
    begin, end = np.zeros((2, mover.size), dtype=np.int64)
    first, stop = np.zeros((2, mover.size), dtype=np.int64)
    reaching = np.tile(market.weights, (mover.size, 1))
    for i in dict.fromkeys(mover.tolist()):
        own, mine = steps[i], np.flatnonzero(mover == i)
        stop[mine] = np.searchsorted(own.at, upto[mine] * (1 + SLACK), side="right")
        first[mine[1:]] = stop[mine[:-1]]
        attempts = np.append(0, own.last + 1)
        begin[mine], end[mine] = attempts[first[mine]], attempts[stop[mine]]
        standing = np.ones((mine.size + 1, market.weights.size))
        for k, block in enumerate(mine):
            made = slice(begin[block], end[block])
            lost = np.bincount(own.problem[made], weights=own.drop[made], minlength=own.problems)
            np.maximum(standing[k] - lost, 0.0, out=standing[k + 1])
        factor = standing[np.cumsum(mover == i)]
        factor[mine] = 1.0
        reaching *= factor
    count = end - begin
    runs = list(zip(mover, begin, end, strict=True))
    problem = np.concatenate([steps[i].problem[a:b] for i, a, b in runs])
    drop = np.concatenate([steps[i].drop[a:b] for i, a, b in runs])
    rise = np.concatenate([prices[i] * steps[i].rise[a:b] for i, a, b in runs])
    shift = np.cumsum(count) - count - begin
    last = np.concatenate([steps[i].last[f:s] + by for i, f, s, by in zip(mover, first, stop, shift, strict=True)])
    mass = reaching[np.repeat(np.arange(mover.size), count), problem]
    solved, cost = np.cumsum(mass * drop)[last], np.cumsum(mass * rise)[last]
    ends = np.array([steps[i].end for i in mover])
    for block in np.flatnonzero(upto > ends * (1 + SLACK)):
        i, after = int(mover[block]), float(np.max(upto[:block], initial=0.0, where=mover[:block] == mover[block]))
        vain = prices[i] * steps[i].spent_in_vain(reaching[block], float(upto[block]), after)
        if vain > 0:
            place = int((stop - first)[: block + 1].sum()) + (solved.size - last.size)
            cost[place:] += vain
            solved = np.insert(solved, place, np.append(0.0, solved)[place])
            cost = np.insert(cost, place, np.append(0.0, cost)[place] + vain)
    return np.append(0.0, solved), np.append(0.0, cost)


def cut(blocks: Sequence[Block], walked: Walk, position: int) -> tuple[Block, ...]:
    """The part of a path walked up to a position of its walk."""
    block = int(walked.block[position])
    return () if block < 0 else (*blocks[:block], (blocks[block][0], float(walked.allotted[position])))
