"""A cost as a sum of squares: the residuals, found in its graph, and their derivatives along parameters."""

from __future__ import annotations

from collections.abc import Iterator

from chainrule import ops
from chainrule.errors import OptionError
from chainrule.graph import CONSTANT, Node

_PASSED = frozenset({ops.reduce_sum, ops.reshape})
"""A sum of a sum of squares is one."""


def residuals_of(cost: Node) -> list[Node]:
    """Nodes the sum of the squares of whose entries is the cost.

    A cost is taken apart where it is a sum, and where a number above 0 multiplies it, down to squares x² and products x·x.

    >>> from chainrule.graph import input_node
    >>> a, y = input_node("a", (3,)), input_node("y", (3,))
    >>> [residual] = residuals_of(ops.mean(ops.square(a - y)))
    >>> residual.shape
    (3,)

    Raises: OptionError for a cost that is no sum of squares.
    """
    return [node if factor == 1.0 else node * factor**0.5 for node, factor in _squares(cost, 1.0)]


def _squares(node: Node, factor: float) -> Iterator[tuple[Node, float]]:
    if node.op is ops.square or (node.op is ops.multiply and node.inputs[0] is node.inputs[1]):
        yield node.inputs[0], factor
    elif node.op is ops.add:
        for term in node.inputs:
            yield from _squares(term, factor)
    elif node.op in _PASSED:
        yield from _squares(node.inputs[0], factor)
    elif node.op in {ops.multiply, ops.divide} and (number := _number(node.inputs[1])) is not None and number > 0:
        yield from _squares(node.inputs[0], factor * (number if node.op is ops.multiply else 1.0 / number))
    elif _number(node) != 0:
        raise OptionError(
            f"a cost with {node.op.name} ({node.type!r}) in it, which is no square",
            expected="a sum of squares: squared errors, chi_squared, and L2 penalties",
            remedy="write loss='mean_squared_error', or optimizer=LBFGS()",
        )


def _number(node: Node) -> float | None:
    while node.op in {ops.broadcast_to, ops.reshape}:
        node = node.inputs[0]
    return float(node.attributes["value"]) if node.op is CONSTANT and node.shape == () else None
