"""Metrics: how good predictions are, as numbers that know their own uncertainty; NumPy only, nothing here is differentiated."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from chainrule.checks import Count, Natural, NonNegative, WholeNumbers, checked
from chainrule.display import Shown
from chainrule.errors import DataError, DtypeError, OptionError, ShapeError
from chainrule.immutable import immutable

Array: TypeAlias = NDArray[Any]
Floats: TypeAlias = NDArray[np.float64]


@immutable
@checked
class Accuracy(Shown):
    """How many of how many were right, with the binomial error.

    >>> print(Accuracy(17, 20))
    17/20 = 0.850 ± 0.080
    >>> print(Accuracy(20, 20))
    20/20 = 1.000 (0.952 ... 1.000)
    """

    correct: Natural
    total: Count

    def __post_init__(self) -> None:
        if self.correct > self.total:
            raise OptionError(
                f"{self.correct} correct of {self.total}",
                expected="0 <= correct <= total, and one example or more",
                remedy="use accuracy(true, predicted), which counts",
            )

    @property
    def value(self) -> float:
        """The fraction that was right, p = correct/total."""
        return self.correct / self.total

    @property
    def error(self) -> float:
        """The binomial standard error √(p·(1 − p)/total); 0 where all or none were right: ask `interval` there."""
        return math.sqrt(self.value * (1.0 - self.value) / self.total)

    @checked
    def interval(self, deviations: NonNegative = 1.0) -> tuple[float, float]:
        """Wilson's score interval, of one standard deviation unless told: it stays inside [0, 1] and never has width 0.

        Source: E. B. Wilson, J. Am. Stat. Assoc. 22, 209 (1927).

        >>> low, high = Accuracy(0, 20).interval(1.96)
        >>> round(low, 3), round(high, 3)
        (0.0, 0.161)
        """
        squared = deviations * deviations
        centre = (self.correct + 0.5 * squared) / (self.total + squared)
        wrong = self.total - self.correct
        half = deviations / (self.total + squared) * math.sqrt(self.correct * wrong / self.total + 0.25 * squared)
        # The ends 0 and 1 are exact by algebra; rounding must not move them.
        return (0.0 if self.correct == 0 else centre - half), (1.0 if wrong == 0 else centre + half)

    def __str__(self) -> str:
        if 0 < self.correct < self.total:
            digits = _digits(self.error)
            return f"{self.correct}/{self.total} = {self.value:.{digits}f} ± {self.error:.{digits}f}"
        low, high = self.interval()
        digits = _digits(high - low)
        return f"{self.correct}/{self.total} = {self.value:.{digits}f} ({low:.{digits}f} ... {high:.{digits}f})"


def _digits(error: float) -> int:
    """As many decimals as show two digits of the error, and three at least."""
    return max(3, math.ceil(-math.log10(error)) + 1)


@checked
def accuracy(true: object, predicted: object) -> Accuracy:
    """The fraction of examples whose predicted label is the true one.

    Shapes: both (examples,), whole numbers. Raises: ShapeError, DtypeError, DataError if there is no example.

    >>> accuracy([0, 1, 1, 2], [0, 1, 2, 2])
    Accuracy(correct=3, total=4)
    """
    right, found = _labels("true", true), _labels("predicted", predicted)
    _require_same_shape(right, found)
    return Accuracy(int(np.count_nonzero(right == found)), len(right))


@checked
def top_k_accuracy(true: object, scores: object, k: Count) -> Accuracy:
    """The fraction of examples whose true label is among the k highest scores; of equal scores the first class counts as higher.

    Shapes: true (examples,), scores (examples, classes). With k = 1 this is the accuracy of the largest score.

    >>> print(top_k_accuracy([0], [[0.48, 0.01, 0.51]], k=2))
    1/1 = 1.000 (0.500 ... 1.000)
    """
    right, rows = _labels("true", true), _compared("scores", scores, infinite=True)
    if rows.ndim != 2 or len(rows) != len(right):
        raise ShapeError(
            f"true labels of shape {right.shape} and scores of shape {rows.shape}",
            expected="labels (examples,) and scores (examples, classes)",
            remedy="give one row of scores to a label",
        )
    if k > rows.shape[1]:
        raise OptionError(f"k={k!r}", expected=f"a whole number from 1 to {rows.shape[1]}, the classes", remedy="write k=5")
    _require_in_range("true", right, rows.shape[1])
    own = np.take_along_axis(rows, right[:, None], axis=1)
    before = np.arange(int(rows.shape[1]), dtype=np.int64) < right[:, None]
    level_before = np.logical_and(rows == own, before)
    ahead = np.count_nonzero(rows > own, axis=1) + np.count_nonzero(level_before, axis=1)
    return Accuracy(int(np.count_nonzero(ahead < k)), len(right))


@checked
def predicted_labels(outputs: object, threshold: float | None = None) -> NDArray[np.int64]:
    """The label that each row of outputs stands for.

    Shapes: (examples, classes) with two columns or more gives the position of the largest, the first of equals; (examples, 1)
    gives 1 where the output is above `threshold`, else 0, and the threshold must be said: 0.5 for probabilities, 0 for logits.

    >>> predicted_labels([[0.48, 0.01, 0.51]])
    array([2])
    >>> predicted_labels([[-0.3], [2.0]], threshold=0)
    array([0, 1])
    """
    rows = _compared("outputs", outputs, infinite=True)
    if rows.ndim != 2 or not rows.shape[1]:
        raise ShapeError(
            f"outputs of shape {rows.shape}",
            expected="(examples, classes), or (examples, 1)",
            remedy="write y.reshape(-1, 1) for one",
        )
    if (rows.shape[1] == 1) is (threshold is None):
        raise OptionError(
            f"outputs of shape {rows.shape} and threshold={threshold}",
            expected="a threshold for one column, and none for several, where the largest wins",
            remedy="write threshold=0.5 for probabilities (sigmoid), threshold=0 for logits"
            if threshold is None
            else "leave it out",
        )
    if threshold is None:
        return np.argmax(rows, axis=1).astype(np.int64)
    return (rows[:, 0] > threshold).astype(np.int64)


# ---- confusion


@immutable(eq=False)
@checked
class ConfusionMatrix(Shown):
    """How often each true class was predicted as which: counts[true, predicted].

    A ratio 0/0 is undefined and reported as NaN: the precision of a class that was never predicted, the recall of one that
    never occurs, the F1 of one with neither. The `macro_` values are means over the classes where the value is defined.

    >>> matrix = confusion_matrix([0, 1, 1, 1], [0, 0, 1, 1], classes=("cat", "dog"))
    >>> print(matrix)
    true ↓ predicted →   cat   dog  recall
    cat                    1     0   1.000
    dog                    1     2   0.667
    precision          0.500 1.000
    accuracy 3/4 = 0.750 ± 0.217
    """

    counts: WholeNumbers
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        counts = np.array(self.counts, dtype=np.int64)
        if counts.shape != (len(self.classes), len(self.classes)):
            raise ShapeError(
                f"counts of shape {counts.shape} for {len(self.classes)} classes",
                expected="a row and a column to a class",
                remedy="count with confusion_matrix(true, predicted, classes)",
            )
        counts.flags.writeable = False
        object.__setattr__(self, "counts", counts)

    @property
    def accuracy(self) -> Accuracy:
        """The diagonal's fraction of all."""
        return Accuracy(int(np.trace(self.counts)), int(self.counts.sum()))

    @property
    def precision(self) -> Floats:
        """For each class: of those predicted as it, the fraction that is it. Shape (classes,)."""
        return _ratio(np.diag(self.counts), self.counts.sum(axis=0))

    @property
    def recall(self) -> Floats:
        """For each class: of those that are it, the fraction predicted as it. Shape (classes,)."""
        return _ratio(np.diag(self.counts), self.counts.sum(axis=1))

    @property
    def f1(self) -> Floats:
        """For each class 2·hits/(predicted + true), the harmonic mean of precision and recall. Shape (classes,)."""
        return _ratio(2 * np.diag(self.counts), self.counts.sum(axis=0) + self.counts.sum(axis=1))

    @property
    def macro_precision(self) -> float:
        """The mean precision of the classes that have one; NaN if none has."""
        return _mean_of_defined(self.precision)

    @property
    def macro_recall(self) -> float:
        """The mean recall of the classes that have one; NaN if none has."""
        return _mean_of_defined(self.recall)

    @property
    def macro_f1(self) -> float:
        """The mean F1 of the classes that have one; NaN if none has."""
        return _mean_of_defined(self.f1)

    def __str__(self) -> str:
        first = max(len(_CORNER), *(len(name) for name in self.classes))
        width = max(5, len(str(self.counts.max())), *(len(name) for name in self.classes))
        rows = [f"{_CORNER:<{first}}" + _cells(self.classes, width) + "  recall"]
        for name, counts, recall in zip(self.classes, self.counts.tolist(), self.recall.tolist(), strict=True):
            rows.append(f"{name:<{first}}" + _cells([str(count) for count in counts], width) + f"  {recall:6.3f}")
        rows.append(f"{'precision':<{first}}" + _cells([f"{share:.3f}" for share in self.precision.tolist()], width))
        return "\n".join([*rows, f"accuracy {self.accuracy}"])


