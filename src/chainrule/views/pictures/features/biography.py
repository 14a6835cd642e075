"""The biography of a neuron: what it listens to, what excites it, whom it speaks to, and what is missing without it."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from chainrule.checks import require_place
from chainrule.data import Examples
from chainrule.graph import PARAMETER, Array, Node, topological_order
from chainrule.immutable import immutable
from chainrule.numerals import numeral
from chainrule.ops import matmul
from chainrule.train import Model
from chainrule.views.marks import IN_PANEL, Bars, Color, Image, Line, Points, Rule, Text, signed
from chainrule.views.panels import Axis, Panel, Part, Table
from chainrule.views.pictures.features.removal import Effect, effect_words, effects
from chainrule.views.pictures.learning.places import cost_at, output_names
from chainrule.views.pictures.sheets import (
    class_name,
    example_sheet,
    image_shape,
)
from chainrule.views.pictures.subject import feature_names, require_quantity
from chainrule.views.plain import counted, printable
from chainrule.views.view import View, numbers

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
"""The points of a distribution that a class's bar shows."""
_MOST_BARS = 20


@immutable
class Weights:
    """A neuron's weights, by the names of the neurons (or inputs) at their other ends."""

    parameter: str
    names: tuple[str, ...]
    values: Array


def neuron_biography(model: Model, examples: Examples, quantity: str, neuron: int, most: int = 8) -> View:
    """Everything about one neuron: weights, answers by class, the examples that excite it most, and what its removal does.

    Neurons are counted from 0. The numbers: its `activations` (n,) on the examples with their `targets`; `quantiles`, the 5, 25, 50,
    75 and 95 % points for each class, (classes, 5), NaN for a class without examples; its weights `incoming` and `outgoing`, where
    weights are read and where something follows, and its `bias`; `best` (k,), the examples that excite it most. What holding it at 0
    and at its mean does is in the reading, and in `effects_of_removal`.

    Raises: OptionError for a quantity or a neuron that the network does not have.
    """
    require_quantity(model, quantity)
    values = model.quantities(examples.x, {quantity})[quantity].reshape(len(examples), -1)
    require_place(f"neuron {neuron} of {quantity}", neuron, values.shape[1])
    answers, classes = values[:, neuron], model.problem.dataset_info.classes
    best = np.argsort(-answers, kind="stable")[:most]
    incoming, image, outgoing = weights_around(model, examples, quantity, neuron)
    given = model.weights.get(f"{quantity.rpartition('.')[0]}.b")
    bias = float(given[neuron]) if given is not None and len(given) == values.shape[1] else 0.0
    spread = _quantiles(answers, examples.y, classes)
    name = f"{printable(quantity, most=24)}[{neuron}]"
    best_panel = _best(examples, answers, best, classes, model.problem.dataset_info.features)
    return View(
        f"The biography of {printable(quantity, most=30)}, neuron {neuron}",
        "Its weights from the layer before, how strongly it answers, the examples that excite it most, and its weights to the next "
        f"layer, on {counted(len(answers), 'example')}; {_removal_words(model, examples, quantity, neuron, answers)}.",
        [
            _incoming(incoming, image, bias),
            _answers(answers, examples.y, spread, classes, name),
            best_panel,
            _weight_bars(outgoing, "Outgoing weights", "neuron of the next layer"),
        ],
        numbers(
            activations=answers,
            targets=examples.y,
            quantiles=spread,
            incoming=None if incoming is None else incoming.values,
            outgoing=None if outgoing is None else outgoing.values,
            bias=bias,
            best=best,
        ),
        columns=2,
        size=(9.6, 6.4),
    )


def weights_around(
    model: Model, examples: Examples, quantity: str, neuron: int
) -> tuple[Weights | None, tuple[int, ...] | None, Weights | None]:
    """Incoming weights, their shape as an image, and outgoing weights of a neuron, as the graph has them."""
    at = cost_at(model, examples.x[:1], examples.y[:1])
    output = at.cost.built.output
    node = output if quantity == "output" else next(node for node in reversed(at.nodes) if node.name == quantity)
    products = [item for item in topological_order([output]) if item.op is matmul and item.inputs[1].op is PARAMETER]
    size = node.type.size
    before = [item for item in products if item.shape[-1] == size and item in _near(node)]
    after = [item for item in products if item.inputs[1].shape[0] == size and node in _near(item.inputs[0])]
    incoming = outgoing = image = None
    if before:
        matrix = before[-1].inputs[1]
        first = not any(item in _near(before[-1].inputs[0]) for item in products)
        names = feature_names(model.problem.dataset_info) if first else _numbered(int(matrix.shape[0]))
        incoming = Weights(matrix.name, names, model.weights[matrix.name][:, neuron])
        data = model.problem.dataset_info
        fits = first and prod(data.input_shape) == matrix.shape[0]
        image = image_shape(data.input_shape, data.input_dtype) if fits else None
    if after:
        matrix = after[0].inputs[1]
        units = int(matrix.shape[1])
        names = output_names(model, units) if after[0] is products[-1] else _numbered(units)
        outgoing = Weights(matrix.name, names, model.weights[matrix.name][neuron])
    return incoming, image, outgoing


