"""Prices of tokens: which list, which model, which time, which tier."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from samples import attempts, expected, sample, table

from eqsolver import EqsolverError, MarketError
from eqsolver.logs import LogOptions, audit, cells, read_attempts
from eqsolver.logs._prices import GenaiPrices, LiteLLMPrices, known_prices, split_names

PRICES = """
[token_prices."acme/small-1"]
input = 1
cached = 0.1
output = 4
[token_prices."acme/large-2"]
input = 10
cached = 1
output = 40
"""


@pytest.fixture
def prices(tmp_path: Path) -> str:
    path = tmp_path / "prices.toml"
    path.write_text(PRICES)
    return str(path)


def test_tokens_cost_what_the_sample_of_the_same_calls_says(prices: str) -> None:
    """The traces and the gateway's log are of the same calls, priced by the same list."""
    rows = attempts(sample("otel-genai"), "provider, problem, attempt, cost", price_lists=(prices,))
    found = {tuple(key): cost for *key, cost in rows}
    billed = {key: float(row["cost"]) for key, row in expected("langfuse").items()}
    assert found.pop(("acme/small-1", "primes", 1)) == 0  # it failed before it used a token
    assert found["acme/small-1", "add", 1] == pytest.approx(billed["acme/small-1", "add", 1], rel=1e-12)
    assert found["acme/large-2", "primes", 1] == pytest.approx((850 * 10 + 100 * 1 + 95 * 40) / 1e6, rel=1e-12)


def test_a_logged_cost_stays_and_the_audit_tells_where_costs_come_from(prices: str) -> None:
    with read_attempts(sample("harbor"), LogOptions(price_lists=(prices,))) as found:
        rows = found.store.rows("SELECT cost, origin FROM attempts WHERE provider = 'acme/large-2' ORDER BY problem")
        lines = audit(found, cells(found.store))
    assert rows == [(pytest.approx((1000 * 10 + 1500 * 1 + 90 * 40) / 1e6), "price list"), (pytest.approx(0.0262), "log")]
    assert "Cost of acme/large-2 by origin: log 1, price list 1." in lines
    assert not [line for line in lines if line.startswith("Cost of acme/small-1")]
    told = next(line for line in lines if line.startswith("Price of acme/small-1"))
    assert told.startswith("Price of acme/small-1: 1 / 0.1 / 4 USD per million input / cached / output tokens (prices.toml (")


