"""A graph for one size of batch as a graph for any: extents that go by the first axis of its inputs are found from input to output."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, cast

from chainrule import ops
from chainrule.errors import ChainruleError
from chainrule.graph import Body, Graph, Node, Shape, Type
from chainrule.graph.template import template_of
from chainrule.graph.types import FLOATS

SIZES = (2, 3, 5, 7)
"""The sizes of batch that a template is found from."""


def template_from(graph: Graph) -> str:
    """The text of a graph for batches of any size; for its own size alone, where no other one fits its nodes.

    The dtype of its first floats becomes the network's.

    >>> from chainrule.graph import input_node
    >>> x = input_node("x", (4, 6), "float32")
    >>> print(template_from(Graph({"y": ops.reshape(x, shape=(4, 3, 2)) * 0.5})))
    x: {float}[{B},6] = input()
    %0: {float}[{B},3,2] = reshape(x, shape=({B}, 3, 2))
    %1: {float}[] = constant(value=0.5)
    %2: {float}[{B},3,2] = broadcast_to(%1, shape=({B}, 3, 2))
    %3: {float}[{B},3,2] = multiply(%0, %2)
    return y=%3
    """
    dtype = next((node.dtype for node in graph.nodes if node.dtype in FLOATS), FLOATS[-1])
    try:
        found = template_of({(size, FLOATS[-1]): str(resized(graph, size)) for size in SIZES})
    except ChainruleError:
        found = str(graph)
    return re.sub(rf"(?<![\w.]){dtype}(?![\w.])", "{float}", found)


def resized(graph: Graph, size: int) -> Graph:
    """The graph for another size of batch, the first axis of its inputs.

    Raises: ChainruleError where its nodes cannot be made for that size.
    """
    types = {leaf: leaf.type.with_shape((size, *leaf.shape[1:])) for leaf in graph.inputs if leaf.type.ndim}
    return _Resizing(types).graph(graph)


@dataclass
class _Resizing:
    """A graph whose leaves have other types, and what becomes of its nodes."""

    types: Mapping[Node, Type]

    def graph(self, graph: Graph) -> Graph:
        made: dict[Node, Node] = {}
        for node in graph.nodes:
            made[node] = self.node(node, tuple(made[source] for source in node.inputs))
        outputs = {name: made[node] for name, node in graph.outputs.items()}
        return Graph(outputs, unused=[made[leaf] for leaf in graph.leaves.values()])

    def node(self, node: Node, inputs: tuple[Node, ...]) -> Node:
        if node in self.types:
            return Node(node.op, (), {"type": self.types[node]}, node.name, scope=node.scope)
        inputs = _side_by_side(node, inputs)
        if all(now.shape == before.shape for now, before in zip(inputs, node.inputs, strict=True)):
            return node.with_inputs(inputs)
        change = _CHANGES.get(node.op.name)
        attributes = {**node.attributes, **(change(node, inputs) if change else {})}
        return Node(node.op, inputs, attributes, node.name, scope=node.scope)


def _side_by_side(node: Node, inputs: tuple[Node, ...]) -> tuple[Node, ...]:
    """The inputs of an op that takes them row by row, those that nothing of the batch went into stretched to its size now."""
    if node.op.kind not in {"elementwise", "placement", "loop"}:
        return inputs
    body: Body | None = node.attributes.get("body")
    # Of a loop's sequences a turn sees one row.
    apart = [body is not None and name in body.sequences for name in (body.leaves if body else [""] * len(inputs))]
    shapes = [
        (before.shape[is_row:], now.shape[is_row:]) for before, now, is_row in zip(node.inputs, inputs, apart, strict=True)
    ]
    grown = [(before, now) for before, now in shapes if before[:1] != now[:1]]
    return tuple(
        _stretched(now, grown) if now.shape == before.shape and not is_row else now
        for before, now, is_row in zip(node.inputs, inputs, apart, strict=True)
    )


def _stretched(node: Node, grown: list[tuple[Shape, Shape]]) -> Node:
    """A node beside others whose first axes have grown, stretched as they are."""
    firsts = {now[0] for before, now in grown if len(before) == node.type.ndim and before[:1] == node.shape[:1]}
    if len(firsts) != 1:
        return node
    shape = (*firsts, *node.shape[1:])
    if node.op in {ops.broadcast_to, ops.random_bits}:
        return Node(node.op, node.inputs, {**node.attributes, "shape": shape}, node.name, scope=node.scope)
    # What stood beside a single example stands beside each one.
    return ops.broadcast_to(node, shape=shape) if node.shape[0] == 1 else node


def _reshaped(node: Node, inputs: tuple[Node, ...]) -> dict[str, Any]:
    """The same numbers in as many rows as there are now: the first extent that can takes the change."""
    old, new = prod(node.inputs[0].shape), prod(inputs[0].shape)
    shape = list(node.shape)
    for axis, extent in enumerate(shape):
        if old and extent * new % old == 0 and extent * new // old:
            shape[axis] = extent * new // old
            break
    return {"shape": tuple(shape)}


def _broadcast(node: Node, inputs: tuple[Node, ...]) -> dict[str, Any]:
    shape, lead = list(node.shape), node.type.ndim - inputs[0].type.ndim
    for axis, (old, new) in enumerate(zip(node.inputs[0].shape, inputs[0].shape, strict=True)):
        if old != new:
            shape[lead + axis] = new
    return {"shape": tuple(shape)}


def _sliced(node: Node, inputs: tuple[Node, ...]) -> dict[str, Any]:
    """What went to the end of an axis goes to its end."""
    stops = zip(node.attributes["stops"], node.inputs[0].shape, inputs[0].shape, strict=True)
    return {"stops": tuple(new if stop == old else stop for stop, old, new in stops)}


def _looped(node: Node, inputs: tuple[Node, ...]) -> dict[str, Any]:
    """The body for the types that its leaves have now: of a sequence those of a row."""
    body: Body = node.attributes["body"]
    shapes = {
        name: source.shape[1:] if name in body.sequences else source.shape
        for name, source in zip(body.leaves, inputs, strict=True)
    }
    types = {leaf: leaf.type.with_shape(shapes[name]) for name, leaf in body.graph.leaves.items()}
    graph = _Resizing(types).graph(cast("Graph", body.graph))
    return {"body": Body(graph, body.states, body.sequences, body.constants)}


_CHANGES: Mapping[str, Callable[[Node, tuple[Node, ...]], dict[str, Any]]] = {
    "reshape": _reshaped,
    "broadcast_to": _broadcast,
    "slice_axes": _sliced,
    "scan": _looped,
}
"""What is said in attributes, and goes by the shapes of the inputs."""
