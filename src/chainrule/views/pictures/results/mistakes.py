"""Single examples worth a look: the worst mistakes, the surest right answers, the least sure ones, the largest residuals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.numerals import numeral
from chainrule.train import Run
from chainrule.views.pictures.picture import HeadedPicture, Picture
from chainrule.views.pictures.results.judged import JudgedExamples, judged, outputs_of
from chainrule.views.pictures.sheets import class_name, draw_images, draw_table, feature_cells, image_shape
from chainrule.views.plain import counted, spaced

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDEST = 6


@dataclass(frozen=True)
class JudgedSheet(HeadedPicture):
    """Chosen examples (k, ...) with their `indices` in the part, `labels`, `predicted`, `losses`: (k,).

    `chance` and `chance_of_truth` (k,) are the probabilities of the predicted and of the true class, NaN where the network gives none.
    """

    size: ClassVar[tuple[float, float]] = (7.4, 3.9)
    how: str
    inputs: Array
    indices: Array
    labels: Array
    predicted: Array
    chance: Array
    chance_of_truth: Array
    losses: Array
    classes: tuple[str, ...]
    features: tuple[str, ...] | None

    @property
    def reading(self) -> str:
        """How they were chosen, and what stands beside them."""
        return (
            f"{self.how}; beside each: its number in the part, the true class → the predicted one, p(predicted) and p(true), "
            "and its loss."
        )

    def draw(self, ax: Axes) -> None:
        """Images with captions, or a table of features."""
        if not len(self.indices):
            ax.set_axis_off()
            ax.text(0.5, 0.5, "there is none", ha="center", transform=ax.transAxes)
            return
        shape = image_shape(self.inputs.shape[1:], self.inputs.dtype.name)
        if shape is not None:
            draw_images(ax, self.inputs.reshape(-1, *shape), self._captions(), _WIDEST)
            return
        head, cells = feature_cells(self.inputs, self.features)
        rows = [[*row, *words] for row, words in zip(cells, map(self._words, range(len(cells))), strict=True)]
        draw_table(ax, [*head, "number", "truth → prediction", "p(pred), p(true)", "loss"], rows)

    def _words(self, place: int) -> tuple[str, str, str, str]:
        truth, other = (class_name(self.classes, int(labels[place]), 9) for labels in (self.labels, self.predicted))
        chances = float(self.chance[place]), float(self.chance_of_truth[place])
        shown = "none" if np.isnan(chances[0]) else ", ".join(f"{chance:.3f}" for chance in chances)
        return spaced(int(self.indices[place])), f"{truth} → {other}", shown, numeral(float(self.losses[place]))

    def _captions(self) -> list[str]:
        words = map(self._words, range(len(self.indices)))
        losses = [numeral(loss, 3) for loss in self.losses.tolist()]
        return [f"{what}\np {p}\nno. {index}, loss {loss}" for (index, what, p, _), loss in zip(words, losses, strict=True)]


def worst_mistakes(run: Run, part: str = "test", most: int = 12, replica: int = 0) -> JudgedSheet:
    """The wrongly classified examples with the largest loss, worst first.

    Raises: OptionError for a network that predicts numbers (ask for `largest_residuals`), an unknown part or replica.
    """
    found = judged(run, part, replica)
    wrong = np.flatnonzero(~found.right)
    chosen = wrong[np.argsort(-found.losses[wrong], kind="stable")]
    how = f"Of {_count(found)} {spaced(len(wrong))} were classified wrongly, and these have the largest loss, worst first"
    return _sheet(run, found, chosen[: _positive(most)], f"Worst mistakes: {part}", how)


def surest_right(run: Run, part: str = "test", most: int = 12, replica: int = 0) -> JudgedSheet:
    """The rightly classified examples with the highest probability of their class, surest first.

    Raises: as `worst_mistakes`; OptionError for a network without probabilities.
    """
    found = judged(run, part, replica)
    right = np.flatnonzero(found.right)
    highest = found.require_probabilities().max(axis=1)[right]
    chosen = right[np.argsort(-highest, kind="stable")]
    how = f"Of {_count(found)} {spaced(len(right))} were classified rightly, and of these the network was surest"
    return _sheet(run, found, chosen[: _positive(most)], f"Surest right answers: {part}", how)


def least_sure(run: Run, part: str = "test", most: int = 12, replica: int = 0) -> JudgedSheet:
    """The examples whose two highest probabilities lie nearest to each other, nearest first, right or wrong.

    Raises: as `surest_right`.
    """
    found = judged(run, part, replica)
    ordered = np.sort(found.require_probabilities(), axis=1)
    chosen = np.argsort(ordered[:, -1] - ordered[:, -2], kind="stable")
    how = f"Of {_count(found)}, those whose two likeliest classes have the nearest probabilities, right or wrong"
    return _sheet(run, found, chosen[: _positive(most)], f"Least sure: {part}", how)


def _count(found: JudgedExamples) -> str:
    return counted(len(found.labels), "example")


def _sheet(run: Run, found: JudgedExamples, chosen: Array, heading: str, how: str) -> JudgedSheet:
    labels, predicted = found.labels[chosen], found.predicted[chosen]
    chances = found.probabilities
    rows = np.full((len(chosen), int(labels.max(initial=0)) + 1), np.nan) if chances is None else chances[chosen]
    places = np.arange(len(chosen))
    chance = np.full(len(chosen), np.nan) if chances is None else rows[places, predicted]
    return JudgedSheet(
        heading,
        how,
        found.inputs[chosen],
        chosen,
        labels,
        predicted,
        chance,
        rows[places, labels],
        found.losses[chosen],
        run.dataset_info.classes or (),
        run.dataset_info.features,
    )


@dataclass(frozen=True)
class ResidualSheet(Picture):
    """Chosen examples (k, ...) with their `indices` (k,), and `targets`, `outputs` (k, outputs) in the data's units."""

    size: ClassVar[tuple[float, float]] = (7.4, 4.2)
    part: str
    inputs: Array
    indices: Array
    targets: Array
    outputs: Array
    features: tuple[str, ...] | None

    @property
    def residuals(self) -> Array:
        """Prediction − truth, (k, outputs)."""
        return self.outputs - self.targets

    @property
    def title(self) -> str:
        """Which examples these are."""
        return f"Largest residuals: {self.part}"

    @property
    def reading(self) -> str:
        """How they were chosen."""
        return "The examples whose prediction lies farthest from the truth, in the units of the data, farthest first."

    def draw(self, ax: Axes) -> None:
        """Images with captions, or a table of features."""
        words = [
            [" ".join(numeral(float(value)) for value in row[place]) for row in (self.targets, self.outputs, self.residuals)]
            for place in range(len(self.indices))
        ]
        shape = image_shape(self.inputs.shape[1:], self.inputs.dtype.name)
        if shape is not None:
            captions = [
                f"no. {index}\ntrue {a}\npredicted {b}" for index, (a, b, _) in zip(self.indices.tolist(), words, strict=True)
            ]
            draw_images(ax, self.inputs.reshape(-1, *shape), captions, _WIDEST)
            return
        head, cells = feature_cells(self.inputs, self.features)
        rows = [[*row, spaced(index), *texts] for row, index, texts in zip(cells, self.indices.tolist(), words, strict=True)]
        draw_table(ax, [*head, "number", "truth", "prediction", "difference"], rows)


def largest_residuals(run: Run, part: str = "test", most: int = 12, replica: int = 0) -> ResidualSheet:
    """The examples whose prediction lies farthest from the truth, by the length of prediction − truth, farthest first.

    Raises: OptionError for a classifier (ask for `worst_mistakes`), an unknown part or replica.
    """
    found = outputs_of(run, part, replica)
    distances = np.linalg.norm(found.outputs - found.targets, axis=1)
    chosen = np.argsort(-distances, kind="stable")[: _positive(most)]
    picked = (found.inputs[chosen], chosen, found.targets[chosen], found.outputs[chosen])
    return ResidualSheet(part, *picked, run.dataset_info.features)


def _positive(most: int) -> int:
    if most < 1:
        raise OptionError(f"most={most}", expected="a whole number from 1 on", remedy="write most=12")
    return most
