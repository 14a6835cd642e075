"""Checks numbers whose limits follow from other arguments; all others are held to their annotations, see `chainrule.checks`."""

from __future__ import annotations

from chainrule.checks import Interval, MisfitError, read_number, read_whole
from chainrule.errors import OptionError


def check_whole(name: str, value: object, *, least: int, most: int | None = None) -> None:
    """OptionError unless the value is a whole number, not a truth value, from `least` to `most`.

    >>> check_whole("n", 2.5, least=1)
    Traceback (most recent call last):
    ...
    chainrule.errors.OptionError: n=2.5
      expected: a whole number from 1 up
      fix: write n=1 or more
    """
    try:
        read_whole(value, Interval(least=least, most=most))
    except MisfitError:
        raise OptionError(
            f"{name}={value!r}",
            expected=f"a whole number from {least} " + ("up" if most is None else f"to {most}"),
            remedy=f"write {name}={least}" + (" or more" if most is None else f" to {name}={most}"),
        ) from None


def check_amount(name: str, value: object, *, above: float | None = None) -> None:
    """OptionError unless the value is finite and not negative; with `above`, larger than that.

    >>> check_amount("noise", -1.0)
    Traceback (most recent call last):
    ...
    chainrule.errors.OptionError: noise=-1.0
      expected: a finite number from 0 up
      fix: write noise=0.1
    """
    try:
        read_number(value, Interval(least=0) if above is None else Interval(above=above))
    except MisfitError:
        wanted = "a finite number from 0 up" if above is None else f"a finite number above {above}"
        remedy = f"write {name}={0.1 if above is None else above + 1}"
        raise OptionError(f"{name}={value!r}", expected=wanted, remedy=remedy) from None
