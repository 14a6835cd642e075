"""The meaning of a graph, spelled out: each node's value by its op's own NumPy, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from typing import Any, cast

import numpy as np

from chainrule.checks import checked
from chainrule.errors import GraphError
from chainrule.graph.graph import conform, topological_order
from chainrule.graph.node import CONSTANT, INPUT, PARAMETER, Node, as_declared
from chainrule.graph.types import Array


@checked
def compute(nodes: Iterable[Node], values: Mapping[Node, Any] | None = None) -> list[Array]:
    """The nodes' values; `values` binds leaves, or cuts the graph at any other node: what lies before a cut is not computed.

    Numbers become what their node holds, where that changes none of them; complex numbers may be put through for a complex-step
    derivative, and NumPy's longest ones for more digits. No warning is given where a value overflows or is not a number: it shows in
    the result.
    Raises: DtypeError, ShapeError for values that do not fit their node; GraphError for leaves without one.

    >>> from chainrule.graph import input_node
    >>> x = input_node("x")
    >>> (y,) = compute([x * x + 1.0], {x: np.float64(3.0)})
    >>> float(y)
    10.0
    """
    bound = {node: _fitting(value, node) for node, value in (values or {}).items()}
    return evaluator(nodes, bound)(bound)


def _fitting(value: Any, node: Node) -> Array:
    label = node.name or node.op.name
    if node.type.is_float and (np.iscomplexobj(value) or getattr(value, "dtype", None) == np.longdouble):
        conform(np.real(value).astype(node.dtype), node.type, label)
        return np.asarray(value)
    found = conform(value, node.type, label)
    # An array that fits is used as it lies in memory: NumPy's last digits depend on that.
    fits = isinstance(value, np.ndarray) and cast("Array", value).dtype == found.dtype
    return cast("Array", value) if fits else found


def evaluator(nodes: Iterable[Node], bound: Container[Node]) -> Callable[[Mapping[Node, Array]], list[Array]]:
    """`evaluate` for several values of the same bound nodes: what there is to compute, and in which order, is found once."""
    roots = list(nodes)
    order = [node for node in topological_order(roots, bound) if node not in bound]
    for node in order:
        if node.op in {INPUT, PARAMETER}:
            raise GraphError(f"{node!r} has no value", expected="a value for each leaf", remedy="add it to `values`")

    plan = [(node, node.op.meaning, node.inputs, dict(node.attributes), node.shape) for node in order]
    # What follows from constants alone, the broadcasts of numbers above all, is computed once.
    constants: dict[Node, Array] = {}
    with np.errstate(all="ignore"):
        for node, meaning, inputs, attributes, _ in plan:
            if node.op is CONSTANT or (inputs and all(source in constants for source in inputs)):
                constants[node] = as_declared(meaning(*[constants[source] for source in inputs], **attributes), node)
    plan = [step for step in plan if step[0] not in constants]

    def run(values: Mapping[Node, Array]) -> list[Array]:
        known = {**values, **constants}
        with np.errstate(all="ignore"):
            for node, meaning, inputs, attributes, shape in plan:
                found = meaning(*[known[source] for source in inputs], **attributes)
                known[node] = found if getattr(found, "shape", None) == shape else as_declared(found, node)
        return [known[node] for node in roots]

    return run
