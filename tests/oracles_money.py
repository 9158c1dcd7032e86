"""The money rules of THEORY section 2 from scratch: fractions, decision by decision, sharing no code with eqsolver's kernels.

Nothing here counts attempts by a formula. A `Shop` follows a policy through one possible course of luck, attempt by attempt,
and adds up what is paid; pass and units are sums over every course of luck with its chance. A `Broker` throws dice instead.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from math import comb, prod

import numpy as np

Block = tuple[int, Fraction]
"""(provider, cumulative allotment): buy from that provider until it has been allotted this much in total."""

Point = tuple[Fraction, Fraction]
"""(share solved, bill)."""

RULES = ("finish", "cut", "never", "attempts")
"""The three answers to an attempt that does not fit, and allotments that count attempts."""

NEVER = 10**9
ZERO, ONE = Fraction(0), Fraction(1)


def typed(value: float) -> Fraction:
    """The decimal that a person typed: 0.1 is a tenth."""
    return Fraction(str(float(value)))


@dataclass(frozen=True)
class Beta:
    """A probability of success that is itself drawn, once for each provider and problem: Beta(a, b)."""

    a: Fraction
    b: Fraction


Odds = Fraction | tuple[int, int] | Beta
"""A probability, (n, c) as counted in logs, or a belief."""


@dataclass(frozen=True)
class Shop:
    """A market under one rule, in fractions.

    weights : q[x]. price : m[i]. won, lost : w_s[i][x] and w_f[i][x], what an attempt costs if it succeeds or fails.
    odds : of provider i on problem x. rule : one of `RULES`. cap : of money over all providers; under `attempts` of each
    provider's number. free : which providers cost nothing. most : how many attempts a free one grants.
    """

    weights: tuple[Fraction, ...]
    price: tuple[Fraction, ...]
    won: tuple[tuple[Fraction, ...], ...]
    lost: tuple[tuple[Fraction, ...], ...]
    odds: tuple[tuple[Odds, ...], ...]
    rule: str
    cap: Fraction
    free: tuple[bool, ...] = ()
    most: int = 0
    _memory: dict[object, tuple[Fraction, Fraction]] = field(default_factory=dict, compare=False, repr=False)

    @property
    def sellers(self) -> range:
        """Positions of the providers."""
        return range(len(self.price))

    @property
    def kinds(self) -> range:
        """Positions of the problems."""
        return range(len(self.weights))

    def is_free(self, i: int) -> bool:
        """Whether provider i costs nothing."""
        return bool(self.free) and self.free[i]

    # --- luck -------------------------------------------------------------------------------------------------------------
    def unsolved(self, i: int, x: int, k: int) -> Fraction:
        """S(k), the chance of k failures in a row: (1-p)^k, or C(n-c, k) / C(n, k), and 1 for ever where nothing succeeded."""
        odds = self.odds[i][x]
        if isinstance(odds, Fraction):
            return (1 - odds) ** k
        if isinstance(odds, Beta):
            return prod(((odds.b + done) / (odds.a + odds.b + done) for done in range(k)), start=ONE)
        n, c = odds
        if c == 0:
            return ONE
        return Fraction(comb(n - c, k), comb(n, k)) if k <= n else ZERO

    def courses(self, i: int, x: int, most: int) -> Iterator[tuple[int, Fraction]]:
        """Every possible number of the first attempt that succeeds, and its chance; NEVER: none of the first `most` does."""
        for k in range(1, most + 1):
            chance = self.unsolved(i, x, k - 1) - self.unsolved(i, x, k)
            if chance:
                yield k, chance
        if self.unsolved(i, x, most):
            yield NEVER, self.unsolved(i, x, most)

    def _enough(self, i: int, x: int, allotment: Fraction) -> int:
        """More attempts than the allotment could ever buy."""
        if self.rule == "attempts":
            return int(allotment)
        if self.is_free(i):
            return self.most
        return int(allotment / min(self.won[i][x], self.lost[i][x])) + 2

    # --- one course of luck, decision by decision -------------------------------------------------------------------------
    def follow(self, path: Sequence[Block], x: int, first: Sequence[int]) -> tuple[bool, list[Fraction]]:
        """Whether problem x is solved, and money spent on each provider; provider i's attempt number first[i] succeeds."""
        spent = [ZERO for _ in self.sellers]
        done = [0 for _ in self.sellers]
        inside = [ZERO for _ in self.sellers]  # money that is in an attempt paused at present
        for i, allotment in path:
            if self.rule == "cut" and not self.is_free(i):
                if self._run_the_clock(i, x, allotment, first[i], spent, done, inside):
                    return True, spent
                continue
            while self._begins(i, x, allotment, spent[i], done[i]):
                done[i] += 1
                if done[i] == first[i]:
                    spent[i] += self.won[i][x]
                    return True, spent
                spent[i] += self.lost[i][x]
        return False, spent

    def _begins(self, i: int, x: int, allotment: Fraction, spent: Fraction, done: int) -> bool:
        if self.rule == "attempts":
            return done + 1 <= allotment
        if self.is_free(i):
            return allotment > 0 and done < self.most
        if self.rule == "finish":
            return spent < allotment
        return spent + max(self.won[i][x], self.lost[i][x]) <= allotment

    def _run_the_clock(
        self, i: int, x: int, allotment: Fraction, first: int, spent: list[Fraction], done: list[int], inside: list[Fraction]
    ) -> bool:
        """Money flows into the attempt at hand, where it was paused if it was, until it ends or the slice does."""
        while spent[i] < allotment:
            succeeds = done[i] + 1 == first
            flow = min((self.won if succeeds else self.lost)[i][x] - inside[i], allotment - spent[i])
            spent[i] += flow
            inside[i] += flow
            if inside[i] == (self.won if succeeds else self.lost)[i][x]:
                done[i], inside[i] = done[i] + 1, ZERO
                if succeeds:
                    return True
        return False

    # --- sums over luck ---------------------------------------------------------------------------------------------------
    def run(self, path: Sequence[Block]) -> tuple[Fraction, list[Fraction]]:
        """Share solved and expected list-price money per provider of a path, over every joint course of luck."""
        solved, units = ZERO, [ZERO for _ in self.sellers]
        last = [max((b for j, b in path if j == i), default=ZERO) for i in self.sellers]
        for x in self.kinds:
            luck = [list(self.courses(i, x, self._enough(i, x, last[i]))) for i in self.sellers]
            for joint in itertools.product(*luck):
                chance = self.weights[x] * prod((p for _, p in joint), start=ONE)
                done, spent = self.follow(path, x, [k for k, _ in joint])
                solved += chance * done
                units = [u + chance * s for u, s in zip(units, spent, strict=True)]
        return solved, units

    def bill(self, units: Sequence[Fraction]) -> Fraction:
        """What the units cost at posted prices."""
        return sum((m * u for m, u in zip(self.price, units, strict=True)), ZERO)

    def one(self, i: int, x: int, allotment: Fraction) -> tuple[Fraction, Fraction]:
        """S and F of provider i alone on problem x alone, by the same courses of luck."""
        key = (i, x, allotment)
        if key not in self._memory:
            S, F = ZERO, ZERO
            for k, chance in self.courses(i, x, self._enough(i, x, allotment)):
                first = [NEVER for _ in self.sellers]
                first[i] = k
                done, spent = self.follow([(i, allotment)], x, first)
                S, F = S + chance * (not done), F + chance * spent[i]
            self._memory[key] = S, F
        return self._memory[key]

    # --- nodes and the cap ------------------------------------------------------------------------------------------------
    def useful(self, i: int, x: int) -> int:
        """Attempts after which nothing more is solved on problem x (as many as matter, for classes)."""
        odds = self.odds[i][x]
        if isinstance(odds, Fraction):
            return 0 if odds == 0 else 1 if odds == 1 else NEVER
        if isinstance(odds, Beta):
            return NEVER
        n, c = odds
        return 0 if c == 0 else n - c + 1

    def takes(self, i: int, x: int, k: int) -> Fraction:
        """What k >= 1 attempts on problem x, known beforehand, take of the cap at least (of a provider's own number: k)."""
        if self.rule == "attempts":
            return Fraction(k)
        if self.is_free(i):
            return ZERO
        w_s, w_f = self.won[i][x], self.lost[i][x]
        return (k - 1) * w_f + {"finish": ZERO, "never": max(w_s, w_f), "cut": w_s}[self.rule]

    def within(self, taken: Iterable[Fraction]) -> bool:
        """Whether what each provider takes fits the cap. `attempts` cap each provider by itself."""
        taken = list(taken)
        if self.rule == "attempts":
            return all(k <= self.cap for k in taken)
        return sum(taken, ZERO) < self.cap if self.rule == "finish" else sum(taken, ZERO) <= self.cap

    def nodes(self, i: int) -> list[tuple[Fraction, Fraction]]:
        """(what it takes of the cap, an allotment of it), nothing first, for every allotment at which more may be solved.

        Under `finish` what is taken is the left end of the interval of allotments, and the allotment is in its middle.
        """
        if self.is_free(i) and self.rule != "attempts":
            return [(ZERO, ZERO), (ZERO, self.cap / 1000)]
        lefts = set()
        for x in self.kinds:
            for k in itertools.count(1):
                if k > self.useful(i, x) or not self.within([self.takes(i, x, k)]):
                    break
                lefts.add(self.takes(i, x, k))
        if self.rule != "finish":
            return [(ZERO, ZERO), *((b, b) for b in sorted(lefts))]
        every = {k * self.lost[i][x] for x in self.kinds for k in range(int(self.cap / self.lost[i][x]) + 2)}
        rights = [min(b for b in every if b > left) for left in sorted(lefts)]
        return [(ZERO, ZERO), *((a, (a + b) / 2) for a, b in zip(sorted(lefts), rights, strict=True))]

    def inside(self, allotment: Sequence[Fraction], tolerance: Fraction = ZERO) -> bool:
        """Whether printed thresholds sum to no more than the cap (or each is no more than it, if they count attempts)."""
        cap = self.cap * (1 + tolerance)
        if self.rule == "attempts":
            return all(b <= cap for b in allotment)
        return sum((b for i, b in enumerate(allotment) if not self.is_free(i)), ZERO) <= cap

    # --- optima by listing everything -------------------------------------------------------------------------------------
    def solved(self, allotted: Sequence[Fraction]) -> Fraction:
        """Share solved once every provider has been allotted this much."""
        return 1 - sum(
            (q * prod((self.one(i, x, allotted[i])[0] for i in self.sellers), start=ONE) for x, q in enumerate(self.weights)),
            ZERO,
        )

    def slice(self, i: int, upto: Fraction, allotted: Sequence[Fraction]) -> Fraction:
        """Bill of raising provider i's allotment to `upto` where all stand at `allotted`."""
        total = ZERO
        for x, q in enumerate(self.weights):
            others = prod((self.one(j, x, allotted[j])[0] for j in self.sellers if j != i), start=ONE)
            if others:
                total += q * others * (self.one(i, x, upto)[1] - self.one(i, x, allotted[i])[1])
        return self.price[i] * total

    def offers(self, i: int) -> list[Point]:
        """(pass, bill) of buying from one provider up to each of its nodes."""
        made = [self.run([(i, b)]) for _, b in self.nodes(i)[1:]]
        return [(solved, self.bill(units)) for solved, units in made]

    def cascades(self) -> list[Point]:
        """(pass, bill) of every order of providers with every vector of thresholds within the cap; prefixes are among them."""
        return sorted({self._cascade(order, at) for order, at in self.threshold_vectors()})

    def threshold_vectors(self) -> Iterator[tuple[tuple[int, ...], tuple[Fraction, ...]]]:
        """Every order of providers with every vector of allotments within the cap."""
        listed = [self.nodes(i) for i in self.sellers]
        for order in itertools.permutations(self.sellers):
            for nodes in itertools.product(*(listed[i] for i in order)):
                if self.within(taken for taken, _ in nodes):
                    yield order, tuple(b for _, b in nodes)

    def _cascade(self, order: Sequence[int], at: Sequence[Fraction]) -> Point:
        here, cost = [ZERO for _ in self.sellers], ZERO
        for i, b in zip(order, at, strict=True):
            cost += self.slice(i, b, here)
            here[i] = b
        return self.solved(here), cost

    def paths(self) -> Iterator[tuple[list[Block], Point]]:
        """Every interleaving of nodes within the cap, path by path, and its (pass, bill): no recursion over least costs."""
        listed = [self.nodes(i) for i in self.sellers]

        def onward(at: tuple[int, ...], path: list[Block], cost: Fraction) -> Iterator[tuple[list[Block], Point]]:
            here = [listed[i][j][1] for i, j in enumerate(at)]
            yield path, (self.solved(here), cost)
            for i in self.sellers:
                after = (*at[:i], at[i] + 1, *at[i + 1 :])
                if after[i] < len(listed[i]) and self.within(listed[s][j][0] for s, j in enumerate(after)):
                    b = listed[i][after[i]][1]
                    yield from onward(after, [*path, (i, b)], cost + self.slice(i, b, here))

        return onward((0,) * len(self.price), [], ZERO)

    def schedules(self) -> list[Point]:
        """(pass, least bill) of every vector of nodes within the cap, by the recursion over a path's last slice."""
        listed = [self.nodes(i) for i in self.sellers]
        return self._least(
            [len(nodes) for nodes in listed],
            lambda at: self.within(listed[i][j][0] for i, j in enumerate(at)),
            lambda at: self.solved([listed[i][j][1] for i, j in enumerate(at)]),
            lambda i, at: self.slice(i, listed[i][at[i] + 1][1], [listed[s][j][1] for s, j in enumerate(at)]),
        )

    def number_of_paths(self) -> int:
        """Upper bound on how many interleavings there are."""
        sizes = [len(self.nodes(i)) - 1 for i in self.sellers]
        ways, total = 1, 0
        for size in sizes:
            total += size
            ways *= comb(total, size)
        return ways

    def _least(
        self,
        sizes: Sequence[int],
        fits: Callable[[tuple[int, ...]], bool],
        solved: Callable[[tuple[int, ...]], Fraction],
        edge: Callable[[int, tuple[int, ...]], Fraction],
    ) -> list[Point]:
        least: dict[tuple[int, ...], Fraction] = {}
        points = []
        for at in itertools.product(*map(range, sizes)):
            if not fits(at):
                continue
            before = [(i, (*at[:i], at[i] - 1, *at[i + 1 :])) for i in self.sellers if at[i]]
            least[at] = min((least[b] + edge(i, b) for i, b in before), default=ZERO)
            points.append((solved(at), least[at]))
        return sorted(points)

    # --- the oracle of THEORY section 4 -----------------------------------------------------------------------------------
    def vector(self, i: int, x: int) -> list[tuple[Fraction, Fraction, Fraction]]:
        """(S, m F, taken) of k = 0, 1, ... attempts by provider i on problem x, known beforehand, while they are of any use."""
        found = [(ONE, ZERO, ZERO)]
        while len(found) <= self.useful(i, x) and self.within([self.takes(i, x, len(found))]):
            k = len(found)
            if self.is_free(i) and k > self.most:
                break
            taken = self.takes(i, x, k)
            S, F = self._attempts(i, x, k)
            found.append((S, self.price[i] * F, taken))
        return found

    def _attempts(self, i: int, x: int, k: int) -> tuple[Fraction, Fraction]:
        """S and F of k attempts by the rule's own accounts: the clock runs to the k-th success under `cut`."""
        if self.rule == "cut" and not self.is_free(i):
            return self.one(i, x, self.takes(i, x, k))
        F = ZERO
        for done in range(k):
            here, after = self.unsolved(i, x, done), self.unsolved(i, x, done + 1)
            F += (here - after) * self.won[i][x] + after * self.lost[i][x]
        return self.unsolved(i, x, k), F

    def knowing(self) -> list[Point]:
        """Vertices (pass, bill) of the frontier of one who knows each problem's odds and costs; the origin first."""
        segments = []
        for x, q in enumerate(self.weights):
            for (s0, c0), (s1, c1) in itertools.pairwise(lower_hull(self.alone(x))):
                segments.append((q * (s1 - s0), q * (c1 - c0)))
        segments.sort(key=lambda segment: segment[1] / segment[0])
        points = [(ZERO, ZERO)]
        for gain, cost in segments:
            points.append((points[-1][0] + gain, points[-1][1] + cost))
        return points

    def alone(self, x: int) -> list[Point]:
        """(pass, least bill) of every vector of attempts on problem x within the cap, over every interleaving."""
        each = [self.vector(i, x) for i in self.sellers]

        def edge(i: int, at: tuple[int, ...]) -> Fraction:
            others = prod((each[s][k][0] for s, k in enumerate(at) if s != i), start=ONE)
            return others * (each[i][at[i] + 1][1] - each[i][at[i]][1])

        return self._least(
            [len(rows) for rows in each],
            lambda at: self.within(each[i][k][2] for i, k in enumerate(at)),
            lambda at: 1 - prod((each[i][k][0] for i, k in enumerate(at)), start=ONE),
            edge,
        )


