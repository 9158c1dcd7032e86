"""Margins out of sample: fitted on one half of the problems, paid on the other."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from eqsolver import Market, UsageError, solve
from eqsolver.cli import app
from eqsolver.market import Geometric, Provider, Sampled
from eqsolver.posted._cross_fit import LEVELS, cross_fit, halves, paid
from eqsolver.robust import margins_matrix
from eqsolver.technology import Cascade, all_steps, build, rules


def luck(problems: int = 60, attempts: int = 2, seed: int = 3) -> Market:
    """Logs of three providers that are alike: what tells them apart is luck."""
    rng = np.random.default_rng(seed)
    p = rng.uniform(0.1, 0.9, problems)

    def provider(name: str) -> Provider:
        n = np.full(problems, attempts)
        return Provider(
            name=name, odds=Sampled(attempts=n, successes=rng.binomial(n, p)), spend=rng.uniform(0.7, 1.4, problems)
        )

    return Market(
        name="luck",
        providers=tuple(provider(name) for name in "abc"),
        weights=np.full(problems, 1 / problems),
        problems=tuple(f"p{x}" for x in range(problems)),
        max_budget=5.0,
    )


def test_what_was_fitted_to_luck_earns_less_elsewhere() -> None:
    found = cross_fit(luck(), rules(luck()), access=None, splits=3, seed=1)
    assert found.held_out.shape == found.in_sample.shape == (6,)
    assert found.mean < found.in_sample.mean() - 0.05
    assert found.band[0] <= found.mean <= found.band[1]
    again = cross_fit(luck(), rules(luck()), access=None, splits=3, seed=1)
    np.testing.assert_array_equal(found.held_out, again.held_out)


def test_a_margin_paid_is_that_of_the_margins_matrix() -> None:
    """Losses and levels that are not reached included; the last threshold is let out up to the cap."""
    market = replace(luck(), max_budget=2.5)
    terms = rules(market, overrun="never")
    made = build(market, terms, all_steps(market, terms))
    reach = max(float(step.profile(market.weights).solved[-1]) for step in made.steps)
    u = np.linspace(reach - 0.05, reach, LEVELS)
    policies = [Cascade(order=(0, 2), thresholds=(1.0, 1.5)), Cascade(order=(1,), thresholds=(2.5,))]
    expected = margins_matrix(market, policies, market.weights[None], terms, levels=u).values[0]
    assert min(expected) < 0
    assert made.walk(((0, 1.0), (2, 1.5))).solved[-1] < reach, "the first does not reach every level"
    np.testing.assert_allclose([paid(made, policy, u) for policy in policies], expected, atol=1e-9)


def test_halves_are_even_and_disjoint() -> None:
    stratum = np.repeat([0, 1], [7, 12])
    half = halves(stratum, np.random.default_rng(0))
    assert sorted(np.bincount(half[:7])) == [3, 4]
    assert list(np.bincount(half[7:])) == [6, 6]


def test_only_a_sample_can_be_halved() -> None:
    few = luck().reweighted(np.arange(60) < 3)
    with pytest.raises(UsageError, match="at least 4 problems"):
        solve(few, cross_fits=1)
    odds = Geometric(success=np.full(60, 0.5))
    known = replace(luck(), providers=tuple(replace(p, odds=odds) for p in luck().providers))
    with pytest.raises(UsageError, match="it needs logs"):
        solve(known, cross_fits=1)
    with pytest.raises(UsageError, match="cross_fits"):
        solve(luck(), cross_fits=-1)


def test_the_command_says_what_the_cascade_earns_on_other_problems(tmp_path: Path) -> None:
    for provider in luck(24).providers:
        assert isinstance(provider.odds, Sampled)
        lines = [
            json.dumps({"id": f"p{x}", "attempts": 2, "successes": int(c), "mean_cost": w})
            for x, (c, w) in enumerate(zip(provider.odds.successes, provider.spend, strict=True))
        ]
        (tmp_path / f"{provider.name}.jsonl").write_text("\n".join(lines))
    out = tmp_path / "answer.json"
    asked = ["solve", str(tmp_path), "--max-budget", "5", "--points", "8"]
    plain = CliRunner().invoke(app, asked)
    assert "--cross-fits 10 says" in plain.stdout
    classes = CliRunner().invoke(app, ["solve", str(Path(__file__).parents[2] / "models" / "textbook-specialists.toml")])
    assert "--cross-fits" not in classes.stdout
    shown = CliRunner().invoke(app, [*asked, "--cross-fits", "2", "--json", str(out)])
    assert shown.exit_code == 0
    assert "paid on the other half" in shown.stdout
    found = json.loads(out.read_text())["cascade"]["out_of_sample"]
    assert found["p05"] <= found["mean"] <= found["p95"]
    assert found["in_sample_mean"] > found["mean"]
