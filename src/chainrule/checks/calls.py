"""Functions and descriptions whose arguments are held to their annotations, and which answer a wrong call by our error."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import fields
from functools import cache, partial, wraps
from inspect import Parameter, signature
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

from chainrule.checks.readers import MisfitError, Reader, object_for_class, reader_of, shown, takes_call
from chainrule.display import of_each_kind
from chainrule.errors import ChainruleError, OptionError, OptionTypeError
from chainrule.immutable import Constructor
from chainrule.spelling import suggest

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")


def read(owner: str, name: str, reader: Reader, value: Any) -> Any:
    """What the reader makes of an argument; OptionError, or OptionTypeError for one of the wrong kind, if it takes none of it."""
    try:
        return reader(value)
    except MisfitError as misfit:
        kind = OptionError if misfit.right_kind else OptionTypeError
        remedy = object_for_class(value) or misfit.remedy.replace("{name}", name) or f"see help({owner})"
        raise kind(f"{name}={shown(value)} in {owner}", expected=misfit.expected, remedy=remedy) from None


@cache
def readers_of(target: Callable[..., Any]) -> Mapping[str, Reader]:
    """A reader for each annotated parameter of a function, or field of a dataclass, by name."""
    try:
        hints = get_type_hints(target, include_extras=True)
    except NameError:
        if target.__module__.startswith("chainrule."):
            raise
        return {}  # a function of the user's, whose annotations name what stands inside another function
    if isinstance(target, type):
        return {part.name: reader_of(hints[part.name]) for part in fields(cast("Any", target)) if part.init}
    return {name: reader_of(hint) for name, hint in hints.items() if name != "return"}


def unknown(what: str, name: str, known: Iterable[str], *, none: str = "", otherwise: str = "") -> OptionError:
    """The error for a name that is none of those that are known; `none` stands in their place where there are none.

    >>> print(unknown("the colour 'rde'", "rde", ["red", "blue"]))
    the colour 'rde'
      expected: one of red, blue
      fix: did you mean 'red'?
    """
    names = list(known)
    return OptionError(what, expected=f"one of {', '.join(names) or none}", remedy=suggest(name, names, otherwise))


def require_place(what: str, place: int, count: int) -> None:
    """OptionError for one of several that are counted from 0, where there are not so many.

    >>> require_place("replica 3", 3, 2)
    Traceback (most recent call last):
    ...
    chainrule.errors.OptionError: replica 3
      expected: 0 ... 1
      fix: count from 0
    """
    if not 0 <= place < count:
        raise OptionError(what, expected=f"0 ... {count - 1}", remedy="count from 0")


def checked(target: F) -> F:
    """Holds the arguments of a function, of a class's `__init__`, or of a frozen dataclass to their annotations.

    Below @dataclass it stands as its inner decorator: fields are read before the class's own `__post_init__` looks at them.

    >>> import numpy as np
    >>> from chainrule.checks.limits import Count
    >>> @checked
    ... def double(x: float, times: Count = 1) -> float:
    ...     return x * 2**times
    >>> double(np.float32(0.5)), double(1, times=np.int64(2))
    (1.0, 4)
    >>> double(1.0, 0)
    Traceback (most recent call last):
    ...
    chainrule.errors.OptionError: times=0 in double
      expected: a whole number of 1 or more
      fix: write for example times=3
    """
    if not isinstance(target, type):
        return cast("F", _checked_function(target, target.__name__))
    own = cast("Any", target)
    if "__init__" in vars(target):
        own.__init__ = _checked_function(own.__init__, target.__name__)
        return cast("F", target)
    if "__post_init__" in vars(target) or not hasattr(target, "__post_init__"):
        own.__post_init__ = _checked_fields(vars(target).get("__post_init__"))
    # What is inherited from a checked class reads the fields of its heirs too.
    return cast("F", target)


def _checked_fields(then: Callable[[Any], None] | None) -> Callable[[Any], None]:
    def hold(self: Any) -> None:
        kind = cast("Any", type(self))
        for name, reader in readers_of(kind).items():
            value = getattr(self, name)
            found = read(kind.__name__, name, reader, value)
            if found is not value:
                object.__setattr__(self, name, found)
        if then is not None:
            then(self)

    return hold


def refusing(function: Callable[..., Any], owner: str) -> Callable[..., Any]:
    """The function, which answers by our error a call that its parameters do not allow, and one that fails with values of a wrong kind.

    Nothing is looked at before something has gone wrong.
    """

    @wraps(function)
    def call(*given: Any, **named: Any) -> Any:
        try:
            return function(*given, **named)
        except ChainruleError:
            raise
        except Exception as error:
            if takes_call(function, given, named):
                misfit = _first_misfit(owner, function, given, named)
                if misfit is None:
                    raise
                raise misfit from error
        raise _no_such_call(owner, function, given, named)

    setattr(call, _ANSWERS, True)
    return call


def _first_misfit(
    owner: str, function: Callable[..., Any], given: tuple[Any, ...], named: Mapping[str, Any]
) -> OptionError | None:
    """The error for the first value that is not what its parameter's annotation says."""
    with suppress(NameError):  # annotations may name what only a type checker imports
        readers = readers_of(function)
        for name, value in signature(function).bind(*given, **named).arguments.items():
            try:
                _ = name in readers and read(owner, name, readers[name], value)
            except OptionError as misfit:
                return misfit
    return None


