"""What importers yield, and the options that say how logs are read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from eqsolver._errors import UsageError


@dataclass(slots=True, kw_only=True)
class Fact:
    """What one place of a log says of an attempt. Facts of one `key` tell of one attempt; None is unknown, never 0.

    kind : `log`; `roster`, a list of what was to be tried; or `verdict`, of a judge outside the log.
    score : 1 solved, 0 not, between them partial credit. excluded : no attempt at all (infrastructure), for the reason `error`.
    cut : the attempt was cut off by a limit, named in `error`; without a verdict it failed.
    time : when it began, seconds since 1970. suite, variant : told apart in the problem's and the provider's name if several.
    fingerprint : of the problem's content: one name for two contents is an error. run : where attempts count from 1.
    """

    key: str
    kind: str = "log"
    run: str | None = None
    problem: str | None = None
    provider: str | None = None
    attempt: int | None = None
    score: float | None = None
    excluded: bool = False
    cut: bool = False
    cost: float | None = None
    seconds: float | None = None
    input_tokens: int | None = None
    cached_tokens: int | None = None
    written_tokens: int | None = None
    output_tokens: int | None = None
    error: str | None = None
    domain: str | None = None
    verifier_cost: float | None = None
    verdict_2: float | None = None
    time: float | None = None
    suite: str | None = None
    variant: str | None = None
    fingerprint: str | None = None


@dataclass(slots=True, kw_only=True)
class Call:
    """One call of a model within the attempt `key`.

    judge : the call verified and did not attempt. error : why it failed. cut_by : why its answer ends early.
    input_tokens include those read from a cache (`cached_tokens`) and those written to it (`written_tokens`).
    """

    key: str
    model: str | None = None
    start: float | None = None
    finish: float | None = None
    input_tokens: int | None = None
    cached_tokens: int | None = None
    written_tokens: int | None = None
    output_tokens: int | None = None
    cost: float | None = None
    error: str | None = None
    cut_by: str | None = None
    judge: bool = False


@dataclass(slots=True, frozen=True)
class Omitted:
    """A record of no attempt, and why: it is left out and counted. kept : it is counted only, for what it means."""

    reason: str
    kept: bool = False


Record = Fact | Call | Omitted


@dataclass(frozen=True, slots=True, kw_only=True)
class LogOptions:
    """How logs are read.

    format : name of an importer, or a TOML file with a preset; None: found by looking at the files.
    scorer : whose verdict counts, where a log has several. solved_at : the least score that counts as solved.
    columns : {"problem": "task_id", "solved": "score>=0.5", ...} for tables, or paths of a preset's fields.
    per : the column whose values are the attempts, where a table has a row for each call.
    verdicts : a CSV with the verdicts, where the logs have none.
    free : providers whose cost of 0 is true. require_cost : refuse attempts of unknown cost.
    price_lists : `genai-prices`, a LiteLLM JSON or a TOML with `[token_prices]`; the first that knows a model prices it.
    as_of : the day of the prices: `attempt`, `now` or an ISO date.
    exclude : values of `error` that exclude an attempt. attempts_min : the least attempts of a provider on a problem, >= 1.
    memory_limit : of the database, as DuckDB writes sizes; more is spilt to disk. threads : of the database, >= 1.
    prices_differ : two lists whose prices of a model are further apart than this share are told, > 0.
    duplicates_up_to : up to so many rows alike attempts are counted; beyond, only problems whose attempts are all alike.
    """

    format: str | None = None
    scorer: str | None = None
    solved_at: float | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    per: str | None = None
    verdicts: Path | None = None
    free: tuple[str, ...] = ()
    require_cost: bool = False
    price_lists: tuple[str, ...] = ()
    as_of: str = "attempt"
    exclude: tuple[str, ...] = ()
    attempts_min: int = 1
    memory_limit: str = "250MB"
    threads: int = 2
    prices_differ: float = 0.1
    duplicates_up_to: int = 1_000_000

    def __post_init__(self) -> None:
        if self.attempts_min < 1:
            raise UsageError(f"attempts_min = {self.attempts_min} must be at least 1")
        if self.solved_at is not None and not 0 < self.solved_at <= 1:
            raise UsageError(f"solved_at = {self.solved_at:g} must lie above 0 and be at most 1")
