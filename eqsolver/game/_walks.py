"""Choices of many value types as one price rises: each moves along the upper envelope of what it could take."""

from __future__ import annotations

from eqsolver._base import FloatArray, IntArray
from eqsolver._compiled import compiled


@compiled
def walk_types(
    values: FloatArray,
    solved: FloatArray,
    fixed: FloatArray,
    slope: FloatArray,
    hulls: IntArray,
    count: IntArray,
    ends: tuple[float, float],
    first: IntArray,
    kinks: IntArray,
    at: FloatArray,
) -> int:
    """What each type takes at the lower of two prices, and every change of that up to the higher one; how many there are.

    Parameters
    ----------
    values : (T,) increasing. solved : (K,) of the ways to be served. fixed, slope : (K,) their cost is fixed + price x slope.
    hulls : (2, K) vertices of the lower hull of (solved, cost) at both prices, and count : (2,) how many. ends : the prices.
    first : (T,) is written: the way taken at the lower price, -1 for none. kinks : (E, 2) type and new way, and at : (E,) the
    price of the change, are written; what does not fit is counted.

    Notes
    -----
    A type's utility is the upper envelope of lines in the price, so a way taken at both ends is taken throughout, and from
    any other the next change is the nearest crossing with a line that falls less.
    """
    n = 0
    low, high = ends
    at_low, at_high = -1, -1  # positions along the hulls; values increase, so they never go back
    for t in range(values.size):
        v = values[t]
        while at_low + 1 < count[0] and v > _slope(solved, fixed, slope, hulls[0], at_low + 1, low):
            at_low += 1
        while at_high + 1 < count[1] and v > _slope(solved, fixed, slope, hulls[1], at_high + 1, high):
            at_high += 1
        way = hulls[0, at_low] if at_low >= 0 else -1
        last = hulls[1, at_high] if at_high >= 0 else -1
        first[t] = way
        price = low
        while way != last and way >= 0 and slope[way] > 0:
            mine = v * solved[way] - fixed[way]
            crossing, nearest = mine / slope[way], -1
            for k in range(solved.size):
                if slope[k] < slope[way]:
                    x = (mine - (v * solved[k] - fixed[k])) / (slope[way] - slope[k])
                    if x < crossing or (x == crossing and (nearest >= 0 and slope[k] < slope[nearest])):
                        crossing, nearest = x, k
            if crossing > high:
                break
            price = max(price, crossing)
            way = nearest
            if n < at.size:
                kinks[n, 0], kinks[n, 1], at[n] = t, way, price
            n += 1
    return n


@compiled
def _slope(solved: FloatArray, fixed: FloatArray, slope: FloatArray, hull: IntArray, position: int, price: float) -> float:
    """The value from which a type takes at least the hull's vertex at some position."""
    k = hull[position]
    cost, share = fixed[k] + price * slope[k], solved[k]
    if position:
        before = hull[position - 1]
        cost, share = cost - fixed[before] - price * slope[before], share - solved[before]
    needed: float = cost / share
    return needed
