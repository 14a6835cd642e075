"""What one example wants changed: its outputs, the three ways to move one of them, and what that asks of the neurons before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from chainrule.derivatives import vjp
from chainrule.graph import Array, Node, compute, input_node
from chainrule.numerals import numeral
from chainrule.train import Model
from chainrule.views.colours import CSS_VARIABLES, SERIES
from chainrule.views.figures.style import INK
from chainrule.views.pictures.learning.places import (
    CostAt,
    DensePlace,
    cost_at,
    one_example,
    output_names,
    output_number,
    shown,
    targets,
    unit_names,
    unit_number,
)
from chainrule.views.pictures.picture import Picture
from chainrule.views.pictures.ranked import Ranked

if TYPE_CHECKING:
    from matplotlib.axes import Axes

POSITIVE, NEGATIVE = CSS_VARIABLES["positive"][0], CSS_VARIABLES["negative"][0]
HATCHES = ("", "//", "..", "xx")
MOST_BARS = 7
"""Weights, and activations, that the picture of the three ways shows; the ranked list has them all."""
MOST_INPUTS = 16
"""Neurons before that the picture of the wishes shows."""


@dataclass(frozen=True, eq=False)
class OutputNudges(Picture):
    """What each output is, should be, and which way the cost pushes it: arrays (outputs,).

    `nudges` are −∂C/∂`by`, `by` the name of the quantity that the cost is computed from: the activations, or z where softmax or
    sigmoid and the loss are one formula.
    """

    names: tuple[str, ...]
    values: Array
    targets: Array
    nudges: Array
    by: str

    @property
    def title(self) -> str:
        """The outputs."""
        return "What each output should do"

    @property
    def reading(self) -> str:
        """What arrow and number are."""
        return (
            f"Dot: the output, diamond: its target; the arrow and the number give −∂C/∂{shown(self.by)}, to the right for up, "
            "left for down: an output far from its target is pushed hardest."
        )

    def draw(self, ax: Axes) -> None:
        """A row to an output: value, target, and the push as an arrow."""
        rows = np.arange(len(self.names))
        ends = self.values + self.nudges * self._scale()
        for row, start, end, nudge in zip(rows, self.values, ends, self.nudges, strict=True):
            colour = POSITIVE if nudge > 0 else NEGATIVE
            arrow = {"arrowstyle": "-|>", "color": colour, "linewidth": 2, "shrinkA": 0, "shrinkB": 0}
            ax.annotate("", (end, row), xytext=(start, row), arrowprops=arrow)
            ax.annotate(f"{nudge:+.3f}", (1.02, row), xycoords=("axes fraction", "data"), va="center", fontsize=8, color=colour)
        ax.scatter(self.targets, rows, marker="D", s=34, facecolors="none", edgecolors=INK, label="target")
        ax.scatter(self.values, rows, s=24, color=INK, label="output", zorder=3)
        ax.hlines(rows, *ax.get_xlim(), color="#d4d7dc", linewidth=0.6, zorder=0)
        ax.set_yticks(rows, list(self.names))
        ax.set_ylim(len(rows) - 0.4, -0.6)
        ax.set_xlabel(f"output; arrows in proportion to −∂C/∂{shown(self.by)} (numbers at the right)")
        ax.set_ylabel("output neuron")
        ax.legend(loc="lower center", bbox_to_anchor=(0.8, 1.0), ncols=2)

    def _scale(self) -> float:
        """The longest arrow reaches as far as its output is from the target."""
        longest = int(np.argmax(np.abs(self.nudges)))
        wanted = abs(float(self.targets[longest] - self.values[longest])) or 1.0
        return wanted / (abs(float(self.nudges[longest])) or 1.0)


def output_nudges(model: Model, x: Array, y: Array) -> OutputNudges:
    """What the cost of one example x, y asks of each output.

    Raises: ShapeError for more than one example.
    """
    x, y = one_example(model, x, y)
    here = cost_at(model, x, y)
    output = here.cost.built.output
    by = pushed(here, output)
    (values,), (slopes,) = here.values([output]), here.derivatives([by], here.loss)
    names = output_names(model, values.shape[1])
    return OutputNudges(names, values[0], targets(model, y, len(names))[0], -slopes.reshape(len(names)), by.name or "output")


def pushed(here: CostAt, output: Node) -> Node:
    """The output, or the last z where the loss goes around the output's activation."""
    return output if here.used(output) else here.dense().z


