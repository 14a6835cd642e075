"""What all layers with filters have in common: their options, and the way from a picture to their activation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import field
from typing import Annotated, ClassVar

from chainrule.checks import Count, Sizes
from chainrule.descriptions import Told, described
from chainrule.display import Shown
from chainrule.errors import OptionError
from chainrule.graph import Node, Shape
from chainrule.immutable import immutable
from chainrule.nn.activations import ActivationName
from chainrule.nn.build import Initialiser, LayerScope, layer_scope
from chainrule.nn.checks import LayerName, require_groups
from chainrule.nn.initialisers import Zeros, suited_to
from chainrule.nn.layers import activation_named
from chainrule.nn.padding import Padding
from chainrule.ops.windows import spans


@immutable
class Window:
    """How a layer's filters stand on their input, along each axis of space."""

    taps: Shape
    strides: Shape
    dilations: Shape
    padding: str

    @property
    def axes(self) -> tuple[int, ...]:
        """The axes of space, behind the batch."""
        return tuple(range(1, 1 + len(self.taps)))

    @property
    def spans(self) -> Shape:
        """How far the window reaches from its first entry to its last."""
        return spans(self.taps, self.dilations)


@described
class Filtering(Shown, ABC):
    """A layer whose filters all weigh windows of `kernel` entries, in `space` axes: one in rows, two in pictures."""

    filters: Count
    kernel: Sizes
    activation: Annotated[ActivationName, Told()] = "linear"
    stride: Sizes = 1
    dilation: Sizes = 1
    groups: Count = 1
    padding: Padding = "valid"
    bias: bool = True
    weights: Initialiser | None = None
    biases: Initialiser = field(default_factory=Zeros)
    name: LayerName = ""

    kind: ClassVar[str]
    space: ClassVar[int]

    def __post_init__(self) -> None:
        take_sizes(self, self.space, "kernel", "stride", "dilation")
        if self.filters % self.groups:
            raise OptionError(
                f"{self.filters} filters in {self.groups} groups",
                expected="as many filters in each group",
                remedy="choose a number of filters that the groups divide",
            )

    @abstractmethod
    def _filtered(self, here: LayerScope, x: Node, w: Node, window: Window) -> Node:
        """What the weights make of x, without bias and activation."""

    def __call__(self, x: Node) -> Node:
        """The layer's activation for a batch."""
        with layer_scope(self, self.kind, x) as here:
            self._require_channels(here, x)
            taps, strides, dilations = (in_each_axis(size, self.space) for size in (self.kernel, self.stride, self.dilation))
            shape = (*taps, x.shape[-1] // self.groups, self.filters)
            w = here.parameter("W", shape, self.weights or suited_to(self.activation))
            z = self._filtered(here, x, w, Window(taps, strides, dilations, self.padding))
            if self.bias:
                z = z + here.parameter("b", (self.filters,), self.biases)
            z = here.label(z, "z")
            return here.gives(z if self.activation == "linear" else here.label(activation_named(self.activation)(z), "a"))

    def _require_channels(self, here: LayerScope, x: Node) -> None:
        wanted = "(batch, height, width, channels)" if self.space == 2 else "(batch, length, channels)"
        example = "Reshape((28, 28, 1))" if self.space == 2 else "Reshape((50, 1))"
        here.require(x.type.ndim == self.space + 2, expected=wanted, remedy=f"put a Reshape before it, for example {example}")
        require_groups(here.name, self.groups, x)


def in_each_axis(size: int | Shape, space: int) -> Shape:
    """A size along each of the axes of space: (rows, columns)."""
    return (size,) * space if isinstance(size, int) else size


def take_sizes(layer: object, space: int, *names: str) -> None:
    """Puts into these fields of a layer a number, or one to each axis where they differ."""
    for name in names:
        found = in_each_axis(getattr(layer, name), space)
        if len(found) != space:
            wanted = "one whole number, or a pair" if space == 2 else "one whole number"
            raise OptionError(f"{name}={found!r}", expected=wanted, remedy=f"write for example {name}={(2,) * space}")
        # A number where one says it, whatever was written, so that equal layers are equal.
        object.__setattr__(layer, name, found[0] if len(set(found)) == 1 else found)
