"""Weights as pictures: those of each neuron of the first layer, and an edge detector made by hand that is put before digits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from chainrule.checks import unknown
from chainrule.data import Dataset
from chainrule.errors import OptionError, ShapeError
from chainrule.graph import Array, Shape
from chainrule.immutable import immutable
from chainrule.numerals import numeral
from chainrule.views.marks import Bars, ErrorBars, Image, Rule, signed
from chainrule.views.networks.numbers import evenly
from chainrule.views.networks.structure import read_columns
from chainrule.views.panels import Axis, Panel
from chainrule.views.pictures.kinds import suits, weighs_images
from chainrule.views.pictures.sheets import class_name, image_shape, image_sheet
from chainrule.views.pictures.subject import Source, model_of
from chainrule.views.plain import printable, spaced
from chainrule.views.view import View, numbers

MOST = 64
"""More neurons are not drawn; these are spread evenly over the layer."""
WIDEST = 10
BEST = 8
"""So many of the examples that answer most are shown."""


@immutable(eq=False)
class WeightImages:
    """The weights of neurons as images (k, height, width) or (k, height, width, 3); `neurons` (k,) says which, of `count`."""

    images: Array
    neurons: Array
    count: int


@suits(weighs_images)
def neuron_images(source: Source, layer: str = "dense1", shape: Shape | None = None) -> View:
    """The weights of each neuron of a layer that is given the input, as pictures of the input's shape.

    `shape` is (height, width), where the data do not say that they are images; it may also be given for a later layer. The numbers:
    `images` (k, height, width) or (k, height, width, 3), and `neurons` (k,), which they are.

    Raises: OptionError for a layer that the network does not have or that has no weights; ShapeError where the inputs are no image.

    >>> import chainrule as cr
    >>> run = cr.fit("2-3-2 tanh softmax", cr.data.moons(60), epochs=1)
    >>> neuron_images(run, shape=(1, 2)).numbers["images"].shape
    (3, 1, 2)
    """
    found = weight_images(source, layer, shape)
    images, neurons = found.images, found.neurons
    some = "" if len(neurons) == found.count else f", {len(neurons)} of {spaced(found.count)} shown"
    lost = " a cross marks weights that are no numbers;" if not np.isfinite(images).all() else ""
    kind = "weight (no unit)" if images.ndim == 3 else "weight, mean over the colours (no unit)"
    scale, widest = signed(images, kind), min(WIDEST, math.ceil(math.sqrt(2 * len(images))))
    scales = [scale, *[replace(scale, label="")] * (len(images) - 1)]
    pictures = list(images if images.ndim == 3 else images.mean(axis=-1))
    captions = [f"neuron {neuron}" for neuron in neurons.tolist()]
    return View(
        f"Weights of each neuron of {printable(layer, most=40)} as a picture{some}",
        "Each picture is one neuron and each of its squares one input: an orange one makes the neuron more active where the input "
        f"is bright, a blue one less, a white one does not matter;{lost} all pictures share one scale.",
        [image_sheet(pictures, captions, widest, scales, line=0.06, crosses=True)],
        numbers(images=images, neurons=neurons),
        size=(6.8, 4.4),
    )


# ---- an edge detector made by hand


def edge_weights(shape: Shape, row: int, column: int, length: int, *, horizontal: bool = True, thickness: int = 3) -> Array:
    """Weights (height, width) that look for an edge: positive on a bar, negative around it, 0 elsewhere.

    The bar begins at `row` and `column`, is `length` pixels long and `thickness` wide, each of its weights 1. A frame around it, as
    wide as the bar is thick and cut where the image ends, has weights that together outweigh it exactly: an even grey gives 0.

    Raises: OptionError for a bar that does not lie inside the image.

    >>> edge_weights((5, 6), 2, 1, 3, thickness=1)
    array([[ 0.  ,  0.  ,  0.  ,  0.  ,  0.  ,  0.  ],
           [-0.25, -0.25, -0.25, -0.25, -0.25,  0.  ],
           [-0.25,  1.  ,  1.  ,  1.  , -0.25,  0.  ],
           [-0.25, -0.25, -0.25, -0.25, -0.25,  0.  ],
           [ 0.  ,  0.  ,  0.  ,  0.  ,  0.  ,  0.  ]])
    """
    height, width = (thickness, length) if horizontal else (length, thickness)
    inside = len(shape) == 2 and min(row, column) >= 0 and min(height, width) >= 1
    if not (inside and row + height <= shape[0] and column + width <= shape[1] and height * width < np.prod(shape)):
        raise OptionError(
            f"a bar of {height} by {width} pixels at row {row}, column {column} of an image of shape {shape}",
            expected="a bar inside the image, with room around it",
            remedy="move it, or make it shorter",
        )
    weights = np.zeros(shape)
    around = (
        slice(max(0, row - thickness), row + height + thickness),
        slice(max(0, column - thickness), column + width + thickness),
    )
    bar = slice(row, row + height), slice(column, column + width)
    weights[around] = -1.0
    weights[bar] = 0.0
    weights *= height * width / -weights.sum()
    weights[bar] = 1.0
    return weights


def weight_images(source: Source, layer: str = "dense1", shape: Shape | None = None) -> WeightImages:
    """The numbers of `neuron_images`, which has the arguments and the errors."""
    model = model_of(source)
    columns = read_columns(model.problem.described.built)
    found = [column for column in columns if column.weights is not None and column.name == layer]
    if not found:
        known = list(dict.fromkeys(column.name for column in columns if column.weights is not None))
        raise unknown(f"weights of layer {layer!r}", layer, known, none="no layer: the network has no Dense layer")
    column = found[0]
    weights = model.weights[column.weights.name if column.weights is not None else ""]
    info = model.problem.dataset_info
    of_input = bool(column.sources) and columns[column.sources[0]].key == "input"
    known_shape = image_shape(info.input_shape, info.input_dtype) if of_input and shape is None else shape
    if known_shape is None or np.prod(known_shape) != len(weights):
        raise ShapeError(
            f"the {len(weights)} weights of a neuron of {layer} as a picture"
            + (f" of shape {known_shape}" if known_shape else ""),
            expected=f"a shape of {len(weights)} squares",
            remedy="give shape=(height, width)",
        )
    count = int(weights.shape[1])
    neurons = evenly(count, MOST)
    return WeightImages(weights.T[neurons].reshape(-1, *known_shape), neurons, count)


def edge_detector(data: Dataset, weights: Array, bias: float = 0.0, *, part: str = "test") -> View:
    """How a neuron with these weights (height, width) answers the examples of a part of the data: z = w·x + b, x as a network sees it.

    The numbers: `z` (n,) of each example, with its `labels` (n,); `means` and `deviations` (classes,) of z, NaN for a class without
    examples; `best` (k,), the examples that answer most, the strongest first, and their `images` (k, height, width).
    Raises: OptionError for a part that is not there, or data without classes; ShapeError for weights of another size than an example.
    """
    parts, classes = dict(data.parts()), data.classes
    if part not in parts or classes is None:
        raise OptionError(
            f"an edge detector on the {part} part of {data.name!r}",
            expected=f"classes, and one of the parts {', '.join(parts)}",
            remedy='write for example edge_detector(data.mnist(), weights, part="test")',
        )
    examples, values = parts[part], np.asarray(weights, dtype=np.float64)
    if values.ndim != 2 or values.size != np.prod(data.input_shape):
        raise ShapeError(
            f"weights of shape {values.shape} for examples of shape {data.input_shape}",
            expected="a weight to each pixel, as (height, width)",
            remedy="make them by edge_weights((28, 28), ...)",
        )
    z = np.asarray(data.scaling.apply(examples.x), dtype=np.float64).reshape(len(examples), -1) @ values.reshape(-1) + bias
    best = np.argsort(-np.nan_to_num(z, nan=-np.inf), kind="stable")[:BEST]
    groups = [z[examples.y == label] for label in range(len(classes))]
    means = np.array([group.mean() if len(group) else np.nan for group in groups])
    deviations = np.array([group.std() if len(group) else np.nan for group in groups])
    images = examples.x[best].reshape(-1, *values.shape)
    captions = [f"{class_name(classes, int(examples.y[i]), 6)}: z = {numeral(float(z[i]))}" for i in best.tolist()]
    known = not np.isnan(means).all()
    strongest = (
        f"class {class_name(classes, int(np.nanargmax(means)))} answers most" if known else "no answers that are numbers"
    )
    return View(
        f"An edge detector made by hand: {strongest}",
        "The neuron's weights (left) are laid over each example; bars show its mean answer z = w·x + b to each class, with "
        "lines of one standard deviation, and the small pictures are the examples that answer most.",
        [
            _weight_panel(values),
            _mean_answers(means, deviations, classes),
            image_sheet(list(images), captions, 2),
        ],
        numbers(weights=values, z=z, labels=examples.y, best=best, images=images, means=means, deviations=deviations),
        size=(8.6, 4.2),
    )


def _weight_panel(weights: Array) -> Panel:
    image = Image(weights, scale=signed(weights, "weight (no unit)"), crosses=True)
    return Panel([image], Axis("column (pixels)"), Axis("row (pixels)"), title="weights", equal=True)


def _mean_answers(means: Array, deviations: Array, classes: Sequence[str]) -> Panel:
    places = np.arange(len(classes))
    names = [class_name(classes, place) for place in places.tolist()]
    return Panel(
        [
            Bars(places, means, flat=True, color=0),
            ErrorBars(places, means - deviations, means + deviations, flat=True, color="faint", cap=0.0, width=0.8),
            Rule(x=0.0),
        ],
        Axis("answer z = w·x + b (no unit)"),
        Axis("class", at=places, texts=names, ends=(len(names) - 0.5, -0.5)),
    )
