"""The price of robustness: what each radius costs on average, and what it is worth in the worst case."""

from __future__ import annotations

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


def price_of_robustness(made: Pool, within: AmbiguitySet, points: int = 17) -> Price:
    """Worst case against average along the radii of a kind of set (`tv` for `nominal` and `worst`), over the policies held."""
    weights = made.board.scenarios.weights
    family = within if within.radius is not None else AmbiguitySet(kind="tv", radius=0.0)
    paid = made.margins[:, int(np.argmax(weights @ made.margins))]
    grid = radii(family, weights, points)
    worst, mean, other = np.empty(grid.size), np.empty(grid.size), np.empty(grid.size)
    start = None
    for c, radius in enumerate(grid):
        found = robust_mixture(made.margins, weights, family.at(float(radius)), programs=made.programs, start=start)
        start = np.flatnonzero(found.weights)
        worst[c], mean[c] = found.value, found.nominal_value
        other[c] = worst_weights(paid, weights, found.within) @ paid
    return Price(kind=family.kind, radius=grid, worst_case=worst, nominal=mean, nominal_worst=other)
