"""Arbitrageurs that undercut each other's posted price lists, and where that comes to rest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eqsolver._base import FloatArray, UsageError
from eqsolver.market import Limits


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Undercutting:
    """Rounds of undercutting between alike arbitrageurs, over L levels.

    factor : what share of the best rival price each asks next.
    price : (R, L) market price after each round, infinite where there is none.
    margin : (R, L) profit over the *sell* price [OSH], of whoever sells; nan where there is no price.
    rest : (L,) the price at which nobody moves any more.
    """

    factor: float
    price: FloatArray
    margin: FloatArray
    rest: FloatArray


def check_undercutting(factor: float, rounds: int) -> None:
    """Raise `UsageError` for a factor outside (0, 1), or for no round or more than can be held."""
    if not 0 < factor < 1:
        raise UsageError(f"the undercutting factor must lie between 0 and 1, not {factor:g}")
    if not 1 <= rounds <= Limits().rounds:
        raise UsageError(f"undercutting needs 1 to {Limits().rounds} rounds, not {rounds}")


def undercut(market_price: FloatArray, costs: FloatArray, factor: float = 0.93, rounds: int = 7) -> Undercutting:
    """In turn each arbitrageur posts max(factor x best rival price, own cost); customers buy at the lowest price.

    Parameters
    ----------
    market_price : (L,) C_P. costs : (A, L) each arbitrageur's cost, A >= 2 (alike ones repeat a row).
    factor : in (0, 1). rounds : how many are reported, >= 1.

    Raises
    ------
    UsageError : factor outside (0, 1), fewer than one round.

    Notes
    -----
    THEORY section 6. Arbitrageurs take turns, the cheapest first. One that cannot sell posts its own cost all the same, which
    is what the cheapest then undercuts. The price rests at
    min(C_P, max(lowest cost, factor x min(C_P, second-lowest cost))).
    """
    check_undercutting(factor, rounds)
    ranked = np.sort(costs, axis=0)
    posted = np.full((2, market_price.size), np.inf)
    prices, margins = [], []
    for turn in range(rounds):
        mover = turn % 2
        rival = np.minimum(market_price, posted[1 - mover])
        posted[mover] = np.maximum(factor * rival, ranked[mover])
        price = np.minimum(market_price, posted.min(axis=0))
        seller_cost = np.where(posted[0] <= posted[1], ranked[0], ranked[1])
        sold = posted.min(axis=0) < market_price
        with np.errstate(invalid="ignore", divide="ignore"):  # where nobody sells below a market price of 0
            margin = np.where(sold, 1.0 - seller_cost / price, 0.0)
        prices.append(price)
        margins.append(np.where(np.isfinite(market_price), margin, np.nan))
    rest = np.minimum(market_price, np.maximum(ranked[0], factor * np.minimum(market_price, ranked[1])))
    return Undercutting(
        factor=factor,
        price=np.array(prices),
        margin=np.array(margins),
        rest=np.where(np.isfinite(market_price), rest, np.inf),
    )
