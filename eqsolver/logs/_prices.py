"""Prices of tokens, from a list: what an attempt cost where its log knows only tokens."""

from __future__ import annotations

import hashlib
import importlib.metadata
import itertools
import math
import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from eqsolver._errors import UsageError
from eqsolver.logs._files import whole
from eqsolver.logs._values import fault, shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """USD per million tokens of a model, from `since` up to `until` (seconds since 1970), above so many input tokens.

    cached : of input tokens read from a cache. written : of those written to one. up_to : the most input tokens.
    """

    input: float
    output: float
    cached: float
    written: float
    since: float = -math.inf
    until: float = math.inf
    above: int = -1
    up_to: float = math.inf

    def told(self) -> str:
        return f"{self.input:g} / {self.cached:g} / {self.output:g} USD per million input / cached / output tokens"


class PriceList(Protocol):
    """A list of prices, which knows some models; its name tells its version."""

    name: str

    def prices(self, model: str) -> list[Price]:
        """Prices of a model that do not overlap, or none."""


def price_list(source: str) -> PriceList:
    """`genai-prices`, a LiteLLM price JSON, or a TOML file with `[token_prices]`."""
    if source == "genai-prices":
        return GenaiPrices()
    path = Path(source)
    if path.suffix == ".toml":
        return TokenPrices(path)
    if path.suffix == ".json":
        return LiteLLMPrices(path)
    raise UsageError(f"--price-list {source!r}: give genai-prices, a LiteLLM price list (.json) or [token_prices] (.toml)")


def split_names(model: str) -> Iterator[tuple[str | None, str]]:
    """(seller, model) as lists may write them: `a/b/c` is itself, b/c of a, and c of b."""
    yield None, model
    seller, slash, rest = model.partition("/")
    while slash:
        yield seller, rest
        seller, slash, rest = rest.partition("/")


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)
    input: Annotated[float, Field(ge=0)]
    output: Annotated[float, Field(ge=0)]
    cached: Annotated[float, Field(ge=0)] | None = None
    written: Annotated[float, Field(ge=0)] | None = None
    since: date | None = Field(None, alias="from")
    until: date | None = None


class TokenPrices:
    """`[token_prices."acme/small-1"]` with input, cached, output per million, from and until; or a list of such tables."""

    def __init__(self, path: Path) -> None:
        try:
            data = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
        except OSError as error:
            raise fault(path, str(error.strerror)) from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise fault(path, "not valid TOML", str(error)) from None
        if not isinstance(data.get("token_prices"), dict):
            raise fault(path, "has no [token_prices] table")
        self.name = f"{path.name} ({hashlib.sha256(path.read_bytes()).hexdigest()[:8]})"
        self._found = {model: _rows(path, model, entry) for model, entry in data["token_prices"].items()}

    def prices(self, model: str) -> list[Price]:
        return next((self._found[name] for _, name in split_names(model) if name in self._found), [])


def _rows(path: Path, model: str, entry: Any) -> list[Price]:
    rows = []
    for table in entry if isinstance(entry, list) else [entry]:
        try:
            row = _Row.model_validate(table)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            raise fault(
                path, f"token_prices.{model}.{'.'.join(map(str, first['loc']))} = {shown(first['input'])}", first["msg"]
            ) from None
        rows.append(
            _price(row.input, row.output, row.cached, row.written, since=_epoch(row.since), until=_epoch(row.until, math.inf))
        )
    ordered = sorted(rows, key=lambda price: price.since)
    for earlier, later in itertools.pairwise(ordered):
        if earlier.until > later.since:
            raise fault(path, f"token_prices.{model}", "two prices hold at one time; give each from and until")
    return ordered


def _price(income: float, output: float, cached: float | None, written: float | None, **span: Any) -> Price:
    """Cached tokens cost as much as others where a list does not say otherwise."""
    cached, written = income if cached is None else cached, income if written is None else written
    return Price(input=income, output=output, cached=cached, written=written, **span)


def _epoch(day: date | None, otherwise: float = -math.inf) -> float:
    return otherwise if day is None else datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()


