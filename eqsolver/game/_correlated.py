"""Coarse correlated equilibria of many players: profiles drawn together, so that no player gains by leaving the draw."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy import optimize

from eqsolver._base import FloatArray

Profile = tuple[int, ...]
Regrets = Callable[[Profile], tuple[FloatArray, list[FloatArray]]]
"""Profile -> (P,) payoffs, and per player what each of its actions (n,) would add to its own, the others' as they are."""

PLAYED = 1e-9
"""Probabilities below this are rounding of the linear program."""
CUTS = 60
"""Times that deviations which gain are added to one linear program."""


@dataclass(slots=True, eq=False)
class Draw:
    """Profiles looked at, and the draw among them from which deviations gain least. shares : (S,) their probabilities.

    gain : (P,) what the best deviation gains each player, as a share of its expected payoff (at least its part of `floor`).
    """

    profiles: list[Profile] = field(default_factory=list)
    shares: FloatArray = field(default_factory=lambda: np.zeros(0))
    payoffs: FloatArray = field(default_factory=lambda: np.zeros(0))
    gain: FloatArray = field(default_factory=lambda: np.zeros(0))
    best: list[int] = field(default_factory=list)


class Correlated:
    """The search for one: a linear program over the profiles known, and new profiles where it is still worth deviating.

    regrets : of a profile, asked for once. floor : payoff below which gains are shares of it rather than of the payoff.
    """

    def __init__(self, regrets: Regrets, floor: float) -> None:
        self._regrets, self._floor = regrets, floor
        self._known: dict[Profile, tuple[FloatArray, list[FloatArray]]] = {}
        self._cuts: set[tuple[int, int]] = set()
        self._scale: FloatArray | None = None

    def add(self, profile: Profile) -> bool:
        """Look at a profile; whether it is new."""
        if profile in self._known:
            return False
        self._known[profile] = self._regrets(profile)
        _, gains = self._known[profile]
        self._cuts |= {(p, int(np.argmax(gain))) for p, gain in enumerate(gains)}
        return True

    def response(self, profile: Profile, player: int) -> Profile:
        """The profile with a player's best response to the others in it."""
        self.add(profile)
        action = int(np.argmax(self._known[profile][1][player]))
        return (*profile[:player], action, *profile[player + 1 :])

    def solve(self) -> Draw:
        """The draw among known profiles that makes the largest relative gain of any player least.

        Notes
        -----
        Linear program (HiGHS) in the probabilities x and t: sum_a x(a) (U_p(b, a_-p) - U_p(a)) <= t s_p for every player p and
        action b, t least, where s_p is p's payoff in the last draw. Deviations are added as they are found to gain.
        """
        profiles = list(self._known)
        payoffs = np.array([self._known[a][0] for a in profiles])
        stacked = [np.array([self._known[a][1][p] for a in profiles]) for p in range(payoffs.shape[1])]
        if self._scale is None:
            self._scale = _positive(np.maximum(payoffs.mean(axis=0), self._floor))
        shares = np.full(len(profiles), 1 / len(profiles))
        for _ in range(CUTS):
            shares = self._program(stacked)
            gains = [shares @ table for table in stacked]
            new = {(p, int(np.argmax(gain))) for p, gain in enumerate(gains)} - self._cuts
            scale = _positive(np.maximum(shares @ payoffs, self._floor))
            settled = bool((np.abs(scale / self._scale - 1) < RESCALED).all())
            self._scale = scale
            self._cuts |= new
            if not new and settled:
                break
        played = shares > PLAYED
        shares = np.where(played, shares, 0.0) / shares[played].sum()
        gains = [shares @ table for table in stacked]
        value = shares @ payoffs
        return Draw(
            profiles=[a for a, on in zip(profiles, played, strict=True) if on],
            shares=shares[played],
            payoffs=value,
            gain=np.array([max(float(gain.max()), 0.0) for gain in gains]) / _positive(np.maximum(value, self._floor)),
            best=[int(np.argmax(gain)) for gain in gains],
        )

    def _program(self, stacked: Sequence[FloatArray]) -> FloatArray:
        assert self._scale is not None, "set before"
        N = stacked[0].shape[0]
        rows = np.array([np.append(stacked[p][:, b] / self._scale[p], -1.0) for p, b in sorted(self._cuts)])
        found = optimize.linprog(
            np.append(np.zeros(N), 1.0),
            A_ub=rows,
            b_ub=np.zeros(len(rows)),
            A_eq=np.append(np.ones(N), 0.0)[None],
            b_eq=[1.0],
            bounds=[(0, 1)] * N + [(None, None)],
        )
        assert found.x is not None, found.message
        shares = np.maximum(np.asarray(found.x[:-1], dtype=np.float64), 0.0)
        return np.asarray(shares / shares.sum())


def _positive(scale: FloatArray) -> FloatArray:
    """What gains are shares of; where nobody earns anything, money itself."""
    return np.asarray(np.where(scale > 0, scale, 1.0))


RESCALED = 0.02
"""Share by which payoffs may differ from those that gains are shares of in the linear program."""


def coarse_correlated(
    regrets: Regrets,
    start: Sequence[Profile],
    *,
    floor: float,
    tolerance: float,
    max_rounds: int,
    seed: int = 0,
    tell: Callable[[float], None],
) -> tuple[Draw, int]:
    """A draw of profiles from which no player gains more than a share `tolerance`, or the best one found; and the rounds.

    Parameters
    ----------
    start : profiles to begin with. floor : see `Correlated`. max_rounds : linear programs, at most.

    Notes
    -----
    Each round adds, from profiles drawn, what a player's best deviation against the whole draw makes of them, and a sweep of
    best responses by everybody, in random order.
    """
    search, rng = Correlated(regrets, floor), np.random.default_rng(seed)
    for profile in start:
        search.add(profile)
    best: Draw | None = None
    rounds, stale = 0, 0
    while rounds < max_rounds and stale < STALE:
        rounds += 1
        found = search.solve()
        stale += 1
        if best is None or found.gain.max() < best.gain.max() * (1 - PROGRESS):
            stale = 0
        if best is None or found.gain.max() < best.gain.max():
            best = found
        tell(float(best.gain.max()))
        if best.gain.max() <= tolerance:
            break
        for row in rng.choice(len(found.profiles), size=SWEEPS, p=found.shares):
            profile = found.profiles[row]
            for p in np.argsort(-found.gain):
                if found.gain[p] > tolerance / 2:
                    search.add((*profile[:p], found.best[p], *profile[p + 1 :]))
            for p in rng.permutation(len(profile)):
                profile = search.response(profile, int(p))
                search.add(profile)
    assert best is not None, "there is a round"
    return best, rounds


SWEEPS = 2
"""Profiles of the last draw from which new ones are sought in a round."""
STALE = 25
"""Rounds without progress after which the search ends."""
PROGRESS = 0.01
