"""Keys of what is described: equal only where the same would be built, so that what follows from one description serves the other."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable
from dataclasses import field, fields, is_dataclass
from functools import lru_cache
from typing import Any, Generic, TypeVar, cast

import numpy as np

from chainrule.descriptions.kinds import is_array, is_mapping, is_ours, is_several
from chainrule.display import Shown
from chainrule.immutable import immutable

T = TypeVar("T")


class _OwnCodeError(Exception):
    """A value whose meaning is somebody's code, which may be another one the next time."""


def key_of(value: object) -> Hashable | None:
    """A key of numbers, texts, arrays and chainrule's own descriptions in any nesting, bit for bit; None where there is anything else.

    A user's class or function has none: it may read what changes between two looks. What is one object in several places, such as a
    shared layer, is another thing than equal ones.

    >>> key_of((1, 0.0)) == key_of((1, -0.0)), key_of((1, 0.0)) == key_of((1, 0.0)), key_of([print])
    (False, True, None)
    """
    try:
        return _key(value, {})
    except _OwnCodeError:
        return None


def _key(value: Any, met: dict[int, int]) -> Hashable:
    if value is None or isinstance(value, bool | int | str):
        return type(value), value
    if isinstance(value, float):
        return float, value.hex()
    if isinstance(value, np.generic):
        value = np.asarray(cast("Any", value))
    if is_array(value) and not value.dtype.hasobject:
        return value.dtype.str, value.shape, hashlib.sha256(value.tobytes()).digest()
    if is_several(value):
        return type(value), tuple([_key(part, met) for part in value])
    if is_mapping(value):
        return dict, tuple([(_key(name, met), _key(part, met)) for name, part in value.items()])
    kind = cast("type[Any]", type(value))
    if not is_dataclass(kind) or not is_ours(kind):
        raise _OwnCodeError
    if id(value) in met:
        return "again", met[id(value)]
    met[id(value)] = len(met)
    return kind, tuple([_key(getattr(value, part.name), met) for part in fields(kind)])


@immutable
class _Call:
    """A call by the key of its arguments."""

    key: Hashable
    arguments: tuple[Any, ...] = field(compare=False)


class Kept(Shown, Generic[T]):
    """A function of descriptions that makes nothing again which it made a moment ago; the last `most` results are kept.

    >>> kept = Kept(lambda text: [text], 8)
    >>> kept("a") is kept("a"), kept("a") is kept("b")
    (True, False)
    """

    def __init__(self, make: Callable[..., T], most: int) -> None:
        self.make = make

        @lru_cache(most)
        def made(call: _Call) -> T:
            return make(*call.arguments)

        self._made = made

    def __call__(self, *arguments: Any) -> T:
        """What the function makes of these arguments."""
        key = key_of(arguments)
        return self.make(*arguments) if key is None else self._made(_Call(key, arguments))
