"""Which nodes of a model are needed for some of its values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from chainrule.interop.onnx_models.package import NodeProto


def needed(nodes: Sequence[NodeProto], wanted: Iterable[str]) -> Iterator[NodeProto]:
    """The nodes that some values are computed from, in their order."""
    names, kept = set(wanted), set[int]()
    for place in reversed(range(len(nodes))):
        if names.intersection(nodes[place].output):
            kept.add(place)
            names.update(read_by(nodes[place]))
    return (node for place, node in enumerate(nodes) if place in kept)


def read_by(node: NodeProto) -> Iterator[str]:
    """The names that a node reads, those that graphs inside it read among them."""
    stack = [node]
    while stack:
        item = stack.pop()
        yield from filter(None, item.input)
        for attribute in item.attribute:
            for graph in (attribute.g, *attribute.graphs):
                stack.extend(graph.node)
                yield from (output.name for output in graph.output)
