"""Ops that are made of others and are ops all the same: their derivative is short, and exact, where that of their parts is neither.

Each says what it is made of, its decomposition; an engine that has no row for it runs that.
"""

from __future__ import annotations

import math

import numpy as np

from chainrule.errors import ShapeError
from chainrule.graph import Array, Graph, Node, Step, Type, rewrite_nodes
from chainrule.ops.broadcast import broadcast_to, reduce_sum
from chainrule.ops.declare import Gradients, elementwise, op, require_axis, require_kind
from chainrule.ops.elementwise import (
    absolute,
    broadcast_operands,
    divide,
    exp,
    expm1,
    greater,
    log,
    log1p,
    multiply,
    negative,
    relu,
    select,
    sigmoid,
    sign,
    sqrt,
    subtract,
)
from chainrule.ops.indexing import one_hot
from chainrule.ops.reductions import max, sum  # noqa: A004
from chainrule.ops.shapes import reshape


@elementwise("{0}²", "{0}^2", 1, takes="number")
def square(x: Array) -> Array:
    """The square x·x."""
    return np.multiply(x, x)


@square.vjp
def square_vjp(g: Node, out: Node, x: Node) -> Gradients:
    """2·x."""
    return (g * 2.0 * x,)


@square.decompose
def square_parts(x: Node) -> Node:
    """A product."""
    return multiply(x, x)


@elementwise("arctan({0})", r"\arctan({0})")
def arctan(x: Array) -> Array:
    """The angle in radians, between −π/2 and π/2, whose tangent is x."""
    return np.arctan(x)


@arctan.vjp
def arctan_vjp(g: Node, out: Node, x: Node) -> Gradients:
    """1/(1 + x²)."""
    return (g / (square(x) + 1.0),)


@arctan.decompose
def arctan_parts(x: Node) -> Node:
    """4·arctan of the tangent of a quarter of the angle, by its series; of 1/|x| where |x| > 1."""
    size = absolute(x)
    is_steep = greater(size, 1.0)
    tangent = select(is_steep, divide(1.0, size), size)
    for _ in range(2):
        tangent = tangent / (1.0 + sqrt(1.0 + tangent * tangent))
    rest = tangent * tangent
    series = rest * (-1.0 / 23.0) + 1.0 / 21.0
    for power in range(19, 0, -2):
        series = series * rest + (1.0 if power % 4 == 1 else -1.0) / power
    angle = series * tangent * 4.0
    return sign(x) * select(is_steep, math.pi / 2 - angle, angle)


# ---- softmax


def _softmax_type(z: Type, *, axis: int) -> Type:
    require_kind("softmax", z, "float")
    require_axis("softmax", axis, z.ndim)
    if not z.shape[axis]:
        raise ShapeError(f"softmax of {z!r} over axis {axis}", expected="one entry or more", remedy="check for empty data")
    return z


@op(_softmax_type, "softmax", r"\operatorname{{softmax}}")
def softmax(z: Array, *, axis: int) -> Array:
    """exp(z_j)/Σ_k exp(z_k) along an axis: numbers above 0 that add up to 1.

    The largest z is subtracted first, which changes nothing but keeps the exponential from overflowing.
    """
    exponential = np.exp(z - np.max(z, axis=axis, keepdims=True))
    return exponential / np.sum(exponential, axis=axis, keepdims=True)


@softmax.vjp
def softmax_vjp(g: Node, out: Node, z: Node, *, axis: int) -> Gradients:
    """a_j·(g_j − Σ_k g_k·a_k), a the softmax."""
    return (out * (g - _spread(sum(g * out, axis, keepdims=True), z)),)


@softmax.decompose
def softmax_parts(z: Node, *, axis: int) -> Node:
    """Shift by the largest, exponential, division by the sum."""
    exponential = exp(z - _spread(max(z, axis, keepdims=True), z))
    return divide(exponential, _spread(sum(exponential, axis, keepdims=True), z))


def _spread(reduced: Node, like: Node) -> Node:
    return broadcast_to(reduced, shape=like.shape)


# ---- the loss of a softmax


