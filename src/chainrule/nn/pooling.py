"""Layers that make pictures smaller or larger without weights: pooling, global pooling, upsampling; channels stand last."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import numpy as np

from chainrule import ops
from chainrule.checks import Sizes
from chainrule.descriptions import described
from chainrule.display import Shown
from chainrule.errors import ShapeError
from chainrule.graph import Array, Node, Shape, constant
from chainrule.immutable import immutable
from chainrule.nn.build import LayerScope, layer_scope
from chainrule.nn.checks import LayerName
from chainrule.nn.padding import Amounts, Padding, padded, same_amounts
from chainrule.nn.word import Word


@described
class MaxPool(Shown):
    """The largest number of each window of `size`, channel by channel; the gradient goes to it, in equal parts where several are.

    `size` and `stride` are one number for all axes of space, or one to each; without `stride` windows stand side by side.
    `padding`: with "valid" what is left at the end, where no window has room, is not looked at. With "same" there are ⌈size/stride⌉
    positions, and windows that stand over the edge see only what is inside; "periodic" and "reflect" continue x as in `Conv2D`.
    Shapes: x (batch, space..., channels), result (batch, positions..., channels).

    Source: D. Scherer, A. Müller, S. Behnke, ICANN (2010): Evaluation of pooling operations.

    >>> MaxPool(2)
    MaxPool(2)
    """

    size: Sizes
    stride: Sizes | None = None
    padding: Padding = "valid"
    name: LayerName = ""

    in_text: ClassVar[Word] = Word("pool2", ("size",), most=9)

    def __call__(self, x: Node) -> Node:
        """The largest of each window."""
        with layer_scope(self, "max_pool", x) as here:
            seen = _windows(here, self, x)
            # What is not inside must not be the largest; the lowest finite number leaves no infinity in the graph.
            wide = seen.outside_as(float(np.finfo(x.dtype).min)) if seen.over_the_edge else seen.wide
            return here.gives(here.label(seen.reduced(wide, ops.max), "a"))


@described
class AveragePool(Shown):
    """The mean of each window of `size`, channel by channel; shapes, `size`, `stride` and `padding` as in `MaxPool`.

    With `padding` "same" a window over the edge is divided by the number of entries that are inside: no zeros are averaged in.

    >>> AveragePool((1, 2))
    AveragePool((1, 2))
    """

    size: Sizes
    stride: Sizes | None = None
    padding: Padding = "valid"
    name: LayerName = ""

    in_text: ClassVar[Word] = Word("averagepool2", ("size",), most=9)

    def __call__(self, x: Node) -> Node:
        """The mean of each window."""
        with layer_scope(self, "average_pool", x) as here:
            seen = _windows(here, self, x)
            mean = seen.reduced(seen.wide, ops.mean)
            return here.gives(here.label(mean * seen.whole_over_inside if seen.over_the_edge else mean, "a"))


@described
class GlobalMaxPool(Shown):
    """The largest number of each channel, wherever it stands: (batch, space..., channels) becomes (batch, channels)."""

    name: LayerName = ""

    in_text: ClassVar[Word] = Word("globalpool")

    def __call__(self, x: Node) -> Node:
        """One number to each channel."""
        with layer_scope(self, "global_max_pool", x) as here:
            _require_space(here, x)
            return here.gives(here.label(ops.max(x, tuple(range(1, x.type.ndim - 1))), "a"))


@described
class GlobalAveragePool(Shown):
    """The mean of each channel over all of space: (batch, space..., channels) becomes (batch, channels).

    Source: M. Lin, Q. Chen, S. Yan, ICLR (2014): Network in network, section 3.2.
    """

    name: LayerName = ""

    in_text: ClassVar[Word] = Word("globalaveragepool")

    def __call__(self, x: Node) -> Node:
        """One number to each channel."""
        with layer_scope(self, "global_average_pool", x) as here:
            _require_space(here, x)
            return here.gives(here.label(ops.mean(x, tuple(range(1, x.type.ndim - 1))), "a"))


@described
class UpSample(Shown):
    """Each number repeated `factor` times along every axis of space: (batch, n, ..., channels) becomes (batch, n·factor, ..., channels).

    >>> UpSample(2)
    UpSample(2)
    """

    factor: Sizes
    name: LayerName = ""

    in_text: ClassVar[Word] = Word("up2", ("factor",), most=9)

    def __call__(self, x: Node) -> Node:
        """The larger picture."""
        with layer_scope(self, "up_sample", x) as here:
            _require_space(here, x)
            factors = _spread(here, x, self.factor)
            thin, wide = _paired(x.shape, [1] * len(factors)), _paired(x.shape, factors)
            copies = ops.broadcast_to(ops.reshape(x, shape=thin), shape=wide)
            whole = tuple(n * f for n, f in zip(x.shape[1:-1], factors, strict=True))
            return here.gives(here.label(ops.reshape(copies, shape=(x.shape[0], *whole, x.shape[-1])), "a"))


def _require_space(here: LayerScope, x: Node) -> None:
    here.require(
        x.type.ndim >= 3,
        expected="(batch, space..., channels), with one axis of space or more",
        remedy="put a Reshape before it, for example Reshape((28, 28, 1))",
    )


def _spread(here: LayerScope, x: Node, size: int | Shape) -> Shape:
    """One number to each axis of space."""
    space = x.type.ndim - 2
    found = (size,) * space if isinstance(size, int) else size
    if len(found) != space:
        raise ShapeError(
            f"layer {here.name} has {len(found)} sizes and was given {x.type!r}",
            expected=f"one number, or {space}",
            remedy="give one to each axis between batch and channels",
        )
    return found


def _paired(shape: Shape, sizes: Shape | list[int]) -> Shape:
    """(batch, n, size, n, size, ..., channels)."""
    return (shape[0], *(extent for pair in zip(shape[1:-1], sizes, strict=True) for extent in pair), shape[-1])


@immutable
class _Windows:
    """The windows of a pool: what they slide over, how much of it stands around what the layer was given, and their sizes."""

    wide: Node
    amounts: Amounts
    taps: Shape
    strides: Shape
    over_the_edge: bool

    @property
    def whole_over_inside(self) -> Node:
        """The entries of a window divided by those of them that the layer was given, (1, positions..., 1)."""
        shares = np.ones((1, *(1,) * len(self.taps), 1))
        for axis, (tap, stride) in enumerate(zip(self.taps, self.strides, strict=True), 1):
            low, high = self.amounts[axis - 1]
            end = self.wide.shape[axis] - high
            starts = np.arange(0, self.wide.shape[axis] - tap + 1, stride)
            counts = np.minimum(starts + tap, end) - np.maximum(starts, low)
            shares = shares * _across(tap / counts, axis, shares.ndim)
        return constant(shares.astype(self.wide.dtype))

    def outside_as(self, value: float) -> Node:
        """What the windows slide over, with this number around what the layer was given."""
        x = self.wide
        for axis, (low, high) in enumerate(self.amounts, 1):
            if low or high:
                place = np.arange(x.shape[axis])
                inside = (place >= low) & (place < x.shape[axis] - high)
                x = ops.where(constant(_across(inside, axis, x.type.ndim)), x, value)
        return x

    def reduced(self, x: Node, reduce: Callable[[Node, Shape], Node]) -> Node:
        """Each window of x as one number, channel by channel."""
        return reduced_windows(x, self.taps, self.strides, (1,) * len(self.taps), reduce)


def reduced_windows(x: Node, taps: Shape, strides: Shape, dilations: Shape, reduce: Callable[[Node, Shape], Node]) -> Node:
    """Each window of x (batch, space..., channels) as one number, channel by channel."""
    space = len(taps)
    if strides == taps and set(dilations) == {1}:
        # Side by side windows are a matter of counting: no entry stands in two, and nothing has to be added up.
        counts = tuple(extent // tap for extent, tap in zip(x.shape[1:-1], taps, strict=True))
        for axis, (count, tap) in enumerate(zip(counts, taps, strict=True), 1):
            x = x if x.shape[axis] == count * tap else ops.slice_axis(x, axis, 0, count * tap)
        apart = ops.reshape(x, shape=_paired((x.shape[0], *counts, x.shape[-1]), taps))
        return reduce(apart, tuple(range(2, 2 + 2 * space, 2)))
    seen = ops.windows(x, axes=tuple(range(1, 1 + space)), taps=taps, strides=strides, dilations=dilations)
    return reduce(seen, tuple(range(1 + space, 1 + 2 * space)))


def _across(numbers: Array, axis: int, ndim: int) -> Array:
    """A row of numbers along one of so many axes."""
    return numbers.reshape([-1 if i == axis else 1 for i in range(ndim)])


def _windows(here: LayerScope, layer: MaxPool | AveragePool, x: Node) -> _Windows:
    _require_space(here, x)
    taps = _spread(here, x, layer.size)
    strides = taps if layer.stride is None else _spread(here, x, layer.stride)
    if layer.padding != "valid":
        amounts = same_amounts(x.shape[1:-1], taps, strides)
        over = layer.padding == "same" and any(map(any, amounts))
        return _Windows(padded(x, amounts, layer.padding), amounts, taps, strides, over)
    if any(tap > extent for tap, extent in zip(taps, x.shape[1:-1], strict=True)):
        raise ShapeError(
            f"layer {here.name} has a window of {taps} and was given {x.type!r}",
            expected="a picture in which the window has room",
            remedy='choose a smaller size, or padding="same"',
        )
    return _Windows(x, [(0, 0)] * len(taps), taps, strides, over_the_edge=False)
