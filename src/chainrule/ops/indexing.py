"""Reading and writing at places that are data: gather, scatter-add, one-hot."""

from __future__ import annotations

import numpy as np

from chainrule.errors import DtypeError, PositionError, ShapeError
from chainrule.graph import Array, Node, Type, constant
from chainrule.ops.broadcast import broadcast_to
from chainrule.ops.declare import Gradients, op, require_axis

_INDEX = ("int32", "int64", "uint8", "uint32")


def _require_index(name: str, indices: Type) -> None:
    if indices.dtype not in _INDEX:
        raise DtypeError(f"{name} was given indices {indices!r}", expected=" or ".join(_INDEX), remedy="cast them to int64")


def _require_inside(indices: Array, extent: int) -> None:
    # NumPy would count a negative position from the end; in data it is a mistake.
    if np.any((indices < 0) | (indices >= extent)):
        raise PositionError(
            f"positions {indices.min()} ... {indices.max()} reach outside 0 ... {extent - 1}",
            expected="positions on the axis, counted from 0, never from the end",
            remedy='check the labels or ids in the data; ids need scaling="none"',
        )


def _gather_type(x: Type, indices: Type, *, axis: int) -> Type:
    _require_index("gather", indices)
    require_axis("gather", axis, x.ndim)
    return x.with_shape((*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]))


@op(_gather_type, "{0}[{1}]", "{0}_{{{1}}}", kind="indexing", rounding="none")
def gather(x: Array, indices: Array, *, axis: int) -> Array:
    """Entries of an axis by their positions, 0 ... n − 1; a position outside is a PositionError (an IndexError).

    Shapes: x (..., n, ...), indices any shape s, gives (..., *s, ...).

    >>> from chainrule.graph import constant, compute
    >>> compute([gather(constant([10.0, 20.0, 30.0]), constant([2, 0]), axis=0)])[0]
    array([30., 10.])
    """
    _require_inside(indices, x.shape[axis])
    return np.take(x, indices, axis=axis)


@gather.vjp
def gather_vjp(g: Node, out: Node, x: Node, indices: Node, *, axis: int) -> Gradients:
    """The gradient added up at the places read; a place read twice gets both."""
    nothing = broadcast_to(constant(0.0, x.dtype), shape=x.shape)
    return scatter_add(nothing, indices, g, axis=axis), None


def _scatter_type(x: Type, indices: Type, updates: Type, *, axis: int) -> Type:
    wanted = _gather_type(x, indices, axis=axis)
    if updates != wanted:
        raise ShapeError(
            f"scatter_add of {updates!r} into {x!r} at {indices!r}", expected=f"updates {wanted!r}", remedy="reshape them"
        )
    return x


@op(_scatter_type, "{0} with {2} added at {1}", r"{0} \oplus_{{{1}}} {2}", 3, kind="placement", rounding="terms")
def scatter_add(x: Array, indices: Array, updates: Array, *, axis: int) -> Array:
    """Adds updates to x at positions of an axis; where a position comes twice both are added.

    Shapes: x any, indices of whole numbers; updates as x, but with the axes of the indices in the place of `axis`; result as x.
    """
    _require_inside(indices, x.shape[axis])
    out = np.array(x, dtype=np.result_type(x, updates))
    rows = np.moveaxis(out, axis, 0)  # a view: what is added to it arrives in `out`
    places = tuple(range(axis, axis + indices.ndim))
    np.add.at(rows, indices, np.moveaxis(updates, places, range(indices.ndim)))
    return out


@scatter_add.vjp
def scatter_add_vjp(g: Node, out: Node, x: Node, indices: Node, updates: Node, *, axis: int) -> Gradients:
    """The gradient itself, and what stands at the positions."""
    return g, None, gather(g, indices, axis=axis)


def _one_hot_type(labels: Type, *, classes: int, dtype: str) -> Type:
    _require_index("one_hot", labels)
    return Type(dtype, (*labels.shape, classes))


@op(_one_hot_type, "one_hot({0})", r"\mathbf{{1}}_{{{0}}}", convention="no gradient", differentiable=False, kind="indexing")
def one_hot(labels: Array, *, classes: int, dtype: str) -> Array:
    """A row for each label: 1 at the label's place, 0 elsewhere; a label outside 0 ... classes − 1 gives a row of zeros.

    Shapes: labels any, whole numbers; result (..., classes) of `dtype`. Raises: DtypeError for labels that are no whole numbers.

    >>> from chainrule.graph import constant, compute
    >>> compute([one_hot(constant([2, 0]), classes=3, dtype="float64")])[0]
    array([[0., 0., 1.],
           [1., 0., 0.]])
    """
    return (labels[..., None] == np.arange(classes)).astype(dtype)
