"""The windows of convolutions and pools, with one number to each axis of space: peers spell them out where ours are short."""

from __future__ import annotations

from typing import TypeAlias

from chainrule.graph import Shape
from chainrule.immutable import immutable
from chainrule.nn.convolution import Conv1D, Conv2D
from chainrule.nn.filters import in_each_axis
from chainrule.nn.padding import Amounts, same_amounts
from chainrule.nn.peers.parts import LackingError, LayerStep
from chainrule.nn.pooling import AveragePool, MaxPool
from chainrule.nn.transposed import ConvTranspose1D, ConvTranspose2D
from chainrule.ops.windows import spans

Transposed: TypeAlias = ConvTranspose1D | ConvTranspose2D
Windowed: TypeAlias = Conv1D | Conv2D | Transposed | MaxPool | AveragePool


@immutable
class Windows:
    """Sizes, strides and dilations along the axes of space, and how many entries stand before and behind each.

    Those of a transposed convolution are the windows on what it makes.

    >>> windows(MaxPool(2, padding="same"), LayerStep(MaxPool(2), "max_pool1", (5, 4, 3), (3, 2, 3)))
    Windows(sizes=(2, 2), strides=(2, 2), dilations=(1, 1), amounts=((0, 1), (0, 0)))
    """

    sizes: Shape
    strides: Shape
    dilations: Shape
    amounts: Amounts

    @property
    def spans(self) -> Shape:
        """How far each window reaches from its first entry to its last."""
        return spans(self.sizes, self.dilations)

    @property
    def unseen(self) -> Shape:
        """How many entries lie between a window and the next, along each axis."""
        return tuple(max(stride - span, 0) for stride, span in zip(self.strides, self.spans, strict=True))

    @property
    def wider(self) -> bool:
        """Whether anything stands around the input."""
        return any(map(any, self.amounts))


def windows(layer: Windowed, step: LayerStep) -> Windows:
    """The windows of a layer in this step."""
    pools = isinstance(layer, MaxPool | AveragePool)
    sizes = spread(layer.size if pools else layer.kernel, step)
    strides = sizes if layer.stride is None else spread(layer.stride, step)
    dilations = spread(1 if pools else layer.dilation, step)
    extents = (step.output if isinstance(layer, Transposed) else step.input)[:-1]
    around = ((0, 0) for _ in sizes) if layer.padding == "valid" else same_amounts(extents, spans(sizes, dilations), strides)
    return Windows(sizes, strides, dilations, tuple(around))


def require_zeros(step: LayerStep, layer: Transposed, *, grouped: bool = False) -> None:
    """Refuses what transposed convolutions of others do not do; `grouped`: whether they have groups as ours."""
    if layer.padding not in {"valid", "same"}:
        raise LackingError(step, f'padding="{layer.padding}" in a transposed convolution')
    if layer.groups > 1 and not grouped:
        raise LackingError(step, "groups in a transposed convolution")


def spread(size: int | Shape, step: LayerStep) -> Shape:
    """One number to each axis of space of the step's input."""
    return in_each_axis(size, len(step.input) - 1)
