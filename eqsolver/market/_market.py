"""The market as data: who sells attempts, on which problems, to whom. Frozen, checked once."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from eqsolver._base import FloatArray, IntArray, MarketError
from eqsolver.market._arbitrageurs import Arbitrageur, Regime
from eqsolver.market._checks import ROUNDING, WEIGHT_TOLERANCE, check, one_axis, positive, read_only, read_only_counts
from eqsolver.market._consumers import Consumers
from eqsolver.market._limits import check_cost_ratio, check_magnitude, check_name, check_resamples
from eqsolver.market._odds import Sampled
from eqsolver.market._provider import Provider
from eqsolver.market._stopping import log_notes

Allot = Literal["money", "attempts"]
Overrun = Literal["finish", "cut", "never"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Market:
    """Every provider that sells, on one set of problems.

    providers : the M sellers, all with odds and costs for the same N problems.
    weights : (N,) shares q of the problems, > 0, sum 1.
    unit : unit of money, e.g. USD.
    max_budget : the most that may be allotted to one problem, summed over providers, money at list price; None: no cap.
    max_attempts : the most attempts per provider on one problem where attempts are allotted, and of free providers; None: none.
    allot, overrun : the rule for attempts that the market is solved under where nobody says otherwise (THEORY section 2); None:
        the default.
    problems : N names of problems or classes.
    regimes : of the price game, beside the built-in ones.
    dropped : why problems of the logs are not part of the market, {reason: number}; empty for specifications.
    origin : (N,) which problem each class is a part of, counted from 0: an estimator may believe of one problem that it is
        one of several classes. Resamples draw such classes together. None: each class is a problem of its own.
    observed_problems : how many problems classes were estimated from: resamples draw so many. None: as many as there are here.
    notes : what a reader of any answer must know of the logs, a line each, see `log_notes`; no answer depends on them.
    """

    name: str
    providers: tuple[Provider, ...]
    weights: FloatArray
    unit: str = "USD"
    max_budget: float | None = None
    max_attempts: int | None = None
    allot: Allot | None = None
    overrun: Overrun | None = None
    problems: tuple[str, ...] = ()
    arbitrageurs: tuple[Arbitrageur, ...] = ()
    consumers: tuple[Consumers, ...] = ()
    regimes: tuple[Regime, ...] = ()
    dropped: Mapping[str, int] = field(default_factory=dict)
    origin: IntArray | None = None
    observed_problems: int | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for column in ("providers", "problems", "arbitrageurs", "consumers", "regimes", "notes"):
            object.__setattr__(self, column, tuple(getattr(self, column)))
        object.__setattr__(self, "dropped", dict(self.dropped))
        check_name(self.name, "market")
        check_name(self.unit, "unit of money")
        if not self.providers:
            raise MarketError("a market needs at least one provider")
        names = self.names
        if len(set(names)) != len(names):
            raise MarketError(f"two providers of one name: {', '.join(names)}")
        q = read_only(self.weights)
        one_axis(q, "weights")
        check((q > 0) & (q <= 1 + WEIGHT_TOLERANCE), q, "weights", "must lie in (0, 1]")
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
        if not ("".join(self.problems).isprintable() and all(self.problems)):
            for problem in self.problems:
                check_name(problem, "problem")
        check_magnitude(q, "weights")
        check_cost_ratio(np.concatenate([provider.spend for provider in self.providers]))
        if self.max_budget is not None:
            positive(self.max_budget, "max_budget")
        if self.observed_problems is not None and self.observed_problems < 1:
            raise MarketError(f"observed_problems = {self.observed_problems} must be at least 1")
        if self.max_attempts is not None and self.max_attempts < 1:
            raise MarketError(f"max_attempts = {self.max_attempts} must be at least 1")
        if self.allot == "attempts" and self.overrun is not None:
            raise MarketError(f"overrun = {self.overrun!r} goes with money; allot = 'attempts'")
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

    @classmethod
    def from_attempts(cls, frame: Any, **named: Any) -> Market:
        """The market of a data frame with a row for each attempt.

        Parameters
        ----------
        frame : with columns `problem`, `provider`, `solved` (1, 0, or missing: excluded), `cost` (money, missing: unknown); and
            if known, `attempt`, `seconds`, `input_tokens` (cached ones included), `cached_tokens`, `output_tokens`, `error`.
        named : `options` (`LogOptions`), `name`, `unit`, `providers`.

        Raises `MarketError` for a column that is unknown or missing, and for values that cannot be.
        """
        from eqsolver.market._attempts import from_frame

        return from_frame(frame, **named)

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

        An arbitrageur is left out, and a note says so, if nobody is left for it to buy from or one of its fixed policies buys
        from a provider that is left out; so is a regime that it alone competes in. Raises `MarketError` if a name is unknown
        or repeated.
        """
        kept = self.positions(names, "providers")
        if len(set(kept)) != len(kept):
            raise MarketError(f"providers: one is named twice in {', '.join(names)}")
        providers = tuple(self.providers[i] for i in kept)
        notes = self.notes
        if all(isinstance(p.odds, Sampled) for p in self.providers):
            of_all = log_notes(self.providers)
            notes = (*log_notes(providers), *(note for note in notes if note not in of_all))
        arbitrageurs = tuple(a.within(names) for a in self.arbitrageurs)
        idle = {a.name for a, left in zip(self.arbitrageurs, arbitrageurs, strict=True) if left is None}
        notes += tuple(f"Arbitrageur {name} is left out: it buys from providers that are." for name in sorted(idle))
        regimes = tuple(
            replace(r, arbitrageurs=tuple(name for name in r.arbitrageurs if name not in idle))
            for r in self.regimes
            if not r.arbitrageurs or set(r.arbitrageurs) - idle
        )
        here = tuple(a for a in arbitrageurs if a is not None)
        return replace(self, providers=providers, arbitrageurs=here, regimes=regimes, notes=notes)

    def without_arbitrageurs(self) -> Market:
        """The same market with no arbitrageur, and with none of the regimes that they compete in."""
        regimes = tuple(regime for regime in self.regimes if not regime.arbitrageurs)
        return replace(self, arbitrageurs=(), regimes=regimes)

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
            for array in (
                *(getattr(p.odds, column) for column in p.odds.__slots__ if column != "ends"),
                p.spend,
                p.spend_if_failed,
            ):
                found.update(np.ascontiguousarray(array).tobytes())
            found.update(repr((p.name, type(p.odds).__name__, p.marginal_cost, p.price, p.highest_price)).encode())
        for array in (self.weights, *(() if self.origin is None else (self.origin,))):
            found.update(np.ascontiguousarray(array).tobytes())
        caps = (self.max_budget, self.max_attempts, self.allot, self.overrun, self.observed_problems)
        rest = (self.unit, caps, self.problems, self.arbitrageurs, self.regimes, self.consumers)
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
        """(B, N) weights in each of B resamples: as many problems as were observed, drawn with replacement by their weights.

        Classes that are parts of one problem (`origin`) are drawn together. Rows sum to one.
        """
        check_resamples(resamples, self.weights.size)
        if self.origin is None:
            size = self.observed_problems or self.weights.size
            return generator.multinomial(size, self.weights, size=resamples) / size
        _, part_of = np.unique(self.origin, return_inverse=True)
        whole = np.bincount(part_of, weights=self.weights)
        drawn = generator.multinomial(whole.size, whole / whole.sum(), size=resamples) / whole.size
        found: FloatArray = drawn[:, part_of] * (self.weights / whole[part_of])
        return found
