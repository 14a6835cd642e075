"""Reductions over axes, and where the largest or smallest stands."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import prod
from typing import Any, Protocol

import numpy as np

from chainrule import ops
from chainrule.graph import Node, Shape
from chainrule.graph.node import normal_axis
from chainrule.interop.onnx_models.call import Call, operator
from chainrule.interop.onnx_models.operators.whole import full, quotient


def axes_of(call: Call, x: Node, given: Node | None, told: Any, *, nothing: bool = False) -> Shape:
    """The axes that a reduction goes over: by its input or its attribute; all of them, or with `nothing` none, where none is named."""
    named = call.whole(given, "axes") if given is not None else told
    if named is None or not len(named):
        return () if nothing else tuple(range(x.type.ndim))
    return tuple(sorted({normal_axis(call.label, axis, x.type.ndim) for axis in named}))


def total(x: Node, axes: Shape, *, keepdims: bool = True) -> Node:
    """The sum over axes, of the dtype of x."""
    found = ops.sum(x, axes, keepdims=keepdims) if axes else x
    return found if found.dtype == x.dtype else ops.cast(found, dtype=x.dtype)


def _product(x: Node, axes: Shape, *, keepdims: bool) -> Node:
    """Halves multiplied by each other until one is left."""
    for axis in axes:
        if not x.shape[axis]:
            x = full(1, x, tuple(1 if place == axis else extent for place, extent in enumerate(x.shape)))
        while (extent := x.shape[axis]) > 1:
            half = extent // 2
            found = ops.slice_axis(x, axis, 0, half) * ops.slice_axis(x, axis, half, 2 * half)
            x = ops.concatenate(found, ops.slice_axis(x, axis, 2 * half, extent), axis=axis) if extent % 2 else found
    return x if keepdims else dropped(x, axes)


def _mean(x: Node, axes: Shape, *, keepdims: bool) -> Node:
    if x.type.is_float:
        return ops.mean(x, axes, keepdims=keepdims) if axes else x
    found = total(ops.cast(x, dtype="int64"), axes, keepdims=keepdims)
    return ops.cast(quotient(found, full(prod(x.shape[axis] for axis in axes), found)), dtype=x.dtype)


def _extreme(x: Node, axes: Shape, *, largest: bool, keepdims: bool) -> Node:
    if not axes:
        return x
    if x.dtype == "bool":
        return ops.greater(_extreme(ops.cast(x, dtype="uint8"), axes, largest=largest, keepdims=keepdims), 0)
    if prod(x.shape[axis] for axis in axes):
        return (ops.max if largest else ops.min)(x, axes, keepdims=keepdims)
    shape = tuple(1 if axis in axes else extent for axis, extent in enumerate(x.shape) if keepdims or axis not in axes)
    if x.type.is_float:
        return full(-np.inf if largest else np.inf, x, shape)
    limits = np.iinfo(x.dtype)
    return full(limits.min if largest else limits.max, x, shape)


def _log_sum_exp(x: Node, axes: Shape, *, keepdims: bool) -> Node:
    if not axes or not prod(x.shape[axis] for axis in axes):
        return ops.log(total(ops.exp(x), axes, keepdims=keepdims))
    largest = ops.max(x, axes, keepdims=True)
    finite = ops.where(ops.less(ops.absolute(largest), np.inf), largest, 0.0)
    found = ops.log(total(ops.exp(x - finite), axes)) + finite
    return found if keepdims else dropped(found, axes)


def _in_floats(function: Callable[[Node], Node]) -> Callable[[Node], Node]:
    """A function of floats for whole numbers too, cut to these."""

    def of(x: Node) -> Node:
        return function(x) if x.type.is_float else ops.cast(function(ops.cast(x, dtype="float64")), dtype=x.dtype)

    return of


class Reduction(Protocol):
    """A reduction over axes, which stay with the extent 1, or go."""

    def __call__(self, x: Node, axes: Shape, *, keepdims: bool) -> Node:
        """The reduced array."""
        ...


def _length(x: Node, axes: Shape, *, keepdims: bool) -> Node:
    return _in_floats(ops.sqrt)(_squares(x, axes, keepdims=keepdims))


def _squares(x: Node, axes: Shape, *, keepdims: bool) -> Node:
    return total(x * x, axes, keepdims=keepdims)


def _sizes(x: Node, axes: Shape, *, keepdims: bool) -> Node:
    return total(ops.absolute(x), axes, keepdims=keepdims)


def _log_sum(x: Node, axes: Shape, *, keepdims: bool) -> Node:
    return _in_floats(ops.log)(total(x, axes, keepdims=keepdims))


def _whole_log_sum_exp(x: Node, axes: Shape, *, keepdims: bool) -> Node:
    return _in_floats(partial(_log_sum_exp, axes=axes, keepdims=keepdims))(x)


KINDS: dict[str, Reduction] = {
    "ReduceSum": total, "ReduceProd": _product, "ReduceMean": _mean, "ReduceMax": partial(_extreme, largest=True),
    "ReduceMin": partial(_extreme, largest=False), "ReduceL1": _sizes, "ReduceL2": _length, "ReduceSumSquare": _squares,
    "ReduceLogSum": _log_sum, "ReduceLogSumExp": _whole_log_sum_exp,
}  # fmt: skip


@operator(*KINDS)
def reduced(
    call: Call, x: Node, given: Node | None = None, *, axes: Any = None, keepdims: int = 1, noop_with_empty_axes: int = 0
) -> Node:
    """A reduction over axes, which stay with the extent 1 where keepdims is not 0."""
    chosen = axes_of(call, x, given, axes, nothing=bool(noop_with_empty_axes))
    return KINDS[call.node.op_type](x, chosen, keepdims=bool(keepdims) or not chosen)


def dropped(x: Node, axes: Shape) -> Node:
    """x without axes whose extent is 1."""
    return ops.reshape(x, shape=tuple(extent for axis, extent in enumerate(x.shape) if axis not in axes))


@operator("ArgMax", "ArgMin")
def position(call: Call, x: Node, *, axis: int = 0, keepdims: int = 1, select_last_index: int = 0) -> Node:
    """Where the largest or smallest entry of an axis stands: the first, or the last of several."""
    axis = normal_axis(call.label, axis, x.type.ndim)
    wide = x if x.type.is_float else ops.cast(x, dtype="int64")
    wide = ops.negative(wide) if call.node.op_type == "ArgMin" else wide
    found = ops.argmax(ops.flip(wide, axes=(axis,)) if select_last_index else wide, axis=axis)
    found = ops.subtract(full(x.shape[axis] - 1, found), found) if select_last_index else found
    return ops.reshape(found, shape=(*x.shape[:axis], 1, *x.shape[axis + 1 :])) if keepdims else found


@operator("CumSum", "CumProd")
def running(call: Call, x: Node, axis: Node, *, exclusive: int = 0, reverse: int = 0) -> Node:
    """Sums or products of what stands up to each entry, by doubling how far is looked back."""
    place = normal_axis(call.label, int(call.number(axis, "axis")), x.type.ndim)
    product = call.node.op_type == "CumProd"
    x = ops.flip(x, axes=(place,)) if reverse else x
    extent, step = x.shape[place], 1
    if exclusive and extent:
        x = _moved(x, place, 1, 1 if product else 0)
    while step < extent:
        before = _moved(x, place, step, 1 if product else 0)
        x = x * before if product else x + before
        step *= 2
    return ops.flip(x, axes=(place,)) if reverse else x


def _moved(x: Node, axis: int, by: int, filler: int) -> Node:
    """Entries of an axis, so many places further; before them stands a filler."""
    before = full(filler, x, tuple(by if place == axis else extent for place, extent in enumerate(x.shape)))
    return ops.concatenate(before, ops.slice_axis(x, axis, 0, x.shape[axis] - by), axis=axis)
