"""Named passes: each turns a graph into an equal one and leaves a trace of what it changed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np

from chainrule.display import Shown
from chainrule.graph.body import Body
from chainrule.graph.form import frozen
from chainrule.graph.graph import Graph
from chainrule.graph.node import CONSTANT, INPUT, PARAMETER, Node, Op, constant, scope_root
from chainrule.graph.text import format_node, labels
from chainrule.immutable import immutable

Rule: TypeAlias = Callable[[Node], "Node | None"]


@immutable
class Change(Shown):
    """One node before and after; `after` is empty where the node was dropped."""

    before: str
    after: str


@immutable
class PassStep(Shown):
    """What one pass did to one graph."""

    name: str
    nodes_before: int
    nodes_after: int
    write: Callable[[], Iterable[Change]] = tuple

    @cached_property
    def changes(self) -> tuple[Change, ...]:
        """What was changed, node by node: written only when it is asked for, since most passes are never read."""
        return tuple(self.write())

    def __str__(self) -> str:
        lines = [f"{self.name}: {self.nodes_before} -> {self.nodes_after} nodes, {len(self.changes)} changes"]
        for change in self.changes:
            lines += [f"  - {change.before}", *([f"  + {change.after}"] if change.after else [])]
        return "\n".join(lines)


Pass: TypeAlias = Callable[[Graph], "tuple[Graph, PassStep]"]


def run_passes(graph: Graph, passes: Sequence[Pass]) -> tuple[Graph, tuple[PassStep, ...]]:
    """The graph after all passes in turn, and a step for each."""
    trace: list[PassStep] = []
    for rewrite in passes:
        graph, step = rewrite(graph)
        trace.append(step)
    return graph, tuple(trace)


def remade(node: Node, function: Callable[..., Node] | None) -> Node | None:
    """What a function makes of a node's inputs and attributes, under the node's name; None without a function."""
    if function is None:
        return None
    made = function(*node.inputs, **node.attributes)
    return made.named(node.name) if node.name else made


def rewrite_nodes(name: str, graph: Graph, rule: Rule, of: Collection[Op] | None = None) -> tuple[Graph, PassStep]:
    """Asks the rule at each node (its inputs already rewritten) for a node to take its place; None keeps it.

    of: the ops at whose nodes it is asked, None for all. Most graphs have none of most ops: these are not gone through.
    """
    if of is not None and graph.ops.isdisjoint(of):
        return graph, PassStep(name, len(graph.nodes), len(graph.nodes))
    replaced: dict[Node, Node] = {}
    changed: list[tuple[Node, Node]] = []
    # Asked at each node of each graph that runs: one scope that moves along takes a fifth of the time of one entered for each.
    with scope_root("") as moving:
        for node in graph.nodes:
            current = node
            if not replaced.keys().isdisjoint(node.inputs):
                current = node.with_inputs(tuple([replaced.get(source, source) for source in node.inputs]))
            if of is None or node.op in of:
                moving.to(node.scope)
                better = rule(current)
                if better is not None and better is not current:
                    changed.append((current, better))
                    current = better
            if current is not node:
                replaced[node] = current
    if not changed:
        return graph, PassStep(name, len(graph.nodes), len(graph.nodes))
    outputs = {label: replaced.get(node, node) for label, node in graph.outputs.items()}
    # What nobody reads any more stays until `dead_code` says so: each pass changes one thing.
    after = Graph(outputs, unused=[replaced.get(node, node) for node in graph.nodes])
    return after, PassStep(name, len(graph.nodes), len(after.nodes), lambda: _changes(changed))


def _changes(changed: list[tuple[Node, Node]]) -> Iterator[Change]:
    for before, after in changed:
        names = labels((*before.inputs, before, *(node for node in (*after.inputs, after) if node not in before.inputs)))
        if after.name and after.name == before.name:
            names[after] = names[before]  # the same quantity under its name, not a second one
        yield Change(format_node(before, names), format_node(after, names))


def fold_constants(graph: Graph) -> tuple[Graph, PassStep]:
    """Computes what depends on constants only; a result larger than all it is computed from (a broadcast) stays as it is."""

    def rule(node: Node) -> Node | None:
        if not node.inputs:
            return None
        for source in node.inputs:
            if source.op is not CONSTANT:
                return None
        if node.type.size > max(source.type.size for source in node.inputs):
            return None
        with np.errstate(all="ignore"):
            value = node.op.meaning(*(source.attributes["value"] for source in node.inputs), **node.attributes)
        return constant(np.asarray(value, dtype=node.dtype), name=node.name)

    return rewrite_nodes("fold constants", graph, rule)


def share_common(graph: Graph, apart: Callable[[Node], bool] | None = None) -> tuple[Graph, PassStep]:
    """Merges nodes that apply the same op to the same inputs, and equal constants (common subexpressions), but for those kept `apart`."""
    first: dict[tuple[Any, ...], Node] = {}

    def rule(node: Node) -> Node | None:
        if node.op in {INPUT, PARAMETER} or (apart is not None and apart(node)):
            return None
        attributes = sorted([(k, v if isinstance(v, Body) else frozen(v)) for k, v in node.attributes.items()])
        key = (node.op, *map(id, node.inputs), node.type, *attributes)
        return first.setdefault(key, node)

    return rewrite_nodes("share common subexpressions", graph, rule)


def dead_code(graph: Graph) -> tuple[Graph, PassStep]:
    """Drops nodes that no output is computed from."""
    after = Graph(graph.outputs)
    return after, PassStep("drop dead code", len(graph.nodes), len(after.nodes), lambda: _dropped(graph, after))


def _dropped(graph: Graph, after: Graph) -> Iterator[Change]:
    kept, names = set(after.nodes), labels(graph.nodes)
    return (Change(format_node(node, names), "") for node in graph.nodes if node not in kept)
