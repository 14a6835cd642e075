"""Inputs: what a trained network is given, turned into an array of the kind that it was trained on, or refused."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, cast

import numpy as np

from chainrule.data import DatasetInfo, Table, as_table, is_frame
from chainrule.data.cells import Cells, to_numbers, to_texts
from chainrule.data.columns import not_a_number
from chainrule.data.examples import plain
from chainrule.data.form import Form
from chainrule.data.frame import frame_columns, frame_names, in_order
from chainrule.errors import ColumnError, DataError, ShapeError
from chainrule.graph import Array
from chainrule.spelling import did_you_mean, listed


def as_inputs(info: DatasetInfo, x: Any) -> Array:
    """Inputs (n, ...) as an array of the data's dtype and shape; texts are read as the data's were, tables by their names.

    A network that learned from bytes takes whole numbers from 0 to 255, of any dtype: floats between 0 and 1 are images in another unit.
    Raises: DataError for what are no numbers, for NaN and infinity, and for numbers in another unit; ShapeError for another shape.

    >>> from chainrule.data import mnist, moons
    >>> as_inputs(moons(8).info, [[1, 2]])
    array([[1., 2.]])
    >>> as_inputs(mnist().info, mnist().test.x[:1] / 255)
    Traceback (most recent call last):
    ...
    chainrule.errors.DataError: x is 0.329412 at example 0, number 202, and the network learned from bytes
      expected: whole numbers from 0 to 255, as in the data 'mnist'
      fix: give the bytes themselves; numbers from 0 to 1 are bytes again as np.rint(x * 255).astype(np.uint8)
    """
    dtype, shape = np.dtype(info.input_dtype), info.input_shape
    if as_row(info, x) is not None:
        raise ShapeError(
            "x is one row of a table", expected="rows", remedy="put it in brackets: [x]; of a frame take frame.iloc[[0]]"
        )
    array = as_array("x", _in_order(info, x) if is_frame(x) else x)
    if array.dtype.kind == "U" and info.text is not None:
        array = info.text.encode([str(text) for text in np.atleast_1d(array).tolist()])
    if shape == (1,) and array.ndim == 1:
        array = array[:, None]  # a column of numbers may be given as numbers, as to fit
    if array.dtype.kind == "O":  # as columns of several kinds are, and numbers of other classes
        with suppress(TypeError, ValueError, OverflowError):
            array = array.astype(np.float64)
    if array.dtype.kind not in "fiub":
        raise DataError(f"inputs of dtype {array.dtype}", expected="numbers", remedy=_as_numbers(info))
    if array.shape[1:] != shape or not array.ndim:
        raise ShapeError(
            f"inputs of shape {array.shape}",
            expected=f"(n, {', '.join(map(str, shape))})",
            remedy="for a single example write x[None]" if array.shape == shape else "reshape the array",
        )
    if array.dtype == dtype and array.flags.c_contiguous and is_finite(array):
        return array
    _require_finite(info, array)
    if dtype.kind != "f":
        _require_bytes(info, array)
    elif array.dtype == np.uint8:
        _require_no_bytes(info, array)
    with np.errstate(over="ignore"):
        found = np.ascontiguousarray(array, dtype=dtype)
    _require_finite(info, found)
    return found


def _as_numbers(info: DatasetInfo) -> str:
    """What to do with inputs that are no numbers."""
    if info.columns is not None:
        return "give the columns by their names, as a frame or {'name': [...]}: they are read as the training's were"
    return "give an array of numbers (n, ...)"


def as_row(info: DatasetInfo, x: Any) -> dict[str, Any] | None:
    """One row of a table, its cells by the names that the training knew: of a mapping or of a series of a frame; else None.

    >>> from chainrule.data import from_dataframe
    >>> info = from_dataframe({"a": [1, 2, 3, 4], "y": [0.1, 0.2, 0.3, 0.4]}, target="y").info
    >>> as_row(info, {"a": 7}), as_row(info, {"a": [7]})
    ({'a': 7}, None)
    """
    if hasattr(x, "to_dict") and hasattr(x, "index") and getattr(x, "ndim", None) == 1:
        x = x.to_dict()
    if not isinstance(x, Mapping):
        return None
    given = cast("Mapping[Any, Any]", x)
    columns = info.columns
    used = tuple(column.name for column in columns.features) if columns else info.features or ()
    cells = {str(name): cell for name, cell in given.items()}
    return cells if cells.keys() & set(used) and all(map(_is_cell, cells.values())) else None


def _is_cell(value: Any) -> bool:
    """Whether this is one value, not several."""
    return isinstance(value, str) or not hasattr(value, "__len__") or (isinstance(value, np.ndarray) and not value.ndim)


def as_array(name: str, values: Any) -> Array:
    """The values as an array; ShapeError for rows that differ in length, DataError for masked values."""
    values = plain(values, name)
    try:
        return np.asarray(values)
    except ValueError:
        raise ShapeError(
            f"the rows of {name} differ in length", expected="rows of equal length", remedy="cut or fill them"
        ) from None


def _in_order(info: DatasetInfo, frame: Any) -> Array:
    """The rows of a table by the names of its columns, in the order of the training; by position where that had no names.

    Raises ColumnError for a column that is missing or that the training did not know.
    """
    columns, features = info.columns, info.features
    if columns is None and features is None:
        return in_order(frame, frame_names(frame))
    table = frame if isinstance(frame, Table) else as_table(frame, **(Form() if columns is None else columns.form).of_cells)
    used = tuple(column.name for column in columns.features) if columns else features or ()
    also = (columns.target.name, *columns.others) if columns else ()
    unknown = [name for name in table.columns if name not in {*used, *also}]
    if unknown:
        raise ColumnError(
            f"x has the column{'s' * (len(unknown) > 1)} {listed(unknown)}, which the training did not know",
            expected=f"the columns {listed(used)}, in any order",
            remedy=f"leave {'them' if len(unknown) > 1 else 'it'} out;{did_you_mean(unknown[0], used) or ' or correct the name'}",
        )
    if columns is not None:
        return columns.encode(table)
    found = [to_numbers(_cells(frame, table, name)) for name in used]
    for name, (_, unreadable) in zip(used, found, strict=True):
        if unreadable.size:
            raise not_a_number(table, name, unreadable)
    return np.stack([numbers for numbers, _ in found], axis=1)


def _cells(frame: Any, table: Table, name: str) -> Cells:
    """A column's cells; truth values, which are texts in a table, as the numbers that they were at the training."""
    cells = table.cells(name)
    if isinstance(frame, Table) or isinstance(cells, np.ndarray) or not {"True", "False"}.issuperset(to_texts(cells).present()):
        return cells
    given = np.asarray(dict(frame_columns(frame))[name])
    return given.astype(np.float64) if all(isinstance(cell, bool) for cell in given.tolist()) else cells


