"""Which nodes share a kernel: groups of nodes computed at the same points, found from the outputs backwards.

A node joins the group of those that read it, at the same point, so that its value stays in a register; it is stored only if
somebody else reads it. Each reduction or matrix product is the core of one group. Groups never wait for each other in a circle.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from math import prod

import numpy as np

from chainrule.engines.native.kernels import Buffer
from chainrule.engines.native.lowering import FUNCTIONS, LOWERINGS
from chainrule.engines.native.views import Access, contiguous, view_access
from chainrule.graph import CONSTANT, INPUT, PARAMETER, Graph, Node, Op, Shape, Type
from chainrule.immutable import immutable
from chainrule.ops import argmax, loop_key, one_hot, scan

BY_THEIR_PLACES = frozenset(
    {
        "input", "parameter", "constant", "reshape", "transpose", "broadcast_to", "slice_axes", "flip", "stop_gradient", "windows",
        "reduce_sum", "reduce_max", "reduce_min", "argmax", "concatenate", "pad", "scatter_add", "overlap_add", "matmul", "gather", "scan",
    }
)  # fmt: skip
"""Ops that this engine runs by where numbers stand, with code of their own in the stages; the others are rows of LOWERINGS."""
MEMORY = {"matmul": (0, 1), "gather": (0, 1), "random_bits": (0,), "random_fold": (0, 1)}
"""Inputs that are read from memory, wherever the op needs them, not at the point."""

ADDRESSED = {"matmul": (0, 1), "gather": (0,)}
"""Inputs that are read by address: no computing them instead."""
_NOWHERE = Buffer("", Type("float32"))


def is_known(op: Op) -> bool:
    """Whether this engine has instructions for an op."""
    return op.name in LOWERINGS or op.name in BY_THEIR_PLACES


def squeezed(shape: Shape) -> Shape:
    """The extents that are not 1: a kernel's loops."""
    return tuple(extent for extent in shape if extent != 1)


def reduced_axes(node: Node) -> Shape:
    """The axes that a reduction takes away."""
    return (node.attributes["axis"],) if node.op is argmax else tuple(node.attributes["axes"])


def _compares_or_adds(node: Node) -> bool:
    """Whether a node is a reduction to numbers, not to their positions."""
    return node.op.kind == "reduction" and node.op is not argmax


def is_view(node: Node) -> bool:
    """Whether the node's entries are entries of its input; so too a reduction over axes of extent 1."""
    if node.op.kind == "view":
        return True
    return _compares_or_adds(node) and all(node.inputs[0].shape[a] == 1 for a in reduced_axes(node))


def reduces_lanes(node: Node) -> bool:
    """Whether a reduction runs along the last of its input's loops, so that its result is one number and not a vector."""
    shape = node.inputs[0].shape
    return max(reduced_axes(node)) >= max((a for a, extent in enumerate(shape) if extent != 1), default=0)


