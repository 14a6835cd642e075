"""What views and drawings have in common: SVG text, which a notebook shows, and files; with a title and a sentence they can be told of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from chainrule.display import Plain
from chainrule.files import writing
from chainrule.views.figures.figure import FORMATS, write_figure
from chainrule.views.figures.from_svg import svg_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Savable(Plain, ABC):
    """Something to look at, that shows itself in a notebook and is written to files."""

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


class Told(Protocol):
    """A view or a drawing with a title and a sentence on how to read it."""

    @property
    def title(self) -> str:
        """What is seen, in a few words."""
        ...

    @property
    def reading(self) -> str:
        """One sentence on how to read it."""
        ...

    def svg(self) -> str:
        """It as SVG text."""
        ...
