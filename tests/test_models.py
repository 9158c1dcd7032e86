"""Every shipped model loads, says where it comes from, and can be solved."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from eqsolver import load, solve
from eqsolver._base import FloatArray
from eqsolver.market import Geometric, Market, Population

MODELS = Path(__file__).parents[1] / "models"
SHIPPED = sorted(MODELS.glob("*.toml"))
MEASURED = [path for path in SHIPPED if not path.stem.startswith("textbook")]
FAMILIES = {"swebench-distillation": "qwen3-coder-480b", "minif2f-distillation": "kimina-72b"}


def reaches(market: Market) -> FloatArray:
    """(M,) the highest level each provider reaches."""
    return solve(market, access=market.names[:1], levels=[0.1], points=10).offers.reach


def stem(path: Path) -> str:
    return path.stem


def test_the_readme_lists_exactly_the_models() -> None:
    lines = (MODELS / "README.md").read_text(encoding="utf-8").splitlines()
    listed = [line.split("`")[1] for line in lines if line.startswith("| `")]
    assert sorted(listed) == [path.name for path in SHIPPED]


@pytest.mark.parametrize("path", MEASURED, ids=stem)
def test_a_measured_model_states_its_source_its_fit_and_its_assumptions(path: Path) -> None:
    header = [line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("#")]
    text = "\n".join(header)
    assert "published measurements of arXiv 2603.22404" in text
    assert "Made by eqsolver" in text
    assert "--max-budget" in text
    assert "Largest error of pass" in text
    assert "best schedule's margin" in text
    (judged,) = [line.removeprefix("# ") for line in header if "oal is met." in line or line.startswith("# Goals met:")]
    missed = {goal for goal in ("pass", "margins", "what consumers gain") if goal in judged.partition("Missed:")[2]}
    listed = next(line for line in (MODELS / "README.md").read_text(encoding="utf-8").splitlines() if f"`{path.name}`" in line)
    pass_error, margins, gains, finished = listed.strip("| ").split("|")[4:]
    off = [float(x) for x in re.findall(r"off by at most ([0-9.]+) %", text)]
    assert [float(x) for x in re.findall("[0-9.]+", gains)] == off, "the table says what the header says"
    assert ("what consumers gain" in missed) == (off > [2.0]) == ("**" in gains)
    assert ("pass" in missed) == (float(pass_error) > 0.5)
    assert ("margins" in missed) == any(
        float(x) > goal for x, goal in zip(re.findall("[0-9.]+", margins), (2, 4), strict=False)
    )
    assert "Assumed, not measured" in text
    (told,) = [line for line in header if "Under `--overrun finish`, the default" in line]
    errors, _, margin = told.partition("largest error of pass ")[2].partition("; error of the margin ")
    by_provider = [float(x) for x in re.findall(r" ([0-9]+\.[0-9]+)(?:,|$)", errors)]
    two = re.findall(r"([0-9.]+) on average, ([0-9.]+) at worst", margin)[0]
    assert [float(x) for x in re.findall("[0-9]+[.][0-9]+", finished)] == [max(by_provider), *map(float, two)]


@pytest.mark.parametrize("path", MEASURED, ids=stem)
def test_a_measured_model_is_small_and_complete(path: Path) -> None:
    market = load(path)
    assert market.max_budget is not None
    assert len(market.weights) <= (256 if len(market.providers) < 6 or path.stem in FAMILIES else 320)
    assert all(isinstance(provider.odds, Geometric) for provider in market.providers)
    assert all(provider.marginal_cost == 0.4 and provider.highest_price == 5 for provider in market.providers)
    (consumers,) = market.consumers
    assert isinstance(consumers, Population)
    students = [provider.name for provider in market.providers if provider.distillation_tokens is not None]
    teacher = FAMILIES.get(path.stem)
    assert students == [name for name in market.names if teacher is not None and name != teacher]


@pytest.mark.parametrize("path", SHIPPED, ids=stem)
def test_a_shipped_model_solves_with_every_pair_around_its_best_provider(path: Path) -> None:
    market = load(path)
    reach = reaches(market)
    best = market.names[int(np.argmax(reach))]
    levels = reach.max() * np.array([0.9, 1.0])
    for other in market.names:
        if other == best:
            continue
        found = solve(market.restrict([best, other]), levels=levels, points=40)
        margin = found.schedule.policy.resale.margin
        assert np.isfinite(found.offers.market_price).all()
        assert ((margin >= 0) & (margin < 1)).all()
        assert (found.oracle_cost <= found.schedule.policy.resale.buy_cost * (1 + 1e-9)).all()


@pytest.mark.parametrize("path", [path for path in MEASURED if len(load(path).names) <= 4], ids=stem)
def test_buying_across_all_providers_of_a_measured_model_pays(path: Path) -> None:
    market = load(path)
    found = solve(market, levels=reaches(market).max() * np.array([0.97, 0.99]), points=60)
    assert (found.schedule.policy.resale.margin > 0.05).all()
