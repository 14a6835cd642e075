"""The biography of a neuron: what it listens to, what excites it, whom it speaks to, and what is missing without it."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from chainrule.data import Examples
from chainrule.errors import OptionError
from chainrule.graph import PARAMETER, Array, Node, topological_order
from chainrule.numerals import numeral
from chainrule.ops import matmul
from chainrule.train import Model
from chainrule.views.colours import DIVERGING, SERIES
from chainrule.views.pictures.features.removal import Effect, effect_words, effects
from chainrule.views.pictures.learning.places import cost_at, output_names
from chainrule.views.pictures.picture import Picture
from chainrule.views.pictures.sheets import class_name, draw_image, draw_images, draw_table, feature_cells, image_shape, panels
from chainrule.views.pictures.subject import feature_names, require_quantity
from chainrule.views.plain import counted, printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
"""The points of a distribution that a class's bar shows."""
_MOST_BARS = 20


@dataclass(frozen=True)
class Weights:
    """A neuron's weights, by the names of the neurons (or inputs) at their other ends."""

    parameter: str
    names: tuple[str, ...]
    values: Array


@dataclass(frozen=True)
class NeuronBiography(Picture):
    """One neuron of a quantity on n examples: its `activations` (n,), by `targets`: labels (n,) or numbers (n, k).

    `incoming` and `outgoing` are its weights (None where no weights are read or nothing follows); `image` the shape of the
    incoming ones as an image, if they are one; `best` (k,) the examples that excite it most, their inputs (k, ...); `removal` what
    holding it at 0 and at its mean does, empty for the network's output.
    """

    size: ClassVar[tuple[float, float]] = (9.6, 6.4)
    quantity: str
    neuron: int
    activations: Array
    targets: Array
    classes: tuple[str, ...] | None
    incoming: Weights | None
    bias: float
    image: tuple[int, ...] | None
    outgoing: Weights | None
    best: Array
    best_inputs: Array
    features: tuple[str, ...] | None
    removal: tuple[Effect, ...]

    @property
    def title(self) -> str:
        """Which neuron."""
        return f"The biography of {printable(self.quantity, most=30)}, neuron {self.neuron}"

    @property
    def reading(self) -> str:
        """How to read the panels, and what its removal does."""
        told = [effect_words(effect, classifier=self.classes is not None) for effect in self.removal]
        at = ["0", *(f"its mean {numeral(effect.value)}" for effect in self.removal[1:])]
        words = [f"held at {value}: {what}" for value, what in zip(at, told, strict=False)]
        return (
            "Its weights from the layer before, how strongly it answers, the examples that excite it most, and its weights to the next "
            f"layer, on {counted(len(self.activations), 'example')}; {'; '.join(words) or 'it is an output, and cannot be removed'}."
        )

    @property
    def quantiles(self) -> Array:
        """The 5, 25, 50, 75 and 95 % points of its activation for each class, (classes, 5); NaN for a class without examples."""
        if self.classes is None:
            return np.quantile(self.activations, QUANTILES)[None]
        groups = [self.activations[self.targets == label] for label in range(len(self.classes))]
        return np.array([np.quantile(group, QUANTILES) if len(group) else [np.nan] * len(QUANTILES) for group in groups])

    def arrays(self) -> dict[str, Array]:
        """Activations, targets, the best examples, quantiles, and the weights as far as there are any."""
        weights = {"incoming": self.incoming, "outgoing": self.outgoing}
        found = {name: item.values for name, item in weights.items() if item is not None}
        return {**super().arrays(), "quantiles": self.quantiles, **found}

    def draw(self, ax: Axes) -> None:
        """Four panels."""
        first, second, third, fourth = panels(ax, 2, 2, gap=(0.14, 0.24), top=0.05)
        self._draw_incoming(first)
        self._draw_answers(second)
        self._draw_best(third)
        _draw_bars(fourth, self.outgoing, "Outgoing weights", "neuron of the next layer")

    def _draw_incoming(self, panel: Axes) -> None:
        if self.incoming is None or self.image is None:
            _draw_bars(panel, self.incoming, f"Incoming weights (bias {numeral(self.bias)})", self._sources)
            return
        most = float(np.abs(self.incoming.values).max()) or 1.0
        draw_image(panel, self.incoming.values.reshape(self.image), -most, most, DIVERGING)
        panel.set_title(f"Incoming weights (bias {numeral(self.bias)})", fontsize=9)
        # A bar of colours beside the image, in the free part of the panel.
        bar = panel.inset_axes((1.06, 0.0, 0.05, 1.0))
        bar.imshow(np.linspace(most, -most, 101)[:, None], cmap=DIVERGING, aspect="auto", extent=(0, 1, -most, most))
        bar.set(xticks=[], ylabel="weight")
        bar.yaxis.set_label_position("right")
        bar.yaxis.tick_right()
        bar.tick_params(labelsize=7)

    @property
    def _sources(self) -> str:
        numbered = self.incoming is not None and self.incoming.names[0] == "0"
        return "neuron of the layer before" if numbered else "input"

    def _draw_answers(self, panel: Axes) -> None:
        name = f"{printable(self.quantity, most=24)}[{self.neuron}]"
        panel.set_title("How strongly it answers", fontsize=9)
        if self.classes is None:
            panel.plot(self.targets[:, 0], self.activations, "o", color=SERIES[0], markersize=2.5, alpha=0.5)
            panel.set(xlabel="target (units of the data)", ylabel=f"activation {name}")
            return
        for place, (low, left, middle, right, high) in enumerate(self.quantiles.tolist()):
            panel.plot([low, high], [place, place], color=SERIES[0], linewidth=1)
            panel.plot([left, right], [place, place], color=SERIES[0], linewidth=4, solid_capstyle="butt")
            panel.plot([middle], [place], "o", color="white", markeredgecolor=SERIES[0], markersize=4)
        names = [class_name(self.classes, place) for place in range(len(self.classes))]
        step = max(1, len(names) // 15)
        panel.set_yticks(np.arange(len(names))[::step], names[::step], fontsize=7.5)
        panel.set_ylim(len(names) - 0.5, -0.5)
        panel.set(xlabel=f"activation {name}: median, middle half, 5 to 95 %", ylabel="class")

    def _draw_best(self, panel: Axes) -> None:
        answers = [numeral(float(value)) for value in self.activations[self.best]]
        names = [self._target(int(place)) for place in self.best]
        panel.set_title("What excites it most", fontsize=9)
        shape = image_shape(self.best_inputs.shape[1:], self.best_inputs.dtype.name)
        if shape is not None:
            captions = [f"{name}: {answer}" for name, answer in zip(names, answers, strict=True)]
            draw_images(panel, self.best_inputs.reshape(-1, *shape), captions, 4, 0.09)
            return
        head, cells = feature_cells(self.best_inputs, self.features, 3)
        rows = [[*row, name, answer] for row, name, answer in zip(cells, names, answers, strict=True)]
        draw_table(panel, [*head, "target", "activation"], rows)

    def _target(self, place: int) -> str:
        target = self.targets[place]
        return class_name(self.classes, int(target), 10) if self.classes is not None else numeral(float(target[0]))


def _draw_bars(panel: Axes, weights: Weights | None, title: str, what: str) -> None:
    panel.set_title(title, fontsize=9)
    if weights is None:
        panel.set_axis_off()
        panel.text(0, 0.9, "none: no matrix of weights lies there", fontsize=8, transform=panel.transAxes)
        return
    order = np.arange(len(weights.values))
    if len(order) > _MOST_BARS:
        order = np.sort(np.argsort(-np.abs(weights.values), kind="stable")[:_MOST_BARS])
    shown = weights.values[order]
    panel.barh(np.arange(len(order)), shown, color=[SERIES[1] if value > 0 else SERIES[0] for value in shown.tolist()])
    panel.axvline(0, color="#777777", linewidth=0.8)
    panel.set_yticks(np.arange(len(order)), [printable(weights.names[place], most=16) for place in order.tolist()], fontsize=7)
    panel.set_ylim(max(len(order), 5) - 0.5, -0.5)
    some = f", {len(order)} largest of {len(weights.values)}" if len(order) < len(weights.values) else ""
    panel.set(xlabel=f"weight in {printable(weights.parameter, most=24)}{some}", ylabel=what)


def neuron_biography(model: Model, examples: Examples, quantity: str, neuron: int, most: int = 8) -> NeuronBiography:
    """Everything about one neuron: weights, answers by class, the examples that excite it most, and what its removal does.

    Neurons are counted from 0. Raises: OptionError for a quantity or a neuron that the network does not have.
    """
    require_quantity(model, quantity)
    values = model.quantities(examples.x, {quantity})[quantity].reshape(len(examples), -1)
    if not 0 <= neuron < values.shape[1]:
        raise OptionError(f"neuron {neuron} of {quantity}", expected=f"0 ... {values.shape[1] - 1}", remedy="count from 0")
    answers = values[:, neuron]
    best = np.argsort(-answers, kind="stable")[:most]
    incoming, image, outgoing = _weights(model, examples, quantity, neuron)
    bias = model.parameters.get(f"{quantity.rpartition('.')[0]}.b")
    output = model.problem.described.built.output.name
    held = [] if quantity in {output, "output"} else [(neuron, 0.0), (neuron, float(answers.mean()))]
    return NeuronBiography(
        quantity,
        neuron,
        answers,
        examples.y,
        model.problem.dataset_info.classes,
        incoming,
        float(bias[neuron]) if bias is not None and len(bias) == values.shape[1] else 0.0,
        image,
        outgoing,
        best,
        examples.x[best],
        model.problem.dataset_info.features,
        tuple(effects(model, examples.x, examples.y, quantity, held)) if held else (),
    )


def _weights(
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
        incoming = Weights(matrix.name, names, model.parameters[matrix.name][:, neuron])
        data = model.problem.dataset_info
        fits = first and prod(data.input_shape) == matrix.shape[0]
        image = image_shape(data.input_shape, data.input_dtype) if fits else None
    if after:
        matrix = after[0].inputs[1]
        units = int(matrix.shape[1])
        names = output_names(model, units) if after[0] is products[-1] else _numbered(units)
        outgoing = Weights(matrix.name, names, model.parameters[matrix.name][neuron])
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
