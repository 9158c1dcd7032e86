"""A bound for every policy without features: an oracle that knows each problem's odds and costs, but not its luck."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eqsolver._base import FloatArray, IntArray
from eqsolver.market import Estimated, Market, Provider
from eqsolver.technology._curves import SLACK, Timing, expected_spend, last_useful_attempt, survival, timing
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
    classes, rising for logs (draws without replacement), whatever failed and successful attempts cost. Hence the cheapest
    interleaving that makes (k_1, ..., k_M) attempts buys whole blocks in falling order of that ratio (Sidney's decomposition of
    chains), and a vertex of the hull has every k_i either 0 or as large as the cap allows given the others. Where the caps do
    not bind jointly these are nested blocks; elsewhere the vectors at the cap are enumerated.

    Under `cut` the oracle pays F = integral of S up to its last attempt's end: w_s for the first attempt, w_f for each further
    one. Where w_s < w_f the first attempt may be a block of its own, and the others the next one.

    Estimated odds are the other way round: the more attempts have failed, the less the next one promises. The oracle knows
    what is believed of each class (not p itself, which no policy can learn but from failures); single attempts in falling order
    of chance per money are then optimal where the cap does not bind jointly, and a bound where it does. They are a bound, too,
    under `cut` where w_s > w_f: the second attempt on a problem may then be worth more for its money than the first.
    """
    q, providers = market.weights, [market.providers[i] for i in access]
    when = [timing(p, rules) for p in providers]
    if any(isinstance(p.odds, Estimated) for p in providers):
        return _one_by_one(market, rules, access, prices, when)
    m = prices[list(access)]
    most = np.stack([_most(p, rules, w) for p, w in zip(providers, when, strict=True)], axis=1)
    used = sum((np.where(most[:, i] > 0, _use(w, most[:, i]), 0.0) for i, w in enumerate(when)), np.zeros(q.size))
    free = used <= rules.largest_total
    left, money = _blocks(rules, providers, m, most)
    order = np.argsort(-_ratio(1 - left, money), axis=1, kind="stable")
    gains, costs = _nested(left, money, order)
    single = np.take_along_axis(left, order[:, :1], axis=1)[:, 0] == 0
    relaxed = 0
    pieces = [(q[single, None] * gains[single, :1], q[single, None] * costs[single, :1])]
    nested = free & ~single
    pieces.append((q[nested, None] * gains[nested], q[nested, None] * costs[nested]))
    for x in np.flatnonzero(~(single | free)):
        one = np.array([x])
        hull = _enumerate(rules, [p.take(one) for p in providers], [w.take(one) for w in when], most[x], m)
        if hull is None:
            relaxed += 1
            hull = gains[x], costs[x]
        pieces.append((q[x] * hull[0], q[x] * hull[1]))
    gain = np.concatenate([piece[0].ravel() for piece in pieces])
    cost = np.concatenate([piece[1].ravel() for piece in pieces])
    return _frontier(gain, cost, relaxed)


def _one_by_one(market: Market, rules: Rules, access: Sequence[int], prices: FloatArray, when: Sequence[Timing]) -> Oracle:
    """The frontier where some odds are estimated: single attempts of those, whole blocks of the others, best ratio first."""
    N = market.weights.size
    listed = []  # per provider: problem, share of what is unsolved that a block leaves, its money per unsolved problem
    used = np.zeros(N)
    for i, own in zip(access, when, strict=True):
        provider = market.providers[i]
        most = _most(provider, rules, own)
        some = np.flatnonzero((most > 0) & np.isfinite(most))
        used[some] += _use(own, most)[some]
        if isinstance(provider.odds, Estimated):
            count = most.astype(np.int64)
            problem = np.repeat(np.arange(N), count)
            failed = np.arange(problem.size) - np.repeat(np.cumsum(count) - count, count)
            a, b = provider.odds.alpha[problem], provider.odds.beta[problem]
            left = (b + failed) / (a + b + failed)
            money = (1 - left) * provider.spend[problem] + left * provider.spend_if_failed[problem]
            if rules.cuts:
                money = np.where(failed == 0, provider.spend[problem], provider.spend_if_failed[problem])
            listed.append((problem, left, prices[i] * money))
        else:
            left, money = _blocks(rules, [provider], prices[i : i + 1], most[:, None])
            problem, block = np.nonzero(left < 1)
            listed.append((problem, left[problem, block], money[problem, block]))
    problem, left, money = (np.concatenate(parts) for parts in zip(*listed, strict=True))
    order = np.lexsort((-_ratio(1.0 - left, money), problem))
    problem, left, money = problem[order], left[order], money[order]
    ends = np.searchsorted(problem, np.arange(N + 1))
    standing = np.ones(problem.size)
    for begin, end in itertools.pairwise(ends):
        standing[begin + 1 : end] = np.cumprod(left[begin : max(end - 1, begin)])
    mass = market.weights[problem] * standing
    gain, cost = mass * (1.0 - left), mass * money
    return _frontier(gain, cost, int((used > rules.largest_total).sum()))


def _ratio(solved: FloatArray, money: FloatArray) -> FloatArray:
    """Chance per money of blocks: infinite where they are free, 0 where they solve nothing."""
    worth = np.where(solved > 0, np.inf, 0.0)
    return np.divide(solved, money, out=worth, where=(money > 0) & (solved > 0))


def _use(when: Timing, attempts: FloatArray) -> FloatArray:
    """(N,) what k > 0 attempts take of the cap: the position of the last."""
    return np.where(when.stride > 0, when.stride * (attempts - 1) + when.offset, 0.0)


