"""Matrix products → register tiles: rows × vectors of accumulators, one pass over the inner extent, then the kernel's body.

For each tile of the result, R rows by V vectors, the loop over k loads V vectors of the right matrix and R numbers of the left
one, each spread over the lanes, and does R·V multiply-adds into registers; every entry of the result is so one chain over
k = 0, 1, ... in order, whatever the tile, so that a row gives the same bits alone and in any batch. Then the body (bias,
activation, update) is computed on the tile before it is written. A right matrix whose rows do not stand side by side, or which is
large, is first packed, a panel of V vectors at a time, into scratch memory in the order in which it is read. A long sum over a left
matrix whose entries for one row stand far apart goes by blocks of k, for several panels in turn: the block of that matrix is then in the
cache for all of them. Sums so far wait in scratch memory, to the bit, so that they are the same chains.

Source of the scheme: K. Goto, R. van de Geijn, "Anatomy of high-performance matrix multiplication", ACM TOMS 34 (2008).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import prod

from chainrule.engines.native.builder import ELEMENTS, Extent, LlvmFunction, Value, bytes_of
from chainrule.engines.native.kernels import Affine, Kernel, MemoryPlace, Product
from chainrule.engines.native.loops import Emitter, Point
from chainrule.engines.native.tiling import Tiling
from chainrule.engines.native.views import contiguous
from chainrule.graph import Shape
from chainrule.immutable import immutable

UNROLLED = 128
"""Multiply-adds of a tile up to which its loop over k is written out, or as many terms of it as a turn has."""
SEVERAL = 4
"""Terms of a turn, at most. Counting, and going back, were a sixth of the instructions of a tile of 6 × 2 vectors; with 8 terms LLVM takes
half as long again, and the step not a hundredth less."""
STREAMED = 32 * 1024
"""Bytes of a tile's rows from which on those of the next tile are asked for ahead: less finds its way by itself."""
INLINE_LINES = 8
"""Lines of a body up to which it is written once for each vector of the tile; a longer one is a loop over the tile's rows."""


@immutable
class _Terms:
    """The terms of a sum that a pass adds up: how many turns of its outermost loop, from which on, and whether they are the last."""

    count: int
    first: Value | None = None
    is_last: bool = True


@immutable
class _Operands:
    """Where a tile's terms are read: of the left matrix a number to each row, of the right one vectors, `wide_step` on at each k."""

    tall: Value
    tall_tag: str
    rows: tuple[Value, ...]
    wide: Value
    wide_tag: str
    masks: tuple[Value | None, ...]
    wide_step: int


