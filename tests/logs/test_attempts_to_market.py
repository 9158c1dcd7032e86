"""From attempts to a market: what counts, what is left out, what is refused, what is told."""

from __future__ import annotations

import csv
import io
import math
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import sample, table

from eqsolver import EqsolverError, Market, MarketError, load
from eqsolver.logs import LogOptions, cells, histogram, read_attempts
from eqsolver.market import read_foreign

HEADER = "problem,provider,solved,cost,seconds,input_tokens,output_tokens,error"
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "problem": st.sampled_from("ab"),
            "provider": st.sampled_from("xy"),
            "solved": st.sampled_from(["1", "0", ""]),
            "cost": st.sampled_from(["", "0.5", "0.25", "8"]),
            "seconds": st.sampled_from(["", "1", "3"]),
            "input_tokens": st.sampled_from(["", "10"]),
            "output_tokens": st.sampled_from(["", "5"]),
            "error": st.sampled_from(["", "Timeout"]),
        }
    ),
    min_size=1,
    max_size=14,
)


def written(rows: list[dict[str, str]], folder: Path) -> Path:
    text = io.StringIO()
    writer = csv.DictWriter(text, HEADER.split(","))
    writer.writeheader()
    writer.writerows(rows)
    return table(folder / "t.csv", text.getvalue().rstrip())


@settings(max_examples=12, deadline=None)
@given(rows=ROWS)
def test_cells_are_sums_over_attempts(rows: list[dict[str, str]], tmp_path_factory: Any) -> None:
    path = written(rows, tmp_path_factory.mktemp("t"))
    cell: dict[tuple[str, str], list[dict[str, str]]] = defaultdict(list)
    for row in rows:
        cell[row["provider"], row["problem"]].append(row)
    with read_attempts([path], LogOptions()) as found:
        sums = cells(found.store)
        bins = histogram(found.store, sums, "cost", bins_per_octave=2)
    for i, provider in enumerate(sums.providers):
        for x, problem in enumerate(sums.problems):
            here = cell[provider, problem]
            told = [row for row in here if row["solved"]]
            assert sums["attempts"][i, x] == len(told)
            assert sums["successes"][i, x] == sum(row["solved"] == "1" for row in told)
            assert sums["excluded"][i, x] == len(here) - len(told)
            assert sums["unpaid"][i, x] == sum(not row["cost"] for row in told)
            for what, moments in (("cost", sums.cost), ("seconds", sums.seconds)):
                for outcome in (0, 1):
                    known = [float(row[what]) for row in told if row[what] and row["solved"] == str(outcome)]
                    assert moments.number[i, x, outcome] == len(known)
                    assert moments.total[i, x, outcome] == pytest.approx(sum(known))
                    assert moments.squares[i, x, outcome] == pytest.approx(sum(value**2 for value in known))
            costs = [float(row["cost"]) for row in told if row["cost"]]
            here_bins = (bins.provider == i) & (bins.problem == x)
            counted = dict(zip(bins.bin[here_bins].tolist(), bins.number[here_bins].tolist(), strict=True))
            assert counted == {
                level: len([c for c in costs if math.floor(2 * math.log2(c)) == level])
                for level in {math.floor(2 * math.log2(c)) for c in costs}
            }


def market(*rows: str, folder: Path, **options: Any) -> tuple[Market, list[str]]:
    return read_foreign([table(folder / "t.csv", HEADER, *rows)], LogOptions(**options))[:2]


def test_an_attempt_of_unknown_cost_counts_at_the_mean_of_the_others(tmp_path: Path) -> None:
    found, lines = market("a,x,1,2,,,,", "a,x,0,,,,,", "a,x,0,4,,,,", "b,x,1,,,,,", folder=tmp_path)
    assert found.problems == ("a",)
    assert found.dropped == {"no cost of x": 1}
    assert found.providers[0].odds.attempts.tolist() == [3]  # type: ignore[union-attr]
    assert found.providers[0].odds.successes.tolist() == [1]  # type: ignore[union-attr]
    assert lines[0].endswith("0 excluded, 2 of unknown cost.")
    assert "Cost of x by origin: log 2, unknown 2." in lines
    with pytest.raises(MarketError, match="x: 1 of 2 attempts have no cost; --map cost=COLUMN"):
        market("a,x,1,2,,,,", "a,x,0,,,,,", folder=tmp_path, require_cost=True)


