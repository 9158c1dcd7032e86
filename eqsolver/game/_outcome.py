"""Who serves whom at what price: the whole account of a market at given prices, in any regime."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np

from eqsolver._base import FloatArray
from eqsolver.game._choices import Choices, Menu
from eqsolver.game._consumers import Crowd
from eqsolver.game._sales import Conduct, bill_of, level_of

STEP = 0.01
"""Relative change of a price over which cross-price effects are taken, centred."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outcome:
    """A market's account, money and consumers in total (not per head). Axes: R price vectors, M providers, B arbitrageurs.

    prices : (R, M) multipliers. units : (R, M) list-price money sold. revenue : (R, M) = prices x units.
    profit : (R, M) = (prices - marginal cost) x units.
    arbitrageur_profit : (R, B). overhead : (R,) arbitrageurs' own costs.
    consumer_bill : (R,) what consumers pay: revenue + arbitrageurs' profit + overhead.
    consumer_surplus : (R,) what their solutions are worth to them less their bill (target types: budget less price).
    solved : (R,) expected solved problems. served : (R,) consumers who buy.
    """

    prices: FloatArray
    units: FloatArray
    revenue: FloatArray
    profit: FloatArray
    arbitrageur_profit: FloatArray
    overhead: FloatArray
    consumer_bill: FloatArray
    consumer_surplus: FloatArray
    solved: FloatArray
    served: FloatArray
    arbitrageurs: tuple[str, ...]

    def expected(self, probabilities: FloatArray) -> Outcome:
        """The average over price vectors, drawn with `probabilities` (R,); R is 1 afterwards."""
        columns = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "arbitrageurs"}
        return Outcome(
            **{name: np.tensordot(probabilities, values, 1)[None] for name, values in columns.items()},
            arbitrageurs=self.arbitrageurs,
        )

    @property
    def total_surplus(self) -> FloatArray:
        """(R,) consumers' surplus and all profits: of providers at their marginal costs, and of arbitrageurs."""
        return np.asarray(self.consumer_surplus + self.profit.sum(axis=1) + self.arbitrageur_profit.sum(axis=1))

    @property
    def hhi(self) -> FloatArray:
        """(R,) Herfindahl-Hirschman index of providers' revenue, nan where there is none."""
        total = self.revenue.sum(axis=1, keepdims=True)
        share = np.divide(self.revenue, total, out=np.full_like(self.revenue, np.nan), where=total > 0)
        return np.asarray((share**2).sum(axis=1))

    @property
    def sellers(self) -> FloatArray:
        """(R,) providers with at least a thousandth of providers' revenue."""
        return np.asarray((self.revenue > 1e-3 * self.revenue.sum(axis=1, keepdims=True)).sum(axis=1).astype(np.float64))


def outcome(conduct: Conduct, crowd: Crowd, prices: FloatArray, marginal_costs: FloatArray) -> Outcome:
    """The account of a regime at each of R price vectors (R, M).

    Notes
    -----
    THEORY section 6. With quotes, an arbitrageur earns what customers would lose without it: the integral over consumers of the
    best utility with it less that without; so is the surplus, exact against the distribution.
    """
    names = tuple(dict.fromkeys(menu.name for _, menus in conduct.states for menu in menus))
    account = _Account(prices, names)
    for share, menus in conduct.states:
        if crowd.has_values:
            follow = _value_types_on_list if conduct.follows_list else _value_types_on_quotes
            follow(account, share, conduct, menus, crowd)
        if crowd.levels.size:
            _target_types(account, share, conduct, menus, crowd)
    return Outcome(
        prices=prices,
        units=account.units,
        revenue=prices * account.units,
        profit=(prices - marginal_costs) * account.units,
        arbitrageur_profit=account.arbitrageur_profit,
        overhead=np.maximum(account.overhead, 0.0),  # it is a difference: rounding may take it below
        consumer_bill=account.gross - account.surplus,
        consumer_surplus=account.surplus,
        solved=account.solved,
        served=account.served,
        arbitrageurs=names,
    )


def cross_price(sold: Callable[[FloatArray], FloatArray], prices: FloatArray, probabilities: FloatArray) -> FloatArray:
    """(M, M) d units_i / d price_j, expected over price vectors (R, M): positive off the diagonal for substitutes.

    sold : (R, M) prices -> (R, M) units.

    Notes
    -----
    Central differences over `STEP` of the price: derived demand has jumps where policies flip, a derivative would miss them.
    """
    M = prices.shape[1]
    found = np.zeros((M, M))
    for j in range(M):
        up, down = prices.copy(), prices.copy()
        up[:, j] *= 1 + STEP
        down[:, j] *= 1 - STEP
        change = sold(up) - sold(down)
        found[:, j] = probabilities @ (change / (2 * STEP * prices[:, j])[:, None])
    return found


