"""The margins matrix: what every policy earns in every scenario, from a few large matrix products."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eqsolver._base import FloatArray, UsageError
from eqsolver.market import Market
from eqsolver.robust._stretches import cost_at_levels
from eqsolver.robust._trials import LEVELS, Trials, all_ladders, trials
from eqsolver.robust._trie import Trie, filled, standings, trie
from eqsolver.technology import REACH, Cascade, Rules, Steps, all_steps

_ENTRIES = 2**24
"""Numbers held at once by one block of scenarios."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Margins:
    """What K policies earn in Xi scenarios.

    values : (Xi, K) R, margin averaged over the levels of the scenario that have a market price; not clipped.
    levels : (Xi, L) the levels of each scenario. price : (Xi, L) market price C_P there, money per problem; nan for levels
        that do not count, because they are not above 0 or no provider reaches them.
    solved, paid : (Xi, K) what the end of each policy's path solves, and its bill.
    """

    values: FloatArray
    levels: FloatArray
    price: FloatArray
    solved: FloatArray
    paid: FloatArray


def margins_matrix(
    market: Market,
    policies: Sequence[Cascade],
    shares: FloatArray,
    rules: Rules,
    *,
    steps: Sequence[Steps] | None = None,
    levels: FloatArray | None = None,
    selling: Sequence[int] | None = None,
    clipped: bool = False,
) -> Margins:
    """The margin of every policy in every scenario.

    Parameters
    ----------
    policies : K cascades; () buys nothing: abstaining. All thresholds but the last are kept; the last provider may be
        bought up to what the cap leaves.
    shares : (Xi, N) weights of the problems in each scenario, rows sum to one.
    rules : of `technology.rules`. steps : of `technology.all_steps`, if at hand.
    levels : (L,) the same in every scenario; default: `LEVELS` of each scenario's own.
    selling : positions of the providers that sell to everybody; the others are private to the arbitrageur. Default: all.
    clipped : count losses as zero, level by level, and levels not reached too, as [OSH] does. Such margins do not mix.

    Raises
    ------
    UsageError : a threshold is negative or thresholds exceed the cap, or no level given is within reach in some scenario.

    Notes
    -----
    THEORY section 8. A level not reached is sold as what the path's end delivers: (C_P(pass) - bill) / C_P(u).
    The paths of all policies share their prefixes; (Xi, N) @ (N, J) products along each stretch say in which of J
    intervals of steps a level is met, and only that interval is followed attempt by attempt. Time
    O(Xi stretches N J), memory bounded by blocks. A scenario in which no provider ever solves anything has margins 0.
    """
    listed = list(all_steps(market, rules) if steps is None else steps)
    ladders = all_ladders(market, rules, listed)
    size = max(1, _ENTRIES // (1 + sum(found.at.size for found in listed)))
    parts = []
    for begin in range(0, len(shares), size):
        rows = shares[begin : begin + size]
        tried = trials(market, rules, listed, ladders, rows, levels=levels, selling=selling)
        lost = np.flatnonzero(~np.isfinite(tried.price).any(axis=1))
        if levels is not None and lost.size:
            raise UsageError(f"levels: none is within the reach of a provider in scenario {begin + lost[0] + 1}")
        parts.append(margins_in(tried, policies, clipped=clipped))
    return stacked(parts)


def stacked(parts: Sequence[Margins]) -> Margins:
    """Margins of the same policies in several groups of scenarios, one below the other."""
    return Margins(**{key: np.concatenate([getattr(part, key) for part in parts]) for key in Margins.__slots__})


def margins_in(tried: Trials, policies: Sequence[Cascade], *, clipped: bool = False) -> Margins:
    """`margins_matrix` for scenarios that are ready."""
    _check(tried.market, tried.rules, policies)
    tree = trie([filled(tried.rules, tried.steps, policy) for policy in policies])
    standing, paid = standings(tried.market, tried.rules, tree)
    solved, spent = np.maximum(1.0 - tried.shares @ standing.T, 0.0), tried.shares @ paid.T
    solved[:, 0] = 0.0
    Xi, K = len(tried.shares), len(policies)
    values = np.empty((Xi, K))
    size = max(1, _ENTRIES // (LEVELS * (K + tree.pair_parent.size)))
    for begin in range(0, Xi, size):
        rows = slice(begin, begin + size)
        bill = _bills(tried, tree, standing, solved, spent, rows)
        values[rows] = _averaged(tried, tree, solved[rows], bill, rows, clipped=clipped)
    ends = solved[:, tree.last], spent[:, tree.last]
    if not clipped:
        counts = np.isfinite(tried.price)
        short = counts[:, None, :] & ~(tried.levels[:, None, :] - REACH <= ends[0][:, :, None])
        unsold = np.where(short, 1.0 / np.where(counts, tried.price, 1.0)[:, None, :], 0.0).sum(axis=2)
        asked = np.minimum(tried.asked(ends[0]), np.finfo(float).max)  # finite wherever a level is not reached
        values += np.where(unsold > 0, unsold * (asked - ends[1]), 0.0) / np.maximum(counts.sum(axis=1), 1)[:, None]
    values[:, tree.last == 0] = 0.0
    return Margins(values=values, levels=tried.levels, price=tried.price, solved=ends[0], paid=ends[1])


def _averaged(tried: Trials, tree: Trie, solved: FloatArray, bill: FloatArray, rows: slice, *, clipped: bool) -> FloatArray:
    """(Xi, K) mean over the levels that count, of the margins at those that a policy reaches."""
    price, levels = tried.price[rows], tried.levels[rows]
    total = np.zeros((len(solved), tree.last.size))
    for level in range(price.shape[1]):
        cost = np.full(total.shape, np.nan)
        wanted = levels[:, level, None] - REACH
        for node in tree.path.T:
            z = np.maximum(node, 0)
            inside = (node > 0) & (solved[:, tree.parent[z]] < wanted) & (wanted <= solved[:, z])
            np.copyto(cost, bill[tree.stretch[z], :, level].T, where=inside)
        margin = 1.0 - cost / price[:, level, None]
        total += np.where(np.isfinite(margin), np.maximum(margin, 0.0) if clipped else margin, 0.0)
    mean: FloatArray = total / np.maximum(np.isfinite(price).sum(axis=1), 1)[:, None]
    return mean


def _bills(tried: Trials, tree: Trie, standing: FloatArray, solved: FloatArray, spent: FloatArray, rows: slice) -> FloatArray:
    """(V + 1, Xi, L) bill of each stretch's path where it meets each level; the last row is never asked for."""
    shares, levels, counts = tried.shares[rows], tried.levels[rows], np.isfinite(tried.price[rows])
    solved, spent = solved[rows], spent[rows]
    bill = np.full((tree.pair_parent.size + 1, len(shares), levels.shape[1]), np.nan)
    most = np.full((tree.pair_parent.size, len(shares)), -np.inf)
    np.maximum.at(most, tree.stretch[1:], solved.T[1:])
    for i, made in tried.ladders.items():
        mine = np.flatnonzero(tree.pair_provider == i)
        size = max(1, _ENTRIES // (4 * shares.size))
        for begin in range(0, mine.size, size):
            pairs = mine[begin : begin + size]
            before = tree.pair_parent[pairs]
            short = levels - solved.T[before][:, :, None]  # (P, Xi, L)
            met = (short > REACH) & (levels - REACH <= most[pairs][:, :, None]) & counts
            pair, scenario = np.nonzero(met.any(axis=2))
            if not pair.size:
                continue
            reaching = shares[scenario] * standing[before[pair]]
            lacking = np.where(met, short, np.nan)[pair, scenario]
            cost = cost_at_levels(tried.market.providers[i], tried.steps[i], made, reaching, lacking)
            bill[pairs[pair], scenario] = spent[scenario, before[pair]][:, None] + cost
    return bill


def _check(market: Market, rules: Rules, policies: Sequence[Cascade]) -> None:
    for policy in policies:
        told = "policy " + ", ".join(f"{market.names[i]}={t:g}" for i, t in policy.path)
        if len(set(policy.order)) != len(policy.order):
            raise UsageError(f"{told}: a provider is named twice")
        if any(not 0 <= t < np.inf for t in policy.thresholds):
            raise UsageError(f"{told}: thresholds must be >= 0 and finite")
        first = policy.thresholds[:-1]
        if sum(first) > rules.total_cap * (1 + 1e-9) or max(first, default=0.0) > rules.provider_cap * (1 + 1e-9):
            raise UsageError(f"{told}: more than the cap allows")