def test_costs_are_means_by_outcome_and_one_kind_stands_for_both(tmp_path: Path) -> None:
    found, _ = market("a,x,1,2,,,,", "a,x,1,4,,,,", "a,x,0,5,,,,", "a,y,0,8,,,,", folder=tmp_path)
    assert [p.spend.tolist() for p in found.providers] == [[3.0], [8.0]]
    assert [p.spend_if_failed.tolist() for p in found.providers] == [[5.0], [8.0]]
    assert found.problems == ("a",)
    assert found.unit == "USD"


def test_a_free_provider_costs_nothing_and_must_have_no_costs(tmp_path: Path) -> None:
    found, lines = market("a,x,1,,,10,5,", "a,x,0,0,,10,5,", "a,y,1,3,,9,5,", folder=tmp_path, free=("x",))
    assert [(p.free, p.spend.tolist(), p.spend_if_failed.tolist()) for p in found.providers] == [
        (True, [0.0], [0.0]),
        (False, [3.0], [3.0]),
    ]
    assert "Cost of x by origin: free 1, log 1." in lines
    with pytest.raises(MarketError, match="x: its attempts have costs, though --free says that it is free"):
        market("a,x,1,1,,10,5,", folder=tmp_path, free=("x",))
    with pytest.raises(MarketError, match="x: attempts on 'a' cost 0; leave them out, or say with --free x"):
        market("a,x,1,1,,10,5,", "a,x,0,0,,0,0,", folder=tmp_path)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("a,x,1,0,,10,5,", "x: 1 of 1 attempts cost 0 though tokens were used; --free x says"),
        ("a,x,1,,,10,5,", "x: 1 of 1 attempts have no cost; --price-list prices their tokens"),
        ("a,x,1,,,,,", "x: 1 of 1 attempts have no cost; --map cost=COLUMN names a cost"),
        ("a,x,,1,,,,Timeout", "x: none of its 1 attempts has a verdict"),
        ("a,x,0.5,1,,,,", "x: none of its 1 attempts has a verdict.*--solved-at X"),
    ],
)
def test_what_makes_no_market_names_provider_attempts_and_option(row: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(MarketError, match=told):
        market(row, folder=tmp_path)


def test_unequal_problem_sets_are_told_with_who_costs_most(tmp_path: Path) -> None:
    rows = [f"{x},{p},1,1,,,," for p, xs in (("x", "abc"), ("y", "ab"), ("z", "bc")) for x in xs]
    found, lines = market(*rows, folder=tmp_path)
    assert found.problems == ("b",)
    assert "Problems with attempts and costs: x 3, y 2, z 2; all have 1; without y there would be 1 more." in lines
    assert found.dropped == {"no attempts of z": 1, "no attempts of y": 1}


def test_attempts_min_and_exclude(tmp_path: Path) -> None:
    rows = ["a,x,1,1,,,,", "a,x,0,1,,,,Timeout", "b,x,1,1,,,,"]
    assert market(*rows, folder=tmp_path, attempts_min=2)[0].problems == ("a",)
    found, lines = market(*rows, folder=tmp_path, exclude=("Timeout",))
    assert found.providers[0].odds.attempts.tolist() == [1, 1]  # type: ignore[union-attr]
    assert "Excluded of x: Timeout (1)." in lines
    with pytest.raises(EqsolverError, match="attempts_min = 0"):
        LogOptions(attempts_min=0)
    with pytest.raises(EqsolverError, match=r"solved_at = 1\.5"):
        LogOptions(solved_at=1.5)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (["a,x,1,1,,7,1,", "a,x,0,2,,7,1,", "b,x,1,3,,7,1,"], "x: every attempt has 7 input tokens; are they estimates?"),
        (["a,x,1,1,2,7,1,", "a,x,1,1,2,7,1,"], "1 attempt with verdict, cost, seconds and tokens of another on the problem"),
        (["a,x,1,1,,,,", "a,x,1,10,,,,"], "x: costs of attempts on one problem are 10x apart or more on 1 problem (a: 10x)."),
        (["a,x,1,1,,,,"], "x is the only provider: there is nothing to arbitrage."),
    ],
)
def test_what_looks_odd_is_told_and_else_it_is_not(rows: list[str], told: str, tmp_path: Path) -> None:
    assert [line for line in market(*rows, folder=tmp_path)[1] if line.startswith(told)]
    plain = ["a,x,1,1,1,7,1,", "a,x,0,2,2,8,1,", "a,y,1,3,1,9,1,"]
    assert not [line for line in market(*plain, folder=tmp_path)[1] if line.startswith(told.split(" (")[0])]


