"""Folders of JSON, read as a preset says, one file in memory at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eqsolver.logs._files import Files, head, matching, whole
from eqsolver.logs._paths import Read, Scope, reader
from eqsolver.logs._preset import Preset, Report, Roster, Rule
from eqsolver.logs._records import Call, Fact, LogOptions, Record
from eqsolver.logs._values import ValueFault, count, fault, moment, number, shown, text, verdict

CASTS: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("cost", "seconds", "verifier_cost"), number),
    **dict.fromkeys(("attempt", "input_tokens", "cached_tokens", "written_tokens", "output_tokens"), count),
    **dict.fromkeys(("time", "start", "finish"), moment),
    "verdict_2": verdict,
}


@dataclass(slots=True)
class Folder:
    """The importer that a preset describes."""

    name: str
    preset: Preset

    @property
    def about(self) -> str:
        return self.preset.about

    def claims(self, files: Files) -> list[Path]:
        """The files that are attempts of this format; empty unless one of the first few has what it needs."""
        found = matching(files, self.preset.glob)
        return found if any(self._fits(path, head(path)) for path in found[:5]) else []

    def _fits(self, path: Path, root: Any) -> bool:
        scope = Scope(root, root, path)
        return isinstance(root, dict) and all(reader(need)(scope) is not None for need in self.preset.needs)

    def read(self, files: Files, everything: Files, options: LogOptions) -> Iterator[Record]:
        """What the files say. `everything` are all files given, among which rosters and reports are found."""
        reading = _Reading(self.preset, options)
        runs: dict[Path, str | None] = {}
        for path in files:
            root = whole(path)
            if not self._fits(path, root):
                continue
            run = _run(path, self.preset)
            for fact, calls in reading.attempts(path, root, run):
                runs[run] = runs.get(run) or fact.provider
                yield fact
                yield from calls
        for run in runs:
            if self.preset.roster is not None:
                yield from (facts := list(_roster(run, self.preset.roster)))
                runs[run] = runs[run] or next((fact.provider for fact in facts), None)
            if self.preset.report is not None and options.verdicts is None:
                yield from _report(run, str(runs[run]), self.preset.report, everything)


def _run(path: Path, preset: Preset) -> Path:
    """The file or folder that is a file's run."""
    return path if preset.run in (None, -1) else path.parents[-preset.run - 2]


class _Reading:
    """A preset's expressions, compiled."""

    def __init__(self, preset: Preset, options: LogOptions) -> None:
        asked = {field: options.columns[field] for field in options.columns}
        try:
            self.fields: Mapping[str, Read] = {f: reader(e) for f, e in {**preset.fields, **asked}.items() if f != "solved"}
            verdicts = asked.get("solved", preset.fields.get("solved"))
            self.solved: Read = reader(verdicts) if verdicts is not None else _nothing
        except ValueError as error:
            raise fault("--map", str(error)) from None
        self.calls = {f: reader(e) for f, e in preset.calls.fields.items()} if preset.calls else {}
        self.each_call = reader(preset.calls.each) if preset.calls else None
        self.scores = preset.scores if options.scorer is not None else None
        self.records = [(path, reader(path)) for path in preset.records]
        self.rules = [(_Rule(rule), True) for rule in preset.excluded] + [(_Rule(rule), False) for rule in preset.cut_off]
        self.preset, self.options = preset, options
        self.joined = preset.roster is not None or preset.report is not None

    def attempts(self, path: Path, root: Any, run: Path) -> Iterator[tuple[Fact, list[Call]]]:
        """Each attempt in a file, with its calls."""
        whole_file = Scope(root, root, path)
        where, entries = "", [root]
        if self.records:
            lists = [(name, read(whole_file)) for name, read in self.records]
            where, entries = next(((name, found) for name, found in lists if isinstance(found, list) and found), ("", []))
        for n, entry in enumerate(entries):
            place = f"{where}[{n}]" if where else "$"
            scope = Scope(entry, root, path, whole_file.neighbours)
            try:
                yield self._attempt(scope, run, place)
            except _FieldFault as error:
                raise fault(path, place, str(error)) from None

    def _attempt(self, scope: Scope, run: Path, place: str) -> tuple[Fact, list[Call]]:
        values = {name: _cast(name, read, scope) for name, read in self.fields.items()}
        for name in ("problem", "provider"):
            if values.get(name) is None:
                raise _FieldFault(f"{name} ({self.preset.fields.get(name)}) is missing")
        key = f"{run}|{values['problem']}" if self.joined else f"{scope.path}|{place}"
        fact = Fact(key=key, run=str(run), **values)
        fact.score = self._score(scope)
        for rule, excludes in self.rules:
            reason = rule.reason(scope)
            if reason is not None:
                fact.error, fact.excluded, fact.cut = reason, excludes, not excludes
                for name in rule.unknown:
                    setattr(fact, name, None)
                break
        calls = (
            [
                Call(key=key, model=fact.provider, **{name: _cast(name, read, inner) for name, read in self.calls.items()})
                for inner in (Scope(entry, scope.root, scope.path) for entry in (self.each_call(scope) or ()))
            ]
            if self.each_call
            else []
        )
        return fact, calls

    def _score(self, scope: Scope) -> float | None:
        if self.scores is not None:
            name, value = reader(self.scores.name), reader(self.scores.value)
            entries = [Scope(entry, scope.root, scope.path) for entry in reader(self.scores.each)(scope) or ()]
            found: Any = {str(name(entry)): value(entry) for entry in entries}
        else:
            found = self.solved(scope)
        if isinstance(found, dict):
            found = found.get(chosen(found, self.options.scorer, self.preset.scorer))
        try:
            return verdict(found)
        except ValueFault as error:
            raise _FieldFault(f"solved ({self.preset.fields.get('solved')}) = {error}") from None


