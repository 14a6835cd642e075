"""Functions of one variable, and those of a row: the activations of networks, angles, softmax."""

from __future__ import annotations

import math
from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from chainrule import ops
from chainrule.graph import Node, constant
from chainrule.interop.onnx_models.call import Call, operator


def asin(x: Node) -> Node:
    """The angle whose sine is x."""
    return ops.arctan(x / (1.0 + ops.sqrt((1.0 - x) * (1.0 + x)))) * 2.0


def sinh(x: Node) -> Node:
    """(exp(x) − exp(−x))/2, exact where x is small."""
    grown = ops.expm1(ops.where(ops.less(ops.absolute(x), 1.0), x, 0.0))
    far = (ops.exp(x) - ops.exp(ops.negative(x))) * 0.5
    return ops.where(ops.less(ops.absolute(x), 1.0), (grown + grown / (grown + 1.0)) * 0.5, far)


def asinh(x: Node) -> Node:
    """log(x + √(x² + 1)), exact where x is small."""
    size = ops.absolute(x)
    square = size * size
    return ops.sign(x) * ops.log1p(size + square / (1.0 + ops.sqrt(1.0 + square)))


def acosh(x: Node) -> Node:
    """log(x + √(x² − 1))."""
    above = x - 1.0
    return ops.log1p(above + ops.sqrt(above * (above + 2.0)))


PLAIN: dict[str, Callable[[Node], Node]] = {
    "Sin": ops.sin, "Cos": ops.cos, "Tan": lambda x: ops.sin(x) / ops.cos(x), "Tanh": ops.tanh, "Sigmoid": ops.sigmoid, "Erf": ops.erf,
    "Softplus": ops.softplus, "Atan": ops.arctan, "Asin": asin, "Sinh": sinh, "Asinh": asinh, "Acosh": acosh,
    "Acos": lambda x: ops.arctan(ops.sqrt((1.0 - x) / (1.0 + x))) * 2.0,
    "Cosh": lambda x: (ops.exp(x) + ops.exp(ops.negative(x))) * 0.5,
    "Atanh": lambda x: (ops.log1p(x) - ops.log1p(ops.negative(x))) * 0.5,
    "Reciprocal": lambda x: 1.0 / x, "Softsign": lambda x: x / (1.0 + ops.absolute(x)),
    "Relu": lambda x: ops.relu(x) if x.type.is_float else ops.maximum(x, 0),
    "HardSwish": lambda x: x * ops.maximum(ops.minimum(x * (1.0 / 6.0) + 0.5, 1.0), 0.0),
    "Mish": lambda x: x * ops.tanh(ops.softplus(x)),
}  # fmt: skip
"""Functions without attributes."""


def _enter(name: str, function: Any) -> None:
    @operator(name)
    def one(call: Call, x: Node, *, consumed_inputs: Any = None) -> Node:
        return function(x)


for _name, _function in PLAIN.items():
    _enter(_name, _function)


@operator("LeakyRelu")
def leaky_relu(call: Call, x: Node, *, alpha: float = 0.01, consumed_inputs: Any = None) -> Node:
    """x, and alpha·x below 0."""
    return ops.where(ops.less(x, 0.0), x * alpha, x)


@operator("PRelu")
def prelu(call: Call, x: Node, slope: Node, *, consumed_inputs: Any = None) -> Node:
    """x, and slope·x below 0."""
    if call.version < 7 and slope.type.ndim == 1 and slope.shape[0] > 1:
        slope = ops.reshape(slope, shape=(slope.shape[0], *(1 for _ in x.shape[2:])))
    below = ops.less(x, 0 if not x.type.is_float else 0.0)
    return ops.where(below, x * slope, x)


@operator("Elu", "Selu", "Celu")
def exponential_unit(
    call: Call, x: Node, *, alpha: float | None = None, gamma: float | None = None, consumed_inputs: Any = None
) -> Node:
    """x, and alpha·(exp(x) − 1) below 0; Selu times gamma, Celu with exp(x/alpha)."""
    kind = call.node.op_type
    alpha = alpha if alpha is not None else 1.6732631921768188 if kind == "Selu" else 1.0
    below = ops.minimum(x, 0.0)
    grown = ops.expm1(below * (1.0 / alpha) if kind == "Celu" else below) * alpha
    found = ops.where(ops.less(x, 0.0), grown, x)
    return found * (gamma if gamma is not None else 1.0507010221481323) if kind == "Selu" else found


@operator("HardSigmoid")
def hard_sigmoid(call: Call, x: Node, *, alpha: float = 0.2, beta: float = 0.5, consumed_inputs: Any = None) -> Node:
    """alpha·x + beta, held between 0 and 1."""
    return ops.maximum(ops.minimum(x * alpha + beta, 1.0), 0.0)


@operator("ThresholdedRelu")
def thresholded_relu(call: Call, x: Node, *, alpha: float = 1.0) -> Node:
    """x above alpha, else 0."""
    return ops.where(ops.greater(x, alpha), x, 0.0)


