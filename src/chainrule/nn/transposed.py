"""Transposed convolutions, the adjoints of convolutions: each number of a small picture adds a window to a larger one."""

from __future__ import annotations

from math import prod
from typing import ClassVar

from chainrule import ops
from chainrule.descriptions import described
from chainrule.graph import Node
from chainrule.nn.build import LayerScope
from chainrule.nn.filters import Filtering, Window
from chainrule.nn.padding import folded, same_amounts
from chainrule.nn.word import Word


class _Transposed(Filtering):
    """A layer that adds a window to its result for each position of its input."""

    kind: ClassVar[str] = "conv_transpose"

    def _filtered(self, here: LayerScope, x: Node, w: Node, window: Window) -> Node:
        positions, strides = x.shape[1:-1], window.strides
        if self.padding == "valid":
            wanted = tuple((n - 1) * s + span for n, s, span in zip(positions, strides, window.spans, strict=True))
            amounts = [(0, 0)] * self.space
        else:
            wanted = tuple(n * s for n, s in zip(positions, strides, strict=True))
            amounts = same_amounts(wanted, window.spans, strides)
        extents = tuple(size + sum(around) for size, around in zip(wanted, amounts, strict=True))
        pieces = _pieces(x, w, self.groups)
        whole = ops.overlap_add(pieces, axes=window.axes, extents=extents, strides=strides, dilations=window.dilations)
        return folded(whole, amounts, self.padding)


@described
class ConvTranspose1D(_Transposed):
    """The adjoint of `Conv1D`: each step of x adds its window, W weighed by x, to a longer row.

    Shapes: x (batch, positions, channels), W (kernel, channels/groups, filters), result (batch, length, filters).
    Everything else as in `ConvTranspose2D`.

    >>> ConvTranspose1D(8, 4, "relu", stride=2, padding="same")
    ConvTranspose1D(8, 4, 'relu', stride=2, padding='same')
    """

    in_text: ClassVar[Word] = Word("convtranspose5x16", ("kernel", "filters"))
    space: ClassVar[int] = 1


@described
class ConvTranspose2D(_Transposed):
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

    in_text: ClassVar[Word] = Word("convtranspose5x5x16", ("kernel", "filters"))
    space: ClassVar[int] = 2


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
        split = apart @ ops.reshape(spread, shape=(groups, channels, count * each))
        product = ops.transpose(ops.reshape(split, shape=(groups, rows, count, each)), axes=(1, 2, 0, 3))
    return ops.reshape(product, shape=(*x.shape[:-1], *taps, filters))
