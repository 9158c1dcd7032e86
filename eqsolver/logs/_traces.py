"""Traces: exports of Langfuse, and OpenTelemetry's conventions for generative AI. Their calls are summed per trace."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from eqsolver.logs._files import TABLES, Files, head, keys, records
from eqsolver.logs._gateways import field, mapped, paid
from eqsolver.logs._records import Call, Fact, LogOptions, Omitted, Record
from eqsolver.logs._values import ValueFault, count, fault, moment, number, shown, text, verdict

OBSERVATION, SCORE = {"trace_id", "type", "usage_details"}, {"trace_id", "data_type", "value"}


class _Scorers:
    """The one scorer whose verdicts are read."""

    def __init__(self, asked: str | None) -> None:
        self.asked, self.met = asked, asked

    def counts(self, name: str | None) -> bool:
        self.met = self.met or name
        if self.asked is None and name != self.met:
            raise ValueFault(f"several scorers: choose one with --scorer {self.met} or --scorer {name}")
        return name == self.met


class Langfuse:
    """Langfuse's exports: observations and scores, joined by trace."""

    name = "langfuse"
    about = "Langfuse: folders of observations and scores, JSONL, JSON, CSV or Parquet"

    def claims(self, files: Files) -> list[Path]:
        found = [f for f in files if f.suffix in (*TABLES, ".json") and (keys(f) >= OBSERVATION or keys(f) >= SCORE)]
        return found if any(keys(f) >= OBSERVATION for f in found) else []

    def read(self, files: Files, everything: Files, options: LogOptions) -> Iterator[Record]:
        scorers = _Scorers(options.scorer)
        for path in files:
            for where, entry in records(path):
                try:
                    yield from _langfuse(entry, scorers, options)
                except (ValueFault, KeyError, TypeError, AttributeError, orjson.JSONDecodeError) as error:
                    raise fault(
                        path, where, f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)
                    ) from None


def _langfuse(entry: Mapping[str, Any], scorers: _Scorers, options: LogOptions) -> Iterator[Record]:
    trace, kind = text(entry["trace_id"]), entry.get("type")
    if trace is None:
        yield Omitted("entries without trace_id")
    elif "data_type" in entry:
        if entry["data_type"] != "CATEGORICAL" and scorers.counts(text(entry.get("name"))):
            yield Fact(key=trace, kind="verdict", score=field(entry, "value", verdict))
    elif kind in ("GENERATION", "EVALUATOR", "EMBEDDING"):
        yield _generation(trace, entry, kind)
    elif not entry.get("parent_observation_id"):
        metadata = _decoded(entry.get("metadata")) or {}
        asked = mapped(options, "problem", {**entry, "metadata": metadata})
        start, finish = field(entry, "start_time", moment), field(entry, "end_time", moment)
        seconds = round(finish - start, 6) if start is not None and finish is not None else field(entry, "latency", number)
        problem = asked or text(metadata.get("problem")) or text(entry.get("trace_name"))
        yield Fact(key=trace, problem=problem, time=start, seconds=seconds)


def _generation(trace: str, entry: Mapping[str, Any], kind: str) -> Call:
    """A call; `usage_details` of most SDKs count cached tokens apart, and where `total` says otherwise, within the input."""
    usage = {key: count(value) or 0 for key, value in (_decoded(entry.get("usage_details")) or {}).items()}
    failed = entry.get("level") == "ERROR"
    read = usage.get("input_cached_tokens", usage.get("cache_read_input_tokens", 0))
    written = usage.get("input_cache_creation", usage.get("cache_creation_input_tokens", 0))
    tokens, answer = usage.get("input"), usage.get("output")
    if tokens is not None and usage.get("total") != tokens + (answer or 0):
        tokens += read + written
    elif tokens is not None and read + written > tokens:
        raise ValueFault(f"usage_details = {shown(usage)}: more cached tokens than input")
    return Call(
        key=trace,
        model=text(entry.get("provided_model_name")),
        start=field(entry, "start_time", moment),
        finish=field(entry, "end_time", moment),
        input_tokens=tokens,
        cached_tokens=read if tokens is not None else None,
        written_tokens=written or None,
        output_tokens=answer,
        cost=paid(field(entry, "total_cost", number), tokens, failed),
        error=text(entry.get("status_message")) or "ERROR" if failed else None,
        judge=kind == "EVALUATOR",
    )


def _decoded(value: Any) -> Any:
    return orjson.loads(value) if isinstance(value, str) and value.strip() else value


