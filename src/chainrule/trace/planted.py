"""The backward pass in numbers, with mistakes planted in it: what a student's gradient would be who had made them."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import field
from functools import cached_property, partial
from typing import TypeAlias

import numpy as np

from chainrule.graph import PARAMETER, Array, Node, compute, input_node, topological_order
from chainrule.graph.graph import descendants
from chainrule.immutable import immutable
from chainrule.ops import broadcast_to, cast, matmul

Passed: TypeAlias = "Iterable[tuple[Node, Array | None]]"
Rule: TypeAlias = Callable[[Array], Passed]
"""From what arrives at a node to what it passes on, and to whom."""


def shows_whole(node: Node) -> bool:
    """Whether a node is another form of its input: all its numbers, each once, in another shape, order or dtype."""
    return (node.op.kind == "view" and node.type.size == node.inputs[0].type.size) or node.op is cast


@immutable
class Planted:
    """Changed rules of a backward pass.

    rules: node → what it passes on in place of its own rule.
    scalings: node → a factor on everything that arrives at it.
    cuts: (node, place of an input): nothing is passed there.
    additions: node → what arrives there beside the rest.
    """

    rules: Mapping[Node, Rule] = field(default_factory=dict[Node, Rule])
    scalings: Mapping[Node, Array | float] = field(default_factory=dict[Node, "Array | float"])
    cuts: frozenset[tuple[Node, int]] = frozenset()
    additions: Mapping[Node, Array] = field(default_factory=dict[Node, Array])

    def __or__(self, other: Planted) -> Planted:
        both = self.scalings.keys() & other.scalings.keys()
        scalings = {**self.scalings, **other.scalings, **{node: self.scalings[node] * other.scalings[node] for node in both}}
        return Planted({**self.rules, **other.rules}, scalings, self.cuts | other.cuts, {**self.additions, **other.additions})

    @cached_property
    def touched(self) -> frozenset[Node]:
        """The nodes at which something is changed."""
        return frozenset((*self.rules, *self.scalings, *self.additions, *(node for node, _ in self.cuts)))


@immutable
class GradientPart:
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
        self.values = dict(zip(self.order, compute(self.order, values), strict=True))
        self.parameters = {node.name: node for node in _by_first_use(self.order)}
        self.reaching = descendants(self.order, self.parameters.values())
        self._rules: dict[Node, _Pull] = {}

    def at(self, changed: Mapping[Node, Array]) -> BackwardPass:
        """The same pass with other values for some nodes, inner ones too: what is computed from them follows."""
        leaves = {node: value for node, value in self.values.items() if node.is_leaf}
        other = BackwardPass(self.cost, {**leaves, **changed})
        other._rules = self._rules
        return other

    @cached_property
    def users(self) -> Mapping[Node, tuple[tuple[Node, int], ...]]:
        """For each node who computes with it, and at which place."""
        found: dict[Node, list[tuple[Node, int]]] = {node: [] for node in self.order}
        for user in self.order:
            for place, source in enumerate(user.inputs):
                found[source].append((user, place))
        return {node: tuple(users) for node, users in found.items()}

    @cached_property
    def way_to_cost(self) -> Mapping[Node, int]:
        """How many nodes lie on the longest way from a node to the cost: in a loop over time the earlier step has the longer one."""
        length: dict[Node, int] = {}
        for node in reversed(self.order):
            length[node] = 1 + max((length[user] for user, _ in self.users[node]), default=0)
        return length

    def walk(self, planted: Planted, starts: Mapping[Node, Array], blocked: frozenset[Node] = frozenset()) -> Walk:
        """The derivatives that arrive at each node, from these first ones on."""
        arrived = dict(starts)
        arriving: dict[Node, Array] = {}
        with np.errstate(all="ignore"):
            for node in reversed(self.order):
                if node not in arrived:
                    continue
                g = arrived[node]
                if node in planted.additions:
                    g = g + planted.additions[node]
                if node in planted.scalings:
                    g = g * planted.scalings[node]
                arriving[node] = g
                if node in blocked:
                    continue
                for source, value in self._passed(node, g, planted):
                    if value is not None and source in self.reaching:
                        arrived[source] = arrived[source] + value if source in arrived else value
        return Walk(self, arriving, blocked)

    def _passed(self, node: Node, g: Array, planted: Planted) -> Passed:
        if node in planted.rules:
            return planted.rules[node](g)
        passed = zip(node.inputs, self.pull(node, g), strict=True)
        if not planted.cuts:
            return passed
        return [pair for place, pair in enumerate(passed) if (node, place) not in planted.cuts]

    def pull(self, node: Node, g: Array, instead: Mapping[Node, Array] | None = None) -> list[Array | None]:
        """What the node's rule passes to each input; `instead` gives other values for some of its inputs."""
        if node not in self._rules:
            self._rules[node] = _Pull(node, self.reaching)
        values = self.values
        inputs = [values[source] for source in node.inputs]
        if instead:
            inputs = [instead.get(source, value) for source, value in zip(node.inputs, inputs, strict=True)]
        return self._rules[node].run([*inputs, values[node], g])


