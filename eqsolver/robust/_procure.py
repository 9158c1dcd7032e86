"""Procurement: the mixture that spends least in the worst case, while the worst case still solves a given share."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cvxpy as cp
import numpy as np

from eqsolver._base import FloatArray, IntArray, NotCertified
from eqsolver.robust._cuts import procured_by_cuts
from eqsolver.robust._mixture import (
    ADDED,
    ENOUGH,
    POLISHED,
    ROUNDS,
    TOLERANCE,
    RobustMixture,
    by_cuts,
    inside,
    robust_mixture,
    simplified,
    widened,
)
from eqsolver.robust._nature import worst_weights
from eqsolver.robust._program import CONE, Unsolved, WorstCase, solved, worst_case
from eqsolver.robust._sets import AmbiguitySet

SMALLEST = 64


class FloorTooHigh(NotCertified):
    """No mixture solves so much in the worst case; `result` is the largest floor that one does."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Procurement:
    """The mixture of K policies that solves a share `floor` in the worst case over a set, and spends least in its worst case.

    weights : (K,) share of each policy, sum 1. nominal_spend, nominal_pass : at q0.
    worst_case_spend, worst_case_pass : over the set, by `worst_weights`, each at its own worst weights.
    worst_case : (Xi,) weights of the dual program at which spend is worst. dual_value : no mixture that keeps the floor
        spends less in the worst case. largest_floor : the most that any mixture solves in the worst case.
    floor_dual : (Xi,) worst weights of the floor times its price, money per share solved.
    within : the set. solver, status : of the last program. rounds : how many were solved.
    """

    weights: FloatArray
    floor: float
    nominal_spend: float
    nominal_pass: float
    worst_case_spend: float
    worst_case_pass: float
    worst_case: FloatArray
    dual_value: float
    largest_floor: float
    floor_dual: FloatArray
    within: AmbiguitySet
    solver: str
    status: str
    rounds: int

    @property
    def gap(self) -> float:
        return self.worst_case_spend - self.dual_value


class _Program:
    """min worst-case spend subject to a worst-case pass; matrices, floor, nominal weights and radius are parameters."""

    def __init__(self, within: AmbiguitySet, scenarios: int, columns: int) -> None:
        self.spend, self.passing = cp.Parameter((scenarios, columns)), cp.Parameter((scenarios, columns))
        self.floor = cp.Parameter()
        self.weights = cp.Variable(columns, nonneg=True)
        self.money: WorstCase = worst_case(within.kind, scenarios, within.distance)
        self.share: WorstCase = worst_case(within.kind, scenarios, within.distance)
        self.pays = self.money.outcome <= -self.spend @ self.weights
        self.solves = self.share.outcome <= self.passing @ self.weights
        held = [self.pays, self.solves, self.share.value >= self.floor, cp.sum(self.weights) == 1]
        self.problem = cp.Problem(cp.Maximize(self.money.value), [*held, *self.money.constraints, *self.share.constraints])
        self.solver = "CLARABEL" if within.kind in CONE else "HIGHS"


Compiled = dict[tuple[str, int, int], _Program]
"""Programs by kind of set, scenarios and columns."""


