"""What providers ask for each performance level at posted prices: offers, market price, segments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eqsolver._base import BoolArray, FloatArray, IntArray
from eqsolver.market import Market
from eqsolver.technology import REACH, Steps, along_hull, lower_hull

TIE = 1e-12
"""Offers this close, relatively, are tied: the lowest marginal cost has the sale, and alike providers share it equally. A
policy that costs no less than the market price but for this earns nothing by reselling."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Offers:
    """Each provider's cheapest way to deliver each of L levels on its own, and the market price they make.

    cost : (M, L) money per problem C_i(u), infinite above the provider's reach.
    units : (M, L) list-price money behind it, cost / price.
    position : (M, L) how far the provider is bought from for it, see `Rules`; infinite where not reached.
    market_price : (L,) C_P(u) = min_i C_i(u), infinite above the best provider's reach.
    seller : (L,) position of the provider that sells at it, -1 where none does.
    sale : (M, L) share of the sale: all of it is the seller's, unless others ask as much at the same marginal cost.
    reach : (M,) the highest level each provider reaches.
    mixed_price : (L,) lower hull of all offers, for customers who randomise between offers.
    """

    levels: FloatArray
    cost: FloatArray
    units: FloatArray
    position: FloatArray
    market_price: FloatArray
    seller: IntArray
    sale: FloatArray
    reach: FloatArray
    mixed_price: FloatArray

    @property
    def revenue(self) -> FloatArray:
        """(M, L) money per problem to each provider when customers buy direct, nan where nobody sells."""
        priced = np.isfinite(self.market_price)
        return np.where(priced, self.sale * np.where(priced, self.market_price, 0.0), np.nan)


def offers(market: Market, steps: Sequence[Steps], levels: FloatArray, *, selling: Sequence[int] | None = None) -> Offers:
    """Offers of every provider of the market at its posted prices, exact at every step.

    levels : (L,) increasing, in (0, 1]. steps : of every provider.
    selling : positions of the providers that make offers; the others are private to the arbitrageur and sell to nobody
        else, so that they take no part in the market price. Default: all.

    Notes
    -----
    THEORY section 3: C_i(u; m) = m_i sum_x q_x F_i(x, b) at the smallest b with pass_i(b) >= u.
    """
    M, prices = len(market.providers), market.prices
    units, position, reach = np.full((M, levels.size), np.inf), np.full((M, levels.size), np.inf), np.zeros(M)
    corners: list[tuple[FloatArray, FloatArray]] = []
    for i, listed in enumerate(steps):
        if selling is not None and i not in selling:
            continue
        profile = listed.profile(market.weights)
        if not profile.at.size:
            continue
        reach[i] = profile.solved[-1]
        at = np.searchsorted(profile.solved, levels - REACH)
        reached = at < profile.at.size
        units[i, reached], position[i, reached] = profile.spent[at[reached]], profile.at[at[reached]]
        vertices = lower_hull(profile.solved, profile.spent)
        corners.append((profile.solved[vertices], prices[i] * profile.spent[vertices]))
    cost = prices[:, None] * units
    market_price = cost.min(axis=0)
    by_claim = sorted(range(M), key=lambda i: (market.providers[i].marginal_cost, market.names[i]))
    tied = cost[by_claim] <= market_price * (1 + TIE)
    seller = np.where(np.isfinite(market_price), np.array(by_claim)[np.argmax(tied, axis=0)], -1)
    costs = np.array([market.providers[i].marginal_cost for i in by_claim])
    sale = _sale(tied & np.isfinite(market_price), costs, np.argsort(by_claim))
    solved, bill = (np.concatenate([corner[k] for corner in corners]) for k in (0, 1))
    vertices = lower_hull(solved, bill)
    mixed = along_hull(levels, np.append(0.0, solved[vertices]), np.append(0.0, bill[vertices]))
    return Offers(
        levels=levels,
        cost=cost,
        units=units,
        position=position,
        market_price=market_price,
        seller=seller,
        sale=sale,
        reach=reach,
        mixed_price=mixed,
    )


def _sale(tied: BoolArray, marginal_costs: FloatArray, place: IntArray) -> FloatArray:
    """(M, L) shares of the sale among those tied with the lowest marginal cost; rows by claim, and then put in their places."""
    first = np.argmax(tied, axis=0)
    alike = tied & (marginal_costs[:, None] == marginal_costs[first])
    share: FloatArray = (alike / np.maximum(alike.sum(axis=0), 1))[place]
    return share
