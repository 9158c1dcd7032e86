"""What cannot be computed with, shown or held is refused in one line; what can be is not."""

from __future__ import annotations

import resource
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from eqsolver import MarketError, UsageError, distill, enter, solve
from eqsolver.market import (
    Arbitrageur,
    Estimated,
    Geometric,
    Limits,
    Market,
    Policy,
    Population,
    Provider,
    Regime,
    Value,
    check_resamples,
    read_spec,
    spec_text,
    write_spec,
)


def provider(name: str = "a", spend: float = 1.0, success: float = 0.5, **more: object) -> Provider:
    return Provider(name=name, odds=Geometric(success=[success]), spend=[spend], **more)  # type: ignore[arg-type]


def market(*providers: Provider, **more: object) -> Market:
    return Market(name="m", providers=providers or (provider(),), weights=[1.0], **{"max_budget": 4.0, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize("bad", ["", "a\x00", "a\x1b[2J", "a\x85", "a\nb", "x\u202eyz", "a\u2066b", "\u200f", "a" * 1001])
def test_names_that_a_terminal_cannot_show_are_refused_everywhere(bad: str) -> None:
    made = [
        lambda: provider(bad),
        lambda: Arbitrageur(name=bad),
        lambda: Regime(name=bad, arbitrageurs=()),
        lambda: replace(market(), name=bad),
        lambda: market(unit=bad),
        lambda: market(problems=(bad,)),
    ]
    for make in made[: -1 if len(bad) > 1000 else None]:  # an id may be long: it is in no table
        with pytest.raises(MarketError) as caught:
            make()
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 200
    for good in ("gpt-4o", "openai/gpt-4o", "日本", "שלום", "a,b", "naïve é"):
        assert provider(good).name == good


def test_the_name_that_stands_for_resellers_in_answers_is_taken() -> None:
    with pytest.raises(MarketError, match="provider 'arbitrageur': the name stands for resellers"):
        provider("arbitrageur")


@pytest.mark.parametrize("size", [1e-101, 1e101, 5e-324, 1e300])
def test_magnitudes_that_cannot_be_computed_with_are_refused(size: float) -> None:
    made = {
        "spend": lambda: provider(spend=size),
        "marginal_cost": lambda: provider(marginal_cost=size),
        "price": lambda: provider(price=size, highest_price=max(size, 1.0)),
        "distillation_tokens": lambda: provider(distillation_tokens=size),
        "max_budget": lambda: market(max_budget=size),
        "thresholds": lambda: Policy(order=("a",), thresholds=(size,)),
        "overhead": lambda: Arbitrageur(name="x", overhead=size),
        "value": lambda: Value(value=size),
        "median": lambda: Population(distribution="lognormal", parameters=(size, 1.0)),
        "alpha": lambda: Estimated(alpha=[size], beta=[1.0]),
    }
    if size < 1:
        made["success"] = lambda: provider(success=size)
    else:
        made["highest_price"] = lambda: provider(highest_price=size)
    for told, make in made.items():
        with pytest.raises(MarketError, match=f"{told}.*beyond what can be computed with"):
            make()
    provider(spend=1e-100), provider(spend=1e100), provider(success=1e-100), provider(success=0.0)


def test_costs_too_far_apart_are_refused() -> None:
    with pytest.raises(MarketError, match=r"attempts cost from 1 to 1\.1e"):
        market(provider("a"), provider("b", spend=1.1e12))
    market(provider("a"), provider("b", spend=1e12))


def test_a_lognormal_without_a_finite_mean_is_refused() -> None:
    for sigma, median in ((38.0, 1.0), (1e99, 1.0), (20.0, 1e100)):
        with pytest.raises(MarketError, match=r"median exp\(sigma\^2 / 2\), is over 1e\+100"):
            Population(distribution="lognormal", parameters=(median, sigma))
    Population(distribution="lognormal", parameters=(1.0, 20.0))


def test_toml_that_would_eat_memory_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for text, told in (
        (".".join(["a"] * 20_000) + " = 1", "19999 dots in keys"),
        ("[" + ".".join(["1"] * 40_000) + "]", "19999 dots in keys"),
        ("# " + "x" * 5_000_000, "5000002 characters"),
    ):
        path.write_text(text)
        with pytest.raises(MarketError, match=rf"x\.toml: {told}"):
            read_spec(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < before + 200_000, "kilobytes"


def test_dots_in_numbers_strings_and_comments_are_no_keys(tmp_path: Path) -> None:
    N = 4000
    problems = tuple(f"v1.2.3.4.5-{x}" for x in range(N))
    many = Market(
        name="m", providers=(Provider(name="gpt-4.1", odds=Geometric(success=np.full(N, 0.5)), spend=np.full(N, 0.25)),),
        weights=np.full(N, 1 / N), max_budget=4.0, problems=problems,
    )  # fmt: skip
    path = tmp_path / "x.toml"
    write_spec(many, path, "made of 1.5, 2.5 and 3.5\n" * 5000)
    assert read_spec(path).problems == problems
    with pytest.raises(MarketError, match="characters"):
        spec_text(many, "x" * 5_000_000)


def test_resamples_that_cannot_be_held_are_refused() -> None:
    check_resamples(100_000, 1000)
    for resamples, problems in ((-1, 1), (100_001, 1), (100_000, 1001)):
        with pytest.raises(UsageError, match="bootstrap"):
            check_resamples(resamples, problems)
    with pytest.raises(UsageError, match="bootstrap"):
        market().resampled(100_001, np.random.default_rng(0))


@pytest.mark.parametrize("undercutting", [(0.5, 1001), (0.5, 0), (1.0, 3)])
def test_rounds_of_undercutting_are_limited(undercutting: tuple[float, int]) -> None:
    with pytest.raises(UsageError, match="undercutting"):
        solve(market(), undercutting=undercutting)
    assert Limits().rounds == 1000


WITH_REGIME = market(
    provider("a"),
    provider("b", spend=2.0, success=0.9, distillation_tokens=1e6),
    arbitrageurs=(
        Arbitrageur(name="both"),
        Arbitrageur(name="only b", access=("b",)),
        Arbitrageur(name="fixed", policies=(Policy(order=("a", "b"), thresholds=(1.0, 2.0)),)),
    ),
    regimes=(
        Regime(name="two", arbitrageurs=("both", "only b")),
        Regime(name="one", arbitrageurs=("only b",)),
        Regime(name="none", arbitrageurs=()),
    ),
)


def test_a_market_with_a_regime_is_entered_and_distilled() -> None:
    assert enter(WITH_REGIME, "b", levels=[0.5]).entrant == "b"
    assert distill(WITH_REGIME, teacher="a", bootstrap=0, levels=[0.5]).teacher == "a"


def test_restricting_a_market_leaves_out_whoever_can_buy_no_more_and_says_so() -> None:
    alone = WITH_REGIME.restrict(["a"])
    assert [a.name for a in alone.arbitrageurs] == ["both"]
    assert [(r.name, r.arbitrageurs) for r in alone.regimes] == [("two", ("both",)), ("none", ())]
    assert [note.split(":")[0] for note in alone.notes] == [
        "Arbitrageur fixed is left out",
        "Arbitrageur only b is left out",
    ]
    assert WITH_REGIME.restrict(["b", "a"]).arbitrageurs == WITH_REGIME.arbitrageurs
    assert WITH_REGIME.restrict(["b", "a"]).regimes == WITH_REGIME.regimes
    assert set(solve(WITH_REGIME, providers=["a"], levels=[0.5]).arbitrageurs) == {"both"}


def test_a_cap_that_lets_more_attempts_fit_than_can_be_counted_is_refused() -> None:
    with pytest.raises(UsageError, match=r"1e\+98 attempts fit the cap"):
        solve(market(provider(spend=1e-100, success=1e-100), max_budget=0.01))