def _labelled(name: str, z: Type, labels: Type) -> Type:
    require_kind(name, z, "float")
    if not z.ndim or not z.shape[-1] or labels.shape != z.shape[:-1] or labels.is_float or labels.dtype == "bool":
        raise ShapeError(
            f"{name} was given {z!r} and labels {labels!r}",
            expected="z (..., classes), and whole-number labels (...)",
            remedy="give one label to each row of z",
        )
    return z


def _softmax_loss_type(z: Type, labels: Type) -> Type:
    return _labelled("softmax_cross_entropy", z, labels).with_shape(z.shape[:-1])


def _softmax_error_type(z: Type, labels: Type) -> Type:
    return _labelled("softmax_error", z, labels)


def _is_label(z: Array, labels: Array) -> Array:
    classes: int = z.shape[-1]
    return np.equal(labels[..., None], np.arange(classes))


@op(_softmax_error_type, "softmax({0}) − one_hot({1})", r"\operatorname{{softmax}}({0}) - \mathbf{{1}}_{{{1}}}", 3)
def softmax_error(z: Array, labels: Array) -> Array:
    """softmax(z) − y along the last axis, y being 1 at the label and 0 elsewhere: what cross-entropy passes back to z.

    At the label it is −Σ_{k ≠ label} softmax(z)_k, exact also where softmax(z)_label would be rounded to 1. A row adds up to 0.
    """
    exponential = np.exp(z - np.max(z, axis=-1, keepdims=True))
    is_label = _is_label(z, labels)
    others = np.sum(np.where(is_label, 0, exponential), axis=-1, keepdims=True)
    at_label: Array = np.where(is_label, -others, exponential)
    return at_label / np.sum(exponential, axis=-1, keepdims=True)


@softmax_error.vjp
def softmax_error_vjp(g: Node, out: Node, z: Node, labels: Node) -> Gradients:
    """As that of softmax."""
    return softmax_vjp(g, softmax(z, axis=z.type.ndim - 1), z, axis=z.type.ndim - 1)[0], None


@softmax_error.decompose
def softmax_error_parts(z: Node, labels: Node) -> Node:
    """The same, step by step; the exponentials and their sum over the others are those of the loss."""
    axis = z.type.ndim - 1
    exponential, others, is_label = _exponentials(z, labels)
    total = sum(exponential, axis, keepdims=True)
    at_label = negative(_spread(reshape(others, shape=total.shape), z))
    return divide(select(is_label, at_label, exponential), _spread(total, z))


def _exponentials(z: Node, labels: Node) -> tuple[Node, Node, Node]:
    """exp(z − max z), its sum over all but the label, and which is the label."""
    axis = z.type.ndim - 1
    exponential = exp(z - _spread(max(z, axis, keepdims=True), z))
    is_label = greater(one_hot(labels, classes=z.shape[-1], dtype=z.dtype), 0.0)
    return exponential, reduce_sum(select(is_label, 0.0, exponential), axes=(axis,)), is_label


@op(_softmax_loss_type, "−log softmax({0})[{1}]", r"-\log \operatorname{{softmax}}({0})_{{{1}}}", 3)
def softmax_cross_entropy(z: Array, labels: Array) -> Array:
    """−log softmax(z)_label along the last axis, for labels 0 ... classes − 1.

    With d = z_label − max z it is log(1 + Σ_{k ≠ label} exp(z_k − max z) + (exp(d) − 1)) − d, exact also where the label is nearly
    certain and the loss nearly 0.
    """
    shifted = z - np.max(z, axis=-1, keepdims=True)
    is_label = _is_label(z, labels)
    others = np.sum(np.where(is_label, 0, np.exp(shifted)), axis=-1)
    own = np.sum(np.where(is_label, shifted, 0), axis=-1)
    return np.log1p(others + np.expm1(own)) - own


@softmax_cross_entropy.vjp
def softmax_cross_entropy_vjp(g: Node, out: Node, z: Node, labels: Node) -> Gradients:
    """softmax(z) − y, y being 1 at the label and 0 elsewhere."""
    return _spread(reshape(g, shape=(*g.shape, 1)), z) * softmax_error(z, labels), None