def procure(
    spend: FloatArray,
    passing: FloatArray,
    nominal: FloatArray,
    within: AmbiguitySet,
    floor: float,
    *,
    safest: RobustMixture | None = None,
    start: IntArray | None = None,
    programs: Compiled | None = None,
) -> Procurement:
    """min over mixtures w of the largest sum of q times (C w), such that the least sum of q times (V w) is at least a floor.

    Parameters
    ----------
    spend, passing : (Xi, K) C and V: money spent, and share solved, by each policy in each scenario (a problem, say).
    nominal : (Xi,) q0 >= 0, sum 1. within : the set; it holds for money and for the floor. floor : u in [0, 1].
    safest : the mixture with the largest floor, if known. start : policies to begin with.
    programs : compiled ones of these scenarios, to use again and to add to.

    Raises
    ------
    FloorTooHigh : no mixture reaches the floor; the message has the largest that one does, and where it fails.
    NotCertified : the gap is above `TOLERANCE` of the largest spend.

    Notes
    -----
    THEORY section 8. Policies are generated: with q the dual weights of spend and y those of the floor (q' times its price),
    one is worth adding if y V - q C is larger for it than for those mixed. The Lagrangian at q and y bounds every mixture.
    """
    if safest is None:
        safest = robust_mixture(passing, nominal, within)
    close = TOLERANCE * max(float(passing.max()), 1e-12)
    if floor > safest.value + close:
        raise FloorTooHigh(_too_high(floor, safest, passing, within), safest.value)
    asked = min(floor, safest.value)
    easier, rows = simplified(within, nominal)
    C, V, q0 = spend[rows], passing[rows], nominal[rows] / nominal[rows].sum()
    scale = _unit(C)
    C = C / scale
    active = _first(C, V, q0, safest)
    active = active if start is None else np.union1d(start, np.flatnonzero(safest.weights))
    made: Compiled = {} if programs is None else programs
    rounds = 0
    while True:
        rounds += 1
        w, q, y, status, solver = _certain(C, V, q0, easier, asked, active, safest.weights, made)
        worth = y @ V - q @ C
        bound = float(y.sum()) * asked - float(worth.max())
        better = np.flatnonzero(worth > worth[active].max() + ENOUGH)
        better = better[~np.isin(better, active)]
        if not better.size or rounds >= ROUNDS:
            break
        active = np.append(active, better[np.argsort(-worth[better], kind="stable")[:ADDED]])
    if status != "optimal":
        raise Unsolved(f"{within.label}: {solver} ended with status {status!r}; try another radius or a lower floor")
    duals = widened(q, rows, nominal.size), widened(y * scale, rows, nominal.size)
    return _checked(spend, passing, nominal, within, floor, w, duals, bound * scale, safest.value, solver, rounds)


def _too_high(floor: float, safest: RobustMixture, passing: FloatArray, within: AmbiguitySet) -> str:
    told = f"floor {floor:g} is out of reach: the largest feasible floor under {within.label} is {safest.value:.6f}"
    never = np.flatnonzero(passing.max(axis=1) <= 0)
    if within.kind == "worst" and never.size:
        return f"{told}: no policy solves {never.size} of the problems, and it must hold for each; try cvar, tv or chi2"
    return told


def _unit(spend: FloatArray) -> float:
    """The unit of money in which the largest spend lies between one and two: a power of two, so that nothing is rounded."""
    largest = float(np.abs(spend).max())
    return 2.0 ** (math.frexp(largest)[1] - 1) if largest > 0 else 1.0


def _first(C: FloatArray, V: FloatArray, q0: FloatArray, safest: RobustMixture) -> IntArray:
    """The safest mixture, so that there is a solution; the cheapest; and the vertices of cost against pass at q0, roughly."""
    cost, share = q0 @ C, q0 @ V
    ratio = [np.argmin(cost - rate * share) for rate in np.geomspace(1e-3, 1e3, 24) * max(float(cost.max()), 1e-12)]
    return np.unique(np.concatenate([np.flatnonzero(safest.weights), [int(np.argmin(cost))], ratio]).astype(np.int64))


def _certain(
    C: FloatArray,
    V: FloatArray,
    q0: FloatArray,
    within: AmbiguitySet,
    floor: float,
    active: IntArray,
    safest: FloatArray,
    programs: Compiled,
) -> tuple[FloatArray, FloatArray, FloatArray, str, str]:
    """(weights, q, y, status, solver) over the active policies; by cuts where the program is too large or not accurate."""
    begin, told = safest, ""
    if not by_cuts(within, q0.size):
        try:
            w, q, y, status, solver = _solve(C, V, q0, within, floor, active, programs)
        except Unsolved:
            if within.kind not in CONE:
                raise
        else:
            w = _fulfilling(w, V, q0, within, floor, safest)
            worth = float((y @ V - q @ C)[active].max())
            if within.kind not in CONE or _worst_spend(C, w, q0, within) - (float(y.sum()) * floor - worth) <= POLISHED:
                return w, q, y, status, solver
            begin, told = w, f"{solver}, then "
    w = np.zeros(V.shape[1])
    w[active], q, y = procured_by_cuts(C[:, active], V[:, active], q0, within, floor, begin[active], POLISHED)
    return _fulfilling(w, V, q0, within, floor, safest), q, y, "optimal", told + "cuts by HIGHS"


