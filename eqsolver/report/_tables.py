"""A solution as tables for a terminal, or as plain text when piped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console
from rich.text import Text

from eqsolver._base import FloatArray, IntArray
from eqsolver.market import Sampled
from eqsolver.report._columns import Group, say, say_notes, show, wide
from eqsolver.report._words import (
    DASH,
    amount,
    caps,
    consequences,
    counted,
    digits,
    evenly,
    level_places,
    overruns,
    percent,
    words,
)

if TYPE_CHECKING:
    from eqsolver.market import Market
    from eqsolver.posted import Segmentation, Solution
    from eqsolver.technology import Block, Rules

LEVELS_SHOWN = 11
BLOCKS_SHOWN = 4
SMALLEST_SHARE = 1e-5
"""Smaller shares are printed as less than 0.001 %."""
ROUNDS_SHOWN = 7

TITLES = {
    "evaluated": "evaluated cascade",
    "cascade": "single cascade",
    "cascade per level": "cascade per level",
    "schedule": "schedule",
}
MEANINGS = {
    "evaluated": "evaluated cascade",
    "cascade": "single cascade, fitted to all levels",
    "cascade per level": "cascade per level, the best for each",
    "schedule": "schedule per level, any interleaving",
}


def print_solution(solution: Solution, console: Console) -> None:
    """Print what a reader wants to know of a solution, a dozen levels of it; all levels are in `to_json`.

    console : colours, encoding and width are its own. If it is not a terminal, lines are up to 120 characters wide.
    """
    with wide(console):
        page = _Page(solution, console, evenly(solution.levels.size, LEVELS_SHOWN))
        page.head()
        page.offers()
        page.policies()
        page.margins()
        page.in_words()
        page.shares()
        page.segments()
        page.spending()
        page.undercutting()
        page.arbitrageurs()
        page.notes()


@dataclass(frozen=True, slots=True)
class _Page:
    """The sections, in the order in which they are printed. What is per level is shown at `rows` of the levels."""

    solution: Solution
    console: Console
    rows: IntArray

    @property
    def samples(self) -> IntArray:
        """Lowest, middle and top level with a market price; without any, of those that some policy reaches."""
        solution = self.solution
        priced = np.flatnonzero(np.isfinite(solution.offers.market_price))
        reached = np.flatnonzero(np.isfinite(solution.schedule.policy.resale.buy_cost))
        found = priced if priced.size else reached
        return found[evenly(found.size, 3)] if found.size else found

    def head(self) -> None:
        solution, market = self.solution, self.solution.market
        print_head(market, solution.rules, counted(len(market.names), "provider"), self.console)
        access = solution.options.get("access")
        if access is not None and set(access) != set(market.names):
            self.line(f"The arbitrageur buys from {_and(access)} only; offers come from every provider.")
        if solution.levels.size > self.rows.size:
            self.line(f"Tables show {self.rows.size} of {solution.levels.size} levels; all in --json.", "dim")
        if solution.unreached.size:
            low = self.level(int(np.searchsorted(solution.levels, solution.unreached[0])))
            self.line(f"No policy reaches {counted(solution.unreached.size, 'level')}, from {low} % on.", "yellow")

    def offers(self) -> None:
        solution, asks = self.solution, self.solution.offers
        names = solution.market.names
        sellers = tuple(names[asks.seller[row]] if asks.seller[row] >= 0 else DASH for row in self.rows)
        groups = [
            Group("cost of buying from one provider", tuple(names), tuple(self.prices(cost) for cost in asks.cost)),
            Group("market", ("price",), (self.prices(asks.market_price),)),
            Group("", ("seller",), (sellers,), text=True),
        ]
        self.table(f"Offers and market price, {self.unit}", groups)

    def policies(self) -> None:
        solution = self.solution
        groups = [Group("market", ("price",), (self.prices(solution.offers.market_price),))]
        for label, outcome in solution.policies().items():
            columns = {"cost": self.prices(outcome.resale.buy_cost), "margin %": self.shares_of(outcome.resale.margin)}
            if outcome.bands is not None and label != "cascade per level":
                columns["5-95 %"] = self.band(np.where(np.isfinite(outcome.resale.margin), outcome.bands.margin, np.nan))
            groups.append(Group(TITLES[label], tuple(columns), tuple(columns.values())))
        groups.append(Group("oracle", ("cost",), (self.prices(solution.oracle_cost),)))
        self.table(f"Buy cost and margin of each kind of policy, {self.unit}", groups)
        resamples = solution.options.get("bootstrap", 0)
        if resamples:
            self.line(
                f"5-95 %: over {counted(resamples, 'resample')} of the problems, with policies as they were fitted; the "
                "luck of the fit is not in these bands.",
                "dim",
            )

    def margins(self) -> None:
        solution = self.solution
        priced = int(np.isfinite(solution.offers.market_price).sum())
        if priced:
            self.section(f"Mean margin over the {counted(priced, 'level')} with a market price")
            for label, outcome in solution.policies().items():
                self.line(f"  {MEANINGS[label]:<37} {percent(outcome.resale.mean_margin):>5} %")
                if label == "cascade":
                    self.out_of_sample()
        else:
            self.section("Margins")
            self.line("  No level has a market price: no provider reaches any of them on its own.")
        gap = solution.schedule.gap[np.isfinite(solution.schedule.gap)]
        if gap.size and not solution.exact:
            most = float(gap.max())
            bound = _bound(most) if most < SMALLEST_SHARE else f"at most {_bound(most)}"
            self.line(f"  Largest gap: another schedule could save {bound} % of a schedule's cost, at any level.")
        points = " x ".join(f"{number:,}" for number in solution.grid)
        if solution.exact:
            self.line(f"  Grid: exact, every step of every provider is one of its {points} points; the schedules' gap is 0.")
        elif np.isfinite(solution.moved):
            self.line(f"  Grid: {points} points; the optimum moved by {_bound(solution.moved)} % when it was last refined.")
        else:
            self.line(f"  Grid: {points} points as asked for, not refined; the gap bounds what that may cost.")

    def out_of_sample(self) -> None:
        honest = self.solution.out_of_sample
        if honest is not None and honest.held_out.size:
            low, high = (percent(share) for share in honest.band)
            self.line(f"    fitted on half of the problems      {percent(float(honest.in_sample.mean())):>5} % there")
            self.line(
                f"    and paid on the other half          {percent(honest.mean):>5} %, {low} to {high} (5-95 % of halves)"
            )
        elif all(isinstance(provider.odds, Sampled) for provider in self.solution.market.providers):
            self.line("    (fitted to these problems: --cross-fits 10 says what it earns on others)")

    def in_words(self) -> None:
        solution = self.solution
        self.section("Policy in words")
        lines = [("Single cascade", self.sentence(solution.fitted.path))]
        if solution.wanted is not None:
            lines.append(("Evaluated cascade", self.sentence(solution.wanted.path)))
        for row in self.samples:
            for title, outcome in (("cascade", solution.cascade_per_level), ("schedule", solution.schedule.policy)):
                lines.append((f"At {self.level(row)} %, best {title}", self.sentence(outcome.paths[row])))
        indent = max(len(title) for title, _ in lines) + 4
        for title, sentence in lines:
            for number, part in enumerate(Text(sentence).wrap(self.console, max(self.console.width - indent, 24))):
                self.line(f"  {title if not number else '':<{indent - 2}}{part.plain.rstrip()}")
        if self.samples.size:
            self.line("  Where a schedule returns to a provider, the amount is the total allotted to it so far.", "dim")

    def shares(self) -> None:
        solution, used, names = self.solution, self.solution.used, self.solution.market.names
        if not np.isfinite(solution.offers.market_price).any():
            return
        which = "single" if solution.evaluated is None else "evaluated"
        without = solution.offers.revenue / np.where(np.isfinite(solution.offers.market_price), solution.offers.market_price, 1)
        earning = [i for i in range(len(names)) if (without[i] > 0).any() or (used.resale.revenue_share[i] > 0).any()]
        hhi, sellers = solution.hhi, solution.sellers
        at = replace(self, rows=self.rows[np.isfinite(solution.offers.market_price[self.rows])])
        groups = [
            Group("without, %", tuple(names[i] for i in earning), tuple(at.shares_of(without[i]) for i in earning)),
            Group(
                "with, %",
                (*(names[i] for i in earning), "arbitrageur"),
                tuple(at.shares_of(used.resale.revenue_share[i]) for i in [*earning, len(names)]),
            ),
            Group("providers'", ("revenue %",), (at.shares_of(used.resale.revenue_change - 1, sign=True),)),
            Group("sellers", ("without", "with"), tuple(at.counts(sellers[key]) for key in ("without", "with"))),
            Group("HHI", ("without", "with"), tuple(at.decimals(hhi[key]) for key in ("without", "with"))),
        ]
        at.table(f"Who earns what: shares of what consumers pay, without and with the {which} cascade resold", groups)
        idle = [name for i, name in enumerate(names) if i not in earning]
        if idle:
            self.line(f"No revenue at any level, without or with: {_and(idle)}.", "dim")

    def segments(self) -> None:
        solution = self.solution
        if np.isfinite(solution.offers.market_price).sum() > 1:
            print_segments(solution.market.names, solution.segmentation, self.console)

    def spending(self) -> None:
        solution, sold = self.solution, self.solution.cascade.resale
        names, prices = solution.market.names, solution.market.prices
        with np.errstate(invalid="ignore"):
            spent = prices[:, None] * sold.units
        known = np.isfinite(sold.buy_cost) | np.isfinite(solution.offers.market_price)
        if not known[self.rows].any():
            return
        at = replace(self, rows=self.rows[known[self.rows]])
        bought = sorted({i for i, most in solution.fitted.path if most > 0})
        groups = [
            Group("expected spending on", tuple(names[i] for i in bought), tuple(at.prices(spent[i]) for i in bought)),
            Group("buy", ("cost",), (at.prices(sold.buy_cost),)),
        ]
        earning = [i for i in range(len(names)) if (sold.revenue[i] > 0).any()]
        if earning:
            cells = tuple(at.prices(sold.revenue[i]) for i in earning)
            groups.append(Group("revenue, the cascade resold", tuple(names[i] for i in earning), cells))
            groups.append(Group("arbitrageur", ("profit",), (at.prices(sold.arbitrageur_profit),)))
        at.table(f"Expected money per problem with the single cascade, {self.unit}", groups)

    def undercutting(self) -> None:
        solution, war = self.solution, self.solution.undercutting
        samples = self.samples[np.isfinite(solution.offers.market_price[self.samples])]
        if not samples.size:
            return
        rounds = evenly(len(war.price), ROUNDS_SHOWN)
        at = replace(self, rows=samples)
        groups = [
            Group("market", ("price",), (at.prices(solution.offers.market_price),)),
            Group("after round", tuple(f"{r + 1}" for r in rounds), tuple(at.prices(war.price[r]) for r in rounds)),
            Group("", ("rest",), (at.prices(war.rest),)),
            Group("buy", ("cost",), (at.prices(solution.used.resale.buy_cost),)),
        ]
        which = "single" if solution.evaluated is None else "evaluated"
        asking = f"asking {war.factor:g} x the rival's price"
        title = f"Two arbitrageurs with the {which} cascade undercut each other, {asking}, {self.unit}"
        at.table(title, groups)

    def arbitrageurs(self) -> None:
        solution = self.solution
        if not solution.arbitrageurs:
            return
        who = list(solution.arbitrageurs.values())
        columns = (
            tuple(percent(one.overhead) for one in who),
            tuple(percent(one.policy.resale.mean_margin) for one in who),
            tuple(amount(_mean(one.policy.resale.arbitrageur_profit), solution.market.unit) for one in who),
        )
        key = Group("", ("arbitrageur",), (tuple(solution.arbitrageurs),), text=True)
        headings = ("overhead %", "mean margin %", "mean profit")
        show(self.console, f"Arbitrageurs of the market file, {self.unit}", key, [Group("", headings, columns)])

    def notes(self) -> None:
        self.section("Notes")
        relaxed = self.solution.oracle_relaxed
        looser = f" (on {counted(relaxed, 'problem')} looser still)" if relaxed else ""
        self.line(f"  The oracle knows each problem's odds and costs: a bound no policy beats, but a loose one{looser}.", "dim")
        from eqsolver.market import Sampled

        if any(isinstance(provider.odds, Sampled) for provider in self.solution.market.providers):
            self.line("  Logs: the unbiased estimator is optimistic at the frontier where attempts per problem are few.", "dim")
        if self.solution.estimate is not None:
            fit = self.solution.estimate.to_dict()
            self.line(
                f"  Odds estimated from the logs by {fit['estimator']}: {counted(fit['components'], 'component')}, "
                f"log-likelihood {fit['log_likelihood']:.4f} per problem, within {fit['gap']:.1g} of the best weights'.",
                "dim",
            )
        for note in consequences(self.solution.rules):
            self.line(f"  {note}", "dim")

    def line(self, text: str, style: str = "") -> None:
        say(self.console, text, style)

    def section(self, title: str) -> None:
        self.line("")
        self.line(title, "bold")

    def table(self, title: str, groups: Sequence[Group]) -> None:
        """Columns per level, behind the levels."""
        key = Group("", ("level %",), (tuple(self.level(row) for row in self.rows),))
        show(self.console, title, key, groups)

    def level(self, row: int) -> str:
        levels = self.solution.levels
        return percent(float(levels[row]), level_places(levels))

    def prices(self, values: FloatArray) -> tuple[str, ...]:
        return tuple(amount(float(values[row]), self.solution.market.unit) for row in self.rows)

    def shares_of(self, values: FloatArray, *, sign: bool = False) -> tuple[str, ...]:
        plus = "+" if sign else ""
        return tuple((plus if values[row] >= 5e-4 else "") + percent(float(values[row])) for row in self.rows)

    def band(self, values: FloatArray) -> tuple[str, ...]:
        known = np.asarray(np.isfinite(values).all(axis=0))
        return tuple(f"{percent(values[0, k])}-{percent(values[1, k])}" if known[k] else DASH for k in self.rows)

    def counts(self, values: FloatArray) -> tuple[str, ...]:
        return tuple(DASH if np.isnan(values[row]) else f"{values[row]:.0f}" for row in self.rows)

    def decimals(self, values: FloatArray) -> tuple[str, ...]:
        return tuple(DASH if np.isnan(values[row]) else f"{values[row]:.2f}" for row in self.rows)

    def sentence(self, path: Sequence[Block]) -> str:
        """A path in words, cut off after a few blocks."""
        market, kind = self.solution.market, self.solution.rules.allot
        blocks = [block for block in path if block[1] > 0]
        if len(blocks) <= BLOCKS_SHOWN + 1:
            return words(blocks, market.names, market.unit, kind, self.solution.one_attempt)
        start = words(blocks[:BLOCKS_SHOWN], market.names, market.unit, kind, self.solution.one_attempt)
        return f"{start}, ... ({len(blocks)} blocks, all in --json)"

    @property
    def unit(self) -> str:
        return f"{self.solution.market.unit} per problem"


def print_head(market: Market, rules: Rules, who: str, console: Console) -> None:
    """What was solved: the market, `who` is in it, money, caps, accounting and prices off list."""
    reasons = [reason if len(market.dropped) == 1 else f"{number:,} {reason}" for reason, number in market.dropped.items()]
    lost = f" ({market.dropped_problems:,} dropped: {'; '.join(reasons)})" if market.dropped_problems else ""
    say(console, f"{market.name}: {who}, {counted(market.weights.size, 'problem')}{lost}", "bold")
    say(console, f"Money in {market.unit} per problem; {caps(rules, market.unit)}; {overruns(rules)}.")
    listed = zip(market.names, market.prices, strict=True)
    changed = [f"{name} at {digits(float(m))} x list price" for name, m in listed if m != 1]
    if changed:
        say(console, f"Prices: {', '.join(changed)}.")
    say_notes(console, market.notes)


def print_segments(names: Sequence[str], found: Mapping[str, Segmentation], console: Console, where: str = "") -> None:
    """How widely each provider sells, and how concentrated revenue is, side by side: one column per key of `found`."""
    cases = list(found.values())
    key = Group("", ("provider",), (tuple(names),), text=True)
    widths = tuple(tuple(f"{width:.2f}" for width in one.widths) for one in cases)
    title = f"Segments{where}: points of performance at which each provider has revenue"
    show(console, title, key, [Group("", tuple(found), widths)])
    for title, values in (
        ("providers with revenue at a level, on average", [_mean(one.sellers) for one in cases]),
        ("HHI of their revenue at a level, on average", [_mean(one.hhi) for one in cases]),
        ("HHI of their revenue added up over all levels", [one.overall_hhi for one in cases]),
    ):
        listed = ", ".join(f"{value:.2f} {situation}" for situation, value in zip(found, values, strict=True))
        say(console, f"  {title:<46} {listed}")


def _bound(share: float) -> str:
    """A small share in percent, two digits: what is smaller than anybody cares for is said to be."""
    return "0" if share == 0 else "less than 0.001" if share < SMALLEST_SHARE else f"{100 * share:.2g}"


def _mean(values: FloatArray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")


def _and(names: Sequence[str]) -> str:
    return " and ".join([*([", ".join(names[:-1])] if names[1:] else []), *names[-1:]])
