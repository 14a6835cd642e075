"""Kernels → loops of vector code: maps, reductions and scatters; matrix products have their own file.

The last loop, or the last reduced one, runs along the lanes of vectors; what does not fill a vector is masked, never padded, so
that nothing outside a buffer is touched. How work is cut follows from the extents alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from math import prod
from typing import Protocol, TypeAlias

from chainrule.engines.native.builder import ELEMENTS, Function, Value, bytes_of
from chainrule.engines.native.grouping import EXPENSIVE
from chainrule.engines.native.kernels import Affine, Body, Buffer, Kernel, Line, Place, Reduction, Scatter, Store
from chainrule.engines.native.lowering import LOWERINGS, UNSIGNED, convert, larger, smaller
from chainrule.graph import Shape

WAYS = 4
"""Over how many accumulators a long sum is dealt out: an addition takes about four cycles until the next can follow."""


STRAIGHT = 4
"""Turns up to which a reduction's innermost loop is written out."""
MOST_LINES = 16
"""Lines of an inner body up to which it is written once for each of these ways."""
Partial: TypeAlias = list[list[Value]]
"""The partial result of each of a kernel's reductions: a value, and for argmax its position."""


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

    def report_position(self, f: Function, wrong: Value) -> None:
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

    f: Function
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

    def prepare(self, body: Body, point: Point) -> None:
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
            found = self._line(_within(line, loops), point, ready, (), direct=True)
            values.append(found)
            if line.op != "constant":
                self.ahead[id(body), number] = found

    def body(self, body: Body, point: Point, core: Sequence[Value] = ()) -> list[Value]:
        """All lines at a point, then the stores; the lines' values."""
        values = self.lines(body, point, core)
        self.stores(body, point, values)
        return values

    def lines(self, body: Body, point: Point, core: Sequence[Value] = ()) -> list[Value]:
        """The values of all lines at a point."""
        values: list[Value] = []
        for number, line in enumerate(body.lines):
            ahead = self.ahead.get((id(body), number))
            values.append(self._line(line, point, values, core) if ahead is None else ahead)
        return values

    def stores(self, body: Body, point: Point, values: list[Value]) -> None:
        """Writes what is to be stored of them."""
        for store in body.stores:
            self.store(store.place, values[store.value], point)

    def _line(self, line: Line, point: Point, values: list[Value], core: Sequence[Value], *, direct: bool = False) -> Value:
        """A line's value; its arguments are taken from `values` by their numbers, or, if `direct`, in order."""
        f = self.f
        match line.op:
            case "core":
                return core[int(line.attributes.get("number", 0))]
            case "load":
                return self.load(_placed(line), point)
            case "constant":
                return f.constant(ELEMENTS[line.dtype], 1, line.attributes["value"])
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

    def pointer(self, place: Place, point: Point) -> Value:
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

    def load(self, place: Place, point: Point, outside: int | None = None) -> Value:
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
        f.declarations.add(f"declare {kind} @{name}(<{lanes} x ptr>, <{lanes} x i1>, {kind})")
        return f.emit(
            element, lanes, f"call {kind} @{name}({_aligned(pointers, element)}, {kept}, {kind} zeroinitializer){tag}"
        )

    def _fetch(self, line: Line, point: Point, position: Value) -> Value:
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

    def store(self, place: Place, value: Value, point: Point, pointer: Value | None = None) -> None:
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
        f.declarations.add(f"declare void @{name}({value.type}, <{point.lanes} x ptr>, <{point.lanes} x i1>)")
        f.perform(f"call void @{name}({value}, {_aligned(pointers, value.element)}, {kept}){tag}")

    # ---- loops

    def blocks(self, extent: int, lanes: int, write: Callable[[Value, Value | None], None]) -> None:
        """A loop over full vectors, then the rest under a mask."""
        full = extent // lanes * lanes
        if full:
            with self.f.loop(0, full, lanes) as loop:
                write(loop.index, None)
        if full < extent:
            write(self.f.index(full), self.mask(extent - full, lanes))

    def mask(self, count: int, lanes: int) -> Value:
        """The first `count` lanes."""
        return self.f.vector("i1", [lane < count for lane in range(lanes)])

    def lanes_for(self, bodies: Sequence[Body], extent: int) -> int:
        """How many lanes: the machine's width for the widest floats, no more than the next power of two that holds the loop."""
        dtypes = [line.dtype for body in bodies for line in body.lines]
        floats = [8 if dtype == "float64" else 4 for dtype in dtypes if dtype.startswith("float")]
        size = max(floats, default=max((bytes_of(ELEMENTS[dtype]) for dtype in dtypes), default=8))
        return min(self.vector_bytes // size, 1 << max(extent - 1, 0).bit_length())

    def map(self, kernel: Kernel, first: tuple[Value, Value] | None = None) -> None:
        """A kernel without a core. `first`: limits of the first loop, where only a part is to be done."""
        extents = kernel.extents
        if not extents:
            self.body(kernel.body, Point([]))
            return
        lanes = self.lanes_for([kernel.body], extents[-1])
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

    # ---- reductions

    def reduction(self, kernel: Kernel, core: Reduction, first: tuple[Value, Value] | None = None) -> None:
        """A kernel around a reduction."""
        kept, reduced = kernel.extents, core.extents
        if core.along or not kept:
            with ExitStack() as stack:
                outer = self.nest(stack, kept, first)
                self.prepare(core.body, Point(outer))
                result = self._along(core, outer, reduced)
                self.body(kernel.body, Point(outer), result)
            return
        lanes = self.lanes_for([core.body, kernel.body], kept[-1])
        with ExitStack() as stack:
            outer = self.nest(stack, kept[:-1], first)

            def write(index: Value, mask: Value | None) -> None:
                point = Point([*outer, index], len(kept) - 1, lanes, mask)
                self.prepare(core.body, point)
                self.body(kernel.body, point, self._across(core, point, reduced))

            self.blocks(kept[-1], lanes, write)

    def _start(self, core: Reduction, lanes: int) -> Partial:
        """What reductions start from: nothing for a sum, the lowest number for a maximum."""
        return [self._neutral(result.op, core.dtype(number), lanes) for number, result in enumerate(core.results)]

    def _neutral(self, op: str, dtype: str, lanes: int) -> list[Value]:
        f, element = self.f, ELEMENTS[dtype]
        if op == "reduce_sum":
            return [f.constant(element, lanes, 0)]
        is_float = dtype.startswith("float")
        lowest: float = -float("inf") if is_float else _lowest(dtype)
        highest: float = float("inf") if is_float else _highest(dtype)
        start = f.constant(element, lanes, highest if op == "reduce_min" else lowest)
        return [start, f.constant("i32", lanes, 0)] if op == "argmax" else [start]

    def _combine(self, core: Reduction, x: Partial, y: Partial, *, ties: bool = False) -> Partial:
        """Two partial results of each reduction as one. `ties`: equal largest entries go by their position."""
        return [
            self._combine_one(result.op, core.dtype(number), x[number], y[number], ties=ties)
            for number, result in enumerate(core.results)
        ]

    def _combine_one(self, op: str, dtype: str, x: list[Value], y: list[Value], *, ties: bool) -> list[Value]:
        f = self.f
        if op == "reduce_sum":
            return [f.binary("fadd" if x[0].is_float else "add", x[0], y[0])]
        if op == "reduce_max":
            return [larger(f, dtype, x[0], y[0])]
        if op == "reduce_min":
            return [smaller(f, dtype, x[0], y[0])]
        better, same = self._beats(dtype, x[0], y[0])
        if ties:
            better = f.binary("or", better, f.binary("and", same, f.compare("slt", y[1], x[1])))
        return [f.select(better, y[0], x[0]), f.select(better, y[1], x[1])]

    def _beats(self, dtype: str, x: Value, y: Value) -> tuple[Value, Value]:
        """Whether y is larger than x, and whether they are the same; NaN is larger than any number."""
        f = self.f
        if not x.is_float:
            return f.compare("ugt" if dtype in UNSIGNED else "sgt", y, x), f.compare("eq", y, x)
        x_nan, y_nan = f.compare("uno", x, x), f.compare("uno", y, y)
        only_y = f.binary("and", y_nan, f.binary("xor", x_nan, f.like(x_nan, 1)))
        same = f.binary("or", f.compare("oeq", x, y), f.binary("and", x_nan, y_nan))
        return f.binary("or", f.compare("ogt", y, x), only_y), same

    def _entry(self, core: Reduction, point: Point, start: Partial) -> Partial:
        """The inner body at a point, as partial results."""
        values = self.body(core.body, point)
        return [
            self._entry_of(core, result.op, self.f.splat(values[result.value], point.lanes), point, start[number])
            for number, result in enumerate(core.results)
        ]

    def _entry_of(self, core: Reduction, op: str, value: Value, point: Point, start: list[Value]) -> list[Value]:
        f = self.f
        if point.mask is not None and core.along:
            value = f.select(point.mask, value, start[0])
        if op != "argmax":
            return [value]
        number = f.convert("trunc", point.indices[-1], "i32") if core.extents else f.constant("i32", 1, 0)
        place = f.splat(number, point.lanes)
        if core.along and point.lanes > 1:
            place = f.binary("add", place, f.iota("i32", point.lanes))
        return [value, place]

    def _finish(self, core: Reduction, found: Partial) -> list[Value]:
        return [
            self.f.convert("sext", part[1], "i64") if result.op == "argmax" else part[0]
            for result, part in zip(core.results, found, strict=True)
        ]

    def _ways(self, core: Reduction, turns: int) -> int:
        """Into how many chains the innermost loop is dealt."""
        sums = all(result.op == "reduce_sum" for result in core.results)
        return WAYS if sums and self._is_simple(core) and turns >= 2 * WAYS else 1

    def _is_simple(self, core: Reduction) -> bool:
        """Whether the inner body is short enough to be written several times."""
        return len(core.body.lines) <= MOST_LINES and not any(line.op in EXPENSIVE for line in core.body.lines)

    def _across(self, core: Reduction, point: Point, reduced: Shape) -> list[Value]:
        """The results in each lane."""
        start = self._start(core, point.lanes)
        if 0 in reduced:
            return self._finish(core, start)

        def entry(indices: list[Value]) -> Partial:
            return self._entry(core, replace(point, indices=[*point.indices, *indices]), start)

        return self._finish(core, self._accumulate(core, start, reduced, 1, entry))

    def _along(self, core: Reduction, outer: list[Value], reduced: Shape) -> list[Value]:
        """Partial results in the lanes, then one number of each."""
        if 0 in reduced or not reduced:
            start = self._start(core, 1)
            found = start if 0 in reduced else self._combine(core, start, self._entry(core, Point(outer), start))
            return self._finish(core, found)
        lanes = self.lanes_for([core.body], reduced[-1])
        start = self._start(core, lanes)
        loops = len(outer) + len(reduced)

        def entry(indices: list[Value], mask: Value | None = None) -> Partial:
            return self._entry(core, Point([*outer, *indices], loops - 1, lanes, mask), start)

        full = reduced[-1] // lanes * lanes
        result = self._accumulate(core, start, (*reduced[:-1], full), lanes, entry) if full else start
        if full < reduced[-1]:
            mask = self.mask(reduced[-1] - full, lanes)

            def rest(indices: list[Value]) -> Partial:
                return entry([*indices, self.f.index(full)], mask)

            result = self._accumulate(core, result, reduced[:-1], 1, rest)
        return self._finish(core, self._horizontal(core, result))

    def _accumulate(
        self, core: Reduction, start: Partial, extents: Shape, step: int, entry: Callable[[list[Value]], Partial]
    ) -> Partial:
        """The nest of reduced loops with the partial results carried through it; the innermost is dealt into ways."""
        f = self.f
        if not extents:
            return self._combine(core, start, entry([]))
        turns = extents[-1] // step
        ways = self._ways(core, turns)

        def level(number: int, indices: list[Value], parts: list[Partial]) -> list[Partial]:
            if number < len(extents) - 1:
                with f.loop(0, extents[number], 1, _flat(parts)) as loop:
                    loop.following = _flat(level(number + 1, [*indices, loop.index], _shaped(loop.carried, parts)))
                return _shaped(loop.results, parts)
            if turns <= STRAIGHT and self._is_simple(core):
                now, dealt = parts, 0
            else:
                dealt = turns // ways * ways * step
                with f.loop(0, dealt, step * ways, _flat(parts)) as loop:
                    now = _shaped(loop.carried, parts)
                    for way in range(ways):
                        found = entry([*indices, f.binary("add", loop.index, f.index(way * step))])
                        now[way] = self._combine(core, now[way], found)
                    loop.following = _flat(now)
                now = _shaped(loop.results, parts)
            for turn in range(dealt, turns * step, step):
                now[0] = self._combine(core, now[0], entry([*indices, f.index(turn)]))
            return now

        lanes = start[0][0].lanes
        parts = level(0, [], [start, *(self._start(core, lanes) for _ in range(ways - 1))])
        while len(parts) > 1:
            parts = [self._combine(core, x, y, ties=True) for x, y in zip(parts[::2], parts[1::2], strict=True)]
        return parts[0]

    def _horizontal(self, core: Reduction, partial: Partial) -> Partial:
        """The lanes' partial results as one, by halves."""
        f = self.f
        while partial[0][0].lanes > 1:
            half = partial[0][0].lanes // 2
            low = [[f.part(value, range(half)) for value in part] for part in partial]
            high = [[f.part(value, range(half, 2 * half)) for value in part] for part in partial]
            partial = self._combine(core, low, high, ties=True)
        return partial

    # ---- scatter

    def scatter(self, kernel: Kernel, core: Scatter) -> None:
        """Additions in the order of the loops, one after the other; along the last loop together where they never meet."""
        f, (store,) = self.f, kernel.body.stores
        extents = kernel.extents
        last = len(extents) - 1
        apart = bool(extents) and store.place.at[-1] == 1 and not _depends_on_last(kernel.body, core.position)
        lanes = self.lanes_for([kernel.body], extents[-1]) if apart else 1
        body = Body(kernel.body.lines, [])
        kind = kernel.body.lines[core.position].dtype

        def write(indices: list[Value], mask: Value | None) -> None:
            point = Point(indices, last if lanes > 1 else -1, lanes, mask)
            values = self.body(body, point)
            position = self.checked(convert(f, values[core.position], kind, "int64"), core.extent, Point(indices))
            size = bytes_of(ELEMENTS[store.place.buffer.type.dtype])
            moved = f.offset(self.pointer(store.place, point), f.binary("mul", position, f.index(core.stride)), size)
            tag = self.memory.tag(store.place.buffer)
            value = f.splat(values[store.value], lanes)
            old = f.load(value.element, lanes, moved, mask, tag)
            f.store(f.binary("fadd" if value.is_float else "add", old, value), moved, mask, tag)

        with ExitStack() as stack:
            if not apart:
                write(self.nest(stack, extents), None)
                return
            outer = self.nest(stack, extents[:-1])
            self.blocks(extents[-1], lanes, lambda index, mask: write([*outer, index], mask))


def _within(line: Line, loops: int) -> Line:
    """The line in a nest of so many loops, the others being without effect on it."""
    if line.place is not None:
        row = line.place.row
        cut = replace(line.place, at=line.place.at[: 1 + loops], row=None if row is None else row[: 1 + loops])
        return replace(line, place=cut)
    if line.op == "index":
        return replace(line, attributes={**line.attributes, "at": line.attributes["at"][: 1 + loops]})
    return line


def _flat(parts: list[Partial]) -> list[Value]:
    """All values, one behind the other: what a loop carries."""
    return [value for part in parts for values in part for value in values]


def _shaped(values: Sequence[Value], like: list[Partial]) -> list[Partial]:
    """The values as partial results again."""
    rest = iter(values)
    return [[[next(rest) for _ in values] for values in part] for part in like]


def _depends_on_last(body: Body, number: int) -> bool:
    """Whether a line's value changes along the last loop."""
    line = body.lines[number]
    return any(at[-1] for at in line.affine) or any(_depends_on_last(body, argument) for argument in line.arguments)


def collapsed(kernel: Kernel) -> Kernel:
    """The same kernel with neighbouring loops as one wherever every place runs through both without a gap."""
    if not isinstance(kernel.core, Reduction | None):
        return kernel
    kept = len(kernel.extents)
    reduced = kernel.core.extents if kernel.core else ()
    argmax = kernel.core is not None and any(result.op == "argmax" for result in kernel.core.results)
    loops = [*kernel.extents, *reduced]
    for first in range(len(loops) - 2, -1, -1):
        second = first + 1
        if second == kept or (argmax and first >= kept):
            continue
        numbers = [at for body in kernel.bodies for at in body.affine]
        if all(_seamless(at, first, loops[second]) for at in numbers):
            loops[first : second + 1] = [loops[first] * loops[second]]
            kernel = _without_loop(kernel, first, second < kept)
            kept -= second < kept
    core = replace(kernel.core, extents=tuple(loops[kept:])) if kernel.core else None
    return replace(kernel, extents=tuple(loops[:kept]), core=core)


def _seamless(at: Affine, first: int, extent: int) -> bool:
    outer = at[1 + first] if 1 + first < len(at) else 0
    inner = at[2 + first] if 2 + first < len(at) else 0
    return outer == inner * extent


def _without_loop(kernel: Kernel, first: int, in_body: bool) -> Kernel:
    """Drops the coefficient of a loop that is now part of the next one."""
    body = _shorter(kernel.body, first) if in_body else kernel.body
    core = replace(kernel.core, body=_shorter(kernel.core.body, first)) if isinstance(kernel.core, Reduction) else None
    return replace(kernel, body=body, core=core)


def _shorter(body: Body, loop: int) -> Body:
    def cut(at: Affine) -> Affine:
        return (*at[: 1 + loop], *at[2 + loop :])

    def moved(place: Place) -> Place:
        return replace(place, at=cut(place.at), row=None if place.row is None else cut(place.row))

    lines = [
        replace(
            line,
            place=moved(line.place) if line.place else None,
            attributes={**line.attributes, "at": cut(line.attributes["at"])} if line.op == "index" else line.attributes,
        )
        for line in body.lines
    ]
    return Body(lines, [Store(store.value, moved(store.place)) for store in body.stores])


def _placed(line: Line) -> Place:
    if line.place is None:
        raise AssertionError(f"{line.op} without a place")
    return line.place


def _aligned(pointers: Value, element: str) -> str:
    return f"{pointers.type} align {bytes_of(element)} {pointers.text}"


def _short(element: str) -> str:
    return {"float": "f32", "double": "f64"}.get(element, element)


def _lowest(dtype: str) -> int:
    return 0 if dtype in UNSIGNED else -(2 ** (8 * bytes_of(ELEMENTS[dtype]) - 1))


def _highest(dtype: str) -> int:
    bits = 8 * bytes_of(ELEMENTS[dtype])
    return 2 ** (bits if dtype in UNSIGNED else bits - 1) - 1
