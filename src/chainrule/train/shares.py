"""What a step's update is made of: each example's share of the gradient, and how an optimizer turns a gradient into a change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeAlias

import numpy as np

from chainrule import ops
from chainrule.derivatives import grad, vjp
from chainrule.engines import Engine, engine_named
from chainrule.errors import OptionError
from chainrule.graph import Array, Graph, Node, input_node
from chainrule.train.clock import Clock
from chainrule.train.optimizers import SGD, AdaGrad, Adam, AdamW, ClipNorm, ClipValue, Optimizer, PerceptronRule, RMSprop
from chainrule.train.task import Cost, Task

# ---- the gradient, by example and by term

Function: TypeAlias = "Callable[[Mapping[str, Array]], dict[str, Array]]"
"""Outputs by name of values by name."""


@dataclass(frozen=True, eq=False)
class Shares:
    """The gradient of one parameter for batches of one size, and what it is the sum of: programs in float64, each built once.

    Values to run them with: x, y, the parameters, the states, and what the clock shows: "seed" and "step", which dropout draws by,
    and "batch".
    """

    task: Task
    name: str
    optimizer: Optimizer
    clip: ClipNorm | ClipValue | None
    size: int

    @cached_property
    def _precise(self) -> Task:
        return replace(self.task, dtype="float64")

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
        """The terms without examples; the perceptron rule takes none."""
        if isinstance(self.optimizer, PerceptronRule):
            return []
        return [name for name in self._cost.terms if name not in self._cost.rows]

    def examples(self, values: Mapping[str, Array]) -> Array:
        """Each example's share of the losses' gradient: (size, *shape). They add up to it."""
        return np.array([self._weighted({**values, "share": row})["gradient"] for row in np.eye(self.size)])

    @cached_property
    def _weighted(self) -> Function:
        return _compiled({"gradient": self._weighted_by(input_node("share", (self.size,), "float64"))})

    def examples_of_entry(self, values: Mapping[str, Array], index: tuple[int, ...]) -> Array:
        """Each example's share of one entry of the losses' gradient: (size,); by a single pass, however many examples there are."""
        chosen = np.zeros(self._parameter.shape)
        chosen[index] = 1.0
        return self._entries({**values, "share": np.ones(self.size), "chosen": chosen})["shares"]

    @cached_property
    def _entries(self) -> Function:
        share, chosen = input_node("share", (self.size,), "float64"), input_node("chosen", self._parameter.shape, "float64")
        # The gradient is linear in the shares: its derivative by them is what each example gives.
        return _compiled({"shares": _derivative(ops.sum(self._weighted_by(share) * chosen), share)})

    def _weighted_by(self, share: Node) -> Node:
        """The losses' gradient if each example counted by its share."""
        cost, w = self._cost, self._parameter
        if isinstance(self.optimizer, PerceptronRule):
            z, error = self._precise.perceptron_error(cost)
            column = ops.reshape(share * (1.0 / self.size), shape=(self.size, *(1,) * (z.type.ndim - 1)))
            (found,) = vjp([z], [w], [error * column])
        else:
            rows = list(cost.rows.values())
            (found,) = vjp(rows, [w], [share * (1.0 / self.size)] * len(rows))
        return w * 0.0 if found is None else found


def _compiled(outputs: Mapping[str, Node]) -> Function:
    """The outputs as a function of values by name, of which the graph may need only some."""
    graph = Graph(outputs)
    program = engine_named("reference").compile(graph)
    return lambda values: program({name: values[name] for name in graph.leaves})


def _derivative(y: Node, x: Node) -> Node:
    (found,) = grad(y, [x])
    return x * 0.0 if found is None else found


# ---- from gradient to change


@dataclass(frozen=True)
class Rule:
    """An optimizer's step as Δw = gain·g + what it remembers + decay; every array has w's shape.

    gain: −η, or −η by the denominator, or what of it falls on the present gradient. denominator: what η is divided by.
    memory: by name, what comes of earlier gradients; decay: what falls on w itself.
    """

    gain: Array
    denominator: Array | None
    memory: Mapping[str, Array]
    decay: Mapping[str, Array]


