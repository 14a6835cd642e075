"""Graph → schedule: kernels in the order in which they run, over buffers; which of these are the caller's own memory.

One step of a loop is scheduled: leaves come from tables through the order, from carried state or from per-step scalars; outputs
go to the state, to per-step records or to stacked rows. A new state value takes the old one's place wherever nobody still needs
the old one; else it is copied there at the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

from chainrule.engines.engine import Loop
from chainrule.engines.native.bodies import Layout, Placer, Writer
from chainrule.engines.native.grouping import (
    REDUCTIONS,
    Group,
    Grouping,
    is_uniform,
    is_view,
    must_stand,
    squeezed,
)
from chainrule.engines.native.kernels import (
    Body,
    Buffer,
    Kernel,
    Line,
    Place,
    Product,
    Reduction,
    Store,
)
from chainrule.engines.native.views import contiguous
from chainrule.graph import CONSTANT, Graph, Node
from chainrule.graph.text import labels


@dataclass
class Schedule:
    """The kernels of one step, in order, and every buffer that they touch."""

    kernels: list[Kernel]
    buffers: list[Buffer]

    def __str__(self) -> str:
        return "\n".join(map(str, self.kernels))


def schedule(graph: Graph, loop: Loop) -> Schedule:
    """The kernels of one step of the loop; the graph is expected to be simplified already."""
    return _Scheduler(graph, loop).schedule()


class _Scheduler:
    """The buffers and kernels of one graph while they are being made."""

    def __init__(self, graph: Graph, loop: Loop) -> None:
        self.graph, self.loop = graph, loop
        self.names = labels(graph.nodes)
        self.gathered: frozenset[str] = frozenset(() if loop.in_order else loop.rows)
        tables = {name: Buffer(name, graph.leaves[name].type, "rows", name) for name in self.gathered if name in graph.leaves}
        self.layout = Layout(self.names, {}, tables, must_stand(graph))
        self.homes, self.forced = self.layout.homes, self.layout.forced
        self.copies: list[tuple[Node, Buffer]] = []
        self._place_leaves()
        self._deal_outputs()
        kept = [node for node in self.homes if not node.is_leaf]
        self.grouping = Grouping(graph, self.gathered, kept, [node for node, _ in self.copies], self.forced)
        for node in self.grouping.group_of:
            if node not in self.homes and node in self.grouping.group_of[node].stored:
                self.homes[node] = Buffer(self.names[node], node.type)
        self._made: dict[Group, list[Kernel]] = {}

    # ---- memory

    def _place_leaves(self) -> None:
        kinds = {**dict.fromkeys(self.loop.state, "state"), **dict.fromkeys(self.loop.scalars, "scalar")}
        kinds |= {} if self.gathered else dict.fromkeys(self.loop.rows, "block")
        for node in self.graph.nodes:
            if node.op is CONSTANT:
                if node.type.size and (node in self.forced or not is_uniform(node)):
                    self.homes[node] = Buffer(self.names[node], node.type, "constant", value=node.attributes["value"])
            elif node.is_leaf and node.name not in self.gathered:
                self.homes[node] = Buffer(node.name, node.type, kinds[node.name], node.name)

    def _deal_outputs(self) -> None:
        """Gives each output the caller's memory as its home; what has a home already, or needs none, is copied there."""
        leaves = self.graph.leaves
        for name, node in self.graph.outputs.items():
            kind = self._output_kind(name)
            if kind is None or (kind == "state" and leaves.get(name) is node) or not node.type.size:
                continue
            target = Buffer(name, node.type, "next" if kind == "state" else kind, name)
            # Leaves and views have no kernel that could write them there.
            if node in self.homes or node.is_leaf or (is_view(node) and node not in self.forced):
                self.copies.append((node, target))
            else:
                self.homes[node] = target

    def _output_kind(self, name: str) -> str | None:
        if name in self.loop.records:
            return "record"
        if name in self.loop.stacked:
            return "stacked"
        return "state" if name in self.loop.state else None

    # ---- kernels

    def schedule(self) -> Schedule:
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
        return Schedule(kernels, list(used.values()))

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
            made = writer.reduction(group.cores) if core.op.name in REDUCTIONS else writer.product(core)
        body = writer.body("outer")
        for node, target in copied:
            body.stores.append(Store(writer.value(node, writer.here(node)), writer.place_in(target, node)))
        yield Kernel(label, extents, body, made)


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
    body = Body([Line("load", source.type.dtype, place=Place(source, at))], [Store(0, Place(target, at))])
    return Kernel(f"{target.label} ← {source.label}", extents, body)
