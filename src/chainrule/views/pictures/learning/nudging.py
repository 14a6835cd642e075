"""What one example wants changed: its outputs, the three ways to move one of them, and what that asks of the neurons before."""

from __future__ import annotations

import numpy as np

from chainrule.derivatives import vjp
from chainrule.display import Shown
from chainrule.graph import Array, Node, compute, input_node
from chainrule.immutable import immutable
from chainrule.numerals import numeral
from chainrule.train import Model
from chainrule.views.marks import HATCHES, Bars, Color, Line, Mark, Points, Rule, Text
from chainrule.views.panels import Axis, Panel, Table
from chainrule.views.pictures.given import OneExample
from chainrule.views.pictures.learning.places import (
    CostAt,
    DensePlace,
    cost_at,
    one_example,
    output_names,
    output_number,
    pushed_most,
    shown,
    targets,
    unit_names,
    unit_number,
)
from chainrule.views.view import View, chart, numbers, numbers_of

MOST_BARS = 7
"""Weights, and activations, that the picture of the three ways shows; the ranked list has them all."""
MOST_INPUTS = 16
"""Neurons before that the picture of the wishes shows."""


def output_nudges(model: Model, x: OneExample, y: OneExample) -> View:
    """What the cost of one example x, y asks of each output.

    The numbers, each (outputs,): what each output is, `values`, should be, `targets`, and `nudges`, −∂C/∂`by`; `by` is the name of
    the quantity that the cost is computed from: the activations, or z where softmax or sigmoid and the loss are one formula.

    Raises: ShapeError for more than one example.
    """
    x, y = one_example(model, x, y)
    here = cost_at(model, x, y)
    output = here.cost.built.output
    by = pushed(here, output)
    (values,), (slopes,) = here.values([output]), here.derivatives([by], here.loss)
    names = output_names(model, values.shape[1])
    wanted, given = targets(model, y, len(names))[0], -slopes.reshape(len(names))
    word, (shown_ones, left) = shown(by.name or "output"), pushed_most(given)
    rows = np.arange(len(shown_ones))
    return chart(
        "What each output should do",
        f"Dot: the output, diamond: its target; the arrow and the number give −∂C/∂{word}, to the right for up, "
        f"left for down: an output far from its target is pushed hardest{left}.",
        _push_marks(values[0][shown_ones], wanted[shown_ones], given[shown_ones]),
        Axis(f"output; arrows in proportion to −∂C/∂{word} (numbers at the right)"),
        Axis("output neuron", at=rows, texts=[names[int(place)] for place in shown_ones], ends=(len(rows) - 0.4, -0.6)),
        numbers(names=names, values=values[0], targets=wanted, nudges=given, by=by.name or "output"),
        legend="above",
    )


def _push_marks(values: Array, wanted: Array, nudges: Array) -> list[Mark]:
    """A row to an output: value, target, and the push as an arrow; the longest reaches as far as its output is from the target."""
    longest = int(np.argmax(np.abs(nudges)))
    reach = (abs(float(wanted[longest] - values[longest])) or 1.0) / (abs(float(nudges[longest])) or 1.0)
    rows, ends = np.arange(len(values)), values + nudges * reach
    signs: list[Color] = ["positive" if nudge > 0 else "negative" for nudge in nudges]
    words = [f"{nudge:+.3f}" for nudge in nudges]
    return [
        *(Rule(y=float(row), color="line", width=0.6) for row in rows),
        *_arrows(values, ends, rows, nudges),
        Points(wanted, rows, marker="D", size=6.0, hollow=True, label="target"),
        Points(values, rows, size=5.0, label="output"),
        Text(np.full(len(rows), 1.02), rows, words, where=("axes", "data"), across="left", colors=signs),
    ]


