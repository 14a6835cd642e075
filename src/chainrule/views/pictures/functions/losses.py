"""Losses over the triangle of three probabilities: what each of them takes for a good answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from chainrule import ops
from chainrule.errors import OptionError
from chainrule.graph import Array, compute, constant, input_node
from chainrule.nn import objective, softmax
from chainrule.numerals import numeral
from chainrule.views.colours import SEQUENTIAL, SERIES
from chainrule.views.figures.style import INK
from chainrule.views.pictures.picture import Picture
from chainrule.views.pictures.subplots import subplots
from chainrule.views.plain import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DIVISIONS = 60
SMALLEST = 1e-3
"""The least probability of the grid: at 0 the cross-entropy is infinite."""
LECTURE_POINTS = ((0.48, 0.01, 0.51), (0.02, 0.01, 0.97))
"""A barely right and a sure answer."""
_CORNERS = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, np.sqrt(0.75)]])


@dataclass(frozen=True, eq=False)
class ProbabilityTriangle(Picture):
    """Losses, (losses, n), of all predictions of three probabilities, `grid` (n, 3); `marks` (m, 3) with `mark_values` (losses, m)."""

    size: ClassVar[tuple[float, float]] = (9.6, 5.0)
    losses: tuple[str, ...]
    classes: tuple[str, ...]
    target: int
    grid: Array
    values: Array
    marks: Array
    mark_values: Array

    @property
    def title(self) -> str:
        """What is right."""
        return f"Losses of three probabilities where {printable(self.classes[self.target], most=20)} is right"

    @property
    def reading(self) -> str:
        """How to read a triangle."""
        return (
            "A point's nearness to a corner is the probability of its class; lines join predictions of equal loss, which is 0 only at the "
            "right corner; dotted lines separate the decisions, so two points on one side have the same accuracy but not the same loss."
        )

    def draw(self, ax: Axes) -> None:
        """A triangle to a loss."""
        for i, place in enumerate(subplots(ax, 1, len(self.losses))):
            place.set_title(self.losses[i].replace("_", " "), pad=18)
            self._draw_loss(place, self.values[i], self.mark_values[i])

    def _draw_loss(self, ax: Axes, values: Array, mark_values: Array) -> None:
        x, y = (self.grid @ _CORNERS).T
        levels = np.linspace(0, float(np.quantile(values, 0.9)), 11)
        ax.tricontourf(x, y, values, levels=levels, cmap=f"{SEQUENTIAL}_r", extend="max", alpha=0.75)
        lines = ax.tricontour(x, y, values, levels=levels[1::2], colors=INK, linewidths=0.7)
        ax.clabel(lines, fontsize=7, fmt="%.2f")
        ax.plot(*_CORNERS[[0, 1, 2, 0]].T, color=INK, linewidth=1.2)
        for pair in ((0, 1), (1, 2), (0, 2)):
            ax.plot(*np.array([_CORNERS.mean(axis=0), _CORNERS[list(pair)].mean(axis=0)]).T, ":", color=INK)
        for k, (mark, value) in enumerate(zip(self.marks, mark_values, strict=True)):
            words = f"({', '.join(numeral(p, 6) for p in mark)}): {value:.3f}"
            ax.plot(*(mark @ _CORNERS), "os^Dv"[k % 5], color=SERIES[1], markeredgecolor="white", markersize=8, label=words)
        self._name_corners(ax)
        # Ticks would measure nothing here: the corners are the axes.
        ax.set_axis_off()
        ax.set_aspect("equal")
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), title="(probabilities): loss")

    def _name_corners(self, ax: Axes) -> None:
        for k, (x, y) in enumerate(_CORNERS):
            words = f"{'only ' if k != self.target else 'right: '}{printable(self.classes[k], most=14)}"
            ax.annotate(
                words,
                (x, y),
                (0, 5 if k == 2 else -5),
                textcoords="offset points",
                ha="center",
                va="bottom" if k == 2 else "top",
            )


def probability_triangle(
    target: int = 2,
    losses: Sequence[str] = ("cross_entropy", "euclidean_distance"),
    classes: tuple[str, str, str] = ("human", "cat", "dog"),
    marks: Sequence[Sequence[float]] | Array = LECTURE_POINTS,
) -> ProbabilityTriangle:
    """Losses by their names over all predictions of three probabilities, computed by `chainrule.nn`; `target` is the right class.

    Corner 2 is drawn on top. `marks`: predictions (m, 3) whose losses are written beside them.

    >>> probability_triangle().mark_values.round(4)
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
    grid = _triangle_grid()
    values = np.stack([_loss_values(name, grid, target) for name in losses])
    mark_values = np.stack([_loss_values(name, points, target) for name in losses])
    return ProbabilityTriangle(tuple(losses), classes, target, grid, values, points, mark_values)


def _triangle_grid() -> Array:
    """Even points over the triangle, a little inside its sides: (n, 3), rows with the sum 1."""
    steps = [(i, j, DIVISIONS - i - j) for i in range(DIVISIONS + 1) for j in range(DIVISIONS + 1 - i)]
    return SMALLEST + (1 - 3 * SMALLEST) * np.array(steps) / DIVISIONS


def _loss_values(name: str, probabilities: Array, target: int) -> Array:
    """A loss of each row of probabilities (n, 3): (n,)."""
    (loss,) = objective(name).losses
    logits = input_node("z", probabilities.shape)
    labels = constant(np.full(len(probabilities), target))
    right = ops.one_hot(labels, classes=3, dtype="float64") if loss.target == "values" else labels
    # The cross-entropy asks for the output of softmax; softmax(log p) is p.
    return compute([loss(softmax(logits), right)], {logits: np.log(probabilities)})[0]
