"""Readers: from what was given to what is used, one to each annotation; they raise MisfitError for anything that makes no sense."""

from __future__ import annotations

import math
import types
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from inspect import isabstract, signature
from typing import Annotated, Any, Literal, Protocol, TypeAlias, Union, cast, get_args, get_origin

import numpy as np
from numpy.typing import ArrayLike, NDArray

from chainrule.checks.limits import ANY_NUMBER, Count, Interval
from chainrule.display import Shown
from chainrule.immutable import immutable
from chainrule.spelling import suggest

LARGEST = 2**63 - 1
"""The largest whole number that an array holds."""


class MisfitError(Exception):
    """What a reader raises: what it expected, what to write, and whether the kind is right and only the value wrong.

    In the remedy "{name}" stands for the argument's name.
    """

    def __init__(self, expected: str, remedy: str = "", *, right_kind: bool = False) -> None:
        super().__init__(expected)
        self.expected, self.remedy, self.right_kind = expected, remedy, right_kind


Reader: TypeAlias = "Callable[[Any], Any]"
"""From what was given to what is used; it raises MisfitError for anything that makes no sense."""


def shown(value: object) -> str:
    """A value as it stands in an error message: short."""
    try:
        text = value.__name__ if isinstance(value, type) else repr(value)
    except Exception:
        text = f"an object of the class {type(value).__name__}"
    text = " ".join(text.split())
    return text if len(text) <= 80 else text[:77] + "..."


# ---- numbers and texts


def scalar(value: object) -> object:
    """NumPy's numbers and truth values, and arrays without axes, as Python's own; everything else as it is.

    >>> scalar(np.int64(3)), scalar(np.array(0.5)), scalar("text")
    (3, 0.5, 'text')
    """
    array = cast("Any", value)
    if isinstance(array, np.generic) or (
        isinstance(array, np.ndarray) and array.ndim == 0 and cast("Any", array).dtype.kind in "biuf"
    ):
        return cast("object", cast("Any", array).item())
    return cast("object", array)


def read_whole(value: object, limits: Interval = ANY_NUMBER) -> int:
    """A whole number; True and False are none."""
    found = scalar(value)
    if isinstance(found, bool) or not isinstance(found, int):
        raise _no_whole_number(limits, right_kind=isinstance(found, float))
    largest = limits.most or limits.below or LARGEST
    if found > largest:
        raise _no_whole_number(limits, most=largest)
    if not limits.holds(found) or -found > LARGEST:
        raise _no_whole_number(limits)
    return found


def _no_whole_number(limits: Interval, *, most: float | None = None, right_kind: bool = True) -> MisfitError:
    words = limits.words("a whole number")
    if most is not None and str(most) not in words:
        words = f"{words}, no larger than {most}"
    return MisfitError(words, f"write for example {{name}}={limits.example(whole=True)}", right_kind=right_kind)


def read_number(value: object, limits: Interval = ANY_NUMBER) -> float:
    """A finite number; True and False are none."""
    found = scalar(value)
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise _no_number(limits, right_kind=False)
    try:
        finite = math.isfinite(found) or (limits.infinite and not math.isnan(found))
    except OverflowError:  # a whole number that no float holds
        finite = False
    if not finite or not limits.holds(found):
        raise _no_number(limits, right_kind=True)
    # A whole number stays one, so that it prints as it was written, as long as an array holds it.
    return float(found) if abs(found) > LARGEST else found


def _no_number(limits: Interval, *, right_kind: bool) -> MisfitError:
    words = limits.words("a number" if limits.infinite else "a finite number")
    return MisfitError(words, f"write for example {{name}}={limits.example(whole=False)}", right_kind=right_kind)


def read_truth(value: object) -> bool:
    """True or False."""
    if isinstance(value, bool | np.bool_):
        return bool(cast("Any", value))
    raise MisfitError("True or False", "write {name}=True or {name}=False")


def read_text(value: object) -> str:
    """A text."""
    if isinstance(value, str):
        return str(value) if isinstance(value, np.generic) else value
    raise MisfitError("a text", 'write a text in quotes: {name}="..."')


def _choice(options: tuple[Any, ...]) -> Reader:
    words = f"one of {', '.join(map(repr, options))}"

    def read(value: Any) -> Any:
        found = scalar(value)
        for option in options:
            if type(found) is type(option) and found == option:
                return option
        texts = [option for option in options if isinstance(option, str)]
        near = suggest(found, texts, "") if isinstance(found, str) else ""
        raise MisfitError(words, near or f"write {{name}}={options[0]!r}", right_kind=isinstance(found, str) and bool(texts))

    return read


