"""What has no view of its own: the text that `print` shows, or, where nobody wrote one, its kind and its fields."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterator, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import singledispatch
from typing import Any, cast

import numpy as np

from chainrule import display
from chainrule.graph import Array
from chainrule.numerals import numeral
from chainrule.views.objects.parts import facts, heading, printed_lines, shown
from chainrule.views.plain import counted, printable
from chainrule.views.saved import Savable

LONGEST = 120
"""Longer texts of a field are cut."""


@display.html.register(object)
def object_html(thing: object) -> str:
    """Any object of ours, by its own text where it has one."""
    return shown(printed_lines(thing) if has_text(thing) else described(thing))


@display.text.register(object)
def object_text(thing: object) -> str:
    """Any object of ours as text: its own, or its kind and its fields, a line to each."""
    kind = type(thing)
    if has_text(thing):
        return str(thing)
    if has_own_repr(kind):
        return repr(thing)
    says = purpose(kind)
    fields_told = [f"  {name}: {value}" for name, value in _told_fields(thing)]
    return "\n".join([f"{kind.__name__}: {says}" if says else kind.__name__, *fields_told])


@display.text.register
def savable_text(picture: Savable) -> str:
    """What is seen, and how to read it."""
    told = (getattr(picture, name, "") for name in ("title", "reading"))
    return "\n".join(filter(None, told)) or type(picture).__name__


def has_text(thing: object) -> bool:
    """Whether somebody wrote what `print` shows of it, in lines of its own."""
    kind = type(thing)
    return kind.__str__ is not object.__str__ or (has_own_repr(kind) and "\n" in repr(thing))


def described(thing: object) -> str:
    """The kind of thing, what it is for, and its fields."""
    kind = type(thing)
    name = printable(repr(thing), most=LONGEST) if has_own_repr(kind) else kind.__name__
    return heading(name, purpose(kind)) + facts(dict(_told_fields(thing)))


def has_own_repr(kind: type) -> bool:
    """Whether somebody wrote its `repr`: neither Python nor the dataclasses."""
    made = cast("Any", kind.__repr__)
    return made is not object.__repr__ and not getattr(made, "__wrapped__", None) and made.__qualname__.endswith("__repr__")


def purpose(kind: type) -> str:
    """The first sentence of the docstring."""
    lines = inspect.cleandoc(kind.__doc__ or "").split("\n")
    # What dataclasses write themselves only repeats the fields.
    return "" if lines[0].startswith(f"{kind.__name__}(") else lines[0].replace("`", "")


def _told_fields(thing: object) -> Iterator[tuple[str, str]]:
    if is_dataclass(thing) and not isinstance(thing, type):
        for item in fields(thing):
            if item.repr and not item.name.startswith("_"):
                value: object = getattr(thing, item.name)
                yield (
                    item.name.replace("_", " "),
                    (field_text(value) or "none") + (" (the default)" if _is_default(item, value) else ""),
                )


def _is_default(item: Field[Any], value: object) -> bool:
    return item.default is not MISSING and isinstance(value, str | int | float | bool | None) and value == item.default


@singledispatch
def field_text(value: object) -> str:
    """A value of a field in a line."""
    if value is None:
        return "none"
    if inspect.isroutine(value) or isinstance(value, type):
        return value.__qualname__
    return printable(str(value).partition("\n")[0] if has_text(value) else in_short(value), most=LONGEST)


def in_short(thing: object) -> str:
    """An object in a few words: those of its fields that differ from the default.

    >>> from chainrule.nn import Accuracy
    >>> in_short(Accuracy(3, 4))
    'Accuracy, correct 3, total 4'
    """
    if not is_dataclass(thing) or has_own_repr(type(thing)):
        return repr(thing)
    pairs = ((item, getattr(thing, item.name)) for item in fields(thing) if item.repr)
    words = [f"{item.name.replace('_', ' ')} {field_text(value)}" for item, value in pairs if not _is_default(item, value)]
    return ", ".join([type(thing).__name__, *words])


@field_text.register
def _(value: str) -> str:
    return printable(value, most=LONGEST)


@field_text.register
def _(value: float) -> str:
    return numeral(value)


@field_text.register(bool)
@field_text.register(np.bool_)
def _(value: object) -> str:
    return "yes" if value else "no"


@field_text.register(np.ndarray)
def _(value: Array) -> str:
    if value.size <= 6 and value.ndim <= 1 and value.dtype.kind in "fiu":
        return ", ".join(numeral(float(item)) for item in value.reshape(-1))
    kind = f"{'×'.join(map(str, value.shape))} {value.dtype.name}"
    if value.dtype.kind not in "fiu" or not value.size:
        return kind
    with np.errstate(invalid="ignore"):
        return f"{kind}, {numeral(float(value.min()))} … {numeral(float(value.max()))}"


@field_text.register(Mapping)
def _(value: Mapping[object, object]) -> str:
    if all(isinstance(item, int | float | str) for item in value.values()):
        said = [f"{key} {field_text(item)}" for key, item in value.items()]
    else:
        said = list(map(str, value))
    return printable(", ".join(said) or "none", most=LONGEST)


@field_text.register(tuple)
@field_text.register(list)
@field_text.register(frozenset)
def _(value: Collection[object]) -> str:
    if all(isinstance(item, int | float | str) for item in value) and len(value) <= 12:
        return printable(", ".join(map(field_text, value)) or "none", most=LONGEST)
    return printable(", ".join(map(field_text, value)), most=LONGEST) if len(value) <= 4 else counted(len(value), "item")
