"""Bodies: each node at a point of a kernel becomes a line, once; what stands in memory is loaded from its place there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from chainrule.engines.native.grouping import (
    Group,
    beneath,
    is_matrix_of_windows,
    is_uniform,
    is_view,
    reduced_axes,
    reduces_lanes,
    squeezed,
    windows_cut,
)
from chainrule.engines.native.kernels import (
    Affine,
    Buffer,
    Instruction,
    Kernel,
    KernelBody,
    MemoryPlace,
    Product,
    Reduction,
    Result,
    Scatter,
    Store,
)
from chainrule.engines.native.views import Access, contiguous, joined, view_access
from chainrule.graph import CONSTANT, Node, Shape
from chainrule.immutable import immutable

Index: TypeAlias = tuple[Affine, ...]
"""Where an entry stands in a node: a number that depends on the loops for each axis."""


@dataclass
class GroupLayout:
    """What is known of a graph's memory: names, the buffers that nodes have, tables by leaf, and which nodes must stand in memory."""

    names: Mapping[Node, str]
    homes: dict[Node, Buffer]
    tables: Mapping[str, Buffer]
    forced: frozenset[Node]

    def access(self, node: Node) -> Access | None:
        """Where a node's entries stand in memory, if they do: a buffer of its own, or a view of one."""
        home = self.homes.get(node)
        if home is not None:
            return Access(home, 0, contiguous(node.shape))
        if not node.inputs or not is_view(node) or node in self.forced:
            return None
        source = self.access(node.inputs[0])
        return None if source is None else view_access(node, source)

    def through_windows(self, core: Node) -> ThroughWindows | None:
        """How a product reads its left matrix through windows, if it does."""
        left = core.inputs[0]
        is_turned = left.op.name == "transpose"
        matrix = left.inputs[0] if is_turned else left
        if not matrix.inputs or not is_matrix_of_windows(matrix) or matrix in self.forced or self.access(matrix) is not None:
            return None
        windows = matrix.inputs[0]
        access = self.access(windows)
        if access is None:
            raise AssertionError(f"{windows!r} does not stand in memory")
        cut = windows_cut(matrix)
        tall = joined(windows.shape[:cut], access.strides[:cut])
        wide = joined(windows.shape[cut:], access.strides[cut:])
        return ThroughWindows(access, *((wide, tall) if is_turned else (tall, wide)), is_turned)

    def is_row(self, node: Node) -> bool:
        """Whether the node is a leaf that is read from a table."""
        return node.is_leaf and node.name in self.tables


@immutable
class ThroughWindows:
    """A left matrix that is read through windows: loops, by extents and strides, for its rows and for its columns."""

    access: Access
    rows: tuple[Shape, Shape]
    columns: tuple[Shape, Shape]
    is_turned: bool
    """Whether its columns are positions of the windows."""


def _times(at: Affine, factor: int) -> Affine:
    return tuple(factor * c for c in at)


def _plus(x: Affine, y: Affine) -> Affine:
    return tuple(a + b for a, b in zip(x, y, strict=True))