# ---- several of a kind


def _several(whole: Any, each: Reader) -> Reader:
    """Tuples stay tuples; anything that can be gone through is taken, but for texts, which are no lists of letters."""

    def read(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            value = value.tolist()
        if isinstance(value, str | bytes | Mapping) or not isinstance(value, whole):
            raise MisfitError(
                "a list or tuple", f"write {{name}}=[{value!r}]" if isinstance(value, str) else "put it in brackets"
            )
        found = [_inside(each, item) for item in cast("Iterable[Any]", value)]
        return tuple(found) if not isinstance(value, list) or whole is tuple_like else found

    return read


tuple_like: tuple[type, ...] = (list, tuple, range)


def _inside(each: Reader, item: Any) -> Any:
    try:
        return each(item)
    except MisfitError as misfit:
        raise MisfitError(
            f"in its brackets {misfit.expected}, not {shown(item)}", misfit.remedy, right_kind=misfit.right_kind
        ) from None


def _fixed(parts: Sequence[Reader]) -> Reader:
    def read(value: Any) -> Any:
        if isinstance(value, np.ndarray) and value.ndim:
            value = value.tolist()
        if not isinstance(value, list | tuple) or len(cast("Sequence[Any]", value)) != len(parts):
            raise MisfitError(f"{len(parts)} values in brackets")
        return tuple(_inside(each, item) for each, item in zip(parts, cast("Sequence[Any]", value), strict=True))

    return read


def _mapping(key: Reader, each: Reader) -> Reader:
    def read(value: Any) -> Any:
        if not isinstance(value, Mapping):
            raise MisfitError("names with their values, in braces", 'write for example {"name": value}')
        found = {_inside(key, name): _inside(each, item) for name, item in cast("Mapping[Any, Any]", value).items()}
        same = all(found.get(name) is item for name, item in cast("Mapping[Any, Any]", value).items())
        return cast("Any", value) if same else found

    return read


# ---- objects


def _object(kind: type) -> Reader:
    def read(value: Any) -> Any:
        lacks = [part for part in _own_parts(kind) if not hasattr(value, part)] if isabstract(kind) else []
        if isinstance(value, kind) and not lacks:
            return value
        if isabstract(kind):
            words = f"an object of a class derived from {kind.__name__}, with {', '.join(_own_parts(kind))}"
            remedy = f"take one of those that there are, or write your own: class Own({kind.__name__}): ..."
        else:
            words, remedy = f"an object of the class {kind.__name__}", f"write {{name}}={kind.__name__}(...)"
        raise MisfitError(words, object_for_class(value) or remedy)

    return read


def _own_parts(kind: Any) -> list[str]:
    """What an abstract class leaves to those that are derived from it."""
    return sorted({*kind.__abstractmethods__, *(name for name in kind.__annotations__ if not hasattr(kind, name))})


def object_for_class(value: object) -> str:
    """The remedy for a class that stands in an object's place; nothing for what is no class.

    >>> object_for_class(dict)
    'write dict(...): an object of the class, not the class'
    """
    return f"write {value.__name__}(...): an object of the class, not the class" if isinstance(value, type) else ""


def members_of(protocol: type) -> tuple[str, ...]:
    """The names that an object must have to be of a protocol."""
    own = [base for base in protocol.__mro__ if getattr(base, "_is_protocol", False) and base is not Protocol]
    names = {name for base in own for name in (*vars(base), *getattr(base, "__annotations__", {}))}
    return tuple(sorted(name for name in names if not name.startswith("_") or name == "__call__"))


def _of_protocol(protocol: type) -> Reader:
    wanted = members_of(protocol)
    given = list(signature(cast("Any", protocol).__call__).parameters)[1:] if "__call__" in wanted else []
    word = protocol.__name__.lower()
    parts = [name for name in wanted if name != "__call__"]
    calls = [f"is called with {' and '.join(given)}"] if given else []
    words = " and ".join([*([f"has {', '.join(parts)}"] if parts else []), *calls])
    expected = f"{'an' if word[0] in 'aeiou' else 'a'} {word}: an object that {words}"

    def read(value: Any) -> Any:
        missing = isinstance(value, type) or not all(hasattr(value, name) for name in wanted)
        if missing or (given and not takes(value, count=len(given))):
            raise MisfitError(expected, object_for_class(value))
        return value

    return read


def takes(function: Callable[..., Any], names: Iterable[str] = (), count: int = 0) -> bool:
    """Whether a function can be called with so many arguments, and those of these names; where that cannot be known, it is believed."""
    return takes_call(function, [None] * count, dict.fromkeys(names))


def takes_call(function: Callable[..., Any], given: Sequence[Any], named: Mapping[str, Any]) -> bool:
    """Whether a function's parameters allow a call; where that cannot be known, it is believed."""
    try:
        signature(function).bind(*given, **named)
    except TypeError:
        return False
    except ValueError:
        return True
    return True


def _function(arguments: tuple[Any, ...]) -> Reader:
    """A function; where the annotation says which arguments it is called with, one that takes as many."""
    given = cast("list[Any]", arguments[0]) if arguments and isinstance(arguments[0], list) else None
    words = "a function" if given is None else f"a function of {len(given)} argument{'s' * (len(given) != 1)}"

    def read(value: Any) -> Any:
        if callable(value) and not isinstance(value, type) and (given is None or takes(value, count=len(given))):
            return value
        raise MisfitError(words, object_for_class(value) or "write the function's name, without calling it")

    return read


def _array(value: Any) -> Any:
    """Numbers as an array: lists and tuples too."""
    try:
        found = np.asarray(value)
    except (ValueError, TypeError):
        raise MisfitError("an array of numbers, in rows of equal length") from None
    if found.dtype.kind not in "biuf":
        raise MisfitError("an array of numbers")
    return found


def is_finite(array: NDArray[Any]) -> bool:
    """Whether an array holds neither NaN nor infinity.

    >>> is_finite(np.array([1.0, 1e308, 1e308])), is_finite(np.array([1.0, np.nan]))
    (True, False)
    """
    if array.dtype.kind != "f":
        return True
    # The sum of finite numbers is finite but for overflow: only a suspicious one is looked at closely.
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(array.sum())) or bool(np.isfinite(array).all())


