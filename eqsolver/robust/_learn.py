"""Learning curves: the margin that a budget of exploration buys, in the domain explored and out of it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np

from eqsolver._base import FloatArray, UsageError
from eqsolver._ledger import cell_key, solve_cells
from eqsolver.market import Allot, Estimator, Market, Overrun, believed
from eqsolver.robust._candidates import candidates
from eqsolver.robust._choices import Chooser, best, chosen
from eqsolver.robust._curves import Curve, FullInformation, Learning
from eqsolver.robust._explore import explored, logs_cost, sampled
from eqsolver.robust._margins import margins_matrix
from eqsolver.technology import Cascade, Rules, all_steps, allotted, rules

NUMBER_OF_BUDGETS = 7
"""Budgets of exploration, where none are given."""

CHOICES = ("empirical", "npml", "cvar:0.3", "tv:0.1")

ROOMS = ("logs", "market", "technology", "estimate", "posted", "robust")
"""The rooms whose code a cell's answer depends on."""

POLICIES, FINEST = 100, 256
"""Cascades are chosen from a grid of about twice so many, with no more thresholds of each provider than that."""

NEAR = 0.005
"""Thresholds whose margin on all of the fit domain's logs is this close to the best one's: as good as it, for all one knows."""


def learn(
    market: Market,
    *,
    fit_domain: str = ".",
    eval_domain: str = ".",
    budgets: Sequence[float] | None = None,
    choices: Sequence[str] = CHOICES,
    estimator: Estimator | None = None,
    attempts: int = 1,
    resamples: int = 100,
    scenarios: int = 50,
    allot: Allot | None = None,
    overrun: Overrun | None = None,
    max_budget: float | None = None,
    clipped: bool = False,
    seed: int = 0,
    jobs: int = 1,
    backend: str = "loky",
    ledger: Path | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> Learning:
    """Explore, choose, evaluate: margins against the fit budget, again and again.

    Parameters
    ----------
    market : of logs, with a cap on the budget per problem, here or as `max_budget`.
    fit_domain, eval_domain : regular expressions searched for in the problems' names; `.` is all of them.
    budgets : of exploration, money at posted prices, for the attempts of all providers; default: see `budgets_of`.
    estimator : of success probabilities where what was chosen is evaluated, as in `solve`; None: the unbiased one.
    choices : see `Chooser`. scenarios : resamples of the problems seen that ambiguity sets weigh.
    attempts : bought of every provider at each visit of a problem, see `explored`.
    resamples : explorations per budget. seed : of their generators; the answer does not depend on `jobs`.
    allot, overrun : see `rules`. clipped : losses count as zero, as in [OSH], whose levels these are anyhow.
    jobs, backend : of joblib. ledger : an sqlite file of what has been solved, see `solve_cells`.

    Raises
    ------
    UsageError : a domain has no problem, or an option makes no sense. MarketError, NotCertified : as whatever is used raises.

    Notes
    -----
    THEORY section 8. Policies are cascades over a fixed grid of thresholds. What is chosen from the attempts seen is
    evaluated on the full logs of the evaluation domain, as the estimator believes them to be, at levels from 5 points below the
    best provider's reach there. Where domains overlap, attempts seen are among those evaluated on.
    """
    wanted = [Chooser(name=name) for name in choices]
    _check(budgets, wanted, attempts=attempts, resamples=resamples, scenarios=scenarios, seed=seed)
    sampled(market)
    terms = rules(market, allot=allot, overrun=overrun, max_budget=max_budget)
    if not np.isfinite(terms.total_cap):
        raise UsageError(f"market {market.name!r}: learning needs max_budget, the most allotted to one problem")
    fit, evaluated = (_domain(market, text, side) for text, side in ((fit_domain, "fit"), (eval_domain, "eval")))
    truth = [believed(part, estimator, max_budget=terms.total_cap)[0] for part in (fit, evaluated)]
    budgets = budgets_of(fit, attempts) if budgets is None else budgets
    policies = candidates(market, terms, most=POLICIES, finest=FINEST)
    ends = [margins_matrix(part, policies, part.weights[None, :], terms, clipped=clipped) for part in truth]
    there = ends[1].values[0]
    same = (fit.digest(), truth[1].digest(), terms, tuple(choices), attempts, scenarios, clipped, seed, policies)
    cells = [
        (
            cell_key(same, float(budget), b, rooms=ROOMS),
            (fit, policies, there, terms, wanted, float(budget), attempts, scenarios, clipped, (seed, b)),
        )
        for budget in budgets
        for b in range(resamples)
    ]
    read = partial(_margins, number=len(choices))
    answers = solve_cells(_learnt, cells, read=read, ledger=ledger, jobs=jobs, backend=backend, progress=progress)
    margins = np.array(answers).reshape(len(budgets), resamples, len(choices))
    return Learning(
        market=market,
        budgets=np.array(budgets, dtype=np.float64),
        curves=tuple(Curve.of(name, margins[:, :, k]) for k, name in enumerate(choices)),
        full_information=_full(
            terms, policies, ends[0].values[0], there, fit, evaluated, ends[0].levels[0, -1], ends[1].levels[0, -1]
        ),
        options={
            "fit_domain": fit_domain,
            "eval_domain": eval_domain,
            "budgets": [float(budget) for budget in budgets],
            "choices": list(choices),
            "estimator": "unbiased" if estimator is None else estimator.name,
            "attempts": attempts,
            "resamples": resamples,
            "scenarios": scenarios,
            **terms.options,
            "max_budget": terms.total_cap,
            "clipped": clipped,
            "seed": seed,
        },
    )


def _learnt(
    fit: Market,
    policies: Sequence[Cascade],
    there: FloatArray,
    terms: Rules,
    choices: Sequence[Chooser],
    budget: float,
    attempts: int,
    scenarios: int,
    clipped: bool,
    seed: tuple[int, int],
) -> str:
    """One exploration, in a worker: margins in the evaluation domain, by choice, as JSON."""
    generator = np.random.default_rng(seed)
    seen = explored(fit, budget, generator, attempts=attempts)
    if seen is None:
        return json.dumps([0.0] * len(choices))
    again = int(generator.integers(2**31))
    shares = chosen(choices, seen, policies, terms, clipped=clipped, resamples=scenarios, seed=again)
    return json.dumps([round(float(share @ there), 12) for share in shares])


def _margins(text: str, number: int) -> list[float]:
    """The margins of so many choices from a cell's text; a `ValueError` unless they can be margins: finite, at most 1."""
    from pydantic import ConfigDict, Field, TypeAdapter

    margin = Annotated[float, Field(le=1.0, allow_inf_nan=False)]
    several = Annotated[list[margin], Field(min_length=number, max_length=number)]
    found: list[float] = TypeAdapter(several, config=ConfigDict(strict=True)).validate_python(json.loads(text))
    return found


def _full(
    terms: Rules,
    policies: Sequence[Cascade],
    here: FloatArray,
    there: FloatArray,
    fit: Market,
    evaluated: Market,
    *reach: float,
) -> FullInformation:
    share = best(here)
    near = here >= here.max() - NEAR
    policy = allotted(terms, all_steps(fit, terms), policies[int(np.argmax(here))])
    return FullInformation(
        policy=policy,
        fit_margin=float(share @ here),
        eval_margin=float(share @ there),
        near=int(near.sum()),
        near_low=float(there[near].min()),
        near_high=float(there[near].max()),
        best_eval_margin=float(there.max()),
        problems=(fit.weights.size, evaluated.weights.size),
        reach=(float(reach[0]), float(reach[1])),
        logs_cost=logs_cost(fit),
    )


def _domain(market: Market, text: str, side: str) -> Market:
    """The market of the problems whose names match."""
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise UsageError(f"{side}_domain {text!r} is not a regular expression: {error}") from None
    inside = np.array([pattern.search(name) is not None for name in market.problems])
    if not inside.any():
        raise UsageError(f"{side}_domain {text!r} matches no problem; their names are like {market.problems[0]!r}")
    return market.reweighted(np.where(inside, market.weights, 0.0))


def budgets_of(fit: Market, attempts: int) -> list[float]:
    """Budgets from a visit to ten problems to all attempts of the logs, evenly in their logarithm, to two digits.

    attempts : bought of every provider at each visit.
    """
    whole = logs_cost(fit)
    visit = sum(float(fit.weights @ p.spend) * p.price for p in fit.providers) * attempts
    number = NUMBER_OF_BUDGETS
    rounded = [float(f"{budget:.1e}") for budget in np.geomspace(min(10 * visit, whole), whole, number)]
    return sorted(set(rounded))


def _check(budgets: Sequence[float] | None, choices: Sequence[Chooser], **counts: int) -> None:
    if budgets is not None:
        _check_budgets(budgets)
    if not choices or len(set(choices)) != len(choices):
        raise UsageError("choices: name at least one, and none twice")
    for name, value in counts.items():
        if value < (0 if name == "seed" else 1):
            raise UsageError(f"{name} = {value} must be at least {0 if name == 'seed' else 1}")


def _check_budgets(budgets: Sequence[float]) -> None:
    if not len(budgets) or any(not 0 < budget < np.inf for budget in budgets):
        raise UsageError(f"budgets must be positive and finite: {', '.join(f'{b:g}' for b in budgets) or 'none given'}")
    if len(set(budgets)) != len(budgets) or list(budgets) != sorted(budgets):
        raise UsageError(f"budgets must increase: {', '.join(f'{b:g}' for b in budgets)}")