@dataclass
class Writer:
    """Writes a group's bodies: each node at a point becomes a line, once."""

    layout: GroupLayout
    group: Group
    extents: Shape
    row_loops: Shape = ()
    """The loops that the rows of a product are counted by, where there are several."""
    level: str = "outer"
    lines: dict[str, KernelBody] = field(default_factory=dict[str, KernelBody])
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
        if self.row_loops and self.level == "outer":
            return self._in_rows(node)
        loops = self._loop_order()
        index: list[Affine] = []
        for extent in node.shape:
            unit = [0] * (len(self.loops) + 1)
            if extent != 1:
                unit[1 + loops.pop(0)] = 1
            index.append(tuple(unit))
        return tuple(index)

    def _in_rows(self, node: Node) -> Index:
        """The index of a matrix whose rows are counted by several loops."""
        rows: Affine = (0, *contiguous(self.row_loops), 0)
        column: Affine = (*(0,) * len(rows[:-1]), 1)
        left = iter((rows, column))
        return tuple(next(left) if extent != 1 else (0,) * len(rows) for extent in node.shape)

    def _loop_order(self) -> list[int]:
        """The loops of extent above 1, in the order of the axes of what is computed at this level."""
        core = self.group.core
        if self.level == "outer" or core is None:
            return [number for number, extent in enumerate(self.loops) if extent != 1]
        kept, reduced = iter(range(len(self.extents))), iter(range(len(self.extents), len(self.loops)))
        axes = reduced_axes(core)
        return [next(reduced) if a in axes else next(kept) for a, e in enumerate(core.inputs[0].shape) if e != 1]

    def place_in(self, buffer: Buffer, node: Node) -> MemoryPlace:
        """Where the present point's entry of a node goes in a buffer of the node's shape."""
        return MemoryPlace(buffer, self.entry(Access(buffer, 0, contiguous(node.shape)), self.here(node)))

    def entry(self, access: Access, index: Index) -> Affine:
        """How many entries from the buffer's start an entry stands."""
        at: Affine = (access.start, *(0,) * len(self.loops))
        for stride, axis in zip(access.strides, index, strict=True):
            at = _plus(at, _times(axis, stride))
        return at

    # ---- bodies

    def body(self, level: str) -> KernelBody:
        """The body of a level: its stored nodes, and all that they need."""
        self.level = level
        made = self.lines.setdefault(level, KernelBody())
        for node in sorted(self.group.stored & self._members, key=lambda n: self.layout.names[n]):
            if self.layout.homes.get(node) is not None:
                value = self.value(node, self.here(node))
                made.stores.append(Store(value, self.place_in(self.layout.homes[node], node)))
        return made

    def reduction(self, cores: list[Node]) -> Reduction:
        """The core of a group that reduces, with its inner body."""
        self.level = "inner"
        body = self.body("inner")
        results: list[Result] = []
        for core in cores:
            source = core.inputs[0]
            nothing = Instruction("constant", source.dtype, attributes={"value": 0})
            value = self.value(source, self.here(source)) if source.type.size else self._add(nothing)
            results.append(Result(core.op.name, value))
        extents = self.loops[len(self.extents) :]
        self.level = "outer"
        return Reduction(extents, body, results, reduces_lanes(cores[0]))

    def product(self, core: Node) -> Product:
        """The core of a group around a matrix product."""
        through = self.layout.through_windows(core)
        if through is not None:
            return self._windowed_product(core, through)
        places: list[MemoryPlace] = []
        batch = [number for number, extent in enumerate(self.extents[:-2]) if extent != 1]
        m, n, k = len(self.extents) - 2, len(self.extents) - 1, len(self.extents)
        for source, axes in zip(core.inputs, ((m, k), (k, n)), strict=True):
            access = self.layout.access(source)
            if access is None and not source.type.size:
                access = Access(Buffer("nothing", source.type, "constant"), 0, contiguous(source.shape))
            if access is None:
                raise AssertionError(f"{source!r} does not stand in memory")
            at = [access.start, *(0,) * (k + 1)]
            lead = iter(batch)
            for extent, stride in zip(source.shape[:-2], access.strides[:-2], strict=True):
                if extent != 1:
                    at[1 + next(lead)] += stride
            for axis, stride in zip(axes, access.strides[-2:], strict=True):
                at[1 + axis] += stride
            places.append(MemoryPlace(access.buffer, tuple(at)))
        return Product(core.inputs[0].shape[-1], places[0], places[1], core.dtype)

    def _windowed_product(self, core: Node, through: ThroughWindows) -> Product:
        right = self.layout.access(core.inputs[1])
        if right is None:
            raise AssertionError(f"{core.inputs[1]!r} does not stand in memory")
        (_, rows), (parts, columns) = through.rows, through.columns
        left_at = (through.access.start, *rows, 0, *columns)
        inner = tuple(right.strides[0] * step for step in contiguous(parts))
        right_at = (right.start, *(0,) * len(rows), right.strides[1], *inner)
        places = MemoryPlace(through.access.buffer, left_at), MemoryPlace(right.buffer, right_at)
        return Product(core.inputs[0].shape[1], *places, core.dtype, parts, through.is_turned)

    # ---- values

    def _add(self, line: Instruction) -> int:
        lines = self.lines.setdefault(self.level, KernelBody()).lines
        lines.append(line)
        return len(lines) - 1

    def value(self, node: Node, index: Index) -> int:
        """The line that holds a node's entry at an index."""
        key = (self.level, node, index)
        if key not in self.known:
            is_line = not is_view(node) or node in self.layout.forced or self._stands_apart(node)
            self.known[key] = self._add(self._line(node, index)) if is_line else self.through(node, index)
        return self.known[key]

    @property
    def _members(self) -> set[Node]:
        return self.group.inner if self.level == "inner" else self.group.outer

    def _stands_apart(self, view: Node) -> bool:
        """Whether a view's entries can be read from memory; those of what this very kernel computes are still in registers."""
        return beneath(view, self.layout.forced) not in self._members and self.layout.access(view) is not None

    def _line(self, node: Node, index: Index) -> Instruction:
        layout, cores, members = self.layout, self.group.cores, self._members
        label = layout.names[node]
        if node in cores and self.level == "outer":
            return Instruction("core", node.dtype, attributes={"number": cores.index(node)}, label=label)
        if node.op is CONSTANT and is_uniform(node):
            return Instruction(
                "constant", node.dtype, attributes={"value": node.attributes["value"].reshape(-1)[0].item()}, label=label
            )
        access = layout.access(node)
        if access is not None and (node not in members or is_view(node) or (node.is_leaf and not self.layout.is_row(node))):
            return Instruction("load", node.dtype, place=MemoryPlace(access.buffer, self.entry(access, index)), label=label)
        if self.layout.is_row(node):
            table = Access(layout.tables[node.name], 0, (0, *contiguous(node.shape)[1:]))
            return Instruction(
                "load", node.dtype, place=MemoryPlace(table.buffer, self.entry(table, index), index[0]), label=label
            )
        return self._computed(node, index, label)

    def _computed(self, node: Node, index: Index, label: str) -> Instruction:
        match node.op.name:
            case "one_hot":
                hot = self._add(Instruction("index", "int64", attributes={"at": index[-1]}))
                at = self.value(node.inputs[0], index[:-1])
                return Instruction("one_hot", node.dtype, (at, hot), attributes={"from": node.inputs[0].dtype}, label=label)
            case "random_bits" | "random_fold":
                flat = self.entry(Access(Buffer("", node.type), 0, contiguous(node.shape)), index)
                position = self._add(Instruction("index", "int64", attributes={"at": flat}))
                words = [self._memory(node.inputs[0], i) for i in range(2)]
                words += [self._memory(node.inputs[1], 0)] if node.op.name == "random_fold" else []
                return Instruction(node.op.name, node.dtype, (position, *words), label=label)
            case "gather":
                return self._fetch(node, index, label)
            case name:
                arguments = tuple(self.value(source, index) for source in node.inputs)
                attributes = {"from": node.inputs[0].dtype} if name == "cast" or node.dtype == "bool" else {}
                return Instruction(name, node.dtype, arguments, attributes=attributes, label=label)

    def _memory(self, node: Node, entry: int) -> int:
        """The line that holds a certain entry of a vector or number."""
        at = (entry, *(0,) * len(self.loops))
        return self.value(node, (at,) * node.type.ndim)

    def _fetch(self, node: Node, index: Index, label: str) -> Instruction:
        source, positions = node.inputs
        axis: int = node.attributes["axis"]
        access = self.layout.access(source)
        if access is None:
            raise AssertionError(f"{source!r} does not stand in memory")
        end = axis + positions.type.ndim
        position = self.value(positions, index[axis:end])
        zero: Affine = (0,) * (len(self.loops) + 1)
        at = self.entry(access, (*index[:axis], zero, *index[end:]))
        attributes: dict[str, Any] = {"stride": access.strides[axis], "extent": source.shape[axis], "from": positions.dtype}
        return Instruction("fetch", node.dtype, (position,), MemoryPlace(access.buffer, at), attributes, label)

    def through(self, node: Node, index: Index) -> int:
        """The entry of a view whose input does not stand in memory: the input's entry at another index."""
        source = node.inputs[0]
        return self.value(source, self._moved(node, source, index))

    def _moved(self, node: Node, source: Node, index: Index) -> Index:
        zero: Affine = (0,) * (len(self.loops) + 1)
        match node.op.name:
            case "transpose":
                axes: Shape = node.attributes["axes"]
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
                    _plus(_times(at, -1), (source.shape[axis] - 1, *zero[1:])) if axis in turned else at
                    for axis, at in enumerate(index)
                )
            case "stop_gradient":
                return index
            case "windows":
                return under_window(node, index)
            case _:
                # Reshapes of what stands nowhere only add or take axes of extent 1; a reduction over such axes likewise. The rest
                # are uniform constants, whose place does not matter.
                if squeezed(source.shape) != squeezed(node.shape):
                    return (zero,) * source.type.ndim
                left = iter([at for extent, at in zip(node.shape, index, strict=True) if extent != 1])
                return tuple(zero if extent == 1 else next(left) for extent in source.shape)


