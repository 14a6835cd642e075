"""Layers that bring numbers to mean 0 and variance 1: those of one example, or, in training, of one channel in the whole batch."""

from __future__ import annotations

from dataclasses import field
from math import prod
from typing import Annotated, ClassVar

from chainrule import ops
from chainrule.checks import Count, Interval, Positive
from chainrule.descriptions import described
from chainrule.display import Shown
from chainrule.errors import ShapeError
from chainrule.graph import Node, Shape
from chainrule.nn.build import Initialiser, LayerScope, layer_scope
from chainrule.nn.checks import LayerName, require_groups
from chainrule.nn.initialisers import Constant, Zeros
from chainrule.nn.word import Word

_RESHAPE = "put a Reshape before it"


@described
class LayerNorm(Shown):
    """z = gain·(x − μ)/√(σ² + ε) + b, with mean μ and variance σ² over the last axis: one example's neurons, or one place's channels.

    Shapes: x (batch, ..., n), gain and b (n,), result as x. The gain starts at 1, b at 0; `epsilon` is ε. With gain=False or bias=False
    there is none.

    Source: J. L. Ba, J. R. Kiros, G. E. Hinton, arXiv:1607.06450 (2016), eq. 4.

    >>> LayerNorm()
    LayerNorm()
    """

    epsilon: Positive = 1e-5
    gains: Initialiser = field(default_factory=lambda: Constant(1.0))
    biases: Initialiser = field(default_factory=Zeros)
    gain: bool = True
    bias: bool = True
    name: LayerName = ""

    in_text: ClassVar[Word] = Word("layernorm")

    def __call__(self, x: Node) -> Node:
        """The normalised batch."""
        with layer_scope(self, "layer_norm", x) as here:
            here.require(x.type.ndim >= 2, expected="(batch, ..., n)", remedy=_RESHAPE)
            return _scaled(here, self, _normalised(x, (x.type.ndim - 1,), self.epsilon))


@described
class GroupNorm(Shown):
    """z = gain·(x − μ)/√(σ² + ε) + b, with μ and σ² over all places of an example and the channels of one of `groups` groups.

    Shapes: x (batch, space..., channels), gain and b (channels,), result as x. With as many groups as channels it is known as
    instance normalisation. With gain=False or bias=False there is none.

    Source: Y. Wu, K. He, ECCV (2018): Group normalization, eq. 1-7.

    >>> GroupNorm(4)
    GroupNorm(4)
    """

    groups: Count
    epsilon: Positive = 1e-5
    gains: Initialiser = field(default_factory=lambda: Constant(1.0))
    biases: Initialiser = field(default_factory=Zeros)
    gain: bool = True
    bias: bool = True
    name: LayerName = ""

    in_text: ClassVar[Word] = Word("groupnorm4", ("groups",))

    def __call__(self, x: Node) -> Node:
        """The normalised batch."""
        with layer_scope(self, "group_norm", x) as here:
            here.require(x.type.ndim >= 2, expected="(batch, space..., channels)", remedy=_RESHAPE)
            channels = x.shape[-1]
            require_groups(here.name, self.groups, x)
            apart = ops.reshape(x, shape=(*x.shape[:-1], self.groups, channels // self.groups))
            last = apart.type.ndim - 1
            even = _normalised(apart, (*range(1, last - 1), last), self.epsilon)
            return _scaled(here, self, ops.reshape(even, shape=x.shape))


@described
class BatchNorm(Shown):
    """z = gain·(x − μ)/√(σ² + ε) + b, with μ and σ² of one channel over the examples of the batch and all their places.

    Shapes: x (batch, space..., channels), gain and b (channels,), result as x. The gain starts at 1, b at 0; `epsilon` is ε. With
    gain=False or bias=False there is none.
    The states `mean` and `variance` (channels,) begin at 0 and 1 and follow the batches: after each training step m ← (1 − momentum)·m
    + momentum·μ, and so the variance. At inference they stand in place of μ and σ², so that no example knows of the others there.
    In training σ² is what the batch has, Σ(x − μ)²/n; for the running variance it is multiplied by n/(n − 1), so that it estimates that
    of all data without bias (the paper's algorithm 2; PyTorch does the same, other libraries do not). Used twice in a
    network, a layer's states follow both uses, one after the other.

    Source: S. Ioffe, C. Szegedy, arXiv:1502.03167 (2015), algorithms 1 and 2; the moving averages in place of their means over many
    batches are from its section 3.1.

    >>> BatchNorm()
    BatchNorm()
    """

    momentum: Annotated[float, Interval(above=0, most=1)] = 0.1
    epsilon: Positive = 1e-5
    gains: Initialiser = field(default_factory=lambda: Constant(1.0))
    biases: Initialiser = field(default_factory=Zeros)
    gain: bool = True
    bias: bool = True
    name: LayerName = ""

    def __call__(self, x: Node) -> Node:
        """The batch, normalised by its own statistics when built for training, else by the running ones."""
        with layer_scope(self, "batch_norm", x) as here:
            here.require(x.type.ndim >= 2, expected="(batch, space..., channels)", remedy=_RESHAPE)
            running = here.state("mean", x.shape[-1:], Zeros()), here.state("variance", x.shape[-1:], Constant(1.0))
            if not here.build.training:
                return _scaled(here, self, (x - running[0]) / ops.sqrt(running[1] + self.epsilon))
            _require_several(here, x)
            axes = tuple(range(x.type.ndim - 1))
            mean, centred, variance = _moments(x, axes)
            count = prod(x.shape[:-1])
            self._follow(here, "mean", running[0], mean)
            self._follow(here, "variance", running[1], variance * (count / (count - 1)))
            return _scaled(here, self, centred / ops.sqrt(variance + self.epsilon))

    def _follow(self, here: LayerScope, label: str, old: Node, new: Node) -> None:
        here.next_state(label, old * (1.0 - self.momentum) + ops.reshape(new, shape=old.shape) * self.momentum)


def _require_several(here: LayerScope, x: Node) -> None:
    if prod(x.shape[:-1]) < 2:
        raise ShapeError(
            f"layer {here.name} was given a training batch with one number to a channel, {x.type!r}",
            expected="two or more: a single number has no variance",
            remedy="choose a batch_size that leaves no last batch of one example, or LayerNorm()",
        )


def _moments(x: Node, axes: Shape) -> tuple[Node, Node, Node]:
    """Mean, what x is above it, and variance, over these axes, which are kept."""
    mean = ops.mean(x, axes, keepdims=True)
    centred = x - mean
    return mean, centred, ops.mean(centred * centred, axes, keepdims=True)


def _normalised(x: Node, axes: Shape, epsilon: float) -> Node:
    _, centred, variance = _moments(x, axes)
    return centred / ops.sqrt(variance + epsilon)


def _scaled(here: LayerScope, layer: LayerNorm | GroupNorm | BatchNorm, even: Node) -> Node:
    shape = even.shape[-1:]
    scaled = even * here.parameter("gain", shape, layer.gains) if layer.gain else even
    moved = scaled + here.parameter("b", shape, layer.biases) if layer.bias else scaled
    return here.gives(here.label(moved, "z"))
