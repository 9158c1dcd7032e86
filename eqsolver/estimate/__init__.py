"""From logs to a better market: calibration to problem classes; estimates of what few attempts leave open."""

from eqsolver.estimate._calibrate import Calibration, Goals, calibrate
from eqsolver.estimate._estimators import ESTIMATORS, Beta, Fit, Npml
from eqsolver.estimate._held_out import calibration
from eqsolver.estimate._margins import Judged

__all__ = ["ESTIMATORS", "Beta", "Calibration", "Fit", "Goals", "Judged", "Npml", "calibrate", "calibration"]
