"""How fast the nonparametric likelihood is maximised, as a ratio to the same program handed to a conic solver.

pytest benchmarks -n 0 --benchmark-enable -s
"""

from __future__ import annotations

from typing import Any

import cvxpy as cp
import numpy as np
from bench_posted import enabled, market, race, report

from eqsolver.estimate._estimators import Npml, _by_component, _counts, _logs, _priors
from eqsolver.estimate._mixture import best_mixture

__all__ = ["enabled"]


def test_the_likelihood_program_against_a_conic_solver(benchmark: Any, enabled: bool) -> None:
    """445 problems, two providers, a component from every problem: both reach the same likelihood, ours with its gap."""
    problems = 445 if enabled else 30
    made = market(problems, 2, attempts=6)
    logs = _logs(made)
    prior = _priors(logs, made.weights)
    c, f = (np.stack(part) for part in zip(*map(_counts, logs), strict=True))
    alpha, beta = Npml()._dictionary(prior, c, f)
    table = _by_component(c[0], f[0], alpha[0], beta[0]) + _by_component(c[1], f[1], alpha[1], beta[1])
    top = table.max(axis=1)
    likelihood = np.exp(table - top[:, None])

    def ours() -> float:
        return best_mixture(table, made.weights).log_likelihood

    def theirs() -> float:
        g = cp.Variable(table.shape[1], nonneg=True)
        aim = cp.Maximize(made.weights @ cp.log(likelihood @ g))
        cp.Problem(aim, [cp.sum(g) == 1]).solve(solver=cp.CLARABEL)
        return float(aim.value + made.weights @ top)

    found, other = ours(), theirs()
    assert abs(found - other) < 1e-5
    gap = best_mixture(table, made.weights).gap
    assert gap <= 1e-6
    figures = race(ours, theirs, 5 if enabled else 1)
    report(benchmark, "npml", problems=problems, components=table.shape[1], gap=gap, difference=found - other, **figures)
    if enabled:
        assert figures["rival_over_ours"] > 5
    benchmark.pedantic(ours, rounds=1)
