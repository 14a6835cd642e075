"""Examples that a gradient is checked at, held to what the network was trained on: nothing is cut off or converted in silence."""

from __future__ import annotations

import numpy as np

from chainrule.data import DatasetInfo
from chainrule.errors import DtypeError, ShapeError
from chainrule.graph import Array, Shape
from chainrule.train.given import numbered
from chainrule.train.inputs import as_inputs


def checked_examples(data: DatasetInfo, x: object, y: object) -> dict[str, Array]:
    """Rows "x" (n, ...) and "y" (n, ...) of the data's dtypes; one example without the axis of the batch becomes one row."""
    inputs = _rows("inputs", x, data.input_shape)
    targets = _rows("targets", numbered(data, y), data.target_shape)
    if len(inputs) != len(targets):
        raise ShapeError(
            f"{len(inputs)} inputs and {len(targets)} targets\n      x {np.shape(inputs)}\n      y {np.shape(targets)}",
            expected="a target for each input",
            remedy="take the same rows of both, x[:7] and y[:7]",
        )
    return {"x": _inputs(data, inputs), "y": _targets(targets, data.target_dtype)}


def _rows(what: str, value: object, shape: Shape) -> Array:
    rows: Array = np.asarray(value)
    if shape == (1,) and rows.ndim < 2:
        # A column of numbers may be given as numbers, as to fit.
        return rows.reshape(-1, 1)
    if rows.shape == shape:
        return rows[None]
    if rows.shape[1:] != shape or not rows.ndim or not len(rows):
        name = "x" if what == "inputs" else "y"
        raise ShapeError(
            f"{what} of shape {rows.shape}",
            expected=f"{('n', *shape)}: rows of shape {shape}, or one example of that shape".replace("'", ""),
            remedy=f"give rows as the data hold them, {name}[:7]; of one example {name}[0], or {name}[:1]",
        )
    return rows


def _inputs(data: DatasetInfo, rows: Array) -> Array:
    """The inputs, held to the data's unit; numbers with a fraction keep all their digits."""
    held = as_inputs(data, rows)
    return rows.astype(np.float64) if held.dtype.kind == "f" and rows.dtype.kind == "f" else held


def _targets(rows: Array, dtype: str) -> Array:
    if np.dtype(dtype).kind == "f" or rows.dtype.kind in "bui":
        return rows.astype(dtype) if np.dtype(dtype).kind != "f" else rows.astype(np.float64)
    if not (bool(np.all(np.isfinite(rows))) and bool(np.all(rows == np.floor(rows)))):
        low, high = (float(np.min(rows)), float(np.max(rows))) if rows.size else (0.0, 0.0)
        raise DtypeError(
            f"targets of {rows.dtype.name} from {low:.4g} to {high:.4g}, for a network whose data are {dtype}",
            expected=f"whole numbers, {dtype}",
            remedy="give the data as they are: labels are whole numbers",
        )
    return rows.astype(dtype)
