"""How a layer stands in the text of a network: each layer says it of itself, as its `in_text`."""

from __future__ import annotations

import re
from functools import cached_property

from chainrule.display import Shown
from chainrule.immutable import immutable


@immutable
class Word(Shown):
    """An example of the layer's text, and the fields that its numbers fill: the first takes all but one for each of the others.

    most: how many numbers there may be, where that is more than the example has.

    >>> Word("conv5x5x16", ("kernel", "filters")).text, Word("pool2", ("size",), most=3).fits(2)
    ('conv', True)
    """

    example: str
    fields: tuple[str, ...] = ()
    most: int = 0

    @property
    def text(self) -> str:
        """The word itself, "" where numbers stand alone."""
        return re.split(r"[\d(]", self.example, maxsplit=1)[0]

    @property
    def in_brackets(self) -> bool:
        """Whether the number stands in brackets: dropout(0.2)."""
        return self.example.endswith(")")

    @cached_property
    def count(self) -> int:
        """How many numbers the example has."""
        return len(re.findall(r"[\d.]+", self.example))

    def fits(self, count: int) -> bool:
        """Whether so many numbers can stand behind the word."""
        return self.count <= count <= max(self.count, self.most)

    def values(self, numbers: tuple[int, ...]) -> dict[str, int | tuple[int, ...]]:
        """What the numbers are to the layer."""
        if not self.fields:
            return {}
        cut = len(numbers) - len(self.fields) + 1
        first = numbers[0] if cut == 1 else numbers[:cut]
        return dict(zip(self.fields, (first, *numbers[cut:]), strict=True))
