"""Layers that make pictures smaller or larger without weights: pooling, global pooling, upsampling; channels stand last."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chainrule import ops
from chainrule.errors import ShapeError
from chainrule.graph import Node, Shape
from chainrule.nn.build import Place, place
from chainrule.nn.checks import is_size, require_sizes, short_repr


@dataclass(frozen=True)
class MaxPool:
    """The largest number of each window of `size`, channel by channel; the gradient goes to it, in equal parts where several are.

    `size` and `stride` are one number for all axes of space, or one to each; without `stride` windows stand side by side. What
    is left at the end, where no window has room, is not looked at.
    Shapes: x (batch, space..., channels), result (batch, positions..., channels).

    Source: D. Scherer, A. Müller, S. Behnke, ICANN (2010): Evaluation of pooling operations.

    >>> MaxPool(2)
    MaxPool(2)
    """

    size: int | Shape
    stride: int | Shape | None = None
    name: str = ""

    def __post_init__(self) -> None:
        _require_sizes(self, "size", "stride")

    def __call__(self, x: Node) -> Node:
        """The largest of each window."""
        with place(self, "max_pool", x) as here:
            return here.gives(here.label(_pooled(here, x, self.size, self.stride, ops.max), "a"))

    def __repr__(self) -> str:
        return short_repr(self, 2)


@dataclass(frozen=True)
class AveragePool:
    """The mean of each window of `size`, channel by channel; shapes, `size` and `stride` as in `MaxPool`.

    >>> AveragePool((1, 2))
    AveragePool((1, 2))
    """

    size: int | Shape
    stride: int | Shape | None = None
    name: str = ""

    def __post_init__(self) -> None:
        _require_sizes(self, "size", "stride")

    def __call__(self, x: Node) -> Node:
        """The mean of each window."""
        with place(self, "average_pool", x) as here:
            return here.gives(here.label(_pooled(here, x, self.size, self.stride, ops.mean), "a"))

    def __repr__(self) -> str:
        return short_repr(self, 2)


@dataclass(frozen=True)
class GlobalMaxPool:
    """The largest number of each channel, wherever it stands: (batch, space..., channels) becomes (batch, channels)."""

    name: str = ""

    def __call__(self, x: Node) -> Node:
        """One number to each channel."""
        with place(self, "global_max_pool", x) as here:
            _require_space(here, x)
            return here.gives(here.label(ops.max(x, tuple(range(1, x.type.ndim - 1))), "a"))

    def __repr__(self) -> str:
        return short_repr(self, 0)


@dataclass(frozen=True)
class GlobalAveragePool:
    """The mean of each channel over all of space: (batch, space..., channels) becomes (batch, channels).

    Source: M. Lin, Q. Chen, S. Yan, ICLR (2014): Network in network, section 3.2.
    """

    name: str = ""

    def __call__(self, x: Node) -> Node:
        """One number to each channel."""
        with place(self, "global_average_pool", x) as here:
            _require_space(here, x)
            return here.gives(here.label(ops.mean(x, tuple(range(1, x.type.ndim - 1))), "a"))

    def __repr__(self) -> str:
        return short_repr(self, 0)


@dataclass(frozen=True)
class UpSample:
    """Each number repeated `factor` times along every axis of space: (batch, n, ..., channels) becomes (batch, n·factor, ..., channels).

    >>> UpSample(2)
    UpSample(2)
    """

    factor: int | Shape
    name: str = ""

    def __post_init__(self) -> None:
        _require_sizes(self, "factor")

    def __call__(self, x: Node) -> Node:
        """The larger picture."""
        with place(self, "up_sample", x) as here:
            _require_space(here, x)
            factors = _spread(here, x, self.factor)
            thin, wide = _paired(x.shape, [1] * len(factors)), _paired(x.shape, factors)
            copies = ops.broadcast_to(ops.reshape(x, shape=thin), shape=wide)
            whole = tuple(n * f for n, f in zip(x.shape[1:-1], factors, strict=True))
            return here.gives(here.label(ops.reshape(copies, shape=(x.shape[0], *whole, x.shape[-1])), "a"))

    def __repr__(self) -> str:
        return short_repr(self, 1)


def _require_sizes(layer: object, *names: str) -> None:
    for name in names:
        value: object = getattr(layer, name)
        if value is not None and not is_size(value):
            object.__setattr__(layer, name, require_sizes(name, value))


def _require_space(here: Place, x: Node) -> None:
    if x.type.ndim < 3:
        raise ShapeError(
            f"layer {here.name} was given {x.type!r}",
            expected="(batch, space..., channels), with one axis of space or more",
            remedy="put a Reshape before it, for example Reshape((28, 28, 1))",
        )


def _spread(here: Place, x: Node, size: int | Shape) -> Shape:
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


def _pooled(here: Place, x: Node, size: int | Shape, stride: int | Shape | None, reduce: Callable[[Node, Shape], Node]) -> Node:
    _require_space(here, x)
    taps, space = _spread(here, x, size), x.type.ndim - 2
    strides = taps if stride is None else _spread(here, x, stride)
    if any(tap > extent for tap, extent in zip(taps, x.shape[1:-1], strict=True)):
        raise ShapeError(
            f"layer {here.name} has a window of {taps} and was given {x.type!r}",
            expected="a picture in which the window has room",
            remedy="choose a smaller size",
        )
    if strides == taps:
        # Side by side windows are a matter of counting: no entry stands in two, and nothing has to be added up.
        counts = tuple(extent // tap for extent, tap in zip(x.shape[1:-1], taps, strict=True))
        for axis, (count, tap) in enumerate(zip(counts, taps, strict=True), 1):
            x = x if x.shape[axis] == count * tap else ops.slice_axis(x, axis, 0, count * tap)
        apart = ops.reshape(x, shape=_paired((x.shape[0], *counts, x.shape[-1]), taps))
        return reduce(apart, tuple(range(2, 2 + 2 * space, 2)))
    axes = tuple(range(1, 1 + space))
    seen = ops.windows(x, axes=axes, taps=taps, strides=strides, dilations=(1,) * space)
    return reduce(seen, tuple(range(1 + space, 1 + 2 * space)))