_CORNER = "true ↓ predicted →"


def _cells(texts: Sequence[str], width: int) -> str:
    return "".join(f" {text:>{width}}" for text in texts)


def _ratio(part: Array, whole: Array) -> Floats:
    with np.errstate(invalid="ignore"):
        return np.divide(part, whole, dtype=np.float64)


def _mean_of_defined(values: Floats) -> float:
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else math.nan


@checked
def confusion_matrix(true: object, predicted: object, classes: Count | Sequence[str]) -> ConfusionMatrix:
    """Counts the pairs (true label, predicted label); `classes` are the classes' names, or how many there are.

    Shapes: true and predicted (examples,), whole numbers 0 ... classes − 1. Raises: ShapeError, DtypeError, DataError.
    """
    names = tuple(str(i) for i in range(classes)) if isinstance(classes, int) else tuple(classes)
    if not names:
        raise OptionError(
            f"classes={classes!r}", expected="one class or more", remedy="give their names, or how many there are"
        )
    rows, columns = _labels("true", true), _labels("predicted", predicted)
    _require_same_shape(rows, columns)
    _require_in_range("true", rows, len(names))
    _require_in_range("predicted", columns, len(names))
    flat = np.bincount(rows * len(names) + columns, minlength=len(names) ** 2)
    return ConfusionMatrix(flat.reshape(len(names), len(names)), names)