def _nothing(scope: Scope) -> None:
    """What is not in the log."""


class _FieldFault(ValueError):
    """A field of one attempt is wrong."""


def chosen(scores: Mapping[str, Any], asked: str | None, default: str | None = None) -> str | None:
    """The scorer whose verdict counts: the one asked for, or the usual one, or the only one."""
    if asked is not None:
        if scores and asked not in scores:
            raise _FieldFault(f"scorer {shown(asked)} is not among {', '.join(scores)}")
        return asked
    if default in scores or len(scores) < 2:
        return default if default in scores else next(iter(scores), None)
    raise _FieldFault(f"several scorers: choose one with --scorer {' or --scorer '.join(scores)}")


def _cast(name: str, read: Read, scope: Scope) -> Any:
    cast: Callable[[Any], Any] = CASTS.get(name, text)
    try:
        return cast(read(scope))
    except (ValueFault, TypeError, ValueError) as error:
        raise _FieldFault(f"{name} = {error}") from None


@dataclass(slots=True)
class _Rule:
    """A rule's expressions, compiled."""

    rule: Rule
    unknown: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self.unknown = self.rule.unknown

    def reason(self, scope: Scope) -> str | None:
        """Why the rule holds of an attempt; None where it does not."""
        rule = self.rule
        value = reader(rule.path)(scope)
        if value is None or (rule.is_ is not None and value not in rule.is_) or (rule.not_ is not None and value in rule.not_):
            return None
        if (rule.also is not None and not reader(rule.also)(scope)) or (rule.unless and reader(rule.unless)(scope) is not None):
            return None
        return rule.because or str((reader(rule.why)(scope) if rule.why is not None else None) or value)


def _roster(run: Path, roster: Roster) -> Iterator[Fact]:
    path = run / roster.file
    if not path.is_file():
        return
    provider = reader(roster.provider)
    for problem, entry in whole(path).items():
        name = provider(Scope(entry, entry, path))
        yield Fact(key=f"{run}|{problem}", kind="roster", run=str(run), problem=problem, provider=name, error=roster.missing)


def _report(run: Path, provider: str, report: Report, everything: Files) -> Iterator[Fact]:
    """Verdicts of one run; a problem that the report lists in no verdict's list is left without one."""
    name = report.name.format(provider=provider.replace("/", "__"), run=run.name)
    path = next((f for f in everything if f.name == name), None)
    if path is None:
        raise fault(run, f"no report {name}", report.missing)
    found = whole(path)
    if not isinstance(found, dict) or not all(isinstance(found.get(ids, []), list) for ids in (*report.solved, *report.failed)):
        raise fault(path, f"is not a report: {', '.join(report.solved)} must be lists of problems")
    reasons = found.get(report.reasons or "", {})
    excluded = {
        problem: f"infrastructure: {reasons.get(problem, 'unknown')}"
        for ids in report.excluded
        for problem in found.get(ids, ())
    }
    unverified = {problem: "no verdict: error in the evaluation" for ids in report.unverified for problem in found.get(ids, ())}
    for problem, reason in {**unverified, **excluded}.items():
        yield Fact(key=f"{run}|{problem}", kind="verdict", excluded=True, error=reason)
    for score, lists in ((1.0, report.solved), (0.0, report.failed)):
        for problem in (problem for ids in lists for problem in found.get(ids, ())):
            if problem not in excluded and problem not in unverified:
                yield Fact(key=f"{run}|{problem}", kind="verdict", score=score)