def _array_like(value: Any) -> Any:
    """What NumPy makes an array of; what may stand in it is for the function to say."""
    if value is None or isinstance(value, type | bytes) or callable(value):
        raise MisfitError("an array", object_for_class(value))
    return value


def _none(value: Any) -> None:
    if value is not None:
        raise MisfitError("None")


def anything(value: Any) -> Any:
    """The reader that takes everything."""
    return value


# ---- from annotation to reader


def reader_of(hint: Any) -> Reader:
    """The reader that follows from an annotation.

    >>> reader_of(Count)(np.int64(3))
    3
    """
    if hint is ArrayLike:
        return _array_like
    origin, arguments = get_origin(hint), get_args(hint)
    # An alias stands for its value: `type Rate = float` of Python 3.12, and NDArray[...] from NumPy 2.5 on.
    alias = hint if origin is None else origin
    if hasattr(alias, "__value__"):
        return reader_of(alias.__value__)
    if origin is Annotated:
        return _annotated(arguments[0], arguments[1:])
    if origin in {Union, types.UnionType}:
        return _either(arguments)
    if origin is Literal:
        return _choice(arguments)
    if origin is tuple:
        if len(arguments) == 2 and arguments[1] is ...:
            return _several(tuple_like, reader_of(arguments[0]))
        return _fixed([reader_of(part) for part in arguments])
    if hint in _PLAIN:
        return _PLAIN[hint]
    kind: Any = origin or hint
    if not isinstance(kind, type):
        return anything
    return _of_class(cast("object", kind), arguments)


def _descends(kind: Any, base: Any) -> bool:
    return issubclass(kind, base)


def _of_class(kind: Any, arguments: tuple[Any, ...]) -> Reader:
    """The reader for a class, an abstract one of a certain content, or a protocol."""
    home, name = str(kind.__module__), str(kind.__name__)
    if _descends(kind, np.ndarray):
        return _array
    if home == "collections.abc" and name == "Callable":
        return _function(arguments)
    if home == "collections.abc" and _descends(kind, Mapping) and len(arguments) == 2:
        return _mapping(*(reader_of(part) for part in arguments))
    if home == "collections.abc" and arguments and _descends(kind, Iterable):
        several: Any = (*tuple_like, kind) if _descends(kind, Sequence) else Iterable
        return _several(several, reader_of(arguments[0]))
    return _of_protocol(cast("type", kind)) if getattr(kind, "_is_protocol", False) else _object(cast("type", kind))


