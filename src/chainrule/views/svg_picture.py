"""What every drawing by our own hand has: SVG text, which a notebook shows, and a file to be written to."""

from __future__ import annotations

import textwrap
from abc import ABC, abstractmethod
from pathlib import Path

from chainrule.files import writing
from chainrule.views.figures.figure import FORMATS, write_figure
from chainrule.views.figures.from_svg import svg_figure
from chainrule.views.svg import text

LINE = 15.0
"""The height of a line of small text."""
LETTER = 6.0
"""The usual width of a letter of small text."""


class SvgDrawing(ABC):
    """A drawing as SVG text; it shows itself in a notebook."""

    @abstractmethod
    def svg(self) -> str:
        """The drawing as SVG text: names in it are text, whatever they hold, and nothing in it runs."""

    def save(self, path: str | Path) -> Path:
        """Writes the drawing as the file's ending says: .svg, or, with matplotlib, .png or .pdf.

        Raises: OptionError for another ending, MissingFileError for a folder that is not there, UnwritableFileError,
        MissingPackageError without matplotlib.
        """
        with writing(path, *FORMATS) as place:
            if place.suffix == ".svg":
                place.write_text(self.svg(), encoding="utf-8")
            else:
                write_figure(svg_figure(self.svg()), place)
        return Path(path)

    def _repr_svg_(self) -> str:
        return self.svg()


class SvgPicture(SvgDrawing):
    """A drawing with a title and a sentence on how to read it."""

    @property
    @abstractmethod
    def title(self) -> str:
        """What is seen, in a few words."""

    @property
    @abstractmethod
    def reading(self) -> str:
        """One sentence on how to read it."""


def wrapped_lines(words: str, width: float) -> list[str]:
    """The words in lines that fit into a width of the drawing."""
    return textwrap.wrap(words, max(20, int(width / LETTER)), break_long_words=True)


def paragraph(x: float, y: float, lines: list[str]) -> list[str]:
    """Lines of small text below each other, the first on the base line y."""
    return [text(x, y + place * LINE, line, font_size=11) for place, line in enumerate(lines)]