def answering(room: dict[str, Any]) -> None:
    """Has every function, class and method that a room offers answer a wrong call by our error.

    Inside the room functions are called as they are.

    room: the `globals()` of its `__init__`, which has an `__all__`.
    """
    for name in room["__all__"]:
        found = room[name]
        if isinstance(found, types.FunctionType) and not hasattr(found, _ANSWERS):
            room[name] = refusing(found, name)
        elif isinstance(found, type):
            answered(found)


def answered(kind: type[T]) -> type[T]:
    """The class, whose constructor and public methods, own and inherited from ours, answer a wrong call by our error.

    >>> @answered
    ... class Box:
    ...     def put(self, thing): return thing
    >>> Box().put(things=1)
    Traceback (most recent call last):
    ...
    chainrule.errors.OptionTypeError: Box.put was given things=1
      expected: thing
      fix: did you mean 'thing'?
    """
    for base in cast("type[Any]", kind).__mro__:
        if getattr(base, "_is_protocol", False) or not (base is kind or base.__module__.startswith("chainrule.")):
            continue
        answered_constructor(base)
        _answered_methods(base)
    return kind


def _answered_methods(kind: type[Any]) -> None:
    """Has a class's own public methods answer a wrong call by our error."""
    values = vars(kind).get("__annotations__", ())  # a function may be the usual value of a field
    for name, found in list(vars(kind).items()):
        method = getattr(found, "__func__", found)  # of a class method, or a static one
        if isinstance(method, types.FunctionType) and not hasattr(method, _ANSWERS) and name[0] != "_" and name not in values:
            made = refusing(method, f"{kind.__name__}.{name}")
            setattr(kind, name, made if method is found else type(found)(made))


def _answered_if_ours(kind: type[Any]) -> None:
    if kind.__module__.startswith("chainrule."):
        _answered_methods(kind)


@cache
def _answered_once(kind: type[Any]) -> None:
    answered(kind)


def handed_out(thing: T) -> T:
    """An object whose class stands behind a protocol, as an engine's does: its methods answer a wrong call by our error from now on."""
    _answered_once(type(thing))
    return thing


def answered_constructor(kind: type[Any]) -> None:
    """Has a class's own constructor, if it has one, answer a wrong call by our error."""
    init = vars(kind).get("__init__")
    if isinstance(init, Constructor):
        init.around = partial(refusing, owner=kind.__name__)
    elif isinstance(init, types.FunctionType) and not hasattr(init, _ANSWERS):
        cast("Any", kind).__init__ = refusing(init, kind.__name__)


