"""Several axes in the place of one, laid out by their labels, so that a picture of many parts is still drawn into one axes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.views.pictures.picture import Picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def subplots(ax: Axes, rows: int, columns: int, *, projections: Mapping[int, str] | None = None) -> list[Axes]:
    """Axes, row by row, in the place of `ax`, which keeps its title and is hidden; `projections`: matplotlib's kind by place.

    >>> from chainrule.views.figures.figure import new_figure
    >>> figure, ax = new_figure((6, 3))
    >>> len(subplots(ax, 1, 2)), len(figure.axes)
    (2, 4)
    """
    ax.set_axis_off()
    kinds = dict(projections or {})
    figure: Any = ax.figure
    spec = ax.get_subplotspec()
    # An empty row as high as a title: else the titles of the upper axes lie on the title of the whole.
    heights = [0.01, *[1.0] * rows]
    if spec is None:
        box = ax.get_position()
        sides = {"left": box.x0, "right": box.x1, "bottom": box.y0, "top": box.y1}
        grid = figure.add_gridspec(rows + 1, columns, height_ratios=heights, **sides)
    else:
        grid = spec.subgridspec(rows + 1, columns, height_ratios=heights)
    spacer = figure.add_subplot(grid[0, :])
    spacer.set_axis_off()
    spacer.set_title(" ")
    return [figure.add_subplot(grid[1 + i // columns, i % columns], projection=kinds.get(i)) for i in range(rows * columns)]


def arrays_of(pictures: Mapping[str, Picture]) -> dict[str, Array]:
    """The numbers of several pictures together, each by "picture.array"."""
    return {f"{name}.{key}": value for name, picture in pictures.items() for key, value in picture.arrays().items()}


def space(ax: Axes, what: str) -> Any:
    """The axes as matplotlib's three-dimensional ones, whose methods the plain ones lack.

    Raises: OptionError for plain axes.
    """
    if ax.name != "3d":
        raise OptionError(
            f"{what} into axes of the kind {ax.name!r}",
            expected='axes of the kind "3d"',
            remedy='write figure.add_subplot(projection="3d"), or leave ax out',
        )
    return cast("Any", ax)
