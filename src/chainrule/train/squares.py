"""A cost as a sum of squares: the residuals, found in its graph, and their derivatives along parameters."""

from __future__ import annotations

from collections.abc import Iterator

from chainrule import ops
from chainrule.errors import OptionError
from chainrule.graph import PARAMETER, Node, constant, topological_order
from chainrule.ops.broadcast import spread_number

_PASSED = frozenset({ops.reduce_sum, ops.reshape})
"""A sum of a sum of squares is one."""


def residuals_of(cost: Node) -> list[Node]:
    """Nodes the sum of the squares of whose entries is the cost.

    A cost is taken apart where it is a sum, and where a number above 0 or a weight multiplies it, down to squares x² and products x·x.
    A weight is what no parameter goes into: a term w·x² is the square of √w·x.

    >>> from chainrule.graph import input_node
    >>> a, y = input_node("a", (3,)), input_node("y", (3,))
    >>> [residual] = residuals_of(ops.mean(ops.square(a - y)))
    >>> residual.shape
    (3,)

    Raises: OptionError for a cost that is no sum of squares.
    """
    return [node if weight is None else node * ops.sqrt(weight) for node, weight in _squares(cost, None)]


def _squares(node: Node, weight: Node | None) -> Iterator[tuple[Node, Node | None]]:
    """Nodes x, and what their squares are multiplied by, where they are: a number, or an array of their shape."""
    if node.op is ops.square or (node.op is ops.multiply and node.inputs[0] is node.inputs[1]):
        yield node.inputs[0], weight
    elif node.op is ops.add:
        for term in node.inputs:
            yield from _squares(term, weight)
    elif node.op in _PASSED:
        yield from _squares(node.inputs[0], _spread(weight, node))
    elif node.op in {ops.multiply, ops.divide} and (found := _weighed(node)) is not None:
        inner, by = found
        yield from _squares(inner, by if weight is None else by * weight)
    elif spread_number(node) != 0:
        raise OptionError(
            f"a cost with {node.op.name} ({node.type!r}) in it, which is no square",
            expected="a sum of squares: squared errors, chi_squared, and L2 penalties",
            remedy="write loss='mean_squared_error', or optimizer=LBFGS()",
        )


def _spread(weight: Node | None, node: Node) -> Node | None:
    """The weight of a sum, or of numbers in another form, for what they are made of."""
    if weight is None or weight.shape == ():
        return weight
    given = node.inputs[0].shape
    if node.op is ops.reshape:
        return ops.reshape(weight, shape=given)
    axes = node.attributes["axes"]
    kept = tuple(1 if axis in axes else size for axis, size in enumerate(given))
    return ops.broadcast_to(ops.reshape(weight, shape=kept), shape=given)


def _weighed(node: Node) -> tuple[Node, Node] | None:
    """What a product or a quotient multiplies, and by what, where that is a number above 0, or an array without a parameter in it."""
    for inner, other in (node.inputs, node.inputs[::-1]) if node.op is ops.multiply else (node.inputs,):
        number = spread_number(other)
        if number is None and any(leaf.op is PARAMETER for leaf in topological_order([other])):
            continue
        if number is None or number > 0:
            by = other if number is None else constant(number, other.dtype)
            return inner, by if node.op is ops.multiply else 1.0 / by
    return None