@softmax_cross_entropy.decompose
def softmax_cross_entropy_parts(z: Node, labels: Node) -> Node:
    """The same, step by step."""
    exponential, others, is_label = _exponentials(z, labels)
    own = reduce_sum(select(is_label, exponential.inputs[0], 0.0), axes=(z.type.ndim - 1,))
    return subtract(log1p(others + expm1(own)), own)


@softmax_cross_entropy.through(softmax)
def softmax_cross_entropy_of(a: Node, labels: Node) -> Node:
    """−Σ_j y_j·log a_j, of the probabilities a = softmax(z)."""
    is_label = one_hot(labels, classes=a.shape[-1], dtype=a.dtype)
    return negative(reduce_sum(is_label * log(a), axes=(a.type.ndim - 1,)))


# ---- the loss of a sigmoid


@elementwise("σ({0}) − {1}", r"\sigma({0}) - {1}", 3)
def sigmoid_error(z: Array, y: Array) -> Array:
    """σ(z) − y entry by entry, as (1 − y)·σ(z) − y·σ(−z): exact also where σ(z) would be rounded to y."""
    return (1 - y) / (1 + np.exp(-z)) - y / (1 + np.exp(z))


@sigmoid_error.vjp
def sigmoid_error_vjp(g: Node, out: Node, z: Node, y: Node) -> Gradients:
    """σ′(z) = σ(z)·σ(−z) by z, and −1 by y."""
    return g * (sigmoid(z) * sigmoid(negative(z))), negative(g)


@sigmoid_error.decompose
def sigmoid_error_parts(z: Node, y: Node) -> Node:
    """The same, step by step."""
    return (1.0 - y) * sigmoid(z) - y * sigmoid(negative(z))


@elementwise(
    "−({1}·log σ({0}) + (1 − {1})·log(1 − σ({0})))",
    r"-({1} \cdot \log \sigma({0}) + (1 - {1}) \cdot \log(1 - \sigma({0})))",
    3,
)
def sigmoid_cross_entropy(z: Array, y: Array) -> Array:
    """−(y·log σ(z) + (1 − y)·log(1 − σ(z))) entry by entry, as max(0, z) − y·z + log(1 + exp(−|z|)).

    It is exact also where σ(z) is nearly y, and 1 − σ(z) would be rounded to 0.
    """
    positive = np.real(z) > 0
    return np.where(positive, z, 0) - z * y + np.log1p(np.exp(np.where(positive, -z, z)))


@sigmoid_cross_entropy.vjp
def sigmoid_cross_entropy_vjp(g: Node, out: Node, z: Node, y: Node) -> Gradients:
    """σ(z) − y by z, and −z by y."""
    return g * sigmoid_error(z, y), negative(g * z)


@sigmoid_cross_entropy.decompose
def sigmoid_cross_entropy_parts(z: Node, y: Node) -> Node:
    """The same, step by step."""
    return relu(z) - z * y + log1p(exp(negative(absolute(z))))


@sigmoid_cross_entropy.through(sigmoid)
def sigmoid_cross_entropy_of(a: Node, y: Node) -> Node:
    """−(y·log a + (1 − y)·log(1 − a)), of the probability a = σ(z)."""
    return negative(y * log(a) + (1.0 - y) * log(1.0 - a))


for _op in (square, arctan, sigmoid_error, sigmoid_cross_entropy):
    _op.prepare = broadcast_operands


def decompose(graph: Graph) -> tuple[Graph, Step]:
    """Writes out the ops that are made of others."""
    if all(node.op.decomposition is None for node in graph.nodes):
        return graph, Step("decompose", len(graph.nodes), len(graph.nodes), ())

    def rule(node: Node) -> Node | None:
        if node.op.decomposition is None:
            return None
        made = node.op.decomposition(*node.inputs, **node.attributes)
        return made.named(node.name) if node.name else made

    return rewrite_nodes("decompose", graph, rule)


__all__ = [
    "arctan", "decompose", "sigmoid_cross_entropy", "sigmoid_error", "softmax", "softmax_cross_entropy", "softmax_error", "square",
]  # fmt: skip
