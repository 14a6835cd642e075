"""Rewritings that suit loops, after those that every engine makes: products without a sum, products with a vector, masks of ReLU."""

from __future__ import annotations

import numpy as np

from chainrule.graph import CONSTANT, Graph, Node, Pass, Step, rewrite_nodes
from chainrule.ops import PASSES, broadcast_to, greater, matmul, multiply, relu, reshape, transpose
from chainrule.ops.broadcast import reduce_sum


def outer_products(graph: Graph) -> tuple[Graph, Step]:
    """A matrix product with an inner extent of 1 has sums of one term: it is a multiplication, which joins its neighbours' loops."""

    def rule(node: Node) -> Node | None:
        if node.op is not matmul or node.inputs[0].shape[-1] != 1:
            return None
        return _stretched_product(node.inputs[0], node.inputs[1], node.shape).named(node.name)

    return rewrite_nodes("outer products", graph, rule)


def sums_over_rows(graph: Graph) -> tuple[Graph, Step]:
    """xᵀ·g with one column on either side is a sum over rows, such as a gradient's over the batch, and shares its neighbours' loops.

    Only where the left matrix is a transpose: of a batch of rows each must give the same bits alone, when the whole is one row.
    """

    def rule(node: Node) -> Node | None:
        if node.op is not matmul or node.inputs[0].op is not transpose or node.type.ndim != 2 or 1 not in node.shape:
            return None
        left, right = node.inputs[0].inputs[0], node.inputs[1]
        if left.type.ndim != 2 or node.inputs[0].attributes["axes"] != (1, 0) or not left.shape[0]:
            return None
        shape = (left.shape[0], max(node.shape))
        total = reduce_sum(_stretched_product(left, right, shape), axes=(0,))
        return reshape(total, shape=node.shape).named(node.name)

    return rewrite_nodes("sums over rows", graph, rule)


def sums_along_rows(graph: Graph) -> tuple[Graph, Step]:
    """x·w with a single column w is a sum along each row of x, which may be summed while the row is computed."""

    def rule(node: Node) -> Node | None:
        if node.op is not matmul or node.shape[-1] != 1 or node.inputs[0].op is transpose:
            return None
        x, w = node.inputs
        row = reshape(w, shape=(*w.shape[:-2], 1, w.shape[-2]))
        total = reduce_sum(_stretched_product(x, row, x.shape), axes=(x.type.ndim - 1,))
        return reshape(total, shape=node.shape).named(node.name)

    return rewrite_nodes("sums along rows", graph, rule)


def _stretched_product(x: Node, y: Node, shape: tuple[int, ...]) -> Node:
    return multiply(*(part if part.shape == shape else broadcast_to(part, shape=shape) for part in (x, y)))


def masks_of_relu(graph: Graph) -> tuple[Graph, Step]:
    """x > 0 is ReLU(x) > 0, NaN included: where the ReLU is kept anyway, x need not be."""
    known: dict[Node, Node] = {}

    def rule(node: Node) -> Node | None:
        if node.op is relu:
            known[node.inputs[0]] = node
        if node.op is greater and node.inputs[0] in known and _is_zero(node.inputs[1]):
            return greater(known[node.inputs[0]], node.inputs[1]).named(node.name)
        return None

    return rewrite_nodes("masks of ReLU", graph, rule)


def _is_zero(node: Node) -> bool:
    while node.op is broadcast_to:
        node = node.inputs[0]
    return node.op is CONSTANT and bool(np.all(node.attributes["value"] == 0))


NATIVE_PASSES: tuple[Pass, ...] = (*PASSES, outer_products, sums_over_rows, sums_along_rows, masks_of_relu)
