"""Several trainings compared as they were measured: loss curves with bands, and the last score of each with its error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.train import Run
from chainrule.views.colours import SERIES
from chainrule.views.pictures.learning.curves import RunComparison, compare_runs, standard_error
from chainrule.views.pictures.picture import Picture
from chainrule.views.pictures.subplots import subplots

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False)
class ActivationComparison(Picture):
    """Trainings that differ in one thing, such as the activation: their losses, and the last `scores` (replicas,) of each."""

    size: ClassVar[tuple[float, float]] = (9.0, 3.8)
    losses: RunComparison
    scores: tuple[Array, ...]
    score: str

    @property
    def title(self) -> str:
        """How many are compared, on what."""
        return f"{len(self.scores)} trainings measured on the {self.losses.part} part"

    @property
    def reading(self) -> str:
        """How to read both panels."""
        return (
            f"Left the mean loss after each epoch, right the last {self.score}, a tick to a replica; bands and bars are one standard "
            "error of the mean: trainings whose bars overlap are not told apart."
        )

    def arrays(self) -> dict[str, Array]:
        """The numbers of each training by its name."""
        ends = {f"{curve.label} {self.score}": row for curve, row in zip(self.losses.curves, self.scores, strict=True)}
        return {**self.losses.arrays(), **ends}

    def draw(self, ax: Axes) -> None:
        """Curves left, scores right, in the same colours and order."""
        curves, ends = subplots(ax, 1, 2)
        self.losses.draw(curves)
        curves.set_ylabel(f"{self.losses.part} loss (no unit)")
        for i, row in enumerate(self.scores):
            colour = SERIES[i % len(SERIES)]
            ends.errorbar(row.mean(), i, xerr=standard_error(row), fmt="o", color=colour, capsize=3)
            ends.plot(row, np.full(len(row), i + 0.22), "|", color=colour, markersize=5)
        ends.set_yticks(range(len(self.scores)), [curve.label for curve in self.losses.curves])
        ends.set_ylim(len(self.scores) - 0.4, -0.6)
        ends.set_xlabel(f"{self.losses.part} {self.score} (no unit)")
        ends.set_ylabel("training")


def activation_comparison(runs: Mapping[str, Run]) -> ActivationComparison:
    """Runs by name, that differ in their activation (or in anything else), compared as they were measured.

    The test part is taken where all have one, else the training part; the score is accuracy for classes, R² for numbers, and
    the loss where outputs are compared with nothing.

    Raises: OptionError for no runs, or runs that predict different kinds of things.
    """
    if len({(run.dataset_info.task, run.problem.compares) for run in runs.values()}) != 1:
        raise OptionError(
            f"{len(runs)} runs to be compared",
            expected="one or more, all for classes or all for numbers",
            remedy="compare runs on the same data",
        )
    losses = compare_runs(runs, "loss")
    scores = [run.evaluate(losses.part).score for run in runs.values()]
    return ActivationComparison(losses, tuple(values for _, values in scores), scores[0][0])
