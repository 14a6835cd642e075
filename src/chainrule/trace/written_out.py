"""A graph with softmax, the losses that go with it and squares written out in the steps in which people derive them, and err."""

from __future__ import annotations

from collections.abc import Callable

from chainrule import ops
from chainrule.graph import Graph, Node, Op, rewrite_nodes
from chainrule.graph.rewrite import remade
from chainrule.nn import log_softmax


def written_out(graph: Graph) -> Graph:
    """The same graph, where a mistake in one step of a softmax, a loss or a square can be planted.

    >>> from chainrule.graph import input_node
    >>> [node.op.name for node in written_out(Graph({"y": ops.square(input_node("x"))})).nodes]
    ['input', 'multiply']
    """
    return rewrite_nodes("write out", graph, lambda node: remade(node, _STEPS.get(node.op)))[0]


def _softmax(z: Node, *, axis: int) -> Node:
    exponential = ops.exp(z - ops.stop_gradient(ops.max(z, axis, keepdims=True)))
    return exponential / ops.sum(exponential, axis, keepdims=True)


def _softmax_loss(z: Node, labels: Node) -> Node:
    picked = log_softmax(z) * ops.one_hot(labels, classes=z.shape[-1], dtype=z.dtype)
    return ops.negative(ops.sum(picked, z.type.ndim - 1))


def _sigmoid_loss(z: Node, y: Node) -> Node:
    return ops.softplus(z) - y * z


def _poisson_loss(z: Node, y: Node) -> Node:
    return y * (ops.log(ops.where(ops.greater(y, 0.0), y, 1.0)) - z) - (y - ops.exp(z))


def _square(x: Node) -> Node:
    return x * x


def _margin(z: Node, labels: Node) -> Node:
    right = ops.one_hot(labels, classes=z.shape[-1], dtype=z.dtype)
    others = ops.where(ops.greater(right, 0.0), -1e30, z)
    axis = z.type.ndim - 1
    return ops.sum(right * z, axis) - ops.max(others, axis)


def _norm(x: Node) -> Node:
    squares = ops.sum(x * x, x.type.ndim - 1)
    here = ops.equal(squares, 0.0)
    return ops.where(here, 0.0, ops.sqrt(ops.where(here, 1.0, squares)))


def _huber(x: Node, *, delta: float) -> Node:
    size = ops.absolute(x)
    inside = ops.minimum(size, delta)
    return inside * (size - inside * 0.5)


_STEPS: dict[Op, Callable[..., Node]] = {
    ops.softmax: _softmax,
    ops.softmax_cross_entropy: _softmax_loss,
    ops.sigmoid_cross_entropy: _sigmoid_loss,
    ops.poisson_loss: _poisson_loss,
    ops.square: _square,
    ops.margin: _margin,
    ops.norm: _norm,
    ops.huber: _huber,
}
