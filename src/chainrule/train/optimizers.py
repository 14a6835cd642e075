"""Optimizers as graph: from a parameter, its gradient and its slots to their next values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import reduce
from operator import add
from typing import ClassVar

from chainrule import ops
from chainrule.checks import Fraction, NonNegative, Positive
from chainrule.descriptions import described
from chainrule.display import Shown
from chainrule.errors import OptionError
from chainrule.graph import Node, constant
from chainrule.immutable import immutable
from chainrule.numerals import numeral
from chainrule.train.optimizer import Optimizer, Rate, Slots, Update


@described
class SGD(Optimizer):
    """A step down the gradient; with momentum a velocity that remembers, looked ahead along with `nesterov`.

    Sources: B. T. Polyak (1964); for Nesterov's form I. Sutskever, J. Martens, G. Dahl, G. Hinton, ICML (2013).

    >>> print("; ".join(SGD(0.1, momentum=0.9).formulas))
    v ← μ·v − η·g, where g = ∂C/∂w; w ← w + v; μ = 0.9
    >>> SGD(0.1, momentum=0.9, nesterov=True).formulas[1]
    'w ← w + μ·v − η·g'
    """

    learning_rate: Rate = 0.1
    momentum: Fraction = 0.0
    nesterov: bool = False

    symbols: ClassVar[Mapping[str, str]] = {"momentum": "μ", "velocity": "v"}
    slot_words: ClassVar[Mapping[str, str]] = {"velocity": "momentum"}

    def __post_init__(self) -> None:
        if self.nesterov and not self.momentum:
            raise OptionError(
                "nesterov without momentum", expected="momentum above 0", remedy="write SGD(0.1, 0.9, nesterov=True)"
            )
        object.__setattr__(self, "slots", ("velocity",) if self.momentum else ())

    def update(self, w: Node, g: Node, slots: Slots, rate: Node, step: Node) -> Update:
        """One step down the gradient."""
        descent = g * rate
        if not self.momentum:
            return w - descent, {}
        velocity = slots["velocity"] * self.momentum - descent
        return w + (velocity * self.momentum - descent if self.nesterov else velocity), {"velocity": velocity}


@described
class AdaGrad(Optimizer):
    """A step that shrinks where gradients have been large. Source: J. Duchi, E. Hazan, Y. Singer, JMLR 12, 2121 (2011).

    >>> print("; ".join(AdaGrad().formulas))
    s ← s + g², where g = ∂C/∂w; w ← w − η·g / (√s + ε); ε = 10⁻¹⁰
    """

    learning_rate: Rate = 0.01
    epsilon: Positive = 1e-10

    slots = ("squares",)
    symbols: ClassVar[Mapping[str, str]] = {"squares": "s", "epsilon": "ε"}

    def update(self, w: Node, g: Node, slots: Slots, rate: Node, step: Node) -> Update:
        """A step that shrinks where gradients have been large."""
        squares = slots["squares"] + g * g
        return w - g * rate / (ops.sqrt(squares) + self.epsilon), {"squares": squares}


@described
class RMSprop(Optimizer):
    """A step divided by the root of a running mean square. Source: T. Tieleman, G. Hinton, Coursera lecture 6.5 (2012).

    >>> print("; ".join(RMSprop().formulas))
    s ← ρ·s + (1 − ρ)·g², where g = ∂C/∂w; w ← w − η·g / (√s + ε); ρ = 0.9, ε = 10⁻⁸
    """

    learning_rate: Rate = 0.001
    decay: Fraction = 0.9
    epsilon: Positive = 1e-8

    slots = ("squares",)
    symbols: ClassVar[Mapping[str, str]] = {"squares": "s", "decay": "ρ", "epsilon": "ε"}

    def update(self, w: Node, g: Node, slots: Slots, rate: Node, step: Node) -> Update:
        """A step divided by the root of a running mean square."""
        squares = slots["squares"] * self.decay + g * g * (1.0 - self.decay)
        return w - g * rate / (ops.sqrt(squares) + self.epsilon), {"squares": squares}


_ADAM = {"beta1": "β₁", "beta2": "β₂", "epsilon": "ε", "mean": "m", "square": "v"}


def _adam(settings: Adam | AdamW, epsilon_hat: bool, w: Node, g: Node, slots: Slots, rate: Node, step: Node) -> Update:
    mean = slots["mean"] * settings.beta1 + g * (1.0 - settings.beta1)
    square = slots["square"] * settings.beta2 + g * g * (1.0 - settings.beta2)
    start1, start2 = 1.0 - settings.beta1**step, 1.0 - settings.beta2**step
    if epsilon_hat:
        change = mean * (rate * ops.sqrt(start2) / start1) / (ops.sqrt(square) + settings.epsilon)
    else:
        change = mean * (rate / start1) / (ops.sqrt(square) * (1.0 / ops.sqrt(start2)) + settings.epsilon)
    return w - change, {"mean": mean, "square": square}


@described
class Adam(Optimizer):
    """Running means m of g and v of g², both corrected for their start at 0: a step of about η, whatever the gradient's size.

    >>> for line in Adam().formulas:
    ...     print(line)
    m ← β₁·m + (1 − β₁)·g, where g = ∂C/∂w
    v ← β₂·v + (1 − β₂)·g²
    w ← w − η / (1 − β₁^t)·m / (√v / √(1 − β₂^t) + ε), t the step counted from 1
    β₁ = 0.9, β₂ = 0.999, ε = 10⁻⁸

    Source: D. P. Kingma, J. Ba, ICLR (2015), algorithm 1. `epsilon_hat` chooses the form at the end of their section 2, in which ε is
    added to √v before the correction (scikit-learn, Keras); PyTorch and optax take algorithm 1.
    """

    learning_rate: Rate = 0.001
    beta1: Fraction = 0.9
    beta2: Fraction = 0.999
    epsilon: Positive = 1e-8
    epsilon_hat: bool = False

    slots = ("mean", "square")
    symbols: ClassVar[Mapping[str, str]] = _ADAM

    def update(self, w: Node, g: Node, slots: Slots, rate: Node, step: Node) -> Update:
        """A step of about η in each direction, whatever the gradient's size."""
        return _adam(self, self.epsilon_hat, w, g, slots, rate, step)


