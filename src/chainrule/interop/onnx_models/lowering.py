"""The table from op to ONNX operators. What has no row is written as what it is made of."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache, partial
from math import prod
from typing import Any, cast

import numpy as np

from chainrule.graph import Array, Node
from chainrule.graph.types import FLOATS
from chainrule.interop.onnx_models.emitter import Emitter, Lowering, Size, Sized
from chainrule.ops import broadcast_to, sigmoid

WIDE = ("float32", "float64", "int32", "int64")
"""The dtypes that arithmetic and comparisons have everywhere; other numbers are taken to int64 and back."""


def _plain(kind: str, *dtypes: str) -> Lowering:
    """An operator of the same name and meaning; where it lacks the dtype, in int64."""

    def lower(w: Emitter, it: Sized, inputs: list[str], to: str) -> str:
        given, gives = it.node.inputs[0].dtype, it.node.dtype
        if not dtypes or given in dtypes:
            return w.op(kind, *inputs, to=to)
        found = w.op(kind, *(w.cast(value, "int64") for value in inputs), to=to if gives == "bool" else "")
        return found if gives == "bool" else w.cast(found, gives, to=to)

    return lower


def _reduction(kind: str) -> Lowering:
    def lower(w: Emitter, it: Sized, inputs: list[str], to: str) -> str:
        (x,), axes, dtype = inputs, it.attribute("axes"), it.node.dtype
        if not axes:
            return w.op("Identity", x, to=to)
        if dtype in WIDE:
            return w.op(kind, x, w.constant(list(axes)), keepdims=0, to=to)
        return w.cast(w.op(kind, w.cast(x, "int64"), w.constant(list(axes)), keepdims=0), dtype, to=to)

    return lower


def _chosen(w: Emitter, it: Sized, inputs: list[str], to: str) -> str:
    condition, x, y = inputs
    if it.node.dtype in (*WIDE, "uint8"):
        return w.op("Where", condition, x, y, to=to)
    x, y = (w.cast(value, "int64") for value in (x, y))
    return w.cast(w.op("Where", condition, x, y), it.node.dtype, to=to)


def _constant(w: Emitter, it: Sized, inputs: list[str], to: str) -> str:
    """An array that is the same for each size of batch; or one number everywhere, where shape or number go by it."""
    values, dtype = [node.attributes["value"] for node in it.nodes], it.node.dtype
    if all(np.array_equal(value, values[0], equal_nan=dtype in FLOATS) for value in values):
        return w.constant(values[0], dtype)
    numbers = [value.reshape(-1)[:1] for value in values]
    if not all(number.size and np.all(value == number) for value, number in zip(values, numbers, strict=True)):
        raise it.refused("an array of other numbers for each size")
    each = [number.item() for number in numbers]
    number = w.constant(each[0], dtype) if len(set(each)) == 1 else w.fraction(*it.fraction(each), dtype)
    return w.op("Expand", number, w.sizes(it.shape)) if it.node.type.ndim else number


def _erf(w: Emitter, it: Sized, inputs: list[str], to: str) -> str:
    """In float64, which ONNX Runtime lacks, sign(x)·(1 − exp(−x²)·p(t)), p a sum of Chebyshev polynomials of t = a − b/(|x| + k); to 1e-13.

    Source: M. M. Shepherd, J. G. Laframboise, Mathematics of Computation 36, 249 (1981).
    """
    if it.node.dtype == "float32":
        return w.op("Erf", inputs[0], to=to)
    constant = partial(w.constant, dtype="float64")
    x = w.op("Min", w.op("Abs", inputs[0]), constant(ERF_IS_ONE))
    t = w.op("Sub", constant(_ERF_A), w.op("Div", constant(_ERF_B), w.op("Add", x, constant(ERF_POLE))))
    first, *factors = erfc_factors()
    twice, before, total = w.op("Add", t, t), constant(0.0), constant(0.0)
    for factor in reversed(factors):  # C. W. Clenshaw's way to add them up
        before, total = total, w.op("Add", w.op("Sub", w.op("Mul", twice, total), before), constant(factor))
    total = w.op("Add", w.op("Sub", w.op("Mul", t, total), before), constant(first))
    rest = w.op("Mul", w.op("Exp", w.op("Neg", w.op("Mul", x, x))), total)
    return w.op("Mul", w.op("Sign", inputs[0]), w.op("Sub", constant(1.0), rest), to=to)


ERF_IS_ONE, ERF_POLE = 6.0, 3.75
# t is −1 where x is 0, and 1 from where on erf(x) is 1 in float64.
_ERF_A, _ERF_B = 1 + 2 * ERF_POLE / ERF_IS_ONE, 2 * ERF_POLE * (1 + ERF_POLE / ERF_IS_ONE)


@cache
def erfc_factors() -> tuple[float, ...]:
    """The factors of the Chebyshev polynomials for exp(x²)·erfc(x), found from its values."""

    def scaled(t: Array) -> Array:
        return np.array([math.erfc(x) * math.exp(x * x) for x in (_ERF_B / (_ERF_A - t) - ERF_POLE).tolist()])

    return tuple(np.polynomial.chebyshev.chebinterpolate(cast("Any", scaled), 15).tolist())


def _cos(w: Emitter, it: Sized, inputs: list[str], to: str) -> str:
    """In float64, which ONNX Runtime lacks, as a sine."""
    if it.node.dtype == "float32":
        return w.op("Cos", inputs[0], to=to)
    return w.op("Sin", w.op("Add", inputs[0], w.constant(math.pi / 2, "float64")), to=to)


def _multiply(w: Emitter, it: Sized, inputs: list[str], to: str) -> str:
    """x·σ(x) in float64, which ONNX Runtime would fuse into an operator that it lacks, as x/(1 + exp(−x))."""
    x, y = it.node.inputs
    if it.node.dtype == "float64":
        for place, (factor, other) in enumerate(((x, y), (y, x))):
            if other.op is sigmoid and other.inputs[0] is factor:
                under = w.op("Add", w.op("Exp", w.op("Neg", inputs[place])), w.constant(1, "float64"))
                return w.op("Div", inputs[place], under, to=to)
    return _MULTIPLY(w, it, inputs, to)


def _not_equal(w: Emitter, it: Sized, inputs: list[str], to: str) -> str:
    return w.op("Not", _EQUAL(w, it, inputs, ""), to=to)


def _expm1(w: Emitter, it: Sized, inputs: list[str], to: str) -> str:
    """2·t/(1 − t) with t = tanh(x/2) where x is small, which loses no digit there; exp(x) − 1 elsewhere."""
    (x,), dtype = inputs, it.node.dtype
    one, half = w.constant(1, dtype), w.constant(0.5, dtype)
    t = w.op("Tanh", w.op("Mul", x, half))
    near = w.op("Div", w.op("Add", t, t), w.op("Sub", one, t))
    return w.op("Where", w.op("Less", w.op("Abs", x), one), near, w.op("Sub", w.op("Exp", x), one), to=to)


def _log1p(w: Emitter, it: Sized, inputs: list[str], to: str) -> str:
    """log(u)·x/(u − 1) with u = 1 + x as it is rounded: W. Kahan's way; x where u is 1."""
    (x,), dtype = inputs, it.node.dtype
    one = w.constant(1, dtype)
    u = w.op("Add", x, one)
    # Where x is infinite, or −1, the quotient of infinities or of zeros would be none.
    usual = w.op("And", w.op("Not", w.op("Equal", u, one)), w.op("Less", u, w.constant(np.inf, dtype)))
    less = w.op("Where", usual, w.op("Sub", u, one), one)
    scaled = w.op("Mul", w.op("Log", u), w.op("Div", w.op("Where", usual, x, one), less))
    return w.op("Where", w.op("Equal", u, one), x, scaled, to=to)


