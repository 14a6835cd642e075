"""Convolution layers: each filter weighs a window of its input, the same weights at every position; channels stand last."""

from __future__ import annotations

from math import prod
from typing import ClassVar

from chainrule import ops
from chainrule.descriptions import described
from chainrule.errors import ShapeError
from chainrule.graph import Node
from chainrule.nn.build import LayerScope
from chainrule.nn.filters import Filtering, Window
from chainrule.nn.padding import padded, same_amounts
from chainrule.nn.word import Word


class _Convolution(Filtering):
    """A layer whose filters slide over its input."""

    kind: ClassVar[str] = "conv"

    def _filtered(self, here: LayerScope, x: Node, w: Node, window: Window) -> Node:
        if self.padding != "valid":
            x = padded(x, same_amounts(x.shape[1:-1], window.spans, window.strides), self.padding)
        elif any(span > extent for span, extent in zip(window.spans, x.shape[1:-1], strict=True)):
            raise ShapeError(
                f"layer {here.name} has a window of {window.spans} and was given {x.type!r}",
                expected="a picture in which the window has room",
                remedy='choose a smaller kernel, or padding="same"',
            )
        seen = ops.windows(x, axes=window.axes, taps=window.taps, strides=window.strides, dilations=window.dilations)
        return weighed(seen, w, self.groups)


@described
class Conv1D(_Convolution):
    """a = f(x ∗ W + b): `filters` windows of `kernel` steps slide over a row of numbers or of vectors.

    Shapes: x (batch, length, channels), W (kernel, channels/groups, filters), b (filters,), result (batch, positions, filters).
    Everything else as in `Conv2D`.

    >>> Conv1D(8, 3, "relu", padding="periodic")
    Conv1D(8, 3, 'relu', padding='periodic')
    """

    in_text: ClassVar[Word] = Word("conv5x16", ("kernel", "filters"))
    space: ClassVar[int] = 1


@described
class Conv2D(_Convolution):
    """a = f(x ∗ W + b): `filters` windows of `kernel` rows and columns slide over a picture; all of a window's numbers are weighed.

    z[n, i, j, f] = Σ x[n, i·stride + p·dilation, j·stride + q·dilation, c] · W[p, q, c, f] + b[f], the sum over p, q, c: what the
    field calls convolution is, without mirroring, the correlation. Sizes are one number or a pair (rows, columns).
    `padding`: "valid" adds nothing; the others add so much around the picture that there are ⌈size/stride⌉ positions: "same"
    zeros, "periodic" the opposite edge (a lattice closed to a ring), "reflect" the mirrored inside. With `groups` the channels
    and the filters are split among them in order: each filter sees its group's channels only.
    Shapes: x (batch, height, width, channels), W (rows, columns, channels/groups, filters), b (filters,), result
    (batch, positions, positions, filters). Weights and biases start as in `Dense`; fan-in is rows·columns·channels/groups.

    Source: Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, Proceedings of the IEEE 86, 2278 (1998), section II.

    >>> Conv2D(16, 5, "relu")
    Conv2D(16, 5, 'relu')
    """

    in_text: ClassVar[Word] = Word("conv5x5x16", ("kernel", "filters"))
    space: ClassVar[int] = 2


def weighed(seen: Node, w: Node, groups: int) -> Node:
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
    split = ops.transpose(ops.reshape(w, shape=(inner, groups, each)), axes=(1, 0, 2))
    product = ops.reshape(apart, shape=(groups, rows, inner)) @ split
    return ops.reshape(ops.transpose(product, axes=(1, 0, 2)), shape=(*outside, filters))
