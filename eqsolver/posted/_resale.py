"""A policy sold at the market price wherever it is below it: margins, and who earns what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eqsolver._base import FloatArray
from eqsolver.posted._offers import TIE, Offers


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Resale:
    """What one way of buying means for the market at each of L levels; money per problem, nan where undefined.

    buy_cost : (L,) what a verified level costs the arbitrageur, overhead included; infinite where it is not reached.
    margin : (L,) max(C_P - buy_cost, 0) / C_P; nan where no provider reaches the level and so no market price exists.
    units : (M, L) expected list-price money the policy spends on each provider, infinite where not reached.
    revenue : (M, L) providers' revenue with the arbitrageur present: the policy's where it sells, the direct sale elsewhere.
    arbitrageur_profit : (L,) market price less buy cost where it sells, 0 elsewhere.
    revenue_share : (M + 1, L) of what consumers pay: providers, then the arbitrageur (its overhead included).
    revenue_change : (L,) providers' revenue with over without the arbitrageur.
    served : (L,) share of queries that the arbitrageur sells to.
    """

    buy_cost: FloatArray
    margin: FloatArray
    units: FloatArray
    revenue: FloatArray
    arbitrageur_profit: FloatArray
    revenue_share: FloatArray
    revenue_change: FloatArray
    served: FloatArray

    @property
    def mean_margin(self) -> float:
        """Mean over the levels that have a market price; nan if none has."""
        priced = self.margin[np.isfinite(self.margin)]
        return float(priced.mean()) if priced.size else float("nan")


def resale(
    offers: Offers,
    prices: FloatArray,
    units: Sequence[FloatArray],
    shares: Sequence[float] = (1.0,),
    overhead: float = 0.0,
) -> Resale:
    """Sell at the market price what a policy, or a mixture of policies, buys for less.

    Parameters
    ----------
    prices : (M,) multipliers. units : per policy (M, L) expected units, infinite where the level is not reached.
    shares : per policy, the share of queries that follow it; the rest abstains, and those customers buy direct.
    overhead : the arbitrageur's own cost, as a share of its provider bill.

    Notes
    -----
    THEORY sections 4 and 6. A policy that costs no less than the market price at a level, up to rounding, abstains there. The
    buy cost of a mixture counts the queries it abstains from at the market price, so that its margin is
    (C_P - buy_cost) / C_P too.
    """
    price, direct = offers.market_price, offers.revenue
    priced = np.isfinite(price)
    costs = [(1 + overhead) * _bill(prices, bought) for bought in units]
    served, revenue = np.zeros(price.size), np.zeros_like(direct)
    spent, expected = np.zeros(price.size), np.zeros_like(direct)
    for share, bought, cost in zip(shares, units, costs, strict=True):
        sells = priced & (cost < price * (1 - TIE))
        served += share * sells
        finite = np.where(np.isfinite(cost), bought, 0.0)
        revenue += share * np.where(sells, prices[:, None] * finite, 0.0)
        spent += share * np.where(sells, cost, 0.0)
        expected += share * bought
    direct_share = np.clip(1.0 - served, 0.0, 1.0)
    revenue = np.where(priced, revenue + np.where(direct_share > 0, direct_share * direct, 0.0), np.nan)
    if len(costs) == 1 and shares[0] == 1.0:
        buy_cost = costs[0]
    else:
        reached = sum((share * np.isfinite(cost) for share, cost in zip(shares, costs, strict=True)), np.zeros(price.size))
        unpriced = sum((share * cost for share, cost in zip(shares, costs, strict=True)), np.zeros(price.size))
        buy_cost = np.where(priced, spent + direct_share * np.where(priced, price, 0.0), unpriced)
        buy_cost = np.where(priced | (reached >= 1 - 1e-9), buy_cost, np.inf)
    profit = np.where(priced, served * np.where(priced, price, 0.0) - spent, np.nan)
    payment = np.where(priced & (price > 0), price, np.nan)  # what a free provider sells has no margin, and no shares
    providers = revenue.sum(axis=0)
    return Resale(
        buy_cost=buy_cost,
        margin=profit / payment,
        units=expected,
        revenue=revenue,
        arbitrageur_profit=profit,
        revenue_share=np.vstack([revenue, payment - providers]) / payment,
        revenue_change=providers / payment,
        served=np.where(priced, served, 0.0),
    )


def _bill(prices: FloatArray, units: FloatArray) -> FloatArray:
    reached = np.isfinite(units).all(axis=0)
    return np.where(reached, prices @ np.where(reached, units, 0.0), np.inf)
