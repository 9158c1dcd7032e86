"""The market as data: immutable and validated; read from attempt logs, read from and written to TOML."""

from eqsolver.market._model import (
    Arbitrageur,
    Consumers,
    Geometric,
    Market,
    Policy,
    Population,
    Provider,
    Sampled,
    Target,
    Value,
)

__all__ = [
    "Arbitrageur",
    "Consumers",
    "Geometric",
    "Market",
    "Policy",
    "Population",
    "Provider",
    "Sampled",
    "Target",
    "Value",
]
