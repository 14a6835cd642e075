"""A graph as text that a person can read: one node a line, values positional, attributes by keyword."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import cast

import numpy as np

from chainrule.graph.node import Attributes, Node
from chainrule.graph.types import Array, Type


def labels(nodes: Iterable[Node]) -> dict[Node, str]:
    """What each node is called in the text: its name, name#2 where several share it, or %k."""
    names: dict[Node, str] = {}
    seen: Counter[str] = Counter()
    unnamed = 0
    for node in nodes:
        if node.name:
            seen[node.name] += 1
            names[node] = node.name if seen[node.name] == 1 else f"{node.name}#{seen[node.name]}"
        else:
            names[node] = f"%{unnamed}"
            unnamed += 1
    return names


def format_value(value: object) -> str:
    """An attribute's value as the reader takes it back; arrays as nested lists, each number to its last bit."""
    return repr(cast("Array", value).tolist()) if isinstance(value, np.ndarray) else repr(value)


def _attributes(attributes: Attributes) -> list[str]:
    return [f"{key}={format_value(value)}" for key, value in attributes.items() if not isinstance(value, Type)]


def format_node(node: Node, names: Mapping[Node, str]) -> str:
    """One line: `%4: float64[64,16] = add(%2, b1)`, with the scope behind an @ where there is one."""
    arguments = [names[source] for source in node.inputs] + _attributes(node.attributes)
    line = f"{names[node]}: {node.type!r} = {node.op.name}({', '.join(arguments)})"
    return f"{line}  @{node.scope}" if node.scope else line


def format_graph(nodes: Iterable[Node], outputs: Mapping[str, Node]) -> str:
    """The whole text, the outputs on the last line."""
    nodes = tuple(nodes)
    names = labels(nodes)
    lines = [format_node(node, names) for node in nodes]
    results = ", ".join(f"{name}={names[node]}" for name, node in outputs.items())
    return "\n".join([*lines, f"return {results}"])