def _arrows(starts: Array, ends: Array, rows: Array, nudges: Array) -> list[Mark]:
    ways, level = np.stack([starts, ends], axis=1), np.stack([rows, rows], axis=1)
    kinds: list[tuple[Array, Color]] = [(nudges > 0, "positive"), (nudges < 0, "negative")]
    return [Line(ways[own], level[own], color=colour, width=2.0, arrow=True) for own, colour in kinds if own.any()]


def pushed(here: CostAt, output: Node) -> Node:
    """The output, or the last z where the loss goes around the output's activation."""
    return output if here.used(output) else here.dense().z


@immutable(eq=False)
class Nudges(Shown):
    """The three ways to move one neuron's z by the cost of one example: each a nudge, −∂C/∂ what is changed.

    `push` is −∂C/∂z of the neuron. With z = Σ_k w_k·a_k + b: `bias` = push (NaN without a bias), `weights` = push·a_k,
    `activations` = push·w_k; arrays (inputs,). `a` and `w` are what they are in proportion to.
    """

    neuron: str
    push: Array
    bias: Array
    weights: Array
    activations: Array
    a: Array
    w: Array
    inputs: tuple[str, ...]

    def ranked(self, way: str = "weights") -> Table:
        """One way as a list, the largest nudge first: "weights" with their activations, or "activations" with their weights."""
        found, factor, word = {"weights": (self.weights, self.a, "a"), "activations": (self.activations, self.w, "w")}[way]
        order = by_size(found)
        sign = "w" if way == "weights" else "a"
        return Table(("input", f"−∂C/∂{sign}", word), tuple((self.inputs[k], float(found[k]), float(factor[k])) for k in order))


def three_ways(model: Model, x: OneExample, y: OneExample, label: int | str = 0, layer: str = "") -> Nudges:
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


def nudges(model: Model, x: OneExample, y: OneExample, label: int | str = 0, layer: str = "") -> View:
    """The three ways to move one neuron by one example as bars, the largest of each; `three_ways` gives all of them, ranked.

    Arguments, numbers and errors are those of `three_ways`.
    """
    found = three_ways(model, x, y, label, layer)
    still = "The cost does not push this neuron at all: it is at its target, or no gradient passes it (a ReLU that is off)."
    reading = (
        f"The cost pushes this neuron {'up' if found.push > 0 else 'down'} with {float(found.push):+.3f} per unit of z: its bias "
        "takes that push as it is, "
        "each weight in proportion to the activation it multiplies (bright inputs give most for the change), each "
        "activation before in proportion to its weight."
    )
    return View(
        f"Three ways to move the neuron {found.neuron}",
        still if found.push == 0 else reading,
        [_three_groups(found)],
        numbers_of(found, "push", "bias", "weights", "activations", "a", "w", "inputs"),
        size=(6.2, 4.6),
    )  # fmt: skip


def asked_before(here: CostAt, place: DensePlace, pushes: Array) -> Array:
    """What each unit of the layer, pushed (1, units), asks of each number before it: (units, inputs), by the graph."""
    cotangent = input_node("push", place.z.shape, place.z.dtype)
    (asked,) = vjp([place.z], [place.given], [cotangent])
    if asked is None:
        return np.zeros((place.z.shape[1], place.given.shape[1]))
    alone = np.diag(pushes[0])
    return np.concatenate([compute([asked], {**here.bound, cotangent: row[None]})[0] for row in alone])


