"""The production set of a market: curves, policies, what they solve and what they need, whatever the prices."""

from eqsolver.technology._cascade import cascade_costs, threshold_table
from eqsolver.technology._curves import attempts_within, curves, expected_tries, survival
from eqsolver.technology._evaluate import Cascade, PerLevel, bill, evaluate
from eqsolver.technology._fit import fit_cascade
from eqsolver.technology._hull import along_hull, lower_hull
from eqsolver.technology._joint import joint
from eqsolver.technology._oracle import Oracle, oracle
from eqsolver.technology._path import Block, Walk, walk
from eqsolver.technology._policies import cascades_per_level, cheaper, nondecreasing, schedule_bound, schedule_hull, schedules
from eqsolver.technology._rules import Accounting, Allocation, Rules, rules
from eqsolver.technology._schedule import REACH, cheapest_reaching, shortest_paths
from eqsolver.technology._steps import Profile, Steps, steps
from eqsolver.technology._technology import Technology, all_steps, build, technology

__all__ = [
    "REACH",
    "Accounting",
    "Allocation",
    "Block",
    "Cascade",
    "Oracle",
    "PerLevel",
    "Profile",
    "Rules",
    "Steps",
    "Technology",
    "Walk",
    "all_steps",
    "along_hull",
    "attempts_within",
    "bill",
    "build",
    "cascade_costs",
    "cascades_per_level",
    "cheaper",
    "cheapest_reaching",
    "curves",
    "evaluate",
    "expected_tries",
    "fit_cascade",
    "joint",
    "lower_hull",
    "nondecreasing",
    "oracle",
    "rules",
    "schedule_bound",
    "schedule_hull",
    "schedules",
    "shortest_paths",
    "steps",
    "survival",
    "technology",
    "threshold_table",
    "walk",
]
