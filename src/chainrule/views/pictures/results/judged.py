"""What a run says about one part of its data, example by example, in float64: the numbers behind the pictures of results."""

from __future__ import annotations

from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.immutable import immutable
from chainrule.train import Model, Run, class_probabilities, decide
from chainrule.train.evaluated import example_weights
from chainrule.views.pictures.subject import predicted_of


@immutable
class JudgedExamples:
    """A classifier's verdict on n examples: `labels`, `predicted` (n,), `losses` (n,), and `probabilities` (n, classes) or None."""

    inputs: Array
    labels: Array
    predicted: Array
    losses: Array
    probabilities: Array | None

    @property
    def right(self) -> Array:
        """Where the prediction is the truth, (n,)."""
        return self.predicted == self.labels

    def require_probabilities(self) -> Array:
        """The probability of each class, (n, classes).

        Raises: OptionError for a network whose outputs are no probabilities.
        """
        if self.probabilities is None:
            raise OptionError(
                "probabilities of a network without them",
                expected="softmax, sigmoid or a cross-entropy",
                remedy="write for example Dense(10, 'softmax') as the last layer",
            )
        return self.probabilities


@immutable
class Predicted:
    """Numbers predicted for n examples, in the units of the data: `targets`, `outputs` (n, k), `losses`, and `weights` if any (n,)."""

    inputs: Array
    targets: Array
    outputs: Array
    losses: Array
    weights: Array | None = None


def probabilities_of(model: Model, outputs: Array) -> Array | None:
    """The probability of each class, (n, classes), for a classifier's outputs (n, k); None where they are no probabilities."""
    how = model.problem.probabilities
    return None if model.problem.classes is None or how == "none" else class_probabilities(outputs, how)


def judged(run: Run, part: str = "test", replica: int = 0) -> JudgedExamples:
    """What a classifier says about a part of its data.

    Raises: OptionError for a network that predicts numbers, an unknown part or replica.
    """
    if run.problem.classes is None:
        raise OptionError(
            "classes of a network that predicts none",
            expected="a classifier",
            remedy="ask for regression_fit or largest_residuals",
        )
    model, examples = run.model(replica), run.data.part(part)
    outputs = model.quantities(examples.x, {"output"})["output"]
    predicted = decide(outputs, model.problem.threshold)
    probabilities = probabilities_of(model, outputs)
    return JudgedExamples(examples.x, examples.y, predicted, model.costs(examples.x, examples.y), probabilities)


def outputs_of(run: Run, part: str = "test", replica: int = 0) -> Predicted:
    """What a network that predicts numbers says about a part of its data.

    Raises: OptionError for a classifier, an unknown part or replica.
    """
    if run.problem.classifies:
        raise OptionError(
            "residuals of a classifier",
            expected="a network that predicts numbers",
            remedy="ask for confusion_picture, reliability or worst_mistakes",
        )
    if not run.problem.compares:
        raise OptionError(
            "residuals of outputs that are compared with no targets",
            expected='a loss other than "none"',
            remedy="ask for learning_curves",
        )
    model, examples = run.model(replica), run.data.part(part)
    outputs = predicted_of(model, examples.x)
    # Errors may stand behind the targets.
    targets = examples.y[:, : outputs.shape[1]]
    weights = example_weights(run.problem, examples.y)
    return Predicted(examples.x, targets, outputs, model.costs(examples.x, examples.y), weights)
