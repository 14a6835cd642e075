"""The quantities of a graph: the nodes that an explanation speaks of, each with its definition in terms of the others."""

from __future__ import annotations

import math
from functools import cached_property

from chainrule.derivatives import jvp, vjp
from chainrule.display import Shown
from chainrule.graph import (
    CONSTANT,
    Graph,
    Node,
    PassStep,
    input_node,
    rewrite_nodes,
    run_passes,
    scope_root,
    topological_order,
)
from chainrule.graph.graph import descendants, rebuilt
from chainrule.graph.text import labels
from chainrule.immutable import immutable
from chainrule.ops import broadcast_to, multiply, reshape, simplify_algebra
from chainrule.ops.broadcast import spread_number


@immutable(eq=False)
class Quantity(Shown):
    """A node that has a place of its own in the explanation; what has none is written out inside the formulas of others.

    `inputs`: the quantities that it is computed from directly, each once. `definition` computes the same from `stand_ins`, one leaf
    for each input; for a leaf it is the node itself. A quantity is equal only to itself, as its node is.
    """

    node: Node
    name: str
    number: int
    inputs: tuple[Quantity, ...]
    definition: Node
    stand_ins: tuple[Node, ...]

    @property
    def is_leaf(self) -> bool:
        """Whether it is given from outside: an input, a parameter, or a constant."""
        return not self.inputs

    @cached_property
    def arriving(self) -> Node:
        """The leaf that stands for the incoming derivative ∂C/∂(this) in the backward formulas."""
        return input_node("arriving", self.node.shape, self.node.dtype)

    @cached_property
    def rules(self) -> tuple[Node | None, ...]:
        """For each input what this quantity passes back to it, from stand-ins and `arriving`; None where nothing is passed."""
        if self.is_leaf or not self.node.type.is_float:
            return (None,) * len(self.inputs)
        with scope_root(""):
            found = vjp([self.definition], self.stand_ins, [self.arriving])
        return tuple(None if rule is None else simplified(rule) for rule in found)

    @cached_property
    def tangents(self) -> tuple[Node, ...]:
        """For each input a leaf that stands for a small change of it."""
        return tuple(input_node(f"change{place}", leaf.shape, leaf.dtype) for place, leaf in enumerate(self.stand_ins))

    @cached_property
    def pushes(self) -> tuple[Node | None, ...]:
        """For each input how a small change of it moves this quantity: its Jacobian times the input's tangent."""
        if not self.node.type.is_float:
            return (None,) * len(self.inputs)
        pairs = zip(self.stand_ins, self.tangents, strict=True)
        with scope_root(""):
            return tuple(jvp(self.definition, [leaf], [change]) if leaf.type.is_float else None for leaf, change in pairs)

    def __repr__(self) -> str:
        return f"<Quantity {self.number}: {self.name}, {self.node.type!r}>"


def simplified(node: Node) -> Node:
    """The node without products by 1, or by ½ and 2, and the like: what a person would write."""
    return run_passes(Graph({"only": node}), (simplify_algebra, _gather_factors, simplify_algebra))[0].outputs["only"]


def _gather_factors(graph: Graph) -> tuple[Graph, PassStep]:
    """(x·c)·d is x·(c·d) for numbers c and d one of which is a power of two, so that no product is rounded in another way."""

    def rule(node: Node) -> Node | None:
        if node.op is not multiply or (outer := spread_number(node.inputs[1])) is None:
            return None
        inner = node.inputs[0]
        while inner.op in _SPREADS:
            inner = inner.inputs[0]
        if inner.op is not multiply or inner.name or (factor := spread_number(inner.inputs[1])) is None:
            return None
        if 0.5 not in {abs(math.frexp(factor)[0]), abs(math.frexp(outer)[0])}:
            return None
        made = multiply(inner.inputs[0], factor * outer)
        return made if made.shape == node.shape else _spread_again(made, node.inputs[0], inner)

    return rewrite_nodes("gather factors", graph, rule)


_SPREADS = (broadcast_to, reshape)


def _spread_again(made: Node, spread: Node, inner: Node) -> Node:
    """What was done to `inner` to get `spread` is done to `made`."""
    if spread is inner:
        return made
    return spread.with_inputs((_spread_again(made, spread.inputs[0], inner),))


def quantity_through(user: Quantity, activation: Quantity) -> Quantity | None:
    """The quantity with `activation` as an input, where it is computed past it from what the activation is computed from.

    A loss that goes with softmax is computed from z, as exactly as can be; by meaning it is −log softmax(z)_label, and readers want
    to see it as a function of softmax(z). None where nothing of the kind is declared.
    """
    past = [
        node
        for node in topological_order([user.definition])
        if node.op.inner is not None and node.op.inner[0] is activation.node.op and node.inputs[0] in user.stand_ins
    ]
    sources = dict(zip(user.stand_ins, user.inputs, strict=True))
    if len(past) != 1 or sources[past[0].inputs[0]].node is not activation.node.inputs[0] or past[0].op.inner is None:
        return None
    (node,) = past
    leaf = input_node("through", activation.node.shape, activation.node.dtype)
    definition = rebuilt(user.definition, {node: past[0].op.inner[1](leaf, *node.inputs[1:], **node.attributes)})
    others = [stand_in for stand_in in user.stand_ins if stand_in is not node.inputs[0]]
    inputs = (activation, *(sources[stand_in] for stand_in in others))
    return Quantity(user.node, user.name, user.number, inputs, definition, (leaf, *others))


def quantities_of(graph: Graph, *, every: bool = False) -> tuple[Quantity, ...]:
    """The quantities in topological order: leaves, named nodes and outputs; with `every`, each node that is not constant."""
    outputs = set(graph.outputs.values())
    # An output without a name of its own goes by that under which it leaves the graph.
    names = labels(graph.nodes) | {node: name for name, node in graph.outputs.items() if not node.name}
    varying = _varying(graph) if every else set[Node]()
    shown = [node for node in graph.nodes if node in varying or _is_shown(node, outputs)]
    found: dict[Node, Quantity] = {}
    for number, node in enumerate(shown):
        found[node] = _defined(node, names[node], number, found)
    return tuple(found.values())


def _is_shown(node: Node, outputs: set[Node]) -> bool:
    return bool(node.name) or (node.is_leaf and node.op is not CONSTANT) or node in outputs


def _varying(graph: Graph) -> set[Node]:
    """The nodes that depend on an input or a parameter: what is made of constants alone is a constant."""
    return descendants(graph.nodes, [node for node in graph.nodes if node.is_leaf and node.op is not CONSTANT])


def _defined(node: Node, name: str, number: int, found: dict[Node, Quantity]) -> Quantity:
    """The quantity of a node: all between it and other quantities is rebuilt over leaves that stand for these."""
    if node.is_leaf:
        return Quantity(node, name, number, (), node, ())
    ends = [part for part in topological_order([node], found) if part in found]
    stand_ins = {part: input_node(f"input{place}", part.shape, part.dtype) for place, part in enumerate(ends)}
    inputs = tuple(found[part] for part in ends)
    # Without its own name: the formula of the definition is to be opened, not to be written as the name again.
    last = rebuilt(node, dict(stand_ins))
    opened = simplified(Node(last.op, last.inputs, last.attributes, scope=last.scope))
    return Quantity(node, name, number, inputs, opened, tuple(stand_ins.values()))
