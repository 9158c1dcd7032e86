"""The robust mixture of given policies: a small program over the few that matter, certified against all of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from eqsolver._base import FloatArray, IntArray, NotCertified, UsageError
from eqsolver.robust._cuts import cut_down
from eqsolver.robust._nature import worst_weights
from eqsolver.robust._program import CONE, MixtureProgram, Unsolved
from eqsolver.robust._sets import AmbiguitySet

TOLERANCE = 1e-6
"""A mixture is certified if no other can be better by more than this share of the largest margin in absolute value."""

ENOUGH = 1e-9
"""Policies stop being added once none prices above the value by this share of the largest margin."""

POLISHED = 1e-8
"""Conic solutions with a wider gap than this share of the largest margin are polished by cuts."""

PAIRED = 120
"""The most scenarios of a wasserstein program; with more, nature's move is a cut each time it is met."""

ROUNDS = 200
ADDED = 12
"""Policies added a round, the dearest priced first."""

SMALLEST = 32
"""Programs are compiled for 32, 64, 128, ... policies."""

_DUST = 1e-4
_ROUNDING = 1e-10


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RobustMixture:
    """The mixture of K policies that is best in the worst case over a set of weights of Xi scenarios.

    weights : (K,) share of each policy, sum 1. value : the least sum of q times R w over the set, by `worst_weights`.
    nominal_value : the same at q0. worst_case : (Xi,) the weights q recovered from the dual program; they lie in the set.
    worst_case_value : the mixture's value at them. dual_value : the most that any policy earns at them, so a bound on all.
    gap : dual_value less value, >= 0 but for rounding; both sides are computed here, not told by a solver.
    within : the set. solver, status : of the last program. rounds : how many were solved.
    """

    weights: FloatArray
    value: float
    nominal_value: float
    worst_case: FloatArray
    worst_case_value: float
    dual_value: float
    within: AmbiguitySet
    solver: str
    status: str
    rounds: int

    @property
    def gap(self) -> float:
        return self.dual_value - self.value


@dataclass(slots=True, eq=False)
class Programs:
    """Compiled programs, kept for the next set of margins of the same size."""

    _made: dict[tuple[str, int, int, bytes], MixtureProgram] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._made)

    def __iter__(self) -> Iterator[MixtureProgram]:
        return iter(self._made.values())

    def of(self, within: AmbiguitySet, scenarios: int, columns: int) -> MixtureProgram:
        mark = b"" if within.distance is None else within.distance.tobytes()
        key = (within.kind, scenarios, columns, mark)
        if key not in self._made:
            self._made[key] = MixtureProgram(within.kind, scenarios, columns, within.distance)
        return self._made[key]


def robust_mixture(
    margins: FloatArray,
    nominal: FloatArray,
    within: AmbiguitySet,
    *,
    programs: Programs | None = None,
    start: IntArray | None = None,
) -> RobustMixture:
    """max over mixtures w of min over q in the set of the sum of q times (R w).

    Parameters
    ----------
    margins : (Xi, K) R, finite. nominal : (Xi,) q0 >= 0, sum 1. within : the set.
    programs : compiled ones, to use again and to add to; a sweep over radii or samples then compiles once.
    start : policies to begin with, such as those of a neighbouring radius.

    Raises
    ------
    UsageError : shapes do not fit, or an entry is not finite.
    NotCertified : the gap is above `TOLERANCE` of the largest margin; `result` has the mixture all the same.

    Notes
    -----
    THEORY section 8: each set as its dual program, over some policies at first. The dual weights q price every policy by one
    product q R; those that pay more than the value are added until none does, which is the certificate too. Should a conic
    solver stop short of it, the mixture is polished by cutting planes: a linear program over worst cases met so far.
    """
    R, q0 = np.asarray(margins, dtype=np.float64), np.asarray(nominal, dtype=np.float64)
    _check(R, q0, within)
    easier, rows = simplified(within, q0)
    S, p0 = R[rows], q0[rows] / q0[rows].sum()
    made = Programs() if programs is None else programs
    scale = max(float(np.abs(S).max()), np.finfo(float).tiny)
    active = _first(S, p0, start)
    rounds = 0
    while True:
        rounds += 1
        w, q, status, solver = _solve(S, p0, easier, active, made)
        pays = S @ w
        value = float(worst_weights(pays, p0, easier) @ pays)
        priced = q @ S
        better = np.flatnonzero(priced > value + ENOUGH * scale)
        better = better[~np.isin(better, active)]
        if not better.size or rounds >= ROUNDS:
            break
        active = np.append(active, better[np.argsort(-priced[better], kind="stable")[:ADDED]])
    found = _result(R, q0, within, w, widened(q, rows, q0.size), solver, status, rounds)
    if found.gap > TOLERANCE * max(float(np.abs(R).max()), np.finfo(float).tiny):
        raise NotCertified(
            f"{within.label}: the mixture's worst case is {found.value:.6g} and no mixture is worth more than "
            f"{found.dual_value:.6g}, but the gap of {found.gap:.2g} is too wide; try a larger radius, or rescale the margins",
            found,
        )
    return found


