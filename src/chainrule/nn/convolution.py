"""Convolution layers: each filter weighs a window of its input, the same weights at every position; channels stand last."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod
from typing import Protocol

from chainrule import ops
from chainrule.errors import OptionError, ShapeError
from chainrule.graph import Node, Shape
from chainrule.nn.build import Initialiser, Place, place
from chainrule.nn.checks import require_size, require_sizes, short_repr
from chainrule.nn.initialisers import Zeros, suited_to
from chainrule.nn.layers import activation_named
from chainrule.nn.padding import padded, require_padding, same_amounts


@dataclass(frozen=True)
class Conv1D:
    """a = f(x ∗ W + b): `filters` windows of `kernel` steps slide over a row of numbers or of vectors.

    Shapes: x (batch, length, channels), W (kernel, channels/groups, filters), b (filters,), result (batch, positions, filters).
    Everything else as in `Conv2D`.

    >>> Conv1D(8, 3, "relu", padding="periodic")
    Conv1D(8, 3, 'relu', padding='periodic')
    """

    filters: int
    kernel: int
    activation: str = "linear"
    stride: int = 1
    dilation: int = 1
    groups: int = 1
    padding: str = "valid"
    bias: bool = True
    weights: Initialiser | None = None
    biases: Initialiser = field(default_factory=Zeros)
    name: str = ""

    def __post_init__(self) -> None:
        for what in ("filters", "kernel", "stride", "dilation", "groups"):
            require_size(what, getattr(self, what))
        require_choices(self.activation, self.padding, self.filters, self.groups)

    def __call__(self, x: Node) -> Node:
        """The layer's activation for a batch."""
        with place(self, "conv", x) as here:
            return _convolution(here, self, x, (self.kernel,), (self.stride,), (self.dilation,))

    def __repr__(self) -> str:
        return short_repr(self, 3)


@dataclass(frozen=True)
class Conv2D:
    """a = f(x ∗ W + b): `filters` windows of `kernel` rows and columns slide over a picture; all of a window's numbers are weighed.

    z[n, i, j, f] = Σ x[n, i·stride + p·dilation, j·stride + q·dilation, c] · W[p, q, c, f] + b[f], the sum over p, q, c: what the
    field calls convolution is, without mirroring, the correlation. Sizes are one number or a pair (rows, columns).
    `padding`: "valid" adds nothing; the others add so much around the picture that there are ⌈size/stride⌉ positions: "same"
    zeros, "periodic" the opposite edge (a lattice closed to a ring), "reflect" the mirrored inside. With `groups` the channels
    and the filters are dealt out in order, and each filter sees its group's channels only.
    Shapes: x (batch, height, width, channels), W (rows, columns, channels/groups, filters), b (filters,), result
    (batch, positions, positions, filters). Weights and biases start as in `Dense`; fan-in is rows·columns·channels/groups.

    Source: Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, Proceedings of the IEEE 86, 2278 (1998), section II.

    >>> Conv2D(16, 5, "relu")
    Conv2D(16, 5, 'relu')
    """

    filters: int
    kernel: int | Shape
    activation: str = "linear"
    stride: int | Shape = 1
    dilation: int | Shape = 1
    groups: int = 1
    padding: str = "valid"
    bias: bool = True
    weights: Initialiser | None = None
    biases: Initialiser = field(default_factory=Zeros)
    name: str = ""

    def __post_init__(self) -> None:
        require_size("filters", self.filters)
        require_size("groups", self.groups)
        take_pairs(self, "kernel", "stride", "dilation")
        require_choices(self.activation, self.padding, self.filters, self.groups)

    def __call__(self, x: Node) -> Node:
        """The layer's activation for a batch."""
        with place(self, "conv", x) as here:
            return _convolution(here, self, x, *(pair(size) for size in (self.kernel, self.stride, self.dilation)))

    def __repr__(self) -> str:
        return short_repr(self, 3)


def pair(size: int | Shape) -> Shape:
    """(rows, columns)."""
    return (size, size) if isinstance(size, int) else size


def take_pairs(layer: object, *names: str) -> None:
    """Puts into these fields of a layer a number, or two that differ."""
    for name in names:
        rows, columns = require_sizes(name, getattr(layer, name), 2)
        # A number where one says it, whatever was written, so that equal layers are equal.
        object.__setattr__(layer, name, rows if rows == columns else (rows, columns))