def _blocks(
    rules: Rules, providers: Sequence[Provider], prices: FloatArray, attempts: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Survival and money of the blocks that so many attempts (N, A) of each provider divide into; see `_divided`."""
    counts = [attempts[:, i : i + 1] for i in range(len(providers))]
    whole = [_curve(rules, p, price, k) for p, price, k in zip(providers, prices, counts, strict=True)]
    left, money = (np.concatenate(parts, axis=1) for parts in zip(*whole, strict=True))
    if not _first_apart(rules, providers):
        return left, money
    firsts = [_curve(rules, p, price, np.minimum(k, 1)) for p, price, k in zip(providers, prices, counts, strict=True)]
    return _divided(left, money, *(np.concatenate(parts, axis=1) for parts in zip(*firsts, strict=True)))


def _first_apart(rules: Rules, providers: Sequence[Provider]) -> bool:
    """First attempts may be blocks of their own: under `cut`, where some cost less than the next."""
    return rules.cuts and any(bool((p.spend < p.spend_if_failed).any()) for p in providers)


def _divided(left: FloatArray, money: FloatArray, first: FloatArray, paid: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Survival and money of 2 A blocks, given that each is reached: first attempts where they promise more than the rest, or
    all attempts; then the rest, which is nothing where all stand together.

    left, money : (N, A) of all attempts. first, paid : of the first attempt.
    """
    rest = np.divide(left, first, out=np.ones_like(left), where=first > 0)
    owed = np.divide(money - paid, first, out=np.zeros_like(money), where=first > 0)
    apart = _ratio(1 - first, paid) > _ratio(1 - rest, owed)
    return (
        np.concatenate([np.where(apart, first, left), np.where(apart, rest, 1.0)], axis=1),
        np.concatenate([np.where(apart, paid, money), np.where(apart, owed, 0.0)], axis=1),
    )


def _curve(rules: Rules, provider: Provider, price: float, attempts: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(N, K) survival and money of k attempts, k = 0 being free: under `cut` up to the end of the last."""
    S = survival(provider.odds, attempts)
    F = expected_spend(provider, attempts, S)
    if rules.cuts:
        F += np.where(attempts > 0, S * (provider.spend - provider.spend_if_failed)[:, None], 0.0)
    return S, price * F


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


def _most(provider: Provider, rules: Rules, when: Timing) -> FloatArray:
    useful = np.minimum(last_useful_attempt(provider.odds), when.most)
    if np.isinf(rules.provider_cap):
        return useful
    return np.minimum(useful, when.attempts(np.array([rules.largest_position]))[:, 0])


def _nested(left: FloatArray, money: FloatArray, order: IntArray) -> tuple[FloatArray, FloatArray]:
    """Blocks bought whole, best ratio first: (N, B) pass gained and money spent by each."""
    left, money = np.take_along_axis(left, order, axis=1), np.take_along_axis(money, order, axis=1)
    before = np.cumprod(np.concatenate([np.ones((len(left), 1)), left[:, :-1]], axis=1), axis=1)
    return before * (1 - left), before * money


def _enumerate(
    rules: Rules, providers: Sequence[Provider], when: Sequence[Timing], most: FloatArray, prices: FloatArray
) -> tuple[FloatArray, FloatArray] | None:
    """Hull segments (pass gained, money spent) of one problem whose providers share the cap; None if too many vectors."""
    active = [i for i in range(len(providers)) if most[i] > 0]
    if len(active) > MAX_ORDERED and _orderings(most[active]) > MAX_COMBINATIONS:
        return None
    tables = [_curve(rules, p, price, np.arange(k + 1.0)[None]) for p, price, k in zip(providers, prices, most, strict=True)]
    apart = _first_apart(rules, providers)
    solved, cost = [], []
    for size in range(1, len(active) + 1):
        for chosen in itertools.combinations(active, size):
            *given, last = sorted(chosen, key=lambda i: most[i])
            if np.prod([most[i] for i in given]) > MAX_COMBINATIONS:
                return None
            mesh = np.meshgrid(*(np.arange(1.0, most[i] + 1) for i in given), indexing="ij")
            taken = sum((_use(when[i], k.ravel()) for i, k in zip(given, mesh, strict=True)), np.zeros(1))
            count = np.minimum(_fitting(when[last], rules.largest_total - taken), most[last])
            counts = np.stack([*(k.ravel() for k in mesh), count], axis=1)[count >= 1].astype(np.int64)
            if apart:
                counts = np.concatenate([counts, np.column_stack([counts[:, :-1], np.ones(len(counts), dtype=np.int64)])])
            left, money = (
                np.stack([tables[i][c][0, k] for i, k in zip((*given, last), counts.T, strict=True)], 1) for c in (0, 1)
            )
            if apart:
                first, paid = (np.array([[tables[i][c][0, 1] for i in (*given, last)]]) for c in (0, 1))
                left, money = _divided(left, money, first, paid)
            gains, costs = _nested(left, money, np.argsort(-_ratio(1 - left, money), axis=1, kind="stable"))
            solved.append(gains.sum(axis=1))
            cost.append(costs.sum(axis=1))
    every, bill = np.concatenate(solved), np.concatenate(cost)
    vertices = _few_vertices(every, bill)
    return np.diff(every[vertices], prepend=0.0), np.diff(bill[vertices], prepend=0.0)


def _fitting(when: Timing, room: FloatArray) -> FloatArray:
    """(V,) the most attempts on one problem whose last is made within some room; 0 where not even the first is."""
    if not when.stride[0]:
        return np.where(room >= 0, when.most[0], 0.0)
    return np.where(room >= 0, np.floor((room * (1 + SLACK) - when.offset[0]) / when.stride[0] * (1 + SLACK)) + 1, 0.0)


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
