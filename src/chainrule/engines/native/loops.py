"""Kernels → loops of vector code: maps, reductions and scatters; matrix products have their own file.

The last loop, or the last reduced one, runs along the lanes of vectors; what does not fill a vector is masked, never padded, so
that nothing outside a buffer is touched. How work is cut follows from the extents alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from math import prod
from typing import Protocol

from chainrule.engines.native.builder import ELEMENTS, Extent, LlvmFunction, Value, bytes_of
from chainrule.engines.native.cuts import Cut
from chainrule.engines.native.kernels import Affine, Buffer, Instruction, Kernel, KernelBody, MemoryPlace, Scatter
from chainrule.engines.native.lowering import LOWERINGS, convert
from chainrule.graph import Shape


class Memory(Protocol):
    """Where buffers lie: what a step gives its kernels."""

    def address(self, buffer: Buffer) -> Value:
        """A pointer to the buffer's first entry."""
        ...

    def tag(self, buffer: Buffer) -> str:
        """What tells LLVM that other buffers are elsewhere."""
        ...

    def scratch_tag(self) -> str:
        """The same for scratch memory."""
        ...

    def order(self) -> Value:
        """A pointer to the step's rows in the order (int64)."""
        ...

    def report_position(self, f: LlvmFunction, wrong: Value) -> None:
        """Notes that a position reached outside its axis."""
        ...


@dataclass
class Point:
    """Where a body is computed: the loops' indices, which loop runs along the lanes, how many, which of them count."""

    indices: list[Value]
    lane_loop: int = -1
    lanes: int = 1
    mask: Value | None = None

    def coefficient(self, at: Affine) -> int:
        """How far apart neighbouring lanes are."""
        return at[1 + self.lane_loop] if self.lane_loop >= 0 else 0


