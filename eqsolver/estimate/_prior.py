"""How one provider's success probabilities are distributed over problems, if that is a Beta distribution."""

from __future__ import annotations

import numpy as np
from scipy import optimize, special

from eqsolver._base import FloatArray, NotCertified
from eqsolver.market import Sampled

SMALLEST, LARGEST = 1e-3, 1e3
"""Bounds of both parameters."""


def beta_log_odds(successes: FloatArray, failures: FloatArray, alpha: FloatArray, beta: FloatArray) -> FloatArray:
    """Log-likelihood of attempts whose success probability is drawn once from a Beta distribution.

    The four broadcast against each other. log [B(alpha + c, beta + n - c) / B(alpha, beta)]: the probability of a given
    sequence of c successes and n - c failures, whatever rule ended it (stopping at the first success, say), but for a factor
    that does not depend on the parameters.
    """
    found: FloatArray = special.betaln(alpha + successes, beta + failures) - special.betaln(alpha, beta)
    return found


def beta_prior(odds: Sampled, weights: FloatArray) -> tuple[float, float]:
    """The Beta distribution of success probabilities that is likeliest given a provider's log.

    Parameters
    ----------
    odds : of N problems. weights : (N,) q.

    Returns
    -------
    alpha, beta : within [0.001, 1000].

    Raises
    ------
    NotCertified : the search did not converge.

    Notes
    -----
    Both logarithms have a standard normal prior around those of the uniform distribution, worth less than one problem. It
    decides only where likelihood cannot: with one attempt per problem nothing is known but the mean, and where all attempts
    fail, or all succeed, likelihood alone has no maximum.
    """
    c = odds.successes.astype(np.float64)
    pairs, back = np.unique(np.stack([c, odds.attempts - c]), axis=1, return_inverse=True)
    mass = np.bincount(back.ravel(), weights=weights)
    c, f = pairs

    def loss(logs: FloatArray) -> tuple[float, FloatArray]:
        a, b = np.exp(logs)
        both, all_ = special.digamma(a + b), special.digamma(a + b + c + f)
        slope = np.array(
            [
                mass @ (special.digamma(a + c) - special.digamma(a) + both - all_) * a,
                mass @ (special.digamma(b + f) - special.digamma(b) + both - all_) * b,
            ]
        )
        prior = 0.5 * float(logs @ logs) / weights.size
        return prior - float(mass @ beta_log_odds(c, f, a, b)), logs / weights.size - slope

    bounds = [(np.log(SMALLEST), np.log(LARGEST))] * 2
    found = optimize.minimize(loss, np.zeros(2), jac=True, method="L-BFGS-B", bounds=bounds)
    if not np.isfinite(found.fun):
        raise NotCertified(f"Beta prior: the search for it ended with {found.message!r}", None)
    alpha, beta = np.exp(found.x)
    return float(alpha), float(beta)
