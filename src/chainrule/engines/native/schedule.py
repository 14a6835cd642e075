"""Graph → schedule: kernels in the order in which they run, over buffers; which of these are the caller's own memory.

One step of a loop is scheduled: leaves come from tables through the order, from carried state or from per-step scalars; outputs
go to the state, to per-step records or to stacked rows. A new state value takes the old one's place wherever nobody still needs
the old one; else it is copied there at the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush

from chainrule.engines.engine import Loop
from chainrule.engines.native.grouping import (
    REDUCTIONS,
    Group,
    Grouping,
    beneath,
    is_uniform,
    is_view,
    must_stand,
    reduced_axes,
    reduces_lanes,
    squeezed,
)
from chainrule.engines.native.kernels import Affine, Body, Buffer, Kernel, Line, Place, Product, Reduction, Result, Scatter, Store
from chainrule.engines.native.views import Access, contiguous, view_access
from chainrule.graph import CONSTANT, Graph, Node, Shape
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
        self.homes: dict[Node, Buffer] = {}
        self.tables = {name: Buffer(name, graph.leaves[name].type, "rows", name) for name in loop.rows if name in graph.leaves}
        self.copies: list[tuple[Node, Buffer]] = []
        self.forced = must_stand(graph)
        self._place_leaves()
        self._deal_outputs()
        kept = [node for node in self.homes if not node.is_leaf]
        self.grouping = Grouping(graph, frozenset(loop.rows), kept, [node for node, _ in self.copies], self.forced)
        for node in self.grouping.group_of:
            if node not in self.homes and node in self.grouping.group_of[node].stored:
                self.homes[node] = Buffer(self.names[node], node.type)
        self._made: dict[Group, list[Kernel]] = {}

    # ---- memory

    def _place_leaves(self) -> None:
        kinds = {**dict.fromkeys(self.loop.state, "state"), **dict.fromkeys(self.loop.scalars, "scalar")}
        for node in self.graph.nodes:
            if node.op is CONSTANT:
                if node.type.size and (node in self.forced or not is_uniform(node)):
                    self.homes[node] = Buffer(self.names[node], node.type, "constant", value=node.attributes["value"])
            elif node.is_leaf and node.name not in self.loop.rows:
                self.homes[node] = Buffer(node.name, node.type, kinds[node.name], node.name)

    def _deal_outputs(self) -> None:
        """Gives each output the caller's memory as its home; what has a home already, or needs none, is copied there."""
        leaves = self.graph.leaves
        inlined = Grouping(self.graph, frozenset(self.loop.rows), (), (), self.forced).is_inlined
        for name, node in self.graph.outputs.items():
            kind = self._output_kind(name)
            if kind is None or (kind == "state" and leaves.get(name) is node) or not node.type.size:
                continue
            target = Buffer(name, node.type, "next" if kind == "state" else kind, name)
            if node in self.homes or self._is_row(node) or (inlined(node) and (node.is_leaf or is_view(node))):
                self.copies.append((node, target))
            else:
                self.homes[node] = target

    def _is_row(self, node: Node) -> bool:
        return node.is_leaf and node.name in self.loop.rows

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
        copied = dict(zip(self.grouping.copies, self.copies, strict=True))
        for group in groups:
            self._made[group] = [] if group.is_empty else list(self._lower(group, copied.get(group)))
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
                if all(_keeps_step(kernel, target) for kernel in kernels) and not any(group.reaches(o) for o in old):
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

    def _lower(self, group: Group, copied: tuple[Node, Buffer] | None) -> Iterator[Kernel]:
        core = group.core
        names = sorted(self.names[node] for node in group.stored) + ([copied[1].label] if copied else [])
        label = ", ".join(names)
        if core is not None and self.grouping.is_placed(core):
            yield from _Placer(self, core).kernels(label)
            return
        extents = group.space
        if core is not None and core.op.name == "matmul":
            extents = (*squeezed(core.shape[:-2]), *core.shape[-2:])
        writer = _Writer(self, group, extents)
        made: Reduction | Product | None = None
        if core is not None:
            made = writer.reduction(group.cores) if core.op.name in REDUCTIONS else writer.product(core)
        body = writer.body("outer")
        if copied is not None:
            node, target = copied
            body.stores.append(Store(writer.value(node, writer.here(node)), writer.place_in(target, node)))
        yield Kernel(label, extents, body, made)

    # ---- where entries stand

    def access(self, node: Node) -> Access | None:
        """Where a node's entries stand in memory, if they do: a buffer of its own, or a view of one."""
        home = self.homes.get(node)
        if home is not None:
            return Access(home, 0, contiguous(node.shape))
        if not node.inputs or not is_view(node) or node in self.forced:
            return None
        source = self.access(node.inputs[0])
        return None if source is None else view_access(node, source)


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