@dataclass(frozen=True)
class Place:
    """Where an optimizer stands before a step: w, its slots, its rate η, the count of updates (1 at the first), all as in the run."""

    w: Array
    slots: Mapping[str, Array]
    rate: float
    update: int
    dtype: str
    engine: Engine

    def rounded(self, value: float) -> float:
        """A number as the run held it."""
        return float(np.dtype(self.dtype).type(value))

    def corrections(self, *betas: float) -> list[float]:
        """1 − βᵗ for each β, as the run's engine found it: in float32 the difference to the exact number is not small at first."""
        step = input_node("step", (), self.dtype)
        program = self.engine.compile(Graph({f"start{i}": 1.0 - beta**step for i, beta in enumerate(betas)}))
        found = program({"step": np.asarray(self.update, self.dtype)})
        return [float(found[f"start{i}"]) for i in range(len(betas))]


def rule(optimizer: Optimizer, place: Place, g: Array) -> Rule:
    """How the optimizer turns the gradient g (after clipping) into a change; as in `optimizers`, in float64.

    Raises: OptionError for an optimizer whose step is no sum of such parts.
    """
    rate, one = place.rate, np.ones_like(g)
    match optimizer:
        case SGD():
            return _sgd(optimizer, place, one)
        case PerceptronRule():
            return Rule(-rate * one, None, {}, {})
        case AdaGrad():
            below = np.sqrt(place.slots["squares"] + g * g) + place.rounded(optimizer.epsilon)
            return Rule(-rate / below, below, {}, {})
        case RMSprop():
            old, new = place.rounded(optimizer.decay), place.rounded(1.0 - optimizer.decay)
            below = np.sqrt(place.slots["squares"] * old + g * g * new) + place.rounded(optimizer.epsilon)
            return Rule(-rate / below, below, {}, {})
        case Adam():
            return _adam(optimizer, place, g)
        case AdamW():
            inner = Adam(optimizer.learning_rate, optimizer.beta1, optimizer.beta2, optimizer.epsilon)
            return replace(_adam(inner, place, g), decay={"weight decay": -rate * place.rounded(optimizer.decay) * place.w})
        case _:
            raise OptionError(
                f"a ledger of steps by {type(optimizer).__name__}",
                expected="SGD, AdaGrad, RMSprop, Adam, AdamW or PerceptronRule",
                remedy="train with one of these",
            )


def _sgd(optimizer: SGD, place: Place, one: Array) -> Rule:
    rate, momentum = place.rate, place.rounded(optimizer.momentum)
    if not optimizer.momentum:
        return Rule(-rate * one, None, {}, {})
    velocity = place.slots["velocity"]
    if optimizer.nesterov:
        return Rule(-rate * (1.0 + momentum) * one, None, {"momentum μ²·v": momentum * momentum * velocity}, {})
    return Rule(-rate * one, None, {"momentum μ·v": momentum * velocity}, {})


def _adam(optimizer: Adam, place: Place, g: Array) -> Rule:
    start1, start2 = place.corrections(optimizer.beta1, optimizer.beta2)
    square = place.slots["square"] * place.rounded(optimizer.beta2) + g * g * place.rounded(1.0 - optimizer.beta2)
    inside, outside = (optimizer.epsilon, 0.0) if optimizer.epsilon_hat else (0.0, optimizer.epsilon)
    below = (np.sqrt(square) + place.rounded(inside)) / np.sqrt(start2) + place.rounded(outside)
    scale = place.rate / start1 / below
    memory = {"earlier gradients β₁·m": -scale * place.rounded(optimizer.beta1) * place.slots["mean"]}
    return Rule(-scale * place.rounded(1.0 - optimizer.beta1), below, memory, {})
