"""Convolutions and pools: windows over the axes behind batch and channels."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from chainrule import ops
from chainrule.graph import Array, Node, Shape, constant
from chainrule.immutable import immutable
from chainrule.interop.onnx_models.call import Call, operator
from chainrule.interop.onnx_models.operators.arithmetic import dequantised_by, quantised_to
from chainrule.interop.onnx_models.operators.shapes import around, cut, ordered, small, surrounded
from chainrule.nn.convolution import weighed as products
from chainrule.nn.padding import same_amounts
from chainrule.nn.pooling import reduced_windows


def last(x: Node) -> Node:
    """x with the channels behind the axes of space, as our layers have them."""
    return ordered(x, (0, *range(2, x.type.ndim), 1))


def first(x: Node) -> Node:
    """x with the channels before the axes of space, as ONNX has them."""
    return ordered(x, (0, x.type.ndim - 1, *range(1, x.type.ndim - 1)))


@immutable
class Frame:
    """The windows of one node: taps, strides, dilations, and what stands around each axis; `extra` of it for the last position only."""

    taps: Shape
    strides: Shape
    dilations: Shape
    pads: tuple[tuple[int, int], ...]
    extra: Shape

    @property
    def axes(self) -> Shape:
        """The axes of space."""
        return tuple(range(2, 2 + len(self.taps)))

    @property
    def axes_last(self) -> Shape:
        """The axes of space where channels stand last."""
        return tuple(range(1, 1 + len(self.taps)))

    def around_last(self, call: Call, x: Node, value: float) -> Node:
        """x, channels last, with a number around it."""
        amounts = [(low, high + more) for (low, high), more in zip(self.pads, self.extra, strict=True)]
        return surrounded(call, x, dict(zip(self.axes_last, amounts, strict=True)), "constant", constant(value, x.dtype))

    def wide(self, call: Call, x: Node, value: float) -> Node:
        """x with a number around it."""
        pairs = {axis: (low, high + more) for axis, (low, high), more in zip(self.axes, self.pads, self.extra, strict=True)}
        return surrounded(call, x, pairs, "constant", constant(value, x.dtype))

    def seen(self, wide: Node) -> Node:
        """The windows, (batch, channels, positions..., taps...)."""
        return ops.windows(wide, axes=self.axes, taps=self.taps, strides=self.strides, dilations=self.dilations)


def frame(
    call: Call, x: Node, taps: Sequence[int], strides: Any, dilations: Any, pads: Any, auto_pad: str, ceil_mode: int = 0
) -> Frame:
    """The windows that attributes describe. Raises: FileFormatError for those that do not fit."""
    space, extents = len(taps), x.shape[2:]
    strides, dilations = tuple(strides or (1,) * space), tuple(dilations or (1,) * space)
    pads = tuple(pads or (0,) * 2 * space)
    lengths = {len(extents), len(strides), len(dilations), len(pads) // 2}
    if lengths != {space} or min((*taps, *strides, *dilations), default=1) < 1 or min(pads, default=0) < 0:
        raise call.wrong(
            f"kernel {tuple(taps)}, strides {strides}, dilations {dilations}, pads {pads} for {x.type!r}",
            "one of each to an axis behind batch and channels, two pads",
        )
    spans = [(tap - 1) * dilation + 1 for tap, dilation in zip(taps, dilations, strict=True)]
    around_ = [
        _auto(auto_pad, n, span, s) or (low, high)
        for n, span, s, low, high in zip(extents, spans, strides, pads[:space], pads[space:], strict=True)
    ]
    extra = [0] * space
    if ceil_mode and auto_pad == "NOTSET":
        for axis, (n, span, s, (low, high)) in enumerate(zip(extents, spans, strides, around_, strict=True)):
            count = -(-(n + low + high - span) // s) + 1
            count -= (count - 1) * s >= n + low  # the last window has to begin inside
            extra[axis] = max((count - 1) * s + span - (n + low + high), 0)
    return Frame(tuple(taps), strides, dilations, tuple(around_), tuple(extra))


def _auto(how: str, n: int, span: int, stride: int) -> tuple[int, int] | None:
    if how == "NOTSET":
        return None
    if how == "VALID":
        return 0, 0
    ((less, more),) = same_amounts((n,), (span,), (stride,))
    return (less, more) if how == "SAME_UPPER" else (more, less)


def weighed(
    call: Call, x: Node, w: Node, b: Node | None = None, *, kernel_shape: Any = None, strides: Any = None, dilations: Any = None,
    pads: Any = None, auto_pad: str = "NOTSET", group: int = 1,
) -> Node:  # fmt: skip
    """Each filter weighs windows of its group's channels: one matrix product, or one to a group."""
    taps = w.shape[2:]
    if (
        group < 1
        or x.type.ndim != w.type.ndim
        or x.shape[1] != w.shape[1] * group
        or w.shape[0] % group
        or (kernel_shape and tuple(kernel_shape) != taps)
    ):
        raise call.wrong(
            f"x {x.type!r} and W {w.type!r} in {group} groups, kernel {kernel_shape}",
            "(batch, channels, ...) and (filters, channels/groups, ...)",
        )
    windows = frame(call, x, taps, strides, dilations, pads, auto_pad)
    space = len(taps)
    wide = windows.around_last(call, last(x), 0.0)
    seen = ops.windows(wide, axes=windows.axes_last, taps=taps, strides=windows.strides, dilations=windows.dilations)
    found = products(seen, ordered(w, (*range(2, 2 + space), 1, 0)), group)
    return first(found if b is None else found + b)


