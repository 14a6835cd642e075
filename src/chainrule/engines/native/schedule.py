"""Graph → schedule: kernels in the order in which they run, over buffers; which of these are the caller's own memory.

One step of a loop is scheduled: leaves come from tables through the order, from carried state or from per-step scalars; outputs
go to the state, to per-step records or to stacked rows. A new state value takes the old one's place wherever nobody still needs
the old one; else it is copied there at the end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from typing import Protocol

from chainrule.engines.engine import Loop
from chainrule.engines.native.bodies import GroupLayout, Placer, Writer
from chainrule.engines.native.grouping import (
    Group,
    Grouping,
    is_uniform,
    is_view,
    must_stand,
    squeezed,
)
from chainrule.engines.native.kernels import (
    Buffer,
    Instruction,
    Kernel,
    KernelBody,
    MemoryPlace,
    Product,
    Reduction,
    Store,
    Turns,
)
from chainrule.engines.native.passes import NATIVE_PASSES
from chainrule.engines.native.turns import Passage, part
from chainrule.engines.native.views import contiguous
from chainrule.graph import CONSTANT, Graph, Node, run_passes
from chainrule.graph import Body as TurnBody
from chainrule.graph.text import labels
from chainrule.ops import scan, split_values, unroll


@dataclass
class KernelSchedule:
    """The kernels of one step, in order, and every buffer that they touch."""

    kernels: list[Kernel]
    buffers: list[Buffer]

    def __str__(self) -> str:
        return "\n".join(map(str, self.kernels))


def schedule(graph: Graph, loop: Loop) -> KernelSchedule:
    """The kernels of one step of the loop; the graph is expected to be simplified already."""
    return _Scheduler(graph, _Step(graph, loop)).schedule()


class Surroundings(Protocol):
    """Where a graph's leaves come from and its outputs go to."""

    @property
    def tables(self) -> Mapping[str, Buffer]:
        """The leaves that are read from tables through the order."""
        ...

    def leaf(self, node: Node) -> Buffer:
        """The memory of any other leaf."""
        ...

    def output(self, name: str, node: Node) -> Buffer | None:
        """Where an output goes; None if nobody wants it."""
        ...


class _Step:
    """The surroundings of one step of a loop of steps: the caller's memory."""

    def __init__(self, graph: Graph, loop: Loop) -> None:
        self.graph, self.loop = graph, loop
        gathered = () if loop.in_order else loop.rows
        self.tables = {name: Buffer(name, graph.leaves[name].type, "rows", name) for name in gathered if name in graph.leaves}
        self.kinds = {**dict.fromkeys(loop.state, "state"), **dict.fromkeys(loop.scalars, "scalar")}
        self.kinds |= dict.fromkeys(loop.rows, "block") if loop.in_order else {}

    def leaf(self, node: Node) -> Buffer:
        return Buffer(node.name, node.type, self.kinds[node.name], node.name)

    def output(self, name: str, node: Node) -> Buffer | None:
        kind = "record" if name in self.loop.records else "stacked" if name in self.loop.stacked else "next"
        carried = name in self.loop.state and self.graph.leaves.get(name) is not node
        if (kind == "next" and not carried) or not node.type.size:
            return None
        return Buffer(name, node.type, kind, name)


@dataclass
class _Turn:
    """The surroundings of one turn of a loop over time: parts of the arrays that it moves through."""

    leaves: Mapping[str, Buffer]
    outputs: Mapping[str, Buffer]
    tables: Mapping[str, Buffer] = field(default_factory=dict[str, Buffer])

    def leaf(self, node: Node) -> Buffer:
        return self.leaves[node.name]

    def output(self, name: str, node: Node) -> Buffer | None:
        return self.outputs.get(name)