def _numbered(count: int) -> tuple[str, ...]:
    return tuple(map(str, range(count)))


def _near(node: Node) -> set[Node]:
    """The node, and what it is computed from as far as the next product with weights, that product included."""
    seen: set[Node] = set()
    stack = [node]
    while stack:
        item = stack.pop()
        if item not in seen:
            seen.add(item)
            stack.extend(() if item.op is matmul else item.inputs)
    return seen


def _removal_words(model: Model, examples: Examples, quantity: str, neuron: int, answers: Array) -> str:
    removal = effects_of_removal(model, examples, quantity, neuron, float(answers.mean()))
    told = [effect_words(effect, classifier=model.problem.dataset_info.classes is not None) for effect in removal]
    at = ["0", *(f"its mean {numeral(effect.value)}" for effect in removal[1:])]
    words = [f"held at {value}: {what}" for value, what in zip(at, told, strict=False)]
    return "; ".join(words) or "it is an output, and cannot be removed"


def effects_of_removal(model: Model, examples: Examples, quantity: str, neuron: int, mean: float) -> list[Effect]:
    """What holding the neuron at 0 and at its mean does; nothing for the network's output, which cannot be removed."""
    if quantity in {model.problem.described.built.output.name, "output"}:
        return []
    return effects(model, examples.x, examples.y, quantity, [(neuron, 0.0), (neuron, mean)])


def _quantiles(answers: Array, targets: Array, classes: Sequence[str] | None) -> Array:
    if classes is None:
        return np.quantile(answers, QUANTILES)[None]
    groups = [answers[targets == label] for label in range(len(classes))]
    return np.array([np.quantile(group, QUANTILES) if len(group) else [np.nan] * len(QUANTILES) for group in groups])


def _incoming(weights: Weights | None, image: tuple[int, ...] | None, bias: float) -> Panel:
    """As an image where the inputs are one, else as bars."""
    title = f"Incoming weights (bias {numeral(bias)})"
    if weights is None or image is None:
        numbered = weights is not None and weights.names[0] == "0"
        return _weight_bars(weights, title, "neuron of the layer before" if numbered else "input")
    pixels = weights.values.reshape(image)
    shown = Image(pixels if pixels.ndim == 2 else pixels.mean(axis=-1), scale=signed(weights.values, "weight"))
    none = Axis(texts=())
    return Panel([shown], none, none, title=title, equal=True)


def _answers(answers: Array, targets: Array, spread: Array, classes: Sequence[str] | None, name: str) -> Panel:
    """Over the target; of classes the median, the middle half, and what lies between 5 and 95 %."""
    title = "How strongly it answers"
    if classes is None:
        points = Points(targets[:, 0], answers, color=0, size=2.5, alpha=0.5)
        return Panel([points], Axis("target (units of the data)"), Axis(f"activation {name}"), title=title)
    rows, (low, left, middle, right, high) = np.arange(len(classes)), spread.T
    level = np.stack([rows, rows], axis=1)
    names, step = [class_name(classes, place) for place in rows.tolist()], max(1, len(classes) // 15)
    return Panel(
        [
            Line(np.stack([low, high], axis=1), level, color=0, width=1.0),
            Line(np.stack([left, right], axis=1), level, color=0, width=4.0),
            Points(middle, rows, color="paper", edge=0),
        ],
        Axis(f"activation {name}: median, middle half, 5 to 95 %"),
        Axis("class", at=rows[::step], texts=names[::step], size=7.5, ends=(len(names) - 0.5, -0.5)),
        title=title,
    )


def _best(
    examples: Examples, answers: Array, best: Array, classes: Sequence[str] | None, features: Sequence[str] | None
) -> Part:
    """The examples that excite it most."""
    texts = [numeral(float(answers[place])) for place in best]
    names = [
        class_name(classes, int(examples.y[k]), 10) if classes is not None else numeral(float(examples.y[k][0])) for k in best
    ]
    captions = [f"{name}: {text}" for name, text in zip(names, texts, strict=True)]
    beside = Table(("target", "activation"), tuple(zip(names, texts, strict=True)))
    return example_sheet(examples.x[best], captions, beside, features, 4, line=0.09, most=3, title="What excites it most")


def _weight_bars(weights: Weights | None, title: str, what: str) -> Panel:
    if weights is None:
        words = Text(0.0, 0.9, "none: no matrix of weights lies there", where=IN_PANEL, across="left")
        return Panel([words], title=title, frame="none")
    order = np.arange(len(weights.values))
    if len(order) > _MOST_BARS:
        order = np.sort(np.argsort(-np.abs(weights.values), kind="stable")[:_MOST_BARS])
    values, places = weights.values[order], np.arange(len(order))
    colours: list[Color] = ["positive" if value > 0 else "negative" for value in values.tolist()]
    some = f", {len(order)} largest of {len(weights.values)}" if len(order) < len(weights.values) else ""
    names = [printable(weights.names[place], most=16) for place in order.tolist()]
    return Panel(
        [Rule(x=0.0), Bars(places, values, flat=True, colors=colours)],
        Axis(f"weight in {printable(weights.parameter, most=24)}{some}"),
        Axis(what, at=places, texts=names, size=7.0, ends=(max(len(order), 5) - 0.5, -0.5)),
        title=title,
    )