operator("Conv")(weighed)


@operator("ConvTranspose")
def convolved_back(
    call: Call, x: Node, w: Node, b: Node | None = None, *, kernel_shape: Any = None, strides: Any = None, dilations: Any = None,
    pads: Any = None, output_padding: Any = None, output_shape: Any = None, auto_pad: str = "NOTSET", group: int = 1,
) -> Node:  # fmt: skip
    """Each number of x puts a window into the result; where windows overlap they add up."""
    taps, space, n = w.shape[2:], w.type.ndim - 2, x.shape[0]
    if group < 1 or x.type.ndim != w.type.ndim or x.shape[1] != w.shape[0] or x.shape[1] % group or space < 1:
        raise call.wrong(
            f"x {x.type!r} and W {w.type!r} in {group} groups", "(batch, channels, ...) and (channels, filters/groups, ...)"
        )
    strides, dilations = tuple(strides or (1,) * space), tuple(dilations or (1,) * space)
    more = tuple(output_padding or (0,) * space)
    extents, each, filters = x.shape[2:], x.shape[1] // group, w.shape[1]
    inner = filters * prod(taps)
    rows = ops.transpose(ops.reshape(x, shape=(n, group, each, *extents)), axes=(1, 0, *range(3, 3 + space), 2))
    weights = ops.reshape(w, shape=(group, each, inner))
    found = ops.matmul(ops.reshape(rows, shape=(group, n * prod(extents), each)), weights)
    found = ops.reshape(found, shape=(group, n, *extents, filters, *taps))
    found = ops.transpose(found, axes=(1, 0, 2 + space, *range(2, 2 + space), *range(3 + space, 3 + 2 * space)))
    found = ops.reshape(found, shape=(n, group * filters, *extents, *taps))
    whole = [(extent - 1) * s + (tap - 1) * d + 1 for extent, s, tap, d in zip(extents, strides, taps, dilations, strict=True)]
    found = ops.overlap_add(found, axes=tuple(range(2, 2 + space)), extents=tuple(whole), strides=strides, dilations=dilations)
    wanted = output_shape[-space:] if output_shape else None
    for axis in range(space):
        low, high = _cut_of(auto_pad, axis, space, pads, wanted, whole[axis], extents[axis] * strides[axis], more[axis])
        found = around(call, found, 2 + axis, (-low, more[axis] - high), "constant", constant(0.0, x.dtype))
    return found if b is None else found + ops.reshape(b, shape=(1, b.type.size, *(1,) * space))


