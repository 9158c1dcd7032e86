"""What attempt logs show of how they were made: a rule that stopped them at a success, too few attempts, copies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eqsolver.market._odds import Sampled
from eqsolver.market._provider import Provider


@dataclass(frozen=True, slots=True, kw_only=True)
class StoppingTest:
    """How plain a stopping rule must be to be named.

    share : of the solved problems that must end at their r-th success, in (0, 1]; smaller names more logs.
    ratio : unsolved problems with over so many times the mean attempts of solved ones show that n was not fixed, > 1.
    few : a log of fewer attempts than this on every problem is called short, a count.
    """

    share: float = 0.8
    ratio: float = 2.0
    few: int = 3

    def stops_at(self, log: Sampled) -> int | None:
        """r, if the attempts on a problem stopped at the r-th success; None if not.

        Only where some solved problem is shorter than the longest log. With outcomes in order: at least `share` of the solved
        problems end in a success that is their r-th, the same r. With counts alone: no problem has more than r successes, at
        least `share` of the solved ones have r and are shorter than the longest log, and unsolved ones are longer on average.
        """
        n, c = log.attempts, log.successes
        solved = c > 0
        shorter = solved & (n < n.max())
        if not shorter.any():
            return None
        ended = solved & log.ends if log.ends is not None else shorter & (c == c.max())
        if not ended.any() or (log.ends is None and not (solved.all() or n[~solved].mean() > n[solved].mean())):
            return None
        r = int(np.bincount(c[ended]).argmax())
        return r if np.count_nonzero(ended & (c == r)) >= self.share * np.count_nonzero(solved) else None

    def lengths(self, log: Sampled) -> tuple[float, float] | None:
        """Mean attempts of solved and of unsolved problems, if the latter are over `ratio` times as many; else None."""
        solved = log.successes > 0
        if solved.all() or not solved.any():
            return None
        made, vain = float(log.attempts[solved].mean()), float(log.attempts[~solved].mean())
        return (made, vain) if vain > self.ratio * made else None


def log_notes(providers: Sequence[Provider], test: StoppingTest | None = None) -> tuple[str, ...]:
    """What a reader of an answer from these logs must know of them, a line each; providers without a log are passed over."""
    test = test or StoppingTest()
    logs = {p.name: p.odds for p in providers if isinstance(p.odds, Sampled)}
    notes = []
    rules = {name: test.stops_at(log) for name, log in logs.items()}
    for r in sorted({r for r in rules.values() if r is not None}):
        whose = _listed([name for name, found in rules.items() if found == r])
        notes.append(f"{whose}: attempts on a problem stop at the {ordinal(r)} success, so the unbiased estimator is biased.")
    for name, log in logs.items():
        found = test.lengths(log)
        if found is not None and rules[name] is None:
            notes.append(
                f"{name}: the number of attempts was not fixed beforehand ({found[1]:.1f} on average where unsolved, "
                f"{found[0]:.1f} where solved), so the unbiased estimator is biased."
            )
    if logs and all((log.attempts == 1).all() for log in logs.values()):
        notes.append(
            "One attempt per problem: a problem counts as solved surely or never, and policies only choose between these."
        )
    else:
        short = [name for name, log in logs.items() if log.attempts.max() < test.few]
        if short:
            notes.append(f"{_listed(short)}: fewer than {test.few} attempts on every problem; odds near the frontier are luck.")
    names = list(logs)
    for k, first in enumerate(names):
        same = [other for other in names[k + 1 :] if _alike(logs[first], logs[other])]
        if same and not any(_alike(logs[first], logs[other]) for other in names[:k]):
            notes.append(f"{_listed([first, *same])}: identical outcomes on every problem; copies of one log?")
    return tuple(notes)


def stopped_at_first(providers: Sequence[Provider], test: StoppingTest | None = None) -> tuple[str, ...]:
    """Names of the providers whose attempts on a problem stop at the first success."""
    test = test or StoppingTest()
    return tuple(p.name for p in providers if isinstance(p.odds, Sampled) and test.stops_at(p.odds) == 1)


def ordinal(number: int) -> str:
    """`first`, `2nd`, `3rd`, `10th`."""
    if number == 1:
        return "first"
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def _alike(first: Sampled, second: Sampled) -> bool:
    return np.array_equal(first.attempts, second.attempts) and np.array_equal(first.successes, second.successes)


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
