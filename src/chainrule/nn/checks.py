"""What several descriptions ask of their arguments: numbers, sizes, shapes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import MISSING, fields
from math import prod
from typing import Any, TypeGuard, cast

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


def require_sizes(what: str, value: object, count: int | None = None) -> Shape:
    """Whole numbers of 1 or more as a tuple of `count`; one number stands for that many of it, or for itself where count is None."""
    if is_size(value):
        return (value,) * (count or 1)
    if isinstance(value, str | float):
        require_size(what, value)
    found = require_shape(what, value)
    if not found or (count is not None and len(found) != count):
        wanted = f"{count} whole numbers of 1 or more" if count else "one whole number of 1 or more, or several"
        raise OptionError(f"{what}={value!r}", expected=wanted, remedy=f"write for example {what}={(2,) * (count or 2)}")
    return found


def short_repr(layer: object, positional: int) -> str:
    """The call that makes a frozen description, what is as usual left out; the first fields without their names."""
    shown: list[str] = []
    for number, item in enumerate(fields(cast("Any", layer))):
        value: object = getattr(layer, item.name)
        usual: object = item.default if item.default_factory is MISSING else item.default_factory()
        if number < positional and number == len(shown) and (usual is MISSING or value != usual):
            shown.append(repr(value))
        elif usual is MISSING or value != usual:
            shown.append(f"{item.name}={value!r}")
    return f"{type(layer).__name__}({', '.join(shown)})"


def another_beginning(given: Shape, wanted: Shape) -> str:
    """What to write where examples have another shape than a network's description says."""
    begin = "x".join(map(str, given))
    if prod(given) == prod(wanted) and len(wanted) > 1:
        begin = f"{begin}-{'x'.join(map(str, wanted))}"
    return f"begin the network with {begin}, or give it other data"
