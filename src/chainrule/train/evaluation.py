"""Evaluation: losses, accuracy and outputs of a set of examples at given weights, without training on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from chainrule.data import Examples
from chainrule.display import Shown
from chainrule.engines import Engine, Loop, LoopProgram, joined
from chainrule.errors import OptionError
from chainrule.graph import Array, compute, input_node
from chainrule.immutable import immutable
from chainrule.nn import softmax
from chainrule.ops import sigmoid
from chainrule.train.learning_problem import LearningProblem
from chainrule.train.supply import Supply

BATCH = 1000
"""Rows in an evaluation batch: large enough that calls cost nothing, small enough to stay in the cache."""


@immutable
class Scores(Shown):
    """What an evaluation found: by name ("loss", each term, "accuracy") one number to a replica, shape (replicas,); and the outputs.

    `outputs`: (replicas, examples, ...), in the units of the data.
    """

    count: int
    values: Mapping[str, Array]
    outputs: Array


class Evaluator(Shown):
    """Evaluates a problem's network on one set of examples, again and again; or those of several that differ in numbers only.

    replicas: how many each problem has; the scores are those of the first one's, then those of the second's. others: how many examples
    there are in sets that are evaluated beside this one: one code does for all of them.
    """

    def __init__(
        self,
        problems: Sequence[LearningProblem],
        engine: Engine,
        examples: Examples,
        replicas: int,
        calls: int | None = None,
        others: Sequence[int] = (),
    ) -> None:
        problem, replicas_of_all = problems[0], replicas * len(problems)
        self.problem, self.count = problem, len(examples)
        self.examples = examples
        self.sizes = sizes_of(problem, self.count)
        self.supply = Supply(examples)
        loop, numbers = joined([loop_of(each, self.count, *others) for each in problems])
        self.scalars = {
            name: np.repeat(values, replicas)[:, None].repeat(len(self.sizes), 1) for name, values in numbers.items()
        }
        steps = None if calls is None else calls * len(self.sizes)
        self.program: LoopProgram = engine.compile_loop(loop, self.supply.tables, replicas_of_all, steps)
        self.order = np.tile(np.arange(self.count), (replicas_of_all, 1))

    def __call__(self, state: Mapping[str, Array]) -> Scores:
        """The scores at these weights; penalties count as terms of the loss."""
        results = self.supply.run(self.program, self.program.load(state), self.order, self.sizes, self.scalars, in_order=True)
        values: dict[str, Array] = {}
        for name, record in results.records.items():
            kind, _, term = name.partition(".")
            values[term] = (
                record.sum(axis=1, dtype=np.float64) / self.count if kind == "sum" else record[:, 0].astype(np.float64)
            )
        outputs = results.stacked["output"]
        total = {"loss": np.sum(list(values.values()), axis=0)}
        extra = {"accuracy": self._accuracy(outputs)} if self.problem.classifies else {}
        return Scores(self.count, {**total, **(values if len(values) > 1 else {}), **extra}, outputs)

    def _accuracy(self, outputs: Array) -> Array:
        return np.mean(decide(outputs, self.problem.threshold) == self.examples.y, axis=1)


def sizes_of(problem: LearningProblem, count: int) -> Array:
    """The sizes of the batches in which so many examples are evaluated."""
    return problem.pieces(count, BATCH)


def loop_of(problem: LearningProblem, *counts: int) -> Loop:
    """The loop that evaluates so many examples, or so many."""
    return problem.evaluation_loop({size for count in counts for size in sizes_of(problem, count).tolist()})


def decide(outputs: Array, threshold: float) -> Array:
    """The label that each row of outputs (..., k) stands for: the largest of several, or whether a single one is above the threshold."""
    if outputs.shape[-1] == 1:
        return (outputs[..., 0] > threshold).astype(np.int64)
    return np.argmax(outputs, axis=-1)


def class_probabilities(outputs: Array, how: str) -> Array:
    """The probability of each class, (..., classes), for a classifier's outputs (..., k).

    `how` is as `LearningProblem.probabilities` says: the outputs "as they are", or the "softmax" or "sigmoid" of them. A single
    output is the probability of the second of two classes.

    >>> class_probabilities(np.array([[0.25], [1.0]]), "as they are")
    array([[0.75, 0.25],
           [0.  , 1.  ]])

    Raises: OptionError for how="none": outputs of such a network are no probabilities.
    """
    if how == "none":
        raise OptionError(
            "probabilities of a network without them", expected="softmax, sigmoid or a cross-entropy", remedy="use predict"
        )
    if how != "as they are":
        z = input_node("z", outputs.shape, outputs.dtype.name)
        (outputs,) = compute([softmax(z) if how == "softmax" else sigmoid(z)], {z: outputs})
    return np.concatenate([1 - outputs, outputs], axis=-1) if outputs.shape[-1] == 1 else outputs


def class_shares(outputs: Array, how: str, threshold: float) -> Array:
    """How much a classifier's outputs (..., k) speak for each class, (..., classes): probabilities, or 1 for the class that is decided.

    >>> class_shares(np.array([[-0.3], [2.0]]), "none", 0.0)
    array([[1., 0.],
           [0., 1.]])
    """
    return np.eye(max(2, outputs.shape[-1]))[decide(outputs, threshold)] if how == "none" else class_probabilities(outputs, how)
