"""What stands behind a node's operators and methods: ops, and x[...] in NumPy's words."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np

from chainrule.checks import checked, shown
from chainrule.errors import DtypeError, OptionTypeError, PositionError, ShapeError
from chainrule.graph import Array, Node, constant
from chainrule.graph.arraylike import FUNCTIONS
from chainrule.ops import elementwise as entries
from chainrule.ops.indexing import gather
from chainrule.ops.matrices import matmul
from chainrule.ops.reductions import argmax, max, mean, min, sum  # noqa: A004
from chainrule.ops.shapes import flip, reshape, slice_axes, swap_last, transpose


@dataclass
class _Picked:
    """What a key says of the axes of x that have been gone through, and of the axes of the result."""

    starts: list[int] = field(default_factory=list[int])
    stops: list[int] = field(default_factory=list[int])
    steps: list[int] = field(default_factory=list[int])
    turned: list[int] = field(default_factory=list[int])
    shape: list[int] = field(default_factory=list[int])
    """Extents of the result, before positions are taken."""
    positions: Node | None = None
    at: int = 0
    """The axis of the result that positions are taken on."""

    def add(self, places: range, *, kept: bool) -> None:
        """Takes these places of the next axis; kept: the axis stays."""
        ordered = places if places.step > 0 else places[::-1]
        self.turned += [len(self.starts)] if places.step < 0 else []
        self.starts.append(ordered[0] if ordered else 0)
        self.stops.append(ordered[-1] + 1 if ordered else 0)
        self.steps.append(ordered.step)
        self.shape += [len(places)] if kept else []

    def of(self, x: Node) -> Node:
        """The entries of x."""
        is_whole = all(
            (start, stop, step) == (0, extent, 1)
            for start, stop, step, extent in zip(self.starts, self.stops, self.steps, x.shape, strict=True)
        )
        if not is_whole:
            x = slice_axes(x, starts=tuple(self.starts), stops=tuple(self.stops), steps=tuple(self.steps))
        x = flip(x, axes=tuple(self.turned)) if self.turned else x
        x = x if x.shape == tuple(self.shape) else reshape(x, shape=tuple(self.shape))
        return x if self.positions is None else gather(x, self.positions, axis=self.at)


@checked
def index(x: Node, key: Any) -> Node:
    """x[key] as NumPy has it: whole numbers, slices (also backwards), ..., None for a new axis, and one array of positions.

    Positions, as an array, a list or a node of whole numbers, are read along their axis. They count from the end too, where they are
    known now; a node's count from 0, and are looked at when it runs. A condition is refused: the shape would depend on numbers.
    Raises: PositionError for a place that there is not, OptionTypeError for any other key.

    >>> from chainrule.graph import constant, compute
    >>> x = constant([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    >>> compute([x[0], x[:, -1], x[..., ::-2], x[None, 1, [2, 0]]])
    [array([1., 2., 3.]), array([3., 6.]), array([[3., 1.],
           [6., 4.]]), array([[6., 4.]])]
    """
    given = cast("tuple[Any, ...]", key if isinstance(key, tuple) else (key,))
    keys = _full_keys(x, given)
    picked, arrays = _Picked(), [place for place, item in enumerate(keys) if _is_positions(item)]
    if len(arrays) > 1:
        raise _odd(given, "one array of positions", "take them one after the other: x[rows][:, columns]")
    numbers = [place for place, item in enumerate(keys) if _is_number(item)]
    if arrays and any(
        not all(_is_number(keys[between]) for between in range(*sorted((arrays[0], number)))[1:]) for number in numbers
    ):
        raise _odd(given, "whole numbers right beside the array of positions", "take them one after the other: x[0][:, places]")
    for item in keys:
        axis = len(picked.starts)
        if item is None:
            picked.shape.append(1)
        elif isinstance(item, slice):
            picked.add(_slice_places(cast("slice", item), x.shape[axis]), kept=True)
        elif _is_number(item):
            place = _place(item, axis, x)
            picked.add(range(place, place + 1), kept=False)
        else:
            picked.positions, picked.at = _positions(item, axis, x), len(picked.shape)
            picked.add(range(x.shape[axis]), kept=True)
    return picked.of(x)


def _is_number(item: Any) -> bool:
    return isinstance(item, int)


def _is_positions(item: Any) -> bool:
    return not (item is None or isinstance(item, slice) or _is_number(item))


def _odd(key: Any, expected: str, remedy: str) -> OptionTypeError:
    keys = cast("tuple[Any, ...]", key if isinstance(key, tuple) else (key,))
    return OptionTypeError(f"x[{', '.join(map(shown, keys))}]", expected=expected, remedy=remedy)


def _full_keys(x: Node, keys: tuple[Any, ...]) -> list[Any]:
    """One key to each axis of x, and None for each new one: ... is written out, and what is left out is whole."""
    if any(isinstance(key, bool) for key in keys):
        raise _odd(keys, "whole numbers, slices, ..., None, or an array of positions", "write x[None] for a new axis")
    given = [_plain(key) for key in keys]
    dots = [place for place, key in enumerate(given) if key is Ellipsis]
    used = len(given) - len(dots) - len([key for key in given if key is None])
    if len(dots) > 1 or used > x.ndim:
        raise PositionError(
            f"x[{', '.join(map(shown, keys))}] of {x!r}",
            expected=f"keys for at most {x.ndim} axes, and ... once",
            remedy="leave some out",
        )
    at = dots[0] if dots else len(given)
    return [*given[:at], *[slice(None)] * (x.ndim - used), *given[at + 1 :]]


def _plain(key: Any) -> Any:
    """Lists and NumPy's numbers as arrays; a single whole number as Python's."""
    if not isinstance(key, list | np.generic | np.ndarray):
        return key
    try:
        array: Array = np.asarray(cast("Any", key))
    except ValueError:
        raise _odd((key,), "positions in rows of equal length", "give an array of whole numbers") from None
    return int(array) if array.ndim == 0 and array.dtype.kind in "iu" else array


def _slice_places(item: slice, extent: int) -> range:
    try:
        return range(*item.indices(extent))
    except (TypeError, ValueError):
        raise _odd(item, "whole numbers in a slice, and a step other than 0", "write for example x[0:4:2]") from None


def _place(place: int, axis: int, x: Node) -> int:
    extent = x.shape[axis]
    if not -extent <= place < extent:
        raise PositionError(
            f"place {place} on axis {axis} of {x!r}",
            expected=f"0 ... {extent - 1}, or from the end -1 ... {-extent}" if extent else "an axis with entries",
            remedy="count places from 0, or from the end from -1",
        )
    return place % extent


def _positions(item: Any, axis: int, x: Node) -> Node:
    """An array of positions as a node that `gather` takes."""
    if isinstance(item, Node):
        if item.dtype == "bool" or item.type.is_float:
            raise _odd(item, "positions of a whole dtype", "write where(condition, x, y) for a condition; else cast them")
        return item
    array = cast("Array", item if isinstance(item, np.ndarray) else np.empty(0, object))
    array = array.astype(np.int64) if array.size == 0 and array.dtype.kind == "f" else array
    if array.dtype.kind not in "iu":
        raise _odd(
            item,
            "whole numbers, slices, ..., None, or an array of positions",
            "write where(condition, x, y) for a condition, whose count of entries no shape can state",
        )
    places = [_place(int(place), axis, x) for place in array.reshape(-1)]
    return constant(np.array(places, dtype=np.int64).reshape(array.shape))


@checked
def astype(x: Node, dtype: Any) -> Node:
    """`cast` to a dtype that is named, or given as NumPy's type: x.astype(np.float32)."""
    try:
        name = np.dtype(dtype).name
    except TypeError:
        raise DtypeError(f"dtype {shown(dtype)}", expected="a dtype's name", remedy='write x.astype("float32")') from None
    return entries.cast(x, dtype=name)


def reshaped(x: Node, shape: Any) -> Node:
    """`reshape`, where one extent may be −1: what is left."""
    extents: tuple[Any, ...] = tuple(cast("Any", shape)) if isinstance(shape, tuple | list) else (shape,)
    if [extent for extent in extents if extent == -1] == [-1]:
        rest = int(np.prod([extent for extent in extents if extent != -1], dtype=np.int64))
        if rest <= 0 or x.size % rest:
            raise ShapeError(
                f"reshape of {x.type!r} to {extents}",
                expected=f"other extents whose product divides {x.size}",
                remedy="choose extents that divide it, or write all of them",
            )
        extents = tuple(x.size // rest if extent == -1 else extent for extent in extents)
    return reshape(x, shape=extents)


FUNCTIONS.update(
    {op.name: op for op in (
        entries.add, entries.subtract, entries.multiply, entries.divide, entries.power, entries.absolute, entries.negative, entries.less,
        entries.less_equal, entries.greater, entries.greater_equal, entries.logical_and, entries.logical_or, entries.logical_not,
        matmul, argmax, transpose,
    )},
    index=index, sum=sum, mean=mean, max=max, min=min, swap_last=swap_last, astype=astype, reshape=reshaped,
)  # fmt: skip
