"""Curves of a run: loss and accuracy by epoch with bands over the replicas, several runs together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from chainrule import display
from chainrule.checks import unknown
from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.immutable import immutable
from chainrule.numerals import numeral
from chainrule.train import History, Run, batch_sizes
from chainrule.train.replicated import standard_error
from chainrule.views.marks import Line, Mark, ends_of, second_marker, with_band
from chainrule.views.panels import Axis, Panel
from chainrule.views.pictures.kinds import suits, was_scored
from chainrule.views.pictures.learning.places import shown
from chainrule.views.plain import counted, printable
from chainrule.views.view import View, chart

PARTS = ("training", "validation", "test")
MOST_STEPS = 4000
"""Points of a curve by steps; longer ones are drawn as means of neighbours."""


@immutable(eq=False)
class LabelledCurve:
    """A score over the epochs: `at` (n,), `values` (n, replicas)."""

    label: str
    at: Array
    values: Array

    @property
    def mean(self) -> Array:
        """The mean over the replicas, (n,)."""
        return self.values.mean(axis=1)

    @property
    def error(self) -> Array:
        """The standard error of the mean over the replicas, (n,); 0 for a single one."""
        return standard_error(self.values)

    def marks(self, number: int) -> list[Mark]:
        """A line through the means and a band of one standard error; colour, dashes and marker by the number."""
        marker = second_marker(number) if len(self.at) <= 30 else ""
        return with_band(number, self.at, self.mean, self.error, self.label, marker=marker)


@suits(was_scored("loss"))
def learning_curves(run: Run, name: str = "loss") -> View:
    """The curves of a run's score: "loss", "accuracy", or a term of the loss by its name.

    The numbers of each curve are "label.epochs" (n,) and "label.values" (n, replicas); those of the steps "steps.at" (steps,), in
    epochs, and "steps.values" (replicas, steps).

    Raises: OptionError for a score that the run does not have.
    """
    history = run.history
    found = tuple(part for part in PARTS if has_curve(history, part, name))
    if not found:
        known = dict.fromkeys(name for epoch in history.epochs[:1] for scores in epoch.parts.values() for name in scores)
        raise unknown(f"no curve of {printable(name)!r}", name, known, none="none: no epoch was evaluated")
    named = [term for term in history.epochs[0].parts["training"] if term not in {"loss", "accuracy"}] if name == "loss" else []
    parts = [LabelledCurve(part, *history.curve(part, name)) for part in found]
    terms = [LabelledCurve(shown(term), *history.curve("training", term)) for term in named]
    at, values = _steps(run, name)
    return chart(
        "Accuracy while learning" if name == "accuracy" else f"{shown(name).capitalize()} while learning",
        _reading(run, parts, terms),
        [*_step_marks(at, values), *_part_marks(parts), *_term_marks(terms, len(parts))],
        _epochs(run, parts[0].at),
        _scores(name, [*parts, *terms], values),
        {**curve_numbers([*parts, *terms]), "steps.at": at, "steps.values": values},
    )


@display.plot.register
def _plot_run(run: Run, ax: Any) -> Any:
    return learning_curves(run).plot(ax)


def has_curve(history: History, part: str, name: str) -> bool:
    """Whether some epoch has this score of this part."""
    return any(name in epoch.parts.get(part, {}) for epoch in history.epochs)


def _steps(run: Run, name: str) -> tuple[Array, Array]:
    """Where in epochs each step ended, and its record (replicas, steps); empty where none was kept."""
    record = {"loss": "loss", "accuracy": "correct"}.get(name, f"term.{name}")
    if not run.history.chunks or record not in run.history.chunks[0][1]:
        return np.empty(0), np.empty((run.history.replicas, 0))
    values = run.history.steps(record)
    # A branch's history begins where it left its run.
    first = run.history.chunks[0][0]
    numbers = np.arange(first, first + values.shape[1], dtype=np.int64)
    if record == "correct":
        sizes = batch_sizes(run.trainer.count, run.settings.batch_size)
        values = values / sizes[numbers % len(sizes)]
    return (numbers + 1.0) / run.trainer.steps_per_epoch, values


def thinned(values: Array, most: int = MOST_STEPS) -> Array:
    """The values, or means of so many neighbours that at most `most` are left.

    >>> thinned(np.arange(6.0), 3)
    array([0.5, 2.5, 4.5])
    """
    piece = -(-len(values) // most)
    return values if piece <= 1 else np.array([values[i : i + piece].mean() for i in range(0, len(values), piece)])


def _spans_decades(curves: Sequence[LabelledCurve], steps: Array | None = None) -> bool:
    values = np.concatenate([*(curve.mean for curve in curves), *([] if steps is None else [steps])])
    return bool(np.all(np.isfinite(values)) and np.all(values > 0) and values.max() > 30 * values.min())


def limits(curves: Sequence[LabelledCurve], steps: Array, *, from_zero: bool = True) -> tuple[float, float]:
    """A range of the axis that shows the curves whole and most of the steps, with 0 in it where that is asked for."""
    spans = [ends_of([curve.mean - curve.error, curve.mean + curve.error]) for curve in curves]
    means = steps.mean(axis=0)
    if np.isfinite(means).any():
        spans.append(ends_of(np.quantile(means[np.isfinite(means)], [0.02, 0.98])))
    low, high = min(*(span[0] for span in spans), 0.0 if from_zero else np.inf), max(span[1] for span in spans)
    rim = 0.06 * (high - low)
    return (
        (low if from_zero and low == 0 else low - rim, high + rim) if np.isfinite(rim) and rim > 0 else (low - 0.5, low + 0.5)
    )


def _reading(run: Run, parts: Sequence[LabelledCurve], terms: Sequence[LabelledCurve]) -> str:
    """What lines and bands are."""
    replicas = parts[0].values.shape[1]
    band = f", bands one standard error of the mean over {replicas} networks" if replicas > 1 else ""
    whole = run.settings.optimizer.search is not None
    steps = "all examples after each update" if whole else "each batch before its update"
    told = " Dotted: the terms of the training loss, which add up to it." if terms else ""
    return f"Each point was taken after the epoch with the weights at rest{band}; the faint line is {steps}.{told}"


def _step_marks(at: Array, values: Array) -> list[Mark]:
    if not values.size:
        return []
    mean = thinned(values.mean(axis=0))
    return [Line(thinned(at), mean, color="faint", alpha=0.35, width=0.6, label="each update")]


def _part_marks(parts: Sequence[LabelledCurve]) -> list[Mark]:
    return [mark for number, curve in enumerate(parts) for mark in curve.marks(number)]


def _term_marks(terms: Sequence[LabelledCurve], first: int) -> list[Mark]:
    return [
        Line(curve.at, curve.mean, color=number, dash="dotted", width=1.2, label=curve.label)
        for number, curve in enumerate(terms, first)
    ]


def _epochs(run: Run, at: Array) -> Axis:
    label = f"epoch ({counted(run.trainer.steps_per_epoch, 'update')} each)"
    few = at[-1] <= 10
    return Axis(label, at=at if few else None, texts=[numeral(epoch, 6) for epoch in at.tolist()] if few else None)


def _scores(name: str, curves: Sequence[LabelledCurve], steps: Array) -> Axis:
    label = "accuracy (share right)" if name == "accuracy" else shown(name)
    # Where only the end was evaluated, as after L-BFGS, the steps are all there is to see.
    means = steps.mean(axis=0) if len(curves[0].at) == 1 else np.empty(0)
    if name != "accuracy" and _spans_decades(curves, means):
        return Axis(label, log=True)
    return Axis(label, ends=limits(curves, steps, from_zero=name != "accuracy"))


def curve_numbers(curves: Sequence[LabelledCurve]) -> dict[str, Array]:
    """Epochs and values (n, replicas) of each curve by its label."""
    pairs = [(curve.label, name, array) for curve in curves for name, array in (("epochs", curve.at), ("values", curve.values))]
    return {f"{label}.{name}": array for label, name, array in pairs}


def compare_runs(runs: Mapping[str, Run], name: str = "loss", part: str | None = None) -> View:
    """A score of several runs by their names; `part` is the test part where all have one, else training, unless told otherwise.

    The numbers of each run are "name.epochs" (n,) and "name.values" (n, replicas).

    Raises: OptionError without runs, or for a score that one of them does not have.
    """
    chosen, curves = curves_of(runs, name, part)
    return View(
        f"{shown(name).capitalize()} on the {chosen} part, run by run",
        "A line to a run, its band one standard error over the run's networks; runs whose bands overlap throughout are "
        "not told apart by this picture, and a run without a band is one network, of which nothing is known about chance.",
        [curves_panel(curves, name, "accuracy (share right)" if name == "accuracy" else shown(name))],
        curve_numbers(curves),
    )


def curves_of(runs: Mapping[str, Run], name: str, part: str | None = None) -> tuple[str, list[LabelledCurve]]:
    """The part that is compared, and the curve of each run.

    Raises: OptionError without runs, or for a score that one of them does not have.
    """
    if not runs:
        raise OptionError("no runs to compare", expected="at least one", remedy='compare_runs({"name": run, ...})')
    chosen = part or ("test" if all(has_curve(run.history, "test", name) for run in runs.values()) else "training")
    return chosen, [LabelledCurve(shown(label), *run.history.curve(chosen, name)) for label, run in runs.items()]


def curves_panel(curves: Sequence[LabelledCurve], name: str, label: str) -> Panel:
    """A line with its band to a run."""
    return Panel(_part_marks(curves), Axis("epoch"), Axis(label, log=name != "accuracy" and _spans_decades(curves)))
