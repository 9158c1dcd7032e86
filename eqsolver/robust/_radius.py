"""The price of robustness: what each radius costs on average, and what it is worth in the worst case."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eqsolver._base import FloatArray, UsageError
from eqsolver.robust._mixture import robust_mixture
from eqsolver.robust._nature import worst_weights
from eqsolver.robust._pool import Pool
from eqsolver.robust._sets import AmbiguitySet


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Price:
    """The price of robustness, by radius (C,): worst case and nominal margin of the mixture that is robust to it.

    kind : of set. nominal_worst : (C,) worst case of the nominal optimum, under the same sets.
    """

    kind: str
    radius: FloatArray
    worst_case: FloatArray
    nominal: FloatArray
    nominal_worst: FloatArray


def radii(within: AmbiguitySet, weights: FloatArray, points: int) -> FloatArray:
    """(C,) radii from that of the nominal weights to one beyond which nothing changes, in the set's own measure."""
    least = float(weights[weights > 0].min())
    match within.kind:
        case "cvar":
            return np.geomspace(1.0, max(least, 1e-3), points)
        case "tv":
            return np.append(0.0, np.geomspace(0.005, 1.0, points - 1))
        case "chi2":
            return np.append(0.0, np.geomspace(1e-3, max(1.0 / least - 1.0, 1e-2), points - 1))
        case "kl":
            return np.append(0.0, np.geomspace(1e-3, max(-np.log(least), 1e-2), points - 1))
        case "wasserstein":
            assert within.distance is not None
            far = max(float(within.distance.max()), 1e-9)
            return np.append(0.0, np.geomspace(5e-3 * far, far, points - 1))
    raise UsageError(f"ambiguity set {within.kind!r} has no radius to choose: try cvar, tv, chi2, kl or wasserstein")


def along(within: AmbiguitySet, weights: FloatArray, points: int = 17) -> list[AmbiguitySet]:
    """Sets of one kind, by radius; `nominal` and `worst` are the ends of `tv`."""
    family = within if within.radius is not None else AmbiguitySet(kind="tv", radius=0.0)
    return [family.at(float(radius)) for radius in radii(family, weights, points)]


def price_of_robustness(made: Pool, sets: Sequence[AmbiguitySet]) -> Price:
    """Worst case against average along sets of one kind, over the policies held."""
    weights = made.board.scenarios.weights
    paid = made.margins[:, int(np.argmax(weights @ made.margins))]
    worst, mean, other = np.empty(len(sets)), np.empty(len(sets)), np.empty(len(sets))
    start = None
    for c, within in enumerate(sets):
        found = robust_mixture(made.margins, weights, within, programs=made.programs, start=start)
        start = np.flatnonzero(found.weights)
        worst[c], mean[c] = found.value, found.nominal_value
        other[c] = worst_weights(paid, weights, within) @ paid
    grid = np.array([within.radius for within in sets], dtype=np.float64)
    return Price(kind=sets[0].kind, radius=grid, worst_case=worst, nominal=mean, nominal_worst=other)