@described
class AdamW(Optimizer):
    """Adam, and besides a decay of w, apart from the gradient. Source: I. Loshchilov, F. Hutter, ICLR (2019), algorithm 2.

    As in the paper the decay acts on every parameter.

    >>> AdamW().formulas[2]
    'w ← w − η / (1 − β₁^t)·m / (√v / √(1 − β₂^t) + ε) − η·λ·w, t the step counted from 1'
    """

    learning_rate: Rate = 0.001
    weight_decay: NonNegative = 0.01
    beta1: Fraction = 0.9
    beta2: Fraction = 0.999
    epsilon: Positive = 1e-8

    slots = ("mean", "square")
    symbols: ClassVar[Mapping[str, str]] = {**_ADAM, "weight_decay": "λ"}

    def update(self, w: Node, g: Node, slots: Slots, rate: Node, step: Node) -> Update:
        """Adam's step, and the decay."""
        stepped, next_slots = _adam(self, False, w, g, slots, rate, step)
        return stepped - w * (rate * self.weight_decay), next_slots


@described
class PerceptronRule(Optimizer):
    """w ← w + η·(t − a)·x, b ← b + η·(t − a), for a network whose last activation is the step; averaged over the batch.

    The step has no gradient; the rule takes t − a at the output as it stands. With batches of one it is Rosenblatt's rule, and stops
    changing when all examples are right, which on separable data happens after finitely many steps (A. B. J. Novikoff, 1962).
    """

    learning_rate: Rate = 1.0

    gradient = "error"
    gradient_text = "(a − t)·x, for b: a − t, averaged over the batch"

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

    @property
    def formulas(self) -> tuple[str, ...]:
        """What it does, in words."""
        return (f"before, all g together are scaled down to the norm {numeral(self.norm)} where theirs is larger",)

    def __call__(self, gradients: Sequence[Node]) -> list[Node]:
        """The gradients, scaled by min(1, norm/size); none of a network without parameters."""
        if not gradients:
            return []
        units = _UNITS[gradients[0].dtype]
        plain, large, small = (_squares(gradients, unit) for unit in (1.0, units.large, units.small))
        is_large, is_small = ops.greater(plain, units.highest), ops.less(plain, units.lowest)

        def chosen(*numbers: float | Node) -> Node:
            usual, if_large, if_small = (
                number if isinstance(number, Node) else constant(number, plain.dtype) for number in numbers
            )
            return ops.where(is_large, if_large, ops.where(is_small, if_small, usual))

        scales = (1.0, units.large, units.small)
        unit, limit = chosen(*scales), chosen(*(_within(self.norm * scale, units) for scale in scales))
        size = ops.sqrt(chosen(plain, large, small))
        return [ops.where(ops.greater(size, limit), (g * unit) * (self.norm / size), g) for g in gradients]


@described
class ClipValue(Shown):
    """Each entry of each gradient is kept between −limit and limit."""

    limit: Positive

    @property
    def formulas(self) -> tuple[str, ...]:
        """What it does, in words."""
        return (f"before, each g is kept between −{numeral(self.limit)} and {numeral(self.limit)}",)

    def __call__(self, gradients: Sequence[Node]) -> list[Node]:
        """The gradients, entries cut at the limits."""
        return [ops.maximum(ops.minimum(g, self.limit), -self.limit) for g in gradients]


@immutable
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
    scaled = [g if unit == 1.0 else g * unit for g in gradients]
    return reduce(add, [ops.sum(g * g) for g in scaled])


OPTIMIZERS: dict[str, Optimizer] = {
    "sgd": SGD(), "momentum": SGD(momentum=0.9), "nesterov": SGD(momentum=0.9, nesterov=True), "adagrad": AdaGrad(),
    "rmsprop": RMSprop(), "adam": Adam(), "adamw": AdamW(), "perceptron": PerceptronRule(),
}  # fmt: skip
"""Every optimizer by the name that the command line takes, with its usual settings."""
