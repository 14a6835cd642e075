"""Checks the numbers that a caller passes as options: counts, seeds, amounts of noise."""

from __future__ import annotations

import math
import operator
from typing import SupportsIndex

from chainrule.errors import OptionError


def check_whole(name: str, value: object, *, least: int, most: int | None = None) -> None:
    """OptionError unless the value is a whole number, not a truth value, from `least` to `most`.

    >>> check_whole("n", 2.5, least=1)
    Traceback (most recent call last):
    ...
    chainrule.errors.OptionError: n=2.5
      expected: a whole number from 1 up
      to mend it: write n=1 or more
    """
    number = operator.index(value) if isinstance(value, SupportsIndex) and not isinstance(value, bool) else None
    if number is not None and number >= least and (most is None or number <= most):
        return
    raise OptionError(
        f"{name}={value!r}",
        expected=f"a whole number from {least} " + ("up" if most is None else f"to {most}"),
        remedy=f"write {name}={least}" + (" or more" if most is None else f" to {name}={most}"),
    )


def check_amount(name: str, value: float, *, above: float | None = None) -> None:
    """OptionError unless the value is finite and not negative; with `above`, larger than that.

    >>> check_amount("noise", -1.0)
    Traceback (most recent call last):
    ...
    chainrule.errors.OptionError: noise=-1.0
      expected: a finite number from 0 up
      to mend it: write noise=0.1
    """
    if not (math.isfinite(value) and (value >= 0 if above is None else value > above)):
        wanted = "a finite number from 0 up" if above is None else f"a finite number above {above}"
        raise OptionError(f"{name}={value!r}", expected=wanted, remedy=f"write {name}={0.1 if above is None else above + 1}")