def _cast(w: Emitter, it: Sized, inputs: list[str], to: str) -> str:
    if it.node.inputs[0].dtype == it.node.dtype:
        return same(w, inputs[0], to)
    return w.cast(inputs[0], it.node.dtype, to=to)


def _identity(w: Emitter, it: Sized, inputs: list[str], to: str) -> str:
    return same(w, inputs[0], to)


def same(w: Emitter, x: str, to: str) -> str:
    """x, by the name that it is to have."""
    return w.op("Identity", x, to=to) if to else x


def _reshaped(w: Emitter, x: str, shape: Sequence[Size], to: str = "") -> str:
    """x in another shape; one extent that goes by the batch is left to be found."""
    unknown = [place for place, size in enumerate(shape) if not isinstance(size, int)]
    if len(unknown) == 1 and 0 not in shape:
        shape = [-1 if place == unknown[0] else size for place, size in enumerate(shape)]
    return w.op("Reshape", x, w.sizes(shape), to=to, **({"allowzero": 1} if 0 in shape else {}))


def _reshape(w: Emitter, it: Sized, inputs: list[str], to: str) -> str:
    return _reshaped(w, inputs[0], it.sizes_of("shape"), to)


def _broadcast_to(w: Emitter, it: Sized, inputs: list[str], to: str) -> str:
    return w.op("Expand", inputs[0], w.sizes(it.sizes_of("shape")), to=to)


