"""Tiny markets by enumeration in exact fractions: slow, literal, and sharing no code with eqsolver's kernels.

Everything starts from luck: on problem x provider i's first success comes at attempt T, every T with a fraction as its chance.
A policy is then simulated on every joint outcome, and its pass and spend are the weighted sums.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from math import prod

from eqsolver.market import Geometric, Market

NEVER = 10**9
FIRST = Fraction(1, 10**300)
"""Position of the first node where an attempt begins at no allotment but 0."""
Block = tuple[int, Fraction]


def exact(value: float) -> Fraction:
    """The decimal that a person typed: 0.1 is a tenth."""
    return Fraction(str(float(value)))


@cache
def _arrangements(n: int, c: int) -> tuple[Fraction, ...]:
    """Chance that the first success among n attempts, c of them successes in random order, comes after more than k, k <= n."""
    rows = list(itertools.combinations(range(n), c))
    return tuple(Fraction(sum(not row or row[0] >= k for row in rows), len(rows)) for k in range(n + 1))


@dataclass(frozen=True)
class Tiny:
    """A market in fractions. weights : q. price : m. spend, failed : w_s and w_f [i][x]. odds : p[i][x], or (n, c)[i][x].

    overrun : finish, cut or never; None where attempts are allotted. Allotments are positions: under finish left ends.
    """

    weights: tuple[Fraction, ...]
    price: tuple[Fraction, ...]
    spend: tuple[tuple[Fraction, ...], ...]
    failed: tuple[tuple[Fraction, ...], ...]
    odds: tuple[tuple[Fraction | tuple[int, int], ...], ...]
    overrun: str | None
    cap: Fraction
    longest: int = 12
    """Attempts looked at where nothing else ends them (a hopeless provider under attempt allocation of logs)."""

    @property
    def sellers(self) -> int:
        """How many providers there are."""
        return len(self.price)

    @property
    def kinds(self) -> int:
        """How many problems or classes there are."""
        return len(self.weights)

    def unsolved(self, i: int, x: int, k: int) -> Fraction:
        """P(no success in k attempts)."""
        odds = self.odds[i][x]
        if isinstance(odds, Fraction):
            return (1 - odds) ** k
        n, c = odds
        return Fraction(c == 0) if k > n else _arrangements(n, c)[k]

    @property
    def by_budget(self) -> bool:
        """Money is allotted."""
        return self.overrun is not None

    def at(self, i: int, x: int, made: int) -> Fraction:
        """Position at which one more attempt is made after so many failed."""
        solved, failed = self.spend[i][x], self.failed[i][x]
        match self.overrun:
            case None:
                return Fraction(made + 1)
            case "finish":
                return max(made * failed, FIRST)
            case "cut":
                return made * failed + solved
            case _:
                return made * failed + max(solved, failed)

    def bought(self, i: int, x: int, allotment: Fraction) -> int:
        made = 0
        while self.at(i, x, made) <= allotment:
            made += 1
        return made

    def within(self, total: Fraction) -> bool:
        """Whether positions may sum to so much."""
        return total < self.cap if self.overrun == "finish" else total <= self.cap

    def placed(self, path: Sequence[Block]) -> list[Block]:
        """A path of allotments by positions: under finish the largest left end below an allotment."""
        if self.overrun != "finish":
            return list(path)
        return [(i, max(self._left(i, x, b) for x in range(self.kinds))) for i, b in path]

    def _left(self, i: int, x: int, allotment: Fraction) -> Fraction:
        made = 0
        while made * self.failed[i][x] < allotment:
            made += 1
        return self.at(i, x, made - 1) if made else Fraction(0)

    def most(self, i: int, x: int) -> int:
        """Attempts on a problem whose positions are within the cap."""
        made = 0
        while self.within(self.at(i, x, made)):
            made += 1
        return made

    def first_success(self, i: int, x: int, most: int) -> Iterator[tuple[int, Fraction]]:
        for k in range(1, most + 1):
            yield k, self.unsolved(i, x, k - 1) - self.unsolved(i, x, k)
        yield NEVER, self.unsolved(i, x, most)

    def run(self, path: Sequence[Block]) -> tuple[Fraction, list[Fraction]]:
        """Pass and units of a path, by simulating it on every joint outcome of luck."""
        solved, units = Fraction(0), [Fraction(0)] * self.sellers
        final = [max((b for j, b in path if j == i), default=Fraction(0)) for i in range(self.sellers)]
        for x, q in enumerate(self.weights):
            luck = [list(self.first_success(i, x, self.bought(i, x, final[i]))) for i in range(self.sellers)]
            for joint in itertools.product(*luck):
                chance = q * prod((p for _, p in joint), start=Fraction(1))
                if not chance:
                    continue
                done, spent = self._follow(path, x, [k for k, _ in joint])
                solved += chance * done
                units = [u + chance * s for u, s in zip(units, spent, strict=True)]
        return solved, units

    def _follow(self, path: Sequence[Block], x: int, first: Sequence[int]) -> tuple[bool, list[Fraction]]:
        spent, allotted, made = [Fraction(0)] * self.sellers, [Fraction(0)] * self.sellers, [0] * self.sellers
        for i, upto in path:
            clock = self.overrun == "cut"
            while self.at(i, x, made[i]) <= upto:
                made[i] += 1
                if made[i] == first[i]:
                    spent[i] += self.at(i, x, made[i] - 1) - allotted[i] if clock else self.spend[i][x]
                    return True, spent
                if not clock:
                    spent[i] += self.failed[i][x]
            if clock and upto > allotted[i]:
                spent[i] += upto - allotted[i]
            allotted[i] = max(upto, allotted[i])
        return False, spent

    def bill(self, units: Sequence[Fraction]) -> Fraction:
        return sum((m * u for m, u in zip(self.price, units, strict=True)), Fraction(0))

    def useful(self, i: int, x: int) -> int | None:
        """Attempts after which nothing more is ever solved; None if there is no such number."""
        odds = self.odds[i][x]
        if isinstance(odds, Fraction):
            return 0 if odds == 0 else 1 if odds == 1 else None
        n, c = odds
        return 0 if c == 0 else n - c + 1

    def stops(self, i: int) -> list[Fraction]:
        """Allotments, up to the cap and to the last that solves anything, at which one more attempt may be made somewhere."""
        found: set[Fraction] = set()
        ends = []
        for x in range(self.kinds):
            useful, fits = self.useful(i, x), self.most(i, x)
            most = fits if useful is None else min(useful, fits)
            ends.append(self.at(i, x, most - 1) if most else Fraction(0))
        for x in range(self.kinds):
            most = self.bought(i, x, max(ends))
            found |= {self.at(i, x, k) for k in range(min(most, self.useful(i, x) or most))}
        return sorted(found)

    def offers(self, i: int) -> list[tuple[Fraction, Fraction]]:
        """(pass, bill) of buying from one provider up to each of its stops."""
        made = [self.run([(i, b)]) for b in self.stops(i)]
        return [(solved, self.bill(units)) for solved, units in made]

    def fits(self, allotted: Iterable[Fraction]) -> bool:
        return not self.by_budget or self.within(sum(allotted, Fraction(0)))

    def slice_cost(self, i: int, b: Fraction, upto: Fraction, others: Sequence[Fraction]) -> Fraction:
        """Bill of raising provider i's allotment from b to upto where the others stand at their allotments."""
        total = Fraction(0)
        for x, q in enumerate(self.weights):
            standing = prod(
                (self.unsolved(j, x, self.bought(j, x, others[j])) for j in range(self.sellers) if j != i), start=Fraction(1)
            )
            if not standing:
                continue
            k, stop, spent = self.bought(i, x, b), self.bought(i, x, upto), Fraction(0)
            if self.overrun == "cut":
                here = b
                for done in range(k, stop + 1):
                    until = min(self.at(i, x, done), upto)
                    spent += self.unsolved(i, x, done) * (until - here)
                    here = until
            else:
                for done in range(k, stop):
                    before, after = self.unsolved(i, x, done), self.unsolved(i, x, done + 1)
                    spent += (before - after) * self.spend[i][x] + after * self.failed[i][x]
            total += q * standing * spent
        return self.price[i] * total

    def solved(self, allotted: Sequence[Fraction]) -> Fraction:
        left = Fraction(0)
        for x, q in enumerate(self.weights):
            bought = [self.bought(i, x, b) for i, b in enumerate(allotted[: self.sellers])]
            left += q * prod((self.unsolved(i, x, k) for i, k in enumerate(bought)), start=Fraction(1))
        return 1 - left

    def cascades(self) -> list[tuple[Fraction, Fraction]]:
        """(pass, bill) of every order of providers and all thresholds at all stops (prefixes are among them)."""
        points: set[tuple[Fraction, Fraction]] = {(Fraction(0), Fraction(0))}
        for order in itertools.permutations(range(self.sellers)):
            axes = [[Fraction(0), *self.stops(i)] for i in order]
            for allotted in itertools.product(*axes):
                if not self.fits(allotted):
                    continue
                here, cost = [Fraction(0)] * self.sellers, Fraction(0)
                for i, b in zip(order, allotted, strict=True):
                    cost += self.slice_cost(i, Fraction(0), b, here) if b else 0
                    here[i] = b
                points.add((self.solved(here), cost))
        return sorted(points)

    def every_schedule(self) -> list[tuple[Fraction, Fraction]]:
        """(pass, bill) at every stop of every interleaving, path by path: no principle of optimality, no memory."""
        axes = [[Fraction(0), *self.stops(i)] for i in range(self.sellers)]
        slices = cache(
            lambda i, j: self.slice_cost(
                i, axes[i][j[i]], axes[i][j[i] + 1], [axis[at] for axis, at in zip(axes, j, strict=True)]
            )
        )
        solves = cache(lambda j: self.solved([axis[at] for axis, at in zip(axes, j, strict=True)]))
        points: set[tuple[Fraction, Fraction]] = set()

        def onward(j: tuple[int, ...], cost: Fraction) -> None:
            points.add((solves(j), cost))
            for i in range(self.sellers):
                if j[i] + 1 < len(axes[i]):
                    after = (*j[:i], j[i] + 1, *j[i + 1 :])
                    if self.fits(axis[at] for axis, at in zip(axes, after, strict=True)):
                        onward(after, cost + slices(i, j))

        onward((0,) * self.sellers, Fraction(0))
        return sorted(points)

    def best_schedules(self) -> list[tuple[Fraction, Fraction]]:
        """(pass, least bill) of every set of allotments, by the recursion over its last slice."""
        axes = [[Fraction(0), *self.stops(i)] for i in range(self.sellers)]
        least: dict[tuple[int, ...], Fraction] = {}
        points = []
        for j in itertools.product(*(range(len(axis)) for axis in axes)):
            here = [axis[at] for axis, at in zip(axes, j, strict=True)]
            if not self.fits(here):
                continue
            arrivals = []
            for i in range(self.sellers):
                if j[i]:
                    before = (*j[:i], j[i] - 1, *j[i + 1 :])
                    arrivals.append(least[before] + self.slice_cost(i, axes[i][j[i] - 1], here[i], here))
            least[j] = min(arrivals, default=Fraction(0))
            points.append((self.solved(here), least[j]))
        return sorted(points)

    def number_of_paths(self) -> int:
        """Upper bound on how many interleavings there are."""
        ways: dict[tuple[int, ...], int] = {}
        sizes = [len(self.stops(i)) + 1 for i in range(self.sellers)]
        for j in itertools.product(*map(range, sizes)):
            steps = [(*j[:i], j[i] - 1, *j[i + 1 :]) for i in range(self.sellers) if j[i]]
            ways[j] = sum(ways[step] for step in steps) if steps else 1
        return ways[tuple(size - 1 for size in sizes)]

    def knowing(self) -> list[tuple[Fraction, Fraction]]:
        """Frontier of an oracle that knows each problem: vertices (pass, bill), the origin first.

        Per problem every vector of attempts within the caps and every interleaving of single attempts; hulls; a knapsack.
        """
        segments = []
        for x, q in enumerate(self.weights):
            hull = lower_hull(self._alone(x))
            segments += [(q * (b[0] - a[0]), q * (b[1] - a[1])) for a, b in itertools.pairwise(hull)]
        segments.sort(key=lambda s: s[1] / s[0])
        points = [(Fraction(0), Fraction(0))]
        for gain, cost in segments:
            points.append((points[-1][0] + gain, points[-1][1] + cost))
        return points

    def _alone(self, x: int) -> list[tuple[Fraction, Fraction]]:
        most = []
        for i in range(self.sellers):
            useful, fits = self.useful(i, x), self.most(i, x)
            most.append(fits if useful is None else min(useful, fits))
        least: dict[tuple[int, ...], Fraction] = {}
        points = []
        for k in itertools.product(*(range(n + 1) for n in most)):
            if not self.fits(self.at(i, x, n - 1) for i, n in enumerate(k) if n):
                continue
            arrivals = []
            for i in range(self.sellers):
                if k[i]:
                    before = (*k[:i], k[i] - 1, *k[i + 1 :])
                    still = prod((self.unsolved(j, x, before[j]) for j in range(self.sellers)), start=Fraction(1))
                    arrivals.append(least[before] + self.price[i] * self._paid(i, x, before[i]) * still)
            least[k] = min(arrivals, default=Fraction(0))
            still = prod((self.unsolved(j, x, k[j]) for j in range(self.sellers)), start=Fraction(1))
            points.append((1 - still, least[k]))
        return points

    def _paid(self, i: int, x: int, made: int) -> Fraction:
        """Expected money at list price of one more attempt, if it is made; under cut up to where it ends if it solves."""
        if self.overrun == "cut":
            return self.failed[i][x] if made else self.spend[i][x]
        before, after = self.unsolved(i, x, made), self.unsolved(i, x, made + 1)
        chance = 1 - after / before if before else Fraction(0)
        return chance * self.spend[i][x] + (1 - chance) * self.failed[i][x]


