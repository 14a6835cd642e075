"""What is known while layers add nodes to a graph: the dtype, training or inference, the parameters and states made so far."""

from __future__ import annotations

import typing
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal

import numpy as np

from chainrule.checks import Count, Extents, checked, shown
from chainrule.display import Shown
from chainrule.errors import GraphError, OptionError, OptionTypeError, ShapeError
from chainrule.graph import Graph, Node, Shape, Type, constant, input_node, parameter, scope, scope_root
from chainrule.graph.arraylike import Unchanging
from chainrule.graph.node import NAME
from chainrule.immutable import immutable
from chainrule.nn.initialisers import Constant
from chainrule.nn.parts import Initialiser, Layer, LayerUse, Parameter, State, Term
from chainrule.ops import broadcast_to, cast, random_fold, stream, where


@dataclass
class Build:
    """A graph in the making. Training or inference is chosen here, once; there is no mode to switch later.

    key: what random numbers are drawn by. fresh: whether the step begins an epoch, and with it the states by row; a bool scalar.
    given: what the network is applied to; data: the leaf that it was computed from, which holds the numbers in the data's own units.
    frozen: whether the layers that are applied now keep their weights.
    """

    dtype: str = "float64"
    training: bool = False
    key: Node | None = None
    fresh: Node | None = None
    parameters: dict[str, Parameter] = field(default_factory=dict[str, Parameter])
    states: dict[str, State] = field(default_factory=dict[str, State])
    terms: dict[str, Term] = field(default_factory=dict[str, Term])
    uses: list[LayerUse] = field(default_factory=list[LayerUse])
    names: dict[int, str] = field(default_factory=dict[int, str])
    taken: set[str] = field(default_factory=set[str])
    numbers: dict[str, int] = field(default_factory=dict[str, int])
    kept: list[object] = field(default_factory=list[object])
    given: Node | None = None
    data: Node | None = None
    padded: list[tuple[Node, float]] = field(default_factory=list[tuple[Node, float]])
    frozen: bool = False

    def name_of(self, layer: object, kind: str) -> str:
        """The layer's own name, or its kind and a number in order of first use: dense1, dense2, ..."""
        if id(layer) not in self.names:
            self.take_name(layer, _given_name(layer) or self._next_name(kind))
        return self.names[id(layer)]

    def _next_name(self, kind: str) -> str:
        """The kind and the lowest number that make a name which nobody has."""
        number = self.numbers.get(kind, 1)
        while f"{kind}{number}" in self.taken:
            number += 1
        self.numbers[kind] = number
        return f"{kind}{number}"

    def take_name(self, layer: object, name: str) -> None:
        """Gives a layer a name that no other has."""
        if name in self.taken:
            raise OptionError(
                f"two layers are called {name!r}",
                expected="a name of its own for each layer",
                remedy="rename one; to share weights, use the same layer object twice",
            )
        self.names[id(layer)] = name
        self.taken.add(name)
        # An id is only good while its object lives: a layer made inside a wiring function must not be freed before the end.
        self.kept.append(layer)


def _given_name(layer: object) -> str:
    """The name that the user gave the layer, or "" for none: it becomes a scope, and part of its parameters' names."""
    name: object = getattr(layer, "name", "")
    if isinstance(name, str) and (not name or NAME.fullmatch(name)):
        return name
    raise OptionError(
        f"a layer is called {name!r}",
        expected="a letter, then letters, digits, and any of . _ - /",
        remedy='write for example name="hidden"',
    )


_current: ContextVar[Build | None] = ContextVar("build", default=None)