class _Pull:
    """A node's rule for its inputs, ready to be run again and again: a list of steps over numbered values, and where results stand.

    The values are those of the inputs, of the node, and what arrives at it, in this order; each step adds one.
    """

    def __init__(self, node: Node, reaching: Container[Node]) -> None:
        leaf = input_node("arriving", node.shape, node.dtype)
        rule = node.op.vjp_rule
        rules = [None] * len(node.inputs) if rule is None else rule(leaf, node, *node.inputs, **node.attributes)
        wanted = [rule if source in reaching else None for source, rule in zip(node.inputs, rules, strict=True)]
        known = {bound: place for place, bound in enumerate((*node.inputs, node, leaf))}
        count = len(node.inputs) + 2
        self.steps: list[tuple[Callable[..., Array], tuple[int, ...]]] = []
        for step in topological_order([rule for rule in wanted if rule is not None], known):
            if step not in known:
                meaning = partial(step.op.meaning, **step.attributes) if step.attributes else step.op.meaning
                self.steps.append((meaning, tuple(known[source] for source in step.inputs)))
                known[step] = count
                count += 1
        self.places = tuple(None if rule is None else known[rule] for rule in wanted)

    def run(self, values: list[Array]) -> list[Array | None]:
        """What is passed to each input; the list of values grows."""
        for meaning, places in self.steps:
            values.append(meaning(*[values[place] for place in places]))
        return [None if place is None else values[place] for place in self.places]


@immutable
class Walk:
    """One walk back: the derivative at each node that any arrives at."""

    backward: BackwardPass
    arriving: Mapping[Node, Array]
    blocked: frozenset[Node]

    def gradient(self, name: str) -> Array:
        """The derivative by a parameter; zeros where nothing arrives."""
        node = self.backward.parameters[name]
        return np.asarray(self.arriving.get(node, np.zeros(node.shape)))

    def parts(self, name: str) -> tuple[GradientPart, ...]:
        """The parameter's derivative, split into its uses, in the order in which they come on the way to the cost."""
        found = self._parts(self.backward.parameters[name], ())
        way, position = self.backward.way_to_cost, self.backward.position
        return tuple(sorted(found, key=lambda part: (-way[part.use], position[part.use])))

    def _parts(self, shown: Node, views: tuple[Node, ...]) -> Iterator[GradientPart]:
        for use in dict.fromkeys(user for user, _ in self.backward.users[shown]):
            if use in self.blocked or use not in self.arriving:
                continue
            if shows_whole(use):
                yield from self._parts(use, (*views, use))
                continue
            values = self.backward.pull(use, self.arriving[use])
            for place, (source, value) in enumerate(zip(use.inputs, values, strict=True)):
                if source is shown and value is not None:
                    yield GradientPart(use, place, self.arriving[use], self.to_parameter(value, views), views)

    def to_parameter(self, value: Array, views: tuple[Node, ...]) -> Array:
        """A derivative at the last of these views, brought back to the parameter's own form."""
        for view in reversed(views):
            value = np.asarray(self.backward.pull(view, value)[0])
        return np.asarray(value)


def _by_first_use(order: Iterable[Node]) -> list[Node]:
    """The parameters in the order in which the forward pass first computes with them."""
    used = [
        leaf for node in order if not shows_whole(node) for source in node.inputs if (leaf := parameter_of(source)) is not None
    ]
    return list(dict.fromkeys([*used, *(node for node in order if node.op is PARAMETER)]))


def parameter_of(node: Node) -> Node | None:
    """The parameter that a node is, or shows in another form; else None."""
    while shows_whole(node):
        node = node.inputs[0]
    return node if node.op is PARAMETER else None


def weights_of(node: Node) -> Node | None:
    """The parameter that a node is or shows, repeated along new axes too; else None."""
    while shows_whole(node) or node.op is broadcast_to:
        node = node.inputs[0]
    return node if node.op is PARAMETER else None


def data_side(product: Node) -> int:
    """Which input of a matrix product is the data: the one that is no parameter."""
    return 1 if product.op is matmul and weights_of(product.inputs[0]) is not None else 0
