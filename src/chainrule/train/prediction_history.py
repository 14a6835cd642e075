"""Answers: what every replica said about every example along the training, so that it is seen when each one is learned."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

import numpy as np

from chainrule.display import Shown
from chainrule.errors import OptionError
from chainrule.graph import Array
from chainrule.immutable import immutable
from chainrule.train.evaluation import class_probabilities
from chainrule.train.run import Run


@immutable(eq=False)
class PredictionHistory(Shown):
    """A classifier's answers when `at` (m,) steps were done, on n examples with labels `labels` (n,).

    predicted: (m, replicas, n) labels. confidence: (m, replicas, n), the probability that was given to the label in the data.
    """

    at: Array
    labels: Array
    predicted: Array
    confidence: Array

    @cached_property
    def right(self) -> Array:
        """Where the prediction is the label in the data, (m, replicas, n)."""
        return self.predicted == self.labels

    @property
    def losses(self) -> Array:
        """The cross-entropy of each example, −log(confidence), (m, replicas, n)."""
        return -np.log(np.maximum(self.confidence, np.finfo(np.float32).tiny))

    @property
    def learned(self) -> Array:
        """The step from which on each example is always right, (replicas, n); infinite for those that are wrong at the end.

        It is one of the steps that were looked at.
        """
        # Counted from the end: how many of the last answers are right without a break.
        run = np.cumprod(self.right[::-1], axis=0).sum(axis=0)
        return np.append(self.at.astype(np.float64), np.inf)[len(self.at) - run]

    @property
    def learned_at_last(self) -> Array:
        """As `learned`, but finite: those never learned are later than all others, and equal: at twice the last step."""
        return np.where(np.isinf(self.learned), 2.0 * self.at[-1], self.learned)


def prediction_history(run: Run, part: str = "training", steps: Iterable[int] | None = None) -> PredictionHistory:
    """What a classifier's replicas said of a part of the data when so many steps were done, in rising order; None: after each epoch.

    The training is gone through again, and all answers of a step are given with the weights at rest.
    Raises: OptionError for a network without probabilities of classes, an unknown part, or steps that were not done.

    >>> import chainrule as cr
    >>> run = cr.fit("2-8-2 tanh softmax", cr.data.moons(60), epochs=4, batch_size=10, replicas=3)
    >>> answers = prediction_history(run, steps=[0, 1, 2, 12, 24])
    >>> answers.at, answers.predicted.shape, answers.learned.shape
    (array([ 0,  1,  2, 12, 24]), (5, 3, 60), (3, 60))
    """
    if run.dataset_info.classes is None or run.problem.probabilities == "none":
        raise OptionError(
            "answers of a network without probabilities of classes",
            expected="a classifier with softmax, sigmoid or a cross-entropy",
            remedy="write for example Dense(10, 'softmax') as the last layer",
        )
    each = run.trainer.steps_per_epoch
    at = np.unique(np.array(list(range(each, run.trainer.step + 1, each) if steps is None else steps), dtype=np.int64))
    if not len(at):
        raise OptionError("no steps to look at", expected="one or more that were done", remedy="train for an epoch")
    seen = [run.at(int(step)).evaluate(part) for step in at]
    labels = run.data.part(part).y
    confidence = [
        np.take_along_axis(class_probabilities(found.scores.outputs, run.problem.probabilities), labels[None, :, None], axis=-1)
        for found in seen
    ]
    return PredictionHistory(at, labels, np.stack([found.predicted for found in seen]), np.stack(confidence)[..., 0])
