"""Linear layers, one behind the other, are one linear layer: the same outputs from far fewer parameters."""

from __future__ import annotations

import numpy as np

from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.nn import Dense
from chainrule.numerals import numeral
from chainrule.train import Model
from chainrule.views.marks import MARKERS, Bars, Image, Line, Mark, Points, Scale, box_around
from chainrule.views.panels import Axis, Panel
from chainrule.views.pictures.kinds import is_flat_pair, is_linear_inside, suits
from chainrule.views.pictures.subject import Source, as_data, bias_of, feature_names, model_of, neuron_values, short, usual_span
from chainrule.views.view import View, chart, numbers


@suits(is_linear_inside)
def two_linear_layers(source: Source) -> View:
    """A network of linear layers against the one layer W = W1·W2·..., b = (b1·W2 + b2)·... that it is.

    The last layer may have an activation: it is compared before that, at z. The numbers: `W` (inputs, outputs) and `b` (outputs,)
    of the one layer, both outputs, `network` and `single` (n, outputs), along `way` (n,), a line through the inputs, their
    `largest_difference`, and how many `parameters` (2,) both have.

    >>> import chainrule as cr
    >>> model = cr.fit("2-16-2 linear softmax", cr.data.moons(60), epochs=1, batch_size=10).model()
    >>> two_linear_layers(model).numbers["parameters"].tolist()
    [82, 6]

    Raises: OptionError for a network with another layer, or an activation before the last one.
    """
    model = model_of(source)
    names = _linear_layers(model)
    W, b = collapsed(model)
    way = np.linspace(0, 1, 61)
    rows = _rows_along(source, len(W), way)
    quantity = f"{names[-1]}.z"
    network = model.quantities(rows.astype(model.problem.dataset_info.input_dtype))[quantity]
    single = np.asarray(model.problem.dataset_info.scaling.apply(rows)) @ W + b
    counts = sum(value.size for value in model.weights.values()), W.size + b.size
    difference = float(np.abs(network - single).max())
    product = "·".join(f"W{i + 1}" for i in range(len(names)))
    return View(
        f"{len(names)} linear layers are one: {counts[0]} parameters do the work of {counts[1]}",
        f"Left each output along a straight line through the inputs: lines of the network, signs of the single layer W = {product}; "
        f"they differ by {numeral(difference, 1)} at most, and stay straight; right how many parameters each has.",
        [
            Panel(
                _output_marks(way, network, single),
                Axis("way from the lowest to the highest inputs (share)"),
                Axis(f"{short(quantity)} (no unit)"),
                legend="best" if network.shape[1] <= 4 else "none",
                small=True,
            ),
            Panel(
                [
                    Bars([0], [counts[0]], color=0, texts=[str(counts[0])]),
                    Bars([1], [counts[1]], color=1, hatch="//", texts=[str(counts[1])]),
                ],
                Axis("network", at=(0, 1), texts=(f"{len(names)} layers", "one layer")),
                Axis("parameters (number)"),
                small=True,
            ),
        ],
        numbers(W=W, b=b, way=way, network=network, single=single, parameters=counts, largest_difference=difference),
        size=(9.0, 3.8),
    )


def _rows_along(source: Source, inputs: int, way: Array) -> Array:
    """Examples on the line from the lowest to the highest inputs, whole numbers where the data are."""
    info = model_of(source).problem.dataset_info
    spans = np.array([usual_span(source, k) for k in range(inputs)])
    return as_data(info, spans[:, 0] + way[:, None] * (spans[:, 1] - spans[:, 0]))