@dataclass
class LayerScope(Shown):
    """Where a layer stands in the build: its name, what it was given, and the parameters and states that it has asked for.

    One without a name stands for several layers, whose names its parameters and states have already.
    """

    build: Build
    name: str
    kind: str
    layer: object
    given: Node
    first: bool
    scope: str = ""
    asked: list[str] = field(default_factory=list[str])
    carried: list[str] = field(default_factory=list[str])

    def called(self, label: str) -> str:
        """A name with the layer's before it."""
        return f"{self.name}.{label}" if self.name else label

    def require(self, fits: bool, *, expected: str, remedy: str) -> None:
        """Refuses, with a ShapeError, what the layer was given if it does not fit."""
        if not fits:
            raise ShapeError(f"layer {self.name} was given {self.given.type!r}", expected=expected, remedy=remedy)

    def parameter(self, label: str, shape: Shape, initialiser: Initialiser) -> Node:
        """The parameter leaf `name.label`: made at the layer's first use, the same leaf at each later one.

        shape: of the parameter, such as (features, units). In a layer that is frozen it is a state that nothing changes.
        Raises: ShapeError where a shared layer is used with inputs of another size.
        """
        full = self.called(label)
        if self.build.frozen:
            return self._kept(full, shape, initialiser)
        self.asked.append(full)
        if (kept := self.build.states.get(full)) is not None and kept.frozen:
            raise self._half_frozen()
        known = self.build.parameters.get(full)
        if known is None:
            known = self.build.parameters[full] = Parameter(parameter(full, shape, self.build.dtype), initialiser)
        elif known.node.shape != shape:
            raise self._of_another_size(full, known.node, shape)
        return known.node

    def _kept(self, full: str, shape: Shape, initialiser: Initialiser) -> Node:
        """The leaf of a weight that stays as it is."""
        if full in self.build.parameters:
            raise self._half_frozen()
        self.carried.append(full)
        new = State(input_node(full, shape, self.build.dtype), initialiser, frozen=True)
        known = self.build.states.setdefault(full, new)
        if known.node.shape != shape:
            raise self._of_another_size(full, known.node, shape)
        return known.node

    def _half_frozen(self) -> OptionError:
        return OptionError(
            f"the shared layer {self.name} is frozen at one use and trained at another",
            expected="one of both: its weights are the same ones",
            remedy="freeze each use, Frozen(layer), or none",
        )

    def _of_another_size(self, full: str, known: Node, shape: Shape) -> ShapeError:
        return ShapeError(
            f"the shared layer {self.name} has {full.rpartition('.')[2]} of shape {known.shape}, but is used where {shape} is needed",
            expected="inputs of one size at each use of a shared layer",
            remedy="use two layers, or bring the inputs to one size",
        )

    def state(self, label: str, shape: Shape, initialiser: Initialiser) -> Node:
        """The state `name.label`, which training carries along without training it; `next_state` says what becomes of it.

        One array for the whole network, read at inference as training has left it: running statistics. A layer that is used twice in a
        network finds at its second use what it left behind at the first.
        """
        return self.any_state(label, shape, initialiser, by_row=False)

    def row_state(self, label: str, shape: Shape = (), first: float = 0.0) -> Node:
        """The state `name.label` with one row for each row of the batch: (batch, *shape); what a row leaves behind, the next batch finds.

        It begins at `first` with each epoch, and at inference, where no batch continues another one, with each batch.
        """
        type_ = Type(self.build.dtype, (self.given.shape[0], *shape))
        begin = broadcast_to(constant(first, type_.dtype), shape=type_.shape)
        if not self.build.training:
            return begin
        fresh = self.fresh()
        found = self.any_state(label, type_.shape, Constant(first), by_row=True)
        return where(fresh, begin, found) if found.is_leaf else found

    def fresh(self) -> Node:
        """Whether the step begins an epoch; a bool scalar."""
        if self.build.fresh is None:
            raise GraphError(
                f"layer {self.name} carries a state from batch to batch",
                expected="to know where an epoch begins",
                remedy="build with fresh=..., or for inference",
            )
        return self.build.fresh

    def any_state(self, label: str, shape: Shape, initialiser: Initialiser, *, by_row: bool, frozen: bool = False) -> Node:
        """The state `name.label`, by row or not, as this use of the layer finds it: its leaf, or what an earlier use left behind.

        frozen: whether it is a weight of a frozen layer.
        """
        full = self.called(label)
        new = State(input_node(full, shape, self.build.dtype), initialiser, by_row, frozen=frozen)
        self.carried.append(full)
        known = self.build.states.setdefault(full, new)
        if known.node.type != new.node.type or full in self.build.parameters:
            raise ShapeError(
                f"layer {self.name} asks for the state {label} {new.node.type!r}, but has {known.node.type!r}",
                expected="inputs of one size at each use of a shared layer, and a name of its own for each state",
                remedy="use two layers, or bring the inputs to one size",
            )
        return known.node if known.next is None else known.next

    def next_state(self, label: str, node: Node) -> None:
        """Says what the state `name.label` is after a training step; at inference it stays as it is."""
        full = self.called(label)
        if not self.build.training:
            return
        known = self.build.states.get(full)
        if known is None or known.node.type != node.type:
            raise GraphError(
                f"layer {self.name} gives the state {label} the next value {node.type!r}",
                expected=f"{known.node.type!r}" if known else "a state that it has asked for",
                remedy=f'ask with here.state("{label}", shape, initialiser), and keep its shape and dtype',
            )
        self.build.states[full] = replace(known, next=node)

    def term(self, label: str, rows: Node, formula: str) -> None:
        """Adds the loss `name.label`, with one number to an example, to the cost that the network is trained by.

        One of a layer that is frozen, which cannot make it smaller, is left out.
        Shapes: rows (batch,). Raises: GraphError for another shape, or for a second term of the name.
        """
        full = self.called(label)
        if self.build.frozen:
            return
        if full in self.build.terms or rows.shape != self.given.shape[:1]:
            raise GraphError(
                f"layer {self.name} adds the loss {full!r} with numbers {rows.type!r}",
                expected=f"one term of that name, with numbers of shape {self.given.shape[:1]}: one to an example",
                remedy="use such a layer once in a network, and reduce its loss to one number for each example",
            )
        self.build.terms[full] = Term(rows, formula)

    def held(self, padding: float) -> Node:
        """What the layer was given as the data hold it, before it was scaled, where it is an input of the network that was moved at most.

        `padding` says which number stands for a step that is none there: how data are scaled must not depend on such steps. What was
        computed is given back as it is.
        """
        moves: list[Node] = []
        node = self.given
        while node is not self.build.given and only_moves(node):
            moves.append(node)
            node = node.inputs[0]
        if node is not self.build.given or self.build.data is None:
            return self.given
        node = self.build.data
        for move in reversed(moves):
            node = move.op(node, **move.attributes)
        self.build.padded.append((node, padding))
        return node if node.type.is_float else cast(node, dtype="float64")

    def label(self, node: Node, suffix: str) -> Node:
        """The node, named `name.suffix`; a leaf, or what the layer was given, keeps the name that it has."""
        # A leaf under a second name would be a second leaf, which nobody binds a value to.
        return node if node is self.given or node.is_leaf else node.named(self.called(suffix))

    def gives(self, out: Node) -> Node:
        """Notes the layer's use, and hands its output on."""
        held = tuple(self.asked), self.first, tuple(self.carried)
        use = LayerUse(self.name, self.kind, self.layer, self.given.type, out.type, *held, (self.given, out), self.build.frozen)
        self.build.uses.append(use)
        return out

    def key(self) -> Node:
        """The random key of this layer in this step; a layer that is used again draws anew."""
        if self.build.key is None:
            raise GraphError(
                f"layer {self.name} needs random numbers",
                expected="a key in the build",
                remedy="build with key=..., or for inference",
            )
        if not self.name:
            return self.build.key if self.first else random_fold(self.build.key, np.asarray(stream(f"#{len(self.build.uses)}")))
        earlier = sum(use.name == self.name for use in self.build.uses)
        return random_fold(self.build.key, np.asarray(stream(f"{self.name}#{earlier + 1}" if earlier else self.name)))


