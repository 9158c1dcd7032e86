"""Estimators: the likelihood program has its certificate, posteriors are Bayes' rule, markets of estimates are solved right."""

from __future__ import annotations

import itertools
import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, special, stats
from typer.testing import CliRunner

from eqsolver import solve
from eqsolver._base import MarketError, NotCertified, UsageError
from eqsolver.cli import app
from eqsolver.estimate import Beta, Npml
from eqsolver.estimate._mixture import best_mixture
from eqsolver.estimate._prior import LARGEST, SMALLEST, beta_log_odds, beta_prior
from eqsolver.market import Estimated, Geometric, Market, Provider, Sampled
from eqsolver.technology import expected_tries, oracle, rules, schedule_hull, survival, technology

SETTINGS = settings(max_examples=30, deadline=None)


def logs(seed: int, problems: int = 40, providers: int = 2, most: int = 6, cap: float | None = 1.0) -> Market:
    """Logs of a few attempts: joint skill with a share of hopeless problems."""
    rng = np.random.default_rng(seed)
    skill = rng.beta(0.6, 0.5, problems) * (rng.random(problems) > 0.2)
    sellers = []
    for i in range(providers):
        n = rng.integers(1, most + 1, problems)
        c = rng.binomial(n, np.clip(skill + 0.1 * i * (skill > 0), 0, 1))
        odds = Sampled(attempts=n, successes=c)
        sellers.append(Provider(name=f"p{i}", odds=odds, spend=rng.uniform(0.02, 0.2, problems)))
    return Market(name="logs", providers=tuple(sellers), weights=np.full(problems, 1 / problems), max_budget=cap)


@st.composite
def likelihoods(draw: st.DrawFn) -> np.ndarray:
    """Log-likelihoods of a few problems under a few components, with duplicates and components of no use."""
    shape = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    cell = st.sampled_from([0.0, -0.5, -1.0, -3.0, -30.0])
    return np.array(draw(st.lists(st.lists(cell, min_size=shape[1], max_size=shape[1]), min_size=shape[0], max_size=shape[0])))


@given(table=likelihoods(), seed=st.integers(0, 9))
@SETTINGS
def test_no_other_weights_beat_the_mixture_by_more_than_its_gap(table: np.ndarray, seed: int) -> None:
    rng = np.random.default_rng(seed)
    q = rng.dirichlet(np.ones(len(table)))
    found = best_mixture(table, q)
    assert found.gap <= 1e-6
    assert found.weights.sum() == pytest.approx(1)
    assert found.log_likelihood == pytest.approx(q @ special.logsumexp(table, axis=1, b=found.weights), abs=1e-9)
    for other in [*rng.dirichlet(np.full(table.shape[1], 0.3), size=50), *np.eye(table.shape[1])]:
        with np.errstate(divide="ignore"):
            assert q @ np.log(np.exp(table) @ other) <= found.log_likelihood + found.gap + 1e-12


def test_a_mixture_of_two_known_points_is_found() -> None:
    """With many attempts per problem the weights are the shares of problems."""
    atoms = np.array([0.1, 0.5, 0.9])
    c = np.repeat([100, 900], [30, 70])
    table = special.xlogy(c[:, None], atoms) + special.xlog1py(1000 - c[:, None], -atoms)
    np.testing.assert_allclose(best_mixture(table, np.full(100, 0.01)).weights, [0.3, 0.0, 0.7], atol=1e-6)


def test_problems_that_share_no_component_are_each_served() -> None:
    table = np.where(np.eye(60, dtype=bool), 0.0, -5000.0)
    found = best_mixture(table, np.full(60, 1 / 60))
    np.testing.assert_allclose(found.weights, 1 / 60)
    assert found.gap <= 1e-6


def test_a_mixture_that_runs_out_of_rounds_says_so_and_hands_over_what_it_has() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(NotCertified, match=r"a gap of .* is left after 1 rounds") as raised:
        best_mixture(rng.normal(0, 3, (40, 30)), np.full(40, 1 / 40), max_rounds=1)
    assert raised.value.result.gap > 1e-6


@given(a=st.sampled_from([0.2, 1.0, 1.0004, 2.5]), b=st.sampled_from([0.3, 1.0, 40.0]), k=st.integers(0, 12))
@SETTINGS
def test_estimated_odds_are_beta_averages_of_geometric_ones(a: float, b: float, k: int) -> None:
    """Exact rationals: S(k) is the product of (b + l) / (a + b + l)."""
    odds = Estimated(alpha=[a], beta=[b])
    A, B = Fraction(a), Fraction(b)
    S = [Fraction(1)]
    for done in range(k + 1):
        S.append(S[-1] * (B + done) / (A + B + done))
    at = np.array([[float(k)]])
    found = survival(odds, at)
    assert found[0, 0] == pytest.approx(float(S[k]), rel=1e-12)
    assert expected_tries(odds, at, found)[0, 0] == pytest.approx(float(sum(S[:k])), rel=1e-10)
    mean, _ = integrate.quad(lambda p: (1 - p) ** k * stats.beta.pdf(p, a, b), 0, 1, limit=200)
    assert mean == pytest.approx(float(S[k]), rel=1e-5)