@dataclass(eq=False)
class Group:
    """Nodes of one kernel: the core, those of its inner points, those of its points, and which of them are stored."""

    space: Shape
    order: int
    cores: list[Node] = field(default_factory=list[Node])
    inner: set[Node] = field(default_factory=set[Node])
    outer: set[Node] = field(default_factory=set[Node])
    stored: set[Node] = field(default_factory=set[Node])
    readers: set[Group] = field(default_factory=lambda: set())

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to compute."""
        return 0 in self.space

    @property
    def core(self) -> Node | None:
        """The reduction or product, the first of several reductions over the same loops."""
        return self.cores[0] if self.cores else None

    @property
    def inner_space(self) -> Shape | None:
        """The loops of a reduction, the reduced ones included."""
        if self.core is None or self.core.op.kind != "reduction":
            return None
        return squeezed(self.core.inputs[0].shape)

    def reaches(self, other: Group) -> bool:
        """Whether the other one has to wait for this one."""
        seen: set[Group] = {self}
        waiting: list[Group] = [self]
        while waiting:
            for reader in waiting.pop().readers:
                if reader is other:
                    return True
                if reader not in seen:
                    seen.add(reader)
                    waiting.append(reader)
        return False


@immutable
class _Use:
    """Who reads a node: a group, at which level ("inner", "outer"), or from memory."""

    group: Group
    level: str


class Grouping:
    """The groups of a graph.

    `rows` are input leaves that come from a table through the order, `kept` nodes that must be stored, `copied` nodes (leaves, views)
    each of which must be written out once more by a group of its own.
    """

    def __init__(
        self, graph: Graph, rows: frozenset[str], kept: Iterable[Node], copied: Iterable[Node], forced: frozenset[Node]
    ) -> None:
        self.rows, self.kept, self.forced = rows, frozenset(kept), forced
        self.constant = _constant_nodes(graph)
        self.groups: list[Group] = []
        self.group_of: dict[Node, Group] = {}
        self._uses: dict[Node, list[_Use]] = {node: [] for node in graph.nodes}
        self._reads: dict[Group, dict[Node, None]] = {}
        """What each group is noted to use."""
        self._loops: dict[tuple[object, ...], Group] = {}
        self.copies: list[Group] = []
        """The group that writes each of the copied nodes."""
        self.copies += [self._copy(node, len(graph.nodes)) for node in copied]
        for order in range(len(graph.nodes) - 1, -1, -1):
            self._assign(graph.nodes[order], order)

    def is_row(self, node: Node) -> bool:
        """Whether the node is a leaf read through the order."""
        return node.op is INPUT and node.name in self.rows

    def is_inlined(self, node: Node) -> bool:
        """Whether the node has no kernel of its own: it is read where it stands, or computed wherever it is read."""
        if node.is_leaf:
            return not self.is_row(node)
        if node in self.forced:
            return False
        return is_view(node) or (node not in self.kept and (node in self.constant or node.op is one_hot))

    def is_placed(self, node: Node) -> bool:
        """Whether the node is written piece by piece."""
        return node.op.kind in {"placement", "loop"} or (is_view(node) and node in self.forced)

    def _copy(self, node: Node, order: int) -> Group:
        group = Group(squeezed(node.shape), order)
        self.groups.append(group)
        self._note(node, group, "outer")
        return group

    def _assign(self, node: Node, order: int) -> None:
        uses = self._uses[node]
        if self.is_inlined(node):
            self._pass_on(node, uses)
        elif uses or node in self.kept:
            group = self._loop_of(node, order) if node.op is scan else self._group_to_join(node, uses)
            if group is None:
                group = Group(squeezed(node.shape), order)
                self.groups.append(group)
            self.group_of[node] = group
            level = self._join(group, node, uses)
            if node.op.kind == "reduction":
                group = self._merged(group)
            self._note_inputs(node, group, level)

    def _loop_of(self, node: Node, order: int) -> Group:
        """The group of a loop over time, which is one, whatever is taken from it."""
        key = loop_key(node)
        if key not in self._loops:
            self._loops[key] = Group(squeezed(node.shape), order)
            self.groups.append(self._loops[key])
        return self._loops[key]

    def _group_to_join(self, node: Node, uses: list[_Use]) -> Group | None:
        if self.is_placed(node) or not node.type.size:
            return None
        by_group: dict[Group, set[str]] = {}
        for use in uses:
            by_group.setdefault(use.group, set()).add(use.level)
        for group in sorted(by_group, key=lambda g: g.order):
            levels = by_group[group]
            if len(levels) == 1 and self._may_join(group, next(iter(levels)), node):
                others = [other for other in by_group if other is not group]
                if not any(other.reaches(group) for other in others):
                    return group
        return None

    def _may_join(self, group: Group, level: str, node: Node) -> bool:
        space = group.inner_space if level == "inner" else group.space
        if level == "memory" or squeezed(node.shape) != space:
            return False
        if node.op.kind not in {"reduction", "product"}:
            along = group.inner_space is not None and group.core is not None and reduces_lanes(group.core)
            return not (level == "outer" and along and node.op.name in FUNCTIONS)
        if level != "outer" or group.core is not None:
            return False
        return node.op.kind == "product" or not (reduces_lanes(node) and any(m.op.name in FUNCTIONS for m in group.outer))

    def _join(self, group: Group, node: Node, uses: list[_Use]) -> str:
        """Puts the node into the group; returns its level there."""
        if node.op.kind in {"reduction", "product"} or self.is_placed(node):
            group.cores.append(node)
        mine = {use.level for use in uses if use.group is group}
        level = "inner" if "inner" in mine else "outer"
        (group.inner if level == "inner" else group.outer).add(node)
        readers = {use.group for use in uses if use.group is not group}
        if node in self.kept or readers:
            group.stored.add(node)
            group.readers |= readers
        return level

    def _merged(self, group: Group) -> Group:
        """Another group that reduces over the same loops, if there is one that may as well be done together with this one; or this."""
        for other in self.groups:
            if other is not group and _same_loops(group, other) and not (group.reaches(other) or other.reaches(group)):
                self._merge(group, other)
                return other
        return group

    def _merge(self, group: Group, into: Group) -> None:
        into.cores += group.cores
        into.inner |= group.inner
        into.outer |= group.outer
        into.stored |= group.stored
        into.readers |= group.readers
        into.order = max(into.order, group.order)
        self.groups.remove(group)
        self.copies = [into if copy is group else copy for copy in self.copies]
        for other in self.groups:
            if group in other.readers:
                other.readers = {into if reader is group else reader for reader in other.readers}
        read = self._reads.pop(group, {})
        for node in read:
            self._uses[node] = [_Use(into, use.level) if use.group is group else use for use in self._uses[node]]
        self._reads.setdefault(into, {}).update(read)
        for node in (*group.inner, *group.outer):
            self.group_of[node] = into

    def _note(self, node: Node, group: Group, level: str) -> None:
        """Writes down that a group uses the node."""
        self._uses[node].append(_Use(group, level))
        self._reads.setdefault(group, {})[node] = None

    def _note_inputs(self, node: Node, group: Group, level: str) -> None:
        """Tells the node's inputs who reads them, and how."""
        for number, source in enumerate(node.inputs):
            if number in MEMORY.get(node.op.name, ()) or self.is_placed(node):
                how = "memory"
            elif node.op.kind == "reduction":
                how = "inner" if source.type.size else "memory"
            else:
                how = level
            self._note(source, group, how)

    def _pass_on(self, node: Node, uses: list[_Use]) -> None:
        """An inlined node hands its readers on to its inputs: at the same point only if it moves no entry."""
        for source in node.inputs:
            moves = node.op.name in {"transpose", "flip", "windows", "one_hot"} or squeezed(source.shape) != squeezed(
                node.shape
            )
            for use in uses:
                self._note(source, use.group, "memory" if moves else use.level)


