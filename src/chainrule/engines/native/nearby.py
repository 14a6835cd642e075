"""Large arrays between two kernels, some rows at a time: what the one writes the other reads while it is still in the cache.

The gradient of a convolution's inputs is a product, which may have the size of all windows, and its sum window by window. Both go through
the batch together, an example or some at a time, over memory that each thread has of its own. Source of the idea: J. Ragan-Kelley et al.,
"Halide", PLDI 2013, section 3, where it is computing a stage at a loop of its consumer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import gcd, prod

from chainrule.engines.native.buffers import ALIGNMENT
from chainrule.engines.native.kernels import Buffer, Kernel, KernelBody, Product, Turns
from chainrule.engines.native.rows import MOST, are_apart, moving, places_of
from chainrule.engines.native.tiling import scratch_bytes, tiling
from chainrule.graph import Type

FAR_APART = 1024 * 1024
"""Bytes of an array from which on it does not stay in the cache until it is read."""
NEAR = 1024 * 1024
"""Bytes of the rows of a turn, which do."""


def near_by(kernels: Sequence[Kernel], vector_bytes: int, registers: int) -> list[Kernel]:
    """The kernels, in which products with a large result that one kernel reads go through the rows with that kernel."""
    found = list(kernels)
    for kernel in kernels:
        is_there = any(other is kernel for other in found)
        reader = _reader(kernel, found) if is_there else None
        joined = None if reader is None else _joined(kernel, reader, vector_bytes, registers)
        if reader is not None and joined is not None:
            found[_place(found, reader)] = joined
            del found[_place(found, kernel)]
    return found


def _place(kernels: Sequence[Kernel], kernel: Kernel) -> int:
    return next(place for place, other in enumerate(kernels) if other is kernel)


def _reader(kernel: Kernel, kernels: Sequence[Kernel]) -> Kernel | None:
    """The one kernel that reads a product's large result, if the product may wait for it."""
    if not isinstance(kernel.core, Product) or len(kernel.writes) != 1:
        return None
    (large,) = kernel.writes
    readers = [other for other in kernels if any(buffer is large for buffer in other.reads)]
    if large.kind != "arena" or large.nbytes < FAR_APART or len(readers) != 1 or not _reads_whole(readers[0], large):
        return None
    writers = [other for other in kernels if any(buffer is large for buffer in other.writes)]
    between = kernels[_place(kernels, kernel) + 1 : _place(kernels, readers[0])]
    needed = {id(buffer) for buffer in kernel.reads}
    changed = [buffer for other in between for buffer in other.writes]
    is_free = all(buffer.kind not in {"state", "next"} and id(buffer) not in needed for buffer in changed)
    return readers[0] if len(writers) == 1 and is_free else None


def _reads_whole(reader: Kernel, large: Buffer) -> bool:
    """Whether a kernel counts a buffer's entries from its beginning: one in a loop over time reads parts."""
    is_part = any(place.buffer.memory is large and place.buffer is not large for place, _, _ in places_of(reader))
    return not isinstance(reader.core, Turns) and not is_part


def _joined(kernel: Kernel, reader: Kernel, vector_bytes: int, registers: int) -> Kernel | None:
    """Both kernels as a loop over the rows, in pieces for threads; None where rows look at each other, or one alone is large."""
    (large,) = kernel.writes
    rows = gcd(kernel.extents[0], reader.extents[0]) if reader.extents else 1
    each = next((count for count in _divisors(rows) if large.nbytes // rows * count <= NEAR), 0)
    pieces = next((count for count in _divisors(rows // each) if count <= MOST), 1) if each else 1
    if pieces == 1 or not are_apart([kernel, reader], rows):
        return None
    own = Buffer(large.label, Type(large.type.dtype, (prod(large.type.shape) // rows * each,)), "scratch")
    inside = [moving(part, rows, rows // pieces, each, {id(large): own}) for part in (kernel, reader)]
    first = inside[0]
    assert isinstance(first.core, Product)  # noqa: S101  (as `kernel` is)
    own.offset = (
        -(-scratch_bytes(tiling(first, first.core, vector_bytes, registers), first, first.core) // ALIGNMENT) * ALIGNMENT
    )
    return Kernel(f"{kernel.label}, {reader.label}", (), KernelBody(), Turns(rows // pieces // each, inside, pieces))


def _divisors(number: int) -> Iterator[int]:
    """From the largest to the smallest."""
    return (count for count in range(number, 0, -1) if number % count == 0)
