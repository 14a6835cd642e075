"""Losses over the triangle of three probabilities: what each of them takes for a good answer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from chainrule import ops
from chainrule.errors import OptionError
from chainrule.graph import Array, compute, constant, input_node
from chainrule.nn import objective, softmax
from chainrule.numerals import numeral
from chainrule.views.marks import Image, Line, Mark, Points, Scale, Text, box_around
from chainrule.views.panels import Axis, Panel
from chainrule.views.plain import printable
from chainrule.views.view import View, numbers

_TOP = float(np.sqrt(0.75))
ACROSS, UP = 241, 209
"""Pixels of the picture."""
SMALLEST = 1e-3
"""The least probability of the grid: at 0 the cross-entropy is infinite."""
LECTURE_POINTS = ((0.48, 0.01, 0.51), (0.02, 0.01, 0.97))
"""A barely right and a sure answer."""
_CORNERS = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, _TOP]])


def probability_triangle(
    target: int = 2,
    losses: Sequence[str] = ("cross_entropy", "euclidean_distance"),
    classes: tuple[str, str, str] = ("human", "cat", "dog"),
    marks: Sequence[Sequence[float]] | Array = LECTURE_POINTS,
) -> View:
    """Losses by their names over all predictions of three probabilities, computed by `chainrule.nn`; `target` is the right class.

    Corner 2 is drawn on top. `marks`: predictions (m, 3) whose losses are written beside them. The numbers: the losses' `values`
    (losses, n) at the predictions `grid` (n, 3), and `mark_values` (losses, m) at the `marks`.

    >>> probability_triangle().numbers["mark_values"].round(4)
    array([[0.6733, 0.0305],
           [0.686 , 0.0374]])

    Raises: OptionError for marks that are no probabilities; LossError for a loss that takes no probabilities.
    """
    points = np.array(marks, dtype=np.float64).reshape(-1, 3)
    if target not in range(3) or np.any(points <= 0) or not np.allclose(points.sum(axis=1), 1):
        raise OptionError(
            f"target {target} and marks {points.tolist()}",
            expected="0, 1 or 2, and three probabilities above 0 with the sum 1 to a mark",
            remedy="write for example target=2, marks=[(0.48, 0.01, 0.51)]",
        )
    inside, grid = _triangle_grid()
    values = np.stack([_loss_values(name, grid, target) for name in losses])
    mark_values = np.stack([_loss_values(name, points, target) for name in losses])
    corners = [f"{'only ' if k != target else 'right: '}{printable(name, most=14)}" for k, name in enumerate(classes)]
    return View(
        f"Losses of three probabilities where {printable(classes[target], most=20)} is right",
        "A point's nearness to a corner is the probability of its class; lines join predictions of equal loss, which is 0 only at the "
        "right corner; dotted lines separate the decisions, so two points on one side have the same accuracy but not the same loss.",
        [
            _triangle(name.replace("_", " "), _pixels(inside, row), [*_outline(corners), *_marked(points, own)])
            for name, row, own in zip(losses, values, mark_values, strict=True)
        ],
        numbers(grid=grid, values=values, marks=points, mark_values=mark_values, losses=losses),
        size=(9.6, 5.0),
    )


def _triangle_grid() -> tuple[Array, Array]:
    """Which of the pixels around the triangle lie in it, (rows, columns), and the probabilities there, (n, 3)."""
    x, y = np.meshgrid(*(np.linspace(low, high, count) for low, high, count in ((0, 1, ACROSS), (0, _TOP, UP))))
    third = y / _TOP
    second = x - third / 2
    chances = np.stack([1 - second - third, second, third], axis=-1)
    inside: Array = np.all(chances >= -1e-9, axis=-1)
    # A little inside its sides: at 0 the cross-entropy is infinite.
    return inside, SMALLEST + (1 - 3 * SMALLEST) * np.clip(chances[inside], 0, 1)


def _loss_values(name: str, probabilities: Array, target: int) -> Array:
    """A loss of each row of probabilities (n, 3): (n,)."""
    (loss,) = objective(name).losses
    logits = input_node("z", probabilities.shape)
    labels = constant(np.full(len(probabilities), target))
    right = ops.one_hot(labels, classes=3, dtype="float64") if loss.target == "values" else labels
    # The cross-entropy asks for the output of softmax; softmax(log p) is p.
    return compute([loss(softmax(logits), right)], {logits: np.log(probabilities)})[0]


def _pixels(inside: Array, values: Array) -> Array:
    """The values as an image, what is outside the triangle no number."""
    pixels = np.full(inside.shape, np.nan)
    pixels[inside] = values
    return pixels


def _triangle(title: str, pixels: Array, marks: Sequence[Mark]) -> Panel:
    """A loss as colours with lines. Ticks would measure nothing here: the corners are the axes."""
    high = float(np.nanquantile(pixels, 0.9))
    levels = np.linspace(0, high, 11)[1::2].tolist()
    scale, box = Scale("sequential reversed", 0.0, high), box_around(np.linspace(0, 1, ACROSS), np.linspace(0, _TOP, UP))
    shades = Image(pixels, scale=scale, box=box, alpha=0.75)
    lines = Image(pixels, scale=scale, box=box, alpha=0.0, levels=levels, texts=[f"{level:.2f}" for level in levels])
    x, y = Axis(ends=(-0.12, 1.12)), Axis(ends=(-0.08, _TOP + 0.08))
    return Panel(
        [shades, lines, *marks], x, y,
        title=title, legend="below", legend_title="(probabilities): loss", equal=True, frame="none",
    )  # fmt: skip


def _outline(corners: Sequence[str]) -> list[Mark]:
    """The triangle with its corners' names, and dotted lines between the decisions."""
    middle = _CORNERS.mean(axis=0)
    halves = np.array([[middle, _CORNERS[list(pair)].mean(axis=0)] for pair in ((0, 1), (1, 2), (0, 2))])
    whole, (x, y) = _CORNERS[[0, 1, 2, 0]], _CORNERS.T
    return [
        Line(whole[:, 0], whole[:, 1], width=1.2),
        Line(halves[:, :, 0], halves[:, :, 1], dash="dotted"),
        Text(x[:2], y[:2], corners[:2], offset=(0, -5), up="top", size=9.0),
        Text(x[2], y[2], corners[2], offset=(0, 5), up="bottom", size=9.0),
    ]


def _marked(points: Array, values: Array) -> list[Mark]:
    return [
        Points(
            *(point @ _CORNERS)[:, None],
            color=1,
            marker="os^Dv"[k % 5],
            size=8.0,
            edge="light",
            label=f"({_row(point)}): {value:.3f}",
        )
        for k, (point, value) in enumerate(zip(points, values.tolist(), strict=True))
    ]


def _row(point: Array) -> str:
    return ", ".join(numeral(p, 6) for p in point)
