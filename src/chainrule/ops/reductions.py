"""Reductions over axes: sum, mean, largest, smallest, and where the largest stands."""

from __future__ import annotations

from math import prod

import numpy as np

from chainrule.checks import checked
from chainrule.errors import ShapeError
from chainrule.graph import Array, Node, Operand, Shape, Type, as_nodes
from chainrule.ops.broadcast import NARROW, broadcast_to, normal_axes, reduce_sum, reduce_type, spread
from chainrule.ops.declare import Gradients, op, require_axis, require_kind
from chainrule.ops.elementwise import cast, equal
from chainrule.ops.shapes import reshape


def _extremum_type(x: Type, *, axes: Shape) -> Type:
    reduced = reduce_type(x, axes=axes)
    if not prod(x.shape[axis] for axis in axes):
        raise ShapeError(
            f"largest or smallest of {x!r} over axes {axes}", expected="one entry or more", remedy="check for empty data"
        )
    return reduced


@op(
    _extremum_type,
    "max {0}",
    r"\max {0}",
    2,
    convention="where several entries are largest each gets an equal part",
    kind="reduction",
    rounding="none",
)
def reduce_max(x: Array, *, axes: Shape) -> Array:
    """The largest entry over the axes; NaN if one is.

    Shapes: x any; result without the axes `axes`. Dtypes: numbers. Raises: ShapeError for an axis that x does not have, or that is empty.
    """
    return np.max(x, axis=axes)


@op(
    _extremum_type,
    "min {0}",
    r"\min {0}",
    2,
    convention="where several entries are smallest each gets an equal part",
    kind="reduction",
    rounding="none",
)
def reduce_min(x: Array, *, axes: Shape) -> Array:
    """The smallest entry over the axes; NaN if one is.

    Shapes: x any; result without the axes `axes`. Dtypes: numbers. Raises: ShapeError for an axis that x does not have, or that is empty.
    """
    return np.min(x, axis=axes)


@reduce_max.vjp
@reduce_min.vjp
def extremum_vjp(g: Node, out: Node, x: Node, *, axes: Shape) -> Gradients:
    """The gradient to the entry that was chosen, shared between equals."""
    chosen = cast(equal(x, spread(out, x.shape, axes)), dtype=x.dtype)
    return (spread(g / reduce_sum(chosen, axes=axes), x.shape, axes) * chosen,)


def _argmax_type(x: Type, *, axis: int) -> Type:
    require_kind("argmax", x, "number")
    require_axis("argmax", axis, x.ndim)
    if not x.shape[axis]:
        raise ShapeError(f"argmax of {x!r} over axis {axis}", expected="one entry or more", remedy="check for empty data")
    return Type("int64", x.shape[:axis] + x.shape[axis + 1 :])


@op(_argmax_type, "argmax {0}", r"\operatorname{{argmax}} {0}", 2, convention="no gradient", kind="reduction")
def argmax(x: Array, *, axis: int) -> Array:
    """The position of the largest entry on an axis; the first of several.

    Shapes: x any; result int64 without the axis `axis`. Raises: ShapeError for an axis that x does not have.
    """
    return np.asarray(np.argmax(x, axis=axis), dtype=np.int64)


def _wide(*operands: Operand) -> tuple[Node, ...]:
    """Whole numbers as int64, in which their sum has room."""
    return tuple(cast(node, dtype="int64") if node.dtype in NARROW else node for node in as_nodes(*operands))


reduce_sum.prepare = _wide


def _keep(reduced: Node, x: Node, axes: Shape, keepdims: bool) -> Node:
    shape = tuple(1 if axis in axes else extent for axis, extent in enumerate(x.shape))
    return reshape(reduced, shape=shape) if keepdims and shape != reduced.shape else reduced


@checked
def sum(x: Node, axis: int | Shape | None = None, *, keepdims: bool = False) -> Node:  # noqa: A001  (NumPy's name)
    """The sum over an axis, several, or all; narrow whole numbers are summed in int64, so that nothing wraps around.

    >>> from chainrule.graph import input_node
    >>> sum(input_node("x", (2, 3)), axis=-1, keepdims=True).shape
    (2, 1)
    """
    axes = normal_axes(axis, x.type.ndim)
    return _keep(reduce_sum(x, axes=axes), x, axes, keepdims)


@checked
def mean(x: Node, axis: int | Shape | None = None, *, keepdims: bool = False) -> Node:
    """The mean over an axis, several, or all: the sum times one over the number of terms; of whole numbers it is float64.

    Shapes: x any; result without the axes, or with extent 1 in their place where keepdims=True. Raises: ShapeError for an axis that x
    does not have.
    """
    axes = normal_axes(axis, x.type.ndim)
    count = prod(x.shape[a] for a in axes)
    if not count:
        raise ShapeError(f"mean of {x.type!r} over axes {axes}", expected="one entry or more", remedy="check for empty data")
    x = x if x.type.is_float else cast(x, dtype="float64")
    return sum(x, axes, keepdims=keepdims) * (1.0 / count)


@checked
def max(x: Node, axis: int | Shape | None = None, *, keepdims: bool = False) -> Node:  # noqa: A001  (NumPy's name)
    """The largest entry over an axis, several, or all.

    Shapes: x any; result without the axes, or with extent 1 in their place where keepdims=True. Raises: ShapeError for an axis that x
    does not have.
    """
    axes = normal_axes(axis, x.type.ndim)
    return _keep(reduce_max(x, axes=axes), x, axes, keepdims)


@checked
def min(x: Node, axis: int | Shape | None = None, *, keepdims: bool = False) -> Node:  # noqa: A001  (NumPy's name)
    """The smallest entry over an axis, several, or all.

    Shapes: x any; result without the axes, or with extent 1 in their place where keepdims=True. Raises: ShapeError for an axis that x
    does not have.
    """
    axes = normal_axes(axis, x.type.ndim)
    return _keep(reduce_min(x, axes=axes), x, axes, keepdims)


@checked
def position_of_max(x: Node, axis: int = -1) -> Node:
    """Where the largest entry of an axis stands; a negative axis counts from the end.

    Shapes: x any; result int64 without the axis; without `axis` the position in x as one row. Raises: ShapeError for an axis that x does
    not have.
    """
    return argmax(x, axis=axis)


__all__ = ["argmax", "broadcast_to", "max", "mean", "min", "position_of_max", "reduce_max", "reduce_min", "reduce_sum", "sum"]
