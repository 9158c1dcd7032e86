"""Learning curves as a table."""

from __future__ import annotations

import numpy as np
from rich.console import Console

from eqsolver.report._columns import Group, say, say_notes, show, wide
from eqsolver.report._words import amount, counted, money, percent, words
from eqsolver.robust import Learning


def print_learning(found: Learning, console: Console) -> None:
    """Print mean margins with their bands by fit budget, and what full information is worth."""
    full, market, options = found.full_information, found.market, found.options
    fit, evaluated = full.problems
    with wide(console):
        say(console, f"Learning curves of {market.name} ({', '.join(market.names)})", "bold")
        say(
            console,
            f"  Explored: {counted(fit, 'problem')} matching {options['fit_domain']!r}; evaluated on "
            f"{counted(evaluated, 'problem')} matching {options['eval_domain']!r}.",
        )
        say_notes(console, market.notes)
        kind = "losses count as zero" if options["clipped"] else "losses count"
        say(console, f"  Margins over the 5 points below the best provider's reach of {percent(full.reach[1])} %; {kind}.")
        key = Group("", ("fit budget",), (tuple(amount(float(b), market.unit) for b in found.budgets),))
        groups = []
        for curve in found.curves:
            band = tuple(f"{percent(lo)} to {percent(hi)}" for lo, hi in zip(curve.p05, curve.p95, strict=True))
            groups.append(Group(curve.name, ("mean", "5-95 %"), (tuple(percent(m) for m in curve.mean), band)))
        show(console, f"Margin in the evaluation domain, %, over {counted(options['resamples'], 'exploration')}", key, groups)
        error = max(float(np.nanmax(curve.standard_error, initial=0.0)) for curve in found.curves)
        say(console, f"  Standard error of a mean: at most {percent(error)} points.", "dim")
        say(console, "  5-95 %: over explorations of these logs; the luck of the logs themselves is not in these bands.", "dim")
        say(console, "")
        say(
            console,
            f"Full information: all attempts of the explored domain's logs, {money(full.logs_cost, market.unit)}",
            "bold",
        )
        say(console, f"  Best cascade    {words(full.policy.path, market.names, market.unit, options['allot'])}")
        say(
            console,
            f"  Its margin      {percent(full.fit_margin)} % there, {percent(full.eval_margin)} % in the evaluation domain",
        )
        say(
            console,
            f"  As good there, within half a point: {counted(full.near, 'cascade')}, {percent(full.near_low)} to "
            f"{percent(full.near_high)} % in the evaluation domain",
        )
        say(console, f"  No single cascade earns more in the evaluation domain than {percent(full.best_eval_margin)} %")
