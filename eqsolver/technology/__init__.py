"""The production set of a market: curves, policies, what they solve and what they need, whatever the prices."""

from eqsolver.technology._allotments import allotments, one_attempt, positions
from eqsolver.technology._cascade import cascade_costs, threshold_table
from eqsolver.technology._completion import Completion
from eqsolver.technology._curves import FIRST, Timing, curves, expected_spend, expected_tries, survival, timing
from eqsolver.technology._evaluate import Cascade, PerLevel, allotted, bill, cheaper, evaluate, placed
from eqsolver.technology._exact_pair import ExactPair
from eqsolver.technology._fit import BestCascades
from eqsolver.technology._focus import focused_technology
from eqsolver.technology._growth import Growth
from eqsolver.technology._hull import along_hull, lower_hull, lower_hulls
from eqsolver.technology._joint import joint
from eqsolver.technology._levels import levels_below, offered_reach
from eqsolver.technology._optimum import Optimum
from eqsolver.technology._oracle import Oracle, oracle
from eqsolver.technology._path import Block, Walk, walk
from eqsolver.technology._production import (
    EFFORT,
    Effort,
    Production,
    best_cascades,
    build,
    exact_technology,
    fits_grid,
    nondecreasing,
    schedule_bound,
    schedule_hull,
    schedules,
    technology,
)
from eqsolver.technology._rules import Rules, rules
from eqsolver.technology._schedule import REACH, cheapest_reaching, shortest_paths
from eqsolver.technology._set import ProductionSet
from eqsolver.technology._steps import Profile, Steps, steps
from eqsolver.technology._technology import MAX_NODES, Technology, all_steps, grid_technology
from eqsolver.technology._wide import Wide, wide

__all__ = [
    "EFFORT",
    "FIRST",
    "MAX_NODES",
    "REACH",
    "BestCascades",
    "Block",
    "Cascade",
    "Completion",
    "Effort",
    "ExactPair",
    "Growth",
    "Optimum",
    "Oracle",
    "PerLevel",
    "Production",
    "ProductionSet",
    "Profile",
    "Rules",
    "Steps",
    "Technology",
    "Timing",
    "Walk",
    "Wide",
    "all_steps",
    "allotments",
    "allotted",
    "along_hull",
    "best_cascades",
    "bill",
    "build",
    "cascade_costs",
    "cheaper",
    "cheapest_reaching",
    "curves",
    "evaluate",
    "exact_technology",
    "expected_spend",
    "expected_tries",
    "fits_grid",
    "focused_technology",
    "grid_technology",
    "joint",
    "levels_below",
    "lower_hull",
    "lower_hulls",
    "nondecreasing",
    "offered_reach",
    "one_attempt",
    "oracle",
    "placed",
    "positions",
    "rules",
    "schedule_bound",
    "schedule_hull",
    "schedules",
    "shortest_paths",
    "steps",
    "survival",
    "technology",
    "threshold_table",
    "timing",
    "walk",
    "wide",
]
