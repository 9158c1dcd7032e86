"""A `RobustAllocation` as one JSON object (documented in the README)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eqsolver._base import FloatArray

if TYPE_CHECKING:
    from eqsolver.robust._allocation import Choice, Mixture, RobustAllocation


def document(found: RobustAllocation) -> dict[str, Any]:
    """The keys of `eqsolver robust --json`, in the order in which they are documented."""
    names = found.market.names
    seen = found.scenarios

    def policies(mixture: Mixture) -> list[dict[str, Any]]:
        return [
            {"order": [names[i] for i in policy.order], "thresholds": list(policy.thresholds), "weight": weight}
            for policy, weight in mixture
        ]

    def earned(choice: Choice) -> dict[str, Any]:
        return {
            "mixture": policies(choice.mixture),
            "nominal_margin": choice.nominal_margin,
            "worst_case_margin": choice.worst_case_margin,
        }

    def honest(choice: Choice) -> dict[str, Any]:
        halved = None if choice.out_of_sample is None else choice.out_of_sample.to_dict()
        shown: dict[str, Any] = {"out_of_sample": halved, "margins": numbers(choice.margins)}
        if choice.left_out is not None:
            shown["left_out"] = {
                "margins": numbers(choice.left_out.paid),
                "shortfall": choice.left_out.shortfall(),
                "weighted_shortfall": choice.left_out.shortfall(seen.weights),
            }
        return shown

    answer: dict[str, Any] = {
        "market": found.market.name,
        "unit": found.market.unit,
        "notes": list(found.market.notes),
        "scenarios": [
            {"name": name, "problems": problems, "weight": float(weight)}
            for name, problems, weight in zip(seen.names, seen.problems, seen.weights, strict=True)
        ],
        "set": found.within.kind,
        "radius": found.within.radius,
    }
    if found.spending is not None:
        spent = found.spending
        answer |= {
            "floor": spent.floor,
            "mixture": policies(spent.mixture),
            "nominal_spend": spent.nominal_spend,
            "nominal_pass": spent.nominal_pass,
            "worst_case_spend": spent.worst_case_spend,
            "worst_case_pass": spent.worst_case_pass,
            "largest_floor": spent.largest_floor,
        }
    elif found.chosen is not None:
        answer |= earned(found.chosen)
    answer |= {
        "worst_case_weights": numbers(found.worst_case_weights),
        "dual_value": found.dual_value,
        "gap": found.gap,
        "solver": found.solver,
        "status": found.status,
    }
    if found.chosen is not None and found.nominal is not None:
        answer |= {"nominal_optimum": earned(found.nominal) | honest(found.nominal), **honest(found.chosen)}
    if found.radius_choice is not None:
        told = found.radius_choice
        answer["radius_choice"] = {
            "rule": told.rule,
            "parts": told.parts,
            "of": told.of,
            "radius": numbers(told.radii),
            "score": numbers(told.score),
            "standard_error": numbers(told.behind) if told.rule == "kfold" else None,
            "policies": told.policies,
        }
    if found.price is not None:
        curve = found.price
        answer["price_of_robustness"] = {
            "set": curve.kind,
            "radius": numbers(curve.radius),
            "worst_case_margin": numbers(curve.worst_case),
            "nominal_margin": numbers(curve.nominal),
            "nominal_optimum_worst_case_margin": numbers(curve.nominal_worst),
        }
    return answer | {"policies": found.policies, "version": found.version, "options": dict(found.options)}


def numbers(values: FloatArray) -> list[float]:
    return [float(value) for value in values]
