"""Markets from tables of attempts: logs of other tools, and data frames."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from eqsolver._base import BoolArray, FloatArray, IntArray, MarketError
from eqsolver.logs import Cells, LogOptions, audit, cells, price_lines, problem_sets, read_attempts
from eqsolver.market._market import Market
from eqsolver.market._odds import Sampled
from eqsolver.market._provider import Provider
from eqsolver.market._stopping import log_notes


class ForeignLogs(NamedTuple):
    """A market of other tools' logs, lines on what was read, and {problem: domain} where the logs name domains."""

    market: Market
    lines: list[str]
    domains: dict[str, str]


def read_foreign(
    paths: Sequence[Path],
    options: LogOptions | None = None,
    *,
    name: str | None = None,
    unit: str | None = None,
    providers: Sequence[str] | None = None,
) -> ForeignLogs:
    """The market of logs of any format, and lines that say what was read, what was left out and what looks odd.

    Parameters
    ----------
    paths : files and folders, of formats that are found by looking at them. options : how they are read.
    name : of the market; default that of the first path. unit : of money; default the logs' currency, or USD.
    providers : of these only, in their order.

    Returns
    -------
    Market with `Sampled` odds of the problems on which every provider has `attempts_min` attempts with a verdict and a known
    cost; an attempt of unknown cost counts, at the mean cost of others with its outcome. Problems are equally weighted.

    Raises
    ------
    MarketError : a log cannot be read or cannot be true; no verdict or cost is known; a cost of 0 is not declared `free`.
    """
    options = options or LogOptions()
    with read_attempts(paths, options) as attempts:
        found = cells(attempts.store, providers)
        lines = audit(attempts, found)
        usable = (found["attempts"] >= options.attempts_min) & (
            (found.cost.number.sum(axis=2) > 0) | _free(found, options)[:, None]
        )
        lines += problem_sets(found, usable)
        named = {"name": name or paths[0].absolute().stem, "unit": unit or attempts.currency or "USD"}
        market = _market(found, usable, options, price_lines(attempts), **named)
    return ForeignLogs(
        market, lines, {name: domain for name, domain in zip(found.problems, found.domains, strict=True) if domain}
    )


def _free(found: Cells, options: LogOptions) -> BoolArray:
    """(M,) which providers are declared free."""
    free: BoolArray = np.isin(found.providers, options.free)
    return free


def _market(found: Cells, usable: BoolArray, options: LogOptions, prices: Sequence[str], *, name: str, unit: str) -> Market:
    _refuse(found, options)
    kept = np.flatnonzero(usable.all(axis=0))
    if not kept.size:
        counts = ", ".join(f"{seller} ({number})" for seller, number in zip(found.providers, usable.sum(axis=1), strict=True))
        raise MarketError(f"no problem has attempts and costs of every provider: {counts}; --providers chooses some of them")
    sellers = []
    for i, seller in enumerate(found.providers):
        solved, failed = _costs(found, i, kept, options)
        odds, free = _sampled(found, i, kept), seller in options.free
        sellers.append(Provider(name=seller, odds=odds, spend=solved, spend_failed=failed, free=free))
    return Market(
        name=name,
        providers=tuple(sellers),
        weights=np.full(kept.size, 1 / kept.size),
        problems=tuple(found.problems[x] for x in kept),
        unit=unit,
        dropped=_dropped(found, usable, options),
        notes=(*log_notes(sellers), *prices),
    )


def _costs(found: Cells, i: int, kept: IntArray, options: LogOptions) -> tuple[FloatArray, FloatArray]:
    """(N,) mean costs of a successful and of a failed attempt; where only one kind has costs, its mean stands for both."""
    seller = found.providers[i]
    if seller in options.free:
        return np.zeros(kept.size), np.zeros(kept.size)
    failed, solved = found.cost.mean_by_outcome[i, kept].T
    solved, failed = np.where(np.isnan(solved), failed, solved), np.where(np.isnan(failed), solved, failed)
    if nothing := np.flatnonzero(np.minimum(solved, failed) == 0).tolist():
        told = f"{seller}: attempts on {found.problems[kept[nothing[0]]]!r} cost 0"
        raise MarketError(f"{told}; leave them out, or say with --free {seller} that it is free")
    return solved, failed