def require_choices(activation: str, padding: str, filters: int, groups: int) -> None:
    """Refuses an unknown activation or padding, and filters that cannot be dealt out to the groups."""
    activation_named(activation)
    require_padding(padding)
    if filters % groups:
        raise OptionError(
            f"{filters} filters in {groups} groups",
            expected="as many filters in each group",
            remedy="choose a number of filters that the groups divide",
        )


def require_channels(here: Place, x: Node, space: int, groups: int) -> None:
    """Refuses what has not so many axes of space with channels behind them, which the groups divide."""
    if x.type.ndim != space + 2:
        wanted = "(batch, height, width, channels)" if space == 2 else "(batch, length, channels)"
        example = "Reshape((28, 28, 1))" if space == 2 else "Reshape((50, 1))"
        raise ShapeError(
            f"layer {here.name} was given {x.type!r}", expected=wanted, remedy=f"put a Reshape before it, for example {example}"
        )
    if x.shape[-1] % groups:
        raise ShapeError(
            f"layer {here.name} has {groups} groups and was given {x.type!r}",
            expected="a number of channels that the groups divide",
            remedy="choose other groups",
        )


def _convolution(here: Place, layer: Conv1D | Conv2D, x: Node, kernel: Shape, strides: Shape, dilations: Shape) -> Node:
    channels, groups = x.shape[-1], layer.groups
    require_channels(here, x, len(kernel), groups)
    spans = tuple((k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True))
    if layer.padding != "valid":
        x = padded(x, same_amounts(x.shape[1:-1], spans, strides), layer.padding)
    elif any(span > extent for span, extent in zip(spans, x.shape[1:-1], strict=True)):
        raise ShapeError(
            f"layer {here.name} has a window of {spans} and was given {x.type!r}",
            expected="a picture in which the window has room",
            remedy='choose a smaller kernel, or padding="same"',
        )
    w = here.parameter("W", (*kernel, channels // groups, layer.filters), layer.weights or suited_to(layer.activation))
    axes = tuple(range(1, 1 + len(kernel)))
    seen = ops.windows(x, axes=axes, taps=kernel, strides=strides, dilations=dilations)
    return activated(here, layer, _weighed(seen, w, groups))


def _weighed(seen: Node, w: Node, groups: int) -> Node:
    """Windows (batch, positions..., taps..., channels) times W, as one matrix product, or one to each group."""
    space = w.type.ndim - 2
    outside, (channels, filters) = seen.shape[: 1 + space], w.shape[-2:]
    rows, inner = prod(outside), prod(w.shape[:-1])
    if groups == 1:
        product = ops.reshape(seen, shape=(rows, inner)) @ ops.reshape(w, shape=(inner, filters))
        return ops.reshape(product, shape=(*outside, filters))
    apart = ops.reshape(seen, shape=(*seen.shape[:-1], groups, channels))
    last = apart.type.ndim
    apart = ops.transpose(apart, axes=(last - 2, *range(last - 2), last - 1))
    each = filters // groups
    dealt = ops.transpose(ops.reshape(w, shape=(inner, groups, each)), axes=(1, 0, 2))
    product = ops.reshape(apart, shape=(groups, rows, inner)) @ dealt
    return ops.reshape(ops.transpose(product, axes=(1, 0, 2)), shape=(*outside, filters))


class Filters(Protocol):
    """What convolutions and their transposes both say of their filters."""

    @property
    def filters(self) -> int:
        """How many channels come out."""
        ...

    @property
    def activation(self) -> str:
        """The function applied to each number."""
        ...

    @property
    def bias(self) -> bool:
        """Whether each filter adds a number of its own."""
        ...

    @property
    def biases(self) -> Initialiser:
        """How these numbers start."""
        ...


def activated(here: Place, layer: Filters, z: Node) -> Node:
    """z with its bias, then through the activation, under their names."""
    if layer.bias:
        z = z + here.parameter("b", (layer.filters,), layer.biases)
    z = here.label(z, "z")
    return here.gives(z if layer.activation == "linear" else here.label(activation_named(layer.activation)(z), "a"))
