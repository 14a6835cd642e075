"""Descriptions: frozen, checked, and written down by their fields alone: as the call that makes them, as JSON, as Python code.

Layers, losses, optimizers, schedules, initialisers, splits and settings are descriptions, ours and those of users alike:
`described` makes one of a class, and enters it into the list of what a file may name. Nothing that a file names is looked up
anywhere else: a class must have been defined here, by code that somebody chose to run, before a file that holds it is opened.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import MISSING, Field, FrozenInstanceError, field, fields
from functools import cache, partial, wraps
from inspect import Parameter, currentframe, isabstract, signature
from types import FunctionType
from typing import Annotated, Any, TypeGuard, TypeVar, cast, dataclass_transform, get_args, get_origin, get_type_hints, overload

import numpy as np
from numpy.typing import NDArray

from chainrule.checks import answered_constructor, checked, shown
from chainrule.descriptions.pickles import require_picklable
from chainrule.display import Shown
from chainrule.errors import OptionError, OptionTypeError
from chainrule.immutable import alike, equal_by_fields, hash_of_fields, immutable

T = TypeVar("T")
_OURS = "chainrule"


@immutable
class Told(Shown):
    """A note on a field with a usual value: `by_place` it is written without its name, `always` also where it is as usual."""

    by_place: bool = True
    always: bool = False


# ---- the decorator, and the list


_KINDS: dict[str, type[Any]] = {}
"""Every description by the name that files give it: ours by their names, those of users with their modules before."""


@overload
def described(kind: type[T], /) -> type[T]: ...
@overload
def described(*, eq: bool = True) -> Callable[[type[T]], type[T]]: ...
@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def described(kind: type[Any] | None = None, /, *, eq: bool = True) -> Any:
    """Makes a class a description: a frozen dataclass whose fields are held to their annotations, and which a run folder can keep.

    The fields are the constructor's arguments; a class with an `__init__` of its own names its arguments as its fields. Layers, losses,
    optimizers, schedules and initialisers are told apart by what they can do, see `Layer`, `Loss`, `Optimizer`, `Schedule`, `Initialiser`.
    Two descriptions are equal if their kinds and fields are; eq=False: only to themselves. A file names a user's class with its module;
    the class must have been defined or imported before the file is opened.

    >>> from chainrule.checks import Positive
    >>> @described
    ... class Swish:
    ...     slope: Positive = 1.0
    ...     def __call__(self, x):
    ...         return x / (1.0 + (-self.slope * x).exp())
    >>> Swish(), Swish(slope=2)
    (Swish(), Swish(slope=2))
    >>> Swish(-1)
    Traceback (most recent call last):
    ...
    chainrule.errors.OptionError: slope=-1 in Swish
      expected: a finite number above 0
      fix: write for example slope=0.1

    Raises: OptionTypeError for what is no class; OptionError for a dataclass that is not frozen, and for arguments that are no fields.
    """
    frame = currentframe()
    names = frame.f_back.f_locals if frame and frame.f_back else {}
    return partial(_described, eq=eq, names=names) if kind is None else _described(kind, eq=eq, names=names)


def _described(kind: type[Any], *, eq: bool, names: Mapping[str, Any]) -> type[Any]:
    _require_class(kind)
    own: set[str] = set(vars(kind))
    is_dataclass_already = "__dataclass_params__" in own
    if is_dataclass_already:
        own -= {"__repr__", "__eq__", "__hash__"}
    made: Any = checked(kind)
    if not is_dataclass_already:
        made = immutable(eq=False)(made)
        if "__init__" in own:
            made.__init__ = _refusing_changes(made.__init__)
        else:
            answered_constructor(made)
    methods: dict[str, Any] = {"__repr__": _repr, "__reduce_ex__": _reduce} | (
        {"__eq__": equal_by_fields, "__hash__": hash_of_fields} if eq else {}
    )
    for name, method in methods.items():
        if name not in own or (name == "__hash__" and "__eq__" not in own):
            setattr(made, name, method)
    if not hasattr(made, "_repr_html_"):
        made._repr_html_ = vars(Shown)["_repr_html_"]
    if "__init__" in own or not is_ours(made):  # ours without one are right, and their constructors can wait
        _require_arguments(made)
    _resolve(made, names)
    made.is_a_description = True
    if not isabstract(made):
        _KINDS[kind_name(made)] = made
    return made


def _refusing_changes(init: Callable[..., None]) -> Callable[..., None]:
    """A constructor of a class's own, which says how fields are set where it sets them as other classes do."""

    @wraps(init)
    def make(self: Any, *given: Any, **named: Any) -> None:
        try:
            init(self, *given, **named)
        except FrozenInstanceError as error:
            raise OptionError(
                f"the __init__ of {type(self).__name__} changes what is described: {error}",
                expected="fields, which are set once",
                remedy="leave out __init__: @described writes one that takes the fields",
            ) from error

    return make


