"""An entry as tables."""

from __future__ import annotations

import numpy as np
from rich.console import Console

from eqsolver.posted import Entry
from eqsolver.report._columns import Group, say, show, wide
from eqsolver.report._tables import print_head, print_segments
from eqsolver.report._words import amount, counted, digits, evenly, level_places, percent, words

LEVELS_SHOWN = 8

CASES = {"without_arbitrage": "without arbitrage", "with_arbitrage": "with arbitrage"}
SITUATIONS = {"without_entrant": "without entrant", "with_entrant": "with entrant"}


def print_entry(found: Entry, console: Console) -> None:
    """Print prices, revenue shares, segments and the earliest capability; all levels are in the JSON object."""
    after = found.solved["with_entrant"]
    with wide(console):
        incumbents = counted(len(after.market.names) - 1, "incumbent")
        print_head(after.market, after.rules, f"{found.entrant} enters a market of {incumbents}", console)
        _shares(found, console)
        for key, situation in SITUATIONS.items():
            segments = {CASES[case]: of[key] for case, of in found.segmentation.items()}
            print_segments(found.solved[key].market.names, segments, console, f", {situation}")
        _policies(found, console)
        _capability(found, console)


def _shares(found: Entry, console: Console) -> None:
    market = found.solved["with_entrant"].market
    priced = np.flatnonzero(np.isfinite(found.price["without_arbitrage"]["with_entrant"]))
    if not priced.size:
        say(console, "No level has a market price: no provider reaches any of them on its own.")
        return
    rows = priced[evenly(priced.size, LEVELS_SHOWN)]
    places = level_places(found.levels[rows])
    key = Group("", ("level %",), (tuple(percent(float(u), places) for u in found.levels[rows]),))
    headings = tuple(SITUATIONS.values())
    prices = [
        Group(
            CASES[case], headings, tuple(tuple(amount(float(values[r]), market.unit) for r in rows) for values in of.values())
        )
        for case, of in found.price.items()
    ]
    show(console, f"What consumers pay, {market.unit} per problem", key, prices)
    say(console, "With arbitrage: where two alike arbitrageurs with the fitted cascade come to rest, its buy cost.", "dim")
    for situation, name in SITUATIONS.items():
        groups = []
        for case, of in found.revenue_share.items():
            shares = of[situation]
            cells = tuple(tuple(percent(float(values[r])) for r in rows) for values in shares.values())
            groups.append(Group(f"{CASES[case]}, %", tuple(shares), cells))
        show(console, f"Who earns what {name}: shares of what consumers pay at the market price", key, groups)


def _policies(found: Entry, console: Console) -> None:
    say(console, "")
    say(console, "Single cascade resold", "bold")
    for key, one in found.solved.items():
        path = [block for block in one.fitted.path if block[1] > 0]
        sentence = words(path, one.market.names, one.market.unit, one.rules.allot, one.one_attempt)
        say(console, f"  {SITUATIONS[key]:<16}  {sentence}")


def _capability(found: Entry, console: Console) -> None:
    values = tuple(digits(float(s)) for s in found.capabilities)
    key = Group("", ("capability",), (values,))
    shares = tuple(tuple(percent(float(share), 2) for share in found.shares[case]) for case in CASES)
    title = f"Mean revenue share of {found.entrant}, %, if its attempts cost 1 / capability as much"
    show(console, title, key, [Group("", tuple(CASES.values()), shares)])
    for case, name in CASES.items():
        say(console, f"  {name}: {earliest(found, case)}")
    least = found.options["least_share"]
    if least:
        say(console, f"It earns if its share at some level is above {percent(least, 2)} %.", "dim")
    say(console, "With arbitrage here: the optimal schedule for each level, resold at the market price.", "dim")


def earliest(found: Entry, case: str) -> str:
    one = found.earliest[case]
    if np.isnan(one.capability):
        return f"earns at none, up to {digits(float(found.capabilities[-1]))}"
    if one.at_lowest:
        return f"earns at {digits(one.capability)} already, the lowest searched"
    return f"earns from {digits(one.capability)} on"
