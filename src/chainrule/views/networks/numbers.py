"""The numbers of a network drawing: which neurons of each column are shown, their activations, and what came out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal, TypeAlias

import numpy as np

from chainrule.data import Example
from chainrule.errors import OptionError, ShapeError
from chainrule.graph import INPUT, PARAMETER, Array, compute, topological_order
from chainrule.immutable import immutable
from chainrule.nn import ACTIVATIONS, Built
from chainrule.spelling import suggest
from chainrule.train import Model, as_inputs, decide
from chainrule.views.networks.structure import LayerColumn

Choice: TypeAlias = Literal["even", "largest"]
"""Which neurons of a large layer are shown: evenly spaced ones, or those with the largest weights."""


@immutable
class Neurons:
    """A column with its numbers: `shown` (k,) are the neurons that are drawn, counted from 0, `chosen` says how they were found.

    With an example `values` and `z` (size,) are activations and pre-activations; with weights `biases` (size,), and `weights`
    (inputs, size) as in the layer. `maps` (height, width, channels) are the pictures of a box that has such.
    """

    column: LayerColumn
    shown: Array
    chosen: str = "all"
    values: Array | None = None
    z: Array | None = None
    biases: Array | None = None
    weights: Array | None = None
    maps: Array | None = None

    @property
    def scale(self) -> float:
        """What is drawn white: 1 where the activation's range says so, else the largest finite size among the values."""
        known = ACTIVATIONS.get(self.column.activation)
        if known is not None and known.lowest == 0 and known.highest == 1:
            return 1.0
        finite = np.abs(self.values[np.isfinite(self.values)]) if self.values is not None else np.zeros(0)
        return float(finite.max(initial=0.0)) or 1.0

    @property
    def elided(self) -> bool:
        """Whether some neurons are not shown."""
        return len(self.shown) < self.column.size


@immutable
class ShownOutput:
    """What the network said of an example: outputs in the data's units (k,), the probability of each output neuron, if it has one.

    `predicted` and `truth` are labels of classes; None where numbers are predicted, or nothing is known or finite.
    """

    output: Array
    probabilities: Array | None
    classes: tuple[str, ...] | None
    predicted: int | None
    truth: int | None
    target: Array | None

    def neuron_of(self, label: int) -> int | None:
        """The output neuron that stands for a class; a single output stands for the second of two."""
        return label if len(self.output) > 1 else 0 if label == 1 else None


def numbers_of(columns: Sequence[LayerColumn], model: Model | None, row: Array | None) -> tuple[Neurons, ...]:
    """Every column with its parameters' values, and with an example (one row, as the data hold it) its activations."""
    parameters: Mapping[str, Array] = model.weights if model else {}
    found = [_with_parameters(column, parameters) for column in columns]
    if model is None or row is None:
        return tuple(found)
    wanted = [
        node for item in found for node in (item.column.node, item.column.node if item.column.z is None else item.column.z)
    ]
    leaves = [node for node in topological_order(wanted) if node.op in {INPUT, PARAMETER}]
    # An input leaf is the example, or a state that a layer has carried along.
    bound = {leaf: model.values.get(leaf.name, row[None]) for leaf in leaves}
    values = [np.asarray(value, dtype=np.float64).reshape(-1) for value in compute(wanted, bound)]
    pairs = zip(found, values[::2], values[1::2], strict=True)
    filled = (replace(item, values=a, z=z if item.column.z is not None else None) for item, a, z in pairs)
    pictures = [item.column.maps for item in found if item.column.maps is not None]
    maps = dict(zip(pictures, compute(pictures, bound), strict=True))
    return tuple(item if item.column.maps is None else replace(item, maps=maps[item.column.maps][0]) for item in filled)


def _with_parameters(column: LayerColumn, parameters: Mapping[str, Array]) -> Neurons:
    weights = parameters.get(column.weights.name) if column.weights is not None else None
    biases = parameters.get(column.bias.name) if column.bias is not None else None
    return Neurons(column, np.arange(column.size), weights=weights, biases=biases)


def outcome_of(model: Model, row: Array, truth: int | Array | None) -> ShownOutput:
    """The network's answer for one example (input shape), beside the truth where it is known."""
    problem = model.problem
    output = model.quantities(row[None])["output"].reshape(-1)
    classes = problem.classes
    if classes is None:
        truth = truth if problem.compares else None
        # The network's own numbers are scaled targets; the truth beside them is not.
        output = np.asarray(problem.in_target_units(output[None])[0], dtype=np.float64)
        # Behind measured numbers stand their errors.
        target = None if truth is None else np.asarray(truth, dtype=float).reshape(-1)[: len(output)]
        return ShownOutput(output, None, None, None, None, target)
    predicted = int(decide(output[None], problem.threshold)[0]) if np.isfinite(output).all() else None
    label = None if truth is None else int(truth)
    return ShownOutput(output, _probabilities(output, problem.probabilities), classes, predicted, label, None)


