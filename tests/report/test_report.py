"""What a reader is shown: policies in words, tables, figures and JSON, of markets small enough to know the answer."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from rich.console import Console
from strategies import sampled_markets
from tiny_markets import RULES, markets, somebody_solves

from eqsolver import EqsolverError, UsageError
from eqsolver.estimate import Calibration, Goals, Judged
from eqsolver.market import Arbitrageur, Geometric, Market, Policy, Provider
from eqsolver.posted import Solution, solve
from eqsolver.report import _figures, fit_lines, print_solution, save_figures, to_json, words

FIGURES = ["costs.png", "margins.png", "pass.png", "revenue.png", "undercutting.png"]
LEVELS = (0.8, 0.85, 0.9, 0.999)
"""The market below: a market price up to 0.96 and a policy up to 0.97; the last level is out of everybody's reach."""


def two(unit: str = "USD") -> Market:
    cheap = Provider(name="cheap", odds=Geometric(success=[0.5, 0.0]), spend=[1.0, 1.0])
    strong = Provider(name="strong", odds=Geometric(success=[0.8, 0.8]), spend=[3.0, 3.0])
    policy = Policy(order=("cheap", "strong"), thresholds=(1.0, 5.0), weight=0.5)
    return Market(
        name="two",
        unit=unit,
        providers=(cheap, strong),
        weights=[0.5, 0.5],
        max_budget=6.0,
        arbitrageurs=(Arbitrageur(name="fixed", policies=(policy,)),),
    )


@pytest.fixture(scope="module")
def solution() -> Solution:
    return solve(two(), levels=LEVELS, evaluated=[("cheap", 1.0), ("strong", 5.0)], bootstrap=20)


def shown(solution: Solution, width: int = 200, **console: object) -> str:
    buffer = io.StringIO()
    print_solution(solution, Console(file=buffer, width=width, **console))
    return buffer.getvalue()


def lines_with(text: str, start: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip().startswith(start)]


def test_a_policy_is_said_as_a_broker_would_act_on_it() -> None:
    names = ("gpt5mini", "deepseek")
    said = words([(0, 0.081), (1, 0.92)], names, "USD", "money")
    assert said == "up to $0.0810 on gpt5mini, then up to $0.920 on deepseek"
    sequence = [(1, 0.1), (0, 0.02), (1, 0.25)]
    assert words(sequence, names, "USD", "money") == (
        "up to $0.100 on deepseek, then up to $0.0200 on gpt5mini, then up to $0.250 on deepseek"
    )
    assert words([(0, 3e8)], names, "FLOP", "money") == "up to 3.00e+08 FLOP on gpt5mini"
    assert (
        words([(0, 1), (1, 2)], names, "FLOP", "attempts") == "up to 1 attempt on gpt5mini, then up to 2 attempts on deepseek"
    )
    assert words([(0, 0.0), (1, float("inf"))], names, "USD", "money") == "as much as it takes on deepseek"
    single = (0.02, 0.0)
    assert (
        words([(0, 0.02), (1, 0.02)], names, "USD", "money", single)
        == "one attempt on gpt5mini, then up to $0.0200 on deepseek"
    )
    assert words([(0, 0.10125)], names, "USD", "money", single) == "up to $0.10125 on gpt5mini", "no digit that matters is lost"
    assert words([(0, 0.0)], names, "USD", "money") == words([], names, "USD", "money") == "nothing is bought"


def test_every_policy_is_put_into_words(solution: Solution) -> None:
    text = shown(solution)
    for title, said in {
        "Evaluated cascade": "one attempt on cheap, then up to $5.00 on strong",
        "Single cascade": "one attempt on strong, then up to $5.50 on cheap",
        "At 80.0 %, best schedule": "one attempt on strong",
        "At 85.0 %, best cascade": "one attempt on strong, then one attempt on cheap",
        "At 85.0 %, best schedule": "one attempt on strong, then one attempt on cheap",
    }.items():
        assert [line.removeprefix(title).strip() for line in lines_with(text, f"{title} ")] == [said]


