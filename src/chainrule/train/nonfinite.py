"""Finds where a NaN or an infinity came from: the first node that made one, and the example."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from chainrule.engines import ExecutionPlan
from chainrule.graph import Array, Graph, Node
from chainrule.ops import where


def first_nonfinite(graph: Graph, values: Mapping[str, Array]) -> tuple[Node, Array] | None:
    """The first node in topological order that made a number that is not finite, of those that reach an output of the graph.

    Its value is given with 0 in the place of what reaches none: a choice may have thrown it away.
    """
    plan = ExecutionPlan(graph, values)
    with np.errstate(all="ignore"):
        plan.run()
    wild = {node: ~np.isfinite(value) for node, value in plan.values.items() if value.dtype.kind == "f"}
    reaching = {node: wild[node] for node in graph.outputs.values() if node in wild and np.any(wild[node])}
    found: tuple[Node, Array] | None = None
    for node in reversed(graph.nodes):
        if node not in reaching:
            continue
        sources = [(source, wild[source] & part) for source, part in _read(node, reaching[node], plan.values) if source in wild]
        sources = [(source, part) for source, part in sources if np.any(part)]
        for source, part in sources:
            reaching[source] = reaching[source] | part if source in reaching else part
        if not sources:
            found = node, np.where(reaching[node], plan.values[node], 0)
    return found


def _read(node: Node, entries: Array, values: Mapping[Node, Array]) -> Iterator[tuple[Node, Array]]:
    """The inputs of a node, each with which of its entries these entries of the node are computed from, at most."""
    if node.op is where:
        condition = values[node.inputs[0]]
        yield node.inputs[1], entries & condition
        yield node.inputs[2], entries & ~condition
    else:
        for source in node.inputs:
            yield source, entries if node.op.kind == "elementwise" else np.ones(source.shape, bool)


def row_of(value: Array, batch: int) -> int | None:
    """The row of the batch that the first number that is not finite stands in; None where the value has no row for each example."""
    if value.ndim == 0 or value.shape[0] != batch:
        return None
    return int(np.argwhere(~np.isfinite(value))[0][0])