@dataclass
class Placer:
    """Kernels of the ops that are written piece by piece: concatenate, pad, scatter_add, overlap_add."""

    layout: GroupLayout
    node: Node

    def kernels(self, label: str) -> Iterator[Kernel]:
        """A fill where needed, then a kernel for each piece."""
        node, home = self.node, self.layout.homes[self.node]
        strides = contiguous(node.shape)
        match node.op.name:
            case "concatenate":
                axis: int = node.attributes["axis"]
                start = 0
                for number, source in enumerate(node.inputs):
                    if source.type.size:
                        yield self._copy(f"{label} part {number}", source, Access(home, start * strides[axis], strides))
                    start += source.shape[axis]
            case "reshape":
                yield self._copy(label, node.inputs[0], Access(home, 0, contiguous(node.inputs[0].shape)))
            case _ if is_view(node):
                yield self._seen(label, home)
            case "pad":
                yield _fill_kernel(f"{label} zeros", home)
                low, gaps = node.attributes["low"], node.attributes["interior"]
                start = sum(a * stride for a, stride in zip(low, strides, strict=True))
                steps = tuple((gap + 1) * stride for gap, stride in zip(gaps, strides, strict=True))
                if node.inputs[0].type.size:
                    yield self._copy(label, node.inputs[0], Access(home, start, steps))
            case "overlap_add":
                yield _fill_kernel(f"{label} zeros", home)
                if node.inputs[0].type.size:
                    yield self._overlap(label, home)
            case _:
                if node.inputs[0].type.size:
                    yield self._copy(f"{label} start", node.inputs[0], Access(home, 0, strides))
                if node.inputs[2].type.size:
                    yield self._scatter(label, home)

    def _seen(self, label: str, home: Buffer) -> Kernel:
        """What a view shows, copied in its order."""
        writer = Writer(self.layout, Group(squeezed(self.node.shape), 0), squeezed(self.node.shape))
        here = writer.here(self.node)
        value = writer.through(self.node, here)
        body = writer.lines["outer"]
        body.stores.append(Store(value, writer.place_in(home, self.node)))
        return Kernel(label, writer.extents, body)

    def first_value(self, label: str, source: Node, target: Buffer) -> Kernel:
        """A kernel that copies a node to where a loop over time finds its state."""
        return self._copy(label, source, Access(target, 0, contiguous(source.shape)))

    def _copy(self, label: str, source: Node, target: Access) -> Kernel:
        writer = Writer(self.layout, Group(squeezed(source.shape), 0), squeezed(source.shape))
        value = writer.value(source, writer.here(source))
        body = writer.lines["outer"]
        body.stores.append(Store(value, MemoryPlace(target.buffer, writer.entry(target, writer.here(source)))))
        return Kernel(label, writer.extents, body)

    def _scatter(self, label: str, home: Buffer) -> Kernel:
        _, positions, updates = self.node.inputs
        axis: int = self.node.attributes["axis"]
        writer = Writer(self.layout, Group(updates.shape, 0), updates.shape)
        here: Index = tuple(
            tuple(int(i == axis + 1) for i in range(updates.type.ndim + 1)) for axis in range(updates.type.ndim)
        )
        end = axis + positions.type.ndim
        value = writer.value(updates, here)
        position = writer.value(positions, here[axis:end])
        strides = contiguous(self.node.shape)
        zero: Affine = (0,) * (len(updates.shape) + 1)
        at = writer.entry(Access(home, 0, strides), (*here[:axis], zero, *here[end:]))
        body = writer.lines["outer"]
        body.stores.append(Store(value, MemoryPlace(home, at)))
        return Kernel(label, updates.shape, body, Scatter(strides[axis], self.node.shape[axis], position))

    def _overlap(self, label: str, home: Buffer) -> Kernel:
        """Windows added to where they stand, tap after tap: at one tap no two windows meet, so that lanes and rows are apart."""
        source, attributes = self.node.inputs[0], self.node.attributes
        first, end = attributes["axes"][0], attributes["axes"][-1] + 1
        taps = range(end, end + len(attributes["axes"]))
        order = [*range(first), *taps, *range(first, end), *range(taps.stop, source.type.ndim)]
        loops = [axis for axis in order if source.shape[axis] != 1]
        extents = tuple(source.shape[axis] for axis in loops)
        writer = Writer(self.layout, Group(extents, 0), extents)
        here: Index = tuple((0, *(int(axis == loop) for loop in loops)) for axis in range(source.type.ndim))
        value = writer.value(source, here)
        at = writer.entry(Access(home, 0, contiguous(self.node.shape)), under_window(self.node, here))
        body = writer.lines["outer"]
        body.stores.append(Store(value, MemoryPlace(home, at)))
        return Kernel(label, extents, body, Scatter())


def under_window(node: Node, index: Index) -> Index:
    """The index, in the array under the windows, of an entry of the windows; the node is either's op."""
    axes: Shape = node.attributes["axes"]
    end = axes[-1] + 1
    moved = [*index[:end], *index[end + len(axes) :]]
    steps = zip(axes, node.attributes["strides"], node.attributes["dilations"], index[end : end + len(axes)], strict=True)
    for axis, stride, dilation, tap in steps:
        moved[axis] = _plus(_times(index[axis], stride), _times(tap, dilation))
    return tuple(moved)


def _fill_kernel(label: str, home: Buffer) -> Kernel:
    extents = squeezed(home.type.shape)
    body = KernelBody(
        [Instruction("constant", home.type.dtype, attributes={"value": 0})],
        [Store(0, MemoryPlace(home, (0, *contiguous(extents))))],
    )
    return Kernel(label, extents, body)
