"""An equilibrium as tables for a terminal, or as plain text when piped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console

from eqsolver._base import FloatArray
from eqsolver.market import Population, Target, Value
from eqsolver.report._columns import Group, say, say_notes, show, wide
from eqsolver.report._words import DASH, amount, counted, digits, percent

if TYPE_CHECKING:
    from eqsolver.game import Equilibrium, Strategies

KINDS = {
    "pure": "one price each",
    "mixed": "mixed: prices are drawn",
    "cce": "coarse correlated: prices are drawn together, not independently",
    "cycle": "best responses did not settle: the least ε they visited",
    "posted": "posted",
}
PAIRS_SHOWN = 8
"""Pairs of providers whose effects on each other are printed, the largest."""
DEMANDS = {
    "logit": "customers have tastes among sellers; surplus leaves those tastes out",
    "balanced": "a marketplace shares the traffic for each level among all who sell it, by a power of their price",
}


def print_equilibrium(solved: Equilibrium, console: Console) -> None:
    """Print prices, certificates and accounts of every regime, at posted and at equilibrium prices."""
    with wide(console):
        market, names = solved.market, solved.market.names
        say(console, f"{market.name}: the price game of {counted(len(solved.players), 'provider')}", "bold")
        costs = ", ".join(f"{p.name} {digits(p.marginal_cost)}" for p in market.providers)
        say(console, f"Assumed: marginal costs, as shares of list price: {costs}; consumers: {consumers(solved)}.")
        say(console, f"Money in {market.unit}, expected, over all consumers. Prices are multiples of list price.")
        if solved.options.get("demand") is not None:
            say(console, f"Demand: {DEMANDS[str(solved.options['demand']).partition(':')[0]]} ({solved.options['demand']}).")
        still = [name for i, name in enumerate(names) if i not in solved.players]
        if still:
            say(console, f"Prices kept as posted: {', '.join(still)}.")
        say_notes(console, market.notes)
        _strategies(solved, console)
        _accounts(solved, console)
        _effects(solved, console)
        _changes(solved, console)
        for name, found in solved.regimes.items():
            for other in found.others:
                listed = ", ".join(f"{provider} {digits(float(p))}" for provider, p in zip(names, other, strict=True))
                say(console, f"{name}: another start led to other expected prices: {listed}.", "yellow")
        for name, found in solved.regimes.items():
            _completion(name, found, console)
            _together(name, found, names, console)
            _correlated(name, found, names, console)
        for name in solved.uncertified:
            say(console, f"{name}: the certificate is not within the tolerance of {solved.tolerance:g}.", "yellow")


def _completion(name: str, found: Strategies, console: Console) -> None:
    if found.completed is None or not found.completed.rounds:
        return
    done = found.completed
    told = f"{name}: policies were completed {counted(done.rounds, 'time')} where it is played, {done.added:,} more are held"
    told += f"; the last time no profit, played or by deviation, changed by more than {percent(done.change)} %."
    say(console, told, "" if done.settled else "yellow")


def _together(name: str, found: Strategies, names: tuple[str, ...], console: Console) -> None:
    if found.together is None:
        return
    drawn = found.together
    worst = int(np.argmax(drawn.alone))
    told = f"{name}: {counted(found.shares.size, 'price vector')}, drawn together; {percent(drawn.moved)} % of the probability"
    told += " was moved from independent draws, which by themselves would leave gains of about "
    told += f"{percent(float(drawn.alone[worst]))} % (standard error {percent(float(drawn.error[worst]))}) to"
    say(console, f"{told} {names[found.players[worst]]}, the largest.")


def _correlated(name: str, found: Strategies, names: tuple[str, ...], console: Console) -> None:
    """What is drawn together is not what providers do that compete each by itself: how far it is from that."""
    if found.correlation is None:
        return
    how = found.correlation
    worst = int(np.argmax(how.gain))
    told = (
        f"{name}: prices move together (largest correlation of two providers' prices {how.largest:.2f}), so profits may exceed"
    )
    told += " those of independent competition: drawn independently, the same prices would leave about "
    told += f"{percent(float(how.gain[worst]))} % (standard error {percent(float(how.error[worst]))}) to gain to"
    say(
        console,
        f"{told} {names[found.players[worst]]}, the largest.",
        "yellow" if how.gain[worst] > found.relative.max() else "",
    )


def consumers(solved: Equilibrium) -> str:
    """Who buys, in words."""
    unit, told = solved.market.unit, []
    for c in solved.consumers:
        mass = "" if c.mass == 1 else f" (mass {digits(c.mass)})"
        match c:
            case Population(distribution="lognormal"):
                told.append(f"values lognormal, median {digits(c.parameters[0])} {unit}, sigma {digits(c.parameters[1])}{mass}")
            case Population():
                told.append(f"values uniform, {digits(c.parameters[0])} to {digits(c.parameters[1])} {unit}{mass}")
            case Value():
                told.append(f"value {amount(c.value, unit)}{mass}")
            case Target():
                told.append(f"level {percent(c.level)} % for at most {amount(c.budget, unit)}{mass}")
    return "; ".join(told) if len(told) <= 4 else "; ".join([*told[:3], f"and {len(told) - 3} more types"])


def _strategies(solved: Equilibrium, console: Console) -> None:
    names, regimes = solved.market.names, list(solved.regimes.items())
    groups = []
    for i, name in enumerate(names):
        columns = {
            "mean price": tuple(digits(float(found.expected_price[i])) + _marked(found, i) for _, found in regimes),
            "range": tuple(_range(found, i) for _, found in regimes),
            "ε": tuple(f"{found.epsilon[i]:.1e}" if i in solved.players else DASH for _, found in regimes),
            "ε/profit": tuple(f"{found.relative[i]:.1e}" if i in solved.players else DASH for _, found in regimes),
        }
        groups.append(Group(name, tuple(columns), tuple(columns.values())))
    kinds = tuple(KINDS[found.kind] + ("" if found.certified else ", NOT CERTIFIED") for _, found in regimes)
    groups.append(Group("", ("kind",), (kinds,), text=True))
    arbitrageurs = tuple(
        amount(max(found.arbitrageur_epsilon.values(), default=0.0), solved.market.unit) for _, found in regimes
    )
    left_out = tuple(percent(found.shortfall) for _, found in regimes)
    groups.append(Group("arbitrageurs'", ("ε", "left out %"), (arbitrageurs, left_out)))
    show(console, "Equilibrium prices; nobody gains more than ε by any other price", _key(solved), groups)
    worst = max((found.accuracy for _, found in regimes), default=0.0)
    say(console, f"ε is money; a price may be off by about the square root of ε/profit, here up to {percent(worst)} %.")
    if any(found.at_bound(i) == "highest" for _, found in regimes for i in range(len(names))):
        say(console, "* the highest price allowed is played: a wider --price-bounds moves it.", "yellow")


def _marked(found: Strategies, provider: int) -> str:
    return "*" if found.at_bound(provider) == "highest" else ""


def _range(found: Strategies, provider: int) -> str:
    prices, probabilities = found.strategy(provider)
    kept = prices[probabilities > 1e-6]
    if kept.size == 1:
        return DASH
    return f"{digits(float(kept.min()))} to {digits(float(kept.max()))}"


def _accounts(solved: Equilibrium, console: Console) -> None:
    market, unit = solved.market, solved.market.unit
    for title, group in (("At posted prices", solved.posted), ("At equilibrium prices", solved.regimes)):
        accounts = [found.outcome for found in group.values()]

        def money(values: FloatArray | list[float]) -> tuple[str, ...]:
            return tuple(amount(float(v), unit) for v in values)

        solved_share = tuple(percent(a.solved[0] / found.mass) for a, found in zip(accounts, group.values(), strict=True))
        groups = [
            Group("revenue", market.names, tuple(money([a.revenue[0, i] for a in accounts]) for i in range(len(market.names)))),
            Group("profit", market.names, tuple(money([a.profit[0, i] for a in accounts]) for i in range(len(market.names)))),
            Group("arbitrageurs'", ("profit",), (money([float(a.arbitrageur_profit.sum()) for a in accounts]),)),
            Group("consumers'", ("bill", "surplus"), (
                money([a.consumer_bill[0] for a in accounts]), money([a.consumer_surplus[0] for a in accounts])
            )),
            Group("total", ("surplus",), (money([a.total_surplus[0] for a in accounts]),)),
            Group("solved", ("%",), (solved_share,)),
            Group("providers'", ("HHI",), (tuple(f"{a.hhi[0]:.3f}" if np.isfinite(a.hhi[0]) else DASH for a in accounts),)),
        ]  # fmt: skip
        show(console, f"{title}, {unit}", _key(solved), groups)


def _effects(solved: Equilibrium, console: Console) -> None:
    names = solved.market.names
    pairs = [(i, j) for i in range(len(names)) for j in range(len(names)) if i != j]
    if not pairs:
        return
    every = [found.cross_price for found in (*solved.posted.values(), *solved.regimes.values())]
    size = {(i, j): max(abs(float(effects[i, j])) for effects in every) for i, j in pairs}
    largest = sorted(pairs, key=lambda pair: -size[pair])[:PAIRS_SHOWN]
    left, pairs = len(pairs) - len(largest), [pair for pair in pairs if pair in largest]
    groups = []
    for title, group in (("posted prices", solved.posted), ("equilibrium", solved.regimes)):
        cells = tuple(tuple(_effect(float(found.cross_price[i, j])) for found in group.values()) for i, j in pairs)
        groups.append(Group(title, tuple(f"{names[i]} / {names[j]}" for i, j in pairs), cells))
    show(console, "Units of the first per price of the second: + substitutes, - complements", _key(solved), groups)
    if left:
        say(console, f"{counted(left, 'other pair')}, of smaller effects, in the JSON object.")


def _changes(solved: Equilibrium, console: Console) -> None:
    """What a regime changes, each figure with its band over the same resamples."""
    spread = solved.spread.differences
    changes = {key: columns for key, columns in solved.differences.items() if key.endswith(", equilibrium") and key in spread}
    if not changes:
        return
    names, unit = solved.market.names, solved.market.unit

    def cells(column: str, *, money: bool) -> tuple[str, ...]:
        told = []
        for key, columns in changes.items():
            values = (columns[column], *spread[key][column])
            change, low, high = (amount(float(v), unit) if money else f"{v:+.3f}" for v in values)
            told.append(f"{change} [{low}, {high}]")
        return tuple(told)

    groups = [
        Group("price", names, tuple(cells(f"price {name}", money=False) for name in names)),
        Group("profit", names, tuple(cells(f"profit {name}", money=True) for name in names)),
        Group("arbitrageurs'", ("profit",), (cells("arbitrageurs' profit", money=True),)),
        Group("consumers'", ("surplus",), (cells("consumer surplus", money=True),)),
    ]
    key = Group("", ("change",), (tuple(name.removesuffix(", equilibrium") for name in changes),), text=True)
    show(console, f"Changes between regimes at equilibrium prices, {unit} [5-95 % of the same resamples]", key, groups)


def _effect(value: float) -> str:
    return f"{value:+.3g}"


def _key(solved: Equilibrium) -> Group:
    return Group("", ("regime",), (tuple(solved.regimes),), text=True)
