"""Descriptions as plain data for JSON, and back: by the list of those that are defined here, with their own checks."""

from __future__ import annotations

import re
import sys
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Annotated, Any, Self, TypeAlias, Union, cast, get_args, get_origin

from chainrule.checks import scalar, shown
from chainrule.descriptions.kinds import (
    descriptions,
    hints_of,
    is_array,
    is_described,
    is_description,
    is_mapping,
    is_ours,
    is_several,
    kind_name,
    made_of,
    required,
    values_of,
)
from chainrule.display import Shown
from chainrule.errors import ChainruleError, FileFormatError, OptionError, Remedy, UndefinedClassError
from chainrule.spelling import suggest

Json: TypeAlias = "dict[str, Any]"
DEEPEST = 50
"""How many descriptions may stand inside each other in a file."""
MOST_SHARED = 2000
"""How many layers a file may hold: a graph of more would take minutes to be built."""
KIND, OTHER, SHARED = "kind", "described", "Shared"
_KIND_NAMES = {"EachStep": "TimeDistributed", "Signature": "DatasetInfo"}
"""What files of earlier versions call kinds, with their names now."""
_GATES = {"keep": "forget_bias", "write": "input_bias"}
_WHEN: Mapping[str, Any] = {"return_sequences": {"last": False, "every": True}}
_MEMORY = {"answer": "return_sequences", "carry": "stateful"}
_FRACTION, _TARGETS = {"share": "fraction"}, {"answer": "target_steps"}
_FIELD_NAMES: Mapping[str, Mapping[str, str]] = {
    "RNN": _MEMORY, "LSTM": {**_MEMORY, **_GATES}, "GRU": {**_MEMORY, "keep": "update_bias"},
    "Normal": {"deviation": "std"}, "GaussianNoise": {"deviation": "std"}, "AdamW": {"decay": "weight_decay"},
    "EarlyStopping": {"score": "monitor", "least_change": "min_delta"},
    "random_labels": _FRACTION, "wrong_labels": _FRACTION, "reconstructed": _FRACTION,
    "recall": _TARGETS, "countdown": _TARGETS, "oscillators": _TARGETS,
}  # fmt: skip
"""What files of earlier versions call fields of a kind, or options of a data set, with their names now."""


def _head(kind: type[Any]) -> str:
    """The key under which a file names a class: another one where it has a field called kind."""
    return OTHER if KIND in {part.name for part in fields(kind)} else KIND


def _nothing(kind: type[Any]) -> bool:
    return False


def renamed(kind: str, saved: Mapping[str, Any]) -> Json:
    """What a file says of a kind, or of a data set, by the names that fields have now.

    >>> renamed("LSTM", {"units": 3, "answer": "every"})
    {'units': 3, 'return_sequences': True}
    """
    names = _FIELD_NAMES.get(kind, {})
    return {
        names.get(key, key): _WHEN[names[key]].get(value, value)
        if names.get(key) in _WHEN and isinstance(value, str)
        else value
        for key, value in saved.items()
    }


# ---- writing


@dataclass
class _Writer:
    """Writes every field out, so that usual values may change later; what is used twice is written once, then named by its number."""

    is_shared: Callable[[type[Any]], bool]
    numbers: dict[int, int] = field(default_factory=dict[int, int])

    def value(self, value: Any) -> Any:
        """Any value that a description may hold."""
        value = cast("Any", scalar(value))
        if value is None or isinstance(value, bool | int | float | str):
            return value
        if is_array(value) and value.dtype.kind in "biufU":
            return value.tolist()
        if is_mapping(value):
            return {_name(key): self.value(part) for key, part in value.items()}
        if is_several(value):
            return [self.value(part) for part in value]
        if is_description(value):
            return self.description(value)
        raise unwritable(value)

    def description(self, item: object) -> Json:
        """A description by its kind and its fields."""
        if id(item) in self.numbers:
            return {KIND: SHARED, "layer": self.numbers[id(item)]}
        if self.is_shared(type(item)):
            self.numbers[id(item)] = len(self.numbers)
        return {_head(type(item)): kind_name(type(item)), **{name: self.value(value) for name, value in values_of(item)}}


def _name(key: object) -> str:
    if isinstance(key, str):
        return key
    raise OptionError(f"{shown(key)} names a value", expected="a text for a name", remedy="write it in quotes")