class _Account:
    """Sums being taken over states and kinds of consumers."""

    def __init__(self, prices: FloatArray, names: Sequence[str]) -> None:
        R, M = prices.shape
        self.prices, self.position = prices, {name: b for b, name in enumerate(names)}
        self.units, self.arbitrageur_profit = np.zeros((R, M)), np.zeros((R, len(names)))
        self.overhead, self.gross, self.surplus, self.solved, self.served = (np.zeros(R) for _ in range(5))

    def value_types(self, share: float, chosen: Choices, crowd: Crowd, paid: FloatArray) -> None:
        """Add what value types choose; `paid` (R, E) is what each choice costs whoever delivers it, overhead included."""
        buyers = crowd.above(chosen.slope)
        steps = np.diff(chosen.solved, axis=1, prepend=0.0) * (chosen.menu >= 0)
        units = np.einsum("re,rem->rm", buyers, np.diff(chosen.units, axis=1, prepend=0.0))
        self.units += share * units
        self.overhead += share * (_along(buyers, paid) - (self.prices * units).sum(axis=1))
        self.gross += share * (steps * crowd.worth_above(np.where(chosen.menu >= 0, chosen.slope, 0.0))).sum(axis=1)
        self.solved += share * (steps * buyers).sum(axis=1)
        self.served += share * (buyers[:, 0] if buyers.shape[1] else 0.0)


def _along(buyers: FloatArray, values: FloatArray) -> FloatArray:
    """(R,) sum over consumers of the value (R, E) of the choice that each makes."""
    return np.asarray((buyers * np.diff(values, axis=1, prepend=0.0)).sum(axis=1))


def _utility(chosen: Choices, crowd: Crowd) -> FloatArray:
    """(R,) sum over value types of v u - cost at the best choice."""
    on = chosen.menu >= 0
    worth = crowd.worth_above(np.where(on, chosen.slope, 0.0))
    solved = np.diff(chosen.solved, axis=1, prepend=0.0) * on
    return np.asarray((solved * worth).sum(axis=1) - _along(crowd.above(chosen.slope), chosen.cost))


def _value_types_on_quotes(account: _Account, share: float, conduct: Conduct, menus: tuple[Menu, ...], crowd: Crowd) -> None:
    chosen = conduct.on_sale(menus, account.prices)
    account.value_types(share, chosen, crowd, chosen.cost)
    best = left = _utility(chosen, crowd)
    for number, menu in enumerate(menus if not conduct.alike else ()):
        others = conduct.on_sale((*menus[:number], *menus[number + 1 :]), account.prices)
        earned = np.maximum(best - _utility(others, crowd), 0.0)
        account.arbitrageur_profit[:, account.position[menu.name]] += share * earned
        left = left - earned
    account.surplus += share * left


def _value_types_on_list(account: _Account, share: float, conduct: Conduct, menus: tuple[Menu, ...], crowd: Crowd) -> None:
    listed = conduct.on_sale((), account.prices)
    delivered, serving = conduct.delivered(listed, menus, account.prices)
    buyers = crowd.above(listed.slope)
    account.value_types(share, delivered, crowd, delivered.cost)
    account.surplus += share * _utility(listed, crowd)
    for number, menu in enumerate(menus):
        saved = np.where(serving == number, listed.cost - delivered.cost, 0.0)
        account.arbitrageur_profit[:, account.position[menu.name]] += share * _along(buyers, saved)


def _target_types(account: _Account, share: float, conduct: Conduct, menus: tuple[Menu, ...], crowd: Crowd) -> None:
    mass, budget, prices = crowd.target_masses, crowd.budgets, account.prices
    listed, _ = conduct.cheapest((), crowd.levels, prices)
    costs = [bill_of(menu, menu.supply.cheapest(prices)[:, level_of(menu, crowd.levels)], prices)[0] for menu in menus]
    cost, units = conduct.cheapest(menus, crowd.levels, prices)
    buys = mass * ((listed if conduct.follows_list else cost) <= budget)
    paid = np.where(buys > 0, cost, 0.0)
    price = np.where(buys > 0, listed if conduct.follows_list else paid, 0.0)
    for number, menu in enumerate(menus):
        others = np.minimum(listed, np.min([c for k, c in enumerate(costs) if k != number], axis=0, initial=np.inf))
        asked = listed if conduct.follows_list else np.minimum(others, budget)
        serves = (buys > 0) & (costs[number] <= paid) & (costs[number] < np.where(conduct.follows_list, listed, others))
        if not conduct.alike:
            price = np.where(serves, asked, price)
            account.arbitrageur_profit[:, account.position[menu.name]] += share * (
                buys * np.where(serves, asked - paid, 0.0)
            ).sum(axis=1)
    sold = np.einsum("rg,rgm->rm", buys, units)
    account.units += share * sold
    account.overhead += share * ((buys * paid).sum(axis=1) - (prices * sold).sum(axis=1))
    account.gross += share * (buys * budget).sum(axis=1)
    account.surplus += share * (buys * (budget - price)).sum(axis=1)
    account.solved += share * (buys * crowd.levels).sum(axis=1)
    account.served += share * buys.sum(axis=1)


def columns(names: Sequence[str], values: FloatArray) -> Mapping[str, float]:
    """One row of an account by name."""
    return dict(zip(names, map(float, values), strict=True))
