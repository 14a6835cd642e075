"""What a pickle can hold: classes and functions that stand by their names in a module; what it cannot is refused in our words."""

from __future__ import annotations

import pickle
from inspect import currentframe
from types import FrameType

from chainrule.errors import OptionError

AT_EASE = frozenset({"cloudpickle", "copy", "dill"})
"""Modules that take functions as they are, without a name."""


def require_picklable(**parts: object) -> None:
    """Refuses parts that a pickle cannot hold, unless it is made by a module that takes more. Raises: OptionError."""
    for what, part in () if _at_ease(currentframe()) else parts.items():
        if trouble := unpicklable(part):
            raise OptionError(
                f"its {what} cannot be pickled: {trouble}",
                expected="classes and functions that stand by their names in a module",
                remedy="define them there, not within a function, and write no lambda; or keep the run in a folder: folder='runs'",
            )


def _at_ease(frame: FrameType | None) -> bool:
    while frame is not None:
        if not AT_EASE.isdisjoint(str(frame.f_globals.get("__name__")).split(".")):
            return True
        frame = frame.f_back
    return False


def unpicklable(part: object) -> str:
    """Why a part cannot be pickled; nothing where it can."""
    try:
        pickle.dumps(part)
    except (pickle.PicklingError, AttributeError, TypeError, OptionError) as trouble:
        return trouble.happened.removeprefix("its ") if isinstance(trouble, OptionError) else str(trouble)
    return ""
