"""No coarse grid search over thresholds finds a cheaper cascade than the package does, at any level or for all at once."""

from __future__ import annotations

import numpy as np
import pytest
from coarse_search import Search
from published import DATA, needs_logs

from eqsolver._base import FloatArray
from eqsolver.market import Market, Provider, Sampled, load
from eqsolver.posted import solve

PROVERS = ("lean", ["kimina-1.7b", "kimina-8b", "kimina-72b"], 3e8)
CODERS = ("swebench", ["minicoder4b", "gpt5mini", "deepseek", "sonnet"], 1.0)


def beats_the_search(market: Market, cap: float, levels: FloatArray, *, coarse: int, fine: int) -> None:
    solution = solve(market, max_budget=cap, levels=levels, overrun="never")
    found = Search(market, cap, solution.levels, solution.offers.market_price).run(coarse, fine)
    assert np.isfinite(found.cost[solution.levels <= solution.offers.reach.max() - 0.01]).all(), "the search is a rival"
    assert (solution.cascade_per_level.resale.buy_cost <= found.cost * (1 + 1e-9)).all()
    assert solution.cascade.resale.mean_margin >= found.mean_margin - 1e-9, found.cascade
    assert found.mean_margin >= 0.9 * solution.cascade.resale.mean_margin, "the search is a rival"


def test_the_search_finds_what_is_found_by_hand() -> None:
    """Two problems by hand: (n, c) = (2, 1) fails first with 1/2 and never twice; (3, 0) always fails."""
    a = Provider(name="a", odds=Sampled(attempts=[2, 3], successes=[1, 0]), spend=[1.0, 2.0])
    b = Provider(name="b", odds=Sampled(attempts=[1, 1], successes=[1, 1]), spend=[8.0, 8.0])
    market = Market(name="by hand", providers=(a, b), weights=[0.5, 0.5], max_budget=10.0)
    search = Search(market, 10.0, np.array([0.25, 0.5, 0.75, 1.0]), np.array([1.0, 2.0, 8.0, 8.0]))
    found = search.run(coarse=10, fine=10)
    # a up to 1 solves 1/4 for (1 + 0) / 2; up to 2, 1/2 for (1 + 1/2 + 2) / 2, of which 2 in vain; then b, 8 on the other half.
    np.testing.assert_allclose(found.cost, [0.5, 1.75, 1.75 + 4, 1.75 + 4])
    assert found.cascade[0] == ("a", pytest.approx(2.0))


@needs_logs
@pytest.mark.parametrize(
    ("folder", "names", "cap", "coarse"), [(*PROVERS, 16), pytest.param(*CODERS, 8, marks=pytest.mark.slow)]
)
def test_no_coarse_search_beats_the_cascades(folder: str, names: list[str], cap: float, coarse: int) -> None:
    market = load(DATA / folder, providers=names)
    top = solve(market, max_budget=cap, levels=[0.5], points=12, overrun="never").offers.reach.max()
    beats_the_search(market, cap, np.linspace(top - 0.05, top, 12), coarse=coarse, fine=200)


@needs_logs
@pytest.mark.slow
@pytest.mark.parametrize(("folder", "names", "cap", "coarse"), [(*PROVERS, 16), (*PROVERS, 40), (*CODERS, 16)])
def test_no_finer_search_beats_the_cascades(folder: str, names: list[str], cap: float, coarse: int) -> None:
    market = load(DATA / folder, providers=names)
    levels = solve(market, max_budget=cap, points=12).levels
    beats_the_search(market, cap, levels, coarse=coarse, fine=300)
