"""Call logs of gateways: LiteLLM's spend table and OpenRouter's generations. Their calls are summed per attempt."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from eqsolver.logs._files import TABLES, Files, keys, records
from eqsolver.logs._paths import Scope, reader
from eqsolver.logs._records import Call, Fact, LogOptions, Omitted, Record
from eqsolver.logs._values import ValueFault, count, fault, moment, number, text

Parse = Callable[[Mapping[str, Any], LogOptions, str], Iterator[Record]]


@dataclass(frozen=True, slots=True)
class Gateway:
    """An importer of call logs: `parse` makes records of one entry; `needs` are fields that tell the format."""

    name: str
    about: str
    needs: frozenset[str]
    parse: Parse

    def claims(self, files: Files) -> list[Path]:
        return [f for f in files if f.suffix in (*TABLES, ".json") and self.needs <= _fields(f)]

    def read(self, files: Files, everything: Files, options: LogOptions) -> Iterator[Record]:
        for path in files:
            for where, entry in records(path):
                if not isinstance(entry, Mapping):
                    raise fault(path, where, "is not an object")
                entry = entry["data"] if isinstance(entry.get("data"), Mapping) else entry
                try:
                    yield from self.parse(entry, options, str(path))
                except (ValueFault, KeyError, TypeError, AttributeError, orjson.JSONDecodeError) as error:
                    raise fault(
                        path, where, f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)
                    ) from None


def _fields(path: Path) -> frozenset[str]:
    found = keys(path)
    return frozenset(next(records(path))[1]["data"]) if found == {"data"} else found


def field(entry: Mapping[str, Any], name: str, cast: Callable[[Any], Any]) -> Any:
    """A field of a record as a number, a time or text; a fault names it."""
    try:
        return cast(entry.get(name))
    except ValueFault as error:
        raise ValueFault(f"{name} = {error}") from None


def paid(cost: float | None, tokens: int | None, true_zero: bool) -> float | None:
    """A cost of 0 for tokens means that the price was not known, unless it is known to be true."""
    return None if cost == 0 and tokens and not true_zero else cost


def mapped(options: LogOptions, column: str, entry: Any) -> str | None:
    """What `--map COLUMN=PATH` finds in a record."""
    path = options.columns.get(column)
    return None if path is None else text(reader(path)(Scope(entry, entry, Path())))


def _litellm(entry: Mapping[str, Any], options: LogOptions, path: str) -> Iterator[Record]:
    session = field(entry, "session_id", text)
    if session is None:
        yield Omitted("calls without session_id")
        return
    metadata, tags = _decoded(entry.get("metadata")) or {}, _decoded(entry.get("request_tags")) or []
    failed, hit = entry.get("status") == "failure", str(entry.get("cache_hit")).lower() == "true"
    name, seller = field(entry, "model", text) or "unknown", field(entry, "custom_llm_provider", text)
    model = options.columns.get("provider") and mapped(options, "provider", {**entry, "metadata": metadata})
    usage, tokens = metadata.get("additional_usage_values") or {}, field(entry, "prompt_tokens", count)
    problem = mapped(options, "problem", {**entry, "metadata": metadata}) or _tagged(tags, "problem")
    own = metadata.get("spend_logs_metadata") or {}
    if problem or own.get("problem"):
        yield Fact(key=session, kind="verdict", problem=problem or text(own.get("problem")))
    error = (metadata.get("error_information") or {}).get("error_class") or "failure"
    yield Call(
        key=session,
        model=model or (name if seller is None or name.startswith(f"{seller}/") else f"{seller}/{name}"),
        start=field(entry, "startTime", moment),
        finish=field(entry, "endTime", moment),
        input_tokens=tokens,
        cached_tokens=count(usage.get("cache_read_input_tokens")) or 0,
        written_tokens=count(usage.get("cache_creation_input_tokens")),
        output_tokens=field(entry, "completion_tokens", count),
        cost=paid(field(entry, "spend", number), tokens, hit or failed),
        error=str(error) if failed else None,
    )
    if hit:
        yield Omitted("calls from the gateway's cache, which cost nothing: new attempts would cost more", kept=True)


def _decoded(value: Any) -> Any:
    return orjson.loads(value) if isinstance(value, str) and value.strip() else value


def _tagged(tags: Any, name: str) -> str | None:
    """The value of a tag such as `problem:add`."""
    found = (tag.partition(":")[2] for tag in tags if isinstance(tag, str) and tag.startswith(f"{name}:"))
    return next(found, None)


def _openrouter(entry: Mapping[str, Any], options: LogOptions, path: str) -> Iterator[Record]:
    key = mapped(options, "attempt", entry) or field(entry, "external_user", text)
    if key is None:
        yield Omitted("calls without external_user")
        return
    start, tokens = field(entry, "created_at", moment), field(entry, "native_tokens_prompt", count)
    cost = field(entry, "usage", number) if entry.get("usage") is not None else field(entry, "total_cost", number)
    if entry.get("is_byok"):  # one's own key: the seller's bill is upstream, usage is OpenRouter's fee
        upstream = field(entry, "upstream_inference_cost", number)
        cost = None if not upstream else upstream + (cost or 0.0)
    statuses = [response.get("status") for response in entry.get("provider_responses") or ()]
    failed = bool(statuses) and not any(status is not None and status < 400 for status in statuses)
    took = field(entry, "generation_time", number)
    cut = "cancelled" if entry.get("cancelled") else "length" if entry.get("finish_reason") == "length" else None
    problem = mapped(options, "problem", entry)
    if problem is not None:
        yield Fact(key=key, kind="verdict", problem=problem)
    yield Call(
        key=key,
        model=mapped(options, "provider", entry) or field(entry, "model", text),
        start=start,
        finish=None if start is None or took is None else start + took / 1000,
        input_tokens=tokens,  # tokens_prompt and tokens_completion are normalised counts, not the billed ones
        cached_tokens=field(entry, "native_tokens_cached", count) or 0,
        output_tokens=field(entry, "native_tokens_completion", count),
        cost=paid(cost, tokens, failed),
        error=str(statuses[-1]) if failed else None,
        cut_by=cut,
    )


litellm = Gateway(
    "litellm", "LiteLLM: the spend table, CSV or JSON", frozenset({"request_id", "spend", "session_id"}), _litellm
)
openrouter = Gateway("openrouter", "OpenRouter: generations, JSONL", frozenset({"native_tokens_prompt", "model"}), _openrouter)
