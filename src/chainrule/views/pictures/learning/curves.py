"""Curves of a run: loss and accuracy by epoch with bands over the replicas, several runs together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule import display
from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.spelling import suggest
from chainrule.train import History, Run, batch_sizes
from chainrule.views.colours import DASHES, SERIES, second_way
from chainrule.views.pictures.learning.places import shown
from chainrule.views.pictures.picture import Picture
from chainrule.views.pictures.scales import logarithmic
from chainrule.views.plain import counted, printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PARTS = ("training", "validation", "test")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
MOST_STEPS = 4000
"""Points of a curve by steps; longer ones are drawn as means of neighbours."""


@dataclass(frozen=True, eq=False)
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

    def draw(self, ax: Axes, number: int, *, width: float = 1.6) -> None:
        """A line through the means and a band of one standard error; colour, dashes and marker by the number."""
        colour = SERIES[number % len(SERIES)]
        few: dict[str, Any] = {"marker": second_way(number, MARKERS), "markersize": 3.5} if len(self.at) <= 30 else {}
        dashes = second_way(number, DASHES)
        ax.plot(self.at, self.mean, dashes, color=colour, label=self.label, linewidth=width, **few)
        if self.values.shape[1] > 1:
            ax.fill_between(self.at, self.mean - self.error, self.mean + self.error, color=colour, alpha=0.2, linewidth=0)


def standard_error(values: Array) -> Array:
    """The standard error of the mean along the last axis; 0 for a single value.

    >>> standard_error(np.array([[1.0, 3.0], [2.0, 2.0]]))
    array([1., 0.])
    """
    count = values.shape[-1]
    return values.std(axis=-1, ddof=1) / np.sqrt(count) if count > 1 else np.zeros(values.shape[:-1])


@dataclass(frozen=True, eq=False)
class LearningCurves(Picture):
    """A score of each part after each epoch, the objective's terms apart, and the score of every step while it learned."""

    name: str
    parts: tuple[LabelledCurve, ...]
    terms: tuple[LabelledCurve, ...]
    step_at: Array
    step_values: Array
    updates_per_epoch: int
    after_updates: bool

    @property
    def title(self) -> str:
        """The score."""
        return "Accuracy while learning" if self.name == "accuracy" else f"{shown(self.name).capitalize()} while learning"

    @property
    def reading(self) -> str:
        """What lines and bands are."""
        replicas = self.parts[0].values.shape[1]
        band = f", bands one standard error of the mean over {replicas} networks" if replicas > 1 else ""
        steps = "all examples after each update" if self.after_updates else "each batch before its update"
        terms = " Dotted: the terms of the training loss, which add up to it." if self.terms else ""
        return f"Each point was taken after the epoch with the weights at rest{band}; the faint line is {steps}.{terms}"

    def arrays(self) -> dict[str, Array]:
        """Epochs and values (n, replicas) of each curve by its label, and those of the steps."""
        curves = {label: part for curve in (*self.parts, *self.terms) for label, part in _arrays(curve).items()}
        return {**curves, "steps.at": self.step_at, "steps.values": self.step_values}

    def draw(self, ax: Axes) -> None:
        """Steps faint, parts with bands, terms thin."""
        if self.step_values.size:
            at, mean = thinned(self.step_at), thinned(self.step_values.mean(axis=0))
            ax.plot(at, mean, color="#8a8a8a", alpha=0.35, linewidth=0.6, label="each update", zorder=0)
        for number, curve in enumerate(self.parts):
            curve.draw(ax, number)
        for number, curve in enumerate(self.terms, len(self.parts)):
            ax.plot(curve.at, curve.mean, ":", color=SERIES[number % len(SERIES)], linewidth=1.2, label=curve.label)
        self._axes(ax)

    def _axes(self, ax: Axes) -> None:
        ax.set_xlabel(f"epoch ({counted(self.updates_per_epoch, 'update')} each)")
        ax.set_ylabel("accuracy (share right)" if self.name == "accuracy" else shown(self.name))
        shown_curves = [*self.parts, *self.terms]
        # Where only the end was evaluated, as after L-BFGS, the steps are all there is to see.
        steps = self.step_values.mean(axis=0) if len(self.parts[0].at) == 1 else np.empty(0)
        if self.name != "accuracy" and _spans_decades(shown_curves, steps):
            logarithmic(ax)
        else:
            ax.set_ylim(*limits(shown_curves, self.step_values, from_zero=self.name != "accuracy"))
        if self.parts[0].at[-1] <= 10:
            ax.set_xticks(self.parts[0].at)
        ax.legend()


