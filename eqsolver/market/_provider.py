"""A seller of attempts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from eqsolver._base import FloatArray, IntArray, MarketError
from eqsolver.market._checks import check, one_axis, positive, read_only
from eqsolver.market._limits import check_magnitude, check_name
from eqsolver.market._odds import Odds

RESERVED = "arbitrageur"
"""Beside the providers' names in every `revenue_share`."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Provider:
    """A seller of attempts.

    odds : chances of success on each of N problems, from a specification (`Geometric`), from logs (`Sampled`), or as an
        estimator believes them to be (`Estimated`).
    spend : (N,) cost of one attempt that succeeds at list price, w_s, money, > 0 and finite; 0 on every problem if it is free.
    spend_failed : (N,) cost of one that fails, w_f, likewise; None: the same. See `spend_if_failed`.
    free : it costs nothing: bounded by attempts, never by money, and never strategic.
    marginal_cost : κ, the provider's own cost as a share of list price, >= 0.
    price : m, multiplier on list price, > 0; one *unit* is money at list price, so a bill is `price * units`.
    highest_price : the highest multiplier the provider may post, >= price.
    distillation_tokens : how many tokens of a teacher it was trained on, > 0 and finite; None: it is not a known student.
    """

    name: str
    odds: Odds
    spend: FloatArray
    spend_failed: FloatArray | None = None
    free: bool = False
    marginal_cost: float = 0.4
    price: float = 1.0
    highest_price: float = 5.0
    distillation_tokens: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "spend", read_only(self.spend))
        if self.spend_failed is not None:
            object.__setattr__(self, "spend_failed", read_only(self.spend_failed))
        check_name(self.name, "provider")
        if self.name == RESERVED:
            raise MarketError(f"provider {self.name!r}: the name stands for resellers in answers; rename it")
        where = f"provider {self.name!r}: "
        one_axis(self.spend, f"{where}spend")
        if len(self.odds) != self.spend.size:
            raise MarketError(f"{where}odds of {len(self.odds)} problems and costs of {self.spend.size}")
        failed = self.spend_if_failed
        if failed.shape != self.spend.shape:
            raise MarketError(f"{where}spend has {self.spend.size} problems and spend_failed {failed.size}")
        for column, cost in (("spend", self.spend), ("spend_failed", failed)):
            if self.free:
                check(cost == 0, cost, f"{where}{column}", "must be 0: the provider is declared free")
            else:
                check((cost > 0) & np.isfinite(cost), cost, f"{where}{column}", "must be positive and finite")
                check_magnitude(cost, f"{where}{column}")
        positive(self.marginal_cost, f"{where}marginal_cost", zero=True)
        positive(self.price, f"{where}price")
        if not (self.highest_price >= self.price and np.isfinite(self.highest_price)):
            raise MarketError(f"{where}highest_price = {self.highest_price:g} is below price = {self.price:g}, or not finite")
        positive(self.highest_price, f"{where}highest_price")
        if self.distillation_tokens is not None:
            positive(self.distillation_tokens, f"{where}distillation_tokens")

    def take(self, problems: IntArray) -> Self:
        """The same provider on a selection of the problems (an index may repeat)."""
        failed = None if self.spend_failed is None else self.spend_failed[problems]
        return replace(self, odds=self.odds.take(problems), spend=self.spend[problems], spend_failed=failed)

    def costs_scaled(self, factor: float) -> Self:
        """The same provider, every attempt costing `factor` times as much."""
        failed = None if self.spend_failed is None else factor * self.spend_failed
        return replace(self, spend=factor * self.spend, spend_failed=failed)

    @property
    def spend_if_failed(self) -> FloatArray:
        """(N,) cost w_f of an attempt that fails, money at list price."""
        return self.spend if self.spend_failed is None else self.spend_failed

    @property
    def mean_spend(self) -> FloatArray:
        """(N,) expected cost of one attempt at list price, money: w_s where it succeeds, w_f where it fails."""
        p = self.odds.mean
        cost: FloatArray = p * self.spend + (1 - p) * self.spend_if_failed
        return cost
