"""From logs to a better market: calibration to problem classes."""

from eqsolver.estimate._calibrate import Calibration, Goals, calibrate

__all__ = ["Calibration", "Goals", "calibrate"]
