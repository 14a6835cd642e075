"""Ops that are made of others and are ops all the same: their derivative is short, and exact, where that of their parts is neither.

Each says what it is made of, its decomposition; an engine that has no row for it runs that.
"""

from __future__ import annotations

import math

import numpy as np

from chainrule.errors import ShapeError
from chainrule.graph import Array, Graph, Node, PassStep, Type, rewrite_nodes
from chainrule.graph.rewrite import remade
from chainrule.ops.broadcast import broadcast_to, reduce_sum
from chainrule.ops.declare import Gradients, elementwise, op, require_axis, require_kind
from chainrule.ops.elementwise import (
    absolute,
    cast,
    divide,
    equal,
    exp,
    expm1,
    greater,
    less,
    log,
    log1p,
    logical_and,
    maximum,
    minimum,
    multiply,
    negative,
    relu,
    sigmoid,
    sign,
    sqrt,
    subtract,
    where,
)
from chainrule.ops.indexing import one_hot
from chainrule.ops.reductions import max, sum  # noqa: A004
from chainrule.ops.shapes import reshape


@elementwise("{0}²", "{0}^2", 1, takes="number")
def square(x: Array) -> Array:
    """The square x·x.

    Shapes: x any; result as x. Dtypes: float32 or float64. Raises: DtypeError.
    """
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
    """The angle in radians, between −π/2 and π/2, whose tangent is x.

    Shapes: x any; result as x. Dtypes: float32 or float64. Raises: DtypeError.
    """
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
    tangent = where(is_steep, divide(1.0, size), size)
    for _ in range(2):
        tangent = tangent / (1.0 + sqrt(1.0 + tangent * tangent))
    rest = tangent * tangent
    series = rest * (-1.0 / 23.0) + 1.0 / 21.0
    for power in range(19, 0, -2):
        series = series * rest + (1.0 if power % 4 == 1 else -1.0) / power
    angle = series * tangent * 4.0
    return sign(x) * where(is_steep, math.pi / 2 - angle, angle)


# ---- softmax


def _softmax_type(z: Type, *, axis: int) -> Type:
    require_kind("softmax", z, "float")
    require_axis("softmax", axis, z.ndim)
    if not z.shape[axis]:
        raise ShapeError(f"softmax of {z!r} over axis {axis}", expected="one entry or more", remedy="check for empty data")
    return z


@op(_softmax_type, "softmax", r"\operatorname{{softmax}}", kind="rowwise")
def softmax(z: Array, *, axis: int) -> Array:
    """exp(z_j)/Σ_k exp(z_k) along an axis: numbers above 0 that add up to 1.

    Of z's shape and dtype. The largest z is subtracted first, which changes nothing but keeps the exponential from overflowing.
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


@op(
    _softmax_error_type,
    "softmax({0}) − one_hot({1})",
    r"\operatorname{{softmax}}({0}) - \mathbf{{1}}_{{{1}}}",
    3,
    kind="rowwise",
)
def softmax_error(z: Array, labels: Array) -> Array:
    """softmax(z) − y along the last axis, y being 1 at the label and 0 elsewhere: what cross-entropy passes back to z.

    At the label it is −Σ_{k ≠ label} softmax(z)_k, exact also where softmax(z)_label would be rounded to 1. A row adds up to 0.
    Shapes: z (..., classes), labels (...) of whole numbers; result as z.
    """
    exponential = np.exp(z - np.max(z, axis=-1, keepdims=True))
    is_label = _is_label(z, labels)
    others: Array = np.sum(np.where(is_label, 0, exponential), axis=-1, keepdims=True)
    return np.where(is_label, -others, exponential) / np.sum(exponential, axis=-1, keepdims=True)


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
    return divide(where(is_label, at_label, exponential), _spread(total, z))


def _exponentials(z: Node, labels: Node) -> tuple[Node, Node, Node]:
    """exp(z − max z), its sum over all but the label, and which is the label."""
    axis = z.type.ndim - 1
    exponential = exp(z - _spread(max(z, axis, keepdims=True), z))
    is_label = greater(one_hot(labels, classes=z.shape[-1], dtype=z.dtype), 0.0)
    return exponential, reduce_sum(where(is_label, 0.0, exponential), axes=(axis,)), is_label


@op(_softmax_loss_type, "−log softmax({0})[{1}]", r"-\log \operatorname{{softmax}}({0})_{{{1}}}", 3, kind="rowwise")
def softmax_cross_entropy(z: Array, labels: Array) -> Array:
    """−log softmax(z)_label along the last axis, for labels 0 ... classes − 1.

    With d = z_label − max z it is log(1 + Σ_{k ≠ label} exp(z_k − max z) + (exp(d) − 1)) − d, exact also where the label is nearly
    certain and the loss nearly 0. Shapes: z (..., classes), labels (...) of whole numbers; result (...) of z's dtype.
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
    own = reduce_sum(where(is_label, exponential.inputs[0], 0.0), axes=(z.type.ndim - 1,))
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


