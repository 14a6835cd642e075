"""Our figures and axes as matplotlib's own kinds, which show themselves where they are the last line of a notebook's cell."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from mpl_toolkits.mplot3d import Axes3D  # pyright: ignore[reportMissingTypeStubs]

from chainrule.views.figures.page_svg import figure_svg
from chainrule.views.figures.style import style


class ShownFigure(Figure):
    """A figure that shows itself, and whose files have our look whoever has them written."""

    def savefig(self, fname: Any, **settings: Any) -> None:
        """Writes the figure, with fonts that journals take."""
        with style():
            super().savefig(fname, **settings)

    def _repr_svg_(self) -> str:
        return figure_svg(self, ground=True)


class ShownAxes(Axes):
    """Plain axes that show the figure that they are in."""

    def _repr_svg_(self) -> str:
        return _whole(self)


class ShownSpace(Axes3D):
    """Three-dimensional axes that show the figure that they are in."""

    def _repr_svg_(self) -> str:
        return _whole(self)


def _whole(axes: Any) -> str:
    return figure_svg(axes.figure, ground=True)


KINDS: dict[str | None, type[Axes]] = {None: ShownAxes, "3d": ShownSpace}
"""The kinds of axes by the names that pictures give them."""
