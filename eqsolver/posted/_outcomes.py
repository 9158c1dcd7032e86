"""What a kind of policy earns at every level, and who else earns."""

from __future__ import annotations

from dataclasses import dataclass

from eqsolver.posted._bootstrap import Bands
from eqsolver.posted._resale import Resale
from eqsolver.technology import Block


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PolicyOutcome:
    """One kind of policy at every level.

    paths : L paths of (position of provider, allotment) blocks; empty for mixtures. resale : what it earns, and who else earns.
    bands : 5 % and 95 % points over resampled problems, the policies held fixed; None without bootstrap.
    """

    paths: tuple[tuple[Block, ...], ...]
    resale: Resale
    bands: Bands | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ArbitrageurOutcome:
    """An arbitrageur of the market file: overhead as a share of its provider bill, and what its policy earns."""

    overhead: float
    policy: PolicyOutcome