def test_a_schedule_that_returns_to_a_provider_is_said_as_the_sequence_it_is() -> None:
    """a is good at one problem and b at the other: what a leaves is for b, and what b leaves for a again."""
    a = Provider(name="a", odds=Geometric(success=[0.9, 0.1]), spend=[1.0, 1.0])
    b = Provider(name="b", odds=Geometric(success=[0.1, 0.9]), spend=[1.5, 1.5])
    market = Market(name="returns", providers=(a, b), weights=[0.5, 0.5], max_budget=4.0)
    solution = solve(market, levels=[0.94])
    said = "one attempt on a, then one attempt on b, then up to $2.00 on a"
    path = solution.schedule.policy.paths[0]
    assert words(path, market.names, "USD", "money", solution.one_attempt) == said
    page = shown(solution)
    assert lines_with(page, "At 94.0 %, best schedule")[0].endswith(said)
    assert "Where a schedule returns to a provider, the amount is the total allotted to it so far." in page
    document = json.loads(to_json(solution))["schedule"]["sequence"][0]
    assert document == [{"provider": name, "budget": upto} for name, upto in (("a", 1.0), ("b", 1.0), ("a", 2.0))]


def test_tables_show_each_policy_side_by_side_and_a_dash_where_nothing_reaches(solution: Solution) -> None:
    text = shown(solution)
    heading = next(line for line in text.splitlines() if "single cascade" in line and "schedule" in line)
    order = [
        heading.index(title) for title in ("evaluated cascade", "single cascade", "cascade per level", "schedule", "oracle")
    ]
    assert order == sorted(order)
    offers, policies, *_ = lines_with(text, "85.0")
    assert offers.split() == ["85.0", "—", "$3.60", "$3.60", "strong"]
    assert [cell for cell in policies.split() if cell.startswith("$")] == ["$3.60", "$3.25", "$3.20", "$3.20", "$3.20", "$2.33"]
    assert [policies.split()[at] for at in (3, 6, 9, 11)] == ["9.7", "11.1", "11.1", "11.1"]
    unreached = [line.split() for line in lines_with(text, "99.9")]
    assert len(unreached) == 2
    assert all(set(cells[1:]) == {"—"} for cells in unreached)
    assert "No policy reaches 1 level, from 99.9 % on." in text
    assert "nan" not in text
    assert "inf" not in text


def test_money_is_said_in_the_unit_of_the_market() -> None:
    text = shown(solve(two("FLOP"), levels=LEVELS[:2]))
    assert "$" not in text
    assert "USD" not in text
    assert "one attempt on strong, then one attempt on cheap" in text
    assert "up to 5.50 FLOP on cheap" in text
    assert lines_with(text, "85.0")[0].split() == ["85.0", "—", "3.60", "3.60", "strong"]


def test_a_narrow_terminal_repeats_the_levels_and_loses_no_column(solution: Solution) -> None:
    wide, narrow = shown(solution), shown(solution, width=60, force_terminal=True, no_color=True)
    assert max(map(len, narrow.splitlines())) > 0
    for title in ("evaluated cascade", "single cascade", "cascade per level", "schedule", "oracle"):
        assert title in narrow
    assert len(lines_with(narrow, "85.0")) > len(lines_with(wide, "85.0"))