# --- dice ---------------------------------------------------------------------------------------------------------------------
@dataclass
class Attempt:
    """An attempt in progress at a gateway: its outcome and full price are settled, and hidden from the broker."""

    succeeds: bool
    owed: int


@dataclass
class Gateway:
    """Where one problem's attempts are bought: a broker sees a bill and whether it is solved, and nothing else."""

    draw: Callable[[], bool]
    won: int
    lost: int

    def begin(self) -> Attempt:
        """A fresh attempt."""
        succeeds = self.draw()
        return Attempt(succeeds, self.won if succeeds else self.lost)


def shuffled(n: int, c: int, rng: np.random.Generator) -> Callable[[], bool]:
    """The next entry of a log in random order; a log without successes goes on failing."""
    log = iter(rng.permutation([True] * c + [False] * (n - c)).tolist())
    return lambda: next(log) if c else False


@dataclass
class Broker:
    """A broker that carries out a policy on one problem after another, one attempt at a time, seeing only bills.

    Money is counted in the smallest coin, so that sums are exact: the shop's costs and allotments times `coins`.
    """

    shop: Shop
    rng: np.random.Generator
    coins: int = 720720

    def serve(self, path: Sequence[Block]) -> tuple[bool, list[int]]:
        """Draw a problem, follow the path: whether it was solved, and what was paid (coins at list price)."""
        x = int(self.rng.choice(len(self.shop.weights), p=[float(q) for q in self.shop.weights]))
        gates = [self._gateway(i, x) for i in self.shop.sellers]
        bills = [0 for _ in self.shop.sellers]
        count = [0 for _ in self.shop.sellers]
        paused: list[Attempt | None] = [None for _ in self.shop.sellers]
        dearest = [max(gate.won, gate.lost) for gate in gates]
        for i, allotment in path:
            purse = self._coins(allotment)
            while True:
                if not self._goes_on(i, allotment, purse, bills[i], count[i], dearest[i]):
                    break
                attempt = paused[i] or gates[i].begin()
                paused[i] = None
                room = purse - bills[i]
                if self.shop.rule == "cut" and not self.shop.is_free(i) and attempt.owed > room:
                    paused[i], bills[i] = Attempt(attempt.succeeds, attempt.owed - room), purse
                    break
                bills[i] += attempt.owed
                count[i] += 1
                if attempt.succeeds:
                    return True, bills
        return False, bills

    def _goes_on(self, i: int, allotment: Fraction, purse: int, bill: int, count: int, dearest: int) -> bool:
        if self.shop.rule == "attempts":
            return count + 1 <= allotment
        if self.shop.is_free(i):
            return purse > 0 and count < self.shop.most
        if self.shop.rule == "never":
            return bill + dearest <= purse
        return bill < purse

    def _coins(self, money: Fraction) -> int:
        amount = money * self.coins
        assert amount.denominator == 1, f"{money} is no whole number of coins"
        return int(amount)

    def _gateway(self, i: int, x: int) -> Gateway:
        odds = self.shop.odds[i][x]
        if isinstance(odds, tuple):
            draw = shuffled(*odds, self.rng)
        else:
            p = odds if isinstance(odds, Fraction) else self.rng.beta(float(odds.a), float(odds.b))
            draw = lambda: bool(self.rng.random() < p)  # noqa: E731
        return Gateway(draw, self._coins(self.shop.won[i][x]), self._coins(self.shop.lost[i][x]))

    def many(self, path: Sequence[Block], draws: int) -> tuple[np.ndarray, np.ndarray]:
        """(draws,) solved and (draws, M) money at list price."""
        served = [self.serve(path) for _ in range(draws)]
        return np.array([s for s, _ in served], float), np.array([b for _, b in served], float) / self.coins