# ---- regression


@checked
def mean_squared_error(true: object, predicted: object) -> float:
    """The mean of (predicted − true)² over all numbers; shapes equal, never broadcast.

    Raises: ShapeError, DtypeError, DataError where there is no number, or one that is not finite.

    >>> mean_squared_error([1.0, 4.0], [1.0, 2.0])
    2.0
    """
    first, second = _pair(true, predicted)
    difference, scale = _scaled(second - first)
    return float(np.mean(np.square(difference))) * scale * scale


@checked
def mean_absolute_error(true: object, predicted: object, weights: object = None) -> float:
    """The mean of |predicted − true| over all numbers; shapes equal, never broadcast.

    weights: by how much each example counts, (examples,), 0 or more; all alike unless told. Raises: as `mean_squared_error`.

    >>> mean_absolute_error([1.0, 4.0], [1.0, 2.0])
    1.0
    """
    first, second = _pair(true, predicted)
    counts = _weights(weights, len(first))
    sizes: Array = np.mean(np.abs(second - first).reshape(len(first), -1), axis=1)
    return float(np.mean(sizes) if counts is None else np.average(sizes, weights=counts))


@checked
def r_squared(
    true: object,
    predicted: object,
    multioutput: Literal["uniform_average", "variance_weighted"] = "uniform_average",
    weights: object = None,
) -> float:
    """1 − Σ(predicted − true)²/Σ(true − mean true)²: 1 is perfect, 0 no better than the true mean, below 0 worse.

    Shapes: both (examples,) or (examples, outputs). Of several outputs the mean is given, or, "variance_weighted", the fraction of their
    whole variance, which is for outputs in one unit. Constant true values have no spread to be explained: they are left out of the
    mean; where all are constant the value is undefined, and NaN. weights: by how much each example counts, (examples,), 0 or more: both
    sums and the mean go by them. Raises: as `mean_squared_error`.

    >>> r_squared([1.0, 2.0, 6.0], [1.0, 2.0, 3.0])
    0.357...
    >>> r_squared([3.0, 3.0], [1.0, 2.0]), r_squared([[1.0, 3.0], [2.0, 3.0]], [[1.0, 2.0], [2.0, 2.0]])
    (nan, 1.0)
    """
    first, second = _pair(true, predicted)
    first, second = first.reshape(len(first), -1), second.reshape(len(second), -1)
    counts = _weights(weights, len(first))
    if counts is not None:
        first, second, counts = first[counts > 0], second[counts > 0], counts[counts > 0]
    # Asked of the numbers themselves: the mean of equal numbers may be rounded, and would leave a spread that is not there.
    varies = np.flatnonzero(np.any(first != first[:1], axis=0))
    above, scale = _scaled(first - np.average(first, axis=0, weights=counts))
    share: Array = np.ones(1) if counts is None else counts[:, None]
    spread = np.sum(share * np.square(above), axis=0)
    rest = np.sum(share * np.square((second - first) / scale), axis=0)
    if multioutput == "variance_weighted" and varies.size:
        return float(1.0 - rest.sum() / spread.sum())
    explained: Array = 1.0 - rest[varies] / spread[varies]
    return float(np.mean(explained)) if varies.size else float("nan")