def _output_marks(way: Array, network: Array, single: Array) -> list[Mark]:
    """A line and signs to each output."""
    some = slice(None, None, max(1, len(way) // 12))
    found: list[Mark] = []
    for k in range(network.shape[1]):
        sign = MARKERS[k % 6]
        found += [
            Line(way, network[:, k], color=k, label=f"network, output {k}"),
            Points(way[some], single[some, k], color=k, marker=sign, size=6.0, edge="ink", label=f"one layer, output {k}"),
        ]
    return found


@suits(is_linear_inside, is_flat_pair)
def decision_line(source: Source, outputs: tuple[int, int] = (0, 1)) -> View:
    """The border between two outputs of linear layers over two inputs, and the single layer's: they coincide.

    The numbers are the second output less the first, (rows, columns), of the `network` and of the `single` layer, at the places
    `first` (columns,) and `second` (rows,).

    Raises: OptionError for more or fewer inputs, and as `two_linear_layers`.
    """
    model = model_of(source)
    names = _linear_layers(model)
    W, b = collapsed(model)
    if W.shape[0] != 2:
        raise OptionError(f"a line over {W.shape[0]} inputs", expected="two inputs", remedy="use two_linear_layers")
    first, second = (np.linspace(*usual_span(source, k), 121) for k in (0, 1))
    across, up = np.meshgrid(first, second)
    rows = np.stack([across.reshape(-1), up.reshape(-1)], axis=1)
    low, high = (neuron_values(model, f"{names[-1]}.z", k, rows) for k in outputs)
    z = np.asarray(model.problem.dataset_info.scaling.apply(rows)) @ W + b
    network = (high - low).reshape(across.shape)
    single = (z[:, outputs[1]] - z[:, outputs[0]]).reshape(across.shape)
    names_of = feature_names(model.problem.dataset_info)
    return chart(
        "The decision of linear layers is one straight line",
        "Colours are the decisions of the network of several linear layers, the dashed line is that of the single layer with "
        "W = W1·W2 and b = b1·W2 + b2: it is the border between them.",
        [
            Image(np.sign(network), scale=Scale("signed", -1.6, 1.6), box=box_around(first, second), alpha=0.8),
            *_border(first, second, single),
            Points([], [], marker="s", color="negative", alpha=0.6, label="network: first output"),
            Points([], [], marker="s", color="positive", alpha=0.6, label="network: second output"),
        ],
        Axis(f"{names_of[0]} (data's units)", ends=(first[0], first[-1])),
        Axis(f"{names_of[1]} (data's units)", ends=(second[0], second[-1])),
        numbers(first=first, second=second, network=network, single=single),
        legend="below",
    )


def collapsed(model: Model) -> tuple[Array, Array]:
    """The one layer that a network of linear layers is: W (inputs, outputs) and b (outputs,), for inputs as the network sees them.

    Raises: OptionError for other networks.
    """
    first, *rest = _linear_layers(model)
    weights, bias = _weights_and_bias(model, first)
    for name in rest:
        next_weights, next_bias = _weights_and_bias(model, name)
        weights, bias = weights @ next_weights, bias @ next_weights + next_bias
    return weights, bias


def _weights_and_bias(model: Model, layer: str) -> tuple[Array, Array]:
    weights = model.weights[f"{layer}.W"]
    return weights, bias_of(model, layer)


def _linear_layers(model: Model) -> list[str]:
    uses = model.problem.described.built.uses
    straight = all(isinstance(use.layer, Dense) and use.layer.activation == "linear" for use in uses[:-1])
    if not straight or not uses or not isinstance(uses[-1].layer, Dense):
        raise OptionError(
            f"layers {', '.join(str(use.layer) for use in uses)}",
            expected="Dense layers only, linear but for the last one",
            remedy='train for example "2-16-2 linear softmax"',
        )
    return [use.name for use in uses]


def _border(first: Array, second: Array, single: Array) -> list[Mark]:
    """Where the single layer's difference is 0: a straight line, found at two opposite sides of the picture."""
    corner = single[0, 0]
    across = (single[0, -1] - corner) / (first[-1] - first[0])
    up = (single[-1, 0] - corner) / (second[-1] - second[0])
    # corner + across·(x − x0) + up·(y − y0) = 0, solved for the coordinate that changes less along the line.
    if abs(up) * np.ptp(second) >= abs(across) * np.ptp(first) and up != 0:
        x = np.array([first[0], first[-1]])
        y = second[0] - (corner + across * (x - first[0])) / up
    elif across != 0:
        y = np.array([second[0], second[-1]])
        x = first[0] - (corner + up * (y - second[0])) / across
    else:
        x = y = np.empty(0)
    return [Line(x, y, dash="dashed", width=2.0, label="one layer")]