def _probabilities(output: Array, how: str) -> Array | None:
    with np.errstate(all="ignore"):
        if how == "softmax":
            powers = np.exp(output - np.max(output))
            return powers / powers.sum()
        if how == "sigmoid":
            return 1.0 / (1.0 + np.exp(-output))
    return output if how == "as they are" else None


def choose(items: Sequence[Neurons], most: int, how: Choice, outcome: ShownOutput | None) -> tuple[Neurons, ...]:
    """The same columns with at most `most` neurons shown in each.

    Of the outputs of a classifier the most probable ones are shown, the truth always among them.
    """
    if how not in ("even", "largest"):
        raise OptionError(f"choose={how!r}", expected='"even" or "largest"', remedy=suggest(how, ("even", "largest")))
    if most < 1:
        raise OptionError(f"most={most}", expected="1 or more", remedy="write for example most=16")
    return tuple(_chosen(items, place, most, how, outcome) for place in range(len(items)))


def _chosen(items: Sequence[Neurons], place: int, most: int, how: Choice, outcome: ShownOutput | None) -> Neurons:
    item = items[place]
    if item.column.size <= most or item.column.kind == "box":
        return item
    is_output = place == len(items) - 1 and outcome is not None and outcome.predicted is not None
    if is_output and outcome is not None and len(outcome.output) == item.column.size:
        return replace(
            item, shown=_likeliest(outcome, most), chosen="the likeliest" + ", and the truth" * (outcome.truth is not None)
        )
    sizes = _attached(items, place)
    if how == "largest" and sizes is not None:
        return replace(item, shown=np.sort(np.argsort(-sizes, kind="stable")[:most]), chosen="those with the largest weights")
    return replace(item, shown=evenly(item.column.size, most), chosen="evenly spaced")


def evenly(count: int, most: int) -> Array:
    """The places of at most so many of `count`, spread evenly, first and last among them: (k,) int64.

    >>> evenly(9, 3), evenly(2, 5)
    (array([0, 4, 8]), array([0, 1]))
    """
    return np.unique(np.round(np.linspace(0, count - 1, min(count, most))).astype(np.int64))


def _likeliest(outcome: ShownOutput, most: int) -> Array:
    order = np.argsort(-outcome.output, kind="stable")[:most]
    if outcome.truth is not None and outcome.truth not in order:
        order[-1] = outcome.truth
    return np.sort(order)


def _attached(items: Sequence[Neurons], place: int) -> Array | None:
    """How large the weights at each neuron are, taken together: the root of the sum of their squares; what is no number comes first."""
    parts: list[Array] = []
    own = items[place].weights
    if own is not None:
        parts.append((own**2).sum(axis=0))
    size = items[place].column.size
    after = [item.weights for item in items if place in item.column.sources and item.weights is not None]
    parts += [(weights**2).sum(axis=1) for weights in after if len(weights) == size]
    return np.nan_to_num(np.sqrt(np.sum(parts, axis=0)), nan=np.inf) if parts else None


def example_row(model: Model, example: Example | Array) -> tuple[Array, int | Array | None]:
    """The example's input as the data hold it, and its truth where an `Example` says it.

    Raises: ShapeError for an input of another shape.
    """
    given, truth = (example.x, example.y) if isinstance(example, Example) else (example, None)
    row = np.asarray(given)
    if row.shape != model.problem.dataset_info.input_shape:
        raise ShapeError(
            f"an example of shape {row.shape}",
            expected=f"one example of shape {model.problem.dataset_info.input_shape}",
            remedy="give one example, such as data.test[0]",
        )
    return as_inputs(model.problem.dataset_info, row[None])[0], truth


def shown_weights(items: Sequence[Neurons], target: int) -> dict[int, Array]:
    """The weights (k, m) of the lines into a column, by the column that they come from."""
    item = items[target]
    found: dict[int, Array] = {}
    for source in item.column.sources:
        fits = item.weights is not None and len(item.weights) == items[source].column.size
        if fits and item.weights is not None and items[source].column.kind != "box":
            found[source] = item.weights[np.ix_(items[source].shown, item.shown)]
    return found


def joined(items: Sequence[Neurons], source: int, target: int) -> bool:
    """Whether the columns are joined neuron by neuron: both have neurons, and the weights belong to both."""
    weights = items[target].column.weights
    return items[source].column.kind != "box" and weights is not None and weights.shape[0] == items[source].column.size


def architecture_title(columns: Sequence[LayerColumn]) -> str:
    """The sizes of a chain of layers, "784-16-16-10"; names where there are boxes or branches."""
    chain = all(column.sources == (place - 1,) for place, column in enumerate(columns) if place)
    if chain and all(column.kind != "box" for column in columns):
        return "-".join(str(column.size) for column in columns)
    return ", ".join(f"{column.name} {column.size}{' again' if column.use > 1 else ''}" for column in columns)


def has_dropout(built: Built) -> bool:
    """Whether the network holds layers that act in training only."""
    return any(use.kind == "dropout" for use in built.uses)
