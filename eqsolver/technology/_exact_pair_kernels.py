"""Every allotment of two providers in one sweep: the loops behind `ExactPair`, on arrays that know no market.

Provider a's steps are rows, provider b's are columns; node (j, k) has bought j steps of a and k steps of b. Each entry of a
step lowers the survival of one problem by `drop` and costs `rise` if the problem is still open; beside its entries, the step
costs `tick` times the share of all problems still open when it begins.
"""

from __future__ import annotations

import numpy as np

from eqsolver._base import FloatArray, IntArray
from eqsolver._compiled import compiled
from eqsolver.technology._schedule import REACH

Entries = tuple[IntArray, IntArray, FloatArray, FloatArray, FloatArray]
"""One provider's entries: first (G + 1,), of each step, and the end of the last; problem, drop, rise (E,); tick (G,)."""

ByProblem = tuple[IntArray, IntArray, FloatArray, FloatArray, FloatArray]
"""The same sorted by problem: first (N + 1,), of each problem; step (E,), counted from 1; drop, rise (E,); tick (G,)."""

FLAT = 1e-12
"""A node joins the hull if it lies below it by more than this share: less is rounding of sums of some thousand terms."""

STEEP = 1e300
"""Slope after a hull's last vertex: every node further right lies below it."""


@compiled
def sweep_row(
    j: int,
    width: int,
    weights: FloatArray,
    rows: Entries,
    columns: ByProblem,
    open_at: FloatArray,
    price: FloatArray,
    edges: FloatArray,
    nodes: FloatArray,
    came_down: IntArray,
    least: FloatArray,
    node_of: IntArray,
    by_row: FloatArray,
    by_column: FloatArray,
) -> None:
    """Row j of a sweep, after row j - 1: cheapest paths to its nodes, and what these and cascades cost at each level.

    Parameters
    ----------
    width : columns within the cap. weights : (N,). open_at : (L,) share still open where a level counts as reached, decreasing.
    price : (L,) market price, infinite where margins do not count.
    edges : (3, G_b + 1) of the row before: cost of the step that ends in each column, `tick` left out, share of the market it
        solves, and zeros. For row 0 with nothing bought from a.
    nodes : (3, G_b + 1) of the row before: least cost, open share, and cost of the cascade that buys from b first. Before row 0
        zeros, but for the open share of the first, the sum of the weights.
    came_down : (bytes,) zeros; bit k is set if the cheapest path to (j, k) comes from (j - 1, k).
    least : (2, L) least cost of ending at a node that reaches this level and not the next by any path, and of reaching it by a
        cascade; infinite before row 0. node_of : (2, L) j (G_b + 1) + k of these nodes; ~ of it if the cascade buys b first.
    by_row, by_column : (3, G_a + 1) and (3, G_b + 1) levels reached, sum of margins, and sum of costs of the cascades that
        first buy from a, or from b, up to each threshold; zeros before row 0.

    Notes
    -----
    THEORY section 4. From one row to the next only those edges along it change whose step has an entry on a problem of the
    row's step; so a node costs a few additions, however many problems there are.
    """
    first_a, problem_a, drop_a, rise_a, tick_a = rows
    first_b, column_b, drop_b, rise_b, tick_b = columns
    down_cost, tick, unsolved = 0.0, 0.0, nodes[1, 0]
    if j > 0:
        tick = tick_a[j - 1]
        for e in range(first_a[j - 1], first_a[j]):
            n = problem_a[e]
            lost, risen = weights[n] * drop_a[e], weights[n] * rise_a[e]
            down_cost += risen
            unsolved -= lost
            for c in range(first_b[n], first_b[n + 1]):
                k = column_b[c]
                edges[0, k] -= lost * rise_b[c]
                edges[1, k] -= lost * drop_b[c]
                edges[2, k] += risen * drop_b[c]
    along, best, step, here, bits, L = 0.0, 0.0, 0.0, 0, 0, open_at.size
    for k in range(width):
        if k > 0:
            step = edges[0, k] + tick_b[k - 1] * unsolved
            unsolved -= edges[1, k]
            down_cost -= edges[2, k]
            edges[2, k] = 0.0
            along += step
        toll = down_cost + tick * nodes[1, k]
        nodes[1, k] = unsolved
        node = j * nodes.shape[1] + k
        # the cheapest path
        best += step
        through = nodes[0, k] + toll
        down = j > 0 and (k == 0 or through < best)
        if down:
            best = through
        nodes[0, k] = best
        bits |= down << (k & 7)
        if k & 7 == 7 or k == width - 1:
            came_down[k >> 3] = bits
            bits = 0
        # cascades that buy from b first, up to k
        nodes[2, k] += toll
        if j > 0 or k == 0:
            while by_column[0, k] < L and unsolved <= open_at[int(by_column[0, k])]:
                _meet(by_column, k, nodes[2, k], ~node, price, least, node_of)
        # cascades that buy from a first, up to j
        if k == 0:
            for part in range(3):
                by_row[part, j] = by_column[part, 0]
            here = int(by_row[0, j])
        while here < L and unsolved <= open_at[here]:
            _meet(by_row, j, nodes[2, 0] + along, node, price, least, node_of)
            here += 1
        if j == 0:
            nodes[2, k] = along
            for part in range(3):
                by_column[part, k] = by_row[part, 0]
        if here > 0 and best < least[0, here - 1]:
            least[0, here - 1], node_of[0, here - 1] = best, node


