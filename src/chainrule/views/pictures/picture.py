"""What every picture has: a title, one sentence on how to read it, the numbers behind it, and axes to be drawn into."""

from __future__ import annotations

import textwrap
from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from chainrule.files import writing
from chainrule.graph import Array
from chainrule.views.figures.figure import FORMATS, new_figure, write_figure
from chainrule.views.figures.page_svg import figure_svg
from chainrule.views.figures.style import FAINT, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Picture(ABC):
    """A picture: frozen numbers (its fields) that can be drawn.

    `plot()` gives matplotlib's Axes, its own or those it was given; nothing is shown or saved by itself. In a notebook it shows
    itself. Concrete pictures are frozen dataclasses; what they compute is in the function that makes them.
    """

    size: ClassVar[tuple[float, float]] = (5.6, 3.6)
    """Width and height in inches of a figure of its own."""
    projection: ClassVar[str | None] = None
    """matplotlib's kind of axes: "3d", or None for plain ones."""

    @property
    @abstractmethod
    def title(self) -> str:
        """What is seen, in a few words."""

    @property
    @abstractmethod
    def reading(self) -> str:
        """One sentence on how to read it."""

    @abstractmethod
    def draw(self, ax: Axes) -> None:
        """Draws into axes: every axis labelled with its unit; the title is set by `plot`."""

    def arrays(self) -> dict[str, Array]:
        """The numbers behind the picture, by name: its fields that are arrays."""
        named = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in named.items() if isinstance(value, np.ndarray)}

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draws into `ax`, or into a new figure's axes; gives the axes.

        Raises: MissingPackageError without matplotlib.
        """
        with style():
            ax = new_figure(self.size, self.projection)[1] if ax is None else ax
            ax.set_title(self.title)
            self.draw(ax)
        return ax

    def figure(self, *, caption: bool = True) -> Figure:
        """A figure of its own, drawn; with the sentence on how to read it below, unless the `caption` stands elsewhere."""
        with style():
            figure, ax = new_figure(self.size, self.projection)
            self.plot(ax)
            if caption:
                figure.supxlabel(wrapped(self.reading, self.size[0]), fontsize=8, x=0.02, ha="left", color=FAINT)
        return figure

    def save(self, path: str | Path) -> Path:
        """Writes the figure as the file's ending says: .svg, .png or .pdf.

        Raises: OptionError for another ending, MissingFileError for a folder that is not there, UnwritableFileError.
        """
        with writing(path, *FORMATS) as place:
            write_figure(self.figure(), place)
        return Path(path)

    def svg(self, *, caption: bool = True, ground: bool = False) -> str:
        """The figure as SVG text, to stand in a page: in the page's ink, and without a ground of its own unless it is asked for."""
        return figure_svg(self.figure(caption=caption), ground=ground)

    def _repr_svg_(self) -> str:
        return self.svg(ground=True)


@dataclass(frozen=True, eq=False)
class HeadedPicture(Picture):
    """A picture whose title is chosen where it is made."""

    heading: str

    @property
    def title(self) -> str:
        """What is seen, as it was named."""
        return self.heading


def wrapped(text: str, inches: float) -> str:
    """The text in lines that fit below a figure of this width."""
    return "\n".join(textwrap.wrap(text, max(30, int(inches * 16.5))))