def _transpose(w: Emitter, it: Sized, inputs: list[str], to: str) -> str:
    return w.op("Transpose", inputs[0], perm=list(it.attribute("axes")), to=to)


def _slice_axes(w: Emitter, it: Sized, inputs: list[str], to: str) -> str:
    starts, stops, steps = (it.sizes_of(name) for name in ("starts", "stops", "steps"))
    extents = Sized(it.sizes, tuple(node.inputs[0] for node in it.nodes)).shape
    cut = [axis for axis in range(len(starts)) if (starts[axis], stops[axis], steps[axis]) != (0, extents[axis], 1)]
    if not cut:
        return same(w, inputs[0], to)
    limits = [w.sizes([row[axis] for axis in cut]) for row in (starts, stops)]
    return w.op("Slice", inputs[0], *limits, w.constant(cut), w.sizes([steps[axis] for axis in cut]), to=to)


def _pad(w: Emitter, it: Sized, inputs: list[str], to: str) -> str:
    (x,), low, high, interior = inputs, it.sizes_of("low"), it.sizes_of("high"), it.attribute("interior")
    dtype, shape = it.node.dtype, list(Sized(it.sizes, tuple(node.inputs[0] for node in it.nodes)).shape)
    for axis, gap in enumerate(interior):
        if gap and shape[axis] not in {0, 1}:
            x, shape = _spaced(w, it, x, shape, axis, gap)
    if not any((*low, *high)):
        return same(w, x, to)
    if dtype in WIDE:
        return w.op("Pad", x, w.sizes([*low, *high]), w.constant(0, dtype), to=to)
    padded = w.op("Pad", w.cast(x, "int64"), w.sizes([*low, *high]), w.constant(0))
    return w.cast(padded, dtype, to=to)


def _spaced(w: Emitter, it: Sized, x: str, shape: list[Size], axis: int, gap: int) -> tuple[str, list[Size]]:
    """Zeros between neighbours of an axis: each entry gets a row of its own, and what stands behind the last one is cut off."""
    extent = shape[axis]
    if not isinstance(extent, int):
        raise it.refused("zeros between examples")
    ndim, dtype = len(shape), it.node.dtype
    apart = _reshaped(w, x, [*shape[: axis + 1], 1, *shape[axis + 1 :]])
    behind = [0] * (ndim + 1) + [gap if place == axis + 1 else 0 for place in range(ndim + 1)]
    spread = w.op("Pad", apart, w.constant(behind), w.constant(0, dtype))
    joined = _reshaped(w, spread, [*shape[:axis], extent * (gap + 1), *shape[axis + 1 :]])
    whole = extent + (extent - 1) * gap
    found = w.op("Slice", joined, w.constant([0]), w.constant([whole]), w.constant([axis]))
    return found, [*shape[:axis], whole, *shape[axis + 1 :]]


def _concatenate(w: Emitter, it: Sized, inputs: list[str], to: str) -> str:
    return w.op("Concat", *inputs, axis=it.attribute("axis"), to=to)


def flipped(w: Emitter, x: str, axes: Sequence[int], to: str = "") -> str:
    """x in the opposite order along axes."""
    ends = [w.constant([value] * len(axes)) for value in (-1, np.iinfo(np.int64).min, -1)]
    return w.op("Slice", x, ends[0], ends[1], w.constant(list(axes)), ends[2], to=to)


def _flip(w: Emitter, it: Sized, inputs: list[str], to: str) -> str:
    axes = it.attribute("axes")
    return flipped(w, inputs[0], axes, to) if axes else same(w, inputs[0], to)


def _gather(w: Emitter, it: Sized, inputs: list[str], to: str) -> str:
    x, indices = inputs
    return w.op("Gather", x, _as_index(w, indices, it.node.inputs[1]), axis=it.attribute("axis"), to=to)