def _solve(
    C: FloatArray,
    V: FloatArray,
    q0: FloatArray,
    within: AmbiguitySet,
    floor: float,
    active: IntArray,
    programs: Compiled,
) -> tuple[FloatArray, FloatArray, FloatArray, str, str]:
    size = SMALLEST
    while size < active.size:
        size *= 2
    columns = np.append(active, np.full(size - active.size, active[0]))
    key = (within.kind, V.shape[0], size)
    if key not in programs:
        programs[key] = _Program(within, V.shape[0], size)
    program = programs[key]
    program.spend.value, program.passing.value, program.floor.value = C[:, columns], V[:, columns], floor
    program.money.tell(q0, within)
    program.share.tell(q0, within)
    status = solved(program.problem, program.solver)
    w = np.zeros(V.shape[1])
    np.add.at(w, columns, np.maximum(np.asarray(program.weights.value), 0.0))
    w = np.where(w >= 1e-9, w, 0.0)
    q = inside(np.asarray(program.pays.dual_value), q0, within)
    dual = np.maximum(np.asarray(program.solves.dual_value), 0.0)
    y = float(dual.sum()) * inside(dual, q0, within) if dual.sum() > 1e-12 else np.zeros(q0.size)
    return w / w.sum(), q, y, status, program.solver


def _worst_spend(C: FloatArray, w: FloatArray, q0: FloatArray, within: AmbiguitySet) -> float:
    spent = C @ w
    return float(worst_weights(-spent, q0, within) @ spent)


def _fulfilling(
    w: FloatArray, V: FloatArray, q0: FloatArray, within: AmbiguitySet, floor: float, safest: FloatArray
) -> FloatArray:
    """The mixture with as much of the safest one added as the floor still needs after rounding."""

    def short(mixture: FloatArray) -> float:
        solves = V @ mixture
        return floor - float(worst_weights(solves, q0, within) @ solves)

    missing = short(w)
    if missing <= 0:
        return w
    spare = -short(safest)
    share = min(missing / max(missing + spare, 1e-300), 1.0)
    return (1.0 - share) * w + share * safest


def _checked(
    spend: FloatArray,
    passing: FloatArray,
    nominal: FloatArray,
    within: AmbiguitySet,
    floor: float,
    w: FloatArray,
    duals: tuple[FloatArray, FloatArray],
    bound: float,
    largest: float,
    solver: str,
    rounds: int,
) -> Procurement:
    spent, solves = spend @ w, passing @ w
    found = Procurement(
        weights=w,
        floor=floor,
        nominal_spend=float(nominal @ spent),
        nominal_pass=float(nominal @ solves),
        worst_case_spend=float(worst_weights(-spent, nominal, within) @ spent),
        worst_case_pass=float(worst_weights(solves, nominal, within) @ solves),
        worst_case=duals[0],
        floor_dual=duals[1],
        dual_value=bound,
        largest_floor=largest,
        within=within,
        solver=solver,
        status="optimal",
        rounds=rounds,
    )
    if found.gap > TOLERANCE * max(float(np.abs(spend).max()), np.finfo(float).tiny):
        raise NotCertified(
            f"{within.label}: worst-case spend {found.worst_case_spend:.6g}, and no mixture is known to need more than "
            f"{bound:.6g}: the gap of {found.gap:.2g} is too wide; try another radius",
            found,
        )
    return found