@compiled
def _meet(
    record: FloatArray, threshold: int, cost: float, node: int, price: FloatArray, least: FloatArray, node_of: IntArray
) -> None:
    """Note at what cost the cascade with a threshold reaches the first level that it had not reached before."""
    level = int(record[0, threshold])
    if cost < least[1, level]:
        least[1, level], node_of[1, level] = cost, node
    record[0, threshold] += 1.0
    record[1, threshold] += max(1.0 - cost / price[level], 0.0) if price[level] < np.inf else 0.0
    record[2, threshold] += cost


@compiled
def lower(hull: FloatArray, count: int, j: int, nodes: FloatArray, width: int) -> int:
    """Add a row of nodes to a lower hull; returns how many vertices it has.

    j : the row. hull : (4, V) share solved, cost, slope of the edge to the next vertex, `STEEP` after the last, and node of
        each vertex; with room for `width` more.
    nodes : as `sweep_row` leaves them, of which `width` are looked at.

    Notes
    -----
    Nodes of a row solve ever more, so that the edge below them only moves right: a comparison a node, and little else, since
    few nodes lie below the hull.
    """
    h = 0
    for k in range(width):
        cost, solved = nodes[0, k], 1.0 - nodes[1, k]
        while h + 1 < count and solved >= hull[0, h + 1]:
            h += 1
        if cost < (hull[1, h] + hull[2, h] * (solved - hull[0, h])) * (1.0 - FLAT):
            count, h = _insert(hull, count, h, solved, cost, j * nodes.shape[1] + k)
    return count


@compiled
def _insert(hull: FloatArray, count: int, h: int, solved: float, cost: float, node: int) -> tuple[int, int]:
    """Put a point below the edge from vertex h into a hull; returns how many vertices it has then, and which is the point."""
    right = h + 1
    while h > 0 and (
        solved <= hull[0, h]
        or (hull[1, h] - hull[1, h - 1]) * (solved - hull[0, h - 1]) >= (cost - hull[1, h - 1]) * (hull[0, h] - hull[0, h - 1])
    ):
        h -= 1
    if solved <= hull[0, h] + REACH:  # as good as the vertex before it
        return count, h
    while right < count and (  # a vertex that solves as much, but for rounding, and costs more, or lies above the new edge
        hull[0, right] <= solved + REACH
        or (
            right + 1 < count
            and (hull[1, right] - cost) * (hull[0, right + 1] - solved)
            >= (hull[1, right + 1] - cost) * (hull[0, right] - solved)
        )
    ):
        right += 1
    at, shift, moved = h + 1, h + 2 - right, count - right
    for n in range(moved):
        origin = right + n if shift < 0 else count - 1 - n
        for part in range(4):
            hull[part, origin + shift] = hull[part, origin]
    hull[0, at], hull[1, at], hull[3, at] = solved, cost, node
    hull[2, h] = (cost - hull[1, h]) / (solved - hull[0, h])
    hull[2, at] = STEEP if moved == 0 else (hull[1, at + 1] - cost) / (hull[0, at + 1] - solved)
    return at + 1 + moved, at


