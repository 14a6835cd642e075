"""Several trainings compared as they were measured: loss curves with bands, and the last score of each with its error."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.train import Run
from chainrule.train.replicated import standard_error
from chainrule.views.marks import ErrorBars, Mark, Points
from chainrule.views.panels import Axis, Panel
from chainrule.views.pictures.learning.curves import (
    curve_numbers,
    curves_of,
    curves_panel,
)
from chainrule.views.view import View


def activation_comparison(runs: Mapping[str, Run]) -> View:
    """Runs by name, that differ in their activation (or in anything else), compared as they were measured.

    The test part is taken where all have one, else the training part; the score is accuracy for classes, R² for numbers, and
    the loss where outputs are compared with nothing. The numbers: each run's losses, as in `compare_runs`, and its last scores,
    "name score" (replicas,).

    Raises: OptionError for no runs, or runs that predict different kinds of things.
    """
    if len({(run.dataset_info.task, run.problem.compares) for run in runs.values()}) != 1:
        raise OptionError(
            f"{len(runs)} runs to be compared",
            expected="one or more, all for classes or all for numbers",
            remedy="compare runs on the same data",
        )
    part, curves = curves_of(runs, "loss")
    scores = [run.evaluate(part).score for run in runs.values()]
    score, labels = scores[0][0], [curve.label for curve in curves]
    return View(
        f"{len(runs)} trainings measured on the {part} part",
        f"Left the mean loss after each epoch, right the last {score}, a tick to a replica; bands and bars are one standard "
        "error of the mean: trainings whose bars overlap are not told apart.",
        [
            curves_panel(curves, "loss", f"{part} loss (no unit)"),
            Panel(
                [mark for place, (_, row) in enumerate(scores) for mark in _last_scores(place, row)],
                Axis(f"{part} {score} (no unit)"),
                Axis("training", at=range(len(labels)), texts=labels, ends=(len(labels) - 0.4, -0.6)),
            ),
        ],
        {**curve_numbers(curves), **{f"{label} {score}": row for label, (_, row) in zip(labels, scores, strict=True)}},
        size=(9.0, 3.8),
    )


def _last_scores(place: int, row: Array) -> list[Mark]:
    """The mean with its error, and a tick to each replica."""
    mean, error = float(row.mean()), float(standard_error(row))
    return [
        ErrorBars([place], [mean - error], [mean + error], flat=True, color=place, cap=3.0),
        Points([mean], [place], color=place, size=6.0),
        Points(row, np.full(len(row), place + 0.22), color=place, marker="|", size=5.0),
    ]
