"""A piece of the text of a network: cut at separators, read as sizes, and pointed at where it is refused."""

from __future__ import annotations

import re
from typing import NoReturn

from chainrule.errors import ParseError
from chainrule.graph import Shape
from chainrule.immutable import immutable

LARGEST = 10_000_000
"""How large one size in the text of a network may be, and how many numbers an example may have between two layers."""
EXAMPLE = "784-16-16-10 relu softmax"


@immutable
class TextPiece:
    """A part of the text and where it stands, for errors that point."""

    text: str
    start: int
    whole: str

    def split(self, separator: re.Pattern[str]) -> list[TextPiece]:
        """The pieces between the separators."""
        ends = [(found.start(), found.end()) for found in separator.finditer(self.text)]
        starts, stops = [0, *(end for _, end in ends)], [*(start for start, _ in ends), len(self.text)]
        return [TextPiece(self.text[i:j], self.start + i, self.whole) for i, j in zip(starts, stops, strict=True)]

    def refuse(self, happened: str, expected: str, remedy: str) -> NoReturn:
        """Raises the error, with carets under the piece."""
        left, right = max(0, self.start - 60), self.start + max(60, len(self.text))
        marks = " " * (self.start - left) + "^" * max(1, len(self.text))
        drawn = f"      {self.whole[left:right]}\n      {marks}"
        raise ParseError(f"the network's text has {happened}\n{drawn}", expected=expected, remedy=remedy)


def shape_of(piece: TextPiece) -> Shape:
    """The sizes that an x stands between."""
    return tuple(size(extent) for extent in piece.split(re.compile("x")))


def size(piece: TextPiece) -> int:
    """The piece as a whole number from 1 to the largest.

    Raises: ParseError, which points at it.
    """
    digits = piece.text.lstrip("0")
    if not piece.text:
        piece.refuse("an empty size", "a number of 1 or more between two dashes", f'write for example "{EXAMPLE}"')
    if not (piece.text.isascii() and piece.text.isdigit()):
        odd = any(sign in piece.text for sign in "‐‑‒–—−×")
        remedy = "write the plain signs - and x" if odd else f'write for example "{EXAMPLE}"'
        piece.refuse(f"{piece.text!r} where a size is wanted", "digits", remedy)
    if not digits:
        piece.refuse("a size of 0", "1 or more", "leave the layer out, or give it neurons")
    if len(digits) > len(str(LARGEST)) or int(digits) > LARGEST:
        piece.refuse("a size that is too large", f"at most {LARGEST}", "choose a smaller layer")
    return int(digits)
