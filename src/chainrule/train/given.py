"""What is asked of examples that are handed to a network later: inputs, labels and numbers, held to the signature of its data."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, cast

import numpy as np

from chainrule.checks import shown
from chainrule.data import DatasetInfo, is_frame
from chainrule.errors import DataError, DtypeError, ShapeError
from chainrule.graph import Array
from chainrule.train.inputs import as_array, as_inputs, as_row


def given_targets(data: DatasetInfo, y: Any, count: int) -> Array:
    """The targets of `count` examples as an array of the dtype that the network's graph takes: labels (n,) or numbers (n, k).

    They may be given as to `fit`: one number to each example as numbers (n,), labels by the names of their classes.
    Raises: ShapeError for another number of them, DataError for a label without a class, DtypeError for labels with a fraction.
    """
    array = _numbers("y", numbered(data, y))
    wanted = (count, *data.target_shape)
    if array.shape == wanted[:1] and wanted[1:] == (1,):
        array = array[:, None]
    if array.shape != wanted:
        raise ShapeError(
            f"y has shape {array.shape}",
            expected=f"{wanted}: a target for each of {count} examples",
            remedy="give as many targets as there are inputs, in the shape of the data",
        )
    if data.classes is None:
        return array.astype(data.target_dtype, copy=False)
    if array.dtype.kind not in "iu":
        raise DtypeError(f"y holds {array.dtype.name} numbers", expected="labels: whole numbers", remedy="write y.astype(int)")
    outside = np.flatnonzero((array < 0) | (array >= len(data.classes)))
    if len(outside):
        raise DataError(
            f"label {array[outside[0]]} at example {outside[0]}",
            expected=f"labels from 0 to {len(data.classes) - 1}, one for each class",
            remedy="correct the label; labels count from 0",
        )
    return array.astype(data.target_dtype, copy=False)


def numbered(data: DatasetInfo, y: Any) -> Any:
    """Labels that are names of classes, or truth values, as numbers; anything else as it is.

    Raises: DataError for a name that no class has.
    """
    array = as_array("y", y)
    if (
        data.classes is None
        or array.dtype.kind not in "bUTO"
        or not all(isinstance(name, str | bool | np.bool) for name in array.flat)
    ):
        return y
    names, numbers = [str(name) for name in array.flat], {name: number for number, name in enumerate(data.classes)}
    unknown = [name for name in names if name not in numbers]
    if unknown:
        raise DataError(
            f"label {unknown[0]!r}",
            expected=f"one of the classes {shown(list(numbers))}",
            remedy="correct the label, or train with data that have this class",
        )
    return np.array([numbers[name] for name in names], np.int64).reshape(array.shape)


def given_examples(data: DatasetInfo, x: Any, y: Any) -> tuple[Array, Array]:
    """Inputs and targets that belong together, one or more; a single example may come without the axis of the batch."""
    inputs = given_inputs(data, x)
    if len(inputs) == 1 and as_array("y", y).shape != (1, *data.target_shape):
        y = [y]
    return inputs, given_targets(data, y, len(inputs))


def given_inputs(data: DatasetInfo, x: Any) -> Array:
    """Inputs, one or more; a single one, which may be one row of a table, may come without the axis of the batch."""
    row = as_row(data, x)
    inputs = as_inputs(data, [row] if row is not None else [x] if _is_single(data, x) else x)
    if not len(inputs):
        raise no_examples()
    return inputs


def given_input(data: DatasetInfo, x: Any) -> Array:
    """One input, in the shape of the data: by itself, as one row of a table, in a batch of one, or with its target beside it.

    Raises: ShapeError for more than one.
    """
    if isinstance(x, tuple | list) and len(pair := cast("tuple[Any, ...]", x)) == 2 and _is_input(data, pair[0]):
        x = pair[0]
    inputs = given_inputs(data, x)
    if len(inputs) > 1:
        raise ShapeError(f"{len(inputs)} examples", expected="one example", remedy="ask for each by itself: x[0]")
    return inputs[0]


def _is_input(data: DatasetInfo, x: Any) -> bool:
    """Whether this is an example and not a number of one: then a target stands beside it."""
    return as_row(data, x) is not None or is_frame(x) or _is_single(data, x)


def no_examples() -> DataError:
    """The error for a choice of examples that is empty."""
    return DataError("no examples", expected="one or more", remedy="select one example or more")


def _is_single(data: DatasetInfo, x: Any) -> bool:
    return as_array("x", x).shape == data.input_shape


def _numbers(name: str, values: Any) -> Array:
    array = as_array(name, values)
    if array.dtype.kind == "O":  # as a column of a table may be
        with suppress(TypeError, ValueError, OverflowError):
            array = array.astype(np.float64)
            whole = bool((abs(array) < 2.0**53).all()) and np.array_equal(array, np.rint(array))
            array = array.astype(np.int64) if whole else array
    if array.dtype.kind not in "biuf":
        raise DtypeError(f"{name}={shown(values)}", expected="numbers", remedy=f"give {name} as an array of numbers")
    wrong = np.argwhere(~np.isfinite(array))
    if len(wrong):
        row = f" at example {wrong[0][0]}" if array.ndim else ""
        raise DataError(
            f"{name} is {array[tuple(wrong[0])]}{row}", expected="finite numbers", remedy="fill in or leave out such examples"
        )
    return array
