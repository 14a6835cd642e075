"""Which numbers are taken: intervals, and the kinds of numbers that arguments are annotated with."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from chainrule.display import Shown
from chainrule.immutable import immutable


@immutable
class Interval(Shown):
    """Which numbers are taken: from `least` or `above` up to `most` or `below`; infinity only where `infinite`."""

    least: float | None = None
    above: float | None = None
    most: float | None = None
    below: float | None = None
    infinite: bool = False

    def holds(self, value: float) -> bool:
        """Whether a number lies inside."""
        return not (
            (self.least is not None and value < self.least)
            or (self.above is not None and value <= self.above)
            or (self.most is not None and value > self.most)
            or (self.below is not None and value >= self.below)
        )

    def words(self, what: str) -> str:
        """What is expected, in words.

        >>> Interval(least=0, below=1).words("a finite number")
        'a finite number of 0 or more and below 1'
        """
        if self.least is not None and self.most is not None and self.most < LARGE:
            return f"{what} from {self.least} to {self.most}"
        low = (
            f" of {self.least} or more" if self.least is not None else f" above {self.above}" if self.above is not None else ""
        )
        high = f" up to {self.most}" if self.most is not None else f" below {self.below}" if self.below is not None else ""
        # What merely fits into the machine is said only to who exceeds it.
        high = "" if max(self.most or 0, self.below or 0) >= LARGE else high
        return f"{what}{low}{' and' if low and high else ''}{high}"

    def example(self, whole: bool) -> float:
        """A number that is inside, to be written in a remedy."""
        for value in (3, 2, 1, 0) if whole else (0.1, 0.5, 1.0, 2.0):
            if self.holds(value):
                return value
        return self.least if self.least is not None else 0


ANY_NUMBER = Interval()
LARGE = 2**31 - 1
"""The largest number of things that anybody counts."""

Count: TypeAlias = Annotated[int, Interval(least=1, most=LARGE)]
"""How many of something there are: 1 or more."""
Natural: TypeAlias = Annotated[int, Interval(least=0, most=LARGE)]
"""A whole number of 0 or more."""
Seed: TypeAlias = Annotated[int, Interval(least=0, below=2**64)]
"""What a random generator starts from."""
Positive: TypeAlias = Annotated[float, Interval(above=0)]
"""A finite number above 0."""
NonNegative: TypeAlias = Annotated[float, Interval(least=0)]
"""A finite number of 0 or more."""
Fraction: TypeAlias = Annotated[float, Interval(least=0, below=1)]
"""A part of a whole, which is not all of it."""
Portion: TypeAlias = Annotated[float, Interval(least=0, most=1)]
"""A part of a whole, which may be all of it."""
Extents: TypeAlias = tuple[Count, ...]
"""A shape without empty axes."""
