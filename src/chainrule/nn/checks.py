"""What several descriptions ask of their arguments: numbers, sizes, shapes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeGuard, cast

from chainrule.errors import OptionError, OptionTypeError
from chainrule.graph import Shape


def is_number(value: object) -> TypeGuard[float]:
    """Whether it is a finite number; True and False are not meant as numbers."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def is_size(value: object) -> TypeGuard[int]:
    """Whether it is a whole number of 1 or more."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def require_size(what: str, value: object) -> None:
    """Refuses what is no whole number of 1 or more."""
    if not is_size(value):
        kind = OptionError if isinstance(value, int | float) else OptionTypeError
        raise kind(f"{what}={value!r}", expected="a whole number of 1 or more", remedy="write for example Dense(16)")


def require_shape(what: str, value: object) -> Shape:
    """The shape as a tuple, if all its extents are whole numbers of 1 or more."""
    extents = tuple(cast("Sequence[object]", value)) if isinstance(value, Sequence) and not isinstance(value, str) else (None,)
    sizes = tuple(extent for extent in extents if is_size(extent))
    if len(sizes) < len(extents):
        raise OptionError(f"{what}={value!r}", expected="a tuple of whole numbers above 0", remedy="write for example (784,)")
    return sizes
