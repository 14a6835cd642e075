"""What is learned when: accuracy against updates, and a map of the examples by the step at which each is learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.train import PredictionHistory
from chainrule.views.colours import SEQUENTIAL
from chainrule.views.pictures.learning.curves import LabelledCurve
from chainrule.views.pictures.picture import HeadedPicture, Picture
from chainrule.views.pictures.scales import logarithmic
from chainrule.views.pictures.subplots import subplots

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ROWS = 400
"""Rows of the map; more examples are drawn as means of neighbours."""


@dataclass(frozen=True, eq=False)
class AgainstUpdates(HeadedPicture):
    """A score against the number of updates, from 1 on; each curve's values are (m, trainings). `chance`: the score of guessing."""

    size: ClassVar[tuple[float, float]] = (6.4, 4.0)
    score: str
    curves: tuple[LabelledCurve, ...]
    chance: float | None = None

    @property
    def reading(self) -> str:
        """What lines and bands are."""
        count = self.curves[0].values.shape[1]
        guess = " The thin grey line is guessing." if self.chance is not None else ""
        return f"Each line is a mean over {count} data sets, its band one standard error; updates are counted on a logarithmic axis.{guess}"

    def arrays(self) -> dict[str, Array]:
        """Updates and values of each curve by its label."""
        return {
            f"{curve.label}.{name}": part
            for curve in self.curves
            for name, part in (("at", curve.at), ("values", curve.values))
        }

    def draw(self, ax: Axes) -> None:
        """A line with its band to a curve."""
        for number, curve in enumerate(self.curves):
            curve.draw(ax, number)
        if self.chance is not None:
            ax.axhline(self.chance, color="#8a8a8a", linewidth=0.8)
        ax.set_xlim(min(curve.at[0] for curve in self.curves), max(curve.at[-1] for curve in self.curves))
        logarithmic(ax, ("x",))
        ax.set_xlabel("updates (number of steps)")
        ax.set_ylabel(self.score)
        ax.legend()


@dataclass(frozen=True, eq=False)
class LearningMap(Picture):
    """For each of several trainings, by `names`: the fraction of replicas that are right, (examples, m), at `at` (m,) steps.

    The examples are sorted by when they are learned, the first at the top.
    """

    size: ClassVar[tuple[float, float]] = (9.0, 4.4)
    names: tuple[str, ...]
    at: tuple[Array, ...]
    shares: tuple[Array, ...]

    @property
    def title(self) -> str:
        """What is seen."""
        return "When each example is learned"

    @property
    def reading(self) -> str:
        """What rows, columns and colours are."""
        return (
            "A row to a training example, sorted by the mean step from which on it stays right; bright where all replicas are right, dark "
            "where none is: a sharp edge means that all replicas learn the same examples first."
        )

    def arrays(self) -> dict[str, Array]:
        """Steps and shares of each training by its name."""
        rows = zip(self.names, self.at, self.shares, strict=True)
        return {f"{name}.{word}": part for name, at, shares in rows for word, part in (("at", at), ("shares", shares))}

    def draw(self, ax: Axes) -> None:
        """A panel to each training."""
        panels = subplots(ax, 1, len(self.names))
        for panel, name, at, shares in zip(panels, self.names, self.at, self.shares, strict=True):
            heights: Array = np.linspace(0, len(shares), min(len(shares), _ROWS) + 1)
            colours: dict[str, Any] = {"cmap": SEQUENTIAL, "vmin": 0.0, "vmax": 1.0}
            image = panel.pcolormesh(_edges(at), heights, _fewer_rows(shares), rasterized=True, **colours)
            logarithmic(panel, ("x",))
            panel.set_ylim(len(shares), 0)
            panel.set_title(name, fontsize=9, fontweight="normal")
            panel.set_xlabel("updates (number of steps)")
            panel.set_ylabel("training examples, first learned at the top")
            if panel is panels[-1]:
                panel.figure.colorbar(image, ax=panel, label="fraction of replicas that are right")


def _edges(at: Array) -> Array:
    """Where the cells of steps begin and end on a logarithmic axis: between them, and as far outside."""
    logs = np.log(at.astype(np.float64))
    middles = (logs[1:] + logs[:-1]) / 2
    return np.exp([2 * logs[0] - middles[0], *middles, 2 * logs[-1] - middles[-1]])


def _fewer_rows(shares: Array) -> Array:
    edges = np.linspace(0, len(shares), min(len(shares), _ROWS) + 1).round().astype(int)
    return np.array([shares[first:last].mean(axis=0) for first, last in pairwise(edges.tolist())])


def learning_map(answers: Mapping[str, PredictionHistory]) -> LearningMap:
    """The map of trainings by their names; steps before the first update are left out.

    Raises: OptionError without a training, or with fewer than two steps in one.
    """
    if not answers or any((found.at >= 1).sum() < 2 for found in answers.values()):
        raise OptionError(
            "too few answers to draw",
            expected="one training or more, two steps or more",
            remedy='learning_map({"name": answers})',
        )
    kept = [_after_the_first_update(found) for found in answers.values()]
    return LearningMap(tuple(answers), tuple(at for at, _ in kept), tuple(shares for _, shares in kept))


def _after_the_first_update(found: PredictionHistory) -> tuple[Array, Array]:
    """Steps from 1 on, and the shares (examples, m), sorted."""
    late = np.where(np.isinf(found.learned), 2.0 * found.at[-1], found.learned)
    order = np.argsort(np.log(np.maximum(late, 1)).mean(axis=0), kind="stable")
    steps = found.at >= 1
    return found.at[steps], found.right[steps].mean(axis=1).T[order]


def curve_over(label: str, at: Array, trainings: Sequence[Array]) -> LabelledCurve:
    """A curve from each training's values (m,) at the same steps."""
    return LabelledCurve(label, at, np.stack(list(trainings), axis=1))