def _as_index(w: Emitter, name: str, node: Node) -> str:
    return name if node.dtype in {"int32", "int64"} else w.cast(name, "int64")


def _scatter_add(w: Emitter, it: Sized, inputs: list[str], to: str) -> str:
    x, indices, updates = inputs
    axis, shapes = it.attribute("axis"), [Sized(it.sizes, tuple(node.inputs[i] for node in it.nodes)).shape for i in range(3)]
    found = _added_at(w, x, _as_index(w, indices, it.node.inputs[1]), updates, axis, shapes)
    return same(w, found, to)


def _added_at(w: Emitter, x: str, indices: str, updates: str, axis: int, shapes: Sequence[Sequence[Size]]) -> str:
    """x with updates added at positions of an axis."""
    whole, places, _ = shapes
    count: Size = prod(cast("Any", places)) if all(isinstance(size, int) for size in places) else -1
    rows = [*whole[:axis], count, *whole[axis + 1 :]]
    if len(places) != 1:
        updates = w.op("Reshape", updates, w.sizes(rows))
        indices = w.op("Reshape", indices, w.constant([-1]))
    column = w.op("Reshape", indices, w.constant([-1 if place == axis else 1 for place in range(len(whole))]))
    spread = w.op("Expand", column, w.op("Shape", updates))
    return w.op("ScatterElements", x, spread, updates, axis=axis, reduction="add")


def _one_hot(w: Emitter, it: Sized, inputs: list[str], to: str) -> str:
    """A comparison with each class: the operator OneHot counts negative labels from the end."""
    labels = w.op("Unsqueeze", _as_index(w, inputs[0], it.node.inputs[0]), w.constant([-1]))
    dtype = "int32" if it.node.inputs[0].dtype == "int32" else "int64"
    found = w.op("Equal", labels, w.constant(np.arange(it.attribute("classes")), dtype))
    return w.cast(found, it.attribute("dtype"), to=to)


def _argmax(w: Emitter, it: Sized, inputs: list[str], to: str) -> str:
    given = it.node.inputs[0].dtype
    x = inputs[0] if given in {"float32", "float64", "int32"} else w.cast(inputs[0], "int32" if given == "uint8" else "float64")
    return w.op("ArgMax", x, axis=it.attribute("axis"), keepdims=0, to=to)


def _softmax(w: Emitter, it: Sized, inputs: list[str], to: str) -> str:
    return w.op("Softmax", inputs[0], axis=it.attribute("axis"), to=to)


def _windows(w: Emitter, it: Sized, inputs: list[str], to: str) -> str:
    """Positions and taps of each axis are read by their places; then the axes are put in order."""
    (x,), axes = inputs, it.attribute("axes")
    taps, strides, dilations = (it.attribute(name) for name in ("taps", "strides", "dilations"))
    for number, axis in enumerate(axes):
        extent = it.size([node.shape[axis] for node in it.nodes])
        if not isinstance(extent, int):
            raise it.refused("windows that slide over the examples")
        places = _places(extent, taps[number], strides[number], dilations[number])
        x = w.op("Gather", x, w.constant(places), axis=axis + number)
    return w.op("Transpose", x, perm=_apart(axes, it.node.type.ndim), to=to)


def _places(positions: int, taps: int, stride: int, dilation: int) -> Any:
    return np.arange(positions)[:, None] * stride + np.arange(taps) * dilation


def _apart(axes: Sequence[int], ndim: int) -> list[int]:
    """From positions and taps in pairs to all positions, then all taps, then the rest: where each axis of the result comes from."""
    last = axes[-1]
    moved = {axis: axis + number for number, axis in enumerate(axes)}
    before = [moved.get(axis, axis + sum(other < axis for other in axes)) for axis in range(last + 1)]
    return [*before, *(moved[axis] + 1 for axis in axes), *range(last + 1 + len(axes), ndim)]


