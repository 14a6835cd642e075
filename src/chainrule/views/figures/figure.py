"""Figures of our own: how they are made, and written to files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from chainrule.views.figures.style import require_matplotlib, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = (".svg", ".png", ".pdf")
"""The endings of files that figures and drawings are written to."""


def new_figure(size: tuple[float, float], projection: str | None = None) -> tuple[Figure, Axes]:
    """A figure of this size in inches that belongs to no window, so that nothing piles up or pops up; and axes in it.

    Figure and axes show themselves in a notebook, and the figure is written to files in our look.
    """
    require_matplotlib()
    from chainrule.views.figures.shown import KINDS, ShownFigure

    figure = ShownFigure(figsize=size)
    return figure, figure.add_subplot(axes_class=KINDS[projection])


def write_figure(figure: Figure, place: Path) -> None:
    """Writes the figure as the file's ending, one of FORMATS, says; without a date, so that the same numbers give the same file."""
    extra: dict[str, Any] = {".svg": {"Date": None}, ".png": {}, ".pdf": {"CreationDate": None}}[place.suffix]
    with style():
        figure.savefig(place, metadata=extra)