def only_moves(node: Node) -> bool:
    """Whether a node only puts numbers of its input elsewhere, each once at most."""
    return node.op.kind == "view" and node.type.size <= node.inputs[0].type.size


@contextmanager
@checked
def layer_scope(layer: object, kind: str, given: Node) -> Generator[LayerScope]:
    """The layer's place in the current build; nodes born inside carry its name as their scope."""
    build = _build_for(layer)
    first = id(layer) not in build.names
    name = build.name_of(layer, kind)
    with scope(name) as path:
        yield LayerScope(build, name, kind, layer, given, first, path)


def whole_place(layer: object, parts: Mapping[str, object], given: Node) -> LayerScope:
    """The place of a layer that stands for several others, `parts` by their names, which take these names; it has none itself."""
    build = _build_for(layer)
    first = not any(id(part) in build.names for part in parts.values())
    for name, part in parts.items() if first else ():
        build.take_name(part, name)
    return LayerScope(build, "", "", layer, given, first)


@contextmanager
def frozen() -> Generator[None]:
    """Layers applied inside keep their weights, and compute as at inference."""
    build = _current.get()
    before = build and (build.frozen, build.training)
    if build:
        build.frozen, build.training = True, False
    try:
        yield
    finally:
        if build and before:
            build.frozen, build.training = before


