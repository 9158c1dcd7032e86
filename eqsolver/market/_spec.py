"""Markets as specifications in TOML: reading and writing."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import tomlkit
from pydantic import ValidationError

from eqsolver._base import MarketError
from eqsolver._files import write_whole
from eqsolver.market._arbitrageurs import Arbitrageur, Policy, Regime
from eqsolver.market._consumers import Consumers, Population, Target, Value
from eqsolver.market._faults import fault, first_fault, not_utf8, place, together, told, unknown_name, unreadable
from eqsolver.market._fields import (
    FIELDS,
    ArbitrageurSpec,
    MarketSpec,
    PopulationSpec,
    ProviderSpec,
    TargetSpec,
    ValueSpec,
)
from eqsolver.market._limits import check_text
from eqsolver.market._market import Market
from eqsolver.market._odds import Geometric
from eqsolver.market._provider import Provider


def read_spec(path: str | PathLike[str]) -> Market:
    """The market that a TOML file specifies by classes; `schema` has its fields.

    Returns
    -------
    Market with `Geometric` odds; its problems are the classes.

    Raises
    ------
    MarketError : the file cannot be read, or says what cannot be; the message names file, field and value.
    """
    path = Path(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise not_utf8(path, error) from None
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from None
    try:
        check_text(text)
        data = tomllib.loads(text)
    except RecursionError:
        raise fault(path, "nested too deeply") from None
    except MarketError as error:
        raise fault(path, str(error)) from None
    except ValueError as error:  # TOMLDecodeError, which names line and column; or a number or date Python cannot hold
        raise fault(path, "not valid TOML", str(error)) from None
    try:
        return _market(MarketSpec.model_validate(data), data, path.stem)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=True)
        raise together(fault(path, *told(one, data, _fields(one["loc"]))) for one in found) from None
    except _Several as error:
        raise together(fault(path, one) for one in error.faults) from None
    except MarketError as error:
        raise fault(path, str(error)) from None


def _fields(loc: Sequence[str | int]) -> list[str]:
    """The fields of the table at a place in the file."""
    keys = [step for step in loc[:-1] if step in FIELDS]
    return list((FIELDS[str(keys[-1])] if keys else MarketSpec).model_fields)


def _market(spec: MarketSpec, data: dict[str, Any], stem: str) -> Market:
    """The market of a specification whose fields are each right by themselves. `data` is what it was read from."""
    if spec.max_budget is None and spec.max_attempts is None:
        raise MarketError("max_budget or max_attempts is missing: without a cap, allocation to a problem never ends")
    names = [provider.name for provider in spec.providers]
    labels = [entry.name or f"class {x + 1}" for x, entry in enumerate(spec.classes)]
    faults = list(_class_faults(spec, data, names, labels))
    if faults:
        raise _Several(faults)
    providers = tuple(_provider(provider, spec) for provider in spec.providers)
    return Market(
        name=spec.name or stem,
        unit=spec.unit,
        max_budget=spec.max_budget,
        max_attempts=spec.max_attempts,
        allot=spec.allot,
        overrun=spec.overrun,
        observed_problems=spec.observed_problems,
        providers=providers,
        weights=np.array([entry.weight for entry in spec.classes]),
        problems=tuple(labels),
        arbitrageurs=tuple(_arbitrageur(a) for a in spec.arbitrageurs),
        consumers=tuple(_consumers(c) for c in spec.consumers),
        regimes=tuple(Regime(name=r.name, arbitrageurs=tuple(r.arbitrageurs)) for r in spec.regimes),
    )


def _provider(spec: ProviderSpec, market: MarketSpec) -> Provider:
    """A provider with its column of the classes; a free one has no costs there."""
    name, classes = spec.name, market.classes
    solved = [entry.mean_cost.get(name, 0.0) for entry in classes]
    failed = [entry.mean_cost_failed.get(name, cost) for entry, cost in zip(classes, solved, strict=True)]
    return Provider(
        odds=Geometric(success=np.array([entry.success[name] for entry in classes])),
        spend=np.array(solved),
        spend_failed=np.array(failed) if failed != solved else None,
        **spec.model_dump(),
    )


class _Several(MarketError):
    """Faults of one file, each a message without the file's name."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


def _class_faults(spec: MarketSpec, data: dict[str, Any], names: Sequence[str], labels: Sequence[str]) -> Iterator[str]:
    """What is wrong between the classes and the providers."""
    free = {provider.name for provider in spec.providers if provider.free}
    paid = [name for name in names if name not in free]
    met: dict[str, int] = {}
    for x, entry in enumerate(spec.classes):
        other = met.setdefault(labels[x], x)
        if other != x:
            yield f"class {x + 1} has the name of class {other + 1}, {labels[x]!r}"
        columns = (("success", entry.success, names), ("mean_cost", entry.mean_cost, paid))
        for field, column, needed in (*columns, ("mean_cost_failed", entry.mean_cost_failed, [])):
            where = ": ".join(place(("classes", x, field), data))
            yield from (f"{where}: {unknown_name(name, names, 'provider')}" for name in column if name not in names)
            if field != "success":
                told = "is free, so it has no cost; leave it out"
                yield from (f"{where}.{name}: provider {name!r} {told}" for name in column if name in free)
            yield from (f"{where}.{name} is missing; every class needs every provider" for name in needed if name not in column)


def _arbitrageur(spec: ArbitrageurSpec) -> Arbitrageur:
    policies = tuple(Policy(order=tuple(p.order), thresholds=tuple(p.thresholds), weight=p.weight) for p in spec.policies)
    access = None if spec.access is None else tuple(spec.access)
    return Arbitrageur(name=spec.name, access=access, overhead=spec.overhead, policies=policies)


