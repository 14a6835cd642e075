"""What every picture drawn as SVG by our own hand has: a title, a sentence on how to read it, and a file to be written to."""

from __future__ import annotations

import textwrap
from abc import ABC, abstractmethod
from pathlib import Path

from chainrule.files import writing
from chainrule.views.svg import text

LINE = 15.0
"""The height of a line of small text."""
LETTER = 6.0
"""The usual width of a letter of small text."""


class SvgPicture(ABC):
    """A picture as SVG text; it shows itself in a notebook and needs no other package."""

    @property
    @abstractmethod
    def title(self) -> str:
        """What is seen, in a few words."""

    @property
    @abstractmethod
    def reading(self) -> str:
        """One sentence on how to read it."""

    @abstractmethod
    def svg(self) -> str:
        """The picture as SVG text, every name in it as text."""

    def save(self, path: str | Path) -> Path:
        """Writes the SVG file.

        Raises: OptionError for a name that does not end with .svg, MissingFileError for a folder that is not there, UnwritableFileError.
        """
        with writing(path, ".svg") as place:
            place.write_text(self.svg(), encoding="utf-8")
        return Path(path)

    def _repr_svg_(self) -> str:
        return self.svg()


def wrapped_lines(words: str, width: float) -> list[str]:
    """The words in lines that fit into a width of the drawing."""
    return textwrap.wrap(words, max(20, int(width / LETTER)), break_long_words=True)


def paragraph(x: float, y: float, lines: list[str], **given: object) -> list[str]:
    """Lines of small text below each other, the first on the base line y."""
    return [text(x, y + place * LINE, line, **{"font_size": 11, **given}) for place, line in enumerate(lines)]