def test_each_call_is_priced_at_its_own_time_and_tier(tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    spans = ["input = 1\noutput = 1\nuntil = 2026-01-02", "input = 3\noutput = 3\nfrom = 2026-01-02"]
    path.write_text("".join(f"[[token_prices.x]]\n{span}\n" for span in spans))
    lines = ["s,problem,provider,solved,time,input_tokens,output_tokens"]
    lines += ["s1,a,x,1,2026-01-01T23:59:59Z,1000000,0", "s2,b,x,1,2026-01-02T00:00:00Z,1000000,0"]
    logs = table(tmp_path / "t.csv", *lines)
    assert attempts(logs, "cost", price_lists=(str(path),), per="s") == [(1.0,), (3.0,)]
    for as_of, cost in (("2026-01-01", 1.0), ("2026-02-01", 3.0), ("now", 3.0)):
        assert attempts(logs, "cost", price_lists=(str(path),), as_of=as_of, per="s") == [(cost,), (cost,)]
    tiers = tmp_path / "litellm.json"
    entry = {"input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6, "cache_read_input_token_cost": 5e-7}
    tiers.write_text(json.dumps({"x": {**entry, "input_cost_per_token_above_200k_tokens": 4e-6}, "sample_spec": {}}))
    lines = ["problem,provider,solved,input_tokens,cached_tokens,output_tokens", "a,x,1,200000,100000,10", "b,x,1,200001,1,10"]
    first, second = attempts(table(tmp_path / "u.csv", *lines), "cost", price_lists=(str(tiers),))
    assert first[0] == pytest.approx(0.1 + 0.05 + 2e-5)
    assert second[0] == pytest.approx(0.8 + 5e-7 + 2e-5)


def test_the_calls_of_a_trajectory_are_priced_one_by_one(tmp_path: Path) -> None:
    """Three calls of 1,000 to 9,000 tokens: their sum is in a higher tier than any of them."""
    tiers = tmp_path / "litellm.json"
    entry = {"input_cost_per_token": 1e-6, "output_cost_per_token": 0, "input_cost_per_token_above_10k_tokens": 1}
    tiers.write_text(json.dumps({"acme/small-1": entry}))
    with read_attempts(sample("mini-swe-agent"), LogOptions(price_lists=(str(tiers),))) as found:
        paid = found.store.rows("SELECT sum(cost), sum(paid) FROM paid WHERE key LIKE '%small-run1|acme__calc-3'")
    assert paid == [(None, pytest.approx(14000e-6))]


def test_names_are_split_into_seller_and_model() -> None:
    assert list(split_names("openrouter/openai/gpt-5")) == [
        (None, "openrouter/openai/gpt-5"),
        ("openrouter", "openai/gpt-5"),
        ("openai", "gpt-5"),
    ]


def test_the_installed_list_knows_dated_names_of_sellers() -> None:
    listed = GenaiPrices()
    assert listed.name.startswith("genai-prices ")
    (dated,), (plain,) = listed.prices("openai/gpt-5-mini-2025-08-07"), listed.prices("gpt-5-mini")
    assert dated == plain
    assert (dated.input, dated.cached, dated.output) == (0.25, pytest.approx(0.025), 2.0)
    assert listed.prices("acme/small-1") == []


def test_the_installed_list_changes_with_time_and_tier() -> None:
    """Against its own calculation, for every model of a seller whose prices have tiers or dates."""
    import genai_prices
    from genai_prices.data_snapshot import get_snapshot

    listed, compared = GenaiPrices(), 0
    moments = [datetime(2024, 6, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)]
    seller = next(provider for provider in get_snapshot().providers if provider.id == "google")
    for model in seller.models:
        spans = listed.prices(f"google/{model.id}")
        for moment in moments if spans else []:
            for tokens in (1000, 150_000, 300_000):
                usage = genai_prices.Usage(input_tokens=tokens, cache_read_tokens=400, output_tokens=70)
                wanted = genai_prices.calc_price(usage, model.id, provider_id="google", genai_request_timestamp=moment)
                (price,) = [p for p in spans if p.since <= moment.timestamp() < p.until and p.above < tokens <= p.up_to]
                ours = ((tokens - 400) * price.input + 400 * price.cached + 70 * price.output) / 1e6
                if wanted.model.id == model.id and getattr(wanted.model_price, "cache_read_mtok", None) is not None:
                    assert ours == pytest.approx(float(wanted.total_price), rel=1e-9), (model.id, tokens, moment)
                    compared += 1
    assert compared > 20


def test_the_first_list_that_knows_a_model_prices_it_and_others_may_disagree(prices: str, tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    cost = {"input_cost_per_token": 1.2e-6, "output_cost_per_token": 4e-6, "cache_read_input_token_cost": 1e-7}
    other.write_text(json.dumps({"small-1": cost, "large-2": {**cost, "input_cost_per_token": 1.05e-5}}))
    with read_attempts(sample("otel-genai"), LogOptions(price_lists=(prices, str(other)))) as found:
        assert [line for line in found.notes if "acme/small-1: two price lists differ by over 10%" in line]
        assert found.prices[1].startswith("acme/small-1: 1 / 0.1 / 4 USD")
    lists: Any = [LiteLLMPrices(other)]
    chosen, warnings = known_prices(["acme/small-1", "acme/other"], lists, 0.1)
    assert list(chosen) == ["acme/small-1"]
    assert not warnings


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('[token_prices.x]\ninput = "much"\noutput = 1', r"token_prices\.x\.input = 'much'"),
        ("[token_prices.x]\ninput = -1\noutput = 1", r"token_prices\.x\.input = -1"),
        ("[token_prices.x]\ninput = 1", r"token_prices\.x\.output"),
        ("[prices]\n", r"has no \[token_prices\] table"),
        ("[[token_prices.x]]\ninput = 1\noutput = 1\n[[token_prices.x]]\ninput = 2\noutput = 2", "two prices hold at one time"),
    ],
)
def test_a_wrong_list_is_told(content: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    path.write_text(content)
    with pytest.raises(MarketError, match=told):
        attempts(sample("otel-genai"), price_lists=(str(path),))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"price_lists": ("dear",)}, "--price-list 'dear': give genai-prices"),
        ({"price_lists": ("none.toml",)}, r"none\.toml: No such file"),
        ({"price_lists": ("none.json",)}, r"none\.json: no such file"),
        ({"as_of": "yesterday"}, "--as-of 'yesterday': give attempt, now or a date"),
    ],
)
def test_a_wrong_option_is_told(options: dict[str, Any], told: str) -> None:
    with pytest.raises(EqsolverError, match=told):
        attempts(sample("otel-genai"), **options)


def test_dates_are_days_of_utc() -> None:
    from eqsolver.logs._prices import day

    assert day("2026-11-02") == datetime(2026, 11, 2, tzinfo=UTC).timestamp()
    assert day("attempt") is None
    assert date.fromtimestamp(day("now") or 0) >= date(2025, 1, 1)
