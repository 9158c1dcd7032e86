"""How robust to be: what each radius costs on average, and the least radius that the data call for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eqsolver._base import FloatArray, UsageError
from eqsolver.robust._board import board
from eqsolver.robust._candidates import undominated
from eqsolver.robust._mixture import robust_mixture
from eqsolver.robust._nature import worst_weights
from eqsolver.robust._pool import Pool
from eqsolver.robust._scenarios import Scenarios
from eqsolver.robust._sets import AmbiguitySet

COVERAGE = 0.95
"""Share of resamples in which the worst case must not promise more than the mixture earns."""


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


def chosen_radius(
    made: Pool,
    within: AmbiguitySet,
    *,
    levels: FloatArray | None,
    selling: Sequence[int] | None,
    resamples: int,
    seed: int,
    points: int = 13,
) -> float:
    """The least radius of a kind of set whose worst case keeps its promise in 95 % of resamples of the problems.

    Notes
    -----
    Each resample plays the sample and the sample the truth. The mixture that is robust on the resample promises its worst case
    there; the promise is kept if the mixture's nominal margin on the sample is no less. With a larger radius less is promised,
    so bisection over `radii` finds the least radius that keeps it, resample by resample; their 95 % point is the answer. It
    insures against the luck of the sample, and against other customers only as far as the scenarios show them.
    """
    base = made.board
    grid = radii(within, base.scenarios.weights, points)
    q0 = base.scenarios.weights
    drawn = np.random.default_rng(seed).multinomial(base.market.weights.size, base.market.weights, size=resamples)
    if base.scenarios.markets:
        raise UsageError("a radius is chosen by resampling problems: give scenarios that differ in them, such as domains")
    kept = undominated(made.margins)
    policies, truth = [made.policies[k] for k in kept], q0 @ made.margins[:, kept]
    needed = np.empty(resamples, dtype=np.int64)
    for b, counts in enumerate(drawn):
        mass = base.scenarios.shares * (counts / base.market.weights / base.market.weights.size)
        total = mass.sum(axis=1)
        shares = np.where(total[:, None] > 0, mass / np.where(total > 0, total, 1.0)[:, None], base.scenarios.shares)
        weights = q0 * total / float(q0 @ total)
        seen = Scenarios(names=base.scenarios.names, shares=shares, weights=weights, problems=base.scenarios.problems)
        margins = board(
            base.market, base.rules, seen, steps=base.steps, access=base.access, selling=selling, levels=levels
        ).margins(policies)
        low, high = 0, grid.size - 1
        while low < high:
            middle = (low + high) // 2
            mixed = robust_mixture(margins, weights, within.at(float(grid[middle])), programs=made.programs)
            held = float(truth @ mixed.weights) >= mixed.value - 1e-9
            low, high = (low, middle) if held else (middle + 1, high)
        needed[b] = low
    return float(grid[int(np.sort(needed)[int(np.ceil(COVERAGE * resamples)) - 1])])
