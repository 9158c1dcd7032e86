"""Demand by taste among sellers: logit over what each seller offers a customer, and arbitrageurs' mark-ups facing it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from eqsolver._base import FloatArray
from eqsolver.game._consumers import Crowd
from eqsolver.game._demand import Logit
from eqsolver.game._groups import with_own
from eqsolver.game._offered import Offered, Sellers
from eqsolver.game._outcome import Outcome
from eqsolver.game._quotes import delivery_gain
from eqsolver.game._sales import Conduct

ROUNDS = 500
"""Times that arbitrageurs answer each other's mark-ups, at most; only where two or more of them quote."""
MARKUPS, HIGHEST = 201, 4.0
"""Mark-ups tried for an arbitrageur's ε, evenly spread up to all that the customer gains and so many times the scale."""


@dataclass(frozen=True, slots=True, eq=False)
class Tastes:
    """A regime in which customers have tastes among sellers: every provider, and every arbitrageur that quotes.

    Alike arbitrageurs are one seller to the customers, at cost. Otherwise each quotes every customer the mark-up that is best
    for it, given the others'. In `matching` customers choose from the providers' lists as if direct.

    Notes
    -----
    A seller gives a customer v u - price at the level u > 0 best for it, be it negative: convex in prices, with a slope of
    minus the units bought. So the units that a customer of one seller needs never rise with a price, and that seller's share
    rises only if others' offers get worse: both are bounded between two prices by what they are at the two. (So are mark-ups:
    they are the equilibrium of a supermodular game.) Populations are cut into groups that share one set of odds; inside a
    group everybody still takes the level that is best for them.
    """

    conduct: Conduct
    scale: float
    sellers: Sellers

    @classmethod
    def of(cls, conduct: Conduct, crowd: Crowd, demand: Logit) -> Tastes:
        """A regime of `Conduct`, with tastes."""
        return cls(conduct, demand.scale, Sellers.of(conduct, crowd))

    def sold(self, prices: FloatArray) -> FloatArray:
        """(R, M) units sold at each price vector (R, M)."""
        total = np.zeros(prices.shape)
        for share, menus in self.conduct.states:
            offers = self.sellers.offers(menus, prices)
            for offer, odds in zip(offers, self._odds(offers, self._kept(offers)), strict=True):
                total += share * np.einsum("rt,t,rtm->rm", odds, self.sellers.masses, offer.units)
        return total

    def between(self, player: int, others: FloatArray, left: FloatArray, right: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(C,) units that a player sells at own prices `left` (C,), and no less than anywhere from there to `right`."""
        own, rows = np.unique(np.concatenate([left, right]), return_inverse=True)
        prices = with_own(others, player, own)
        here, there = rows[: len(left)], rows[len(left) :]
        sold, most = np.zeros(len(left)), np.zeros(len(left))
        for share, menus in self.conduct.states:
            offers = self.sellers.offers(menus, prices)
            exponents = self._exponents(offers, self._kept(offers))
            rest = self._others(exponents)
            for s, offer in enumerate(offers):
                needed = offer.units[:, :, player]
                odds = special.expit(exponents[s] - rest[s])
                sold += share * ((odds * needed) @ self.sellers.masses)[here]
                best = special.expit(exponents[s][here] - rest[s][there])
                at_most = needed[here]
                if self.conduct.follows_list and s == player:
                    at_most = at_most + self.sellers.stepping_down(menus, player, prices[here], prices[there])
                most += share * (best * at_most) @ self.sellers.masses
        return sold, np.maximum(most, sold)

    def outcome(self, prices: FloatArray, marginal_costs: FloatArray) -> Outcome:
        """The account at each price vector. Surplus is worth less bill, without what a taste for the seller may add."""
        R, M = prices.shape
        names = tuple(dict.fromkeys(menu.name for _, menus in self.conduct.states for menu in menus))
        units, earned = np.zeros((R, M)), np.zeros((R, len(names)))
        bill, worth, solved, served, overhead = (np.zeros(R) for _ in range(5))
        values = np.concatenate([np.zeros(0), *(block.values for block in self.sellers.groups)])
        T = values.size
        for share, menus in self.conduct.states:
            offers = self.sellers.offers(menus, prices)
            kept = self._kept(offers)
            for s, (offer, left, odds) in enumerate(zip(offers, kept, self._odds(offers, kept), strict=True)):
                mass = share * odds * self.sellers.masses
                asked = (offer.gain - left) * offer.buys
                units += np.einsum("rt,rtm->rm", mass, offer.units)
                bill += (mass * (offer.price + asked)).sum(axis=1)
                overhead += (mass * offer.overhead).sum(axis=1)
                solved += (mass * offer.solved).sum(axis=1)
                served += (mass * offer.buys).sum(axis=1)
                worth += (mass[:, :T] * values * offer.solved[:, :T]).sum(axis=1)
                worth += (mass[:, T:] * self.sellers.crowd.budgets * offer.buys[:, T:]).sum(axis=1)
                for b, menu in enumerate(menus):
                    extra = asked if s == M + b else 0.0
                    earned[:, names.index(menu.name)] += (mass * (offer.saved[:, :, b] + extra)).sum(axis=1)
        return Outcome(
            prices=prices,
            units=units,
            revenue=prices * units,
            profit=(prices - marginal_costs) * units,
            arbitrageur_profit=earned,
            overhead=overhead,
            consumer_bill=bill,
            consumer_surplus=worth - bill,
            solved=solved,
            served=served,
            arbitrageurs=names,
        )

    def quote_gain(self, prices: FloatArray) -> dict[str, float]:
        """By arbitrageur: the most that another mark-up of those tried earns it per customer, money, at any price vector."""
        gains: dict[str, float] = {}
        for _, menus in self.conduct.states:
            offers = self.sellers.offers(menus, prices)
            kept = self._kept(offers)
            for b, menu in enumerate(menus):
                if self.conduct.follows_list:
                    worst = delivery_gain(menu, prices)
                else:
                    worst = self._markup_gain(offers, kept, len(self.sellers.own) + b, menu.supply.shortfall)
                gains[menu.name] = max(gains.get(menu.name, 0.0), worst)
        return gains

    def _markup_gain(self, offers: Sequence[Offered], kept: Sequence[FloatArray], s: int, left_out: float) -> float:
        saves = left_out * offers[s].price * (offers[s].buys > 0)
        if self.conduct.alike:
            return float(saves.max(initial=0.0))
        others = self._others(self._exponents(offers, kept))[s]
        gain = offers[s].gain + saves

        def earns(asked: FloatArray) -> FloatArray:
            return asked * special.expit((gain - asked) / self.scale - others)

        now = (offers[s].gain - kept[s]) * special.expit(kept[s] / self.scale - others)
        highest = np.maximum(gain, 0.0) + HIGHEST * self.scale
        tried = np.array([earns(share * highest) for share in np.linspace(0.0, 1.0, MARKUPS)]).max(axis=0)
        return float((tried - now).max(initial=0.0))

    def _kept(self, offers: Sequence[Offered]) -> list[FloatArray]:
        """Per seller (R, T): what customers gain there after its mark-up."""
        kept = [offer.gain for offer in offers]
        quoting = range(len(self.sellers.own), len(offers)) if not self.conduct.alike else range(0)
        for _ in range(ROUNDS if len(quoting) > 1 else len(quoting)):
            moved = 0.0
            for s in quoting:
                others = self._others(self._exponents(offers, kept))[s]
                asked = self.scale * (1 + special.wrightomega(offers[s].gain / self.scale - 1 - others))
                left = offers[s].gain - asked
                moved = max(moved, float(np.abs(left - kept[s]).max(initial=0.0)))
                kept[s] = left
            if moved <= 1e-12 * self.scale:
                break
        return kept

    def _others(self, exponents: Sequence[FloatArray]) -> list[FloatArray]:
        """Per seller (R, T): log of the odds of choosing another, the outside option among them."""
        outside = np.zeros_like(exponents[0])
        return [np.asarray(np.logaddexp.reduce([outside, *exponents[:s], *exponents[s + 1 :]])) for s in range(len(exponents))]

    def _odds(self, offers: Sequence[Offered], kept: Sequence[FloatArray]) -> list[FloatArray]:
        """Per seller (R, T): the share of each group that chooses it."""
        exponents = self._exponents(offers, kept)
        total = np.logaddexp.reduce([np.zeros_like(exponents[0]), *exponents])
        return [np.exp(exponent - total) for exponent in exponents]

    def _exponents(self, offers: Sequence[Offered], kept: Sequence[FloatArray]) -> list[FloatArray]:
        return [np.where(o.sells > 0, k / self.scale, -np.inf) for o, k in zip(offers, kept, strict=True)]
