"""The dual convex programs of section 8 in cvxpy, compiled once for any margins, weights and radius of their size."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field

import cvxpy as cp
import numpy as np

from eqsolver._base import EqsolverError, FloatArray
from eqsolver.robust._sets import AmbiguitySet, Kind

CONE = ("chi2", "kl")
"""Sets whose programs are not linear: Clarabel solves them, HiGHS the others."""


class Unsolved(EqsolverError):
    """A solver ended without an optimum; the message says how, and what to try."""


@dataclass(slots=True, eq=False)
class WorstCase:
    """Worst-case value of a vector as a concave expression of it, for one kind of set.

    outcome : cvxpy variable (Xi,), never above what the scenarios pay: its constraint's dual is the worst case q.
    value : expression, at an optimum the least sum of q times the outcome over the set. constraints : that it needs.
    numbers : parameters, set by `tell`.
    """

    kind: Kind
    outcome: cp.Variable
    value: cp.Expression
    constraints: list[cp.Constraint]
    numbers: dict[str, cp.Parameter]

    def tell(self, nominal: FloatArray, within: AmbiguitySet) -> None:
        """Set the parameters: nominal weights (Xi,) and the radius of a set of this kind."""
        r = 0.0 if within.radius is None else within.radius
        match self.kind:
            case "nominal":
                self.numbers["q0"].value = nominal
            case "cvar":
                self.numbers["most"].value = nominal / r
            case "tv":
                self.numbers["q0"].value = nominal
                self.numbers["free"].value = min(r, 1.0)
                self.numbers["kept"].value = 1.0 - min(r, 1.0)
            case "chi2":
                self.numbers["q0"].value = nominal
                self.numbers["scale"].value = np.sqrt(nominal)
                self.numbers["root"].value = np.sqrt(r)
            case "kl":
                self.numbers["q0"].value = nominal
                self.numbers["radius"].value = r
            case "wasserstein":
                self.numbers["q0"].value = nominal
                self.numbers["radius"].value = r


def worst_case(kind: Kind, size: int, distance: FloatArray | None = None) -> WorstCase:
    """Worst-case value over a kind of set of `size` scenarios. distance : (Xi, Xi) of `wasserstein`, a constant.

    Notes
    -----
    With s the outcome: `worst` min s; `cvar` max e - sum q0/a (e - s)+ (Rockafellar & Uryasev 2000); `tv` the radius times
    min s plus the rest of the mass times the same tail; `chi2` the mean less sqrt(radius) standard deviations of an outcome
    of which some may be thrown away (the dual of q >= 0; Ben-Tal et al. 2013); `kl` max e - l r + l - sum q0 l exp((e - s)/l);
    `wasserstein` max sum q0 min_z (s_z + l d_z) - l r (Esfahani & Kuhn 2018).
    """
    s = cp.Variable(size)
    q0 = cp.Parameter(size, nonneg=True)
    match kind:
        case "nominal":
            return WorstCase(kind, s, q0 @ s, [], {"q0": q0})
        case "worst":
            least = cp.Variable()
            return WorstCase(kind, s, least, [least <= s], {})
        case "cvar":
            e, y, most = cp.Variable(), cp.Variable(size, nonneg=True), cp.Parameter(size, nonneg=True)
            return WorstCase(kind, s, e - most @ y, [y >= e - s], {"most": most})
        case "tv":
            e, least, y = cp.Variable(), cp.Variable(), cp.Variable(size, nonneg=True)
            free, kept = cp.Parameter(nonneg=True), cp.Parameter(nonneg=True)
            numbers = {"q0": q0, "free": free, "kept": kept}
            return WorstCase(kind, s, free * least + kept * e - q0 @ y, [least <= s, y >= e - s], numbers)
        case "chi2":
            centre, scale, root = cp.Variable(), cp.Parameter(size, nonneg=True), cp.Parameter(nonneg=True)
            deviation = cp.Variable(nonneg=True)
            numbers = {"q0": q0, "scale": scale, "root": root}
            held = [cp.norm(cp.multiply(scale, s - centre)) <= deviation]
            return WorstCase(kind, s, q0 @ s - root * deviation, held, numbers)
        case "kl":
            e, u, rate = cp.Variable(), cp.Variable(size), cp.Variable(nonneg=True)
            radius = cp.Parameter(nonneg=True)
            tilted = [cp.constraints.ExpCone(e - s, rate * np.ones(size), u)]
            return WorstCase(kind, s, e - radius * rate + rate - q0 @ u, tilted, {"q0": q0, "radius": radius})
        case "wasserstein":
            rate, y = cp.Variable(nonneg=True), cp.Variable(size)
            radius = cp.Parameter(nonneg=True)
            source, target = np.divmod(np.arange(size * size), size)
            held = [y[source] <= s[target] + rate * np.asarray(distance).ravel()]
            return WorstCase(kind, s, q0 @ y - radius * rate, held, {"q0": q0, "radius": radius})


@dataclass(slots=True, eq=False)
class MixtureProgram:
    """max over mixtures w of the worst-case value of R w; R, q0 and the radius are parameters, so it is compiled once.

    solver : that solves it, HIGHS or CLARABEL.
    """

    kind: Kind
    scenarios: int
    columns: int
    distance: FloatArray | None = None
    margins: cp.Parameter = field(init=False)
    weights: cp.Variable = field(init=False)
    case: WorstCase = field(init=False)
    pays: cp.Constraint = field(init=False)
    problem: cp.Problem = field(init=False)

    def __post_init__(self) -> None:
        self.margins = cp.Parameter((self.scenarios, self.columns))
        self.weights = cp.Variable(self.columns, nonneg=True)
        self.case = worst_case(self.kind, self.scenarios, self.distance)
        self.pays = self.case.outcome <= self.margins @ self.weights
        self.problem = cp.Problem(cp.Maximize(self.case.value), [self.pays, cp.sum(self.weights) == 1, *self.case.constraints])

    @property
    def solver(self) -> str:
        return "CLARABEL" if self.kind in CONE else "HIGHS"

    def solve(self, margins: FloatArray, nominal: FloatArray, within: AmbiguitySet) -> tuple[FloatArray, FloatArray, str]:
        """(weights (K,), dual weights of the scenarios (Xi,), status) for margins (Xi, K)."""
        self.margins.value = margins
        self.case.tell(nominal, within)
        status = solved(self.problem, self.solver)
        return np.asarray(self.weights.value), np.asarray(self.pays.dual_value), status


def solved(problem: cp.Problem, solver: str) -> str:
    """Solve, and return `optimal` or `optimal_inaccurate`; anything else is an `Unsolved`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # an inaccurate solution is said by its status
            if solver == "HIGHS":  # as scipy ships it: highspy greets on stdout
                problem.solve(solver="SCIPY", scipy_options={"method": "highs"})
            else:
                problem.solve(solver=solver)
    except cp.error.SolverError as error:
        raise Unsolved(f"{solver} gave up ({error}); are the margins of very different sizes? Rescale them") from None
    if problem.status not in ("optimal", "optimal_inaccurate"):
        raise Unsolved(f"{solver} ended with status {problem.status!r}; a margins matrix with finite entries has an optimum")
    return str(problem.status)