@operator("Shrink")
def shrunk(call: Call, x: Node, *, bias: float = 0.0, lambd: float = 0.5) -> Node:
    """x − bias above lambd, x + bias below −lambd, else 0."""
    if not x.type.is_float:
        return ops.cast(shrunk(call, ops.cast(x, dtype="float64"), bias=bias, lambd=lambd), dtype=x.dtype)
    return ops.where(ops.greater(x, lambd), x - bias, ops.where(ops.less(x, -lambd), x + bias, 0.0))


@operator("Gelu")
def gelu(call: Call, x: Node, *, approximate: str = "none") -> Node:
    """x times the normal distribution's share below x, or its usual approximation."""
    if approximate == "tanh":
        return x * 0.5 * (1.0 + ops.tanh((x + x * x * x * 0.044715) * math.sqrt(2 / math.pi)))
    return x * 0.5 * (1.0 + ops.erf(x * math.sqrt(0.5)))


@operator("Swish")
def swish(call: Call, x: Node, *, alpha: float = 1.0) -> Node:
    """x·σ(alpha·x)."""
    return x * ops.sigmoid(x * alpha if alpha != 1 else x)


@operator("Dropout")
def dropout(
    call: Call, x: Node, ratio: Node | None = None, training: Node | None = None, *, seed: int = 0, is_test: int = 1,
    consumed_inputs: Any = None, **other: float,
) -> Any:  # fmt: skip
    """x itself, and everything kept: what is dropped in training is for the one who trains to say."""
    drops = training is not None and bool(call.number(training, "training_mode"))
    if drops and (ratio is None or call.number(ratio, "ratio") != 0):
        raise call.unsupported("training_mode, which drops at random", "export the model for inference")
    if other.keys() - {"ratio"}:
        raise call.wrong(f"the attribute {sorted(other)[0]!r}", "ratio")
    return x, ops.broadcast_to(constant(True), shape=x.shape)


# ---- rows


def _as_matrix(call: Call, x: Node, axis: int) -> tuple[Node, int]:
    """Before version 13 an axis stood for itself and all behind it."""
    if call.version >= 13:
        return x, axis % max(x.type.ndim, 1)
    axis = axis % x.type.ndim if x.type.ndim else 0
    return ops.reshape(x, shape=(prod(x.shape[:axis]), prod(x.shape[axis:]))), 1


@operator("Softmax", "LogSoftmax", "Hardmax")
def of_rows(call: Call, x: Node, *, axis: int | None = None) -> Node:
    """Softmax, its logarithm, or 1 at the first largest number and 0 elsewhere."""
    flat, place = _as_matrix(call, x, axis if axis is not None else -1 if call.version >= 13 else 1)
    if call.node.op_type == "Softmax":
        found = ops.softmax(flat, axis=place)
    elif call.node.op_type == "LogSoftmax":
        moved = flat - ops.max(flat, place, keepdims=True)
        found = moved - ops.log(ops.sum(ops.exp(moved), place, keepdims=True))
    else:
        last = ops.one_hot(ops.argmax(flat, axis=place), classes=flat.shape[place], dtype=flat.dtype)
        order = list(range(flat.type.ndim - 1))
        order.insert(place, flat.type.ndim - 1)
        found = ops.transpose(last, axes=tuple(order))
    return found if found.shape == x.shape else ops.reshape(found, shape=x.shape)


# ---- windows in time


@operator("MelWeightMatrix")
def mel_weights(call: Call, bins: Node, length: Node, rate: Node, low: Node, high: Node, *, output_datatype: int = 1) -> Node:
    """Triangles over frequencies, evenly spread on the mel scale."""
    count, size, sampled = (int(call.number(node, "a size")) for node in (bins, length, rate))
    edges = [2595 * math.log10(1 + call.number(node, "an edge") / 700) for node in (low, high)]
    if not (0 < count <= 2**16 and 0 < size <= 2**20 and sampled > 0):
        raise call.wrong(f"{count} bins of {size} at {sampled}", "sizes of 1 or more")
    places = np.arange(count + 2) * ((edges[1] - edges[0]) / (count + 2)) + edges[0]
    places = (((size + 1) * (700 * (10 ** (places / 2595) - 1))) // sampled).astype(int)
    found = np.zeros((size // 2 + 1, count))
    for column in range(count):
        first, middle, last = places[column : column + 3]
        if middle == first:
            found[middle, column] = 1
        else:
            found[first : middle + 1, column] = np.linspace(0, 1, middle - first + 1) if middle > first else 0
            found[first : middle + 1, column] = (np.arange(first, middle + 1) - first) / (middle - first)
        if last != middle:
            found[middle:last, column] = (last - np.arange(middle, last)) / (last - middle)
    return constant(found.astype(np.float32 if output_datatype == 1 else np.float64))