def simplified(within: AmbiguitySet, nominal: FloatArray) -> tuple[AmbiguitySet, IntArray]:
    """The same set of weights in simpler words, and the scenarios that matter to it.

    A set that cannot charge scenarios of nominal weight zero is one over the others; a radius of nothing is `nominal`, one that
    holds every weighting is `worst`.
    """
    kind, r = within.kind, 0.0 if within.radius is None else within.radius
    every, support = np.arange(nominal.size), np.flatnonzero(nominal > 0)
    if kind in ("worst", "wasserstein"):
        return within, every
    if kind == "tv":
        return (AmbiguitySet(kind="worst"), every) if r >= 1 else (within, every)
    least = float(nominal[support].min())
    if kind == "nominal" or (kind == "cvar" and r == 1.0) or (kind in CONE and r == 0.0) or support.size == 1:
        return AmbiguitySet(kind="nominal"), support
    holds_all = {"cvar": r <= least, "chi2": r >= 1.0 / least - 1.0, "kl": r >= -np.log(least)}
    return (AmbiguitySet(kind="worst"), support) if holds_all[kind] else (within, support)


def _first(margins: FloatArray, nominal: FloatArray, start: IntArray | None) -> IntArray:
    """Policies to begin with: all if they are few; else those given, the best nominal ones, and the best in each scenario."""
    K = margins.shape[1]
    if K <= SMALLEST:
        return np.arange(K)
    given = np.zeros(0, dtype=np.int64) if start is None else np.asarray(start)
    mean, least = nominal @ margins, margins.min(axis=0)
    return np.unique(np.concatenate([given, np.argsort(-mean, kind="stable")[:ADDED], np.argsort(-least, kind="stable")[:4]]))


def _solve(
    margins: FloatArray, nominal: FloatArray, within: AmbiguitySet, active: IntArray, programs: Programs
) -> tuple[FloatArray, FloatArray, str, str]:
    """(weights (K,), dual weights (Xi,) inside the set, status, solver) over the active policies, scaled to size one."""
    size = SMALLEST
    while size < active.size:
        size *= 2
    columns = np.append(active, np.full(size - active.size, active[0]))  # copies fill the program up
    scale = max(float(np.abs(margins[:, active]).max()), np.finfo(float).tiny)
    shares, dual, status, solver = np.eye(size)[0], nominal, "not solved", ""  # something for cuts to begin with
    if not by_cuts(within, nominal.size):
        program = programs.of(within, margins.shape[0], size)
        solver = program.solver
        try:
            shares, dual, status = program.solve(margins[:, columns] / scale, nominal, within)
        except Unsolved:
            if within.kind not in CONE:
                raise
    w = np.zeros(margins.shape[1])
    np.add.at(w, columns, np.maximum(shares, 0.0))
    w = _without_dust(margins, nominal, within, w / w.sum(), scale)
    q = inside(dual, nominal, within)
    if within.kind in CONE or by_cuts(within, nominal.size):
        w, q, cuts, gap = cut_down(margins, nominal, within, active, w, q, POLISHED * scale)
        if cuts:
            solver += f"{', then ' if solver else ''}{cuts} cuts by HIGHS"
        status = "optimal" if gap <= POLISHED * scale else status
    if status != "optimal":
        raise Unsolved(
            f"{within.label}: {solver} ended with status {status!r} and could not be polished; try another radius, or "
            "leave out policies with margins of another order of magnitude"
        )
    return w, q, status, solver


