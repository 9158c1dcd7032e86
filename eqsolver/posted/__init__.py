"""Everything at given prices: offers, market price, policies sold at it, undercutting, revenue shifts."""

from eqsolver.posted._cross_fit import OutOfSample, halves
from eqsolver.posted._distill import distill
from eqsolver.posted._distillation import Distillation, LogLinear, Student
from eqsolver.posted._enter import enter
from eqsolver.posted._entry import Earliest, Entry
from eqsolver.posted._intervals import interval
from eqsolver.posted._offers import Offers, offers
from eqsolver.posted._outcomes import ArbitrageurOutcome, PolicyOutcome
from eqsolver.posted._resale import Resale, resale
from eqsolver.posted._segments import Segmentation, segmentation
from eqsolver.posted._solution import ScheduleOutcome, Solution
from eqsolver.posted._solve import solve
from eqsolver.posted._undercutting import Undercutting, undercut

__all__ = [
    "ArbitrageurOutcome",
    "Distillation",
    "Earliest",
    "Entry",
    "LogLinear",
    "Offers",
    "OutOfSample",
    "PolicyOutcome",
    "Resale",
    "ScheduleOutcome",
    "Segmentation",
    "Solution",
    "Student",
    "Undercutting",
    "distill",
    "enter",
    "halves",
    "interval",
    "offers",
    "resale",
    "segmentation",
    "solve",
    "undercut",
]
