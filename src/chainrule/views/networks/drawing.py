"""The drawing of a network as circles and lines: neurons as bright as they are active, weights as wide as they are large."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeAlias

from chainrule.data import DatasetInfo, Example
from chainrule.display import Shown
from chainrule.errors import OptionError
from chainrule.graph import Array, Shape
from chainrule.immutable import immutable
from chainrule.nn import Layer, build_network, parse_network
from chainrule.numerals import numeral
from chainrule.train import Model, Run
from chainrule.views.networks.canvas import Canvas
from chainrule.views.networks.numbers import (
    Choice,
    Neurons,
    ShownOutput,
    architecture_title,
    choose,
    example_row,
    has_dropout,
    numbers_of,
    outcome_of,
    shown_weights,
)
from chainrule.views.networks.structure import read_columns
from chainrule.views.pictures.subject import model_of
from chainrule.views.plain import printable, told_apart
from chainrule.views.saved import Savable

Subject: TypeAlias = "Run | Model | Layer | str"
"""What can be drawn: a run, a model, or an architecture without weights, as layers or as text."""


@immutable
class NetworkDrawing(Shown, Savable):
    """A network drawn neuron by neuron; `items` are its columns with their numbers, `row` the example's input as the data hold it."""

    items: tuple[Neurons, ...]
    dataset_info: DatasetInfo | None = None
    row: Array | None = None
    outcome: ShownOutput | None = None
    biases: bool = False
    dropout: bool = False

    @property
    def title(self) -> str:
        """The architecture, and what came of the example."""
        name = printable(architecture_title([item.column for item in self.items]), most=80)
        return f"Network {name}" + (f" at one example: {self.verdict}" if self.outcome else "")

    @property
    def verdict(self) -> str:
        """What was predicted and what is true, in words; "" without an example."""
        found = self.outcome
        if found is None:
            return ""
        if found.classes is None:
            answer = f"output {_numbers(found.output)}"
            return answer if found.target is None else f"{answer}, truth {_numbers(found.target)}"
        names = told_apart(found.classes, 30)
        said = (
            "no prediction, for the outputs are not finite"
            if found.predicted is None
            else f"predicted {names[found.predicted]}"
        )
        if found.truth is None:
            return said
        right = found.predicted == found.truth
        return f"{said}, truth {names[found.truth]}" + (
            " (right)" if right else " (wrong)" if found.predicted is not None else ""
        )

    @property
    def reading(self) -> str:
        """How to read circles and lines."""
        first = "A circle is a neuron"
        if self.outcome:
            first += ", the brighter the more active"
        lines = "a line a weight"
        if any(item.weights is not None for item in self.items):
            lines += ", the wider the larger, unbroken where positive and dashed where negative"
        boxes = [item for item in self.items if item.column.kind == "box"]
        if any(item.column.maps is not None for item in boxes):
            pictures = "small pictures are its strongest channels" if self.outcome else "sheets are a layer's channels"
            lines += f"; {pictures}, and on the line before them stands what slides over the layer's input"
        if any(item.column.maps is None for item in boxes):
            lines += "; a box is a layer of another kind, whose lines only say where numbers go"
        ranks = max(item.column.rank for item in self.items)
        behind = "layer 1" if ranks == 1 else f"layers 1 … {ranks}"
        counting = f"the input layer is followed by {behind}, so the input is not counted as a layer"
        frozen = (
            " Training leaves the weights of frozen layers as they are." if any(i.column.frozen for i in self.items) else ""
        )
        dropout = " Dropout does nothing here: it acts in training only." if self.dropout else ""
        return f"{first}, {lines}; {counting}.{frozen}{dropout}"

    def arrays(self) -> dict[str, Array]:
        """The numbers that are drawn, by column: `dense1.shown` (k,), and for the shown neurons `.activation`, `.z`, `.bias`.

        `dense1.weights from input` (shown there, shown here) are the lines; `output` and `probabilities` are of all outputs.
        """
        found: dict[str, Array] = {}
        for place, item in enumerate(self.items):
            key = item.column.key
            if item.maps is not None:
                found[f"{key}.maps"] = item.maps
            if item.column.kind == "box":
                continue
            found[f"{key}.shown"] = item.shown
            named = {"activation": item.values, "z": item.z, "bias": item.biases}
            found |= {f"{key}.{name}": values[item.shown] for name, values in named.items() if values is not None}
            for source, weights in shown_weights(self.items, place).items():
                found[f"{key}.weights from {self.items[source].column.key}"] = weights
        if self.outcome is not None:
            found["output"] = self.outcome.output
            if self.outcome.probabilities is not None:
                found["probabilities"] = self.outcome.probabilities
        return found

    def svg(self) -> str:
        """The drawing as SVG text."""
        canvas = Canvas(self.items, self.dataset_info, self.row, self.outcome, self.biases)
        return canvas.drawn(self.title, self.reading)


def draw_network(
    subject: Subject,
    example: Example | Array | None = None,
    *,
    most: int = 16,
    choose_by: Choice = "even",
    biases: bool = False,
    input_shape: Shape | None = None,
) -> NetworkDrawing:
    """The drawing of a run's network, a model, or an architecture (layers or their text) without weights.

    With an `example` (an `Example`, or its input as the data hold it) the neurons show their activations; an `Example` brings the
    truth too. Of layers with more than `most` neurons some are shown: evenly spaced ones, or by "largest" those with the largest
    weights. `biases` are drawn as short lines into each neuron. `input_shape` is needed where layers do not know it.

    Raises: OptionError for an example without weights, ShapeError for one of another shape.

    >>> drawing = draw_network("2-4-3-1")
    >>> [len(item.shown) for item in drawing.items], drawing.title
    ([2, 4, 3, 1], 'Network 2-4-3-1')
    """
    if not isinstance(subject, Run | Model):
        if example is not None:
            raise OptionError(
                "an example for a network without weights",
                expected="a run or a model",
                remedy="write draw_network(run, example)",
            )
        return _architecture(parse_network(subject) if isinstance(subject, str) else subject, most, choose_by, input_shape)
    model = model_of(subject)
    built = model.problem.described.built
    columns = read_columns(built)
    row, truth = (None, None) if example is None else example_row(model, example)
    outcome = None if row is None else outcome_of(model, row, truth)
    items = choose(numbers_of(columns, model, row), most, choose_by, outcome)
    told = replace(model.problem.dataset_info, classes=model.problem.classes)
    return NetworkDrawing(items, told, row, outcome, biases, has_dropout(built))


def _architecture(layers: Layer, most: int, choose_by: Choice, input_shape: Shape | None) -> NetworkDrawing:
    shape = getattr(layers, "input_shape", None) if input_shape is None else input_shape
    if shape is None:
        raise OptionError(
            "a drawing of a network that does not know its input",
            expected="the shape of one example",
            remedy="write draw_network(network, input_shape=(784,))",
        )
    built = build_network(layers, shape)
    items = choose(numbers_of(read_columns(built), None, None), most, choose_by, None)
    return NetworkDrawing(items, dropout=has_dropout(built))


def _numbers(values: Array) -> str:
    shown = ", ".join(numeral(value) for value in values[:4].tolist())
    return shown + (f", … ({len(values)} numbers)" if len(values) > 4 else "")