# ---- the loss of counts


@elementwise(
    "{1}·(log {1} − {0}) − ({1} − exp({0}))",
    r"{1} \cdot (\log {1} - {0}) - ({1} - e^{{{0}}})",
    3,
    convention="where y = 0 the derivative by y is 0",
)
def poisson_loss(z: Array, y: Array) -> Array:
    """Half the deviance of counts y from means exp(z), entry by entry: y·(log y − z) − (y − exp(z)), and exp(z) where y = 0.

    With d = z − log y it is y·(exp(d) − 1 − d), exact also of large counts whose mean is nearly right.
    """
    positive = np.real(y) > 0
    d = z - np.log(np.where(positive, y, 1))
    return np.where(positive, y * (np.expm1(d) - d), np.exp(z))


@poisson_loss.vjp
def poisson_loss_vjp(g: Node, out: Node, z: Node, y: Node) -> Gradients:
    """exp(z) − y by z, and log y − z by y; the convention keeps −∞ out."""
    positive = greater(y, 0.0)
    return g * (exp(z) - y), where(positive, g * (log(where(positive, y, 1.0)) - z), 0.0)


@poisson_loss.decompose
def poisson_loss_parts(z: Node, y: Node) -> Node:
    """The same, step by step."""
    positive = greater(y, 0.0)
    d = z - log(where(positive, y, 1.0))
    return where(positive, y * (expm1(d) - d), exp(z))


@poisson_loss.through(exp)
def poisson_loss_of(a: Node, y: Node) -> Node:
    """y·log(y/a) − (y − a), of the mean a = exp(z)."""
    return y * (log(where(greater(y, 0.0), y, 1.0)) - log(a)) - (y - a)


# ---- the losses of numbers and of margins


def _huber_type(x: Type, *, delta: float) -> Type:
    require_kind("huber", x, "float")
    if not 0 < delta < math.inf:
        raise ShapeError(f"huber with delta={delta!r}", expected="a finite number above 0", remedy="write delta=1.0")
    return x


@op(_huber_type, "huber", r"\operatorname{{huber}}", kind="elementwise")
def huber(x: Array, *, delta: float) -> Array:
    """½·x² where |x| ≤ delta, delta·(|x| − ½·delta) beyond; of x's shape and dtype. Source: P. J. Huber, Ann. Math. Stat. 35, 73 (1964)."""
    size = np.where(np.real(x) < 0, -x, x)
    inside = np.where(np.real(size) < delta, size, delta)
    return inside * (size - 0.5 * inside)


@huber.vjp
def huber_vjp(g: Node, out: Node, x: Node, *, delta: float) -> Gradients:
    """x, cut off at −delta and delta."""
    return (g * maximum(minimum(x, delta), -delta),)


@huber.decompose
def huber_parts(x: Node, *, delta: float) -> Node:
    """With c = min(|x|, delta) both branches are c·(|x| − ½·c)."""
    size = absolute(x)
    inside = minimum(size, delta)
    return inside * (size - inside * 0.5)


def _norm_type(x: Type) -> Type:
    require_kind("norm", x, "float")
    if not x.ndim:
        raise ShapeError(f"norm of {x!r}", expected="an array with an axis", remedy="take the absolute value")
    return x.with_shape(x.shape[:-1])


@op(_norm_type, "‖{0}‖", r"\left\lVert {0} \right\rVert", convention="of a row of zeros the derivative is 0", kind="rowwise")
def norm(x: Array) -> Array:
    """√Σ_j x_j², the length of each row along the last axis; no square overflows or is lost.

    Shapes: x (..., n), result (...). Dtypes: float32 or float64. Raises: ShapeError for a scalar, DtypeError.
    """
    largest = np.max(np.abs(x), axis=-1, initial=0.0)
    unit = np.where((largest > 0) & np.isfinite(largest), largest, 1.0).astype(largest.dtype)
    return unit * np.sqrt(np.sum(np.square(x / unit[..., None]), axis=-1))


