"""Checks what users hand over, where they hand it over: one reader for each annotation of a function or a frozen description.

`checked` reads the annotations of a function, a class or a frozen dataclass when it is first called, and from then on holds
every argument to them: kinds, ranges, choices, objects in place of their classes. NumPy's numbers are numbers: they become
Python's, so that what is made of them prints, compares and is saved as usual.
"""

from chainrule.checks.calls import (
    answered,
    answered_constructor,
    answering,
    checked,
    handed_out,
    read,
    readers_of,
    require_place,
    unknown,
)
from chainrule.checks.limits import LARGE, Count, Extents, Fraction, Interval, Natural, NonNegative, Portion, Positive, Seed
from chainrule.checks.readers import (
    Choice,
    Constraint,
    MisfitError,
    Numbers,
    Regular,
    Sizes,
    WholeNumbers,
    anything,
    is_finite,
    object_for_class,
    read_number,
    read_text,
    read_whole,
    reader_of,
    scalar,
    shown,
    takes,
    takes_call,
)  # fmt: skip

__all__ = [
    "LARGE", "Choice", "Constraint", "Count", "Extents", "Fraction", "Interval", "MisfitError", "Natural", "NonNegative",
    "Numbers", "Portion", "Positive", "Regular", "Seed", "Sizes", "WholeNumbers", "answered", "answered_constructor", "answering",
    "anything", "checked", "handed_out", "is_finite", "object_for_class", "read", "read_number", "read_text", "read_whole",
    "reader_of", "readers_of", "require_place", "scalar", "shown", "takes", "takes_call", "unknown",
]  # fmt: skip
