"""Exploration: what a budget of attempts on random problems reveals of a market."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from eqsolver._base import FloatArray, IntArray, UsageError
from eqsolver.market import Market, Sampled


def explored(market: Market, budget: float, generator: np.random.Generator, *, attempts: int) -> Market | None:
    """The market of the attempts that a budget buys: their outcomes and costs, and nothing of the rest.

    Parameters
    ----------
    market : of logs, which are what there is to buy. budget : money at posted prices.
    attempts : bought of every provider when a problem is visited, as far as its log has more.

    Returns
    -------
    The problems on which every provider was tried, equally likely; None if the budget is too small for any.

    Notes
    -----
    Problems are visited in random order (likelier ones earlier); after the last, the first is visited again. Every attempt
    costs what the log says it did, solved or not, and is charged; the first that cannot be paid ends it. Which of a problem's
    logged attempts are seen is drawn without replacement, so a budget beyond the whole logs' cost reveals just these.
    """
    logs = sampled(market)
    N, M = market.weights.size, len(logs)
    order = generator.choice(N, size=N, replace=False, p=market.weights)
    n = np.stack([log.attempts for log in logs])[:, order]  # (M, N) in the order of visits
    price = np.stack([p.mean_spend * p.price for p in market.providers])[:, order]
    visits = -(-int(n.max()) // attempts)
    begun = np.arange(visits)[:, None, None] * attempts
    count = np.clip(n.T[None] - begun, 0, attempts)  # (visits, N, M) attempts bought, one provider after the other
    bill = (count * price.T[None]).ravel()
    paid = np.cumsum(bill)
    whole = int(np.searchsorted(paid, budget * (1 + 1e-12), side="right"))
    bought = np.where(np.arange(bill.size) < whole, count.ravel(), 0)
    if whole < bill.size:
        left = budget - (paid[whole - 1] if whole else 0.0)
        one = bill[whole] / count.ravel()[whole]
        bought[whole] = min(int(left / one * (1 + 1e-12)), int(count.ravel()[whole]))
    seen = np.zeros((M, N), dtype=np.int64)
    seen[:, order] = bought.reshape(visits, N, M).sum(axis=0).T
    return _revealed(market, logs, seen, generator)


def _revealed(market: Market, logs: list[Sampled], seen: IntArray, generator: np.random.Generator) -> Market | None:
    solved = [
        generator.hypergeometric(log.successes, log.attempts - log.successes, k) for log, k in zip(logs, seen, strict=True)
    ]
    tried = (seen > 0).all(axis=0)
    if not tried.any():
        return None
    kept = np.flatnonzero(tried)
    part = market.reweighted(tried)
    providers = tuple(
        replace(p, odds=Sampled(attempts=k[kept], successes=c[kept]))
        for p, k, c in zip(part.providers, seen, solved, strict=True)
    )
    return replace(part, providers=providers)


def sampled(market: Market) -> list[Sampled]:
    """The logs of every provider; a `UsageError` if odds are given otherwise."""
    logs = [p.odds for p in market.providers if isinstance(p.odds, Sampled)]
    if len(logs) != len(market.providers):
        raise UsageError(f"market {market.name!r}: only attempt logs can be explored")
    return logs


def logs_cost(market: Market) -> float:
    """Money, at posted prices, that all attempts of the logs cost."""
    bills: list[FloatArray] = [
        p.price * p.mean_spend * log.attempts for p, log in zip(market.providers, sampled(market), strict=True)
    ]
    return float(np.sum(bills))