def tiny(market: Market, *, allot: str = "money", overrun: str = "finish", cap: float | None = None) -> Tiny:
    """The market in fractions. Its weights are read as the nearest fractions with small denominators."""
    limit = cap if cap is not None else (market.max_budget if allot == "money" else market.max_attempts)
    if limit is None:
        limit = max(int(p.odds.attempts.max()) for p in market.providers) if allot == "attempts" else 10**6
    return Tiny(
        weights=tuple(Fraction(float(q)).limit_denominator(1000) for q in market.weights),
        price=tuple(exact(p.price) for p in market.providers),
        spend=tuple(tuple(exact(w) for w in p.spend) for p in market.providers),
        failed=tuple(tuple(exact(w) for w in p.spend_if_failed) for p in market.providers),
        odds=tuple(
            tuple(exact(s) for s in p.odds.success)
            if isinstance(p.odds, Geometric)
            else tuple((int(n), int(c)) for n, c in zip(p.odds.attempts, p.odds.successes, strict=True))
            for p in market.providers
        ),
        overrun=overrun if allot == "money" else None,
        cap=exact(limit),
    )


def least(points: Iterable[tuple[Fraction, Fraction]], level: Fraction) -> Fraction | None:
    """Least bill among points that pass the level; None if none does."""
    return min((cost for solved, cost in points if solved >= level), default=None)