class _Scheduler:
    """The buffers and kernels of one graph while they are being made."""

    def __init__(self, graph: Graph, around: Surroundings) -> None:
        self.graph, self.around = graph, around
        self.names = labels(graph.nodes)
        self.layout = GroupLayout(self.names, {}, around.tables, must_stand(graph))
        self.homes, self.forced = self.layout.homes, self.layout.forced
        self.copies: list[tuple[Node, Buffer]] = []
        self._place_leaves()
        self._deal_outputs()
        kept = [node for node in self.homes if not node.is_leaf]
        self.grouping = Grouping(graph, frozenset(around.tables), kept, [node for node, _ in self.copies], self.forced)
        self.passages: dict[Group, Passage] = {}
        for node, group in self.grouping.group_of.items():
            if node not in self.homes and node in group.stored:
                self.homes[node] = self._passage(group).home(node) if node.op is scan else Buffer(self.names[node], node.type)
        self._made: dict[Group, list[Kernel]] = {}

    # ---- memory

    def _place_leaves(self) -> None:
        for node in self.graph.nodes:
            if node.op is CONSTANT:
                if node.type.size and (node in self.forced or not is_uniform(node)):
                    self.homes[node] = Buffer(self.names[node], node.type, "constant", value=node.attributes["value"])
            elif node.is_leaf and node.name not in self.around.tables:
                self.homes[node] = self.around.leaf(node)

    def _deal_outputs(self) -> None:
        """Gives each output the caller's memory as its home; what has a home already, or needs none, is copied there."""
        for name, node in self.graph.outputs.items():
            target = self.around.output(name, node)
            if target is None:
                continue
            # Leaves and views have no kernel that could write them there, and what a loop over time leaves behind has its own place.
            if node in self.homes or node.is_leaf or node.op is scan or (is_view(node) and node not in self.forced):
                self.copies.append((node, target))
            else:
                self.homes[node] = target

    def _passage(self, group: Group) -> Passage:
        """The memory of a loop over time."""
        if group not in self.passages:
            node = group.cores[0]
            self.passages[group] = Passage(node, self.names[node])
        return self.passages[group]

    # ---- kernels

    def schedule(self) -> KernelSchedule:
        """All kernels, in an order in which each finds what it reads."""
        groups = self.grouping.groups
        copied: dict[Group, list[tuple[Node, Buffer]]] = {}
        for group, copy in zip(self.grouping.copies, self.copies, strict=True):
            copied.setdefault(group, []).append(copy)
        for group in groups:
            self._made[group] = [] if group.is_empty else list(self._lower(group, copied.get(group, [])))
        commits = self._take_old_places()
        kernels = [kernel for group in self._order(groups) for kernel in self._made[group]] + commits
        used = {id(b): b for kernel in kernels for b in (*kernel.reads, *kernel.writes)}
        return KernelSchedule(kernels, list(used.values()))

    def _take_old_places(self) -> list[Kernel]:
        """New state values in the old ones' memory where nobody reads these later; kernels that copy the others at the end."""
        readers: dict[str, set[Group]] = {}
        for group, kernels in self._made.items():
            for kernel in kernels:
                for buffer in kernel.reads:
                    if buffer.kind == "state":
                        readers.setdefault(buffer.name, set()).add(group)
        commits: list[Kernel] = []
        for group, kernels in self._made.items():
            for target in {id(b): b for kernel in kernels for b in kernel.writes if b.kind == "next"}.values():
                old = readers.get(target.name, set()) - {group}
                # Of several kernels, the first may write what the next still wants to read of the old.
                if len(kernels) == 1 and _keeps_step(kernels[0], target) and not any(group.reaches(o) for o in old):
                    for reader in old:
                        reader.readers.add(group)
                    target.kind = "state"
                else:
                    target.kind = "arena"
                    commits.append(_copy_kernel(target, Buffer(target.name, target.type, "state", target.name)))
        return commits

    def _order(self, groups: list[Group]) -> Iterator[Group]:
        """Groups, each after those that it waits for; among those ready, in the graph's order."""
        waits = dict.fromkeys(groups, 0)
        for group in groups:
            for reader in group.readers:
                waits[reader] += 1
        numbers = {group: number for number, group in enumerate(sorted(groups, key=lambda g: g.order))}
        by_number = {number: group for group, number in numbers.items()}
        ready = [numbers[group] for group in groups if not waits[group]]
        heapify(ready)
        while ready:
            group = by_number[heappop(ready)]
            yield group
            for reader in group.readers:
                waits[reader] -= 1
                if not waits[reader]:
                    heappush(ready, numbers[reader])

    def _lower(self, group: Group, copied: list[tuple[Node, Buffer]]) -> Iterator[Kernel]:
        core = group.core
        names = sorted(self.names[node] for node in group.stored) + [target.label for _, target in copied]
        label = ", ".join(names)
        if core is not None and core.op is scan:
            yield from self._turns(group, label)
            return
        if core is not None and self.grouping.is_placed(core):
            yield from Placer(self.layout, core).kernels(label)
            return
        extents = group.space
        row_loops = ()
        if core is not None and core.op.name == "matmul":
            through = self.layout.through_windows(core)
            row_loops = () if through is None else through.rows[0]
            extents = (*squeezed(core.shape[:-2]), *(row_loops or core.shape[-2:-1]), core.shape[-1])
        writer = Writer(self.layout, group, extents, row_loops)
        made: Reduction | Product | None = None
        if core is not None:
            made = writer.reduction(group.cores) if core.op.kind == "reduction" else writer.product(core)
        body = writer.body("outer")
        for node, target in copied:
            body.stores.append(Store(writer.value(node, writer.here(node)), writer.place_in(target, node)))
        yield Kernel(label, extents, body, made)

    def _turns(self, group: Group, label: str) -> Iterator[Kernel]:
        """A loop over time: its states' first values, then the kernels of a turn, again and again."""
        passage, core = self._passage(group), group.cores[0]
        body: TurnBody = core.attributes["body"]
        states, sequences, constants = split_values(body, core.inputs)
        placer = Placer(self.layout, core)
        for name, node in states.items():
            yield placer.first_value(f"{label} first {name}", node, passage.first(name))
        leaves = {name: passage.now(name) for name in body.states}
        leaves |= {name: passage.row(self._standing(node)) for name, node in sequences.items()}
        leaves |= {name: self._standing(node) for name, node in constants.items()}
        outputs = {name: passage.after(name) for name in (*body.states, *passage.taken)}
        turn = Graph({name: node for name, node in body.graph.outputs.items() if name in outputs})
        found = _Scheduler(run_passes(turn, (unroll, *NATIVE_PASSES))[0], _Turn(leaves, outputs)).schedule()
        yield Kernel(label, (), KernelBody(), Turns(passage.turns, found.kernels))

    def _standing(self, node: Node) -> Buffer:
        """Where a node that turns read stands: from the first entry on, in order."""
        access = self.layout.access(node)
        if access is None or access.strides != contiguous(node.shape):
            raise AssertionError(f"{node!r} does not stand in memory, in order")
        return (
            access.buffer
            if not access.start and access.buffer.type == node.type
            else part(access.buffer, node.type, access.start)
        )


def _keeps_step(kernel: Kernel, target: Buffer) -> bool:
    """Whether a kernel that writes the new state reads of the old only the very entry that it is about to write."""
    stores = [store for store in kernel.body.stores if store.place.buffer is target]
    if len(stores) != 1:
        return False
    wanted = stores[0].place.at
    core = kernel.core
    if isinstance(core, Product) and target.name in {core.left.buffer.name, core.right.buffer.name}:
        return False
    for body in kernel.bodies:
        for line in body.lines:
            if line.place is None or line.place.buffer.kind != "state" or line.place.buffer.name != target.name:
                continue
            # A reduction has read all that a point needs before the point is written.
            if line.op == "fetch" or line.place.at != (*wanted, *(0,) * (len(line.place.at) - len(wanted))):
                return False
    return True


def _copy_kernel(source: Buffer, target: Buffer) -> Kernel:
    extents = squeezed(source.type.shape)
    at = (0, *contiguous(extents))
    body = KernelBody(
        [Instruction("load", source.type.dtype, place=MemoryPlace(source, at))], [Store(0, MemoryPlace(target, at))]
    )
    return Kernel(f"{target.label} ← {source.label}", extents, body)
