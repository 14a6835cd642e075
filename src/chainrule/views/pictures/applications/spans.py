"""A score against something that is varied, for several kinds of networks, with error bars over replicas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.numerals import numeral
from chainrule.train import Run
from chainrule.views.colours import SERIES, second_way
from chainrule.views.figures.style import FAINT
from chainrule.views.pictures.picture import Picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, eq=False)
class AccuracyAgainstGap(Picture):
    """The test accuracy of several kinds of networks over a gap: `scores` (kinds, gaps, data sets, replicas), `gaps` (gaps,)."""

    size: ClassVar[tuple[float, float]] = (6.0, 3.8)
    kinds: tuple[str, ...]
    gaps: Array
    scores: Array
    chance: float

    @property
    def means(self) -> Array:
        """The mean over data sets and replicas: (kinds, gaps)."""
        return self.scores.mean(axis=(2, 3))

    @property
    def errors(self) -> Array:
        """Its standard error, from data set to data set, as networks that learned from the same data are no independent witnesses."""
        return self.scores.mean(axis=3).std(axis=2, ddof=1) / np.sqrt(self.scores.shape[2])

    @property
    def title(self) -> str:
        """What is compared."""
        return f"Accuracy against the length of the silence: {', '.join(self.kinds)}"

    @property
    def reading(self) -> str:
        """How to read marks and bars."""
        return (
            f"Small marks are single networks, {self.scores.shape[3]} to each of {self.scores.shape[2]} data sets, lines join their means, "
            "and bars are one standard error from data set to data set; dotted is chance."
        )

    def draw(self, ax: Axes) -> None:
        """A line to a kind, moved a little apart so that marks do not hide each other."""
        places = np.arange(len(self.gaps))
        for i, kind in enumerate(self.kinds):
            moved, colour, marker = places + 0.1 * (i - (len(self.kinds) - 1) / 2), SERIES[i], "osv^D"[i % 5]
            style = second_way(i, ("-", "--", "-.", ":"))
            ax.errorbar(
                moved, self.means[i], self.errors[i], color=colour, marker=marker, linestyle=style, capsize=3, label=kind
            )
            for place, row in zip(moved, self.scores[i], strict=True):
                ax.plot(np.full(row.size, place + 0.04), row.ravel(), "_", color=colour, markersize=5, alpha=0.7)
        ax.axhline(self.chance, color=FAINT, linestyle=":", label="chance")
        ax.set_xticks(places, [numeral(gap, 6) for gap in self.gaps])
        ax.set_ylim(0.0, 1.05)
        ax.set_xlabel("silence between signal and question (steps)")
        ax.set_ylabel("test accuracy (no unit)")
        ax.legend(loc="lower left")


def accuracy_against_gap(runs: Mapping[tuple[str, int], Sequence[Run]]) -> AccuracyAgainstGap:
    """The test accuracies by (kind, gap) of runs on two data sets or more, all with the same number of replicas.

    Raises: OptionError where a kind lacks a gap, or the numbers of data sets or replicas differ.
    """
    kinds, gaps = tuple(dict.fromkeys(kind for kind, _ in runs)), sorted({gap for _, gap in runs})
    whole = len(runs) == len(kinds) * len(gaps) > 0 and min(map(len, runs.values())) > 1
    if not whole or len({(len(several), *(run.settings.replicas for run in several)) for several in runs.values()}) != 1:
        raise OptionError(
            f"runs of {len(kinds)} kinds over {len(gaps)} gaps",
            expected="every kind at every gap, on equally many data sets (two or more), with the same number of replicas",
            remedy="train those that are missing",
        )
    scores = [[[run.evaluate("test").scores.values["accuracy"] for run in runs[kind, gap]] for gap in gaps] for kind in kinds]
    classes = next(iter(runs.values()))[0].dataset_info.classes or ("",)
    return AccuracyAgainstGap(kinds, np.array(gaps), np.array(scores), 1 / len(classes))


@dataclass(frozen=True, eq=False)
class AnswersOverTime(Picture):
    """The outputs at each time step for one example: `outputs` (networks, replicas, time), beside the `target` (time,)."""

    size: ClassVar[tuple[float, float]] = (6.4, 3.6)
    names: tuple[str, ...]
    inputs: Array
    outputs: Array
    target: Array

    @property
    def title(self) -> str:
        """What is answered."""
        return "An answer at every time step, for one example"

    @property
    def reading(self) -> str:
        """How to read the lines."""
        return (
            f"Grey bars are the target, crosses the input; a thick line is the mean of {self.outputs.shape[1]} networks of a kind, thin "
            "lines are the single ones."
        )

    def draw(self, ax: Axes) -> None:
        """The target as bars, a line to a kind of network."""
        steps = np.arange(1, len(self.target) + 1)
        ax.bar(steps, self.target, color=FAINT, alpha=0.35, label="target")
        ax.plot(steps, self.inputs, "x", color=FAINT, label="input")
        for i, (name, rows) in enumerate(zip(self.names, self.outputs, strict=True)):
            colour, style = SERIES[i % len(SERIES)], second_way(i, ("-", "--", "-.", ":"))
            ax.plot(steps, rows.T, color=colour, linestyle=style, linewidth=0.6, alpha=0.6)
            ax.plot(steps, rows.mean(axis=0), color=colour, linestyle=style, linewidth=2.0, marker="osv^"[i % 4], label=name)
        ax.set_xlabel("time step t")
        ax.set_ylabel("output (no unit)")
        ax.legend()


def answers_over_time(runs: Mapping[str, Run], x: Array, y: Array) -> AnswersOverTime:
    """What the networks of several runs, by name, answer at each step to one example x (time, features) with the target y (time,).

    Raises: OptionError for runs that do not answer with one number at each step.
    """
    outputs = [run.predict(x[None], replica=None)[:, 0] for run in runs.values()]
    if any(rows.shape[1:] != np.shape(y) or rows.shape[1] != len(x) for rows in outputs):
        raise OptionError(
            f"answers of shape {outputs[0].shape[1:]} for targets of shape {np.shape(y)}",
            expected="one number at each time step",
            remedy='answer="every", then TimeDistributed(Dense(1)), Flatten()',
        )
    return AnswersOverTime(tuple(runs), np.asarray(x, dtype=np.float64)[:, 0], np.stack(outputs), np.asarray(y))