def is_finite(x: Array) -> bool:
    """Whether there is neither NaN nor infinity; in well below a microsecond for one example."""
    return x.dtype.kind != "f" or b"\0" not in np.isfinite(x).tobytes()


def _require_finite(info: DatasetInfo, x: Array) -> None:
    if not is_finite(x):
        raise DataError(
            f"x is {_first(info, x, ~np.isfinite(x))}",
            expected="finite numbers",
            remedy="fill in or leave out such examples first",
        )


def _require_bytes(info: DatasetInfo, x: Array) -> None:
    wrong = (x < 0) | (x > 255) | (x != np.floor(x)) if x.dtype.kind == "f" else (x < 0) | (x > 255)
    if not wrong.any() and _are_black_and_white(info, x):
        wrong = x == 1
    if wrong.any():
        raise DataError(
            f"x is {_first(info, x, wrong)}, and the network learned from bytes",
            expected=f"whole numbers from 0 to 255, as in the data {info.name!r}",
            remedy="give the bytes themselves; numbers from 0 to 1 are bytes again as np.rint(x * 255).astype(np.uint8)",
        )


def _require_no_bytes(info: DatasetInfo, x: Array) -> None:
    """Bytes are refused by a network that learned from numbers no larger than 1: images in another unit."""
    low, high = info.input_range or (-math.inf, math.inf)
    wrong = x > 1
    if low >= -1 and high <= 1 and wrong.any():
        raise DataError(
            f"x holds bytes, {_first(info, x, wrong)}, and the network learned from numbers from {low:.4g} to {high:.4g}",
            expected=f"numbers in the unit of the data {info.name!r}",
            remedy="write x / 255 where the training had images so, or x.astype(float) for numbers that are meant as they are",
        )


def _are_black_and_white(info: DatasetInfo, x: Array) -> bool:
    """Whether these are floats or truth values, of which 1 is the largest, for a network to which 255 is 1: an image in another unit."""
    scaled = np.max(np.abs(info.scaling.factor)) * 255 <= 1.5
    return x.dtype.kind in "fb" and scaled and bool(x.size) and float(x.max()) == 1.0


def _first(info: DatasetInfo, x: Array, wrong: Array) -> str:
    """The first wrong number, and where it stands."""
    example, *rest = (int(place) for place in np.argwhere(wrong)[0])
    value = f"{float(x[wrong][0]):.6g} at example {example}"
    if info.features and len(rest) == 1:
        return f"{value}, feature {info.features[rest[0]]!r}"
    return value + (f", number {', '.join(map(str, rest))}" if rest else "")
