"""Columns of text in groups under one heading, broken into as many tables as the width of the page asks for."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

PIPED_WIDTH = 120
GAP, GROUP_GAP = "  ", "   "


@dataclass(frozen=True, slots=True)
class Group:
    """Columns that belong together.

    title : over all of them. headings : one per column. cells : per column, its rows. text : set to the left, not the right.
    """

    title: str
    headings: tuple[str, ...]
    cells: tuple[tuple[str, ...], ...]
    text: bool = False

    @property
    def widths(self) -> list[int]:
        """Of each column; the first takes up what the title needs beyond them."""
        found = [max(map(cell_len, (heading, *column))) for heading, column in zip(self.headings, self.cells, strict=True)]
        found[0] += max(cell_len(self.title) - sum(found) - len(GAP) * (len(found) - 1), 0)
        return found

    @property
    def width(self) -> int:
        return sum(self.widths) + len(GAP) * (len(self.headings) - 1)

    def line(self, cells: Sequence[str]) -> str:
        """One row of the group, as wide as the group."""
        return GAP.join(_padded(cell, width, self.text) for cell, width in zip(cells, self.widths, strict=True))

    def fitting(self, width: int) -> list[Group]:
        """The same columns in groups no wider than that, unless a single column is."""
        if self.width <= width or len(self.headings) == 1:
            return [self]
        most = next((k for k in range(len(self.headings) - 1, 1, -1) if self._first(k).width <= width), 1)
        rest = replace(self, headings=self.headings[most:], cells=self.cells[most:])
        return [self._first(most), *rest.fitting(width)]

    def _first(self, number: int) -> Group:
        return replace(self, headings=self.headings[:number], cells=self.cells[:number])


@contextmanager
def wide(console: Console) -> Iterator[None]:
    """Lines of at least 120 characters for as long as nobody's terminal sets the width."""
    if console.is_terminal:
        yield
        return
    before = console.width
    console.width = max(before, PIPED_WIDTH)
    try:
        yield
    finally:
        console.width = before


def say(console: Console, text: str, style: str = "") -> None:
    """One line as it is: no markup, no highlighting, nothing the encoding lacks."""
    if console.options.ascii_only:
        text = text.replace("—", "-").replace("─", "-")
    console.print(Text(text.rstrip(), style=style), highlight=False)


def say_notes(console: Console, notes: Sequence[str]) -> None:
    """What the logs say of how they were made, a line each: see `Market.notes`."""
    for note in notes:
        say(console, note, "yellow")


def show(console: Console, title: str, key: Group, groups: Sequence[Group]) -> None:
    """Print groups of columns behind a key column, which is repeated where they need more than one table."""
    say(console, "")
    say(console, title, "bold")
    room = console.width - key.width - len(GROUP_GAP)
    tables: list[list[Group]] = [[key]]
    left = room
    for piece in itertools.chain.from_iterable(whole.fitting(room) for whole in groups):
        if piece.width > left and len(tables[-1]) > 1:
            tables.append([key])
            left = room
        tables[-1].append(piece)
        left -= piece.width + len(GROUP_GAP)
    for number, table in enumerate(tables):
        if number:
            say(console, "")
        _print(console, table)


def _print(console: Console, table: Sequence[Group]) -> None:
    if any(group.title for group in table):
        say(console, GROUP_GAP.join(_padded(group.title, group.width, len(group.headings) > 1) for group in table), "bold")
    say(console, GROUP_GAP.join(group.line(group.headings) for group in table))
    say(console, GROUP_GAP.join("─" * group.width for group in table), "dim")
    for row in range(len(table[0].cells[0])):
        say(console, GROUP_GAP.join(group.line([column[row] for column in group.cells]) for group in table))


def _padded(text: str, width: int, to_the_left: bool) -> str:
    space = " " * (width - cell_len(text))
    return text + space if to_the_left else space + text
