"""The backward pass in numbers, with mistakes planted in it: what a student's gradient would be who had made them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from chainrule.graph import PARAMETER, Array, Node, evaluate, input_node, topological_order
from chainrule.ops import cast, matmul, reshape, transpose

VIEWS = frozenset({transpose, reshape, cast})
"""Ops that only show a parameter in another form."""


@dataclass(frozen=True)
class Planted:
    """Changed rules of a backward pass.

    shortcuts: the output of a region of the graph → its input and a factor: g_input = g_output · factor, entry by entry.
    scalings: node → a factor on everything that arrives at it.
    matrices: matmul node → the matrix that the derivative of its data side is made with, in place of the transposed weights.
    """

    shortcuts: Mapping[Node, tuple[Node, Array]] = field(default_factory=dict[Node, tuple[Node, Array]])
    scalings: Mapping[Node, Array] = field(default_factory=dict[Node, Array])
    matrices: Mapping[Node, Array] = field(default_factory=dict[Node, Array])

    def __or__(self, other: Planted) -> Planted:
        return Planted(
            {**self.shortcuts, **other.shortcuts}, {**self.scalings, **other.scalings}, {**self.matrices, **other.matrices}
        )


@dataclass(frozen=True)
class Part:
    """What one use of a parameter passes back to it; `arriving` is the derivative at the use (δ).

    `views` are the nodes between parameter and use that only show it in another form.
    """

    use: Node
    place: int
    arriving: Array
    value: Array
    views: tuple[Node, ...] = ()


class BackwardPass:
    """Values and rules of a graph, to walk back through with any mistakes planted.

    `blocked` are nodes that pass nothing back: so the penalty is kept apart. Everything is float64, in NumPy.
    """

    def __init__(self, cost: Node, values: Mapping[Node, Array]) -> None:
        self.cost = cost
        self.order = topological_order([cost])
        self.position = {node: place for place, node in enumerate(self.order)}
        self.values = dict(zip(self.order, evaluate(self.order, values), strict=True))
        self.parameters = {node.name: node for node in _by_first_use(self.order)}
        self.reaching = descendants(self.order, self.parameters.values())
        self._rules: dict[Node, tuple[Node, tuple[Node | None, ...]]] = {}

    def walk(self, planted: Planted, starts: Mapping[Node, Array], blocked: frozenset[Node] = frozenset()) -> Walk:
        """The derivatives that arrive at each node, from these first ones on."""
        arrived = dict(starts)
        arriving: dict[Node, Array] = {}
        for node in reversed(self.order):
            if node not in arrived:
                continue
            g = arriving[node] = arrived[node] * planted.scalings.get(node, 1.0)
            if node in blocked:
                continue
            if node in planted.shortcuts:
                source, factor = planted.shortcuts[node]
                passed: list[tuple[Node, Array | None]] = [(source, g * factor)]
            else:
                passed = list(zip(node.inputs, self._passed(node, g, planted.matrices.get(node)), strict=True))
            for source, value in passed:
                if value is not None and source in self.reaching:
                    arrived[source] = arrived[source] + value if source in arrived else value
        return Walk(self, arriving, blocked)

    def _passed(self, node: Node, g: Array, matrix: Array | None) -> list[Array | None]:
        passed = self.pull(node, g)
        if matrix is None:
            return passed
        side = data_side(node)
        passed[side] = g @ matrix if side == 0 else matrix @ g
        return passed

    def pull(self, node: Node, g: Array, instead: Mapping[Node, Array] | None = None) -> list[Array | None]:
        """What the node's rule passes to each input; `instead` gives other values for some of its inputs."""
        if node.op.vjp_rule is None:
            return [None] * len(node.inputs)
        if node not in self._rules:
            leaf = input_node("arriving", node.shape, node.dtype)
            self._rules[node] = leaf, tuple(node.op.vjp_rule(leaf, node, *node.inputs, **node.attributes))
        leaf, rules = self._rules[node]
        bound = {source: self.values[source] for source in node.inputs} | dict(instead or {})
        wanted = [rule for rule in rules if rule is not None]
        found = iter(evaluate(wanted, {**bound, node: self.values[node], leaf: g}))
        return [None if rule is None else next(found) for rule in rules]


@dataclass(frozen=True)
class Walk:
    """One walk back: the derivative at each node that any arrives at."""

    backward: BackwardPass
    arriving: Mapping[Node, Array]
    blocked: frozenset[Node]

    def gradient(self, name: str) -> Array:
        """The derivative by a parameter; zeros where nothing arrives."""
        node = self.backward.parameters[name]
        return self.arriving.get(node, np.zeros(node.shape))

    def parts(self, name: str) -> tuple[Part, ...]:
        """The parameter's derivative, split into its uses in their order."""
        return tuple(self._parts(self.backward.parameters[name], ()))

    def _parts(self, shown: Node, views: tuple[Node, ...]) -> Iterator[Part]:
        for use in self.backward.order:
            if shown not in use.inputs or use in self.blocked or use not in self.arriving:
                continue
            if use.op in VIEWS:
                yield from self._parts(use, (*views, use))
                continue
            values = self.backward.pull(use, self.arriving[use])
            for place, (source, value) in enumerate(zip(use.inputs, values, strict=True)):
                if source is shown and value is not None:
                    yield Part(use, place, self.arriving[use], self.to_parameter(value, views), views)

    def to_parameter(self, value: Array, views: tuple[Node, ...]) -> Array:
        """A derivative at the last of these views, brought back to the parameter's own form."""
        for view in reversed(views):
            value = np.asarray(self.backward.pull(view, value)[0])
        return value


def _by_first_use(order: Iterable[Node]) -> list[Node]:
    """The parameters in the order in which the forward pass first computes with them."""
    used = [
        leaf for node in order if node.op not in VIEWS for source in node.inputs if (leaf := parameter_of(source)) is not None
    ]
    return list(dict.fromkeys([*used, *(node for node in order if node.op is PARAMETER)]))


def descendants(order: Iterable[Node], sources: Iterable[Node]) -> set[Node]:
    """The sources and all that is computed from them."""
    reached = set(sources)
    for node in order:
        if not reached.isdisjoint(node.inputs):
            reached.add(node)
    return reached


def parameter_of(node: Node) -> Node | None:
    """The parameter that a node is, or shows in another form; else None."""
    while node.op in VIEWS:
        node = node.inputs[0]
    return node if node.op is PARAMETER else None


def data_side(product: Node) -> int:
    """Which input of a matrix product is the data: the one that is no parameter."""
    return 1 if product.op is matmul and parameter_of(product.inputs[0]) is not None else 0
