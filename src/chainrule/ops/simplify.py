"""Algebra that changes no number: identities that hold for every value, NaN and infinity included."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from chainrule.graph import CONSTANT, Graph, Node, Pass, PassStep, dead_code, fold_constants, rewrite_nodes, share_common
from chainrule.ops.broadcast import broadcast_to, reduce_sum
from chainrule.ops.compounds import decompose
from chainrule.ops.elementwise import add, cast, divide, multiply, negative, power, subtract
from chainrule.ops.shapes import concatenate, pad, reshape, transpose


def simplify_algebra(graph: Graph) -> tuple[Graph, PassStep]:
    """x·1, x/1, x − 0, x + 0, −(−x), x², double transposes, and shape changes that change nothing.

    x·0 stays: it is not 0 where x is NaN or infinite. (x + 0 turns −0 into +0, the one difference that is let pass.)
    """
    return rewrite_nodes("simplify algebra", graph, _rule, _SIMPLIFIED)


_SIMPLIFIED = frozenset((add, broadcast_to, cast, divide, multiply, negative, power, reduce_sum, reshape, subtract, transpose))
"""The ops that an identity stands for in `_plain`."""


def _rule(node: Node) -> Node | None:
    simpler = _plain(node)
    # One identity may make room for the next: two reshapes become one, which then may change nothing.
    while simpler is not None and (further := _plain(simpler)) is not None:
        simpler = further
    if simpler is None or simpler.name or not node.name or simpler.is_leaf:
        return simpler
    return simpler.named(node.name)


def _plain(node: Node) -> Node | None:  # noqa: C901  (one case to an identity: a table, read from top to bottom)
    match node.op, node.inputs:
        case (op, (x, y)) if (op is multiply or op is divide) and _is_all(y, 1.0):
            return x
        case (op, (x, y)) if op is multiply and _is_all(x, 1.0):
            return y
        case (op, (x, y)) if (op is subtract or op is add) and _is_all(y, 0.0):
            return x
        case (op, (x, y)) if op is add and _is_all(x, 0.0):
            return y
        case (op, (x, y)) if op is power and _is_all(y, 1.0):
            return x
        case (op, (x, y)) if op is power and _is_all(y, 2.0):
            return x * x
        case (op, (x,)) if op is negative and x.op is negative:
            return x.inputs[0]
        case (op, (x,)) if op is transpose and x.op is transpose:
            inner = x.attributes["axes"]
            return transpose(x.inputs[0], axes=tuple(inner[axis] for axis in node.attributes["axes"]))
        case (op, (x,)) if op is transpose and node.attributes["axes"] == tuple(range(x.type.ndim)):
            return x
        case (op, (x,)) if op is reshape and x.op is reshape:
            return reshape(x.inputs[0], shape=node.shape)
        case (op, (x,)) if op is broadcast_to and x.op is broadcast_to:
            return broadcast_to(x.inputs[0], shape=node.shape)
        case (op, (x,)) if (op is reshape or op is broadcast_to or op is cast) and x.type == node.type:
            return x
        case (op, (x,)) if op is reduce_sum and not node.attributes["axes"]:
            return x
        case _:
            return None


Pieces: TypeAlias = "tuple[int, dict[int, Node]]"
"""An axis, and nodes by where along it they begin."""


def sums_of_pieces(graph: Graph) -> tuple[Graph, PassStep]:
    """A sum of pieces among zeros that fill an axis together is the pieces side by side: what the parts of an array pass back to it."""
    found: dict[Node, Pieces] = {}

    def rule(node: Node) -> Node | None:
        if node.op is pad:
            found.update({node: piece} if (piece := _padded(node)) else {})
        if node.op is not add or not all(source in found for source in node.inputs):
            return None
        (axis, one), (other_axis, other) = (found[source] for source in node.inputs)
        parts = {**one, **other}
        if axis != other_axis or len(parts) < len(one) + len(other):
            return None
        found[node] = axis, parts
        end = 0
        for start in sorted(parts):
            if start != end:
                return None
            end += parts[start].shape[axis]
        return concatenate(*(parts[start] for start in sorted(parts)), axis=axis) if end == node.shape[axis] else None

    return rewrite_nodes("sums of pieces", graph, rule, (pad, add) if pad in graph.ops else ())


def _padded(node: Node) -> Pieces | None:
    """The piece that stands among zeros along one axis, if there is one such axis."""
    low, high, interior = (node.attributes[name] for name in ("low", "high", "interior"))
    axes = [axis for axis in range(node.type.ndim) if low[axis] or high[axis]]
    return (axes[0], {low[axes[0]]: node.inputs[0]}) if len(axes) == 1 and not any(interior) else None


def _is_all(node: Node, number: float) -> bool:
    """Whether the node is a constant, broadcast or not, that is this number everywhere."""
    while node.op is broadcast_to or node.op is reshape:
        node = node.inputs[0]
    return node.op is CONSTANT and node.type.size > 0 and bool(np.all(node.attributes["value"] == number))


SIMPLIFICATIONS: tuple[Pass, ...] = (simplify_algebra, sums_of_pieces, fold_constants, share_common, dead_code)
"""What makes a graph shorter, in this order."""
PASSES: tuple[Pass, ...] = (decompose, *SIMPLIFICATIONS)
"""What every engine does to a graph before it runs it."""