def test_no_color_and_files_get_no_colour(solution: Solution, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    assert "\x1b[33m" in shown(solution, force_terminal=True), "a terminal is told in yellow what no policy reaches"
    assert "\x1b" not in shown(solution)
    monkeypatch.setenv("NO_COLOR", "1")
    plain = shown(solution, force_terminal=True)
    assert "\x1b[33m" not in plain
    assert "No policy reaches 1 level" in plain


def test_a_page_for_ascii_has_nothing_else(solution: Solution) -> None:
    raw = io.BytesIO()
    with io.TextIOWrapper(raw, encoding="ascii") as file:
        print_solution(solution, Console(file=file, width=200))
        file.flush()
        text = raw.getvalue().decode("ascii")
    assert lines_with(text, "99.9")[0].split() == ["99.9", *"----"]


def refused(name: str) -> None:
    raise AssertionError(f"{name} is not JSON")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(market=markets() | sampled_markets(), how=RULES, high=st.booleans())
def test_any_solution_is_strict_json_that_parses_to_its_dictionary_and_can_be_printed(
    market: Market, how: dict[str, str], high: bool
) -> None:
    if not somebody_solves(market):
        return
    try:
        found = solve(market, levels=[0.25, 1.0] if high else None, points=9, **how)
    except UsageError:  # the cap is below the cost of every attempt that could succeed
        return
    text = to_json(found)
    assert text.endswith("}\n")
    assert json.loads(text, parse_constant=refused) == found.to_dict()
    page = shown(found)
    assert "nan" not in page
    for name in market.names:
        assert name in page


def test_json_of_what_is_undefined_is_null(solution: Solution) -> None:
    found = json.loads(to_json(solution), parse_constant=refused)
    assert found["schedule"]["buy_cost"][3] is found["schedule"]["sequence"][3] is found["market_price"][3] is None
    assert found["cascade_per_level"]["order"][1] == ["strong", "cheap"]
    assert found["market_seller"] == ["strong"] * 3 + [None]


CASES = {
    "levels out of reach, bands, an evaluated cascade": lambda: solve(
        two(), levels=LEVELS, evaluated=[("cheap", 1.0), ("strong", 5.0)], bootstrap=20
    ),
    "one level": lambda: solve(two(), levels=[0.85]),
    "no market price": lambda: solve(two(), levels=[0.965, 0.999]),
    "FLOP": lambda: solve(two("FLOP")),
    "attempts": lambda: solve(replace(two(), max_attempts=2, arbitrageurs=()), allot="attempts"),
    "one provider": lambda: solve(replace(two(), arbitrageurs=()), providers=["strong"]),
}


@pytest.mark.parametrize("case", CASES)
def test_figures_are_whole_pictures_and_the_only_files(case: str, tmp_path: Path) -> None:
    folder = tmp_path / "made" / "here"
    written = save_figures(CASES[case](), folder)
    assert sorted(path.name for path in written) == FIGURES
    assert sorted(folder.iterdir()) == sorted(written), "nothing half written is left"
    for path in written:
        with Image.open(path) as picture:
            picture.verify()
        with Image.open(path) as picture:
            assert picture.format == "PNG"
            assert min(picture.size) >= 600
            assert len(set(picture.convert("L").resize((60, 60)).tobytes())) > 8, f"{path.name} is blank"


def test_a_figure_that_cannot_be_drawn_leaves_no_file(
    solution: Solution, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: Solution) -> None:
        raise EqsolverError("cannot be drawn")

    monkeypatch.setattr(_figures, "_undercutting", broken)
    with pytest.raises(EqsolverError, match="cannot be drawn"):
        save_figures(solution, tmp_path / "figures")
    assert not list(tmp_path.iterdir())


def test_figures_that_cannot_be_written_are_told_and_leave_nothing_half_written(solution: Solution, tmp_path: Path) -> None:
    (tmp_path / "margins.png").mkdir()
    with pytest.raises(UsageError, match=r"margins\.png: cannot be written"):
        save_figures(solution, tmp_path)
    assert not [path for path in tmp_path.iterdir() if path.suffix != ".png"]
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="file: is a file, and a folder is needed"):
        save_figures(solution, tmp_path / "file")


def test_a_fit_that_reaches_no_level_of_the_logs_says_that_no_margin_could_be_judged() -> None:
    market = Market(
        name="short of the logs",
        providers=(Provider(name="a", odds=Geometric(success=[0.5]), spend=[0.1]),),
        weights=[1.0],
        max_budget=1.0,
    )
    levels, margin = np.array([0.9, 0.95]), np.array([0.1, 0.2])
    fit = Calibration(
        market=market,
        pass_error={"a": 0.1},
        reach_error={"a": -0.1},
        judged=(Judged(names=("a",), levels=levels, of_logs=margin, of_classes=np.full(2, np.nan)),),
        margin_error_mean=float("nan"),
        margin_error_worst=float("nan"),
        price_error=0.5,
        goals=Goals(),
        seed=0,
    )
    lines = fit_lines(fit, market)
    assert "No margin could be judged: no level exists both in the logs and among the classes." in lines
    found = replace(fit, judged=(replace(fit.judged[0], of_classes=margin + 0.01),))
    (said,) = [line for line in fit_lines(found, market) if "best schedule's margin" in line]
    assert "over 2 levels from 90.0 % to 95.0 %, in points: 1.00 on average, 1.00 at worst" in said


def test_what_is_infinite_or_undefined_is_null_in_json() -> None:
    class Odd:
        def to_dict(self) -> dict:
            return {"a": [1.0, float("inf"), (float("nan"), "x")], "b": {"c": -float("inf"), "d": True, "e": None}}

    assert json.loads(to_json(Odd())) == {"a": [1.0, None, [None, "x"]], "b": {"c": None, "d": True, "e": None}}
