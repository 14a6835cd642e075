"""Values and derivatives at any node of a model's cost, by its own graph: what the pictures of learning are computed from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from chainrule import ops
from chainrule.checks import unknown
from chainrule.derivatives import grad
from chainrule.errors import OptionError, PositionError, ShapeError
from chainrule.graph import INPUT, PARAMETER, Array, Node, compute, topological_order
from chainrule.immutable import immutable
from chainrule.nn import Dense
from chainrule.spelling import suggest
from chainrule.train import Cost, Model
from chainrule.train.given import given_examples
from chainrule.views.plain import printable, told_apart

LONGEST_NAME = 24
"""Letters of a class, column or layer that a picture shows."""


@immutable
class DensePlace:
    """Where a Dense layer stands in the graph: `given` (n, inputs) times `weights` plus `bias` is `z`, of which comes `a`."""

    layer: str
    given: Node
    weights: Node
    bias: Node | None
    z: Node
    a: Node


@immutable(eq=False)
class CostAt:
    """A model's cost as a graph for given examples, its leaves bound: any node of it can be asked for value and derivative."""

    model: Model
    cost: Cost
    bound: Mapping[Node, Array]

    @property
    def loss(self) -> Node:
        """The losses without the penalties: what the examples ask for."""
        losses = [self.cost.terms[name] for name in self.cost.rows]
        return sum(losses[1:], losses[0])

    def values(self, nodes: Sequence[Node]) -> list[Array]:
        """The value of each node, float64."""
        return [np.asarray(value) for value in compute(nodes, self.bound)]

    def derivatives(self, nodes: Sequence[Node], of: Node | None = None) -> list[Array]:
        """∂C/∂node for each node, of the node's shape; 0 where C is computed without it. `of`: another scalar than C."""
        found = grad(self.cost.total if of is None else of, nodes)
        known = iter(self.values([g for g in found if g is not None]))
        return [np.zeros(node.shape) if g is None else next(known) for node, g in zip(nodes, found, strict=True)]

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Every node of cost and network in topological order."""
        return tuple(topological_order([self.cost.total, self.cost.built.output]))

    def used(self, node: Node) -> bool:
        """Whether the cost is computed from this node."""
        return node in set(topological_order([self.cost.total]))

    def dense(self, layer: str = "") -> DensePlace:
        """The Dense layer of this name, or the last one; OptionError where there is none, or where it is used several times."""
        names = dense_layers(self.model)
        layer = layer or (names[-1] if names else "")
        if layer not in names:
            raise OptionError(
                f"layer {printable(layer)!r}",
                expected=f"a Dense layer: {', '.join(names) or 'this network has none'}",
                remedy=suggest(printable(layer), names),
            )
        weights = self.cost.built.parameters[f"{layer}.W"].node
        products = [node for node in self.nodes if node.op is ops.matmul and node.inputs[1] is weights]
        if len(products) != 1:
            raise OptionError(
                f"layer {layer} is used {len(products)} times", expected="a layer used once", remedy="choose another layer"
            )
        named = {node.name: node for node in self.nodes if node.name}
        bias = self.cost.built.parameters.get(f"{layer}.b")
        z = named[f"{layer}.z"]
        return DensePlace(layer, products[0].inputs[0], weights, bias.node if bias else None, z, named.get(f"{layer}.a", z))


def cost_at(model: Model, x: Array, y: Array) -> CostAt:
    """The model's cost on the examples x (n, ...) with targets y, as the data hold them."""
    x, y = examples(model, x, y)
    cost = model.problem.cost(len(x))
    given: Mapping[str, Array] = {**model.values, "x": x, "y": y}
    nodes = topological_order([cost.total, cost.built.output])
    return CostAt(model, cost, {node: given[node.name] for node in nodes if node.op in {INPUT, PARAMETER}})


def examples(model: Model, x: Array, y: Array) -> tuple[Array, Array]:
    """Inputs (n, ...) and targets (n, ...) in the data's dtypes; a single example may come without the first axis."""
    return given_examples(model.problem.dataset_info, x, y)


def one_example(model: Model, x: Array, y: Array) -> tuple[Array, Array]:
    """One example as a batch of one: x (1, ...), y (1, ...)."""
    x, y = examples(model, x, y)
    if len(x) != 1:
        raise ShapeError(f"{len(x)} examples", expected="one example", remedy="write for example x[7], y[7]")
    return x, y


def dense_layers(model: Model) -> tuple[str, ...]:
    """The names of the network's Dense layers, in the order of their first use."""
    uses = model.problem.described.built.uses
    return tuple(dict.fromkeys(use.name for use in uses if isinstance(use.layer, Dense)))


