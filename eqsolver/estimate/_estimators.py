"""From logs to a market that is believed in: every problem keeps its own costs, its odds become a posterior distribution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import special

from eqsolver._base import FloatArray, IntArray, UsageError
from eqsolver.estimate._mixture import best_mixture
from eqsolver.estimate._prior import beta_log_odds, beta_prior
from eqsolver.market import Estimated, Estimator, Market, Sampled, capped

MOST_COMPONENTS = 2000
"""Components of the dictionary; of more problems, that many evenly spaced ones of their sorted records."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fit:
    """A market as an estimator believes it to be.

    market : with `Estimated` odds; classes of one problem share its weight and its costs, see `Market.origin`.
    estimator : its name. prior : (M, 2) alpha and beta of each provider's Beta prior.
    log_likelihood : of the logs, per problem: of the given sequences of outcomes.
    gap : no other weights of the components would raise it by more. components : with a weight.
    """

    market: Market
    estimator: str
    prior: FloatArray
    log_likelihood: float
    gap: float
    components: int

    def to_dict(self) -> dict[str, Any]:
        """As the README documents it."""
        return {
            "estimator": self.estimator,
            "log_likelihood": self.log_likelihood,
            "gap": self.gap,
            "components": self.components,
            "classes": self.market.weights.size,
            "prior": {name: row.tolist() for name, row in zip(self.market.names, self.prior, strict=True)},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Beta:
    """Each provider's success probabilities are Beta distributed over problems, independently of the other providers'."""

    @property
    def name(self) -> str:
        """As on the command line."""
        return "beta"

    def __call__(self, market: Market) -> Fit:
        """The posterior of every problem: its own attempts beside the likeliest prior.

        Raises `UsageError` if the market has no logs.
        """
        logs = _logs(market)
        prior = _priors(logs, market.weights)
        providers = []
        likelihood = 0.0
        for provider, log, (a, b) in zip(market.providers, logs, prior, strict=True):
            c, f = _counts(log)
            likelihood += float(market.weights @ beta_log_odds(c, f, a, b))
            providers.append(replace(provider, odds=Estimated(alpha=a + c, beta=b + f)))
        made = replace(capped(market), providers=tuple(providers))
        return Fit(market=made, estimator=self.name, prior=prior, log_likelihood=likelihood, gap=0.0, components=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Npml:
    """The joint distribution of success probabilities over problems, by nonparametric maximum likelihood.

    attempts : of each problem and provider that a component may know of, > 0. Large: components become points, and with
        many attempts per problem each problem its own component; small: they stay near the Beta prior.
    tolerance : of the log-likelihood's gap, per problem. kept : the share of each problem's posterior that classes hold.

    Notes
    -----
    Components are products over providers of Beta distributions: the prior of `Beta`, and that prior after at most
    `attempts` attempts of one problem, in the shares in which they succeeded. Their weights are free: a convex program
    (THEORY section 8), of which `Beta` is the special case of one component. The classical atoms are the limit of many
    attempts; they predict worse (README, "Honest estimates"), since they fit the luck of few attempts, or of many providers.
    """

    attempts: float = 4.0
    tolerance: float = 1e-6
    kept: float = 0.999

    def __post_init__(self) -> None:
        if not 0 < self.attempts < np.inf:
            raise UsageError(f"npml: attempts = {self.attempts:g} must be positive and finite")
        if not 0 < self.tolerance < 1:
            raise UsageError(f"npml: tolerance = {self.tolerance:g} must lie between 0 and 1")
        if not 0 < self.kept <= 1:
            raise UsageError(f"npml: kept = {self.kept:g} must lie in (0, 1]")

    @property
    def name(self) -> str:
        """As on the command line."""
        return "npml"

    def __call__(self, market: Market) -> Fit:
        """Every problem as a mixture of classes: the components, by their posterior weights, each with its own posterior.

        Raises `UsageError` if the market has no logs, `NotCertified` if the weights' gap stays above the tolerance.
        """
        logs = _logs(market)
        q = market.weights
        prior = _priors(logs, q)
        c, f = (np.stack(part) for part in zip(*map(_counts, logs), strict=True))  # (M, N)
        alpha, beta = self._dictionary(prior, c, f)
        likelihood = np.zeros((q.size, alpha.shape[1]))
        for i in range(len(logs)):
            likelihood += _by_component(c[i], f[i], alpha[i], beta[i])
        best = best_mixture(likelihood, q, tolerance=self.tolerance)
        used = np.flatnonzero(best.weights)
        problem, component, share = _posterior(likelihood[:, used] + np.log(best.weights[used]), self.kept)
        component = used[component]
        classes = capped(market).divided(problem, q[problem] * share)
        providers = tuple(
            replace(
                provider,
                odds=Estimated(alpha=alpha[i, component] + c[i, problem], beta=beta[i, component] + f[i, problem]),
            )
            for i, provider in enumerate(classes.providers)
        )
        return Fit(
            market=replace(classes, providers=providers),
            estimator=self.name,
            prior=prior,
            log_likelihood=best.log_likelihood,
            gap=best.gap,
            components=used.size,
        )

    def _dictionary(self, prior: FloatArray, c: FloatArray, f: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(M, K) alpha and beta of every component, the prior first."""
        known = np.minimum(1.0, self.attempts / (c + f))
        rows = np.unique(np.concatenate([known * c, known * f]).T, axis=0)
        if len(rows) > MOST_COMPONENTS:
            rows = rows[np.linspace(0, len(rows) - 1, MOST_COMPONENTS).astype(np.int64)]
        seen = np.vstack([np.zeros(rows.shape[1]), rows]).T
        M = len(prior)
        return prior[:, :1] + seen[:M], prior[:, 1:] + seen[M:]


ESTIMATORS: Mapping[str, Estimator] = {"beta": Beta(), "npml": Npml()}
"""By name, as they are when nothing else is asked for."""


def _logs(market: Market) -> list[Sampled]:
    odds = [provider.odds for provider in market.providers]
    logs = [o for o in odds if isinstance(o, Sampled)]
    if len(logs) != len(odds):
        names = ", ".join(p.name for p in market.providers if not isinstance(p.odds, Sampled))
        raise UsageError(f"market {market.name!r}: {names} is no attempt log, and only logs can be estimated from")
    return logs


def _counts(log: Sampled) -> tuple[FloatArray, FloatArray]:
    """(N,) successes and failures."""
    c = log.successes.astype(np.float64)
    return c, log.attempts - c


def _priors(logs: Sequence[Sampled], weights: FloatArray) -> FloatArray:
    return np.array([beta_prior(log, weights) for log in logs])


def _by_component(c: FloatArray, f: FloatArray, alpha: FloatArray, beta: FloatArray) -> FloatArray:
    """(N, K) log-likelihood of one provider's log under each component, each distinct pair of records computed once."""
    records, record = np.unique(np.stack([c, f]), axis=1, return_inverse=True)
    kinds, kind = np.unique(np.stack([alpha, beta]), axis=1, return_inverse=True)
    table = beta_log_odds(records[0][:, None], records[1][:, None], kinds[0], kinds[1])
    found: FloatArray = table[np.ix_(record.ravel(), kind.ravel())]
    return found


def _posterior(joint: FloatArray, kept: float) -> tuple[IntArray, IntArray, FloatArray]:
    """Problem, component and share of each class: of every problem's posterior, the fewest components that hold `kept`."""
    posterior = np.exp(joint - special.logsumexp(joint, axis=1, keepdims=True))
    order = np.argsort(-posterior, axis=1, kind="stable")
    falling = np.take_along_axis(posterior, order, axis=1)
    before = np.cumsum(falling, axis=1) - falling
    held = before < kept
    held[:, 0] = True
    held &= falling > 0
    problem, place = np.nonzero(held)
    share = falling[held] / (falling * held).sum(axis=1)[problem]
    return problem, order[problem, place], share
