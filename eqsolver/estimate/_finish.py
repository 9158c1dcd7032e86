"""The last weights: moved a little, by linear programs, so that the goal that is missed by most is missed by less."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linprog

from eqsolver._base import FloatArray
from eqsolver.estimate._aims import Watched, slope_of
from eqsolver.estimate._classes import Classes, every_step
from eqsolver.estimate._margins import Best
from eqsolver.estimate._misfit import Evidence
from eqsolver.estimate._policies import curve, policies
from eqsolver.technology import Block

NEAR = 0.003
"""A policy says something of the cost of a level if what it solves is no further off than this."""
CLOSE = 0.75
"""Pass is a constraint from the start where it is off by more than this share of its goal."""
PRESSING = 0.85
"""Where a policy is too dear by more than this share of the goal, it is to go on reaching its level."""
ROUNDS = 6
"""How often pass becomes one elsewhere, at most."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Moved:
    """weights : (K,). foreseen : the largest error then, in units of its goal, were all linear and every policy known."""

    weights: FloatArray
    foreseen: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Finish:
    """What is linear in the weights of K given classes: pass, and what fixed policies solve and cost.

    pass_error, margin_error : the goals, shares; that of the mean margin is judged, but is no part of the programs. passes :
    (B, K) pass of every class at every step of a provider, one provider after the other. solved : (B,) of the logs. at_cap :
    (M, K), which is to stay as it is. premium : by provider, see `curve`. seen, known : per watched market, what policies solve
    and cost by class, and which were ever cheapest at which level; these two grow with what is learned.
    """

    classes: Classes
    watch: Sequence[Watched]
    pass_error: float
    margin_error: float
    passes: FloatArray
    solved: FloatArray
    at_cap: FloatArray
    premium: Sequence[float]
    seen: list[dict[tuple[Block, ...], tuple[FloatArray, FloatArray]]] = field(repr=False)
    known: list[set[tuple[int, tuple[Block, ...]]]] = field(repr=False)

    @staticmethod
    def of(classes: Classes, evidence: Evidence, watch: Sequence[Watched], *, pass_error: float, margin_error: float) -> Finish:
        """Evaluate pass wherever the classes' or the logs' rises."""
        passes, solved, at_cap = [], [], []
        for i, (o, w) in enumerate(zip(evidence.odds, evidence.spend, strict=True)):
            b = every_step(o, w, evidence.weights, classes, i, evidence.cap)
            passes.append((1 - curve(classes.odds[i], classes.spend[i], b)[0]).T)
            solved.append(evidence.weights @ (1 - curve(o, w, b)[0]))
            at_cap.append(passes[-1][-1])
        return Finish(
            classes=classes,
            watch=watch,
            pass_error=pass_error,
            margin_error=margin_error,
            passes=np.vstack(passes),
            solved=np.concatenate(solved),
            at_cap=np.stack(at_cap),
            premium=evidence.mean_premium,
            seen=[{} for _ in watch],
            known=[set(_listed(market.best)) for market in watch],
        )

    def learn(self, found: Sequence[Best]) -> None:
        """Classes were found to buy by these policies: none of them is to be too cheap."""
        for known, best in zip(self.known, found, strict=True):
            known.update(_listed(best))

    def moved(self, q: FloatArray, found: Sequence[Best], now: float, reach: float) -> Moved | None:
        """The weights that promise most of all whose changes from q add up to `reach` at most; None if the program fails.

        found : what is cheapest at weights q. now : the largest error there, in units of its goal.

        Notes
        -----
        By the envelope theorem the cost of a level moves with what its policy costs net of what solving more would cost. An
        error t in units of its goal: pass is within t at every step; a margin is no more than t below the logs' by the policy
        at hand, and no more than t above by any policy that was ever cheapest. A linear program in changes up and down, and t.
        """
        rows, limit = self._margins(q, found)
        near = limit - rows[:, -1] * now * CLOSE < reach * np.abs(rows[:, :-1]).max(axis=1)  # others cannot bind
        rows, limit = rows[near], limit[near]
        off = self.passes @ q - self.solved
        held = np.abs(off) > CLOSE * self.pass_error
        K = q.size
        even = np.vstack([np.append(np.ones(K), 0.0), np.hstack([self.at_cap, np.zeros((len(self.at_cap), 1))])])
        for _ in range(ROUNDS):
            own = self.passes[held]
            wide = np.full((len(own), 1), -self.pass_error)
            above, below = np.hstack([own, wide]), np.hstack([-own, wide])
            answer = _solve(np.vstack([rows, above, below]), np.concatenate([limit, -off[held], off[held]]), even, q, reach)
            if answer is None:
                return None
            change, worst = answer
            over = np.abs(off + self.passes @ change) > worst * self.pass_error * (1 + 1e-4) + 1e-9
            if not (over & ~held).any():
                break
            held |= over
        weights = np.maximum(q + change, 0.0)
        return Moved(weights=weights / weights.sum(), foreseen=worst)

    def _margins(self, q: FloatArray, found: Sequence[Best]) -> tuple[FloatArray, FloatArray]:
        """(R, K + 1) and (R,): rows @ (change of weights, t) <= limit, for every level whose margin is judged."""
        rows, limit = [np.zeros((0, q.size + 1))], [np.zeros(0)]
        for n, (market, best) in enumerate(zip(self.watch, found, strict=True)):
            u, kept = market.levels, 1 - market.best.margin  # of the price, by the arbitrageur's supplier
            judged = np.isfinite(kept) & np.isfinite(best.price) & np.array([bool(path) for path in best.offers])
            price, steeper = np.zeros((u.size, q.size)), slope_of(u, best.cost)
            price[judged] = self._net(n, [(int(k), best.offers[k]) for k in np.flatnonzero(judged)], slope_of(u, best.price))[0]
            bought = [(k, path) for k, path in _listed(best) if judged[k] and best.cost[k] < best.price[k]]
            every = sorted((k, path) for k, path in self.known[n] if judged[k])
            for pairs, sign in ((bought, 1.0), (every, -1.0)):
                if not pairs:
                    continue
                net, solved, cost = self._net(n, pairs, steeper)
                k = np.array([place for place, _ in pairs])
                beyond = solved @ q - u[k]
                if sign > 0:
                    costs = best.cost[k]
                    firm = kept[k] * best.price[k] - costs < -PRESSING * self.margin_error * best.price[k]
                    net[firm] = cost[firm]  # not to lose the level: what comes after its last step may be dear
                    rows.append(np.hstack([-solved[firm], np.zeros((int(firm.sum()), 1))]))
                    limit.append(np.maximum(beyond[firm], 0.0))
                else:
                    near = np.abs(beyond) <= NEAR
                    costs = np.maximum(cost @ q - steeper[k] * beyond, best.cost[k])  # as it is now, nothing undercuts that
                    k, net, costs = k[near], net[near], costs[near]
                change = sign * (net - kept[k, None] * price[k]) / best.price[k, None]
                rows.append(np.hstack([change, np.full((k.size, 1), -self.margin_error)]))
                limit.append(sign * (kept[k] - costs / best.price[k]))
        return np.vstack(rows), np.concatenate(limit)

    def _net(
        self, n: int, pairs: Sequence[tuple[int, tuple[Block, ...]]], slope: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """By class, (P, K): cost net of what solving more would cost, what is solved, and cost."""
        market, seen = self.watch[n], self.seen[n]
        new = sorted({path for _, path in pairs if path not in seen})
        if new:
            own, classes = market.positions, self.classes
            solves, taken = policies(new, len(own)).on(
                [classes.odds[i] for i in own], [classes.spend[i] for i in own], [self.premium[i] for i in own]
            )
            costs = sum(m * units for m, units in zip(market.logs.prices, taken, strict=True))
            seen.update((path, (solves[:, p].copy(), costs[:, p].copy())) for p, path in enumerate(new))
        solved, cost = (np.array([seen[path][which] for _, path in pairs]) for which in (0, 1))
        level = [place for place, _ in pairs]
        return cost - slope[level, None] * solved, solved, cost


def _listed(best: Best) -> Iterable[tuple[int, tuple[Block, ...]]]:
    """(level, path) of every schedule."""
    return ((level, path) for level, path in enumerate(best.schedules) if path)


def _solve(
    rows: FloatArray, limit: FloatArray, even: FloatArray, q: FloatArray, reach: float
) -> tuple[FloatArray, float] | None:
    """min t over changes of q with rows @ (change, t) <= limit and even @ (change, t) = 0: the change and t."""
    K = q.size

    def both(block: FloatArray) -> FloatArray:
        return np.hstack([block[:, :-1], -block[:, :-1], block[:, -1:]])  # up, down, t

    step = np.append(np.ones(2 * K), 0.0)[None]
    answer = linprog(
        np.append(np.full(2 * K, _IDLE), 1.0),
        A_ub=np.vstack([both(rows), step]),
        b_ub=np.append(limit, reach),
        A_eq=both(even),
        b_eq=np.zeros(len(even)),
        bounds=[*[(0, None)] * K, *[(0, share) for share in q], (0, None)],
        method="highs",
    )
    if answer.x is None:
        return None
    return answer.x[:K] - answer.x[K : 2 * K], float(answer.x[-1])


_IDLE = 1e-6
"""What changing a weight costs, in units of t: so that none goes up and down at once."""
