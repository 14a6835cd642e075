"""A schedule walked through entry by entry, in Python: who wrote each byte that a kernel reads, and what is never written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import prod

import numpy as np

from chainrule.engines.native.kernels import Affine, Buffer, Instruction, Kernel, MemoryPlace, Product, Reduction, Scatter

NOBODY, OLD = -1, -2
"""Who wrote a byte: nobody yet; the step before (state). Otherwise the number of the buffer that it was written as."""
GIVEN = frozenset({"rows", "block", "scalar", "constant"})
"""Kinds of buffers that hold their numbers from the start."""


@dataclass(frozen=True)
class Touch:
    """Entries of a buffer that a kernel reads or writes: one to each point of so many leading loops."""

    buffer: Buffer
    entries: np.ndarray
    level: str
    """inner: at the points of a reduction's inner loops; outer: at the kernel's points; whole: at no particular point."""


def numbers(at: Affine, extents: Sequence[int]) -> np.ndarray:
    """constant + Σ coefficient · loop at all points: an array with these extents."""
    assert len(at) == len(extents) + 1
    total = np.full(tuple(extents), at[0])
    for axis, (step, extent) in enumerate(zip(at[1:], extents, strict=True)):
        total = total + step * np.arange(extent).reshape((-1, *(1,) * (len(extents) - 1 - axis)))
    return total


def _read(line: Instruction, extents: Sequence[int], level: str) -> Touch | None:
    if line.place is None:
        return None
    found = numbers(line.place.at, extents)
    if line.op == "fetch":
        reach = line.attributes["stride"] * np.arange(line.attributes["extent"])
        return Touch(line.place.buffer, found[..., None] + reach, "whole")
    if line.place.row is not None:
        rows = numbers(line.place.row, extents)
        row_size = prod(line.place.buffer.type.shape[1:])
        assert found.size == 0 or (found.min() >= 0 and found.max() < row_size), "an entry outside its row"
        found = rows * row_size + found
    return Touch(line.place.buffer, found, level)


def _operand(place: MemoryPlace, kernel: Kernel, core: Product) -> Touch:
    return Touch(place.buffer, numbers(place.at, (*kernel.extents, core.inner)), "whole")


def touches(kernel: Kernel) -> tuple[list[Touch], list[Touch]]:
    """What a kernel reads and what it writes."""
    core = kernel.core
    levels = [("outer", kernel.body, kernel.extents)]
    if isinstance(core, Reduction):
        levels.insert(0, ("inner", core.body, (*kernel.extents, *core.extents)))
    reads, writes = [], []
    for level, body, extents in levels:
        reads += [touch for line in body.lines if (touch := _read(line, extents, level))]
        for store in body.stores:
            entries = numbers(store.place.at, extents)
            if isinstance(core, Scatter):
                entries = entries[..., None] + core.stride * np.arange(core.extent)
                reads.append(Touch(store.place.buffer, entries, "whole"))
            writes.append(Touch(store.place.buffer, entries, level))
    if isinstance(core, Product):
        reads += [_operand(core.left, kernel, core), _operand(core.right, kernel, core)]
    return reads, writes


def is_addition(kernel: Kernel) -> bool:
    """Whether the kernel adds to what stands there, or clears what others will write: the entries are not written but begun."""
    return isinstance(kernel.core, Scatter) or kernel.label.endswith(" zeros")


def _key(buffer: Buffer, offsets: bool) -> object:
    if buffer.kind == "arena":
        return "arena" if offsets else id(buffer)
    return (buffer.kind, buffer.name or id(buffer))


@dataclass
class Walk:
    """Memory while a schedule is walked through: of each byte who wrote it last. `offsets`: arena buffers lie where their plan says."""

    kernels: Sequence[Kernel]
    offsets: bool = False
    owners: dict[object, np.ndarray] = field(default_factory=dict)
    written: dict[int, np.ndarray] = field(default_factory=dict)
    """How often each entry of a buffer was written."""
    fresh: set[int] = field(default_factory=set)
    """Buffers that some kernel writes: a state buffer that is not among them is the old state."""
    read: set[int] = field(default_factory=set)

    def run(self) -> Walk:
        """All kernels in order; an assertion fails at the first that reads what it should not."""
        arena = max((b.offset + b.nbytes for b in self._buffers() if b.kind == "arena"), default=0) if self.offsets else 0
        self.fresh = {id(buffer) for kernel in self.kernels for buffer in kernel.writes}
        for buffer in self._buffers():
            start = OLD if buffer.kind == "state" else NOBODY
            size = arena if _key(buffer, self.offsets) == "arena" else buffer.nbytes
            self.owners.setdefault(_key(buffer, self.offsets), np.full(size, start, np.int64))
        for kernel in self.kernels:
            self._kernel(kernel)
        return self

    def _buffers(self) -> Iterator[Buffer]:
        for kernel in self.kernels:
            yield from (*kernel.reads, *kernel.writes)

    def _bytes(self, touch: Touch) -> np.ndarray:
        """The bytes of each entry, along one more axis, in the memory where the buffer lies."""
        size = np.dtype(touch.buffer.type.dtype).itemsize
        start = touch.buffer.offset if self.offsets and touch.buffer.kind == "arena" else 0
        return start + touch.entries[..., None] * size + np.arange(size)

    def _owner(self, buffer: Buffer) -> int:
        return OLD if buffer.kind == "state" and id(buffer) not in self.fresh else id(buffer)

    def _kernel(self, kernel: Kernel) -> None:
        reads, writes = touches(kernel)
        for touch in (*reads, *writes):
            where = f"{touch.buffer.label} in\n{kernel}"
            entries, count = touch.entries, touch.buffer.type.size
            # Of a table's rows the order says which; there are as many as the batch has.
            assert entries.size == 0 or (entries.min() >= 0 and entries.max() < count), f"outside {where}"
        for touch in reads:
            self.read.add(id(touch.buffer))
            if touch.buffer.kind not in GIVEN:
                found = self.owners[_key(touch.buffer, self.offsets)][self._bytes(touch)]
                assert (found == self._owner(touch.buffer)).all(), (
                    f"read before it is written, or after: {touch.buffer.label} in\n{kernel}"
                )
            for write in writes:
                self._no_clash(kernel, touch, write)
        for number, write in enumerate(writes):
            assert write.buffer.kind not in GIVEN
            for other in writes[:number]:
                if _key(other.buffer, self.offsets) == _key(write.buffer, self.offsets):
                    assert not np.intersect1d(self._bytes(other), self._bytes(write)).size, (
                        f"two writes to one place in\n{kernel}"
                    )
            self._write(kernel, write)

    def _write(self, kernel: Kernel, write: Touch) -> None:
        counts = self.written.setdefault(id(write.buffer), np.zeros(write.buffer.type.size, np.int64))
        if not is_addition(kernel):
            np.add.at(counts, write.entries.reshape(-1), 1)
        if not isinstance(kernel.core, Scatter):
            self.owners[_key(write.buffer, self.offsets)][self._bytes(write)] = id(write.buffer)

    def _no_clash(self, kernel: Kernel, read: Touch, write: Touch) -> None:
        """A place that a kernel both reads and overwrites is read at the very point that writes it, and so before."""
        if read.buffer is write.buffer or _key(read.buffer, self.offsets) != _key(write.buffer, self.offsets):
            return
        theirs, mine = self._bytes(read), self._bytes(write)
        if not np.intersect1d(theirs, mine).size:
            return
        where = f"{read.buffer.label} is overwritten while it is read in\n{kernel}"
        assert read.level != "whole", where
        assert not (write.level == "inner" and read.level == "outer"), where
        points = prod(kernel.extents) if write.level == "outer" else prod(write.entries.shape)
        by_point = mine.reshape(points, -1)
        writer = {byte: point for point in range(points) for byte in by_point[point].tolist()}
        for point, found in enumerate(theirs.reshape(points, -1) if theirs.size else ()):
            assert all(writer.get(byte, point) == point for byte in found.tolist()), where
