"""Pictures of how good the predictions are: true class against predicted class, calibration of probabilities, fits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.nn import Accuracy, ConfusionMatrix, r_squared
from chainrule.numerals import numeral
from chainrule.train import Evaluation, Run
from chainrule.views.colours import SEQUENTIAL, SERIES
from chainrule.views.confused import MOST_CLASSES, frequent_confusions
from chainrule.views.pictures.picture import Picture
from chainrule.views.pictures.results.judged import examples_of, judged, outputs_of
from chainrule.views.pictures.sheets import class_name, panels
from chainrule.views.plain import counted, printable, spaced

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LISTED = 15


@dataclass(frozen=True)
class ConfusionPicture(Picture):
    """The confusion matrix: counts[truth, prediction] and, of the same shape, each count's fraction of its row (NaN in empty rows)."""

    size: ClassVar[tuple[float, float]] = (6.4, 5.2)
    part: str
    counts: Array
    shares: Array
    classes: tuple[str, ...]

    @property
    def title(self) -> str:
        """Which part, and how many were right."""
        matrix = ConfusionMatrix(self.counts, self.classes)
        return f"Confusions, {self.part}: {matrix.accuracy} right"

    @property
    def reading(self) -> str:
        """How to read the matrix, or the list in its place."""
        if self._listed:
            return (
                f"Each bar is one mistake, how often examples of a class were taken for another; {len(self.classes)} classes are "
                "too many for a matrix, so only the most frequent are shown."
            )
        return (
            "A row is a true class, a column what was predicted; a cell has the count and its fraction of the row in percent, "
            "the right ones lie on the diagonal."
        )

    @property
    def confusions(self) -> list[tuple[int, int, int]]:
        """The most frequent mistakes: (truth, prediction, how often)."""
        return frequent_confusions(self.counts, _LISTED)

    @property
    def _listed(self) -> bool:
        return len(self.classes) > MOST_CLASSES

    def draw(self, ax: Axes) -> None:
        """The matrix, or bars for the most frequent mistakes."""
        if self._listed:
            self._draw_list(ax)
        else:
            self._draw_matrix(ax)

    def _draw_matrix(self, ax: Axes) -> None:
        # The root lifts the few confusions out of the dark.
        brightness = np.sqrt(np.nan_to_num(self.shares))
        ax.imshow(brightness, cmap=SEQUENTIAL, vmin=0, vmax=1, aspect="auto")
        names = [class_name(self.classes, place) for place in range(len(self.classes))]
        places, size = np.arange(len(names)), 8.5 if len(names) <= 12 else 5.5
        turned = max(len(name) for name in names) * len(names) > 60
        ax.set_xticks(places, names, rotation=45 if turned else 0, ha="right" if turned else "center", fontsize=size)
        ax.set_yticks(places, names, fontsize=size)
        ax.set(xlabel="predicted class", ylabel="true class")
        for row, column in np.argwhere(self.counts).tolist():
            shade = "white" if brightness[row, column] < 0.6 else "black"
            share = f"\n{100 * self.shares[row, column]:.1f} %" if len(names) <= 12 else ""
            words = f"{spaced(int(self.counts[row, column]))}{share}"
            ax.text(column, row, words, ha="center", va="center", color=shade, fontsize=size - 2)

    def _draw_list(self, ax: Axes) -> None:
        found = self.confusions
        names = [f"{class_name(self.classes, truth, 20)} → {class_name(self.classes, other, 20)}" for truth, other, _ in found]
        counts = [count for *_, count in found]
        bars = ax.barh(np.arange(len(found)), counts, color=SERIES[0])
        ax.bar_label(bars, padding=3, fontsize=8)
        ax.set_yticks(np.arange(len(found)), names)
        ax.invert_yaxis()
        ax.set(xlabel="how often (examples)", ylabel="truth → prediction")
        if not found:
            ax.text(0.5, 0.5, "no mistakes", ha="center", transform=ax.transAxes)


def confusion_picture(results: Evaluation | Run, part: str = "test", replica: int = 0) -> ConfusionPicture:
    """True class against predicted class, by a replica: of an evaluation, or of a run on one part of its data.

    With more than 20 classes the picture lists the most frequent confusions. Raises: OptionError without classes.
    """
    if isinstance(results, Run):
        examples_of(results, part)  # says what is wrong with the part
        results = results.evaluate(part)
    matrix = results.confusion(replica)
    rows = matrix.counts.sum(axis=1, keepdims=True)
    shares = np.where(rows > 0, matrix.counts / np.maximum(rows, 1), np.nan)
    return ConfusionPicture(results.part, matrix.counts, shares, matrix.classes)


