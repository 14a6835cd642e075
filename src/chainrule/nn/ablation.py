"""Ablation: a network in which some neurons are held at a value, whatever the inputs; everything before them stays as it is."""

from __future__ import annotations

import math

import numpy as np

from chainrule import ops
from chainrule.checks import checked, unknown
from chainrule.display import Shown
from chainrule.errors import OptionError
from chainrule.graph import Graph, Node, rewrite_nodes, topological_order
from chainrule.immutable import immutable
from chainrule.nn.build import Layer, applied


@immutable
@checked
class Ablated(Shown):
    """A network whose named quantity has some of its neurons held at `value`; what follows is computed from the held values.

    `neurons` are positions in one example's numbers of the quantity, counted along the last axis first. The graph is rewritten at
    the named node alone: nothing before it changes, and neither does any other neuron of it. A layer that is used several
    times is held at each use.

    >>> from chainrule.nn import Dense, Sequential, build_network
    >>> whole = Sequential(Dense(3, "relu"), Dense(2))
    >>> build_network(Ablated(whole, "dense1.a", (1,)), (2,)).parameter_count
    17
    """

    network: Layer
    quantity: str
    neurons: tuple[int, ...]
    value: float = 0.0

    def __call__(self, x: Node) -> Node:
        """The network's output with these neurons held.

        Raises: OptionError for a quantity that is not there or is the output itself, and for a neuron that it does not have.
        """
        output = applied(self.network, x)
        if output.name == self.quantity:
            raise OptionError(
                f"ablation of {self.quantity}, the network's output",
                expected="a quantity before the output",
                remedy="choose a hidden layer, such as dense1.a",
            )
        names = {node.name for node in topological_order([output]) if not node.is_leaf and node.name}
        if self.quantity not in names:
            raise unknown(
                f"ablation of {self.quantity!r}",
                self.quantity,
                sorted(names - {output.name}),
                none="no quantity: the network has none inside",
            )
        return rewrite_nodes("ablation", Graph({"output": output}), self._held)[0].outputs["output"]

    def _held(self, node: Node) -> Node | None:
        if node.name != self.quantity or node.is_leaf:
            return None
        shape = node.shape[1:]
        count = math.prod(shape)
        if not self.neurons or not all(0 <= neuron < count for neuron in self.neurons):
            raise OptionError(
                f"neurons {', '.join(map(str, self.neurons)) or '(none)'} of {self.quantity}",
                expected=f"numbers from 0 to {count - 1}",
                remedy="count from 0",
            )
        held = np.isin(np.arange(count), self.neurons).reshape(shape)
        # The node under its old place but no longer under its name: one name stands for one quantity, the one that is used.
        before = Node(node.op, node.inputs, node.attributes, scope=node.scope)
        return ops.where(held, self.value, before).named(self.quantity)
