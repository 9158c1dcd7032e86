"""A bound for every policy without features: an oracle that knows each problem's odds and costs, but not its luck."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eqsolver._base import FloatArray, IntArray
from eqsolver.market import Estimated, Market, Provider
from eqsolver.technology._curves import SLACK, attempts_within, expected_tries, last_useful_attempt, survival
from eqsolver.technology._hull import along_hull, lower_hull
from eqsolver.technology._rules import Rules

MAX_COMBINATIONS = 2_000_000
"""Attempt vectors enumerated per problem and set of providers; beyond, providers' caps are taken one by one (a looser,
still valid bound)."""


MAX_ORDERED = 4
"""Providers that share a cap and are always enumerated; of more, those whose vectors times orders are no more than that."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Oracle:
    """Least cost at which mean pass u could be reached knowing each problem's odds and costs.

    solved, cost : (V,) vertices of the convex frontier over all problems, the origin first.
    relaxed : problems whose joint cap was relaxed to one cap per provider, because enumerating them was too large.
    """

    solved: FloatArray
    cost: FloatArray
    relaxed: int

    def at(self, levels: FloatArray) -> FloatArray:
        """(L,) money per problem; infinite where even the oracle cannot reach the level."""
        return along_hull(levels, self.solved, self.cost)


def oracle(market: Market, rules: Rules, access: Sequence[int], prices: FloatArray) -> Oracle:
    """The fractional knapsack of THEORY section 4 over every problem's own cost-pass hull.

    Parameters
    ----------
    access : positions of the providers it may buy from. prices : (M,) multipliers m.

    Notes
    -----
    On one problem the chance per money of a block of k attempts, (1 - S_i(k)) / (m_i F_i(k)), never falls in k: constant for
    classes, rising for logs (draws without replacement). Hence the cheapest interleaving that makes (k_1, ..., k_M) attempts
    buys whole blocks in falling order of that ratio (Sidney's decomposition of chains), and a vertex of the hull has every
    k_i either 0 or as large as the cap allows given the others. Where the caps do not bind jointly these are nested
    blocks; elsewhere the vectors at the cap are enumerated. The bound holds under either accounting: an oracle has no leftover.

    Estimated odds are the other way round: the more attempts have failed, the less the next one promises. The oracle knows
    what is believed of each class (not p itself, which no policy can learn but from failures); single attempts in falling order
    of chance per money are then optimal where the cap does not bind jointly, and a bound where it does.
    """
    if any(isinstance(market.providers[i].odds, Estimated) for i in access):
        return _one_by_one(market, rules, access, prices)
    q, providers = market.weights, [market.providers[i] for i in access]
    m = prices[list(access)]
    use = np.stack([p.spend if rules.allocation == "budget" else np.ones_like(p.spend) for p in providers], axis=1)
    most = np.stack([_most(p, rules, use[:, i]) for i, p in enumerate(providers)], axis=1)
    S = np.stack([survival(p.odds, most[:, i : i + 1])[:, 0] for i, p in enumerate(providers)], axis=1)
    F = np.stack(
        [price * _spend(p, most[:, i], S[:, i]) for i, (p, price) in enumerate(zip(providers, m, strict=True))], axis=1
    )
    ratio = np.divide(1 - S, F, out=np.zeros_like(S), where=F > 0)
    order = np.argsort(-ratio, axis=1, kind="stable")
    best = order[:, 0]
    rows = np.arange(q.size)
    single = S[rows, best] == 0
    free = (most * use).sum(axis=1) <= rules.total_cap * (1 + SLACK)
    gains, costs = _nested(S, F, order)
    relaxed = 0
    pieces = [(q[single, None] * gains[single, :1], q[single, None] * costs[single, :1])]
    nested = free & ~single
    pieces.append((q[nested, None] * gains[nested], q[nested, None] * costs[nested]))
    for x in np.flatnonzero(~(single | free)):
        hull = _enumerate([p.take(np.array([x])) for p in providers], most[x], use[x], m, rules.total_cap)
        if hull is None:
            relaxed += 1
            hull = gains[x], costs[x]
        pieces.append((q[x] * hull[0], q[x] * hull[1]))
    gain = np.concatenate([piece[0].ravel() for piece in pieces])
    cost = np.concatenate([piece[1].ravel() for piece in pieces])
    return _frontier(gain, cost, relaxed)


def _one_by_one(market: Market, rules: Rules, access: Sequence[int], prices: FloatArray) -> Oracle:
    """The frontier where some odds are estimated: single attempts of those, whole blocks of the others, best ratio first."""
    N = market.weights.size
    listed = []  # per provider: problem, share of what is unsolved that a block leaves, its money per unsolved problem
    used = np.zeros(N)
    for i in access:
        provider = market.providers[i]
        use = provider.spend if rules.allocation == "budget" else np.ones(N)
        most = _most(provider, rules, use)
        used += np.where(np.isfinite(most), most, 0.0) * use
        if isinstance(provider.odds, Estimated):
            count = most.astype(np.int64)
            problem = np.repeat(np.arange(N), count)
            failed = np.arange(problem.size) - np.repeat(np.cumsum(count) - count, count)
            a, b = provider.odds.alpha[problem], provider.odds.beta[problem]
            listed.append((problem, (b + failed) / (a + b + failed), prices[i] * provider.spend[problem]))
        else:
            left = survival(provider.odds, most[:, None])[:, 0]
            some = np.flatnonzero(most > 0)
            listed.append((some, left[some], prices[i] * _spend(provider, most, left)[some]))
    problem, left, money = (np.concatenate(parts) for parts in zip(*listed, strict=True))
    order = np.lexsort((-(1.0 - left) / money, problem))
    problem, left, money = problem[order], left[order], money[order]
    ends = np.searchsorted(problem, np.arange(N + 1))
    standing = np.ones(problem.size)
    for begin, end in itertools.pairwise(ends):
        standing[begin + 1 : end] = np.cumprod(left[begin : max(end - 1, begin)])
    mass = market.weights[problem] * standing
    gain, cost = mass * (1.0 - left), mass * money
    return _frontier(gain, cost, int((used > rules.total_cap * (1 + SLACK)).sum()))


