"""A policy is a path of allotments; this follows one exactly, step by step, and says where it reaches each level."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from eqsolver._base import FloatArray, IntArray
from eqsolver.market import Market
from eqsolver.technology._schedule import REACH
from eqsolver.technology._steps import Profile, Steps

Block = tuple[int, float]
"""(provider, allotment): buy from that provider until it has been allotted this much in total."""

Path = tuple[Block, ...]
"""Blocks in the order they are bought; a provider may return, its allotments rising."""


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


def cut(blocks: Sequence[Block], walked: Walk, position: int) -> tuple[Block, ...]:
    """The part of a path walked up to a position of its walk."""
    block = int(walked.block[position])
    return () if block < 0 else (*blocks[:block], (blocks[block][0], float(walked.allotted[position])))