def _sampled(found: Cells, i: int, kept: IntArray) -> Sampled:
    """What a provider's attempts on some problems came to."""
    last = found["last_solved"][i, kept]
    ends = None if np.isnan(last).any() else last > 0
    n, c = (found[column][i, kept].astype(np.int64) for column in ("attempts", "successes"))
    return Sampled(attempts=n, successes=c, ends=ends)


def attempt_notes(found: Cells) -> tuple[str, ...]:
    """What `log_notes` says of attempts, on the problems that every provider tried, whatever they cost."""
    kept = np.flatnonzero((found["attempts"] > 0).all(axis=0))
    if not kept.size:
        return ()
    ones = np.ones(kept.size)
    return log_notes([Provider(name=name, odds=_sampled(found, i, kept), spend=ones) for i, name in enumerate(found.providers)])


def _refuse(found: Cells, options: LogOptions) -> None:
    """Raise `MarketError` where no market can be made: no verdicts, unknown costs, costs of 0."""
    for i, seller in enumerate(found.providers):
        made, unpaid, zero = (int(found[column][i].sum()) for column in ("attempts", "unpaid", "zero"))
        if not made:
            raise MarketError(
                f"{seller}: none of its {int(found['excluded'][i].sum())} attempts has a verdict{_help(found, i)}"
            )
        if seller in options.free:
            if found.cost.total[i].sum() > 0:
                raise MarketError(f"{seller}: its attempts have costs, though --free says that it is free")
            continue
        if zero:
            told = f"{seller}: {zero} of {made} attempts cost 0 though tokens were used"
            raise MarketError(
                f"{told}; --free {seller} says that it is free, --price-list finds a price, an empty cost is unknown"
            )
        if unpaid and (options.require_cost or unpaid == made):
            tokens = not np.isnan(found["least_tokens"][i]).all()
            hint = "--price-list prices their tokens" if tokens else "--map cost=COLUMN names a cost"
            raise MarketError(
                f"{seller}: {unpaid} of {made} attempts have no cost; {hint}, --free {seller} says that it is free"
            )


def _help(found: Cells, i: int) -> str:
    return "; --verdicts CSV gives verdicts, --solved-at X decides on partial credit" if found["excluded"][i].sum() else ""


def _dropped(found: Cells, usable: BoolArray, options: LogOptions) -> dict[str, int]:
    """{reason: number of problems}, each under its first reason."""
    few = "no attempts" if options.attempts_min == 1 else f"fewer than {options.attempts_min} attempts"
    reasons: Counter[str] = Counter()
    for x in np.flatnonzero(~usable.all(axis=0)):
        short = [seller for i, seller in enumerate(found.providers) if found["attempts"][i, x] < options.attempts_min]
        unpaid = [seller for i, seller in enumerate(found.providers) if not usable[i, x] and seller not in short]
        lacking = short or unpaid
        listed = f"{', '.join(lacking[:-1])} and {lacking[-1]}" if len(lacking) > 1 else lacking[0]
        reasons[f"{few} of {listed}" if short else f"no cost of {listed}"] += 1
    return dict(reasons.most_common())


def from_frame(frame: Any, options: LogOptions | None = None, **named: Any) -> Market:
    """The market of a data frame with the columns of the attempt table; see `Market.from_attempts`."""
    with tempfile.TemporaryDirectory(prefix="eqsolver-") as folder:
        path = Path(folder) / "attempts.csv"
        frame.to_csv(path, index=False)
        return read_foreign([path], replace(options or LogOptions(), format="table"), **{"name": "attempts", **named}).market
