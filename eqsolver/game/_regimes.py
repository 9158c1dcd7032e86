"""Regimes: who sells, from what, and how customers choose; built once, whatever the prices."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.stats import qmc

from eqsolver._base import FloatArray, NothingSolved, UsageError
from eqsolver.game._choices import Menu
from eqsolver.game._direct import direct_supply, hull_levels
from eqsolver.game._sales import Conduct
from eqsolver.market import Arbitrageur, Market, Policy
from eqsolver.technology import (
    REACH,
    Completion,
    Growth,
    ProductionSet,
    Rules,
    Steps,
    Technology,
    Wide,
    all_steps,
    exact_technology,
    fits_grid,
    focused_technology,
    grid_technology,
    lower_hull,
    positions,
    walk,
    wide,
)

BUILT_IN = ("direct", "matching", "monopoly", "competitive")
WIDE = 1e-3
"""The first search for paths of three or more providers ends when a round improves no level by more than this share."""
LOOKS = 17
"""Ratios of two prices, evenly spread by their logarithms, at which it is seen where schedules turn on a fine grid."""
TOGETHER = 4
"""Providers in access up to which schedules may live on one product grid of so many `points` each, where those are given; of
more, and otherwise of three or more, paths are grown (`Growth`)."""
SEEDS, AWAY = 63, 2.5
"""Paths are first grown at posted prices and at so many price vectors spread around them (Sobol), up to so many times as low or
high, within the bounds."""
COMPLETE = 1e-4
"""No schedule on the grid of two providers is cheaper than those held by more than this share, at any ratio of prices."""


@dataclass(slots=True, eq=False)
class Stage:
    """A market made ready for its price game: offers, and production sets by access, built when first needed.

    bounds : (M, 2) lowest and highest price that each provider may post. targets : (G,) levels of target types.
    points : grid points per provider (with two of them, of the grid on which it is looked where schedules turn); None: by
    their number. private : providers that only arbitrageurs can buy from. every_level : single policies are wanted for
    every level of the list in all regimes, not only where customers follow it. line_work : nodes visited, at most, where whole
    lines of a provider's prices are completed on a product grid; beyond that, single price vectors are.
    """

    market: Market
    terms: Rules
    bounds: FloatArray
    targets: FloatArray
    points: int | None = None
    private: tuple[int, ...] = ()
    every_level: bool = True
    line_work: float = 2e9
    steps: tuple[Steps, ...] = ()
    _supplies: dict[tuple[int, ...], ProductionSet] = field(default_factory=dict)
    _quoted: dict[tuple[int, ...], ProductionSet] = field(default_factory=dict)
    _searches: dict[tuple[int, ...], Completion] = field(default_factory=dict)
    _growths: dict[tuple[int, ...], Growth] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.steps = all_steps(self.market, self.terms)
        if not any(step.at.size for i, step in enumerate(self.steps) if i not in self.private):
            raise NothingSolved("no provider ever solves a problem within the cap")

    def conduct(self, name: str, regimes: Mapping[str, Sequence[str]]) -> Conduct:
        """The conduct of a regime: one of `BUILT_IN`, or one of the market's own, which name their arbitrageurs."""
        everybody = Arbitrageur(name="arbitrageur")
        if name in regimes:
            known = {a.name: a for a in self.market.arbitrageurs}
            return self._of([known[a] for a in regimes[name]], follows_list=False, alike=False)
        if name == "direct":
            return self._of([], follows_list=False, alike=False)
        if name == "matching":
            return self._of([everybody], follows_list=True, alike=False)
        if name in ("monopoly", "competitive"):
            return self._of([everybody], follows_list=False, alike=name == "competitive")
        raise UsageError(f"unknown regime {name!r}; there are {', '.join((*BUILT_IN, *regimes))}")

    def _of(self, arbitrageurs: Sequence[Arbitrageur], *, follows_list: bool, alike: bool) -> Conduct:
        options = [self._menus(who, listed=follows_list or self.every_level) for who in arbitrageurs]
        states = tuple(
            (float(np.prod([share for share, _ in drawn])), tuple(menu for _, menu in drawn if menu is not None))
            for drawn in itertools.product(*options)
        )
        return Conduct(
            targets=self.targets,
            direct=direct_supply(self.market, self.steps, self.targets, self.private),
            states=states,
            follows_list=follows_list,
            alike=alike,
        )

    def _menus(self, who: Arbitrageur, *, listed: bool) -> list[tuple[float, Menu | None]]:
        """What an arbitrageur may sell from, with probabilities: its fixed policies (none: it abstains), or all of them.

        listed : single policies are wanted for all levels of the list; otherwise fewer may do.
        """
        if not who.policies:
            key = tuple(sorted(self.market.positions(who.access or self.market.names, who.name)))
            supply = self._supply(key)
            if key in self._growths and not listed:
                if key not in self._quoted:
                    self._quoted[key] = self._growths[key].found(self.targets)
                supply = self._quoted[key]
            return [(1.0, _menu(who, supply))]
        found: list[tuple[float, Menu | None]] = []
        for policy in who.policies:
            found.append((policy.weight, _menu(who, self._fixed(policy))))
        left = 1.0 - sum(share for share, _ in found)
        return [*found, (left, None)] if left > 1e-12 else found

    @property
    def _levels(self) -> FloatArray:
        """Levels that somebody may want delivered by one policy: targets, and all that a list may be asked for."""
        return np.union1d(self.targets, hull_levels(self.market, self.steps, self.private))

    def extend(self, prices: FloatArray, movers: Sequence[int], aside: FloatArray | None = None, enough: float = 0.0) -> int:
        """Search policies at each of S price vectors (S, M), and where some providers move away from them; how many were added.

        movers : providers whose whole price lines through each vector are searched, exactly; where that would take more than
        `line_work`, or paths are grown, the price vectors `aside` (R, M) are instead.
        enough : where growing paths saves no larger share of any level's cost, that counts as none.

        With two providers in access the whole line of ratios has been searched already.
        """
        added = 0
        every = prices if aside is None else np.concatenate([prices, aside])
        for key, search in self._searches.items():
            before = len(search)
            search.solve_at(every)
            self._along_lines(search, prices, movers)
            if len(search) > before:
                added += len(search) - before
                self._supplies[key] = search.found()
        for key, growth in self._growths.items():
            before = self._supplies[key].solved.size
            saved = growth.grow(every)
            self._supplies[key] = growth.found()
            if saved > enough:
                added += max(abs(self._supplies[key].solved.size - before), 1)
            self._quoted.pop(key, None)
        return added

    def _along_lines(self, search: Completion, prices: FloatArray, movers: Sequence[int]) -> None:
        lines = [(row, i) for i in movers if i in search.made.access for row in _apart(prices, i)]
        if len(lines) * 2 * LOOKS * search.made.survival.size <= self.line_work:
            for row, i in lines:
                search.complete(row, i, float(self.bounds[i, 0]), float(self.bounds[i, 1]), EXACT)

    def bound(self, prices: FloatArray) -> None:
        """Bound by how much policies left out may be cheaper than paths that were grown, at price vectors (S, M)."""
        for key, growth in self._growths.items():
            growth.bound(prices)
            self._supplies[key] = growth.found()
            self._quoted.pop(key, None)

    @property
    def policies(self) -> int:
        """How many policies are held, over all sets of access."""
        return sum(supply.solved.size for supply in self._supplies.values())

    @property
    def shortfall(self) -> float:
        """The largest share by which a policy left out may be cheaper: on the lines searched, or where `bound` looked."""
        return max((supply.shortfall for supply in self._supplies.values()), default=0.0)

    def _supply(self, key: tuple[int, ...]) -> ProductionSet:
        if key not in self._supplies:
            self._supplies[key] = self._built(key)
        return self._supplies[key]

    def _built(self, key: tuple[int, ...]) -> ProductionSet:
        levels = self._levels
        useful = [i for i in key if self.steps[i].at.size]
        if len(useful) < 2:
            return self._alone(useful, levels)
        if len(useful) == 2:
            first, second = useful
            low, high = (float(ratio) for ratio in self.bounds[first] / self.bounds[second][::-1])
            looks = np.ones((LOOKS, len(self.bounds)))
            looks[:, first] = np.geomspace(low, high, LOOKS)
            nodes = None if self.points is None else self.points**2
            focused = focused_technology(self.market, self.terms, self.steps, (first, second), looks, levels, nodes=nodes)
            search = Completion(made=focused, levels=levels)
            search.complete(np.ones(len(self.bounds)), first, low, high, COMPLETE)
            return search.found()
        made = self._production(useful)
        if isinstance(made, Wide):
            self._growths[key] = Growth(made, levels, self.targets)
            self._growths[key].grow(self._seeds(useful))
            return self._growths[key].found()
        search = self._searches[key] = Completion(made=made, levels=levels)
        search.solve_at(self.market.prices[None])
        self._along_lines(search, self.market.prices[None], made.access)
        return search.found()

    def _production(self, useful: Sequence[int]) -> Technology | Wide:
        """Of three or more providers: the product grid of all their steps if it fits; else good paths, or a coarser grid of few
        providers where its points are given."""
        bought = tuple(sorted(useful, key=lambda i: self.market.names[i]))
        if fits_grid([self.steps[i] for i in bought], self.points):
            return exact_technology(self.market, self.terms, self.steps, bought)
        if len(useful) > TOGETHER or self.points is None:
            return wide(self.market, self.terms, self.steps, bought, points=self.points, tolerance=WIDE, levels=None)
        return grid_technology(self.market, self.terms, self.steps, tuple(useful), points=self.points)

    def _seeds(self, useful: Sequence[int]) -> FloatArray:
        rows = np.tile(self.market.prices, (SEEDS + 1, 1))
        spread = qmc.Sobol(len(useful), scramble=False).random(SEEDS + 1)[1:]
        rows[1:, list(useful)] *= AWAY ** (2 * spread - 1)
        return np.clip(rows, self.bounds[:, 0], self.bounds[:, 1])

    @property
    def grows(self) -> bool:
        """Whether some arbitrageur's policies are paths that are grown: completing at one price vector more is cheap then."""
        return bool(self._growths)

    def _alone(self, useful: Sequence[int], levels: FloatArray) -> ProductionSet:
        every = direct_supply(self.market, self.steps, levels)
        mine = every.units[:, list(useful)].sum(axis=1) > 0
        return ProductionSet(solved=every.solved[mine], units=every.units[mine], levels=levels)

    def _fixed(self, policy: Policy) -> ProductionSet:
        """A cascade's prefixes: within a block only its provider's units grow, so vertices of each block's own hull suffice."""
        levels = self._levels
        order = self.market.positions(policy.order, "policy")
        path = positions(self.terms, self.steps, list(zip(order, policy.thresholds, strict=True)))
        walked = walk(self.market, self.steps, path)
        at = np.searchsorted(walked.solved, levels - REACH)
        kept = [at[at < walked.solved.size]]
        for block in np.unique(walked.block[1:]):
            inside = np.flatnonzero(walked.block == block)
            start = inside[0] - 1
            solved = walked.solved[inside] - walked.solved[start]
            spent = walked.units[inside, order[block]] - walked.units[start, order[block]]
            kept.append(inside[lower_hull(solved, spent)])
        ways = np.unique(np.concatenate(kept))
        return ProductionSet(solved=walked.solved[ways], units=walked.units[ways], levels=levels)


def _menu(who: Arbitrageur, supply: ProductionSet) -> Menu | None:
    """What an arbitrageur sells from; none if its providers never solve anything."""
    return Menu(name=who.name, supply=supply, markup=1 + who.overhead) if supply.solved.size else None


def _apart(prices: FloatArray, mover: int) -> FloatArray:
    """Of price vectors (S, M) one for each line on which only the mover's price differs."""
    others = prices.copy()
    others[:, mover] = 1.0
    return np.unique(others, axis=0)


EXACT = 1e-12
"""Share that a policy left out may be cheaper by along a line, with more than two providers: rounding."""