class LiteLLMPrices:
    """LiteLLM's `model_prices_and_context_window.json`: prices per token, with tiers above so many input tokens."""

    def __init__(self, path: Path) -> None:
        found = whole(path) if path.is_file() else None
        if not isinstance(found, dict):
            raise fault(path, "no such file" if found is None else "is not a LiteLLM price list, an object of models")
        self._found: dict[str, Any] = found
        self.name = f"{path.name} ({hashlib.sha256(path.read_bytes()).hexdigest()[:8]})"

    def prices(self, model: str) -> list[Price]:
        entries = (self._found.get(name) for _, name in split_names(model))
        entry: dict[str, Any] = next((one for one in entries if isinstance(one, dict)), {})
        if not isinstance(entry.get("input_cost_per_token"), int | float):
            return []
        tiers = {0: ""}
        for key in entry:
            if found := re.fullmatch(r"input_cost_per_token(_above_(\d+)k_tokens)", key):
                tiers[1000 * int(found[2])] = found[1]
        starts, prices = sorted(tiers), []
        for start, end in zip(starts, [*starts[1:], math.inf], strict=True):
            costs = [entry.get(f"{kind}{tiers[start]}", entry.get(kind)) for kind in _KINDS]
            income, output, cached, written = (None if cost is None else 1e6 * float(cost) for cost in costs)
            prices.append(_price(income or 0.0, output or 0.0, cached, written, above=start or -1, up_to=end))
        return prices


_KINDS = ("input_cost_per_token", "output_cost_per_token", "cache_read_input_token_cost", "cache_creation_input_token_cost")


class GenaiPrices:
    """The installed `genai-prices` (extra `prices`): prices by date and tier; nothing is fetched."""

    def __init__(self) -> None:
        try:
            import genai_prices.data_snapshot
        except ImportError:
            raise UsageError("--price-list genai-prices is not installed: pip install 'eqsolver[prices]'") from None
        self._snapshot = genai_prices.data_snapshot.get_snapshot()
        self.name = f"genai-prices {importlib.metadata.version('genai-prices')}"

    def prices(self, model: str) -> list[Price]:
        whole, *parts = split_names(model)
        for seller, name in (*parts, whole):
            try:
                _, found = self._snapshot.find_provider_model(name, None, seller, None)
            except LookupError:
                continue
            return _genai(found.prices)
        return []


def _genai(prices: Any) -> list[Price]:
    """A model's prices in spans of time, each until the next begins. Prices by the hour are left out."""
    listed = [(None, prices)] if not isinstance(prices, list) else [(entry.constraint, entry.prices) for entry in prices]
    dated = [(_epoch(getattr(when, "start_date", None)), found) for when, found in listed if not hasattr(when, "start_time")]
    dated.sort(key=lambda entry: entry[0])
    ends = [since for since, _ in dated[1:]] + [math.inf]
    if dated:
        dated[0] = (-math.inf, dated[0][1])  # the first price stands for whatever came before it
    return [replace(p, since=since, until=end) for (since, found), end in zip(dated, ends, strict=True) for p in _tiers(found)]


def _tiers(found: Any) -> list[Price]:
    kinds = [getattr(found, kind, None) for kind in ("input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok")]
    if kinds[0] is None:
        return []
    starts = sorted({0, *(tier.start for kind in kinds for tier in getattr(kind, "tiers", ()))})

    def at(kind: Any, start: int) -> float | None:
        if kind is None or not hasattr(kind, "tiers"):
            return None if kind is None else float(kind)
        return float(next((tier.price for tier in reversed(kind.tiers) if tier.start <= start), kind.base))

    return [
        _price(
            at(kinds[0], start) or 0.0,
            at(kinds[1], start) or 0.0,
            at(kinds[2], start),
            at(kinds[3], start),
            above=start or -1,
            up_to=end,
        )
        for start, end in zip(starts, [*starts[1:], math.inf], strict=True)
    ]


def known_prices(
    models: Sequence[str], lists: Sequence[PriceList], apart: float
) -> tuple[dict[str, tuple[PriceList, list[Price]]], list[str]]:
    """Of each model, the first list that knows it, with its prices; and a line for each two lists that differ by a share."""
    chosen, warnings = {}, []
    for model in models:
        found = [(one, prices) for one in lists if (prices := one.prices(model))]
        if not found:
            continue
        chosen[model] = found[0]
        for other, prices in found[1:]:
            first, second = found[0][1][-1], prices[-1]
            if any(_differ(getattr(first, kind), getattr(second, kind), apart) for kind in ("input", "cached", "output")):
                told = f"{found[0][0].name} has {first.told()}, {other.name} {second.told()}"
                warnings.append(f"{model}: two price lists differ by over {apart:.0%}: {told}; the first is used")
    return chosen, warnings


def _differ(first: float, second: float, apart: float) -> bool:
    return abs(first - second) > apart * max(abs(first), abs(second))


def day(as_of: str) -> float | None:
    """Seconds since 1970 of `now` or a date; None for `attempt`, whose own time counts."""
    if as_of == "attempt":
        return None
    if as_of == "now":
        return datetime.now(UTC).timestamp()
    try:
        return _epoch(date.fromisoformat(as_of))
    except ValueError:
        raise UsageError(f"--as-of {as_of!r}: give attempt, now or a date such as 2026-11-02") from None