@dataclass(frozen=True, eq=False)
class Nudges(Picture):
    """The three ways to move one neuron's z by the cost of one example: each a nudge, −∂C/∂ what is changed.

    `push` is −∂C/∂z of the neuron. With z = Σ_k w_k·a_k + b: `bias` = push (NaN without a bias), `weights` = push·a_k,
    `activations` = push·w_k; arrays (inputs,). `a` and `w` are what they are in proportion to.
    """

    size: ClassVar[tuple[float, float]] = (6.2, 4.6)
    neuron: str
    push: Array
    bias: Array
    weights: Array
    activations: Array
    a: Array
    w: Array
    inputs: tuple[str, ...]

    @property
    def title(self) -> str:
        """Which neuron."""
        return f"Three ways to move the neuron {self.neuron}"

    @property
    def reading(self) -> str:
        """What each group is in proportion to."""
        if self.push == 0:
            return (
                "The cost does not push this neuron at all: it is at its target, or no gradient passes it (a ReLU that is off)."
            )
        way = "up" if self.push > 0 else "down"
        return (
            f"The cost pushes this neuron {way} with {float(self.push):+.3f} per unit of z: its bias takes that push as it is, "
            "each weight in proportion to the activation it multiplies (bright inputs give most for the change), each "
            "activation before in proportion to its weight."
        )

    def ranked(self, way: str = "weights") -> Ranked:
        """One way as a list, the largest nudge first: "weights" with their activations, or "activations" with their weights."""
        nudges, factor, word = {"weights": (self.weights, self.a, "a"), "activations": (self.activations, self.w, "w")}[way]
        order = by_size(nudges)
        sign = "w" if way == "weights" else "a"
        return Ranked(
            ("input", f"−∂C/∂{sign}", word), tuple((self.inputs[k], float(nudges[k]), float(factor[k])) for k in order)
        )

    def draw(self, ax: Axes) -> None:
        """Three groups of bars, the largest of each."""
        rows = [("the bias", float(self.bias))] if np.isfinite(self.bias) else []
        ends = [len(rows)]
        for way, first, second in (("weights", "w from", "a"), ("activations", "a of", "w")):
            found = self.ranked(way).rows[:MOST_BARS]
            rows += [(f"{first} {name}  ({second} = {float(factor):.2f})", float(nudge)) for name, nudge, factor in found]
            ends.append(len(rows))
        places = np.arange(len(rows)) + np.repeat([0.0, 0.7, 1.4], np.diff([0, *ends]))
        values = np.array([value for _, value in rows])
        bars = ax.barh(places, values, color=np.where(values > 0, POSITIVE, NEGATIVE))
        ax.bar_label(bars, [numeral(value, 3, sign=True) for value in values], padding=3, fontsize=7.5)
        ax.axvline(0, color=INK, linewidth=0.8)
        ax.set_yticks(places, [name for name, _ in rows], fontsize=8)
        ax.set_ylim(places[-1] + 0.7, -0.8)
        ax.margins(x=0.18)
        if not np.any(values):
            ax.set_xlim(-1, 1)
        ax.set_xlabel("nudge: −∂C/∂(what is changed); above 0: raise it")
        left_out = len(self.inputs) - MOST_BARS
        ax.set_ylabel(f"what is changed ({left_out} smaller of each left out)" if left_out > 0 else "what is changed")


def nudges(model: Model, x: Array, y: Array, label: int | str = 0, layer: str = "") -> Nudges:
    """The three ways for one neuron of a Dense layer (the last one unless named) and one example x, y.

    `label`: the neuron's number; for the last layer also the name of a class. All nudges are derivatives of the example's loss, taken
    by the graph; penalties, which ask of each weight the same whatever the example, are left out.
    Raises: ShapeError for more than one example, OptionError for a neuron or layer that is not there.
    """
    here = cost_at(model, *one_example(model, x, y))
    place = here.dense(layer)
    units, last = place.z.shape[1], place.layer == here.dense().layer
    j = output_number(model, label, units) if last else unit_number(label, units)
    slopes = here.derivatives([place.z, place.weights, *([place.bias] if place.bias is not None else [])], here.loss)
    before, w = here.values([place.given, place.weights])
    return Nudges(
        output_names(model, units)[j] if last else f"{place.layer}[{j}]",
        np.asarray(-slopes[0][0, j]),
        np.asarray(-slopes[2][j] if place.bias is not None else np.nan),
        -slopes[1][:, j],
        asked_before(here, place, -slopes[0])[j],
        before[0],
        w[:, j],
        unit_names(model, place.given),
    )


