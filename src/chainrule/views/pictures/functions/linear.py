"""Linear layers, one behind the other, are one linear layer: the same outputs from far fewer parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.nn import Dense
from chainrule.numerals import numeral
from chainrule.train import Model
from chainrule.views.colours import SERIES
from chainrule.views.figures.style import INK
from chainrule.views.pictures.picture import Picture
from chainrule.views.pictures.subject import Source, bias_of, feature_names, model_of, neuron_values, short, usual_span
from chainrule.views.pictures.subplots import subplots

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARKERS = ("o", "^", "s", "D", "v", "P")


@dataclass(frozen=True, eq=False)
class LinearLayers(Picture):
    """A network of linear layers and the one layer that it is: `W` (inputs, outputs), `b` (outputs,).

    Along `way`, a line through the inputs, (n,), the outputs z of the network, `network` (n, outputs), and those of the one layer,
    `single`; `parameters`: how many numbers each has.
    """

    size: ClassVar[tuple[float, float]] = (9.0, 3.8)
    W: Array
    b: Array
    way: Array
    network: Array
    single: Array
    parameters: tuple[int, int]
    layers: int
    quantity: str

    @property
    def largest_difference(self) -> float:
        """Between an output of the network and the one layer's."""
        return float(np.abs(self.network - self.single).max())

    @property
    def title(self) -> str:
        """How many layers are one."""
        return f"{self.layers} linear layers are one: {self.parameters[0]} parameters do the work of {self.parameters[1]}"

    @property
    def reading(self) -> str:
        """How to read both panels."""
        product = "·".join(f"W{i + 1}" for i in range(self.layers))
        return (
            f"Left each output along a straight line through the inputs: lines of the network, signs of the single layer W = {product}; "
            f"they differ by {numeral(self.largest_difference, 1)} at most, and stay straight; right how many parameters each has."
        )

    def draw(self, ax: Axes) -> None:
        """The outputs left, the numbers of parameters right."""
        outputs, counts = subplots(ax, 1, 2)
        some = slice(None, None, max(1, len(self.way) // 12))
        for k in range(self.network.shape[1]):
            look: dict[str, Any] = {"color": SERIES[k % len(SERIES)]}
            outputs.plot(self.way, self.network[:, k], label=f"network, output {k}", **look)
            sign = MARKERS[k % len(MARKERS)]
            outputs.plot(
                self.way[some], self.single[some, k], sign, markeredgecolor=INK, label=f"one layer, output {k}", **look
            )
        outputs.set_xlabel("way from the lowest to the highest inputs (share)")
        outputs.set_ylabel(f"{short(self.quantity)} (no unit)")
        if self.network.shape[1] <= 4:
            outputs.legend(fontsize=7)
        bars = counts.bar(
            [f"{self.layers} layers", "one layer"], self.parameters, color=[SERIES[0], SERIES[1]], hatch=["", "//"]
        )
        counts.bar_label(bars, padding=2)
        counts.set_xlabel("network")
        counts.set_ylabel("parameters (number)")


@dataclass(frozen=True, eq=False)
class DecisionLine(Picture):
    """Where two outputs are equal over two inputs: the network's difference `network` (rows, columns), and the one layer's, `single`."""

    names: tuple[str, str]
    first: Array
    second: Array
    network: Array
    single: Array

    @property
    def title(self) -> str:
        """What is compared."""
        return "The decision of linear layers is one straight line"

    @property
    def reading(self) -> str:
        """How to read the lines."""
        return (
            "Colours are the decisions of the network of several linear layers, the dashed line is that of the single layer with "
            "W = W1·W2 and b = b1·W2 + b2: it is the border between them."
        )

    def draw(self, ax: Axes) -> None:
        """The two regions and the single layer's line."""
        sides = [-np.inf, 0.0, np.inf]
        ax.contourf(self.first, self.second, self.network, levels=sides, colors=[SERIES[5], SERIES[4]], alpha=0.6)
        if self.single.min() < 0 < self.single.max():
            ax.contour(self.first, self.second, self.single, levels=[0.0], colors=INK, linestyles="--", linewidths=2)
        ax.plot([], [], "--", color=INK, label="one layer")
        for k, colour in enumerate((SERIES[5], SERIES[4])):
            ax.plot([], [], "s", color=colour, alpha=0.6, label=f"network: {'second output' if k else 'first output'}")
        ax.set_xlabel(f"{self.names[0]} (data's units)")
        ax.set_ylabel(f"{self.names[1]} (data's units)")
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=3)


def two_linear_layers(source: Source) -> LinearLayers:
    """A network of linear layers against the one layer W = W1·W2·..., b = (b1·W2 + b2)·... that it is.

    The last layer may have an activation: it is compared before that, at z.

    >>> import chainrule as cr
    >>> model = cr.fit("2-16-2 linear softmax", cr.data.moons(60), epochs=1, batch_size=10).model()
    >>> two_linear_layers(model).parameters
    (82, 6)

    Raises: OptionError for a network with another layer, or an activation before the last one.
    """
    model = model_of(source)
    names = _linear_layers(model)
    W, b = collapsed(model)
    info = model.problem.dataset_info
    spans = np.array([usual_span(source, k) for k in range(len(W))])
    way = np.linspace(0, 1, 61)
    rows = spans[:, 0] + way[:, None] * (spans[:, 1] - spans[:, 0])
    if np.dtype(info.input_dtype).kind != "f":
        limits = np.iinfo(info.input_dtype)
        rows = np.clip(np.rint(rows), limits.min, limits.max)
    quantity = f"{names[-1]}.z"
    network = model.quantities(rows.astype(info.input_dtype))[quantity]
    single = np.asarray(info.scaling.apply(rows)) @ W + b
    counts = sum(value.size for value in model.parameters.values()), W.size + b.size
    return LinearLayers(W, b, way, network, single, counts, len(names), quantity)


def decision_line(source: Source, outputs: tuple[int, int] = (0, 1)) -> DecisionLine:
    """The border between two outputs of linear layers over two inputs, and the single layer's: they coincide.

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
    names_of = feature_names(model.problem.dataset_info)
    single = (z[:, outputs[1]] - z[:, outputs[0]]).reshape(across.shape)
    return DecisionLine((names_of[0], names_of[1]), first, second, (high - low).reshape(across.shape), single)


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
    weights = model.parameters[f"{layer}.W"]
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
