"""Our figures and axes as matplotlib's own kinds, which show themselves where they are the last line of a notebook's cell."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from mpl_toolkits.mplot3d import Axes3D  # pyright: ignore[reportMissingTypeStubs]

from chainrule.views.figures.letters import find_letters, warn_of_letters
from chainrule.views.figures.page_svg import figure_svg
from chainrule.views.figures.style import style


class ShownFigure(Figure):
    """A figure that shows itself, and whose files have our look whoever has them written.

    lacking: the letters that no font here has, found when it was last drawn.
    """

    lacking: str = ""

    def draw(self, renderer: Any) -> None:
        """Draws all of it; what stood around its axes may have changed since the last time."""
        for axes in self.axes:
            if isinstance(axes, ShownAxes):
                axes.reach = None
        self.lacking = find_letters(self.findobj(Text))
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing")  # told once, by whoever writes letters as pictures
            super().draw(renderer)

    def savefig(self, fname: Any, **settings: Any) -> None:
        """Writes the figure, with fonts that journals take."""
        with style():
            super().savefig(fname, **settings)
        if self.lacking and "svg" not in (settings.get("format"), str(fname)[-3:].lower()):
            warn_of_letters(self.lacking)

    def _repr_svg_(self) -> str:
        return figure_svg(self, ground=True)


class ShownAxes(Axes):
    """Plain axes that show the figure that they are in.

    A layout asks twice how far what stands around them reaches: where the same numbers stand on them, it is as far as before.
    """

    reach: tuple[Any, Any] | None = None
    """Where numbers stand, and how many pixels what is drawn reaches beyond the axes, since the figure is being drawn."""

    def get_tightbbox(self, renderer: Any = None, *given: Any, for_layout_only: bool = False, **settings: Any) -> Any:
        """The box of all that is drawn, in pixels."""
        if not for_layout_only or self.get_aspect() != "auto":
            return super().get_tightbbox(renderer, *given, for_layout_only=for_layout_only, **settings)
        stands = [axis.get_ticklocs(minor=minor).tolist() for axis in (self.xaxis, self.yaxis) for minor in (False, True)]
        if self.reach is None or self.reach[0] != stands:
            found = super().get_tightbbox(renderer, *given, for_layout_only=True, **settings)
            self.reach = stands, None if found is None else np.subtract(found.extents, self.bbox.extents)
        return None if self.reach[1] is None else Bbox(np.add(self.bbox.extents, self.reach[1]).reshape(2, 2))

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
