"""A graph as text that a person can read: one node a line, values positional, attributes by keyword."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import cast

import numpy as np

from chainrule.graph.body import Body
from chainrule.graph.node import Attributes, Node
from chainrule.graph.types import Array, Type

NO_BODIES: Mapping[Body, str] = {}


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


def bodies(nodes: Iterable[Node]) -> dict[Body, str]:
    """The bodies of the loops among the nodes, and what each is called in the text."""
    found = dict.fromkeys(value for node in nodes for value in node.attributes.values() if isinstance(value, Body))
    return {body: f"body{number}" for number, body in enumerate(found, 1)}


def format_value(value: object, called: Mapping[Body, str] = NO_BODIES) -> str:
    """An attribute's value as the reader takes it back; arrays as nested lists, each number to its last bit."""
    if isinstance(value, Body):
        return called.get(value) or repr(value)
    return repr(cast("Array", value).tolist()) if isinstance(value, np.ndarray) else repr(value)


def _attributes(attributes: Attributes, called: Mapping[Body, str]) -> list[str]:
    return [f"{key}={format_value(value, called)}" for key, value in attributes.items() if not isinstance(value, Type)]


def format_node(node: Node, names: Mapping[Node, str], called: Mapping[Body, str] = NO_BODIES) -> str:
    """One line: `%4: float64[64,16] = add(%2, b1)`, with the scope behind an @ where there is one."""
    arguments = [names[source] for source in node.inputs] + _attributes(node.attributes, called)
    line = f"{names[node]}: {node.type!r} = {node.op.name}({', '.join(arguments)})"
    return f"{line}  @{node.scope}" if node.scope else line


def _indented(text: str) -> list[str]:
    return [f"  {line}" for line in text.splitlines()]


def format_graph(nodes: Iterable[Node], outputs: Mapping[str, Node]) -> str:
    """The whole text: the bodies of its loops, each with a graph of its own, then the nodes, and the outputs on the last line."""
    nodes = tuple(nodes)
    names, called = labels(nodes), bodies(nodes)
    lines = [line for body, name in called.items() for line in (f"{name}: {body}", *_indented(str(body.graph)))]
    lines += [format_node(node, names, called) for node in nodes]
    results = ", ".join(f"{name}={names[node]}" for name, node in outputs.items())
    return "\n".join([*lines, f"return {results}"])