def targets(model: Model, y: Array, outputs: int) -> Array:
    """What the outputs should be, in the network's own units: one-hot for several classes, (n, outputs)."""
    if model.problem.dataset_info.classes is None:
        # Behind them may stand errors, or a weight.
        return np.asarray(model.problem.targets_seen(y), dtype=np.float64)[:, :outputs]
    return np.asarray(y, dtype=np.float64).reshape(-1, 1) if outputs == 1 else np.eye(outputs)[y]


MOST_OUTPUTS = 20
"""Outputs that a picture has a row for each of."""


def pushed_most(slopes: Array) -> tuple[Array, str]:
    """The places of the outputs that a picture has room for, in their order, those with the steepest slopes; and words that say so."""
    if len(slopes) <= MOST_OUTPUTS:
        return np.arange(len(slopes)), ""
    found = np.sort(np.argsort(-np.abs(slopes), kind="stable")[:MOST_OUTPUTS])
    return found, f"; of {len(slopes)} outputs the {MOST_OUTPUTS} that are pushed hardest"


def output_names(model: Model, outputs: int) -> tuple[str, ...]:
    """The outputs' names: the classes where each has one, else numbers."""
    classes = model.problem.dataset_info.classes
    if classes is not None and len(classes) == outputs:
        return tuple(told_apart(classes, LONGEST_NAME))
    if classes is not None and outputs == 1 and len(classes) == 2:
        return (shown(classes[1]),)
    return tuple(f"output {number}" for number in range(outputs))


def output_number(model: Model, label: int | str, outputs: int) -> int:
    """The position of an output that is given by its number or by its class."""
    classes = model.problem.dataset_info.classes or ()
    if isinstance(label, str) and label in classes and len(classes) == outputs:
        return classes.index(label)
    return unit_number(label, outputs, ", or the name of a class")


def unit_number(label: int | str, units: int, otherwise: str = "") -> int:
    """The position of a layer's neuron, checked."""
    if isinstance(label, int | np.integer) and 0 <= label < units:
        return int(label)
    raise OptionError(f"neuron {printable(label)!r}", expected=f"0 ... {units - 1}{otherwise}", remedy="count from 0")


def unit_names(model: Model, node: Node) -> tuple[str, ...]:
    """A name for each number that a layer is given: features of the data, or dense1.a[0], dense1.a[1], ..."""
    features = model.problem.dataset_info.features
    if node.name or node.scope != "input":
        return tuple(f"{shown(node.name or node.scope)}[{number}]" for number in range(node.shape[-1]))
    if features is not None and len(features) == node.shape[-1]:
        return tuple(shown(name) for name in features)
    return tuple(f"x[{number}]" for number in range(node.shape[-1]))


def shown(name: object) -> str:
    """A name as a picture shows it: without control characters, cut to a sensible length."""
    return printable(name, most=LONGEST_NAME)


def flat(arrays: Mapping[str, Array]) -> Array:
    """All entries of the arrays in one row, one array behind the other."""
    return np.concatenate([np.ravel(array) for array in arrays.values()])


def unflat(row: Array, like: Mapping[str, Array]) -> dict[str, Array]:
    """The row's entries as arrays of the given names and shapes: `flat` turned back."""
    ends = np.cumsum([array.size for array in like.values()])
    pieces = np.split(row, ends[:-1])
    return {name: piece.reshape(array.shape) for (name, array), piece in zip(like.items(), pieces, strict=True)}


def require_entry(model: Model, name: str, index: tuple[int, ...]) -> None:
    """OptionError unless the model has the parameter, PositionError unless that has the entry."""
    if name not in model.parameters:
        raise unknown(f"parameter {printable(name)!r}", printable(name), model.parameters)
    shape = model.parameters[name].shape
    if len(index) != len(shape) or not all(0 <= place < extent for place, extent in zip(index, shape, strict=False)):
        raise PositionError(
            f"{name}[{', '.join(map(str, index))}]", expected=f"a position in shape {shape}", remedy="count from 0"
        )


def entry_name(name: str, index: Sequence[int]) -> str:
    """An entry as one writes it: dense1.W[3, 0]."""
    return f"{shown(name)}[{', '.join(map(str, index))}]" if len(index) else shown(name)


def with_entry(model: Model, name: str, index: tuple[int, ...], value: float) -> Model:
    """The model with one entry of one parameter replaced."""
    array = model.parameters[name].copy()
    array[index] = value
    return model.with_parameters({name: array})


def angle(first: Array, second: Array) -> float:
    """The angle between two rows in degrees, exact for small angles too; NaN where one of them is 0.

    Source: W. Kahan, How Futile are Mindless Assessments of Roundoff (2006), section 12.

    >>> angle(np.array([1.0, 0.0]), np.array([1.0, 1.0]))
    45.0
    """
    sizes = float(np.linalg.norm(first)), float(np.linalg.norm(second))
    if not min(sizes) > 0:
        return float("nan")
    u, v = first / sizes[0], second / sizes[1]
    return float(np.degrees(2 * np.arctan2(np.linalg.norm(u - v), np.linalg.norm(u + v))))
