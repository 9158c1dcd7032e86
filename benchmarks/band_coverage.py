"""How often 5-95 % bands hold what they are bands of: markets are simulated from one whose answers are known.

    python benchmarks/band_coverage.py --markets 400 --output benchmarks/band_coverage.json

Samples of problems are drawn from the classes of a shipped specification, their odds known or logged, and each is solved with
bands; the truth is the answer of the specification itself. One row per band: the share of markets in which the truth lies
within, below and above it. Seeds are fixed; the JSON names the version that made it.
"""

from __future__ import annotations

import argparse
import functools
import importlib.metadata
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from eqsolver import Market, distill, equilibrium, learn, load, robust
from eqsolver._base import FloatArray
from eqsolver.market import Geometric, Population, Provider, Sampled
from eqsolver.posted import offers
from eqsolver.posted._bootstrap import bands, followed
from eqsolver.posted._cross_fit import cross_fit, paid
from eqsolver.posted._distillation import band as ends
from eqsolver.robust import margins_matrix
from eqsolver.technology import (
    Cascade,
    all_steps,
    best_cascades,
    build,
    evaluate,
    levels_below,
    offered_reach,
    positions,
    rules,
)

MODELS = Path(__file__).parents[1] / "models"
SIZES = (200, 445)
LEVELS = np.array([0.705, 0.725, 0.745])
CASCADE = [("gpt5mini", 0.101), ("deepseek", 0.898)]


@dataclass
class Tally:
    """Bands of one figure, and the truth of each: rows of (truth, low, high)."""

    rows: list[tuple[float, float, float]] = field(default_factory=list)

    def add(self, truth: float, low: float, high: float) -> None:
        if not np.isnan([truth, low, high]).any():
            self.rows.append((float(truth), float(low), float(high)))

    def summary(self) -> dict[str, Any]:
        truth, low, high = np.array(self.rows).reshape(-1, 3).T
        n = truth.size
        share = float(((low <= truth) & (truth <= high)).mean()) if n else None
        return {
            "markets": n,
            "coverage": share,
            "standard_error": None if share is None else float(np.sqrt(share * (1 - share) / n)),
            "truth_below": float((truth < low).mean()) if n else None,
            "truth_above": float((truth > high).mean()) if n else None,
            "median_width": float(np.median(high - low)) if n and np.isfinite(high).all() else None,
        }


Tallies = dict[tuple[str, str, int], Tally]
"""By band, figure and size."""


def drawn(population: Market, problems: int, rng: np.random.Generator, attempts: int | None = None) -> Market:
    """A sample of problems, each drawn by the weights of the classes. attempts : per problem, logged; None: odds are known."""
    which = rng.choice(population.weights.size, problems, p=population.weights)
    providers = [provider.take(which) for provider in population.providers]
    if attempts is not None:
        n = np.full(problems, attempts)
        providers = [replace(p, odds=Sampled(attempts=n, successes=rng.binomial(n, p.odds.mean))) for p in providers]
    names = tuple(f"{population.problems[x]}, drawn {k + 1}" for k, x in enumerate(which))
    return replace(population, providers=tuple(providers), weights=np.full(problems, 1 / problems), problems=names, origin=None)


def duopoly() -> Market:
    return load(MODELS / "swebench-duopoly.toml")


def of_solve(tallies: Tallies, problems: int, markets: int, seed: int, attempts: int | None = None) -> None:
    """Bands of a fixed and of a fitted cascade: margin at three levels, buy cost and pass of what is bought for them."""
    population, rng = duopoly(), np.random.default_rng((seed, problems))
    terms = rules(population)
    steps = all_steps(population, terms)
    fixed = Cascade(
        order=population.positions([name for name, _ in CASCADE], "cascade"), thresholds=tuple(b for _, b in CASCADE)
    )
    whole = build(population, terms, steps, points=8, levels=LEVELS)
    label = "solve" if attempts is None else f"solve, logs of {attempts} attempts"

    def true_margin(cascade: Cascade) -> FloatArray:
        price = offers(population, steps, LEVELS).market_price
        return np.maximum(1.0 - evaluate(population, terms, steps, cascade, LEVELS).cost / price, 0.0)

    for market in range(markets):
        sample = drawn(population, problems, rng, attempts)
        listed = all_steps(sample, terms)
        made = build(sample, terms, listed, points=8, levels=LEVELS)
        price = offers(sample, listed, LEVELS).market_price
        fitted = best_cascades(made, sample.prices, LEVELS, price).single
        parts = [evaluate(sample, terms, listed, one, LEVELS).paths for one in (fixed, fitted)]
        kinds = [([one.path] * LEVELS.size, part) for one, part in zip((fixed, fitted), parts, strict=True)]
        spread = bands(made, sample.prices, LEVELS, kinds, resamples=200, seed=market)
        for name, one, part, band in zip(("fixed", "fitted"), (fixed, fitted), parts, spread, strict=True):
            truth = true_margin(one)
            for k, level in enumerate(LEVELS):
                at = f"{name} cascade at {100 * level:.1f} %"
                if np.isfinite(price[k]):
                    tallies.setdefault((label, f"margin of a {at}", problems), Tally()).add(truth[k], *band.margin[:, k])
                if name == "fixed" and part[k]:
                    solved, cost = followed(whole, part[k], population.prices, population.weights[:, None])[:, -1, 0]
                    tallies.setdefault((label, f"buy cost of a {at}", problems), Tally()).add(cost, *band.buy_cost[:, k])
                    tallies.setdefault((label, f"pass of a {at}", problems), Tally()).add(solved, *band.solved[:, k])


