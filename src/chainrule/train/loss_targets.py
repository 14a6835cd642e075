"""What a loss compares outputs with: targets in the form that it wants, whether they fit the outputs, and the loss that goes with both."""

from __future__ import annotations

import numpy as np

from chainrule import ops
from chainrule.data import DatasetInfo, Scaling
from chainrule.errors import LossError, ShapeError
from chainrule.graph import Array, Node, constant, scope
from chainrule.nn import Objective, sigmoid_input, softmax_input


def scaled(scaling: Scaling, x: Node, dtype: str) -> Node:
    """Scaled numbers of the network's dtype: a large offset is taken away from float64, which then loses nothing that matters.

    Bytes are exact in float32, and scaled there.
    """
    if scaling.is_none:
        return ops.cast(x, dtype=dtype)
    x = ops.cast(x, dtype="float64" if x.type.is_float else dtype)
    if np.any(scaling.offset):
        x = x - constant(scaling.offset, x.dtype)
    x = x if np.all(scaling.factor == 1) else x * constant(scaling.factor, x.dtype)
    return ops.cast(x, dtype=dtype)


def target_forms(output: Node, y: Node, data: DatasetInfo, dtype: str) -> dict[str, Node]:
    """The target in each form that a loss may want, by `Loss.target`."""
    with scope("target"):
        if data.classes is None:
            values, measured, weighted = _numbers(y, output.shape[-1], data.target_scaling or Scaling.none(), dtype)
            return {"values": values, "labels": values, "margin": values, "measured": measured, "weighted": weighted}
        if output.shape[1] == 1:
            column = ops.reshape(ops.cast(y, dtype=dtype), shape=output.shape)
            return {"values": column, "labels": y, "margin": column}
        return {"values": ops.one_hot(y, classes=output.shape[1], dtype=dtype), "labels": y, "margin": y}


def _numbers(y: Node, count: int, scaling: Scaling, dtype: str) -> tuple[Node, Node, Node]:
    """Numbers to fit, scaled; and with what stands behind them: their errors, which have their unit and no offset, or a weight."""
    width = y.shape[1]
    if width == count or scaling.is_none:
        values = scaled(scaling, y, dtype)
        return values, values, values
    values = scaled(scaling, ops.slice_axis(y, 1, 0, count), dtype)
    beside = ops.slice_axis(y, 1, count, width)
    weighted = ops.concatenate(values, ops.cast(beside, dtype=dtype), axis=1)
    if width != 2 * count:
        return values, weighted, weighted
    errors = scaled(Scaling(0.0, scaling.factor), beside, dtype)
    return values, ops.concatenate(values, errors, axis=1), weighted


def seen(y: Array, scaling: Scaling | None, count: int, *, measured: bool) -> Array:
    """Targets (n, ...) as the cost sees them: `count` numbers scaled, and errors behind them in the same unit, or a weight as it is."""
    if scaling is None or scaling.is_none:
        return y
    wide = np.asarray(y, np.float64)
    beside = wide[:, count:] * (scaling.factor if measured else 1.0)
    return np.concatenate([scaling.apply(wide[:, :count]), beside], axis=1)


def require_fitting(output: Node, data: DatasetInfo, asked: Objective) -> None:
    """Refuses outputs that such targets cannot be compared with as an objective asks.

    Raises: LossError where targets lack what stands behind the numbers, ShapeError where the outputs are of another shape.
    """
    # Beside each number that is measured stands its error, behind those of a weighted example its weight.
    measured, weighted, size = asked.beside == "standard errors", asked.beside == "a weight", data.target_size
    if measured and (data.classes is not None or size % 2):
        raise LossError(
            f"chi_squared on the data {data.name!r}, whose targets are {_held(data, size)} without standard errors",
            expected="behind each number its standard error σ",
            remedy="put them there: cr.data.with_errors(data, sigma); without errors fit mean_squared_error",
        )
    if weighted and (data.classes is not None or size < 2):
        raise LossError(
            f"a weighted loss on the data {data.name!r}, whose targets are {_held(data, size)} without weights",
            expected="behind the numbers of each example its weight",
            remedy="put it there: np.column_stack([y, weights]); labels as one-hot rows",
        )
    wanted = asked.compared(size)
    found = output.shape[1:]
    one_for_two = data.classes is not None and wanted == 2
    if found != (wanted,) and not (one_for_two and found == (1,)):
        what = f"{wanted} classes" if data.classes is not None else f"targets of {_counted(wanted)}"
        what += ", each with its error behind them" * measured + " and a weight" * weighted
        raise ShapeError(
            f"the network ends with outputs of shape {found}, the data {data.name!r} has {what}\n"
            f"      output {output.shape}\n      target (..., {wanted})",
            expected=f"{wanted} output{'s' * (wanted > 1)}" + ", or 1 for two classes" * one_for_two,
            remedy=f"end the network with {wanted} unit{'s' * (wanted > 1)}",
        )
    scaling = data.target_scaling
    if scaling is not None and data.classes is None and not scaling.fits(found):
        raise ShapeError(
            f"target_scaling is made for shape {scaling.shape}, and the network puts out {wanted}"
            + (f", behind which stand{'s a weight' if weighted else ' errors'}" if wanted < size else ""),
            expected=f"a scaling that broadcasts to {found}, the same for all of them",
            remedy="leave target_scaling out, or learn it from the targets alone: Scaling.standardise(y[:, :1])",
        )


def _held(data: DatasetInfo, size: int) -> str:
    return "classes" if data.classes is not None else _counted(size)


def _counted(count: int) -> str:
    return f"{count} number{'s' * (count > 1)}"


def step_input(a: Node) -> Node | None:
    """The pre-activation z if a was computed as the step of z; else None."""
    return a.inputs[0].inputs[0] if a.op is ops.cast and a.inputs[0].op is ops.greater else None


def usual_loss(output: Node, data: DatasetInfo) -> str:
    """The loss that goes with the data and the network's last activation."""
    if data.classes is None:
        return "mean_squared_error"
    several = output.shape[1] > 1
    if step_input(output) is not None:
        return "squared_error"
    if softmax_input(output) is not None:
        return "cross_entropy"
    if sigmoid_input(output) is not None:
        return "half_squared_error" if several else "binary_cross_entropy"
    if output.op is ops.add or output.op is ops.matmul:
        return "cross_entropy_from_logits" if several else "binary_cross_entropy_from_logits"
    raise LossError(
        f"no usual loss goes with classes and a last layer that ends with {output!r}",
        expected="a last layer that is linear, softmax, sigmoid or step",
        remedy='make the last layer softmax, or name the loss, for example loss="hinge"',
    )
