"""Nature's move: the weights in a set under which given margins are worst, by closed forms and one sorted pass each."""

from __future__ import annotations

import numpy as np
from scipy import optimize, special

from eqsolver._base import FloatArray
from eqsolver.robust._sets import AmbiguitySet


def worst_weights(values: FloatArray, nominal: FloatArray, within: AmbiguitySet) -> FloatArray:
    """(Xi,) weights q in the set that minimise the sum of q times the values.

    Parameters
    ----------
    values : (Xi,) what each scenario pays. nominal : (Xi,) q0.

    Notes
    -----
    `cvar` and `tv` fill up the lowest values; `chi2` is (q0 / P)(1 - k (value - mean)) on the P lowest, by active set;
    `kl` tilts, q0 exp(-k value), with the k that spends the radius (Ben-Tal et al. 2013); `wasserstein` moves mass along
    the steepest descents first, a fractional knapsack over the lower hulls of (distance, value).
    """
    r = 0.0 if within.radius is None else within.radius
    match within.kind:
        case "nominal":
            return nominal.copy()
        case "worst":
            return _point(nominal.size, int(np.argmin(values)))
        case "cvar":
            return nominal.copy() if r == 1.0 else _lowest(values, nominal / r, 1.0)
        case "tv":
            kept = _lowest(values, nominal, max(1.0 - r, 0.0))
            return kept + min(r, 1.0) * _point(nominal.size, int(np.argmin(values)))
        case "chi2":
            return _chi_square(values, nominal, r)
        case "kl":
            return _tilted(values, nominal, r)
        case "wasserstein":
            assert within.distance is not None
            return _moved(values, nominal, r, within.distance)


def _point(size: int, at: int) -> FloatArray:
    found = np.zeros(size)
    found[at] = 1.0
    return found


def _lowest(values: FloatArray, most: FloatArray, total: float) -> FloatArray:
    """Fill weights up to `most` from the lowest value on, until they sum to the total."""
    order = np.argsort(values, kind="stable")
    filled = np.clip(total - (np.cumsum(most[order]) - most[order]), 0.0, most[order])
    found = np.zeros_like(values)
    found[order] = filled
    return found


def _chi_square(values: FloatArray, nominal: FloatArray, radius: float) -> FloatArray:
    support = np.flatnonzero(nominal > 0)
    order = support[np.argsort(values[support], kind="stable")]
    v, q0 = values[order] - values[order[0]], nominal[order]
    if radius <= 0 or v[-1] <= 0:
        return nominal.copy()
    v /= v[-1]  # the answer is the same in any unit, and squares stay within range
    P = np.cumsum(q0)
    mean = np.cumsum(q0 * v) / P
    spread = np.maximum(np.cumsum(q0 * v * v) / P - mean**2, 0.0)  # variance within the lowest
    found = np.zeros_like(values)
    lowest = v <= 0
    if radius >= 1.0 / P[lowest][-1] - 1.0:  # all weight may go to the lowest value
        found[order[lowest]] = q0[lowest] / P[lowest][-1]
        return found
    left = 1.0 + radius - 1.0 / P
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = np.where((left >= 0) & (spread > 0), np.sqrt(np.maximum(left, 0.0) / (P * spread)), np.inf)
        weight = 1.0 / P - slope * (v - mean)  # of each as the last of the active ones
    active = np.flatnonzero(weight > 0)
    last = int(active[-1]) if active.size else order.size - 1
    q = q0[: last + 1] * np.maximum(1.0 / P[last] - slope[last] * (v[: last + 1] - mean[last]), 0.0)
    found[order[: last + 1]] = q / q.sum()
    return found


def _tilted(values: FloatArray, nominal: FloatArray, radius: float) -> FloatArray:
    support = nominal > 0
    v, q0 = values[support] - values[support].min(), nominal[support]
    found = np.zeros_like(values)
    lowest = v <= 0
    if radius <= 0 or lowest.all():
        return nominal.copy()
    if radius >= -np.log(q0[lowest].sum()):
        found[support] = np.where(lowest, q0, 0.0) / q0[lowest].sum()
        return found
    v = v / v.max()

    def tilt(k: float) -> FloatArray:
        weights = q0 * np.exp(-k * v)
        tilted: FloatArray = weights / weights.sum()
        return tilted

    def spent(log_k: float) -> float:
        k = np.exp(log_k)
        return float(-k * (tilt(k) @ v) - special.logsumexp(-k * v, b=q0)) - radius

    low, high = -1.0, 1.0
    while spent(low) > 0 and low > -60:
        low -= 4.0
    while spent(high) < 0 and high < 700:
        high += 4.0
    if spent(low) * spent(high) > 0:  # no tilt spends the radius, but for rounding
        if spent(low) > 0:
            return nominal.copy()
        found[support] = np.where(lowest, q0, 0.0) / q0[lowest].sum()
        return found
    found[support] = tilt(float(np.exp(optimize.brentq(spent, low, high, xtol=1e-13, rtol=1e-14, maxiter=300))))
    return found


def _moved(values: FloatArray, nominal: FloatArray, radius: float, distance: FloatArray) -> FloatArray:
    """Each scenario's mass may slide down the lower hull of (distance, value) seen from it; the steepest pieces first."""
    source = np.flatnonzero(nominal > 0)
    away, mass, rows = distance[source], nominal[source], np.arange(source.size)
    here = np.argmin(np.where(away <= 0, values, np.inf), axis=1)  # for nothing
    here = np.where(values[here] < values[source], here, source)
    at = np.zeros_like(nominal)
    np.add.at(at, here, mass)
    pieces = []
    while rows.size:
        rise, run = values - values[here[rows], None], away[rows] - away[rows, here[rows], None]
        slope = np.divide(rise, run, out=np.full(rise.shape, np.inf), where=(run > 0) & (rise < 0))
        steepest = slope.min(axis=1)
        rows, slope, steepest, run = (found[steepest < np.inf] for found in (rows, slope, steepest, run))
        end = np.argmax(np.where(slope <= steepest[:, None], run, 0.0), axis=1)
        pieces.append((steepest, mass[rows], here[rows], end, run[np.arange(rows.size), end]))
        here[rows] = end
    steepness, amount, start, end, length = (np.concatenate(column) for column in zip(*pieces, strict=True))
    order = np.argsort(steepness, kind="stable")  # the pieces of one scenario are in this order already
    work = (amount * length)[order]
    share = np.clip((radius - (np.cumsum(work) - work)) / np.maximum(work, np.finfo(float).tiny), 0.0, 1.0)
    moved = amount[order] * share
    np.add.at(at, start[order], -moved)
    np.add.at(at, end[order], moved)
    return np.maximum(at, 0.0)
