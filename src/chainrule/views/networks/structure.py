"""A network's graph read as columns of neurons and boxes: which layer is joined to which, and by which weights."""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass, field, replace
from math import prod
from typing import Literal

from chainrule import ops
from chainrule.graph import Node, Shape, topological_order
from chainrule.immutable import immutable
from chainrule.nn import (
    Activation,
    AveragePool,
    Built,
    Conv2D,
    ConvTranspose2D,
    Dense,
    Dropout,
    Flatten,
    LayerUse,
    MaxPool,
    RestrictedBoltzmann,
)

NEURONS = Dense | RestrictedBoltzmann
"""Layers that are a column of neurons, each of which weighs all inputs, adds its bias and applies an activation."""


@immutable
class LayerColumn:
    """A column of the drawing: the input, the neurons of a Dense layer, or a box for a layer of another kind.

    `rank` counts from the input on, which has 0; `sources` are the positions of the columns that it is computed from. `node` gives
    its values, `z` its pre-activations; `weights` and `bias` are the leaves that a Dense layer uses, `start` the first feature of a
    part of the input. `use` is 2 and more where a shared layer is used again. Of a box that gives pictures, `maps` gives their channels,
    (1, height, width, channels), and `window` says what slides over its input: "5×5, stride 2". `frozen`: its weights are not trained.
    """

    name: str
    kind: Literal["input", "neurons", "box"]
    size: int
    node: Node
    rank: int = 0
    sources: tuple[int, ...] = ()
    activation: str = ""
    z: Node | None = None
    weights: Node | None = None
    bias: Node | None = None
    folded: tuple[str, ...] = ()
    start: int = 0
    use: int = 1
    maps: Node | None = None
    window: str = ""
    frozen: bool = False

    @property
    def key(self) -> str:
        """What the numbers of this column are called: the layer's name, with # and a number at each later use."""
        return self.name if self.use == 1 else f"{self.name}#{self.use}"

    @property
    def formula(self) -> str:
        """What a Dense layer computes of x: "sigmoid(x·W + b)"; "" for other columns."""
        if self.weights is None:
            return ""
        z = f"x·W{' + b' if self.bias is not None else ''}"
        return z if self.activation == "linear" else f"{self.activation}({z})"


def read_columns(built: Built) -> tuple[LayerColumn, ...]:
    """The columns of a network, the input first, each after its sources.

    Activation and Flatten layers belong to the column before them, where only they use it; a sum of two layers, a function or a
    formula is a box.

    >>> from chainrule.nn import build_network, parse_network
    >>> [(c.name, c.size, c.formula) for c in read_columns(build_network(parse_network("2-4-1 tanh"), (2,)))]
    [('input', 2, ''), ('dense1', 4, 'tanh(x·W + b)'), ('dense2', 1, 'x·W + b')]
    """
    reader = _Reader(built)
    for node in topological_order([built.output]):
        reader.read(node)
    return _without_idle_input(reader.columns)


