"""How the neurons and weights of a network fare: dead and saturated neurons, and how far the weights have come from their start."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from chainrule import ops
from chainrule.errors import OptionError
from chainrule.graph import Array, Op, topological_order
from chainrule.numerals import numeral
from chainrule.train import Model
from chainrule.views.colours import SERIES
from chainrule.views.figures.style import INK
from chainrule.views.pictures.learning.places import shown
from chainrule.views.pictures.picture import Picture
from chainrule.views.pictures.ranked import Ranked
from chainrule.views.plain import spaced

if TYPE_CHECKING:
    from matplotlib.axes import Axes

KINDS: Mapping[Op, str] = {ops.relu: "relu", ops.sigmoid: "sigmoid", ops.tanh: "tanh"}
MEASURES: Mapping[str, Callable[[Array], Array]] = {
    "relu": lambda a: a > 0,
    "sigmoid": lambda a: a * (1 - a),
    "tanh": lambda a: 1 - a**2,
}
"""What is averaged over the examples: whether it fires, or f′, which both of the others have by their own value."""
BINS = 60


@dataclass(frozen=True, eq=False)
class LayerHealth:
    """The neurons of one quantity: `measure` (units,) is the fraction of examples with a > 0 (ReLU), or the mean |f′| (sigmoid, tanh).

    `troubled`: the numbers of the neurons that are dead (measure 0) or saturated (measure below the threshold).
    """

    name: str
    kind: str
    measure: Array
    troubled: Array

    @property
    def word(self) -> str:
        """What ails them."""
        return "dead" if self.kind == "relu" else "saturated"

    @property
    def share(self) -> float:
        """The fraction of the neurons that are troubled."""
        return len(self.troubled) / len(self.measure)


@dataclass(frozen=True, eq=False)
class DeadAndSaturated(Picture):
    """Per layer the neurons that hardly a gradient passes: ReLUs that never fire, sigmoids and tanhs that are flat."""

    layers: tuple[LayerHealth, ...]
    examples: int
    threshold: float

    @property
    def title(self) -> str:
        """What is counted."""
        return "Dead and saturated neurons"

    @property
    def reading(self) -> str:
        """What counts as dead, and as saturated."""
        return (
            "A bar is the fraction of a layer's neurons that hardly a gradient passes: ReLUs that are 0 on all "
            f"{spaced(self.examples)} examples (dead), sigmoids and tanhs whose mean |f′| is below {numeral(self.threshold, 6)} "
            "(saturated)."
        )

    def arrays(self) -> dict[str, Array]:
        """Each layer's measure and its troubled neurons by the layer's name."""
        named = {f"{layer.name}.measure": layer.measure for layer in self.layers}
        return {**named, **{f"{layer.name}.troubled": layer.troubled for layer in self.layers}}

    @property
    def table(self) -> Ranked:
        """Each layer with its count and the numbers of its troubled neurons."""
        rows = [
            (
                item.name,
                item.kind,
                f"{len(item.troubled)} of {len(item.measure)} {item.word}",
                ", ".join(map(str, item.troubled)),
            )
            for item in self.layers
        ]
        return Ranked(("layer", "function", "how many", "which"), tuple(rows))

    def draw(self, ax: Axes) -> None:
        """A bar to a layer with the count at its end."""
        rows = np.arange(len(self.layers))
        dead = np.array([layer.kind == "relu" for layer in self.layers], dtype=bool)
        shares = np.array([100 * layer.share for layer in self.layers])
        for chosen, colour, hatch, word in ((dead, SERIES[1], "", "dead (ReLU)"), (~dead, SERIES[0], "//", "saturated")):
            if np.any(chosen):
                ax.barh(rows[chosen], shares[chosen], color=colour, hatch=hatch, edgecolor="white", height=0.6, label=word)
        for row, layer in zip(rows, self.layers, strict=True):
            count = f"{len(layer.troubled)} of {len(layer.measure)}"
            ax.annotate(count, (100 * layer.share, row), xytext=(5, 0), textcoords="offset points", va="center", fontsize=8)
        ax.set_yticks(rows, [f"{shown(layer.name)} ({layer.kind})" for layer in self.layers])
        ax.set_ylim(len(rows) - 0.4, -0.6)
        ax.set_xlim(0, 118)
        ax.set_xticks(range(0, 101, 20))
        ax.set_xlabel("fraction of the layer's neurons (%)")
        ax.set_ylabel("layer")
        ax.legend(loc="lower right")


def dead_and_saturated(model: Model, x: Array, threshold: float = 0.01) -> DeadAndSaturated:
    """The neurons of each named ReLU, sigmoid and tanh that are dead or saturated on the inputs x (n, ...).

    A saturated neuron's mean |f′| over the examples is below `threshold`; f′ is at most 1/4 for sigmoid, 1 for tanh. A quantity with
    several axes counts each number as a neuron. Raises: OptionError for a network without such functions, or without examples.
    """
    kinds = layers_with_health(model)
    if not kinds or not len(x):
        raise OptionError(
            f"{len(x)} examples for a network with {len(kinds)} layers of relu, sigmoid or tanh",
            expected="at least one of each",
            remedy="give examples, and a network with such a layer",
        )
    values = model.quantities(x, set(kinds))
    layers = tuple(_health(name, kind, values[name], threshold) for name, kind in kinds.items())
    return DeadAndSaturated(layers, len(x), threshold)


def layers_with_health(model: Model) -> dict[str, str]:
    """The named ReLU, sigmoid and tanh quantities of a network, each with its function."""
    output = model.problem.described.built.output
    return {node.name: KINDS[node.op] for node in topological_order([output]) if node.name and node.op in KINDS}


def _health(name: str, kind: str, a: Array, threshold: float) -> LayerHealth:
    measure = np.mean(MEASURES[kind](a.reshape(len(a), -1)), axis=0)
    troubled = np.flatnonzero(measure == 0 if kind == "relu" else measure < threshold)
    return LayerHealth(name, kind, measure, troubled)


@dataclass(frozen=True, eq=False)
class WeightHistograms(Picture):
    """Each parameter's values now and at the start: `before`, `after` hold counts (bins,) by parameter, `edges` (bins + 1,)."""

    size: ClassVar[tuple[float, float]] = (6.0, 4.6)
    edges: Array
    before: Mapping[str, Array]
    after: Mapping[str, Array]
    moved: Mapping[str, float]

    @property
    def title(self) -> str:
        """What is compared."""
        return "Weights now against their start"

    @property
    def reading(self) -> str:
        """What outline and area are."""
        return (
            "Filled: how a parameter's entries are spread now, dashed outline: at the start, each to its own height; Δ is the "
            "root mean square way that an entry has come. Outlines that still fit belong to layers that have hardly learned."
        )

    def arrays(self) -> dict[str, Array]:
        """The edges, and both counts of each parameter by its name."""
        named = {f"{name}.before": counts for name, counts in self.before.items()}
        return {"edges": self.edges, **named, **{f"{name}.after": counts for name, counts in self.after.items()}}

    def draw(self, ax: Axes) -> None:
        """A row to a parameter."""
        for row, name in enumerate(self.before):
            # Rows run downwards, as one reads; biases that all start at one value would press every other shape flat.
            counts = (self.after[name], self.before[name])
            after, before = (-row + 0.85 * count / max(1, int(count.max())) for count in counts)
            colour = SERIES[row % len(SERIES)]
            ax.stairs(after, self.edges, baseline=-row, fill=True, color=colour, alpha=0.45)
            ax.stairs(before, self.edges, baseline=-row, color=INK, linestyle="--", linewidth=0.9)
            words = f"Δ {numeral(self.moved[name], 2)}"
            ax.annotate(words, (1.01, -row + 0.35), xycoords=("axes fraction", "data"), fontsize=8, annotation_clip=False)
        ax.plot([], [], "--", color=INK, linewidth=0.9, label="at the start")
        ax.fill_between([], [], [], color="#6b7280", alpha=0.45, label="now")
        ax.set_yticks(-np.arange(len(self.before)), [shown(name) for name in self.before])
        ax.set_ylim(0.1 - len(self.before) + 0.8, 1.05)
        ax.set_xlabel("value of an entry")
        ax.set_ylabel("parameter (each row: number of entries)")
        ax.legend(loc="upper left", fontsize=7.5)


def weight_histograms(start: Model, end: Model, bins: int = BINS) -> WeightHistograms:
    """The histograms of each parameter of two states of one network, over the same bins.

    Raises: OptionError for two different networks, for numbers that are not finite, or for no bins.
    """
    shapes = [{name: array.shape for name, array in model.parameters.items()} for model in (start, end)]
    values = np.concatenate([array.ravel() for model in (start, end) for array in model.parameters.values()])
    if shapes[0] != shapes[1] or bins < 1 or not np.all(np.isfinite(values)):
        raise OptionError(
            f"{bins} bins for parameters {shapes[0]} and {shapes[1]}",
            expected="at least one bin, two states of one network, finite numbers",
            remedy="give the models of one run at its start and its end",
        )
    edges = np.histogram_bin_edges(values, bins)
    counts = [{name: np.histogram(array, edges)[0] for name, array in model.parameters.items()} for model in (start, end)]
    moved = {name: float(np.sqrt(np.mean((end.parameters[name] - start.parameters[name]) ** 2))) for name in start.parameters}
    return WeightHistograms(edges, counts[0], counts[1], moved)
