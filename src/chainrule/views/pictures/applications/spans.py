"""A score against something that is varied, for several kinds of networks, with error bars over replicas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from chainrule.display import Shown
from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.immutable import immutable
from chainrule.numerals import numeral
from chainrule.train import Run
from chainrule.views.marks import Bars, Line, Mark, Points, Rule, dashes, look, with_bars
from chainrule.views.panels import Axis
from chainrule.views.pictures.given import OneExample
from chainrule.views.pictures.learning.places import one_example
from chainrule.views.view import View, chart, numbers


@immutable(eq=False)
class GapScores(Shown):
    """The test accuracy of several kinds of networks over a gap: `scores` (kinds, gaps, data sets, replicas), `gaps` (gaps,)."""

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


def scores_by_gap(runs: Mapping[tuple[str, int], Sequence[Run]]) -> GapScores:
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
    return GapScores(kinds, np.array(gaps), np.array(scores), 1 / len(classes))


def accuracy_against_gap(found: GapScores) -> View:
    """Scores by `scores_by_gap`: a line to a kind of network. The numbers: `scores`, `means`, `errors`, `gaps`."""
    kinds, gaps, scores, means, errors = found.kinds, found.gaps, found.scores, found.means, found.errors
    lines = [
        mark
        for place, kind in enumerate(kinds)
        for mark in _kind_marks(place, len(kinds), kind, (means[place], errors[place], scores[place]))
    ]
    return chart(
        f"Accuracy against the length of the silence: {', '.join(kinds)}",
        f"Small marks are single networks, {scores.shape[3]} to each of {scores.shape[2]} data sets, lines join their means, "
        "and bars are one standard error from data set to data set; dotted is chance.",
        [*lines, Rule(y=found.chance, dash="dotted", width=1.6, label="chance")],
        Axis(
            "silence between signal and question (steps)", at=range(len(gaps)), texts=[numeral(gap, 6) for gap in gaps.tolist()]
        ),
        Axis("test accuracy (no unit)", ends=(0.0, 1.05)),
        numbers(gaps=gaps, scores=scores, means=means, errors=errors),
        size=(6.0, 3.8),
        legend="lower left",
    )


def _kind_marks(place: int, kinds: int, kind: str, found: tuple[Array, Array, Array]) -> list[Mark]:
    """A line with bars and single networks, moved a little aside so that marks do not hide each other."""
    mean, error, scores = found
    at: Array = np.arange(len(mean)) + 0.1 * (place - (kinds - 1) / 2)
    rows = scores.reshape(len(mean), -1)
    single = Points(np.repeat(at + 0.04, rows.shape[1]), rows.ravel(), color=place, marker="_", size=5.0, alpha=0.7)
    return [*with_bars(place, at, mean, error, kind, cap=3.0, width=1.6), single]


def answers_over_time(runs: Mapping[str, Run], x: OneExample, y: OneExample) -> View:
    """What the networks of several runs, by name, answer at each step to one example x (time, features) with the target y (time,).

    The numbers: `outputs` (networks, replicas, time), beside the first of the `inputs` and the `target`, both (time,).
    Raises: OptionError for runs that do not answer with one number at each step.
    """
    if not runs:
        raise OptionError("no runs", expected="one run or more, by name", remedy='write {"LSTM": run}')
    x, y = (part[0] for part in one_example(next(iter(runs.values())).model(), x, y))
    outputs = [run.predict(x[None], replica=None)[:, 0] for run in runs.values()]
    if any(rows.shape[1:] != np.shape(y) or rows.shape[1] != len(x) for rows in outputs):
        raise OptionError(
            f"answers of shape {outputs[0].shape[1:]} for targets of shape {np.shape(y)}",
            expected="one number at each time step",
            remedy='answer="every", then TimeDistributed(Dense(1)), Flatten()',
        )
    steps, inputs = np.arange(1, len(y) + 1), np.asarray(x, dtype=np.float64)[:, 0]
    lines = [
        line
        for i, (name, rows) in enumerate(zip(runs, outputs, strict=True))
        for line in (
            Line(steps, rows, color=i, dash=dashes(i), width=0.6, alpha=0.6),
            Line(steps, rows.mean(axis=0), **look(i), size=6.0, width=2.0, label=name),
        )
    ]
    return chart(
        "An answer at every time step, for one example",
        f"Grey bars are the target, crosses the input; a thick line is the mean of {len(outputs[0])} networks of a kind, thin "
        "lines are the single ones.",
        [
            Bars(steps, y, color="faint", alpha=0.35, label="target"),
            Points(steps, inputs, color="faint", marker="x", size=6.0, label="input"),
            *lines,
        ],
        Axis("time step t"),
        Axis("output (no unit)"),
        numbers(inputs=inputs, outputs=np.stack(outputs), target=y),
        size=(6.4, 3.6),
    )