def _resolve(kind: type[Any], names: Mapping[str, Any]) -> None:
    """Looks up annotations that name what only stands where the class is written: inside a function, in a notebook's cell."""
    if names is not vars(sys.modules.get(kind.__module__, sys)):
        with suppress(NameError):
            hints = get_type_hints(kind, localns=dict(names), include_extras=True)
            kind.__annotations__ = {name: hints[name] for name in vars(kind).get("__annotations__", {})}


def _require_class(kind: object) -> None:
    if not isinstance(kind, type):
        raise OptionTypeError(f"described was given {shown(kind)}", expected="a class", remedy="write @described above a class")
    found = vars(kind).get("__dataclass_params__")
    if found is not None and not found.frozen:
        raise OptionError(
            f"the dataclass {kind.__name__} can be changed",
            expected="a frozen one: what is described stays as it is",
            remedy=f"leave out @dataclass above {kind.__name__}: @described makes one",
        )


def _require_arguments(kind: type[Any]) -> None:
    known = {part.name for part in fields(kind)}
    odd = [name for name in list(signature(kind.__init__).parameters)[1:] if name not in known]
    if odd:
        raise OptionError(
            f"{kind.__name__} is made with {odd[0]}, which is no field of it",
            expected=f"arguments that are fields: {', '.join(known) or 'none so far'}",
            remedy=f'write "{odd[0]}: float", with the kind of its values, in the body of the class, and leave out __init__',
        )


def is_described(kind: type[Any]) -> bool:
    """Whether a class is a description itself, not only an heir of one; also after a notebook has defined it anew."""
    return "is_a_description" in vars(kind)


def is_description(value: object) -> bool:
    """Whether a value is a description."""
    return is_described(type(value))


def descriptions() -> dict[str, type[Any]]:
    """Every description by the name that files give it."""
    return dict(_KINDS)


def kind_name(kind: type[Any]) -> str:
    """The name that files give a class: its own, with the module before where it is not chainrule's."""
    return kind.__name__ if is_ours(kind) else f"{kind.__module__}.{kind.__qualname__}"


def is_ours(kind: type[Any]) -> bool:
    """Whether a class is one of chainrule's own."""
    return kind.__module__.partition(".")[0] == _OURS


def is_several(value: Any) -> TypeGuard[list[Any] | tuple[Any, ...]]:
    """Whether a value is a list or tuple."""
    return isinstance(value, list | tuple)


def is_mapping(value: Any) -> TypeGuard[Mapping[Any, Any]]:
    """Whether a value has others by name."""
    return isinstance(value, Mapping)


def is_array(value: Any) -> TypeGuard[NDArray[Any]]:
    """Whether a value is an array of NumPy's."""
    return isinstance(value, np.ndarray)


# ---- fields: what makes a description


@immutable
class _Argument:
    """One argument of the constructor: its usual value, if any, and how it is handed over."""

    name: str
    usual: Callable[[], Any] | None
    spread: bool
    told: Told

    def is_told(self, value: object) -> bool:
        """Whether a call must say this value."""
        return self.usual is None or self.told.always or not alike(value, self.usual())


