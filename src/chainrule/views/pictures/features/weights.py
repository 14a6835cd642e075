"""Weights as pictures: those of each neuron of the first layer, and an edge detector made by hand that is put before digits."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from chainrule.data import Dataset
from chainrule.errors import OptionError, ShapeError
from chainrule.graph import Array, Shape
from chainrule.numerals import numeral
from chainrule.spelling import suggest
from chainrule.views.colours import DIVERGING, SERIES
from chainrule.views.figures.style import FAINT
from chainrule.views.networks.structure import read_columns
from chainrule.views.pictures.picture import Picture
from chainrule.views.pictures.sheets import class_name, draw_images, grid_for, image_shape, panels, without_ticks
from chainrule.views.pictures.subject import Source, model_of
from chainrule.views.plain import printable, spaced

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST = 64
"""More neurons are not drawn; these are spread evenly over the layer."""
WIDEST = 10
BEST = 8
"""So many of the examples that answer most are shown."""


@dataclass(frozen=True)
class NeuronImages(Picture):
    """The weights of neurons as images (k, height, width) or (k, height, width, 3); `neurons` (k,) says which, of `count`."""

    size: ClassVar[tuple[float, float]] = (6.8, 4.4)
    layer: str
    images: Array
    neurons: Array
    count: int

    @property
    def title(self) -> str:
        """Whose weights these are."""
        some = "" if len(self.neurons) == self.count else f", {len(self.neurons)} of {spaced(self.count)} shown"
        return f"Weights of each neuron of {printable(self.layer, most=40)} as a picture{some}"

    @property
    def reading(self) -> str:
        """How to read the colours."""
        lost = " a cross marks weights that are no numbers;" if not np.isfinite(self.images).all() else ""
        return (
            "Each picture is one neuron and each of its squares one input: an orange one makes the neuron more active where the input "
            f"is bright, a blue one less, a white one does not matter;{lost} all pictures share one scale."
        )

    @property
    def scale(self) -> float:
        """The largest finite size of a weight: the ends of the scale of colours."""
        return float(np.abs(self.images[np.isfinite(self.images)]).max(initial=0.0)) or 1.0

    def draw(self, ax: Axes) -> None:
        """A panel to each neuron, and one bar of colours for all."""
        shown = self.images if self.images.ndim == 3 else self.images.mean(axis=-1)
        rows, columns = grid_for(len(shown), min(WIDEST, math.ceil(math.sqrt(2 * len(shown)))))
        drawn: Any = None
        for panel, weights, neuron in zip(
            panels(ax, rows, columns, (0.03, 0.14), 0.07), shown, self.neurons.tolist(), strict=False
        ):
            drawn = _signed_image(panel, weights, self.scale)
            panel.set_title(f"neuron {neuron}", fontsize=7, fontweight="normal", loc="left", pad=2)
        for panel in ax.child_axes[len(shown) :]:
            panel.set_axis_off()
        kind = "weight (no unit)" if self.images.ndim == 3 else "weight, mean over the colours (no unit)"
        ax.figure.colorbar(drawn, ax=ax, label=kind, shrink=0.8)


def _signed_image(ax: Axes, weights: Array, scale: float) -> Any:
    drawn = ax.imshow(weights, cmap=DIVERGING, vmin=-scale, vmax=scale, interpolation="nearest")
    rows, columns = np.nonzero(~np.isfinite(weights))
    ax.plot(columns, rows, "x", color="black", markersize=3, markeredgewidth=0.8)
    without_ticks(ax)
    return drawn


def neuron_images(source: Source, layer: str = "dense1", shape: Shape | None = None) -> NeuronImages:
    """The weights of each neuron of a layer that is given the input, as pictures of the input's shape.

    `shape` is (height, width), where the data do not say that they are images; it may also be given for a later layer.

    Raises: OptionError for a layer that the network does not have or that has no weights; ShapeError where the inputs are no image.

    >>> import chainrule as cr
    >>> run = cr.fit("2-3-2 tanh softmax", cr.data.moons(60), epochs=1)
    >>> neuron_images(run, shape=(1, 2)).images.shape
    (3, 1, 2)
    """
    model = model_of(source)
    columns = read_columns(model.problem.described.built)
    found = [column for column in columns if column.weights is not None and column.name == layer]
    if not found:
        known = list(dict.fromkeys(column.name for column in columns if column.weights is not None))
        raise OptionError(
            f"weights of layer {layer!r}",
            expected=f"one of {', '.join(known) or 'no layer: the network has no Dense layer'}",
            remedy=suggest(layer, known),
        )
    column = found[0]
    weights = model.parameters[column.weights.name if column.weights is not None else ""]
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
    neurons = np.unique(np.round(np.linspace(0, count - 1, min(count, MOST))).astype(np.int64))
    return NeuronImages(layer, weights.T[neurons].reshape(-1, *known_shape), neurons, count)


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


@dataclass(frozen=True)
class EdgeResponse(Picture):
    """A neuron made by hand before examples: `z` (n,) is w·x + b of each, `labels` (n,) their classes.

    `best` (k,) are the examples that answer most, the strongest first, and `images` (k, height, width) their pictures; `means` and
    `deviations` (classes,) are taken over the examples of each class, NaN where there are none.
    """

    size: ClassVar[tuple[float, float]] = (8.6, 4.2)
    weights: Array
    z: Array
    labels: Array
    classes: tuple[str, ...]
    best: Array
    images: Array
    means: Array
    deviations: Array
    bias: float

    @property
    def title(self) -> str:
        """Which class answers most."""
        if np.isnan(self.means).all():
            return "An edge detector made by hand: no answers that are numbers"
        strongest = class_name(self.classes, int(np.nanargmax(self.means)))
        return f"An edge detector made by hand: class {strongest} answers most"

    @property
    def reading(self) -> str:
        """How to read the three parts."""
        return (
            "The neuron's weights (left) are laid over each example; bars show its mean answer z = w·x + b to each class, with "
            "lines of one standard deviation, and the small pictures are the examples that answer most."
        )

    def draw(self, ax: Axes) -> None:
        """Weights to the left, mean answers in the middle, the best examples to the right."""
        left, middle, right = panels(ax, 1, 3, (0.1, 0.0), 0.03)
        scale = float(np.abs(self.weights[np.isfinite(self.weights)]).max(initial=0.0)) or 1.0
        drawn = _signed_image(left, self.weights, scale)
        left.set(xlabel="column (pixels)", ylabel="row (pixels)")
        left.set_title("weights", fontsize=8, fontweight="normal", loc="left")
        place = left.inset_axes((0.0, -0.2, 1.0, 0.05))
        ax.figure.colorbar(drawn, cax=place, label="weight (no unit)", orientation="horizontal")
        places = np.arange(len(self.classes))
        middle.barh(places, self.means, xerr=self.deviations, color=SERIES[0], error_kw={"lw": 0.8, "ecolor": FAINT})
        middle.axvline(0.0, color=FAINT, linewidth=0.8)
        middle.set_yticks(places, [class_name(self.classes, place) for place in places.tolist()])
        middle.invert_yaxis()
        middle.set(xlabel="answer z = w·x + b (no unit)", ylabel="class")
        captions = [
            f"{class_name(self.classes, int(self.labels[i]), 6)}: z = {numeral(float(self.z[i]))}" for i in self.best.tolist()
        ]
        draw_images(right, self.images, captions, 2)


def edge_detector(data: Dataset, weights: Array, bias: float = 0.0, *, part: str = "test") -> EdgeResponse:
    """How a neuron with these weights (height, width) answers the examples of a part of the data: z = w·x + b, x as a network sees it.

    Raises: OptionError for a part that is not there, or data without classes; ShapeError for weights of another size than an example.
    """
    parts = dict(data.parts())
    if part not in parts or data.classes is None:
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
    groups = [z[examples.y == label] for label in range(len(data.classes))]
    means = np.array([group.mean() if len(group) else np.nan for group in groups])
    deviations = np.array([group.std() if len(group) else np.nan for group in groups])
    images = examples.x[best].reshape(-1, *values.shape)
    return EdgeResponse(values, z, examples.y, data.classes, best, images, means, deviations, float(bias))
