"""Claim 10 of THEORY section 10: robust mixtures and their certificates."""

from __future__ import annotations

import cvxpy as cp
import nashpy
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eqsolver import UsageError
from eqsolver.robust import AmbiguitySet, Programs, ambiguity_set, distances, robust_mixture, worst_weights

PROGRAMS = Programs()
"""Compiled once for all draws: what is tested is the answer, for any numbers of one size."""

RADII = {
    "cvar": [1.0, 0.999, 0.7, 0.25, 1e-3, 1e-9],
    "tv": [0.0, 1e-6, 0.1, 0.5, 0.999, 1.0, 50.0],
    "chi2": [0.0, 1e-8, 1e-3, 0.1, 1.0, 3.0, 1e9],
    "kl": [0.0, 1e-8, 1e-3, 0.1, 1.0, 2.5, 1e9],
    "wasserstein": [0.0, 1e-6, 0.1, 0.5, 1e9],
}
KINDS = ["nominal", "worst", *RADII]
DISTANCES = {n: distances(np.random.default_rng(n).random((n, 2)).round(1)) for n in (1, 2, 5, 9)}


@st.composite
def games(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Margins and nominal weights: ties, duplicate scenarios and policies, zero weights and all-equal margins are ordinary."""
    scenarios, policies = draw(st.sampled_from([1, 2, 5, 9])), draw(st.sampled_from([1, 2, 4, 40]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    R = draw(st.sampled_from([0.0, 0.1, 1.0])) * rng.normal(size=(scenarios, policies))
    R += rng.normal(size=(scenarios, 1)) * draw(st.sampled_from([0.0, 1.0]))
    if draw(st.booleans()):
        R = R.round(1)
    R = R[rng.integers(0, scenarios, scenarios)] if draw(st.booleans()) else R
    R[:, 0] = 0.0
    q0 = rng.dirichlet(np.full(scenarios, draw(st.sampled_from([0.3, 5.0]))))
    if scenarios > 1 and draw(st.booleans()):
        q0[rng.integers(scenarios)] = 0.0
    return R * draw(st.sampled_from([1e-3, 1.0, 1e3])), q0 / q0.sum()


def sets(kind: str, scenarios: int) -> list[AmbiguitySet]:
    distance = DISTANCES[scenarios] if kind == "wasserstein" else None
    radii: list[float | None] = list(RADII.get(kind, [None]))
    return [AmbiguitySet(kind=kind, radius=radius, distance=distance) for radius in radii]


def transport_cost(q: np.ndarray, q0: np.ndarray, distance: np.ndarray) -> float:
    """1-Wasserstein distance, by the plan itself."""
    plan = cp.Variable(distance.shape, nonneg=True)
    problem = cp.Problem(
        cp.Minimize(cp.sum(cp.multiply(plan, distance))), [cp.sum(plan, axis=1) == q0, cp.sum(plan, axis=0) == q / q.sum()]
    )
    return float(problem.solve(solver="HIGHS"))


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=15, deadline=None)
@given(game=games(), data=st.data())
def test_primal_dual_and_worst_case_values_are_one(kind: str, game: tuple[np.ndarray, np.ndarray], data: st.DataObject) -> None:
    R, q0 = game
    within = data.draw(st.sampled_from(sets(kind, len(R))))
    found = robust_mixture(R, q0, within, programs=PROGRAMS)
    close = 1e-6 * np.abs(R).max()
    assert found.weights.min() >= 0
    assert found.weights.sum() == pytest.approx(1.0, abs=1e-12)
    assert abs(found.dual_value - found.value) <= close
    assert abs(found.worst_case_value - found.value) <= close
    assert found.status == "optimal"
    if kind == "wasserstein":
        assert transport_cost(found.worst_case, q0, within.distance) <= within.radius + 1e-7
    else:
        assert within.excess(found.worst_case, q0) <= 1e-9 * (1 + (within.radius or 0.0))
    assert found.value <= found.nominal_value + close
    assert found.value >= -close, "abstaining is a policy"


@pytest.mark.parametrize("kind", list(RADII))
@settings(max_examples=6, deadline=None)
@given(game=games())
def test_larger_radii_are_worth_less_and_none_is_nominal(kind: str, game: tuple[np.ndarray, np.ndarray]) -> None:
    R, q0 = game
    found = [robust_mixture(R, q0, within, programs=PROGRAMS).value for within in sets(kind, len(R))]
    close = 2e-6 * np.abs(R).max()
    assert (np.diff(found) <= close).all()
    if kind != "wasserstein" or (DISTANCES[len(R)] + np.eye(len(R)) > 0).all():
        assert found[0] == pytest.approx((q0 @ R).max(), abs=close)
    support = q0 > 0 if kind in ("cvar", "chi2", "kl") else np.full(q0.size, True)
    every = robust_mixture(R[support], np.full(support.sum(), 1 / support.sum()), ambiguity_set("worst"))
    assert found[-1] >= every.value - close
    if kind != "cvar" or q0[support].min() >= 1e-9:
        assert found[-1] == pytest.approx(every.value, abs=close)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), shape=st.tuples(st.integers(1, 4), st.integers(1, 4)))
def test_the_worst_case_is_the_zero_sum_game_nashpy_solves(seed: int, shape: tuple[int, int]) -> None:
    R = np.random.default_rng(seed).normal(size=shape)
    found = robust_mixture(R, np.full(shape[0], 1 / shape[0]), ambiguity_set("worst"), programs=PROGRAMS)
    w, q = nashpy.Game(R.T).linear_program()
    assert found.value == pytest.approx(w @ R.T @ q, abs=1e-9)


@pytest.mark.parametrize("kind", [kind for kind in RADII if kind != "wasserstein"])
@settings(max_examples=15, deadline=None)
@given(game=games(), data=st.data())
def test_natures_closed_form_is_the_program_over_the_weights_themselves(
    kind: str, game: tuple[np.ndarray, np.ndarray], data: st.DataObject
) -> None:
    """The other side of the duality: minimise q r over the set as it is defined."""
    R, q0 = game
    within = data.draw(st.sampled_from([s for s in sets(kind, len(R)) if s.radius is not None and 1e-4 < s.radius < 10]))
    values, scale = R[:, -1], max(float(np.abs(R).max()), 1e-300)
    q, r = cp.Variable(q0.size, nonneg=True), float(within.radius or 0.0)
    s = q0 > 0
    held = {
        "cvar": lambda: [q <= q0 / r],
        "tv": lambda: [cp.norm1(q - q0) <= 2 * r],
        "chi2": lambda: [cp.sum_squares(cp.multiply(q[s] - q0[s], q0[s] ** -0.5)) <= r, cp.sum(q[s]) == 1],
        "kl": lambda: [cp.sum(cp.rel_entr(q[s], q0[s])) <= r, cp.sum(q[s]) == 1],
    }[kind]()
    least = cp.Problem(cp.Minimize(q @ (values / scale)), [cp.sum(q) == 1, *held])
    least.solve(solver="CLARABEL")
    found = worst_weights(values, q0, within)
    assert within.excess(found, q0) <= 1e-9 * (1 + r)
    assert found @ values / scale == pytest.approx(least.value, abs=2e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_a_thousand_policies_are_certified_against_all_of_them(kind: str) -> None:
    rng = np.random.default_rng(3)
    R = 0.3 - np.abs(rng.random((9, 6))[:, None] - rng.random((1, 1000, 6))).mean(axis=2) + 0.02 * rng.normal(size=(9, 1000))
    R[:, 0] = 0.0
    q0 = rng.dirichlet(np.ones(9))
    for within in sets(kind, 9):
        found = robust_mixture(R, q0, within, programs=PROGRAMS)
        assert found.dual_value == pytest.approx((found.worst_case @ R).max(), abs=0)
        assert found.gap <= 1e-6 * np.abs(R).max()


def test_programs_are_compiled_once_for_a_sweep_of_radii() -> None:
    R, q0 = np.random.default_rng(0).normal(size=(6, 30)), np.full(6, 1 / 6)
    programs = Programs()
    for radius in np.linspace(0.01, 0.4, 9):
        robust_mixture(R, q0, ambiguity_set(f"tv:{radius}"), programs=programs)
    assert len(programs) == 1
    assert all(program.problem.is_dcp(dpp=True) for program in programs)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("cvar", "needs a tail share"),
        ("cvar:0", r"\(0, 1\]"),
        ("cvar:1.5", r"\(0, 1\]"),
        ("tv:-1", ">= 0"),
        ("kl:inf", "finite"),
        ("kl:nan", "finite"),
        ("worst:0.1", "no radius"),
        ("chi2:x", "not a number"),
        ("chi:0.1", "there are"),
    ],
)
def test_sets_that_cannot_be_are_told(text: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        ambiguity_set(text)


def test_margins_that_cannot_be_are_told() -> None:
    with pytest.raises(UsageError, match=r"margins\[0, 1\] = nan"):
        robust_mixture(np.array([[0.0, np.nan]]), np.ones(1), ambiguity_set("worst"))
    with pytest.raises(UsageError, match="sum to one"):
        robust_mixture(np.zeros((2, 2)), np.ones(2), ambiguity_set("worst"))
    with pytest.raises(UsageError, match="distances"):
        robust_mixture(np.zeros((2, 2)), np.full(2, 0.5), ambiguity_set("wasserstein:1"))


def test_transport_among_many_scenarios_is_certified_without_writing_down_every_pair() -> None:
    rng = np.random.default_rng(1)
    taste, offer = rng.random((121, 6)), rng.random((40, 6))
    R = 0.5 - np.abs(taste[:, None] - offer[None]).mean(axis=2)
    R[:, 0] = 0.0
    q0, programs = rng.dirichlet(np.ones(121)), Programs()
    within = AmbiguitySet(kind="wasserstein", radius=0.2, distance=distances(taste))
    found = robust_mixture(R, q0, within, programs=programs)
    assert len(programs) == 0
    assert found.gap <= 1e-6 * np.abs(R).max()
    assert (found.weights > 0).sum() > 1
    assert transport_cost(found.worst_case, q0, distances(taste)) <= 0.2 + 1e-7
