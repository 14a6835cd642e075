"""What an evaluation found, as it is asked for: accuracy, confusions, R², and one line for people."""

from __future__ import annotations

import numpy as np

from chainrule.checks import Natural, checked, require_place
from chainrule.display import Shown
from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.immutable import immutable
from chainrule.nn import Accuracy, ConfusionMatrix, accuracy, confusion_matrix, mean_absolute_error, r_squared
from chainrule.numerals import numeral, with_uncertainty
from chainrule.train.evaluation import Scores, decide
from chainrule.train.learning_problem import LearningProblem
from chainrule.train.replicated import standard_error


@immutable
class Evaluation(Shown):
    """How the network does on one part of the data; numbers by name for each replica, shape (replicas,).

    labels: the true classes, None where the network predicts numbers. targets: what outputs are compared with, None where they are
    compared with nothing, loss="none". weights: by how much each example counts in a weighted loss, (n,), and so in R² and in the mean
    absolute error; None where all count alike.
    """

    part: str
    scores: Scores
    labels: Array | None
    targets: Array | None
    classes: tuple[str, ...] | None
    predicted: Array
    unit: Array | float = 1.0
    weights: Array | None = None

    @property
    def loss(self) -> Array:
        """The objective, shape (replicas,)."""
        return self.scores.values["loss"]

    @checked
    def accuracy(self, replica: Natural = 0) -> Accuracy:
        """The fraction of right answers of a replica, with its binomial error."""
        return accuracy(self._labels(), self.predicted[self._one(replica)])

    @checked
    def confusion(self, replica: Natural = 0) -> ConfusionMatrix:
        """The confusion matrix of a replica: counts of true class (rows) against predicted class (columns)."""
        return confusion_matrix(self._labels(), self.predicted[self._one(replica)], self.classes or ())

    @checked
    def r_squared(self, replica: Natural = 0) -> float:
        """The fraction of the targets' variance that the outputs explain; of several outputs of their whole variance, as the loss sees it.

        −∞ where an output is beyond all numbers. Targets that are standardised count alike; others in the unit that they have, so
        that the pixels of an image are one picture.
        """
        true, outputs = self._numbers() * self.unit, self.scores.outputs[self._one(replica)] * self.unit
        if not np.isfinite(outputs).all():
            return -np.inf
        return r_squared(true, outputs, "variance_weighted", self.weights)

    @checked
    def mean_absolute_error(self, replica: Natural = 0) -> float:
        """The mean size of the errors, in the units of the data."""
        return mean_absolute_error(self._numbers(), self.scores.outputs[self._one(replica)], self.weights)

    def _one(self, replica: int) -> int:
        require_place(f"replica {replica}", replica, len(self.scores.outputs))
        return replica

    def errors(self) -> Array:
        """Outputs less targets of a network that predicts numbers, in the units of the data: (replicas, examples, ...)."""
        return self.scores.outputs.astype(np.float64) - self._numbers()

    @property
    def score(self) -> tuple[str, Array]:
        """What tells most, and its value for each replica: "accuracy", for numbers "R²", and "loss" where there is neither.

        There is no R² without a comparison, nor where all targets are alike.
        """
        if self.labels is not None:
            return "accuracy", self.scores.values["accuracy"]
        if self.targets is None:
            return "loss", self.loss
        squares = np.array([self.r_squared(replica) for replica in range(len(self.loss))])
        return ("loss", self.loss) if np.isnan(squares).all() else ("R²", squares)

    @property
    def by_weight(self) -> str:
        """What is said behind scores that go by the weights of a weighted loss; "" where all examples count alike."""
        return "" if self.weights is None else BY_WEIGHT

    def _targets(self) -> Array:
        if self.targets is None:
            raise OptionError(
                'how well outputs fit targets that they are not compared with: loss="none"',
                expected="a loss that compares them",
                remedy="ask for loss, or for the terms in scores.values",
            )
        return self.targets

    def _numbers(self) -> Array:
        if self.labels is not None:
            raise OptionError(
                "how far outputs are from labels", expected="a network that predicts numbers", remedy="ask for accuracy()"
            )
        return self._targets()

    def _labels(self) -> Array:
        self._targets()
        if self.labels is None:
            raise OptionError("accuracy of a network that predicts numbers", expected="classes", remedy="ask for r_squared()")
        return self.labels

    def __str__(self) -> str:
        name, values = self.score
        loss = f"loss {with_error(self.loss)}{_replicas(self.loss)}"
        if name == "loss":
            return f"{self.part} {loss}" + (f"; R² {UNDEFINED}" if self.targets is not None else "")
        shown = str(self.accuracy()) if name == "accuracy" and len(values) == 1 else with_error(values)
        return f"{self.part} {name} {shown}, {loss}" + (f"; {self.by_weight}" if self.by_weight else "")


BY_WEIGHT = "each example counts by its weight"
UNDEFINED = "undefined, for all targets are alike"
"""What is said of R² where there is nothing to be explained."""


def r_squared_text(value: float, *, weighted: bool = False) -> str:
    """R² in words, also where it is undefined, NaN.

    >>> r_squared_text(0.5), r_squared_text(float("nan")), r_squared_text(0.5, weighted=True)
    ('R² = 0.5', 'R² undefined, for all targets are alike', 'R² = 0.5, each example counts by its weight')
    """
    return f"R² {UNDEFINED}" if np.isnan(value) else f"R² = {numeral(value)}" + f", {BY_WEIGHT}" * weighted


def evaluation_of(problem: LearningProblem, part: str, scores: Scores, y: Array) -> Evaluation:
    """What scores mean for a problem, beside the targets y of the examples: (n, ...)."""
    labels = y if problem.classes is not None else None
    scaling = problem.dataset_info.target_scaling
    unit = 1.0 if scaling is None else scaling.factor
    decided = decide(scores.outputs, problem.threshold)
    return Evaluation(
        part, scores, labels, _compared(problem, scores, y), problem.classes, decided, unit, example_weights(problem, y)
    )


def example_weights(problem: LearningProblem, y: Array) -> Array | None:
    """What each example counts by, if that is known and says how much: a weight below 0, or 0 alone, is none that a mean can go by."""
    found = y[:, -1] if problem.objective.beside == "a weight" else None
    return found if found is not None and (found >= 0).all() and (found > 0).any() else None


def _compared(problem: LearningProblem, scores: Scores, y: Array) -> Array | None:
    if not problem.compares:
        return None
    # Errors may stand behind the targets.
    return y if problem.classes is not None else y[:, : scores.outputs.shape[-1]]


def with_error(values: Array) -> str:
    """The mean, and from two finite values on the standard error of the mean, to two digits of the error.

    >>> with_error(np.array([0.94, 0.95, 0.96]))
    '0.9500 ± 0.0058'
    >>> with_error(np.array([0.5]))
    '0.5'
    """
    mean = float(np.mean(values))
    if len(values) < 2 or not np.isfinite(values).all():
        return numeral(mean)
    return with_uncertainty(mean, float(standard_error(values)))


def _replicas(values: Array) -> str:
    """How many there are, and what stands behind ±, where it does: see `with_error`."""
    error = ", ± standard error" * bool(np.isfinite(values).all())
    return f" ({len(values)} replicas{error})" if len(values) > 1 else ""
