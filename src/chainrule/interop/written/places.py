"""Places: whole numbers that go by the variables of loops, a·i + b·j + c, which is all that the entries of an array are found by."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from chainrule.graph import Shape
from chainrule.immutable import immutable


@immutable
class Place:
    """offset + Σ factor·variable, each variable being one of 0 ... extent − 1.

    >>> i, j = Place.of("i", 4), Place.of("j", 3)
    >>> str(i * 3 + j + 1), i * 3 + j == Place((("i", 4, 3), ("j", 3, 1)))
    ('3*i + j + 1', True)
    """

    terms: tuple[tuple[str, int, int], ...] = ()
    offset: int = 0

    @classmethod
    def of(cls, variable: str, extent: int) -> Place:
        """A variable alone."""
        return cls(((variable, extent, 1),))

    def __add__(self, other: Place | int) -> Place:
        other = Place((), other) if isinstance(other, int) else other
        terms = {(name, extent): factor for name, extent, factor in self.terms}
        for name, extent, factor in other.terms:
            terms[name, extent] = terms.get((name, extent), 0) + factor
        return Place(
            tuple((name, extent, factor) for (name, extent), factor in terms.items() if factor), self.offset + other.offset
        )

    def __mul__(self, factor: int) -> Place:
        terms = tuple((name, extent, each * factor) for name, extent, each in self.terms if factor)
        return Place(terms, self.offset * factor)

    def __str__(self) -> str:
        written = ""
        for name, _, factor in self.terms:
            size = name if abs(factor) == 1 else f"{abs(factor)}*{name}"
            sign = (" - " if factor < 0 else " + ") if written else ("-" if factor < 0 else "")
            written += f"{sign}{size}"
        if self.offset or not written:
            sign = (" - " if self.offset < 0 else " + ") if written else ("-" if self.offset < 0 else "")
            written += f"{sign}{abs(self.offset)}"
        return written

    @property
    def last(self) -> int:
        """The largest value."""
        return self.offset + sum((extent - 1) * factor for _, extent, factor in self.terms if factor > 0)

    @property
    def first(self) -> int:
        """The smallest value."""
        return self.offset + sum((extent - 1) * factor for _, extent, factor in self.terms if factor < 0)


def flat(places: Sequence[Place], shape: Shape) -> Place:
    """Where an entry stands in an array that is written row by row."""
    found = Place()
    for place, extent in zip(places, shape, strict=True):
        found = found * extent + place
    return found


def unflat(place: Place, shape: Shape) -> tuple[Place, ...] | None:
    """The entry of an array of this shape that stands at a place in its rows; None where it is no sum of variables.

    >>> unflat(Place.of("i", 4) * 6 + Place.of("j", 6), (4, 3, 2)) is None
    True
    >>> [str(part) for part in unflat(Place.of("i", 4) * 6 + Place.of("j", 6), (4, 6))]
    ['i', 'j']
    """
    found: list[Place] = []
    for axis in range(len(shape)):
        below = prod(shape[axis + 1 :])
        upper = Place(
            tuple((name, extent, factor // below) for name, extent, factor in place.terms if factor % below == 0),
            place.offset // below,
        )
        place = Place(tuple(term for term in place.terms if term[2] % below), place.offset % below)
        if shape[axis] == 1:
            upper, place = Place(), place + upper * below
        if upper.first < 0 or upper.last >= shape[axis] or place.first < 0 or place.last >= below:
            return None
        found.append(upper)
    return tuple(found)
