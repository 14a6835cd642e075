"""Layers that move, mirror, turn and brighten pictures at random in training, each picture by itself; at inference they do nothing."""

from __future__ import annotations

import math
from functools import reduce
from operator import add
from typing import ClassVar, Literal

import numpy as np

from chainrule import ops
from chainrule.checks import Count, NonNegative
from chainrule.descriptions import described
from chainrule.display import Shown
from chainrule.graph import Node, constant
from chainrule.nn.build import LayerScope, layer_scope
from chainrule.nn.checks import LayerName
from chainrule.nn.word import Word


@described
class RandomShift(Shown):
    """In training moves each picture by whole pixels, −pixels ... pixels down and as many to the right, each equally likely.

    What comes in at the edge is 0, in the units of the network: black, for bytes. The numbers are a function of seed, step and the
    layer's name, the same on every engine. At inference nothing is done. Shapes: x (batch, height, width, channels), result as x.

    >>> RandomShift(2)
    RandomShift(2)
    """

    pixels: Count
    name: LayerName = ""

    in_text: ClassVar[Word] = Word("shift2", ("pixels",))

    def __call__(self, x: Node) -> Node:
        """The moved batch when built for training, x itself otherwise."""
        with layer_scope(self, "shift", x) as here:
            height, width, _ = _extents(here, x)
            if not here.build.training:
                return here.gives(x)
            most = 2 * self.pixels + 1
            # u·most lies below most: u is at most 1 − 2⁻³³.
            drawn = ops.floor(ops.uniform(here.key(), (2, x.shape[0], 1, 1), 0.0, float(most)))
            down, right = (drawn[axis] - float(self.pixels) for axis in (0, 1))
            rows = _axis(height, 1) - here.label(down, "down")
            columns = _axis(width, 2) - here.label(right, "right")
            edge = self.pixels
            return here.gives(here.label(_taken(x, rows, columns, (edge, edge)), "a"))


@described
class RandomFlip(Shown):
    """In training mirrors each picture with probability ½, left and right ("horizontal"), up and down ("vertical"), or each of "both".

    Shapes: x (batch, height, width, channels), result as x. At inference nothing is done.

    >>> RandomFlip()
    RandomFlip()
    """

    direction: Literal["horizontal", "vertical", "both"] = "horizontal"
    name: LayerName = ""

    in_text: ClassVar[Word] = Word("flip")

    def __call__(self, x: Node) -> Node:
        """The batch, some of it mirrored, when built for training, x itself otherwise."""
        with layer_scope(self, "flip", x) as here:
            _extents(here, x)
            if not here.build.training:
                return here.gives(x)
            axes = {"horizontal": (2,), "vertical": (1,), "both": (1, 2)}[self.direction]
            bits = ops.random_bits(here.key(), shape=(len(axes), x.shape[0], 1, 1, 1))
            for place, axis in enumerate(axes):
                mirrored = ops.broadcast_to(ops.greater_equal(bits[place], 2**31), shape=x.shape)
                x = ops.where(mirrored, ops.flip(x, axes=(axis,)), x)
            return here.gives(here.label(x, "a"))


@described
class RandomRotation(Shown):
    """In training turns each picture about its middle by an angle between −degrees and degrees, to the left where it is positive.

    A pixel is what lies where it came from, between the four pixels there by bilinear interpolation; outside the picture is 0.
    Shapes: x (batch, height, width, channels), result as x. At inference nothing is done.

    >>> RandomRotation(15.0)
    RandomRotation(15.0)
    """

    degrees: NonNegative
    name: LayerName = ""

    in_text: ClassVar[Word] = Word("rotation(15)", ("degrees",))

    def __call__(self, x: Node) -> Node:
        """The turned batch when built for training, x itself otherwise."""
        with layer_scope(self, "rotation", x) as here:
            height, width, _ = _extents(here, x)
            if not here.build.training or self.degrees == 0:
                return here.gives(x)
            most = math.radians(self.degrees)
            angle = here.label(ops.uniform(here.key(), (x.shape[0], 1, 1), -most, most), "angle")
            down, right = _axis(height, 1) - (height - 1) / 2, _axis(width, 2) - (width - 1) / 2
            sine, cosine = ops.sin(angle), ops.cos(angle)
            rows = down * cosine + right * sine + (height - 1) / 2
            columns = right * cosine - down * sine + (width - 1) / 2
            return here.gives(here.label(_between(x, rows, columns), "a"))


@described
class RandomBrightness(Shown):
    """In training adds one number to all pixels of a picture, uniform between −amount and amount, in the units of the network's input.

    Shapes: x (batch, height, width, channels), result as x. At inference nothing is done. Bytes are divided by 255 before, so that an
    amount of 0.1 is a tenth of the whole range.

    >>> RandomBrightness(0.1)
    RandomBrightness(0.1)
    """

    amount: NonNegative
    name: LayerName = ""

    in_text: ClassVar[Word] = Word("brightness(0.1)", ("amount",))

    def __call__(self, x: Node) -> Node:
        """The brighter and darker batch when built for training, x itself otherwise."""
        with layer_scope(self, "brightness", x) as here:
            _extents(here, x)
            if not here.build.training or self.amount == 0:
                return here.gives(x)
            added = ops.uniform(here.key(), (x.shape[0], 1, 1, 1), -self.amount, self.amount)
            return here.gives(here.label(x + ops.cast(added, dtype=x.dtype), "a"))


def _extents(here: LayerScope, x: Node) -> tuple[int, int, int]:
    here.require(
        x.type.ndim == 4,
        expected="pictures (batch, height, width, channels)",
        remedy="put Reshape((height, width, channels)) before it",
    )
    return x.shape[1], x.shape[2], x.shape[3]


def _axis(extent: int, axis: int) -> Node:
    """The places along an axis of a picture, shaped to stand beside (batch, height, width)."""
    shape = [1, 1, 1]
    shape[axis] = extent
    return constant(np.arange(extent, dtype=np.float64).reshape(shape))


def _taken(x: Node, rows: Node, columns: Node, edge: tuple[int, int]) -> Node:
    """The pixels at these rows (batch, height, 1) and columns, whole numbers that reach beyond the picture by `edge` at most."""
    batch, height, width, channels = x.shape
    low, high = edge
    wide = ops.pad(x, low=(0, low, low, 0), high=(0, high, high, 0), interior=(0, 0, 0, 0))
    tall, broad = height + low + high, width + low + high
    first = constant(np.arange(batch, dtype=np.float64).reshape(-1, 1, 1) * (tall * broad))
    places = first + (rows + float(low)) * float(broad) + (columns + float(low))
    return ops.gather(ops.reshape(wide, shape=(batch * tall * broad, channels)), ops.cast(places, dtype="int64"), axis=0)


def _between(x: Node, rows: Node, columns: Node) -> Node:
    """The pixels at places between pixels, both (batch, height, width), by bilinear interpolation; 0 outside."""
    _, height, width, _ = x.shape
    rows, columns = (
        ops.minimum(ops.maximum(place, -1.0), float(extent)) for place, extent in ((rows, height), (columns, width))
    )
    top, left = ops.floor(rows), ops.floor(columns)
    parts: list[Node] = []
    for below in (0.0, 1.0):
        for beside in (0.0, 1.0):
            down, right = rows - top, columns - left
            weight = (down if below else 1.0 - down) * (right if beside else 1.0 - right)
            # One more at the far edge: a place there is between it and the next.
            share = ops.cast(ops.reshape(weight, shape=(*weight.shape, 1)), dtype=x.dtype)
            parts.append(_taken(x, top + below, left + beside, (1, 2)) * share)
    return reduce(add, parts)
