"""Presets: folders of JSON described as data. Those shipped stand in `presets/`; own ones are TOML files of the same form."""

from __future__ import annotations

import tomllib
from dataclasses import fields
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from eqsolver.logs._paths import reader
from eqsolver.logs._records import Call, Fact
from eqsolver.logs._values import fault

Expression = str | Annotated[list[str], Field(min_length=1)]
FACT_FIELDS = frozenset(f.name for f in fields(Fact)) - {"key", "kind", "score", "excluded", "cut", "error"} | {"solved"}
CALL_FIELDS = frozenset(f.name for f in fields(Call)) - {"key"}


class _Table(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Rule(_Table):
    """An attempt that is excluded or was cut off, and why: without `is` and `not` wherever the path has a value."""

    path: Expression
    is_: list[str | bool | int] | None = Field(None, alias="is")
    not_: list[str | bool | int] | None = Field(None, alias="not")
    also: Expression | None = Field(None, description="a second value that must be there for the rule to hold")
    why: Expression | None = Field(None, description="expression of the reason; default: the value at the path")
    because: str | None = Field(None, description="the reason in words, where no expression gives one")
    unless: Expression | None = Field(None, description="a value that, where it is there, decides instead of the rule")
    unknown: list[str] = Field([], description="fields that say nothing where the rule holds, such as a cost of 0")


class Scores(_Table):
    """Verdicts of several scorers in a list; `fields.solved` counts unless one is asked for."""

    each: str
    name: str
    value: str


class Calls(_Table):
    """The calls of models within an attempt."""

    each: str = Field(description="path of the list of calls; the fields' paths begin at its entries")
    fields: dict[str, Expression]


class Roster(_Table):
    """A file beside each run that lists every problem tried: those without an attempt are excluded."""

    file: str
    provider: str = Field(description="path within the entry of a problem")
    missing: str = Field(description="why a problem without an attempt is excluded")


class Report(_Table):
    """A file of verdicts for each run, named after provider and run."""

    name: str
    solved: list[str]
    failed: list[str]
    excluded: list[str] = []
    reasons: str | None = None
    unverified: list[str] = []
    missing: str = Field(description="what to do where there is no report")


class Preset(_Table):
    """How a folder of JSON files becomes attempts.

    glob : the last path parts of the files. needs : paths that have a value in such a file. records : paths of the list of
    attempts, the first that is there; default: a file is one attempt. run : which part of a file's path names its run (-1: the
    file).
    """

    about: str
    glob: str
    needs: Annotated[list[str], Field(min_length=1)]
    records: list[str] = []
    run: int | None = None
    scorer: str | None = Field(None, description="which verdict of several counts unless one is asked for")
    fields: dict[str, Expression]
    scores: Scores | None = None
    calls: Calls | None = None
    excluded: list[Rule] = []
    cut_off: list[Rule] = []
    roster: Roster | None = None
    report: Report | None = None

    @model_validator(mode="after")
    def _expressions_make_sense(self) -> Self:
        for name, known in ((self.fields, FACT_FIELDS), (self.calls.fields if self.calls else {}, CALL_FIELDS)):
            for field, expression in name.items():
                if field not in known:
                    raise ValueError(f"unknown field {field!r}; known: {', '.join(sorted(known))}")
                reader(expression)
        for rule in (*self.excluded, *self.cut_off):
            reader(rule.path)
        return self


@cache
def shipped() -> dict[str, Preset]:
    """The presets of the package, by name, in alphabetical order."""
    folder = resources.files("eqsolver.logs") / "presets"
    found = sorted((entry for entry in folder.iterdir() if entry.name.endswith(".toml")), key=lambda entry: entry.name)
    return {e.name.removesuffix(".toml"): _preset(e.name, tomllib.loads(e.read_text(encoding="utf-8"))) for e in found}


def read_preset(path: Path) -> Preset:
    """A preset of one's own. Raises `MarketError` where the file cannot be read or says what cannot be."""
    try:
        return _preset(path, tomllib.loads(path.read_bytes().decode("utf-8-sig")))
    except OSError as error:
        raise fault(path, str(error.strerror)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise fault(path, "not valid TOML", str(error)) from None


def _preset(path: str | Path, data: dict[str, Any]) -> Preset:
    try:
        return Preset.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise fault(path, ".".join(map(str, first["loc"])) or "preset", first["msg"].removeprefix("Value error, ")) from None
