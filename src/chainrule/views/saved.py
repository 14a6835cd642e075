"""What views and drawings have in common: a title, a sentence on how to read them, SVG text that a notebook shows, and files."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING

from chainrule.files import writing
from chainrule.views.figures.figure import FORMATS, write_figure
from chainrule.views.figures.from_svg import svg_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Savable(ABC):
    """Something to look at, that shows itself in a notebook and is written to files."""

    title: str
    """What is seen, in a few words."""
    reading: str
    """One sentence on how to read it."""

    @abstractmethod
    def svg(self) -> str:
        """It as SVG text: names in it are text, whatever they hold, and nothing in it runs."""

    def figure(self) -> Figure:
        """It as a figure of matplotlib.

        Raises: MissingPackageError without matplotlib.
        """
        return svg_figure(self.svg())

    def save(self, path: str | Path) -> Path:
        """Writes it as the file's ending says: .svg, .png or .pdf.

        Raises: OptionError for another ending, MissingFileError for a folder that is not there, UnwritableFileError,
        MissingPackageError without matplotlib.
        """
        with writing(path, *FORMATS) as place:
            if place.suffix == ".svg":
                place.write_text(self.svg(), encoding="utf-8")
            else:
                write_figure(self.figure(), place)
        return Path(path)

    def _repr_svg_(self) -> str:
        return self.svg()
