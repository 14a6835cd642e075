"""Single examples worth a look: the worst mistakes, the surest right answers, the least sure ones, the largest residuals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.numerals import numeral
from chainrule.train import Run
from chainrule.views.marks import IN_PANEL, Text
from chainrule.views.panels import Panel, Part, Table
from chainrule.views.pictures.kinds import classifies, fits_numbers, has_probabilities, has_test_part, suits
from chainrule.views.pictures.results.judged import JudgedExamples, judged, outputs_of
from chainrule.views.pictures.sheets import class_name, example_sheet
from chainrule.views.plain import counted, spaced
from chainrule.views.view import View, numbers

_WIDEST = 6


@suits(classifies, has_test_part)
def worst_mistakes(run: Run, part: str = "test", most: int = 12, replica: int = 0) -> View:
    """The wrongly classified examples with the largest loss, worst first.

    The numbers: the examples' `inputs` (k, ...) with their `indices` in the part, `labels`, `predicted`, `losses`, and `chance` and
    `chance_of_truth`, the probabilities of the predicted and of the true class, NaN where the network gives none; each (k,).
    Raises: OptionError for a network that predicts numbers (ask for `largest_residuals`), an unknown part or replica.
    """
    found = judged(run, part, replica)
    wrong = np.flatnonzero(~found.right)
    chosen = wrong[np.argsort(-found.losses[wrong], kind="stable")]
    how = f"Of {_count(found)} {spaced(len(wrong))} were classified wrongly, and these have the largest loss, worst first"
    return _sheet(run, found, chosen[: _positive(most)], f"Worst mistakes: {part}", how)


@suits(has_probabilities, has_test_part)
def surest_right(run: Run, part: str = "test", most: int = 12, replica: int = 0) -> View:
    """The rightly classified examples with the highest probability of their class, surest first; numbers as of `worst_mistakes`.

    Raises: as `worst_mistakes`; OptionError for a network without probabilities.
    """
    found = judged(run, part, replica)
    right = np.flatnonzero(found.right)
    highest = found.require_probabilities().max(axis=1)[right]
    chosen = right[np.argsort(-highest, kind="stable")]
    how = f"Of {_count(found)} {spaced(len(right))} were classified rightly, and of these the network was surest"
    return _sheet(run, found, chosen[: _positive(most)], f"Surest right answers: {part}", how)


@suits(has_probabilities, has_test_part)
def least_sure(run: Run, part: str = "test", most: int = 12, replica: int = 0) -> View:
    """The examples whose two highest probabilities lie nearest to each other, nearest first, right or wrong.

    Numbers as of `worst_mistakes`. Raises: as `surest_right`.
    """
    found = judged(run, part, replica)
    ordered = np.sort(found.require_probabilities(), axis=1)
    chosen = np.argsort(ordered[:, -1] - ordered[:, -2], kind="stable")
    how = f"Of {_count(found)}, those whose two likeliest classes have the nearest probabilities, right or wrong"
    return _sheet(run, found, chosen[: _positive(most)], f"Least sure: {part}", how)


def _count(found: JudgedExamples) -> str:
    return counted(len(found.labels), "example")


def _sheet(run: Run, found: JudgedExamples, chosen: Array, heading: str, how: str) -> View:
    labels, predicted = found.labels[chosen], found.predicted[chosen]
    chances = found.probabilities
    rows = np.full((len(chosen), int(labels.max(initial=0)) + 1), np.nan) if chances is None else chances[chosen]
    places = np.arange(len(chosen))
    shown = numbers(
        inputs=found.inputs[chosen],
        indices=chosen,
        labels=labels,
        predicted=predicted,
        chance=np.full(len(chosen), np.nan) if chances is None else rows[places, predicted],
        chance_of_truth=rows[places, labels],
        losses=found.losses[chosen],
    )
    none = Panel([Text(0.5, 0.5, "there is none", where=IN_PANEL, size=9.0)], frame="none")
    return View(
        heading,
        f"{how}; beside each: its number in the part, the true class → the predicted one, p(predicted) and p(true), "
        "and its loss.",
        [_judged_part(shown, run.dataset_info.classes or (), run.dataset_info.features) if len(chosen) else none],
        shown,
        size=(7.4, 3.9),
    )


def _judged_part(shown: Mapping[str, Array], classes: Sequence[str], features: Sequence[str] | None) -> Part:
    """Images with captions, or a table of features."""
    words = [_words(shown, place, classes) for place in range(len(shown["indices"]))]
    losses = [numeral(loss, 3) for loss in shown["losses"].tolist()]
    captions = [f"{what}\np {p}\nno. {index}, loss {loss}" for (index, what, p, _), loss in zip(words, losses, strict=True)]
    beside = Table(("number", "truth → prediction", "p(pred), p(true)", "loss"), tuple(words))
    return example_sheet(shown["inputs"], captions, beside, features, _WIDEST)


def _words(shown: Mapping[str, Array], place: int, classes: Sequence[str]) -> tuple[str, str, str, str]:
    truth, other = (class_name(classes, int(shown[kind][place]), 9) for kind in ("labels", "predicted"))
    chances = float(shown["chance"][place]), float(shown["chance_of_truth"][place])
    said = "none" if np.isnan(chances[0]) else ", ".join(f"{chance:.3f}" for chance in chances)
    return spaced(int(shown["indices"][place])), f"{truth} → {other}", said, numeral(float(shown["losses"][place]))


@suits(fits_numbers, has_test_part)
def largest_residuals(run: Run, part: str = "test", most: int = 12, replica: int = 0) -> View:
    """The examples whose prediction lies farthest from the truth, by the length of prediction − truth, farthest first.

    The numbers: the examples' `inputs` (k, ...) with their `indices` (k,), `targets`, `outputs` and `residuals`, outputs − targets,
    each (k, outputs), in the data's units.
    Raises: OptionError for a classifier (ask for `worst_mistakes`), an unknown part or replica.
    """
    found = outputs_of(run, part, replica)
    distances = np.linalg.norm(found.outputs - found.targets, axis=1)
    chosen = np.argsort(-distances, kind="stable")[: _positive(most)]
    targets, outputs = found.targets[chosen], found.outputs[chosen]
    columns = targets, outputs, outputs - targets
    words = [tuple(" ".join(numeral(float(value)) for value in row) for row in rows) for rows in zip(*columns, strict=True)]
    captions = [f"no. {index}\ntrue {a}\npredicted {b}" for index, (a, b, _) in zip(chosen.tolist(), words, strict=True)]
    rows = tuple((spaced(index), *texts) for index, texts in zip(chosen.tolist(), words, strict=True))
    beside = Table(("number", "truth", "prediction", "difference"), rows)
    inputs = found.inputs[chosen]
    return View(
        f"Largest residuals: {part}",
        "The examples whose prediction lies farthest from the truth, in the units of the data, farthest first.",
        [example_sheet(inputs, captions, beside, run.dataset_info.features, _WIDEST)],
        numbers(inputs=inputs, indices=chosen, targets=targets, outputs=outputs, residuals=outputs - targets),
        size=(7.4, 4.2),
    )


def _positive(most: int) -> int:
    if most < 1:
        raise OptionError(f"most={most}", expected="a whole number from 1 on", remedy="write most=12")
    return most
