"""5-95 % intervals from resamples of the problems: of figures, and of margins against a market price that is a minimum."""

from __future__ import annotations

import numpy as np

from eqsolver._base import FloatArray
from eqsolver.posted._offers import TIE

TAIL = 0.05
"""Share of resamples outside each end of an interval."""


def interval(values: FloatArray, tail: float = TAIL) -> FloatArray:
    """(2, ...) points of (..., B) resampled values that leave at most the share `tail` of them outside at each end.

    Resamples without a value (nan) are left out; nan where there is none at all. Values may be infinite, so order statistics
    are taken as they are and not interpolated, the outer one of two: with 10 resamples the ends are the least and the largest.

    Examples
    --------
    >>> interval(np.arange(200.0)).tolist()
    [9.0, 190.0]
    """
    ordered = np.sort(values, axis=-1)  # nan last
    last = np.count_nonzero(~np.isnan(ordered), axis=-1) - 1
    low = np.floor(tail * np.maximum(last, 0)).astype(np.int64)
    ends = np.stack([low, np.maximum(last, 0) - low])
    return np.take_along_axis(ordered[None], ends[..., None], axis=-1)[..., 0]


def margin_interval(cost: FloatArray, offered: FloatArray) -> FloatArray:
    """(2, L) interval of the margin of a policy whose path is followed to each level.

    Parameters
    ----------
    cost : (L, B) buy cost in each resample, infinite where the path does not reach the level.
    offered : (M, L, B) each provider's own cost for the level, infinite where it does not reach it.

    Returns
    -------
    (2, L) in [0, 1]; nan where no resample has a market price. 1 is a margin against no offer at all.

    Notes
    -----
    The margin is the least of the margins against each provider alone, m = min_i m_i. Resamples of a minimum of noisy
    quantities are centred below it, so their percentiles miss on one side; those of each m_i do not, as m_i crosses a value
    where a mean over problems crosses a level. With intervals [l_i, h_i] of each, m < min_i l_i only if the provider j that
    makes the price has m_j < l_j, and m > min_i h_i only if m_i > h_i for some i: tails of 5 % below, and above of 5 % / M'
    each, keep both errors at 5 %. M' counts the providers that make the price in at least 5 % of the resamples; no other is
    looked at (an intersection-union interval: Berger 1982). A level that the policy does not reach and a provider does is a
    margin of 0, one that only the policy reaches a margin of 1; resamples in which neither does are left out.
    """
    price = offered.min(axis=0)
    makes = np.isfinite(offered) & (offered <= price * (1 + TIE))
    found = np.full((2, len(cost)), np.nan)
    for level in np.flatnonzero(np.isfinite(price).any(axis=1)):
        against = np.flatnonzero(makes[:, level].mean(axis=1) >= TAIL)
        if not against.size:
            against = np.flatnonzero(makes[:, level].any(axis=1))
        margin = margins(cost[level], offered[against, level])
        found[:, level] = interval(margin)[0].min(), interval(margin, TAIL / against.size)[1].min()
    return found


def margins(cost: FloatArray, price: FloatArray) -> FloatArray:
    """max(0, 1 - cost / price), 1 where only the price is infinite, 0 where only the cost is, nan where both are."""
    reached, priced = np.isfinite(cost), np.isfinite(price)
    ratio = np.where(priced, 1.0, np.zeros(np.broadcast_shapes(cost.shape, price.shape)))
    np.divide(cost, price, out=ratio, where=reached & priced & (price > 0))
    return np.where(reached | priced, np.maximum(1.0 - ratio, 0.0), np.nan)
