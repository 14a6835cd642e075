"""Broadcast and sum, each the other's derivative; every broadcast in a graph is a node that can be seen."""

from __future__ import annotations

import numpy as np

from chainrule.errors import DtypeError, ShapeError
from chainrule.graph import CONSTANT, Array, Node, Shape, Type
from chainrule.graph.node import normal_axis
from chainrule.ops.declare import Gradients, op, require_axis, require_kind
from chainrule.ops.shapes import reshape


def _broadcast_type(x: Type, *, shape: Shape) -> Type:
    shape = tuple(shape)
    lead = len(shape) - x.ndim
    if lead < 0 or any(old not in {1, new} for old, new in zip(x.shape, shape[lead:], strict=True)):
        raise ShapeError(
            f"broadcast of {x!r} to {shape}",
            expected="extents that are equal, or 1 in the source, counted from the last axis",
            remedy="insert axes of extent 1 with reshape, or give the two arrays one shape",
        )
    return x.with_shape(shape)


@op(_broadcast_type, "{0}", "{0}", kind="view")
def broadcast_to(x: Array, *, shape: Shape) -> Array:
    """Repeats x along new leading axes and along axes of extent 1, by NumPy's rule.

    >>> from chainrule.graph import compute, constant
    >>> compute([broadcast_to(constant([1.0, 2.0]), shape=(2, 2))])[0]
    array([[1., 2.],
           [1., 2.]])
    """
    return np.broadcast_to(x, shape)


@broadcast_to.vjp
def broadcast_to_vjp(g: Node, out: Node, x: Node, *, shape: Shape) -> Gradients:
    """The sum over all copies."""
    lead = len(shape) - x.type.ndim
    stretched = tuple(i for i, extent in enumerate(shape) if i < lead or (x.shape[i - lead] == 1 and extent != 1))
    return (reshape(reduce_sum(g, axes=stretched), shape=x.shape) if stretched else g,)


def reduce_type(x: Type, *, axes: Shape) -> Type:
    """The type of a reduction: the axes are gone."""
    require_kind("a reduction", x, "number")
    for axis in axes:
        require_axis("a reduction", axis, x.ndim)
    if sorted(set(axes)) != list(axes):
        raise ShapeError(f"reduction over axes {axes}", expected="each axis once, in rising order", remedy="sort them")
    return x.with_shape(tuple(extent for axis, extent in enumerate(x.shape) if axis not in axes))


NARROW = ("uint8", "int32", "uint32")
"""Whole numbers that a sum of several has no room in."""


def _sum_type(x: Type, *, axes: Shape) -> Type:
    if x.dtype in NARROW:
        raise DtypeError(f"a sum of {x!r}", expected="int64, in which sums have room", remedy='cast it first: dtype="int64"')
    return reduce_type(x, axes=axes)


@op(_sum_type, "Σ {0}", r"\sum {0}", 2, kind="reduction", rounding="terms")
def reduce_sum(x: Array, *, axes: Shape) -> Array:
    """The sum over the axes, which are gone from the result; the dtype stays, but that narrow whole numbers become int64.

    Shapes: x any; result without the axes `axes`. Dtypes: numbers. Raises: ShapeError for an axis that x does not have, DtypeError.
    """
    return np.sum(x, axis=axes, dtype=x.dtype)


@reduce_sum.vjp
def reduce_sum_vjp(g: Node, out: Node, x: Node, *, axes: Shape) -> Gradients:
    """A sum hands its gradient to each term unchanged."""
    return (spread(g, x.shape, axes),)


def spread(reduced: Node, shape: Shape, axes: Shape) -> Node:
    """A reduction's result, repeated along the axes that it was reduced over."""
    kept = tuple(1 if axis in axes else extent for axis, extent in enumerate(shape))
    widened = reduced if reduced.shape == kept else reshape(reduced, shape=kept)
    return widened if kept == shape else broadcast_to(widened, shape=shape)


def normal_axes(axis: int | Shape | None, ndim: int) -> Shape:
    """Axes in rising order, counted from 0; None means all."""
    axes: list[int] = list(range(ndim)) if axis is None else np.atleast_1d(axis).tolist()
    return tuple(sorted({normal_axis("a reduction", item, ndim) for item in axes}))


def spread_number(node: Node) -> float | None:
    """The number that a constant, broadcast or not, is everywhere; None for anything else."""
    while node.op in {broadcast_to, reshape}:
        node = node.inputs[0]
    return float(node.attributes["value"]) if node.op is CONSTANT and node.shape == () else None