def _three_groups(found: Nudges) -> Panel:
    """Three groups of bars, the largest of each."""
    rows = [("the bias", float(found.bias))] if np.isfinite(found.bias) else []
    ends = [len(rows)]
    for way, first, second in (("weights", "w from", "a"), ("activations", "a of", "w")):
        largest = found.ranked(way).rows[:MOST_BARS]
        rows += [(f"{first} {name}  ({second} = {float(factor):.2f})", float(nudge)) for name, nudge, factor in largest]
        ends.append(len(rows))
    places = np.arange(len(rows)) + np.repeat([0.0, 0.7, 1.4], np.diff([0, *ends]))
    values = np.array([value for _, value in rows])
    signs: list[Color] = ["positive" if value > 0 else "negative" for value in values]
    bars = Bars(places, values, flat=True, colors=signs, texts=[numeral(value, 3, sign=True) for value in values])
    left_out = len(found.inputs) - MOST_BARS
    what = f"what is changed ({left_out} smaller of each left out)" if left_out > 0 else "what is changed"
    names, down = [name for name, _ in rows], (float(places[-1]) + 0.7, -0.8)
    across = "nudge: −∂C/∂(what is changed); above 0: raise it"
    return Panel(
        [bars, Rule(x=0.0, color="ink")],
        Axis(across, margin=0.18, ends=None if np.any(values) else (-1.0, 1.0)),
        Axis(what, at=places, texts=names, size=8.0, ends=down),
    )


def wishes(model: Model, x: OneExample, y: OneExample, layer: str = "") -> View:
    """What each neuron of a Dense layer (the last one unless named) wants of each neuron before it, for one example x, y.

    The numbers: `wishes` (units, inputs), above 0 for more; their sum `total` (inputs,), and `descent` (inputs,), −∂C/∂a_k by the
    graph: the same to rounding, where nothing but this layer takes a_k.

    Raises: ShapeError for more than one example, OptionError for a layer that is not there.
    """
    here = cost_at(model, *one_example(model, x, y))
    place = here.dense(layer)
    pushes, slopes = here.derivatives([place.z, place.given], here.loss)
    found = asked_before(here, place, -pushes)
    units = place.z.shape[1]
    last = place.layer == here.dense().layer
    names = output_names(model, units) if last else tuple(f"{shown(place.layer)}[{j}]" for j in range(units))
    total, descent = found.sum(axis=0), -slopes[0]
    return View(
        f"What the {units} neurons of {shown(place.layer)} want of the neurons before",
        "Each piece of a bar is one neuron's wish, −∂C/∂z of it times its weight, stacked upwards for more and downwards "
        "for less; the black mark is their sum, which is −∂C/∂a (largest difference "
        f"{numeral(float(np.max(np.abs(total - descent))), 2)}): what the layer before is told.",
        [_stacked(names, unit_names(model, place.given), found)],
        numbers(wishes=found, total=total, descent=descent, units=names),
        size=(6.6, 4.2),
    )


def by_size(values: Array) -> list[int]:
    """The places of the values, the largest size first; equal ones in their order."""
    return [int(place) for place in np.argsort(-np.abs(values), kind="stable")]


def _stacked(units: tuple[str, ...], inputs: tuple[str, ...], found: Array) -> Panel:
    """Stacked bars, the inputs of which most is wanted. Colours come round after eight; the hatching then is another."""
    chosen = sorted(by_size(np.abs(found).sum(axis=0))[:MOST_INPUTS])
    at, rows = np.arange(len(chosen)), found[:, chosen]
    above, below = (np.cumsum(part, axis=0) - part for part in (np.maximum(rows, 0), np.minimum(rows, 0)))
    starts = np.where(rows > 0, above, below)
    bars = [
        Bars(at, start + row, start=start, width=0.78, color=k, hatch=HATCHES[(k // 8) % 4], edge="light", label=units[k])
        for k, (row, start) in enumerate(zip(rows, starts, strict=True))
    ]
    left_out = len(inputs) - len(chosen)
    across = "neuron before" + (f" ({left_out} of which less is wanted left out)" if left_out else "")
    sums = Points(at, rows.sum(axis=0), marker="D", size=6.0, edge="light", label="their sum")
    return Panel(
        [*bars, Rule(y=0.0, color="ink"), sums],
        Axis(across, at=at, texts=[inputs[k] for k in chosen], turn=60, size=7.5),
        Axis("wish: −∂C/∂a, above 0: raise it"),
        legend="right",
    )