def of_cross_fits(tallies: Tallies, problems: int, markets: int, seed: int) -> None:
    """The band over halves, of what the cascade that was fitted to the whole sample earns in the population."""
    population, rng = duopoly(), np.random.default_rng((seed, problems, 1))
    terms = rules(population)
    steps = all_steps(population, terms)
    whole = build(population, terms, steps, points=8)
    levels = levels_below(offered_reach(steps, population.weights), 0.05, 20)
    for market in range(markets):
        sample = drawn(population, problems, rng, attempts=20)
        listed = all_steps(sample, terms)
        own = levels_below(offered_reach(listed, sample.weights), 0.05, 20)
        made = build(sample, terms, listed, points=32)
        fitted = best_cascades(made, sample.prices, own, offers(sample, listed, own).market_price).single
        halves = cross_fit(sample, terms, access=None, splits=5, seed=market).band
        tally = tallies.setdefault(("cross-fits", "margin of the fitted cascade elsewhere", problems), Tally())
        tally.add(paid(whole, fitted, levels), *halves)


def of_distill(tallies: Tallies, problems: int, markets: int, seed: int) -> None:
    """Mean margins of three students with their teacher, thresholds as fitted, and the slope against tokens."""
    family = load(MODELS / "swebench-distillation.toml")
    teacher = next(p.name for p in family.providers if p.distillation_tokens is None)
    students = sorted((p for p in family.providers if p.name != teacher), key=lambda p: p.distillation_tokens or 0.0)
    population = family.restrict([teacher, students[0].name, students[2].name, students[-1].name])
    rng = np.random.default_rng((seed, problems, 2))
    terms = rules(population)
    for market in range(markets):
        sample = drawn(population, problems, rng)
        found = distill(sample, bootstrap=200, seed=market, points=8)
        truth = []
        for student in found.students:
            pair = population.restrict([teacher, student.name])
            steps = all_steps(pair, terms)
            levels = levels_below(float(steps[0].profile(pair.weights).solved[-1]), 0.1, 100)
            price = offers(pair, steps, levels, selling=[0]).market_price
            order = pair.positions(student.order, "order")
            path = positions(terms, steps, list(zip(order, student.thresholds, strict=True)))
            cost = evaluate(pair, terms, steps, Cascade(order=order, thresholds=tuple(b for _, b in path)), levels).cost
            truth.append(float(np.maximum(1.0 - cost / price, 0.0).mean()))
            tally = tallies.setdefault(("distill", f"mean margin of {student.name}", problems), Tally())
            tally.add(truth[-1], *ends(student.mean_margins))
        x = np.log([one.tokens or np.nan for one in found.students])
        tally = tallies.setdefault(("distill", "slope per ln(tokens)", problems), Tally())
        tally.add(float(np.polyfit(x, truth, 1)[0]), *ends(found.fit.slopes))


def of_learn(tallies: Tallies, problems: int, markets: int, seed: int) -> None:
    """The band over explorations of one sample's logs, of one exploration of another sample of the same size."""
    population, rng = duopoly(), np.random.default_rng((seed, problems, 3))
    asked: dict[str, Any] = {"budgets": [10.0, 100.0], "choices": ["empirical"]}
    for market in range(markets):
        sample, other = (drawn(population, problems, rng, attempts=20) for _ in range(2))
        band = learn(sample, resamples=40, seed=market, **asked).curves[0]
        truth = learn(other, resamples=1, seed=market + 10**6, **asked).curves[0]
        for k, budget in enumerate(asked["budgets"]):
            tally = tallies.setdefault(("learn", f"margin for ${budget:g} in another sample", problems), Tally())
            tally.add(truth.mean[k], band.p05[k], band.p95[k])


