"""Layers that keep their weights: what was learned elsewhere, in front of layers that learn."""

from __future__ import annotations

from chainrule.descriptions import described
from chainrule.display import Shown
from chainrule.graph import Node
from chainrule.nn.build import Layer, applied, frozen
from chainrule.nn.layers import as_layers


@described
class Frozen(Shown):
    """Layers one behind the other that do not learn: no derivative of their weights is asked for, no optimizer and no penalty sees them.

    They compute in training what they compute at inference: BatchNorm goes by its stored statistics, Dropout drops nothing, and their
    own losses are no part of the cost. Derivatives go through them to layers in front of them. Their weights are among those of
    `run.parameters()`, under the names that they have without this, and start as they do without this, at random: `fit(..., initial=old)`
    takes them from the run or the network that the layers are of. In the text of a network: `784-100:frozen-10`.

    >>> from chainrule.nn import Dense, Sequential, build_network
    >>> built = build_network(Sequential(Frozen(Dense(16, "relu")), Dense(3)), (4,))
    >>> list(built.parameters), list(built.states)
    (['dense2.W', 'dense2.b'], ['dense1.W', 'dense1.b'])
    """

    layers: tuple[Layer, ...]

    def __init__(self, *layers: Layer) -> None:
        object.__setattr__(self, "layers", as_layers(layers, "nothing to freeze", "write its layers"))

    def __call__(self, x: Node) -> Node:
        """The last layer's output."""
        with frozen():
            for layer in self.layers:
                x = applied(layer, x)
        return x