@cache
def _arguments(kind: type[Any]) -> tuple[_Argument, ...]:
    """The arguments of a description, in their order."""
    hints, parts = hints_of(kind), {part.name: part for part in fields(kind)}
    given = list(signature(kind.__init__).parameters.values())[1:]
    return tuple(
        _Argument(
            part.name, _usual(parts[part.name], part), part.kind is Parameter.VAR_POSITIONAL, _note(hints.get(part.name), part)
        )
        for part in given
    )


def _usual(part: Field[Any], given: Parameter) -> Callable[[], Any] | None:
    if part.default_factory is not MISSING:
        return part.default_factory
    return None if given.default is Parameter.empty else lambda: given.default


def _note(hint: Any, given: Parameter) -> Told:
    notes = get_args(hint)[1:] if get_origin(hint) is Annotated else ()
    usual = Told(by_place=given.default is Parameter.empty and given.kind is not Parameter.KEYWORD_ONLY)
    return next((note for note in notes if isinstance(note, Told)), usual)


@cache
def hints_of(kind: type[Any]) -> Mapping[str, Any]:
    """The annotations of a description's fields; none where they name what cannot be found."""
    try:
        return get_type_hints(kind, include_extras=True)
    except NameError:  # a class of the user's, whose annotations name what stands inside a function
        return {}


def values_of(item: object) -> Iterator[tuple[str, Any]]:
    """The fields of a description and what they hold."""
    return ((part.name, getattr(item, part.name)) for part in fields(cast("Any", item)))


def _reduce(self: Any, protocol: int) -> Any:
    """As usual; a function or class without a name in a module is refused in our words, where a pickle needs one."""
    held: dict[str, Any] = {"class": type(self), **dict(values_of(self))}
    for name, value in held.items():
        if any(map(_is_nameless, value if is_several(value) else [value])):
            require_picklable(**{name: value})
    return object.__reduce_ex__(self, protocol)


def _is_nameless(value: object) -> bool:
    named = value if isinstance(value, type | FunctionType) else type(value)
    return "<" in named.__qualname__


# ---- as the call that makes it


def arguments_of(item: object, text: Callable[[Any], str]) -> list[str]:
    """The arguments of the call that makes a description; what is as usual is left out, what comes first goes without its name."""
    found: list[str] = []
    by_place = True
    for argument in _arguments(type(item)):
        value = getattr(item, argument.name)
        if argument.spread:
            found += [text(part) for part in value]
        elif argument.is_told(value):
            by_place = by_place and argument.told.by_place
            found.append(text(value) if by_place else f"{argument.name}={text(value)}")
        else:
            by_place = False
    return found


def _repr(self: object) -> str:
    return f"{type(self).__name__}({', '.join(arguments_of(self, _printed))})"


_repr.__qualname__ = "described.__repr__"
_LONG = 1000


def _printed(value: object) -> str:
    if is_mapping(value):
        return repr(dict(value))
    return repr(value.tolist() if is_array(value) and value.size <= _LONG else value)


def required(kind: type[Any]) -> set[str]:
    """The fields without which no description of this kind is made."""
    return {argument.name for argument in _arguments(kind) if argument.usual is None and not argument.spread}


def has_spread(kind: type[Any]) -> bool:
    """Whether a description is made of several others, one behind the other."""
    return any(argument.spread for argument in _arguments(kind))


def made_of(kind: type[Any], values: Mapping[str, Any]) -> Any:
    """The description of a kind with these fields; those that are left out are as usual."""
    named = dict(values)
    spread: list[Any] = []
    for argument in _arguments(kind):
        if argument.spread and argument.name in named:
            several = named.pop(argument.name)
            spread += several if is_several(several) else [several]
    return kind(*spread, **named)


# ---- the tree of a description


def tree(value: object, level: int = 1) -> Iterator[tuple[object, int]]:
    """Every description in a value with its level, itself first; one that is used twice comes twice."""
    inside = list(value.values()) if is_mapping(value) else value
    if is_several(inside):
        for part in inside:
            yield from tree(part, level)
    elif is_description(value):
        yield value, level
        for _, part in values_of(value):
            yield from tree(part, level + 1)
