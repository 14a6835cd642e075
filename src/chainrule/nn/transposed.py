"""Transposed convolutions, the adjoints of convolutions: each number of a small picture adds a window to a larger one."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import prod

from chainrule import ops
from chainrule.graph import Node, Shape
from chainrule.nn.build import Initialiser, Place, place
from chainrule.nn.checks import require_size, short_repr
from chainrule.nn.convolution import activated, pair, require_channels, require_choices, take_pairs
from chainrule.nn.initialisers import Zeros, suited_to
from chainrule.nn.padding import folded, same_amounts


@dataclass(frozen=True)
class ConvTranspose1D:
    """The adjoint of `Conv1D`: each step of x adds its window, W weighed by x, to a longer row.

    Shapes: x (batch, positions, channels), W (kernel, channels/groups, filters), result (batch, length, filters).
    Everything else as in `ConvTranspose2D`.

    >>> ConvTranspose1D(8, 4, "relu", stride=2, padding="same")
    ConvTranspose1D(8, 4, 'relu', stride=2, padding='same')
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
        with place(self, "conv_transpose", x) as here:
            return _transposed(here, self, x, (self.kernel,), (self.stride,), (self.dilation,))

    def __repr__(self) -> str:
        return short_repr(self, 3)


@dataclass(frozen=True)
class ConvTranspose2D:
    """The adjoint of a convolution: each position of x adds its window, W weighed by x, to a larger picture.

    With `padding` "valid" the result has (positions − 1)·stride + (kernel − 1)·dilation + 1 rows, with the others positions·stride:
    "same" cuts off what stands over, "periodic" adds it to the opposite edge, "reflect" to the mirrored inside. So for all x
    and y, the product of ConvTranspose2D(x) and y is that of x and Conv2D(y) with the same stride, dilation, groups and padding, both
    without bias, if the weights are the same but for channels and filters, which are exchanged within each group.
    Shapes: x (batch, positions, positions, channels), W (rows, columns, channels/groups, filters), result
    (batch, height, width, filters).

    Source: M. D. Zeiler, D. Krishnan, G. W. Taylor, R. Fergus, CVPR (2010): Deconvolutional networks.

    >>> ConvTranspose2D(1, 2, "sigmoid", stride=2)
    ConvTranspose2D(1, 2, 'sigmoid', stride=2)
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
        with place(self, "conv_transpose", x) as here:
            return _transposed(here, self, x, *(pair(size) for size in (self.kernel, self.stride, self.dilation)))

    def __repr__(self) -> str:
        return short_repr(self, 3)


def _transposed(
    here: Place, layer: ConvTranspose1D | ConvTranspose2D, x: Node, kernel: Shape, strides: Shape, dilations: Shape
) -> Node:
    channels, groups = x.shape[-1], layer.groups
    require_channels(here, x, len(kernel), groups)
    w = here.parameter("W", (*kernel, channels // groups, layer.filters), layer.weights or suited_to(layer.activation))
    spans = tuple((k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True))
    if layer.padding == "valid":
        wanted = tuple((n - 1) * s + span for n, s, span in zip(x.shape[1:-1], strides, spans, strict=True))
        amounts = [(0, 0)] * len(kernel)
    else:
        wanted = tuple(n * s for n, s in zip(x.shape[1:-1], strides, strict=True))
        amounts = same_amounts(wanted, spans, strides)
    extents = tuple(size + sum(around) for size, around in zip(wanted, amounts, strict=True))
    axes = tuple(range(1, 1 + len(kernel)))
    whole = ops.overlap_add(_pieces(x, w, groups), axes=axes, extents=extents, strides=strides, dilations=dilations)
    return activated(here, layer, folded(whole, amounts, layer.padding))


def _pieces(x: Node, w: Node, groups: int) -> Node:
    """The window that each position adds, (batch, positions..., taps..., filters): one matrix product, or one to each group."""
    taps, (channels, filters) = w.shape[:-2], w.shape[-2:]
    rows, count, each = prod(x.shape[:-1]), prod(taps), filters // groups
    if groups == 1:
        spread = ops.transpose(ops.reshape(w, shape=(count, channels, filters)), axes=(1, 0, 2))
        product = ops.reshape(x, shape=(rows, channels)) @ ops.reshape(spread, shape=(channels, count * filters))
    else:
        spread = ops.transpose(ops.reshape(w, shape=(count, channels, groups, each)), axes=(2, 1, 0, 3))
        apart = ops.transpose(ops.reshape(x, shape=(rows, groups, channels)), axes=(1, 0, 2))
        dealt = apart @ ops.reshape(spread, shape=(groups, channels, count * each))
        product = ops.transpose(ops.reshape(dealt, shape=(groups, rows, count, each)), axes=(1, 2, 0, 3))
    return ops.reshape(product, shape=(*x.shape[:-1], *taps, filters))