# ---- numbers that depend on the loops


def _times(at: Affine, factor: int) -> Affine:
    return tuple(factor * c for c in at)


def _plus(x: Affine, y: Affine) -> Affine:
    return tuple(a + b for a, b in zip(x, y, strict=True))


Index = tuple[Affine, ...]


@dataclass
class _Writer:
    """Writes a group's bodies: each node at a point becomes a line, once."""

    scheduler: _Scheduler
    group: Group
    extents: Shape
    level: str = "outer"
    lines: dict[str, Body] = field(default_factory=dict[str, Body])
    known: dict[tuple[str, Node, Index], int] = field(default_factory=dict[tuple[str, Node, Index], int])

    @property
    def loops(self) -> Shape:
        """The extents of the loops at the present level."""
        if self.level == "outer" or self.group.core is None:
            return self.extents
        shape = self.group.core.inputs[0].shape
        return (*self.extents, *(shape[axis] for axis in reduced_axes(self.group.core) if shape[axis] != 1))

    def here(self, node: Node) -> Index:
        """The index of a node at the present point: its axes of extent above 1 are the loops, in order."""
        loops = self._loop_order()
        index: list[Affine] = []
        for extent in node.shape:
            unit = [0] * (len(self.loops) + 1)
            if extent != 1:
                unit[1 + loops.pop(0)] = 1
            index.append(tuple(unit))
        return tuple(index)

    def _loop_order(self) -> list[int]:
        """The loops of extent above 1, in the order of the axes of what is computed at this level."""
        core = self.group.core
        if self.level == "outer" or core is None:
            return [number for number, extent in enumerate(self.loops) if extent != 1]
        kept, reduced = iter(range(len(self.extents))), iter(range(len(self.extents), len(self.loops)))
        axes = reduced_axes(core)
        return [next(reduced) if a in axes else next(kept) for a, e in enumerate(core.inputs[0].shape) if e != 1]

    def place_in(self, buffer: Buffer, node: Node) -> Place:
        """Where the present point's entry of a node goes in a buffer of the node's shape."""
        return Place(buffer, self._entry(Access(buffer, 0, contiguous(node.shape)), self.here(node)))

    def _entry(self, access: Access, index: Index) -> Affine:
        at: Affine = (access.start, *(0,) * len(self.loops))
        for stride, axis in zip(access.strides, index, strict=True):
            at = _plus(at, _times(axis, stride))
        return at

    # ---- bodies

    def body(self, level: str) -> Body:
        """The body of a level: its stored nodes, and all that they need."""
        self.level = level
        made = self.lines.setdefault(level, Body())
        for node in sorted(self.group.stored & self._members, key=lambda n: self.scheduler.names[n]):
            if self.scheduler.homes.get(node) is not None:
                value = self.value(node, self.here(node))
                made.stores.append(Store(value, self.place_in(self.scheduler.homes[node], node)))
        return made

    def reduction(self, cores: list[Node]) -> Reduction:
        """The core of a group that reduces, with its inner body."""
        self.level = "inner"
        body = self.body("inner")
        results: list[Result] = []
        for core in cores:
            source = core.inputs[0]
            nothing = Line("constant", source.dtype, attributes={"value": 0})
            value = self.value(source, self.here(source)) if source.type.size else self._add(nothing)
            results.append(Result(core.op.name, value))
        extents = self.loops[len(self.extents) :]
        self.level = "outer"
        return Reduction(extents, body, results, reduces_lanes(cores[0]))

    def product(self, core: Node) -> Product:
        """The core of a group around a matrix product."""
        places: list[Place] = []
        batch = [number for number, extent in enumerate(self.extents[:-2]) if extent != 1]
        m, n, k = len(self.extents) - 2, len(self.extents) - 1, len(self.extents)
        for source, axes in zip(core.inputs, ((m, k), (k, n)), strict=True):
            access = self.scheduler.access(source)
            if access is None:
                raise AssertionError(f"{source!r} does not stand in memory")
            at = [access.start, *(0,) * (k + 1)]
            lead = iter(batch)
            for extent, stride in zip(source.shape[:-2], access.strides[:-2], strict=True):
                if extent != 1:
                    at[1 + next(lead)] += stride
            for axis, stride in zip(axes, access.strides[-2:], strict=True):
                at[1 + axis] += stride
            places.append(Place(access.buffer, tuple(at)))
        return Product(core.inputs[0].shape[-1], places[0], places[1], core.dtype)

    # ---- values

    def _add(self, line: Line) -> int:
        lines = self.lines.setdefault(self.level, Body()).lines
        lines.append(line)
        return len(lines) - 1

    def value(self, node: Node, index: Index) -> int:
        """The line that holds a node's entry at an index."""
        key = (self.level, node, index)
        if key not in self.known:
            is_line = not is_view(node) or node in self.scheduler.forced or self._stands_apart(node)
            self.known[key] = self._add(self._line(node, index)) if is_line else self._through(node, index)
        return self.known[key]

    @property
    def _members(self) -> set[Node]:
        return self.group.inner if self.level == "inner" else self.group.outer

    def _stands_apart(self, view: Node) -> bool:
        """Whether a view's entries can be read from memory; those of what this very kernel computes are still in registers."""
        return beneath(view, self.scheduler.forced) not in self._members and self.scheduler.access(view) is not None

    def _line(self, node: Node, index: Index) -> Line:
        scheduler, cores, members = self.scheduler, self.group.cores, self._members
        label = scheduler.names[node]
        if node in cores and self.level == "outer":
            return Line("core", node.dtype, attributes={"number": cores.index(node)}, label=label)
        if node.op is CONSTANT and is_uniform(node):
            return Line("constant", node.dtype, attributes={"value": node.attributes["value"].reshape(-1)[0].item()}, label=label)
        access = scheduler.access(node)
        if access is not None and (node not in members or is_view(node) or (node.is_leaf and not self._is_row(node))):
            return Line("load", node.dtype, place=Place(access.buffer, self._entry(access, index)), label=label)
        if self._is_row(node):
            table = Access(scheduler.tables[node.name], 0, (0, *contiguous(node.shape)[1:]))
            return Line("load", node.dtype, place=Place(table.buffer, self._entry(table, index), index[0]), label=label)
        return self._computed(node, index, label)

    def _is_row(self, node: Node) -> bool:
        return self.scheduler.grouping.is_row(node)

    def _computed(self, node: Node, index: Index, label: str) -> Line:
        match node.op.name:
            case "one_hot":
                hot = self._add(Line("index", "int64", attributes={"at": index[-1]}))
                at = self.value(node.inputs[0], index[:-1])
                return Line("one_hot", node.dtype, (at, hot), attributes={"from": node.inputs[0].dtype}, label=label)
            case "random_bits" | "random_fold":
                flat = self._entry(Access(Buffer("", node.type), 0, contiguous(node.shape)), index)
                position = self._add(Line("index", "int64", attributes={"at": flat}))
                words = [self._memory(node.inputs[0], i) for i in range(2)]
                words += [self._memory(node.inputs[1], 0)] if node.op.name == "random_fold" else []
                return Line(node.op.name, node.dtype, (position, *words), label=label)
            case "gather":
                return self._fetch(node, index, label)
            case name:
                arguments = tuple(self.value(source, index) for source in node.inputs)
                attributes = {"from": node.inputs[0].dtype} if name == "cast" or node.dtype == "bool" else {}
                return Line(name, node.dtype, arguments, attributes=attributes, label=label)

    def _memory(self, node: Node, entry: int) -> int:
        """The line that holds a certain entry of a vector or number."""
        at = (entry, *(0,) * len(self.loops))
        return self.value(node, (at,) * node.type.ndim)

    def _fetch(self, node: Node, index: Index, label: str) -> Line:
        source, positions = node.inputs
        axis = node.attributes["axis"]
        access = self.scheduler.access(source)
        if access is None:
            raise AssertionError(f"{source!r} does not stand in memory")
        end = axis + positions.type.ndim
        position = self.value(positions, index[axis:end])
        zero: Affine = (0,) * (len(self.loops) + 1)
        at = self._entry(access, (*index[:axis], zero, *index[end:]))
        attributes = {"stride": access.strides[axis], "extent": source.shape[axis], "from": positions.dtype}
        return Line("fetch", node.dtype, (position,), Place(access.buffer, at), attributes, label)

    def _through(self, node: Node, index: Index) -> int:
        """The entry of a view whose input does not stand in memory: the input's entry at another index."""
        source = node.inputs[0]
        return self.value(source, self._moved(node, source, index))

    def _moved(self, node: Node, source: Node, index: Index) -> Index:
        zero: Affine = (0,) * (len(self.loops) + 1)
        match node.op.name:
            case "transpose":
                axes = node.attributes["axes"]
                return tuple(index[axes.index(axis)] for axis in range(len(axes)))
            case "broadcast_to":
                kept = index[len(index) - source.type.ndim :]
                return tuple(zero if extent == 1 else at for extent, at in zip(source.shape, kept, strict=True))
            case "slice_axes":
                pairs = zip(node.attributes["starts"], node.attributes["steps"], index, strict=True)
                return tuple(_plus(_times(at, step), (start, *zero[1:])) for start, step, at in pairs)
            case "flip":
                turned = node.attributes["axes"]
                return tuple(
                    _plus(_times(at, -1), (source.shape[axis] - 1, *zero[1:])) if axis in turned else at for axis, at in enumerate(index)
                )
            case "stop_gradient":
                return index
            case _:
                # Reshapes of what stands nowhere only add or take axes of extent 1; a reduction over such axes likewise. The rest
                # are uniform constants, whose place does not matter.
                if squeezed(source.shape) != squeezed(node.shape):
                    return (zero,) * source.type.ndim
                left = iter([at for extent, at in zip(node.shape, index, strict=True) if extent != 1])
                return tuple(zero if extent == 1 else next(left) for extent in source.shape)


