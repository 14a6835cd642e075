"""A view: a title, one sentence on how to read it, and panels of marks, which matplotlib draws, or a page that reads them as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, TypedDict, Unpack, cast

import numpy as np
from numpy.typing import ArrayLike

from chainrule.checks import shown
from chainrule.errors import OptionTypeError
from chainrule.graph import Array
from chainrule.immutable import immutable
from chainrule.views.figures.draw import draw_sheet, sheet_figure
from chainrule.views.figures.page_svg import figure_svg
from chainrule.views.marks import Mark
from chainrule.views.packed import sheet_json
from chainrule.views.panels import Axis, Legend, Panel, Sheet
from chainrule.views.saved import Savable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@immutable(eq=False)
class View(Sheet, Savable):
    """Something to look at: a title, a sentence on how to read it, panels of marks, and the `numbers` behind them by name.

    A notebook shows a view; `plot` draws it into matplotlib's Axes, `save` writes a file, `json` writes it for a page.

    >>> from chainrule.views.marks import Line
    >>> from chainrule.views.panels import Axis, Panel
    >>> squares = View("Squares", "The line is x².", [Panel([Line([0, 1, 2], [0, 1, 4])], Axis("x"), Axis("x²"))])
    >>> squares.plot().get_ylabel()
    'x²'
    """

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draws into `ax`, or into a new figure's axes; gives the axes. Nothing is shown or saved by itself.

        Raises: MissingPackageError without matplotlib; OptionError for plain axes where a surface needs others.
        """
        if ax is not None and not hasattr(ax, "set_title"):
            raise OptionTypeError(
                f"ax={shown(cast('object', ax))} in plot",
                expected="Axes of matplotlib, or None",
                remedy="write plot() for a figure of its own",
            )
        return draw_sheet(self, ax)

    def figure(self, *, caption: bool = True) -> Figure:
        """A figure of its own, drawn; with the sentence on how to read it below, unless the `caption` stands elsewhere."""
        return sheet_figure(self, caption=caption)

    def svg(self, *, caption: bool = True, ground: bool = True) -> str:
        """The figure as SVG text, in the ink of the page that it stands in; `ground`: with a ground of its own."""
        return figure_svg(self.figure(caption=caption), ground=ground)

    def json(self) -> str:
        """The view for a page: parts by their kind, arrays as bytes in base64; the same view always gives the same text.

        Numbers beside the marks are left out. `chainrule.views.live` has the script that draws it.
        """
        return sheet_json(self)


def numbers(**given: ArrayLike | None) -> dict[str, Array]:
    """Numbers by name, as arrays; what is None is left out."""
    return {name: np.asarray(value) for name, value in given.items() if value is not None}


def numbers_of(found: object, *names: str) -> dict[str, Array]:
    """These attributes of what was found, as `numbers` has them."""
    return numbers(**{name: getattr(found, name) for name in names})


class PanelLook(TypedDict, total=False):
    """What of a panel differs from the usual."""

    legend: Legend
    legend_title: str
    equal: bool
    small: bool
    frame: Literal["lines", "texts", "none"]


def chart(
    title: str,
    reading: str,
    marks: Sequence[Mark],
    x: Axis,
    y: Axis,
    numbers: Mapping[str, Array],
    *,
    size: tuple[float, float] = View.size,
    **look: Unpack[PanelLook],
) -> View:
    """A view of one panel: marks between two axes."""
    return View(title, reading, [Panel(marks, x, y, **look)], numbers, size=size)
