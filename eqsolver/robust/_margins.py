"""The margins matrix: what every policy earns in every scenario, from a few large matrix products."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eqsolver._base import FloatArray, UsageError
from eqsolver.market import Market
from eqsolver.robust._stretches import Ladder, cost_at_levels, ladder
from eqsolver.robust._trie import Trie, filled, standings, trie
from eqsolver.technology import REACH, Cascade, Rules, Steps, all_steps

LEVELS = 20
POINTS_BELOW = 0.05
"""Levels of a scenario: this many, from so far below the best provider's reach in it to that reach (THEORY section 8)."""

_ENTRIES = 2**24


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
    _check(market, rules, policies)
    tree = trie([filled(rules, listed, policy) for policy in policies])
    standing, paid = standings(market, rules, tree)
    ladders = {i: ladder(market.providers[i], listed[i], rules) for i in range(len(listed)) if listed[i].at.size}
    sellers = [i for i in ladders if selling is None or i in selling]
    Xi, K = len(shares), len(policies)
    count = LEVELS if levels is None else np.size(levels)
    found = Margins(
        values=np.empty((Xi, K)),
        levels=np.empty((Xi, count)),
        price=np.empty((Xi, count)),
        solved=np.empty((Xi, K)),
        paid=np.empty((Xi, K)),
    )
    block = max(1, _ENTRIES // (count * (K + tree.pair_parent.size)))
    for begin in range(0, Xi, block):
        rows = slice(begin, begin + block)
        part = _Block(market, listed, ladders, tree, shares[rows])
        part.follow(standing, paid)
        part.price(sellers, levels)
        found.levels[rows], found.price[rows] = part.levels, part.market_price
        found.values[rows] = part.margins(clipped=clipped)
        found.solved[rows], found.paid[rows] = part.solved[:, tree.last], part.paid[:, tree.last]
    if levels is not None and not np.isfinite(found.price).any(axis=1).all():
        row = int(np.flatnonzero(~np.isfinite(found.price).any(axis=1))[0])
        raise UsageError(f"levels: none is within the reach of a provider in scenario {row + 1}")
    return found


class _Block:
    """Some scenarios, and everything that margins in them need."""

    def __init__(
        self, market: Market, steps: Sequence[Steps], ladders: dict[int, Ladder], tree: Trie, shares: FloatArray
    ) -> None:
        self._market, self._steps, self._ladders, self._tree, self._shares = market, steps, ladders, tree, shares

    def follow(self, standing: FloatArray, paid: FloatArray) -> None:
        """(Xi, Z) solved and paid at the end of each prefix."""
        self._standing = standing
        self.solved = np.maximum(1.0 - self._shares @ standing.T, 0.0)
        self.solved[:, 0] = 0.0
        self.paid = self._shares @ paid.T

    def price(self, sellers: Sequence[int], levels: FloatArray | None) -> None:
        """The levels of each scenario and the market price there."""
        Xi = len(self._shares)
        self._offers: list[list[tuple[FloatArray, FloatArray]]] = [[] for _ in range(Xi)]
        for xi, q in enumerate(self._shares):
            for i in sellers:
                profile = self._steps[i].profile(q)
                self._offers[xi].append((profile.solved, self._market.providers[i].price * profile.spent))
        reach = np.array([max((float(solved[-1]) for solved, _ in offers), default=0.0) for offers in self._offers])
        if levels is None:
            self.levels = reach[:, None] + np.linspace(-POINTS_BELOW, 0.0, LEVELS)
        else:
            self.levels = np.tile(np.asarray(levels, dtype=np.float64), (Xi, 1))
        counts = (self.levels > 0) & (self.levels <= reach[:, None] + REACH)
        self.market_price = np.where(counts, self._asked(np.where(counts, self.levels, 0.0)), np.nan)

    def _asked(self, solved: FloatArray) -> FloatArray:
        """(Xi, T) market price of solving so much, (Xi, T); 0 for nothing, infinite beyond every provider's reach."""
        found = np.full(solved.shape, np.inf)
        for xi, offers in enumerate(self._offers):
            for reached, cost in offers:
                at = np.searchsorted(reached, solved[xi] - REACH)
                within = at < reached.size
                found[xi, within] = np.minimum(found[xi, within], cost[at[within]])
        return np.where(solved <= REACH, 0.0, found)

    def margins(self, *, clipped: bool) -> FloatArray:
        """(Xi, K)."""
        tree, counts = self._tree, np.isfinite(self.market_price)
        price = np.where(counts, self.market_price, 1.0)
        bill = self._bills()
        K = tree.last.size
        total = np.zeros((len(self._shares), K))
        unreached = np.zeros((len(self._shares), K))
        for level in range(price.shape[1]):
            cost = np.full((len(self._shares), K), np.inf)
            for depth in range(tree.path.shape[1]):
                node = tree.path[:, depth]
                on = node >= 0
                z = np.where(on, node, 0)
                here = bill[tree.stretch[z], :, level].T
                wanted = self.levels[:, level, None] - REACH
                inside = on & (self.solved[:, tree.parent[z]] < wanted) & (wanted <= self.solved[:, z])
                np.copyto(cost, here, where=inside)
            margin = 1.0 - cost / price[:, level, None]
            met = np.isfinite(cost) & counts[:, level, None]
            margin = np.where(met, np.maximum(margin, 0.0) if clipped else margin, 0.0)
            total += margin
            unreached += np.where(counts[:, level, None] & ~met, 1.0 / price[:, level, None], 0.0)
        if not clipped:
            end_solved, end_paid = self.solved[:, tree.last], self.paid[:, tree.last]
            sold = np.minimum(self._asked(end_solved), np.finfo(float).max)  # finite wherever a level is not reached
            total += np.where(unreached > 0, unreached * (sold - end_paid), 0.0)
        total[:, tree.last == 0] = 0.0
        mean: FloatArray = total / np.maximum(counts.sum(axis=1), 1)[:, None]
        return mean

    def _bills(self) -> FloatArray:
        """(V + 1, Xi, L) bill of each stretch's path where it meets each level; the last row is never asked for."""
        tree, Xi = self._tree, len(self._shares)
        L = self.levels.shape[1]
        bill = np.full((tree.pair_parent.size + 1, Xi, L), np.nan)
        most = np.full((tree.pair_parent.size, Xi), -np.inf)
        np.maximum.at(most, tree.stretch[1:], self.solved.T[1:])
        for i, made in self._ladders.items():
            mine = np.flatnonzero(tree.pair_provider == i)
            size = max(1, _ENTRIES // (4 * Xi * self._shares.shape[1]))
            for begin in range(0, mine.size, size):
                pairs = mine[begin : begin + size]
                before = tree.pair_parent[pairs]
                short = self.levels - self.solved.T[before][:, :, None]  # (P, Xi, L)
                met = (short > REACH) & (self.levels - REACH <= most[pairs][:, :, None]) & np.isfinite(self.market_price)
                asked = met.any(axis=2)
                if not asked.any():
                    continue
                pair, scenario = np.nonzero(asked)
                reaching = self._shares[scenario] * self._standing[before[pair]]
                lacking = np.where(met, short, np.nan)[pair, scenario]
                cost = cost_at_levels(self._market.providers[i], self._steps[i], made, reaching, lacking)
                bill[pairs[pair], scenario] = self.paid[scenario, before[pair]][:, None] + cost
        return bill


def _check(market: Market, rules: Rules, policies: Sequence[Cascade]) -> None:
    for policy in policies:
        told = "policy " + ", ".join(f"{market.names[i]}={t:g}" for i, t in policy.path)
        if len(set(policy.order)) != len(policy.order):
            raise UsageError(f"{told}: a provider is named twice")
        if any(not 0 <= t < np.inf for t in policy.thresholds):
            raise UsageError(f"{told}: thresholds must be >= 0 and finite")
        if sum(policy.thresholds[:-1]) > rules.total_cap * (1 + 1e-9) or max(policy.thresholds[:-1], default=0.0) > (
            rules.provider_cap * (1 + 1e-9)
        ):
            raise UsageError(f"{told}: more than the cap allows")
