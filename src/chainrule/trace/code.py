"""Formulas as Python: a node as an expression of chainrule's ops that computes it when it is run."""

from __future__ import annotations

import re
from collections.abc import Mapping

from chainrule.graph import CONSTANT, Node, topological_order
from chainrule.graph.text import format_value


def code_name(name: str) -> str:
    """A name that Python takes.

    >>> code_name("dense1.z"), code_name("%3"), code_name("Δ/x-y")
    ('dense1_z', '_3', 'Δ_x_y')
    """
    return re.sub(r"\W", "_", name)


def expression(node: Node, names: Mapping[Node, str]) -> str:
    """The node as nested calls of the functions of `chainrule.ops`, with `names` for what is given.

    >>> from chainrule.graph import input_node
    >>> from chainrule.ops import sigmoid
    >>> x = input_node("x", (2,))
    >>> expression(sigmoid(x) * 2.0, {x: "z"})
    'multiply(sigmoid(z), broadcast_to(constant(2.0), shape=(2,)))'
    """
    written = dict(names)
    for part in topological_order([node]):
        if part not in written:
            written[part] = _call(part, written)
    return written[node]


def _call(node: Node, written: Mapping[Node, str]) -> str:
    if node.op is CONSTANT:
        value = node.attributes["value"]
        kind = "" if node.dtype == "float64" else f", {node.dtype!r}"
        return f"constant({format_value(value)}{kind})"
    if node.is_leaf:
        return code_name(node.name)
    given = [written[source] for source in node.inputs]
    return f"{node.op.name}({', '.join([*given, *(f'{key}={format_value(value)}' for key, value in node.attributes.items())])})"