@dataclass
class Emitter:
    """Writes kernels into a function."""

    f: LlvmFunction
    memory: Memory
    vector_bytes: int
    fused: bool
    ahead: dict[tuple[int, int], Value] = field(default_factory=dict[tuple[int, int], Value])
    """Lines (body, number) that were computed before the loops that do not change them."""

    def multiply_add(self, x: Value, y: Value, z: Value) -> Value:
        """x·y + z, in one instruction where the processor has it."""
        return self.f.fma(x, y, z) if self.fused else self.f.binary("fadd", self.f.binary("fmul", x, y), z)

    @property
    def outside(self) -> int:
        """What lanes outside a mask hold: 1 where LLVM 22 sees through masked loads, takes 0 / 0 for 0, and drops the mask."""
        return 0 if self.vector_bytes == 64 else 1

    # ---- bodies

    def prepare(self, body: KernelBody, point: Point) -> None:
        """Computes ahead of the loops inside what depends on the point's own loops only."""
        values: list[Value | None] = []
        loops = len(point.indices)
        for number, line in enumerate(body.lines):
            known = [values[argument] for argument in line.arguments]
            steady = line.op not in {"core", "fetch"} and not any(any(at[1 + loops :]) for at in line.affine)
            ready = [value for value in known if value is not None]
            if not steady or len(ready) < len(known):
                values.append(None)
                continue
            found = self._line(line.moved(lambda at: at[: 1 + loops]), point, ready, (), direct=True)
            values.append(found)
            if line.op != "constant":
                self.ahead[id(body), number] = found

    def body(self, body: KernelBody, point: Point, core: Sequence[Value] = ()) -> list[Value]:
        """All lines at a point, then the stores; the lines' values."""
        values = self.lines(body, point, core)
        self.stores(body, point, values)
        return values

    def lines(self, body: KernelBody, point: Point, core: Sequence[Value] = ()) -> list[Value]:
        """The values of all lines at a point."""
        values: list[Value] = []
        for number, line in enumerate(body.lines):
            ahead = self.ahead.get((id(body), number))
            values.append(self._line(line, point, values, core) if ahead is None else ahead)
        return values

    def stores(self, body: KernelBody, point: Point, values: list[Value]) -> None:
        """Writes what is to be stored of them."""
        for store in body.stores:
            self.store(store.place, values[store.value], point)

    def _line(
        self, line: Instruction, point: Point, values: list[Value], core: Sequence[Value], *, direct: bool = False
    ) -> Value:
        """A line's value; its arguments are taken from `values` by their numbers, or, if `direct`, in order."""
        f = self.f
        match line.op:
            case "core":
                return core[int(line.attributes.get("number", 0))]
            case "load":
                return self.load(_placed(line), point)
            case "constant":
                value = line.attributes["value"]
                return value if isinstance(value, Value) else f.constant(ELEMENTS[line.dtype], 1, value)
            case "index":
                return self._index(line.attributes["at"], point)
            case "fetch":
                return self._fetch(line, point, values[line.arguments[0]])
            case _:
                arguments = values if direct else [values[number] for number in line.arguments]
                # What is the same in all lanes stays a number until it meets a vector.
                lanes = max(argument.lanes for argument in arguments)
                return LOWERINGS[line.op](f, line, [f.splat(argument, lanes) for argument in arguments])

    def number(self, at: Affine, point: Point) -> Value:
        """constant + Σ coefficient · loop, for the first lane."""
        f = self.f
        total = f.index(at[0])
        for coefficient, index in zip(at[1:], point.indices, strict=True):
            if coefficient:
                total = f.binary("add", f.binary("mul", index, f.index(coefficient)), total)
        return total

    def _steps(self, at: Affine, point: Point) -> Value:
        """How far each lane is from the first."""
        return self.f.vector("i64", [lane * point.coefficient(at) for lane in range(point.lanes)])

    def _index(self, at: Affine, point: Point) -> Value:
        first = self.number(at, point)
        if not point.coefficient(at) or point.lanes == 1:
            return first
        return self.f.binary("add", self.f.splat(first, point.lanes), self._steps(at, point))

    def pointer(self, place: MemoryPlace, point: Point) -> Value:
        """The address of the first lane's entry."""
        f, size = self.f, bytes_of(ELEMENTS[place.buffer.type.dtype])
        base = self.memory.address(place.buffer)
        if place.row is not None:
            row = self._row(place.row, replace(point, lane_loop=-1, lanes=1))
            base = f.offset(base, row, size * prod(place.buffer.type.shape[1:]))
        return f.offset(base, self.number(place.at, point), size)

    def _row(self, row: Affine, point: Point) -> Value:
        """The table's row that the order names, or one in each lane."""
        f = self.f
        start = f.offset(self.memory.order(), self.number(row, point), 8)
        coefficient = point.coefficient(row)
        if point.lanes > 1 and coefficient > 1:
            return self.gather("i64", start, self._steps(row, point), 8, point.mask, "")
        return f.load("i64", point.lanes if coefficient else 1, start, point.mask if coefficient else None)

    def load(self, place: MemoryPlace, point: Point, outside: int | None = None) -> Value:
        """The entries at a place: one vector, or a number where all lanes have the same."""
        f, dtype = self.f, place.buffer.type.dtype
        element = "i8" if dtype == "bool" else ELEMENTS[dtype]
        tag, apart = self.memory.tag(place.buffer), point.coefficient(place.at)
        outside = self.outside if outside is None else outside
        if place.row is not None and point.coefficient(place.row) and point.lanes > 1:
            size = bytes_of(element)
            base = f.offset(self.memory.address(place.buffer), self.number(place.at, point), size)
            row_size = prod(place.buffer.type.shape[1:])
            rows = self._row(place.row, point)
            places = f.binary("mul", rows, f.like(rows, row_size)) if row_size != 1 else rows
            if apart:
                places = f.binary("add", places, self._steps(place.at, point))
            loaded = self.gather(element, base, places, size, point.mask, tag)
        elif point.lanes == 1 or not apart:
            loaded = f.load(element, 1, self.pointer(place, point), None, tag)
        elif apart == 1:
            loaded = f.load(element, point.lanes, self.pointer(place, point), point.mask, tag, outside)
        else:
            steps = self._steps(place.at, point)
            loaded = self.gather(element, self.pointer(place, point), steps, bytes_of(element), point.mask, tag)
        return f.compare("ne", loaded, f.like(loaded, 0)) if dtype == "bool" else loaded

    def gather(self, element: str, base: Value, places: Value, size: int, mask: Value | None, tag: str) -> Value:
        """One number for each lane, from base + place · size."""
        f, lanes = self.f, places.lanes
        offsets = f.binary("mul", places, f.like(places, size)) if size != 1 else places
        pointers = f.emit("ptr", lanes, f"getelementptr inbounds i8, {base}, {offsets}")
        kept = mask or f.constant("i1", lanes, 1)
        kind = Value(element, lanes, "").type
        name = f"llvm.masked.gather.v{lanes}{_short(element)}.v{lanes}p0"
        f.declarations.add(f"declare {kind} @{name}(<{lanes} x ptr>, i32, <{lanes} x i1>, {kind})")
        align = bytes_of(element)
        return f.emit(element, lanes, f"call {kind} @{name}({pointers}, i32 {align}, {kept}, {kind} zeroinitializer){tag}")

    def _fetch(self, line: Instruction, point: Point, position: Value) -> Value:
        f, place = self.f, _placed(line)
        inside = self.checked(convert(f, position, line.attributes["from"], "int64"), line.attributes["extent"], point)
        stride = line.attributes["stride"]
        element = "i8" if line.dtype == "bool" else ELEMENTS[line.dtype]
        tag, size = self.memory.tag(place.buffer), bytes_of(element)
        if inside.lanes == 1:
            moved = f.offset(self.memory.address(place.buffer), f.binary("mul", inside, f.index(stride)), size)
            start = f.offset(moved, self.number(place.at, point), size)
            apart = point.coefficient(place.at)
            if point.lanes == 1 or not apart:
                loaded = f.load(element, 1, start, None, tag)
            elif apart == 1:
                loaded = f.load(element, point.lanes, start, point.mask, tag)
            else:
                loaded = self.gather(element, start, self._steps(place.at, point), size, point.mask, tag)
        else:
            places = f.binary("mul", inside, f.like(inside, stride))
            places = f.binary("add", places, self._steps(place.at, point))
            loaded = self.gather(element, self.pointer(place, point), places, size, point.mask, tag)
        return f.compare("ne", loaded, f.like(loaded, 0)) if line.dtype == "bool" else loaded

    def checked(self, position: Value, extent: int, point: Point) -> Value:
        """The position, or 0 where it reaches outside its axis, which is reported."""
        f = self.f
        wrong = f.compare("uge", position, f.like(position, extent))
        if wrong.lanes > 1:
            counted = wrong if point.mask is None else f.binary("and", wrong, point.mask)
            bits = f.convert_bits(counted)
            any_wrong = f.compare("ne", bits, f.like(bits, 0))
        else:
            any_wrong = wrong
        self.memory.report_position(f, any_wrong)
        return f.select(wrong, f.like(position, 0), position)

    def store(self, place: MemoryPlace, value: Value, point: Point, pointer: Value | None = None) -> None:
        """Writes a value's lanes to a place."""
        f = self.f
        if value.element == "i1":
            value = f.convert("zext", value, "i8")
        value = f.splat(value, point.lanes)
        at, tag = pointer or self.pointer(place, point), self.memory.tag(place.buffer)
        apart = point.coefficient(place.at)
        if point.lanes == 1 or apart == 1:
            f.store(value, at, point.mask, tag)
            return
        offsets = f.vector("i64", [lane * apart * bytes_of(value.element) for lane in range(point.lanes)])
        pointers = f.emit("ptr", point.lanes, f"getelementptr inbounds i8, {at}, {offsets}")
        kept = point.mask or f.constant("i1", point.lanes, 1)
        name = f"llvm.masked.scatter.v{point.lanes}{_short(value.element)}.v{point.lanes}p0"
        f.declarations.add(f"declare void @{name}({value.type}, <{point.lanes} x ptr>, i32, <{point.lanes} x i1>)")
        f.perform(f"call void @{name}({value}, {pointers}, i32 {bytes_of(value.element)}, {kept}){tag}")

    # ---- loops

    def blocks(self, extent: int, lanes: int, write: Callable[[Value, Value | None], None]) -> None:
        """A loop over full vectors, then the rest under a mask; of an extent that is given one loop, all under masks."""
        if isinstance(extent, Extent):
            with self.f.loop(0, extent, lanes) as loop:
                write(loop.index, self.mask_of_turn(extent, loop.index, lanes))
            return
        full = extent // lanes * lanes
        if full:
            with self.f.loop(0, full, lanes) as loop:
                write(loop.index, None)
        if full < extent:
            write(self.f.index(full), self.mask(extent - full, lanes))

    def mask(self, count: int, lanes: int) -> Value:
        """The first `count` lanes."""
        return self.f.vector("i1", [lane < count for lane in range(lanes)])

    def mask_of_turn(self, extent: Extent, index: Value, lanes: int) -> Value | None:
        """The lanes of a turn that count."""
        if lanes == 1:
            return None
        left = self.f.convert("trunc", self.f.binary("sub", extent.value, index), "i32")
        return self.f.compare("slt", self.f.iota("i32", lanes), self.f.splat(left, lanes))

    def map(self, kernel: Kernel, cut: Cut, first: tuple[Value, Value] | None = None) -> None:
        """A kernel without a core. `first`: limits of the first loop, where only a part is to be done."""
        extents = kernel.extents
        if not extents:
            self.body(kernel.body, Point([]))
            return
        lanes = cut.lanes
        self.prepare(kernel.body, Point([]))
        with ExitStack() as stack:
            outer = self.nest(stack, extents[:-1], first)

            def write(index: Value, mask: Value | None) -> None:
                self.body(kernel.body, Point([*outer, index], len(extents) - 1, lanes, mask))

            self.blocks(extents[-1], lanes, write)

    def nest(self, stack: ExitStack, extents: Shape, first: tuple[Value, Value] | None = None) -> list[Value]:
        """Opens a loop for each extent; their indices."""
        indices: list[Value] = []
        for number, extent in enumerate(extents):
            limits = first if first is not None and number == 0 else (0, extent)
            indices.append(stack.enter_context(self.f.loop(*limits)).index)
        return indices

    # ---- scatter

    def scatter(self, kernel: Kernel, core: Scatter, cut: Cut, first: tuple[Value, Value] | None = None) -> None:
        """Additions in the order of the loops, one after the other; along the last loop together where they never meet."""
        f, (store,) = self.f, kernel.body.stores
        extents = kernel.extents
        last = len(extents) - 1
        steady = core.position is None or not _depends_on_last(kernel.body, core.position)
        apart = bool(extents) and store.place.at[-1] == 1 and steady
        lanes = cut.lanes if apart else 1
        body = KernelBody(kernel.body.lines, [])

        def write(indices: list[Value], mask: Value | None) -> None:
            point = Point(indices, last if lanes > 1 else -1, lanes, mask)
            values = self.body(body, point)
            moved = self.pointer(store.place, point)
            if core.position is not None:
                kind = kernel.body.lines[core.position].dtype
                position = self.checked(convert(f, values[core.position], kind, "int64"), core.extent, Point(indices))
                size = bytes_of(ELEMENTS[store.place.buffer.type.dtype])
                moved = f.offset(moved, f.binary("mul", position, f.index(core.stride)), size)
            tag = self.memory.tag(store.place.buffer)
            value = f.splat(values[store.value], lanes)
            old = f.load(value.element, lanes, moved, mask, tag)
            f.store(f.binary("fadd" if value.is_float else "add", old, value), moved, mask, tag)

        with ExitStack() as stack:
            if not apart:
                write(self.nest(stack, extents, first), None)
                return
            outer = self.nest(stack, extents[:-1], first)
            self.blocks(extents[-1], lanes, lambda index, mask: write([*outer, index], mask))


def _depends_on_last(body: KernelBody, number: int) -> bool:
    """Whether a line's value changes along the last loop."""
    line = body.lines[number]
    return any(at[-1] for at in line.affine) or any(_depends_on_last(body, argument) for argument in line.arguments)


def _placed(line: Instruction) -> MemoryPlace:
    if line.place is None:
        raise AssertionError(f"{line.op} without a place")
    return line.place


def _short(element: str) -> str:
    return {"float": "f32", "double": "f64"}.get(element, element)
