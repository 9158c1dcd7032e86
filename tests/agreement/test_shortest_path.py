"""The SWE-bench duopoly's best schedules against scipy's Dijkstra on a graph built from the curves alone."""

from __future__ import annotations

import numpy as np
import pytest
from published import DATA, needs_logs
from scipy import sparse

from eqsolver.market import load
from eqsolver.technology import REACH, Technology, curves, schedules, shortest_paths, technology


class Graph:
    """Nodes are pairs of grid allotments; an edge is one provider's next slice, on the problems the other left unsolved.

    solved, cost : (J, K) share solved at each node, and the bill of the cheapest path to it.
    """

    def __init__(self, made: Technology) -> None:
        self.made, self.q = made, made.market.weights
        (S, F), (T, G) = (curves(p, axis, made.rules) for p, axis in zip(made.market.providers, made.grid, strict=True))
        J, K = S.shape[1], T.shape[1]
        starts, ends, costs = [], [], []
        for j in range(J):
            for k in range(K):
                for down, slices, standing in ((1, F[:, j : j + 2], T[:, k]), (0, G[:, k : k + 2], S[:, j])):
                    if slices.shape[1] == 2:
                        starts.append(j * K + k)
                        ends.append(j * K + k + (K if down else 1))
                        price = made.market.providers[1 - down].price
                        costs.append(price * float(np.sum(self.q * (slices[:, 1] - slices[:, 0]) * standing)))
        graph = sparse.csr_array((costs, (starts, ends)), shape=(J * K, J * K))
        self.edges = graph.tocsc()
        self.cost = sparse.csgraph.dijkstra(graph, indices=0).reshape(J, K)
        self.solved = np.array([[1 - float(np.sum(self.q * S[:, j] * T[:, k])) for k in range(K)] for j in range(J)])

    def cheapest(self, level: float) -> float:
        """The bill of the cheapest node within the cap that reaches a level, its last slice bought only as far as needed.

        Two paths may cost the same to the last digit and arrive there by different slices: the cheaper when cut counts.
        """
        reaching = (self.solved >= level - REACH) & (np.add.outer(*self.made.grid) <= self.made.rules.total_cap * (1 + 1e-12))
        at = int(np.argmin(np.where(reaching, self.cost, np.inf)))
        into = self.edges[:, [at]].tocoo()
        least = self.cost.flat[at] * (1 + 1e-12)
        return min(
            self._cut(int(node), at, level)
            for node, c in zip(into.row, into.data, strict=True)
            if self.cost.flat[node] + c <= least
        )

    def _cut(self, before: int, after: int, level: float) -> float:
        i = 0 if after - before > 1 else 1
        corner = np.unravel_index(before, self.cost.shape)
        buyer, other = self.made.market.providers[i], self.made.market.providers[1 - i]
        standing = self.q * curves(other, self.made.grid[1 - i][[corner[1 - i]]], self.made.rules)[0][:, 0]
        low, high = self.made.grid[i][corner[i]], self.made.grid[i][corner[i] + 1]
        stops = np.unique(np.concatenate([w * np.arange(low // w, high // w + 1) for w in buyer.spend]))
        stops = np.concatenate([[low], stops[(stops > low) & (stops < high)], [high]])
        S, F = curves(buyer, stops, self.made.rules)
        reached = 1 - standing @ S >= level - REACH
        assert reached.any()
        return float(self.cost.flat[before] + buyer.price * (standing @ (F[:, np.argmax(reached)] - F[:, 0])))


@needs_logs
def test_the_schedule_of_the_duopoly_is_a_shortest_path() -> None:
    market = load(DATA / "swebench", providers=["deepseek", "gpt5mini"]).at_prices({"gpt5mini": 1.25})
    made = technology(market, max_budget=1.0, points=60)
    assert [axis.size for axis in made.grid] == [60, 60]
    graph = Graph(made)
    edges = [price * edge for price, edge in zip(market.prices, made.edges, strict=True)]
    np.testing.assert_allclose(shortest_paths(edges), graph.cost, rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(made.solved, graph.solved, rtol=0, atol=1e-12)
    levels = np.linspace(0.01, made.reach, 300)
    for level, found in zip(levels, schedules(made, market.prices, levels).cost, strict=True):
        assert found == pytest.approx(graph.cheapest(level), rel=1e-9), level
