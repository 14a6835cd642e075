"""First values of parameters, as graphs of a random key: the same numbers in every engine and dtype."""

from __future__ import annotations

import math
from math import prod

import numpy as np

from chainrule import ops
from chainrule.checks import NonNegative, Numbers
from chainrule.descriptions import described
from chainrule.display import Shown
from chainrule.errors import OptionError
from chainrule.graph import Node, Shape, constant


def fans(shape: Shape) -> tuple[int, int]:
    """How many inputs and outputs a weight of this shape joins: (..., inputs, outputs)."""
    if len(shape) < 2:
        raise OptionError(
            f"fan-in of a parameter of shape {shape}", expected="a weight with two axes", remedy="use Zeros or Normal"
        )
    field = prod(shape[:-2])
    return shape[-2] * field, shape[-1] * field


@described
class Zeros(Shown):
    """All zero: for biases. Weights at zero would keep all neurons of a layer the same for ever."""

    def __call__(self, key: Node, shape: Shape) -> Node:
        """Zeros of this shape."""
        return ops.broadcast_to(constant(0.0), shape=shape)


@described
class Constant(Shown):
    """One number everywhere, or the numbers of an array, which is broadcast to the parameter's shape.

    >>> Constant([0.5, -0.5])
    Constant([0.5, -0.5])
    """

    value: float | Numbers

    def __post_init__(self) -> None:
        if not isinstance(self.value, int | float):
            value = np.array(self.value, dtype=np.float64)  # a copy: the caller may go on writing into theirs
            value.flags.writeable = False
            object.__setattr__(self, "value", value)

    def __call__(self, key: Node, shape: Shape) -> Node:
        """The number, repeated, or the array."""
        value = constant(np.asarray(self.value, dtype=np.float64))
        return value if value.shape == shape else ops.broadcast_to(value, shape=shape)


@described
class Normal(Shown):
    """Normal numbers with a mean and a standard deviation. Nielsen's first network takes 0 and 1 for weights and biases."""

    mean: float = 0.0
    std: NonNegative = 1.0

    def __call__(self, key: Node, shape: Shape) -> Node:
        """Normal numbers of this shape."""
        return ops.normal(key, shape, self.mean, self.std)


@described
class Uniform(Shown):
    """Uniform numbers between two limits."""

    low: float = -0.05
    high: float = 0.05

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise OptionError(
                f"Uniform from {self.low} to {self.high}",
                expected="low <= high",
                remedy=f"write Uniform({self.high}, {self.low})",
            )

    def __call__(self, key: Node, shape: Shape) -> Node:
        """Uniform numbers of this shape."""
        return ops.uniform(key, shape, self.low, self.high)


@described
class GlorotUniform(Shown):
    """Uniform in ±√(6/(fan_in + fan_out)). Source: X. Glorot, Y. Bengio, AISTATS (2010), eq. 16."""

    def __call__(self, key: Node, shape: Shape) -> Node:
        """Numbers for a weight (..., inputs, outputs)."""
        limit = math.sqrt(6.0 / sum(fans(shape)))
        return ops.uniform(key, shape, -limit, limit)


@described
class GlorotNormal(Shown):
    """Normal with variance 2/(fan_in + fan_out). Source: X. Glorot, Y. Bengio, AISTATS (2010), eq. 12."""

    def __call__(self, key: Node, shape: Shape) -> Node:
        """Numbers for a weight (..., inputs, outputs)."""
        return ops.normal(key, shape, 0.0, math.sqrt(2.0 / sum(fans(shape))))


@described
class HeUniform(Shown):
    """Uniform with variance 2/fan_in, for ReLU. Source: K. He, X. Zhang, S. Ren, J. Sun, ICCV (2015), eq. 10."""

    def __call__(self, key: Node, shape: Shape) -> Node:
        """Numbers for a weight (..., inputs, outputs)."""
        limit = math.sqrt(6.0 / fans(shape)[0])
        return ops.uniform(key, shape, -limit, limit)


@described
class HeNormal(Shown):
    """Normal with variance 2/fan_in, for ReLU. Source: K. He, X. Zhang, S. Ren, J. Sun, ICCV (2015), eq. 10."""

    def __call__(self, key: Node, shape: Shape) -> Node:
        """Numbers for a weight (..., inputs, outputs)."""
        return ops.normal(key, shape, 0.0, math.sqrt(2.0 / fans(shape)[0]))


@described
class LeCunNormal(Shown):
    """Normal with variance 1/fan_in. Source: Y. LeCun, L. Bottou, G. B. Orr, K.-R. Müller, Efficient BackProp (1998) eq. 16."""

    def __call__(self, key: Node, shape: Shape) -> Node:
        """Numbers for a weight (..., inputs, outputs)."""
        return ops.normal(key, shape, 0.0, math.sqrt(1.0 / fans(shape)[0]))


@described
class LeCunUniform(Shown):
    """Uniform with variance 1/fan_in. Source: as for LeCunNormal."""

    def __call__(self, key: Node, shape: Shape) -> Node:
        """Numbers for a weight (..., inputs, outputs)."""
        limit = math.sqrt(3.0 / fans(shape)[0])
        return ops.uniform(key, shape, -limit, limit)


RECTIFIERS = frozenset({"relu", "leaky_relu", "elu", "silu", "gelu", "softplus"})


def suited_to(activation: str) -> HeNormal | GlorotUniform:
    """The usual choice: He's for ReLU and its kin, Glorot's for the rest."""
    return HeNormal() if activation in RECTIFIERS else GlorotUniform()