# --- chains of points ---------------------------------------------------------------------------------------------------------
def least(points: Iterable[Point], level: Fraction) -> Fraction | None:
    """Least bill among points that pass the level; None if none does."""
    return min((cost for solved, cost in points if solved >= level), default=None)


def lower_hull(points: Iterable[Point]) -> list[Point]:
    """Vertices of the lower convex hull from the origin to the highest pass, as exact points."""
    cheapest: dict[Fraction, Fraction] = {ZERO: ZERO}
    for solved, cost in points:
        cheapest[solved] = min(cost, cheapest.get(solved, cost))
    chain: list[Point] = []
    for x, y in sorted(cheapest.items()):
        while len(chain) > 1:
            (x0, y0), (x1, y1) = chain[-2:]
            if (y1 - y0) * (x - x0) < (y - y0) * (x1 - x0):
                break
            chain.pop()
        chain.append((x, y))
    return chain


def along(vertices: Sequence[Point], level: Fraction) -> Fraction | None:
    """Height of a chain of vertices at a level; None beyond its end."""
    for (x0, y0), (x1, y1) in itertools.pairwise(vertices):
        if x0 <= level <= x1:
            return y0 + (y1 - y0) * (level - x0) / (x1 - x0)
    return vertices[0][1] if level == vertices[0][0] else None


@cache
def orderings(outcomes: tuple[int, ...], costs: tuple[int, ...], k: int) -> Fraction:
    """Mean over every ordering of a log's attempts of what the first k cost, one by one until the first success."""
    total, count = 0, 0
    for order in itertools.permutations(range(len(outcomes))):
        count += 1
        for j in order[:k]:
            total += costs[j]
            if outcomes[j]:
                break
    return Fraction(total, count)
