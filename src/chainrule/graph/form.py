"""The form of a graph: a key that two graphs share if they were built alike, so that what follows from one serves the other."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable
from typing import Any, cast

import numpy as np

from chainrule.graph.body import Body, Turn
from chainrule.graph.node import Node
from chainrule.graph.types import Array

_SHORT = 64
"""Bytes of an array up to which it stands in a form as it is."""


def form_of(graph: Turn, without: Callable[[Node], bool] | None = None) -> Hashable:
    """Equal for graphs of the same ops, names, scopes, attributes and edges in the same order, though no node of theirs is the same.

    without: nodes whose attributes do not count, but for their type.

    >>> from chainrule.graph import Graph, input_node
    >>> def double(name):
    ...     return Graph({"y": input_node(name, (2,)) * 2.0})
    >>> form_of(double("x")) == form_of(double("x")), form_of(double("x")) == form_of(double("z"))
    (True, False)
    """
    places = {node: place for place, node in enumerate(graph.nodes)}
    nodes = [
        (
            node.op,
            node.name,
            node.scope,
            tuple([places[source] for source in node.inputs]),
            node.type
            if without is not None and without(node)
            else tuple([(key, frozen(value)) for key, value in node.attributes.items()])
            if node.attributes
            else (),
        )
        for node in graph.nodes
    ]
    return tuple(nodes), tuple([(name, places[node]) for name, node in graph.outputs.items()])


def frozen(value: Any) -> Hashable:
    """An attribute as a key, equal only where it prints alike, bit for bit."""
    if isinstance(value, np.ndarray):
        array = cast("Array", value)
        # Bytes tell NaN from NaN and 0.0 from -0.0, which == does not.
        content = array.tobytes()
        return array.dtype.str, array.shape, content if len(content) <= _SHORT else hashlib.sha256(content).digest()
    if isinstance(value, Body):
        return value.states, value.sequences, value.constants, form_of(value.graph)
    # The text tells 1 from 1.0 and from True.
    return type(value).__name__, repr(value)


__all__ = ["form_of", "frozen"]
