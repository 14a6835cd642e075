"""Optimizers as graph: from a parameter, its gradient and its slots to their next values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Protocol, TypeAlias

from chainrule import ops
from chainrule.checks import Fraction, NonNegative, Positive
from chainrule.descriptions import Told, described
from chainrule.display import Shown
from chainrule.errors import OptionError
from chainrule.graph import Node, constant
from chainrule.train.schedules import Schedule

Slots: TypeAlias = Mapping[str, Node]
Update: TypeAlias = "tuple[Node, dict[str, Node]]"


class Optimizer(Protocol):
    """One rule for all parameters. Its slots (velocity, moments) start at 0 and are part of the run's state."""

    @property
    def learning_rate(self) -> float | Schedule:
        """η, a number or a schedule."""
        ...

    @property
    def slots(self) -> tuple[str, ...]:
        """The names of what it remembers for each parameter."""
        ...

    def update(self, w: Node, g: Node, slots: Slots, rate: Node, step: Node) -> Update:
        """The parameter's and the slots' next values; `rate` and `step` (1 at the first step) are scalars of w's dtype."""
        ...


Rate: TypeAlias = Annotated[Positive | Schedule, Told(always=True)]
"""A learning rate: one number, or one for each step."""


@described
class SGD(Shown):
    """w ← w − η·g; with momentum μ: v ← μ·v − η·g, w ← w + v, or `nesterov`: w ← w + μ·v − η·g.

    Sources: B. T. Polyak (1964); for Nesterov's form I. Sutskever, J. Martens, G. Dahl, G. Hinton, ICML (2013).

    >>> SGD(0.1, momentum=0.9).slots
    ('velocity',)
    """

    learning_rate: Rate = 0.1
    momentum: Fraction = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        if self.nesterov and not self.momentum:
            raise OptionError(
                "nesterov without momentum", expected="momentum above 0", remedy="write SGD(0.1, 0.9, nesterov=True)"
            )

    @property
    def slots(self) -> tuple[str, ...]:
        """The velocity, if there is momentum."""
        return ("velocity",) if self.momentum else ()

    def update(self, w: Node, g: Node, slots: Slots, rate: Node, step: Node) -> Update:
        """One step down the gradient."""
        descent = g * rate
        if not self.momentum:
            return w - descent, {}
        velocity = slots["velocity"] * self.momentum - descent
        return w + (velocity * self.momentum - descent if self.nesterov else velocity), {"velocity": velocity}


@described
class AdaGrad(Shown):
    """s ← s + g², w ← w − η·g/(√s + ε). Source: J. Duchi, E. Hazan, Y. Singer, JMLR 12, 2121 (2011)."""

    learning_rate: Rate = 0.01
    epsilon: Positive = 1e-10

    slots = ("squares",)

    def update(self, w: Node, g: Node, slots: Slots, rate: Node, step: Node) -> Update:
        """A step that shrinks where gradients have been large."""
        squares = slots["squares"] + g * g
        return w - g * rate / (ops.sqrt(squares) + self.epsilon), {"squares": squares}


@described
class RMSprop(Shown):
    """s ← ρ·s + (1 − ρ)·g², w ← w − η·g/(√s + ε). Source: T. Tieleman, G. Hinton, Coursera lecture 6.5 (2012)."""

    learning_rate: Rate = 0.001
    decay: Fraction = 0.9
    epsilon: Positive = 1e-8

    slots = ("squares",)

    def update(self, w: Node, g: Node, slots: Slots, rate: Node, step: Node) -> Update:
        """A step divided by the root of a running mean square."""
        squares = slots["squares"] * self.decay + g * g * (1.0 - self.decay)
        return w - g * rate / (ops.sqrt(squares) + self.epsilon), {"squares": squares}


@described
class Adam(Shown):
    """Running means m of g and v of g², both corrected for their start at 0: w ← w − η·m̂/(√v̂ + ε).

    Source: D. P. Kingma, J. Ba, ICLR (2015), algorithm 1. `epsilon_hat` chooses the form at the end of their section 2, in which ε is
    added to √v before the correction (scikit-learn, Keras); PyTorch and optax take algorithm 1.
    """

    learning_rate: Rate = 0.001
    beta1: Fraction = 0.9
    beta2: Fraction = 0.999
    epsilon: Positive = 1e-8
    epsilon_hat: bool = False

    slots = ("mean", "square")

    def update(self, w: Node, g: Node, slots: Slots, rate: Node, step: Node) -> Update:
        """A step of about η in each direction, whatever the gradient's size."""
        mean = slots["mean"] * self.beta1 + g * (1.0 - self.beta1)
        square = slots["square"] * self.beta2 + g * g * (1.0 - self.beta2)
        start1, start2 = 1.0 - self.beta1**step, 1.0 - self.beta2**step
        if self.epsilon_hat:
            change = mean * (rate * ops.sqrt(start2) / start1) / (ops.sqrt(square) + self.epsilon)
        else:
            change = mean * (rate / start1) / (ops.sqrt(square) * (1.0 / ops.sqrt(start2)) + self.epsilon)
        return w - change, {"mean": mean, "square": square}


