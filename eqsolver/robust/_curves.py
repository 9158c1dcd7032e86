"""What `learn` hands over: curves with their bands, and what full information is worth."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from eqsolver._base import FloatArray
from eqsolver.market import Market
from eqsolver.technology import Cascade

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Curve:
    """Margins in the evaluation domain of one way of choosing.

    mean, p05, p95 : (B,) over explorations, by budget. standard_error : (B,) of the mean.
    """

    name: str
    mean: FloatArray
    p05: FloatArray
    p95: FloatArray
    standard_error: FloatArray

    @classmethod
    def of(cls, name: str, margins: FloatArray) -> Curve:
        """The curve of (B, resamples) margins."""
        low, high = np.percentile(margins, [5, 95], axis=1)
        spread = margins.std(axis=1, ddof=1) if margins.shape[1] > 1 else np.full(len(margins), np.nan)
        return cls(
            name=name,
            mean=margins.mean(axis=1),
            p05=low,
            p95=high,
            standard_error=spread / np.sqrt(margins.shape[1]),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FullInformation:
    """The empirical optimum on all logs of the fit domain.

    policy : the cascade. fit_margin, eval_margin : of it in either domain (of equally good ones, their average).
    near : how many policies' fit margin is within half a point of the best. near_low, near_high : the range of their margins
        in the evaluation domain. best_eval_margin : of any policy there.
    problems, reach : of the fit and of the evaluation domain: how many, and the best provider's highest level.
    logs_cost : money that all attempts of the fit domain cost; more budget reveals nothing more.
    """

    policy: Cascade
    fit_margin: float
    eval_margin: float
    near: int
    near_low: float
    near_high: float
    best_eval_margin: float
    problems: tuple[int, int]
    reach: tuple[float, float]
    logs_cost: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Learning:
    """Learning curves of a market. budgets : (B,) of exploration, money. curves : one per way of choosing."""

    market: Market
    budgets: FloatArray
    curves: tuple[Curve, ...]
    full_information: FullInformation
    options: Mapping[str, Any]

    @property
    def version(self) -> str:
        """Version of eqsolver that computed it."""
        return importlib.metadata.version("eqsolver")

    def to_dict(self) -> dict[str, Any]:
        """The answer as the JSON object that the README documents."""
        full, names = self.full_information, self.market.names
        return {
            "market": self.market.name,
            "unit": self.market.unit,
            "notes": list(self.market.notes),
            "budgets": self.budgets.tolist(),
            "curves": [
                {
                    "name": curve.name,
                    "mean": curve.mean.tolist(),
                    "p05": curve.p05.tolist(),
                    "p95": curve.p95.tolist(),
                    "standard_error": [float(e) if np.isfinite(e) else None for e in curve.standard_error],
                }
                for curve in self.curves
            ],
            "full_information": {
                "order": [names[i] for i in full.policy.order],
                "thresholds": list(full.policy.thresholds),
                "fit_margin": full.fit_margin,
                "eval_margin": full.eval_margin,
                "near": {"policies": full.near, "eval_low": full.near_low, "eval_high": full.near_high},
                "best_eval_margin": full.best_eval_margin,
                "problems": list(full.problems),
                "reach": list(full.reach),
                "logs_cost": full.logs_cost,
            },
            "version": self.version,
            "options": dict(self.options),
        }

    def to_frame(self) -> pd.DataFrame:
        """One row per budget and way of choosing."""
        import pandas as pd

        return pd.DataFrame(
            [
                {
                    "budget": float(budget),
                    "choice": curve.name,
                    "mean": float(curve.mean[b]),
                    "p05": float(curve.p05[b]),
                    "p95": float(curve.p95[b]),
                    "standard_error": float(curve.standard_error[b]),
                }
                for curve in self.curves
                for b, budget in enumerate(self.budgets)
            ]
        )
