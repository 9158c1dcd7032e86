"""How an arbitrageur chooses among given policies after what it has seen: as it is, as estimated, or robustly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from eqsolver._base import FloatArray, UsageError
from eqsolver.estimate import ESTIMATORS
from eqsolver.market import Market
from eqsolver.robust._margins import margins_matrix
from eqsolver.robust._mixture import Programs, robust_mixture
from eqsolver.robust._scenarios import resampled_problems, success_rates
from eqsolver.robust._sets import AmbiguitySet, ambiguity_set, distances
from eqsolver.technology import Cascade, Rules

EQUAL = 1e-9
"""Policies whose margins differ by less are equally good: any of them may be chosen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chooser:
    """A way of choosing.

    name : `empirical`, the policy that does best on the attempts seen; an estimator's, the one that does best on the market it
        believes in; or an ambiguity set such as `cvar:0.3`, the mixture that is best in the worst case over weights of
        resamples of the problems seen (distances of `wasserstein` are between the providers' success rates in them).
    """

    name: str

    def __post_init__(self) -> None:
        if self.name != "empirical" and self.name not in ESTIMATORS:
            self.within()

    def within(self) -> AmbiguitySet:
        """The ambiguity set that the name stands for, distances yet to come; a `UsageError` if there is none."""
        try:
            return ambiguity_set(self.name)
        except UsageError as error:
            told = f"{error}; there are empirical, {', '.join(ESTIMATORS)}, and sets such as cvar:0.3"
            raise UsageError(f"choice {self.name!r}: {told}") from None


def chosen(
    choices: Sequence[Chooser],
    seen: Market,
    policies: Sequence[Cascade],
    rules: Rules,
    *,
    clipped: bool,
    resamples: int,
    seed: int,
) -> list[FloatArray]:
    """(K,) shares of the policies, one array per choice.

    Parameters
    ----------
    seen : the market of the attempts seen. policies : K cascades, the first of which abstains. clipped : see `margins_matrix`.
    resamples : of the problems seen, the scenarios of ambiguity sets. seed : of theirs.

    Notes
    -----
    Of equally good policies each gets the same share, which is what choosing one at random earns on average. Whoever cannot
    expect to earn, in the worst case if that is what counts, abstains.
    """
    q = seen.weights[None, :]
    robust = [choice for choice in choices if choice.name != "empirical" and choice.name not in ESTIMATORS]
    shares = np.zeros((0, q.size))
    if robust:
        shares = resampled_problems(seen, resamples, seed).shares
    margins = margins_matrix(seen, policies, np.concatenate([q, shares]), rules, clipped=clipped).values
    programs = Programs()
    found = []
    for choice in choices:
        if choice.name == "empirical":
            found.append(best(margins[0]))
        elif choice.name in ESTIMATORS:
            believed = ESTIMATORS[choice.name](seen).market
            found.append(best(margins_matrix(believed, policies, believed.weights[None, :], rules, clipped=clipped).values[0]))
        else:
            nominal = np.full(resamples, 1 / resamples)
            within = choice.within()
            if within.kind == "wasserstein":
                within = replace(within, distance=distances(success_rates(seen, shares)))
            mixture = robust_mixture(margins[1:], nominal, within, programs=programs)
            found.append(mixture.weights if mixture.value > EQUAL else abstaining(len(policies)))
    return found


def abstaining(policies: int) -> FloatArray:
    """(K,) all of it on the first policy, which abstains."""
    share = np.zeros(policies)
    share[0] = 1.0
    return share


def best(margins: FloatArray) -> FloatArray:
    """(K,) equal shares of the policies with the largest margin; all of it abstains, which is the first, unless one earns."""
    top = float(margins.max())
    if top <= EQUAL:
        return abstaining(margins.size)
    equal = np.asarray(margins >= top - EQUAL, dtype=np.float64)
    found: FloatArray = equal / equal.sum()
    return found