@dataclass
class ProductWriter:
    """Writes one product into a function."""

    emitter: Emitter
    kernel: Kernel
    core: Product
    tiles: Tiling
    scratch: Value | None
    unrolled: int = UNROLLED
    masks: dict[int, Value | None] = field(default_factory=dict[int, Value | None])
    """Of a width that is given, the lanes of each vector that count; found once, where a function begins."""

    @cached_property
    def element(self) -> str:
        """The LLVM type of a number."""
        return ELEMENTS[self.core.dtype]

    @property
    def size(self) -> int:
        """Bytes of a number."""
        return bytes_of(self.element)

    def write(self, first: tuple[Value, Value] | None = None) -> None:
        """The whole product, or the part of it between limits of the outermost loop: batch, else panels, else tiles of rows."""
        kernel = self.kernel
        self.emitter.prepare(kernel.body, Point([]))
        if self.tiles.batch_inside:
            self._panels([], first)
            return
        with ExitStack() as stack:
            batch = self.emitter.nest(stack, kernel.extents[:-2], first)
            limits = None if kernel.extents[:-2] else first
            if not isinstance(self.core.inner, Extent) and not self.core.inner:
                self._nothing(batch)
            else:
                self._panels(batch, limits)

    def _nothing(self, batch: list[Value]) -> None:
        """A sum over no k at all is 0."""
        m, n = self.kernel.extents[-2:]
        f = self.emitter.f
        with ExitStack() as stack:
            inside = self.emitter.nest(stack, (m, n))
            self.emitter.body(self.kernel.body, Point([*batch, *inside]), [f.constant(self.element, 1, 0)])

    # ---- panels and tiles

    def _panels(self, batch: list[Value], limits: tuple[Value, Value] | None) -> None:
        """All columns of the result, or those panels, or tiles of rows, that lie between the limits."""
        tiles = self.tiles
        panels, rows = (limits, None) if tiles.cuts_panels else (None, limits)
        if tiles.block:
            group = tiles.group * tiles.wide
            self._turns(panels, tiles.width, group, lambda start, width: self._group(start, width, rows))
            return
        if isinstance(tiles.width, Extent):
            self._panel(batch, self.emitter.f.index(0), tiles.width, rows)
            return
        self._turns(panels, tiles.width, tiles.wide, lambda start, width: self._panel(batch, start, width, rows))

    @property
    def _rows_kept(self) -> int:
        """How many rows the result has, those of the loops before the last two counted one by one."""
        return prod(self.kernel.extents[:-2]) * self.tiles.height

    def _group(self, start: Value, width: int, limits: tuple[Value, Value] | None) -> None:
        """The columns start ... start + width − 1, by blocks of k: all their panels for one block, then for the next."""
        f, tiles = self.emitter.f, self.tiles
        each = prod(self.core.loops[1:])
        sums = f.offset(self._scratch, f.index(tiles.block * each * tiles.wide if tiles.packed else 0), self.size)
        with f.loop(0, -(-width // tiles.wide) * self._rows_kept * tiles.wide, tiles.lanes) as loop:
            f.store(f.constant(self.element, tiles.lanes, 0), f.offset(sums, loop.index, self.size), None, self._scratch_tag)
        turns = self.core.loops[0]
        before = (turns - 1) // tiles.block
        with f.loop(0, before) as loop:
            first = f.binary("mul", loop.index, f.index(tiles.block))
            self._block(start, width, limits, sums, _Terms(tiles.block, first, is_last=False))
        done = before * tiles.block
        self._block(start, width, limits, sums, _Terms(turns - done, f.index(done)))

    def _block(self, start: Value, width: int, limits: tuple[Value, Value] | None, sums: Value, terms: _Terms) -> None:
        """Adds a block's terms to the sums of a group's panels; with the last ones they are done."""
        f, tiles = self.emitter.f, self.tiles

        def panel(inside: Value, columns: int) -> None:
            column = f.binary("add", start, inside)
            packed = self._pack([], column, columns, -(-columns // tiles.lanes), terms) if tiles.packed else None
            own = f.offset(sums, inside, self._rows_kept * self.size)

            def tile(row: Value, rows: int) -> None:
                with ExitStack() as stack:
                    batch = self.emitter.nest(stack, self.kernel.extents[:-2])
                    at = self.emitter.number((0, *contiguous(self.kernel.extents[:-1])), Point([*batch, row]))
                    self._tile_at(batch, row, rows, column, columns, packed, terms, f.offset(own, at, tiles.wide * self.size))

            self._turns(limits, tiles.height, tiles.rows, tile, tiles.narrow)

        self._turns(None, width, tiles.wide, panel)

    def _panel(self, batch: list[Value], start: Value, width: int, limits: tuple[Value, Value] | None) -> None:
        """The columns start ... start + width − 1 of the result, tile by tile."""
        tiles = self.tiles
        packed = self._pack(batch, start, width, self._vectors(width), self._all) if tiles.packed else None
        self._turns(
            limits, tiles.height, tiles.rows, lambda row, rows: self._tile(batch, row, rows, start, width, packed), tiles.narrow
        )

    def _turns(
        self, limits: tuple[Value, Value] | None, extent: int, size: int, write: Callable[[Value, int], None], narrow: int = 0
    ) -> None:
        """Writes pieces of a size, by their start and extent: all of them, or those with numbers between the limits.

        The last `narrow` pieces have one row less, or else the last, ragged one what is left: they have code of their own. Of an extent
        that is given its rows go one by one, or it is a whole one, in which rows stand for others that are not there: see `_rows`.
        """
        f = self.emitter.f
        if isinstance(extent, Extent) and (self._is_short or size == 1):
            with f.loop(0, extent, size) as loop:
                write(loop.index, size)
            return
        if isinstance(extent, Extent):
            whole = f.multiple(extent, size)
            with f.loop(0, whole, size, may_be_empty=True) as loop:
                write(loop.index, size)
            with f.loop(whole, extent, may_be_empty=True) as loop:
                write(loop.index, 1)
            return
        full = -(-extent // size) - narrow if narrow else extent // size
        with ExitStack() as stack:
            if full and limits is None:
                loop = stack.enter_context(f.loop(0, full))
                write(f.binary("mul", loop.index, f.index(size)), size)
            elif full and limits is not None:
                stack.enter_context(f.when(f.compare("slt", limits[0], f.index(full))))
                loop = stack.enter_context(f.loop(limits[0], f.intrinsic("smin", limits[1], f.index(full))))
                write(f.binary("mul", loop.index, f.index(size)), size)
        if narrow:
            first, last = f.index(full), f.index(full + narrow)
            with ExitStack() as stack:
                if limits is not None:
                    stack.enter_context(f.when(f.compare("sgt", limits[1], first)))
                    first, last = f.intrinsic("smax", limits[0], first), limits[1]
                loop = stack.enter_context(f.loop(first, last))
                write(f.binary("add", f.binary("mul", loop.index, f.index(size - 1)), f.index(full)), size - 1)
        elif extent % size:
            with ExitStack() as stack:
                if limits is not None:
                    stack.enter_context(f.when(f.compare("sgt", limits[1], f.index(full))))
                write(f.index(full * size), extent % size)

    def _vectors(self, width: int) -> int:
        """How many vectors hold so many columns; of a width that is given all of a panel may be needed."""
        return self.tiles.vectors if isinstance(width, Extent) else -(-width // self.tiles.lanes)

    def _mask(self, width: int, vector: int) -> Value | None:
        if isinstance(width, Extent):
            if vector not in self.masks:
                f, lanes = self.emitter.f, self.tiles.lanes
                with f.at_entry():
                    self.masks[vector] = self.emitter.mask_of_turn(width, f.index(vector * lanes), lanes)
            return self.masks[vector]
        left = width - vector * self.tiles.lanes
        return None if left >= self.tiles.lanes else self.emitter.mask(left, self.tiles.lanes)

    def _side(self, which: str) -> tuple[MemoryPlace, int, int]:
        """The operand that lies along the lanes ("wide") or is spread over them ("tall"): place, step of its loop, step of k."""
        wide = self.core.left if self.tiles.swapped else self.core.right
        place = wide if which == "wide" else (self.core.right if self.tiles.swapped else self.core.left)
        loop = len(self.kernel.extents) - (1 if place is self.core.left else 0)
        return place, place.at[loop], place.at[-1]

    def _start(self, place: MemoryPlace, batch: list[Value]) -> Value:
        """The address of the operand's first entry in this batch."""
        f = self.emitter.f
        at: Affine = place.at[: 1 + len(batch)]
        return f.offset(self.emitter.memory.address(place.buffer), self.emitter.number(at, Point(batch)), self.size)

    @property
    def _all(self) -> _Terms:
        return _Terms(self.core.loops[0])

    @property
    def _scratch(self) -> Value:
        if self.scratch is None:
            raise AssertionError("a packed product without scratch memory")
        return self.scratch

    @property
    def _scratch_tag(self) -> str:
        return self.emitter.memory.scratch_tag()

    def _pack(self, batch: list[Value], start: Value, width: int, vectors: int, terms: _Terms) -> Value:
        """Copies a panel's terms into scratch, k after k, the lanes beyond its width as 0."""
        f, lanes = self.emitter.f, self.tiles.lanes
        place, step, step_k = self._side("wide")
        base = f.offset(self._start(place, batch), start, step * self.size)
        each = prod(self.core.loops[1:])
        base = base if terms.first is None else f.offset(base, terms.first, each * step_k * self.size)
        tag = self.emitter.memory.tag(place.buffer)
        # A number that is given has no loops beside it: see `forms.may_differ`.
        count = terms.count if isinstance(terms.count, Extent) else terms.count * each
        turned = self._turned(count, width) if step_k == 1 and step != 1 and lanes > 1 else 0
        if turned:
            with f.loop(0, turned, lanes) as loop:
                for vector in range(vectors):
                    self._pack_turned(base, loop.index, width, vector, vectors)
        if not isinstance(count, Extent) and turned == count:
            return self._scratch
        with f.loop(turned, count) as loop:
            source = f.offset(base, loop.index, step_k * self.size)
            target = f.offset(self._scratch, loop.index, vectors * lanes * self.size)
            for vector in range(vectors):
                mask = self._mask(width, vector)
                moved = f.offset(source, f.index(vector * lanes * step), self.size)
                if lanes == 1 or step == 1:
                    numbers = f.load(self.element, lanes, moved, mask, tag)
                else:
                    steps = f.vector("i64", [lane * step for lane in range(lanes)])
                    numbers = self.emitter.gather(self.element, moved, steps, self.size, mask, tag)
                f.store(numbers, f.offset(target, f.index(vector * lanes), self.size), None, self._scratch_tag)
        return self._scratch

    def _turned(self, count: int, width: int) -> int:
        """How many k are packed by whole squares: where numbers are given, none."""
        return 0 if isinstance(count, Extent) or isinstance(width, Extent) else count // self.tiles.lanes * self.tiles.lanes

    def _pack_turned(self, base: Value, k: Value, width: int, vector: int, vectors: int) -> None:
        """A square of the panel whose columns stand in memory as rows: read row by row, turned in registers, written."""
        f, lanes = self.emitter.f, self.tiles.lanes
        place, step, _ = self._side("wide")
        tag = self.emitter.memory.tag(place.buffer)
        square: list[Value] = []
        for lane in range(lanes):
            column = vector * lanes + lane
            inside = f.offset(f.offset(base, f.index(column * step), self.size), k, self.size)
            square.append(
                f.load(self.element, lanes, inside, None, tag) if column < width else f.constant(self.element, lanes, 0)
            )
        for number, turned in enumerate(transposed(f, square)):
            target = f.offset(self._scratch, f.binary("add", k, f.index(number)), vectors * lanes * self.size)
            f.store(turned, f.offset(target, f.index(vector * lanes), self.size), None, self._scratch_tag)

    def _tile(self, batch: list[Value], row: Value, rows: int, start: Value, width: int, packed: Value | None) -> None:
        """rows × width entries of the result: accumulators over k, then the body."""
        if not self.tiles.batch_inside:
            self._tile_at(batch, row, rows, start, width, packed)
            return
        with ExitStack() as stack:
            self._tile_at(self.emitter.nest(stack, self.kernel.extents[:-2]), row, rows, start, width, packed)

    def _tile_at(
        self,
        batch: list[Value],
        row: Value,
        rows: int,
        start: Value,
        width: int,
        packed: Value | None,
        terms: _Terms | None = None,
        sums: Value | None = None,
    ) -> None:
        """A tile's sums over all terms, or over some, which are added to those that stand at `sums`."""
        f, vectors = self.emitter.f, self._vectors(width)
        terms = terms or self._all
        over = f"{terms.count} k" if not self.core.parts else f"{terms.count} of {self.core.parts}"
        offsets = self._rows(row, rows)
        operands = self._operands(batch, row, offsets, start, width, packed, terms)
        f.comment(f"a tile of {rows} rows by {vectors} vectors of {self.tiles.lanes}: sums over {over}, all in registers")
        kept = [] if sums is None else self._kept(sums, rows, vectors)
        totals = [f.load(self.element, self.tiles.lanes, place, None, self._scratch_tag) for place in kept]
        totals = self._added(
            operands, totals or [f.constant(self.element, self.tiles.lanes, 0)] * (rows * vectors), terms.count
        )
        if terms.is_last:
            self._finish(batch, row, offsets, start, width, totals)
            return
        for total, place in zip(totals, kept, strict=True):
            f.store(total, place, None, self._scratch_tag)

    def _kept(self, sums: Value, rows: int, vectors: int) -> list[Value]:
        """Where a tile's sums so far stand."""
        f, tiles = self.emitter.f, self.tiles
        numbers = [row * tiles.wide + vector * tiles.lanes for row in range(rows) for vector in range(vectors)]
        return [f.offset(sums, f.index(number), self.size) for number in numbers]

    def _operands(
        self,
        batch: list[Value],
        row: Value,
        offsets: list[Value],
        start: Value,
        width: int,
        packed: Value | None,
        terms: _Terms,
    ) -> _Operands:
        """Where a tile's terms are read."""
        f, lanes = self.emitter.f, self.tiles.lanes
        vectors = self._vectors(width)
        place, step, _ = self._side("tall")
        tall = f.offset(self._start(place, batch), row, step * self.size)
        tall = tall if terms.first is None else f.offset(tall, terms.first, place.at[-len(self.core.loops)] * self.size)
        tall_tag = self.emitter.memory.tag(place.buffer)
        if packed is not None:
            masks = (None,) * vectors
            return _Operands(tall, tall_tag, tuple(offsets), packed, self._scratch_tag, masks, vectors * lanes)
        other, _, wide_k = self._side("wide")
        masks = tuple([self._mask(width, vector) for vector in range(vectors)])
        if self.core.panel:
            wide = f.offset(self._start(other, batch), start, self.core.inner * self.size)
            return _Operands(
                tall, tall_tag, tuple(offsets), wide, self.emitter.memory.tag(other.buffer), (None,) * vectors, wide_k
            )
        wide = f.offset(self._start(other, batch), start, self.size)
        wide = wide if terms.first is None else f.offset(wide, terms.first, prod(self.core.loops[1:]) * wide_k * self.size)
        return _Operands(tall, tall_tag, tuple(offsets), wide, self.emitter.memory.tag(other.buffer), masks, wide_k)

    def _multiply_add(self, at: _Operands, totals: list[Value], k: Value) -> list[Value]:
        """The sums with one more term."""
        f, lanes = self.emitter.f, self.tiles.lanes
        _, step, step_k = self._side("tall")
        source = f.offset(at.wide, k, at.wide_step * self.size)
        column = f.offset(at.tall, k, step_k * self.size)
        right = [
            f.load(self.element, lanes, f.offset(source, f.index(v * lanes), self.size), mask, at.wide_tag)
            for v, mask in enumerate(at.masks)
        ]
        sums = iter(totals)
        following: list[Value] = []
        for offset in at.rows:
            number = f.load(self.element, 1, f.offset(column, offset, step * self.size), None, at.tall_tag)
            spread = f.splat(number, lanes)
            following += [self.emitter.multiply_add(spread, vector, next(sums)) for vector in right]
        return following

    def _added(self, at: _Operands, totals: list[Value], count: int) -> list[Value]:
        """The sums with `count` more terms."""
        place, step, step_k = self._side("tall")
        if len(self.core.parts) > 1:
            return self._added_over_windows(at, totals, place, (count, *self.core.parts[1:]))
        if place.buffer.kind == "block" and step_k == 1 and self._is_streamed(len(at.rows)):
            return self._added_in_turns(at, totals, count, lambda k: self._ask_ahead(at.tall, k, len(at.rows), step))
        return self._added_in_turns(at, totals, count)

    def _added_in_turns(
        self, at: _Operands, totals: list[Value], count: int, ask: Callable[[Value], None] | None = None
    ) -> list[Value]:
        """The same over one loop, written out, or several terms at a turn; `ask` is called for each term of a loop."""
        f, each = self.emitter.f, self.unrolled // len(totals)
        if not isinstance(count, Extent) and count <= each:
            for k in range(count):
                totals = self._multiply_add(at, totals, f.index(k))
            return totals

        def added(totals: list[Value], start: int, stop: int, step: int) -> list[Value]:
            with f.loop(start, stop, step, totals) as loop:
                now = list(loop.carried)
                for turn in range(step):
                    k = f.binary("add", loop.index, f.index(turn)) if turn else loop.index
                    if ask is not None:
                        ask(k)
                    now = self._multiply_add(at, now, k)
                loop.following = now
            return list(loop.results)

        several = min(each, SEVERAL)
        if isinstance(count, Extent) or several < 2:
            return added(totals, 0, count, 1)
        whole = count // several * several
        totals = added(totals, 0, whole, several)
        return added(totals, whole, count, 1) if whole < count else totals

    def _added_over_windows(self, at: _Operands, totals: list[Value], place: MemoryPlace, extents: Shape) -> list[Value]:
        """The same over the last loops of the sum, of a left matrix read through windows."""
        f = self.emitter.f
        if len(extents) == 1:
            return self._added_in_turns(at, totals, extents[0])
        with f.loop(0, extents[0], 1, totals) as loop:
            inside = f.offset(at.tall, loop.index, place.at[-len(extents)] * self.size)
            beside = f.offset(at.wide, loop.index, prod(extents[1:]) * at.wide_step * self.size)
            inner = replace(at, tall=inside, wide=beside)
            loop.following = self._added_over_windows(inner, list(loop.carried), place, extents[1:])
        return list(loop.results)

    def _is_streamed(self, rows: int) -> bool:
        return not isinstance(self.core.inner, Extent) and rows * self.core.inner * self.size >= STREAMED

    def _ask_ahead(self, tall: Value, k: Value, rows: int, step: int) -> None:
        """Asks memory for the next tile's rows, a line of one row at each turn: a caller's table is in no cache yet."""
        f, line = self.emitter.f, 64 // self.size
        row = f.binary("urem", k, f.index(rows))
        inside = f.binary("mul", f.binary("udiv", k, f.index(rows)), f.index(line))
        ahead = f.binary("add", f.binary("mul", f.binary("add", row, f.index(rows)), f.index(step)), inside)
        f.declarations.add("declare void @llvm.prefetch.p0(ptr, i32, i32, i32)")
        f.perform(f"call void @llvm.prefetch.p0({f.offset(tall, ahead, self.size)}, i32 0, i32 3, i32 1)")

    def _finish(
        self, batch: list[Value], row: Value, offsets: list[Value], start: Value, width: int, totals: list[Value]
    ) -> None:
        """The body on each vector of the tile, whose rows stand so far from its first."""
        f, lanes, rows = self.emitter.f, self.tiles.lanes, len(offsets)
        vectors = len(totals) // rows
        if self._is_short or rows == 1:
            points = [
                self._point(batch, f.binary("add", row, offset), start, v, width) for offset in offsets for v in range(vectors)
            ]
            found = [self.emitter.lines(self.kernel.body, p, [total]) for p, total in zip(points, totals, strict=True)]
            # All reads before all writes: a read that overlaps the masked end of a vector just written would wait for it.
            for point, values in zip(points, found, strict=True):
                self.emitter.stores(self.kernel.body, point, values)
            return
        kind = f"[{len(totals)} x {totals[0].type}]"
        kept = f.stack_memory(kind)
        for number, total in enumerate(totals):
            f.store(total, f.offset(kept, f.index(number * lanes), self.size))
        with f.loop(0, rows) as loop:
            for v in range(vectors):
                at = f.binary("add", f.binary("mul", loop.index, f.index(vectors * lanes)), f.index(v * lanes))
                total = f.load(self.element, lanes, f.offset(kept, at, self.size))
                point = self._point(batch, f.binary("add", row, loop.index), start, v, width)
                self.emitter.body(self.kernel.body, point, [total])

    @property
    def _is_short(self) -> bool:
        """Whether the body is written for each vector of a tile: all that it reads is read before anything is written."""
        return len(self.kernel.body.lines) <= INLINE_LINES

    def _rows(self, row: Value, rows: int) -> list[Value]:
        """How far the rows of a tile are from its first; where the height is given, those behind the last stand for the last.

        They compute the same from the same and write it once more.
        """
        f = self.emitter.f
        if rows == 1 or not self._is_short or not isinstance(self.tiles.height, Extent):
            return list(map(f.index, range(rows)))
        left = f.binary("sub", f.binary("sub", self.tiles.height.value, f.index(1)), row)
        return [f.index(0), *[f.intrinsic("smin", f.index(r), left) for r in range(1, rows)]]

    def _point(self, batch: list[Value], row: Value, start: Value, vector: int, width: int) -> Point:
        """Where the vector of a row stands in the result."""
        f, lanes = self.emitter.f, self.tiles.lanes
        column = f.binary("add", start, f.index(vector * lanes))
        inside = [column, row] if self.tiles.swapped else [row, column]
        lane_loop = len(batch) + (0 if self.tiles.swapped else 1)
        return Point([*batch, *inside], lane_loop if lanes > 1 else -1, lanes, self._mask(width, vector))


def transposed(f: LlvmFunction, square: list[Value]) -> list[Value]:
    """As many vectors as each has lanes, rows for columns: blocks are exchanged, halves first, then quarters, to single lanes."""
    rows, lanes = list(square), len(square)
    apart = lanes // 2
    while apart:
        for low in (number for number in range(lanes) if not number & apart):
            x, y = rows[low], rows[low + apart]
            rows[low] = f.shuffle(x, y, [lanes + lane - apart if lane & apart else lane for lane in range(lanes)])
            rows[low + apart] = f.shuffle(x, y, [lanes + lane if lane & apart else lane + apart for lane in range(lanes)])
        apart //= 2
    return rows