_PLAIN: dict[Any, Reader] = {
    bool: read_truth, int: read_whole, float: read_number, str: read_text, type(None): _none, Any: anything, object: anything,
}  # fmt: skip


def _annotated(hint: Any, notes: tuple[Any, ...]) -> Reader:
    limits = next((note for note in notes if isinstance(note, Interval)), None)
    if limits is not None and hint in {int, float}:
        plain = read_whole if hint is int else read_number
        return lambda value: plain(value, limits)
    choice = next((note for note in notes if isinstance(note, Choice)), None)
    if choice is not None:
        return choice.read
    read = reader_of(hint)
    for note in notes:
        if isinstance(note, Constraint):
            read = _ruled(read, note)
    return read


@immutable
class Choice(Shown):
    """The names that a text may be; `otherwise` is the remedy for one that is near to none of them."""

    names: Collection[str]
    otherwise: str = ""

    def read(self, value: object) -> str:
        """The text, if it is one of the names."""
        if isinstance(value, str) and value in self.names:
            return str(value)
        remedy = suggest(value if isinstance(value, str) else "", self.names, self.otherwise)
        raise MisfitError(f"one of {', '.join(self.names)}", remedy, right_kind=isinstance(value, str))


@immutable
class Constraint(Shown):
    """What a value must fulfil beside its kind: `holds` says so, `expected` in words, `remedy` what to write."""

    holds: Callable[[Any], bool]
    expected: str
    remedy: str = ""


Sizes: TypeAlias = Count | Annotated[tuple[Count, ...], Constraint(bool, "one size or more", "write for example {name}=2")]
"""One size for all axes, or one to each."""


def _is_regular(value: Any) -> bool:
    try:
        np.shape(value)
    except ValueError:
        return False
    return True


Regular: TypeAlias = Annotated[Any, Constraint(_is_regular, "rows of equal length", "cut or fill the rows to one length")]
"""Anything that has a shape, if it is made of rows at all."""
Numbers: TypeAlias = Annotated[
    NDArray[Any],
    Constraint(lambda array: bool(np.isfinite(array).all()), "an array of finite numbers", "correct what is not finite"),
]
"""An array, or lists, of numbers none of which is NaN or infinite."""
WholeNumbers: TypeAlias = Annotated[
    NDArray[Any],
    Constraint(
        lambda array: bool(np.all(np.isfinite(array) & (array >= 0) & (array == np.floor(array)) & (array < 2.0**63))),
        "an array of whole numbers of 0 or more",
    ),
]
"""An array, or lists, of whole numbers of 0 or more."""


def _ruled(read: Reader, rule: Constraint) -> Reader:
    def read_and_ask(value: Any) -> Any:
        found = read(value)
        if rule.holds(found):
            return found
        raise MisfitError(rule.expected, rule.remedy, right_kind=True)

    return read_and_ask


def _is_array_like(hint: Any) -> bool:
    """Whether a choice of several is NumPy's ArrayLike and more: an alias there, or, before NumPy 2.5, what it stood for."""
    is_alias = hasattr(get_origin(hint) or hint, "__value__")
    return hint is ArrayLike or (not is_alias and getattr(hint, "__module__", "").startswith("numpy._typing"))


def _either(hints: tuple[Any, ...]) -> Reader:
    if any(map(_is_array_like, hints)):
        taken = _array_like
        return taken if type(None) not in hints else lambda value: None if value is None else taken(value)
    # None is looked for first: it must not reach a reader that takes anything that can be called.
    takes_none = type(None) in hints
    readers = [reader_of(hint) for hint in hints if hint is not type(None)]

    def read(value: Any) -> Any:
        if value is None and takes_none:
            return None
        misfits: list[MisfitError] = []
        for reader in readers:
            try:
                return reader(value)
            except MisfitError as misfit:
                # Without its traceback, which holds this frame, which holds the list: a circle, for the collector of garbage alone.
                misfits.append(misfit.with_traceback(None))
        near = [misfit for misfit in misfits if misfit.right_kind]
        words = list(dict.fromkeys(misfit.expected for misfit in near or misfits))
        words += ["None"] if takes_none and not near else []
        remedy = next((misfit.remedy for misfit in near or misfits if misfit.remedy), "")
        raise MisfitError(", or ".join(words), remedy, right_kind=bool(near))

    return read