def _frontier(gain: FloatArray, cost: FloatArray, relaxed: int) -> Oracle:
    """Blocks of every problem, each bought whole or in part, the cheapest per pass first."""
    kept = gain > 0
    gain, cost = gain[kept], cost[kept]
    cheapest_first = np.argsort(cost / gain, kind="stable")
    return Oracle(
        solved=np.append(0.0, np.cumsum(gain[cheapest_first])),
        cost=np.append(0.0, np.cumsum(cost[cheapest_first])),
        relaxed=relaxed,
    )


def _most(provider: Provider, rules: Rules, use: FloatArray) -> FloatArray:
    useful = last_useful_attempt(provider.odds)
    if np.isinf(rules.provider_cap):
        return useful
    return np.minimum(useful, attempts_within(np.array([rules.provider_cap]), use)[:, 0])


def _spend(provider: Provider, attempts: FloatArray, survived: FloatArray) -> FloatArray:
    return provider.spend * expected_tries(provider.odds, attempts[:, None], survived[:, None])[:, 0]


def _nested(S: FloatArray, F: FloatArray, order: IntArray) -> tuple[FloatArray, FloatArray]:
    """Blocks bought whole, best ratio first: (N, M) pass gained and money spent by each."""
    S, F = np.take_along_axis(S, order, axis=1), np.take_along_axis(F, order, axis=1)
    before = np.cumprod(np.concatenate([np.ones((len(S), 1)), S[:, :-1]], axis=1), axis=1)
    return before * (1 - S), before * F


def _enumerate(
    providers: Sequence[Provider], most: FloatArray, use: FloatArray, prices: FloatArray, cap: float
) -> tuple[FloatArray, FloatArray] | None:
    """Hull segments (pass gained, money spent) of one problem whose providers share the cap; None if too many vectors."""
    S, F = [], []
    for i, provider in enumerate(providers):
        k = np.arange(most[i] + 1.0)[None, :]
        survived = survival(provider.odds, k)
        S.append(survived[0])
        F.append(prices[i] * provider.spend[0] * expected_tries(provider.odds, k, survived)[0])
    active = [i for i in range(len(providers)) if most[i] > 0]
    if len(active) > MAX_ORDERED and _orderings(most[active]) > MAX_COMBINATIONS:
        return None
    solved, cost = [], []
    for size in range(1, len(active) + 1):
        for chosen in itertools.combinations(active, size):
            *given, last = sorted(chosen, key=lambda i: most[i])
            if np.prod([most[i] for i in given]) > MAX_COMBINATIONS:
                return None
            mesh = np.meshgrid(*(np.arange(1, most[i] + 1) for i in given), indexing="ij")
            left = cap * (1 + SLACK) - sum((k * use[i] for k, i in zip(mesh, given, strict=True)), np.zeros(()))
            count = np.minimum(np.floor(np.atleast_1d(left) / use[last] * (1 + SLACK)), most[last])
            fits = count >= 1
            counts = {i: k[fits].astype(np.int64) for k, i in zip(mesh, given, strict=True)}
            counts[last] = count[fits].astype(np.int64)
            left_over = {i: S[i][k] for i, k in counts.items()}
            spent = {i: F[i][k] for i, k in counts.items()}
            bills = []
            for order in itertools.permutations(chosen):
                standing, bill = np.ones(fits.sum()), np.zeros(fits.sum())
                for i in order:
                    bill, standing = bill + standing * spent[i], standing * left_over[i]
                bills.append(bill)
            solved.append(1 - standing)
            cost.append(np.min(bills, axis=0))
    every, bill = np.concatenate(solved), np.concatenate(cost)
    vertices = _few_vertices(every, bill)
    return np.diff(every[vertices], prepend=0.0), np.diff(bill[vertices], prepend=0.0)


def _orderings(most: FloatArray) -> float:
    """About how many attempt vectors in how many orders there are for one problem."""
    A = most.size
    if A > 2 * MAX_ORDERED:
        return math.inf
    return sum(
        math.factorial(size) * math.comb(A, size) * float(np.prod(np.sort(most)[A - size : -1])) for size in range(1, A + 1)
    )


def _few_vertices(solved: FloatArray, cost: FloatArray) -> IntArray:
    """`lower_hull` after the points that a cheaper one dominates are gone."""
    order = np.lexsort((cost, -solved))
    front = order[cost[order] <= np.minimum.accumulate(cost[order])]
    return front[lower_hull(solved[front], cost[front])]
