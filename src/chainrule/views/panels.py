"""The parts of a view: panels of marks between axes, spaces with surfaces, tables; and the sheet that they stand on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, field
from typing import ClassVar, Literal, TypeAlias, cast

from numpy.typing import ArrayLike

from chainrule.checks import shown, unknown
from chainrule.display import Shown
from chainrule.errors import OptionTypeError
from chainrule.graph import Array
from chainrule.immutable import immutable
from chainrule.numerals import numeral
from chainrule.spelling import aligned
from chainrule.views.marks import Mark, Surface
from chainrule.views.plain import printable

Cell: TypeAlias = "str | int | float"
Span: TypeAlias = tuple[float, float]
"""The lower and the upper end of an axis."""
Legend: TypeAlias = Literal[
    "best", "upper left", "upper right", "lower left", "lower right", "top", "right", "above", "below", "none"
]
"""Where the legend stands: in the panel, at the top side by side, or outside of it: right, above, below."""


@immutable(eq=False)
class Axis:
    """An axis: its label with the unit, its `ends` (the larger one first turns it round, None is found), and where numbers stand.

    `at` with `texts` are categories. `turn`: degrees by which the texts are turned. `room`: points left free for images that
    stand there. `margin`: what is left free beyond the marks, as a fraction.
    """

    label: str = ""
    _: KW_ONLY
    log: bool = False
    ends: tuple[float | None, float | None] | None = None
    at: ArrayLike | None = None
    texts: Sequence[str] | None = None
    turn: float = 0.0
    size: float = 9.0
    room: float = 0.0
    margin: float = 0.05


@immutable(eq=False)
class Panel:
    """Marks between two axes. `frame`: what is seen of the axes: their lines, their texts only, or none of them."""

    kind: ClassVar[str] = "panel"
    marks: Sequence[Mark]
    x: Axis = Axis()
    y: Axis = Axis()
    _: KW_ONLY
    title: str = ""
    legend: Legend = "best"
    legend_title: str = ""
    equal: bool = False
    small: bool = False
    frame: Literal["lines", "texts", "none"] = "lines"


@immutable(eq=False)
class Space:
    """Surfaces between three axes, seen from `azimuth` and `elevation` in degrees; on a page it can be turned."""

    kind: ClassVar[str] = "space"
    marks: Sequence[Surface]
    x: Axis = Axis()
    y: Axis = Axis()
    z: Axis = Axis()
    _: KW_ONLY
    title: str = ""
    azimuth: float = -122.0
    elevation: float = 24.0
    zoom: float = 0.85


@immutable
class Table(Shown):
    """Rows under headings; `str()` gives them in aligned columns.

    >>> print(Table(("entry", "value"), (("W[0, 1]", -0.25), ("b[0]", 0.125))))
    entry    value
    W[0, 1]  −0.25
    b[0]     0.125
    """

    kind: ClassVar[str] = "table"
    headings: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    title: str = ""

    def column(self, heading: str) -> tuple[Cell, ...]:
        """The cells under a heading, from top to bottom."""
        if heading not in self.headings:
            raise unknown(f"the column {heading!r}", heading, map(str, self.headings))
        place = self.headings.index(heading)
        return tuple(row[place] for row in self.rows)

    def __str__(self) -> str:
        return aligned([tuple(printable(cell, most=40) for cell in self.headings), *self.texts()])

    def texts(self) -> list[tuple[str, ...]]:
        """The rows as texts."""
        return [tuple(map(_cell, row)) for row in self.rows]


def _cell(cell: Cell) -> str:
    return numeral(cell) if isinstance(cell, float) else printable(cell, most=40)


Part: TypeAlias = Panel | Space | Table


@immutable(eq=False)
class Sheet:
    """Panels with what they say: at most `columns` of them beside each other, on a `size` of inches.

    `numbers`: what is drawn, and what was found on the way, by name. `legend`: one legend for all panels, above them.
    """

    title: str
    reading: str
    panels: Sequence[Part]
    numbers: Mapping[str, Array] = field(default_factory=dict[str, Array])
    _: KW_ONLY
    columns: int = 3
    size: tuple[float, float] = (5.6, 3.6)
    legend: bool = False

    def __post_init__(self) -> None:
        parts = cast("object", self.panels)
        kinds = {type(part) for part in cast("Sequence[object]", parts)} if isinstance(parts, list | tuple) else {None}
        if not kinds <= {Panel, Space, Table}:
            raise OptionTypeError(
                f"panels={shown(cast('object', parts))} in {self.title!r}",
                expected="a list of Panel, Space or Table",
                remedy="write [Panel(marks, ...)]",
            )

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the panels, the rows as full as can be."""
        rows = -(-len(self.panels) // self.columns)
        return rows, -(-len(self.panels) // rows)
