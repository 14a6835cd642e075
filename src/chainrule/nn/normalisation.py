"""Layers that bring an example's own numbers to mean 0 and variance 1; no example knows of the others, in training as in use."""

from __future__ import annotations

from dataclasses import dataclass, field

from chainrule import ops
from chainrule.errors import OptionError, ShapeError
from chainrule.graph import Node, Shape
from chainrule.nn.build import Initialiser, Place, place
from chainrule.nn.checks import is_number, require_size, short_repr
from chainrule.nn.initialisers import Constant, Zeros


@dataclass(frozen=True)
class LayerNorm:
    """z = gain·(x − μ)/√(σ² + ε) + b, with mean μ and variance σ² over the last axis: one example's neurons, or one place's channels.

    Shapes: x (batch, ..., n), gain and b (n,), result as x. The gain starts at 1, b at 0; `epsilon` is ε.

    Source: J. L. Ba, J. R. Kiros, G. E. Hinton, arXiv:1607.06450 (2016), eq. 4.

    >>> LayerNorm()
    LayerNorm()
    """

    epsilon: float = 1e-5
    gains: Initialiser = field(default_factory=lambda: Constant(1.0))
    biases: Initialiser = field(default_factory=Zeros)
    name: str = ""

    def __post_init__(self) -> None:
        _require_epsilon(self.epsilon)

    def __call__(self, x: Node) -> Node:
        """The normalised batch."""
        with place(self, "layer_norm", x) as here:
            _require_axes(here, x, 2, "(batch, ..., n)")
            return _scaled(here, self, _normalised(x, (x.type.ndim - 1,), self.epsilon))

    def __repr__(self) -> str:
        return short_repr(self, 0)


@dataclass(frozen=True)
class GroupNorm:
    """z = gain·(x − μ)/√(σ² + ε) + b, with μ and σ² over all places of an example and the channels of one of `groups` groups.

    Shapes: x (batch, space..., channels), gain and b (channels,), result as x. With as many groups as channels it is known as
    instance normalisation.

    Source: Y. Wu, K. He, ECCV (2018): Group normalization, eq. 1-7.

    >>> GroupNorm(4)
    GroupNorm(4)
    """

    groups: int
    epsilon: float = 1e-5
    gains: Initialiser = field(default_factory=lambda: Constant(1.0))
    biases: Initialiser = field(default_factory=Zeros)
    name: str = ""

    def __post_init__(self) -> None:
        require_size("groups", self.groups)
        _require_epsilon(self.epsilon)

    def __call__(self, x: Node) -> Node:
        """The normalised batch."""
        with place(self, "group_norm", x) as here:
            _require_axes(here, x, 2, "(batch, space..., channels)")
            channels = x.shape[-1]
            if channels % self.groups:
                raise ShapeError(
                    f"layer {here.name} has {self.groups} groups and was given {x.type!r}",
                    expected="a number of channels that the groups divide",
                    remedy="choose other groups",
                )
            apart = ops.reshape(x, shape=(*x.shape[:-1], self.groups, channels // self.groups))
            last = apart.type.ndim - 1
            even = _normalised(apart, (*range(1, last - 1), last), self.epsilon)
            return _scaled(here, self, ops.reshape(even, shape=x.shape))

    def __repr__(self) -> str:
        return short_repr(self, 1)


def _require_epsilon(epsilon: object) -> None:
    if not is_number(epsilon) or epsilon <= 0:
        raise OptionError(
            f"epsilon={epsilon!r}",
            expected="a number above 0: it keeps the quotient finite where all numbers are equal",
            remedy="write for example epsilon=1e-5",
        )


def _require_axes(here: Place, x: Node, least: int, expected: str) -> None:
    if x.type.ndim < least:
        raise ShapeError(f"layer {here.name} was given {x.type!r}", expected=expected, remedy="put a Reshape before it")


def _normalised(x: Node, axes: Shape, epsilon: float) -> Node:
    centred = x - ops.mean(x, axes, keepdims=True)
    variance = ops.mean(centred * centred, axes, keepdims=True)
    return centred / ops.sqrt(variance + epsilon)


def _scaled(here: Place, layer: LayerNorm | GroupNorm, even: Node) -> Node:
    shape = even.shape[-1:]
    scaled = even * here.parameter("gain", shape, layer.gains) + here.parameter("b", shape, layer.biases)
    return here.gives(here.label(scaled, "z"))
