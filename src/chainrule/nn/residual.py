"""Residual connections: what some layers make of x, added to x itself."""

from __future__ import annotations

from chainrule.descriptions import described
from chainrule.display import Shown
from chainrule.errors import ShapeError
from chainrule.graph import Node
from chainrule.nn.build import Layer, applied, layer_scope
from chainrule.nn.checks import LayerName
from chainrule.nn.layers import as_layers


@described
class Residual(Shown):
    """a = x + f(x), f the layers one behind the other: they need only learn what to change, and gradients pass them by.

    Shapes: f must keep the shape of its input.

    Source: K. He, X. Zhang, S. Ren, J. Sun, CVPR (2016): Deep residual learning for image recognition, eq. 1.

    >>> from chainrule.nn import Dense
    >>> Residual(Dense(8, "relu"), Dense(4))
    Residual(Dense(8, 'relu'), Dense(4))
    """

    layers: tuple[Layer, ...]
    name: str

    def __init__(self, *layers: Layer, name: LayerName = "") -> None:
        object.__setattr__(self, "layers", as_layers(layers, "a residual connection around nothing", "write its layers"))
        object.__setattr__(self, "name", name)

    def __call__(self, x: Node) -> Node:
        """x and what the layers make of it, added."""
        changed = x
        for layer in self.layers:
            changed = applied(layer, changed)
        with layer_scope(self, "residual", x) as here:
            if changed.shape != x.shape:
                raise ShapeError(
                    f"the layers in {here.name} turn {x.type!r} into {changed.type!r}",
                    expected="the same shape, for both are added",
                    remedy='end with as many units or filters as go in, and use padding="same"',
                )
            return here.gives(here.label(x + changed, "a"))