@dataclass
class _Placer:
    """Kernels of the ops that are written piece by piece: concatenate, pad, scatter_add."""

    scheduler: _Scheduler
    node: Node

    def kernels(self, label: str) -> Iterator[Kernel]:
        """A fill where needed, then a kernel for each piece."""
        node, home = self.node, self.scheduler.homes[self.node]
        strides = contiguous(node.shape)
        match node.op.name:
            case "concatenate":
                axis, start = node.attributes["axis"], 0
                for number, source in enumerate(node.inputs):
                    if source.type.size:
                        yield self._copy(f"{label} part {number}", source, Access(home, start * strides[axis], strides))
                    start += source.shape[axis]
            case "reshape":
                yield self._copy(label, node.inputs[0], Access(home, 0, contiguous(node.inputs[0].shape)))
            case "pad":
                yield _fill_kernel(f"{label} zeros", home)
                low, gaps = node.attributes["low"], node.attributes["interior"]
                start = sum(a * stride for a, stride in zip(low, strides, strict=True))
                steps = tuple((gap + 1) * stride for gap, stride in zip(gaps, strides, strict=True))
                if node.inputs[0].type.size:
                    yield self._copy(label, node.inputs[0], Access(home, start, steps))
            case _:
                if node.inputs[0].type.size:
                    yield self._copy(f"{label} start", node.inputs[0], Access(home, 0, strides))
                if node.inputs[2].type.size:
                    yield self._scatter(label, home)

    def _copy(self, label: str, source: Node, target: Access) -> Kernel:
        writer = _Writer(self.scheduler, Group(squeezed(source.shape), 0), squeezed(source.shape))
        value = writer.value(source, writer.here(source))
        body = writer.lines["outer"]
        body.stores.append(Store(value, Place(target.buffer, writer._entry(target, writer.here(source)))))
        return Kernel(label, writer.extents, body)

    def _scatter(self, label: str, home: Buffer) -> Kernel:
        _, positions, updates = self.node.inputs
        axis = self.node.attributes["axis"]
        writer = _Writer(self.scheduler, Group(updates.shape, 0), updates.shape)
        here: Index = tuple(tuple(int(i == axis + 1) for i in range(updates.type.ndim + 1)) for axis in range(updates.type.ndim))
        end = axis + positions.type.ndim
        value = writer.value(updates, here)
        position = writer.value(positions, here[axis:end])
        strides = contiguous(self.node.shape)
        zero: Affine = (0,) * (len(updates.shape) + 1)
        at = writer._entry(Access(home, 0, strides), (*here[:axis], zero, *here[end:]))
        body = writer.lines["outer"]
        body.stores.append(Store(value, Place(home, at)))
        return Kernel(label, updates.shape, body, Scatter(strides[axis], self.node.shape[axis], position))


def _fill_kernel(label: str, home: Buffer) -> Kernel:
    extents = squeezed(home.type.shape)
    body = Body([Line("constant", home.type.dtype, attributes={"value": 0})], [Store(0, Place(home, (0, *contiguous(extents))))])
    return Kernel(label, extents, body)
