"""Inspect logs: `.eval`, a zip whose members are compressed with zstd, and `.json`. The samples' summaries suffice."""

from __future__ import annotations

import re
import zipfile as plain
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from eqsolver._errors import MarketError
from eqsolver.logs._files import Files, head, whole
from eqsolver.logs._folder import chosen
from eqsolver.logs._records import Fact, LogOptions, Omitted, Record
from eqsolver.logs._values import ValueFault, count, fault, moment, number, text, verdict

name = "inspect"
about = "Inspect: .eval and .json logs"


def claims(files: Files) -> list[Path]:
    """The files that are Inspect logs."""
    return [f for f in files if f.suffix == ".eval" or (f.suffix == ".json" and _is_log(head(f)))]


def _is_log(found: Any) -> bool:
    return isinstance(found, dict) and isinstance(found.get("eval"), dict) and "plan" in found


def read(files: Files, everything: Files, options: LogOptions) -> Iterator[Record]:
    """What the logs say; a second copy of the same evaluation (`.eval` and `.json`) is left out and counted."""
    seen: set[str] = set()
    for path in files:
        header, samples = _zipped(path) if path.suffix == ".eval" else (log := whole(path), log.get("samples") or [])
        evaluation = header["eval"]
        repeated = evaluation.get("eval_id") in seen
        seen.add(str(evaluation.get("eval_id")))
        for n, sample in enumerate(samples):
            if repeated:
                yield Omitted("a second copy of the same evaluation")
                continue
            place = f"sample {sample.get('id', n)}, epoch {sample.get('epoch')}"
            try:
                yield _fact(path, evaluation, sample, options)
            except MarketError:
                raise
            except (ValueFault, TypeError, AttributeError, ValueError) as error:
                raise fault(path, place, str(error)) from None


def _zipped(path: Path) -> tuple[Any, list[Any]]:
    """Header and summaries; of a log that is running or was killed, its journal's."""
    from backports.zstd import zipfile

    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
            header = "header.json" if "header.json" in names else "_journal/start.json"
            if header not in names:
                raise fault(path, "is not an Inspect log: it has neither header.json nor _journal/start.json")
            if "summaries.json" in names:
                return orjson.loads(archive.read(header)), orjson.loads(archive.read("summaries.json"))
            parts = sorted(
                (n for n in names if re.fullmatch(r"_journal/summaries/\d+\.json", n)), key=lambda n: int(Path(n).stem)
            )
            return orjson.loads(archive.read(header)), [s for part in parts for s in orjson.loads(archive.read(part))]
    except (plain.BadZipFile, zipfile.BadZipFile, OSError, EOFError, ValueError, RuntimeError) as error:
        if isinstance(error, MarketError):
            raise
        raise fault(path, f"cannot be read as a zip: {error}") from None


def _fact(path: Path, evaluation: Mapping[str, Any], sample: Mapping[str, Any], options: LogOptions) -> Fact:
    model = str(evaluation["model"])
    scores = sample.get("scores") or {}
    scorer = chosen(scores, options.scorer)
    limit, failed = sample.get("limit"), sample.get("error")
    used = _provider_usage(model, evaluation, sample)
    spent = {name: count(used.get(name)) for name in ("input_tokens", "input_tokens_cache_read", "input_tokens_cache_write")}
    known = spent["input_tokens"] is not None
    problem, epoch = text(sample.get("id")), count(sample.get("epoch"))
    return Fact(
        key=f"{path}|{problem}|{epoch}",
        run=str(path),
        problem=problem,
        provider=model,
        attempt=epoch,
        suite=text(evaluation.get("task")),
        score=verdict((scores.get(scorer) or {}).get("value")) if scorer is not None else None,
        excluded=bool(failed) and not scores,
        cut=bool(limit),
        error=_told(failed) or (str(limit.get("type") if isinstance(limit, Mapping) else limit) if limit else None),
        cost=number(used.get("total_cost")),
        seconds=number(sample.get("total_time")),
        input_tokens=sum(tokens or 0 for tokens in spent.values()) if known else None,
        cached_tokens=(spent["input_tokens_cache_read"] or 0) if known else None,
        written_tokens=spent["input_tokens_cache_write"],
        output_tokens=count(used.get("output_tokens")),
        verifier_cost=_verifier_cost(sample.get("role_usage") or {}),
        time=moment(sample.get("started_at")),
    )


def _provider_usage(model: str, evaluation: Mapping[str, Any], sample: Mapping[str, Any]) -> dict[str, Any]:
    """The model's usage without that of roles, such as a grader, which the same model plays."""
    usage = dict((sample.get("model_usage") or {}).get(model) or {})
    roles = evaluation.get("model_roles") or {}
    for role, spent in (sample.get("role_usage") or {}).items():
        if (roles.get(role) or {}).get("model") == model:
            usage = {key: value - (spent.get(key) or 0) if value is not None else None for key, value in usage.items()}
    return usage


def _verifier_cost(roles: Mapping[str, Mapping[str, Any]]) -> float | None:
    costs = [number(spent.get("total_cost")) for spent in roles.values()]
    return sum(cost or 0.0 for cost in costs) if costs and None not in costs else None


def _told(error: Any) -> str | None:
    """What a sample's error says: text in summaries, an object in whole samples."""
    return text(error.get("message")) if isinstance(error, Mapping) else text(error)