def test_copies_are_seen_in_large_tables_where_all_attempts_are_alike(tmp_path: Path) -> None:
    rows = ["a,x,1,1,2,7,1,", "a,x,1,1,2,7,1,", "a,y,1,1,2,7,1,", "a,y,1,2,2,7,1,"]
    lines = market(*rows, folder=tmp_path, duplicates_up_to=0)[1]
    assert "All attempts of a provider on a problem are alike 1 times; are they copies?" in lines


def test_providers_choose_and_are_checked() -> None:
    found, *_ = read_foreign(sample("openrouter"), providers=["acme/small-1"])
    assert found.names == ("acme/small-1",)
    with pytest.raises(MarketError, match="providers: no attempts of 'acme/medium'; there are acme/large-2, acme/small-1"):
        read_foreign(sample("openrouter"), providers=["acme/medium"])


def test_load_reads_logs_of_other_tools_as_well(tmp_path: Path) -> None:
    found, wanted = load(*sample("openrouter")), read_foreign(sample("openrouter"))[0]
    assert found.digest() == wanted.digest()
    lines = [f'{{"id": "{name}", "attempts": {outcomes}, "mean_cost": 1}}' for name, outcomes in (("a", [0, 1]), ("b", [1]))]
    own = table(tmp_path / "x.jsonl", *lines)
    assert load(own).problems == ("a", "b")
    assert load(own, logs=LogOptions(attempts_min=2)).problems == ("a",)


def test_a_data_frame_is_a_market() -> None:
    columns = {
        "problem": list("aaba"),
        "provider": list("xxxy"),
        "solved": [True, False, True, None],
        "cost": [1, 3, np.nan, 2],
    }
    frame = pd.DataFrame(columns)
    with pytest.raises(MarketError, match="y: none of its 1 attempts has a verdict"):
        Market.from_attempts(frame)
    found = Market.from_attempts(frame, providers=["x"], name="mine", unit="EUR")
    assert (found.name, found.unit, found.problems) == ("mine", "EUR", ("a",))
    assert found.providers[0].odds.successes.tolist() == [1]  # type: ignore[union-attr]
    assert (found.providers[0].spend.tolist(), found.providers[0].spend_if_failed.tolist()) == ([1.0], [3.0])
    renamed = frame.rename(columns={"cost": "usd"})
    options = LogOptions(columns={"cost": "usd"})
    assert Market.from_attempts(renamed, providers=["x"], options=options).digest() != ""
    with pytest.raises(MarketError, match="unknown column 'usd'"):
        Market.from_attempts(renamed)


def test_notes_of_the_market_tell_prices_and_how_attempts_stopped(tmp_path: Path) -> None:
    prices = tmp_path / "p.toml"
    prices.write_text("[token_prices.x]\ninput = 1\noutput = 1\n")
    rows = [f"{x},x,{outcome},,,10,5," for x, outcomes in (("a", "001"), ("b", "1"), ("c", "01")) for outcome in outcomes]
    path = table(tmp_path / "t.csv", HEADER + ",attempt", *(f"{row},{n}" for n, row in enumerate(rows, 1)))
    found, *_ = read_foreign([path], LogOptions(price_lists=(str(prices),)))
    assert any("stop at the first success" in note for note in found.notes)
    assert found.notes[-1].startswith("Price of x: 1 / 1 / 1 USD per million")


def test_memory_does_not_grow_with_attempts(tmp_path: Path) -> None:
    """Within a limit of 100 MB, two million attempts: four times what the limit holds as rows."""
    from eqsolver.logs._store import Store

    path = tmp_path / "t.parquet"
    with Store.opened() as store:
        rows = (
            "SELECT 'p' || i % 50 AS problem, 'x' || (i // 50) % 2 AS provider, (i % 3 = 0)::INT AS solved, 1.0 + i % 7 AS cost"
        )
        store.run(f"COPY ({rows} FROM range(2000000) t(i)) TO '{path}' (FORMAT parquet)")
    found, lines, _ = read_foreign([path], LogOptions(memory_limit="100MB"))
    assert sum(p.odds.attempts.sum() for p in found.providers) == 2_000_000  # type: ignore[union-attr]
    assert lines[0].startswith("Read 2,000,000 attempts of 2 providers on 50 problems")