def of_radius(tallies: Tallies, problems: int, markets: int, seed: int) -> None:
    """Whether the worst case promised at the radius chosen is no more than the mixture's nominal margin in the population."""
    population, rng = duopoly(), np.random.default_rng((seed, problems, 4))
    domain = {name: "abc"[k % 3] for k, name in enumerate(population.problems)}
    terms = rules(population)
    labels = list(domain.values())
    members = np.array([[label == name for label in labels] for name in "abc"])
    mass = members @ population.weights
    shares = members * population.weights / mass[:, None]
    for market in range(markets):
        sample = drawn(population, problems, rng)
        scenarios = [domain[name.split(", drawn")[0]] for name in sample.problems]
        found = robust(sample, domains=scenarios, within="tv:0.1", auto_radius="bootstrap", cross_fits=0, seed=market)
        policies, weights = zip(*found.mixture, strict=True)
        paid_there = margins_matrix(population, policies, shares, terms).values @ np.array(weights)
        promised = np.nan if found.chosen is None else found.chosen.worst_case_margin
        tally = tallies.setdefault(("robust --auto-radius", "nominal margin, at least what was promised", problems), Tally())
        tally.add(float(mass @ paid_there), promised, np.inf)


def three_classes() -> Market:
    """A small duopoly: one provider cheap and narrow, the other dear and broad."""
    cheap, broad = (
        Provider(name=name, odds=Geometric(success=np.array(success)), spend=np.array(spend))
        for name, success, spend in (("cheap", [0.9, 0.4, 0.0], [0.05] * 3), ("broad", [0.9, 0.7, 0.3], [0.1, 0.15, 0.2]))
    )
    return Market(
        name="three classes",
        providers=(cheap, broad),
        weights=np.array([0.5, 0.3, 0.2]),
        max_budget=1.0,
        consumers=(Population(distribution="lognormal", parameters=(0.4, 1.0)),),
    )


def of_game(tallies: Tallies, problems: int, markets: int, seed: int) -> None:
    """Every figure of `equilibrium --bootstrap 40` on ticks of 5 %, at equilibrium prices and as changes between regimes."""
    population, rng = three_classes(), np.random.default_rng((seed, problems, 5))
    asked: dict[str, Any] = {"tick": 0.05, "points": 60, "regimes": ["direct", "competitive"]}
    truth = equilibrium(population, **asked).to_frame()
    for market in range(markets):
        found = equilibrium(drawn(population, problems, rng), bootstrap=40, seed=market, **asked)
        for _, row in truth.iterrows():
            for figure, (low, high) in found.bands.get(f"{row['regime']}, {row['prices']}", {}).items():
                label = f"{figure}, {row['regime']}, {row['prices']}"
                tallies.setdefault(("equilibrium --bootstrap", label, problems), Tally()).add(row[figure], low, high)


@dataclass(frozen=True)
class Part:
    """run : adds to tallies for so many problems and markets. share : of the markets asked for, where one takes long."""

    run: Callable[[Tallies, int, int, int], None]
    share: float = 1.0


PARTS = {
    "solve": Part(run=of_solve),
    "solve-logs": Part(run=functools.partial(of_solve, attempts=20), share=0.25),
    "cross-fits": Part(run=of_cross_fits, share=0.1),
    "distill": Part(run=of_distill, share=0.25),
    "learn": Part(run=of_learn, share=0.05),
    "radius": Part(run=of_radius, share=0.1),
    "game": Part(run=of_game, share=0.1),
}


def rows(tallies: Tallies) -> Iterator[dict[str, Any]]:
    for (band, figure, problems), tally in tallies.items():
        yield {"band": band, "figure": figure, "problems": problems, **tally.summary()}


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--markets", type=int, default=400, help="markets a row, fewer where one takes long")
    parser.add_argument("--only", default=",".join(PARTS), help="parts, separated by commas")
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)), help="problems of a sample, separated by commas")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=None, help="a JSON file; rows of other parts in it stay")
    asked = parser.parse_args(arguments)
    tallies: Tallies = {}
    seconds = {}
    for name in asked.only.split(","):
        part, begun = PARTS[name], time.process_time()
        for problems in map(int, asked.sizes.split(",")):
            part.run(tallies, problems, max(int(part.share * asked.markets), 1), asked.seed)
        seconds[name] = round(time.process_time() - begun)
        print(f"{name}: {seconds[name]} s", file=sys.stderr)
    answer = {
        "version": importlib.metadata.version("eqsolver"),
        "seed": asked.seed,
        "nominal": 0.9,
        "rows": [*rows(tallies)],
    }
    if asked.output is not None:
        if asked.output.exists():
            made = {row["band"] for row in answer["rows"]}
            kept = [row for row in json.loads(asked.output.read_text())["rows"] if row["band"] not in made]
            answer["rows"] = [*kept, *answer["rows"]]
        asked.output.write_text(json.dumps(answer, indent=1) + "\n")
    return answer


if __name__ == "__main__":
    print(json.dumps(main(), indent=1))
