"""A graph as JAX calls, node by node in the graph's order; and what no program can raise: positions outside their axes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
from jax import lax

from chainrule.engines.xla.lowering import LOWERINGS, Array
from chainrule.graph import CONSTANT, Graph, Node, run_passes
from chainrule.ops import PASSES, scan, split_values
from chainrule.ops.unrolling import LoopTake, loop_key, loop_take, loop_takes, loop_turn

POSITIONED = {"gather", "scatter_add"}
"""The ops that read or write at positions which are data."""


def can_fail(graph: Graph) -> bool:
    """Whether a position in the data may lie outside its axis."""
    return any(
        node.op.name in POSITIONED or (node.op is scan and can_fail(Graph(node.attributes["body"].graph.outputs)))
        for node in graph.nodes
    )


def values_of(graph: Graph, bound: Mapping[str, Array]) -> tuple[dict[str, Array], Array]:
    """The outputs by name, traced; and whether a position lay outside its axis."""
    walk = _Walk(graph, bound)
    return {name: walk.known[node] for name, node in graph.outputs.items()}, walk.outside


class _Walk:
    """One walk over a graph: the value of each node, and of each loop over time what is taken from it."""

    def __init__(self, graph: Graph, bound: Mapping[str, Array]) -> None:
        self.graph, self.bound = graph, bound
        self.known: dict[Node, Array] = {}
        self.loops: dict[tuple[object, ...], dict[LoopTake, Array]] = {}
        self.outside: Array = jnp.zeros((), bool)
        for node in graph.nodes:
            self.known[node] = self._value(node)

    def _value(self, node: Node) -> Array:
        if node.op is CONSTANT:
            return jnp.asarray(node.attributes["value"])
        if node.is_leaf:
            return self.bound[node.name]
        inputs = tuple(self.known[source] for source in node.inputs)
        if node.op is scan:
            return self._taken(node, inputs)
        if node.op.name in POSITIONED:
            extent = node.inputs[0].shape[node.attributes["axis"]]
            self.outside |= jnp.any((inputs[1] < 0) | (inputs[1] >= extent))
        return LOWERINGS[node.op.name](*inputs, **node.attributes)

    def _taken(self, node: Node, inputs: tuple[Array, ...]) -> Array:
        key = loop_key(node)
        if key not in self.loops:
            self.loops[key], outside = _run_scan(node, sorted(loop_takes(self.graph, node)), inputs)
            self.outside |= outside
        return self.loops[key][loop_take(node)]


def _run_scan(node: Node, takes: list[LoopTake], inputs: tuple[Array, ...]) -> tuple[dict[LoopTake, Array], Array]:
    """One `lax.scan` for all that is taken from a loop."""
    turn = run_passes(loop_turn(node, takes), PASSES)[0]
    first, sequences, constants = split_values(node.attributes["body"], inputs)

    def step(states: dict[str, Any], rows: dict[str, Any]) -> tuple[dict[str, Any], Any]:
        found, outside = values_of(turn, {**states, **rows, **constants})
        taken = {take: states[take[0]] if take[1] else found[take[0]] for take in takes}
        return {name: found[name] for name in states}, (taken, outside)

    length, reverse = node.attributes["length"], bool(node.attributes.get("reverse"))
    _, (taken, outside) = lax.scan(step, first, sequences, length=length, reverse=reverse)
    return taken, jnp.any(outside)
