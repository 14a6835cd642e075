"""Several axes in the place of one, laid out by their labels, so that a view of many parts is still drawn into one axes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def subplots(
    ax: Axes, rows: int, columns: int, *, projections: Mapping[int, str] | None = None, legend: bool = False
) -> list[Axes]:
    """Axes, row by row, in the place of `ax`, which keeps its title and is hidden; `projections`: matplotlib's kind by place.

    `legend`: below the title a line is left free.

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
    spacer.set_title("\n " if legend else " ")
    return [figure.add_subplot(grid[1 + i // columns, i % columns], projection=kinds.get(i)) for i in range(rows * columns)]
