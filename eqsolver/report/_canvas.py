"""What every figure shares: colours, size, axes in percent and in money, and how it becomes PNG bytes."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter

from eqsolver._base import FloatArray, UsageError
from eqsolver._files import check_writable, written

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#F0E442", "#7F7F7F")
"""Okabe and Ito's colour-blind safe palette: providers, in the market's order, in every figure."""


def save(figures: Mapping[str, Figure], folder: Path, note: str) -> list[Path]:
    """Write figures as PNG files into a folder, made if need be; they appear whole and together, or not at all.

    figures : by name, of which the file's keeps letters, digits and `_.-`; all else becomes `_`. note : in their corner.

    Raises `UsageError` if they cannot be written there.
    """
    check_writable(folder, folder=True)
    pictures = {folder / f"{re.sub(r'[^A-Za-z0-9_.-]', '_', name)}.png": _png(figure, note) for name, figure in figures.items()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder}: cannot be made: {error.strerror or error}") from None
    with written(pictures):
        return list(pictures)


def _png(figure: Figure, note: str) -> bytes:
    figure.set_layout_engine("constrained", rect=(0, 0.03, 1, 0.97))  # room for the note below the axes
    figure.text(0.995, 0.005, note, ha="right", va="bottom", fontsize=6, color="0.5")
    FigureCanvasAgg(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150)
    return buffer.getvalue()


def bare(axes: Any) -> None:
    """A light grid and no box."""
    axes.grid(alpha=0.25, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)


def new_figure(title: str, columns: int = 1, rows: int = 1, *, share_y: bool = True) -> tuple[Figure, Any]:
    """A figure and its axes, one or an array of them."""
    size = 7.0 if columns == 1 else 9.0, 4.3 if rows == 1 else 6.4
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(rows, columns, sharey=share_y)
    figure.suptitle(title, fontsize=11)
    for one in np.atleast_1d(axes).flat:
        bare(one)
    return figure, axes


def level_axis(axes: Any, levels: FloatArray) -> None:
    """Levels along x."""
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=None))
    axes.set_xlabel("performance: share of problems solved")
    if levels[0] < levels[-1]:
        axes.set_xlim(float(levels[0]), float(levels[-1]))


def finite(values: Any) -> Any:
    """The same with gaps where there is no figure."""
    return np.where(np.isfinite(values), values, np.nan)


def line(axes: Any, x: Any, y: Any, **style: Any) -> None:
    """A line with gaps; a dot where it has one point only."""
    axes.plot(x, finite(y), marker="o" if len(x) == 1 else None, **style)


def money_axis(axes: Any, unit: str, values: Sequence[Any]) -> None:
    """Money along y: from zero, or in its logarithm where the values shown span more than tenfold."""
    axes.set_ylabel(f"{unit} per problem")
    seen = np.concatenate([np.asarray(v)[np.isfinite(v)] for v in values])
    seen = seen[seen > 0]
    if seen.size and seen.max() / seen.min() > 10:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}"))
        axes.yaxis.set_minor_formatter(FuncFormatter(lambda value, _: ""))
    elif seen.size:
        axes.set_ylim(bottom=0)


def stacked(axes: Any, levels: FloatArray, shares: FloatArray, names: Sequence[str], colours: Sequence[str]) -> None:
    """Shares of a whole (K, L), stacked over the levels at which all are known."""
    priced = np.isfinite(shares).all(axis=0)
    axes.set_ylim(0, 1)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    if priced.sum() > 1:
        axes.stackplot(levels[priced], shares[:, priced], colors=colours, labels=names, linewidth=0)
        axes.set_xlim(levels[priced][0], levels[priced][-1])
    elif priced.any():
        bottom = 0.0
        for name, share, colour in zip(names, shares[:, priced][:, 0], colours, strict=True):
            axes.bar(f"{100 * levels[priced][0]:.1f} %", share, bottom=bottom, color=colour, label=name, width=0.4)
            bottom += share
