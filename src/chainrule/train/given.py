"""What is asked of examples that are handed to a network later: inputs, labels and numbers, held to the signature of its data."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.checks import shown
from chainrule.data import DatasetInfo
from chainrule.errors import DataError, DtypeError, ShapeError
from chainrule.graph import Array
from chainrule.train.inputs import as_array, as_inputs


def given_targets(data: DatasetInfo, y: Any, count: int) -> Array:
    """The targets of `count` examples as an array of the dtype that the network's graph takes: labels (n,) or numbers (n, k).

    Raises: ShapeError for another number of them, DataError for a label without a class, DtypeError for labels with a fraction.
    """
    array = _numbers("y", y)
    wanted = (count, *data.target_shape)
    if array.shape != wanted:
        column = array.shape == wanted[:1] and wanted[1:] == (1,)
        raise ShapeError(
            f"y has shape {array.shape}",
            expected=f"{wanted}: a target for each of {count} examples",
            remedy="write y.reshape(-1, 1)" if column else "give as many targets as there are inputs, in the shape of the data",
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


def given_examples(data: DatasetInfo, x: Any, y: Any) -> tuple[Array, Array]:
    """Inputs and targets that belong together, one or more."""
    inputs = as_inputs(data, x)
    if not len(inputs):
        raise DataError("no examples", expected="one or more", remedy="select one example or more")
    return inputs, given_targets(data, y, len(inputs))


def _numbers(name: str, values: Any) -> Array:
    array = as_array(name, values)
    if array.dtype.kind not in "biuf":
        raise DtypeError(f"{name}={shown(values)}", expected="numbers", remedy=f"give {name} as an array of numbers")
    wrong = np.argwhere(~np.isfinite(array))
    if len(wrong):
        row = f" at example {wrong[0][0]}" if array.ndim else ""
        raise DataError(
            f"{name} is {array[tuple(wrong[0])]}{row}", expected="finite numbers", remedy="fill in or leave out such examples"
        )
    return array
