"""Pictures of how good the predictions are: true class against predicted class, calibration of probabilities, fits."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from chainrule.checks import require_place
from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.nn import Accuracy, ConfusionMatrix, r_squared
from chainrule.numerals import numeral
from chainrule.train import Evaluation, Run, r_squared_text
from chainrule.views.confused import MOST_CLASSES, frequent_confusions
from chainrule.views.marks import IN_PANEL, Bars, Color, ErrorBars, Image, Line, Mark, Points, Rule, Scale, Text, bin_edges
from chainrule.views.panels import Axis, Panel
from chainrule.views.pictures.kinds import classifies, fits_numbers, has_probabilities, has_test_part, suits
from chainrule.views.pictures.results.judged import judged, outputs_of
from chainrule.views.pictures.sheets import class_name
from chainrule.views.plain import counted, printable, spaced
from chainrule.views.view import View, numbers

_LISTED = 15


@suits(classifies, has_test_part)
def confusion_picture(results: Evaluation | Run, part: str = "test", replica: int = 0) -> View:
    """True class against predicted class, by a replica: of an evaluation, or of a run on one part of its data.

    With more than 20 classes the picture lists the most frequent confusions. The numbers: counts[truth, prediction], and of the same
    shape each count's fraction of its row, `shares`, NaN in empty rows. Raises: OptionError without classes.
    """
    if isinstance(results, Run):
        results.data.part(part)  # says what is wrong with the part
        results = results.evaluate(part)
    matrix = results.confusion(replica)
    rows = matrix.counts.sum(axis=1, keepdims=True)
    shares = np.where(rows > 0, matrix.counts / np.maximum(rows, 1), np.nan)
    many = len(matrix.classes) > MOST_CLASSES
    listed = (
        f"Each bar is one mistake, how often examples of a class were taken for another; {len(matrix.classes)} classes are "
        "too many for a matrix, so only the most frequent are shown."
    )
    told = (
        "A row is a true class, a column what was predicted; a cell has the count and its fraction of the row in percent, "
        "the right ones lie on the diagonal."
    )
    return View(
        f"Confusions, {results.part}: {matrix.accuracy} right",
        listed if many else told,
        [_frequent(matrix) if many else _cells(matrix, shares)],
        numbers(counts=matrix.counts, shares=shares),
        size=(6.4, 5.2),
    )


def _cells(matrix: ConfusionMatrix, shares: Array) -> Panel:
    """The matrix as brightness, with counts and shares."""
    # The root lifts the few confusions out of the dark.
    brightness, names = np.sqrt(np.nan_to_num(shares)), [class_name(matrix.classes, k) for k in range(len(matrix.classes))]
    few = len(names) <= 12
    size, turned = 8.5 if few else 5.5, max(map(len, names)) * len(names) > 60
    met = np.argwhere(matrix.counts)
    words = [
        spaced(int(matrix.counts[row, column])) + (f"\n{100 * shares[row, column]:.1f} %" if few else "")
        for row, column in met.tolist()
    ]
    inks: list[Color] = ["light" if brightness[row, column] < 0.6 else "dark" for row, column in met.tolist()]
    at = range(len(names))
    return Panel(
        [Image(brightness, scale=Scale("sequential")), Text(met[:, 1], met[:, 0], words, colors=inks, size=size - 2)],
        Axis("predicted class", at=at, texts=names, turn=45.0 if turned else 0.0, size=size),
        Axis("true class", at=at, texts=names, size=size),
    )


def _frequent(matrix: ConfusionMatrix) -> Panel:
    """Bars for the most frequent mistakes."""
    found = frequent_confusions(matrix.counts, _LISTED)
    names = [f"{class_name(matrix.classes, true, 20)} → {class_name(matrix.classes, other, 20)}" for true, other, _ in found]
    counts = [count for *_, count in found]
    none: list[Mark] = [] if found else [Text(0.5, 0.5, "no mistakes", where=IN_PANEL, size=9.0)]
    rows = max(len(found), 1)
    return Panel(
        [Bars(range(len(found)), counts, flat=True, color=0, texts=list(map(str, counts))), *none],
        Axis("how often (examples)"),
        Axis("truth → prediction", at=range(len(found)), texts=names, ends=(rows - 0.5, -0.5)),
    )


@suits(has_probabilities, has_test_part)
def reliability(run: Run, part: str = "test", bins: int = 10, replica: int = 0) -> View:
    """Whether predictions that are given a probability p are right in a fraction p of the cases, in bins of equal width.

    The probability is that of the class that was predicted. The numbers: `edges` (bins + 1,), and for each bin (bins,) the `counts`, how
    many were `right`, the fraction `observed` with Wilson's interval of one standard deviation, `low` and `high`, and the mean
    probability `predicted`, NaN in an empty one; `expected_error`, the mean distance of the two over the examples.

    Raises: OptionError without classes or probabilities.
    Source: C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, ICML 2017, equation (3), the "expected calibration error".
    """
    if bins < 1:
        raise OptionError(f"bins={bins}", expected="a whole number from 1 on", remedy="write bins=10")
    found = judged(run, part, replica)
    chance = found.require_probabilities()[np.arange(len(found.labels)), found.predicted]
    edges = np.linspace(0, 1, bins + 1)
    place = np.clip(np.ceil(chance * bins).astype(int) - 1, 0, bins - 1)
    counts = np.bincount(place, minlength=bins)
    right = np.bincount(place, weights=found.right, minlength=bins).astype(np.int64)
    mean = np.bincount(place, weights=chance, minlength=bins) / np.maximum(counts, 1)
    pairs = zip(right.tolist(), counts.tolist(), strict=True)
    low, high = np.array([Accuracy(hits, count).interval() if count else (np.nan, np.nan) for hits, count in pairs]).T
    observed, filled = right / np.maximum(counts, 1), counts > 0
    error = float(np.abs(observed - mean) @ counts / counts.sum())
    shown = numbers(
        edges=edges, counts=counts, right=right, low=low, high=high, expected_error=error,
        predicted=np.where(filled, mean, np.nan), observed=np.where(filled, observed, np.nan),
    )  # fmt: skip
    return View(
        f"Calibration, {part}: off by {numeral(100 * error, 2)} % on average",
        "Of the predictions that were given a probability of 80 %, 80 % should be right: points below the diagonal are too sure of "
        "themselves, points above too modest; bars are one binomial standard error, small numbers count the examples.",
        [
            _calibration(
                {name: array[filled] for name, array in shown.items() if array.shape == filled.shape}, edges[:-1][filled]
            )
        ],
        shown,
    )


def _calibration(filled: Mapping[str, Array], starts: Array) -> Panel:
    """Points with error bars, and the diagonal."""
    x, y = filled["predicted"], filled["observed"]
    low, high = np.minimum(filled["low"], y), np.maximum(filled["high"], y)
    words = [spaced(count) for count in filled["counts"].tolist()]
    return Panel(
        [
            Line([0, 1], [0, 1], color="faint", dash="dashed", width=1.0, label="probability = share"),
            ErrorBars(x, low, high, color=0, cap=3.0),
            Points(x, y, color=0, size=6.0, label="observed, ± error"),
            Text(x, np.zeros(len(x)), words, offset=(0, 3), up="bottom", size=6.5),
        ],
        Axis("probability of the predicted class", ends=(float(starts[0]) - 0.02, 1.02)),
        Axis("fraction that was right", ends=(0, 1.04)),
        legend="upper left",
    )


@suits(fits_numbers, has_test_part)
def regression_fit(run: Run, part: str = "test", output: int = 0, replica: int = 0) -> View:
    """Predictions of one output against the truth, and how the differences are distributed.

    The numbers, in the data's units: `truth`, `predicted` and `residuals`, predicted − truth, each (n,).
    Raises: OptionError for a network that predicts classes, an unknown part or an output that it does not have.
    """
    found = outputs_of(run, part, replica)
    count = int(found.targets.shape[1])
    require_place(f"output {output}", output, count)
    columns = run.dataset_info.columns
    name = printable(columns.target.name if columns is not None else "y" if count == 1 else f"y{output}", most=30)
    truth, predicted = found.targets[:, output].astype(np.float64), found.outputs[:, output]
    residuals = predicted - truth
    mean, spread = float(residuals.mean()), float(residuals.std())
    squared = r_squared(truth, predicted, weights=found.weights)
    return View(
        f"{name} predicted: {part}, {r_squared_text(squared, weighted=found.weights is not None)}",
        f"Left, each point is one example, on the diagonal where the prediction is right; right, how far off the "
        f"{counted(len(truth), 'example')} are: {numeral(mean)} on average, with a standard deviation of {numeral(spread)}.",
        [_against_truth(truth, predicted, name), _histogram(residuals)],
        numbers(truth=truth, predicted=predicted, residuals=residuals),
        size=(7.6, 3.8),
    )


def _against_truth(truth: Array, predicted: Array, name: str) -> Panel:
    ends = [float(min(truth.min(), predicted.min())), float(max(truth.max(), predicted.max()))]
    return Panel(
        [
            Line(ends, ends, color="faint", dash="dashed", width=1.0, label="prediction = truth"),
            Points(truth, predicted, color=0, size=3.0, alpha=0.5, label="examples"),
        ],
        Axis(f"true {name} (units of the data)"),
        Axis(f"predicted {name} (units of the data)"),
        legend="upper left",
    )


def _histogram(residuals: Array) -> Panel:
    edges = bin_edges(residuals, min(30, max(5, len(residuals) // 8)))
    counts = np.histogram(residuals[np.isfinite(residuals)], edges)[0]
    return Panel(
        [Bars((edges[1:] + edges[:-1]) / 2, counts, width=np.diff(edges), color=0), Rule(x=0.0, dash="dashed", width=1.0)],
        Axis("prediction − truth (units of the data)"),
        Axis("examples"),
    )
