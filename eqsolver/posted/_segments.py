"""Segmentation and concentration: how many providers share each level, how widely each sells, how concentrated revenue is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from eqsolver._base import FloatArray

EARNS = 1e-9
"""A provider earns at a level if its share of the providers' revenue there is above this; less is rounding."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Segmentation:
    """Who sells where, over L levels and M providers. Read the two halves together: they may point opposite ways.

    sellers : (L,) number of providers with revenue at the level; nan where there is no market price.
    hhi : (L,) Herfindahl-Hirschman index of the providers' revenue at the level, in (0, 1]; nan likewise.
    widths : (M,) points of performance (0.01) over which each provider has revenue, each level standing for the points
        nearer to it than to another. Segments that overlap add up to more than the levels span.
    overall_hhi : the same index of the providers' revenue added up over all points of performance; nan without revenue.
    """

    sellers: FloatArray
    hhi: FloatArray
    widths: FloatArray
    overall_hhi: float

    def to_dict(self, names: Sequence[str]) -> dict[str, Any]:
        """As JSON: `sellers`, `hhi`, `segments {name}` in points, `overall_hhi`."""
        return {
            "sellers": [None if np.isnan(v) else int(v) for v in self.sellers],
            "hhi": [None if np.isnan(v) else float(v) for v in self.hhi],
            "segments": dict(zip(names, self.widths.tolist(), strict=True)),
            "overall_hhi": None if np.isnan(self.overall_hhi) else self.overall_hhi,
        }


def segmentation(levels: FloatArray, revenue: FloatArray) -> Segmentation:
    """Segmentation of a market from its providers' revenue.

    Parameters
    ----------
    levels : (L,) increasing. revenue : (M, L) money per problem, nan where there is no market price.

    Examples
    --------
    >>> found = segmentation(np.array([0.5, 0.6, 0.7]), np.array([[1.0, 1.0, 0.0], [0.0, 1.0, 2.0]]))
    >>> found.sellers.tolist(), found.hhi.tolist(), found.widths.round(3).tolist(), round(found.overall_hhi, 3)
    ([1.0, 2.0, 1.0], [1.0, 0.5, 1.0], [15.0, 15.0], 0.51)
    """
    total = revenue.sum(axis=0)
    known = np.isfinite(total)
    earns = known & (revenue > EARNS * np.where(known, total, 0.0))
    middle = (levels[1:] + levels[:-1]) / 2
    points = 100 * np.diff(np.concatenate([levels[:1], middle, levels[-1:]]))
    added = np.where(known, revenue, 0.0) @ (points if levels.size > 1 else np.ones(1))
    return Segmentation(
        sellers=np.where(known, earns.sum(axis=0), np.nan),
        hhi=_concentration(revenue),
        widths=earns @ points,
        overall_hhi=float(_concentration(added[:, None])[0]),
    )


def _concentration(revenue: FloatArray) -> FloatArray:
    """(L,) sum of squared shares of (M, L) revenue; nan where there is none."""
    total = revenue.sum(axis=0)
    shares = np.divide(revenue, total, out=np.full_like(revenue, np.nan), where=total > 0)
    found: FloatArray = (shares**2).sum(axis=0)
    return found