class OpenTelemetry:
    """OTLP JSON with the attributes `gen_ai.*`, or those of OpenInference."""

    name = "otel-genai"
    about = "OpenTelemetry: traces (and verdicts as log events) in OTLP JSON"

    def claims(self, files: Files) -> list[Path]:
        found = [f for f in files if f.suffix in (".jsonl", ".json") and keys(f) & {"resourceSpans", "resourceLogs"}]
        return found if any("resourceSpans" in head(f) for f in found) else []

    def read(self, files: Files, everything: Files, options: LogOptions) -> Iterator[Record]:
        scorers = _Scorers(options.scorer)
        for path in files:
            for where, entry in records(path):
                try:
                    for span in _inside(entry, "resourceSpans", "scopeSpans", "spans"):
                        yield from _span(span, options)
                    for event in _inside(entry, "resourceLogs", "scopeLogs", "logRecords"):
                        yield from _event(event, scorers)
                except (ValueFault, KeyError, TypeError, AttributeError) as error:
                    raise fault(
                        path, where, f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)
                    ) from None


def _inside(entry: Mapping[str, Any], *levels: str) -> Iterator[Mapping[str, Any]]:
    entries: Sequence[Mapping[str, Any]] = [entry]
    for level in levels:
        entries = [inner for outer in entries for inner in outer.get(level) or ()]
    yield from entries


def _attributes(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes by name. 64-bit numbers are text in OTLP JSON."""
    return {a["key"]: next(iter(a["value"].values()), None) for a in entry.get("attributes") or ()}


def _first(found: Mapping[str, Any], *names: str) -> Any:
    return next((found[name] for name in names if found.get(name) is not None), None)


INPUT = ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt")
OUTPUT = ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.token_count.completion")
READ = (
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cache_read_input_tokens",
    "llm.token_count.prompt_details.cache_read",
)
WRITTEN = (
    "gen_ai.usage.cache_creation.input_tokens",
    "gen_ai.usage.cache_write.input_tokens",
    "gen_ai.usage.cache_creation_input_tokens",
    "llm.token_count.prompt_details.cache_write",
)
"""Names in the wild, newest first; OpenInference's last."""

OPERATIONS = frozenset({"chat", "text_completion", "generate_content"})


def _span(span: Mapping[str, Any], options: LogOptions) -> Iterator[Record]:
    """A root span tells problem and time; a call's span its tokens. Spans of agents repeat their children's sums."""
    trace, found = str(span["traceId"]), _attributes(span)
    start, finish = moment(span.get("startTimeUnixNano")), moment(span.get("endTimeUnixNano"))
    if not span.get("parentSpanId"):
        path = options.columns.get("problem")
        yield Fact(
            key=trace,
            problem=text(found.get(path) if path else found.get("eval.problem")),
            attempt=count(found.get("eval.attempt")),
            time=start,
            seconds=None if start is None or finish is None else round(finish - start, 6),
        )
    if found.get("gen_ai.operation.name") not in OPERATIONS and found.get("openinference.span.kind") != "LLM":
        return
    failed = found.get("error.type") is not None or (span.get("status") or {}).get("code") in (2, "STATUS_CODE_ERROR")
    seller = text(_first(found, "gen_ai.provider.name", "gen_ai.system", "llm.provider"))
    name = text(_first(found, "gen_ai.request.model", "llm.model_name", "gen_ai.response.model"))
    tokens = count(_first(found, *INPUT))
    yield Call(
        key=trace,
        model=name if seller is None or name is None else f"{seller}/{name}",
        start=start,
        finish=finish,
        input_tokens=tokens,
        cached_tokens=(count(_first(found, *READ)) or 0) if tokens is not None else None,
        written_tokens=count(_first(found, *WRITTEN)),
        output_tokens=count(_first(found, *OUTPUT)),
        cost=paid(number(found.get("llm.cost.total")), tokens, failed),
        error=(text(found.get("error.type")) or "error") if failed else None,
    )


def _event(event: Mapping[str, Any], scorers: _Scorers) -> Iterator[Record]:
    if event.get("eventName") != "gen_ai.evaluation.result":
        return
    found = _attributes(event)
    if scorers.counts(text(found.get("gen_ai.evaluation.name"))):
        value = _first(found, "gen_ai.evaluation.score.value", "gen_ai.evaluation.score.label")
        yield Fact(key=str(event["traceId"]), kind="verdict", score=verdict(value))