def _weights(weights: object, count: int) -> Floats | None:
    if weights is None:
        return None
    found = _compared("weights", weights)
    if found.shape != (count,):
        raise ShapeError(f"weights of shape {found.shape}", expected=f"({count},)", remedy="give one weight to an example")
    if (found < 0).any() or not (found > 0).any():
        wrong = found[found < 0][0] if (found < 0).any() else "0 alone"
        raise DataError(
            f"weights hold {wrong}", expected="0 or more, one above 0", remedy="leave weights out to count all alike"
        )
    return found


def _scaled(numbers: Floats) -> tuple[Floats, float]:
    """The numbers in units of a power of two, and that unit, 1 but where squares would leave the range of floats.

    By a power of two no digit changes.
    """
    largest = float(np.abs(numbers).max(initial=0.0))
    if largest == 0.0 or 1e-100 < largest < 1e100 or not math.isfinite(largest):
        return numbers, 1.0
    scale = 2.0 ** math.frexp(largest)[1]
    return numbers / scale, scale


# ---- what is let in


def _numbers(name: str, values: object) -> Array:
    try:
        array = np.asarray(values)
    except ValueError:
        raise ShapeError(
            f"the rows of {name} differ in length", expected="rows of equal length", remedy="cut or fill them"
        ) from None
    if array.dtype.kind not in "biuf":
        raise DtypeError(
            f"{name} holds {array.dtype} values", expected="numbers", remedy="write classes as labels 0, 1, ... first"
        )
    if not array.size:
        raise DataError(
            f"{name} is empty, of shape {array.shape}", expected="one example or more", remedy="select one example or more"
        )
    return array


def _compared(name: str, values: object, *, infinite: bool = False) -> Floats:
    array = _numbers(name, values).astype(np.float64)
    wrong = array[np.isnan(array) if infinite else ~np.isfinite(array)]
    if wrong.size:
        kind = "numbers that can be compared" if infinite else "finite numbers"
        raise DataError(f"{name} holds {wrong[0]}", expected=kind, remedy="find where the first such number arose")
    return array


def _labels(name: str, values: object) -> NDArray[np.int64]:
    array = _numbers(name, values)
    if array.dtype.kind == "f":
        raise DtypeError(
            f"{name} holds {array.dtype} numbers",
            expected="labels: whole numbers",
            remedy="write predicted_labels(outputs) for scores",
        )
    if array.ndim != 1:
        raise ShapeError(
            f"{name} has the shape {array.shape}",
            expected="(examples,)",
            remedy="write labels.reshape(-1), or argmax for one-hot rows",
        )
    return array.astype(np.int64)


def _pair(true: object, predicted: object) -> tuple[Floats, Floats]:
    first, second = _compared("true", true), _compared("predicted", predicted)
    _require_same_shape(first, second)
    if not first.ndim:
        raise ShapeError("a single prediction without an axis", expected="(examples,) or more axes", remedy="write [value]")
    return first, second


def _require_same_shape(true: Array, predicted: Array) -> None:
    if true.shape != predicted.shape:
        raise ShapeError(
            f"true and predicted values of different shapes\n      true      {true.shape}\n      predicted {predicted.shape}",
            expected="one shape for both; nothing is broadcast",
            remedy="bring both to one shape, for example with y.reshape(-1, 1)",
        )


def _require_in_range(name: str, labels: NDArray[np.int64], classes: int) -> None:
    outside = labels[(labels < 0) | (labels >= classes)]
    if len(outside):
        raise DataError(
            f"{name} holds {outside[0]}", expected=f"0 ... {classes - 1}", remedy="give the right number of classes"
        )
