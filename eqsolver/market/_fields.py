"""The fields of a specification file: names, types, bounds, and what each one means."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from eqsolver.market._checks import WEIGHT_TOLERANCE

Name = Annotated[str, Field(min_length=1)]
Share = Annotated[float, Field(gt=0, le=1 + WEIGHT_TOLERANCE)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Probability = Annotated[float, Field(ge=0, le=1)]
Mass = Annotated[float, Field(gt=0, description="how many consumers there are")]


class _Table(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)


class ProviderSpec(_Table):
    """A seller of attempts. Its odds and costs stand in the classes."""

    name: Name = Field(description="what the classes call it")
    marginal_cost: NotNegative = Field(0.4, description="its own cost, as a share of list price")
    price: Positive = Field(1.0, description="posted multiplier on list price")
    highest_price: Positive = Field(5.0, description="the highest multiplier it may post")
    free: bool = Field(False, description="it costs nothing, and the classes state no cost of it; bounded by max_attempts")
    distillation_tokens: Positive | None = Field(None, description="tokens of a teacher it was trained on, if it is a student")


class ClassSpec(_Table):
    """A class of problems that are alike to every provider."""

    name: Name | None = Field(None, description="of the class; default: class 1, class 2, ...")
    weight: Share = Field(description="share of all problems; weights sum to 1")
    success: dict[Name, Probability] = Field(description="provider -> probability that one attempt succeeds")
    mean_cost: dict[Name, Positive] = Field({}, description="provider -> cost of one attempt at list price, money")
    mean_cost_failed: dict[Name, Positive] = Field(
        {}, description="provider -> cost of one attempt that fails; mean_cost is then that of one that succeeds"
    )


class PolicySpec(_Table):
    """A threshold cascade: buy from the first provider up to its threshold, then from the next."""

    order: list[Name] = Field(description="providers, first bought from first")
    thresholds: list[NotNegative] = Field(description="the most allotted to each per problem: money at list price, or attempts")
    weight: Share = Field(1.0, description="share of queries that follow this policy")


class ArbitrageurSpec(_Table):
    """A reseller of verified solutions."""

    name: Name
    access: list[Name] | None = Field(None, description="providers it buys from; default all")
    overhead: NotNegative = Field(0.0, description="its own cost as a share of its provider bill")
    policies: list[PolicySpec] = Field([], description="the only policies it may use; default: it optimises")


class RegimeSpec(_Table):
    """A regime of the price game: the arbitrageurs that compete in quotes."""

    name: Name = Field(description="by which --regimes asks for it")
    arbitrageurs: list[Name] = Field([], description="names of arbitrageurs of this file; none: customers buy direct")


class TargetSpec(_Table):
    """Consumers who want a level of performance if it costs no more than their budget."""

    kind: Literal["target"]
    level: Annotated[float, Field(gt=0, le=1)] = Field(description="pass rate wanted")
    budget: NotNegative = Field(description="the most they pay per problem, money")
    mass: Mass = 1.0


class ValueSpec(_Table):
    """Consumers to whom a verified solution is worth a value."""

    kind: Literal["value"]
    value: NotNegative = Field(description="worth of a verified solution, money")
    mass: Mass = 1.0


class PopulationSpec(_Table):
    """Consumers whose value of a verified solution is distributed."""

    kind: Literal["population"]
    distribution: Literal["lognormal", "uniform"]
    parameters: Annotated[list[float], Field(min_length=2, max_length=2)] = Field(
        description="lognormal: median, sigma; uniform: low, high"
    )
    mass: Mass = 1.0


ConsumerSpec = Annotated[TargetSpec | ValueSpec | PopulationSpec, Field(discriminator="kind")]


class MarketSpec(_Table):
    """A market of AI-model providers by classes of problems. It states at least one of the two caps."""

    name: Name | None = Field(None, description="of the market; default: the file's name")
    unit: Name = Field("USD", description="unit of money")
    max_budget: Positive | None = Field(
        None, description="the most that may be allotted to one problem, over all providers, money at list price"
    )
    max_attempts: Annotated[int, Field(ge=1, le=10**9)] | None = Field(
        None, description="the most attempts per provider on one problem, where attempts are allotted, and of free providers"
    )
    allot: Literal["money", "attempts"] | None = Field(
        None, description="what thresholds are; default money, or attempts where max_attempts is the only cap"
    )
    overrun: Literal["finish", "cut", "never"] | None = Field(
        None, description="what happens to an attempt that does not fit its allotment of money; default finish"
    )
    observed_problems: Annotated[int, Field(ge=1, le=10**9)] | None = Field(
        None, description="problems that the classes were estimated from: resamples draw so many; default the number of classes"
    )
    classes: Annotated[list[ClassSpec], Field(min_length=1)]
    providers: Annotated[list[ProviderSpec], Field(min_length=1)]
    arbitrageurs: list[ArbitrageurSpec] = []
    consumers: list[ConsumerSpec] = []
    regimes: list[RegimeSpec] = []


FIELDS: dict[str, type[BaseModel]] = {
    "providers": ProviderSpec,
    "classes": ClassSpec,
    "arbitrageurs": ArbitrageurSpec,
    "policies": PolicySpec,
    "regimes": RegimeSpec,
    "target": TargetSpec,
    "value": ValueSpec,
    "population": PopulationSpec,
}


def schema() -> dict[str, Any]:
    """JSON Schema of a specification: every field, what it means, and its bounds."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **MarketSpec.model_json_schema()}