@described
class AdamW(Shown):
    """Adam, and besides w ← w − η·decay·w, apart from the gradient. Source: I. Loshchilov, F. Hutter, ICLR (2019), algorithm 2.

    As in the paper the decay acts on every parameter.
    """

    learning_rate: Rate = 0.001
    decay: NonNegative = 0.01
    beta1: Fraction = 0.9
    beta2: Fraction = 0.999
    epsilon: Positive = 1e-8

    slots = ("mean", "square")

    def update(self, w: Node, g: Node, slots: Slots, rate: Node, step: Node) -> Update:
        """Adam's step, and the decay."""
        adam = Adam(self.learning_rate, self.beta1, self.beta2, self.epsilon)
        stepped, next_slots = adam.update(w, g, slots, rate, step)
        return stepped - w * (rate * self.decay), next_slots


@described
class PerceptronRule(Shown):
    """w ← w + η·(t − a)·x, b ← b + η·(t − a), for a network whose last activation is the step; averaged over the batch.

    The step has no gradient; the rule takes t − a at the output as it stands. With batches of one it is Rosenblatt's rule, and stops
    changing when all examples are right, which on separable data happens after finitely many steps (A. B. J. Novikoff, 1962).
    """

    learning_rate: Rate = 1.0

    slots = ()

    def update(self, w: Node, g: Node, slots: Slots, rate: Node, step: Node) -> Update:
        """As SGD: the rule differs in what it takes for the gradient."""
        return w - g * rate, {}


@described
class ClipNorm(Shown):
    """All gradients together are scaled down to this Euclidean norm where theirs is larger.

    Squares that would leave the range of the dtype are taken in units of a power of two, so that the norm of any finite gradients is right.

    Sources: R. Pascanu, T. Mikolov, Y. Bengio, ICML (2013), algorithm 1; for the sums in several units J. L. Blue, ACM TOMS 4, 15 (1978).
    """

    norm: Positive

    def __call__(self, gradients: Sequence[Node]) -> list[Node]:
        """The gradients, scaled by min(1, norm/size)."""
        units = _UNITS[gradients[0].dtype]
        plain, large, small = (_squares(gradients, unit) for unit in (1.0, units.large, units.small))
        is_large, is_small = ops.greater(plain, units.highest), ops.less(plain, units.lowest)

        def chosen(*numbers: float | Node) -> Node:
            usual, if_large, if_small = (
                number if isinstance(number, Node) else constant(number, plain.dtype) for number in numbers
            )
            return ops.select(is_large, if_large, ops.select(is_small, if_small, usual))

        scales = (1.0, units.large, units.small)
        unit, limit = chosen(*scales), chosen(*(_within(self.norm * scale, units) for scale in scales))
        size = ops.sqrt(chosen(plain, large, small))
        return [ops.select(ops.greater(size, limit), (g * unit) * (self.norm / size), g) for g in gradients]


@described
class ClipValue(Shown):
    """Each entry of each gradient is kept between −limit and limit."""

    limit: Positive

    def __call__(self, gradients: Sequence[Node]) -> list[Node]:
        """The gradients, entries cut at the limits."""
        return [ops.maximum(ops.minimum(g, self.limit), -self.limit) for g in gradients]


@dataclass(frozen=True)
class _Units:
    """Powers of two to take large and small numbers in before they are squared, and the sums of squares between which neither is needed."""

    large: float
    small: float
    lowest: float
    highest: float
    greatest: float


_UNITS = {
    "float32": _Units(2.0**-80, 2.0**80, 2.0**-90, 2.0**100, 2.0**127),
    "float64": _Units(2.0**-600, 2.0**600, 2.0**-900, 2.0**900, 2.0**1023),
}


def _within(number: float, units: _Units) -> float:
    """Infinity for what the dtype does not hold."""
    return number if number < units.greatest else math.inf


def _squares(gradients: Sequence[Node], unit: float) -> Node:
    total: Node | None = None
    for g in gradients:
        scaled = g if unit == 1.0 else g * unit
        squares = ops.sum(scaled * scaled)
        total = squares if total is None else total + squares
    return total if total is not None else constant(0.0)


OPTIMIZERS: dict[str, Optimizer] = {
    "sgd": SGD(), "momentum": SGD(momentum=0.9), "nesterov": SGD(momentum=0.9, nesterov=True), "adagrad": AdaGrad(),
    "rmsprop": RMSprop(), "adam": Adam(), "adamw": AdamW(), "perceptron": PerceptronRule(),
}  # fmt: skip
"""Every optimizer by the name that the command line takes, with its usual settings."""