@given(c=st.integers(0, 5), f=st.integers(0, 5))
def test_the_likelihood_of_counts_over_all_outcomes_is_one(c: int, f: int) -> None:
    n = c + f
    every = np.arange(n + 1)
    assert (special.comb(n, every) * np.exp(beta_log_odds(every, n - every, 0.7, 1.3))).sum() == pytest.approx(1)


def test_the_beta_prior_is_no_less_likely_than_any_on_a_grid() -> None:
    market = logs(3, problems=200)
    odds = market.providers[0].odds
    assert isinstance(odds, Sampled)
    c, f = odds.successes.astype(float), (odds.attempts - odds.successes).astype(float)

    def mean(a: float, b: float) -> float:
        doubt = 0.5 * (np.log(a) ** 2 + np.log(b) ** 2) / 200
        return float(market.weights @ beta_log_odds(c, f, np.array(a), np.array(b))) - doubt

    best = mean(*beta_prior(odds, market.weights))
    assert all(best >= mean(a, b) - 1e-9 for a, b in itertools.product(np.geomspace(0.02, 20, 15), repeat=2))


@pytest.mark.parametrize("successes", [0, 3])
def test_a_prior_of_nothing_but_failure_or_success_stays_within_its_bounds(successes: int) -> None:
    odds = Sampled(attempts=np.full(5, 3), successes=np.full(5, successes))
    alpha, beta = beta_prior(odds, np.full(5, 0.2))
    assert 2 * SMALLEST < min(alpha, beta) < max(alpha, beta) < LARGEST / 2


def test_where_single_attempts_tell_the_mean_only_the_prior_stays_near_the_uniform_one() -> None:
    """Of all distributions with the mean that was seen, likelihood alone prefers none."""
    odds = Sampled(attempts=np.ones(400), successes=np.arange(400) < 100)
    alpha, beta = beta_prior(odds, np.full(400, 1 / 400))
    assert alpha / (alpha + beta) == pytest.approx(0.25, abs=0.01)
    assert alpha + beta == pytest.approx(2.0, rel=0.2), "the uniform prior is Beta(1, 1)"


@given(seed=st.integers(0, 30))
@SETTINGS
def test_the_mixture_is_at_least_as_likely_as_the_beta_prior(seed: int) -> None:
    market = logs(seed)
    plain, best = Beta()(market), Npml()(market)
    assert best.log_likelihood >= plain.log_likelihood - 1e-6
    assert best.gap <= 1e-6


@given(seed=st.integers(0, 30), providers=st.integers(1, 3))
@SETTINGS
def test_classes_of_a_problem_share_its_weight_and_cost(seed: int, providers: int) -> None:
    market = logs(seed, providers=providers)
    made = Npml()(market).market
    assert made.origin is not None
    assert made.problem_count == market.weights.size
    np.testing.assert_allclose(np.bincount(made.origin, weights=made.weights), market.weights)
    for before, after in zip(market.providers, made.providers, strict=True):
        np.testing.assert_array_equal(after.spend, before.spend[made.origin])
    names = [market.problems[x] for x in made.origin]
    assert all(name.startswith(problem) for name, problem in zip(made.problems, names, strict=True))


def test_the_posterior_is_that_of_bayes_by_brute_force() -> None:
    """One problem's chance to survive (k, l) attempts, from numerical integration over the prior that was fitted."""
    market = logs(5, problems=12)
    fit = Npml(kept=1.0)(market)
    made, (first, second) = fit.market, [p.odds for p in fit.market.providers]
    assert isinstance(first, Estimated)
    assert isinstance(second, Estimated)
    assert made.origin is not None
    x = 4
    rows = made.origin == x
    seen = [p.odds for p in market.providers if isinstance(p.odds, Sampled)]
    counts = [(float(o.successes[x]), float(o.attempts[x] - o.successes[x])) for o in seen]
    share = made.weights[rows] / market.weights[x]
    components = [(odds.alpha[rows] - c, odds.beta[rows] - f) for odds, (c, f) in zip((first, second), counts, strict=True)]
    evidence = np.ones(rows.sum())
    for (alpha, beta), (c, f) in zip(components, counts, strict=True):
        evidence *= [_moment(a, b, c, f) for a, b in zip(alpha, beta, strict=True)]
    prior = share / evidence
    extra = (2, 3)
    later = np.ones(rows.sum())
    for (alpha, beta), (c, f), more in zip(components, counts, extra, strict=True):
        later *= [_moment(a, b, c, f + more) for a, b in zip(alpha, beta, strict=True)]
    unsolved = [survival(odds, np.full((len(odds), 1), k))[rows, 0] for odds, k in zip((first, second), extra, strict=True)]
    assert share @ (unsolved[0] * unsolved[1]) == pytest.approx((prior @ later) / (prior @ evidence), rel=1e-5)


