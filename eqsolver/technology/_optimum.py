"""What is cheapest in a production set at one price vector: each part is computed when it is first asked for, and kept."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from eqsolver._base import FloatArray
from eqsolver.technology import _production
from eqsolver.technology._evaluate import PerLevel
from eqsolver.technology._exact_pair import ExactPair
from eqsolver.technology._fit import BestCascades
from eqsolver.technology._pair_optimum import PairOptimum, pair_optimum
from eqsolver.technology._production import Production


@dataclass(frozen=True, kw_only=True, eq=False)
class Optimum:
    """The optima of a production set at given prices.

    made : the production set. prices : (M,) multipliers. levels : (L,) increasing. market_price : (L,) C_P, infinite where no
    provider reaches: what cascades are fitted to.

    Notes
    -----
    Of two providers one sweep gives all parts, so that asking for one is asking for all.
    """

    made: Production
    prices: FloatArray
    levels: FloatArray
    market_price: FloatArray

    @cached_property
    def schedules(self) -> PerLevel:
        """The cheapest schedule for each level."""
        if self._pair is not None:
            return self._pair.schedules
        return _production.schedules(self.made, self.prices, self.levels)

    @cached_property
    def cascades(self) -> BestCascades:
        """The cascade with the largest mean margin over the levels that have a price, and the cheapest for each level."""
        if self._pair is not None:
            return self._pair.cascades
        return _production.best_cascades(self.made, self.prices, self.levels, self.market_price)

    @cached_property
    def hull(self) -> tuple[FloatArray, FloatArray]:
        """Mixtures of schedules: (V,) solved and cost of the vertices of their lower hull, the origin first."""
        if self._pair is not None:
            return self._pair.hull
        return _production.schedule_hull(self.made, self.prices)

    @cached_property
    def _pair(self) -> PairOptimum | None:
        if not isinstance(self.made, ExactPair):
            return None
        return pair_optimum(self.made, self.prices, self.levels, self.market_price)