def _overlap_add(w: Emitter, it: Sized, inputs: list[str], to: str) -> str:
    """The way of `_windows` back, each axis' entries added up where they came from."""
    axes, extents = it.attribute("axes"), it.attribute("extents")
    strides, dilations = (it.attribute(name) for name in ("strides", "dilations"))
    given = it.node.inputs[0]
    order = _apart(axes, given.type.ndim)
    x = w.op("Transpose", inputs[0], perm=[order.index(place) for place in range(len(order))])
    paired = Sized(it.sizes, tuple(node.inputs[0] for node in it.nodes)).shape
    shape: list[Size] = [paired[order.index(place)] for place in range(len(order))]
    for number, axis in reversed(list(enumerate(axes))):
        place = axis + number
        positions, taps = cast("tuple[int, int]", tuple(shape[place : place + 2]))
        places = _places(positions, taps, strides[number], dilations[number])
        rest: list[Size] = [*shape[:place], extents[number], *shape[place + 2 :]]
        zeros = w.op("Expand", w.constant(0, it.node.dtype), w.sizes(rest))
        x = _added_at(w, zeros, w.constant(places), x, place, [rest, places.shape, shape])
        shape = rest
    return same(w, x, to)


_EQUAL = _plain("Equal", *WIDE, "bool")
_MULTIPLY = _plain("Mul", *WIDE)
_ARITHMETIC = {"add": "Add", "subtract": "Sub", "maximum": "Max", "minimum": "Min", "negative": "Neg"}
_FLOATS = {
    "divide": "Div", "power": "Pow", "exp": "Exp", "log": "Log", "sqrt": "Sqrt", "sin": "Sin", "tanh": "Tanh",
    "sigmoid": "Sigmoid", "softplus": "Softplus", "relu": "Relu", "floor": "Floor", "matmul": "MatMul", "arctan": "Atan",
    "logical_and": "And", "logical_or": "Or", "logical_not": "Not",
}  # fmt: skip
_ORDER = {"less": "Less", "less_equal": "LessOrEqual", "greater": "Greater", "greater_equal": "GreaterOrEqual"}

LOWERINGS: Mapping[str, Lowering] = {
    **{name: _plain(kind, *WIDE) for name, kind in (_ARITHMETIC | _ORDER).items()},
    **{name: _plain(kind) for name, kind in _FLOATS.items()},
    "absolute": _plain("Abs"), "sign": _plain("Sign"),
    "equal": _EQUAL, "not_equal": _not_equal, "where": _chosen, "cast": _cast, "stop_gradient": _identity,
    "multiply": _multiply, "constant": _constant, "cos": _cos, "erf": _erf, "expm1": _expm1, "log1p": _log1p,
    "reshape": _reshape, "broadcast_to": _broadcast_to, "transpose": _transpose, "slice_axes": _slice_axes, "pad": _pad,
    "concatenate": _concatenate, "flip": _flip,
    "reduce_sum": _reduction("ReduceSum"), "reduce_max": _reduction("ReduceMax"), "reduce_min": _reduction("ReduceMin"),
    "argmax": _argmax, "gather": _gather, "scatter_add": _scatter_add, "one_hot": _one_hot, "softmax": _softmax,
    "windows": _windows, "overlap_add": _overlap_add,
}  # fmt: skip
"""The operators of each op; `scan`, which has outputs of several, stands in `writing`."""

WITHOUT_FLOAT64 = {"arctan"}
"""Ops whose operator ONNX Runtime has in float32 only: in float64 they are written as what they are made of."""

UNWRITTEN = {
    "random_bits": "random numbers, which only training draws",
    "random_fold": "random numbers, which only training draws",
}
"""The ops that a file cannot hold, and why."""


def spares(node: Node) -> bool:
    """Whether its operator stretches inputs by itself, so that nodes which only do that are left out."""
    return node.op.kind == "elementwise" or node.op.name == "matmul"


def unstretched(it: Sized) -> tuple[tuple[Node, ...], ...]:
    """The inputs for each size, without nodes that stretch them where the operator does it."""
    if not spares(it.node):
        return tuple(node.inputs for node in it.nodes)
    return tuple(_bare(node) for node in it.nodes)


def _bare(node: Node) -> tuple[Node, ...]:
    bare = tuple(source.inputs[0] if source.op is broadcast_to else source for source in node.inputs)
    if node.op.name == "matmul":
        whole = all(source.type.ndim >= 2 for source in bare) and all(
            source.shape[-2:] == given.shape[-2:] for source, given in zip(bare, node.inputs, strict=True)
        )
        shapes = [source.shape[:-2] for source in bare]
        return bare if whole and np.broadcast_shapes(*shapes) == node.shape[:-2] else node.inputs
    return bare if np.broadcast_shapes(*(source.shape for source in bare)) == node.shape else node.inputs
