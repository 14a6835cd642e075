"""Operators that move numbers about, and those that speak of shapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from chainrule import ops
from chainrule.graph import Node, Shape, constant
from chainrule.graph.node import normal_axis
from chainrule.interop.onnx_models.call import Call, array_of, dtype_of, operator, whole_numbers
from chainrule.interop.onnx_models.operators.reductions import dropped
from chainrule.interop.onnx_models.operators.whole import full

MOST = 2**26
"""How many numbers a constant may have that a shape asks for."""


def small(call: Call, shape: Sequence[int]) -> Shape:
    """A shape that an input asked for, if an array of it finds room."""
    if any(extent < 0 for extent in shape) or prod(shape) > MOST:
        raise call.wrong(f"a shape {tuple(shape)}", f"extents of 0 or more, and at most {MOST} numbers")
    return tuple(shape)


@operator("Shape")
def shape_of(call: Call, x: Node, *, start: int = 0, end: int | None = None) -> Node:
    """The extents of x, or some of them, as int64."""
    return whole_numbers(x.shape[slice(start, end)])


@operator("Size")
def size_of(call: Call, x: Node) -> Node:
    """How many numbers x has."""
    return constant(x.type.size, "int64")


@operator("Reshape")
def reshaped(
    call: Call, x: Node, given: Node | None = None, *, shape: Any = None, allowzero: int = 0, consumed_inputs: Any = None
) -> Node:
    """The same numbers in another shape: 0 keeps an extent, −1 is found."""
    wanted = list(call.whole(given, "shape") if given is not None else shape or ())
    if not allowzero:
        if any(extent == 0 and place >= x.type.ndim for place, extent in enumerate(wanted)):
            raise call.wrong(f"the shape {tuple(wanted)} for {x.type!r}", "0 only where x has an axis")
        wanted = [x.shape[place] if extent == 0 else extent for place, extent in enumerate(wanted)]
    return ops.reshape(x, shape=found_extent(call, x.type.size, wanted))


def found_extent(call: Call, size: int, wanted: Sequence[int]) -> Shape:
    """The shape with the extent −1 as the number of entries tells it."""
    known = prod(extent for extent in wanted if extent != -1)
    if list(wanted).count(-1) > 1 or (-1 in wanted and (not known or size % known)):
        raise call.wrong(f"the shape {tuple(wanted)} for {size} numbers", "at most one extent −1, that can be found")
    return tuple(size // known if extent == -1 else extent for extent in wanted)


@operator("Flatten")
def flattened(call: Call, x: Node, *, axis: int = 1) -> Node:
    """A matrix: the axes before `axis` as rows, the rest as columns."""
    place = axis if axis == x.type.ndim else normal_axis(call.label, axis, x.type.ndim)
    return ops.reshape(x, shape=(prod(x.shape[:place]), prod(x.shape[place:])))


@operator("Transpose")
def transposed(call: Call, x: Node, *, perm: Any = None) -> Node:
    """The axes in another order."""
    return ordered(x, tuple(perm) if perm is not None else tuple(reversed(range(x.type.ndim))))


def ordered(x: Node, axes: Shape) -> Node:
    """The axes in another order, as one transposition of what x is one of; x itself, where it is the order that they have."""
    if x.op is ops.transpose and len(axes) == x.type.ndim and sorted(axes) == list(range(len(axes))):
        x, axes = x.inputs[0], tuple(x.attributes["axes"][axis] for axis in axes)
    return x if axes == tuple(range(x.type.ndim)) else ops.transpose(x, axes=axes)


@operator("Squeeze")
def squeezed(call: Call, x: Node, given: Node | None = None, *, axes: Any = None) -> Node:
    """x without axes of extent 1."""
    named = call.whole(given, "axes") if given is not None else axes
    places = (
        [place for place, extent in enumerate(x.shape) if extent == 1]
        if named is None
        else [normal_axis(call.label, axis, x.type.ndim) for axis in named]
    )
    if any(x.shape[place] != 1 for place in places):
        raise call.wrong(f"axes {tuple(places)} of {x.type!r}", "axes of extent 1")
    return dropped(x, tuple(places))


@operator("Unsqueeze")
def unsqueezed(call: Call, x: Node, given: Node | None = None, *, axes: Any = None) -> Node:
    """x with further axes of extent 1."""
    named = call.whole(given, "axes") if given is not None else axes
    if named is None:
        raise call.wrong("no axes", "axes")
    ndim = x.type.ndim + len(named)
    places, rest = {normal_axis(call.label, axis, ndim) for axis in named}, iter(x.shape)
    if len(places) != len(named):
        raise call.wrong(f"axes {named}, one of them twice", "each axis once")
    return ops.reshape(x, shape=tuple(1 if place in places else next(rest) for place in range(ndim)))


@operator("Expand")
def expanded(call: Call, x: Node, shape: Node) -> Node:
    """x, stretched to a shape, or to the shape that both are stretched to."""
    wanted = small(call, np.broadcast_shapes(x.shape, small(call, call.whole(shape, "shape"))))
    return x if x.shape == wanted else ops.broadcast_to(x, shape=wanted)


@operator("Tile")
def tiled(call: Call, x: Node, repeats: Node, axis: Node | None = None) -> Node:
    """x, repeated along its axes."""
    counts = list(call.whole(repeats, "repeats"))
    if axis is not None:
        place, count = int(call.number(axis, "axis")), counts[0]
        counts = [count if other == place else 1 for other in range(x.type.ndim)]
    if len(counts) != x.type.ndim:
        raise call.wrong(f"{len(counts)} repeats for {x.type!r}", "one to an axis")
    wide = small(call, [part for count, extent in zip(counts, x.shape, strict=True) for part in (count, extent)])
    thin = tuple(part for extent in x.shape for part in (1, extent))
    copies = ops.broadcast_to(ops.reshape(x, shape=thin), shape=wide)
    return ops.reshape(copies, shape=tuple(count * extent for count, extent in zip(counts, x.shape, strict=True)))


@operator("Concat")
def joined(call: Call, *parts: Node, axis: int = 1) -> Node:
    """Arrays one behind the other."""
    return ops.concatenate(*parts, axis=normal_axis(call.label, axis, parts[0].type.ndim)) if len(parts) != 1 else parts[0]


@operator("Split")
def split(
    call: Call, x: Node, given: Node | None = None, *, axis: int = 0, split: Any = None, num_outputs: int | None = None
) -> Any:
    """x in pieces along an axis."""
    place = normal_axis(call.label, axis, x.type.ndim)
    sizes = call.whole(given, "split") if given is not None else split
    if sizes is None:
        count = num_outputs or len(call.node.output)
        each = -(-x.shape[place] // count)
        sizes = [each] * (count - 1) + [x.shape[place] - each * (count - 1)]
    return tuple(pieces(call, x, place, sizes))


def pieces(call: Call, x: Node, axis: int, sizes: Sequence[int]) -> list[Node]:
    """x in pieces of these sizes."""
    if sum(sizes) != x.shape[axis] or any(size < 0 for size in sizes):
        raise call.wrong(f"pieces of {tuple(sizes)} on axis {axis} of {x.type!r}", "pieces that add up to the axis")
    ends = np.cumsum(sizes).tolist()
    return [cut(x, axis, end - size, end) for size, end in zip(sizes, ends, strict=True)]


def cut(x: Node, axis: int, start: int, stop: int, step: int = 1) -> Node:
    """Entries of one axis, by places that count from 0."""
    starts, stops, steps = [0] * x.type.ndim, list(x.shape), [1] * x.type.ndim
    starts[axis], stops[axis], steps[axis] = start, max(start, stop), step
    if (start, stop, step) == (0, x.shape[axis], 1):
        return x
    return ops.slice_axes(x, starts=tuple(starts), stops=tuple(stops), steps=tuple(steps))


@operator("Slice")
def sliced(
    call: Call, x: Node, start: Node | None = None, end: Node | None = None, axis: Node | None = None, step: Node | None = None,
    *, starts: Any = None, ends: Any = None, axes: Any = None,
) -> Node:  # fmt: skip
    """Entries of some axes, from starts to ends by steps, as in Python."""
    starts = call.whole(start, "starts") if start is not None else starts
    ends = call.whole(end, "ends") if end is not None else ends
    if starts is None or ends is None or len(starts) != len(ends):
        raise call.wrong(f"starts {starts} and ends {ends}", "one of each to an axis")
    named = call.whole(axis, "axes") if axis is not None else axes if axes is not None else range(len(starts))
    steps = call.whole(step, "steps") if step is not None else [1] * len(starts)
    if not len(named) == len(starts) == len(steps) or 0 in steps:
        raise call.wrong(f"axes {tuple(named)} and steps {tuple(steps)}", "one of each to an axis, and steps other than 0")
    for place, low, high, stride in zip(named, starts, ends, steps, strict=True):
        x = _sliced(x, normal_axis(call.label, place, x.type.ndim), slice(low, high, stride))
    return x


def _sliced(x: Node, axis: int, span: slice) -> Node:
    places = range(x.shape[axis])[span]
    if not len(places):
        return cut(x, axis, 0, 0)
    if places.step > 0:
        return cut(x, axis, places.start, places[-1] + 1, places.step)
    return (
        ops.flip(cut(x, axis, places[-1], places.start + 1, -places.step), axes=(axis,))
        if len(places) > 1
        else cut(x, axis, places[0], places[0] + 1)
    )


@operator("Pad")
def padded(
    call: Call, x: Node, given: Node | None = None, value: Node | None = None, axis: Node | None = None,
    *, pads: Any = None, paddings: Any = None, mode: str = "constant", **other: float,
) -> Node:  # fmt: skip
    """x with more around it: a number, its edge, its mirrored inside, or its opposite side; less, where amounts are below 0."""
    amounts = call.whole(given, "pads") if given is not None else pads if pads is not None else paddings
    if amounts is None or other.keys() - {"value"}:
        raise call.wrong(f"pads {amounts} and {sorted(other)}", "pads, mode and value")
    named = (
        [normal_axis(call.label, place, x.type.ndim) for place in call.whole(axis, "axes")]
        if axis is not None
        else list(range(x.type.ndim))
    )
    if len(amounts) != 2 * len(named):
        raise call.wrong(f"{len(amounts)} pads for {len(named)} axes", "two to an axis")
    filler = value if value is not None else constant(other.get("value", 0.0) if x.type.is_float else 0, x.dtype)
    pairs = {place: (amounts[number], amounts[number + len(named)]) for number, place in enumerate(named)}
    return surrounded(call, x, pairs, mode, filler)


def surrounded(call: Call, x: Node, pairs: Mapping[int, tuple[int, int]], mode: str, filler: Node) -> Node:
    """x with so many entries before and behind those of some axes."""
    zero = mode == "constant" and call.source.is_known(filler) and not call.source.known(filler, call.label).any()
    if not zero or min(min(pair) for pair in pairs.values()) < 0:
        for axis, pair in pairs.items():
            x = around(call, x, axis, pair, mode, filler)
        return x
    low, high = (tuple(pairs.get(axis, (0, 0))[side] for axis in range(x.type.ndim)) for side in (0, 1))
    small(call, [a + extent + b for a, extent, b in zip(low, x.shape, high, strict=True)])
    return ops.pad(x, low=low, high=high, interior=(0,) * x.type.ndim) if any((*low, *high)) else x


def around(call: Call, x: Node, axis: int, amounts: tuple[int, int], mode: str, filler: Node) -> Node:
    """x with so many entries before and behind those of an axis."""
    low, high = amounts
    if low < 0 or high < 0:
        x = cut(x, axis, max(-low, 0), x.shape[axis] + min(high, 0))
        low, high = max(low, 0), max(high, 0)
    if not (low or high):
        return x
    small(call, [extent + (low + high) * (place == axis) for place, extent in enumerate(x.shape)])
    if mode == "constant":
        parts = [_filled(x, axis, low, filler), x, _filled(x, axis, high, filler)]
        return ops.concatenate(*(part for part in parts if part.shape[axis]), axis=axis)
    modes = {"edge": "edge", "reflect": "reflect", "wrap": "wrap"}
    if mode not in modes:
        raise call.unsupported(f"mode {mode!r}")
    places = np.pad(np.arange(x.shape[axis]), (low, high), mode=modes[mode])  # pyright: ignore[reportArgumentType, reportCallIssue]
    return ops.gather(x, constant(places), axis=axis)


def _filled(x: Node, axis: int, count: int, filler: Node) -> Node:
    shape = tuple(count if place == axis else extent for place, extent in enumerate(x.shape))
    return ops.broadcast_to(ops.reshape(filler, shape=()), shape=shape)


@operator("ConstantOfShape")
def constant_of_shape(call: Call, shape: Node, *, value: Any = None) -> Node:
    """One number everywhere; 0 in float32 where none is named."""
    number = array_of(value, call.label).reshape(-1)[:1].reshape(()) if value is not None else np.zeros((), np.float32)
    wanted = small(call, call.whole(shape, "shape"))
    return ops.broadcast_to(constant(number), shape=wanted) if wanted else constant(number)


@operator("Range")
def ranged(call: Call, start: Node, limit: Node, delta: Node) -> Node:
    """start, start + delta, ... before limit."""
    low, high, step = (call.number(node, word) for node, word in ((start, "start"), (limit, "limit"), (delta, "delta")))
    if not step or not np.isfinite([low, high, step]).all():
        raise call.wrong(f"from {low} to {high} by {step}", "finite numbers, and a step other than 0")
    count = max(int(np.ceil((high - low) / step)), 0)
    small(call, [count])
    places = constant(np.arange(count, dtype=np.int64))
    return ops.cast(places, dtype=start.dtype) * delta + start


@operator("EyeLike")
def eye_like(call: Call, x: Node, *, dtype: int = 0, k: int = 0) -> Node:
    """1 on a diagonal, 0 elsewhere, in the shape of x."""
    if x.type.ndim != 2:
        raise call.wrong(f"{x.type!r}", "a matrix")
    return constant(np.eye(*small(call, x.shape), k=k, dtype=dtype_of(dtype, call.label) if dtype else x.dtype))


@operator("Trilu")
def triangle(call: Call, x: Node, k: Node | None = None, *, upper: int = 1) -> Node:
    """What stands on one side of a diagonal of each matrix, 0 elsewhere."""
    offset = int(call.number(k, "k")) if k is not None else 0
    mask = np.tri(*small(call, x.shape[-2:]), k=offset - 1 if upper else offset, dtype=bool)
    keep = constant(~mask if upper else mask)
    if x.dtype == "bool":
        return ops.logical_and(x, keep)
    return ops.where(keep, x, full(0, x))


@operator("DepthToSpace", "SpaceToDepth")
def blocks(call: Call, x: Node, *, blocksize: int, mode: str = "DCR") -> Node:
    """Channels as blocks of a picture, or the other way."""
    n, c, h, w = x.shape
    b = blocksize
    if call.node.op_type == "SpaceToDepth":
        apart = ops.reshape(x, shape=(n, c, h // b, b, w // b, b))
        axes = (0, 3, 5, 1, 2, 4) if mode == "DCR" else (0, 1, 3, 5, 2, 4)
        return ops.reshape(ops.transpose(apart, axes=axes), shape=(n, c * b * b, h // b, w // b))
    if mode == "DCR":
        apart, axes = ops.reshape(x, shape=(n, b, b, c // (b * b), h, w)), (0, 3, 4, 1, 5, 2)
    else:
        apart, axes = ops.reshape(x, shape=(n, c // (b * b), b, b, h, w)), (0, 1, 4, 2, 5, 3)
    return ops.reshape(ops.transpose(apart, axes=axes), shape=(n, c // (b * b), h * b, w * b))