def lower_hull(points: Iterable[tuple[Fraction, Fraction]]) -> list[tuple[Fraction, Fraction]]:
    """Vertices of the lower convex hull from the origin to the highest pass, as exact points."""
    cheapest: dict[Fraction, Fraction] = {Fraction(0): Fraction(0)}
    for solved, cost in points:
        cheapest[solved] = min(cost, cheapest.get(solved, cost))
    chain: list[tuple[Fraction, Fraction]] = []
    for x, y in sorted(cheapest.items()):
        while len(chain) > 1 and (chain[-1][1] - chain[-2][1]) * (x - chain[-2][0]) >= (y - chain[-2][1]) * (
            chain[-1][0] - chain[-2][0]
        ):
            chain.pop()
        chain.append((x, y))
    return chain


def along(vertices: Sequence[tuple[Fraction, Fraction]], level: Fraction) -> Fraction | None:
    """Height of a chain of vertices at a level; None beyond its end."""
    for (x0, y0), (x1, y1) in itertools.pairwise(vertices):
        if x0 <= level <= x1:
            return y0 + (y1 - y0) * (level - x0) / (x1 - x0)
    return vertices[0][1] if level == vertices[0][0] else None


def levels_of(points: Iterable[tuple[Fraction, Fraction]]) -> list[float]:
    """Every pass value, a hair below and a hair above each, one beyond all, within (0, 1]."""
    values = sorted({solved for solved, _ in points})
    hairs = [float(v) + hair for v in values for hair in (-1e-6, 0.0, 1e-6)]
    return sorted({u for u in (*hairs, float(values[-1]) + 0.01, 1.0) if 0 < u <= 1})


def level_fraction(u: float, points: Iterable[tuple[Fraction, Fraction]]) -> Fraction:
    """The pass value that a float level stands for, or the float itself."""
    for solved, _ in points:
        if abs(float(solved) - u) < 1e-9:
            return solved
    return Fraction(u)
