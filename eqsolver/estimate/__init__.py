"""From logs to a better market: calibration to problem classes."""

from eqsolver.estimate._calibrate import Calibration, Goals, calibrate
from eqsolver.estimate._margins import Judged

__all__ = ["Calibration", "Goals", "Judged", "calibrate"]
