"""The pricing game: consumers' demand, regimes of arbitrage, equilibrium prices and their certificates."""

from eqsolver.game._consumers import Crowd, crowd, discretised
from eqsolver.game._demand import Balanced, Logit
from eqsolver.game._equilibrium import equilibrium
from eqsolver.game._outcome import Outcome, outcome
from eqsolver.game._regimes import BUILT_IN, Stage
from eqsolver.game._responses import Responses
from eqsolver.game._strategies import Equilibrium, Strategies
from eqsolver.game._sweep import sweep

__all__ = [
    "BUILT_IN",
    "Balanced",
    "Crowd",
    "Equilibrium",
    "Logit",
    "Outcome",
    "Responses",
    "Stage",
    "Strategies",
    "crowd",
    "discretised",
    "equilibrium",
    "outcome",
    "sweep",
]
