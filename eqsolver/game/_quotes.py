"""What an arbitrageur could gain by other quotes: a search, not the formula that the quotes come from."""

from __future__ import annotations

import numpy as np

from eqsolver._base import FloatArray
from eqsolver.game._choices import Choices, Menu
from eqsolver.game._consumers import Crowd
from eqsolver.game._sales import Conduct, cheapest_of

TYPES = 101
"""Value types, spread over the crowd, whose quotes are searched."""


def quote_gain(conduct: Conduct, crowd: Crowd, prices: FloatArray) -> dict[str, float]:
    """By arbitrageur: the largest gain per customer that any level at any price brings it, money, at any of R price vectors.

    Notes
    -----
    For each value type every policy held is tried as a quote at the highest price that the customer would take, given what all
    others offer; the best is compared with what the arbitrageur earns from that type. To it is added what a policy that is not
    held may save: the shortfall, a share of the cost. In `matching` its only choice is how to deliver.
    """
    values = _spread(crowd)
    gains: dict[str, float] = {}
    for _, menus in conduct.states:
        for number, menu in enumerate(menus):
            left_out = menu.supply.shortfall
            others = (*menus[:number], *menus[number + 1 :])
            if conduct.alike:
                others = (menu, *others)
            worst = gains.get(menu.name, 0.0)
            if conduct.follows_list:
                worst = max(worst, delivery_gain(menu, prices))
            elif values.size:
                worst = max(worst, _quotes(menus, menu, others, conduct, values, prices, left_out))
            gains[menu.name] = worst
    return gains


def _quotes(
    menus: tuple[Menu, ...],
    menu: Menu,
    others: tuple[Menu, ...],
    conduct: Conduct,
    values: FloatArray,
    prices: FloatArray,
    left_out: float,
) -> float:
    outside = _best(conduct.on_sale(others, prices), values)
    with_it = _best(conduct.on_sale(menus, prices), values)
    earns = np.maximum(with_it - outside, 0.0)
    bill = menu.markup * (prices @ menu.supply.units.T)
    worst = 0.0
    for row, cost in enumerate(bill):
        tried = np.max(values[:, None] * menu.supply.solved - (1 - left_out) * cost, axis=1, initial=-np.inf)
        worst = max(worst, float(np.max(np.maximum(tried - outside[row], 0.0) - earns[row], initial=0.0)))
    return worst


def delivery_gain(menu: Menu, prices: FloatArray) -> float:
    """What an arbitrageur that matches a list may save on a level by delivering it in another way, at any price vector."""
    levels, left_out = menu.supply.levels, menu.supply.shortfall
    used, _ = cheapest_of((menu,), levels, prices)
    best, _ = menu.supply.cost(levels, prices)
    reached = np.isfinite(best)
    return float(
        np.max(np.where(reached, used, 0.0) - (1 - left_out) * menu.markup * np.where(reached, best, 0.0), initial=0.0)
    )


def _best(chosen: Choices, values: FloatArray) -> FloatArray:
    """(R, T) utility of each value type at its best choice, at least 0."""
    utility = values[:, None] * chosen.solved[:, None, :] - np.where(chosen.menu >= 0, chosen.cost, 0.0)[:, None, :]
    return np.asarray(np.maximum(utility.max(axis=2, initial=0.0), 0.0))


def _spread(crowd: Crowd) -> FloatArray:
    """Values at evenly spread quantiles of all value types."""
    share = (np.arange(TYPES) + 0.5) / TYPES
    found = [np.zeros(0)]
    if crowd.values.size:
        found.append(np.quantile(crowd.values, share))
    for population in crowd.populations:
        first, second = population.parameters
        if population.distribution == "lognormal":
            from scipy import special

            found.append(first * np.exp(second * special.ndtri(share)))
        else:
            found.append(first + (second - first) * share)
    return np.unique(np.concatenate(found))