def written(value: Any, is_shared: Callable[[type[Any]], bool] = _nothing) -> Any:
    """A value made of descriptions as plain data for JSON.

    is_shared: for which kinds two uses of one object are more than two equal objects.

    Raises: OptionError for what is made of Python code, or of a class that is no description.
    """
    return _Writer(is_shared).value(value)


def unwritable(value: object) -> OptionError:
    """The error for what cannot be written down."""
    return OptionError(
        f"{shown(value)} cannot be written down: it is made of Python code",
        expected="a description",
        remedy=_how_to_write(value),
    )


def _how_to_write(value: object) -> str:
    kind = type(value)
    if isinstance(value, type | types.FunctionType | types.BuiltinFunctionType | types.MethodType) or is_ours(kind):
        return "write a class, @cr.described above it, in the function's place; or build the network again in code and pass it"
    return f"write @cr.described above the class {kind.__name__}; or build the network again in code and pass it"


# ---- reading


@dataclass
class _Reader:
    """What is known while a file is read: what may be used again, and how deep we are."""

    is_shared: Callable[[type[Any]], bool]
    made: list[Any] = field(default_factory=list[Any])
    depth: int = 0

    def value(self, found: Any, hint: Any = Any) -> Any:
        """What a file holds at a place with this annotation."""
        hint = _bare(hint)
        if isinstance(found, list):
            parts = cast("list[Any]", found)
            made = [self.value(*pair) for pair in zip(parts, _hints_inside(hint, len(parts)), strict=True)]
            return made if list in (hint, get_origin(hint)) else tuple(made)
        if not isinstance(found, dict):
            return found
        saved = cast("Json", found)
        kind: Any = get_origin(hint) or hint
        if isinstance(kind, type) and issubclass(kind, Mapping):
            (inside,) = _hints_inside(hint, 1)
            return {name: self.value(part, inside) for name, part in saved.items()}
        if isinstance(kind, type) and is_described(kind) and _head(kind) not in saved:
            return self.description(kind, saved)
        return self.named(saved)

    def named(self, saved: Json) -> Any:
        """What a file holds by the name of its kind."""
        if not saved.keys() & {KIND, OTHER}:
            raise refused(saved, "an object that names its kind")
        name: object = saved[OTHER if OTHER in saved else KIND]
        if name == SHARED:
            return self.shared(saved)
        self.depth += 1
        if self.depth > DEEPEST:
            raise refused("descriptions inside descriptions", f"at most {DEEPEST} levels")
        kind = _kind_named(name)
        if not self.is_shared(kind):
            made = self.description(kind, saved)
        elif len(self.made) >= MOST_SHARED:
            raise refused("layer after layer", f"at most {MOST_SHARED} layers")
        else:
            # The place is taken before the parts are read: layers are numbered in the order in which they are opened.
            place = len(self.made)
            self.made.append(None)
            made = self.made[place] = self.description(kind, saved)
        self.depth -= 1
        return made

    def shared(self, saved: Json) -> Any:
        """What was made earlier."""
        number: object = saved.get("layer")
        if saved.keys() == {KIND, "layer"} and isinstance(number, int) and self.is_made(number):
            return self.made[number]
        raise refused(saved, "the number of an earlier layer")

    def is_made(self, number: int) -> bool:
        """Whether the layer of this number stands complete before."""
        return 0 <= number < len(self.made) and self.made[number] is not None

    def description(self, kind: type[Any], saved: Json) -> Any:
        """The object of a kind, made of the fields that a file holds; whether they are right the kind itself says."""
        parts = {part.name: part for part in fields(kind)}
        saved = renamed(kind_name(kind), saved)
        # What was an argument once and is a kind's own by now stands in files of the first versions; "version" in some of them too.
        given = {key: found for key, found in saved.items() if key in parts or not (key in _HEADS or hasattr(kind, key))}
        if "version" not in parts and saved.get("version", 1) != 1:
            raise refused(f"{kind.__name__} of version {saved['version']!r}", "version 1")
        odd = sorted(map(str, (given.keys() - parts.keys()) | (required(kind) - given.keys())))
        if odd:
            raise FileFormatError(
                f"{kind.__name__} in the file: unknown or missing {', '.join(odd)}",
                expected=f"kind, {', '.join(parts)}" if parts else "kind alone",
                remedy="use this version of chainrule or a later one, and the file as it was written",
            )
        hints = hints_of(kind)
        values = {name: self.value(found, hints.get(name, Any)) for name, found in given.items()}
        try:
            return made_of(kind, values)
        except ChainruleError as error:
            raise FileFormatError(
                f"{kind.__name__} in the file: {error.happened}", expected=error.expected, remedy=error.remedy
            ) from error