def _same_loops(group: Group, other: Group) -> bool:
    """Whether both reduce over the same axes of the same shape, one number to each of the same points."""
    if group.core is None or other.core is None or not (_compares_or_adds(group.core) and _compares_or_adds(other.core)):
        return False
    same = group.inner_space == other.inner_space and group.space == other.space
    return same and _reduced_loops(group.core) == _reduced_loops(other.core)


def _reduced_loops(node: Node) -> Shape:
    """Which of the loops (axes of extent above 1) a reduction takes away."""
    loops = [axis for axis, extent in enumerate(node.inputs[0].shape) if extent != 1]
    return tuple(number for number, axis in enumerate(loops) if axis in reduced_axes(node))


def must_stand(graph: Graph) -> frozenset[Node]:
    """Nodes that must be in memory though they are cheap to compute or only views.

    A reshape whose entries are in no regular order in its input's memory (of a transpose, say); and what an op reads by address,
    or a reshape deals out anew, where that would otherwise be computed wherever it is read.
    """
    strides: dict[Node, Shape | None] = {}
    forced: set[Node] = set()
    in_turns = {source for node in graph.nodes if node.op is scan for source in _moved_through(node)}
    readers: dict[Node, list[Node]] = {node: [] for node in graph.nodes}
    for node in graph.nodes:
        for source in node.inputs:
            readers[source].append(node)
    for node in graph.outputs.values():
        readers[node].append(node)
    for node in graph.nodes:
        strides[node] = contiguous(node.shape)
        if is_view(node):
            source = strides[node.inputs[0]]
            found = view_access(node, Access(_NOWHERE, 0, source)) if source is not None else None
            if source is None or (found is None and is_matrix_of_windows(node) and _only_left(node, readers)):
                strides[node] = None  # a product reads it through the windows
            elif found is None or (node in in_turns and found.strides != contiguous(node.shape)):
                forced.add(node)  # turns move through it from row to row
                strides[node] = contiguous(node.shape)
            else:
                strides[node] = found.strides
        addressed = [node.inputs[number] for number in ADDRESSED.get(node.op.name, ())]
        if node.op.name == "reshape" and squeezed(node.shape) != squeezed(node.inputs[0].shape):
            addressed += [source for source in node.inputs if beneath(source, forced).op.name == "one_hot"]
        if node.op is scan:
            addressed += _moved_through(node)
        forced |= {beneath(source, forced) for source in addressed}
    return frozenset(node for node in forced if node.op not in {INPUT, PARAMETER})


