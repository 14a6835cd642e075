"""Views: where the entries of a reshaped, transposed, broadcast, cut, flipped or windowed array stand in the memory of another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import prod
from typing import cast

from chainrule.engines.native.kernels import Buffer
from chainrule.graph import Node, Shape
from chainrule.immutable import immutable


@immutable
class Access:
    """Where a node's entries stand in a buffer: the first, and how far apart along each axis."""

    buffer: Buffer
    start: int
    strides: Shape


def contiguous(shape: Shape) -> Shape:
    """The strides of entries in order, the last axis fastest."""
    return tuple([prod(shape[axis + 1 :]) for axis in range(len(shape))])


def view_access(node: Node, source: Access) -> Access | None:
    """The access of a view from its input's."""
    shape, strides = node.inputs[0].shape, source.strides
    attributes = cast("Mapping[str, Shape]", node.attributes)
    match node.op.name:
        case "transpose":
            return replace(source, strides=tuple(strides[axis] for axis in attributes["axes"]))
        case "broadcast_to":
            lead = len(node.shape) - len(shape)
            kept = tuple(0 if old == 1 else stride for old, stride in zip(shape, strides, strict=True))
            return replace(source, strides=(*(0,) * lead, *kept))
        case "slice_axes":
            start = sum(s * stride for s, stride in zip(attributes["starts"], strides, strict=True))
            steps = tuple(step * stride for step, stride in zip(attributes["steps"], strides, strict=True))
            return Access(source.buffer, source.start + start, steps)
        case "flip":
            flipped = attributes["axes"]
            start = sum((shape[axis] - 1) * strides[axis] for axis in flipped)
            turned = tuple(-stride if axis in flipped else stride for axis, stride in enumerate(strides))
            return Access(source.buffer, source.start + start, turned)
        case "stop_gradient":
            return source
        case "windows":
            steps = zip(attributes["axes"], attributes["strides"], attributes["dilations"], strict=True)
            apart = {axis: (stride * strides[axis], dilation * strides[axis]) for axis, stride, dilation in steps}
            end = attributes["axes"][-1] + 1
            positions = [apart[axis][0] if axis in apart else stride for axis, stride in enumerate(strides)]
            taps = [apart[axis][1] for axis in attributes["axes"]]
            return replace(source, strides=(*positions[:end], *taps, *positions[end:]))
        case _:
            found = reshaped_strides(shape, strides, node.shape)
            return None if found is None else replace(source, strides=found)


def joined(shape: Shape, strides: Shape) -> tuple[Shape, Shape]:
    """The fewest axes, extents and strides, that run through the same entries in the same order.

    >>> joined((4, 1, 5, 16), (3200, 7, 16, 1))
    ((4, 80), (3200, 1))
    """
    extents: list[int] = []
    steps: list[int] = []
    for extent, stride in zip(shape, strides, strict=True):
        if extents and steps[-1] == stride * extent:
            extents[-1], steps[-1] = extents[-1] * extent, stride
        elif extent != 1:
            extents.append(extent)
            steps.append(stride)
    return tuple(extents), tuple(steps)


def reshaped_strides(shape: Shape, strides: Shape, new: Shape) -> Shape | None:
    """The strides of the same entries in another shape, if there are such.

    >>> reshaped_strides((4, 6), (6, 1), (2, 2, 6))
    (12, 6, 1)
    >>> reshaped_strides((4, 6), (1, 4), (24,)) is None
    True
    """
    if 0 in shape:
        return contiguous(new)
    old = [(extent, stride) for extent, stride in zip(shape, strides, strict=True) if extent != 1]
    result = [0] * len(new)
    at, left = len(old) - 1, 1
    step = 0
    for axis in range(len(new) - 1, -1, -1):
        extent = new[axis]
        if extent == 1:
            continue
        if left == 1:
            if at < 0:
                return None
            # Old axes that lie one behind the other in memory are one long axis.
            left, step = old[at]
            at -= 1
            while at >= 0 and old[at][1] == step * left:
                left *= old[at][0]
                at -= 1
        if left % extent:
            return None
        result[axis] = step
        step *= extent
        left //= extent
    return tuple(result)
