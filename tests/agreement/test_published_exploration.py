"""Why learning curves differ from the published ones: their way of exploring and of keeping accounts, replayed.

Published: every model is run on a problem until it solves it or $0.50 are spent, and only the second model's bill is charged to
the fit budget; the all-to-all curve lost the top one of its 20 levels to float32. Replayed so, with independent draws and
failures that stay failures, the published means come out; charging both models moves the curves to larger budgets.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from published import DATA, figures, needs_figures

from eqsolver._base import FloatArray, IntArray
from eqsolver.market import Sampled, load
from eqsolver.robust import margins_matrix
from eqsolver.technology import Cascade, rules

PUBLISHED = "learning_curves.json"
BUDGETS = (1, 3, 5, 10, 30, 100)
RUN, CAP, RESAMPLES = 0.5, 1.0, 100
TOPS = np.append(0.0, np.geomspace(0.01, 0.5, 100))

pytestmark = [needs_figures(PUBLISHED), pytest.mark.slow]


@dataclass(frozen=True)
class Explorer:
    """Draws problems, runs both models until solved, and fits the first threshold to what the runs cost."""

    chance: FloatArray  # (2, N)
    spend: FloatArray  # (2, N)
    problems: IntArray
    both_charged: bool

    def fitted(self, budget: float, rng: np.random.Generator) -> IntArray:
        """Positions of the best thresholds; empty if none earns anything."""
        drawn = rng.choice(self.problems, size=4000)
        p, w = self.chance[:, drawn], self.spend[:, drawn]
        tries = np.where(p > 0, rng.geometric(np.maximum(p, 1e-12)), np.inf)
        failed = tries * w > RUN
        bill = np.where(failed, np.floor(RUN / w) * w, tries * w)
        charged = bill.sum(axis=0) if self.both_charged else bill[1]
        seen = max(int(np.searchsorted(np.cumsum(charged), budget)), 1)
        return best_tops(*np.where(failed, np.inf, tries * w)[:, :seen])


def best_tops(first: FloatArray, second: FloatArray) -> IntArray:
    """Thresholds with the largest clipped mean margin, where a problem is solved at a known cost (N,), infinite if never."""
    N = first.size
    reach = max(np.isfinite(first).mean(), np.isfinite(second).mean())
    levels = np.linspace(reach - 0.05, reach, 20)
    needed = np.ceil(levels[levels > 0] * N - 1e-9).astype(int)
    price = np.minimum(offer(first, needed), offer(second, needed))
    if not np.isfinite(price).any():
        return np.zeros(0, dtype=int)
    alone = offer(first, needed)
    score = np.zeros(TOPS.size)
    for j, top in enumerate(TOPS):
        left = first > top
        done = N - int(left.sum())
        later = np.where(second[left] <= CAP - top, second[left], np.inf)
        cost = np.minimum(first, top).sum() + offer(later, needed - done)
        cost = np.where(needed <= done, alone, cost)
        score[j] = np.maximum(1 - cost[np.isfinite(price)] / price[np.isfinite(price)], 0).mean()
    return np.flatnonzero(score >= score.max() - 1e-12) if score.max() > 1e-12 else np.zeros(0, dtype=int)


def offer(costs: FloatArray, needed: IntArray) -> FloatArray:
    """Total spend at the budget that solves so many problems; leftover budget counts as spent. Infinite out of reach."""
    found = np.full(needed.size, np.inf)
    ordered = np.sort(costs)
    reached = (needed >= 1) & (needed <= np.isfinite(costs).sum())
    if not reached.any():
        return found
    budget = ordered[needed[reached] - 1]
    found[reached] = np.minimum(costs[None, :], budget[:, None]).sum(axis=1)
    return found


def means(case: str, *, both_charged: bool) -> FloatArray:
    """(B,) mean margin in the evaluation domain, in points, by fit budget."""
    market = load(DATA / "swebench", providers=["gpt5mini", "deepseek"])
    django = np.array([name.startswith("django") for name in market.problems])
    domain = {"all": django | ~django, "django": django, "not_django": ~django}
    fit, evaluated = (domain[name] for name in case.split("_to_"))
    terms = rules(market, overrun="cut", max_budget=CAP)
    policies = [Cascade(order=(0, 1), thresholds=(top, CAP - top)) for top in TOPS]
    share = (evaluated / evaluated.sum())[None, :]
    there = margins_matrix(market, policies, share, terms, clipped=True)
    values = there.values[0]
    if case == "all_to_all":  # float32: the top level counts as 0
        values = margins_matrix(market, policies, share, terms, levels=there.levels[0, :-1], clipped=True).values[0] * 19 / 20
    odds = [p.odds for p in market.providers if isinstance(p.odds, Sampled)]
    explorer = Explorer(
        chance=np.stack([o.successes / o.attempts for o in odds]),
        spend=np.stack([p.spend for p in market.providers]),
        problems=np.flatnonzero(fit),
        both_charged=both_charged,
    )
    found = []
    for budget in BUDGETS:
        rng = np.random.default_rng(budget)
        tops = [explorer.fitted(budget, rng) for _ in range(RESAMPLES)]
        found.append(100 * np.mean([values[best].mean() if best.size else 0.0 for best in tops]))
    return np.array(found)


@pytest.mark.parametrize(("case", "budgets"), [("all_to_all", 6), ("django_to_not_django", 6), ("not_django_to_django", 4)])
def test_the_published_means_are_those_of_their_exploration_and_accounts(case: str, budgets: int) -> None:
    """Within 2.5 points, a mean of 100 having a standard error of about one at small budgets. From not-Django to Django up to
    $10: beyond, the replay is 5 points higher, and what else the published computation did there is not known."""
    said = [100 * row["mean"] for row in figures(PUBLISHED)[case][: len(BUDGETS)]]
    replayed = means(case, both_charged=False)
    print(case, "published", np.round(said, 1), "replayed", np.round(replayed, 1))
    np.testing.assert_allclose(replayed[:budgets], said[:budgets], atol=2.5)


@pytest.mark.parametrize("case", ["all_to_all", "django_to_not_django", "not_django_to_django"])
def test_charging_both_models_moves_the_curve_to_larger_budgets(case: str) -> None:
    one, both = means(case, both_charged=False), means(case, both_charged=True)
    print(case, "second charged", np.round(one, 1), "both charged", np.round(both, 1))
    assert both[:4].mean() < one[:4].mean() - 0.5
