"""What a single cascade is fitted to."""

from __future__ import annotations

import numpy as np

from eqsolver._base import FloatArray


def margin_scores(cost: FloatArray, market_price: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean margin per row, and a second criterion between rows of equal margin: levels reached, then cost.

    Levels that a free provider sells have no margin.
    """
    priced = np.isfinite(market_price) & (market_price > 0)
    reached = np.isfinite(cost)
    scale = np.max(cost, initial=1e-300, where=reached)
    second = reached.sum(axis=-1) - np.where(reached, cost / scale, 0.0).sum(axis=-1) / (cost.shape[-1] + 1)
    if not priced.any():
        return np.zeros(cost.shape[:-1]), second
    margin = np.maximum(1.0 - cost[..., priced] / market_price[priced], 0.0)
    return margin.mean(axis=-1), second