def _moment(a: float, b: float, c: float, f: float) -> float:
    return float(integrate.quad(lambda p: p**c * (1 - p) ** f * stats.beta.pdf(p, a, b), 0, 1, limit=200)[0])


def test_resamples_draw_the_classes_of_a_problem_together() -> None:
    made = Npml()(logs(1)).market
    assert made.origin is not None
    drawn = made.resampled(5, np.random.default_rng(0))
    np.testing.assert_allclose(drawn.sum(axis=1), 1)
    whole = np.array([np.bincount(made.origin, weights=row) for row in drawn]) * made.problem_count
    np.testing.assert_allclose(whole, np.round(whole), atol=1e-9)
    within = drawn / made.weights
    for x in range(made.problem_count):
        assert np.ptp(within[:, made.origin == x], axis=1).max() < 1e-9


@given(seed=st.integers(0, 30), estimator=st.sampled_from([Beta(), Npml()]))
@settings(max_examples=10, deadline=None)
def test_the_oracle_stays_below_schedules_of_estimated_odds(seed: int, estimator: Beta | Npml) -> None:
    market = estimator(logs(seed, problems=8)).market
    terms = rules(market)
    solved, cost = schedule_hull(technology(market, points=40), market.prices)
    bound = oracle(market, terms, (0, 1), market.prices).at(np.minimum(solved, solved[-1]))
    assert (bound <= cost * (1 + 1e-9) + 1e-12).all()


def test_with_one_estimated_class_the_oracle_is_the_schedules_hull() -> None:
    """Where the cap does not bind: attempts in falling order of chance per money, from two providers."""
    sellers = tuple(
        Provider(name=name, odds=Estimated(alpha=[a], beta=[b]), spend=[w])
        for name, a, b, w in (("a", 0.5, 1.0, 1.0), ("b", 2.0, 1.5, 3.0))
    )
    market = Market(name="one", providers=sellers, weights=[1.0], max_attempts=6)
    terms = rules(market, allot="attempts")
    solved, cost = schedule_hull(technology(market, allot="attempts"), market.prices)
    found = oracle(market, terms, (0, 1), market.prices)
    assert found.relaxed == 0
    np.testing.assert_allclose(found.at(solved), cost, rtol=1e-9, atol=1e-12)


def test_a_solution_carries_its_estimate() -> None:
    found = solve(logs(2), estimator=Npml(), levels=[0.4, 0.5], points=30)
    document = found.to_dict()
    assert document["options"]["estimator"] == "npml"
    assert document["problems"] == 40
    assert document["estimate"]["gap"] <= 1e-6
    assert document["estimate"]["classes"] == found.market.weights.size > 40
    assert "estimate" not in solve(logs(2), levels=[0.4], points=30).to_dict()


def test_only_logs_can_be_estimated_from() -> None:
    known = Provider(name="known", odds=Geometric(success=[0.5]), spend=[1.0])
    with pytest.raises(UsageError, match="'classes': known is no attempt log"):
        Npml()(Market(name="classes", providers=(known,), weights=[1.0]))


@pytest.mark.parametrize(
    ("options", "told"), [({"attempts": 0.0}, "attempts"), ({"tolerance": 1.0}, "tolerance"), ({"kept": 0.0}, "kept")]
)
def test_settings_that_make_no_sense_are_told(options: dict[str, float], told: str) -> None:
    with pytest.raises(UsageError, match=f"npml: {told}"):
        Npml(**options)


@pytest.mark.parametrize(("alpha", "beta"), [([0.0], [1.0]), ([1.0], [np.inf]), ([1.0, 1.0], [1.0])])
def test_beliefs_that_cannot_be_are_refused(alpha: list[float], beta: list[float]) -> None:
    with pytest.raises(MarketError):
        Estimated(alpha=alpha, beta=beta)


def test_solve_takes_an_estimator_on_the_command_line(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name, spend in (("a", 0.05), ("b", 0.1)):
        lines = [
            json.dumps({"id": f"problem {x}", "attempts": int(n), "successes": int(rng.integers(0, n + 1)), "mean_cost": spend})
            for x, n in enumerate(rng.integers(1, 5, 30))
        ]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines))
    command = ["solve", str(tmp_path), "--max-budget", "1", "--points", "20", "--levels", "0.4,0.5"]
    runs = {
        name: CliRunner().invoke(app, [*command, "--estimator", name, "--json", "-"]) for name in ("unbiased", "npml", "beta")
    }
    found = {}
    for name, run in runs.items():
        assert run.exit_code == 0, run.output
        found[name] = json.loads(run.stdout)
        assert found[name]["options"]["estimator"] == name
    assert found["npml"]["estimate"]["estimator"] == "npml"
    shown = CliRunner().invoke(app, [*command, "--estimator", "npml"])
    assert "Odds estimated from the logs by npml" in shown.stdout
    assert CliRunner().invoke(app, [*command, "--estimator", "guess"]).exit_code == 2
