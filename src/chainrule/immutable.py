"""Immutable classes: frozen dataclasses that cost little to define, as a process uses a third of its three hundred."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, field, fields, is_dataclass
from functools import cache, partial
from operator import attrgetter
from reprlib import recursive_repr
from typing import Any, NoReturn, TypeVar, dataclass_transform, overload

T = TypeVar("T")


@overload
def immutable(kind: type[T], /) -> type[T]: ...
@overload
def immutable(*, eq: bool = True) -> Callable[[type[T]], type[T]]: ...
@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def immutable(kind: type[Any] | None = None, /, *, eq: bool = True) -> Any:
    """Makes a class a frozen dataclass, as `dataclass(frozen=True, eq=eq)` does.

    Python compiles six functions for each of those when it is defined, which was a fifth of the time of a short command. Here the
    constructor is compiled when it is first looked up; the other methods are the same functions for all classes.

    >>> @immutable
    ... class Point:
    ...     x: float
    ...     y: float = 0.0
    >>> Point(1.0), Point(1.0) == Point(1.0, 0.0)
    (Point(x=1.0, y=0.0), True)
    """
    return partial(_made_immutable, eq=eq) if kind is None else _made_immutable(kind, eq=eq)


def _made_immutable(kind: type[Any], *, eq: bool) -> type[Any]:
    own = set(vars(kind))
    if eq and "__eq__" in own and vars(kind)["__hash__"] is None:
        own.remove("__hash__")  # Python writes __hash__ = None beside an __eq__: that is nobody's choice
    kind.__doc__ = kind.__doc__ or ""  # or a dataclass writes one, from the constructor
    # Frozen as its bases are, which Python asks for; only then does it write methods that refuse changes, in whose place ours come.
    made: Any = dataclass(init=False, repr=False, eq=False, frozen=any(map(is_dataclass, kind.__mro__[1:])))(kind)
    made.__dataclass_params__.frozen = True
    made.__setattr__, made.__delattr__ = _refuse_setting, _refuse_deleting
    methods: dict[str, Any] = {"__init__": Constructor(made), "__repr__": _repr} | (
        {"__eq__": _equals, "__hash__": _hash} if eq else {}
    )
    for name in methods.keys() - own:
        setattr(made, name, methods[name])
    return made


class Constructor:
    """The constructor of an immutable class, until somebody asks for it; `around` is put around it when it is written."""

    def __init__(self, owner: type[Any]) -> None:
        self.owner = owner
        self.around: Callable[[Any], Any] | None = None

    def __get__(self, instance: object, kind: type[Any]) -> Any:
        written = _constructor(self.owner)
        if self.around is not None:
            written = self.around(written)
        setattr(self.owner, "__init__", written)  # noqa: B010  (a class's own method, replaced)
        return written.__get__(instance, kind)


def _constructor(owner: type[Any]) -> Any:
    """A function that takes the fields and sets them, as Python writes it for dataclasses."""
    parts: tuple[Field[Any], ...] = fields(owner)
    taken = [part for part in parts if part.init]
    named = [_head(part) for part in taken if part.kw_only]
    head = ", ".join(["self", *(_head(part) for part in taken if not part.kw_only), *(["*", *named] if named else [])])
    lines = [*_settings(parts), *(["self.__post_init__()"] if hasattr(owner, "__post_init__") else []), "return"]
    known = {f"__usual_{part.name}": part.default if part.default is not MISSING else part.default_factory for part in parts}
    known |= {"__set": object.__setattr__, "__anew": _ANEW}
    text = f"def make({', '.join(known)}):\n def __init__({head}):\n  " + "\n  ".join(lines) + "\n return __init__"
    found: dict[str, Any] = {}
    exec(text, vars(sys.modules.get(owner.__module__, sys)), found)  # noqa: S102  (its text follows from names of fields)
    written = found["make"](**known)
    written.__qualname__ = f"{owner.__qualname__}.__init__"
    written.__annotations__ = {part.name: part.type for part in taken} | {"return": None}
    return written


class _Anew:
    """Stands for a usual value that is made for each object, and reads as a dataclass's does."""

    def __repr__(self) -> str:
        return "<factory>"


_ANEW = _Anew()


def _head(part: Field[Any]) -> str:
    if part.default is not MISSING:
        return f"{part.name}=__usual_{part.name}"
    return part.name if part.default_factory is MISSING else f"{part.name}=__anew"


def _settings(parts: tuple[Field[Any], ...]) -> Iterator[str]:
    for part in parts:
        name, anew = part.name, f"__usual_{part.name}()"
        if part.init and part.default_factory is not MISSING:
            yield f"__set(self, '{name}', {anew} if {name} is __anew else {name})"
        elif part.init or part.default_factory is not MISSING:
            yield f"__set(self, '{name}', {name if part.init else anew})"


@recursive_repr()
def _repr(self: Any) -> str:
    told = ", ".join(f"{part.name}={getattr(self, part.name)!r}" for part in fields(self) if part.repr)
    return f"{type(self).__qualname__}({told})"


@cache
def _compared(kind: type[Any]) -> attrgetter[Any]:
    return attrgetter("__class__", *(part.name for part in fields(kind) if part.compare))


def _equals(self: object, other: object) -> bool:
    if type(self) is not type(other):
        return NotImplemented
    read = _compared(type(self))
    return read(self) == read(other)


@cache
def _hashed(kind: type[Any]) -> attrgetter[Any]:
    return attrgetter("__class__", *(part.name for part in fields(kind) if (part.compare if part.hash is None else part.hash)))


def _hash(self: object) -> int:
    return hash(_hashed(type(self))(self))


def _refuse_setting(self: object, name: str, value: object) -> NoReturn:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_deleting(self: object, name: str) -> NoReturn:
    raise FrozenInstanceError(f"cannot delete field {name!r}")