def asked_before(here: CostAt, place: DensePlace, pushes: Array) -> Array:
    """What each unit of the layer, pushed (1, units), asks of each number before it: (units, inputs), by the graph."""
    cotangent = input_node("push", place.z.shape, place.z.dtype)
    (asked,) = vjp([place.z], [place.given], [cotangent])
    if asked is None:
        return np.zeros((place.z.shape[1], place.given.shape[1]))
    alone = np.diag(pushes[0])
    return np.concatenate([compute([asked], {**here.bound, cotangent: row[None]})[0] for row in alone])


@dataclass(frozen=True, eq=False)
class Wishes(Picture):
    """What each unit of a layer wants of each number before: `wishes` (units, inputs), above 0 for more.

    `total` (inputs,) is their sum, `descent` (inputs,) is −∂C/∂a_k by the graph: the same to rounding, where nothing but this layer
    takes a_k.
    """

    size: ClassVar[tuple[float, float]] = (6.6, 4.2)
    layer: str
    units: tuple[str, ...]
    inputs: tuple[str, ...]
    wishes: Array
    total: Array
    descent: Array

    @property
    def title(self) -> str:
        """Whose wishes."""
        return f"What the {len(self.units)} neurons of {shown(self.layer)} want of the neurons before"

    @property
    def reading(self) -> str:
        """What is stacked, and what the sum is."""
        return (
            "Each piece of a bar is one neuron's wish, −∂C/∂z of it times its weight, stacked upwards for more and downwards "
            "for less; the black mark is their sum, which is −∂C/∂a (largest difference "
            f"{numeral(float(np.max(np.abs(self.total - self.descent))), 2)}): what the layer before is told."
        )

    def draw(self, ax: Axes) -> None:
        """Stacked bars, the inputs of which most is wanted."""
        chosen = sorted(by_size(np.abs(self.wishes).sum(axis=0))[:MOST_INPUTS])
        at = np.arange(len(chosen))
        above, below = np.zeros(len(chosen)), np.zeros(len(chosen))
        for unit, row in enumerate(self.wishes[:, chosen]):
            ax.bar(at, row, bottom=np.where(row > 0, above, below), width=0.78, label=self.units[unit], **_look(unit))
            above, below = above + np.maximum(row, 0), below + np.minimum(row, 0)
        ax.plot(
            at,
            self.total[chosen],
            "D",
            color=INK,
            markeredgecolor="white",
            markersize=6,
            label="their sum",
            linestyle="none",
        )
        ax.axhline(0, color=INK, linewidth=0.8)
        ax.set_xticks(at, [self.inputs[k] for k in chosen], rotation=60, ha="right", fontsize=7.5)
        left_out = len(self.inputs) - len(chosen)
        ax.set_xlabel("neuron before" + (f" ({left_out} of which less is wanted left out)" if left_out else ""))
        ax.set_ylabel("wish: −∂C/∂a, above 0: raise it")
        ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))


def wishes(model: Model, x: Array, y: Array, layer: str = "") -> Wishes:
    """What each neuron of a Dense layer (the last one unless named) wants of each neuron before it, for one example x, y.

    Raises: ShapeError for more than one example, OptionError for a layer that is not there.
    """
    here = cost_at(model, *one_example(model, x, y))
    place = here.dense(layer)
    pushes, slopes = here.derivatives([place.z, place.given], here.loss)
    found = asked_before(here, place, -pushes)
    units = place.z.shape[1]
    last = place.layer == here.dense().layer
    names = output_names(model, units) if last else tuple(f"{shown(place.layer)}[{j}]" for j in range(units))
    return Wishes(place.layer, names, unit_names(model, place.given), found, found.sum(axis=0), -slopes[0])


def by_size(values: Array) -> list[int]:
    """The places of the values, the largest size first; equal ones in their order."""
    return [int(place) for place in np.argsort(-np.abs(values), kind="stable")]


def _look(unit: int) -> dict[str, Any]:
    # Colours come round after eight; the hatching then is another.
    hatch = HATCHES[(unit // len(SERIES)) % len(HATCHES)]
    return {"color": SERIES[unit % len(SERIES)], "hatch": hatch, "edgecolor": "white", "linewidth": 0.4}
