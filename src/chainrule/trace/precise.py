"""A graph in float64, and values with more digits still: explanations and checks compute with as many digits as there are."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from chainrule.graph import Array, Graph, Node, Type


def in_float64(graph: Graph) -> Graph:
    """The same graph, every float32 in it a float64; itself if there is none.

    >>> from chainrule.graph import parameter
    >>> print(in_float64(Graph({"y": parameter("w", (2,), "float32") * 2.0})).outputs["y"].type)
    float64[2]
    """
    if all(node.dtype != "float32" for node in graph.nodes):
        return graph
    wider: dict[Node, Node] = {}
    for node in graph.nodes:
        attributes = {key: _wider(value) for key, value in node.attributes.items()}
        inputs = tuple(wider[source] for source in node.inputs)
        wider[node] = Node(node.op, inputs, attributes, node.name, scope=node.scope)
    return Graph({name: wider[node] for name, node in graph.outputs.items()})


def lengthened(value: Array) -> Array:
    """The value as the longest floating-point numbers of this machine; one that holds none is left as it is.

    >>> lengthened(np.array([1.0, 2.0])).dtype == np.longdouble, lengthened(np.array([1, 2])).dtype
    (True, dtype('int64'))
    """
    array = np.asarray(value)
    return array.astype(np.longdouble) if array.dtype.kind == "f" else array


def _wider(value: Any) -> Any:
    if isinstance(value, Type) and value.dtype == "float32":
        return Type("float64", value.shape)
    if isinstance(value, np.ndarray):
        array = cast("Array", value)
        if array.dtype == np.float32:
            array = array.astype(np.float64)
            array.flags.writeable = False
        return array
    return "float64" if isinstance(value, str) and value == "float32" else value
