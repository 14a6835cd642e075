"""Rewritings that suit loops, after those that every engine makes: of products without a sum or with a vector, of masks and reshapes."""

from __future__ import annotations

from collections import Counter

import numpy as np

from chainrule.graph import CONSTANT, Graph, Node, Pass, PassStep, rewrite_nodes
from chainrule.ops import PASSES, broadcast_to, greater, matmul, multiply, relu, reshape, transpose
from chainrule.ops.broadcast import reduce_sum


def outer_products(graph: Graph) -> tuple[Graph, PassStep]:
    """A matrix product with an inner extent of 1 has sums of one term: it is a multiplication, which joins its neighbours' loops."""

    def rule(node: Node) -> Node | None:
        if node.op is not matmul or node.inputs[0].shape[-1] != 1:
            return None
        return _stretched_product(node.inputs[0], node.inputs[1], node.shape).named(node.name)

    return rewrite_nodes("outer products", graph, rule, (matmul,))


def sums_over_rows(graph: Graph) -> tuple[Graph, PassStep]:
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

    return rewrite_nodes("sums over rows", graph, rule, (matmul,))


def sums_along_rows(graph: Graph) -> tuple[Graph, PassStep]:
    """x·w with a single column w is a sum along each row of x, which may be summed while the row is computed."""

    def rule(node: Node) -> Node | None:
        if node.op is not matmul or node.shape[-1] != 1 or node.inputs[0].op is transpose:
            return None
        x, w = node.inputs
        row = reshape(w, shape=(*w.shape[:-2], 1, w.shape[-2]))
        total = reduce_sum(_stretched_product(x, row, x.shape), axes=(x.type.ndim - 1,))
        return reshape(total, shape=node.shape).named(node.name)

    return rewrite_nodes("sums along rows", graph, rule, (matmul,))


def _stretched_product(x: Node, y: Node, shape: tuple[int, ...]) -> Node:
    return multiply(*(part if part.shape == shape else broadcast_to(part, shape=shape) for part in (x, y)))


def masks_of_relu(graph: Graph) -> tuple[Graph, PassStep]:
    """x > 0 is ReLU(x) > 0, NaN included: where the ReLU is kept anyway, x need not be."""
    known: dict[Node, Node] = {}

    def rule(node: Node) -> Node | None:
        if node.op is relu:
            known[node.inputs[0]] = node
        if node.op is greater and node.inputs[0] in known and _is_zero(node.inputs[1]):
            return greater(known[node.inputs[0]], node.inputs[1]).named(node.name)
        return None

    return rewrite_nodes("masks of ReLU", graph, rule, (relu, greater) if relu in graph.ops else ())


def reshapes_behind_products(graph: Graph) -> tuple[Graph, PassStep]:
    """f(reshape(x·w), b), f entry by entry, b one number or one to each column, is reshape(f(x·w, b)): so f rides on the product.

    Only where f alone reads the reshape: what others read too is wanted in memory in any case.
    """
    readers = Counter(source for node in graph.nodes for source in node.inputs)
    readers.update(graph.outputs.values())
    originals = iter(graph.nodes)
    riding: set[Node] = set()

    def rule(node: Node) -> Node | None:
        original = next(originals)
        if node.op.kind != "elementwise":
            return None
        for number, source in enumerate(node.inputs):
            product = source.inputs[0] if source.op is reshape and readers[original.inputs[number]] == 1 else None
            if product is None or not (product.op is matmul or product in riding):
                continue
            operands = [product if each is source else _in_columns(each, product.shape) for each in node.inputs]
            found = [each for each in operands if each is not None]
            if len(found) < len(operands) or product.type.ndim != 2:
                continue
            made = node.op(*found, **node.attributes)
            riding.add(made)
            return reshape(made, shape=node.shape).named(node.name)
        return None

    return rewrite_nodes("reshapes behind products", graph, rule, None if {reshape, matmul} <= graph.ops else ())


def _in_columns(node: Node, shape: tuple[int, ...]) -> Node | None:
    """What is broadcast along the last axis alone, or one number everywhere, in a shape with the same last extent; or None."""
    if node.op is not broadcast_to or node.shape[-1] != shape[-1]:
        return None
    source = node.inputs[0]
    if source.type.size not in {1, source.shape[-1] if source.shape else 1}:
        return None
    return broadcast_to(reshape(source, shape=(source.type.size,)), shape=shape)


def _is_zero(node: Node) -> bool:
    while node.op is broadcast_to:
        node = node.inputs[0]
    return node.op is CONSTANT and bool(np.all(node.attributes["value"] == 0))


NATIVE_PASSES: tuple[Pass, ...] = (
    *PASSES,
    outer_products,
    sums_over_rows,
    sums_along_rows,
    masks_of_relu,
    reshapes_behind_products,
)