def by_cuts(within: AmbiguitySet, scenarios: int) -> bool:
    """Whether the dual program, with a constraint for each pair of scenarios, is too large to be written down."""
    return within.kind == "wasserstein" and scenarios > PAIRED


def _without_dust(margins: FloatArray, nominal: FloatArray, within: AmbiguitySet, w: FloatArray, scale: float) -> FloatArray:
    """The mixture without the tiny shares that an interior-point solver leaves behind, where they earn nothing."""
    swept = np.where(w >= _DUST, w, 0.0)
    if not swept.any():
        return w
    swept /= swept.sum()
    before, after = (float(worst_weights(pays, nominal, within) @ pays) for pays in (margins @ w, margins @ swept))
    return swept if after >= before - ENOUGH * scale else np.where(w >= _ROUNDING, w, 0.0) / w[w >= _ROUNDING].sum()


def inside(dual: FloatArray, nominal: FloatArray, within: AmbiguitySet) -> FloatArray:
    """Dual weights made nonnegative with sum one, and pulled towards the nominal ones until they lie in the set."""
    q = np.maximum(dual, 0.0)
    q = q / q.sum() if q.sum() > 0 else nominal.copy()
    if within.kind in ("worst", "wasserstein") or within.excess(q, nominal) <= 0:
        return q
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        inside = within.excess(nominal + middle * (q - nominal), nominal) <= 1e-15
        low, high = (middle, high) if inside else (low, middle)
    return nominal + low * (q - nominal)


def widened(q: FloatArray, rows: IntArray, size: int) -> FloatArray:
    found = np.zeros(size)
    found[rows] = q
    return found


def _result(
    R: FloatArray, q0: FloatArray, within: AmbiguitySet, w: FloatArray, q: FloatArray, solver: str, status: str, rounds: int
) -> RobustMixture:
    pays = R @ w
    return RobustMixture(
        weights=w,
        value=float(worst_weights(pays, q0, within) @ pays),
        nominal_value=float(q0 @ pays),
        worst_case=q,
        worst_case_value=float(q @ pays),
        dual_value=float((q @ R).max()),
        within=within,
        solver=solver,
        status=status,
        rounds=rounds,
    )


def _check(R: FloatArray, q0: FloatArray, within: AmbiguitySet) -> None:
    if R.ndim != 2 or not R.size:
        raise UsageError(f"margins need scenarios and policies, found shape {R.shape}")
    if q0.shape != R.shape[:1]:
        raise UsageError(f"{R.shape[0]} scenarios and nominal weights of shape {q0.shape}")
    if not np.isfinite(R).all():
        xi, k = np.argwhere(~np.isfinite(R))[0]
        raise UsageError(f"margins[{xi}, {k}] = {R[xi, k]} is not finite")
    if (q0 < 0).any() or abs(q0.sum() - 1) > 1e-9:
        raise UsageError(f"nominal weights must be >= 0 and sum to one; they sum to {q0.sum():.9g}")
    if within.kind == "wasserstein" and (within.distance is None or within.distance.shape != (q0.size, q0.size)):
        raise UsageError("a wasserstein set needs distances between the scenarios: see `distances`")
