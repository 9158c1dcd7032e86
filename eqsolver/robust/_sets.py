"""Ambiguity sets: which weights of the scenarios an allocation has to be prepared for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from eqsolver._base import FloatArray, IntArray, UsageError

Kind = Literal["nominal", "worst", "cvar", "tv", "chi2", "kl", "wasserstein"]
KINDS: Mapping[str, Kind] = {kind: kind for kind in get_args(Kind)}

TOLERANCE = 1e-9
"""Weights this close to a set, in its own measure relative to 1 + radius, belong to it (rounding)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AmbiguitySet:
    """Weights q of Xi scenarios around nominal ones q0 (THEORY section 8).

    kind : `nominal`, q = q0; `worst`, any weights; `cvar`, q <= q0 / radius, the worst tail of that share; `tv`, half the
        sum of |q - q0| at most radius; `chi2`, sum of (q - q0)^2 / q0; `kl`, sum of q log(q / q0); `wasserstein`, the least
        cost of moving q0 to q at most radius, with `distance` as the cost per unit of weight.
        Only `worst`, `tv` and `wasserstein` may put weight on scenarios of nominal weight zero.
    radius : the tail share in (0, 1] of `cvar`, otherwise >= 0; None for `nominal` and `worst`.
    distance : (Xi, Xi) of `wasserstein`, see `distances`; None for the others.
    """

    kind: Kind
    radius: float | None = None
    distance: FloatArray | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise UsageError(f"ambiguity set {self.kind!r}: there are {', '.join(KINDS)}")
        if self.kind in ("nominal", "worst"):
            if self.radius is not None:
                raise UsageError(f"ambiguity set {self.kind!r} has no radius, found {self.radius:g}")
            return
        if self.radius is None:
            raise UsageError(
                f"ambiguity set {self.kind!r} needs a {self.called}: {self.kind}:{0.7 if self.kind == 'cvar' else 0.1}"
            )
        if self.kind == "cvar":
            if not 0 < self.radius <= 1:
                raise UsageError(f"cvar:{self.radius:g}: the tail share must lie in (0, 1]; 1 is nominal")
        elif not (self.radius >= 0 and np.isfinite(self.radius)):
            raise UsageError(f"{self.kind}:{self.radius:g}: the radius must be >= 0 and finite")

    @property
    def called(self) -> str:
        return "tail share" if self.kind == "cvar" else "radius"

    @property
    def label(self) -> str:
        """As written on the command line."""
        return self.kind if self.radius is None else f"{self.kind}:{self.radius:g}"

    def at(self, radius: float) -> AmbiguitySet:
        """The same kind of set with another radius."""
        return replace(self, radius=radius)

    def among(self, rows: IntArray) -> AmbiguitySet:
        """The same set over some of the scenarios."""
        return self if self.distance is None else replace(self, distance=self.distance[np.ix_(rows, rows)])

    def excess(self, q: FloatArray, nominal: FloatArray) -> float:
        """By how much weights q (Xi,) miss the set, in its own measure; 0 or less inside."""
        off = max(float(-q.min()), abs(float(q.sum()) - 1.0))
        support = nominal > 0
        if self.kind in ("cvar", "chi2", "kl") and (q[~support] > 0).any():
            off = max(off, float(q[~support].sum()))
        q, q0 = np.maximum(q[support], 0.0), nominal[support]
        r = 0.0 if self.radius is None else self.radius
        match self.kind:
            case "nominal":
                return max(off, float(np.abs(q - q0).max()), 1.0 - float(q.sum()))
            case "worst":
                return off
            case "cvar":
                return max(off, float((q - q0 / r).max()))
            case "tv":
                return max(off, 0.5 * float(np.abs(q - q0).sum() + 1.0 - q.sum()) - r)
            case "chi2":
                return max(off, float(((q - q0) ** 2 / q0).sum()) - r)
            case "kl":
                return max(off, float(np.where(q > 0, q * np.log(np.where(q > 0, q / q0, 1.0)), 0.0).sum()) - r)
            case "wasserstein":
                raise ValueError("the distance between two weightings is itself a linear program: see `transport_cost`")


def ambiguity_set(text: str, distance: FloatArray | None = None) -> AmbiguitySet:
    """`nominal`, `worst`, `cvar:a`, `tv:r`, `chi2:r`, `kl:r` or `wasserstein:r` as a set.

    >>> ambiguity_set("tv:0.1").radius
    0.1
    """
    kind, colon, value = text.partition(":")
    radius = None
    if kind not in KINDS:
        raise UsageError(f"ambiguity set {text!r}: there are nominal, worst, cvar:a, tv:r, chi2:r, kl:r and wasserstein:r")
    if colon:
        try:
            radius = float(value)
        except ValueError:
            raise UsageError(f"ambiguity set {text!r}: {value!r} is not a number") from None
    return AmbiguitySet(kind=KINDS[kind], radius=radius, distance=distance if kind == "wasserstein" else None)


def distances(features: FloatArray) -> FloatArray:
    """(Xi, Xi) Euclidean distances between the scenarios' features (Xi, d)."""
    found: FloatArray = np.sqrt(((features[:, None] - features[None]) ** 2).sum(axis=2))
    return found
