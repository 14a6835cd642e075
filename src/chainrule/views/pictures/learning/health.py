"""How the neurons and weights of a network fare: dead and saturated neurons, and how far the weights have come from their start."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from chainrule import ops
from chainrule.errors import OptionError
from chainrule.graph import Array, Op, topological_order
from chainrule.immutable import immutable
from chainrule.numerals import numeral
from chainrule.train import Model
from chainrule.views.marks import Band, Bars, Hatch, Line, Mark, Text, bin_edges
from chainrule.views.panels import Axis, Panel, Table
from chainrule.views.pictures.kinds import suits
from chainrule.views.pictures.learning.places import shown
from chainrule.views.pictures.subject import Source, model_of
from chainrule.views.plain import spaced
from chainrule.views.view import View, chart

KINDS: Mapping[Op, str] = {ops.relu: "relu", ops.sigmoid: "sigmoid", ops.tanh: "tanh"}
MEASURES: Mapping[str, Callable[[Array], Array]] = {
    "relu": lambda a: a > 0,
    "sigmoid": lambda a: a * (1 - a),
    "tanh": lambda a: 1 - a**2,
}
"""What is averaged over the examples: whether it fires, or f′, which both of the others have by their own value."""
BINS = 60


@immutable(eq=False)
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


def has_health(source: Source) -> bool:
    """Whether a network has a ReLU, sigmoid or tanh with a name."""
    return bool(layers_with_health(model_of(source)))


@suits(has_health)
def dead_and_saturated(model: Model, x: Array, threshold: float = 0.01) -> View:
    """The neurons of each named ReLU, sigmoid and tanh that are dead or saturated on the inputs x (n, ...).

    The numbers of each quantity are "name.measure" and "name.troubled", those of `health_of_layers`, which has the errors too.
    """
    layers = health_of_layers(model, x, threshold)
    shares = np.array([100 * layer.share for layer in layers])
    dead = np.array([layer.kind == "relu" for layer in layers], dtype=bool)
    kinds: list[tuple[Array, int, Hatch, str]] = [(dead, 1, "", "dead (ReLU)"), (~dead, 0, "//", "saturated")]
    counts = [f"{len(layer.troubled)} of {len(layer.measure)}" for layer in layers]
    rows = np.arange(len(layers))
    bars: list[Mark] = [
        Bars(rows[chosen], shares[chosen], width=0.6, flat=True, color=colour, hatch=hatch, label=word)
        for chosen, colour, hatch, word in kinds
        if np.any(chosen)
    ]
    measures = {f"{layer.name}.measure": layer.measure for layer in layers}
    return chart(
        "Dead and saturated neurons",
        "A bar is the fraction of a layer's neurons that hardly a gradient passes: ReLUs that are 0 on all "
        f"{spaced(len(x))} examples (dead), sigmoids and tanhs whose mean |f′| is below {numeral(threshold, 6)} "
        "(saturated).",
        [*bars, Text(shares, rows, counts, offset=(5, 0), across="left")],
        Axis("fraction of the layer's neurons (%)", ends=(0, 118), at=range(0, 101, 20)),
        Axis("layer", at=rows, texts=[f"{shown(layer.name)} ({layer.kind})" for layer in layers], ends=(len(rows) - 0.4, -0.6)),
        {**measures, **{f"{layer.name}.troubled": layer.troubled for layer in layers}},
        legend="lower right",
    )


def layers_with_health(model: Model) -> dict[str, str]:
    """The named ReLU, sigmoid and tanh quantities of a network, each with its function."""
    output = model.problem.described.built.output
    return {node.name: KINDS[node.op] for node in topological_order([output]) if node.name and node.op in KINDS}


def health_of_layers(model: Model, x: Array, threshold: float = 0.01) -> tuple[LayerHealth, ...]:
    """The neurons of each named ReLU, sigmoid and tanh of a network on the inputs x (n, ...), and which of them are in trouble.

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
    return tuple(_health(name, kind, values[name], threshold) for name, kind in kinds.items())


def health_table(layers: Sequence[LayerHealth]) -> Table:
    """Each layer with its count and the numbers of its troubled neurons."""
    rows = [
        (item.name, item.kind, f"{len(item.troubled)} of {len(item.measure)} {item.word}", ", ".join(map(str, item.troubled)))
        for item in layers
    ]
    return Table(("layer", "function", "how many", "which"), tuple(rows))


def _health(name: str, kind: str, a: Array, threshold: float) -> LayerHealth:
    measure = np.mean(MEASURES[kind](a.reshape(len(a), -1)), axis=0)
    troubled = np.flatnonzero(measure == 0 if kind == "relu" else measure < threshold)
    return LayerHealth(name, kind, measure, troubled)


def weight_histograms(start: Model, end: Model, bins: int = BINS) -> View:
    """The histograms of each parameter of two states of one network, over the same bins.

    The numbers: `edges` (bins + 1,), the counts "name.before" and "name.after" (bins,) of each parameter, and "name.moved", the root
    mean square way that an entry has come.

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
    edges = bin_edges(values, bins)
    names = list(start.parameters)
    before, after = ([np.histogram(state.parameters[name], edges)[0] for name in names] for state in (start, end))
    moved = [float(np.sqrt(np.mean((end.parameters[name] - start.parameters[name]) ** 2))) for name in names]
    found = {"before": before, "after": after, "moved": [np.asarray(way) for way in moved]}
    return View(
        "Weights now against their start",
        "Filled: how a parameter's entries are spread now, dashed outline: at the start, each to its own height; Δ is the "
        "root mean square way that an entry has come. Outlines that still fit belong to layers that have hardly learned.",
        [_histogram_rows(names, edges, list(zip(after, before, strict=True)), moved)],
        {"edges": edges, **{f"{name}.{kind}": rows[row] for kind, rows in found.items() for row, name in enumerate(names)}},
        size=(6.0, 4.6),
    )


def _histogram_rows(names: Sequence[str], edges: Array, counts: Sequence[tuple[Array, Array]], moved: Sequence[float]) -> Panel:
    """A row to a parameter, with the way that its entries have come."""
    outlines = [mark for row, (now, then) in enumerate(counts) for mark in _outlines(row, edges, now, then)]
    places, words = -np.arange(len(names)), [f"Δ {numeral(way, 2)}" for way in moved]
    label, texts = "parameter (each row: number of entries)", [shown(name) for name in names]
    return Panel(
        [
            *outlines,
            Text(np.full(len(names), 1.01), places + 0.35, words, where=("axes", "data"), across="left"),
            Line([], [], dash="dashed", width=0.9, label="at the start"),
            Band([], [], [], color="faint", alpha=0.45, label="now"),
        ],
        Axis("value of an entry"),
        Axis(label, at=places, texts=texts, ends=(0.9 - len(names), 1.05)),
        legend="upper left",
    )


def _outlines(row: int, edges: Array, now: Array, then: Array) -> list[Mark]:
    """Rows run downwards, as one reads; biases that all start at one value would press every other shape flat."""
    x = np.repeat(edges, 2)[1:-1]
    up, had = (-row + 0.85 * np.repeat(counts, 2) / max(1, int(counts.max())) for counts in (now, then))
    return [Band(x, np.full(len(x), float(-row)), up, color=row, alpha=0.45), Line(x, had, dash="dashed", width=0.9)]
