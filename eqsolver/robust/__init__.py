"""Allocations that stay profitable: scenarios, ambiguity sets as convex programs, honest margins."""

from eqsolver.robust._candidates import ABSTAIN, candidates, neighbours, undominated
from eqsolver.robust._choices import Choice
from eqsolver.robust._curves import Curve, FullInformation, Learning
from eqsolver.robust._explore import explored
from eqsolver.robust._learn import learn
from eqsolver.robust._margins import Margins, margins_matrix
from eqsolver.robust._mixture import Programs, RobustMixture, robust_mixture
from eqsolver.robust._nature import worst_weights
from eqsolver.robust._scenarios import Scenarios, domain_scenarios, folds, resampled_attempts, resampled_problems
from eqsolver.robust._sets import AmbiguitySet, ambiguity_set, distances

__all__ = [
    "ABSTAIN",
    "AmbiguitySet",
    "Choice",
    "Curve",
    "FullInformation",
    "Learning",
    "Margins",
    "Programs",
    "RobustMixture",
    "Scenarios",
    "ambiguity_set",
    "candidates",
    "distances",
    "domain_scenarios",
    "explored",
    "folds",
    "learn",
    "margins_matrix",
    "neighbours",
    "resampled_attempts",
    "resampled_problems",
    "robust_mixture",
    "undominated",
    "worst_weights",
]