def _consumers(spec: TargetSpec | ValueSpec | PopulationSpec) -> Consumers:
    match spec:
        case TargetSpec():
            return Target(level=spec.level, budget=spec.budget, mass=spec.mass)
        case ValueSpec():
            return Value(value=spec.value, mass=spec.mass)
        case PopulationSpec():
            low, high = spec.parameters
            return Population(distribution=spec.distribution, parameters=(low, high), mass=spec.mass)


def write_spec(market: Market, path: str | PathLike[str], header: str = "") -> None:
    """Write a market as a TOML file that `read_spec` reads back number for number; one class a line.

    Parameters
    ----------
    market : with `Geometric` odds and at least one cap.
    path : file to write or replace; it is never left half written.
    header : comment at the top of the file: where the numbers come from.

    Raises
    ------
    MarketError : the market has odds from logs or estimates, or no cap.
    UsageError : the file cannot be written.
    """
    write_whole(path, spec_text(market, header))


def spec_text(market: Market, header: str = "") -> str:
    """What `write_spec` writes; raises the same `MarketError`."""
    data = _tables(market)
    try:
        MarketSpec.model_validate(data)  # what cannot be read is not written
    except ValidationError as error:
        raise fault(f"market {market.name!r} cannot be written", *first_fault(error, data)) from None
    text = _text(data, header)
    check_text(text)
    return text


def _tables(market: Market) -> dict[str, Any]:
    """The tables and values of the file, in the file's order; what is at its default is spelled out all the same."""
    where = f"market {market.name!r} cannot be written"
    if market.max_budget is None and market.max_attempts is None:
        raise fault(where, "it has neither max_budget nor max_attempts; give it one")
    if len(set(market.problems)) != len(market.problems):
        raise fault(where, "two classes have one name")
    success: dict[str, list[float]] = {}
    for provider in market.providers:
        if not isinstance(provider.odds, Geometric):
            raise fault(
                where, f"provider {provider.name!r} has odds from logs or estimates; calibrate the logs to classes first"
            )
        success[provider.name] = provider.odds.success.tolist()
    spend = {p.name: p.spend.tolist() for p in market.providers if not p.free}
    failed = {p.name: p.spend_failed.tolist() for p in market.providers if p.spend_failed is not None}
    data: dict[str, Any] = {"name": market.name, "unit": market.unit}
    if market.max_budget is not None:
        data["max_budget"] = float(market.max_budget)
    if market.max_attempts is not None:
        data["max_attempts"] = int(market.max_attempts)
    for key in ("allot", "overrun", "observed_problems"):
        if getattr(market, key) is not None:
            data[key] = getattr(market, key)
    data["classes"] = [
        {
            "name": name,
            "weight": weight,
            "success": {provider: column[x] for provider, column in success.items()},
            "mean_cost": {provider: column[x] for provider, column in spend.items()},
            **({"mean_cost_failed": {provider: column[x] for provider, column in failed.items()}} if failed else {}),
        }
        for x, (name, weight) in enumerate(zip(market.problems, market.weights.tolist(), strict=True))
    ]
    numbers = ("marginal_cost", "price", "highest_price")
    data["providers"] = [
        {
            "name": p.name,
            **{key: float(getattr(p, key)) for key in numbers},
            **({"free": True} if p.free else {}),
            **({} if p.distillation_tokens is None else {"distillation_tokens": float(p.distillation_tokens)}),
        }
        for p in market.providers
    ]
    data["arbitrageurs"] = [
        {
            "name": a.name,
            **({} if a.access is None else {"access": list(a.access)}),
            "overhead": float(a.overhead),
            "policies": [
                {"order": list(p.order), "thresholds": [float(t) for t in p.thresholds], "weight": float(p.weight)}
                for p in a.policies
            ],
        }
        for a in market.arbitrageurs
    ]
    data["consumers"] = [_consumer_table(c) for c in market.consumers]
    data["regimes"] = [{"name": r.name, "arbitrageurs": list(r.arbitrageurs)} for r in market.regimes]
    return data


def _consumer_table(consumers: Consumers) -> dict[str, Any]:
    mass = float(consumers.mass)
    match consumers:
        case Target():
            return {
                "kind": "target",
                "level": float(consumers.level),
                "budget": float(consumers.budget),
                "mass": mass,
            }
        case Value():
            return {"kind": "value", "value": float(consumers.value), "mass": mass}
        case Population():
            parameters = [float(parameter) for parameter in consumers.parameters]
            return {
                "kind": "population",
                "distribution": consumers.distribution,
                "parameters": parameters,
                "mass": mass,
            }


def _text(data: Mapping[str, Any], header: str) -> str:
    """The file: comment, values, classes, and one block for each provider, arbitrageur, kind of consumers and regime."""
    printable = "".join(c if c.isprintable() or c in "\r\n" else " " for c in header)
    lines = [f"# {line}".rstrip() for line in printable.splitlines()]
    lines += [""] * bool(lines)
    for name, value in data.items():
        if name in ("providers", "arbitrageurs", "consumers", "regimes"):
            for table in value:
                lines += ["", f"[[{name}]]", *(_assigned(*item) for item in table.items() if item[1] != [])]
        else:
            lines.append(_assigned(name, value))
    return "\n".join(lines) + "\n"


def _assigned(name: str, value: Any) -> str:
    """`name = value`, a list of tables having a line for each of them."""
    if isinstance(value, list) and isinstance(value[0], dict):
        return "\n".join([f"{name} = [", *(f"  {_inline(table)}," for table in value), "]"])
    return f"{name} = {_inline(value)}"


def _inline(value: Any) -> str:
    """A value on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{tomlkit.key(k).as_string()} = {_inline(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_inline, value)) + "]"
    text: str = tomlkit.item(value).as_string()
    return text
