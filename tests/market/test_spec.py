"""Specifications: what is written is read back, and what is said about files that cannot be."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from strategies import geometric_markets, sampled_markets

from eqsolver import MarketError, UsageError
from eqsolver.market import (
    Arbitrageur,
    Geometric,
    Market,
    Policy,
    Population,
    Provider,
    Regime,
    Target,
    Value,
    read_spec,
    schema,
    write_spec,
)

GOOD = """\
max_budget = 2.0
classes = [
  {weight = 0.25, success = {a = 0.5, b = 1}, mean_cost = {a = 1, b = 2.5}},
  {name = "hard", weight = 0.75, success = {a = 0, b = 0.125}, mean_cost = {a = 1.0, b = 3}},
]
[[providers]]
name = "a"
[[providers]]
name = "b"
marginal_cost = 0.5
distillation_tokens = 7e7
[[arbitrageurs]]
name = "broker"
policies = [{order = ["a", "b"], thresholds = [1, 2], weight = 0.5}]
[[consumers]]
kind = "target"
level = 0.5
budget = 1
"""


def same(one: Market, two: Market) -> None:
    for field in ("name", "unit", "max_budget", "max_attempts", "problems", "arbitrageurs", "consumers", "regimes", "names"):
        assert getattr(one, field) == getattr(two, field), field
    np.testing.assert_array_equal(one.weights, two.weights)
    for a, b in zip(one.providers, two.providers, strict=True):
        assert isinstance(a.odds, Geometric)
        assert isinstance(b.odds, Geometric)
        np.testing.assert_array_equal(a.odds.success, b.odds.success)
        np.testing.assert_array_equal(a.spend, b.spend)
        for field in ("marginal_cost", "price", "highest_price", "distillation_tokens"):
            assert getattr(a, field) == getattr(b, field), field


def test_a_specification_is_read_field_by_field(tmp_path: Path) -> None:
    path = tmp_path / "duopoly.toml"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    market = read_spec(path)
    assert (market.name, market.unit, market.max_budget, market.max_attempts) == ("duopoly", "USD", 2.0, None)
    assert market.names == ("a", "b")
    assert market.problems == ("class 1", "hard")
    assert market.weights.tolist() == [0.25, 0.75]
    cheap, dear = market.providers
    assert isinstance(dear.odds, Geometric)
    assert dear.odds.success.tolist() == [1, 0.125]
    assert dear.spend.tolist() == [2.5, 3]
    assert (cheap.marginal_cost, cheap.price, cheap.highest_price, dear.marginal_cost) == (0.4, 1.0, 5.0, 0.5)
    assert (cheap.distillation_tokens, dear.distillation_tokens) == (None, 7e7)
    policy = Policy(order=("a", "b"), thresholds=(1.0, 2.0), weight=0.5)
    assert market.arbitrageurs == (Arbitrageur(name="broker", policies=(policy,)),)
    assert market.consumers == (Target(level=0.5, budget=1.0),)


WEIGHTS = st.floats(1e-9, 1.0)
NAMES = st.text(st.characters(codec="utf-8").filter(str.isprintable), min_size=1, max_size=6)
AMOUNTS = st.floats(1e-100, 1e100)
COSTS = st.floats(1e-80, 0.9e-68)
"""Within the largest ratio of each other."""

LOGNORMALS = st.tuples(st.floats(1e-100, 1e6), st.floats(1e-100, 20))
CONSUMERS = (
    st.builds(Target, level=st.floats(5e-324, 1), budget=st.just(0.0) | AMOUNTS, mass=AMOUNTS)
    | st.builds(Value, value=st.just(0.0) | AMOUNTS, mass=AMOUNTS)
    | st.builds(
        Population,
        distribution=st.just("lognormal"),
        parameters=st.tuples(st.floats(1e-100, 1e6), st.floats(1e-100, 20)),
        mass=AMOUNTS,
    )
    | st.builds(Population, distribution=st.just("uniform"), parameters=st.just((0.0, 0.1)), mass=AMOUNTS)
)


@st.composite
def specifications(draw: st.DrawFn) -> Market:
    """Any floats and any names, where the shared markets have tame ones."""
    names = draw(st.lists(NAMES, min_size=1, max_size=3, unique=True))
    weights = np.array(draw(st.lists(WEIGHTS, min_size=1, max_size=5)))
    columns = {"min_size": weights.size, "max_size": weights.size}
    providers = tuple(
        Provider(
            name=name,
            odds=Geometric(success=draw(st.lists(st.just(0.0) | st.floats(1e-100, 1), **columns))),
            spend=draw(st.lists(COSTS, **columns)),
            marginal_cost=draw(st.just(0.0) | AMOUNTS),
            price=draw(st.floats(1e-100, 3)),
            distillation_tokens=draw(st.none() | AMOUNTS),
        )
        for name in names
    )
    policies = tuple(
        Policy(order=(name,), thresholds=(draw(st.just(0.0) | AMOUNTS),), weight=draw(st.floats(1e-9, 1 / 3))) for name in names
    )
    access = draw(st.none() | st.just(tuple(names)))
    return Market(
        name=draw(NAMES),
        unit=draw(NAMES),
        providers=providers,
        weights=weights / weights.sum(),
        max_budget=draw(AMOUNTS),
        max_attempts=draw(st.none() | st.integers(1, 10**9)),
        problems=draw(st.just(()) | st.lists(NAMES, unique=True, **columns)),
        arbitrageurs=(Arbitrageur(name="q", access=access, overhead=0.1, policies=policies), Arbitrageur(name="r")),
        consumers=tuple(draw(st.lists(CONSUMERS, max_size=3))),
        regimes=draw(
            st.sampled_from([(), (Regime(name="both", arbitrageurs=("q", "r")), Regime(name="none", arbitrageurs=()))])
        ),
    )


@given(market=geometric_markets() | specifications(), header=st.text(st.characters(codec="utf-8"), max_size=9))
def test_what_is_written_is_read_back_to_the_last_bit(
    tmp_path_factory: pytest.TempPathFactory, market: Market, header: str
) -> None:
    path = tmp_path_factory.mktemp("spec") / "market.toml"
    write_spec(market, path, header=header)
    same(read_spec(path), market)
    assert [file.name for file in path.parent.iterdir()] == ["market.toml"]
    before = path.read_bytes()
    write_spec(read_spec(path), path, header=header)
    assert path.read_bytes() == before


def test_200_classes_are_200_lines_below_their_header(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    providers = tuple(
        Provider(name=name, odds=Geometric(success=rng.random(200)), spend=rng.random(200) + 1) for name in ("a", "b c")
    )
    market = Market(name="many", providers=providers, weights=np.full(200, 1 / 200), max_attempts=3)
    write_spec(market, tmp_path / "many.toml", header="From nowhere.\n\nSeed 0.")
    lines = (tmp_path / "many.toml").read_text(encoding="utf-8").splitlines()
    assert lines[:4] == ["# From nowhere.", "#", "# Seed 0.", ""]
    assert sum(line.startswith("  {name = ") for line in lines) == 200
    assert len(lines) < 225


@given(market=sampled_markets())
def test_logs_are_not_written_as_classes(tmp_path_factory: pytest.TempPathFactory, market: Market) -> None:
    folder = tmp_path_factory.mktemp("refused")
    with pytest.raises(MarketError, match="odds from logs"):
        write_spec(replace(market, max_attempts=1), folder / "x.toml")
    assert not list(folder.iterdir())


def test_what_could_not_be_read_is_not_written(tmp_path: Path) -> None:
    provider = Provider(name="a", odds=Geometric(success=[0.5, 0.5]), spend=[1, 1])
    market = Market(name="x", providers=(provider,), weights=[0.5, 0.5], max_budget=1.0)
    with pytest.raises(MarketError, match="neither max_budget nor max_attempts"):
        write_spec(replace(market, max_budget=None), tmp_path / "x.toml")
    with pytest.raises(MarketError, match="two classes have one name"):
        write_spec(replace(market, problems=("u", "u")), tmp_path / "x.toml")
    with pytest.raises(MarketError, match="unit of money needs a name"):
        write_spec(replace(market, unit=""), tmp_path / "x.toml")
    with pytest.raises(UsageError, match=r"x\.toml: cannot be written: No such file"):
        write_spec(market, tmp_path / "absent" / "x.toml")
    assert not list(tmp_path.iterdir())


CLASS_1 = "success = {a = 0.5, b = 1}"
WRONG = {
    "no cap": ("max_budget = 2.0", "", ["max_budget or max_attempts is missing"]),
    "zero cap": ("max_budget = 2.0", "max_budget = 0", ["max_budget = 0", "greater than 0"]),
    "NaN cap": ("max_budget = 2.0", "max_budget = nan", ["max_budget = nan", "finite"]),
    "infinite cap": ("max_budget = 2.0", "max_budget = inf", ["max_budget = inf", "finite"]),
    "1e400": ("max_budget = 2.0", "max_budget = 1e400", ["max_budget = inf", "finite"]),
    "10**400": ("max_budget = 2.0", f"max_budget = {10**400}", ["max_budget = 1"]),
    "hex": ("max_budget = 2.0", f"max_budget = 0x{'f' * 9000}", ["max_budget = an integer too long"]),
    "endless": ("max_budget = 2.0", f"max_budget = {'9' * 9000}", ["not valid TOML"]),
    "fractional attempts": ("max_budget = 2.0", "max_attempts = 1.5", ["max_attempts = 1.5", "whole number"]),
    "no attempts": ("max_budget = 2.0", "max_attempts = 0", ["max_attempts = 0", "at least 1"]),
    "true": ("max_budget = 2.0", "max_budget = true", ["max_budget = True", "number"]),
    "text": ("max_budget = 2.0", 'max_budget = "2"', ["max_budget = '2'", "number"]),
    "date": ("max_budget = 2.0", "max_budget = 2024-01-01", ["max_budget = datetime.date", "number"]),
    "misspelt": ("max_budget = 2.0", "max_buget = 2.0", ["unknown field 'max_buget'", "did you mean 'max_budget'"]),
    "misspelt in provider": ("marginal_cost", "marginal_kost", ["provider 2 'b'", "did you mean 'marginal_cost'"]),
    "misspelt in consumers": ("budget = 1\n", "bugdet = 1\nbudget = 1\n", ["consumer 1", "did you mean 'budget'"]),
    "unknown in class": ("weight = 0.25,", "weight = 0.25, zzz = 1,", ["class 1", "'zzz'", "known: name, weight"]),
    "probability": (CLASS_1, "success = {a = 50, b = 1}", ["class 1: success.a = 50", "at most 1"]),
    "negative": ("success = {a = 0, ", "success = {a = -0.1, ", ["class 2 'hard': success.a = -0.1", "at least 0"]),
    "NaN": (CLASS_1, "success = {a = nan, b = 1}", ["class 1: success.a = nan", "finite"]),
    "free": ("mean_cost = {a = 1, ", "mean_cost = {a = 0, ", ["class 1: mean_cost.a = 0", "greater than 0"]),
    "provider left out": (CLASS_1, "success = {a = 0.5}", ["class 1: success.b is missing", "every provider"]),
    "unknown provider": (CLASS_1, "success = {a = 0.5, b = 1, bb = 1}", ["class 1: success: unknown provider 'bb'", "'b'?"]),
    "no success": (CLASS_1 + ", ", "", ["class 1: success is missing"]),
    "success a number": (CLASS_1, "success = 1", ["class 1: success = 1", "table of fields"]),
    "class a number": ("classes = [", "classes = [ 3,", ["class 1 = 3", "table of fields"]),
    "weights": ("weight = 0.25", "weight = 0.2", ["weights sum to 0.95 instead of 1"]),
    "weight huge": ("weight = 0.25", "weight = 1e308", ["class 1: weight = 1e+308", "at most 1"]),
    "weight zero": ("weight = 0.25", "weight = 0", ["class 1: weight = 0", "greater than 0"]),
    "class names": ("weight = 0.25", 'name = "hard", weight = 0.25', ["class 2 has the name of class 1, 'hard'"]),
    "provider names": ('name = "b"', 'name = "a"', ["success: unknown provider 'b'"]),
    "two of one name": ('[[providers]]\nname = "b"', '[[providers]]\nname="a"\n[[providers]]\nname = "b"', ["one name"]),
    "empty name": ('name = "a"', 'name = ""', ["provider 1 '': name = ''", "at least 1 character"]),
    "no name": ('name = "a"\n', "", ["provider 1: name is missing"]),
    "price": ("marginal_cost = 0.5", "price = 6.0", ["provider 'b'", "highest_price = 5", "price = 6"]),
    "no tokens": ("= 7e7", "= 0", ["provider 2 'b': distillation_tokens = 0", "greater than 0"]),
    "order": ('order = ["a", "b"]', 'order = ["a", "c"]', ["arbitrageur 'broker': unknown provider 'c'"]),
    "twice": ('order = ["a", "b"]', 'order = ["a", "a"]', ["names a provider twice"]),
    "lengths": ("thresholds = [1, 2]", "thresholds = [1]", ["2 providers", "1 thresholds"]),
    "threshold": (
        "thresholds = [1, 2]",
        "thresholds = [1, -2]",
        ["arbitrageur 1 'broker': policy 1: thresholds entry 2 = -2"],
    ),
    "policy weight": ("weight = 0.5}", "weight = 1.5}", ["policy 1: weight = 1.5", "at most 1"]),
    "no access": ("policies = ", "access = []\npolicies = ", ["arbitrageur 'broker': access must name at least one"]),
    "outside access": ("policies = ", 'access = ["a"]\npolicies = ', ["buys from 'b', outside its access"]),
    "overhead": ("policies = ", "overhead = -1\npolicies = ", ["arbitrageur 1 'broker': overhead = -1"]),
    "kind": ('kind = "target"', 'kind = "goal"', ["consumer 1: kind = 'goal'", "one of target, value, population"]),
    "no kind": ('kind = "target"\n', "", ["consumer 1: kind is missing", "one of target, value, population"]),
    "kind a number": ('kind = "target"', "kind = 3", ["consumer 1: kind = 3", "one of target"]),
    "level": ("level = 0.5", "level = 50", ["consumer 1: level = 50", "at most 1"]),
    "no level": ("level = 0.5\n", "", ["consumer 1: level is missing"]),
    "mass": ("level = 0.5\n", "level = 0.5\nmass = 0\n", ["consumer 1: mass = 0", "greater than 0"]),
    "parameters": (
        'kind = "target"\nlevel = 0.5\nbudget = 1',
        'kind = "population"\ndistribution = "uniform"\nparameters = [2, 1]',
        ["uniform population: low = 2 must be below high = 1"],
    ),
    "one parameter": (
        'kind = "target"\nlevel = 0.5\nbudget = 1',
        'kind = "population"\ndistribution = "uniform"\nparameters = [2]',
        ["consumer 1: parameters = [2]", "at least 2 items"],
    ),
    "distribution": (
        'kind = "target"\nlevel = 0.5\nbudget = 1',
        'kind = "population"\ndistribution = "normal"\nparameters = [1, 2]',
        ["consumer 1: distribution = 'normal'", "'lognormal' or 'uniform'"],
    ),
    "consumers a number": ("[[consumers]]", "[consumers]", ["consumers = ", "list"]),
    "syntax": ("max_budget = 2.0", "max_budget = = 2", ["not valid TOML", "line 1, column"]),
    "cut off": ("budget = 1\n", "budget = ", ["not valid TOML"]),
    "impossible date": ("max_budget = 2.0", "max_budget = 2024-13-45", ["not valid TOML"]),
    "deep": ("max_budget = 2.0", "max_budget = " + "[" * 100_000, ["nested too deeply"]),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_bad_specification_is_told_by_file_field_and_value(tmp_path: Path, case: str) -> None:
    old, new, fragments = WRONG[case]
    assert old in GOOD
    path = tmp_path / "market.toml"
    path.write_text(GOOD.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(MarketError) as caught:
        read_spec(path)
    for fragment in [f"{path}: ", *fragments]:
        assert fragment in str(caught.value)
    for line in str(caught.value).splitlines():
        assert line.isprintable()
        assert line.startswith(f"{path}: ")
        assert len(line) < 250 + len(str(path))


def test_the_faults_of_a_specification_are_told_at_once_up_to_twenty(tmp_path: Path) -> None:
    path = tmp_path / "market.toml"
    path.write_text(
        GOOD.replace("max_budget = 2.0", "max_budgt = -2").replace("weight = 0.75", "weight = 2").replace("0.125", "1.125")
    )
    with pytest.raises(MarketError) as caught:
        read_spec(path)
    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    for fragment in ("max_budgt", "weight = 2", "success.b = 1.125"):
        assert sum(fragment in line for line in lines) == 1
    path.write_text(GOOD + "".join(f"strange_{n} = 1\n" for n in range(30)))
    with pytest.raises(MarketError) as caught:
        read_spec(path)
    lines = str(caught.value).splitlines()
    assert len(lines) == 21
    assert lines[-1] == "and more like these"
    path.write_text(GOOD.replace("a = 0.5, b = 1}", "c = 0.5}").replace("a = 1.0, b = 3", "a = 1"))
    with pytest.raises(MarketError) as caught:
        read_spec(path)
    lines = str(caught.value).splitlines()
    assert [line.partition(": class ")[2] for line in lines] == [
        "1: success: unknown provider 'c'; known: a, b",
        "1: success.a is missing; every class needs every provider",
        "1: success.b is missing; every class needs every provider",
        "2 'hard': mean_cost.b is missing; every class needs every provider",
    ]


def test_files_that_are_no_specification_are_told(tmp_path: Path) -> None:
    def says(fragment: str, path: Path) -> None:
        with pytest.raises(MarketError) as caught:
            read_spec(path)
        assert f"{path.name}: {fragment}" in str(caught.value)

    says("no such file", tmp_path / "absent.toml")
    says("is a folder", tmp_path)
    path = tmp_path / "x.toml"
    path.write_bytes(b"")
    says("classes is missing", path)
    path.write_bytes(GOOD.encode("utf-16"))
    says("not UTF-8 (byte 0xff at offset 0)", path)
    path.write_bytes(b'name = "\xe9"')
    says("not UTF-8 (byte 0xe9 at offset 8)", path)


def read_or_told(path: Path) -> None:
    """Nothing is raised but a `MarketError`, a line for each fault, that names the file."""
    try:
        read_spec(path)
    except MarketError as error:
        told = str(error)
    else:
        return
    lines = told.splitlines()
    assert 1 <= len(lines) <= 21
    assert all(f"{path.name}: " in line for line in lines[:20])
    assert all(line.isprintable() for line in lines)


PIECES = st.sampled_from([*GOOD.splitlines(keepends=True), "nan", "inf", "{", "}", "[", "]", "=", '"', "\n", "-", "9" * 400])


@given(pieces=st.lists(PIECES | st.text(max_size=5), max_size=30) | st.just([GOOD]), raw=st.binary(max_size=5))
@example(pieces=[GOOD], raw=b"")
def test_no_bytes_raise_anything_but_a_market_error_of_one_line(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[str], raw: bytes
) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "x.toml"
    path.write_bytes("".join(pieces).encode("utf-8", "replace") + raw)
    read_or_told(path)


VALUES = st.recursive(
    st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.sampled_from(["a", "b", "target", "value"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "name", "kind"]), inner, max_size=3),
    max_leaves=6,
)


@given(data=st.data())
def test_any_value_in_any_field_is_read_or_told(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    tomlkit = pytest.importorskip("tomlkit")
    table = tomllib.loads(GOOD)
    spot = table
    while True:  # walk down to some field, and put anything there
        key = data.draw(st.sampled_from(sorted(spot) if isinstance(spot, dict) else range(len(spot))))
        if not (isinstance(spot[key], dict | list) and data.draw(st.booleans())):
            break
        spot = spot[key]
    spot[key] = data.draw(VALUES)
    path = tmp_path_factory.mktemp("any") / "x.toml"
    path.write_text(tomlkit.dumps(table), encoding="utf-8")
    read_or_told(path)


def test_the_schema_describes_every_field() -> None:
    text = json.dumps(schema())
    assert json.loads(text)["required"] == ["classes", "providers"]
    for name, table in schema()["$defs"].items():
        assert table["additionalProperties"] is False
        for field, described in table["properties"].items():
            assert field in ("name", "kind", "distribution") or described["description"], (name, field)


def test_resamples_draw_as_many_problems_as_were_observed(tmp_path: Path) -> None:
    (tmp_path / "market.toml").write_text(GOOD)
    market = replace(read_spec(tmp_path / "market.toml"), observed_problems=400)
    write_spec(market, tmp_path / "out.toml")
    again = read_spec(tmp_path / "out.toml")
    assert again.observed_problems == 400
    drawn = again.resampled(300, np.random.default_rng(0))
    np.testing.assert_allclose(drawn * 400, np.round(drawn * 400), atol=1e-9)
    q = again.weights
    np.testing.assert_allclose(drawn.std(axis=0), np.sqrt(q * (1 - q) / 400), rtol=0.2)
    with pytest.raises(MarketError, match="observed_problems = 0"):
        replace(market, observed_problems=0)
