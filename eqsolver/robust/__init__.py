"""Allocations that stay profitable: scenarios, ambiguity sets as convex programs, honest margins."""

from eqsolver.posted import OutOfSample
from eqsolver.robust._allocation import Choice, RobustAllocation, Spending, check_in_market
from eqsolver.robust._board import Board, board
from eqsolver.robust._candidates import ABSTAIN, candidates, neighbours, undominated
from eqsolver.robust._choices import Chooser
from eqsolver.robust._curves import Curve, FullInformation, Learning
from eqsolver.robust._domains import domains, read_features
from eqsolver.robust._explore import explored
from eqsolver.robust._honest import LeftOut
from eqsolver.robust._learn import learn
from eqsolver.robust._margins import Margins, margins_matrix
from eqsolver.robust._mixture import Programs, RobustMixture, robust_mixture
from eqsolver.robust._nature import worst_weights
from eqsolver.robust._pool import Pool, pool
from eqsolver.robust._procure import FloorTooHigh, Procurement, procure
from eqsolver.robust._radius import Price
from eqsolver.robust._radius_choice import RadiusChoice
from eqsolver.robust._robust import robust
from eqsolver.robust._scenarios import Scenarios, domain_scenarios, folds, resampled_attempts, resampled_problems
from eqsolver.robust._sets import AmbiguitySet, ambiguity_set, distances

__all__ = [
    "ABSTAIN",
    "AmbiguitySet",
    "Board",
    "Choice",
    "Chooser",
    "Curve",
    "FloorTooHigh",
    "FullInformation",
    "Learning",
    "LeftOut",
    "Margins",
    "OutOfSample",
    "Pool",
    "Price",
    "Procurement",
    "Programs",
    "RadiusChoice",
    "RobustAllocation",
    "RobustMixture",
    "Scenarios",
    "Spending",
    "ambiguity_set",
    "board",
    "candidates",
    "check_in_market",
    "distances",
    "domain_scenarios",
    "domains",
    "explored",
    "folds",
    "learn",
    "margins_matrix",
    "neighbours",
    "pool",
    "procure",
    "read_features",
    "resampled_attempts",
    "resampled_problems",
    "robust",
    "robust_mixture",
    "undominated",
    "worst_weights",
]
