"""Ops that move numbers about without changing them: reshape, transpose, slice, pad, concatenate, flip."""

from __future__ import annotations

from math import prod

import numpy as np

from chainrule.checks import checked
from chainrule.errors import DtypeError, ShapeError
from chainrule.graph import Array, Node, Shape, Type
from chainrule.ops.declare import Gradients, normal_axis, op, require_axis


def _reshape_type(x: Type, *, shape: Shape) -> Type:
    if prod(shape) != x.size or any(extent < 0 for extent in shape):
        raise ShapeError(
            f"reshape of {x!r} to {shape}",
            expected=f"a shape of {x.size} entries" + ("" if -1 in shape else f"; {shape} has {prod(shape)}"),
            remedy=f"write x.reshape{shape}, which takes -1 for what is left, or all extents"
            if -1 in shape
            else "choose extents whose product is the number of entries",
        )
    return x.with_shape(tuple(shape))


@op(_reshape_type, "{0}", "{0}", kind="view")
def reshape(x: Array, *, shape: Shape) -> Array:
    """The same numbers, read in row-major order, in another shape.

    >>> from chainrule.graph import compute, constant
    >>> compute([reshape(constant([[1.0, 2.0], [3.0, 4.0]]), shape=(4,))])[0]
    array([1., 2., 3., 4.])
    """
    return np.reshape(x, shape)


@reshape.vjp
def reshape_vjp(g: Node, out: Node, x: Node, *, shape: Shape) -> Gradients:
    """The gradient, put back into the input's shape."""
    return (reshape(g, shape=x.shape),)


def _transpose_type(x: Type, *, axes: Shape) -> Type:
    if sorted(axes) != list(range(x.ndim)):
        raise ShapeError(
            f"transpose of {x!r} with axes {axes}", expected=f"each of 0 ... {x.ndim - 1} once", remedy="list every axis once"
        )
    return x.with_shape(tuple(x.shape[axis] for axis in axes))


@op(_transpose_type, "{0}ᵀ", r"{0}^\top", 1, kind="view")
def transpose(x: Array, *, axes: Shape) -> Array:
    """Axes in another order: axis i of the result is axis axes[i] of x; without `axes` in the opposite order.

    Shapes: x any; result the same extents in another order. Dtypes: any. Raises: ShapeError unless `axes` names each axis once.
    """
    return np.transpose(x, axes)


@transpose.vjp
def transpose_vjp(g: Node, out: Node, x: Node, *, axes: Shape) -> Gradients:
    """The gradient, its axes put back."""
    return (transpose(g, axes=tuple(axes.index(axis) for axis in range(len(axes)))),)


def _reversed_axes(x: Node) -> dict[str, Shape]:
    return {"axes": tuple(reversed(range(x.type.ndim)))}


# Without axes their order is turned round, as in NumPy.
transpose.usual = _reversed_axes


@checked
def swap_last(x: Node) -> Node:
    """The matrix transpose: the last two axes exchanged.

    >>> from chainrule.graph import input_node
    >>> swap_last(input_node("x", (5, 2, 3))).shape
    (5, 3, 2)
    """
    if x.type.ndim < 2:
        raise ShapeError(f"matrix transpose of {x.type!r}", expected="two axes or more", remedy="reshape it to a matrix first")
    order = range(x.type.ndim)
    return transpose(x, axes=(*order[:-2], order[-1], order[-2]))


