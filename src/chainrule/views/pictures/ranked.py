"""A small table of numbers: what a picture's ranked lists are given as; it prints in aligned columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from chainrule.display import Shown
from chainrule.numerals import numeral
from chainrule.views.plain import printable

Cell: TypeAlias = "str | int | float"


@dataclass(frozen=True)
class Ranked(Shown):
    """Rows in the order of their rank, under headings; `str()` gives them in aligned columns.

    >>> print(Ranked(("entry", "value"), (("W[0, 1]", -0.25), ("b[0]", 0.125))))
    entry    value
    W[0, 1]  −0.25
    b[0]     0.125
    """

    headings: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def column(self, heading: str) -> tuple[Cell, ...]:
        """The cells under a heading, from top to bottom."""
        place = self.headings.index(heading)
        return tuple(row[place] for row in self.rows)

    def __str__(self) -> str:
        lines = [tuple(printable(cell, most=40) for cell in self.headings), *self.texts()]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
        )

    def texts(self) -> list[tuple[str, ...]]:
        """The rows as texts."""
        return [tuple(map(_cell, row)) for row in self.rows]


def _cell(cell: Cell) -> str:
    return numeral(cell) if isinstance(cell, float) else printable(cell, most=40)