@compiled
def turns(came_down: IntArray, j: int, k: int, stops: IntArray) -> int:
    """Walk back from a node along the cheapest path: stops (2, T) are the nodes at which it turns, last first; their number.

    The node itself is the first stop, the origin is none.
    """
    found, before = 0, -1
    while j > 0 or k > 0:
        down = (came_down[j, k >> 3] >> (k & 7)) & 1
        if down != before:
            stops[0, found], stops[1, found] = j, k
            found += 1
            before = down
        if down:
            j -= 1
        else:
            k -= 1
    return found


@compiled
def follow(
    weights: FloatArray, rows: Entries, columns: Entries, stops: IntArray, count: int, open_a: FloatArray, open_b: FloatArray
) -> tuple[float, float, float]:
    """Share solved, and cost of a's and of b's steps, along a path given by the nodes at which it turns, last first.

    stops : (2, T), of which `count` are used. open_a, open_b : (N,) scratch.
    """
    first_a, problem_a, drop_a, rise_a, tick_a = rows
    first_b, problem_b, drop_b, rise_b, tick_b = columns
    unsolved = 0.0
    for n in range(weights.size):
        open_a[n], open_b[n] = 1.0, 1.0
        unsolved += weights[n]
    j, k, cost_a, cost_b = 0, 0, 0.0, 0.0
    for stop in range(count - 1, -1, -1):
        while j < stops[0, stop]:
            cost_a += tick_a[j] * unsolved
            for e in range(first_a[j], first_a[j + 1]):
                n = problem_a[e]
                reaching = weights[n] * open_b[n]
                cost_a += reaching * rise_a[e]
                unsolved -= reaching * drop_a[e]
                open_a[n] -= drop_a[e]
            j += 1
        while k < stops[1, stop]:
            cost_b += tick_b[k] * unsolved
            for e in range(first_b[k], first_b[k + 1]):
                n = problem_b[e]
                reaching = weights[n] * open_a[n]
                cost_b += reaching * rise_b[e]
                unsolved -= reaching * drop_b[e]
                open_b[n] -= drop_b[e]
            k += 1
    return 1.0 - unsolved, cost_a, cost_b


@compiled
def furthest(weights: FloatArray, rows: Entries, columns: Entries, width: IntArray) -> float:
    """The largest share solved within the cap: the best of the far ends of all rows.

    Notes
    -----
    Along the cap a's steps are made as b's are taken back: every attempt of either provider is looked at twice at most.
    """
    first_a, problem_a, drop_a = rows[0], rows[1], rows[2]
    first_b, problem_b, drop_b = columns[0], columns[1], columns[2]
    open_a, open_b = np.ones(weights.size), np.ones(weights.size)
    for e in range(first_b[width[0] - 1]):
        open_b[problem_b[e]] -= drop_b[e]
    unsolved = 0.0
    for n in range(weights.size):
        unsolved += weights[n] * open_b[n]
    least = unsolved
    for j in range(1, first_a.size):
        if width[j] == 0:
            break
        for e in range(first_a[j - 1], first_a[j]):
            n = problem_a[e]
            unsolved -= weights[n] * open_b[n] * drop_a[e]
            open_a[n] -= drop_a[e]
        for e in range(first_b[width[j] - 1], first_b[width[j - 1] - 1]):
            n = problem_b[e]
            unsolved += weights[n] * open_a[n] * drop_b[e]
            open_b[n] += drop_b[e]
        least = min(least, unsolved)
    return 1.0 - least