def _cut_of(how: str, axis: int, space: int, pads: Any, wanted: Any, whole: int, same: int, more: int) -> tuple[int, int]:
    """How much is cut off before and behind an axis."""
    if wanted is None and how in {"NOTSET", "VALID"}:
        return (pads[axis], pads[axis + space]) if pads and how == "NOTSET" else (0, 0)
    total = whole + more - (same if wanted is None else wanted[axis])
    return (total // 2, total - total // 2) if how == "SAME_UPPER" else (total - total // 2, total // 2)


@operator("Col2Im")
def from_columns(
    call: Call, x: Node, image: Node, block: Node, *, dilations: Any = None, pads: Any = None, strides: Any = None
) -> Node:
    """Columns of windows put back into pictures; where they overlap they add up."""
    extents, taps = call.whole(image, "image_shape"), call.whole(block, "block_shape")
    space, n = len(taps), x.shape[0]
    strides, dilations, pads = (
        tuple(given or (usual,) * count)
        for given, usual, count in ((strides, 1, space), (dilations, 1, space), (pads, 0, 2 * space))
    )
    whole = [extent + pads[axis] + pads[axis + space] for axis, extent in enumerate(extents)]
    places = [(size - (tap - 1) * d - 1) // s + 1 for size, tap, d, s in zip(whole, taps, dilations, strides, strict=True)]
    apart = ops.reshape(x, shape=(n, x.shape[1] // prod(taps), *taps, *places))
    ordered = ops.transpose(apart, axes=(0, 1, *range(2 + space, 2 + 2 * space), *range(2, 2 + space)))
    found = ops.overlap_add(
        ordered, axes=tuple(range(2, 2 + space)), extents=tuple(whole), strides=strides, dilations=dilations
    )
    for axis in range(space):
        found = cut(found, 2 + axis, pads[axis], whole[axis] - pads[axis + space])
    return found


@operator("ConvInteger")
def whole_convolution(call: Call, x: Node, w: Node, x_zero: Node | None = None, w_zero: Node | None = None, **how: Any) -> Node:
    """The convolution of whole numbers, each less its zero, as int32."""
    left, right = (ops.cast(node, dtype="float64") for node in (x, w))
    left = left - ops.cast(x_zero, dtype="float64") if x_zero is not None else left
    if w_zero is not None:
        zero = ops.cast(w_zero, dtype="float64")
        right = right - (
            ops.reshape(zero, shape=(zero.type.size, *(1 for _ in w.shape[1:])))
            if zero.type.size > 1
            else ops.reshape(zero, shape=())
        )
    return ops.cast(weighed(call, left, right, **how), dtype="int32")


@operator("QLinearConv")
def quantised_convolution(
    call: Call, x: Node, x_scale: Node, x_zero: Node, w: Node, w_scale: Node, w_zero: Node, y_scale: Node, y_zero: Node,
    b: Node | None = None, **how: Any,
) -> Node:  # fmt: skip
    """The convolution of quantised numbers, quantised."""
    left, right = dequantised_by(call, x, x_scale, x_zero), dequantised_by(call, w, w_scale, w_zero, axis=0)
    scaled = None if b is None else ops.cast(b, dtype=x_scale.dtype) * ops.reshape(x_scale, shape=()) * w_scale
    return quantised_to(call, call.kind(7, y_zero), weighed(call, left, right, scaled, **how), y_scale, y_zero)


# ---- pools


@operator("MaxPool")
def largest(
    call: Call, x: Node, *, kernel_shape: Any, strides: Any = None, dilations: Any = None, pads: Any = None, auto_pad: str = "NOTSET",
    ceil_mode: int = 0, storage_order: int = 0,
) -> Any:  # fmt: skip
    """The largest number of each window, and where it stands in x."""
    windows = frame(call, x, kernel_shape, strides, dilations, pads, auto_pad, ceil_mode)
    lowest = -np.inf if x.type.is_float else int(np.iinfo(x.dtype).min)
    wide = windows.around_last(call, last(x), lowest)
    found = first(reduced_windows(wide, windows.taps, windows.strides, windows.dilations, ops.max))
    if call.outputs < 2:
        return found
    return found, _where(call, x, windows, windows.seen(windows.wide(call, x, lowest)), storage_order)


def _where(call: Call, x: Node, windows: Frame, seen: Node, storage_order: int) -> Node:
    """The places of the largest numbers in x, read in order, or by columns."""
    space, extents = len(windows.taps), x.shape[2:]
    places, count = seen.shape[2 : 2 + space], prod(windows.taps)
    small(call, (*places, count))
    chosen = ops.argmax(ops.reshape(seen, shape=(*seen.shape[: 2 + space], count)), axis=2 + space)
    inside = np.zeros((*places, *windows.taps), dtype=np.int64)
    factors = np.cumprod((1, *(extents[:-1] if storage_order else extents[:0:-1])))
    factors = factors if storage_order else factors[::-1]
    for axis, (n, tap, s, d, (low, _)) in enumerate(
        zip(places, windows.taps, windows.strides, windows.dilations, windows.pads, strict=True)
    ):
        spots = np.arange(n)[:, None] * s + np.arange(tap) * d - low
        shape = [1] * 2 * space
        shape[axis], shape[space + axis] = n, tap
        inside += spots.reshape(shape) * factors[axis]
    table = constant(inside.reshape(prod(places) * count))
    row = np.arange(prod(places), dtype=np.int64).reshape(places) * count
    local = ops.gather(table, chosen + ops.broadcast_to(constant(row), shape=chosen.shape), axis=0)
    first = np.arange(prod(x.shape[:2]), dtype=np.int64).reshape((*x.shape[:2], *(1 for _ in places))) * prod(extents)
    return local + ops.broadcast_to(constant(first), shape=local.shape)


@operator("MaxUnpool")
def unpooled(
    call: Call, x: Node, places: Node, shape: Node | None = None, *, kernel_shape: Any, pads: Any = None, strides: Any = None
) -> Node:
    """Numbers put back where a pool found them, zeros elsewhere."""
    space = len(kernel_shape)
    strides, pads = tuple(strides or (1,) * space), tuple(pads or (0,) * 2 * space)
    usual = [
        (n - 1) * s + tap - pads[axis] - pads[axis + space]
        for axis, (n, s, tap) in enumerate(zip(x.shape[2:], strides, kernel_shape, strict=True))
    ]
    wanted = call.whole(shape, "output_shape") if shape is not None else (*x.shape[:2], *usual)
    if shape is not None and tuple(wanted[2:]) != tuple(usual):
        # Places count in the picture as it is without what a larger one adds.
        small = _put(x, places, (*x.shape[:2], *usual))
        for axis in range(space):
            small = around(call, small, 2 + axis, (0, wanted[2 + axis] - usual[axis]), "constant", constant(0.0, x.dtype))
        return small
    return _put(x, places, tuple(wanted))


def _put(x: Node, places: Node, shape: Shape) -> Node:
    nothing = ops.broadcast_to(constant(0.0, x.dtype), shape=(prod(shape),))
    size = x.type.size
    return ops.reshape(
        ops.scatter_add(nothing, ops.reshape(places, shape=(size,)), ops.reshape(x, shape=(size,)), axis=0), shape=shape
    )


@operator("AveragePool")
def mean_of_windows(
    call: Call, x: Node, *, kernel_shape: Any, strides: Any = None, dilations: Any = None, pads: Any = None, auto_pad: str = "NOTSET",
    ceil_mode: int = 0, count_include_pad: int = 0,
) -> Node:  # fmt: skip
    """The mean of each window; what stands around x counts only with count_include_pad."""
    windows = frame(call, x, kernel_shape, strides, dilations, pads, auto_pad, ceil_mode)
    wide = windows.around_last(call, last(x), 0.0)
    mean = reduced_windows(wide, windows.taps, windows.strides, windows.dilations, ops.mean)
    counts = _counts(call, x.shape[2:], windows, mean.shape[1:-1], bool(count_include_pad))
    whole = prod(windows.taps)
    return first(mean if np.all(counts == whole) else mean * constant(whole / counts, x.dtype))


def _counts(call: Call, extents: Shape, windows: Frame, places: Shape, with_pads: bool) -> Array:
    """How many entries of each window count, (1, positions..., 1)."""
    small(call, places)
    found = np.ones((1, *places, 1))
    for axis, (n, count, tap, s, d, (low, high)) in enumerate(
        zip(extents, places, windows.taps, windows.strides, windows.dilations, windows.pads, strict=True)
    ):
        small(call, (count, tap))
        spots = np.arange(count)[:, None] * s + np.arange(tap) * d - low
        inside = (spots < n + high) if with_pads else (spots >= 0) & (spots < n)
        found = found * np.sum(inside, axis=1).reshape([-1 if place == axis + 1 else 1 for place in range(2 + len(places))])
    return found


@operator("LpPool")
def norm_of_windows(
    call: Call, x: Node, *, kernel_shape: Any, strides: Any = None, dilations: Any = None, pads: Any = None, auto_pad: str = "NOTSET",
    ceil_mode: int = 0, p: float = 2,
) -> Node:  # fmt: skip
    """The p-norm of each window."""
    windows = frame(call, x, kernel_shape, strides, dilations, pads, auto_pad, ceil_mode)
    seen, space = windows.seen(windows.wide(call, x, 0.0)), len(windows.taps)
    return _norm(seen, tuple(range(2 + space, 2 + 2 * space)), p)


def _norm(x: Node, axes: Shape, p: float, *, keepdims: bool = False) -> Node:
    if p == 1:
        return ops.sum(ops.absolute(x), axes, keepdims=keepdims)
    if p == 2:
        return ops.sqrt(ops.sum(x * x, axes, keepdims=keepdims))
    return ops.power(ops.sum(ops.power(ops.absolute(x), float(p)), axes, keepdims=keepdims), 1.0 / p)


@operator("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool")
def of_all(call: Call, x: Node, *, p: float = 2) -> Node:
    """One number to each channel."""
    axes = tuple(range(2, x.type.ndim))
    if call.node.op_type == "GlobalLpPool":
        return _norm(x, axes, p, keepdims=True)
    return (ops.mean if call.node.op_type == "GlobalAveragePool" else ops.max)(x, axes, keepdims=True)