def _slice_type(x: Type, *, starts: Shape, stops: Shape, steps: Shape) -> Type:
    if not len(starts) == len(stops) == len(steps) == x.ndim:
        raise ShapeError(
            f"slice of {x!r} by {starts}, {stops}, {steps}", expected="one of each per axis", remedy="list every axis"
        )
    for start, stop, step, extent in zip(starts, stops, steps, x.shape, strict=True):
        if not (0 <= start <= stop <= extent and step >= 1):
            raise ShapeError(
                f"slice {start}:{stop}:{step} of an axis with {extent} entries in {x!r}",
                expected="0 <= start <= stop <= entries, and a step of 1 or more",
                remedy="choose limits inside the axis",
            )
    bounds = zip(starts, stops, steps, strict=True)
    return x.with_shape(tuple(-((start - stop) // step) for start, stop, step in bounds))


@op(_slice_type, "{0}[{starts}:{stops}:{steps}]", r"{0}_{{{starts}:{stops}}}", kind="view")
def slice_axes(x: Array, *, starts: Shape, stops: Shape, steps: Shape) -> Array:
    """On each axis the entries start, start + step, ... below stop.

    Shapes: x any; starts, stops, steps one to an axis; result with ⌈(stop − start)/step⌉ entries on each axis. Dtypes: any. Raises:
    ShapeError.
    """
    return x[tuple(slice(start, stop, step) for start, stop, step in zip(starts, stops, steps, strict=True))]


@slice_axes.vjp
def slice_axes_vjp(g: Node, out: Node, x: Node, *, starts: Shape, stops: Shape, steps: Shape) -> Gradients:
    """The gradient among zeros: what was not taken has none."""
    spans = [(extent - 1) * step + 1 if extent else 0 for extent, step in zip(out.shape, steps, strict=True)]
    high = tuple(extent - start - span for extent, start, span in zip(x.shape, starts, spans, strict=True))
    return (pad(g, low=starts, high=high, interior=tuple(step - 1 for step in steps)),)


@checked
def slice_axis(x: Node, axis: int, start: int, stop: int, step: int = 1) -> Node:
    """Entries start, start + step, ... below stop of one axis; the other axes whole, the dtype x's. Negative places count from the end."""
    axis = normal_axis("slice_axis", axis, x.type.ndim)
    extent = x.shape[axis]
    start, stop = (place + extent if -extent <= place < 0 else place for place in (start, stop))
    starts, stops, steps = [0] * x.type.ndim, list(x.shape), [1] * x.type.ndim
    starts[axis], stops[axis], steps[axis] = start, stop, step
    return slice_axes(x, starts=tuple(starts), stops=tuple(stops), steps=tuple(steps))


def row(x: Node, place: int) -> Node:
    """The entry of x (n, ...) at a place of its first axis: (...)."""
    return reshape(slice_axis(x, 0, place, place + 1), shape=x.shape[1:])


def _pad_type(x: Type, *, low: Shape, high: Shape, interior: Shape) -> Type:
    if not len(low) == len(high) == len(interior) == x.ndim or min((*low, *high, *interior), default=0) < 0:
        raise ShapeError(
            f"pad of {x!r} by {low}, {high}, {interior}", expected="one number >= 0 of each per axis", remedy="list every axis"
        )
    inner = (extent + max(extent - 1, 0) * gap for extent, gap in zip(x.shape, interior, strict=True))
    return x.with_shape(tuple(a + extent + b for a, extent, b in zip(low, inner, high, strict=True)))


@op(_pad_type, "pad({0}, {low}, {high}, {interior})", r"\operatorname{{pad}}({0})", kind="placement", rounding="none")
def pad(x: Array, *, low: Shape, high: Shape, interior: Shape) -> Array:
    """Zeros around x: `low` before, `high` behind, `interior` between neighbours of each axis.

    Shapes: x any; low, high, interior one to an axis; an axis of n entries gets low + n + (n − 1)·interior + high. Dtypes: any. Raises:
    ShapeError.
    """
    padded = _pad_type(Type("float64", x.shape), low=low, high=high, interior=interior)
    out = np.zeros(padded.shape, x.dtype)
    out[tuple(slice(a, padded.shape[axis] - high[axis], interior[axis] + 1) for axis, a in enumerate(low))] = x
    return out


@pad.vjp
def pad_vjp(g: Node, out: Node, x: Node, *, low: Shape, high: Shape, interior: Shape) -> Gradients:
    """The gradient where x stands in the result."""
    steps = tuple(gap + 1 for gap in interior)
    stops = tuple(extent - b for extent, b in zip(out.shape, high, strict=True))
    return (slice_axes(g, starts=low, stops=stops, steps=steps),)


def _concatenate_type(*types: Type, axis: int) -> Type:
    if not types:
        raise ShapeError(
            "concatenate of nothing", expected="one array or more", remedy="write for example concatenate(x, y, axis=0)"
        )
    require_axis("concatenate", axis, types[0].ndim)
    if len({kind.dtype for kind in types}) > 1:
        raise DtypeError(f"concatenate of {' and '.join(map(repr, types))}", expected="one dtype", remedy="cast one of them")
    if len({(*kind.shape[:axis], -1, *kind.shape[axis + 1 :]) for kind in types}) > 1:
        raise ShapeError(
            f"concatenate along axis {axis} of {' and '.join(map(repr, types))}",
            expected="equal extents on the other axes",
            remedy="reshape one of them, or choose another axis",
        )
    total = sum(kind.shape[axis] for kind in types)
    return types[0].with_shape((*types[0].shape[:axis], total, *types[0].shape[axis + 1 :]))


@op(_concatenate_type, "concatenate", r"\operatorname{{concatenate}}", kind="placement", rounding="none")
def concatenate(*arrays: Array, axis: int) -> Array:
    """Arrays one behind the other along an axis.

    Shapes: equal but on `axis`, where the extents add up. Dtypes: one on all inputs. Raises: ShapeError, DtypeError.
    """
    return np.concatenate(arrays, axis=axis)


@concatenate.vjp
def concatenate_vjp(g: Node, out: Node, *arrays: Node, axis: int) -> Gradients:
    """The gradient, cut into the same pieces."""
    ends = np.cumsum([x.shape[axis] for x in arrays]).tolist()
    return tuple(slice_axis(g, axis, end - x.shape[axis], end) for x, end in zip(arrays, ends, strict=True))


def _flip_type(x: Type, *, axes: Shape) -> Type:
    for axis in axes:
        require_axis("flip", axis, x.ndim)
    return x


@op(_flip_type, "flip({0}, {axes})", r"\operatorname{{flip}}({0})", kind="view")
def flip(x: Array, *, axes: Shape) -> Array:
    """Entries in the opposite order along each of the axes; without `axes` along all of them.

    Shapes: x any; result as x. Dtypes: any. Raises: ShapeError for an axis that x does not have.
    """
    return np.flip(x, axes)


def _all_axes(x: Node) -> dict[str, Shape]:
    return {"axes": tuple(range(x.type.ndim))}


flip.usual = _all_axes


@flip.vjp
def flip_vjp(g: Node, out: Node, x: Node, *, axes: Shape) -> Gradients:
    """The gradient, flipped back."""
    return (flip(g, axes=axes),)
