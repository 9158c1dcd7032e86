"""Joint survival and edge costs on the product grid of several providers: Khatri-Rao products and GEMMs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from eqsolver._base import FloatArray

BLOCK_BYTES = 64 * 2**20
"""Memory for one block of problems; peak memory is a few of these plus the results, whatever the number of problems."""


def khatri_rao(matrices: Sequence[FloatArray]) -> FloatArray:
    """Row-wise products: (N, J_1), ..., (N, J_m) -> (N, J_1 ... J_m), last axis fastest."""
    product = matrices[0]
    for matrix in matrices[1:]:
        product = (product[:, :, None] * matrix[:, None, :]).reshape(len(product), -1)
    return product


def joint(
    weights: FloatArray,
    curves: Callable[[slice], tuple[Sequence[FloatArray], Sequence[FloatArray]]],
    shape: tuple[int, ...],
) -> tuple[FloatArray, list[FloatArray]]:
    """Joint survival at every node of the product grid, and the expected units of every edge.

    Parameters
    ----------
    weights : (N,) shares q of the problems.
    curves : for a slice of the problems, the S_i and the F_i of each provider at its grid, each (n, J_i).
    shape : (J_1, ..., J_M).

    Returns
    -------
    survival : shape, sum_x q_x prod_i S_i[x, j_i].
    edges : M arrays of that shape. edges[i][j] is what the step from j to j + e_i costs in units,
        sum_x q_x (F_i[x, j_i + 1] - F_i[x, j_i]) prod_{l != i} S_l[x, j_l]; 0 at the end of axis i, where there is no step.

    Notes
    -----
    THEORY section 4. M + 1 GEMMs of 2 N J_1 ... J_M flops over the two halves of the providers, in blocks of problems;
    the memory is the results' and a few blocks.
    """
    providers = len(shape)
    half = max(providers // 2, 1)
    sides = [range(half), range(half, providers)]
    width = sum(int(np.prod([shape[i] for i in side])) for side in sides) * (half + 1)
    rows = max(16, BLOCK_BYTES // (8 * width))
    survival = np.empty(shape)
    edges = [np.empty(shape) for _ in shape]
    left_size = int(np.prod(shape[:half]))
    flat = [total.reshape(left_size, -1) for total in (survival, *edges)]
    for start in range(0, weights.size, rows):
        block = slice(start, start + rows)
        S, F = curves(block)
        D = [np.append(np.diff(f, axis=1), np.zeros((len(f), 1)), axis=1) for f in F]
        S = [weights[block, None] * S[0], *S[1:]]
        D = [weights[block, None] * D[0], *D[1:]]

        def product(side: Iterable[int], changed: int, S: list[FloatArray] = S, D: list[FloatArray] = D) -> FloatArray:
            factors = [D[i] if i == changed else S[i] for i in side]
            return khatri_rao(factors) if factors else np.ones((len(S[0]), 1))

        same = [product(side, -1) for side in sides]
        _add_product(flat[0], same[0], same[1], first=start == 0)
        for i in range(providers):
            if i < half:
                _add_product(flat[1 + i], product(sides[0], i), same[1], first=start == 0)
            else:
                _add_product(flat[1 + i], same[0], product(sides[1], i), first=start == 0)
    return survival, edges


def _add_product(total: FloatArray, left: FloatArray, right: FloatArray, *, first: bool) -> None:
    """total (+)= leftᵀ right, in place; the first block needs no second pass over the memory."""
    if first:
        np.matmul(left.T, right, out=total)
    else:
        total += left.T @ right
