"""What a gradient is made of: the contribution of each example of the batch, of each penalty, and what clipping takes away."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TypeAlias

import numpy as np

from chainrule import ops
from chainrule.derivatives import grad, vjp
from chainrule.engines import engine_named
from chainrule.graph import Array, Graph, Node, input_node
from chainrule.immutable import immutable
from chainrule.train.clock import Clock
from chainrule.train.learning_problem import Cost, LearningProblem
from chainrule.train.optimizer import Optimizer
from chainrule.train.optimizers import ClipNorm, ClipValue

Function: TypeAlias = "Callable[[Mapping[str, Array]], dict[str, Array]]"
"""Outputs by name of values by name."""


@immutable(eq=False)
class GradientContributions:
    """The gradient of one parameter for batches of one size, and what it is the sum of: programs in float64, each built once.

    Values to run them with: x, y, the parameters, the states, and what the clock shows: "seed" and "step", which dropout draws by,
    and "batch".
    """

    problem: LearningProblem
    name: str
    optimizer: Optimizer
    clip: ClipNorm | ClipValue | None
    size: int

    @cached_property
    def _precise(self) -> LearningProblem:
        return self.problem.in_float64

    @cached_property
    def _cost(self) -> Cost:
        return self._precise.cost(self.size, Clock())

    @property
    def _parameter(self) -> Node:
        return self._cost.built.parameters[self.name].node

    def gradients(self, values: Mapping[str, Array]) -> dict[str, Array]:
        """The parameter's "gradient", what is "clipped" of it, and the gradient of each penalty, "penalty.NAME"."""
        return self._gradients(values)

    @cached_property
    def _gradients(self) -> Function:
        cost, w = self._cost, self._parameter
        wrt = [item.node for item in cost.built.parameters.values()]
        found = self._precise.gradients(cost, wrt, self.optimizer)
        place = list(cost.built.parameters).index(self.name)
        clipped = self.clip(found)[place] if self.clip else found[place]
        penalties = {f"penalty.{name}": _derivative(cost.terms[name], w) for name in self._penalties}
        return _compiled({"gradient": found[place], "clipped": clipped, **penalties})

    @property
    def _penalties(self) -> list[str]:
        """The terms without examples; what goes by the error takes none."""
        if self.optimizer.gradient == "error":
            return []
        return [name for name in self._cost.terms if name not in self._cost.rows]

    def examples(self, values: Mapping[str, Array]) -> Array:
        """Each example's contribution to the losses' gradient: (size, *shape). They add up to it."""
        return np.array([self._weighted({**values, "weight": row})["gradient"] for row in np.eye(self.size)])

    @cached_property
    def _weighted(self) -> Function:
        return _compiled({"gradient": self._weighted_by(input_node("weight", (self.size,), "float64"))})

    def examples_of_entry(self, values: Mapping[str, Array], index: tuple[int, ...]) -> Array:
        """Each example's contribution to one entry of the losses' gradient: (size,); by a single pass, however many examples there are."""
        chosen = np.zeros(self._parameter.shape)
        chosen[index] = 1.0
        return self._entries({**values, "weight": np.ones(self.size), "chosen": chosen})["contributions"]

    @cached_property
    def _entries(self) -> Function:
        weight, chosen = input_node("weight", (self.size,), "float64"), input_node("chosen", self._parameter.shape, "float64")
        # The gradient is linear in the weights: its derivative by them is what each example gives.
        return _compiled({"contributions": _derivative(ops.sum(self._weighted_by(weight) * chosen), weight)})

    def _weighted_by(self, weight: Node) -> Node:
        """The losses' gradient if each example counted by its weight."""
        cost, w = self._cost, self._parameter
        if self.optimizer.gradient == "error":
            z, error = self._precise.perceptron_error(cost)
            column = ops.reshape(weight * (1.0 / self.size), shape=(self.size, *(1,) * (z.type.ndim - 1)))
            (found,) = vjp([z], [w], [error * column])
        else:
            rows = list(cost.rows.values())
            (found,) = vjp(rows, [w], [weight * (1.0 / self.size)] * len(rows))
        return w * 0.0 if found is None else found


def _compiled(outputs: Mapping[str, Node]) -> Function:
    """The outputs as a function of values by name, of which the graph may need only some."""
    graph = Graph(outputs)
    program = engine_named("reference").compile(graph)
    return lambda values: program({name: values[name] for name in graph.leaves})


def _derivative(y: Node, x: Node) -> Node:
    (found,) = grad(y, [x])
    return x * 0.0 if found is None else found
