"""Reductions → loops that carry partial results: over the lanes, or one to each lane; several results from one pass.

A long sum is dealt into four chains, for an addition takes about four cycles until the next can follow, and these are put together at the
end; so the order of all additions follows from the extents alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

from chainrule.engines.native.builder import ELEMENTS, Extent, LlvmFunction, Value, bytes_of
from chainrule.engines.native.cuts import Cut, is_simple, ways
from chainrule.engines.native.kernels import Kernel, Reduction
from chainrule.engines.native.loops import Emitter, Point
from chainrule.engines.native.lowering import UNSIGNED, larger, smaller
from chainrule.graph import Shape

STRAIGHT = 4
"""Turns up to which a reduction's innermost loop is written out."""
Partial: TypeAlias = list[list[Value]]
"""The partial result of each of a kernel's reductions: a value, and for argmax its position."""


@dataclass
class ReductionWriter:
    """Writes one kernel around a reduction into a function."""

    emitter: Emitter
    kernel: Kernel
    core: Reduction
    cut: Cut

    @property
    def f(self) -> LlvmFunction:
        """The function that is being written."""
        return self.emitter.f

    def write(self, first: tuple[Value, Value] | None = None) -> None:
        """The whole kernel, or the part of it between limits of the outermost loop."""
        emitter, core = self.emitter, self.core
        kept, reduced = self.kernel.extents, core.extents
        if core.along or not kept:
            with ExitStack() as stack:
                outer = emitter.nest(stack, kept, first)
                emitter.prepare(core.body, Point(outer))
                emitter.body(self.kernel.body, Point(outer), self._along(outer, reduced))
            return
        lanes = self.cut.lanes
        with ExitStack() as stack:
            outer = emitter.nest(stack, kept[:-1], first)

            def write(index: Value, mask: Value | None) -> None:
                point = Point([*outer, index], len(kept) - 1, lanes, mask)
                emitter.prepare(core.body, point)
                emitter.body(self.kernel.body, point, self._across(point, reduced))

            emitter.blocks(kept[-1], lanes, write)

    def _start(self, lanes: int) -> Partial:
        """What reductions start from: nothing for a sum, the lowest number for a maximum."""
        return [self._neutral(result.op, self.core.dtype(number), lanes) for number, result in enumerate(self.core.results)]

    def _neutral(self, op: str, dtype: str, lanes: int) -> list[Value]:
        f, element = self.f, ELEMENTS[dtype]
        if op == "reduce_sum":
            return [f.constant(element, lanes, 0)]
        is_float = dtype.startswith("float")
        lowest: float = -float("inf") if is_float else _lowest(dtype)
        highest: float = float("inf") if is_float else _highest(dtype)
        start = f.constant(element, lanes, highest if op == "reduce_min" else lowest)
        return [start, f.constant("i32", lanes, 0)] if op == "argmax" else [start]

    def _combine(self, x: Partial, y: Partial, *, ties: bool = False) -> Partial:
        """Two partial results of each reduction as one. `ties`: equal largest entries go by their position."""
        return [
            self._combine_one(result.op, self.core.dtype(number), x[number], y[number], ties=ties)
            for number, result in enumerate(self.core.results)
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

    def _entry(self, point: Point, start: Partial) -> Partial:
        """The inner body at a point, as partial results."""
        values = self.emitter.body(self.core.body, point)
        return [
            self._entry_of(result.op, self.f.splat(values[result.value], point.lanes), point, start[number])
            for number, result in enumerate(self.core.results)
        ]

    def _entry_of(self, op: str, value: Value, point: Point, start: list[Value]) -> list[Value]:
        f = self.f
        if point.mask is not None and self.core.along:
            value = f.select(point.mask, value, start[0])
        if op != "argmax":
            return [value]
        number = f.convert("trunc", point.indices[-1], "i32") if self.core.extents else f.constant("i32", 1, 0)
        place = f.splat(number, point.lanes)
        if self.core.along and point.lanes > 1:
            place = f.binary("add", place, f.iota("i32", point.lanes))
        return [value, place]

    def _finish(self, found: Partial) -> list[Value]:
        return [
            self.f.convert("sext", part[1], "i64") if result.op == "argmax" else part[0]
            for result, part in zip(self.core.results, found, strict=True)
        ]

    def _across(self, point: Point, reduced: Shape) -> list[Value]:
        """The results in each lane."""
        start = self._start(point.lanes)
        if _is_empty(reduced):
            return self._finish(start)

        def entry(indices: list[Value]) -> Partial:
            return self._entry(replace(point, indices=[*point.indices, *indices]), start)

        return self._finish(self._accumulate(start, reduced, 1, entry))

    def _along(self, outer: list[Value], reduced: Shape) -> list[Value]:
        """Partial results in the lanes, then one number of each."""
        if _is_empty(reduced) or not reduced:
            start = self._start(1)
            found = start if reduced else self._combine(start, self._entry(Point(outer), start))
            return self._finish(found)
        lanes = self.cut.lanes
        start = self._start(lanes)
        loops = len(outer) + len(reduced)

        def entry(indices: list[Value], mask: Value | None = None) -> Partial:
            return self._entry(Point([*outer, *indices], loops - 1, lanes, mask), start)

        if isinstance(reduced[-1], Extent):
            return self._finish(self._horizontal(self._along_given(start, reduced[-1], entry)))
        full = reduced[-1] // lanes * lanes
        result = self._accumulate(start, (*reduced[:-1], full), lanes, entry) if full else start
        if full < reduced[-1]:
            mask = self.emitter.mask(reduced[-1] - full, lanes)

            def rest(indices: list[Value]) -> Partial:
                return entry([*indices, self.f.index(full)], mask)

            result = self._accumulate(result, reduced[:-1], 1, rest)
        return self._finish(self._horizontal(result))

    def _accumulate(self, start: Partial, extents: Shape, step: int, entry: Callable[[list[Value]], Partial]) -> Partial:
        """The nest of reduced loops with the partial results carried through it; the innermost is dealt into ways."""
        f = self.f
        if not extents:
            return self._combine(start, entry([]))
        last = extents[-1]
        turns = 0 if isinstance(last, Extent) else last // step
        chains = self.cut.ways if isinstance(last, Extent) else ways(self.core, turns)

        def level(number: int, indices: list[Value], parts: list[Partial]) -> list[Partial]:
            if number < len(extents) - 1:
                with f.loop(0, extents[number], 1, _flat(parts)) as loop:
                    loop.following = _flat(level(number + 1, [*indices, loop.index], _shaped(loop.carried, parts)))
                return _shaped(loop.results, parts)
            if isinstance(last, Extent):
                return self._dealt_given(parts, last, step, lambda index: entry([*indices, index]))
            if turns <= STRAIGHT and is_simple(self.core):
                now, dealt = parts, 0
            else:
                dealt = turns // chains * chains * step
                with f.loop(0, dealt, step * chains, _flat(parts)) as loop:
                    now = _shaped(loop.carried, parts)
                    for way in range(chains):
                        found = entry([*indices, f.binary("add", loop.index, f.index(way * step))])
                        now[way] = self._combine(now[way], found)
                    loop.following = _flat(now)
                now = _shaped(loop.results, parts)
            for turn in range(dealt, turns * step, step):
                now[0] = self._combine(now[0], entry([*indices, f.index(turn)]))
            return now

        lanes = start[0][0].lanes
        parts = level(0, [], [start, *(self._start(lanes) for _ in range(chains - 1))])
        while len(parts) > 1:
            parts = [self._combine(x, y, ties=True) for x, y in zip(parts[::2], parts[1::2], strict=True)]
        return parts[0]

    def _dealt_given(self, parts: list[Partial], extent: Extent, step: int, entry: Callable[[Value], Partial]) -> list[Partial]:
        """The innermost loop of an extent that is given, dealt into as many chains as there are parts; what is left goes to the first.

        The chains stand in memory, so that the inner body is written once.
        """
        f, whole = self.f, self.f.multiple(extent, step)
        if len(parts) == 1:
            return self._carried_on(parts, f.index(0), whole, step, entry)
        values = _flat(parts[:1])
        size = [value.lanes * bytes_of(value.element) for value in values]
        chains = [f.stack_memory(f"[{len(parts)} x {value.type}]") for value in values]
        for way, part in enumerate(parts):
            for memory, value, each in zip(chains, _flat([part]), size, strict=True):
                f.store(value, f.offset(memory, f.index(way), each))
        dealt = f.multiple(extent, step * len(parts))
        with f.loop(0, whole, step) as loop:
            way = f.binary("and", f.binary("udiv", loop.index, f.index(step)), f.index(len(parts) - 1))
            way = f.select(f.compare("slt", loop.index, dealt), way, f.index(0))
            places = [f.offset(memory, way, each) for memory, each in zip(chains, size, strict=True)]
            old = [f.load(value.element, value.lanes, place) for value, place in zip(values, places, strict=True)]
            for value, place in zip(_flat([self._combine(_shaped(old, parts[:1])[0], entry(loop.index))]), places, strict=True):
                f.store(value, place)
        found = [
            f.load(value.element, value.lanes, f.offset(memory, f.index(way), each))
            for way in range(len(parts))
            for memory, value, each in zip(chains, values, size, strict=True)
        ]
        return _shaped(found, parts)

    def _carried_on(
        self, parts: list[Partial], start: Value, stop: int | Value, step: int, entry: Callable[[Value], Partial]
    ) -> list[Partial]:
        """A single chain that goes on from `start`, if anything is left."""
        with self.f.loop(start, stop, step, _flat(parts), may_be_empty=True) as loop:
            loop.following = _flat([self._combine(_shaped(loop.carried, parts)[0], entry(loop.index))])
        return _shaped(loop.results, parts)

    def _along_given(self, start: Partial, extent: Extent, entry: Callable[[list[Value], Value | None], Partial]) -> Partial:
        """Lanes' partial results over an extent that is given: full vectors where they are dealt out, then the rest under masks."""
        f, lanes = self.f, self.cut.lanes
        result, first = start, f.index(0)
        if self.cut.ways > 1:
            result = self._accumulate(start, (extent,), lanes, lambda at: entry(at, None))
            first = f.multiple(extent, lanes)
        if lanes == 1 and self.cut.ways > 1:
            return result
        masked = partial(self.emitter.mask_of_turn, extent, lanes=lanes)
        return self._carried_on([result], first, extent, lanes, lambda index: entry([index], masked(index)))[0]

    def _horizontal(self, found: Partial) -> Partial:
        """The lanes' partial results as one, by halves."""
        f = self.f
        while found[0][0].lanes > 1:
            half = found[0][0].lanes // 2
            low = [[f.part(value, range(half)) for value in part] for part in found]
            high = [[f.part(value, range(half, 2 * half)) for value in part] for part in found]
            found = self._combine(low, high, ties=True)
        return found


def _is_empty(extents: Shape) -> bool:
    """Whether there is nothing to reduce."""
    return any(not isinstance(extent, Extent) and extent == 0 for extent in extents)


def _flat(parts: list[Partial]) -> list[Value]:
    """All values, one behind the other: what a loop carries."""
    return [value for part in parts for values in part for value in values]


def _shaped(values: Sequence[Value], like: list[Partial]) -> list[Partial]:
    """The values as partial results again."""
    rest = iter(values)
    return [[[next(rest) for _ in values] for values in part] for part in like]


def _lowest(dtype: str) -> int:
    return 0 if dtype in UNSIGNED else -(2 ** (8 * bytes_of(ELEMENTS[dtype]) - 1))


def _highest(dtype: str) -> int:
    bits = 8 * bytes_of(ELEMENTS[dtype])
    return 2 ** (bits if dtype in UNSIGNED else bits - 1) - 1