def _moved_through(node: Node) -> tuple[Node, ...]:
    """What the turns of a loop read where it stands: its sequences and constants; first values of states are copied."""
    return node.inputs[len(node.attributes["body"].states) :]


def is_matrix_of_windows(node: Node) -> bool:
    """Whether the node is a reshape of windows to a matrix: positions (and axes before them) × taps (and axes behind)."""
    return node.op.name == "reshape" and node.inputs[0].op.name == "windows" and windows_cut(node) > 0


def windows_cut(node: Node) -> int:
    """How many of the windows' axes the first axis of their matrix takes; 0 where they cannot be dealt out to its two axes so."""
    shape = node.inputs[0].shape
    if node.type.ndim != 2 or min(node.shape) < 2:
        return 0
    return next((cut for cut in range(1, len(shape)) if prod(shape[:cut]) == node.shape[0]), 0)


def _only_left(node: Node, readers: dict[Node, list[Node]]) -> bool:
    """Whether the node, or its transpose, is read as the left matrix of products with several columns, and nowhere else."""
    return all(
        (reader.op.name == "transpose" and reader is not node and _only_left(reader, readers))
        or (reader.op.name == "matmul" and reader.inputs[0] is node and reader.inputs[1] is not node and reader.shape[-1] > 1)
        for reader in readers[node]
    )


def beneath(node: Node, forced: Collection[Node]) -> Node:
    """What a view is a view of."""
    while is_view(node) and node not in forced:
        node = node.inputs[0]
    return node


def _constant_nodes(graph: Graph) -> frozenset[Node]:
    """Nodes of uniform constants only, cheap enough to be computed wherever they are read."""
    found: set[Node] = set()
    for node in graph.nodes:
        cheap = is_view(node) or (node.op.kind == "elementwise" and node.op.name not in FUNCTIONS)
        if (node.op is CONSTANT and is_uniform(node)) or (cheap and all(source in found for source in node.inputs)):
            found.add(node)
    return frozenset(found)


def is_uniform(node: Node) -> bool:
    """Whether a constant has the same number, to the last bit, everywhere."""
    value = np.ascontiguousarray(node.attributes["value"]).reshape(-1)
    return value.size > 0 and value.tobytes() == value[:1].tobytes() * value.size