def _no_such_call(
    owner: str, function: Callable[..., Any], given: tuple[Any, ...], named: Mapping[str, Any]
) -> OptionTypeError:
    """The error for a call that the function's parameters do not allow: a name that is none of them, too many values, or too few."""
    parts = dict(signature(function).parameters)
    if parts.pop("self", parts.pop("cls", None)):
        given = given[1:]
    strange = [name for name in named if name not in parts]
    if strange:
        return OptionTypeError(
            f"{owner} was given {strange[0]}={shown(named[strange[0]])}",
            expected=", ".join(parts) or "no argument",
            remedy=suggest(strange[0], parts, f"see help({owner})"),
        )
    places = [name for name, part in parts.items() if part.kind in _BY_PLACE]
    twice = [name for name in places[: len(given)] if name in named]
    if len(given) > len(places) or twice:
        return OptionTypeError(
            f"{owner} was given {len(given)} value{'s' * (len(given) != 1)}{f', and {twice[0]} by its name too' if twice else ''}",
            expected=f"{len(places)} at most, for {', '.join(places)}" if places else "none without its name",
            remedy="give each once, the others by their names",
        )
    told = {*places[: len(given)], *named}
    missing = [
        name
        for name, part in parts.items()
        if part.default is Parameter.empty and part.kind not in _GATHERED and name not in told
    ]
    return OptionTypeError(
        f"{owner} was given no {' and no '.join(missing)}",
        expected=", ".join(parts),
        remedy=f"write {owner}({', '.join(f'{name}=...' for name in missing)})",
    )


_ANSWERS = "answers_wrong_calls"
_BY_PLACE = {Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD}
_GATHERED = {Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD}


def _checked_function(function: Callable[..., Any], owner: str) -> Callable[..., Any]:
    called = refusing(function, owner)

    @wraps(function)
    def call(*given: Any, **named: Any) -> Any:
        readers = readers_of(function)
        positions, spread, gathered = _places_of(function)
        held = [
            read(owner, name, readers[name], value) if name is not None and name in readers else value
            for name, value in zip(_names(positions, spread, len(given)), given, strict=True)
        ]
        for name, value in named.items():
            if name in readers:
                named[name] = read(owner, name, readers[name], value)
            elif gathered is not None and gathered in readers:
                named[name] = _gathered(function, gathered, owner, name, value)
        return called(*held, **named)

    setattr(call, _ANSWERS, True)
    return call


@cache
def _places_of(function: Callable[..., Any]) -> tuple[list[str], str | None, str | None]:
    """The parameters that have places, the one that takes further values, and the one that takes further names."""
    parameters = list(signature(function).parameters.values())
    positions = [part.name for part in parameters if part.kind in _BY_PLACE]
    spread = next((part.name for part in parameters if part.kind is Parameter.VAR_POSITIONAL), None)
    return positions, spread, next((part.name for part in parameters if part.kind is Parameter.VAR_KEYWORD), None)


def _names(positions: list[str], spread: str | None, count: int) -> list[str | None]:
    """The parameter that each positional argument is for; None where there is none, which Python itself refuses."""
    rest = count - len(positions)
    return [*positions[:count], *[spread] * max(rest, 0)]


def _gathered(function: Callable[..., Any], parameter: str, owner: str, name: str, value: Any) -> Any:
    """One of several keywords that a TypedDict declares; what it does not is for the function to refuse."""
    known = _options_of(function, parameter)
    return read(owner, name, known[name], value) if name in known else value


@cache
def _options_of(function: Callable[..., Any], parameter: str) -> Mapping[str, Reader]:
    hint = get_type_hints(function, include_extras=True)[parameter]
    options = get_args(hint)[0] if get_origin(hint) is typing.Unpack else None
    if options is None:
        return {}
    return {name: reader_of(part) for name, part in get_type_hints(options, include_extras=True).items()}


# Whoever is handed an object that shows itself may call it: no list says which these are.
of_each_kind(_answered_if_ours)
