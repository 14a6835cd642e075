"""Immutable classes: frozen dataclasses that cost little to define, as a process uses a third of its three hundred."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, field, fields, is_dataclass
from functools import cache, partial
from reprlib import recursive_repr
from threading import RLock
from typing import Any, NoReturn, TypeGuard, TypeVar, dataclass_transform, overload

T = TypeVar("T")


@overload
def immutable(kind: type[T], /) -> type[T]: ...
@overload
def immutable(*, eq: bool = True) -> Callable[[type[T]], type[T]]: ...
@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def immutable(kind: type[Any] | None = None, /, *, eq: bool = True) -> Any:
    """Makes a class a frozen dataclass, as `dataclass(frozen=True, eq=eq)` does.

    Python compiles six functions for each of those when it is defined, which was a fifth of the time of a short command. Here the
    constructor is compiled when it is first looked up; the other methods are the same functions for all classes. Two objects are
    equal if their fields are, see `alike`; a field that has no hash, an array or a list, does not count for the object's.

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
    always: dict[str, Any] = {name: _Asked(kind, name) for name in ("__dataclass_fields__", "__dataclass_params__")} | _REFUSALS
    methods: dict[str, Any] = {"__init__": Constructor(kind), "__repr__": _repr, "__match_args__": _MatchArguments(kind)} | (
        {"__eq__": equal_by_fields, "__hash__": hash_of_fields} if eq else {}
    )
    for name in always.keys() | methods.keys() - own:
        setattr(kind, name, always.get(name) or methods[name])
    always["__dataclass_fields__"].take_fields()
    return kind


class _Asked:
    """Stands for what `dataclass` notes of a class, until somebody asks: then its fields are read."""

    frozen = True

    def __init__(self, owner: type[Any], name: str) -> None:
        self.owner, self.name = owner, name
        self.fields: dict[str, Field[Any]] = {}

    def take_fields(self) -> None:
        """Takes what describes fields from the class, as a dataclass does when it has read them: a usual value stays in its place."""
        self.fields = {name: part for name, part in vars(self.owner).items() if isinstance(part, Field)}
        for name, part in self.fields.items():
            if part.default is MISSING:
                delattr(self.owner, name)
            else:
                setattr(self.owner, name, part.default)

    def __get__(self, instance: object, kind: type[Any]) -> Any:
        with _reading:
            if vars(self.owner)[self.name] is self:  # no other thread has
                _read_fields(self.owner)
        return vars(self.owner)[self.name]


_reading = RLock()


def _read_fields(owner: type[Any]) -> None:
    """Makes the class a dataclass whose methods are there already."""
    # Frozen as its bases are, which Python asks for; only then does it write methods that refuse changes, in whose place ours come.
    is_frozen = any(map(is_dataclass, owner.__mro__[1:]))
    for name in _REFUSALS if is_frozen else ():
        delattr(owner, name)
    for name, part in vars(owner)["__dataclass_fields__"].fields.items():
        setattr(owner, name, part)
    made: Any = dataclass(init=False, repr=False, eq=False, frozen=is_frozen)(owner)
    made.__dataclass_params__.frozen = True
    for name, refuse in _REFUSALS.items():
        setattr(owner, name, refuse)


class _MatchArguments:
    """What a pattern's values stand for, in their order."""

    def __init__(self, owner: type[Any]) -> None:
        self.owner = owner

    def __get__(self, instance: object, kind: type[Any]) -> tuple[str, ...]:
        return tuple(part.name for part in fields(self.owner) if part.init and not part.kw_only)


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


def alike(one: Any, other: Any) -> bool:
    """Whether two values are equal; arrays are if their kinds, shapes and entries are, wherever they are held.

    >>> import numpy as np
    >>> alike({"w": np.zeros(2)}, {"w": np.zeros(2)}), alike([np.zeros(2)], [np.ones(2)]), alike(np.zeros(1), 0.0)
    (True, False, False)
    """
    if one is other:
        return True
    if _is_array(one) or _is_array(other):
        if not (_is_array(one) and _is_array(other) and one.dtype == other.dtype and one.shape == other.shape):
            return False
        return bool((one == other).all())
    if _is_several(one) and type(one) is type(other):
        return len(one) == len(other) and all(map(alike, one, other))
    if _is_mapping(one) and _is_mapping(other):
        return one.keys() == other.keys() and all(alike(value, other[name]) for name, value in one.items())
    return bool(one == other)


def _is_several(value: Any) -> TypeGuard[list[Any] | tuple[Any, ...]]:
    return isinstance(value, list | tuple)


def _is_mapping(value: Any) -> TypeGuard[Mapping[Any, Any]]:
    return isinstance(value, Mapping)


def _is_array(value: object) -> bool:
    numpy = sys.modules.get("numpy")  # which is not loaded for this: help and errors need no arrays
    return numpy is not None and isinstance(value, numpy.ndarray)


@cache
def _compared(kind: type[Any]) -> tuple[str, ...]:
    return tuple(part.name for part in fields(kind) if part.compare)


def equal_by_fields(self: Any, other: object) -> bool:
    """Whether two objects of a dataclass are equal: of the same kind, with fields that are."""
    if type(self) is not type(other):
        return NotImplemented
    return all(alike(getattr(self, name), getattr(other, name)) for name in _compared(type(self)))


@cache
def _hashed(kind: type[Any]) -> tuple[str, ...]:
    return tuple(part.name for part in fields(kind) if (part.compare if part.hash is None else part.hash))


def hash_of_fields(self: object) -> int:
    """A hash of what makes two objects equal, without the fields that have none."""
    return hash((type(self).__qualname__, *(_hash_of(getattr(self, name)) for name in _hashed(type(self)))))


def _hash_of(value: object) -> int:
    try:
        return hash(value)
    except TypeError:  # an array, a list, a mapping
        return 0


def _refuse_setting(self: object, name: str, value: object) -> NoReturn:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_deleting(self: object, name: str) -> NoReturn:
    raise FrozenInstanceError(f"cannot delete field {name!r}")


_REFUSALS: dict[str, Any] = {"__setattr__": _refuse_setting, "__delattr__": _refuse_deleting}
