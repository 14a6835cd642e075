"""Normalisations."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule import ops
from chainrule.graph import Node, Shape, constant
from chainrule.graph.node import normal_axis
from chainrule.interop.onnx_models.call import Call, operator
from chainrule.interop.onnx_models.operators.arithmetic import along


def _standardised(x: Node, axes: Shape, epsilon: float) -> tuple[Node, Node, Node]:
    """x less its mean, over its deviation; the mean, and one over the deviation."""
    mean = ops.mean(x, axes, keepdims=True)
    centred = x - mean
    inverse = 1.0 / ops.sqrt(ops.mean(centred * centred, axes, keepdims=True) + epsilon)
    return centred * inverse, mean, inverse


@operator("BatchNormalization")
def batch_norm(
    call: Call, x: Node, scale: Node, shift: Node, mean: Node, variance: Node, *, epsilon: float = 1e-5, momentum: float = 0.9,
    training_mode: int = 0, spatial: int = 1, is_test: int = 1, consumed_inputs: Any = None,
) -> Any:  # fmt: skip
    """Channels by their running mean and variance, or, in training, by those of the batch."""
    if not spatial:
        raise call.unsupported("spatial=0")
    if training_mode:
        axes = tuple(place for place in range(x.type.ndim) if place != 1)
        own_mean = ops.mean(x, axes)
        centred = x - along(own_mean, x)
        own_variance = ops.mean(centred * centred, axes)
        found = _scaled(x, scale, shift, own_mean, own_variance, epsilon)
        running = (mean * momentum + own_mean * (1 - momentum), variance * momentum + own_variance * (1 - momentum))
        return found, *running
    for node in (mean, variance):
        call.source.state(node)
    return _scaled(x, scale, shift, mean, variance, epsilon)


def _scaled(x: Node, scale: Node, shift: Node, mean: Node, variance: Node, epsilon: float) -> Node:
    factor = scale / ops.sqrt(variance + epsilon)
    if x.type.ndim == 1:
        return (x - mean) * factor + shift
    return (x - along(mean, x)) * along(factor, x) + along(shift, x)


@operator("InstanceNormalization")
def instance_norm(call: Call, x: Node, scale: Node, shift: Node, *, epsilon: float = 1e-5, consumed_inputs: Any = None) -> Node:
    """Each channel of each example by its own mean and variance."""
    return _standardised(x, tuple(range(2, x.type.ndim)), epsilon)[0] * along(scale, x) + along(shift, x)


@operator("LayerNormalization")
def layer_norm(
    call: Call, x: Node, scale: Node, shift: Node | None = None, *, axis: int = -1, epsilon: float = 1e-5, stash_type: int = 1
) -> Any:
    """Each example by the mean and variance of the axes from `axis` on."""
    axes = tuple(range(normal_axis(call.label, axis, x.type.ndim), x.type.ndim))
    found, mean, inverse = _standardised(x, axes, epsilon)
    found = found * scale
    return (found if shift is None else found + shift), mean, inverse


@operator("RMSNormalization")
def rms_norm(call: Call, x: Node, scale: Node, *, axis: int = -1, epsilon: float = 1e-5, stash_type: int = 1) -> Node:
    """Each example over the root of its mean square."""
    axes = tuple(range(normal_axis(call.label, axis, x.type.ndim), x.type.ndim))
    return x * (1.0 / ops.sqrt(ops.mean(x * x, axes, keepdims=True) + epsilon)) * scale


@operator("GroupNormalization")
def group_norm(
    call: Call, x: Node, scale: Node, shift: Node, *, num_groups: int, epsilon: float = 1e-5, stash_type: int = 1
) -> Node:
    """Channels in groups, each by its own mean and variance; before version 21 scale and shift belong to groups."""
    channels = x.shape[1]
    apart = ops.reshape(x, shape=(x.shape[0], num_groups, channels // num_groups, *x.shape[2:]))
    found = ops.reshape(_standardised(apart, tuple(range(2, apart.type.ndim)), epsilon)[0], shape=x.shape)
    if scale.type.size != channels:
        places = constant(np.arange(channels) // (channels // num_groups))
        scale, shift = (ops.gather(row, places, axis=0) for row in (scale, shift))
    return found * along(scale, x) + along(shift, x)


@operator("MeanVarianceNormalization")
def standardised(call: Call, x: Node, *, axes: Any = (0, 2, 3)) -> Node:
    """x less its mean, over its deviation."""
    places = tuple(sorted(normal_axis(call.label, axis, x.type.ndim) for axis in axes))
    mean = ops.mean(x, places, keepdims=True)
    variance = ops.mean(x * x, places, keepdims=True) - mean * mean
    return (x - mean) / (ops.sqrt(variance) + 1e-9)


@operator("LpNormalization")
def over_norm(call: Call, x: Node, *, axis: int = -1, p: int = 2) -> Node:
    """Rows of an axis over their p-norm; rows of zeros stay zeros."""
    axis = normal_axis(call.label, axis, x.type.ndim)
    length = ops.sum(ops.absolute(x), axis, keepdims=True) if p == 1 else ops.sqrt(ops.sum(x * x, axis, keepdims=True))
    return x / ops.where(ops.greater(length, 0.0), length, 1.0)


@operator("LRN")
def local_norm(call: Call, x: Node, *, size: int, alpha: float = 0.0001, beta: float = 0.75, bias: float = 1.0) -> Node:
    """Each number over a power of the squares of its neighbouring channels."""
    before, behind = (size - 1) // 2, size // 2
    zero = (0,) * x.type.ndim
    squares = ops.pad(x * x, low=(0, before, *zero[2:]), high=(0, behind, *zero[2:]), interior=zero)
    near = ops.sum(ops.windows(squares, axes=(1,), taps=(size,), strides=(1,), dilations=(1,)), 2)
    return x / ops.power(near * (alpha / size) + bias, beta)