def learning_curves(run: Run, name: str = "loss") -> LearningCurves:
    """The curves of a run's score: "loss", "accuracy", or a term of the loss by its name.

    Raises: OptionError for a score that the run does not have.
    """
    history = run.history
    found = tuple(part for part in PARTS if has_curve(history, part, name))
    if not found:
        known = dict.fromkeys(name for epoch in history.epochs[:1] for scores in epoch.parts.values() for name in scores)
        raise OptionError(
            f"no curve of {printable(name)!r}",
            expected=f"one of {', '.join(known) or 'none: no epoch was evaluated'}",
            remedy=suggest(name, known),
        )
    terms = [term for term in history.epochs[0].parts["training"] if term not in {"loss", "accuracy"}] if name == "loss" else []
    return LearningCurves(
        name,
        tuple(LabelledCurve(part, *history.curve(part, name)) for part in found),
        tuple(LabelledCurve(shown(term), *history.curve("training", term)) for term in terms),
        *_steps(run, name),
        run.trainer.steps_per_epoch,
        run.settings.optimizer.search is not None,
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


def _arrays(curve: LabelledCurve) -> dict[str, Array]:
    return {f"{curve.label}.epochs": curve.at, f"{curve.label}.values": curve.values}


def thinned(values: Array, most: int = MOST_STEPS) -> Array:
    """The values, or means of so many neighbours that at most `most` are left.

    >>> thinned(np.arange(6.0), 3)
    array([0.5, 2.5, 4.5])
    """
    piece = -(-len(values) // most)
    return values if piece <= 1 else np.array([values[i : i + piece].mean() for i in range(0, len(values), piece)])


def _spans_decades(curves: list[LabelledCurve], steps: Array | None = None) -> bool:
    values = np.concatenate([*(curve.mean for curve in curves), *([] if steps is None else [steps])])
    return bool(np.all(np.isfinite(values)) and np.all(values > 0) and values.max() > 30 * values.min())


def limits(curves: list[LabelledCurve], steps: Array, *, from_zero: bool = True) -> tuple[float, float]:
    """A range of the axis that shows the curves whole and most of the steps, with 0 in it where that is asked for."""
    lows = [float(np.nanmin(curve.mean - curve.error)) for curve in curves] + ([0.0] if from_zero else [])
    highs = [float(np.nanmax(curve.mean + curve.error)) for curve in curves]
    if steps.size:
        ends = np.nanquantile(steps.mean(axis=0), [0.02, 0.98])
        lows, highs = [*lows, float(ends[0])], [*highs, float(ends[1])]
    low, high = min(lows), max(highs)
    rim = 0.06 * (high - low)
    return (
        (low if from_zero and low == 0 else low - rim, high + rim) if np.isfinite(rim) and rim > 0 else (low - 0.5, low + 0.5)
    )


@dataclass(frozen=True, eq=False)
class RunComparison(Picture):
    """The same score of several runs on one part of their data."""

    name: str
    part: str
    curves: tuple[LabelledCurve, ...]

    @property
    def title(self) -> str:
        """The score and the part."""
        return f"{shown(self.name).capitalize()} on the {self.part} part, run by run"

    @property
    def reading(self) -> str:
        """What a line is, and what a difference means."""
        return (
            "A line to a run, its band one standard error over the run's networks; runs whose bands overlap throughout are "
            "not told apart by this picture, and a run without a band is one network, of which nothing is known about chance."
        )

    def arrays(self) -> dict[str, Array]:
        """Epochs and values (n, replicas) of each run by its name."""
        return {label: part for curve in self.curves for label, part in _arrays(curve).items()}

    def draw(self, ax: Axes) -> None:
        """A line with its band to a run."""
        for number, curve in enumerate(self.curves):
            curve.draw(ax, number)
        if self.name != "accuracy" and _spans_decades(list(self.curves)):
            logarithmic(ax)
        ax.set_xlabel("epoch")
        ax.set_ylabel("accuracy (share right)" if self.name == "accuracy" else shown(self.name))
        ax.legend()


def compare_runs(runs: Mapping[str, Run], name: str = "loss", part: str | None = None) -> RunComparison:
    """A score of several runs by their names; `part` is the test part where all have one, else training, unless told otherwise.

    Raises: OptionError without runs, or for a score that one of them does not have.
    """
    if not runs:
        raise OptionError("no runs to compare", expected="at least one", remedy='compare_runs({"name": run, ...})')
    chosen = part or ("test" if all(has_curve(run.history, "test", name) for run in runs.values()) else "training")
    return RunComparison(
        name, chosen, tuple(LabelledCurve(shown(label), *run.history.curve(chosen, name)) for label, run in runs.items())
    )
