"""The market as data: who sells attempts, on which problems, at what odds and costs. Frozen, checked once."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from eqsolver._base import FloatArray, IntArray, MarketError

WEIGHT_TOLERANCE = 1e-6
"""Weights of classes and of policies may miss one by this much (decimal rounding in a file) and are then normalised."""

ROUNDING = 1e-12
"""Weights that sum to one up to this are kept as they are, so that a market written and read again is the same."""


def read_only(values: ArrayLike) -> FloatArray:
    """A private float copy that cannot be written to."""
    array = np.array(values, dtype=np.float64)
    array.setflags(write=False)
    return array


def read_only_counts(values: ArrayLike) -> IntArray:
    """A private integer copy that cannot be written to; a `MarketError` for numbers that are not whole."""
    given = np.asarray(values)
    with np.errstate(invalid="ignore"):  # nan and infinity have no integer; told below
        try:
            array = np.array(given, dtype=np.int64)
        except OverflowError:
            raise MarketError("a count does not fit into 64 bits") from None
    if not np.array_equal(array, given):
        raise MarketError("counts must be whole numbers")
    array.setflags(write=False)
    return array


def _one_axis(values: np.ndarray, where: str) -> None:
    if values.ndim != 1:
        raise MarketError(f"{where} needs one axis, problems; found shape {values.shape}")


def _positive(value: float, where: str, *, zero: bool = False) -> None:
    if not ((value > 0 or (zero and value == 0)) and np.isfinite(value)):
        raise MarketError(f"{where} = {value:g} must be {'at least' if zero else 'more than'} 0, and finite")


def _check(good: np.ndarray, values: np.ndarray, where: str, rule: str) -> None:
    wrong = np.flatnonzero(~good)
    if wrong.size:
        raise MarketError(f"{where}[{wrong[0]}] = {values[wrong[0]]:g} {rule}")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Geometric:
    """Odds of a specification: every attempt on problem x succeeds with the same probability.

    success : (N,) probability p that one attempt succeeds, in [0, 1].
    """

    success: FloatArray

    def __post_init__(self) -> None:
        object.__setattr__(self, "success", read_only(self.success))
        p = self.success
        _one_axis(p, "success")
        _check((p >= 0) & (p <= 1), p, "success", "is outside [0, 1]. Percentages? Divide by 100.")

    def __len__(self) -> int:
        return len(self.success)

    @property
    def mean(self) -> FloatArray:
        """(N,) probability that one attempt succeeds."""
        return self.success

    def take(self, problems: IntArray) -> Self:
        return replace(self, success=self.success[problems])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sampled:
    """Odds of an attempt log: c successes among n attempts on problem x.

    attempts : (N,) number n of attempts made, counts >= 1.
    successes : (N,) number c of them that were verified, 0 <= c <= n.
    """

    attempts: IntArray
    successes: IntArray

    def __post_init__(self) -> None:
        for column in ("attempts", "successes"):
            object.__setattr__(self, column, read_only_counts(getattr(self, column)))
        n, c = self.attempts, self.successes
        _one_axis(n, "attempts")
        if n.shape != c.shape:
            raise MarketError(f"attempts has {n.size} problems and successes {c.size}")
        _check(n >= 1, n, "attempts", "must be at least 1")
        _check((c >= 0) & (c <= n), c, "successes", "must lie between 0 and the number of attempts")

    def __len__(self) -> int:
        return len(self.attempts)

    @property
    def mean(self) -> FloatArray:
        """(N,) share of the attempts that succeeded."""
        found: FloatArray = self.successes / self.attempts
        return found

    def take(self, problems: IntArray) -> Self:
        return replace(self, attempts=self.attempts[problems], successes=self.successes[problems])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Estimated:
    """Odds that are not known but believed: the probability that an attempt on problem x succeeds is Beta distributed.

    alpha, beta : (N,) parameters, > 0 and finite; the mean is alpha / (alpha + beta), their sum the weight of the evidence.
    """

    alpha: FloatArray
    beta: FloatArray

    def __post_init__(self) -> None:
        for column in ("alpha", "beta"):
            values = read_only(getattr(self, column))
            object.__setattr__(self, column, values)
            _one_axis(values, column)
            _check((values > 0) & np.isfinite(values), values, column, "must be positive and finite")
        if self.alpha.shape != self.beta.shape:
            raise MarketError(f"alpha has {self.alpha.size} problems and beta {self.beta.size}")

    def __len__(self) -> int:
        return len(self.alpha)

    @property
    def mean(self) -> FloatArray:
        """(N,) probability that one attempt succeeds, as it is believed to be."""
        found: FloatArray = self.alpha / (self.alpha + self.beta)
        return found

    def take(self, problems: IntArray) -> Self:
        return replace(self, alpha=self.alpha[problems], beta=self.beta[problems])


Odds = Geometric | Sampled | Estimated


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Provider:
    """A seller of attempts.

    odds : chances of success on each of N problems, from a specification (`Geometric`), from logs (`Sampled`), or as an
        estimator believes them to be (`Estimated`).
    spend : (N,) mean cost w of one attempt at list price, money, > 0 and finite.
    marginal_cost : κ, the provider's own cost as a share of list price, >= 0.
    price : m, multiplier on list price, > 0; one *unit* is money at list price, so a bill is `price * units`.
    highest_price : the highest multiplier the provider may post, >= price.
    distillation_tokens : how many tokens of a teacher it was trained on, > 0 and finite; None: it is not a known student.
    """

    name: str
    odds: Odds
    spend: FloatArray
    marginal_cost: float = 0.4
    price: float = 1.0
    highest_price: float = 5.0
    distillation_tokens: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "spend", read_only(self.spend))
        if not self.name:
            raise MarketError("a provider needs a name")
        where = f"provider {self.name!r}: "
        _one_axis(self.spend, f"{where}spend")
        if len(self.odds) != self.spend.size:
            raise MarketError(f"{where}odds of {len(self.odds)} problems and costs of {self.spend.size}")
        _check((self.spend > 0) & np.isfinite(self.spend), self.spend, f"{where}spend", "must be positive and finite")
        _positive(self.marginal_cost, f"{where}marginal_cost", zero=True)
        _positive(self.price, f"{where}price")
        if not (self.highest_price >= self.price and np.isfinite(self.highest_price)):
            raise MarketError(f"{where}highest_price = {self.highest_price:g} is below price = {self.price:g}, or not finite")
        if self.distillation_tokens is not None:
            _positive(self.distillation_tokens, f"{where}distillation_tokens")

    def take(self, problems: IntArray) -> Self:
        """The same provider on a selection of the problems (an index may repeat)."""
        return replace(self, odds=self.odds.take(problems), spend=self.spend[problems])


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A threshold cascade as data, and the share of customers it is used for.

    order : names of providers, first bought from first.
    thresholds : the most allotted to each of them per problem: money at list price (attempts, if these are allotted).
    weight : share of queries that follow it, in (0, 1].
    """

    order: tuple[str, ...]
    thresholds: tuple[float, ...]
    weight: float = 1.0

    def __post_init__(self) -> None:
        if len(self.order) != len(self.thresholds):
            raise MarketError(f"a policy with {len(self.order)} providers in order has {len(self.thresholds)} thresholds")
        if len(set(self.order)) != len(self.order):
            raise MarketError(f"a policy names a provider twice: {', '.join(self.order)}")
        for threshold in self.thresholds:
            if not (threshold >= 0 and np.isfinite(threshold)):
                raise MarketError(f"a policy's thresholds must be >= 0 and finite, found {threshold:g}")
        if not 0 < self.weight <= 1 + WEIGHT_TOLERANCE:
            raise MarketError(f"a policy's weight must lie in (0, 1], found {self.weight:g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Arbitrageur:
    """A reseller of verified solutions.

    access : names of the providers it buys from; None is all of them.
    overhead : its own cost as a share of its provider bill, >= 0.
    policies : if any, the only policies it may use, with weights; weight left over abstains. Empty: it optimises.
    """

    name: str
    access: tuple[str, ...] | None = None
    overhead: float = 0.0
    policies: tuple[Policy, ...] = ()

    def __post_init__(self) -> None:
        where = f"arbitrageur {self.name!r}: "
        if not self.name:
            raise MarketError("an arbitrageur needs a name")
        if self.access is not None and (not self.access or len(set(self.access)) != len(self.access)):
            raise MarketError(f"{where}access must name at least one provider, and none twice")
        _positive(self.overhead, f"{where}overhead", zero=True)
        total = sum(policy.weight for policy in self.policies)
        if total > 1 + WEIGHT_TOLERANCE:
            raise MarketError(f"{where}weights of its policies sum to {total:g}, more than 1")
        if self.access is not None:
            for policy in self.policies:
                for name in policy.order:
                    if name not in self.access:
                        raise MarketError(f"{where}a policy buys from {name!r}, outside its access")


@dataclass(frozen=True, slots=True, kw_only=True)
class Regime:
    """A regime of the price game: the market's arbitrageurs, by name, that compete in quotes in it."""

    name: str
    arbitrageurs: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.name:
            raise MarketError("a regime needs a name")
        if self.name in BUILT_IN_REGIMES:
            raise MarketError(f"regime {self.name!r}: the name is taken ({', '.join(BUILT_IN_REGIMES)} are built in)")
        if len(set(self.arbitrageurs)) != len(self.arbitrageurs):
            raise MarketError(f"regime {self.name!r} names an arbitrageur twice")


BUILT_IN_REGIMES = ("direct", "matching", "monopoly", "competitive")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Consumers who want performance `level` if it costs at most `budget` per problem. `mass` is how many there are.

    level : pass rate in (0, 1]. budget : money, >= 0. mass : > 0.
    """

    level: float
    budget: float
    mass: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.level <= 1:
            raise MarketError(f"target consumers: level = {self.level:g} must lie in (0, 1]. A percentage? Divide by 100.")
        _positive(self.budget, "target consumers: budget", zero=True)
        _positive(self.mass, "target consumers: mass")


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """Consumers to whom a verified solution is worth `value` money, >= 0. `mass` is how many there are, > 0."""

    value: float
    mass: float = 1.0

    def __post_init__(self) -> None:
        _positive(self.value, "value consumers: value", zero=True)
        _positive(self.mass, "value consumers: mass")


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """Consumers whose value of a verified solution is distributed. `mass` is how many there are, > 0.

    distribution : `lognormal`, parameters (median, sigma), both > 0; or `uniform`, (low, high), 0 <= low < high.
    """

    distribution: str
    parameters: tuple[float, float]
    mass: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "parameters", tuple(self.parameters))
        where = f"{self.distribution} population: "
        if self.distribution not in ("lognormal", "uniform"):
            raise MarketError(f"a population's distribution is lognormal or uniform, found {self.distribution!r}")
        if len(self.parameters) != 2:
            raise MarketError(f"{where}needs 2 parameters, found {len(self.parameters)}")
        if self.distribution == "lognormal":
            _positive(self.parameters[0], f"{where}median")
            _positive(self.parameters[1], f"{where}sigma")
        else:
            _positive(self.parameters[0], f"{where}low", zero=True)
            _positive(self.parameters[1], f"{where}high")
            if not self.parameters[0] < self.parameters[1]:
                raise MarketError(f"{where}low = {self.parameters[0]:g} must be below high = {self.parameters[1]:g}")
        _positive(self.mass, f"{where}mass")


Consumers = Target | Value | Population


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Market:
    """Every provider that sells, on one set of problems.

    providers : the M sellers, all with odds and costs for the same N problems.
    weights : (N,) shares q of the problems, > 0, sum 1.
    unit : unit of money, e.g. USD.
    max_budget : the most that may be allotted to one problem, summed over providers, money at list price; None: no cap.
    max_attempts : the most attempts per provider on one problem under attempt allocation; None: no cap.
    problems : N names of problems or classes.
    regimes : of the price game, beside the built-in ones.
    dropped : why problems of the logs are not part of the market, {reason: number}; empty for specifications.
    origin : (N,) which problem each class is a part of, counted from 0: an estimator may believe of one problem that it is
        one of several classes. Resamples draw such classes together. None: each class is a problem of its own.
    """

    name: str
    providers: tuple[Provider, ...]
    weights: FloatArray
    unit: str = "USD"
    max_budget: float | None = None
    max_attempts: int | None = None
    problems: tuple[str, ...] = ()
    arbitrageurs: tuple[Arbitrageur, ...] = ()
    consumers: tuple[Consumers, ...] = ()
    regimes: tuple[Regime, ...] = ()
    dropped: Mapping[str, int] = field(default_factory=dict)
    origin: IntArray | None = None

    def __post_init__(self) -> None:
        for column in ("providers", "problems", "arbitrageurs", "consumers", "regimes"):
            object.__setattr__(self, column, tuple(getattr(self, column)))
        object.__setattr__(self, "dropped", dict(self.dropped))
        if not self.providers:
            raise MarketError("a market needs at least one provider")
        names = self.names
        if len(set(names)) != len(names):
            raise MarketError(f"two providers of one name: {', '.join(names)}")
        q = read_only(self.weights)
        _one_axis(q, "weights")
        _check((q > 0) & (q <= 1 + WEIGHT_TOLERANCE), q, "weights", "must lie in (0, 1]")
        if q.size == 0:
            raise MarketError("a market needs at least one problem")
        if abs(q.sum() - 1) > WEIGHT_TOLERANCE:
            raise MarketError(f"weights sum to {q.sum():.9g} instead of 1")
        object.__setattr__(self, "weights", q if abs(q.sum() - 1) <= ROUNDING else read_only(q / q.sum()))
        for provider in self.providers:
            if provider.spend.size != q.size:
                raise MarketError(f"provider {provider.name!r} has {provider.spend.size} problems, the market {q.size}")
        if not self.problems:
            object.__setattr__(self, "problems", tuple(f"class {x + 1}" for x in range(q.size)))
        if len(self.problems) != q.size:
            raise MarketError(f"{len(self.problems)} names for {q.size} problems")
        if self.origin is not None:
            object.__setattr__(self, "origin", read_only_counts(self.origin))
            if self.origin.shape != q.shape or (self.origin < 0).any():
                raise MarketError(f"origin needs one number >= 0 for each of {q.size} classes")
        if self.max_budget is not None:
            _positive(self.max_budget, "max_budget")
        if self.max_attempts is not None and self.max_attempts < 1:
            raise MarketError(f"max_attempts = {self.max_attempts} must be at least 1")
        if len({a.name for a in self.arbitrageurs}) != len(self.arbitrageurs):
            raise MarketError("two arbitrageurs of one name")
        for arbitrageur in self.arbitrageurs:
            bought = [*(arbitrageur.access or ()), *(name for policy in arbitrageur.policies for name in policy.order)]
            self.positions(bought, f"arbitrageur {arbitrageur.name!r}")
        if len({r.name for r in self.regimes}) != len(self.regimes):
            raise MarketError("two regimes of one name")
        for regime in self.regimes:
            for name in regime.arbitrageurs:
                if name not in {a.name for a in self.arbitrageurs}:
                    raise MarketError(f"regime {regime.name!r}: unknown arbitrageur {name!r}")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the providers, in order."""
        return tuple(provider.name for provider in self.providers)

    @property
    def prices(self) -> FloatArray:
        """(M,) posted multipliers m."""
        return read_only([provider.price for provider in self.providers])

    @property
    def problem_count(self) -> int:
        """How many problems there are: classes that are parts of one (`origin`) count once."""
        return self.weights.size if self.origin is None else np.unique(self.origin).size

    @property
    def dropped_problems(self) -> int:
        """How many problems of the logs are not part of the market: each is counted under one reason."""
        return sum(self.dropped.values())

    def positions(self, names: Sequence[str], asked_by: str) -> tuple[int, ...]:
        """Indices of providers by name; a `MarketError` that names `asked_by` if one is unknown."""
        for name in names:
            if name not in self.names:
                raise MarketError(f"{asked_by}: unknown provider {name!r}; the market has {', '.join(self.names)}")
        return tuple(self.names.index(name) for name in names)

    def restrict(self, names: Sequence[str]) -> Market:
        """The market of some of its providers, on the same problems; arbitrageurs lose access to the others.

        Raises `MarketError` if a name is unknown, repeated, or if a fixed policy buys from a provider that is left out.
        """
        kept = self.positions(names, "providers")
        if len(set(kept)) != len(kept):
            raise MarketError(f"providers: one is named twice in {', '.join(names)}")
        arbitrageurs = tuple(
            replace(a, access=None if a.access is None else tuple(n for n in a.access if n in names)) for a in self.arbitrageurs
        )
        return replace(self, providers=tuple(self.providers[i] for i in kept), arbitrageurs=arbitrageurs)

    def at_prices(self, prices: Mapping[str, float]) -> Market:
        """The same market with some price multipliers replaced; a `MarketError` for an unknown name or a bad price."""
        self.positions(list(prices), "prices")
        providers = tuple(
            replace(p, price=prices[p.name], highest_price=max(p.highest_price, prices[p.name])) if p.name in prices else p
            for p in self.providers
        )
        return replace(self, providers=providers)

    def with_tokens(self, tokens: Mapping[str, float]) -> Market:
        """The same market, some of its providers known to be distilled; a `MarketError` for an unknown name or bad number."""
        self.positions(list(tokens), "tokens")
        providers = (replace(p, distillation_tokens=tokens[p.name]) if p.name in tokens else p for p in self.providers)
        return replace(self, providers=tuple(providers))

    def reweighted(self, weights: ArrayLike) -> Market:
        """The same problems with other weights; problems of weight zero are dropped."""
        q = np.asarray(weights, dtype=np.float64)
        kept = np.flatnonzero(q > 0)
        return replace(
            self,
            weights=q[kept] / q[kept].sum(),
            providers=tuple(p.take(kept) for p in self.providers),
            problems=tuple(self.problems[x] for x in kept),
            origin=None if self.origin is None else self.origin[kept],
        )

    def digest(self) -> str:
        """A hash of all that an answer about the market may depend on, but for its name."""
        found = hashlib.sha256()
        for p in self.providers:
            for array in (*(getattr(p.odds, column) for column in p.odds.__slots__), p.spend):
                found.update(np.ascontiguousarray(array).tobytes())
            found.update(repr((p.name, type(p.odds).__name__, p.marginal_cost, p.price, p.highest_price)).encode())
        for array in (self.weights, *(() if self.origin is None else (self.origin,))):
            found.update(np.ascontiguousarray(array).tobytes())
        rest = (self.unit, self.max_budget, self.max_attempts, self.problems, self.arbitrageurs, self.regimes, self.consumers)
        found.update(repr(rest).encode())
        return found.hexdigest()

    def divided(self, problem: IntArray, weights: ArrayLike) -> Market:
        """The market with its problems divided into classes, which share their odds and costs for the time being.

        problem : (K,) which problem each class is a part of. weights : (K,) of the classes, > 0, sum 1.
        """
        rank = np.arange(problem.size) - np.searchsorted(problem, problem)
        return replace(
            self,
            weights=np.asarray(weights, dtype=np.float64),
            providers=tuple(p.take(problem) for p in self.providers),
            problems=tuple(f"{self.problems[x]} #{k + 1}" for x, k in zip(problem, rank, strict=True)),
            origin=problem if self.origin is None else self.origin[problem],
        )

    def resampled(self, resamples: int, generator: np.random.Generator) -> FloatArray:
        """(B, N) weights in each of B resamples: as many problems as there are, drawn with replacement by their weights.

        Classes that are parts of one problem (`origin`) are drawn together. Rows sum to one.
        """
        if self.origin is None:
            return generator.multinomial(self.weights.size, self.weights, size=resamples) / self.weights.size
        _, part_of = np.unique(self.origin, return_inverse=True)
        whole = np.bincount(part_of, weights=self.weights)
        drawn = generator.multinomial(whole.size, whole / whole.sum(), size=resamples) / whole.size
        found: FloatArray = drawn[:, part_of] * (self.weights / whole[part_of])
        return found