@dataclass
class _Reader:
    """The columns found so far, and which of them each node's value belongs to."""

    built: Built
    columns: list[LayerColumn] = field(default_factory=list[LayerColumn])
    owners: dict[Node, tuple[int, ...]] = field(default_factory=dict[Node, "tuple[int, ...]"])
    scopes: dict[int, str] = field(default_factory=dict[int, str])
    consumers: dict[Node, set[str]] = field(default_factory=dict[Node, "set[str]"])

    def __post_init__(self) -> None:
        self.uses = {use.name: use for use in self.built.uses}
        frozen = [state.node for state in self.built.states.values() if state.frozen]
        self.weights = {*(item.node for item in self.built.parameters.values()), *frozen}
        for node in topological_order([self.built.output]):
            for source in node.inputs:
                self.consumers.setdefault(source, set()).add(node.scope)
        # What the network is given is already scaled: that, not what the data hold, is what the weights weigh.
        self.columns.append(LayerColumn("input", "input", _size(self.built.input), self.built.input))
        self.owners[self.built.input] = (0,)

    def read(self, node: Node) -> None:
        """Finds the node's column: an old one, or a new one."""
        if node in self.owners:
            return
        found = tuple(sorted({owner for source in node.inputs for owner in self.owners.get(source, ())}))
        if node.is_leaf or not found:
            self.owners[node] = ()
            return
        use = self.use_of(node.scope)
        layer = use.layer if use else None
        weights = node.inputs[1] if node.op is ops.matmul and node.inputs[1] in self.weights else None
        if isinstance(layer, NEURONS) and weights is not None and use is not None:
            self.add(_neurons(use, layer, node, weights), node, found)
        elif len(found) == 1 and self.folds(node, found[0], layer):
            self.fold(node, found[0], use)
        elif box := self.open_box(node.scope, found):
            column = replace(self.columns[box], node=node, size=_size(node), sources=self.outside(box, found))
            self.columns[box] = column if node.type.ndim != 4 else replace(column, maps=node)
            self.owners[node] = (box,)
        elif found == (0,) and node.op is ops.slice_axes and node.inputs[0] is self.built.input:
            self.add(_part(node), node, ())
        else:
            name = use.name if use else {"add": "+", "multiply": "×", "subtract": "−"}.get(node.op.name, node.op.name)
            self.add(LayerColumn(name, "box", _size(node), node, maps=_maps(node), window=_window(layer)), node, found)

    def add(self, column: LayerColumn, node: Node, sources: tuple[int, ...]) -> None:
        """A new column; a layer's later uses are counted."""
        rank = 1 + max((self.columns[source].rank for source in sources), default=-1)
        use = 1 + sum(other.name == column.name and other.kind == column.kind == "neurons" for other in self.columns)
        layer = self.use_of(node.scope)
        frozen = layer is not None and layer.frozen and bool(layer.states)
        self.owners[node] = (len(self.columns),)
        self.scopes[len(self.columns)] = node.scope
        self.columns.append(replace(column, rank=rank, sources=sources, use=use, frozen=frozen))

    def use_of(self, scope: str) -> LayerUse | None:
        """The layer that a scope belongs to: names may hold slashes, so the longest fits."""
        fitting = [name for name in self.uses if scope == name or scope.endswith(f"/{name}")]
        return self.uses[max(fitting, key=len)] if fitting else None

    def folds(self, node: Node, owner: int, layer: object) -> bool:
        """Whether the node only goes on with its column: a bias, an activation, a reshaping, the scaling of the input."""
        column = self.columns[owner]
        if column.kind == "box":
            return isinstance(layer, Flatten | Dropout)
        if isinstance(layer, NEURONS):
            return column.kind == "neurons" and self.scopes[owner] == node.scope
        if isinstance(layer, Activation):
            inside = column.folded[-1:] == (node.scope.rpartition("/")[2],)
            return column.kind == "neurons" and (inside or (column.activation == "linear" and self.alone(column.node)))
        if isinstance(layer, Flatten | Dropout):
            return self.alone(column.node)
        return node.op is ops.reshape and column.kind == "input" and owner > 0 and self.scopes[owner] == node.scope

    def alone(self, node: Node) -> bool:
        """Whether one layer only takes this value."""
        return len(self.consumers.get(node, set())) <= 1

    def fold(self, node: Node, owner: int, use: LayerUse | None) -> None:
        """The column goes on with this node."""
        column = self.columns[owner]
        if use is None and node.name and owner > 0:
            column = replace(column, name=node.name)
        if (
            use is not None
            and isinstance(use.layer, NEURONS)
            and column.bias is None
            and (bias := _bias(node, self.weights)) is not None
        ):
            column = replace(column, bias=bias, z=node)
        if use is not None and isinstance(use.layer, Activation):
            folded = column.folded if column.folded[-1:] == (use.name,) else (*column.folded, use.name)
            column = replace(column, activation=use.layer.function, folded=folded)
        self.columns[owner] = replace(column, node=node)
        self.owners[node] = (owner,)

    def open_box(self, scope: str, found: tuple[int, ...]) -> int:
        """The box of this layer that takes in a node of these sources, or 0 for none."""
        if self.use_of(scope) is None:
            return 0
        boxes = [i for i, column in enumerate(self.columns) if column.kind == "box" and self.scopes[i] == scope]
        # A function may branch: its second branch starts where its first did.
        fitting = [i for i in boxes if i in found or set(found) <= set(self.columns[i].sources)]
        return fitting[-1] if fitting else 0

    def outside(self, box: int, found: Iterable[int]) -> tuple[int, ...]:
        """The sources of a box that takes in one more node."""
        return tuple(sorted({*self.columns[box].sources, *found} - {box}))


def _neurons(use: LayerUse, layer: Dense | RestrictedBoltzmann, node: Node, weights: Node) -> LayerColumn:
    return LayerColumn(use.name, "neurons", node.shape[1], node, activation=layer.activation, z=node, weights=weights)


def _part(node: Node) -> LayerColumn:
    return LayerColumn("part of the input", "input", _size(node), node, start=int(node.attributes["starts"][-1]))


def _maps(node: Node) -> Node | None:
    return node if node.type.ndim == 4 else None


def _window(layer: object) -> str:
    match layer:
        case Conv2D() | ConvTranspose2D():
            stride = "" if layer.stride == 1 else f", stride {_short(layer.stride)}"
            return f"{_times(layer.kernel)}{stride}{'' if layer.padding == 'valid' else f', {layer.padding}'}"
        case MaxPool() | AveragePool():
            stride = "" if layer.stride in {None, layer.size} else f", stride {_short(layer.stride)}"
            return f"{'max' if isinstance(layer, MaxPool) else 'mean'} of {_times(layer.size)}{stride}"
        case _:
            return ""


def _short(size: int | Shape | None) -> str:
    return str(size) if isinstance(size, int) else _times(size)


def _times(size: int | Shape | None) -> str:
    return "×".join(map(str, size if isinstance(size, tuple) else (size, size)))


def _bias(node: Node, weights: Set[Node]) -> Node | None:
    """The one of the weights that is added in this node, which may have been repeated for each example; else None."""
    for source in node.inputs if node.op is ops.add else ():
        while source.inputs and source.op in {ops.broadcast_to, ops.reshape}:
            source = source.inputs[0]
        if source in weights:
            return source
    return None


def _size(node: Node) -> int:
    return prod(node.shape[1:])


def _without_idle_input(columns: list[LayerColumn]) -> tuple[LayerColumn, ...]:
    """Where every layer takes a part of the input, the parts stand for it."""
    if len(columns) == 1 or any(0 in column.sources for column in columns):
        return tuple(columns)
    return tuple(replace(c, sources=tuple(source - 1 for source in c.sources)) for c in columns[1:])
