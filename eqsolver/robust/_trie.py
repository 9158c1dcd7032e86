"""Cascades that begin alike share the beginning: the prefixes of many cascades as one tree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eqsolver._base import FloatArray, IntArray
from eqsolver.market import Market
from eqsolver.technology import Block, Cascade, Rules, Steps, curves


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trie:
    """The Z distinct prefixes of K cascades; prefix 0 buys nothing.

    parent, provider, top, depth : (Z,) of each prefix: the one before its last block, that block, and how many it has.
    path : (K, D) prefixes of each cascade by depth, -1 beyond its end. last : (K,) its whole path, 0 where it abstains.
    stretch : (Z,) which (parent, provider) pair its last block belongs to; blocks of different size share one. -1 for 0.
    pair_parent, pair_provider : (V,) those pairs, by depth.
    """

    parent: IntArray
    provider: IntArray
    top: FloatArray
    depth: IntArray
    path: IntArray
    last: IntArray
    stretch: IntArray
    pair_parent: IntArray
    pair_provider: IntArray


def filled(rules: Rules, steps: Sequence[Steps], cascade: Cascade) -> tuple[Block, ...]:
    """The path of a cascade whose last provider may be bought up to what the cap leaves; blocks of nothing are left out."""
    if not cascade.order:
        return ()
    first = [(i, t) for i, t in cascade.path[:-1] if t > 0]
    last, top = cascade.path[-1]
    rest = rules.rest(sum(t for _, t in first))
    rest = rest if np.isfinite(rest) else max(steps[last].end, top)
    return (*first, (last, rest)) if rest > 0 else tuple(first)


def trie(paths: Sequence[tuple[Block, ...]]) -> Trie:
    """The tree of some paths with one block per provider."""
    index: dict[tuple[int, int, float], int] = {}
    parent, provider, top, depth = [-1], [-1], [0.0], [0]
    deepest = max((len(path) for path in paths), default=0)
    where = np.full((len(paths), max(deepest, 1)), -1)
    last = np.zeros(len(paths), dtype=np.int64)
    for k, path in enumerate(paths):
        node = 0
        for level, (i, t) in enumerate(path):
            key = (node, i, t)
            if key not in index:
                index[key] = len(parent)
                parent.append(node)
                provider.append(i)
                top.append(t)
                depth.append(level + 1)
            node = where[k, level] = index[key]
        last[k] = node
    pairs: dict[tuple[int, int, int], int] = {}
    for z in sorted(range(1, len(parent)), key=lambda z: depth[z]):
        pairs.setdefault((depth[z], parent[z], provider[z]), len(pairs))
    stretch = [-1] + [pairs[depth[z], parent[z], provider[z]] for z in range(1, len(parent))]
    return Trie(
        parent=np.array(parent),
        provider=np.array(provider),
        top=np.array(top),
        depth=np.array(depth),
        path=where,
        last=last,
        stretch=np.array(stretch),
        pair_parent=np.array([p for _, p, _ in pairs], dtype=np.int64),
        pair_provider=np.array([i for _, _, i in pairs], dtype=np.int64),
    )


def standings(market: Market, rules: Rules, tree: Trie) -> tuple[FloatArray, FloatArray]:
    """Survival after each prefix on every problem, and its expected bill: (Z, N) each, money.

    Notes
    -----
    THEORY section 4: a block costs its provider's F times what the blocks before have left unsolved.
    """
    Z, N = tree.parent.size, market.weights.size
    standing, paid = np.ones((Z, N)), np.zeros((Z, N))
    order = np.argsort(tree.depth, kind="stable")
    for i, provider in enumerate(market.providers):
        mine = np.flatnonzero(tree.provider == i)
        if mine.size:
            tops, back = np.unique(tree.top[mine], return_inverse=True)
            for first in range(0, tops.size, _TOPS):
                here = np.flatnonzero((back >= first) & (back < first + _TOPS))
                S, F = curves(provider, tops[first : first + _TOPS], rules)
                standing[mine[here]] = S.T[back[here] - first]
                paid[mine[here]] = provider.price * F.T[back[here] - first]
    for depth in range(2, int(tree.depth.max(initial=0)) + 1):
        nodes = order[np.searchsorted(tree.depth[order], depth) : np.searchsorted(tree.depth[order], depth + 1)]
        before = tree.parent[nodes]
        paid[nodes] = paid[before] + standing[before] * paid[nodes]
        standing[nodes] *= standing[before]
    return standing, paid


_TOPS = 512
