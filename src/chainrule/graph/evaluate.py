"""The meaning of a graph, spelled out: each node's value by its op's own NumPy, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping

import numpy as np

from chainrule.errors import GraphError
from chainrule.graph.graph import topological_order
from chainrule.graph.node import INPUT, PARAMETER, Node
from chainrule.graph.types import Array


def evaluate(nodes: Iterable[Node], values: Mapping[Node, Array] | None = None) -> list[Array]:
    """The nodes' values; `values` binds leaves, or cuts the graph at any other node: what lies before a cut is not computed.

    The arrays bound are used as they are, so complex numbers may be put through for a complex-step derivative. No warning is
    given where a value overflows or is not a number: it shows in the result.

    >>> from chainrule.graph import input_node
    >>> x = input_node("x")
    >>> evaluate([x * x + 1.0], {x: np.float64(3.0)})
    [np.float64(10.0)]
    """
    bound = dict(values or {})
    return evaluator(nodes, bound)(bound)


def evaluator(nodes: Iterable[Node], bound: Container[Node]) -> Callable[[Mapping[Node, Array]], list[Array]]:
    """`evaluate` for several values of the same bound nodes: what there is to compute, and in which order, is found once."""
    roots = list(nodes)
    order = [node for node in topological_order(roots, bound) if node not in bound]
    for node in order:
        if node.op in {INPUT, PARAMETER}:
            raise GraphError(f"{node!r} has no value", expected="a value for each leaf", remedy="add it to `values`")

    def run(values: Mapping[Node, Array]) -> list[Array]:
        known = dict(values)
        with np.errstate(all="ignore"):
            for node in order:
                known[node] = node.op.meaning(*(known[source] for source in node.inputs), **node.attributes)
        return [known[node] for node in roots]

    return run