@dataclass(frozen=True)
class Reliability(Picture):
    """Predicted probability against the observed fraction, in bins: `edges` (bins + 1,); `counts`, `right`, `predicted` (bins,).

    `predicted` is the mean probability that the network gave its choice in the bin, NaN in an empty one; `low` and `high` are
    Wilson's interval, of one standard deviation, around the fraction that was right.
    """

    part: str
    edges: Array
    counts: Array
    right: Array
    predicted: Array
    low: Array
    high: Array

    @property
    def observed(self) -> Array:
        """The fraction that was right in each bin, NaN in an empty one."""
        return np.where(self.counts > 0, self.right / np.maximum(self.counts, 1), np.nan)

    @property
    def expected_error(self) -> float:
        """The mean distance of probability and observed fraction over the examples, the "expected calibration error".

        Source: C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, ICML 2017, equation (3).
        """
        filled = self.counts > 0
        distance = np.abs(self.observed - self.predicted)[filled]
        return float(distance @ self.counts[filled] / self.counts.sum())

    @property
    def title(self) -> str:
        """What is compared, and the mean distance."""
        return f"Calibration, {self.part}: off by {numeral(100 * self.expected_error, 2)} % on average"

    @property
    def reading(self) -> str:
        """How to read the points."""
        return (
            "Of the predictions that were given a probability of 80 %, 80 % should be right: points below the diagonal are too sure of "
            "themselves, points above too modest; bars are one binomial standard error, small numbers count the examples."
        )

    def draw(self, ax: Axes) -> None:
        """Points with error bars, and the diagonal."""
        filled = np.flatnonzero(self.counts)
        ax.plot([0, 1], [0, 1], color="#777777", linestyle="--", linewidth=1, label="probability = share")
        around = np.clip([self.observed - self.low, self.high - self.observed], 0, None)[:, filled]
        shares = self.observed[filled]
        ax.errorbar(self.predicted[filled], shares, around, fmt="o", color=SERIES[0], capsize=3, label="observed, ± error")
        for place in filled.tolist():
            spot = (float(self.predicted[place]), 0.0)
            ax.annotate(spaced(int(self.counts[place])), spot, (0, 3), textcoords="offset points", ha="center", fontsize=6.5)
        start = float(self.edges[filled[0]])
        ax.set(
            xlabel="probability of the predicted class",
            ylabel="fraction that was right",
            xlim=(start - 0.02, 1.02),
            ylim=(0, 1.04),
        )
        ax.legend(loc="upper left")


def reliability(run: Run, part: str = "test", bins: int = 10, replica: int = 0) -> Reliability:
    """Whether predictions that are given a probability p are right in a fraction p of the cases, in bins of equal width.

    The probability is that of the class that was predicted. Raises: OptionError without classes or probabilities.
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
    return Reliability(part, edges, counts, right, np.where(counts > 0, mean, np.nan), low, high)


@dataclass(frozen=True)
class RegressionFit(Picture):
    """Predictions against the truth, in the data's units, both (n,): and their differences' histogram."""

    size: ClassVar[tuple[float, float]] = (7.6, 3.8)
    part: str
    quantity: str
    truth: Array
    predicted: Array

    @property
    def residuals(self) -> Array:
        """Prediction − truth, (n,)."""
        return self.predicted - self.truth

    @property
    def title(self) -> str:
        """The quantity, and how much of its variance is explained."""
        return (
            f"{printable(self.quantity, most=30)} predicted: {self.part}, R² = {numeral(r_squared(self.truth, self.predicted))}"
        )

    @property
    def reading(self) -> str:
        """How to read both panels."""
        mean, spread = float(self.residuals.mean()), float(self.residuals.std())
        return (
            f"Left, each point is one example, on the diagonal where the prediction is right; right, how far off the "
            f"{counted(len(self.truth), 'example')} are: {numeral(mean)} on average, with a standard deviation of {numeral(spread)}."
        )

    def draw(self, ax: Axes) -> None:
        """Both panels."""
        left, right = panels(ax, 1, 2, gap=(0.16, 0))
        name = printable(self.quantity, most=30)
        ends = [float(min(self.truth.min(), self.predicted.min())), float(max(self.truth.max(), self.predicted.max()))]
        left.plot(ends, ends, color="#777777", linestyle="--", linewidth=1, label="prediction = truth")
        left.plot(self.truth, self.predicted, "o", color=SERIES[0], markersize=3, alpha=0.5, label="examples")
        left.set(xlabel=f"true {name} (units of the data)", ylabel=f"predicted {name} (units of the data)")
        left.legend(loc="upper left")
        right.hist(self.residuals, bins=min(30, max(5, len(self.truth) // 8)), color=SERIES[0])
        right.axvline(0, color="#777777", linestyle="--", linewidth=1)
        right.set(xlabel="prediction − truth (units of the data)", ylabel="examples")


def regression_fit(run: Run, part: str = "test", output: int = 0, replica: int = 0) -> RegressionFit:
    """Predictions of one output against the truth, and how the differences are distributed.

    Raises: OptionError for a network that predicts classes, an unknown part or an output that it does not have.
    """
    found = outputs_of(run, part, replica)
    count = int(found.targets.shape[1])
    if not 0 <= output < count:
        raise OptionError(f"output {output}", expected=f"0 ... {count - 1}", remedy="count from 0")
    columns = run.dataset_info.columns
    name = columns.target.name if columns is not None else "y" if count == 1 else f"y{output}"
    return RegressionFit(part, name, found.targets[:, output].astype(np.float64), found.outputs[:, output])