def _build_for(layer: object) -> Build:
    build = _current.get()
    if build is None:
        raise GraphError(
            f"the layer {layer!r} was applied outside a network",
            expected="layers to be applied while a network is built",
            remedy="put it into Sequential(...), or into the function of Network(function, inputs={...})",
        )
    return build


def applied(layer: Layer, x: Node) -> Node:
    """What a layer makes of x: one node, whoever wrote the layer."""
    found = typing.cast("object", layer(x))
    if isinstance(found, Node):
        return found
    raise OptionTypeError(
        f"the layer {shown(layer)} gave {shown(found)}",
        expected="one node",
        remedy="return what chainrule.ops make of its input; several outputs stand side by side: cr.ops.concatenate(a, b, axis=-1)",
    )


@immutable(eq=False)
class Built(Unchanging, Shown):
    """A network's graph for one batch size: its input, output node, parameters, states, layers, and the layers' own losses.

    data: the leaf that the input was computed from by scaling, where it was; else the input.
    padded: nodes (batch, time, features) of the data as they are, and the number that all features of a step have where it is none.
    """

    input: Node
    output: Node
    parameters: Mapping[str, Parameter]
    states: Mapping[str, State]
    uses: tuple[LayerUse, ...]
    terms: Mapping[str, Term]
    data: Node
    padded: tuple[tuple[Node, float], ...] = ()

    @property
    def graph(self) -> Graph:
        """The graph from input and parameters to the output."""
        return Graph({"output": self.output})

    @property
    def parameter_count(self) -> int:
        """How many numbers training may change."""
        return sum(item.node.type.size for item in self.parameters.values())


@contextmanager
@checked
def building(
    dtype: str = "float64", *, training: bool = False, key: Node | None = None, fresh: Node | None = None
) -> Generator[Build]:
    """Layers applied inside add to this build.

    >>> from chainrule.nn import Dense
    >>> with building() as build:
    ...     y = Dense(3)(input_node("x", (2, 5)))
    >>> y.shape, list(build.parameters)
    ((2, 3), ['dense1.W', 'dense1.b'])
    """
    build = Build(dtype, training, key, fresh)
    token = _current.set(build)
    try:
        with scope_root(""):
            yield build
    finally:
        _current.reset(token)


@checked
def build_network(
    network: Layer,
    input_shape: Extents,
    *,
    batch: Count = 1,
    dtype: Literal["float32", "float64"] = "float64",
    training: bool = False,
    key: Node | None = None,
    fresh: Node | None = None,
    x: Node | None = None,
    data: Node | None = None,
) -> Built:
    """The network applied to a batch: x, or an input leaf "x" of shape (batch, *input_shape).

    data: the leaf that x was computed from by scaling, where it was.

    >>> from chainrule.nn import Dense, Sequential
    >>> built = build_network(Sequential(Dense(16, "relu"), Dense(10)), (784,))
    >>> built.parameter_count, built.output.shape
    (12730, (1, 10))
    """
    x = input_node("x", (batch, *input_shape), dtype) if x is None else x
    with building(dtype, training=training, key=key, fresh=fresh) as build:
        build.given, build.data = x, data
        output = applied(network, x)
    if output.type.ndim < 1 or output.shape[0] != x.shape[0]:
        raise ShapeError(
            f"the network turns {x.type!r} into {output.type!r}",
            expected=f"a first axis of {x.shape[0]}: one output to an example",
            remedy="keep axis 0 (the examples) in every layer",
        )
    parameters, states, terms = (
        MappingProxyType(build.parameters),
        MappingProxyType(build.states),
        MappingProxyType(build.terms),
    )
    return Built(x, output, parameters, states, tuple(build.uses), terms, x if data is None else data, tuple(build.padded))