@norm.vjp
def norm_vjp(g: Node, out: Node, x: Node) -> Gradients:
    """x/‖x‖; 0 for a row of zeros."""
    length = _spread(reshape(where(greater(out, 0.0), out, 1.0), shape=(*out.shape, 1)), x)
    return (_spread(reshape(g, shape=(*g.shape, 1)), x) * (x / length),)


@norm.decompose
def norm_parts(x: Node) -> Node:
    """In units of the largest entry, squared, added up, rooted."""
    axis = x.type.ndim - 1
    largest = max(absolute(x), axis)
    is_usual = logical_and(greater(largest, 0.0), less(largest, math.inf))
    unit = where(is_usual, largest, 1.0)
    scaled = x / _spread(reshape(unit, shape=(*unit.shape, 1)), x)
    return unit * sqrt(reduce_sum(scaled * scaled, axes=(axis,)))


def _margin_type(z: Type, labels: Type) -> Type:
    return _labelled("margin", z, labels).with_shape(z.shape[:-1])


def _runner_up_type(z: Type, labels: Type) -> Type:
    return _labelled("runner_up", z, labels)


@op(
    _runner_up_type,
    "runner_up({0}, {1})",
    r"\operatorname{{runner\_up}}({0}, {1})",
    convention="no gradient",
    differentiable=False,
    kind="rowwise",
)
def runner_up(z: Array, labels: Array) -> Array:
    """1 at the largest entry of each row that is not the label's, 0 elsewhere; equals share it.

    Shapes: z (..., classes), labels (...), whole numbers; result as z. Raises: ShapeError, DtypeError.
    """
    others = np.where(_is_label(z, labels), -np.inf, np.real(z))
    chosen = others == np.max(others, axis=-1, keepdims=True)
    return (chosen / np.sum(chosen, axis=-1, keepdims=True)).astype(np.real(z).dtype)


@runner_up.decompose
def runner_up_parts(z: Node, labels: Node) -> Node:
    """The same, step by step."""
    axis, (others, _) = z.type.ndim - 1, _without_label(z, labels)
    chosen = cast(equal(others, _spread(max(others, axis, keepdims=True), z)), dtype=z.dtype)
    return chosen / _spread(sum(chosen, axis, keepdims=True), z)


def _without_label(z: Node, labels: Node) -> tuple[Node, Node]:
    """z with −∞ at the label, and with 0 at all but the label."""
    is_label = greater(one_hot(labels, classes=z.shape[-1], dtype=z.dtype), 0.0)
    return where(is_label, -math.inf, z), where(is_label, z, 0.0)


@op(
    _margin_type,
    "margin({0}, {1})",
    r"\operatorname{{margin}}({0}, {1})",
    convention="equals share the runner-up's part",
    kind="rowwise",
)
def margin(z: Array, labels: Array) -> Array:
    """z_label − max of the others: by how much the right class leads.

    Shapes: z (..., classes), labels (...) of whole numbers; result (...) of z's dtype. Source: K. Crammer, Y. Singer, JMLR 2, 265 (2001).
    """
    is_label = _is_label(z, labels)
    return np.sum(np.where(is_label, z, 0), axis=-1) - np.max(np.where(is_label, -np.inf, z), axis=-1)


@margin.vjp
def margin_vjp(g: Node, out: Node, z: Node, labels: Node) -> Gradients:
    """1 at the label, −1 at the runner-up."""
    leading = one_hot(labels, classes=z.shape[-1], dtype=z.dtype) - runner_up(z, labels)
    return _spread(reshape(g, shape=(*g.shape, 1)), z) * leading, None


@margin.decompose
def margin_parts(z: Node, labels: Node) -> Node:
    """The same, step by step."""
    axis, (others, own) = z.type.ndim - 1, _without_label(z, labels)
    return reduce_sum(own, axes=(axis,)) - max(others, axis)


def decompose(graph: Graph) -> tuple[Graph, PassStep]:
    """Writes out the ops that are made of others."""
    made_of_others = [op for op in graph.ops if op.decomposition is not None]
    return rewrite_nodes("decompose", graph, lambda node: remade(node, node.op.decomposition), made_of_others)


__all__ = [
    "arctan", "decompose", "huber", "margin", "norm", "poisson_loss", "runner_up", "sigmoid_cross_entropy", "sigmoid_error", "softmax",
    "softmax_cross_entropy", "softmax_error", "square",
]  # fmt: skip
