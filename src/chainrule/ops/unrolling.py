"""Unrolling: a loop over time as the same network once per turn, with the same weights; a rewrite that changes no number."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TypeAlias

from chainrule.graph import Body, Graph, Node, PassStep, rewrite_nodes, scope_root
from chainrule.ops.recurrence import scan, split_values
from chainrule.ops.shapes import concatenate, reshape, row, slice_axes

Turns = list[dict[str, Node]]
"""The outputs of each turn by name; and, under the names of states, their next values."""
LoopTake: TypeAlias = "tuple[str, bool]"
"""What a node takes from its loop: an output by name; or, where it says so, the state of that name before each turn."""


def unroll(graph: Graph) -> tuple[Graph, PassStep]:
    """Each loop as its turns: a copy of the body to each, whose named nodes are called `name.t1`, `name.t2`, ... in time.

    >>> from chainrule.graph import Graph, constant
    >>> from chainrule.ops import recurrence
    >>> loop = recurrence(lambda h, x: {"h": (h + x).named("sum")}, {"h": constant(0.0)}, {"x": constant([1.0, 2.0])})
    >>> [str(node) for node in unroll(Graph({"h": loop.last("h")}))[0].nodes if node.name]
    ['<sum.t1: float64[] = add(<constant>, <reshape>)>', '<sum.t2: float64[] = add(sum.t1, <reshape>)>']
    """
    done: dict[tuple[object, ...], tuple[Turns, Turns]] = {}

    def rule(node: Node) -> Node | None:
        if node.op is scan:
            key = loop_key(node)
            if key not in done:
                done[key] = _turns(node)
            before, after = done[key]
            output, is_before = loop_take(node)
            rows = [turn[output] for turn in (before if is_before else after)]
            stacked = concatenate(*(reshape(row, shape=(1, *row.shape)) for row in rows), axis=0)
            return stacked.named(node.name) if node.name else stacked
        return _piece(node)

    return rewrite_nodes("unroll", graph, rule)


def loop_key(node: Node) -> tuple[object, ...]:
    """What two nodes of one loop have in common: they differ only in what they take."""
    attributes = node.attributes
    return (attributes["body"], attributes["length"], bool(attributes.get("reverse")), *map(id, node.inputs))


def loop_take(node: Node) -> LoopTake:
    """What a node takes from its loop."""
    return node.attributes["output"], bool(node.attributes.get("before_step"))


def loop_takes(graph: Graph, node: Node) -> dict[LoopTake, Node]:
    """All that a graph takes from a node's loop, each with the node that takes it."""
    key = loop_key(node)
    return {loop_take(other): other for other in graph.nodes if other.op is scan and loop_key(other) == key}


def loop_turn(node: Node, takes: Collection[LoopTake]) -> Graph:
    """One turn of a node's loop, with no more outputs than the next states and what is taken."""
    body: Body = node.attributes["body"]
    wanted = {*body.states, *(name for name, before in takes if not before)}
    return Graph({name: out for name, out in body.graph.outputs.items() if name in wanted})


def _turns(node: Node) -> tuple[Turns, Turns]:
    """What each turn finds and what it leaves behind, in the order of time."""
    body: Body = node.attributes["body"]
    turns: int = node.attributes["length"]
    states, sequences, constants = split_values(body, node.inputs)
    before: Turns = [{}] * turns
    after: Turns = [{}] * turns
    for turn in reversed(range(turns)) if node.attributes.get("reverse") else range(turns):
        here = {name: row(array, turn) for name, array in sequences.items()}
        copied = _copier(body, {**states, **here, **constants}, f".t{turn + 1}")
        before[turn] = states
        after[turn] = {name: copied(out) for name, out in body.graph.outputs.items()}
        states = {name: after[turn][name] for name in body.states}
    return before, after


def _copier(body: Body, leaves: dict[str, Node], suffix: str) -> Callable[[Node], Node]:
    """From a node of the body to its copy at a turn; the leaves are given."""
    known: dict[Node, Node] = {node: leaves[name] for name, node in body.graph.leaves.items()}
    for node in body.graph.nodes:
        if node not in known:
            with scope_root(node.scope):
                copy = node.with_inputs(tuple(known[source] for source in node.inputs))
            # Constants are the same at every turn; what has a name gets one for each.
            known[node] = copy.named(f"{node.name}{suffix}") if node.name and node.inputs else copy
    return known.__getitem__


def _piece(node: Node) -> Node | None:
    """A single row of rows that were laid one behind the other is that row: nothing is stacked only to be taken apart."""
    if node.op is not slice_axes or node.inputs[0].op is not concatenate or node.inputs[0].attributes["axis"] != 0:
        return None
    source = node.inputs[0]
    start: int = node.attributes["starts"][0]
    stop: int = node.attributes["stops"][0]
    rest = zip(node.attributes["starts"][1:], node.attributes["stops"][1:], source.shape[1:], strict=True)
    whole = all(low == 0 and high == extent for low, high, extent in rest) and set(node.attributes["steps"]) == {1}
    if not whole or stop != start + 1 or any(row.shape[0] != 1 for row in source.inputs):
        return None
    return source.inputs[start]
