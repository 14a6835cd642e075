"""A network as steps, each with the values that it takes, as its graph joins them: what is written in the words of other libraries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from chainrule import ops
from chainrule.errors import OptionError
from chainrule.graph import CONSTANT, Node, Shape, compute, input_node, topological_order
from chainrule.nn.activations import ACTIVATIONS
from chainrule.nn.build import Built, build_network
from chainrule.nn.layers import Activation, Dense, Dropout, Flatten, Reshape
from chainrule.nn.normalisation import LayerNorm
from chainrule.nn.parts import Layer, LayerUse
from chainrule.nn.peers.parts import Joint, LackingError, LayerStep, Padded
from chainrule.nn.recurrent import Bidirectional, TimeDistributed

ALONG_LAST = (Dense, Activation, Dropout, LayerNorm)
"""Layers that the peers apply along the last axis, to every time step by itself."""
BATCH = 2
"""How many examples networks are built for here: one alone has no statistics."""


def shape_of(network: Layer, input_shape: Shape | None) -> Shape:
    """The shape of one example, as it was said or as the network knows it. Raises: OptionError where neither does."""
    shape: Shape | None = getattr(network, "input_shape", None) if input_shape is None else input_shape
    if shape is None:
        raise OptionError(
            "a network that does not know its input, for another library",
            expected="the shape of one example: there sizes and the order of weights follow from it",
            remedy="add input_shape=(784,), or write Sequential(..., input_shape=(784,))",
        )
    return shape


def steps_of(network: Layer, shape: Shape, has: Callable[[object], bool]) -> list[LayerStep]:
    """The steps of a network in their order, of which the last one makes its output.

    A layer that the peer has is a step; any other is what its graph is made of, where that is nothing but such layers and joints.
    """
    # As in training: there what is dropped out is a node of its own, and it shows who takes it.
    key, fresh = input_node("key", (2,), "uint32"), input_node("fresh", (), "bool")
    built = build_network(network, shape, batch=BATCH, training=True, key=key, fresh=fresh)
    return _Reader(has).read(built)


@dataclass
class _Reader:
    """The steps found so far, and which number each node's value has: 0 is the input, k what step k makes."""

    has: Callable[[object], bool]
    steps: list[LayerStep] = field(default_factory=list[LayerStep])
    values: dict[Node, int] = field(default_factory=dict[Node, int])

    def read(self, built: Built) -> list[LayerStep]:
        """The steps of a network that is built."""
        self.values[built.input] = 0
        for use, inside in _grouped(built.uses):
            self.use(use, inside)
        output = self.value(built.output)
        if output != len(self.steps):
            self.put(_joint_step(built.output, Joint(ops.reshape, (None,))), output)
        return self.steps

    def use(self, use: LayerUse, inside: Sequence[LayerUse]) -> None:
        """The step of a layer, or those that stand for it."""
        if use.ends is None:
            raise LackingError(step_of(use.layer, [use]), "code, kept as its graph")
        given, made = use.ends
        if isinstance(use.layer, TimeDistributed) and inside:
            number = self.value(given)
            for each in inside:
                shapes = {name: (given.shape[1], *getattr(each, name).shape[1:]) for name in ("input", "output")}
                number = self.put(replace(step_of(each.layer, [each]), **shapes), number)
            self.values[made] = number
        elif self.has(use.layer) or not self.is_seen_through(made):
            step = step_of(use.layer, [*inside, use])
            try:
                source = self.value(given)
            except LackingError as lack:
                raise LackingError(step, f"behind {lack.reason}") from lack
            self.values[made] = self.put(step, source)

    def is_seen_through(self, made: Node) -> bool:
        """Whether a layer's value is one of a step's, or joined of such; then its step is not needed."""
        before = len(self.steps), dict(self.values)
        try:
            self.value(made)
        except LackingError:
            del self.steps[before[0] :]
            self.values = before[1]
            return False
        return True

    def put(self, step: LayerStep, *sources: int) -> int:
        """A new step of these values; the number of what it makes."""
        self.steps.append(replace(step, sources=sources))
        return len(self.steps)

    def value(self, node: Node) -> int:
        """The number of a node's value, with the joints that it needs."""
        if node not in self.values:
            self.values[node] = self.joined(node)
        return self.values[node]

    def joined(self, node: Node) -> int:
        """What a node between layers joins."""
        op, name = node.op, node.op.name
        whole = bool(node.shape) and bool(node.inputs) and node.inputs[0].shape[:1] == node.shape[:1]
        if op in {ops.reshape, ops.slice_axes} and whole and node.inputs[0].shape == node.shape:
            return self.value(node.inputs[0])
        if op is ops.reshape and whole:
            layer = Flatten() if node.type.ndim == 2 else Reshape(node.shape[1:])
            return self.put(_between(node, layer), self.value(node.inputs[0]))
        if op is ops.slice_axes and whole and set(node.attributes["steps"]) == {1}:
            taken = tuple(zip(node.attributes["starts"][1:], node.attributes["stops"][1:], strict=True))
            return self.put(_joint_step(node, Joint(op, (None,), taken)), self.value(node.inputs[0]))
        if op is ops.transpose and whole and node.attributes["axes"][0] == 0:
            return self.put(_joint_step(node, Joint(op, (None,), axes=node.attributes["axes"])), self.value(node.inputs[0]))
        if op is ops.flip and whole and 0 not in node.attributes["axes"]:
            return self.put(_joint_step(node, Joint(op, (None,), axes=node.attributes["axes"])), self.value(node.inputs[0]))
        if op is ops.pad and (amounts := _around_space(node)):
            return self.put(_between(node, Padded(amounts)), self.value(node.inputs[0]))
        if op is ops.concatenate and whole and node.attributes["axis"] == node.type.ndim - 1:
            return self.put(_joint_step(node, Joint(op, (None,) * len(node.inputs))), *map(self.value, node.inputs))
        if op is ops.matmul and whole and node.inputs[1].shape[:1] == node.shape[:1] and node.type.ndim > 2:
            return self.put(_joint_step(node, Joint(op, (None, None))), *map(self.value, node.inputs))
        if op is ops.broadcast_to and whole and node.inputs[0].type.ndim == node.type.ndim:
            times = tuple(made // given for given, made in zip(node.inputs[0].shape, node.shape, strict=True))
            return self.put(_joint_step(node, Joint(op, (None,), axes=times)), self.value(node.inputs[0]))
        if activation := _activation_of(node):
            return self.put(_between(node, activation), self.value(node.inputs[0]))
        if op.kind == "elementwise" and whole and not node.attributes:
            return self.entry_by_entry(node)
        raise LackingError(_joint_step(node, Joint(op, ())), f"what no layer computes: {name}")

    def entry_by_entry(self, node: Node) -> int:
        """A function entry by entry, of values and numbers."""
        operands = [_number(source) for source in node.inputs]
        sources = [source for source, number in zip(node.inputs, operands, strict=True) if number is None]
        plain = [_unstretched(source) for source in sources]
        if not plain or all(one is not other for one, other in zip(plain, sources, strict=True)):
            # Stretched by nothing that the peer would stretch it to.
            plain = sources
        return self.put(_joint_step(node, Joint(node.op, tuple(operands))), *map(self.value, plain))


def _activation_of(node: Node) -> Activation | None:
    """The activation that a node is; None for any other node. A softmax goes over the last axis of an example."""
    if node.op is ops.softmax:
        return Activation("softmax") if node.attributes["axis"] == node.type.ndim - 1 > 0 else None
    return Activation(node.op.name) if node.op.is_activation and node.op.name in ACTIVATIONS and not node.attributes else None


def _around_space(node: Node) -> tuple[tuple[int, int], ...]:
    """How many zeros a node puts around each axis of space; nothing where it does something else."""
    low, high, interior = (node.attributes[name] for name in ("low", "high", "interior"))
    plain = len(low) in {3, 4} and not any(interior) and {low[0], high[0], low[-1], high[-1]} == {0}
    return tuple(zip(low[1:-1], high[1:-1], strict=True)) if plain else ()


def _number(node: Node) -> float | None:
    """The number that a node holds everywhere; None for any other node."""
    while node.op is ops.broadcast_to:
        node = node.inputs[0]
    if any(leaf.op is not CONSTANT for leaf in topological_order([node]) if leaf.is_leaf):
        return None
    found = np.unique(compute([node])[0])
    return float(found[0]) if len(found) == 1 else None


def _unstretched(node: Node) -> Node:
    """A value before it was stretched along axes of one number, which peers do by themselves."""
    stretched = node.op is ops.broadcast_to and node.inputs[0].type.ndim == node.type.ndim
    return node.inputs[0] if stretched and node.inputs[0].shape[0] == node.shape[0] else node


def _between(node: Node, layer: object) -> LayerStep:
    """The step of a layer that stands for a node between layers."""
    return LayerStep(layer, "", node.inputs[0].shape[1:], node.shape[1:])


def _joint_step(node: Node, joint: Joint) -> LayerStep:
    return LayerStep(joint, "", node.inputs[0].shape[1:] if node.inputs else (), node.shape[1:])


def _grouped(uses: Sequence[LayerUse]) -> Iterator[tuple[LayerUse, Sequence[LayerUse]]]:
    """The uses that stand for themselves, with those of the layers inside them, which come before them."""
    found: list[tuple[LayerUse, Sequence[LayerUse]]] = []
    place = len(uses) - 1
    while place >= 0:
        first = place - _count_inside(uses[place].layer)
        found.append((uses[place], uses[first:place]))
        place = first - 1
    return reversed(found)


def _count_inside(layer: object) -> int:
    if isinstance(layer, TimeDistributed):
        return len(layer.layers) if all(isinstance(item, ALONG_LAST) for item in layer.layers) else 0
    return 2 if isinstance(layer, Bidirectional) else 0


def step_of(layer: object, used: Sequence[LayerUse]) -> LayerStep:
    """The step of a layer from its use and those of the layers inside it, of which it is the last."""
    return LayerStep(
        layer,
        used[-1].name,
        used[0].input.shape[1:],
        used[-1].output.shape[1:],
        tuple(name for use in used for name in (*use.parameters, *use.states)),
        all(use.first for use in used),
        tuple(use.name for use in used[:-1]),
        frozen=used[-1].frozen,
    )


def step_in(built: Built, layer: object) -> LayerStep:
    """The step of a layer's first use in a network. Raises: LackingError where there is none."""
    for use, inside in _grouped(built.uses):
        for each in (*inside, use):
            if each.layer is layer:
                return step_of(layer, [*inside, use] if each is use else [each])
    raise LackingError(LayerStep(layer, type(layer).__name__, (), ()), "a layer that is not used")


# ---- which of them follow each other


def takers_of(steps: Sequence[LayerStep]) -> Mapping[int, list[int]]:
    """Who takes each value: the places of steps; nobody takes the last one's."""
    found: dict[int, list[int]] = defaultdict(list)
    for place, step in enumerate(steps):
        for source in step.sources:
            found[source].append(place)
    return found


def behind(steps: Sequence[LayerStep], takers: Mapping[int, list[int]], place: int) -> int | None:
    """The layer that alone takes what a step makes, and takes nothing else; None where there is no such."""
    (*_, last) = found = takers.get(place + 1) or [-1]
    alone = len(found) == 1 and last >= 0 and len(steps[last].sources) == 1 and not isinstance(steps[last].layer, Joint)
    return last if alone else None


def lines_of(steps: Sequence[LayerStep]) -> list[list[list[int]]]:
    """Layers that follow each other wherever they are used: for each such line its uses, each the places of its steps.

    >>> from chainrule.nn import Dense, Sequential
    >>> shared = Dense(2, "tanh")
    >>> lines_of(steps_of(Sequential(Dense(2), shared, shared), (2,), lambda layer: isinstance(layer, Dense)))
    [[[0]], [[1], [2]]]
    """
    takers, users = takers_of(steps), defaultdict[object, list[int]](list)
    for place, step in enumerate(steps):
        users[identity(step)].append(place)

    def next_of(place: int) -> int | None:
        """The step that follows wherever this layer is used."""
        following = behind(steps, takers, place)
        if following is None or isinstance(steps[place].layer, Joint):
            return None
        every = [behind(steps, takers, user) for user in users[identity(steps[place])]]
        kinds = {None if each is None else identity(steps[each]) for each in every}
        same = len(users[identity(steps[following])]) == len(every)
        return following if len(kinds) == 1 and None not in kinds and same else None

    following = {place: next_of(place) for place in range(len(steps))}
    lines: dict[object, list[list[int]]] = {}
    for place in sorted(set(following) - set(following.values())):
        line, here = list[int](), place
        while here is not None:
            line.append(here)
            here = following[here]
        if not isinstance(steps[place].layer, Joint):
            lines.setdefault(identity(steps[place]), []).append(line)
    return list(lines.values())


def is_chain(steps: Sequence[LayerStep]) -> bool:
    """Whether a network is nothing but layers one behind the other, each used once."""
    return lines_of(steps) in ([[[*range(len(steps))]]], []) and not any(isinstance(step.layer, Joint) for step in steps)


def identity(step: LayerStep) -> object:
    """What makes two steps uses of one layer: its name, which it has at each use; what stands between layers has none."""
    return (step.name or id(step), step.frozen)