_OF_A_MODULE = re.compile(r"[^\W\d]\w*(\.([^\W\d]\w*|<locals>))+")
_HEADS = frozenset({KIND, OTHER, "version"})


def _bare(hint: Any) -> Any:
    """An annotation without its notes, and without None beside one other."""
    while get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    if get_origin(hint) in {Union, types.UnionType}:
        others = [part for part in get_args(hint) if part is not type(None)]
        return _bare(others[0]) if len(others) == 1 else Any
    return hint


def _hints_inside(hint: Any, count: int) -> list[Any]:
    """The annotations of what a list, tuple or mapping with this annotation holds."""
    arguments = get_args(hint)
    if get_origin(hint) is tuple and ... not in arguments:
        return [*arguments, *[Any] * count][:count]
    if isinstance(get_origin(hint), type) and issubclass(get_origin(hint), Mapping):
        arguments = arguments[1:]
    return [arguments[0] if arguments else Any] * count


def _kind_named(name: object) -> type[Any]:
    """The class that a file names, among those that are defined here."""
    known = descriptions()
    name = _KIND_NAMES.get(name, name) if isinstance(name, str) else name
    if isinstance(name, str) and name in known:
        return known[name]
    if not isinstance(name, str) or not _OF_A_MODULE.fullmatch(name):
        ours = [other for other in known if "." not in other]
        raise FileFormatError(
            f"the kind {shown(name)} in the file",
            expected=f"one of chainrule's {len(ours)} descriptions, or a class of your own",
            remedy=suggest(str(name), ours, "read it with the version of chainrule that wrote it, or a later one"),
        )
    return _kind_of_a_user(name, known)


def _kind_of_a_user(name: str, known: Mapping[str, type[Any]]) -> type[Any]:
    """A user's class; by its name alone where it stands, or stood, in a script or notebook, which no other code can import."""
    own = name.rpartition(".")[2]
    alike = [kind for kind in known.values() if kind.__name__ == own and not is_ours(kind)]
    if len(alike) == 1 and "__main__" in (name.partition(".")[0], alike[0].__module__):
        return alike[0]
    module = name.partition(".<locals>")[0].rpartition(".")[0]
    raise UndefinedClassError(
        f"the file holds {own}, a class of the module {module}, which is not defined here",
        expected=f"the class {own} to be defined before the file is opened: no file has code run",
        remedy=Remedy(
            _how_to_define(own, module),
            f"open it in Python, where the class is: {_how_to_define(own, module)}; then chainrule.open_run(folder)",
        ),
    )


def _how_to_define(own: str, module: str) -> str:
    if module == "__main__":
        return f"first define the class {own}, @cr.described above it, as the script or notebook did that trained"
    if module in sys.modules:
        return f"write @cr.described above the class {own} in {module}"
    return f'write "import {module}" before'


def restored(found: Any, hint: Any = Any, is_shared: Callable[[type[Any]], bool] = _nothing) -> Any:
    """What plain data stand for; `hint` is the annotation of what is expected: a kind need not be named where it is the only one.

    Raises: UndefinedClassError, FileFormatError.
    """
    return _Reader(is_shared).value(found, hint)


class Written(Shown):
    """What a description has that is kept in files by itself."""

    def to_json(self) -> Json:
        """The description as plain data for JSON."""
        return written(self)

    @classmethod
    def from_json(cls, content: object) -> Self:
        """What `to_json` wrote; FileFormatError for anything else."""
        found = restored(dict(cast("Json", content)), cls) if isinstance(content, Mapping) else content
        if isinstance(found, cls):
            return found
        raise refused(cast("object", content), f"a description of the kind {cls.__name__}, as to_json writes it")


def refused(value: object, expected: str) -> FileFormatError:
    """The error for what no version wrote."""
    return FileFormatError(
        f"the file holds {value if isinstance(value, str) else shown(value)}",
        expected=expected,
        remedy="use this version of chainrule or a later one, and the file as it was written",
    )
